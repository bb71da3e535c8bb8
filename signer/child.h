/* child.h - which child of the master key stands for an emulated script.
 *
 * Public arithmetic only, so that an address needs only the master's public key: child = master + t*G
 * (BIP32-like without a chain code). Which t, follows from the service's profile.
 * Whoever learns one child's secret learns the master's: children never leave the signer. */
#ifndef SIGNER_CHILD_H
#define SIGNER_CHILD_H
#include <stdbool.h>
#include <stdint.h>

enum child_kind {
    CHILD_OF_ROOT,                     /* the earlier systems' rule: of the emulated merkle root alone  */
    CHILD_OF_OUTPUT                    /* holdfast-1: of the rule set and the emulated output key       */
};
/* What a derivation profile has; false when no profile is called so. */
bool child_kind_of(enum child_kind *out, const char *profile);

/* CHILD_OF_ROOT: the left half of HMAC-SHA512(key = master, message = root) as a
 * big-endian number, reduced mod n (secp256k1's order). */
void child_tweak(uint8_t t[static 32], const uint8_t master[static 33], const uint8_t root[static 32]);
/* CHILD_OF_OUTPUT: the tagged hash `holdfast/child` of master, rule set id and emulated output key (x-only), reduced likewise.
 * The output key is made of internal key and merkle root, so that none of the three can be another's. */
void child_tweak_bound(uint8_t t[static 32], const uint8_t master[static 33], const uint8_t rules[static 32],
                       const uint8_t output_key[static 32]);
/* Subtract n from a big-endian number of 256 bits if it is not below n. */
void child_reduce(uint8_t t[static 32]);

#endif
