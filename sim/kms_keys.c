/* kms_keys.c - the operations that make and show keys and their policies. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/mem.h"
#include "sim/kms_call.h"

enum { POLICY_MAX = 131072, PATH_WORD = 128 };

/* ---- showing a key --------------------------------------------------------- */

static const struct { const char *usage, *member, *algorithm; } uses[] = {
    { "KEY_AGREEMENT", "KeyAgreementAlgorithms", "ECDH" },
    { "SIGN_VERIFY", "SigningAlgorithms", "ECDSA_SHA_256" },
    { "ENCRYPT_DECRYPT", "EncryptionAlgorithms", "SYMMETRIC_DEFAULT" },
};

static err set_algorithms(json_t *to, const struct kms_key *k)
{
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        if (strcmp(uses[i].usage, k->usage) != 0) continue;
        if (json_object_set_new(to, uses[i].member, json_pack("[s]", uses[i].algorithm)) != 0) FAIL(E_MEMORY, "no memory for an answer");
    }
    return OK;
}

err op_describe_key(struct kms_call *c)
{
    const struct kms_key *k = &c->key;
    json_t *m = json_pack("{s:s, s:s, s:s, s:I, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}",
                          "AWSAccountId", k->arn.account, "KeyId", k->arn.key_id, "Arn", k->arn.text, "CreationDate", (json_int_t)k->created,
                          "Enabled", strcmp(k->state, "Enabled") == 0, "Description", k->description, "KeyUsage", k->usage,
                          "KeyState", k->state, "Origin", k->origin, "KeyManager", "CUSTOMER", "KeySpec", k->spec,
                          "CustomerMasterKeySpec", k->spec, "MultiRegion", 0);
    if (!m || json_object_set_new(c->out, "KeyMetadata", m) != 0) FAIL(E_MEMORY, "no memory for an answer");
    TRY(set_algorithms(m, k));
    TRY(call_set_material(c, m, "CurrentKeyMaterialId"));
    if (k->metadata && json_object_update(m, k->metadata) != 0) FAIL(E_MEMORY, "no memory for an answer");
    return OK;
}

err op_get_public_key(struct kms_call *c)
{
    TRY(call_usable(c, NULL));
    if (kms_key_symmetric(&c->key))
        return kms_refuse(c, "UnsupportedOperationException", "You cannot perform this operation on a symmetric key: %s", c->key.arn.text);
    TRY(call_set_base64(c, "PublicKey", c->key.spki, sizeof c->key.spki));
    JSON more = json_pack("{s:s, s:s, s:s, s:s}", "KeyId", c->key.arn.text, "KeySpec", c->key.spec, "CustomerMasterKeySpec", c->key.spec,
                          "KeyUsage", c->key.usage);
    if (!more || json_object_update(c->out, more) != 0) FAIL(E_MEMORY, "no memory for an answer");
    return set_algorithms(c->out, &c->key);
}

/* ---- policies -------------------------------------------------------------- */

/* The default of KMS: the account's root, and whomever it delegates to, may do everything. */
static err default_policy(json_t **out, const struct kms_call *c)
{
    char root[PATH_WORD];
    snprintf(root, sizeof root, "arn:%s:iam::%s:root", kms_partition(c->region), c->server->account);
    *out = json_pack("{s:s, s:s, s:[{s:s, s:s, s:{s:s}, s:s, s:s}]}", "Version", "2012-10-17", "Id", "key-default-1", "Statement",
                     "Sid", "Enable IAM User Permissions", "Effect", "Allow", "Principal", "AWS", root, "Action", "kms:*", "Resource", "*");
    if (!*out) FAIL(E_MEMORY, "no memory for a policy");
    return OK;
}

static err take_policy(struct kms_call *c, json_t **out)
{
    const char *text = NULL;
    TRY(call_words(c, &text, "Policy", "policy", POLICY_MAX));
    if (!text) return OK;
    err e = policy_parse(out, text, strlen(text));
    if (e.code == E_FORMAT) return kms_refuse(c, "MalformedPolicyDocumentException", "The policy is not one that the simulator understands whole.");
    return e;
}

/* The caller must be able to change the policy again, unless he says that he knows what he does. */
static err check_lockout(struct kms_call *c, const json_t *policy, const char *arn)
{
    JSON none = json_object();
    if (call_flag(c, "BypassPolicyLockoutSafetyCheck") || policy_judge(policy, "kms:PutKeyPolicy", arn, none) == POLICY_ALLOWS) return OK;
    return kms_refuse(c, "MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.");
}

static err check_policy_name(struct kms_call *c, bool needed)
{
    const char *name = NULL;
    TRY(call_words(c, &name, "PolicyName", "policyName", PATH_WORD));
    if (!name) return needed ? call_invalid(c, "policyName") : OK;
    return strcmp(name, "default") == 0 ? OK : kms_refuse(c, "NotFoundException", "No such policy exists: %.100s", name);
}

err op_get_key_policy(struct kms_call *c)
{
    TRY(check_policy_name(c, false));
    TEXT text = json_dumps(c->key.policy, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    if (!text) FAIL(E_MEMORY, "no memory for a policy");
    TRY(call_set_text(c, "Policy", text));
    return call_set_text(c, "PolicyName", "default");
}

err op_put_key_policy(struct kms_call *c)
{
    JSON policy = NULL;
    TRY(check_policy_name(c, false));
    TRY(take_policy(c, &policy));
    if (!policy) return call_invalid(c, "policy");
    TRY(check_lockout(c, policy, c->key.arn.text));
    json_decref(c->key.policy);
    c->key.policy = json_incref(policy);
    TRY(kms_key_save(&c->key, c->server->dir));
    c->empty = true;
    return OK;
}

/* ---- making a key ---------------------------------------------------------- */

/* A word of the request, or what KMS takes without it. */
static err wish(struct kms_call *c, const char **out, const char *name, const char *path, const char *without)
{
    TRY(call_words(c, out, name, path, PATH_WORD));
    if (!*out) *out = without;
    return OK;
}

static err check_wish(struct kms_call *c, const struct kms_key_wish *w)
{
    bool symmetric = strcmp(w->spec, "SYMMETRIC_DEFAULT") == 0;
    if (!symmetric && strcmp(w->spec, "ECC_NIST_P256") != 0)
        return kms_refuse(c, "UnsupportedOperationException", "KeySpec %.60s is not simulated.", w->spec);
    if (strcmp(w->origin, "AWS_KMS") != 0 && strcmp(w->origin, "EXTERNAL") != 0)
        return kms_refuse(c, "UnsupportedOperationException", "Origin %.60s is not simulated.", w->origin);
    if (call_flag(c, "MultiRegion")) return kms_refuse(c, "UnsupportedOperationException", "Multi-Region keys are not simulated.");
    if (call_text(c, "CustomKeyStoreId") || call_text(c, "XksKeyId")) return kms_refuse(c, "UnsupportedOperationException", "Custom key stores are not simulated.");
    bool fits = strcmp(w->usage, "ENCRYPT_DECRYPT") == 0 ? symmetric
              : !symmetric && (strcmp(w->usage, "KEY_AGREEMENT") == 0 || strcmp(w->usage, "SIGN_VERIFY") == 0);
    if (!fits) return kms_refuse(c, "ValidationException", "KeyUsage %.60s is not compatible with KeySpec %s", w->usage, w->spec);
    return OK;
}

err op_create_key(struct kms_call *c)
{
    struct kms_key_wish w = { .region = c->region, .account = c->server->account };
    JSON policy = NULL;
    const char *description = NULL;
    TRY(wish(c, &w.spec, "CustomerMasterKeySpec", "customerMasterKeySpec", "SYMMETRIC_DEFAULT"));
    TRY(wish(c, &w.spec, "KeySpec", "keySpec", w.spec));
    TRY(wish(c, &w.usage, "KeyUsage", "keyUsage", "ENCRYPT_DECRYPT"));
    TRY(wish(c, &w.origin, "Origin", "origin", "AWS_KMS"));
    description = call_text(c, "Description");
    if (description && strlen(description) >= KMS_DESCRIPTION) return call_invalid(c, "description");
    TRY(check_wish(c, &w));
    TRY(take_policy(c, &policy));
    if (!policy) TRY(default_policy(&policy, c));
    w.policy = policy;
    kms_key_drop(&c->key);
    TRY(kms_key_make(&c->key, &w));
    TRY(check_lockout(c, policy, c->key.arn.text));
    if (description) snprintf(c->key.description, sizeof c->key.description, "%s", description);
    /* Whoever makes such a key brings its material later, by a call that is not simulated. */
    if (strcmp(w.origin, "EXTERNAL") == 0) snprintf(c->key.state, sizeof c->key.state, "PendingImport");
    TRY(kms_key_save(&c->key, c->server->dir));
    return op_describe_key(c);
}
