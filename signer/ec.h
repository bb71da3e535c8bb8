/* ec.h - public-key operations on secp256k1; no secret passes here.
 *
 * Pure functions over bytes, on libsecp256k1's constant context. A `bool` is the
 * verdict about the bytes, so that "invalid signature" is not an error of the
 * program; nothing is logged. */
#ifndef SIGNER_EC_H
#define SIGNER_EC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

/* Is it the x of a point (BIP340)? */
bool ec_xonly_valid(const uint8_t key[static 32]);
/* Is it a public key: 33 bytes 02/03, or 65 bytes 04 (and hybrid 06/07, as Core's parser)? */
bool ec_pubkey_valid(const uint8_t *key, size_t n);

/* BIP340 over a message of any length. False also when key is no point. */
bool ec_schnorr_verify(const uint8_t sig[static 64], const void *msg, size_t n, const uint8_t key[static 32]);

/* Does lift_x(internal) + tweak*G have x = output and this y parity (BIP341)? */
bool ec_tweak_check(const uint8_t output[static 32], int parity,
                    const uint8_t internal[static 32], const uint8_t tweak[static 32]);
/* lift_x(internal) + tweak*G. Out: its x, and its y parity (NULL: not wanted).
 * Fails: E_FORMAT (internal is no point, tweak not below n, or the sum is infinity). */
err  ec_tweak_xonly(uint8_t output[static 32], int *parity,
                    const uint8_t internal[static 32], const uint8_t tweak[static 32]);
/* child = parent + tweak*G, compressed keys. Fails: E_FORMAT, as above. */
err  ec_pubkey_add(uint8_t child[static 33], const uint8_t parent[static 33], const uint8_t tweak[static 32]);

/* ECDSA over a 32-byte hash. The signature may be any DER that OpenSSL 1.0 took (Core's
 * lax parser), high S included; stricter forms are the interpreter's flags. */
bool ec_ecdsa_verify(const uint8_t *sig, size_t sig_len, const uint8_t *key, size_t key_len,
                     const uint8_t hash[static 32]);
/* Is S at most half the order, in lax DER? False when it cannot be read at all. */
bool ec_ecdsa_low_s(const uint8_t *sig, size_t sig_len);

#endif
