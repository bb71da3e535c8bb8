/* kms_parse.c - what KMS answers, read and judged. Pure: no network, no credential. */
#include <stdio.h>
#include <string.h>

#include "keystore/json.h"
#include "keystore/kms.h"

/* How KMS's error names read for us (AWS KMS API Reference, "Common Errors" and
 * DeriveSharedSecret; throttling and transient names as the AWS tools retry them). */
static const struct meaning { const char *type; enum err_code code; bool retryable; } meanings[] = {
    { "AccessDeniedException", E_DENIED, false },
    { "ExpiredTokenException", E_DENIED, true },           /* with fresh credentials */
    { "UnrecognizedClientException", E_DENIED, true },
    { "InvalidClientTokenId", E_DENIED, true },
    { "MissingAuthenticationTokenException", E_DENIED, false },
    { "IncompleteSignature", E_DENIED, false },
    { "InvalidSignatureException", E_DENIED, true },       /* with the clock corrected */
    { "RequestExpired", E_STATE, true },
    { "RequestTimeTooSkewed", E_STATE, true },
    { "RequestInTheFuture", E_STATE, true },
    { "NotFoundException", E_ABSENT, false },
    { "DisabledException", E_STATE, false },
    { "InvalidKeyUsageException", E_STATE, false },
    { "KMSInvalidStateException", E_STATE, false },
    { "InvalidGrantTokenException", E_DENIED, false },
    { "DryRunOperationException", E_STATE, false },
    { "ValidationException", E_FORMAT, false },
    { "KeyUnavailableException", E_CLOSED, true },
    { "DependencyTimeoutException", E_TIMEOUT, true },
    { "KMSInternalException", E_CLOSED, true },
    { "InternalFailure", E_CLOSED, true },
    { "ServiceUnavailable", E_CLOSED, true },
    { "ThrottlingException", E_TIMEOUT, true },
    { "Throttling", E_TIMEOUT, true },
    { "ThrottledException", E_TIMEOUT, true },
    { "RequestThrottledException", E_TIMEOUT, true },
    { "RequestThrottled", E_TIMEOUT, true },
    { "TooManyRequestsException", E_TIMEOUT, true },
    { "RequestLimitExceeded", E_TIMEOUT, true },
    { "BandwidthLimitExceeded", E_TIMEOUT, true },
    { "SlowDown", E_TIMEOUT, true },
    { "PriorRequestNotComplete", E_TIMEOUT, true },
    { "ProvisionedThroughputExceededException", E_TIMEOUT, true },
    { "RequestTimeout", E_TIMEOUT, true },
    { "RequestTimeoutException", E_TIMEOUT, true },
};

err kms_classify(bool *retryable, const char *error_type, int http_status)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strcmp(meanings[i].type, error_type) == 0) {
            *retryable = meanings[i].retryable;
            return (err){ meanings[i].code };
        }
    /* By status only when KMS did not name the error, or named one we do not know. */
    *retryable = http_status == 429 || http_status == 500 || (http_status >= 502 && http_status <= 504) || http_status == 509;
    return (err){ *retryable ? E_CLOSED : E_DENIED };
}

/* "com.amazonaws.kms#Name:http://…" -> "Name". */
static void normalise(char *out, size_t cap, const char *text)
{
    size_t n = strcspn(text, ":");
    for (size_t i = n; i > 0; i--)
        if (text[i - 1] == '#') {
            text += i;
            n -= i;
            break;
        }
    if (n >= cap) n = 0;                 /* no error of KMS's has such a name */
    memcpy(out, text, n);
    out[n] = 0;
    for (char *p = out; *p; p++)
        if (*p < 0x21 || *p > 0x7e) *p = '?';
}

static void take_message(struct kms_outcome *out, const json_t *j)
{
    char room[2048] = "";
    if (json_text_or_empty(j, "message", room, sizeof room).code || !room[0])
        if (json_text_or_empty(j, "Message", room, sizeof room).code) room[0] = 0;
    snprintf(out->message, sizeof out->message, "%s", room);
    for (char *p = out->message; *p; p++)
        if (*p < 0x20 || *p > 0x7e) *p = '?';
}

err kms_outcome_parse(struct kms_outcome *out, const struct http_answer *a)
{
    memset(out, 0, sizeof *out);
    out->http_status = a->status;
    snprintf(out->request_id, sizeof out->request_id, "%s", a->request_id);
    if (a->status == 200) return OK;
    char type[256] = "";
    JSON j = NULL;
    /* A body that is no JSON comes from something before KMS: a transport failure, by its status. */
    if (!json_read(&j, a->body, a->len, "KMS error").code) {
        if (json_text_or_empty(j, "__type", type, sizeof type).code) type[0] = 0;
        take_message(out, j);
    }
    normalise(out->error_type, sizeof out->error_type, type[0] ? type : a->error_type);
    return kms_classify(&out->retryable, out->error_type, a->status);
}

static err same_key(const json_t *j, char *out, size_t cap, const char *member, const char *key_arn)
{
    TRY(json_text(j, member, out, cap));
    if (strcmp(out, key_arn) != 0) FAIL(E_FORMAT, "KMS answered for another key than %s", key_arn);
    return OK;
}

err kms_answer_parse(struct kms_answer *out, const char *json, size_t n, const char *key_arn)
{
    JSON j = NULL;
    char algorithm[16];
    TRY(json_read(&j, json, n, "DeriveSharedSecret answer"));
    TRY(same_key(j, out->key_id, sizeof out->key_id, "KeyId", key_arn));
    TRY(json_text(j, "KeyAgreementAlgorithm", algorithm, sizeof algorithm));
    if (strcmp(algorithm, "ECDH") != 0) FAIL(E_FORMAT, "KMS answered with key agreement %s", algorithm);
    TRY(json_text(j, "KeyOrigin", out->key_origin, sizeof out->key_origin));
    const json_t *plain = json_object_get(j, "SharedSecret");
    if (plain && !json_is_null(plain)) FAIL(E_FORMAT, "KMS answered with a plaintext secret");
    TRY(json_blob(j, "CiphertextForRecipient", out->cms, sizeof out->cms, &out->cms_len));
    if (!out->cms_len) FAIL(E_FORMAT, "KMS answered with an empty envelope");
    return OK;
}

err kms_describe_parse(struct kms_key *out, const char *json, size_t n, const char *key_arn)
{
    JSON j = NULL;
    memset(out, 0, sizeof *out);
    TRY(json_read(&j, json, n, "DescribeKey answer"));
    const json_t *m = json_object_get(j, "KeyMetadata");
    if (!json_is_object(m)) FAIL(E_FORMAT, "DescribeKey answer without KeyMetadata");
    TRY(same_key(m, out->arn, sizeof out->arn, "Arn", key_arn));
    TRY(json_text_or_empty(m, "KeyManager", out->key_manager, sizeof out->key_manager));
    TRY(json_text_or_empty(m, "KeySpec", out->key_spec, sizeof out->key_spec));
    TRY(json_text_or_empty(m, "KeyUsage", out->key_usage, sizeof out->key_usage));
    TRY(json_text_or_empty(m, "KeyState", out->key_state, sizeof out->key_state));
    TRY(json_text_or_empty(m, "Origin", out->origin, sizeof out->origin));
    TRY(json_text_or_empty(m, "CustomKeyStoreId", out->custom_key_store_id, sizeof out->custom_key_store_id));
    TRY(json_flag(m, "Enabled", &out->enabled));
    return json_flag(m, "MultiRegion", &out->multi_region);
}

err kms_public_key_parse(uint8_t spki[static KMS_SPKI_MAX], size_t *len, const char *json, size_t n, const char *key_arn)
{
    JSON j = NULL;
    char key_id[ARN_MAX];
    TRY(json_read(&j, json, n, "GetPublicKey answer"));
    TRY(same_key(j, key_id, sizeof key_id, "KeyId", key_arn));
    return json_blob(j, "PublicKey", spki, KMS_SPKI_MAX, len);
}
