/* The signing key when something fails under it: no signature, no secret left over. */
#include "signer/address.h"
#include "signer/child.h"
#include "tests/signer_keys_case.h"

/* ---- calls that can be made to fail: number `fail_at` of the kind, from 1 ---- */
static unsigned long calls, fail_at;
static int spoil_signature, spoil_verify;
static int due(void) { return ++calls == fail_at; }

err __real_random_bytes(void *out, size_t n);
err __wrap_random_bytes(void *out, size_t n);
err __wrap_random_bytes(void *out, size_t n)
{
    return due() ? (err){ E_IO } : __real_random_bytes(out, n);
}
err __real_secret_new(secret **out, size_t len);
err __wrap_secret_new(secret **out, size_t len);
err __wrap_secret_new(secret **out, size_t len)
{
    return due() ? (err){ E_MEMORY } : __real_secret_new(out, len);
}
err __real_secret_copy(secret **out, const secret *s);
err __wrap_secret_copy(secret **out, const secret *s);
err __wrap_secret_copy(secret **out, const secret *s)
{
    return due() ? (err){ E_MEMORY } : __real_secret_copy(out, s);
}
/* A tweak of the order or above, which no HMAC will ever give us. */
static int hmac_high;
void __real_hmac_sha512(uint8_t out[static 64], const void *key, size_t key_len, const void *p, size_t n);
void __wrap_hmac_sha512(uint8_t out[static 64], const void *key, size_t key_len, const void *p, size_t n);
void __wrap_hmac_sha512(uint8_t out[static 64], const void *key, size_t key_len, const void *p, size_t n)
{
    __real_hmac_sha512(out, key, key_len, p, n);
    if (hmac_high)
        memset(out, 0xff, 64);
}
int __real_secp256k1_schnorrsig_sign32(const void *ctx, unsigned char *sig, const unsigned char *msg,
                                       const void *pair, const unsigned char *aux);
int __wrap_secp256k1_schnorrsig_sign32(const void *ctx, unsigned char *sig, const unsigned char *msg,
                                       const void *pair, const unsigned char *aux);
int __wrap_secp256k1_schnorrsig_sign32(const void *ctx, unsigned char *sig, const unsigned char *msg,
                                       const void *pair, const unsigned char *aux)
{
    int done = __real_secp256k1_schnorrsig_sign32(ctx, sig, msg, pair, aux);
    sig[40] ^= (uint8_t)spoil_signature;
    return done;
}
int __real_secp256k1_schnorrsig_verify(const void *ctx, const unsigned char *sig, const unsigned char *msg,
                                       size_t n, const void *key);
int __wrap_secp256k1_schnorrsig_verify(const void *ctx, const unsigned char *sig, const unsigned char *msg,
                                       size_t n, const void *key);
int __wrap_secp256k1_schnorrsig_verify(const void *ctx, const unsigned char *sig, const unsigned char *msg,
                                       size_t n, const void *key)
{
    return spoil_verify ? 0 : __real_secp256k1_schnorrsig_verify(ctx, sig, msg, n, key);
}

/* Every call that can fail, one after the other: no signature, no secret left over. */
START_TEST(fault_sign)
{
    SIGNER s = NULL;
    struct sign_request q;
    open_with(&s, 1);
    request_of(&q, &SIGNER_CASES[0]);
    unsigned long n = 0;
    for (;;) {
        static const uint8_t none[64];
        uint8_t sig[64];
        calls = 0, fail_at = ++n;
        err e = signer_sign(s, sig, &q);
        ck_assert_uint_eq(secret_count(), 1);
        if (calls < fail_at) {
            ck_assert_int_eq(e.code, E_OK);
            break;
        }
        ck_assert(e.code == E_IO || e.code == E_MEMORY);
        ck_assert_int_eq(memcmp(sig, none, 64), 0);
    }
    ck_assert_uint_eq(n, 5);               /* two random, one copy, one new, and the clean run */
}
END_TEST

START_TEST(fault_agree)
{
    SIGNER s = NULL;
    uint8_t client[33];
    unsigned long n = 0;
    open_with(&s, 1);
    signer_public(s, client);
    for (;;) {
        SECRET key = NULL;
        calls = 0, fail_at = ++n;
        err e = signer_agree(s, &key, client, sizeof client);
        if (calls < fail_at) {
            ck_assert_int_eq(e.code, E_OK);
            break;
        }
        ck_assert(e.code == E_IO || e.code == E_MEMORY);
        ck_assert_ptr_null(key);
        ck_assert_uint_eq(secret_count(), 1);
    }
    ck_assert_uint_eq(n, 4);               /* the point, the blinding, the key, and the clean run */
}
END_TEST

START_TEST(fault_open)
{
    for (unsigned long n = 1;; n++) {
        SECRET k = NULL;
        SIGNER s = NULL;
        fail_at = 0;
        case_scalar(&k, 1);
        calls = 0, fail_at = n;
        err e = signer_open(&s, &k);
        ck_assert_ptr_null(k);
        if (calls < fail_at) {
            ck_assert_int_eq(e.code, E_OK);
            ck_assert_uint_gt(n, 1);
            return;
        }
        ck_assert_int_eq(e.code, E_IO);
        ck_assert_ptr_null(s);
        ck_assert_uint_eq(secret_count(), 0);
    }
}
END_TEST

/* A bit that flips while signing must not give a signature away. */
START_TEST(verifies_before_answering)
{
    SIGNER s = NULL;
    struct sign_request q;
    open_with(&s, 1);
    request_of(&q, &SIGNER_CASES[0]);
    spoil_signature = 4;
    refuses(s, &q, E_IO);
    spoil_signature = 0, spoil_verify = 1;
    refuses(s, &q, E_IO);
}
END_TEST

/* It is reduced, on both sides alike: vector I's number times G, plus the master. */
START_TEST(tweak_above_the_order)
{
    SIGNER s = NULL;
    struct sign_request q;
    uint8_t t[32], pub[33], sig[64];
    open_with(&s, 1);
    signer_public(s, pub);
    request_of(&q, &SIGNER_CASES[0]);
    hmac_high = 1;
    child_tweak(t, pub, q.merkle_root);
    check_hex(t, 32, "000000000000000000000000000000014551231950b75fc4402da1732fc9bebe");
    ASSERT_OK(address_output_key(q.output_key, pub, q.merkle_root, NULL));
    ASSERT_OK(signer_sign(s, sig, &q));
    hmac_high = 0;
    ASSERT_CODE(signer_sign(s, sig, &q), E_DENIED);
}
END_TEST

START_TEST(arena_full)
{
    secret *held[4096];
    size_t n = 0;
    SIGNER s = NULL;
    struct sign_request q;
    uint8_t sig[64];
    open_with(&s, 1);
    request_of(&q, &SIGNER_CASES[0]);
    while (n < 4096 && secret_new(&held[n], 32).code == E_OK)
        n++;
    ck_assert_uint_lt(n, 4096);
    ck_assert_int_eq(signer_sign(s, sig, &q).code, E_MEMORY);
    while (n)
        secret_drop(&held[--n]);
    ck_assert_int_eq(signer_sign(s, sig, &q).code, E_OK);
}
END_TEST

/* ---- the stack below us, after signing ---- */
#if !defined(HOLDFAST_SANITIZE)
/* Is one of the four 64-bit words of `key` in the 64 KiB under this frame, in either byte order? */
static __attribute__((noinline)) int found_below(const uint8_t key[static 32])
{
    uint64_t words[8];
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    __asm__ volatile("" : "+r"(here));
    for (int i = 0; i < 4; i++) {
        memcpy(&words[i], key + 8 * i, 8);
        words[i + 4] = __builtin_bswap64(words[i]);
    }
    for (uintptr_t at = (here - 64 * 1024) & ~(uintptr_t)7; at < here - 512; at += 4) {
        uint64_t seen = *(const volatile uint32_t *)at | (uint64_t)*(const volatile uint32_t *)(at + 4) << 32;
        for (int i = 0; i < 8; i++)
            if (seen == words[i])
                return 1;
    }
    return 0;
}

static __attribute__((noinline)) void leave_below(const uint8_t key[static 32])
{
    volatile uint8_t spilled[4096];
    for (int i = 0; i < 4096; i++)
        spilled[i] = key[i % 32];
    __asm__ volatile("" : : "r"(spilled) : "memory");
}

static __attribute__((noinline)) void clean_below(void)
{
    volatile uint8_t zero[65 * 1024];
    for (size_t i = 0; i < sizeof zero; i++)
        zero[i] = 0;
    __asm__ volatile("" : : "r"(zero) : "memory");
}

START_TEST(stack_is_clean)
{
    static const char *const keys[] = {
        "248eba3fa1d11d7df9c7ce9ea09dd337eb07f63c047f3b806beab80909abd094",    /* child */
        "db7145c05e2ee282063831615f622cc6cfa6e6aaaac964bb53e7a683c68a70ad",    /* child, negated */
        "ad408dc604834df8ec301f0580b2ad0703f7bd048bf53918f606d5c42ee3683e",    /* tweaked */
    };
    SIGNER s = NULL;
    struct sign_request q;
    uint8_t sig[64], key[32];
    open_with(&s, 1);
    request_of(&q, &SIGNER_CASES[0]);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        case_hex(key, 32, keys[i]);
        clean_below();
        ck_assert(!found_below(key));
        leave_below(key);
        ck_assert(found_below(key));       /* the search does find */
        clean_below();
        ck_assert_int_eq(signer_sign(s, sig, &q).code, E_OK);
        ck_assert(!found_below(key));
        clean_below();
        spoil_signature = 1;               /* ends early: nothing later covers what it left */
        ck_assert_int_eq(signer_sign(s, sig, &q).code, E_IO);
        spoil_signature = 0;
        ck_assert(!found_below(key));
        struct sign_request other = q;
        other.output_key[0] ^= 1;
        clean_below();
        ck_assert_int_eq(signer_sign(s, sig, &other).code, E_DENIED);
        ck_assert(!found_below(key));
    }
}
END_TEST
#endif

static Suite *fault_signer_keys(void)
{
    Suite *suite = suite_create("fault_signer_keys");
    TCase *t = tcase_create("faults");
    tcase_add_checked_fixture(t, before, after);
    tcase_add_test(t, fault_sign);
    tcase_add_test(t, fault_agree);
    tcase_add_test(t, fault_open);
    tcase_add_test(t, verifies_before_answering);
    tcase_add_test(t, tweak_above_the_order);
    tcase_add_test(t, arena_full);
#if !defined(HOLDFAST_SANITIZE)
    tcase_add_test(t, stack_is_clean);
#endif
    suite_add_tcase(suite, t);
    return suite;
}

CHECK_MAIN(fault_signer_keys)
