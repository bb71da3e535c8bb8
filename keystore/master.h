/* master.h - from the secret KMS answered to the master key.
 *
 * Runs in the keeper. `z` is the 32-byte result of DeriveSharedSecret: the x of
 * d·NUMS(block hash), big-endian (facts: AWS returns it raw, with no KDF). */
#ifndef KEYSTORE_MASTER_H
#define KEYSTORE_MASTER_H
#include "core/err.h"
#include "core/secret.h"
#include "keystore/profile.h"

enum { MASTER_LEN = 32 };

/* Make the master: a secp256k1 secret key, 32 bytes big-endian, 0 < key < n.
 * The candidate is z itself, or for confidential-script-2 HKDF-SHA256(z, salt
 * "confidential-script-salt", info "confidential-script-setup"); while it is 0 or
 * not below the curve's order it is taken as a 256-bit number and 1 is added (mod 2^256).
 * Out:   *master, the caller's to drop.
 * Fails: E_FORMAT (z is not 32 bytes), E_STATE (profile not available), E_MEMORY. */
err master_from_secret(secret **master, enum profile profile, const secret *z);

#endif
