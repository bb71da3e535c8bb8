/* child.h - which child of the master key stands for a merkle root.
 *
 * Public arithmetic only: BIP32-like without a chain code, as the rule
 * `confidential-script` has it, so that an address needs only the master's public key.
 * Whoever learns one child's secret learns the master's: children never leave the signer. */
#ifndef SIGNER_CHILD_H
#define SIGNER_CHILD_H
#include <stdint.h>

/* The tweak t: the left half of HMAC-SHA512(key = master, message = root) as a
 * big-endian number, reduced mod n (secp256k1's order). child = master + t*G. */
void child_tweak(uint8_t t[static 32], const uint8_t master[static 33], const uint8_t root[static 32]);
/* Subtract n from a big-endian number of 256 bits if it is not below n. */
void child_reduce(uint8_t t[static 32]);

#endif
