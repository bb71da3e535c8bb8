/* key_evidence.c - the answers to DescribeKey, GetPublicKey and ListGrants judged. */
#include "keystore/key_evidence.h"

#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "keystore/json.h"

/* DER of a P-256 public key up to the coordinates: id-ecPublicKey, prime256v1, uncompressed (RFC 5480). */
static const uint8_t spki_head[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
};

static const char *word(const json_t *j, const char *member)
{
    const char *s = json_string_value(json_object_get(j, member));
    return s ? s : "";
}

/* Out: *out, the answer's object, when there was one. Else a finding says why not. */
static bool read_answer(json_t **out, struct key_report *r, enum key_finding unreadable, const struct key_document *d, const char *what)
{
    if (d->status != 200) {
        key_report_add(r, unreadable, "%s: %s", what, d->error[0] ? d->error : "no answer");
        return false;
    }
    if (json_read(out, d->body.p, d->body.n, what).code) {
        key_report_add(r, unreadable, "%s: not a JSON object, or a member is there twice", what);
        return false;
    }
    return true;
}

/* ---- DescribeKey ---------------------------------------------------------- */

static void judge_identity(struct key_report *r, const json_t *m, const struct arn *arn)
{
    if (strcmp(word(m, "Arn"), arn->text) != 0) key_report_add(r, KEY_MISMATCH, "DescribeKey: Arn %s", word(m, "Arn"));
    else if (strcmp(word(m, "AWSAccountId"), arn->account) != 0) key_report_add(r, KEY_MISMATCH, "DescribeKey: account %s", word(m, "AWSAccountId"));
    else if (strcmp(word(m, "KeyId"), arn->key_id) != 0) key_report_add(r, KEY_MISMATCH, "DescribeKey: KeyId %s", word(m, "KeyId"));
}

static void must_be(struct key_report *r, enum key_finding f, const json_t *m, const char *member, const char *want)
{
    if (strcmp(word(m, member), want) != 0) key_report_add(r, f, "%s is %s", member, word(m, member)[0] ? word(m, member) : "not told");
}

static void must_be_absent(struct key_report *r, enum key_finding f, const json_t *m, const char *member)
{
    const json_t *v = json_object_get(m, member);
    if (v && !json_is_null(v)) key_report_add(r, f, "%s is set", member);
}

static void judge_metadata(struct key_report *r, const json_t *m, const struct arn *arn)
{
    judge_identity(r, m, arn);
    must_be(r, KEY_MANAGER, m, "KeyManager", "CUSTOMER");
    must_be(r, KEY_ORIGIN, m, "Origin", "AWS_KMS");
    must_be_absent(r, KEY_STORE, m, "CustomKeyStoreId");
    must_be_absent(r, KEY_STORE, m, "CloudHsmClusterId");
    must_be_absent(r, KEY_STORE, m, "XksKeyConfiguration");
    if (arn->multi_region) key_report_add(r, KEY_MULTI_REGION, "the key id begins with mrk-");
    else if (!json_is_false(json_object_get(m, "MultiRegion"))) key_report_add(r, KEY_MULTI_REGION, "MultiRegion is true or not told");
    else must_be_absent(r, KEY_MULTI_REGION, m, "MultiRegionConfiguration");
    must_be(r, KEY_USAGE, m, "KeyUsage", "KEY_AGREEMENT");
    must_be(r, KEY_SPEC, m, "KeySpec", "ECC_NIST_P256");
    if (strcmp(word(m, "KeyState"), "Enabled") != 0) must_be(r, KEY_STATE, m, "KeyState", "Enabled");
    else if (!json_is_true(json_object_get(m, "Enabled"))) key_report_add(r, KEY_STATE, "Enabled is not true");
}

static void judge_describe(struct key_report *r, const struct key_evidence *e, const struct arn *arn)
{
    JSON j = NULL;
    if (!read_answer(&j, r, KEY_METADATA_UNREADABLE, &e->describe, "DescribeKey")) return;
    const json_t *m = json_object_get(j, "KeyMetadata");
    if (json_is_object(m)) judge_metadata(r, m, arn);
    else key_report_add(r, KEY_METADATA_UNREADABLE, "DescribeKey: no KeyMetadata");
}

/* ---- GetPublicKey --------------------------------------------------------- */

static bool judge_public_key(struct key_report *r, uint8_t spki[static KEY_P256_SPKI], const struct key_evidence *e)
{
    JSON j = NULL;
    size_t n = 0;
    if (!read_answer(&j, r, KEY_PUBLIC_KEY, &e->public_key, "GetPublicKey")) return false;
    if (strcmp(word(j, "KeyId"), e->arn) != 0) {
        key_report_add(r, KEY_MISMATCH, "GetPublicKey: KeyId %s", word(j, "KeyId"));
        return false;
    }
    must_be(r, KEY_SPEC, j, "KeySpec", "ECC_NIST_P256");
    must_be(r, KEY_USAGE, j, "KeyUsage", "KEY_AGREEMENT");
    if (json_blob(j, "PublicKey", spki, KEY_P256_SPKI, &n).code || n != KEY_P256_SPKI || memcmp(spki, spki_head, sizeof spki_head) != 0) {
        key_report_add(r, KEY_PUBLIC_KEY, "GetPublicKey: no SubjectPublicKeyInfo of a P-256 key");
        return false;
    }
    return true;
}

/* ---- ListGrants ----------------------------------------------------------- */

/* Out: true when more pages follow. */
static bool judge_page(struct key_report *r, const struct key_document *d)
{
    JSON j = NULL;
    if (!read_answer(&j, r, KEY_GRANTS_UNREADABLE, d, "ListGrants")) return false;
    const json_t *grants = json_object_get(j, "Grants"), *more = json_object_get(j, "Truncated");
    if (!json_is_array(grants) || (more && !json_is_boolean(more))) {
        key_report_add(r, KEY_GRANTS_UNREADABLE, "ListGrants: no list of grants");
        return false;
    }
    for (size_t i = 0; i < json_array_size(grants); i++) {
        const json_t *g = json_array_get(grants, i);
        key_report_add(r, KEY_GRANTS_EXIST, "to %s", word(g, "GranteePrincipal"));
    }
    /* NextToken: the AWS CLI's own word for a list that it cut. */
    return json_is_true(more) || json_is_string(json_object_get(j, "NextMarker")) || json_is_string(json_object_get(j, "NextToken"));
}

static void judge_grants(struct key_report *r, const struct key_evidence *e)
{
    bool more = true;
    for (unsigned i = 0; i < e->grant_count; i++) {
        if (!more) key_report_add(r, KEY_GRANTS_UNREADABLE, "ListGrants: a page after the last");
        more = judge_page(r, &e->grants[i]);
        /* What could not be read has been said. */
        if (!more && e->grants[i].status != 200) return;
    }
    if (more) key_report_add(r, KEY_GRANTS_UNREADABLE, "ListGrants: the last page is missing");
}

/* ---- GetKeyPolicy --------------------------------------------------------- */

static void judge_reading(struct key_report *r, const struct key_evidence *e, const struct key_document *d)
{
    JSON j = NULL;
    if (!read_answer(&j, r, KEY_POLICY_UNREADABLE, d, "GetKeyPolicy")) return;
    const json_t *policy = json_object_get(j, "Policy"), *name = json_object_get(j, "PolicyName");
    if (!json_is_string(policy) || (name && strcmp(word(j, "PolicyName"), "default") != 0))
        key_report_add(r, KEY_POLICY_UNREADABLE, "GetKeyPolicy: no policy named default");
    else key_policy_judge(r, json_string_value(policy), json_string_length(policy), e->arn, &e->builds);
}

/* KMS is eventually consistent: a change that was made just now may be in one reading and not in the other. */
static void judge_policy(struct key_report *r, const struct key_evidence *e)
{
    if (e->policy_count == 0) key_report_add(r, KEY_POLICY_UNREADABLE, "GetKeyPolicy: not asked");
    for (unsigned i = 0; i < e->policy_count; i++) judge_reading(r, e, &e->policy[i]);
    if (e->policy_count > 1) key_report_add(r, KEY_POLICY_CHANGED, "GetKeyPolicy");
}

void key_evidence_user_data(uint8_t out[static KEY_EVIDENCE_USER_DATA], const void *text, size_t n)
{
    memcpy(out, "HFE1", 4);
    sha256(out + 4, text, n);
}

void key_evidence_judge(struct key_report *out, uint8_t spki[static KEY_P256_SPKI], bool *has_key, const struct key_evidence *e)
{
    struct arn arn;
    memset(out, 0, sizeof *out);
    memset(spki, 0, KEY_P256_SPKI);
    if (arn_parse(&arn, e->arn, strlen(e->arn)).code) {
        memset(&arn, 0, sizeof arn);
        key_report_add(out, KEY_MISMATCH, "not the ARN of a key: %s", e->arn);
    }
    judge_describe(out, e, &arn);
    *has_key = judge_public_key(out, spki, e);
    if (!*has_key) memset(spki, 0, KEY_P256_SPKI);
    judge_grants(out, e);
    judge_policy(out, e);
}
