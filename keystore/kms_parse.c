/* kms_parse.c - what KMS said, judged: pure functions over the answer's bytes. */
#include "keystore/kms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "keystore/json.h"

struct verdict { const char *name; enum err_code code; bool retryable; };

/* KMS's errors by name (API Reference, "Errors" of each action and "Common Errors";
 * the throttling names are those botocore retries). The HTTP status says little: nearly all are 400. */
static const struct verdict verdicts[] = {
    { "AccessDeniedException",                    E_DENIED,  false },
    { "AccessDenied",                             E_DENIED,  false },
    { "OptInRequired",                            E_DENIED,  false },
    { "InvalidSignatureException",                E_DENIED,  false },
    { "SignatureDoesNotMatch",                    E_DENIED,  false },
    { "IncompleteSignature",                      E_DENIED,  false },
    { "IncompleteSignatureException",             E_DENIED,  false },
    { "MissingAuthenticationToken",               E_DENIED,  false },
    { "MissingAuthenticationTokenException",      E_DENIED,  false },
    { "ExpiredTokenException",                    E_DENIED,  true  },
    { "ExpiredToken",                             E_DENIED,  true  },
    { "UnrecognizedClientException",              E_DENIED,  true  },
    { "InvalidClientTokenId",                     E_DENIED,  true  },
    { "InvalidGrantTokenException",               E_DENIED,  false },
    { "RequestExpired",                           E_STATE,   false },
    { "RequestTimeTooSkewed",                     E_STATE,   false },
    { "RequestInTheFuture",                       E_STATE,   false },
    { "NotFoundException",                        E_ABSENT,  false },
    { "DisabledException",                        E_STATE,   false },
    { "KMSInvalidStateException",                 E_STATE,   false },
    { "InvalidKeyUsageException",                 E_STATE,   false },
    { "DryRunOperationException",                 E_STATE,   false },
    { "InvalidArnException",                      E_FORMAT,  false },
    { "ValidationException",                      E_FORMAT,  false },
    { "ValidationError",                          E_FORMAT,  false },
    { "SerializationException",                   E_FORMAT,  false },
    { "UnknownOperationException",                E_FORMAT,  false },
    { "KeyUnavailableException",                  E_CLOSED,  true  },
    { "DependencyTimeoutException",               E_TIMEOUT, true  },
    { "KMSInternalException",                     E_CLOSED,  true  },
    { "InternalFailure",                          E_CLOSED,  true  },
    { "InternalServerError",                      E_CLOSED,  true  },
    { "ServiceUnavailable",                       E_CLOSED,  true  },
    { "ServiceUnavailableException",              E_CLOSED,  true  },
    { "ThrottlingException",                      E_TIMEOUT, true  },
    { "Throttling",                               E_TIMEOUT, true  },
    { "ThrottledException",                       E_TIMEOUT, true  },
    { "RequestThrottledException",                E_TIMEOUT, true  },
    { "RequestThrottled",                         E_TIMEOUT, true  },
    { "TooManyRequestsException",                 E_TIMEOUT, true  },
    { "RequestLimitExceeded",                     E_TIMEOUT, true  },
    { "LimitExceededException",                   E_STATE,   false },
    { "BandwidthLimitExceeded",                   E_TIMEOUT, true  },
    { "ProvisionedThroughputExceededException",   E_TIMEOUT, true  },
    { "SlowDown",                                 E_TIMEOUT, true  },
    { "PriorRequestNotComplete",                  E_TIMEOUT, true  },
    { "RequestTimeout",                           E_TIMEOUT, true  },
    { "RequestTimeoutException",                  E_TIMEOUT, true  },
};

err kms_classify(bool *retryable, const char *error_type, int http_status)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (strcmp(verdicts[i].name, error_type) == 0) {
            *retryable = verdicts[i].retryable;
            return (err){ verdicts[i].code };
        }
    /* A name we do not know, or none: only now does the status count. */
    *retryable = http_status >= 500 || http_status == 429;
    if (http_status == 429 || http_status == 504 || http_status == 509)
        return (err){ E_TIMEOUT };
    if (http_status >= 500)
        return (err){ E_CLOSED };
    return (err){ http_status == 401 || http_status == 403 ? E_DENIED : E_FORMAT };
}

/* "com.amazonaws.kms#NotFoundException:http://…" is NotFoundException. Anything but
 * letters, digits and dots in what remains makes it no name at all. */
static void bare_name(char out[static 64], const char *type)
{
    char name[160];
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(type, ":"), type);
    const char *hash = strrchr(name, '#');
    const char *bare = hash ? hash + 1 : name;
    size_t n = strlen(bare);
    bool good = n < 64
        && strspn(bare, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.") == n;
    memcpy(out, good ? bare : "", good ? n + 1 : 1);
}

static void printable(char *s)
{
    for (; *s; s++)
        if (*s < ' ' || *s > '~')
            *s = '?';
}

/* Long messages are cut, not refused: they are only ever shown. */
static void message_of(char *out, size_t cap, const json_t *j)
{
    const char *m = json_string_value(json_object_get(j, "message"));
    if (!m)
        m = json_string_value(json_object_get(j, "Message"));
    (void)snprintf(out, cap, "%s", m ? m : "");
    printable(out);
}

err kms_outcome_parse(struct kms_outcome *out, const struct http_answer *a)
{
    JSON j = NULL;
    memset(out, 0, sizeof *out);
    out->http_status = a->status;
    (void)snprintf(out->request_id, sizeof out->request_id, "%s", a->request_id);
    printable(out->request_id);
    if (a->status == 200)
        return OK;
    bool is_json = json_read(&j, a->body, a->len, "error answer of KMS").code == E_OK;
    const char *type = json_string_value(json_object_get(j, "__type"));
    bare_name(out->error_type, type ? type : a->error_type);
    message_of(out->message, sizeof out->message, j);
    err e = kms_classify(&out->retryable, out->error_type, a->status);
    if (!is_json && out->error_type[0] == '\0') {
        /* Not KMS's own words: something between us and KMS answered. */
        out->retryable = true;
        e = (err){ E_CLOSED };
    }
    log_warn("KMS: status %d, %s: %s (request %s)%s", out->http_status,
             out->error_type[0] ? out->error_type : "no error name", out->message,
             out->request_id[0] ? out->request_id : "without id", out->retryable ? "; may be asked again" : "");
    return e;
}

static err same_key(const json_t *j, const char *member, const char *key_arn)
{
    char id[ARN_MAX];
    TRY(json_text(j, member, id, sizeof id));
    if (strcmp(id, key_arn) != 0) {
        printable(id);
        FAIL(E_FORMAT, "KMS answers for another key: %s", id);
    }
    return OK;
}

err kms_answer_parse(struct kms_answer *out, const char *json, size_t n, const char *key_arn)
{
    JSON j = NULL;
    char algorithm[16];
    TRY(json_read(&j, json, n, "DeriveSharedSecret"));
    /* Plaintext where an envelope was asked for: whoever sent this, it was not
     * made for an attested key. It is not looked at further. */
    const json_t *plain = json_object_get(j, "SharedSecret");
    if (plain && !json_is_null(plain))
        FAIL(E_FORMAT, "DeriveSharedSecret: a plaintext secret in answer to a request with a recipient");
    TRY(same_key(j, "KeyId", key_arn));
    TRY(json_text(j, "KeyAgreementAlgorithm", algorithm, sizeof algorithm));
    if (strcmp(algorithm, "ECDH") != 0)
        FAIL(E_FORMAT, "DeriveSharedSecret: another key agreement than ECDH");
    TRY(json_text(j, "KeyOrigin", out->key_origin, sizeof out->key_origin));
    printable(out->key_origin);
    TRY(json_blob(j, "CiphertextForRecipient", out->cms, sizeof out->cms, &out->cms_len));
    if (out->cms_len == 0)
        FAIL(E_FORMAT, "DeriveSharedSecret: an empty envelope");
    (void)snprintf(out->key_id, sizeof out->key_id, "%s", key_arn);
    return OK;
}

err kms_describe_parse(struct kms_key *out, const char *json, size_t n, const char *key_arn)
{
    JSON j = NULL;
    struct kms_key k = { 0 };
    TRY(json_read(&j, json, n, "DescribeKey"));
    const json_t *m = json_object_get(j, "KeyMetadata");
    if (!json_is_object(m))
        FAIL(E_FORMAT, "DescribeKey: no KeyMetadata");
    TRY(same_key(m, "Arn", key_arn));
    (void)snprintf(k.arn, sizeof k.arn, "%s", key_arn);
    TRY(json_text_or_empty(m, "KeyManager", k.key_manager, sizeof k.key_manager));
    TRY(json_text_or_empty(m, "KeySpec", k.key_spec, sizeof k.key_spec));
    TRY(json_text_or_empty(m, "KeyUsage", k.key_usage, sizeof k.key_usage));
    TRY(json_text_or_empty(m, "KeyState", k.key_state, sizeof k.key_state));
    TRY(json_text_or_empty(m, "Origin", k.origin, sizeof k.origin));
    TRY(json_text_or_empty(m, "CustomKeyStoreId", k.custom_key_store_id, sizeof k.custom_key_store_id));
    TRY(json_flag(m, "Enabled", &k.enabled));
    TRY(json_flag(m, "MultiRegion", &k.multi_region));
    *out = k;
    return OK;
}

err kms_public_key_parse(uint8_t spki[static KMS_SPKI_MAX], size_t *len, const char *json, size_t n, const char *key_arn)
{
    JSON j = NULL;
    TRY(json_read(&j, json, n, "GetPublicKey"));
    TRY(same_key(j, "KeyId", key_arn));
    return json_blob(j, "PublicKey", spki, KMS_SPKI_MAX, len);
}

unsigned kms_backoff_ms(unsigned attempt, uint32_t random)
{
    uint64_t top = attempt < 6 ? 100ull << attempt : 5000;
    top = top > 5000 ? 5000 : top;
    return (unsigned)((uint64_t)random * (top + 1) >> 32);
}
