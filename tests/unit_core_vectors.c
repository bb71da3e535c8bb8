/* Published vectors (Wycheproof) against hash and crypto. */
#include <string.h>
#include <stdlib.h>

#include "core/crypto.h"
#include "core/mem.h"
#include "tests/support/check_main.h"
#include "tests/support/vectors.h"

static const char gcm_file[] = "wycheproof/aes_gcm_test.json";
static const char hkdf_file[] = "wycheproof/hkdf_sha256_test.json";
static const char hmac_file[] = "wycheproof/hmac_sha512_test.json";

static void set_up(void)
{
    ASSERT_OK(crypto_warm_up());
    ASSERT_OK(secret_arena_open(1 << 16));
}

static secret *secret_of(const uint8_t *p, size_t n)
{
    secret *s = NULL;
    ASSERT_OK(secret_new(&s, n));
    memcpy(secret_reveal(s), p, n);
    return s;
}

typedef void one_test(const json_t *test, int valid);

/* Runs a group's tests; returns how many. */
static size_t each(const json_t *group, one_test *one)
{
    size_t i;
    json_t *test, *tests = json_object_get(group, "tests");
    json_array_foreach(tests, i, test) {
        const char *result = vectors_text(test, "result");
        ck_assert_str_ne(result, "acceptable");
        one(test, strcmp(result, "valid") == 0);
    }
    return i;
}

static int tc(const json_t *test)
{
    return (int)json_integer_value(json_object_get(test, "tcId"));
}

static void one_gcm(const json_t *test, int valid)
{
    size_t key_len, n, aad_len, ct_len, tag_len, iv_len;
    BYTES key = vectors_hex(test, "key", &key_len);
    BYTES iv = vectors_hex(test, "iv", &iv_len);
    BYTES msg = vectors_hex(test, "msg", &n);
    BYTES aad = vectors_hex(test, "aad", &aad_len);
    BYTES ct = vectors_hex(test, "ct", &ct_len);
    BYTES tag = vectors_hex(test, "tag", &tag_len);
    SECRET s = secret_of(key, key_len);
    GCM g = NULL;
    uint8_t got[16];
    BYTES out = NULL;
    ASSERT_OK(gcm_open_key(&g, s));
    ASSERT_OK(mem_new(&out, ct_len));
    ck_assert_uint_eq(n, ct_len);
    err e = gcm_unseal(g, out, tag, iv, aad, aad_len, ct, ct_len);
    ck_assert_msg(e.code == (valid ? E_OK : E_AUTH), "test %d: %s", tc(test), err_text(e.code));
    if (!valid)
        return;
    ck_assert_mem_eq(out, msg, n);
    ASSERT_OK(gcm_seal(g, out, got, iv, aad, aad_len, msg, n));
    ck_assert_mem_eq(out, ct, n);
    ck_assert_mem_eq(got, tag, 16);
}

START_TEST(aes_256_gcm)
{
    set_up();
    json_t *root = vectors_json(gcm_file), *group;
    size_t i, run = 0;
    json_array_foreach(json_object_get(root, "testGroups"), i, group)
        if (json_integer_value(json_object_get(group, "keySize")) == 256 &&
            json_integer_value(json_object_get(group, "ivSize")) == 96 &&
            json_integer_value(json_object_get(group, "tagSize")) == 128)
            run += each(group, one_gcm);
    json_decref(root);
    ck_assert_uint_ge(run, 60);
}
END_TEST

static void one_hkdf(const json_t *test, int valid)
{
    size_t ikm_len, salt_len, info_len, okm_len;
    BYTES ikm = vectors_hex(test, "ikm", &ikm_len);
    BYTES salt = vectors_hex(test, "salt", &salt_len);
    BYTES info = vectors_hex(test, "info", &info_len);
    BYTES okm = vectors_hex(test, "okm", &okm_len);
    size_t size = (size_t)json_integer_value(json_object_get(test, "size"));
    SECRET out = NULL;
    SECRET s = secret_of(ikm, ikm_len);
    err e = hkdf_sha256(&out, size, s, salt, salt_len, info, info_len);
    /* Two limits of ours are tighter than HKDF's: no empty secret, none over 4096 bytes. */
    if (!valid || size < 1 || size > 4096) {
        ck_assert_msg(e.code == E_LIMIT, "test %d: %s", tc(test), err_text(e.code));
        ck_assert_ptr_null(out);
        return;
    }
    ck_assert_msg(e.code == E_OK, "test %d: %s", tc(test), err_text(e.code));
    ck_assert_uint_eq(secret_len(out), okm_len);
    ck_assert_mem_eq(secret_peek(out), okm, okm_len);
}

START_TEST(hkdf)
{
    set_up();
    json_t *root = vectors_json(hkdf_file), *group;
    size_t i, run = 0;
    json_array_foreach(json_object_get(root, "testGroups"), i, group)
        run += each(group, one_hkdf);
    json_decref(root);
    ck_assert_uint_ge(run, 80);
    ck_assert_uint_eq(secret_count(), 0);
}
END_TEST

static void one_hmac(const json_t *test, int valid)
{
    size_t key_len, n, tag_len;
    uint8_t got[64];
    BYTES key = vectors_hex(test, "key", &key_len);
    BYTES msg = vectors_hex(test, "msg", &n);
    BYTES tag = vectors_hex(test, "tag", &tag_len);
    hmac_sha512(got, key, key_len, msg, n);
    /* Half the vectors cut the tag short. */
    ck_assert_uint_le(tag_len, 64);
    ck_assert_msg((memcmp(got, tag, tag_len) == 0) == valid, "test %d", tc(test));
}

START_TEST(hmac512)
{
    json_t *root = vectors_json(hmac_file), *group;
    size_t i, run = 0;
    json_array_foreach(json_object_get(root, "testGroups"), i, group)
        run += each(group, one_hmac);
    json_decref(root);
    ck_assert_uint_ge(run, 170);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core vectors", aes_256_gcm, hkdf, hmac512);
}

int main(void)
{
    vectors_need(gcm_file);
    vectors_need(hkdf_file);
    vectors_need(hmac_file);
    return check_main((check_suite *const[]){ suite }, 1);
}
