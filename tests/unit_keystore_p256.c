/* Does the holder of the KMS key answer? Played against one who does and some who do not. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <string.h>

#include "core/crypto.h"
#include "keystore/nums.h"
#include "keystore/p256.h"
#include "keystore/recipient.h"
#include "support/check_main.h"
#include "support/vectors.h"

/* The published example: private key 32 bytes of 0x11, its public key, and the answer for a block hash of zeros. */
#define HEAD "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
#define KEY_X "0217e617f0b6443928278f96999e69a23a4f2c152bdf6d6cdf66e5b80282d4ed"
#define KEY_Y "194a7debcb97712d2dda3ca85aa8765a56f45fc758599652f2897c65306e5794"
#define ANSWER "93c6170b8a3fa78d0fa90972bae7feed706f13bd3733c7457a6843ae368bcf20"

/* What KMS does: x(k * point), k being 32 times the byte. */
static secret *answer(uint8_t byte, const uint8_t spki[static P256_SPKI])
{
    uint8_t k[32];
    secret *out = NULL;
    memset(k, byte, sizeof k);
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *p = EC_POINT_new(g);
    BIGNUM *d = BN_bin2bn(k, 32, NULL), *x = BN_new();
    ck_assert_int_eq(EC_POINT_oct2point(g, p, spki + 26, 65, NULL), 1);
    ck_assert_int_eq(EC_POINT_mul(g, p, NULL, p, d, NULL), 1);
    ck_assert_int_eq(EC_POINT_get_affine_coordinates(g, p, x, NULL, NULL), 1);
    ASSERT_OK(secret_new(&out, 32));
    ck_assert_int_eq(BN_bn2binpad(x, secret_reveal(out), 32), 32);
    BN_free(x);
    BN_free(d);
    EC_POINT_free(p);
    EC_GROUP_free(g);
    return out;
}

struct scene { struct recipient *heap; struct p256 *k; uint8_t point[P256_POINT], nums[NUMS_SPKI]; };

static void open_scene(struct scene *s)
{
    uint8_t spki[P256_SPKI];
    const uint8_t zero[32] = { 0 };
    uint32_t counter;
    *s = (struct scene){ 0 };
    ASSERT_OK(crypto_warm_up());
    ASSERT_OK(secret_arena_open(64 << 10));
    ASSERT_OK(recipient_new(&s->heap));
    hex_must(spki, sizeof spki, HEAD KEY_X KEY_Y);
    ASSERT_OK(p256_point(s->point, spki, sizeof spki));
    ASSERT_OK(p256_new(&s->k));
    ASSERT_OK(nums_point(s->nums, &counter, zero, PROFILE_CONFIDENTIAL_SCRIPT_2));
}

static void close_scene(struct scene *s)
{
    p256_drop(&s->k);
    recipient_drop(&s->heap);
    ck_assert_uint_eq(secret_count(), 0);
    secret_arena_close();
}

START_TEST(the_holder_is_believed)
{
    struct scene s;
    uint8_t own[P256_SPKI], sum[P256_SPKI], want[32];
    open_scene(&s);
    ASSERT_OK(p256_own(own, s.k));
    ASSERT_OK(p256_sum(sum, s.k, s.nums));
    ck_assert_mem_ne(own, sum, sizeof own);
    SECRET first = answer(0x11, own);
    SECRET z = answer(0x11, s.nums);
    SECRET third = answer(0x11, sum);
    hex_must(want, 32, ANSWER);
    ck_assert_mem_eq(secret_peek(z), want, 32);
    ASSERT_OK(p256_check_own(s.k, s.point, first));
    ASSERT_OK(p256_check_sum(s.k, s.point, z, third));
    secret_drop(&first);
    secret_drop(&z);
    secret_drop(&third);
    close_scene(&s);
}
END_TEST

START_TEST(nobody_else_is)
{
    struct scene s;
    uint8_t own[P256_SPKI], sum[P256_SPKI];
    open_scene(&s);
    ASSERT_OK(p256_own(own, s.k));
    ASSERT_OK(p256_sum(sum, s.k, s.nums));
    SECRET z = answer(0x11, s.nums);
    SECRET third = answer(0x11, sum);
    SECRET strange_first = answer(0x12, own);
    SECRET strange_z = answer(0x12, s.nums);
    SECRET strange_third = answer(0x12, sum);
    ASSERT_CODE(p256_check_own(s.k, s.point, strange_first), E_AUTH);
    ASSERT_CODE(p256_check_own(s.k, s.point, z), E_AUTH);                    /* the answer to another question */
    ASSERT_CODE(p256_check_sum(s.k, s.point, strange_z, third), E_AUTH);     /* a secret put in KMS's place: what possession alone misses */
    ASSERT_CODE(p256_check_sum(s.k, s.point, z, strange_third), E_AUTH);
    ASSERT_CODE(p256_check_sum(s.k, s.point, strange_z, strange_third), E_AUTH);
    ASSERT_CODE(p256_check_sum(s.k, s.point, z, z), E_AUTH);
    SECRET first = answer(0x11, own);
    ASSERT_CODE(p256_check_sum(s.k, s.point, first, third), E_AUTH);         /* a genuine answer, given again: one of the sums is no point */
    ASSERT_CODE(p256_check_sum(s.k, s.point, first, first), E_AUTH);
    secret_drop(&first);
    secret_reveal(z)[31] ^= 1;
    ASSERT_CODE(p256_check_sum(s.k, s.point, z, third), E_AUTH);
    memset(secret_reveal(z), 0xff, 32);                                      /* above the field's prime */
    ASSERT_CODE(p256_check_sum(s.k, s.point, z, third), E_AUTH);
    secret_drop(&z);
    secret_drop(&third);
    secret_drop(&strange_first);
    secret_drop(&strange_z);
    secret_drop(&strange_third);
    close_scene(&s);
}
END_TEST

START_TEST(each_d_is_another)
{
    struct scene s;
    uint8_t a[P256_SPKI], b[P256_SPKI];
    open_scene(&s);
    struct p256 *other = NULL;
    ASSERT_OK(p256_new(&other));
    ASSERT_OK(p256_own(a, s.k));
    ASSERT_OK(p256_own(b, other));
    ck_assert_mem_ne(a, b, sizeof a);
    SECRET got = answer(0x11, b);
    ASSERT_CODE(p256_check_own(s.k, s.point, got), E_AUTH);
    ASSERT_OK(p256_check_own(other, s.point, got));
    p256_drop(&other);
    secret_drop(&got);
    close_scene(&s);
}
END_TEST

START_TEST(other_keys_are_refused)
{
    struct scene s;
    uint8_t good[P256_SPKI + 1] = { 0 }, bad[P256_SPKI + 1], point[P256_POINT];
    open_scene(&s);
    hex_must(good, P256_SPKI, HEAD KEY_X KEY_Y);
    ck_assert_uint_eq(s.point[0], 2);
    ck_assert_mem_eq(s.point + 1, good + 27, 32);
    for (size_t n = 0; n < P256_SPKI; n++) ASSERT_CODE(p256_point(point, good, n), E_FORMAT);
    ASSERT_CODE(p256_point(point, good, sizeof good), E_FORMAT);
    for (size_t i = 0; i < P256_SPKI; i++) {                 /* another head, or a point off the curve */
        memcpy(bad, good, sizeof bad);
        bad[i] ^= 1;
        ASSERT_CODE(p256_point(point, bad, P256_SPKI), E_FORMAT);
        ASSERT_CODE(p256_sum(bad, s.k, bad), E_FORMAT);
    }
    SECRET got = answer(0x11, good);
    memset(point, 0, sizeof point);                          /* what a record holds that knows no key */
    ASSERT_CODE(p256_check_own(s.k, point, got), E_FORMAT);
    memset(point, 0xff, sizeof point);
    ASSERT_CODE(p256_check_sum(s.k, point, got, got), E_FORMAT);
    SECRET word = NULL;
    ASSERT_OK(secret_new(&word, 31));
    ASSERT_FAILS(p256_check_own(s.k, s.point, word));
    ASSERT_FAILS(p256_check_sum(s.k, s.point, word, got));
    secret_drop(&word);
    secret_drop(&got);
    close_scene(&s);
}
END_TEST

static Suite *p256_suite(void)
{
    return CHECK_SUITE("keystore_p256", the_holder_is_believed, nobody_else_is, each_d_is_another, other_keys_are_refused);
}

CHECK_MAIN(p256_suite)
