/* crypto.c - HKDF and HMAC over libcrypto's EVP, and how libcrypto is started. GCM: gcm.c.
 *
 * libcrypto keeps key schedules on its own heap: outside the arena, but in a
 * process that cannot be dumped, and wiped when freed (crypto_warm_up). */
#include "core/crypto.h"

#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "core/gcm.h"
#include "core/mem.h"

/* libcrypto fails here for want of memory or by a fault of its own. Its queue of
 * reasons is emptied: it may quote what it worked on, and nobody reads it. */
#define CRYPTO_FAIL(what) do { ERR_clear_error(); FAIL(E_MEMORY, "libcrypto: %s", what); } while (0)

static void *wiping_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return n > 0 ? malloc(n) : NULL;
}

static void wiping_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    if (p)
        mem_wipe(p, malloc_usable_size(p));
    free(p);
}

/* realloc() may leave a copy behind; so always a new place, and the old wiped. */
static void *wiping_realloc(void *p, size_t n, const char *file, int line)
{
    if (!p)
        return wiping_malloc(n, file, line);
    if (n == 0) {
        wiping_free(p, file, line);
        return NULL;
    }
    size_t old = malloc_usable_size(p);
    void *q = malloc(n);
    if (!q)
        return NULL;
    memcpy(q, p, old < n ? old : n);
    wiping_free(p, file, line);
    return q;
}

static err wipe_on_free(void)
{
    CRYPTO_malloc_fn m = NULL;
    CRYPTO_realloc_fn r = NULL;
    CRYPTO_free_fn f = NULL;
    CRYPTO_get_mem_functions(&m, &r, &f);
    if (f == wiping_free)
        return OK;
    if (!CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free))
        FAIL(E_STATE, "libcrypto was used before crypto_warm_up()");
    return OK;
}

static void mac_ctx_free(EVP_MAC_CTX **c)
{
    EVP_MAC_CTX_free(*c);
}
#define MAC_CTX __attribute__((cleanup(mac_ctx_free))) EVP_MAC_CTX *

/* A context for HMAC-SHA256 with its key in place: init with no key starts anew. */
static err hmac_keyed(EVP_MAC_CTX **out, const uint8_t *key, size_t key_len)
{
    *out = NULL;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    MAC_CTX c = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (!c || !EVP_MAC_init(c, key, key_len, params))
        CRYPTO_FAIL("HMAC could not be keyed");
    *out = c;
    c = NULL;
    return OK;
}

static err hmac_run(EVP_MAC_CTX *c, uint8_t out[static 32], const struct bytes *pieces, size_t count)
{
    size_t n = 0;
    bool good = EVP_MAC_init(c, NULL, 0, NULL);
    for (size_t i = 0; good && i < count; i++)
        good = pieces[i].n == 0 || EVP_MAC_update(c, pieces[i].p, pieces[i].n);
    if (!good || !EVP_MAC_final(c, out, &n, 32) || n != 32)
        CRYPTO_FAIL("HMAC failed");
    return OK;
}

static err hmac_bytes(uint8_t out[static 32], const uint8_t *key, size_t key_len,
                      const struct bytes *pieces, size_t count)
{
    /* An empty key is legal (HKDF's absent salt), and a NULL one means "as before". */
    static const uint8_t none[32];
    MAC_CTX c = NULL;
    TRY(hmac_keyed(&c, key_len > 0 ? key : none, key_len > 0 ? key_len : sizeof none));
    return hmac_run(c, out, pieces, count);
}

err secret_hmac_sha256(uint8_t out[static 32], const secret *key, const struct bytes *pieces, size_t count)
{
    return hmac_bytes(out, secret_peek(key), secret_len(key), pieces, count);
}

/* RFC 5869 section 2.3: T(i) = HMAC(prk, T(i-1) || info || i). The last block
 * may be longer than what is asked, so each goes through `t`. */
static err hkdf_expand(uint8_t *out, size_t len, const uint8_t prk[static 32], const void *info,
                       size_t info_len, uint8_t t[static 32])
{
    MAC_CTX c = NULL;
    TRY(hmac_keyed(&c, prk, 32));
    uint8_t i = 1;
    for (size_t done = 0; done < len; i++) {
        size_t n = len - done < 32 ? len - done : 32;
        TRY(hmac_run(c, t, (struct bytes[]){ { t, done > 0 ? 32 : 0 }, { info, info_len }, { &i, 1 } }, 3));
        memcpy(out + done, t, n);
        done += n;
    }
    return OK;
}

static err hkdf_bytes(uint8_t *out, size_t len, const uint8_t *ikm, size_t ikm_len,
                      const void *salt, size_t salt_len, const void *info, size_t info_len)
{
    uint8_t prk[32], t[32];
    err e = hmac_bytes(prk, salt, salt_len, &(struct bytes){ ikm, ikm_len }, 1);
    if (e.code == E_OK)
        e = hkdf_expand(out, len, prk, info, info_len, t);
    mem_wipe(prk, sizeof prk);
    mem_wipe(t, sizeof t);
    return e;
}

err hkdf_sha256(secret **out, size_t len, const secret *ikm,
                const void *salt, size_t salt_len, const void *info, size_t info_len)
{
    *out = NULL;
    if (len > 255 * 32)
        FAIL(E_LIMIT, "HKDF gives at most 8160 bytes, not %zu", len);
    SECRET s = NULL;
    TRY(secret_new(&s, len));
    TRY(hkdf_bytes(secret_reveal(s), len, secret_peek(ikm), secret_len(ikm),
                   salt, salt_len, info, info_len));
    secret_move(out, &s);
    return OK;
}

static void pkey_free(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}
#define PKEY __attribute__((cleanup(pkey_free))) EVP_PKEY *

static void md_ctx_free(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}
#define MD_CTX __attribute__((cleanup(md_ctx_free))) EVP_MD_CTX *

static err ed25519_of_bytes(EVP_PKEY **out, const uint8_t seed[static 32])
{
    *out = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, 32);
    if (!*out)
        CRYPTO_FAIL("no Ed25519 key");
    return OK;
}

static err sign_with(uint8_t out[static 64], EVP_PKEY *key, const void *message, size_t n)
{
    size_t len = 64;
    MD_CTX c = EVP_MD_CTX_new();
    if (!c || !EVP_DigestSignInit(c, NULL, NULL, NULL, key) || !EVP_DigestSign(c, out, &len, message, n) || len != 64)
        CRYPTO_FAIL("no Ed25519 signature");
    return OK;
}

err ed25519_public(uint8_t out[static 32], const secret *key)
{
    size_t len = 32;
    PKEY k = NULL;
    MUST(secret_len(key) == 32);
    TRY(ed25519_of_bytes(&k, secret_peek(key)));
    if (!EVP_PKEY_get_raw_public_key(k, out, &len) || len != 32)
        CRYPTO_FAIL("no Ed25519 public key");
    return OK;
}

err ed25519_sign(uint8_t out[static 64], const secret *key, const void *message, size_t n)
{
    PKEY k = NULL;
    MUST(secret_len(key) == 32);
    TRY(ed25519_of_bytes(&k, secret_peek(key)));
    return sign_with(out, k, message, n);
}

/* RFC 8032, section 7.1, test 1. Also fetches what signing needs. */
static err check_ed25519(void)
{
    static const uint8_t seed[32] = { 0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
                                      0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60 };
    static const uint8_t want[8] = { 0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72 };
    uint8_t out[64];
    PKEY k = NULL;
    TRY(ed25519_of_bytes(&k, seed));
    TRY(sign_with(out, k, "", 0));
    MUST(memcmp(out, want, sizeof want) == 0);
    return OK;
}

/* RFC 5869 test case 1. */
static err check_hkdf(void)
{
    static const uint8_t want[42] = {
        0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36,
        0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56,
        0xec, 0xc4, 0xc5, 0xbf, 0x34, 0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65,
    };
    uint8_t ikm[22], salt[13], info[10], okm[sizeof want];
    memset(ikm, 0x0b, sizeof ikm);
    for (uint8_t i = 0; i < sizeof salt; i++)
        salt[i] = i;
    for (uint8_t i = 0; i < sizeof info; i++)
        info[i] = (uint8_t)(0xf0 + i);
    TRY(hkdf_bytes(okm, sizeof okm, ikm, sizeof ikm, salt, sizeof salt, info, sizeof info));
    MUST(memcmp(okm, want, sizeof want) == 0);
    return OK;
}

/* FIPS 180-2 appendix B.1, and its kin: the hashes other parts use. */
static err check_digests(void)
{
    static const char *const names[] = { "SHA256", "SHA384", "SHA512", "SHA1", "RIPEMD160" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint8_t out[EVP_MAX_MD_SIZE];
        size_t n = 0;
        if (!EVP_Q_digest(NULL, names[i], NULL, "abc", 3, out, &n))
            CRYPTO_FAIL(names[i]);
        MUST(i != 0 || (n == 32 && out[0] == 0xba && out[31] == 0xad));
    }
    return OK;
}

err crypto_warm_up(void)
{
    TRY(wipe_on_free());
    /* No configuration file may change what an algorithm's name stands for. */
    if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS |
                             OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL))
        CRYPTO_FAIL("it could not be started");
    uint8_t random[32], private_random[32];
    if (RAND_bytes(random, sizeof random) != 1 || RAND_priv_bytes(private_random, sizeof private_random) != 1)
        CRYPTO_FAIL("its random generator could not be seeded");
    mem_wipe(private_random, sizeof private_random);
    TRY(check_digests());
    TRY(check_hkdf());
    TRY(check_ed25519());
    return gcm_warm_up();
}
