/* key_policy.c - a key policy's statements, one by one. */
#include "keystore/key_policy.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "keystore/json.h"

enum { SHOWN = 64 };
static const char ATTESTATION[] = "kms:RecipientAttestation:";

/* One judgement under way; `at` names the statement in findings. */
struct judge {
    struct key_report *out;
    const char *arn;
    const struct key_builds *builds;
    char at[48];
    bool derive;                     /* an expected build may derive */
};

void key_report_add(struct key_report *r, enum key_finding f, const char *fmt, ...)
{
    r->set |= 1u << f;
    if (r->count == KEY_FOUND_MAX) return;
    struct key_found *to = &r->found[r->count++];
    to->finding = f;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(to->where, sizeof to->where, fmt, args);
    va_end(args);
    for (char *p = to->where; *p; p++)
        if (*p < 0x20 || *p > 0x7e) *p = '?';
}

static void find_at(struct judge *j, enum key_finding f, const char *what)
{
    key_report_add(j->out, f, "%s: %.*s", j->at, SHOWN + 34, what);
}

/* ---- strings, alone or in an array ---------------------------------------- */

/* A string, or an array of at least one string and nothing else. */
static bool are_strings(const json_t *v)
{
    if (json_is_string(v)) return true;
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i))) return false;
    return json_array_size(v) > 0;
}

static size_t string_count(const json_t *v) { return json_is_string(v) ? 1 : json_array_size(v); }

static const char *string_at(const json_t *v, size_t i)
{
    return json_string_value(json_is_string(v) ? v : json_array_get(v, i));
}

static bool among(const char *s, const char *const *names)
{
    for (; *names; names++)
        if (strcasecmp(s, *names) == 0) return true;
    return false;
}

/* ---- Action --------------------------------------------------------------- */

/* KMS calls that take Recipient, so that a condition on the attestation can hold. */
static const char *const attested[] = { "DeriveSharedSecret", "Decrypt", "GenerateDataKey", "GenerateDataKeyPair", NULL };
static const char *const harmless[] = { "DescribeKey", "GetPublicKey", "GetKeyPolicy", "ListGrants", "ListResourceTags", "Encrypt", "Verify", NULL };
static const char *const manages[] = {
    "PutKeyPolicy", "CreateGrant", "ReplicateKey", "UpdatePrimaryRegion", "ImportKeyMaterial", "DeleteImportedKeyMaterial",
    "GetParametersForImport", "ReEncryptFrom", "ReEncryptTo", "Sign", NULL
};
static const char *const availability[] = {
    "ScheduleKeyDeletion", "CancelKeyDeletion", "DisableKey", "EnableKey", "RetireGrant", "RevokeGrant", "TagResource", "UntagResource",
    "CreateAlias", "UpdateAlias", "DeleteAlias", "UpdateKeyDescription", NULL
};

/* Names of services and actions do not distinguish case. */
static void judge_action(struct judge *j, const char *action, bool conditioned)
{
    const char *name = strncasecmp(action, "kms:", 4) == 0 ? action + 4 : NULL;
    if (strpbrk(action, "*?")) find_at(j, KEY_ACTION_WILDCARD, action);
    else if (!name) find_at(j, KEY_ACTION_UNKNOWN, action);
    else if (among(name, attested)) {
        if (!conditioned) find_at(j, KEY_ACTION_UNATTESTED, action);
    } else if (among(name, harmless)) return;
    else if (among(name, manages)) find_at(j, KEY_ACTION_MANAGES, action);
    else if (among(name, availability)) find_at(j, KEY_ACTION_AVAILABILITY, action);
    else find_at(j, KEY_ACTION_UNKNOWN, action);
}

static bool allows_derive(const json_t *actions)
{
    for (size_t i = 0; i < string_count(actions); i++)
        if (strcasecmp(string_at(actions, i), "kms:DeriveSharedSecret") == 0) return true;
    return false;
}

/* ---- Condition ------------------------------------------------------------ */

static bool is_hex(const char *s, size_t digits)
{
    return strlen(s) == digits && strspn(s, "0123456789abcdefABCDEF") == digits;
}

static bool is_expected(const struct judge *j, const uint8_t pcr0[static KEY_PCR])
{
    for (size_t i = 0; i < j->builds->count; i++)
        if (memcmp(j->builds->pcr0[i], pcr0, KEY_PCR) == 0) return true;
    return false;
}

/* The values of PCR0 or ImageSha384. Out: true when an expected build is among them. */
static bool judge_builds(struct judge *j, const json_t *values)
{
    static const uint8_t zero[KEY_PCR] = { 0 };
    bool expected = false;
    for (size_t i = 0; i < string_count(values); i++) {
        const char *value = string_at(values, i);
        uint8_t pcr0[KEY_PCR];
        if (!is_hex(value, sizeof pcr0 * 2)) {
            find_at(j, KEY_MEASUREMENT_FORM, value);
            continue;
        }
        err_drop(hex_to(pcr0, sizeof pcr0, value, sizeof pcr0 * 2));
        if (memcmp(pcr0, zero, sizeof pcr0) == 0) find_at(j, KEY_MEASUREMENT_DEBUG, "zeros");
        else if (is_expected(j, pcr0)) expected = true;
        else find_at(j, KEY_MEASUREMENT_UNKNOWN, value);
    }
    return expected;
}

/* Other measurements beside PCR0 can only narrow it: only their form is looked at. */
static bool is_other_pcr(const char *name)
{
    static const char *const pcrs[] = {
        "PCR1", "PCR2", "PCR3", "PCR4", "PCR8", "PCR16", "PCR17", "PCR18", "PCR19", "PCR20", "PCR21", "PCR22", "PCR23",
        "PCR24", "PCR25", "PCR26", "PCR27", "PCR28", "PCR29", "PCR30", "PCR31", NULL
    };
    return among(name, pcrs);
}

static void judge_others(struct judge *j, const json_t *values)
{
    for (size_t i = 0; i < string_count(values); i++)
        if (!is_hex(string_at(values, i), KEY_PCR * 2)) find_at(j, KEY_MEASUREMENT_FORM, string_at(values, i));
}

struct condition { bool measured, expected; };

/* Keys, and operators, are joined by AND; the values of one key by OR. Names of keys do not distinguish case. */
static void judge_keys(struct judge *j, struct condition *c, const json_t *keys)
{
    const char *key;
    json_t *values;
    json_object_foreach((json_t *)(uintptr_t)keys, key, values) {
        const char *name = strncasecmp(key, ATTESTATION, sizeof ATTESTATION - 1) == 0 ? key + sizeof ATTESTATION - 1 : "";
        if (!are_strings(values)) find_at(j, KEY_POLICY_FORM, "a condition's values are not texts");
        else if (strcasecmp(name, "PCR0") == 0 || strcasecmp(name, "ImageSha384") == 0) {
            c->measured = true;
            c->expected = judge_builds(j, values) || c->expected;
        } else if (is_other_pcr(name)) judge_others(j, values);
        else find_at(j, KEY_CONDITION_KEY, key);
    }
}

/* Only the two plain operators: …IfExists and Null hold without an attestation, ForAllValues: holds
 * for none, StringLike and Not… for many values. A condition under another one counts as none. */
static struct condition judge_condition(struct judge *j, const json_t *condition)
{
    struct condition c = { false, false };
    const char *operator;
    json_t *keys;
    json_object_foreach((json_t *)(uintptr_t)condition, operator, keys) {
        if (strcmp(operator, "StringEquals") != 0 && strcmp(operator, "StringEqualsIgnoreCase") != 0)
            find_at(j, KEY_CONDITION_OPERATOR, operator);
        else if (!json_is_object(keys) || json_object_size(keys) == 0) find_at(j, KEY_POLICY_FORM, "a condition without keys");
        else judge_keys(j, &c, keys);
    }
    return c;
}

/* ---- Principal ------------------------------------------------------------ */

static bool is_account(const char *s) { return strlen(s) == 12 && strspn(s, "0123456789") == 12; }

/* arn:PARTITION:iam::ACCOUNT:root, which stands for the account. */
static bool is_root(const char *s)
{
    static const char middle[] = ":iam::", end[] = ":root";
    const char *iam = strncmp(s, "arn:aws", 7) == 0 ? strstr(s, middle) : NULL;
    char account[13];
    if (!iam || strlen(iam) != sizeof middle - 1 + 12 + sizeof end - 1) return false;
    memcpy(account, iam + sizeof middle - 1, 12);
    account[12] = 0;
    return is_account(account) && strcmp(iam + sizeof middle - 1 + 12, end) == 0;
}

static bool judge_principal(struct judge *j, const json_t *p)
{
    if (json_is_string(p) && strcmp(json_string_value(p), "*") == 0) return true;
    if (!json_is_object(p) || json_object_size(p) == 0) {
        find_at(j, KEY_POLICY_PRINCIPAL, "neither * nor an object");
        return false;
    }
    const char *kind;
    json_t *names;
    bool good = true;
    json_object_foreach((json_t *)(uintptr_t)p, kind, names) {
        if (strcmp(kind, "AWS") != 0 || !are_strings(names)) {
            find_at(j, KEY_POLICY_PRINCIPAL, kind);
            good = false;
        }
    }
    return good;
}

/* Nobody can mend a locked policy that names a role which was deleted: it holds the old one's hidden id. */
static void note_names(struct judge *j, const json_t *p)
{
    const json_t *names = json_object_get(p, "AWS");
    for (size_t i = 0; i < string_count(names); i++) {
        const char *name = string_at(names, i);
        if (strcmp(name, "*") != 0 && !is_account(name) && !is_root(name)) find_at(j, KEY_PRINCIPAL_NAMED, name);
    }
}

/* ---- statements ----------------------------------------------------------- */

static bool judge_members(struct judge *j, const json_t *s)
{
    static const char *const known[] = { "Sid", "Effect", "Principal", "Action", "Resource", "Condition" };
    static const char *const negations[] = { "NotAction", "NotPrincipal", "NotResource", NULL };
    const char *name;
    json_t *value;
    bool good = true;
    json_object_foreach((json_t *)(uintptr_t)s, name, value) {
        bool found = false;
        /* Whether AWS reads `action` as `Action` does not matter here: no policy needs to be written so. */
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) found |= strcmp(known[i], name) == 0;
        if (found) continue;
        find_at(j, among(name, negations) ? KEY_POLICY_NEGATION : KEY_POLICY_MEMBER, name);
        good = false;
    }
    return good;
}

static bool judge_form(struct judge *j, const json_t *s)
{
    const char *effect = json_string_value(json_object_get(s, "Effect"));
    const json_t *sid = json_object_get(s, "Sid"), *condition = json_object_get(s, "Condition");
    const char *wrong = NULL;
    if (!effect || (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0)) wrong = "Effect is neither Allow nor Deny";
    else if (sid && !json_is_string(sid)) wrong = "Sid is not a text";
    else if (!are_strings(json_object_get(s, "Action"))) wrong = "Action is not a list of texts";
    else if (!are_strings(json_object_get(s, "Resource"))) wrong = "Resource is not a list of texts";
    else if (condition && !json_is_object(condition)) wrong = "Condition is not an object";
    if (wrong) find_at(j, KEY_POLICY_FORM, wrong);
    return !wrong;
}

static void judge_resource(struct judge *j, const json_t *resource)
{
    for (size_t i = 0; i < string_count(resource); i++) {
        const char *name = string_at(resource, i);
        if (strcmp(name, "*") != 0 && strcmp(name, j->arn) != 0) find_at(j, KEY_POLICY_RESOURCE, name);
    }
}

static void judge_statement(struct judge *j, const json_t *s)
{
    if (!json_is_object(s)) {
        find_at(j, KEY_POLICY_FORM, "a statement is not an object");
        return;
    }
    /* All of the form is judged, so that a reader learns everything at once; the meaning only when it has one. */
    bool members = judge_members(j, s), form = members && judge_form(j, s);
    bool principal = form && judge_principal(j, json_object_get(s, "Principal"));
    if (!principal || strcmp(json_string_value(json_object_get(s, "Effect")), "Deny") == 0) return;
    const json_t *condition = json_object_get(s, "Condition"), *actions = json_object_get(s, "Action");
    judge_resource(j, json_object_get(s, "Resource"));
    note_names(j, json_object_get(s, "Principal"));
    struct condition c = condition ? judge_condition(j, condition) : (struct condition){ false, false };
    for (size_t i = 0; i < string_count(actions); i++) judge_action(j, string_at(actions, i), c.measured);
    if (allows_derive(actions) && (!c.measured || c.expected)) j->derive = true;
}

static void judge_statements(struct judge *j, const json_t *list)
{
    if (json_is_object(list)) {
        snprintf(j->at, sizeof j->at, "Statement");
        judge_statement(j, list);
        return;
    }
    if (json_array_size(list) == 0) find_at(j, KEY_POLICY_FORM, "no statement");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *s = json_array_get(list, i);
        const char *sid = json_string_value(json_object_get(s, "Sid"));
        snprintf(j->at, sizeof j->at, "Statement %zu%s%.24s%s", i + 1, sid ? " (" : "", sid ? sid : "", sid ? ")" : "");
        judge_statement(j, s);
    }
}

void key_policy_judge(struct key_report *out, const char *text, size_t n, const char *arn, const struct key_builds *builds)
{
    struct judge j = { .out = out, .arn = arn, .builds = builds, .at = "policy" };
    JSON policy = NULL;
    const char *name;
    json_t *value;
    if (json_read(&policy, text, n, "key policy").code) {
        find_at(&j, KEY_POLICY_FORM, "not a JSON object, or a member is there twice");
        return;
    }
    json_object_foreach(policy, name, value)
        if (strcmp(name, "Version") != 0 && strcmp(name, "Id") != 0 && strcmp(name, "Statement") != 0) find_at(&j, KEY_POLICY_MEMBER, name);
    const json_t *id = json_object_get(policy, "Id");
    const char *version = json_string_value(json_object_get(policy, "Version"));
    if (id && !json_is_string(id)) find_at(&j, KEY_POLICY_FORM, "Id is not a text");
    if (!version || strcmp(version, "2012-10-17") != 0) find_at(&j, KEY_POLICY_VERSION, version ? version : "none");
    judge_statements(&j, json_object_get(policy, "Statement"));
    if (!j.derive) key_report_add(out, KEY_DERIVE_NOT_ALLOWED, "policy");
}

/* ---- the policy of a key that is born locked ------------------------------- */

static void put_principal(struct wr *w, const char *const *accounts, size_t count)
{
    wr_text(w, "\"Principal\":{\"AWS\":");
    if (!count) wr_text(w, "\"*\"");
    for (size_t i = 0; i < count; i++) {
        wr_text(w, i ? "," : "[");
        wr_text(w, "\"");
        wr_text(w, accounts[i]);
        wr_text(w, "\"");
    }
    wr_text(w, count ? "]}" : "}");
}

static void put_builds(struct wr *w, const struct key_builds *builds)
{
    wr_text(w, "[");
    for (size_t i = 0; i < builds->count; i++) {
        char hex[2 * KEY_PCR + 1];
        hex_from(hex, builds->pcr0[i], KEY_PCR);
        wr_text(w, i ? ",\"" : "\"");
        wr_text(w, hex);
        wr_text(w, "\"");
    }
    wr_text(w, "]");
}

err key_policy_write(char *out, size_t cap, size_t *n, const struct key_builds *builds,
                     const char *const *accounts, size_t account_count)
{
    static const uint8_t zero[KEY_PCR] = { 0 };
    if (!builds->count) FAIL(E_FORMAT, "a policy without a build would admit nobody, for ever");
    for (size_t i = 0; i < builds->count; i++)
        if (memcmp(builds->pcr0[i], zero, KEY_PCR) == 0) FAIL(E_FORMAT, "a PCR0 of zeros is any enclave in debug mode");
    for (size_t i = 0; i < account_count; i++)
        if (!is_account(accounts[i])) FAIL(E_FORMAT, "an account id has twelve digits");
    struct wr w = wr_of(out, cap);
    wr_text(&w, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"DeriveInTheseBuildsOnly\",\"Effect\":\"Allow\",");
    put_principal(&w, accounts, account_count);
    wr_text(&w, ",\"Action\":\"kms:DeriveSharedSecret\",\"Resource\":\"*\","
                "\"Condition\":{\"StringEqualsIgnoreCase\":{\"kms:RecipientAttestation:PCR0\":");
    put_builds(&w, builds);
    wr_text(&w, "}}},{\"Sid\":\"ReadOnly\",\"Effect\":\"Allow\",");
    put_principal(&w, accounts, account_count);
    wr_text(&w, ",\"Action\":[\"kms:DescribeKey\",\"kms:GetPublicKey\",\"kms:GetKeyPolicy\",\"kms:ListGrants\"],\"Resource\":\"*\"}]}");
    wr_u8(&w, 0);
    TRY(wr_end(&w, "key policy"));
    *n = w.len - 1;
    return OK;
}
