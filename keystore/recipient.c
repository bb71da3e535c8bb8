/* recipient.c - the RSA key of this boot, and opening what is encrypted to it. */
#include "keystore/recipient.h"
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include "core/crypto.h"
#include "core/hash.h"
#include "core/mem.h"
#include "keystore/envelope.h"

enum { HEAP = 64 * 1024, HEAP_UNIT = 32, RSA_BITS = 2048, AES_KEY = 32, BLOCK = 16 };

struct recipient {
    EVP_PKEY *key;
    uint8_t spki[RECIPIENT_SPKI], id[32];
};

static void free_pkey(EVP_PKEY **k) { EVP_PKEY_free(*k); }
static void free_pkey_ctx(EVP_PKEY_CTX **c) { EVP_PKEY_CTX_free(*c); }
static void free_cipher_ctx(EVP_CIPHER_CTX **c) { EVP_CIPHER_CTX_free(*c); }
#define FREED_BY(f) __attribute__((cleanup(f)))

/* libcrypto puts an RSA key's private numbers on its "secure" heap, if there is one. */
static err lock_heap(void)
{
    if (CRYPTO_secure_malloc_initialized()) return OK;
    /* 1 is locked, 2 is "made, but not locked", which we never ignore. */
    if (CRYPTO_secure_malloc_init(HEAP, HEAP_UNIT) != 1) FAIL(E_IO, "memory for the recipient key could not be locked");
    return OK;
}

/* Takes *key. */
static err wrap(struct recipient **out, EVP_PKEY **key)
{
    if (EVP_PKEY_get_base_id(*key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(*key) != RSA_BITS)
        FAIL(E_FORMAT, "the recipient key is not RSA-2048");
    struct recipient *r = calloc(1, sizeof *r);
    if (!r) FAIL(E_MEMORY, "no memory for the recipient key");
    uint8_t *at = r->spki;
    if (i2d_PUBKEY(*key, NULL) != RECIPIENT_SPKI || i2d_PUBKEY(*key, &at) != RECIPIENT_SPKI) {
        free(r);
        ERR_clear_error();
        FAIL(E_FORMAT, "the recipient key has an unusual form");
    }
    sha256(r->id, r->spki, sizeof r->spki);
    r->key = *key;
    *key = NULL;
    *out = r;
    return OK;
}

err recipient_new(struct recipient **out)
{
    TRY(lock_heap());
    FREED_BY(free_pkey) EVP_PKEY *key = EVP_RSA_gen(RSA_BITS);
    if (!key) {
        ERR_clear_error();
        FAIL(E_MEMORY, "no recipient key could be made");
    }
    return wrap(out, &key);
}

err recipient_from_der(struct recipient **out, const void *der, size_t n)
{
    const uint8_t *at = der;
    TRY(lock_heap());
    FREED_BY(free_pkey) EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)n);
    if (!key) {
        ERR_clear_error();
        FAIL(E_FORMAT, "the recipient key is not DER");
    }
    return wrap(out, &key);
}

void recipient_drop(struct recipient **r)
{
    if (!*r) return;
    EVP_PKEY_free((*r)->key);
    mem_wipe(*r, sizeof **r);
    free(*r);
    *r = NULL;
}

void recipient_spki(const struct recipient *r, uint8_t out[static RECIPIENT_SPKI])
{
    memcpy(out, r->spki, RECIPIENT_SPKI);
}

/* RSAES-OAEP into `room`, a secret as long as the modulus. Out: *good, all ones or 0. */
static err decrypt_key(uint8_t *good, secret *room, const struct recipient *r, const struct envelope *e)
{
    FREED_BY(free_pkey_ctx) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(r->key, NULL);
    if (!c || EVP_PKEY_decrypt_init(c) <= 0 || EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) <= 0
        || EVP_PKEY_CTX_set_rsa_oaep_md(c, EVP_sha256()) <= 0 || EVP_PKEY_CTX_set_rsa_mgf1_md(c, EVP_sha256()) <= 0) {
        ERR_clear_error();
        FAIL(E_MEMORY, "no memory for RSA");
    }
    size_t n = secret_len(room);
    int ok = EVP_PKEY_decrypt(c, secret_reveal(room), &n, e->key, sizeof e->key);
    ERR_clear_error();
    *good = (uint8_t)(0u - (unsigned)(ok == 1 && n == AES_KEY));
    return OK;
}

/* AES-256-CBC without padding; `key` is the first 32 bytes of its secret. */
static err decrypt_content(secret *plain, const secret *key, const struct envelope *e)
{
    FREED_BY(free_cipher_ctx) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;
    bool ok = c && EVP_DecryptInit_ex(c, EVP_aes_256_cbc(), NULL, secret_peek(key), e->iv) == 1
        && EVP_CIPHER_CTX_set_padding(c, 0) == 1
        && EVP_DecryptUpdate(c, secret_reveal(plain), &n, e->content, (int)e->content_len) == 1
        && (size_t)n == e->content_len;
    ERR_clear_error();
    if (!ok) FAIL(E_MEMORY, "no memory for AES");
    return OK;
}

/* All ones when p[0..n) is plain_len bytes and their PKCS#7 padding; looks at the same
 * bytes whatever they are. plain_len and n are public and agree. */
static uint8_t padding_good(const uint8_t *p, size_t n, size_t plain_len)
{
    uint8_t wrong = 0;
    for (size_t i = plain_len; i < n; i++) wrong |= (uint8_t)(p[i] ^ (n - plain_len));
    return (uint8_t)(0u - (unsigned)(wrong == 0));
}

err recipient_open(secret **out, const struct recipient *r, const void *cms, size_t n, size_t plain_len)
{
    struct envelope e;
    SECRET key = NULL;
    SECRET padded = NULL;
    SECRET plain = NULL;
    uint8_t good = 0;
    TRY(envelope_parse(&e, cms, n));
    /* The wrong length and the wrong recipient are seen from the envelope alone: no secret is touched. */
    if (plain_len == 0 || plain_len > ENVELOPE_CONTENT_MAX - BLOCK || e.content_len != plain_len / BLOCK * BLOCK + BLOCK
        || memcmp(e.recipient, r->id, sizeof e.recipient) != 0)
        FAIL(E_AUTH, "the envelope cannot be opened");
    TRY(secret_new(&key, ENVELOPE_KEY));
    TRY(secret_new(&padded, e.content_len));
    TRY(secret_new(&plain, plain_len));
    /* When OAEP fails the work goes on under a key of zeros, so that failures look alike. */
    TRY(decrypt_key(&good, key, r, &e));
    TRY(decrypt_content(padded, key, &e));
    good &= padding_good(secret_peek(padded), e.content_len, plain_len);
    if (!good) FAIL(E_AUTH, "the envelope cannot be opened");
    memcpy(secret_reveal(plain), secret_peek(padded), plain_len);
    secret_move(out, &plain);
    return OK;
}
