/* http.c - libcurl, with everything it would do by itself switched off.
 *
 * One easy handle serves all requests of a process: the multi handle inside it
 * (and its wake-up socket pair) is made by a first, empty run in http_open(), so
 * that later requests open no descriptor of their own. */
#include "keystore/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "keystore/connect.h"

enum { HEADER_BYTES_MAX = 32 << 10 };

struct http {
    CURL *curl;
    uint8_t *ca;
    size_t ca_len;
    http_dial dial;
    void *self;
    /* of the request under way */
    int fd;                          /* connected, not yet taken by libcurl; or -1 */
    struct http_answer *answer;
    size_t header_bytes;
    bool too_long;
    char reason[CURL_ERROR_SIZE];
};

/* libcurl gives back request buffers and header copies as they are; here they
 * are wiped first. The usable size is at least what was asked for. */
static void wiping_free(void *p)
{
    if (p) {
        mem_wipe(p, malloc_usable_size(p));
        free(p);
    }
}

static void *wiping_realloc(void *p, size_t n)
{
    if (!p)
        return malloc(n);
    void *q = malloc(n);
    if (!q)
        return NULL;
    size_t old = malloc_usable_size(p);
    memcpy(q, p, old < n ? old : n);
    wiping_free(p);
    return q;
}

err http_warm_up(void)
{
    /* This also makes the linker take connect.c: the answer of libc's would be another. */
    const struct sockaddr_in nobody = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(CONNECT_NOBODY) };
    MUST(connect_knowing(-1, (const void *)&nobody, sizeof nobody) == 0);
    /* With this set, libcurl would write TLS session keys to a file. */
    (void)unsetenv("SSLKEYLOGFILE");
    CURLcode c = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup, calloc);
    if (c != CURLE_OK)
        FAIL(E_IO, "libcurl does not start: %s", curl_easy_strerror(c));
    return OK;
}

static curl_socket_t on_open(void *self, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http *h = self;
    (void)purpose;
    (void)address;
    /* The second call of one request (another address, a retry) finds -1. */
    return h->fd < 0 ? CURL_SOCKET_BAD : take_fd(&h->fd);
}

static int on_socket(void *self, curl_socket_t fd, curlsocktype purpose)
{
    (void)self;
    (void)fd;
    (void)purpose;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static size_t on_body(char *p, size_t one, size_t n, void *self)
{
    struct http *h = self;
    if (!h->answer)
        return 0;
    if (one * n > HTTP_BODY_MAX - h->answer->len) {
        h->too_long = true;
        return 0;
    }
    memcpy(h->answer->body + h->answer->len, p, one * n);
    h->answer->len += one * n;
    return one * n;
}

/* The value of header `name` if the line is it, printable characters only. */
static bool header_value(char *out, size_t cap, const char *line, size_t n, const char *name)
{
    size_t k = strlen(name);
    if (n <= k || strncasecmp(line, name, k) != 0 || line[k] != ':')
        return false;
    size_t at = k + 1, len = 0;
    while (at < n && line[at] == ' ')
        at++;
    for (; at < n && len + 1 < cap; at++)
        if (line[at] > ' ' || (line[at] == ' ' && len > 0))
            out[len++] = line[at];
    out[len] = '\0';
    return true;
}

static size_t on_header(char *p, size_t one, size_t n, void *self)
{
    struct http *h = self;
    n *= one;
    h->header_bytes += n;
    if (!h->answer || h->header_bytes > HEADER_BYTES_MAX) {
        h->too_long = true;
        return 0;
    }
    char date[64];
    (void)header_value(h->answer->request_id, sizeof h->answer->request_id, p, n, "x-amzn-RequestId");
    (void)header_value(h->answer->error_type, sizeof h->answer->error_type, p, n, "x-amzn-ErrorType");
    if (header_value(date, sizeof date, p, n, "Date")) {
        time_t t = curl_getdate(date, NULL);
        h->answer->date = t > 0 ? (int64_t)t : 0;
    }
    return n;
}

static bool set_safe_options(struct http *h)
{
    CURL *c = h->curl;
    struct curl_blob ca = { .data = h->ca, .len = h->ca_len, .flags = CURL_BLOB_NOCOPY };
    curl_easy_reset(c);
    return curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->reason) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_socket) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_WRITEDATA, h) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_HEADERDATA, h) == CURLE_OK
        /* Nothing from outside this process's own configuration. */
        && curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_NOPROXY, "*") == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_IPRESOLVE, CURL_IPRESOLVE_V4) == CURLE_OK
        /* Nothing that asks the kernel for more than reading and writing. */
        && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 0L) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK
        /* The built-in CA paths go first: with no blob nothing at all is trusted. */
        && curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK
        && (!h->ca || curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca) == CURLE_OK)
        && curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
}

err http_open(struct http **out, const void *ca_pem, size_t ca_len, http_dial dial, void *self)
{
    HTTP h = calloc(1, sizeof *h);
    if (!h)
        FAIL(E_MEMORY, "no memory for a client");
    h->fd = -1;
    h->dial = dial;
    h->self = self;
    if (ca_pem) {
        TRY(mem_new(&h->ca, ca_len));
        memcpy(h->ca, ca_pem, ca_len);
        h->ca_len = ca_len;
    }
    h->curl = curl_easy_init();
    if (!h->curl || !set_safe_options(h) || curl_easy_setopt(h->curl, CURLOPT_URL, "http://" CONNECT_NOBODY "/") != CURLE_OK)
        FAIL(E_MEMORY, "libcurl gives no handle, or not the options we need");
    /* The empty run: no descriptor to be had, so it must fail, and has made the multi handle. */
    MUST(curl_easy_perform(h->curl) != CURLE_OK);
    *out = h;
    h = NULL;
    return OK;
}

void http_close(struct http **h)
{
    if (!*h)
        return;
    if ((*h)->curl)
        curl_easy_cleanup((*h)->curl);
    mem_free_bytes(&(*h)->ca);
    fd_close(&(*h)->fd);
    free(*h);
    *h = NULL;
}

void http_answer_wipe(struct http_answer *a)
{
    mem_wipe(a, sizeof *a);
}

err http_host_header(char *out, size_t cap, const char *host, uint16_t port, bool tls)
{
    int n = port == (tls ? 443 : 80) ? snprintf(out, cap, "%s", host) : snprintf(out, cap, "%s:%u", host, port);
    if (n < 0 || (size_t)n >= cap)
        FAIL(E_LIMIT, "host name too long");
    return OK;
}

static void free_list(struct curl_slist **l)
{
    curl_slist_free_all(*l);
    *l = NULL;
}
#define LIST __attribute__((cleanup(free_list))) struct curl_slist *

static err add_line(struct curl_slist **l, const char *name, const char *value)
{
    size_t cap = strlen(name) + strlen(value) + 3;
    BYTES line = NULL;
    TRY(mem_new(&line, cap));
    (void)snprintf((char *)line, cap, "%s: %s", name, value);
    struct curl_slist *more = strpbrk(value, "\r\n") ? NULL : curl_slist_append(*l, (char *)line);
    mem_wipe(line, cap);
    if (!more)
        FAIL(E_FORMAT, "header %s cannot be sent", name);
    *l = more;
    return OK;
}

static err set_headers(struct curl_slist **l, const struct http_request *q)
{
    char host[ARN_HOST_MAX + 8];
    TRY(http_host_header(host, sizeof host, q->host, q->port, q->tls));
    TRY(add_line(l, "Host", host));
    bool typed = false;
    for (size_t i = 0; i < q->header_count; i++) {
        typed = typed || strcmp(q->headers[i].name, "content-type") == 0;
        TRY(add_line(l, q->headers[i].name, q->headers[i].value));
    }
    /* A name with nothing after the colon keeps libcurl from adding its own. */
    struct curl_slist *more = curl_slist_append(*l, "Expect:");
    if (more && !typed)
        more = curl_slist_append(more, "Content-Type:");
    if (!more)
        FAIL(E_MEMORY, "no memory for a header");
    *l = more;
    return OK;
}

static err set_request(struct http *h, struct curl_slist **headers, struct curl_slist **names,
                       const struct http_request *q)
{
    char url[512], name[ARN_HOST_MAX + 32];
    int n = snprintf(url, sizeof url, "%s://%s:%u%s", q->tls ? "https" : "http", q->host, q->port, q->path);
    int m = snprintf(name, sizeof name, "%s:%u:" CONNECT_NOBODY, q->host, q->port);
    if (n < 0 || (size_t)n >= sizeof url || m < 0 || (size_t)m >= sizeof name)
        FAIL(E_LIMIT, "URL too long");
    TRY(set_headers(headers, q));
    /* An address nobody looks at, so that the resolver is never asked. */
    *names = curl_slist_append(NULL, name);
    CURL *c = h->curl;
    bool good = *names && set_safe_options(h)
        && curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, q->tls ? "https" : "http") == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_RESOLVE, *names) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_HTTPHEADER, *headers) == CURLE_OK
        && curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)q->timeout_ms) == CURLE_OK;
    if (good && strcmp(q->method, "GET") != 0)
        good = curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len) == CURLE_OK
            && curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body_len > 0 ? q->body : "") == CURLE_OK
            && curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method) == CURLE_OK;
    if (!good)
        FAIL(E_MEMORY, "libcurl does not take the request");
    return OK;
}

static enum err_code code_of(const struct http *h, CURLcode c)
{
    switch (c) {
    case CURLE_OPERATION_TIMEDOUT:       return E_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:       return E_AUTH;
    case CURLE_WRITE_ERROR:              return h->too_long ? E_LIMIT : E_IO;
    case CURLE_UNSUPPORTED_PROTOCOL:     /* HTTP/0.9 */
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WEIRD_SERVER_REPLY:       return E_FORMAT;
    case CURLE_OUT_OF_MEMORY:            return E_MEMORY;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:             return E_CLOSED;
    default:                             return E_IO;
    }
}

err http_call(struct http *h, struct http_answer *out, const struct http_request *q)
{
    LIST headers = NULL;
    LIST names = NULL;
    memset(out, 0, sizeof *out);
    TRY(set_request(h, &headers, &names, q));
    TRY(h->dial(h->self, q->host, q->port, &h->fd));
    h->answer = out;
    h->header_bytes = 0;
    h->too_long = false;
    h->reason[0] = '\0';
    CURLcode c = curl_easy_perform(h->curl);
    long status = 0;
    if (c == CURLE_OK)
        c = curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    h->answer = NULL;
    fd_close(&h->fd);
    /* The handle must not keep pointers to what dies here. */
    curl_easy_reset(h->curl);
    if (c != CURLE_OK) {
        enum err_code code = code_of(h, c);
        FAIL(code, "%s %s:%u: %s", q->method, q->host, q->port, h->reason[0] ? h->reason : curl_easy_strerror(c));
    }
    out->status = (int)status;
    return OK;
}
