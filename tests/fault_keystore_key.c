/* fault_keystore_key.c - memory runs out while a key is judged or its holder checked: an error, or a finding;
 * never a good word. */
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "keystore/grant.h"
#include "keystore/json.h"
#include "keystore/key_evidence.h"
#include "keystore/p256.h"
#include "keystore/recipient.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"
#include "tests/support/vectors.h"

#define ARN "arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"
#define HEAD "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
#define KEY "0217e617f0b6443928278f96999e69a23a4f2c152bdf6d6cdf66e5b80282d4ed194a7debcb97712d2dda3ca85aa8765a56f45fc758599652f2897c65306e5794"
static const char bad_policy[] =
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":[\"kms:DescribeKey\",\"kms:PutKeyPolicy\"],\"Resource\":\"*\"}]}";

static uint32_t judged;

/* Whatever fails, what is in the policy must not go unsaid: either its own findings, or that it could not be read. */
static err policy_body(void *ctx, unsigned long n)
{
    struct key_builds none = { .count = 0 };
    struct key_report r = { 0 };
    (void)ctx, (void)n;
    key_policy_judge(&r, bad_policy, sizeof bad_policy - 1, ARN, &none);
    /* MUST, as Check's own words need memory. */
    MUST(key_findings_breaking(r.set) != 0);
    MUST((r.set & 1u << KEY_ACTION_MANAGES) || r.set == 1u << KEY_POLICY_FORM);
    judged |= r.set;
    return r.set & 1u << KEY_ACTION_MANAGES ? OK : (err){ E_MEMORY };
}

static err file_body(void *ctx, unsigned long n)
{
    static const char text[] = "{\"document\":\"aGk=\",\"evidence\":\"{\\\"key\\\":\\\"" ARN "\\\",\\\"documents\\\":{\\\"describe_key\\\":{},\\\"get_public_key\\\":"
                               "{\\\"status\\\":200,\\\"body\\\":\\\"{}\\\"},\\\"list_grants\\\":[{},{}],\\\"get_key_policy\\\":{}}}\"}";
    KEY_FILE f = { 0 };
    struct key_report r;
    uint8_t spki[KEY_P256_SPKI];
    bool has_key = true;
    char *out = NULL;
    size_t len = 0;
    (void)ctx, (void)n;
    TRY(key_file_read(&f, text, sizeof text - 1));
    key_evidence_judge(&r, spki, &has_key, &f.evidence);
    MUST(!has_key && key_findings_breaking(r.set) != 0);
    TRY(key_evidence_write(&out, &len, &f.evidence, &r));
    free(out);
    return OK;
}

struct holder { uint8_t point[P256_POINT], spki[P256_SPKI]; };

static err holder_body(void *ctx, unsigned long n)
{
    struct holder *h = ctx;
    uint8_t own[P256_SPKI], sum[P256_SPKI], point[P256_POINT];
    P256 k = NULL;
    SECRET wrong = NULL;
    (void)n;
    TRY(p256_point(point, h->spki, sizeof h->spki));
    TRY(p256_new(&k));
    TRY(p256_own(own, k));
    TRY(p256_sum(sum, k, h->spki));
    TRY(secret_new(&wrong, P256_SECRET));
    memcpy(secret_reveal(wrong), h->spki + 27, 32);               /* an x of a point, and not the answer */
    err e = p256_check_own(k, point, wrong);
    MUST(e.code != E_OK);
    if (e.code != E_AUTH) return e;
    e = p256_check_sum(k, point, wrong, wrong);
    MUST(e.code != E_OK);
    return e.code == E_AUTH ? OK : e;
}

/* A grant is whole or it is none, and what was not opened leaves no secret. */
static err grant_body(void *ctx, unsigned long n)
{
    struct grant_terms t = { .epoch = 1, .arn = ARN };
    uint8_t bytes[GRANT_MAX];
    size_t len = 0;
    SECRET root = NULL;
    BUILD_KEYPAIR key = { 0 };
    KEYRING k = { .epoch = 1 };
    KEYRING back = { .epoch = 0 };
    (void)ctx, (void)n;
    TRY(secret_new(&root, 32));
    TRY(secret_new(&k.master, 32));
    TRY(secret_new(&k.service_root, 32));
    TRY(build_key_derive(&key, root, k.service_id));
    memcpy(t.build_key, key.point, sizeof key.point);
    err e = grant_seal(bytes, &len, &k, &t);
    MUST(!e.code == (len > 0));
    TRY(e);
    e = grant_open(&back, bytes, len, &key, &t);
    MUST(!e.code ? secret_eq(back.master, k.master) : !back.master && !back.service_root);
    return e;
}

START_TEST(a_policy_is_never_better_without_memory)
{
    judged = 0;
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, policy_body, NULL);
    ck_assert(judged & 1u << KEY_POLICY_FORM);                    /* faults did strike where it matters */
}
END_TEST

START_TEST(evidence_without_memory)
{
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, file_body, NULL);
}
END_TEST

START_TEST(nobody_is_the_holder_without_memory)
{
    struct holder h;
    struct recipient *heap = NULL;
    ASSERT_OK(crypto_warm_up());
    ASSERT_OK(secret_arena_open(64 << 10));
    ASSERT_OK(recipient_new(&heap));
    hex_must(h.spki, sizeof h.spki, HEAD KEY);
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, holder_body, &h);
    recipient_drop(&heap);
    secret_arena_close();
}
END_TEST

START_TEST(a_grant_without_memory_or_randomness)
{
    ASSERT_OK(crypto_warm_up());
    ASSERT_OK(secret_arena_open(64 << 10));
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, grant_body, NULL);
    FAULT_LOOP(FAULT_RANDOM, grant_body, NULL);
    secret_arena_close();
}
END_TEST

static Suite *fault_key_suite(void)
{
    json_warm_up();
    return CHECK_SUITE("fault_keystore_key", a_policy_is_never_better_without_memory, evidence_without_memory, nobody_is_the_holder_without_memory,
                       a_grant_without_memory_or_randomness);
}

CHECK_MAIN(fault_key_suite)
