/* kms.c - one attempt at a KMS call: credentials, signature, exchange, verdict. */
#include "keystore/kms.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"
#include "keystore/json.h"

enum { CA_MAX = 1 << 20, TIMEOUT_MS = 10000, PORT = 443 };

struct kms {
    struct arn          arn;
    char                host[ARN_HOST_MAX];
    uint16_t            port;
    struct creds_source source;
    struct creds        creds;           /* wiped when replaced, and at the end            */
    int64_t             clock_offset;    /* KMS's clock minus ours, once it complained     */
    unsigned            timeout_ms;
    struct http        *http;
};

err kms_warm_up(void)
{
    uint8_t scratch[32];
    TRY(http_warm_up());
    json_warm_up();
    sha256(scratch, "", 0);
    hmac_sha256(scratch, "k", 1, "", 0);
    return OK;
}

static err read_ca(uint8_t **pem, size_t *n, const char *path)
{
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) FAIL(E_IO, "CA file %s", path);
    off_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || size > CA_MAX || lseek(fd, 0, SEEK_SET) != 0) FAIL(E_FORMAT, "CA file %s is empty or too large", path);
    TRY(mem_new(pem, (size_t)size));
    *n = (size_t)size;
    return fd_read(fd, *pem, *n, -1);
}

static err open_http(struct kms *k, const struct kms_config *c, http_dial dial, void *self)
{
    BYTES pem = NULL;
    size_t n = 0;
    if (c->ca_pem) return http_open(&k->http, c->ca_pem, c->ca_pem_len, dial, self);
    if (!c->ca_path) FAIL(E_FORMAT, "no certificate authority is named for KMS");
    TRY(read_ca(&pem, &n, c->ca_path));
    return http_open(&k->http, pem, n, dial, self);
}

static err fill(struct kms *k, const struct kms_config *c, http_dial dial, void *self)
{
    TRY(arn_parse(&k->arn, c->key_arn, strlen(c->key_arn)));
    TRY(arn_endpoint(k->host, &k->arn, c->fips));
    if (c->endpoint_host && c->endpoint_host[0]) {
        if (strlen(c->endpoint_host) >= sizeof k->host) FAIL(E_LIMIT, "KMS endpoint name too long");
        strcpy(k->host, c->endpoint_host);
    }
    k->port = c->endpoint_port ? c->endpoint_port : PORT;
    k->source = c->creds;
    k->timeout_ms = c->timeout_ms ? c->timeout_ms : TIMEOUT_MS;
    return open_http(k, c, dial, self);
}

err kms_open(struct kms **out, const struct kms_config *c, http_dial dial, void *self)
{
    KMS k = calloc(1, sizeof *k);
    if (!k) FAIL(E_MEMORY, "KMS client");
    TRY(fill(k, c, dial, self));
    *out = k;
    k = NULL;
    return OK;
}

void kms_close(struct kms **kp)
{
    struct kms *k = *kp;
    *kp = NULL;
    if (!k) return;
    creds_wipe(&k->creds);
    http_close(&k->http);
    free(k);
}

const struct arn *kms_arn(const struct kms *k) { return &k->arn; }

/* ---- one call ---- */

struct call {
    char target[64], host[ARN_HOST_MAX + 8], time[SIGV4_TIME], authorization[SIGV4_AUTH_MAX];
    struct sigv4_header headers[8];
    size_t count;
};

static void add(struct call *c, const char *name, const char *value)
{
    c->headers[c->count++] = (struct sigv4_header){ name, value };
}

/* Headers in the order they are added; the signature covers all of them but itself. */
static err sign(struct call *c, const struct kms *k, const char *body, size_t n)
{
    struct sigv4_scope scope = { .service = "kms" };
    _Static_assert(sizeof scope.region == sizeof k->arn.region, "one length for a region");
    sigv4_time(c->time, (int64_t)time(NULL) + k->clock_offset);
    memcpy(scope.date, c->time, 8);
    memcpy(scope.region, k->arn.region, sizeof scope.region);
    TRY(http_host_header(c->host, sizeof c->host, k->host, k->port, true));
    add(c, "content-type", "application/x-amz-json-1.1");
    add(c, "x-amz-date", c->time);
    add(c, "x-amz-target", c->target);
    if (k->creds.token[0]) add(c, "x-amz-security-token", k->creds.token);
    add(c, "host", c->host);               /* last: libcurl sends it by itself */
    const struct sigv4_request q = { .method = "POST", .path = "/", .query = "", .headers = c->headers,
                                     .header_count = c->count, .body = body, .body_len = n };
    TRY(sigv4_authorization(c->authorization, sizeof c->authorization, &q, c->time, &scope, k->creds.access_key, k->creds.secret_key));
    c->headers[c->count - 1] = (struct sigv4_header){ "authorization", c->authorization };
    return OK;
}

/* What a refused attempt teaches the next one. */
static void learn(struct kms *k, const struct kms_outcome *how, const struct http_answer *a)
{
    const char *t = how->error_type;
    if (!strcmp(t, "ExpiredTokenException") || !strcmp(t, "UnrecognizedClientException") || !strcmp(t, "InvalidClientTokenId"))
        creds_wipe(&k->creds);
    bool clock = !strcmp(t, "RequestExpired") || !strcmp(t, "RequestTimeTooSkewed") || !strcmp(t, "RequestInTheFuture")
              || (!strcmp(t, "InvalidSignatureException") && strstr(how->message, "ignature ") && strstr(how->message, "urrent"))
              || (!strcmp(t, "InvalidSignatureException") && strstr(how->message, "expired"));
    /* The date is KMS's, over TLS; it only decides whether KMS accepts our signature. */
    if (clock && a->date) k->clock_offset = a->date - (int64_t)time(NULL);
}

static err exchange(struct kms *k, struct http_answer *a, struct kms_outcome *how, const char *target, const char *body, size_t n)
{
    struct call c = { 0 };
    if (strlen(target) + 16 > sizeof c.target) FAIL(E_LIMIT, "KMS operation name");
    snprintf(c.target, sizeof c.target, "TrentService.%s", target);
    how->retryable = true;                 /* until KMS itself has spoken */
    if (creds_stale(&k->creds, (int64_t)time(NULL))) TRY(creds_fetch(&k->creds, k->http, &k->source, (int64_t)time(NULL)));
    TRY(sign(&c, k, body, n));
    struct http_request q = { .method = "POST", .tls = true, .host = k->host, .port = k->port, .path = "/",
                              .header_count = c.count, .body = body, .body_len = n, .timeout_ms = k->timeout_ms };
    memcpy(q.headers, c.headers, c.count * sizeof *c.headers);
    err e = http_call(k->http, a, &q);
    how->retryable = e.code == E_CLOSED || e.code == E_TIMEOUT || e.code == E_IO;
    TRY(e);
    e = kms_outcome_parse(how, a);
    if (e.code) learn(k, how, a);
    return e;
}

static err call(struct kms *k, struct http_answer **a, struct kms_outcome *how, const char *target, const char *body, size_t n)
{
    memset(how, 0, sizeof *how);
    *a = calloc(1, sizeof **a);
    if (!*a) FAIL(E_MEMORY, "KMS answer");
    return exchange(k, *a, how, target, body, n);
}

static void drop(struct http_answer **a)
{
    if (*a) http_answer_wipe(*a);
    free(*a);
    *a = NULL;
}
#define ANSWER __attribute__((cleanup(drop))) struct http_answer *

static void put_base64(struct wr *w, const uint8_t *p, size_t n)
{
    char *out = (char *)wr_room(w, base64_size(n));
    if (!out) return;
    base64_from(out, p, n);
    w->len--;                              /* its NUL */
}

static err derive_body(struct wr *w, const struct kms *k, const uint8_t *spki, size_t spki_len, const uint8_t *doc, size_t doc_len)
{
    wr_text(w, "{\"KeyId\":\"");
    wr_text(w, k->arn.text);
    wr_text(w, "\",\"KeyAgreementAlgorithm\":\"ECDH\",\"PublicKey\":\"");
    put_base64(w, spki, spki_len);
    wr_text(w, "\",\"Recipient\":{\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\",\"AttestationDocument\":\"");
    put_base64(w, doc, doc_len);
    wr_text(w, "\"}}");
    return wr_end(w, "DeriveSharedSecret");
}

err kms_derive_shared_secret(struct kms *k, struct kms_answer *out, const uint8_t *peer_spki, size_t peer_len,
                             const uint8_t *attestation, size_t attestation_len)
{
    ANSWER a = NULL;
    BYTES body = NULL;
    enum { CAP = 2 * (KMS_ATTESTATION_MAX + KMS_SPKI_MAX) + 1024 };
    memset(out, 0, sizeof *out);
    if (peer_len > KMS_SPKI_MAX || attestation_len > KMS_ATTESTATION_MAX) FAIL(E_LIMIT, "public key or attestation document too long");
    TRY(mem_new(&body, CAP));
    struct wr w = wr_of(body, CAP);
    TRY(derive_body(&w, k, peer_spki, peer_len, attestation, attestation_len));
    TRY(call(k, &a, &out->how, "DeriveSharedSecret", (const char *)body, w.len));
    err e = kms_answer_parse(out, a->body, a->len, k->arn.text);
    if (e.code) out->cms_len = 0;
    return e;
}

static err ask_about_key(struct kms *k, struct http_answer **a, struct kms_outcome *how, const char *target)
{
    uint8_t body[ARN_MAX + 32];
    struct wr w = wr_of(body, sizeof body);
    wr_text(&w, "{\"KeyId\":\"");
    wr_text(&w, k->arn.text);
    wr_text(&w, "\"}");
    TRY(wr_end(&w, target));
    return call(k, a, how, target, (const char *)body, w.len);
}

err kms_describe_key(struct kms *k, struct kms_outcome *how, struct kms_key *out)
{
    ANSWER a = NULL;
    TRY(ask_about_key(k, &a, how, "DescribeKey"));
    return kms_describe_parse(out, a->body, a->len, k->arn.text);
}

err kms_get_public_key(struct kms *k, struct kms_outcome *how, uint8_t spki[static KMS_SPKI_MAX], size_t *len)
{
    ANSWER a = NULL;
    TRY(ask_about_key(k, &a, how, "GetPublicKey"));
    return kms_public_key_parse(spki, len, a->body, a->len, k->arn.text);
}

unsigned kms_backoff_ms(unsigned attempt, uint32_t random)
{
    enum { BASE = 100, MOST = 5000 };
    unsigned limit = attempt < 6 ? (unsigned)BASE << attempt : MOST;
    if (limit > MOST) limit = MOST;
    return (unsigned)((uint64_t)random * (limit + 1) >> 32);
}
