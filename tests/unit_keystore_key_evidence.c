/* What KMS says about a key: each rule about metadata, public key, grants and readings broken
 * alone; evidence written, read back and judged again; files that are not evidence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "keystore/key_evidence.h"
#include "support/check_main.h"

#define P12 "5e5e5e5e5e5e5e5e5e5e5e5e"
#define ID "01234567-89ab-cdef-0123-456789abcdef"
#define ARN "arn:aws:kms:us-east-1:111122223333:key/" ID
#define BIT(f) (1u << (f))
#define SPKI "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAhfmF/C2RDkoJ4+Wme1p4jpPLBUr323bbN9m5bgChNTtGUp968uXdxLT3KNaqHZaVvRfx1hZllL" "yiXxl4wZXlA=="

static char metadata[2048], public_key[1024], page[2][2048], policy[2][4096];
static struct key_evidence e;
static struct key_report last;
static uint8_t spki[KEY_P256_SPKI];
static bool has_key;

static const char good_metadata[] =
    "{\"KeyMetadata\":{\"AWSAccountId\":\"111122223333\",\"KeyId\":\"" ID "\",\"Arn\":\"" ARN "\",\"CreationDate\":1.5e9,\"Enabled\":true,"
    "\"KeyUsage\":\"KEY_AGREEMENT\",\"KeyState\":\"Enabled\",\"Origin\":\"AWS_KMS\",\"KeyManager\":\"CUSTOMER\",\"KeySpec\":\"ECC_NIST_P256\",\"MultiRegion\":false}}";
static const char good_public_key[] = "{\"KeyId\":\"" ARN "\",\"PublicKey\":\"" SPKI "\",\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"KEY_AGREEMENT\"}";
static const char no_grants[] = "{\"Grants\":[],\"Truncated\":false}";
static const char good_policy[] =
    "{\"PolicyName\":\"default\",\"Policy\":\"{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":{\\\"Effect\\\":\\\"Allow\\\",\\\"Principal\\\":\\\"*\\\","
    "\\\"Action\\\":\\\"kms:DeriveSharedSecret\\\",\\\"Resource\\\":\\\"*\\\",\\\"Condition\\\":{\\\"StringEquals\\\":{\\\"kms:RecipientAttestation:PCR0\\\":\\\""
    P12 P12 P12 P12 "\\\"}}}}\"}";

static void set(struct key_document *d, char *room, size_t cap, const char *text)
{
    ck_assert_uint_lt((size_t)snprintf(room, cap, "%s", text), cap);
    *d = (struct key_document){ .status = 200, .request_id = "r-1", .body = { room, strlen(room) } };
}
#define SET(document, room, text) set(&(document), (room), sizeof(room), (text))

static void reset(void)
{
    memset(&e, 0, sizeof e);
    snprintf(e.arn, sizeof e.arn, "%s", ARN);
    e.checked_at = 1790000000;
    e.builds.count = 1;
    memset(e.builds.pcr0[0], 0x5e, KEY_PCR);
    SET(e.describe, metadata, good_metadata);
    SET(e.public_key, public_key, good_public_key);
    SET(e.grants[0], page[0], no_grants);
    SET(e.policy[0], policy[0], good_policy);
    e.grant_count = e.policy_count = 1;
}

static uint32_t judge(void)
{
    key_evidence_judge(&last, spki, &has_key, &e);
    return last.set;
}

/* Replace the first `from` in a text; both of any length. */
static void edit(struct key_document *d, char *room, size_t cap, const char *from, const char *to)
{
    char copy[4096];
    char *at = strstr(room, from);
    ck_assert_msg(at != NULL, "%s is not there", from);
    snprintf(copy, sizeof copy, "%.*s%s%s", (int)(at - room), room, to, at + strlen(from));
    set(d, room, cap, copy);
}

START_TEST(a_good_key_has_no_findings)
{
    reset();
    ck_assert_uint_eq(judge(), 0);
    ck_assert_uint_eq(last.count, 0);
    ck_assert(has_key && spki[26] == 4 && spki[27] == 0x02 && spki[90] == 0x94);
}
END_TEST

static const struct change { const char *from, *to; enum key_finding want; } metadata_rules[] = {
    { "\"Arn\":\"arn:aws:kms:us-east-1:1", "\"Arn\":\"arn:aws:kms:us-east-1:9", KEY_MISMATCH },
    { "\"Arn\":\"arn:aws:kms:us-east-1", "\"Arn\":\"arn:aws:kms:us-east-2", KEY_MISMATCH },
    { "\"AWSAccountId\":\"1", "\"AWSAccountId\":\"2", KEY_MISMATCH },
    { "\"KeyId\":\"0", "\"KeyId\":\"1", KEY_MISMATCH },
    { "CUSTOMER", "AWS", KEY_MANAGER },
    { ",\"KeyManager\":\"CUSTOMER\"", "", KEY_MANAGER },
    { "AWS_KMS", "EXTERNAL", KEY_ORIGIN },
    { "AWS_KMS", "AWS_CLOUDHSM", KEY_ORIGIN },
    { "AWS_KMS", "EXTERNAL_KEY_STORE", KEY_ORIGIN },
    { "\"Origin\":\"AWS_KMS\",", "", KEY_ORIGIN },
    { "\"Enabled\":true", "\"Enabled\":true,\"CustomKeyStoreId\":\"cks-1\"", KEY_STORE },
    { "\"Enabled\":true", "\"Enabled\":true,\"CloudHsmClusterId\":\"c\"", KEY_STORE },
    { "\"Enabled\":true", "\"Enabled\":true,\"XksKeyConfiguration\":{\"Id\":\"x\"}", KEY_STORE },
    { "\"MultiRegion\":false", "\"MultiRegion\":true", KEY_MULTI_REGION },
    { "\"MultiRegion\":false", "\"MultiRegion\":\"false\"", KEY_MULTI_REGION },
    { ",\"MultiRegion\":false", "", KEY_MULTI_REGION },
    { "\"MultiRegion\":false", "\"MultiRegion\":false,\"MultiRegionConfiguration\":{}", KEY_MULTI_REGION },
    { "KEY_AGREEMENT", "SIGN_VERIFY", KEY_USAGE },
    { "ECC_NIST_P256", "ECC_NIST_P384", KEY_SPEC },
    { "ECC_NIST_P256", "ECC_SECG_P256K1", KEY_SPEC },
    { "\"KeyState\":\"Enabled\"", "\"KeyState\":\"PendingDeletion\"", KEY_STATE },
    { "\"KeyState\":\"Enabled\"", "\"KeyState\":\"Disabled\"", KEY_STATE },
    { "\"Enabled\":true", "\"Enabled\":false", KEY_STATE },
    { "\"KeyMetadata\":{", "\"KeyMetadata\":{\"Arn\":\"x\",", KEY_METADATA_UNREADABLE },      /* a member twice */
    { "\"KeyMetadata\"", "\"Metadata\"", KEY_METADATA_UNREADABLE },
    { "{\"KeyMetadata\":", "{\"KeyMetadata\":[],\"x\":", KEY_METADATA_UNREADABLE },
};

START_TEST(a_metadata_rule)
{
    const struct change *c = &metadata_rules[_i];
    reset();
    edit(&e.describe, metadata, sizeof metadata, c->from, c->to);
    ck_assert_msg(judge() == BIT(c->want), "%s -> %s: %08x", c->from, c->to, last.set);
}
END_TEST

static const struct change key_rules[] = {
    { "\"KeyId\":\"arn", "\"KeyId\":\"Arn", KEY_MISMATCH },
    { "MFkw", "MFkx", KEY_PUBLIC_KEY },
    { "DQgAE", "DQgAC", KEY_PUBLIC_KEY },              /* a compressed point's mark */
    { "XlA==", "XlA=", KEY_PUBLIC_KEY },
    { "XlA==", "XlAA", KEY_PUBLIC_KEY },               /* a byte longer */
    { "\"PublicKey\"", "\"Public\"", KEY_PUBLIC_KEY },
    { "ECC_NIST_P256", "ECC_NIST_P521", KEY_SPEC },
    { "KEY_AGREEMENT", "SIGN_VERIFY", KEY_USAGE },
    { "{\"KeyId\"", "[{\"KeyId\"", KEY_PUBLIC_KEY },
};

START_TEST(a_public_key_rule)
{
    const struct change *c = &key_rules[_i];
    static const uint8_t zero[KEY_P256_SPKI];
    reset();
    edit(&e.public_key, public_key, sizeof public_key, c->from, c->to);
    ck_assert_msg(judge() == BIT(c->want), "%s -> %s: %08x", c->from, c->to, last.set);
    ck_assert(has_key == (c->want == KEY_SPEC || c->want == KEY_USAGE));
    ck_assert(has_key || memcmp(spki, zero, sizeof zero) == 0);
}
END_TEST

START_TEST(a_multi_region_key_is_known_by_its_name)
{
    reset();
    snprintf(e.arn, sizeof e.arn, "arn:aws:kms:us-east-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef");
    ck_assert(judge() & BIT(KEY_MULTI_REGION));
    reset();
    snprintf(e.arn, sizeof e.arn, "arn:aws:kms:us-east-1:111122223333:alias/x");
    ck_assert(judge() & BIT(KEY_MISMATCH));
}
END_TEST

START_TEST(what_kms_refuses_to_tell_is_a_finding)
{
    const struct { struct key_document *d; enum key_finding want; } all[] = {
        { &e.describe, KEY_METADATA_UNREADABLE }, { &e.public_key, KEY_PUBLIC_KEY },
        { &e.grants[0], KEY_GRANTS_UNREADABLE }, { &e.policy[0], KEY_POLICY_UNREADABLE },
    };
    for (size_t i = 0; i < 4; i++) {
        reset();
        *all[i].d = (struct key_document){ .status = 400, .error = "AccessDeniedException" };
        ck_assert_uint_eq(judge(), BIT(all[i].want));
        ck_assert_ptr_nonnull(strstr(last.found[0].where, "AccessDeniedException"));
        *all[i].d = (struct key_document){ .status = 0 };
        ck_assert_uint_eq(judge(), BIT(all[i].want));
        *all[i].d = (struct key_document){ .status = 200, .body = { "<html>", 6 } };
        ck_assert_uint_eq(judge(), BIT(all[i].want));
    }
}
END_TEST

START_TEST(grants_are_read_to_the_last_page)
{
    static const char more[] = "{\"Grants\":[],\"NextMarker\":\"m\",\"Truncated\":true}";
    static const char one[] = "{\"Grants\":[{\"GranteePrincipal\":\"arn:aws:iam::111122223333:role/x\",\"Operations\":[\"DeriveSharedSecret\"]}],\"Truncated\":false}";
    reset();
    SET(e.grants[0], page[0], one);
    ck_assert_uint_eq(judge(), BIT(KEY_GRANTS_EXIST));
    SET(e.grants[0], page[0], more);                     /* the first page is empty, and not the last */
    ck_assert_uint_eq(judge(), BIT(KEY_GRANTS_UNREADABLE));
    SET(e.grants[1], page[1], one);
    e.grant_count = 2;
    ck_assert_uint_eq(judge(), BIT(KEY_GRANTS_EXIST));
    SET(e.grants[1], page[1], no_grants);
    ck_assert_uint_eq(judge(), 0);
    e.grants[1].status = 400;
    ck_assert_uint_eq(judge(), BIT(KEY_GRANTS_UNREADABLE));
    SET(e.grants[0], page[0], no_grants);
    SET(e.grants[1], page[1], no_grants);                /* and nothing comes after the last */
    ck_assert_uint_eq(judge(), BIT(KEY_GRANTS_UNREADABLE));
    e.grant_count = 0;
    ck_assert_uint_eq(judge(), BIT(KEY_GRANTS_UNREADABLE));
    e.grant_count = 1;
    static const char *const odd[] = {
        "{\"Truncated\":false}", "{\"Grants\":{},\"Truncated\":false}", "{\"Grants\":[],\"Truncated\":1}", "{\"Grants\":[],\"NextMarker\":\"m\"}",
        "{\"Grants\":[],\"Truncated\":false,\"NextToken\":\"t\"}", "[]",
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        SET(e.grants[0], page[0], odd[i]);
        ck_assert_msg(judge() == BIT(KEY_GRANTS_UNREADABLE), "%s: %08x", odd[i], last.set);
    }
}
END_TEST

START_TEST(the_policy_is_read_twice)
{
    reset();
    SET(e.policy[1], policy[1], good_policy);
    e.policy_count = 2;
    ck_assert_uint_eq(judge(), BIT(KEY_POLICY_CHANGED));
    edit(&e.policy[1], policy[1], sizeof policy[1], "kms:DeriveSharedSecret", "kms:*");
    ck_assert_uint_eq(judge(), BIT(KEY_POLICY_CHANGED) | BIT(KEY_ACTION_WILDCARD) | BIT(KEY_DERIVE_NOT_ALLOWED));
    e.policy_count = 0;
    ck_assert_uint_eq(judge(), BIT(KEY_POLICY_UNREADABLE));
    reset();
    edit(&e.policy[0], policy[0], sizeof policy[0], "\"default\"", "\"other\"");
    ck_assert_uint_eq(judge(), BIT(KEY_POLICY_UNREADABLE));
    SET(e.policy[0], policy[0], "{\"Policy\":{}}");
    ck_assert_uint_eq(judge(), BIT(KEY_POLICY_UNREADABLE));
}
END_TEST

static void free_text(char **p) { free(*p); }
#define OWNED __attribute__((cleanup(free_text))) char *

START_TEST(written_and_read_back_it_is_judged_the_same)
{
    OWNED text = NULL;
    size_t n = 0;
    reset();
    SET(e.policy[1], policy[1], good_policy);
    edit(&e.policy[1], policy[1], sizeof policy[1], "kms:DeriveSharedSecret", "kms:Sign");
    e.policy_count = 2;
    e.public_key = (struct key_document){ .status = 400, .error = "AccessDeniedException", .request_id = "q", .body = { "secret caller", 13 } };
    uint32_t want = judge();
    ASSERT_OK(key_evidence_write(&text, &n, &e, &last));
    ck_assert_uint_eq(n, strlen(text));
    ck_assert_ptr_null(strstr(text, "secret caller"));
    ck_assert_ptr_nonnull(strstr(text, "{\"id\":\"action-manages\",\"severity\":\"breaks-custody\",\"where\":\"Statement: kms:Sign\","));
    for (size_t i = 0; i < n; i++) ck_assert(text[i] >= 0x20 && text[i] < 0x7f);
    KEY_FILE f = { 0 };
    struct key_report again;
    ASSERT_OK(key_file_read(&f, text, n));
    ck_assert_str_eq(f.evidence.arn, ARN);
    ck_assert_int_eq(f.evidence.checked_at, 1790000000);
    ck_assert_uint_eq(f.evidence.builds.count, 1);
    ck_assert_ptr_null(f.signed_text);
    key_evidence_judge(&again, spki, &has_key, &f.evidence);
    ck_assert_uint_eq(again.set, want);
    ck_assert_uint_eq(again.count, last.count);
    ck_assert_mem_eq(again.found, last.found, sizeof again.found);
    ck_assert_uint_eq(want, BIT(KEY_PUBLIC_KEY) | BIT(KEY_POLICY_CHANGED) | BIT(KEY_ACTION_MANAGES) | BIT(KEY_DERIVE_NOT_ALLOWED));
}
END_TEST

START_TEST(an_answer_that_is_not_utf8_is_left_out)
{
    OWNED text = NULL;
    size_t n = 0;
    KEY_FILE f = { 0 };
    reset();
    e.describe.body = (struct bytes){ "{\"\xff\":1}", 7 };
    uint32_t want = judge();
    ck_assert_uint_eq(want, BIT(KEY_METADATA_UNREADABLE));
    ASSERT_OK(key_evidence_write(&text, &n, &e, &last));
    ASSERT_OK(key_file_read(&f, text, n));
    key_evidence_judge(&last, spki, &has_key, &f.evidence);
    ck_assert_uint_eq(last.set, want);
}
END_TEST

/* The AWS CLI prints the answers themselves, with dates as text and lists joined. */
START_TEST(the_command_lines_own_answers_are_read_too)
{
    char text[16384];
    KEY_FILE f = { 0 };
    reset();
    int n = snprintf(text, sizeof text, "{\"key\":\"" ARN "\",\"documents\":{\"describe_key\":%s,\"get_public_key\":%s,\"list_grants\":{\"Grants\":[]},\"get_key_policy\":%s}}",
                     good_metadata, good_public_key, good_policy);
    ASSERT_OK(key_file_read(&f, text, (size_t)n));
    f.evidence.builds = e.builds;
    key_evidence_judge(&last, spki, &has_key, &f.evidence);
    ck_assert_uint_eq(last.set, 0);
    ck_assert(has_key);
}
END_TEST

START_TEST(the_signed_form_keeps_its_bytes)
{
    static const char inner[] = "{\\\"key\\\":\\\"" ARN "\\\",\\\"documents\\\":{\\\"describe_key\\\":{},\\\"get_public_key\\\":{},\\\"list_grants\\\":{},\\\"get_key_policy\\\":{}}}";
    char text[2048];
    KEY_FILE f = { 0 };
    int n = snprintf(text, sizeof text, "{\"document\":\"aGk=\",\"evidence\":\"%s\"}", inner);
    ASSERT_OK(key_file_read(&f, text, (size_t)n));
    ck_assert_str_eq(f.document, "aGk=");
    ck_assert_uint_eq(strlen(f.signed_text) + 14, strlen(inner));
    key_evidence_judge(&last, spki, &has_key, &f.evidence);
    ck_assert_uint_eq(last.set, BIT(KEY_METADATA_UNREADABLE) | BIT(KEY_MISMATCH) | BIT(KEY_GRANTS_UNREADABLE) | BIT(KEY_POLICY_UNREADABLE));
    n = snprintf(text, sizeof text, "{\"evidence\":\"%s\"}", inner);
    KEY_FILE g = { 0 };
    ASSERT_CODE(key_file_read(&g, text, (size_t)n), E_FORMAT);
}
END_TEST

START_TEST(other_files_are_refused)
{
#define REST "\"describe_key\":{},\"get_public_key\":{},\"list_grants\":{}"
    static const char *const all[] = {
        "", "[]", "{}", "{\"key\":1}", "{\"key\":\"" ARN "\"}", "{\"key\":\"" ARN "\",\"documents\":[]}",
        "{\"key\":\"" ARN "\",\"documents\":{" REST "}}",
        "{\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":[]}}",
        "{\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":[{},{},{}]}}",
        "{\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":{\"status\":200}}}",
        "{\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":{\"status\":\"200\",\"body\":\"\"}}}",
        "{\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":{\"status\":200,\"body\":\"\",\"error\":1}}}",
        "{\"type\":\"other\",\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":{}}}",
        "{\"version\":2,\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":{}}}",
        "{\"measurements\":[\"5e\"],\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":{}}}",
        "{\"measurements\":[1],\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":{}}}",
        "{\"measurements\":{},\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":{}}}",
        "{\"key\":\"" ARN "\",\"key\":\"" ARN "\",\"documents\":{" REST ",\"get_key_policy\":{}}}",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        KEY_FILE f = { 0 };
        ASSERT_CODE(key_file_read(&f, all[i], strlen(all[i])), E_FORMAT);
    }
}
END_TEST

static Suite *key_evidence_suite(void)
{
    Suite *suite = CHECK_SUITE("keystore_key_evidence", a_good_key_has_no_findings, a_multi_region_key_is_known_by_its_name,
        what_kms_refuses_to_tell_is_a_finding, grants_are_read_to_the_last_page, the_policy_is_read_twice,
        written_and_read_back_it_is_judged_the_same, an_answer_that_is_not_utf8_is_left_out, the_command_lines_own_answers_are_read_too,
        the_signed_form_keeps_its_bytes, other_files_are_refused);
    TCase *t = tcase_create("rules");
    tcase_add_loop_test(t, a_metadata_rule, 0, sizeof metadata_rules / sizeof *metadata_rules);
    tcase_add_loop_test(t, a_public_key_rule, 0, sizeof key_rules / sizeof *key_rules);
    suite_add_tcase(suite, t);
    return suite;
}

CHECK_MAIN(key_evidence_suite)
