/* hpke.h - Hybrid Public Key Encryption (RFC 9180), base mode, one suite:
 * DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, ChaCha20Poly1305 0x0003.
 *
 * Over plain bytes, so that both ends of a channel run this code: the client of
 * `holdfast` with a key of its own that lives for one request, the keeper with bytes
 * of its arena. What is secret in a context is the caller's to wipe. */
#ifndef KEYSTORE_HPKE_H
#define KEYSTORE_HPKE_H
#include <stddef.h>
#include <stdint.h>
#include "core/aead.h"
#include "core/err.h"

enum { HPKE_PUBLIC = 32, HPKE_SECRET = 32, HPKE_ENC = 32, HPKE_TAG = AEAD_TAG, HPKE_EXPORT_MAX = 255 * 32 };

/* RFC 9180 section 5.2. One direction: who set it up as sender only seals. */
struct hpke {
    uint8_t  key[AEAD_KEY], base_nonce[AEAD_NONCE], exporter[32];
    uint64_t sequence;
};
void hpke_wipe(struct hpke *h);
#define HPKE __attribute__((cleanup(hpke_wipe))) struct hpke

/* The public key of an X25519 scalar (RFC 7748; clamped as there). Fails: E_MEMORY. */
err hpke_public(uint8_t out[static HPKE_PUBLIC], const uint8_t secret_key[static HPKE_SECRET]);

/* SetupBaseS. Out: a fresh context, and enc, which the receiver needs.
 * Fails: E_FORMAT (`to` is a point of small order), E_IO (no randomness), E_MEMORY. */
err hpke_send(struct hpke *out, uint8_t enc[static HPKE_ENC], const uint8_t to[static HPKE_PUBLIC],
              const void *info, size_t info_len);
/* SetupBaseR. Fails: E_FORMAT (enc is a point of small order), E_MEMORY. */
err hpke_receive(struct hpke *out, const uint8_t enc[static HPKE_ENC], const uint8_t secret_key[static HPKE_SECRET],
                 const void *info, size_t info_len);

/* The next message. Out: out[0..n + HPKE_TAG). Fails: E_LIMIT, E_MEMORY. */
err hpke_seal(struct hpke *h, uint8_t *out, const void *aad, size_t aad_len, const uint8_t *in, size_t n);
/* Out: out[0..n - HPKE_TAG). The sequence moves on only when it is authentic.
 * Fails: E_AUTH (not logged), E_LIMIT, E_MEMORY. */
err hpke_open(struct hpke *h, uint8_t *out, const void *aad, size_t aad_len, const uint8_t *in, size_t n);
/* Section 5.3: a secret for another use, named by `context`. Fails: E_LIMIT (len, or a context over 64 bytes), E_MEMORY. */
err hpke_export(const struct hpke *h, uint8_t *out, size_t len, const void *context, size_t context_len);

#endif
