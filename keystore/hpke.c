/* hpke.c - RFC 9180 over libcrypto's X25519 and HKDF. Section numbers are the RFC's. */
#include "keystore/hpke.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"

/* suite_id of the KEM and of the whole (4.1, 5.1). */
static const struct bytes kem_suite = { "KEM\x00\x20", 5 };
static const struct bytes hpke_suite = { "HPKE\x00\x20\x00\x01\x00\x03", 10 };
static const char version[] = "HPKE-v1";
enum { MODE_BASE = 0, INFO_MAX = 256, CONTEXT_MAX = 64, LABELED_MAX = INFO_MAX + 64 };

#define LIB_FAIL(code, what) do { ERR_clear_error(); FAIL(code, "libcrypto: %s", what); } while (0)

void hpke_wipe(struct hpke *h)
{
    mem_wipe(h, sizeof *h);
}

/* ---- X25519 ---- */

static void pkey_free(EVP_PKEY **k) { EVP_PKEY_free(*k); }
static void pctx_free(EVP_PKEY_CTX **c) { EVP_PKEY_CTX_free(*c); }
#define PKEY __attribute__((cleanup(pkey_free))) EVP_PKEY *
#define PCTX __attribute__((cleanup(pctx_free))) EVP_PKEY_CTX *

static err private_key(EVP_PKEY **out, const uint8_t secret_key[static HPKE_SECRET])
{
    *out = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, secret_key, HPKE_SECRET);
    if (!*out)
        LIB_FAIL(E_MEMORY, "an X25519 key could not be made");
    return OK;
}

err hpke_public(uint8_t out[static HPKE_PUBLIC], const uint8_t secret_key[static HPKE_SECRET])
{
    PKEY own = NULL;
    size_t n = HPKE_PUBLIC;
    TRY(private_key(&own, secret_key));
    if (!EVP_PKEY_get_raw_public_key(own, out, &n) || n != HPKE_PUBLIC)
        LIB_FAIL(E_MEMORY, "an X25519 key has no public half");
    return OK;
}

/* RFC 7748 section 6.1. A result of zeros, from a point of small order, is refused by libcrypto. */
static err agree(uint8_t out[static 32], const uint8_t secret_key[static HPKE_SECRET], const uint8_t point[static HPKE_PUBLIC])
{
    PKEY own = NULL;
    size_t n = 32;
    TRY(private_key(&own, secret_key));
    PKEY peer = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, point, HPKE_PUBLIC);
    PCTX c = peer ? EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL) : NULL;
    if (!c || EVP_PKEY_derive_init(c) != 1 || EVP_PKEY_derive_set_peer(c, peer) != 1)
        LIB_FAIL(E_MEMORY, "X25519 could not begin");
    if (EVP_PKEY_derive(c, out, &n) != 1 || n != 32) {
        ERR_clear_error();
        return (err){ E_FORMAT };            /* not logged: strangers cause it at will */
    }
    return OK;
}

/* ---- HKDF ---- */

static void kdf_free(EVP_KDF_CTX **c) { EVP_KDF_CTX_free(*c); }
#define KDF __attribute__((cleanup(kdf_free))) EVP_KDF_CTX *

/* One half of HKDF-SHA256 (RFC 5869): `beside` is the salt of the one, the info of the other. */
static err hkdf_half(uint8_t *out, size_t len, int mode, struct bytes key, struct bytes beside)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    KDF c = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    EVP_KDF_free(kdf);
    char digest[] = "SHA256";
    const char *side = mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY ? OSSL_KDF_PARAM_SALT : OSSL_KDF_PARAM_INFO;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key.p, key.n),
        beside.n ? OSSL_PARAM_construct_octet_string(side, (void *)(uintptr_t)beside.p, beside.n) : OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    if (!c || EVP_KDF_derive(c, out, len, params) != 1)
        LIB_FAIL(E_MEMORY, "HKDF failed");
    return OK;
}

/* LabeledExtract (4). */
static err extract(uint8_t out[static 32], struct bytes suite, struct bytes salt, const char *label, struct bytes ikm)
{
    uint8_t room[LABELED_MAX];
    struct wr w = wr_of(room, sizeof room);
    wr_text(&w, version);
    wr_bytes(&w, suite.p, suite.n);
    wr_text(&w, label);
    wr_bytes(&w, ikm.p, ikm.n);
    err e = wr_end(&w, "HPKE input key material");
    if (!e.code)
        e = hkdf_half(out, 32, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, (struct bytes){ room, w.len }, salt);
    mem_wipe(room, sizeof room);
    return e;
}

/* LabeledExpand (4). */
static err expand(uint8_t *out, size_t len, struct bytes suite, const uint8_t prk[static 32], const char *label, struct bytes info)
{
    uint8_t room[LABELED_MAX];
    struct wr w = wr_of(room, sizeof room);
    wr_u16be(&w, (uint16_t)len);
    wr_text(&w, version);
    wr_bytes(&w, suite.p, suite.n);
    wr_text(&w, label);
    wr_bytes(&w, info.p, info.n);
    TRY(wr_end(&w, "HPKE info"));
    return hkdf_half(out, len, EVP_KDF_HKDF_MODE_EXPAND_ONLY, (struct bytes){ prk, 32 }, (struct bytes){ room, w.len });
}

/* ---- the KEM and the key schedule ---- */

/* ExtractAndExpand (4.1) of one agreement, bound to both public keys. */
static err kem_secret(uint8_t out[static 32], const uint8_t secret_key[static HPKE_SECRET], const uint8_t point[static HPKE_PUBLIC],
                      const uint8_t enc[static HPKE_ENC], const uint8_t to[static HPKE_PUBLIC])
{
    uint8_t dh[32], prk[32], both[HPKE_ENC + HPKE_PUBLIC];
    memcpy(both, enc, HPKE_ENC);
    memcpy(both + HPKE_ENC, to, HPKE_PUBLIC);
    err e = agree(dh, secret_key, point);
    if (!e.code)
        e = extract(prk, kem_suite, (struct bytes){ NULL, 0 }, "eae_prk", (struct bytes){ dh, sizeof dh });
    if (!e.code)
        e = expand(out, 32, kem_suite, prk, "shared_secret", (struct bytes){ both, sizeof both });
    mem_wipe(dh, sizeof dh);
    mem_wipe(prk, sizeof prk);
    return e;
}

/* KeySchedule (5.1) for base mode: no psk. */
static err schedule(struct hpke *h, const uint8_t shared[static 32], struct bytes info)
{
    const struct bytes none = { NULL, 0 };
    uint8_t context[65] = { MODE_BASE }, secret[32];
    if (info.n > INFO_MAX)
        FAIL(E_LIMIT, "HPKE info of %zu bytes", info.n);
    TRY(extract(context + 1, hpke_suite, none, "psk_id_hash", none));
    TRY(extract(context + 33, hpke_suite, none, "info_hash", info));
    const struct bytes all = { context, sizeof context };
    err e = extract(secret, hpke_suite, (struct bytes){ shared, 32 }, "secret", none);
    if (!e.code)
        e = expand(h->key, sizeof h->key, hpke_suite, secret, "key", all);
    if (!e.code)
        e = expand(h->base_nonce, sizeof h->base_nonce, hpke_suite, secret, "base_nonce", all);
    if (!e.code)
        e = expand(h->exporter, sizeof h->exporter, hpke_suite, secret, "exp", all);
    mem_wipe(secret, sizeof secret);
    return e;
}

static err schedule_and_wipe(struct hpke *out, uint8_t shared[static 32], err so_far, const void *info, size_t info_len)
{
    memset(out, 0, sizeof *out);
    err e = so_far.code ? so_far : schedule(out, shared, (struct bytes){ info, info_len });
    mem_wipe(shared, 32);
    if (e.code)
        hpke_wipe(out);
    return e;
}

err hpke_send(struct hpke *out, uint8_t enc[static HPKE_ENC], const uint8_t to[static HPKE_PUBLIC],
              const void *info, size_t info_len)
{
    uint8_t ephemeral[HPKE_SECRET], shared[32] = { 0 };
    err e = random_bytes(ephemeral, sizeof ephemeral);
    if (!e.code)
        e = hpke_public(enc, ephemeral);
    if (!e.code)
        e = kem_secret(shared, ephemeral, to, enc, to);
    mem_wipe(ephemeral, sizeof ephemeral);
    return schedule_and_wipe(out, shared, e, info, info_len);
}

err hpke_receive(struct hpke *out, const uint8_t enc[static HPKE_ENC], const uint8_t secret_key[static HPKE_SECRET],
                 const void *info, size_t info_len)
{
    uint8_t own[HPKE_PUBLIC], shared[32] = { 0 };
    err e = hpke_public(own, secret_key);
    if (!e.code)
        e = kem_secret(shared, secret_key, enc, enc, own);
    return schedule_and_wipe(out, shared, e, info, info_len);
}

/* ---- messages ---- */

/* ComputeNonce (5.2). 2^64 messages are never sent: a context ends with its request. */
static void nonce_of(uint8_t out[static AEAD_NONCE], const struct hpke *h)
{
    memcpy(out, h->base_nonce, AEAD_NONCE);
    for (int i = 0; i < 8; i++)
        out[AEAD_NONCE - 1 - i] ^= (uint8_t)(h->sequence >> (8 * i));
}

err hpke_seal(struct hpke *h, uint8_t *out, const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    uint8_t nonce[AEAD_NONCE];
    nonce_of(nonce, h);
    TRY(aead_seal(out, &(struct aead){ h->key, nonce, aad, aad_len }, in, n));
    h->sequence++;
    return OK;
}

err hpke_open(struct hpke *h, uint8_t *out, const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    uint8_t nonce[AEAD_NONCE];
    nonce_of(nonce, h);
    TRY(aead_open(out, &(struct aead){ h->key, nonce, aad, aad_len }, in, n));
    h->sequence++;
    return OK;
}

err hpke_export(const struct hpke *h, uint8_t *out, size_t len, const void *context, size_t context_len)
{
    if (len == 0 || len > HPKE_EXPORT_MAX || context_len > CONTEXT_MAX)
        FAIL(E_LIMIT, "an exported secret of %zu bytes for a context of %zu", len, context_len);
    return expand(out, len, hpke_suite, h->exporter, "sec", (struct bytes){ context, context_len });
}
