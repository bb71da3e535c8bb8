/* kms_grants.c - grants: permissions beside the policy, which no attestation can bind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "sim/kms_call.h"

enum { GRANTS_MAX = 2000, PAGE = 50, PAGE_MAX = 100, PRINCIPAL_MAX = 256, ID = 64, ID_MAX = 128, MARKER_MAX = 1024 };

/* GrantOperation, and the key usages for which each has a meaning: e(ncrypt), s(ign), a(gree). */
static const struct { const char *name, *usages; } grantable[] = {
    { "Decrypt", "e" }, { "Encrypt", "e" }, { "GenerateDataKey", "e" }, { "GenerateDataKeyWithoutPlaintext", "e" },
    { "ReEncryptFrom", "e" }, { "ReEncryptTo", "e" }, { "GenerateDataKeyPair", "e" }, { "GenerateDataKeyPairWithoutPlaintext", "e" },
    { "Sign", "s" }, { "Verify", "s" }, { "DeriveSharedSecret", "a" }, { "GetPublicKey", "sa" },
    { "CreateGrant", "esa" }, { "RetireGrant", "esa" }, { "DescribeKey", "esa" },
};

static char usage_letter(const struct kms_key *k)
{
    return strcmp(k->usage, "ENCRYPT_DECRYPT") == 0 ? 'e' : strcmp(k->usage, "SIGN_VERIFY") == 0 ? 's' : 'a';
}

static bool includes(const json_t *list, const char *word)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));
        if (s && strcmp(s, word) == 0) return true;
    }
    return false;
}

/* ---- what a grant allows --------------------------------------------------- */

/* Is each member of `part` in `whole`, with the same value? */
static bool subset(const json_t *part, const json_t *whole)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)part, name, value)
        if (!json_equal(json_object_get(whole, name), value)) return false;
    return true;
}

static bool constraints_hold(const json_t *constraints, const json_t *context)
{
    const json_t *equals = json_object_get(constraints, "EncryptionContextEquals");
    if (equals && (!subset(equals, context) || json_object_size(equals) != json_object_size(context))) return false;
    return subset(json_object_get(constraints, "EncryptionContextSubset"), context);
}

bool grants_allow(const struct kms_call *c, const char *operation)
{
    for (size_t i = 0; i < json_array_size(c->key.grants); i++) {
        const json_t *g = json_array_get(c->key.grants, i);
        if (includes(json_object_get(g, "Operations"), operation)
            && constraints_hold(json_object_get(g, "Constraints"), json_object_get(c->in, "EncryptionContext")))
            return true;
    }
    return false;
}

/* ---- CreateGrant ----------------------------------------------------------- */

static err check_operations(struct kms_call *c)
{
    const json_t *list = json_object_get(c->in, "Operations");
    if (json_array_size(list) == 0) return call_invalid(c, "operations");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *word = json_string_value(json_array_get(list, i)), *usages = NULL;
        for (size_t k = 0; word && k < sizeof grantable / sizeof *grantable; k++)
            if (strcmp(grantable[k].name, word) == 0) usages = grantable[k].usages;
        if (!usages) return call_invalid(c, "operations");
        if (!strchr(usages, usage_letter(&c->key)))
            return kms_refuse(c, "ValidationException", "Grant operation %s is not valid for a key of usage %s", word, c->key.usage);
    }
    return OK;
}

static err check_constraints(struct kms_call *c)
{
    const json_t *all = json_object_get(c->in, "Constraints");
    const char *name, *key;
    json_t *pairs, *value;
    if (!all || json_is_null(all)) return OK;
    if (!json_is_object(all) || !kms_key_symmetric(&c->key)) return call_invalid(c, "constraints");
    json_object_foreach((json_t *)(uintptr_t)all, name, pairs) {
        if (strcmp(name, "EncryptionContextEquals") != 0 && strcmp(name, "EncryptionContextSubset") != 0) return call_invalid(c, "constraints");
        if (!json_is_object(pairs)) return call_invalid(c, "constraints");
        json_object_foreach(pairs, key, value)
            if (!json_is_string(value)) return call_invalid(c, "constraints");
    }
    return OK;
}

static err new_grant(json_t **out, struct kms_call *c)
{
    static const char *const copied[] = { "GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints", "Name" };
    uint8_t b[ID / 2];
    char id[ID + 1], account[64];
    TRY(random_bytes(b, sizeof b));
    hex_from(id, b, sizeof b);
    snprintf(account, sizeof account, "arn:%s:iam::%s:root", kms_partition(c->region), c->server->account);
    JSON g = json_pack("{s:s, s:s, s:s, s:I}", "KeyId", c->key.arn.text, "GrantId", id, "IssuingAccount", account, "CreationDate", (json_int_t)c->now);
    if (!g) FAIL(E_MEMORY, "no memory for a grant");
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        json_t *v = json_object_get(c->in, copied[i]);
        if (v && !json_is_null(v) && json_object_set(g, copied[i], v) != 0) FAIL(E_MEMORY, "no memory for a grant");
    }
    *out = json_incref(g);
    return OK;
}

/* A named grant asked for twice with the same words is one grant. */
static const json_t *same_grant(const struct kms_call *c, const json_t *wanted)
{
    static const char *const compared[] = { "Name", "GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints" };
    if (!json_object_get(wanted, "Name")) return NULL;
    for (size_t i = 0; i < json_array_size(c->key.grants); i++) {
        const json_t *g = json_array_get(c->key.grants, i);
        bool same = true;
        for (size_t k = 0; k < sizeof compared / sizeof *compared; k++) {
            const json_t *a = json_object_get(g, compared[k]), *b = json_object_get(wanted, compared[k]);
            if (a || b) same = same && a && b && json_equal(a, b);
        }
        if (same) return g;
    }
    return NULL;
}

err op_create_grant(struct kms_call *c)
{
    const char *grantee = NULL, *retiring = NULL, *name = NULL;
    JSON made = NULL;
    TRY(call_words(c, &grantee, "GranteePrincipal", "granteePrincipal", PRINCIPAL_MAX));
    TRY(call_words(c, &retiring, "RetiringPrincipal", "retiringPrincipal", PRINCIPAL_MAX));
    TRY(call_words(c, &name, "Name", "name", PRINCIPAL_MAX));
    if (!grantee) return call_invalid(c, "granteePrincipal");
    TRY(check_operations(c));
    TRY(check_constraints(c));
    TRY(call_usable(c, NULL));
    TRY(call_dry_run(c));
    TRY(new_grant(&made, c));
    const json_t *g = same_grant(c, made);
    if (!g) {
        if (json_array_size(c->key.grants) >= GRANTS_MAX) return kms_refuse(c, "LimitExceededException", "A key has at most %d grants here.", GRANTS_MAX);
        if (json_array_append(c->key.grants, made) != 0) FAIL(E_MEMORY, "no memory for a grant");
        TRY(kms_key_save(&c->key, c->server->dir));
        g = made;
    }
    const char *id = json_string_value(json_object_get(g, "GrantId"));
    TRY(call_set_text(c, "GrantId", id));
    return call_set_base64(c, "GrantToken", id, strlen(id));
}

/* ---- ListGrants ------------------------------------------------------------ */

static bool wanted(const json_t *g, const char *id, const char *grantee)
{
    return (!id || strcmp(id, json_string_value(json_object_get(g, "GrantId"))) == 0)
        && (!grantee || strcmp(grantee, json_string_value(json_object_get(g, "GranteePrincipal"))) == 0);
}

/* A marker is the id of the last grant that was told. Out: the place after it. */
static err find_marker(struct kms_call *c, size_t *out, const char *marker)
{
    *out = 0;
    for (size_t i = 0; marker && i < json_array_size(c->key.grants); i++)
        if (wanted(json_array_get(c->key.grants, i), marker, NULL)) *out = i + 1;
    if (marker && *out == 0) return kms_refuse(c, "InvalidMarkerException", "The marker is not valid.");
    return OK;
}

err op_list_grants(struct kms_call *c)
{
    const char *id = NULL, *grantee = NULL, *marker = NULL;
    size_t limit = 0, at = 0;
    TRY(call_number(c, &limit, "Limit", "limit", PAGE_MAX));
    TRY(call_words(c, &id, "GrantId", "grantId", ID_MAX));
    TRY(call_words(c, &grantee, "GranteePrincipal", "granteePrincipal", PRINCIPAL_MAX));
    TRY(call_words(c, &marker, "Marker", "marker", MARKER_MAX));
    TRY(find_marker(c, &at, marker));
    JSON page = json_array();
    bool more = false;
    if (limit == 0) limit = PAGE;
    for (; at < json_array_size(c->key.grants) && !more; at++) {
        json_t *g = json_array_get(c->key.grants, at);
        if (!wanted(g, id, grantee)) continue;
        if (json_array_size(page) == limit) more = true;
        else if (json_array_append(page, g) != 0) FAIL(E_MEMORY, "no memory for an answer");
    }
    if (more) TRY(call_set_text(c, "NextMarker", json_string_value(json_object_get(json_array_get(page, limit - 1), "GrantId"))));
    if (json_object_set(c->out, "Grants", page) != 0 || json_object_set_new(c->out, "Truncated", json_boolean(more)) != 0)
        FAIL(E_MEMORY, "no memory for an answer");
    return OK;
}
