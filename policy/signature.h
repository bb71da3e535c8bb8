/* signature.h - the two primitives under all documents, notes and checkpoints. Only public keys pass here. */
#ifndef POLICY_SIGNATURE_H
#define POLICY_SIGNATURE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

/* Ed25519 (RFC 8032). Out: *good. Fails: E_MEMORY. */
err  ed25519_check(bool *good, const uint8_t key[static 32], const uint8_t signature[static 64], const void *message, size_t n);
/* Could this be somebody's Ed25519 key? No: a point of small order in one of its encodings, for which
 * signatures can be made without a private key. */
bool ed25519_key_ok(const uint8_t key[static 32]);
/* BIP340 over a message of 32 bytes. False also when the key is no point. */
bool bip340_check(const uint8_t key[static 32], const uint8_t signature[static 64], const uint8_t message[static 32]);
/* Is it the x of a point? */
bool bip340_key_ok(const uint8_t key[static 32]);

#endif
