/* fuzz_key_policy.c - a key's policy and evidence, from somebody who wants them to look better than they are.
 *
 * Besides surviving, what must hold of a policy without findings: taken with another loader, it has no
 * Allow whose actions go beyond the two lists, and the build that may derive is ours. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/log.h"
#include "keystore/key_evidence.h"
#include "tests/fuzz/reach.h"

static const char arn[] = "arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef";

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

static bool holds(const json_t *value, const char *words)
{
    if (json_is_string(value)) return strcasestr(json_string_value(value), words) != NULL;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (holds(json_array_get(value, i), words)) return true;
    return false;
}

static void check_clean(const char *p, size_t n)
{
    json_t *policy = json_loadb(p, n, 0, NULL);
    MUST(policy);
    const json_t *list = json_object_get(policy, "Statement");
    for (size_t i = 0; i < (json_is_array(list) ? json_array_size(list) : 1); i++) {
        const json_t *s = json_is_array(list) ? json_array_get(list, i) : list, *action = json_object_get(s, "Action");
        if (strcmp(json_string_value(json_object_get(s, "Effect")), "Allow") != 0) continue;
        MUST(!holds(action, "*") && !holds(action, "Put") && !holds(action, "CreateGrant") && !holds(action, "Sign") && !holds(action, "Import"));
        MUST(!holds(action, "Derive") || json_object_get(s, "Condition"));
    }
    json_decref(policy);
}

static void try_policy(const char *p, size_t n)
{
    struct key_builds b = { .count = 1 };
    struct key_report r = { 0 };
    memset(b.pcr0[0], 0x5e, KEY_PCR);
    key_policy_judge(&r, p, n, arn, &b);
    MUST((r.set == 0) == (r.count == 0));
    if (!(r.set & (1u << KEY_POLICY_FORM))) fuzz_reached("key_policy");
    if (r.set & (1u << KEY_CONDITION_OPERATOR)) fuzz_reached("key_policy.condition");
    if (r.set) return;
    fuzz_reached("key_policy.clean");
    check_clean(p, n);
}

/* Read, written and read again, it must be judged the same. */
static void try_file(const char *p, size_t n)
{
    KEY_FILE f = { 0 };
    KEY_FILE again = { 0 };
    struct key_report first, second;
    uint8_t spki[KEY_P256_SPKI];
    bool has_key;
    char *text = NULL;
    size_t len = 0;
    if (key_file_read(&f, p, n).code) return;
    fuzz_reached("key_policy.file");
    key_evidence_judge(&first, spki, &has_key, &f.evidence);
    if (key_evidence_write(&text, &len, &f.evidence, &first).code) return;
    MUST(!key_file_read(&again, text, len).code);
    key_evidence_judge(&second, spki, &has_key, &again.evidence);
    MUST(first.set == second.set);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n == 0) return 0;
    if (p[0] & 1) try_policy((const char *)p + 1, n - 1);
    else try_file((const char *)p + 1, n - 1);
    return 0;
}
