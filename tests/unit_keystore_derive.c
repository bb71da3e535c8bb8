/* unit_keystore_derive.c - NUMS points, masters, roots and keyrings. The values are
 * those of the earlier systems, computed twice by programs that share nothing with this. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <string.h>

#include "core/buf.h"
#include "core/crypto.h"
#include "keystore/keyring.h"
#include "keystore/master.h"
#include "keystore/nums.h"
#include "tests/keystore_case.h"
#include "tests/support/vectors.h"

static const char genesis[] = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";

/* scalar * point (NULL: the generator), compressed, in hex. */
static void multiply(char out[static 67], int curve, const uint8_t scalar[static 32], const uint8_t *point, size_t n)
{
    uint8_t bytes[33];
    EC_GROUP *g = EC_GROUP_new_by_curve_name(curve);
    EC_POINT *p = EC_POINT_new(g), *r = EC_POINT_new(g);
    BIGNUM *k = BN_bin2bn(scalar, 32, NULL);
    if (point) ck_assert_int_eq(EC_POINT_oct2point(g, p, point, n, NULL), 1);
    ck_assert_int_eq(EC_POINT_mul(g, r, point ? NULL : k, point ? p : NULL, point ? k : NULL, NULL), 1);
    ck_assert_uint_eq(EC_POINT_point2oct(g, r, POINT_CONVERSION_COMPRESSED, bytes, 33, NULL), 33);
    hex_from(out, bytes, 33);
    BN_free(k);
    EC_POINT_free(p);
    EC_POINT_free(r);
    EC_GROUP_free(g);
}

static void hash_of(uint8_t out[static 32], const char *hex, uint8_t fill)
{
    if (hex) hex_must(out, 32, hex);
    else memset(out, fill, 32);
}

static secret *secret_of(const uint8_t *p, size_t n)
{
    secret *s = NULL;
    ASSERT_OK(secret_new(&s, n));
    memcpy(secret_reveal(s), p, n);
    return s;
}

static secret *secret_fill(uint8_t fill)
{
    uint8_t b[32];
    memset(b, fill, 32);
    return secret_of(b, 32);
}

static void assert_hex(const void *p, size_t n, const char *want)
{
    char have[257];
    ck_assert_uint_le(n, 128);
    hex_from(have, p, n);
    ck_assert_str_eq(have, want);
}

/* ---- points ---------------------------------------------------------------- */

static const struct point {
    enum profile profile;
    const char *hash;
    uint8_t fill;
    uint32_t counter;
    const char *x, *y;
} points[] = {
    { PROFILE_REPRODUCIBLE_KEY, NULL, 0xab, 0, "657dbdc4a6bd6e1d1e8f8c6080fc1c8cfb69114d25c00e7e2e28e2cdef9e0bc5",
      "bef58f53b8a84234c4a7d7085def2bb3619d7a086d7a51e124b32026a7207a0c" },
    { PROFILE_CONFIDENTIAL_SCRIPT_1, NULL, 0, 0, "89090b5f48cad70205fd01609e9d0a42bf5a1a2a2e158a39ab2b4be2a4ce32c7",
      "6cf6596499fddf3d25cdd9de21b25cee86679ee93930921cb65771ce5f26ac16" },
    { PROFILE_CONFIDENTIAL_SCRIPT_2, NULL, 0, 0, "89090b5f48cad70205fd01609e9d0a42bf5a1a2a2e158a39ab2b4be2a4ce32c7", NULL },
    { PROFILE_CONFIDENTIAL_SCRIPT_2, NULL, 1, 1, "d9be3bc354e255e80d20555c2d1f2a7c7f00371e56580c829196cb5f3819e45c", NULL },
    { PROFILE_CONFIDENTIAL_SCRIPT_1, genesis, 0, 0, "025aabc51f8c331c2d936898f56eddb8a4a1b04aa117654bb49f8bebf4a1d11b", NULL },
    { PROFILE_CONFIDENTIAL_SCRIPT_2, genesis, 0, 0, "2b7664aeb7f0464b6a101e4edf4ffbb291e8eb236a08388f35d60d936cc3da19", NULL },
};

START_TEST(point_vectors)
{
    const struct point *v = &points[_i];
    uint8_t hash[32], spki[NUMS_SPKI];
    uint32_t counter = 99;
    hash_of(hash, v->hash, v->fill);
    ASSERT_OK(nums_point(spki, &counter, hash, v->profile));
    ck_assert_uint_eq(counter, v->counter);
    assert_hex(spki, 27, "3059301306072a8648ce3d020106082a8648ce3d03010703420004");
    assert_hex(spki + 27, 32, v->x);
    if (v->y) assert_hex(spki + 59, 32, v->y);
    ck_assert_uint_eq(spki[NUMS_SPKI - 1] & 1, 0);       /* always the even y */
}
END_TEST

START_TEST(point_encoding)
{
    uint8_t hash[32] = { 0 }, spki[NUMS_SPKI];
    char text[128];
    uint32_t counter;
    ASSERT_OK(nums_point(spki, &counter, hash, PROFILE_REPRODUCIBLE_KEY));
    base64_from(text, spki, sizeof spki);
    ck_assert_str_eq(text, "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZX29xKa9bh0ej4xggPwcjPtpEU0lwA5+Lijize+eC8W+9Y9TuKhCNMSn1"
                           "whd7yuzYZ16CG16UeEksyAmpyB6DA==");
}
END_TEST

START_TEST(profiles)
{
    enum profile p = PROFILES;
    uint8_t hash[32] = { 0 }, spki[NUMS_SPKI];
    uint32_t counter;
    SECRET z = secret_fill(1);
    SECRET m = NULL;
    for (unsigned i = 0; i < PROFILES; i++) {
        ASSERT_OK(profile_from_text(&p, profile_text((enum profile)i)));
        ck_assert_uint_eq(p, i);
    }
    ASSERT_CODE(profile_from_text(&p, "confidential-script"), E_FORMAT);
    ASSERT_CODE(profile_from_text(&p, ""), E_FORMAT);
    ck_assert_str_eq(profile_text(PROFILES), "?");
    ck_assert_str_eq(profile_block_order(PROFILE_REPRODUCIBLE_KEY), "none");
    ck_assert_str_eq(profile_block_order(PROFILE_CONFIDENTIAL_SCRIPT_1), "display");
    ck_assert_str_eq(profile_block_order(PROFILE_CONFIDENTIAL_SCRIPT_2), "internal");
    ck_assert_str_eq(profile_block_order(PROFILE_HOLDFAST_1), "internal");
    ck_assert_str_eq(profile_block_order(PROFILES), "?");
    ASSERT_CODE(nums_point(spki, &counter, hash, PROFILES), E_STATE);
    ASSERT_CODE(master_from_secret(&m, PROFILE_HOLDFAST_1, z, NULL), E_STATE);
    ASSERT_CODE(master_from_secret(&m, PROFILES, z, NULL), E_STATE);
    ck_assert_ptr_null(m);
}
END_TEST

/* ---- masters ---------------------------------------------------------------- */

#define ONE "0000000000000000000000000000000000000000000000000000000000000001"
#define G "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
static const struct master_case { enum profile profile; const char *z, *sk, *pub; } masters[] = {
    { PROFILE_CONFIDENTIAL_SCRIPT_2, "0101010101010101010101010101010101010101010101010101010101010101",
      "6dd2e8c91db3358cd54e76037e4767a1ae9a432dba4a824b76fd69fe9c3a2ace", "034d0f654bc722f5af25ad9d9ce648aa11d075c9c0e77cd545c02f7aee89fa457a" },
    { PROFILE_CONFIDENTIAL_SCRIPT_1, "0101010101010101010101010101010101010101010101010101010101010101",
      "0101010101010101010101010101010101010101010101010101010101010101", "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f" },
    { PROFILE_REPRODUCIBLE_KEY, "0101010101010101010101010101010101010101010101010101010101010101",
      "0101010101010101010101010101010101010101010101010101010101010101", "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f" },
    { PROFILE_CONFIDENTIAL_SCRIPT_2, "0000000000000000000000000000000000000000000000000000000000000000",
      "204005b6d05fab74965f899f1875e3139d1f4e03fd15136c11f8520b7483e0c8", "037be939afeb45b53c870269022fe8ba872010aae59238afe26ec8e9e77979f7e1" },
    { PROFILE_CONFIDENTIAL_SCRIPT_2, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
      "aab3d1444f7df85d461573324d1793b211bd93486046b2477cab751edcc55ff0", "0353dbb5f4d275d46eff0232f8dca78ccd15de9c5998116391cc387fcdadabe0ba" },
    { PROFILE_CONFIDENTIAL_SCRIPT_1, "0000000000000000000000000000000000000000000000000000000000000000", ONE, G },
    { PROFILE_CONFIDENTIAL_SCRIPT_1, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", ONE, G },
    /* n - 1 is the last valid key; n and n + 1 go up through 2^256 to 1. */
    { PROFILE_REPRODUCIBLE_KEY, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
      "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140", "0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" },
    { PROFILE_REPRODUCIBLE_KEY, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", ONE, G },
    { PROFILE_REPRODUCIBLE_KEY, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142", ONE, G },
    { PROFILE_REPRODUCIBLE_KEY, "ffffffffffffffffffffffffffffffff00000000000000000000000000000000", ONE, G },
    { PROFILE_REPRODUCIBLE_KEY, "0000000000000000000000000000000000000000000000000000000000000100",
      "0000000000000000000000000000000000000000000000000000000000000100", NULL },
    { PROFILE_REPRODUCIBLE_KEY, ONE, ONE, G },
};

START_TEST(master_vectors)
{
    const struct master_case *v = &masters[_i];
    uint8_t bytes[32];
    char pub[67];
    hex_must(bytes, 32, v->z);
    SECRET z = secret_of(bytes, 32);
    SECRET m = NULL;
    ASSERT_OK(master_from_secret(&m, v->profile, z, NULL));
    assert_hex(secret_peek(m), secret_len(m), v->sk);
    multiply(pub, NID_secp256k1, secret_peek(m), NULL, 0);
    if (v->pub) ck_assert_str_eq(pub, v->pub);
}
END_TEST

/* The bytes as computed by tests/models/keyring_model.py; and nothing is made of half a binding. */
START_TEST(master_of_holdfast_1)
{
    static char arn_too_long[MASTER_ARN_MAX + 2];
    uint8_t hash[32], policy[32] = { 0 };
    struct master_binding b = { .arn = "arn:aws:kms:us-east-1:111122223333:key/k", .blockhash = hash, .epoch = 1, .policy = policy };
    SECRET z = secret_fill(0x11);
    SECRET m = NULL;
    hex_must(hash, 32, genesis);
    ASSERT_OK(master_from_secret(&m, PROFILE_HOLDFAST_1, z, &b));
    assert_hex(secret_peek(m), 32, "b2cad5d3bf41daa7de40d548f1370ba0d70026e7a0f4a64ed5b79d5ca07f0b6a");
    secret_drop(&m);
    b.epoch = 0;
    ASSERT_CODE(master_from_secret(&m, PROFILE_HOLDFAST_1, z, &b), E_STATE);
    b.epoch = 1;
    b.arn = "";
    ASSERT_CODE(master_from_secret(&m, PROFILE_HOLDFAST_1, z, &b), E_LIMIT);
    memset(arn_too_long, 'a', sizeof arn_too_long - 1);
    b.arn = arn_too_long;
    ASSERT_CODE(master_from_secret(&m, PROFILE_HOLDFAST_1, z, &b), E_LIMIT);
    ck_assert_ptr_null(m);
}
END_TEST

START_TEST(master_bad_length)
{
    uint8_t bytes[33] = { 1 };
    SECRET m = NULL;
    for (size_t n = 31; n <= 33; n += 2) {
        SECRET z = secret_of(bytes, n);
        ASSERT_CODE(master_from_secret(&m, PROFILE_CONFIDENTIAL_SCRIPT_2, z, NULL), E_FORMAT);
        ck_assert_ptr_null(m);
    }
}
END_TEST

/* KMS with the private key 32 x 11: block hash -> point -> Z -> master -> public key. */
static const struct whole { const char *hash, *z, *sk, *pub; } wholes[] = {
    { "0000000000000000000000000000000000000000000000000000000000000000",
      "93c6170b8a3fa78d0fa90972bae7feed706f13bd3733c7457a6843ae368bcf20", "adbacd70b89097e98f7867838092a87612d01c486598272bb7e404ba228c57f3",
      "0212ca12f16fbcf5d52920b12f4899b7a177285581e9cb72cd99ac8ba65e9d5d1a" },
    { genesis, "a3b5f2f8dbc2752f7826a6ca0ff2b424ccfcf0e1a30a6c9daa6cc0d94392f518",
      "0244445e5e51f3bb88e1caca1366698cfd033374152c1090f1f1471494c4d33e", "031812a58ecb7a574ad437e8136305f47da20a7d08c6d34733ecbd60ab750c853d" },
};

START_TEST(whole_derivation)
{
    const struct whole *v = &wholes[_i];
    uint8_t hash[32], spki[NUMS_SPKI], d[32], zb[32];
    char z_hex[67], pub[67];
    uint32_t counter;
    memset(d, 0x11, 32);
    hex_must(hash, 32, v->hash);
    ASSERT_OK(nums_point(spki, &counter, hash, PROFILE_CONFIDENTIAL_SCRIPT_2));
    multiply(z_hex, NID_X9_62_prime256v1, d, spki + 26, 65);
    ck_assert_str_eq(z_hex + 2, v->z);
    hex_must(zb, 32, z_hex + 2);
    SECRET z = secret_of(zb, 32);
    SECRET m = NULL;
    ASSERT_OK(master_from_secret(&m, PROFILE_CONFIDENTIAL_SCRIPT_2, z, NULL));
    assert_hex(secret_peek(m), 32, v->sk);
    multiply(pub, NID_secp256k1, secret_peek(m), NULL, 0);
    ck_assert_str_eq(pub, v->pub);
}
END_TEST

/* ---- roots and keyrings ------------------------------------------------------ */

static const char arn[] = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

static void fill_keyring(struct keyring *k)
{
    memset(k, 0, sizeof *k);
    memset(k->service_id, 0x5e, 32);
    k->epoch = 7;
    k->master = secret_fill(0x21);
    k->service_root = secret_fill(0x42);
}

START_TEST(roots_differ)
{
    uint8_t hash[32] = { 1 }, other_hash[32] = { 2 }, id[32] = { 1 }, other_id[32] = { 2 };
    SECRET z = secret_fill(3);
    SECRET a = NULL;
    SECRET b = NULL;
    SECRET c = NULL;
    SECRET d = NULL;
    ASSERT_OK(keyring_build_root(&a, z, arn, hash));
    ASSERT_OK(keyring_build_root(&b, z, arn, other_hash));
    ASSERT_OK(keyring_build_root(&c, z, "arn:aws:kms:eu-central-1:111122223333:key/x", hash));
    ASSERT_OK(keyring_build_root(&d, z, arn, hash));
    ck_assert(secret_eq(a, d));
    ck_assert(!secret_eq(a, b) && !secret_eq(a, c) && !secret_eq(b, c));
    secret_drop(&b);
    secret_drop(&c);
    ASSERT_OK(keyring_service_root(&b, z, id));
    ASSERT_OK(keyring_service_root(&c, z, other_id));
    ck_assert(!secret_eq(b, c) && !secret_eq(a, b));
}
END_TEST

/* The bytes of the infos, spelled out here once more: a change of one is a change of format. */
START_TEST(roots_exact)
{
    uint8_t hash[32], id[32], info[256];
    memset(hash, 0xb1, 32);
    memset(id, 0x1d, 32);
    SECRET z = secret_fill(3);
    SECRET have = NULL;
    SECRET want = NULL;
    size_t n = sizeof arn - 1, at = 0;
    memcpy(info, "build-root", 10), at = 10;
    info[at++] = (uint8_t)n, info[at++] = 0, info[at++] = 0, info[at++] = 0;
    memcpy(info + at, arn, n), at += n;
    memcpy(info + at, hash, 32), at += 32;
    ASSERT_OK(hkdf_sha256(&want, 32, z, "holdfast/1", 10, info, at));
    ASSERT_OK(keyring_build_root(&have, z, arn, hash));
    ck_assert(secret_eq(have, want));
    secret_drop(&have);
    secret_drop(&want);
    memcpy(info, "service-root", 12);
    memcpy(info + 12, id, 32);
    ASSERT_OK(hkdf_sha256(&want, 32, z, "holdfast/1", 10, info, 44));
    ASSERT_OK(keyring_service_root(&have, z, id));
    ck_assert(secret_eq(have, want));
    secret_drop(&have);
    secret_drop(&want);
    KEYRING k;
    fill_keyring(&k);
    memcpy(info, "child\4\0\0\0seal", 13);
    memcpy(info + 13, k.service_id, 32);
    memcpy(info + 45, "\7\0\0\0", 4);
    ASSERT_OK(hkdf_sha256(&want, 32, k.service_root, "holdfast/1", 10, info, 49));
    ASSERT_OK(keyring_child(&have, 32, &k, "seal", 7));
    ck_assert(secret_eq(have, want));
}
END_TEST

START_TEST(roots_refuse)
{
    char *long_arn = malloc(KEYRING_ARN_MAX + 2);
    uint8_t hash[32] = { 0 };
    memset(long_arn, 'a', KEYRING_ARN_MAX + 1);
    long_arn[KEYRING_ARN_MAX + 1] = 0;
    SECRET z = secret_fill(3);
    SECRET small = NULL;
    SECRET out = NULL;
    ASSERT_OK(secret_new(&small, 31));
    ASSERT_CODE(keyring_build_root(&out, z, long_arn, hash), E_LIMIT);
    ASSERT_CODE(keyring_build_root(&out, z, "", hash), E_LIMIT);
    ASSERT_CODE(keyring_build_root(&out, small, arn, hash), E_FORMAT);
    ASSERT_CODE(keyring_service_root(&out, small, hash), E_FORMAT);
    long_arn[KEYRING_ARN_MAX] = 0;
    ASSERT_OK(keyring_build_root(&out, z, long_arn, hash));
    free(long_arn);
}
END_TEST

START_TEST(children)
{
    static const char *const labels[] = { "seal", "log", "channel", "audit" };
    KEYRING k;
    fill_keyring(&k);
    SECRET first = NULL;
    SECRET next = NULL;
    secret *all[8] = { NULL };
    for (size_t i = 0; i < 8; i++) ASSERT_OK(keyring_child(&all[i], 32, &k, labels[i % 4], 1 + (uint32_t)i / 4));
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < i; j++) ck_assert(!secret_eq(all[i], all[j]));
    ASSERT_OK(keyring_child(&first, 32, &k, "seal", 1));
    ck_assert(secret_eq(first, all[0]));
    /* The service id is in every child, not only in a genesis root. */
    k.service_id[0] ^= 1;
    ASSERT_OK(keyring_child(&next, 32, &k, "seal", 1));
    ck_assert(!secret_eq(first, next));
    for (size_t i = 0; i < 8; i++) secret_drop(&all[i]);
    ASSERT_CODE(keyring_child(&next, 32, &k, "", 1), E_LIMIT);
    ASSERT_CODE(keyring_child(&next, 32, &k, "sixty-five characters are one more than a label may have at all.x", 1), E_LIMIT);
    ASSERT_CODE(keyring_child(&next, 32, &(struct keyring){ .epoch = 1 }, "seal", 1), E_FORMAT);
}
END_TEST

START_TEST(seal_round_trip)
{
    uint8_t sealed[KEYRING_SEALED], again[KEYRING_SEALED];
    KEYRING k;
    KEYRING got = { .epoch = 0 };
    fill_keyring(&k);
    SECRET root = secret_fill(9);
    ASSERT_OK(keyring_seal(sealed, &k, root, "aad", 3));
    ASSERT_OK(keyring_seal(again, &k, root, "aad", 3));
    ck_assert_mem_ne(sealed + 44, again + 44, 32);                 /* a fresh key each time */
    ck_assert_mem_ne(sealed + 76, again + 76, 64);
    ASSERT_OK(keyring_unseal(&got, root, sealed, sizeof sealed, "aad", 3));
    ck_assert_mem_eq(got.service_id, k.service_id, 32);
    ck_assert_uint_eq(got.epoch, 7);
    ck_assert(secret_eq(got.master, k.master) && secret_eq(got.service_root, k.service_root));
}
END_TEST

START_TEST(seal_refuses)
{
    uint8_t sealed[KEYRING_SEALED + 1], aad[KEYRING_AAD_MAX + 1] = { 0 };
    KEYRING k;
    struct keyring got = { .epoch = 99 };
    fill_keyring(&k);
    SECRET root = secret_fill(9);
    SECRET other = secret_fill(8);
    size_t before = secret_count();
    ASSERT_OK(keyring_seal(sealed, &k, root, aad, KEYRING_AAD_MAX));
    ASSERT_CODE(keyring_seal(sealed, &k, root, aad, sizeof aad), E_LIMIT);
    ASSERT_OK(keyring_seal(sealed, &k, root, "aad", 3));
    ASSERT_CODE(keyring_unseal(&got, other, sealed, KEYRING_SEALED, "aad", 3), E_AUTH);
    ASSERT_CODE(keyring_unseal(&got, root, sealed, KEYRING_SEALED, "aaD", 3), E_AUTH);
    ASSERT_CODE(keyring_unseal(&got, root, sealed, KEYRING_SEALED, "", 0), E_AUTH);
    ASSERT_CODE(keyring_unseal(&got, root, sealed, KEYRING_SEALED - 1, "aad", 3), E_FORMAT);
    ASSERT_CODE(keyring_unseal(&got, root, sealed, KEYRING_SEALED + 1, "aad", 3), E_FORMAT);
    ASSERT_CODE(keyring_unseal(&got, root, NULL, 0, "aad", 3), E_FORMAT);
    for (size_t i = 0; i < KEYRING_SEALED; i++) {                 /* any one bit */
        sealed[i] ^= (uint8_t)(1u << i % 8);
        ASSERT_CODE(keyring_unseal(&got, root, sealed, KEYRING_SEALED, "aad", 3), i < 8 ? E_FORMAT : E_AUTH);
        sealed[i] ^= (uint8_t)(1u << i % 8);
    }
    ck_assert(got.epoch == 99 && !got.master && !got.service_root);
    ck_assert_uint_eq(secret_count(), before);
    secret_drop(&k.service_root);
    ASSERT_CODE(keyring_seal(sealed, &k, root, "aad", 3), E_FORMAT);
}
END_TEST

START_TEST(commitment)
{
    uint8_t a[32], b[32];
    KEYRING k;
    fill_keyring(&k);
    ASSERT_OK(keyring_commitment(a, &k));
    ASSERT_OK(keyring_check(&k, a));
    secret_reveal(k.master)[31] ^= 1;
    ASSERT_CODE(keyring_check(&k, a), E_AUTH);
    secret_reveal(k.master)[31] ^= 1;
    secret_reveal(k.service_root)[0] ^= 1;
    ASSERT_CODE(keyring_check(&k, a), E_AUTH);
    secret_reveal(k.service_root)[0] ^= 1;
    k.epoch++;
    ASSERT_CODE(keyring_check(&k, a), E_AUTH);
    k.epoch--;
    k.service_id[31] ^= 1;
    ASSERT_CODE(keyring_check(&k, a), E_AUTH);
    k.service_id[31] ^= 1;
    ASSERT_OK(keyring_commitment(b, &k));
    ck_assert_mem_eq(a, b, 32);
    secret_drop(&k.master);
    ASSERT_CODE(keyring_check(&k, a), E_FORMAT);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static Suite *derive(void)
{
    Suite *s = suite_create("derive");
    TCase *t = SECRET_CASE(s, "derive", point_encoding, profiles, master_bad_length, roots_differ, roots_exact, roots_refuse,
                           children, seal_round_trip, seal_refuses, commitment);
    tcase_add_loop_test(t, point_vectors, 0, COUNT(points));
    tcase_add_loop_test(t, master_vectors, 0, COUNT(masters));
    tcase_add_test(t, master_of_holdfast_1);
    tcase_add_loop_test(t, whole_derivation, 0, COUNT(wholes));
    return s;
}

int main(void)
{
    if (crypto_warm_up().code) return 1;
    return check_main((check_suite *const[]){ derive }, 1);
}
