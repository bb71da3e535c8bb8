/* aead.h - ChaCha20-Poly1305 (RFC 8439) under keys that the caller keeps and wipes.
 *
 * For code that both ends of a channel share: `holdfast` has no arena, the daemon passes
 * bytes of its own. 96-bit nonce, 128-bit tag behind the ciphertext, a message in one call.
 * The caller never uses a nonce twice under one key. `in` and `out` may be the same. */
#ifndef CORE_AEAD_H
#define CORE_AEAD_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum { AEAD_KEY = 32, AEAD_NONCE = 12, AEAD_TAG = 16 };

struct aead { const uint8_t *key, *nonce; const void *aad; size_t aad_len; };   /* 32 and 12 bytes */

/* Out: out[0..n + AEAD_TAG). Fails: E_LIMIT (more than 2^31 - 17 bytes), E_MEMORY. */
err aead_seal(uint8_t *out, const struct aead *a, const uint8_t *in, size_t n);
/* Out: out[0..n - AEAD_TAG). Fails: E_AUTH (altered, another key, shorter than a tag; not logged:
 * clients cause it at will), with `out` zeroed; E_LIMIT, E_MEMORY. */
err aead_open(uint8_t *out, const struct aead *a, const uint8_t *in, size_t n);

#endif
