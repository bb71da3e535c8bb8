/* Each rule about a key policy, broken alone; and policies that break none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "keystore/key_policy.h"
#include "support/check_main.h"

#define P12 "5e5e5e5e5e5e5e5e5e5e5e5e"
#define PCR0 P12 P12 P12 P12
#define OTHER "7a" "5e5e5e5e5e5e5e5e5e5e5e" P12 P12 P12
#define Z12 "000000000000000000000000"
#define ARN "arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"
#define BIT(f) (1u << (f))

static struct key_report last;

static uint32_t judge_for(const char *text, size_t builds)
{
    struct key_builds b = { .count = builds };
    memset(b.pcr0, 0x5e, sizeof b.pcr0);
    memset(&last, 0, sizeof last);
    key_policy_judge(&last, text, strlen(text), ARN, &b);
    return last.set;
}

static uint32_t judge(const char *text) { return judge_for(text, 1); }

/* `%` in a row stands for what a whole policy has around it. */
#define VERSION "\"Version\":\"2012-10-17\""
#define READ "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":[\"kms:DescribeKey\",\"kms:GetPublicKey\"],\"Resource\":\"*\"}"
#define CONDITION(op, key, value) "\"Condition\":{\"" op "\":{\"" key "\":" value "}}"
#define RIGHT CONDITION("StringEqualsIgnoreCase", "kms:RecipientAttestation:PCR0", "\"" PCR0 "\"")
#define STATEMENT(effect, principal, action, resource, rest) \
    "{\"Effect\":\"" effect "\",\"Principal\":" principal ",\"Action\":" action ",\"Resource\":" resource rest "}"
#define DERIVE(condition) STATEMENT("Allow", "{\"AWS\":\"*\"}", "\"kms:DeriveSharedSecret\"", "\"*\"", "," condition)
#define GOOD DERIVE(RIGHT)
#define POLICY(statements) "{" VERSION ",\"Statement\":[" statements "]}"
/* A right policy, and one statement more that allows `action` to anyone. */
#define ALLOWS(action) POLICY(GOOD "," STATEMENT("Allow", "\"*\"", action, "\"*\"", ""))

static const struct row { const char *what, *policy; uint32_t want; } rows[] = {
    /* nothing to find */
    { "the recommended policy", POLICY(GOOD "," READ), 0 },
    { "one statement, not in an array", "{" VERSION ",\"Statement\":" GOOD "}", 0 },
    { "an Id and a Sid", "{" VERSION ",\"Id\":\"x\",\"Statement\":[{\"Sid\":\"one\"," "\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:DeriveSharedSecret\",\"Resource\":\"*\"," RIGHT "}]}", 0 },
    { "ImageSha384", POLICY(DERIVE(CONDITION("StringEquals", "kms:RecipientAttestation:ImageSha384", "\"" PCR0 "\""))), 0 },
    { "values in an array", POLICY(DERIVE(CONDITION("StringEquals", "kms:RecipientAttestation:PCR0", "[\"" PCR0 "\"]"))), 0 },
    { "a key's name in another case", POLICY(DERIVE(CONDITION("StringEquals", "KMS:recipientattestation:pcr0", "\"" PCR0 "\""))), 0 },
    { "more measurements narrow it", POLICY(DERIVE("\"Condition\":{\"StringEquals\":{\"kms:RecipientAttestation:PCR0\":\"" PCR0 "\",\"kms:RecipientAttestation:PCR8\":\"" OTHER "\"}}")), 0 },
    { "action names in another case", POLICY(STATEMENT("Allow", "{\"AWS\":\"111122223333\"}", "[\"KMS:derivesharedsecret\",\"kms:DECRYPT\"]", "\"" ARN "\"", "," RIGHT)), 0 },
    { "all that may be attested", POLICY(STATEMENT("Allow", "\"*\"", "[\"kms:DeriveSharedSecret\",\"kms:Decrypt\",\"kms:GenerateDataKey\",\"kms:GenerateDataKeyPair\"]", "[\"*\"]", "," RIGHT)), 0 },
    { "all that only reads", ALLOWS("[\"kms:DescribeKey\",\"kms:GetPublicKey\",\"kms:GetKeyPolicy\",\"kms:ListGrants\",\"kms:ListResourceTags\",\"kms:Encrypt\",\"kms:Verify\"]"), 0 },
    { "the account's root", POLICY(STATEMENT("Allow", "{\"AWS\":[\"arn:aws:iam::111122223333:root\",\"arn:aws-us-gov:iam::111122223333:root\"]}", "\"kms:DeriveSharedSecret\"", "\"*\"", "," RIGHT)), 0 },
    { "a Deny of anything", POLICY(GOOD "," STATEMENT("Deny", "\"*\"", "\"kms:*\"", "\"x\"", ",\"Condition\":{\"Null\":{\"a\":\"b\"}}")), 0 },

    /* form */
    { "not JSON", "{", BIT(KEY_POLICY_FORM) },
    { "empty", "", BIT(KEY_POLICY_FORM) },
    { "not an object", "[]", BIT(KEY_POLICY_FORM) },
    { "bytes after it", POLICY(GOOD) "x", BIT(KEY_POLICY_FORM) },
    { "a member twice", "{" VERSION "," VERSION ",\"Statement\":[" GOOD "]}", BIT(KEY_POLICY_FORM) },
    { "a statement's member twice", POLICY("{\"Effect\":\"Deny\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:DeriveSharedSecret\",\"Resource\":\"*\"," RIGHT "}"), BIT(KEY_POLICY_FORM) },
    { "the same, the name escaped", POLICY("{\"Effect\":\"Deny\",\"\\u0045ffect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:DeriveSharedSecret\",\"Resource\":\"*\"," RIGHT "}"), BIT(KEY_POLICY_FORM) },
    { "no statements", POLICY(""), BIT(KEY_POLICY_FORM) | BIT(KEY_DERIVE_NOT_ALLOWED) },
    { "Statement is a text", "{" VERSION ",\"Statement\":\"x\"}", BIT(KEY_POLICY_FORM) | BIT(KEY_DERIVE_NOT_ALLOWED) },
    { "a statement is a text", POLICY(GOOD ",\"x\""), BIT(KEY_POLICY_FORM) },
    { "Effect is another word", POLICY(GOOD "," STATEMENT("allow", "\"*\"", "\"kms:DescribeKey\"", "\"*\"", "")), BIT(KEY_POLICY_FORM) },
    { "Effect is missing", POLICY(GOOD ",{\"Principal\":\"*\",\"Action\":\"kms:DescribeKey\",\"Resource\":\"*\"}"), BIT(KEY_POLICY_FORM) },
    { "Sid is a number", POLICY(GOOD "," STATEMENT("Allow", "\"*\"", "\"kms:DescribeKey\"", "\"*\"", ",\"Sid\":1")), BIT(KEY_POLICY_FORM) },
    { "Id is a number", "{" VERSION ",\"Id\":1,\"Statement\":" GOOD "}", BIT(KEY_POLICY_FORM) },
    { "Action is missing", POLICY(GOOD ",{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Resource\":\"*\"}"), BIT(KEY_POLICY_FORM) },
    { "Action is an empty array", ALLOWS("[]"), BIT(KEY_POLICY_FORM) },
    { "Action holds a number", ALLOWS("[\"kms:DescribeKey\",1]"), BIT(KEY_POLICY_FORM) },
    { "Resource is missing", POLICY(GOOD ",{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:DescribeKey\"}"), BIT(KEY_POLICY_FORM) },
    { "Condition is a text", POLICY(GOOD "," STATEMENT("Allow", "\"*\"", "\"kms:DescribeKey\"", "\"*\"", ",\"Condition\":\"x\"")), BIT(KEY_POLICY_FORM) },
    { "a condition without keys", POLICY(GOOD "," STATEMENT("Allow", "\"*\"", "\"kms:DescribeKey\"", "\"*\"", ",\"Condition\":{\"StringEquals\":{}}")), BIT(KEY_POLICY_FORM) },
    { "a condition's value is a number", POLICY(GOOD "," STATEMENT("Allow", "\"*\"", "\"kms:DescribeKey\"", "\"*\"", "," CONDITION("StringEquals", "kms:RecipientAttestation:PCR1", "1"))), BIT(KEY_POLICY_FORM) },
    { "a Deny of the wrong form", POLICY(GOOD ",{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":1,\"Resource\":\"*\"}"), BIT(KEY_POLICY_FORM) },

    /* version, members, negations */
    { "the old version", "{\"Version\":\"2008-10-17\",\"Statement\":" GOOD "}", BIT(KEY_POLICY_VERSION) },
    { "no version", "{\"Statement\":" GOOD "}", BIT(KEY_POLICY_VERSION) },
    { "an unknown member of the policy", "{" VERSION ",\"Extra\":1,\"Statement\":" GOOD "}", BIT(KEY_POLICY_MEMBER) },
    { "an unknown member of a statement", POLICY(GOOD "," STATEMENT("Allow", "\"*\"", "\"kms:DescribeKey\"", "\"*\"", ",\"Extra\":1")), BIT(KEY_POLICY_MEMBER) },
    { "a member in another case", POLICY(GOOD ",{\"effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:DescribeKey\",\"Resource\":\"*\"}"), BIT(KEY_POLICY_MEMBER) },
    { "NotAction", POLICY(GOOD ",{\"Effect\":\"Allow\",\"Principal\":\"*\",\"NotAction\":\"kms:Decrypt\",\"Resource\":\"*\"}"), BIT(KEY_POLICY_NEGATION) },
    { "NotPrincipal", POLICY(GOOD ",{\"Effect\":\"Allow\",\"NotPrincipal\":\"*\",\"Action\":\"kms:DescribeKey\",\"Resource\":\"*\"}"), BIT(KEY_POLICY_NEGATION) },
    { "NotResource", POLICY(GOOD ",{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:DescribeKey\",\"NotResource\":\"*\"}"), BIT(KEY_POLICY_NEGATION) },
    { "NotPrincipal in a Deny", POLICY(GOOD ",{\"Effect\":\"Deny\",\"NotPrincipal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\"}"), BIT(KEY_POLICY_NEGATION) },

    /* principals, resources */
    { "no principal", POLICY(GOOD ",{\"Effect\":\"Allow\",\"Action\":\"kms:DescribeKey\",\"Resource\":\"*\"}"), BIT(KEY_POLICY_PRINCIPAL) },
    { "another text than *", POLICY(GOOD "," STATEMENT("Allow", "\"111122223333\"", "\"kms:DescribeKey\"", "\"*\"", "")), BIT(KEY_POLICY_PRINCIPAL) },
    { "a service", POLICY(GOOD "," STATEMENT("Allow", "{\"Service\":\"ec2.amazonaws.com\"}", "\"kms:DescribeKey\"", "\"*\"", "")), BIT(KEY_POLICY_PRINCIPAL) },
    { "a federated identity", POLICY(GOOD "," STATEMENT("Allow", "{\"Federated\":\"x\"}", "\"kms:DescribeKey\"", "\"*\"", "")), BIT(KEY_POLICY_PRINCIPAL) },
    { "an account and a service", POLICY(GOOD "," STATEMENT("Allow", "{\"AWS\":\"*\",\"Service\":\"x\"}", "\"kms:DescribeKey\"", "\"*\"", "")), BIT(KEY_POLICY_PRINCIPAL) },
    { "an empty principal", POLICY(GOOD "," STATEMENT("Allow", "{}", "\"kms:DescribeKey\"", "\"*\"", "")), BIT(KEY_POLICY_PRINCIPAL) },
    { "an empty list of principals", POLICY(GOOD "," STATEMENT("Allow", "{\"AWS\":[]}", "\"kms:DescribeKey\"", "\"*\"", "")), BIT(KEY_POLICY_PRINCIPAL) },
    { "a named role", POLICY(STATEMENT("Allow", "{\"AWS\":\"arn:aws:iam::111122223333:role/x\"}", "\"kms:DeriveSharedSecret\"", "\"*\"", "," RIGHT)), BIT(KEY_PRINCIPAL_NAMED) },
    { "a role whose name ends as root's", POLICY(STATEMENT("Allow", "{\"AWS\":\"arn:aws:iam::111122223333:role/x:root\"}", "\"kms:DeriveSharedSecret\"", "\"*\"", "," RIGHT)), BIT(KEY_PRINCIPAL_NAMED) },
    { "the id of a role that is gone", POLICY(STATEMENT("Allow", "{\"AWS\":\"AROAEXAMPLE\"}", "\"kms:DeriveSharedSecret\"", "\"*\"", "," RIGHT)), BIT(KEY_PRINCIPAL_NAMED) },
    { "another resource", POLICY(GOOD "," STATEMENT("Allow", "\"*\"", "\"kms:DescribeKey\"", "\"" ARN "0\"", "")), BIT(KEY_POLICY_RESOURCE) },

    /* actions */
    { "kms:*", ALLOWS("\"kms:*\""), BIT(KEY_ACTION_WILDCARD) },
    { "*", ALLOWS("\"*\""), BIT(KEY_ACTION_WILDCARD) },
    { "kms:Put*, in an array", ALLOWS("[\"kms:DescribeKey\",\"kms:Put*\"]"), BIT(KEY_ACTION_WILDCARD) },
    { "a question mark", ALLOWS("\"kms:PutKeyPolic?\""), BIT(KEY_ACTION_WILDCARD) },
    { "a wildcard under the condition", POLICY(GOOD "," STATEMENT("Allow", "\"*\"", "\"kms:Derive*\"", "\"*\"", "," RIGHT)), BIT(KEY_ACTION_WILDCARD) },
    { "PutKeyPolicy under the condition, which is never there for it", POLICY(GOOD "," STATEMENT("Allow", "\"*\"", "\"kms:PutKeyPolicy\"", "\"*\"", "," RIGHT)), BIT(KEY_ACTION_MANAGES) },
    { "an action of no service", ALLOWS("\"DescribeKey\""), BIT(KEY_ACTION_UNKNOWN) },
    { "an action of another service", ALLOWS("\"s3:GetObject\""), BIT(KEY_ACTION_UNKNOWN) },
    { "an action that is not known", ALLOWS("\"kms:GenerateDataKeyWithoutPlaintext\""), BIT(KEY_ACTION_UNKNOWN) },
    { "an action with a space behind it", ALLOWS("\"kms:DescribeKey \""), BIT(KEY_ACTION_UNKNOWN) },
    { "derive without a condition", ALLOWS("\"kms:DeriveSharedSecret\""), BIT(KEY_ACTION_UNATTESTED) },
    { "decrypt without a condition", ALLOWS("\"kms:Decrypt\""), BIT(KEY_ACTION_UNATTESTED) },
    { "derive under an empty condition", POLICY(STATEMENT("Allow", "\"*\"", "\"kms:DeriveSharedSecret\"", "\"*\"", ",\"Condition\":{}")), BIT(KEY_ACTION_UNATTESTED) },
    { "derive under PCR3 alone, which debug enclaves have", POLICY(DERIVE(CONDITION("StringEquals", "kms:RecipientAttestation:PCR3", "\"" PCR0 "\""))), BIT(KEY_ACTION_UNATTESTED) },

    /* conditions */
    { "another key", POLICY(DERIVE("\"Condition\":{\"StringEquals\":{\"kms:RecipientAttestation:PCR0\":\"" PCR0 "\",\"aws:PrincipalOrgID\":\"o\"}}")), BIT(KEY_CONDITION_KEY) },
    { "a TPM's measurement", POLICY(DERIVE(CONDITION("StringEquals", "kms:RecipientAttestation:NitroTPMPCR0", "\"" PCR0 "\""))), BIT(KEY_CONDITION_KEY) | BIT(KEY_ACTION_UNATTESTED) },
    { "PCR10, which no enclave has", POLICY(DERIVE("\"Condition\":{\"StringEquals\":{\"kms:RecipientAttestation:PCR0\":\"" PCR0 "\",\"kms:RecipientAttestation:PCR10\":\"" PCR0 "\"}}")), BIT(KEY_CONDITION_KEY) },
    { "not hex", POLICY(GOOD "," DERIVE(CONDITION("StringEquals", "kms:RecipientAttestation:PCR0", "\"${aws:userid}\""))), BIT(KEY_MEASUREMENT_FORM) },
    { "a digit short", POLICY(GOOD "," DERIVE(CONDITION("StringEquals", "kms:RecipientAttestation:PCR0", "\"" P12 P12 P12 "5e5e5e5e5e5e5e5e5e5e5e5\""))), BIT(KEY_MEASUREMENT_FORM) },
    { "another measurement that is not hex", POLICY(DERIVE("\"Condition\":{\"StringEquals\":{\"kms:RecipientAttestation:PCR0\":\"" PCR0 "\",\"kms:RecipientAttestation:PCR8\":\"*\"}}")), BIT(KEY_MEASUREMENT_FORM) },
    { "zeros", POLICY(GOOD "," DERIVE(CONDITION("StringEquals", "kms:RecipientAttestation:PCR0", "\"" Z12 Z12 Z12 Z12 "\""))), BIT(KEY_MEASUREMENT_DEBUG) },
    { "zeros among others", POLICY(DERIVE(CONDITION("StringEquals", "kms:RecipientAttestation:ImageSha384", "[\"" PCR0 "\",\"" Z12 Z12 Z12 Z12 "\"]"))), BIT(KEY_MEASUREMENT_DEBUG) },
    { "a strange build beside ours", POLICY(DERIVE(CONDITION("StringEquals", "kms:RecipientAttestation:PCR0", "[\"" PCR0 "\",\"" OTHER "\"]"))), BIT(KEY_MEASUREMENT_UNKNOWN) },
    { "a strange build alone", POLICY(DERIVE(CONDITION("StringEquals", "kms:RecipientAttestation:PCR0", "\"" OTHER "\""))), BIT(KEY_MEASUREMENT_UNKNOWN) | BIT(KEY_DERIVE_NOT_ALLOWED) },
    { "derive is allowed to nobody", POLICY(READ), BIT(KEY_DERIVE_NOT_ALLOWED) },
};

START_TEST(a_rule)
{
    const struct row *r = &rows[_i];
    uint32_t got = judge(r->policy);
    ck_assert_msg(got == r->want, "%s: found %08x, expected %08x (%s)", r->what, got, r->want, last.count ? last.found[0].where : "nothing");
    ck_assert_uint_eq(last.count == 0, got == 0);
}
END_TEST

/* Every action that is on no list of ours, and every one of the lists of what must be absent. */
START_TEST(what_must_be_absent_for_everyone)
{
    static const struct { const char *name; enum key_finding f; } all[] = {
        { "PutKeyPolicy", KEY_ACTION_MANAGES }, { "CreateGrant", KEY_ACTION_MANAGES }, { "ReplicateKey", KEY_ACTION_MANAGES },
        { "UpdatePrimaryRegion", KEY_ACTION_MANAGES }, { "ImportKeyMaterial", KEY_ACTION_MANAGES },
        { "DeleteImportedKeyMaterial", KEY_ACTION_MANAGES }, { "ReEncryptFrom", KEY_ACTION_MANAGES },
        { "ReEncryptTo", KEY_ACTION_MANAGES }, { "Sign", KEY_ACTION_MANAGES }, { "pUTkEYpOLICY", KEY_ACTION_MANAGES },
        { "ScheduleKeyDeletion", KEY_ACTION_AVAILABILITY }, { "DisableKey", KEY_ACTION_AVAILABILITY },
        { "EnableKey", KEY_ACTION_AVAILABILITY }, { "RetireGrant", KEY_ACTION_AVAILABILITY }, { "RevokeGrant", KEY_ACTION_AVAILABILITY },
        { "TagResource", KEY_ACTION_AVAILABILITY }, { "UpdateAlias", KEY_ACTION_AVAILABILITY },
        { "GenerateMac", KEY_ACTION_UNKNOWN }, { "CreateKey", KEY_ACTION_UNKNOWN }, { "ReEncrypt", KEY_ACTION_UNKNOWN },
        { "", KEY_ACTION_UNKNOWN },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char policy[2048];
        snprintf(policy, sizeof policy, POLICY(GOOD "," STATEMENT("Allow", "\"*\"", "[\"kms:DescribeKey\",\"kms:%s\"]", "\"*\"", "")), all[i].name);
        ck_assert_msg(judge(policy) == BIT(all[i].f), "%s: %08x", all[i].name, last.set);
        snprintf(policy, sizeof policy, POLICY(GOOD "," STATEMENT("Deny", "\"*\"", "\"kms:%s\"", "\"*\"", "")), all[i].name);
        ck_assert_uint_eq(judge(policy), 0);
    }
}
END_TEST

START_TEST(any_other_operator)
{
    static const char *const all[] = {
        "StringEqualsIfExists", "StringEqualsIgnoreCaseIfExists", "ForAllValues:StringEquals", "ForAnyValue:StringEquals", "StringLike",
        "StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike", "Null", "Bool", "ArnEquals", "stringequals", "BinaryEquals", "",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char policy[2048];
        snprintf(policy, sizeof policy, POLICY(DERIVE(CONDITION("%s", "kms:RecipientAttestation:PCR0", "\"" PCR0 "\""))), all[i]);
        ck_assert_msg(judge(policy) == (BIT(KEY_CONDITION_OPERATOR) | BIT(KEY_ACTION_UNATTESTED)), "%s: %08x", all[i], last.set);
        /* Beside a right condition it is joined by AND, and is told all the same. */
        snprintf(policy, sizeof policy, POLICY(DERIVE("\"Condition\":{\"StringEquals\":{\"kms:RecipientAttestation:PCR0\":\"" PCR0 "\"},\"%s\":{\"x\":\"y\"}}")), all[i]);
        ck_assert_msg(judge(policy) == BIT(KEY_CONDITION_OPERATOR), "%s: %08x", all[i], last.set);
    }
}
END_TEST

START_TEST(without_expected_builds_every_one_is_strange)
{
    ck_assert_uint_eq(judge_for(POLICY(GOOD), 0), BIT(KEY_MEASUREMENT_UNKNOWN) | BIT(KEY_DERIVE_NOT_ALLOWED));
    ck_assert_ptr_nonnull(strstr(last.found[0].where, "5e5e5e"));
}
END_TEST

START_TEST(a_place_is_printable_and_bounded)
{
    static char policy[64 << 10];
    size_t n = 0;
    ck_assert_uint_eq(judge(POLICY(GOOD "," STATEMENT("Allow", "\"*\"", "\"kms:\\u001b[2J\\u00e9\"", "\"*\"", ",\"Sid\":\"a\\nb\""))), BIT(KEY_ACTION_UNKNOWN));
    for (const char *p = last.found[0].where; *p; p++) ck_assert(*p >= 0x20 && *p < 0x7f);
    n += (size_t)snprintf(policy + n, sizeof policy - n, "{" VERSION ",\"Statement\":[" GOOD);
    for (int i = 0; i < 300; i++) n += (size_t)snprintf(policy + n, sizeof policy - n, "," STATEMENT("Allow", "\"*\"", "\"kms:Sign\"", "\"*\"", ""));
    snprintf(policy + n, sizeof policy - n, "," STATEMENT("Allow", "\"*\"", "\"kms:EnableKey\"", "\"*\"", "") "]}");
    /* The list is cut; the set never is. */
    ck_assert_uint_eq(judge(policy), BIT(KEY_ACTION_MANAGES) | BIT(KEY_ACTION_AVAILABILITY));
    ck_assert_uint_eq(last.count, KEY_FOUND_MAX);
}
END_TEST

START_TEST(the_policy_we_recommend_has_no_findings)
{
    static const char *const accounts[] = { "111122223333", "444455556666" };
    static const char want[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"DeriveInTheseBuildsOnly\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"111122223333\","
        "\"444455556666\"]},\"Action\":\"kms:DeriveSharedSecret\",\"Resource\":\"*\",\"Condition\":{\"StringEqualsIgnoreCase\":{\"kms:RecipientAttestation:PCR0\":[\"" PCR0 "\"]}}},"
        "{\"Sid\":\"ReadOnly\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"111122223333\",\"444455556666\"]},\"Action\":[\"kms:DescribeKey\",\"kms:GetPublicKey\","
        "\"kms:GetKeyPolicy\",\"kms:ListGrants\"],\"Resource\":\"*\"}]}";
    struct key_builds b = { .count = 1 };
    char text[4096];
    size_t n = 0;
    memset(b.pcr0[0], 0x5e, KEY_PCR);
    ASSERT_OK(key_policy_write(text, sizeof text, &n, &b, accounts, 2));
    ck_assert_str_eq(text, want);
    ck_assert_uint_eq(n, sizeof want - 1);
    ck_assert_uint_eq(judge(text), 0);
    ASSERT_OK(key_policy_write(text, sizeof text, &n, &b, NULL, 0));
    ck_assert_uint_eq(judge(text), 0);
    b.count = KEY_PCR0_MAX;
    for (size_t i = 0; i < KEY_PCR0_MAX; i++) memset(b.pcr0[i], (int)i + 1, KEY_PCR);
    ASSERT_OK(key_policy_write(text, sizeof text, &n, &b, NULL, 0));
    memset(&last, 0, sizeof last);
    key_policy_judge(&last, text, n, ARN, &b);
    ck_assert_uint_eq(last.set, 0);
    ASSERT_CODE(key_policy_write(text, 100, &n, &b, NULL, 0), E_LIMIT);
    memset(b.pcr0[3], 0, KEY_PCR);
    ASSERT_CODE(key_policy_write(text, sizeof text, &n, &b, NULL, 0), E_FORMAT);
    b.count = 0;
    ASSERT_CODE(key_policy_write(text, sizeof text, &n, &b, NULL, 0), E_FORMAT);
    b.count = 1;
    ASSERT_CODE(key_policy_write(text, sizeof text, &n, &b, (const char *const[]){ "1111" }, 1), E_FORMAT);
    ASSERT_CODE(key_policy_write(text, sizeof text, &n, &b, (const char *const[]){ "11112222333\"" }, 1), E_FORMAT);
}
END_TEST

START_TEST(names_of_findings_are_stable)
{
    /* A genesis document records bits, a client writes names: neither may ever move. */
    static const char *const names[KEY_FINDINGS] = {
        "metadata-unreadable", "key-mismatch", "key-manager", "key-origin", "key-store", "multi-region", "key-usage", "key-spec",
        "key-state", "public-key", "grants-unreadable", "grants-exist", "policy-unreadable", "policy-changed", "policy-form",
        "policy-version", "policy-member", "policy-negation", "policy-principal", "policy-resource", "principal-named",
        "action-wildcard", "action-manages", "action-unknown", "action-unattested", "action-availability", "condition-operator",
        "condition-key", "measurement-form", "measurement-debug", "measurement-unknown", "derive-not-allowed",
    };
    enum key_finding f;
    uint32_t mild = BIT(KEY_STATE) | BIT(KEY_PRINCIPAL_NAMED) | BIT(KEY_ACTION_AVAILABILITY) | BIT(KEY_DERIVE_NOT_ALLOWED);
    for (unsigned i = 0; i < KEY_FINDINGS; i++) {
        ck_assert_str_eq(key_finding_row((enum key_finding)i)->id, names[i]);
        ck_assert(key_finding_parse(&f, names[i], strlen(names[i])) && (unsigned)f == i);
        const char *words = key_finding_row((enum key_finding)i)->explanation;
        ck_assert(strlen(words) > 40 && !strpbrk(words, "\"\\") && words[strlen(words) - 1] == '.');
    }
    ck_assert(!key_finding_parse(&f, "key", 3) && !key_finding_parse(&f, "", 0));
    ck_assert_uint_eq(key_findings_breaking(UINT32_MAX), ~mild);
    ck_assert_uint_eq(key_findings_breaking(BIT(KEY_STATE) | BIT(KEY_ORIGIN)), BIT(KEY_ORIGIN));
}
END_TEST

static Suite *key_policy_suite(void)
{
    Suite *suite = CHECK_SUITE("keystore_key_policy", what_must_be_absent_for_everyone, any_other_operator, without_expected_builds_every_one_is_strange,
        a_place_is_printable_and_bounded, the_policy_we_recommend_has_no_findings, names_of_findings_are_stable);
    TCase *t = tcase_create("rules");
    tcase_add_loop_test(t, a_rule, 0, sizeof rows / sizeof *rows);
    suite_add_tcase(suite, t);
    return suite;
}

CHECK_MAIN(key_policy_suite)
