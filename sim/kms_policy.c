/* kms_policy.c - key policies, as much of the language as gates an enclave.
 *
 * Source: IAM User Guide, "Policy evaluation logic" and "Condition operators". Who asks
 * is not looked at (there is one caller); what is asked, and from which enclave, is. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "sim/kms.h"

struct operator { const char *name; bool folds, negates; };
static const struct operator operators[] = {
    { "StringEquals", false, false }, { "StringEqualsIgnoreCase", true, false },
    { "StringNotEquals", false, true }, { "StringNotEqualsIgnoreCase", true, true },
};

static const struct operator *find_operator(const char *name)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strcmp(operators[i].name, name) == 0) return &operators[i];
    return NULL;
}

/* ---- form ----------------------------------------------------------------- */

/* A string, or an array of some. */
static bool are_strings(const json_t *j)
{
    if (json_is_string(j)) return true;
    for (size_t i = 0; i < json_array_size(j); i++)
        if (!json_is_string(json_array_get(j, i))) return false;
    return json_array_size(j) > 0;
}

static err check_condition(const json_t *condition)
{
    const char *name, *key;
    json_t *keys, *values;
    if (!json_is_object(condition)) FAIL(E_FORMAT, "policy: Condition is not an object");
    json_object_foreach((json_t *)(uintptr_t)condition, name, keys) {
        if (!find_operator(name)) FAIL(E_FORMAT, "policy: condition operator %s is not simulated", name);
        if (!json_is_object(keys) || json_object_size(keys) == 0) FAIL(E_FORMAT, "policy: %s is not an object", name);
        json_object_foreach(keys, key, values)
            if (!are_strings(values)) FAIL(E_FORMAT, "policy: the values of %s are not strings", key);
    }
    return OK;
}

static err check_statement(const json_t *s)
{
    static const char *const known[] = { "Sid", "Effect", "Principal", "Action", "Resource", "Condition" };
    const char *name;
    json_t *value;
    if (!json_is_object(s)) FAIL(E_FORMAT, "policy: a statement is not an object");
    json_object_foreach((json_t *)(uintptr_t)s, name, value) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) found |= strcmp(known[i], name) == 0;
        if (!found) FAIL(E_FORMAT, "policy: %s is not simulated", name);
    }
    const char *effect = json_string_value(json_object_get(s, "Effect"));
    if (!effect || (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0)) FAIL(E_FORMAT, "policy: Effect is Allow or Deny");
    if (!json_object_get(s, "Principal")) FAIL(E_FORMAT, "policy: a statement without Principal");
    if (!are_strings(json_object_get(s, "Action")) || !are_strings(json_object_get(s, "Resource")))
        FAIL(E_FORMAT, "policy: a statement without Action or Resource");
    const json_t *condition = json_object_get(s, "Condition");
    return condition ? check_condition(condition) : OK;
}

err policy_check(const json_t *policy)
{
    const char *version = json_string_value(json_object_get(policy, "Version"));
    const json_t *statements = json_object_get(policy, "Statement");
    if (!version || strcmp(version, "2012-10-17") != 0) FAIL(E_FORMAT, "policy: Version must be 2012-10-17");
    if (json_is_object(statements)) return check_statement(statements);
    if (json_array_size(statements) == 0) FAIL(E_FORMAT, "policy: no Statement");
    for (size_t i = 0; i < json_array_size(statements); i++) TRY(check_statement(json_array_get(statements, i)));
    return OK;
}

err policy_parse(json_t **out, const char *text, size_t n)
{
    json_error_t why;
    JSON j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (!j) FAIL(E_FORMAT, "policy: %s", why.text);
    TRY(policy_check(j));
    *out = json_incref(j);
    return OK;
}

err policy_for_pcr0(json_t **out, const char *pcr0)
{
    *out = json_pack("{s:s, s:[{s:s, s:s, s:{s:s}, s:s, s:s, s:{s:{s:s}}}, {s:s, s:s, s:{s:s}, s:[s, s, s, s], s:s}]}",
                     "Version", "2012-10-17", "Statement",
                     "Sid", "derive", "Effect", "Allow", "Principal", "AWS", "*", "Action", "kms:DeriveSharedSecret", "Resource", "*",
                     "Condition", "StringEqualsIgnoreCase", "kms:RecipientAttestation:PCR0", pcr0,
                     "Sid", "read", "Effect", "Allow", "Principal", "AWS", "*", "Action", "kms:DescribeKey", "kms:GetPublicKey",
                     "kms:GetKeyPolicy", "kms:ListGrants", "Resource", "*");
    if (!*out) FAIL(E_MEMORY, "no memory for a policy");
    return OK;
}

/* ---- meaning -------------------------------------------------------------- */

/* IAM wildcards: * is any run, ? any one character. */
static bool glob(const char *pattern, const char *text, bool folds)
{
    for (; *pattern; pattern++, text++) {
        if (*pattern == '*') {
            for (const char *rest = text;; rest++) {
                if (glob(pattern + 1, rest, folds)) return true;
                if (!*rest) return false;
            }
        }
        if (!*text) return false;
        bool same = folds ? tolower((unsigned char)*pattern) == tolower((unsigned char)*text) : *pattern == *text;
        if (*pattern != '?' && !same) return false;
    }
    return !*text;
}

static bool any_glob(const json_t *patterns, const char *text, bool folds)
{
    if (json_is_string(patterns)) return glob(json_string_value(patterns), text, folds);
    for (size_t i = 0; i < json_array_size(patterns); i++)
        if (glob(json_string_value(json_array_get(patterns, i)), text, folds)) return true;
    return false;
}

static bool equals(const char *a, const char *b, bool folds)
{
    return folds ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

static bool any_equal(const json_t *values, const char *have, bool folds)
{
    if (json_is_string(values)) return equals(json_string_value(values), have, folds);
    for (size_t i = 0; i < json_array_size(values); i++)
        if (equals(json_string_value(json_array_get(values, i)), have, folds)) return true;
    return false;
}

/* Names of condition keys do not distinguish case. */
static const char *look_up(const json_t *context, const char *key)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)context, name, value)
        if (strcasecmp(name, key) == 0) return json_string_value(value);
    return NULL;
}

/* Operators and keys are joined by AND, values by OR. A key that is not in the
 * context fails an equality and passes a "not equals". */
static bool condition_holds(const json_t *condition, const json_t *context)
{
    const char *name, *key;
    json_t *keys, *values;
    json_object_foreach((json_t *)(uintptr_t)condition, name, keys) {
        const struct operator *op = find_operator(name);
        json_object_foreach(keys, key, values) {
            const char *have = look_up(context, key);
            if ((have && any_equal(values, have, op->folds)) == op->negates) return false;
        }
    }
    return true;
}

static enum policy_verdict judge_statement(const json_t *s, const char *action, const char *arn, const json_t *context)
{
    bool allows = strcmp(json_string_value(json_object_get(s, "Effect")), "Allow") == 0;
    if (!any_glob(json_object_get(s, "Action"), action, true) || !any_glob(json_object_get(s, "Resource"), arn, false)) return POLICY_SILENT;
    if (!condition_holds(json_object_get(s, "Condition"), context)) return POLICY_SILENT;
    return allows ? POLICY_ALLOWS : POLICY_DENIES;
}

enum policy_verdict policy_judge(const json_t *policy, const char *action, const char *arn, const json_t *context)
{
    const json_t *statements = json_object_get(policy, "Statement");
    if (json_is_object(statements)) return judge_statement(statements, action, arn, context);
    enum policy_verdict all = POLICY_SILENT;
    for (size_t i = 0; i < json_array_size(statements); i++) {
        enum policy_verdict one = judge_statement(json_array_get(statements, i), action, arn, context);
        if (one > all) all = one;               /* a Deny outweighs every Allow */
    }
    return all;
}
