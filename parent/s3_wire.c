/* s3_wire.c - see s3_wire.h. */
#include "parent/s3_wire.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "parent/s3_list.h"

void s3_answer_drop(struct s3_answer *a)
{
    mem_free_bytes(&a->body);
}

void s3_wire_end(void **handle)
{
    if (*handle) curl_easy_cleanup(*handle);
    *handle = NULL;
}

static void drop_list(struct curl_slist **l)
{
    curl_slist_free_all(*l);
}

static size_t take(char *p, size_t size, size_t count, void *self)
{
    struct s3_answer *a = self;
    size_t n = size * count;
    if (n > a->cap - a->len) {
        a->too_long = true;
        return 0;
    }
    uint8_t *more = realloc(a->body, a->len + n + 1);
    if (!more) return 0;
    a->body = more;
    memcpy(a->body + a->len, p, n);
    a->len += n;
    a->body[a->len] = '\0';
    return n;
}

static size_t header(char *p, size_t size, size_t count, void *self)
{
    struct s3_answer *a = self;
    size_t n = size * count;
    char line[256];
    if (n >= sizeof line) return n;
    memcpy(line, p, n);
    line[n] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    const char *value = strchr(line, ':');
    if (!value) return n;
    while (*++value == ' ') continue;
    if (!strncasecmp(line, "etag:", 5)) snprintf(a->etag, sizeof a->etag, "%.150s", value);
    if (!strncasecmp(line, "retry-after:", 12)) a->retry_after = strtol(value, NULL, 10);
    if (!strncasecmp(line, "content-length:", 15)) a->length = strtoull(value, NULL, 10);
    return n;
}

static bool add(struct curl_slist **l, const char *line)
{
    struct curl_slist *more = curl_slist_append(*l, line);
    if (more) *l = more;
    return more != NULL;
}

/* curl 7.88 signs all headers that it is given here, and takes the body's hash from x-amz-content-sha256. */
static bool set_headers(CURL *c, struct curl_slist **l, const struct s3_wire *w)
{
    char line[S3_TOKEN + 64], hex[65];
    uint8_t hash[32];
    bool ok = true;
    if (w->keys) {
        sha256(hash, w->body ? w->body : "", w->body_len);
        hex_from(hex, hash, sizeof hash);
        snprintf(line, sizeof line, "x-amz-content-sha256: %s", hex);
        ok = add(l, line);
        if (w->keys->token[0]) {
            snprintf(line, sizeof line, "x-amz-security-token: %s", w->keys->token);
            ok = ok && add(l, line);
        }
    }
    if (w->body) ok = ok && add(l, "Content-Type: application/octet-stream");
    for (size_t i = 0; w->headers && w->headers[i]; i++) ok = ok && add(l, w->headers[i]);
    mem_wipe(line, sizeof line);
    return ok && curl_easy_setopt(c, CURLOPT_HTTPHEADER, *l) == CURLE_OK;
}

static bool set_keys(CURL *c, const struct s3_wire *w)
{
    char provider[96];
    if (!w->keys) return true;
    snprintf(provider, sizeof provider, "aws:amz:%s:s3", w->region);
    return curl_easy_setopt(c, CURLOPT_AWS_SIGV4, provider) == CURLE_OK && curl_easy_setopt(c, CURLOPT_USERNAME, w->keys->id) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PASSWORD, w->keys->secret) == CURLE_OK;
}

static bool set_up(CURL *c, struct s3_answer *out, struct curl_slist **l, const struct s3_wire *w)
{
    const bool head = strcmp(w->method, "HEAD") == 0;
    bool ok = curl_easy_setopt(c, CURLOPT_URL, w->url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, w->timeout_s < 10 ? 2L : 5L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_TIMEOUT, w->timeout_s) == CURLE_OK && curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 15L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1,169.254.169.254") == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take) == CURLE_OK && curl_easy_setopt(c, CURLOPT_WRITEDATA, out) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, header) == CURLE_OK && curl_easy_setopt(c, CURLOPT_HEADERDATA, out) == CURLE_OK &&
              /* A body of more than 1 MiB announces itself; who does not answer that gets it at once. */
              curl_easy_setopt(c, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L) == CURLE_OK;
    if (w->fresh) ok = ok && curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK;
    if (w->body)
        ok = ok && curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)w->body_len) == CURLE_OK &&
             curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)w->body) == CURLE_OK;
    if (head) ok = ok && curl_easy_setopt(c, CURLOPT_NOBODY, 1L) == CURLE_OK;
    else if (strcmp(w->method, "GET") != 0) ok = ok && curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, w->method) == CURLE_OK;
    return ok && set_keys(c, w) && set_headers(c, l, w);
}

err s3_wire(struct s3_answer *out, const struct s3_wire *w)
{
    __attribute__((cleanup(s3_wire_end))) void *own = NULL;
    __attribute__((cleanup(drop_list))) struct curl_slist *headers = NULL;
    void **handle = w->handle ? w->handle : &own;
    const unsigned tries = out->tries;
    s3_answer_drop(out);
    *out = (struct s3_answer){ .cap = w->cap, .tries = tries + 1 };
    TRY(mem_new(&out->body, 1));
    if (!*handle && !(*handle = curl_easy_init())) FAIL(E_MEMORY, "an HTTP client");
    curl_easy_reset(*handle);                /* keeps its connections */
    if (!set_up(*handle, out, &headers, w)) FAIL(E_FORMAT, "s3: %s cannot be asked", w->url);
    CURLcode rc = curl_easy_perform(*handle);
    /* No pointer to what ends here stays in a handle that goes on. */
    long status = 0;
    if (curl_easy_getinfo(*handle, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK) status = 0;
    curl_easy_reset(*handle);
    if (rc == CURLE_OK) {
        out->status = status;
        if (status >= 300 && out->len && s3_element(out->code, sizeof out->code, "Code", (char *)out->body, out->len).code) out->code[0] = '\0';
        return OK;
    }
    if (out->too_long) FAIL(E_LIMIT, "s3: an answer of more than %zu bytes", w->cap);
    log_debug("s3: %s: %s", w->method, curl_easy_strerror(rc));
    if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE)
        FAIL(E_AUTH, "s3: the server's certificate does not verify: %s", curl_easy_strerror(rc));
    return (err){ rc == CURLE_OPERATION_TIMEDOUT ? E_TIMEOUT : rc == CURLE_OUT_OF_MEMORY ? E_MEMORY : E_CLOSED };
}
