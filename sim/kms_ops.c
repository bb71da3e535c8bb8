/* kms_ops.c - the calls of KMS that are simulated, and how one is answered. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/buf.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "sim/files.h"
#include "sim/kms.h"

enum { PEER_MAX = 8192, DOCUMENT_BASE64_MAX = 349528, GRANTS_MAX = 1 << 20 };      /* of 262144 bytes */

err kms_refuse(struct kms_call *c, const char *error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(c->message, sizeof c->message, fmt, args);
    va_end(args);
    c->error = error;
    return (err){ E_DENIED };
}

/* ---- parts of a request ---------------------------------------------------- */

static const char *member(const struct kms_call *c, const char *name)
{
    return json_string_value(json_object_get(c->in, name));
}

static err invalid(struct kms_call *c, const char *name)
{
    return kms_refuse(c, "ValidationException", "1 validation error detected: Value at '%s' failed to satisfy constraint", name);
}

static err find_key(struct kms_call *c)
{
    const char *id = member(c, "KeyId");
    if (!id || !*id || strlen(id) > 2048) return invalid(c, "keyId");
    kms_key_drop(&c->key);
    enum err_code code = kms_key_load(&c->key, c->server->dir, id).code;
    if (code == E_ABSENT) return kms_refuse(c, "NotFoundException", "Key '%.200s' does not exist", id);
    if (code) return (err){ code };
    if (strcmp(c->key.arn.region, c->region) != 0) return kms_refuse(c, "NotFoundException", "Invalid arn %s", c->key.arn.region);
    return OK;
}

static err verify_document(struct kms_call *c, size_t n)
{
    struct attest_check want = { .root = { c->server->root, c->server->root_len }, .at = c->now, .max_age = 300, .allow_debug = true };
    const char *failed = NULL;
    err e = attest_verify(&c->attested, &failed, c->document, n, &want);
    if (e.code == E_MEMORY) return e;
    if (e.code) return kms_refuse(c, "ValidationException", "The attestation document is not valid: %s", failed ? failed : "format");
    if (!c->attested.public_key.p || c->attested.public_key.n == 0)
        return kms_refuse(c, "ValidationException", "The attestation document has no public key");
    c->has_recipient = true;
    return OK;
}

static err take_recipient(struct kms_call *c)
{
    const json_t *r = json_object_get(c->in, "Recipient");
    size_t n = 0;
    if (!r || json_is_null(r)) return OK;
    const char *algorithm = json_string_value(json_object_get(r, "KeyEncryptionAlgorithm"));
    const char *document = json_string_value(json_object_get(r, "AttestationDocument"));
    if (!algorithm || strcmp(algorithm, "RSAES_OAEP_SHA_256") != 0) return invalid(c, "recipient.keyEncryptionAlgorithm");
    if (!document || !*document || strlen(document) > DOCUMENT_BASE64_MAX) return invalid(c, "recipient.attestationDocument");
    if (base64_to(c->document, sizeof c->document, &n, document, strlen(document)).code)
        return kms_refuse(c, "ValidationException", "The attestation document is not valid: base64 or length");
    return verify_document(c, n);
}

/* ---- permission ------------------------------------------------------------ */

/* What conditions may look at. The attestation keys are there only when a verified document is. */
static err make_context(json_t **out, const struct kms_call *c)
{
    JSON j = json_object();
    const char *agreement = member(c, "KeyAgreementAlgorithm");
    if (!j) FAIL(E_MEMORY, "no memory for a context");
    if (agreement) json_object_set_new(j, "kms:KeyAgreementAlgorithm", json_string(agreement));
    for (unsigned i = 0; c->has_recipient && i < ATTEST_PCRS; i++) {
        char name[64], hex[2 * ATTEST_PCR + 1];
        if (!c->attested.pcr[i]) continue;
        hex_from(hex, c->attested.pcr[i], ATTEST_PCR);
        snprintf(name, sizeof name, "kms:RecipientAttestation:PCR%u", i);
        json_object_set_new(j, name, json_string(hex));
        if (i == 0) json_object_set_new(j, "kms:RecipientAttestation:ImageSha384", json_string(hex));
    }
    *out = json_incref(j);
    return OK;
}

static err authorize(struct kms_call *c, const char *name)
{
    char action[64];
    JSON context = NULL;
    TRY(make_context(&context, c));
    snprintf(action, sizeof action, "kms:%s", name);
    enum policy_verdict v = policy_judge(c->key.policy, action, c->key.arn.text, context);
    if (v == POLICY_ALLOWS) return OK;
    return kms_refuse(c, "AccessDeniedException", "User: arn:aws:sts::%s:assumed-role/holdfast-sim/session is not authorized to perform: %s on resource: %s %s",
                      c->key.arn.account, action, c->key.arn.text,
                      v == POLICY_DENIES ? "with an explicit deny in a resource-based policy"
                                         : "because no resource-based policy allows the action");
}

static err usable(struct kms_call *c)
{
    if (strcmp(c->key.state, "Enabled") == 0) return OK;
    if (strcmp(c->key.state, "Disabled") == 0) return kms_refuse(c, "DisabledException", "%s is disabled.", c->key.arn.text);
    return kms_refuse(c, "KMSInvalidStateException", "%s is in state %s.", c->key.arn.text, c->key.state);
}

/* ---- the calls ------------------------------------------------------------- */

static err set_base64(struct kms_call *c, const char *name, const void *p, size_t n)
{
    TEXT text = malloc(base64_size(n));
    if (!text) FAIL(E_MEMORY, "no memory for %s", name);
    base64_from(text, p, n);
    if (json_object_set_new(c->out, name, json_string(text)) != 0) FAIL(E_MEMORY, "no memory for %s", name);
    return OK;
}

static err set_envelope(struct kms_call *c, const uint8_t z[static P256_SCALAR])
{
    uint8_t cms[CMS_MAX];
    size_t n = 0;
    err e = cms_seal(cms, &n, c->attested.public_key, z, P256_SCALAR, c->server->constructed);
    if (e.code == E_FORMAT) return kms_refuse(c, "ValidationException", "The attestation document is not valid: its public key");
    TRY(e);
    return set_base64(c, "CiphertextForRecipient", cms, n);
}

static err derive_shared_secret(struct kms_call *c)
{
    const char *algorithm = member(c, "KeyAgreementAlgorithm"), *peer = member(c, "PublicKey");
    uint8_t spki[PEER_MAX], z[P256_SCALAR];
    size_t n = 0;
    if (!algorithm || strcmp(algorithm, "ECDH") != 0) return invalid(c, "keyAgreementAlgorithm");
    if (!peer || base64_to(spki, sizeof spki, &n, peer, strlen(peer)).code) return invalid(c, "publicKey");
    TRY(usable(c));
    if (strcmp(c->key.usage, "KEY_AGREEMENT") != 0)
        return kms_refuse(c, "InvalidKeyUsageException", "%s key usage is %s which is not valid for DeriveSharedSecret.", c->key.arn.text, c->key.usage);
    err e = p256_shared(z, c->key.d, spki, n);
    if (e.code == E_FORMAT) return kms_refuse(c, "ValidationException", "PublicKey is not a DER-encoded X.509 public key on the curve of the KMS key.");
    TRY(e);
    if (json_is_true(json_object_get(c->in, "DryRun")))
        return kms_refuse(c, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.");
    if (c->has_recipient) TRY(set_envelope(c, z));
    else TRY(set_base64(c, "SharedSecret", z, sizeof z));
    mem_wipe(z, sizeof z);
    json_object_set_new(c->out, "KeyId", json_string(c->key.arn.text));
    json_object_set_new(c->out, "KeyAgreementAlgorithm", json_string("ECDH"));
    json_object_set_new(c->out, "KeyOrigin", json_string(c->key.origin));
    return OK;
}

static err describe_key(struct kms_call *c)
{
    const struct kms_key *k = &c->key;
    json_t *m = json_pack("{s:s, s:s, s:s, s:I, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[s], s:b}",
                          "AWSAccountId", k->arn.account, "KeyId", k->arn.key_id, "Arn", k->arn.text, "CreationDate", (json_int_t)k->created,
                          "Enabled", strcmp(k->state, "Enabled") == 0, "Description", k->description, "KeyUsage", k->usage,
                          "KeyState", k->state, "Origin", k->origin, "KeyManager", "CUSTOMER", "KeySpec", k->spec,
                          "CustomerMasterKeySpec", k->spec, "KeyAgreementAlgorithms", "ECDH", "MultiRegion", 0);
    if (!m || json_object_set_new(c->out, "KeyMetadata", m) != 0) FAIL(E_MEMORY, "no memory for an answer");
    return OK;
}

static err get_public_key(struct kms_call *c)
{
    TRY(usable(c));
    TRY(set_base64(c, "PublicKey", c->key.spki, sizeof c->key.spki));
    JSON more = json_pack("{s:s, s:s, s:s, s:s, s:[s]}", "KeyId", c->key.arn.text, "KeySpec", c->key.spec, "CustomerMasterKeySpec", c->key.spec,
                          "KeyUsage", c->key.usage, "KeyAgreementAlgorithms", "ECDH");
    if (!more || json_object_update(c->out, more) != 0) FAIL(E_MEMORY, "no memory for an answer");
    return OK;
}

static err get_key_policy(struct kms_call *c)
{
    const char *name = member(c, "PolicyName");
    if (name && strcmp(name, "default") != 0) return kms_refuse(c, "NotFoundException", "No such policy exists");
    TEXT text = json_dumps(c->key.policy, JSON_INDENT(2));
    if (!text || json_object_set_new(c->out, "Policy", json_string(text)) != 0 || json_object_set_new(c->out, "PolicyName", json_string("default")) != 0)
        FAIL(E_MEMORY, "no memory for an answer");
    return OK;
}

/* DIR/grants/KEY-ID.json, an array of grants as ListGrants gives them; none when there is no file. The
 * marker is where the next page begins. */
static err list_grants(struct kms_call *c)
{
    char path[PATH_LONGEST], name[64];
    TEXT text = NULL;
    size_t n = 0;
    snprintf(name, sizeof name, "grants/%.40s.json", c->key.arn.key_id);
    TRY(file_path(path, c->server->dir, name));
    err e = file_read(&text, &n, path, GRANTS_MAX);
    JSON all = e.code ? json_array() : json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    if (e.code && e.code != E_ABSENT) return e;
    if (!json_is_array(all)) FAIL(E_FORMAT, "%s is no array", path);
    const json_t *limit = json_object_get(c->in, "Limit");
    const char *marker = member(c, "Marker");
    const size_t from = marker ? strtoul(marker, NULL, 10) : 0, most = json_is_integer(limit) ? (size_t)json_integer_value(limit) : 50;
    if (most < 1 || most > 1000) return invalid(c, "limit");
    if (marker && (from == 0 || from >= json_array_size(all))) return kms_refuse(c, "InvalidMarkerException", "Invalid marker");
    json_t *page = json_array();
    for (size_t i = from; i < json_array_size(all) && i < from + most; i++) json_array_append(page, json_array_get(all, i));
    const bool more = json_array_size(all) > from + most;
    json_object_set_new(c->out, "Grants", page);
    json_object_set_new(c->out, "Truncated", json_boolean(more));
    snprintf(name, sizeof name, "%zu", from + most);
    if (more) json_object_set_new(c->out, "NextMarker", json_string(name));
    return OK;
}

/* A call with `keyed` finds the key of KeyId and asks its policy first. */
struct operation { const char *name; bool keyed, recipient; err (*run)(struct kms_call *c); };
static const struct operation operations[] = {
    { "DeriveSharedSecret", true, true, derive_shared_secret },
    { "DescribeKey", true, false, describe_key },
    { "GetPublicKey", true, false, get_public_key },
    { "GetKeyPolicy", true, false, get_key_policy },
    { "ListGrants", true, false, list_grants },
};

static const struct operation *find_operation(const char *target)
{
    static const char service[] = "TrentService.";
    if (!target || strncmp(target, service, sizeof service - 1) != 0) return NULL;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, target + sizeof service - 1) == 0) return &operations[i];
    return NULL;
}

/* ---- answering ------------------------------------------------------------- */

static err run_call(struct kms_call *c)
{
    json_error_t why;
    const char *type = serve_header(c->http, "content-type");
    const struct operation *op = find_operation(serve_header(c->http, "x-amz-target"));
    if (strcmp(c->http->method, "POST") != 0 || strcmp(c->http->path, "/") != 0 || c->http->query[0] || !op
        || !type || strcmp(type, "application/x-amz-json-1.1") != 0)
        return kms_refuse(c, "UnknownOperationException", "The requested operation is not known");
    TRY(kms_authenticate(c));
    c->in = json_loadb(c->http->body, c->http->body_len, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(c->in)) return kms_refuse(c, "SerializationException", "The body is not a JSON object");
    if (op->keyed) TRY(find_key(c));
    if (op->recipient) TRY(take_recipient(c));
    if (op->keyed) TRY(authorize(c, op->name));
    return op->run(c);
}

/* The real service writes AccessDeniedException's text under "Message", all others' under "message". */
static json_t *error_body(const struct kms_call *c)
{
    bool denied = strcmp(c->error, "AccessDeniedException") == 0;
    return json_pack("{s:s, s:s}", "__type", c->error, denied ? "Message" : "message", c->message);
}

static void set_request_id(struct serve_answer *out)
{
    uint8_t b[16];
    char h[33];
    err_drop(random_bytes(b, sizeof b));
    hex_from(h, b, sizeof b);
    out->headers[0].name = "x-amzn-RequestId";
    snprintf(out->headers[0].value, sizeof out->headers[0].value, "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16, h + 20);
}

static void drop_call(struct kms_call **c)
{
    if (!*c) return;
    kms_key_drop(&(*c)->key);
    json_decref((*c)->in);
    json_decref((*c)->out);
    free(*c);
}

void kms_handle(void *self, struct serve_answer *out, const struct serve_request *q)
{
    __attribute__((cleanup(drop_call))) struct kms_call *c = calloc(1, sizeof *c);
    out->status = 500;
    out->type = "application/x-amz-json-1.1";
    set_request_id(out);
    if (!c) return;
    c->server = self;
    c->http = q;
    c->now = (int64_t)time(NULL);
    c->out = json_object();
    err e = run_call(c);
    const char *target = serve_header(q, "x-amz-target");
    if (e.code && !c->error) err_drop(kms_refuse(c, "KMSInternalException", "The simulator failed: %s", err_text(e.code)));
    else out->status = e.code ? 400 : 200;
    log_info("%s %s: %s%s%s", out->headers[0].value, target ? target : "(no target)", e.code ? c->error : "OK",
             e.code ? ": " : "", e.code ? c->message : "");
    JSON body = e.code ? error_body(c) : json_incref(c->out);
    out->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
}
