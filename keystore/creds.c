/* creds.c - IMDSv2 and the container endpoint. */
#include "keystore/creds.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "keystore/json.h"

enum { CREDS_TIMEOUT_MS = 5000, CREDS_MARGIN = 10 * 60 };
static const char imds_host[] = "169.254.169.254";
static const char imds_roles[] = "/latest/meta-data/iam/security-credentials/";

void creds_wipe(struct creds *c)
{
    mem_wipe(c, sizeof *c);
}

bool creds_stale(const struct creds *c, int64_t now)
{
    return c->access_key[0] == '\0' || c->expires <= now || c->expires - now < CREDS_MARGIN;
}

/* "2026-11-21T04:00:00Z", as both sources write it; a fraction is allowed. */
static err parse_expiration(int64_t *out, const char *text)
{
    char basic[SIGV4_TIME];
    if (strlen(text) < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':')
        FAIL(E_FORMAT, "Expiration of the credentials is no time");
    const char *rest = text + 19;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (strcmp(rest, "Z") != 0)
        FAIL(E_FORMAT, "Expiration of the credentials is not in UTC");
    (void)snprintf(basic, sizeof basic, "%.4s%.2s%.2sT%.2s%.2s%.2sZ",
                   text, text + 5, text + 8, text + 11, text + 14, text + 17);
    return sigv4_time_parse(out, basic);
}

/* They become header values: printable, no space. */
static bool header_safe(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || *s > '~')
            return false;
    return true;
}

err creds_parse(struct creds *out, const char *json, size_t n)
{
    char expires[64], code[32];
    CREDS c = { 0 };
    JSON j = NULL;
    TRY(json_read(&j, json, n, "credentials"));
    TRY(json_text_or_empty(j, "Code", code, sizeof code));
    if (code[0] && strcmp(code, "Success") != 0)
        FAIL(E_DENIED, "the credential source answers %s", code);
    TRY(json_text(j, "AccessKeyId", c.access_key, sizeof c.access_key));
    TRY(json_text(j, "SecretAccessKey", c.secret_key, sizeof c.secret_key));
    TRY(json_text(j, "Token", c.token, sizeof c.token));
    TRY(json_text(j, "Expiration", expires, sizeof expires));
    TRY(parse_expiration(&c.expires, expires));
    if (c.access_key[0] == '\0' || c.secret_key[0] == '\0')
        FAIL(E_FORMAT, "credentials without a key: the source answers an empty one");
    /* Every source that is asked gives a role's credentials, and those are worth nothing without their token. */
    if (c.token[0] == '\0')
        FAIL(E_FORMAT, "credentials without a session token: the source answers an empty one");
    if (!header_safe(c.access_key) || !header_safe(c.token) || strpbrk(c.access_key, "/,"))
        FAIL(E_FORMAT, "credentials with characters that cannot be sent");
    *out = c;
    return OK;
}

static err call(struct http *h, struct http_answer *a, const struct http_request *q)
{
    TRY(http_call(h, a, q));
    if (a->status == 200)
        return OK;
    if (a->status == 401 || a->status == 403)
        FAIL(E_DENIED, "credential source: %s %s gives %d", q->method, q->path, a->status);
    if (a->status == 404)
        FAIL(E_ABSENT, "credential source: %s gives 404 (no role attached?)", q->path);
    FAIL(E_CLOSED, "credential source: %s %s gives %d", q->method, q->path, a->status);
}

static err imds_token(struct http *h, struct http_answer *a, struct http_request *q, char *token, size_t cap)
{
    q->method = "PUT";
    q->path = "/latest/api/token";
    q->headers[0] = (struct sigv4_header){ "x-aws-ec2-metadata-token-ttl-seconds", "21600" };
    q->header_count = 1;
    TRY(call(h, a, q));
    if (a->len == 0 || a->len >= cap || strlen(a->body) != a->len || !header_safe(a->body))
        FAIL(E_FORMAT, "metadata token of %zu bytes", a->len);
    memcpy(token, a->body, a->len + 1);
    return OK;
}

static err imds_role(struct http *h, struct http_answer *a, struct http_request *q, char *path, size_t cap)
{
    q->path = imds_roles;
    TRY(call(h, a, q));
    size_t n = strspn(a->body, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-");
    if (n == 0 || n > 128 || a->body[n + strspn(a->body + n, "\r\n")] != '\0')
        FAIL(E_FORMAT, "role name of %zu bytes", a->len);
    (void)snprintf(path, cap, "%s%.*s", imds_roles, (int)n, a->body);
    return OK;
}

static err fetch_imds(struct creds *out, struct http *h, struct http_answer *a, struct http_request *q)
{
    char token[1024], path[256];
    TRY(imds_token(h, a, q, token, sizeof token));
    q->method = "GET";
    q->headers[0] = (struct sigv4_header){ "x-aws-ec2-metadata-token", token };
    TRY(imds_role(h, a, q, path, sizeof path));
    q->path = path;
    err e = call(h, a, q);
    mem_wipe(token, sizeof token);
    TRY(e);
    return creds_parse(out, a->body, a->len);
}

static err fetch_container(struct creds *out, struct http *h, struct http_answer *a, struct http_request *q,
                           const struct creds_source *s)
{
    q->method = "GET";
    q->path = s->path;
    if (s->authorization[0])
        q->headers[q->header_count++] = (struct sigv4_header){ "authorization", s->authorization };
    TRY(call(h, a, q));
    return creds_parse(out, a->body, a->len);
}

static void free_answer(struct http_answer **a)
{
    if (*a) {
        http_answer_wipe(*a);
        free(*a);
    }
}

err creds_fetch(struct creds *out, struct http *h, const struct creds_source *s, int64_t now)
{
    __attribute__((cleanup(free_answer))) struct http_answer *a = calloc(1, sizeof *a);
    if (!a)
        FAIL(E_MEMORY, "no memory for an answer");
    CREDS c = { 0 };
    if (s->kind == CREDS_GIVEN) {
        if (!header_safe(s->given.access_key) || !header_safe(s->given.token) || !s->given.access_key[0] || !s->given.secret_key[0])
            FAIL(E_FORMAT, "the environment's credentials are missing, or are no credentials");
        *out = s->given;
        out->expires = INT64_MAX;        /* nobody says when: KMS will */
        return OK;
    }
    struct http_request q = {
        .host = s->host[0] ? s->host : imds_host, .port = s->port ? s->port : 80, .timeout_ms = CREDS_TIMEOUT_MS,
    };
    if (s->kind == CREDS_IMDS)
        TRY(fetch_imds(&c, h, a, &q));
    else
        TRY(fetch_container(&c, h, a, &q, s));
    if (c.expires <= now)
        FAIL(E_STATE, "the credential source gives credentials that have expired");
    *out = c;
    log_info("session credentials until %lld (unix seconds)", (long long)c.expires);
    return OK;
}

static bool port_of(uint16_t *out, const char *digits, size_t n)
{
    unsigned v = 0;
    if (n == 0 || n > 5)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        v = v * 10 + (unsigned)(digits[i] - '0');
    }
    *out = (uint16_t)v;
    return v >= 1 && v <= 65535;
}

err creds_container_uri(struct creds_source *out, const char *uri)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost", "169.254.170.2", "169.254.170.23" };
    struct creds_source s = { .kind = CREDS_CONTAINER, .port = 80 };
    const char *path = uri, *host = hosts[2];
    size_t n = strlen(host);
    if (*uri != '/') {
        if (strncmp(uri, "http://", 7) != 0)
            FAIL(E_FORMAT, "container credentials URI: http:// or a path");
        host = uri + 7;
        n = strcspn(host, ":/");
        path = host + strcspn(host, "/");
        if (host[n] == ':' && !port_of(&s.port, host + n + 1, (size_t)(path - host) - n - 1))
            FAIL(E_FORMAT, "container credentials URI: bad port");
    }
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts && s.host[0] == '\0'; i++)
        if (strlen(hosts[i]) == n && strncmp(hosts[i], host, n) == 0)
            memcpy(s.host, hosts[i], n + 1);
    if (s.host[0] == '\0')
        FAIL(E_DENIED, "container credentials URI: only loopback and the container endpoints");
    if (strlen(path) >= sizeof s.path || !header_safe(path))
        FAIL(E_FORMAT, "container credentials URI: bad path");
    memcpy(s.path, *path ? path : "/", strlen(*path ? path : "/") + 1);
    *out = s;
    return OK;
}
