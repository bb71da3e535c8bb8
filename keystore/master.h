/* master.h - from the secret KMS answered to the master key.
 *
 * Runs in the keeper. `z` is the 32-byte result of DeriveSharedSecret: the x of
 * d·NUMS(block hash), big-endian (facts: AWS returns it raw, with no KDF). */
#ifndef KEYSTORE_MASTER_H
#define KEYSTORE_MASTER_H
#include <stdint.h>
#include "core/err.h"
#include "core/secret.h"
#include "keystore/profile.h"

enum { MASTER_LEN = 32, MASTER_ARN_MAX = 2048 };

/* What holdfast-1 binds: the same secret gives another master when any of it differs. The other
 * profiles bind nothing beside Z, as they must stay what they are. */
struct master_binding {
    const char    *arn;               /* of the KMS key, as configured                         */
    const uint8_t *blockhash;         /* 32 bytes, as displayed; enters in internal order       */
    uint32_t       epoch;             /* in which the master was made, from 1                   */
    const uint8_t *policy;            /* 32 bytes: hash of the first policy; zeros when there is none */
};

/* Make the master: a secp256k1 secret key, 32 bytes big-endian, 0 < key < n.
 * The candidate is z itself; for confidential-script-2 HKDF-SHA256(z, salt
 * "confidential-script-salt", info "confidential-script-setup"); for holdfast-1
 * HKDF-SHA256(z, salt "holdfast/1", info "master" || u32 length, ARN || block hash in
 * internal order || u32 epoch || policy hash). While it is 0 or not below the curve's
 * order it is taken as a 256-bit number and 1 is added (mod 2^256).
 * `binding` may be NULL for the other profiles.
 * Out:   *master, the caller's to drop.
 * Fails: E_FORMAT (z is not 32 bytes), E_LIMIT (ARN empty or too long), E_STATE (no such
 *        profile; no binding or epoch 0 for holdfast-1), E_MEMORY. */
err master_from_secret(secret **master, enum profile profile, const secret *z, const struct master_binding *binding);

#endif
