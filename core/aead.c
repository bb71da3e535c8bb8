/* aead.c - ChaCha20-Poly1305 over libcrypto's EVP. */
#include "core/aead.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#include "core/mem.h"

static void ctx_free(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
}
#define CTX __attribute__((cleanup(ctx_free))) EVP_CIPHER_CTX *

/* libcrypto fails here for want of memory only. Its queue of reasons may quote its input. */
#define AEAD_FAIL(what) do { ERR_clear_error(); FAIL(E_MEMORY, "libcrypto: ChaCha20-Poly1305: %s", what); } while (0)

static err keyed(EVP_CIPHER_CTX **out, const struct aead *a, int sealing, size_t n)
{
    int did = 0;
    if (n > INT_MAX - AEAD_TAG || a->aad_len > INT_MAX)
        FAIL(E_LIMIT, "%zu bytes and %zu beside them are too many for one call", n, a->aad_len);
    EVP_CIPHER *chacha = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    CTX c = EVP_CIPHER_CTX_new();
    bool good = chacha && c && EVP_CipherInit_ex2(c, chacha, a->key, a->nonce, sealing, NULL);
    EVP_CIPHER_free(chacha);
    if (!good)
        AEAD_FAIL("could not be keyed");
    if (a->aad_len > 0 && !EVP_CipherUpdate(c, NULL, &did, a->aad, (int)a->aad_len))
        AEAD_FAIL("refused associated data");
    *out = c;
    c = NULL;
    return OK;
}

err aead_seal(uint8_t *out, const struct aead *a, const uint8_t *in, size_t n)
{
    CTX c = NULL;
    int did = 0;
    uint8_t none[16];
    TRY(keyed(&c, a, 1, n));
    if ((n > 0 && !EVP_CipherUpdate(c, out, &did, in, (int)n)) || !EVP_CipherFinal_ex(c, none, &did) ||
        !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, out + n))
        AEAD_FAIL("failed");
    return OK;
}

err aead_open(uint8_t *out, const struct aead *a, const uint8_t *in, size_t n)
{
    CTX c = NULL;
    int did = 0;
    uint8_t none[16], tag[AEAD_TAG];
    if (n < AEAD_TAG)
        return (err){ E_AUTH };
    n -= AEAD_TAG;
    memcpy(tag, in + n, sizeof tag);         /* before `out`, which may lie on `in` */
    TRY(keyed(&c, a, 0, n));
    bool good = (n == 0 || EVP_CipherUpdate(c, out, &did, in, (int)n)) &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, tag) && EVP_CipherFinal_ex(c, none, &did);
    if (good)
        return OK;
    /* What came out before the tag was checked must not be used by anyone. */
    mem_wipe(out, n);
    ERR_clear_error();
    return (err){ E_AUTH };
}
