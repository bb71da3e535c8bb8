/* HKDF, HMAC and GCM by example; the published vectors are in unit_core_vectors.c. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"
#include "tests/support/vectors.h"

static void set_up(void)
{
    ASSERT_OK(crypto_warm_up());
    ASSERT_OK(secret_arena_open(1 << 16));
}

static secret *secret_of(const char *hex)
{
    secret *s = NULL;
    ASSERT_OK(secret_new(&s, strlen(hex) / 2));
    hex_must(secret_reveal(s), secret_len(s), hex);
    return s;
}

START_TEST(warming_up_twice_is_fine)
{
    ASSERT_OK(crypto_warm_up());
    ASSERT_OK(crypto_warm_up());
}
END_TEST

/* OpenSSL takes other memory functions only before its first allocation. */
static void warm_up_late(void *ctx)
{
    (void)ctx;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_MD_CTX_free(c);
    if (crypto_warm_up().code != E_STATE)
        _Exit(1);
}

START_TEST(warming_up_too_late_is_refused)
{
    ck_assert(exited(child_run(warm_up_late, NULL, NULL, 0), 0));
}
END_TEST

START_TEST(libcrypto_wipes_what_it_frees)
{
    set_up();
    uint8_t *p = OPENSSL_malloc(64);
    memset(p, 0xc3, 64);
    uint8_t *q = OPENSSL_realloc(p, 4096);
    ck_assert_ptr_nonnull(q);
    ck_assert_ptr_ne(p, q);
    ck_assert_uint_eq(q[63], 0xc3);
#ifndef HOLDFAST_SANITIZE
    /* Freed memory is looked at on purpose. The allocator keeps its own links in the
     * first 16 bytes; behind them not one byte may be left. */
    volatile uint8_t *freed = p;
    for (size_t i = 16; i < 64; i++)
        ck_assert_uint_eq(freed[i], 0);
#endif
    OPENSSL_free(q);
    ck_assert_ptr_null(OPENSSL_realloc(OPENSSL_malloc(5), 0));
    OPENSSL_free(NULL);
}
END_TEST

/* RFC 5869 appendix A, cases 1 to 3 (those for SHA-256). */
START_TEST(hkdf_of_the_rfc)
{
    static const struct {
        const char *ikm, *salt, *info, *okm;
    } cases[] = {
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
          "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865" },
        { "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
          "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
          "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
          "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
          "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
          "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
          "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
          "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87" },
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
          "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8" },
    };
    set_up();
    for (size_t i = 0; i < 3; i++) {
        uint8_t salt[80], info[80];
        size_t salt_len = strlen(cases[i].salt) / 2, info_len = strlen(cases[i].info) / 2;
        hex_must(salt, salt_len, cases[i].salt);
        hex_must(info, info_len, cases[i].info);
        SECRET ikm = secret_of(cases[i].ikm);
        SECRET want = secret_of(cases[i].okm);
        SECRET got = NULL;
        ASSERT_OK(hkdf_sha256(&got, secret_len(want), ikm, salt, salt_len, info, info_len));
        ck_assert(secret_eq(want, got));
        /* A shorter output is the beginning of a longer one. */
        SECRET less = NULL;
        ASSERT_OK(hkdf_sha256(&less, 31, ikm, salt, salt_len, info, info_len));
        ck_assert_mem_eq(secret_peek(less), secret_peek(want), 31);
    }
    SECRET none = NULL;
    SECRET ikm = secret_of("00");
    ASSERT_CODE(hkdf_sha256(&none, 255 * 32 + 1, ikm, NULL, 0, NULL, 0), E_LIMIT);
    ASSERT_OK(hkdf_sha256(&none, 4096, ikm, NULL, 0, NULL, 0));
}
END_TEST

START_TEST(hmac_under_a_secret_is_hmac)
{
    set_up();
    uint8_t message[200], want[32], got[32], key[150];
    memset(message, 0x3c, sizeof message);
    ASSERT_OK(random_bytes(key, sizeof key));
    for (size_t n = 1; n <= sizeof key; n++) {
        SECRET s = NULL;
        ASSERT_OK(secret_new(&s, n));
        memcpy(secret_reveal(s), key, n);
        hmac_sha256(want, key, n, message, sizeof message);
        ASSERT_OK(secret_hmac_sha256(got, s, (struct bytes[]){ { message, n }, { NULL, 0 },
                                                               { message + n, sizeof message - n } }, 3));
        ck_assert_mem_eq(want, got, 32);
    }
}
END_TEST

static struct gcm *gcm_random(void)
{
    SECRET key = NULL;
    struct gcm *g = NULL;
    ASSERT_OK(secret_random(&key, GCM_KEY));
    ASSERT_OK(gcm_open_key(&g, key));
    return g;
}

START_TEST(gcm_wants_its_key_length)
{
    set_up();
    static const size_t bad[] = { 1, 16, 24, 31, 33, 64 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        SECRET key = NULL;
        struct gcm *g = (void *)1;
        ASSERT_OK(secret_new(&key, bad[i]));
        ASSERT_CODE(gcm_open_key(&g, key), E_FORMAT);
        ck_assert_ptr_null(g);
    }
}
END_TEST

START_TEST(gcm_opens_what_it_seals)
{
    set_up();
    GCM g = gcm_random();
    uint8_t nonce[12] = { 0 }, tag[16], plain[5000], sealed[5000], back[5000];
    ASSERT_OK(random_bytes(plain, sizeof plain));
    /* One key for all, sealing and opening in turn, with and without each part. */
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 4096, 5000 };
    for (size_t i = 0; i < 7; i++)
        for (size_t aad = 0; aad < 40; aad += 13) {
            nonce[0]++;
            ASSERT_OK(gcm_seal(g, sealed, tag, nonce, plain, aad, plain, sizes[i]));
            ck_assert(sizes[i] < 16 || memcmp(sealed, plain, sizes[i]) != 0);
            ASSERT_OK(gcm_unseal(g, back, tag, nonce, plain, aad, sealed, sizes[i]));
            ck_assert_mem_eq(back, plain, sizes[i]);
            ASSERT_OK(gcm_unseal(g, sealed, tag, nonce, plain, aad, sealed, sizes[i]));
            ck_assert_mem_eq(sealed, plain, sizes[i]);
        }
}
END_TEST

START_TEST(gcm_refuses_every_changed_bit)
{
    set_up();
    GCM g = gcm_random();
    enum { N = 40, AAD = 9 };
    uint8_t all[12 + AAD + N + 16], zero[N] = { 0 }, back[N];
    uint8_t *nonce = all, *aad = all + 12, *sealed = aad + AAD, *tag = sealed + N;
    ASSERT_OK(random_bytes(all, sizeof all));
    ASSERT_OK(gcm_seal(g, sealed, tag, nonce, aad, AAD, sealed, N));
    for (size_t bit = 0; bit < sizeof all * 8; bit++) {
        all[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(back, 0xee, sizeof back);
        ASSERT_CODE(gcm_unseal(g, back, tag, nonce, aad, AAD, sealed, N), E_AUTH);
        ck_assert_mem_eq(back, zero, N);
        all[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ASSERT_CODE(gcm_unseal(g, back, tag, nonce, aad, AAD - 1, sealed, N), E_AUTH);
    ASSERT_CODE(gcm_unseal(g, back, tag, nonce, aad, AAD, sealed, N - 1), E_AUTH);
    ASSERT_CODE(gcm_unseal(g, back, tag, nonce, NULL, 0, NULL, 0), E_AUTH);
    /* And after all that, the key still opens the good one. */
    ASSERT_OK(gcm_unseal(g, back, tag, nonce, aad, AAD, sealed, N));
    GCM other = gcm_random();
    ASSERT_CODE(gcm_unseal(other, back, tag, nonce, aad, AAD, sealed, N), E_AUTH);
}
END_TEST

START_TEST(gcm_says_what_is_too_long)
{
    set_up();
    GCM g = gcm_random();
    uint8_t nonce[12] = { 0 }, tag[16], one[1] = { 0 };
    ASSERT_CODE(gcm_seal(g, one, tag, nonce, NULL, 0, one, (size_t)1 << 31), E_LIMIT);
    ASSERT_CODE(gcm_seal(g, one, tag, nonce, one, (size_t)1 << 31, one, 1), E_LIMIT);
    struct gcm *gone = NULL;
    gcm_close_key(&gone);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core/crypto", warming_up_twice_is_fine, warming_up_too_late_is_refused,
                       libcrypto_wipes_what_it_frees, hkdf_of_the_rfc, hmac_under_a_secret_is_hmac,
                       gcm_wants_its_key_length, gcm_opens_what_it_seals, gcm_refuses_every_changed_bit,
                       gcm_says_what_is_too_long);
}

CHECK_MAIN(suite)
