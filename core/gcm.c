/* gcm.c - AES-256-GCM: by libipsec-mb where the processor has what that needs, else by libcrypto.
 *
 * Both make the same bytes, so a copy sealed by one is opened by the other. A key's schedule lies in the arena when it is
 * libipsec-mb's; libcrypto keeps it on its own heap and wipes it (see crypto.c). */
#include "core/gcm.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "core/gcm_ipsec.h"
#include "core/mem.h"

#define CRYPTO_FAIL(what) do { ERR_clear_error(); FAIL(E_MEMORY, "libcrypto: %s", what); } while (0)

/* One of the two. */
struct gcm {
    secret *room;                         /* libipsec-mb's                                   */
    EVP_CIPHER_CTX *c;                    /* libcrypto's                                     */
};

void gcm_close_key(struct gcm **g)
{
    struct gcm *old = *g;
    *g = NULL;
    if (!old)
        return;
    secret_drop(&old->room);
    EVP_CIPHER_CTX_free(old->c);
    free(old);
}

const char *gcm_library(void)
{
    return gcm_ipsec_ready() ? "libipsec-mb" : "libcrypto";
}

static err ctx_of_key(EVP_CIPHER_CTX **out, const uint8_t key[static GCM_KEY])
{
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    *out = EVP_CIPHER_CTX_new();
    bool good = aes && *out && EVP_EncryptInit_ex2(*out, aes, key, NULL, NULL);
    EVP_CIPHER_free(aes);
    if (!good)
        CRYPTO_FAIL("AES-256-GCM could not be keyed");
    return OK;
}

static err room_of_key(secret **out, const secret *key)
{
    TRY(secret_new(out, GCM_IPSEC_ROOM));
    gcm_ipsec_key(secret_reveal(*out), secret_peek(key));
    return OK;
}

static err gcm_new(struct gcm **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        FAIL(E_MEMORY, "no memory for a cipher");
    return OK;
}

err gcm_open_key(struct gcm **out, const secret *key)
{
    *out = NULL;
    if (secret_len(key) != GCM_KEY)
        FAIL(E_FORMAT, "an AES-256 key of %zu bytes", secret_len(key));
    GCM g = NULL;
    TRY(gcm_new(&g));
    if (gcm_ipsec_ready())
        TRY(room_of_key(&g->room, key));
    else
        TRY(ctx_of_key(&g->c, secret_peek(key)));
    *out = g;
    g = NULL;
    return OK;
}

static err size_check(size_t n, size_t aad_len)
{
    if (n > INT_MAX || aad_len > INT_MAX)
        FAIL(E_LIMIT, "%zu bytes and %zu beside them are too many for one call", n, aad_len);
    return OK;
}

/* Nonce, associated data and bytes; the key stays as it was set. */
static err ctx_run(EVP_CIPHER_CTX *c, int sealing, uint8_t *out, const uint8_t nonce[static 12],
                   const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    int did = 0;
    if (!EVP_CipherInit_ex2(c, NULL, NULL, nonce, sealing, NULL))
        CRYPTO_FAIL("AES-256-GCM refused a nonce");
    if (aad_len > 0 && !EVP_CipherUpdate(c, NULL, &did, aad, (int)aad_len))
        CRYPTO_FAIL("AES-256-GCM refused associated data");
    if (n > 0 && (!EVP_CipherUpdate(c, out, &did, in, (int)n) || did != (int)n))
        CRYPTO_FAIL("AES-256-GCM failed");
    return OK;
}

static err ctx_seal(EVP_CIPHER_CTX *c, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    uint8_t none[16];
    int did = 0;
    TRY(ctx_run(c, 1, out, nonce, aad, aad_len, in, n));
    if (!EVP_CipherFinal_ex(c, none, &did) || !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, tag))
        CRYPTO_FAIL("AES-256-GCM gave no tag");
    return OK;
}

/* Out: *good, whether it had the tag `want`. What came out before that was known is the caller's to wipe. */
static err ctx_open(bool *good, EVP_CIPHER_CTX *c, uint8_t *out, uint8_t want[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    uint8_t none[16];
    int did = 0;
    TRY(ctx_run(c, 0, out, nonce, aad, aad_len, in, n));
    *good = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, want) && EVP_CipherFinal_ex(c, none, &did);
    ERR_clear_error();
    return OK;
}

err gcm_seal(struct gcm *g, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
             const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    TRY(size_check(n, aad_len));
    if (!g->room)
        return ctx_seal(g->c, out, tag, nonce, aad, aad_len, in, n);
    gcm_ipsec_seal(secret_reveal(g->room), out, tag, nonce, aad, aad_len, in, n);
    return OK;
}

err gcm_unseal(struct gcm *g, uint8_t *out, const uint8_t tag[static 16], const uint8_t nonce[static 12],
               const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    uint8_t want[GCM_TAG], has[GCM_TAG];
    bool good = false;
    TRY(size_check(n, aad_len));
    memcpy(want, tag, sizeof want);       /* it may lie where `out` does */
    err e = OK;
    if (g->room) {
        gcm_ipsec_open(secret_reveal(g->room), out, has, nonce, aad, aad_len, in, n);
        good = bytes_equal(has, want, sizeof want);
    }
    else
        e = ctx_open(&good, g->c, out, want, nonce, aad, aad_len, in, n);
    mem_wipe(has, sizeof has);            /* of a forgery, the tag that would pass */
    if (good)
        return OK;
    /* What was opened before the tag was checked must not be used by anyone. */
    mem_wipe(out, n);
    TRY(e);
    FAIL(E_AUTH, "a sealed message of %zu bytes is not authentic", n);
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 14: key, nonce and text are zeros. */
static const uint8_t zero[32];
static void must_be_published(const uint8_t out[static 16], const uint8_t tag[static 16])
{
    static const uint8_t want[16] = { 0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e,
                                      0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18 };
    static const uint8_t want_tag[16] = { 0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0,
                                          0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19 };
    MUST(memcmp(out, want, sizeof want) == 0 && memcmp(tag, want_tag, sizeof want_tag) == 0);
}

/* libipsec-mb against what is published, then against libcrypto: long enough for its widest loop, and a rest. */
static err check_ipsec(EVP_CIPHER_CTX *c)
{
    enum { N = 4096 + 777, AAD = 60 };
    _Alignas(GCM_IPSEC_ALIGN) uint8_t room[GCM_IPSEC_ROOM];
    uint8_t text[N], one[N], other[N], tag[GCM_TAG], other_tag[GCM_TAG];
    gcm_ipsec_key(room, zero);
    gcm_ipsec_seal(room, one, tag, zero, NULL, 0, zero, 16);
    must_be_published(one, tag);
    for (size_t i = 0; i < N; i++)
        text[i] = (uint8_t)(i * i >> 3);
    TRY(ctx_seal(c, one, tag, zero, text + 1, AAD, text, N));
    gcm_ipsec_seal(room, other, other_tag, zero, text + 1, AAD, text, N);
    MUST(memcmp(one, other, N) == 0 && memcmp(tag, other_tag, GCM_TAG) == 0);
    gcm_ipsec_open(room, other, other_tag, zero, text + 1, AAD, one, N);
    MUST(memcmp(text, other, N) == 0 && memcmp(tag, other_tag, GCM_TAG) == 0);
    return OK;
}

static void ctx_free(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
}

err gcm_warm_up(void)
{
    __attribute__((cleanup(ctx_free))) EVP_CIPHER_CTX *c = NULL;
    uint8_t out[16], tag[GCM_TAG];
    bool good = false;
    TRY(ctx_of_key(&c, zero));
    TRY(ctx_seal(c, out, tag, zero, NULL, 0, zero, sizeof out));
    must_be_published(out, tag);
    TRY(ctx_open(&good, c, out, tag, zero, NULL, 0, out, sizeof out));
    MUST(good && memcmp(out, zero, sizeof out) == 0);
    gcm_ipsec_start();
    return gcm_ipsec_ready() ? check_ipsec(c) : OK;
}
