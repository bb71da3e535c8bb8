/* build_key.h - the key pair that a build of the service announces itself with.
 *
 * X25519, from the build root, so that every boot of that build has the same one and nobody
 * else can: the root comes from the build's own KMS key, which answers to its measurements
 * alone. What was sealed for a build (keystore/grant.h) can be opened after any restart. */
#ifndef KEYSTORE_BUILD_KEY_H
#define KEYSTORE_BUILD_KEY_H
#include <stdint.h>
#include "core/err.h"
#include "core/secret.h"

enum { BUILD_KEY = 32 };

struct build_key {
    secret *scalar;                     /* X25519 (RFC 7748), 32 bytes */
    uint8_t point[BUILD_KEY];           /* the public key              */
};
void build_key_drop(struct build_key *k);
#define BUILD_KEYPAIR __attribute__((cleanup(build_key_drop))) struct build_key

/* scalar = HKDF-SHA256(build root, salt "holdfast/1", info "build-key" || service id). The service id is in
 * it because two services may share a KMS key and a block hash, hence the root: each build key is
 * one service's. Out: *out, to be dropped. Fails: E_FORMAT (a root that is not 32 bytes), E_MEMORY. */
err build_key_derive(struct build_key *out, const secret *build_root, const uint8_t service_id[static 32]);

#endif
