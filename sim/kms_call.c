/* kms_call.c - the steps that operations of the simulated KMS share. */
#include "sim/kms_call.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "sim/x509.h"

enum { KEY_ID_MAX = 2048, DOCUMENT_BASE64_MAX = 349528 /* of 262144 bytes */, MAX_AGE = 300 };

err kms_refuse(struct kms_call *c, const char *error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(c->message, sizeof c->message, fmt, args);
    va_end(args);
    c->error = error;
    return (err){ E_DENIED };
}

err call_invalid(struct kms_call *c, const char *name)
{
    return kms_refuse(c, "ValidationException", "1 validation error detected: Value at '%s' failed to satisfy constraint", name);
}

/* ---- parts of a request ---------------------------------------------------- */

const char *call_text(const struct kms_call *c, const char *name)
{
    return json_string_value(json_object_get(c->in, name));
}

bool call_flag(const struct kms_call *c, const char *name)
{
    return json_is_true(json_object_get(c->in, name));
}

static const json_t *given(const struct kms_call *c, const char *name)
{
    const json_t *j = json_object_get(c->in, name);
    return json_is_null(j) ? NULL : j;
}

err call_number(struct kms_call *c, size_t *out, const char *name, const char *path, size_t most)
{
    const json_t *j = given(c, name);
    *out = 0;
    if (!j) return OK;
    json_int_t v = json_integer_value(j);
    if (!json_is_integer(j) || v < 1 || (uintmax_t)v > most) return call_invalid(c, path);
    *out = (size_t)v;
    return OK;
}

err call_words(struct kms_call *c, const char **out, const char *name, const char *path, size_t most)
{
    *out = NULL;
    if (!given(c, name)) return OK;
    *out = call_text(c, name);
    return *out && **out && strlen(*out) <= most ? OK : call_invalid(c, path);
}

err call_context(struct kms_call *c, const json_t **out)
{
    const json_t *j = given(c, "EncryptionContext");
    const char *name;
    json_t *value;
    *out = NULL;
    if (j && !json_is_object(j)) return call_invalid(c, "encryptionContext");
    json_object_foreach((json_t *)(uintptr_t)j, name, value)
        if (!json_is_string(value)) return call_invalid(c, "encryptionContext");
    *out = json_object_size(j) > 0 ? j : NULL;
    return OK;
}

static err load_key(struct kms_call *c, const char *id, const char *error)
{
    kms_key_drop(&c->key);
    enum err_code code = kms_key_load(&c->key, c->server->dir, id).code;
    if (code == E_ABSENT && error) return kms_refuse(c, error, "The ciphertext refers to no key that exists.");
    if (code == E_ABSENT) return kms_refuse(c, "NotFoundException", "Key '%.200s' does not exist", id);
    if (code) return (err){ code };
    if (strcmp(c->key.arn.region, c->region) != 0) return kms_refuse(c, "NotFoundException", "Invalid arn %s", c->key.arn.region);
    return OK;
}

err call_find_key(struct kms_call *c)
{
    const char *id = NULL;
    TRY(call_words(c, &id, "KeyId", "keyId", KEY_ID_MAX));
    return id ? load_key(c, id, NULL) : call_invalid(c, "keyId");
}

err call_find_key_of_blob(struct kms_call *c)
{
    const char *text = call_text(c, "CiphertextBlob"), *named = NULL;
    char id[BLOB_ID + 1], arn[ARN_MAX] = "";
    TRY(call_words(c, &named, "KeyId", "keyId", KEY_ID_MAX));
    if (!text || !*text || base64_to(c->blob, sizeof c->blob, &c->blob_len, text, strlen(text)).code) return call_invalid(c, "ciphertextBlob");
    if (named) {
        TRY(load_key(c, named, NULL));
        memcpy(arn, c->key.arn.text, sizeof arn);
        /* Whoever names an asymmetric key is told of its usage, not of the blob. */
        if (!kms_key_symmetric(&c->key)) return OK;
    }
    if (blob_key_id(id, c->blob, c->blob_len).code) return kms_refuse(c, "InvalidCiphertextException", "The ciphertext is not valid.");
    TRY(load_key(c, id, "InvalidCiphertextException"));
    if (arn[0] && strcmp(arn, c->key.arn.text) != 0)
        return kms_refuse(c, "IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.");
    return OK;
}

static err verify_document(struct kms_call *c, size_t n)
{
    struct attest_check want = { .root = { c->server->root, c->server->root_len }, .at = c->now, .max_age = MAX_AGE, .allow_debug = true };
    const char *failed = NULL;
    err e = attest_verify(&c->attested, &failed, c->document, n, &want);
    if (e.code == E_MEMORY) return e;
    if (e.code) return kms_refuse(c, "ValidationException", "The attestation document is not valid: %s", failed ? failed : "format");
    if (!c->attested.public_key.p || c->attested.public_key.n == 0)
        return kms_refuse(c, "ValidationException", "The attestation document has no public key");
    c->has_recipient = true;
    return OK;
}

err call_recipient(struct kms_call *c)
{
    const json_t *r = given(c, "Recipient");
    size_t n = 0;
    if (!r) return OK;
    const char *algorithm = json_string_value(json_object_get(r, "KeyEncryptionAlgorithm"));
    const char *document = json_string_value(json_object_get(r, "AttestationDocument"));
    if (!algorithm || strcmp(algorithm, "RSAES_OAEP_SHA_256") != 0) return call_invalid(c, "recipient.keyEncryptionAlgorithm");
    if (!document || !*document || strlen(document) > DOCUMENT_BASE64_MAX) return call_invalid(c, "recipient.attestationDocument");
    if (base64_to(c->document, sizeof c->document, &n, document, strlen(document)).code)
        return kms_refuse(c, "ValidationException", "The attestation document is not valid: base64 or length");
    return verify_document(c, n);
}

/* ---- permission ------------------------------------------------------------ */

static void add_attested(json_t *j, const struct kms_call *c)
{
    for (unsigned i = 0; c->has_recipient && i < ATTEST_PCRS; i++) {
        char name[64], hex[2 * ATTEST_PCR + 1];
        if (!c->attested.pcr[i]) continue;
        hex_from(hex, c->attested.pcr[i], ATTEST_PCR);
        snprintf(name, sizeof name, "kms:RecipientAttestation:PCR%u", i);
        json_object_set_new(j, name, json_string(hex));
        if (i == 0) json_object_set_new(j, "kms:RecipientAttestation:ImageSha384", json_string(hex));
    }
}

/* What conditions may look at. The attestation keys are there only when a verified document is. */
static err make_context(json_t **out, const struct kms_call *c)
{
    JSON j = json_object();
    const char *agreement = call_text(c, "KeyAgreementAlgorithm"), *word;
    const json_t *bypass = json_object_get(c->in, "BypassPolicyLockoutSafetyCheck");
    json_t *value;
    if (!j) FAIL(E_MEMORY, "no memory for a context");
    if (agreement) json_object_set_new(j, "kms:KeyAgreementAlgorithm", json_string(agreement));
    if (json_is_boolean(bypass)) json_object_set_new(j, "kms:BypassPolicyLockoutSafetyCheck", json_string(json_is_true(bypass) ? "true" : "false"));
    json_object_foreach(json_object_get(c->in, "EncryptionContext"), word, value) {
        char name[256];
        snprintf(name, sizeof name, "kms:EncryptionContext:%.200s", word);
        json_object_set(j, name, value);
    }
    add_attested(j, c);
    *out = json_incref(j);
    return OK;
}

err call_authorize(struct kms_call *c)
{
    char action[64];
    JSON context = NULL;
    TRY(make_context(&context, c));
    snprintf(action, sizeof action, "kms:%s", c->name);
    enum policy_verdict v = policy_judge(c->key.policy, action, c->key.arn.text, context);
    if (v == POLICY_ALLOWS || (v == POLICY_SILENT && grants_allow(c, c->name))) return OK;
    return kms_refuse(c, "AccessDeniedException", "User: arn:aws:sts::%s:assumed-role/holdfast-sim/session is not authorized to perform: %s on resource: %s %s",
                      c->key.arn.account, action, c->key.arn.text,
                      v == POLICY_DENIES ? "with an explicit deny in a resource-based policy"
                                         : "because no resource-based policy allows the action");
}

err call_usable(struct kms_call *c, const char *usage)
{
    if (strcmp(c->key.state, "Disabled") == 0) return kms_refuse(c, "DisabledException", "%s is disabled.", c->key.arn.text);
    if (strcmp(c->key.state, "Enabled") != 0) return kms_refuse(c, "KMSInvalidStateException", "%s is in state %s.", c->key.arn.text, c->key.state);
    if (usage && strcmp(c->key.usage, usage) != 0)
        return kms_refuse(c, "InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", c->key.arn.text, c->key.usage, c->name);
    return OK;
}

err call_dry_run(struct kms_call *c)
{
    if (!call_flag(c, "DryRun")) return OK;
    return kms_refuse(c, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.");
}

/* ---- the answer ------------------------------------------------------------ */

err call_set_text(struct kms_call *c, const char *name, const char *text)
{
    if (json_object_set_new(c->out, name, json_string(text)) != 0) FAIL(E_MEMORY, "no memory for %s", name);
    return OK;
}

err call_set_base64(struct kms_call *c, const char *name, const void *p, size_t n)
{
    TEXT text = malloc(base64_size(n));
    if (!text) FAIL(E_MEMORY, "no memory for %s", name);
    base64_from(text, p, n);
    return call_set_text(c, name, text);
}

/* The public key of a stranger, for an envelope that its receiver cannot open. */
static err other_spki(unsigned char **out, struct bytes *spki)
{
    PKEY rsa = EVP_RSA_gen(2048);
    int n = rsa ? i2d_PUBKEY(rsa, out) : -1;
    if (n <= 0) CRYPTO_FAIL("no RSA key could be made");
    *spki = (struct bytes){ *out, (size_t)n };
    return OK;
}

static err set_envelope(struct kms_call *c, const uint8_t *p, size_t n)
{
    uint8_t cms[CMS_MAX], longer[CMS_PLAIN_MAX + 1] = { 0 };
    TEXT held = NULL;
    struct bytes spki = c->attested.public_key;
    if (c->does == OTHER_RECIPIENT) TRY(other_spki((unsigned char **)&held, &spki));
    memcpy(longer, p, n);
    size_t len = n, cut = c->does == SHORT_SECRET ? n - 1 : c->does == LONG_SECRET ? n + 1 : n;
    err e = cms_seal(cms, &len, spki, longer, cut, c->server->shape);
    mem_wipe(longer, sizeof longer);
    if (e.code == E_FORMAT) return kms_refuse(c, "ValidationException", "The attestation document is not valid: its public key");
    TRY(e);
    return call_set_base64(c, "CiphertextForRecipient", cms, len);
}

err call_set_secret(struct kms_call *c, const char *name, const uint8_t *p, size_t n)
{
    bool bare = !c->has_recipient || c->does == PLAINTEXT || c->does == PLAINTEXT_ONLY;
    if (n > CMS_PLAIN_MAX) FAIL(E_LIMIT, "a secret of %zu bytes", n);
    if (c->has_recipient && c->does != PLAINTEXT_ONLY) TRY(set_envelope(c, p, n));
    return bare ? call_set_base64(c, name, p, n) : OK;
}

/* Another name where one is. */
static void replace(json_t *j, const char *name, const char *text)
{
    if (json_object_get(j, name)) json_object_set_new(j, name, json_string(text));
}

err call_lie(struct kms_call *c)
{
    char other[ARN_MAX];
    json_t *metadata = json_object_get(c->out, "KeyMetadata");
    if (c->does == EXTERNAL_ORIGIN) {
        replace(c->out, "KeyOrigin", "EXTERNAL");
        replace(metadata, "Origin", "EXTERNAL");
    }
    if (c->does == WRONG_KEY_ID && c->key.arn.text[0]) {
        memcpy(other, c->key.arn.text, sizeof other);
        char *last = &other[strlen(other) - 1];
        *last = *last == '0' ? '1' : '0';
        replace(c->out, "KeyId", other);
        replace(metadata, "Arn", other);
    }
    return OK;
}

err call_set_material(struct kms_call *c, json_t *to, const char *name)
{
    uint8_t h[32];
    char hex[65];
    if (!kms_key_symmetric(&c->key)) return OK;
    sha256(h, c->key.d, sizeof c->key.d);
    hex_from(hex, h, sizeof h);
    if (json_object_set_new(to, name, json_string(hex)) != 0) FAIL(E_MEMORY, "no memory for %s", name);
    return OK;
}
