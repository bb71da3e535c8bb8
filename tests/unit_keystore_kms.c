/* unit_keystore_kms.c - answers of KMS and of credential sources, read and judged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "keystore/kms.h"
#include "tests/support/check_main.h"

#define ARN "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define OTHER "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ac"
#define ID "\"KeyId\":\"" ARN "\""
#define REST "\"KeyAgreementAlgorithm\":\"ECDH\",\"KeyOrigin\":\"AWS_KMS\""
#define CMS "\"CiphertextForRecipient\":\"MIAGCQ==\""

static enum err_code derive(struct kms_answer *a, const char *json)
{
    memset(a, 0, sizeof *a);
    return kms_answer_parse(a, json, strlen(json), ARN).code;
}

START_TEST(derive_good)
{
    struct kms_answer a;
    ck_assert_int_eq(derive(&a, "{" ID "," REST "," CMS "}"), E_OK);
    ck_assert_str_eq(a.key_id, ARN);
    ck_assert_str_eq(a.key_origin, "AWS_KMS");
    ck_assert_uint_eq(a.cms_len, 4);
    ck_assert_mem_eq(a.cms, "\x30\x80\x06\x09", 4);
    /* null is how KMS leaves the plaintext out; members we do not know are for others. */
    ck_assert_int_eq(derive(&a, "{" ID "," REST "," CMS ",\"SharedSecret\":null,\"New\":[{}]}"), E_OK);
    /* The origin is told, not judged. */
    ck_assert_int_eq(derive(&a, "{" ID ",\"KeyAgreementAlgorithm\":\"ECDH\",\"KeyOrigin\":\"EXTERNAL\"," CMS "}"), E_OK);
    ck_assert_str_eq(a.key_origin, "EXTERNAL");
}
END_TEST

START_TEST(derive_bad)
{
    static const char *const bad[] = {
        "", "null", "[]", "\"x\"", "{", "{}", "<html>", "{" ID "," REST "," CMS "}x", "{" ID "," REST "," CMS "} {}",
        "{" ID "," REST "}",                                                         /* no envelope */
        "{" ID "," REST ",\"CiphertextForRecipient\":null}",
        "{" ID "," REST ",\"CiphertextForRecipient\":\"\"}",
        "{" ID "," REST ",\"CiphertextForRecipient\":\"MIAGCQ=\"}",
        "{" ID "," REST ",\"CiphertextForRecipient\":\"MIAGC\\nQ==\"}",
        "{" ID "," REST ",\"CiphertextForRecipient\":[\"MIAGCQ==\"]}",
        "{" ID "," REST "," CMS ",\"SharedSecret\":\"AAAA\"}",                       /* plaintext */
        "{" ID "," REST ",\"SharedSecret\":\"AAAA\"}",
        "{" ID "," REST "," CMS ",\"SharedSecret\":\"\"}",
        "{" ID "," REST "," CMS ",\"SharedSecret\":0}",
        "{" ID "," ID "," REST "," CMS "}",                                          /* a member twice */
        "{\"KeyId\":\"" OTHER "\"," REST "," CMS "}",                                /* another key */
        "{\"KeyId\":\"1234abcd-12ab-34cd-56ef-1234567890ab\"," REST "," CMS "}",
        "{\"KeyId\":\"" ARN " \"," REST "," CMS "}",
        "{\"KeyId\":\"" ARN "\\u0000\"," REST "," CMS "}",
        "{\"KeyId\":7," REST "," CMS "}", "{" REST "," CMS "}",
        "{" ID ",\"KeyAgreementAlgorithm\":\"ECDHE\",\"KeyOrigin\":\"AWS_KMS\"," CMS "}",
        "{" ID ",\"KeyOrigin\":\"AWS_KMS\"," CMS "}",
        "{" ID ",\"KeyAgreementAlgorithm\":\"ECDH\"," CMS "}",                        /* no origin */
        "{" ID ",\"KeyAgreementAlgorithm\":\"ECDH\",\"KeyOrigin\":true," CMS "}",
        "{" ID "," REST "," CMS ",\"x\":\"\xff\"}",
    };
    struct kms_answer a;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(derive(&a, bad[i]) == E_FORMAT, "taken, or refused for another reason: %s", bad[i]);
}
END_TEST

/* {"…","CiphertextForRecipient":"AAAA…"} with n bytes in the envelope. */
static char *with_envelope(size_t n)
{
    static const char head[] = "{" ID "," REST ",\"CiphertextForRecipient\":\"";
    uint8_t *zeros = calloc(1, n + 1);
    char *text = malloc(sizeof head + base64_size(n) + 4);
    ck_assert(zeros && text);
    memcpy(text, head, sizeof head - 1);
    base64_from(text + sizeof head - 1, zeros, n);
    strcat(text, "\"}");
    free(zeros);
    return text;
}

START_TEST(derive_sizes)
{
    struct kms_answer a;
    char *text = with_envelope(KMS_CMS_MAX);
    ck_assert_int_eq(derive(&a, text), E_OK);
    ck_assert_uint_eq(a.cms_len, KMS_CMS_MAX);
    free(text);
    text = with_envelope(KMS_CMS_MAX + 1);
    ck_assert_int_eq(derive(&a, text), E_LIMIT);
    free(text);
    char *deep = malloc(100000);
    memset(deep, '[', 99999);
    memcpy(deep, "{\"x\":", 5);
    deep[99999] = 0;
    ck_assert_int_eq(derive(&a, deep), E_LIMIT);
    free(deep);
    char long_origin[256];
    snprintf(long_origin, sizeof long_origin, "{" ID ",\"KeyAgreementAlgorithm\":\"ECDH\",\"KeyOrigin\":\"%060d\"," CMS "}", 0);
    ck_assert_int_eq(derive(&a, long_origin), E_LIMIT);
    /* Brackets inside strings are no nesting, and an escaped quote ends none. */
    ck_assert_int_eq(derive(&a, "{" ID "," REST "," CMS ",\"x\":\"[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[\"}"), E_OK);
}
END_TEST

START_TEST(derive_prefixes)
{
    const char *good = "{" ID "," REST "," CMS "}";
    struct kms_answer a;
    for (size_t n = 0; n < strlen(good); n++) {
        char *cut = strndup(good, n);
        ck_assert_int_eq(derive(&a, cut), E_FORMAT);
        free(cut);
    }
}
END_TEST

START_TEST(describe)
{
    struct kms_key k;
    const char *good = "{\"KeyMetadata\":{\"Arn\":\"" ARN "\",\"KeyManager\":\"CUSTOMER\",\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"KEY_AGREEMENT\","
                       "\"KeyState\":\"Enabled\",\"Origin\":\"AWS_KMS\",\"Enabled\":true,\"MultiRegion\":false,\"CreationDate\":1.5}}";
    ASSERT_OK(kms_describe_parse(&k, good, strlen(good), ARN));
    ck_assert_str_eq(k.key_spec, "ECC_NIST_P256");
    ck_assert_str_eq(k.custom_key_store_id, "");
    ck_assert(k.enabled && !k.multi_region);
    ASSERT_CODE(kms_describe_parse(&k, good, strlen(good), OTHER), E_FORMAT);
    static const char *const bad[] = { "{}", "{\"KeyMetadata\":[]}", "{\"KeyMetadata\":{}}", "{\"KeyMetadata\":{\"Arn\":\"" ARN "\",\"Enabled\":\"true\"}}",
                                       "{\"KeyMetadata\":{\"Arn\":\"" ARN "\",\"Origin\":1}}" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ASSERT_CODE(kms_describe_parse(&k, bad[i], strlen(bad[i]), ARN), E_FORMAT);
}
END_TEST

START_TEST(public_key)
{
    uint8_t spki[KMS_SPKI_MAX];
    size_t n;
    const char *good = "{" ID ",\"PublicKey\":\"MFkwEw==\"}";
    ASSERT_OK(kms_public_key_parse(spki, &n, good, strlen(good), ARN));
    ck_assert_uint_eq(n, 4);
    ASSERT_CODE(kms_public_key_parse(spki, &n, good, strlen(good), OTHER), E_FORMAT);
    ASSERT_CODE(kms_public_key_parse(spki, &n, "{" ID "}", strlen("{" ID "}"), ARN), E_FORMAT);
}
END_TEST

/* ---- errors ----------------------------------------------------------------- */

static enum err_code outcome(struct kms_outcome *o, int status, const char *header, const char *body)
{
    static struct http_answer a;
    memset(&a, 0, sizeof a);
    a.status = status;
    a.len = strlen(body);
    strcpy(a.request_id, "6a3b");
    strcpy(a.error_type, header);
    strcpy(a.body, body);
    return kms_outcome_parse(o, &a).code;
}

START_TEST(errors)
{
    static const struct { int status; const char *header, *body, *type, *message; enum err_code code; bool retryable; } cases[] = {
        { 400, "", "{\"__type\":\"AccessDeniedException\",\"Message\":\"User: x is not authorized\"}", "AccessDeniedException", "User: x is not authorized", E_DENIED, false },
        { 400, "", "{\"__type\":\"NotFoundException\",\"message\":\"Key 'x' does not exist\"}", "NotFoundException", "Key 'x' does not exist", E_ABSENT, false },
        { 400, "", "{\"__type\":\"com.amazonaws.kms#DisabledException:http://internal/\"}", "DisabledException", "", E_STATE, false },
        { 400, "", "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}", "ThrottlingException", "Rate exceeded", E_TIMEOUT, true },
        { 500, "", "{\"__type\":\"KMSInternalException\"}", "KMSInternalException", "", E_CLOSED, true },
        { 400, "", "{\"__type\":\"DependencyTimeoutException\"}", "DependencyTimeoutException", "", E_TIMEOUT, true },
        { 500, "", "{\"__type\":\"KeyUnavailableException\"}", "KeyUnavailableException", "", E_CLOSED, true },
        { 400, "", "{\"__type\":\"ValidationException\",\"message\":\"1 validation error\"}", "ValidationException", "1 validation error", E_FORMAT, false },
        { 400, "", "{\"__type\":\"ExpiredTokenException\"}", "ExpiredTokenException", "", E_DENIED, true },
        { 400, "", "{\"__type\":\"InvalidSignatureException\",\"message\":\"x\"}", "InvalidSignatureException", "x", E_DENIED, false },
        { 400, "", "{\"__type\":\"KMSInvalidStateException\"}", "KMSInvalidStateException", "", E_STATE, false },
        /* The type may stand in a header alone. */
        { 400, "NotFoundException:http://x", "{}", "NotFoundException", "", E_ABSENT, false },
        { 400, "NotFoundException", "", "NotFoundException", "", E_ABSENT, false },
        /* A name is the say; the status counts only without one. */
        { 503, "", "{\"__type\":\"AccessDeniedException\"}", "AccessDeniedException", "", E_DENIED, false },
        { 400, "", "{\"__type\":\"BrandNewException\"}", "BrandNewException", "", E_FORMAT, false },
        { 500, "", "{\"__type\":\"BrandNewException\"}", "BrandNewException", "", E_CLOSED, true },
        { 429, "", "{}", "", "", E_TIMEOUT, true },
        { 403, "", "{\"message\":\"no\"}", "", "no", E_DENIED, false },
        /* Something that is not KMS. */
        { 502, "", "<html>Bad Gateway</html>", "", "", E_CLOSED, true },
        { 403, "", "<html>blocked</html>", "", "", E_CLOSED, true },
        { 301, "", "", "", "", E_CLOSED, true },
        { 200, "", "anything", "", "", E_OK, false },
        /* Names and messages that would spoil a log. */
        { 400, "", "{\"__type\":\"a b\\nc\",\"message\":\"x\\ny\\u001b\"}", "", "x?y?", E_FORMAT, false },
        { 400, "", "{\"__type\":7,\"message\":[]}", "", "", E_FORMAT, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kms_outcome o;
        enum err_code code = outcome(&o, cases[i].status, cases[i].header, cases[i].body);
        ck_assert_msg(code == cases[i].code && o.retryable == cases[i].retryable, "%d %s: %s, retryable %d", cases[i].status, cases[i].body, err_text(code), o.retryable);
        ck_assert_str_eq(o.error_type, cases[i].type);
        ck_assert_str_eq(o.message, cases[i].message);
        ck_assert_int_eq(o.http_status, cases[i].status);
        ck_assert_str_eq(o.request_id, "6a3b");
    }
}
END_TEST

START_TEST(error_sizes)
{
    struct kms_outcome o;
    char body[3000];
    snprintf(body, sizeof body, "{\"__type\":\"%0100d\",\"message\":\"%02000d\"}", 0, 0);
    ck_assert_int_eq(outcome(&o, 400, "", body), E_FORMAT);
    ck_assert_str_eq(o.error_type, "");                              /* no such name is KMS's */
    ck_assert_uint_eq(strlen(o.message), sizeof o.message - 1);      /* cut */
}
END_TEST

START_TEST(backoff)
{
    ck_assert_uint_eq(kms_backoff_ms(1, 0), 0);
    ck_assert_uint_eq(kms_backoff_ms(1, UINT32_MAX), 200);
    ck_assert_uint_eq(kms_backoff_ms(3, UINT32_MAX), 800);
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        ck_assert_uint_le(kms_backoff_ms(attempt, UINT32_MAX), 5000);
        ck_assert_uint_le(kms_backoff_ms(attempt, 1u << 31), kms_backoff_ms(attempt, UINT32_MAX) / 2 + 1);
    }
    ck_assert_uint_eq(kms_backoff_ms(99, UINT32_MAX), 5000);
}
END_TEST

/* ---- credentials -------------------------------------------------------------- */

#define EXPIRES "\"Expiration\":\"2026-11-21T10:00:00Z\""
#define KEYS "\"AccessKeyId\":\"ASIAEXAMPLE\",\"SecretAccessKey\":\"se/cret+\",\"Token\":\"tok/en==\""

START_TEST(creds_good)
{
    struct creds c;
    const char *imds = "{\"Code\":\"Success\",\"LastUpdated\":\"2026-11-21T04:00:00Z\",\"Type\":\"AWS-HMAC\"," KEYS "," EXPIRES "}";
    ASSERT_OK(creds_parse(&c, imds, strlen(imds)));
    ck_assert_str_eq(c.access_key, "ASIAEXAMPLE");
    ck_assert_str_eq(c.secret_key, "se/cret+");
    ck_assert_str_eq(c.token, "tok/en==");
    ck_assert_int_eq(c.expires, 1795255200);
    const char *container = "{" KEYS ",\"RoleArn\":\"x\",\"Expiration\":\"2026-11-21T10:00:00.123Z\"}";
    ASSERT_OK(creds_parse(&c, container, strlen(container)));
    ck_assert_int_eq(c.expires, 1795255200);
    ck_assert(!creds_stale(&c, 1795255200 - 601));
    ck_assert(creds_stale(&c, 1795255200 - 599));
    ck_assert(creds_stale(&c, 1795255200 + 1));
    creds_wipe(&c);
    ck_assert(creds_stale(&c, 0));
}
END_TEST

START_TEST(creds_bad)
{
    static const struct { const char *json; enum err_code code; } bad[] = {
        { "", E_FORMAT }, { "{}", E_FORMAT }, { "{" KEYS "}", E_FORMAT }, { "{" EXPIRES "}", E_FORMAT },
        { "{" KEYS ",\"Expiration\":7}", E_FORMAT }, { "{" KEYS ",\"Expiration\":\"tomorrow\"}", E_FORMAT },
        { "{" KEYS ",\"Expiration\":\"2026-11-21T10:00:00+01:00\"}", E_FORMAT }, { "{" KEYS ",\"Expiration\":\"2026-02-30T10:00:00Z\"}", E_FORMAT },
        { "{" KEYS "," KEYS "," EXPIRES "}", E_FORMAT },
        { "{\"Code\":\"AssumeRoleUnauthorizedAccess\"," KEYS "," EXPIRES "}", E_DENIED },
        { "{\"AccessKeyId\":\"A\\r\\nX: y\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"," EXPIRES "}", E_FORMAT },
        { "{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"," EXPIRES "}", E_FORMAT },
        { "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"\",\"Token\":\"t\"," EXPIRES "}", E_FORMAT },
        { "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"\"," EXPIRES "}", E_FORMAT },
        { "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"," EXPIRES "}", E_FORMAT },
        { "{\"AccessKeyId\":\"A/B\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"," EXPIRES "}", E_FORMAT },
        { "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"t\\nu\"," EXPIRES "}", E_FORMAT },
        { "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"t u\"," EXPIRES "}", E_FORMAT },
    };
    struct creds c = { .access_key = "before" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        enum err_code code = creds_parse(&c, bad[i].json, strlen(bad[i].json)).code;
        ck_assert_msg(code == bad[i].code, "%s: %s", bad[i].json, err_text(code));
        ck_assert_str_eq(c.access_key, "before");
    }
}
END_TEST

START_TEST(container_uris)
{
    static const struct { const char *uri; enum err_code code; const char *host; unsigned port; const char *path; } cases[] = {
        { "/v2/credentials/x?id=1", E_OK, "169.254.170.2", 80, "/v2/credentials/x?id=1" },
        { "http://127.0.0.1:8080/creds", E_OK, "127.0.0.1", 8080, "/creds" },
        { "http://localhost/creds", E_OK, "localhost", 80, "/creds" },
        { "http://169.254.170.23/v1/credentials", E_OK, "169.254.170.23", 80, "/v1/credentials" },
        { "http://127.0.0.1:65535", E_OK, "127.0.0.1", 65535, "/" },
        { "http://10.0.0.1/creds", E_DENIED, 0, 0, 0 }, { "http://127.0.0.1.evil.example/", E_DENIED, 0, 0, 0 },
        { "http://127.0.0.1@evil.example/", E_DENIED, 0, 0, 0 }, { "http://169.254.170.22/", E_DENIED, 0, 0, 0 }, { "http:///x", E_DENIED, 0, 0, 0 },
        { "https://127.0.0.1/", E_FORMAT, 0, 0, 0 }, { "", E_FORMAT, 0, 0, 0 }, { "ftp://127.0.0.1/", E_FORMAT, 0, 0, 0 },
        { "http://127.0.0.1:0/", E_FORMAT, 0, 0, 0 }, { "http://127.0.0.1:65536/", E_FORMAT, 0, 0, 0 }, { "http://127.0.0.1:/", E_FORMAT, 0, 0, 0 },
        { "http://127.0.0.1:8x/", E_FORMAT, 0, 0, 0 }, { "http://127.0.0.1/a b", E_FORMAT, 0, 0, 0 }, { "/a\r\nX: y", E_FORMAT, 0, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct creds_source s;
        enum err_code code = creds_container_uri(&s, cases[i].uri).code;
        ck_assert_msg(code == cases[i].code, "%s: %s", cases[i].uri, err_text(code));
        if (code) continue;
        ck_assert_int_eq(s.kind, CREDS_CONTAINER);
        ck_assert_str_eq(s.host, cases[i].host);
        ck_assert_uint_eq(s.port, cases[i].port);
        ck_assert_str_eq(s.path, cases[i].path);
    }
}
END_TEST

static Suite *suite_answers(void) { return CHECK_SUITE("answers", derive_good, derive_bad, derive_sizes, derive_prefixes, describe, public_key); }
static Suite *suite_errors(void) { return CHECK_SUITE("errors", errors, error_sizes, backoff); }
static Suite *suite_creds(void) { return CHECK_SUITE("credentials", creds_good, creds_bad, container_uris); }
CHECK_MAIN(suite_answers, suite_errors, suite_creds)
