/* kms.c - one signed request to KMS, and the credentials and clock it needs. */
#include "keystore/kms.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "keystore/json.h"

enum { CA_MAX = 1 << 20, DEFAULT_TIMEOUT_MS = 10000 };

struct kms {
    struct arn arn;
    char host[ARN_HOST_MAX];
    uint16_t port;
    unsigned timeout_ms;
    struct http *http;
    struct creds_source source;
    struct creds creds;
    bool creds_are_new;              /* fetched for the request under way */
    bool clock_learned;
    int64_t clock_offset;            /* KMS's clock minus ours, once KMS complained */
    struct http_answer answer;       /* of the request under way */
};

err kms_warm_up(void)
{
    char tmp[SIGV4_TIME];
    TRY(http_warm_up());
    json_warm_up();
    tzset();
    sigv4_time(tmp, time(NULL));
    return OK;
}

static err read_ca(uint8_t **out, size_t *n, const char *path)
{
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        FAIL(E_IO, "CA bundle %s: %m", path);
    if (st.st_size <= 0 || st.st_size > CA_MAX)
        FAIL(E_LIMIT, "CA bundle %s: %lld bytes", path, (long long)st.st_size);
    BYTES p = NULL;
    *n = (size_t)st.st_size;
    TRY(mem_new(&p, *n));
    if (read(fd, p, *n) != (ssize_t)*n)
        FAIL(E_IO, "CA bundle %s: cannot be read whole", path);
    *out = take_bytes(&p);
    return OK;
}

static err open_http(struct kms *k, const struct kms_config *c, http_dial dial, void *self)
{
    if (c->ca_pem)
        return http_open(&k->http, c->ca_pem, c->ca_pem_len, dial, self);
    if (!c->ca_path || !c->ca_path[0])
        FAIL(E_FORMAT, "no CA bundle for KMS configured");
    BYTES ca = NULL;
    size_t n = 0;
    TRY(read_ca(&ca, &n, c->ca_path));
    return http_open(&k->http, ca, n, dial, self);
}

err kms_open(struct kms **out, const struct kms_config *c, http_dial dial, void *self)
{
    KMS k = calloc(1, sizeof *k);
    if (!k)
        FAIL(E_MEMORY, "no memory for the KMS client");
    TRY(arn_parse(&k->arn, c->key_arn, strlen(c->key_arn)));
    if (c->endpoint_host && c->endpoint_host[0]) {
        int n = snprintf(k->host, sizeof k->host, "%s", c->endpoint_host);
        if (n < 0 || (size_t)n >= sizeof k->host)
            FAIL(E_LIMIT, "endpoint host name too long");
    } else {
        TRY(arn_endpoint(k->host, &k->arn, c->fips));
    }
    k->port = c->endpoint_port ? c->endpoint_port : 443;
    k->timeout_ms = c->timeout_ms ? c->timeout_ms : DEFAULT_TIMEOUT_MS;
    k->source = c->creds;
    TRY(open_http(k, c, dial, self));
    *out = k;
    k = NULL;
    return OK;
}

void kms_close(struct kms **k)
{
    if (!*k)
        return;
    http_close(&(*k)->http);
    creds_wipe(&(*k)->creds);
    mem_wipe(&(*k)->source, sizeof (*k)->source);
    http_answer_wipe(&(*k)->answer);
    free(*k);
    *k = NULL;
}

const struct arn *kms_arn(const struct kms *k)
{
    return &k->arn;
}

static err fresh_creds(struct kms *k)
{
    int64_t now = (int64_t)time(NULL);
    k->creds_are_new = false;
    if (!creds_stale(&k->creds, now))
        return OK;
    err e = creds_fetch(&k->creds, k->http, &k->source, now);
    if (e.code == E_OK)
        k->creds_are_new = true;
    /* Stale is not expired: those we have serve until their last minute. */
    else if (k->creds.access_key[0] && k->creds.expires > now + 60)
        return OK;
    return e;
}

/* The headers of JSON 1.1, signed: all of them, and Host. */
static err sign_headers(struct kms *k, struct http_request *q, char time_text[static SIGV4_TIME],
                        char authorization[static SIGV4_AUTH_MAX])
{
    char host[ARN_HOST_MAX + 8];
    struct sigv4_header signed_headers[HTTP_HEADERS_MAX + 1];
    struct sigv4_scope scope = { .service = "kms" };
    sigv4_time(time_text, (int64_t)time(NULL) + k->clock_offset);
    memcpy(scope.date, time_text, 8);
    memcpy(scope.region, k->arn.region, sizeof scope.region);
    q->headers[q->header_count++] = (struct sigv4_header){ "x-amz-date", time_text };
    if (k->creds.token[0])
        q->headers[q->header_count++] = (struct sigv4_header){ "x-amz-security-token", k->creds.token };
    TRY(http_host_header(host, sizeof host, q->host, q->port, q->tls));
    memcpy(signed_headers, q->headers, q->header_count * sizeof *q->headers);
    signed_headers[q->header_count] = (struct sigv4_header){ "host", host };
    struct sigv4_request s = {
        .method = q->method, .path = q->path, .query = "", .headers = signed_headers,
        .header_count = q->header_count + 1, .body = q->body, .body_len = q->body_len,
    };
    TRY(sigv4_authorization(authorization, SIGV4_AUTH_MAX, &s, time_text, &scope,
                            k->creds.access_key, k->creds.secret_key));
    q->headers[q->header_count++] = (struct sigv4_header){ "authorization", authorization };
    return OK;
}

static bool one_of(const char *s, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(s, *names) == 0)
            return true;
    return false;
}

/* What we can do ourselves about a refusal: forget credentials that KMS no longer
 * takes, or believe KMS's clock once. Either makes another attempt worth while. */
static void learn(struct kms *k, struct kms_outcome *how)
{
    static const char *const creds[] = {
        "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId", NULL
    };
    static const char *const clock[] = { "RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture", NULL };
    if (one_of(how->error_type, creds)) {
        creds_wipe(&k->creds);
        how->retryable = !k->creds_are_new;
        return;
    }
    bool skewed = one_of(how->error_type, clock)
        || (strcmp(how->error_type, "InvalidSignatureException") == 0
            && (strstr(how->message, "Signature expired") || strstr(how->message, "Signature not yet current")));
    if (skewed && !k->clock_learned && k->answer.date > 0) {
        k->clock_offset = k->answer.date - (int64_t)time(NULL);
        k->clock_learned = true;
        how->retryable = true;
        log_warn("KMS's clock is %lld s from ours; its time is used to sign", (long long)k->clock_offset);
    }
}

static bool worth_retrying(err e)
{
    return e.code == E_CLOSED || e.code == E_TIMEOUT || e.code == E_IO;
}

/* One request, its answer left in k->answer when OK. */
static err call(struct kms *k, struct kms_outcome *how, const char *target, const char *body, size_t n)
{
    char time_text[SIGV4_TIME], authorization[SIGV4_AUTH_MAX];
    struct http_request q = {
        .method = "POST", .tls = true, .host = k->host, .port = k->port, .path = "/",
        .headers = { { "content-type", "application/x-amz-json-1.1" }, { "x-amz-target", target } },
        .header_count = 2, .body = body, .body_len = n, .timeout_ms = k->timeout_ms,
    };
    memset(how, 0, sizeof *how);
    err e = fresh_creds(k);
    if (e.code == E_OK)
        e = sign_headers(k, &q, time_text, authorization);
    if (e.code == E_OK)
        e = http_call(k->http, &k->answer, &q);
    if (e.code != E_OK) {
        how->retryable = worth_retrying(e);
        return e;
    }
    e = kms_outcome_parse(how, &k->answer);
    if (e.code != E_OK) {
        learn(k, how);
        return e;
    }
    /* Every answer that we ask KMS for is a JSON object; a page of HTML is from something in between. */
    if (k->answer.body[strspn(k->answer.body, " \t\r\n")] == '<') {
        how->retryable = true;
        FAIL(E_CLOSED, "what answered with status 200 is not KMS");
    }
    return OK;
}

/* {"KeyId":…,"KeyAgreementAlgorithm":"ECDH",…}: all values are base64 or a checked ARN, so
 * nothing needs escaping. */
static err derive_body(uint8_t **out, size_t *n, const struct kms *k, const uint8_t *peer, size_t peer_len,
                       const uint8_t *attestation, size_t attestation_len)
{
    size_t cap = 512 + base64_size(peer_len) + base64_size(attestation_len);
    BYTES body = NULL;
    BYTES text = NULL;
    TRY(mem_new(&body, cap));
    TRY(mem_new(&text, base64_size(peer_len > attestation_len ? peer_len : attestation_len)));
    struct wr w = wr_of(body, cap);
    wr_text(&w, "{\"KeyId\":\"");
    wr_text(&w, k->arn.text);
    wr_text(&w, "\",\"KeyAgreementAlgorithm\":\"ECDH\",\"PublicKey\":\"");
    base64_from((char *)text, peer, peer_len);
    wr_text(&w, (char *)text);
    wr_text(&w, "\",\"Recipient\":{\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\",\"AttestationDocument\":\"");
    base64_from((char *)text, attestation, attestation_len);
    wr_text(&w, (char *)text);
    wr_text(&w, "\"}}");
    TRY(wr_end(&w, "DeriveSharedSecret"));
    *n = w.len;
    *out = take_bytes(&body);
    return OK;
}

err kms_derive_shared_secret(struct kms *k, struct kms_answer *out, const uint8_t *peer_spki, size_t peer_len,
                             const uint8_t *attestation, size_t attestation_len)
{
    BYTES body = NULL;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    if (peer_len == 0 || peer_len > KMS_SPKI_MAX || attestation_len == 0 || attestation_len > KMS_ATTESTATION_MAX)
        FAIL(E_LIMIT, "DeriveSharedSecret: peer key of %zu, document of %zu bytes", peer_len, attestation_len);
    TRY(derive_body(&body, &n, k, peer_spki, peer_len, attestation, attestation_len));
    err e = call(k, &out->how, "TrentService.DeriveSharedSecret", (char *)body, n);
    if (e.code == E_OK)
        e = kms_answer_parse(out, k->answer.body, k->answer.len, k->arn.text);
    http_answer_wipe(&k->answer);
    return e;
}

err kms_ask(struct kms *k, struct kms_outcome *how, const char *operation, const char *more, struct bytes *body)
{
    char target[64], text[2048];
    int n = snprintf(target, sizeof target, "TrentService.%s", operation);
    int m = snprintf(text, sizeof text, "{\"KeyId\":\"%s\"%s}", k->arn.text, more);
    MUST(n > 0 && (size_t)n < sizeof target && m > 0 && (size_t)m < sizeof text);
    TRY(call(k, how, target, text, (size_t)m));
    *body = (struct bytes){ k->answer.body, k->answer.len };
    return OK;
}

err kms_describe_key(struct kms *k, struct kms_outcome *how, struct kms_key *out)
{
    struct bytes body;
    TRY(kms_ask(k, how, "DescribeKey", "", &body));
    return kms_describe_parse(out, body.p, body.n, k->arn.text);
}

err kms_get_public_key(struct kms *k, struct kms_outcome *how, uint8_t spki[static KMS_SPKI_MAX], size_t *len)
{
    struct bytes body;
    TRY(kms_ask(k, how, "GetPublicKey", "", &body));
    return kms_public_key_parse(spki, len, body.p, body.n, k->arn.text);
}
