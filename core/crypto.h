/* crypto.h - keyed work on secrets (libcrypto). Only holdfastd links this. */
#ifndef CORE_CRYPTO_H
#define CORE_CRYPTO_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/hash.h"
#include "core/secret.h"

enum { GCM_KEY = 32, GCM_NONCE = 12, GCM_TAG = 16 };

/* Once, before sandbox_enter(): fetch every algorithm, make libcrypto wipe what
 * it frees, and touch its random generator, so that no file is needed later. No
 * openssl.cnf is read, then or later. Checks itself against published answers (MUST).
 * Fails: E_STATE (libcrypto allocated something before this call), E_MEMORY. */
err crypto_warm_up(void);

/* HKDF-SHA256 (RFC 5869) of `ikm` into a new secret of `len` bytes (what a secret
 * may have, so less than the RFC's 255*32). An empty salt is legal. Fails: E_LIMIT, E_MEMORY. */
err hkdf_sha256(secret **out, size_t len, const secret *ikm,
                const void *salt, size_t salt_len, const void *info, size_t info_len);
/* HMAC-SHA256 under a secret key, over pieces. */
err secret_hmac_sha256(uint8_t out[static 32], const secret *key, const struct bytes *pieces, size_t count);

/* Ed25519 (RFC 8032) with the 32-byte secret key (its seed) in the arena. Fails: E_MEMORY. */
err ed25519_public(uint8_t out[static 32], const secret *key);
err ed25519_sign(uint8_t out[static 64], const secret *key, const void *message, size_t n);

/* AES-256-GCM (NIST SP 800-38D), 96-bit nonce, 128-bit tag, for many messages
 * under one key: a key schedule is made once. `in` and `out` may be the same. At most
 * 2^31 - 1 bytes in one call. The caller never uses a nonce twice. By libipsec-mb where the
 * processor has VAES (the schedule takes 1.2 KiB of the arena), else by libcrypto: the bytes are
 * the same. Fails: E_LIMIT, E_MEMORY. */
struct gcm;
err  gcm_open_key(struct gcm **out, const secret *key);               /* key of 32 bytes */
void gcm_close_key(struct gcm **g);
err  gcm_seal(struct gcm *g, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
              const void *aad, size_t aad_len, const uint8_t *in, size_t n);
/* Fails: E_AUTH, with `out` zeroed. */
err  gcm_unseal(struct gcm *g, uint8_t *out, const uint8_t tag[static 16], const uint8_t nonce[static 12],
                const void *aad, size_t aad_len, const uint8_t *in, size_t n);
/* Which library it is in this process, since crypto_warm_up(): for the log. */
const char *gcm_library(void);
#define GCM __attribute__((cleanup(gcm_close_key))) struct gcm *

#endif
