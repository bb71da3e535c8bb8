/* serve.c - libmicrohttpd, with a request handed over whole. */
#include "sim/serve.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"
#include "sim/files.h"

enum { IDLE_SECONDS = 30 };

/* One request while it arrives; made by open_request() and freed by close_request(). */
struct arriving {
    struct serve_request q;
    char *uri, *body;
    bool begun, too_long;
};

static void *open_request(void *self, const char *uri, struct MHD_Connection *con)
{
    (void)self;
    (void)con;
    struct arriving *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->uri = strdup(uri);
    return a;
}

static void close_request(void *self, struct MHD_Connection *con, void **context, enum MHD_RequestTerminationCode why)
{
    (void)self;
    (void)con;
    (void)why;
    struct arriving *a = *context;
    *context = NULL;
    if (!a) return;
    for (size_t i = 0; i < a->q.header_count; i++) free((char *)(uintptr_t)a->q.headers[i].name);
    free(a->uri);
    free(a->body);
    free(a);
}

static enum MHD_Result add_header(void *self, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct arriving *a = self;
    char *lower = strdup(name);
    if (!lower || a->q.header_count == SERVE_HEADERS) {
        free(lower);
        a->too_long = true;
        return MHD_NO;
    }
    for (char *p = lower; *p; p++) *p = (char)tolower((unsigned char)*p);
    a->q.headers[a->q.header_count++] = (struct sigv4_header){ lower, value ? value : "" };
    return MHD_YES;
}

const char *serve_header(const struct serve_request *q, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < q->header_count; i++) {
        if (strcmp(q->headers[i].name, name) != 0) continue;
        if (found) return NULL;
        found = q->headers[i].value;
    }
    return found;
}

static void add_body(struct arriving *a, const char *p, size_t n)
{
    if (a->too_long || n > SERVE_BODY_MAX - a->q.body_len) {
        a->too_long = true;
        return;
    }
    char *longer = realloc(a->body, a->q.body_len + n + 1);
    if (!longer) {
        a->too_long = true;
        return;
    }
    memcpy(longer + a->q.body_len, p, n);
    a->body = longer;
    a->q.body_len += n;
    a->body[a->q.body_len] = 0;
}

/* A body that ends too early: its length was promised, and the connection breaks. */
struct half { char *body; size_t n; };

static ssize_t read_half(void *self, uint64_t at, char *out, size_t cap)
{
    const struct half *h = self;
    if (at >= h->n) return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = h->n - (size_t)at < cap ? h->n - (size_t)at : cap;
    memcpy(out, h->body + at, n);
    return (ssize_t)n;
}

static void free_half(void *self)
{
    struct half *h = self;
    free(h->body);
    free(h);
}

static struct MHD_Response *half_response(const struct serve_answer *a)
{
    enum { BLOCK = 1024 };
    struct half *h = malloc(sizeof *h);
    if (!h) return NULL;
    *h = (struct half){ a->body, a->cut };
    struct MHD_Response *r = MHD_create_response_from_callback(strlen(a->body), BLOCK, read_half, h, free_half);
    if (!r) free(h);
    return r;
}

static enum MHD_Result answer(struct MHD_Connection *con, struct serve_answer *a)
{
    size_t n = a->body ? strlen(a->body) : 0;
    struct MHD_Response *r = a->body && a->cut ? half_response(a)
        : MHD_create_response_from_buffer(n, a->body, a->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!r) {
        free(a->body);
        return MHD_NO;
    }
    if (a->type) (void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
    for (size_t i = 0; i < SERVE_ANSWER_HEADERS; i++)
        if (a->headers[i].name) (void)MHD_add_response_header(r, a->headers[i].name, a->headers[i].value);
    enum MHD_Result sent = MHD_queue_response(con, (unsigned)a->status, r);
    MHD_destroy_response(r);
    return sent;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *con, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_len, void **context)
{
    (void)url;
    (void)version;
    const struct serve_config *c = self;
    struct arriving *a = *context;
    if (!a || !a->uri) return MHD_NO;
    if (!a->begun) {
        a->begun = true;
        return MHD_YES;
    }
    if (*data_len > 0) {
        add_body(a, data, *data_len);
        *data_len = 0;
        return MHD_YES;
    }
    struct serve_answer out = { .status = MHD_HTTP_CONTENT_TOO_LARGE };
    MHD_get_connection_values(con, MHD_HEADER_KIND, add_header, a);
    if (!a->too_long) {
        char *mark = strchr(a->uri, '?');
        if (mark) *mark = 0;
        a->q.method = method;
        a->q.path = a->uri;
        a->q.query = mark ? mark + 1 : "";
        a->q.body = a->body ? a->body : "";
        c->handler(c->self, &out, &a->q);
    }
    return answer(con, &out);
}

/* The port that was really taken, for --listen HOST:0. */
static err announce(const struct serve_config *c, int fd)
{
    struct sockaddr_in at;
    socklen_t n = sizeof at;
    char host[INET_ADDRSTRLEN], text[64];
    if (getsockname(fd, (struct sockaddr *)&at, &n) < 0 || at.sin_family != AF_INET || !inet_ntop(AF_INET, &at.sin_addr, host, sizeof host))
        FAIL(E_IO, "getsockname: %s", strerror(errno));
    int len = snprintf(text, sizeof text, "%s:%u\n", host, ntohs(at.sin_port));
    log_info("%s at %.*s", c->what, len - 1, text);
    return c->ready_file ? file_write(c->ready_file, 0644, text, (size_t)len) : OK;
}

static err wait_for_end(void)
{
    sigset_t ends;
    int which = 0;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    if (sigwait(&ends, &which) != 0) FAIL(E_IO, "sigwait failed");
    return OK;
}

/* Before any thread is made, so that each inherits the mask and the main one alone is told. */
static err hold_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGPIPE);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) FAIL(E_IO, "sigprocmask: %s", strerror(errno));
    return OK;
}

err serve(const struct serve_config *c)
{
    char address[256];
    FD fd = -1;
    int n = snprintf(address, sizeof address, "tcp:%s", c->listen);
    if (n < 0 || n >= (int)sizeof address) FAIL(E_FORMAT, "--listen takes HOST:PORT");
    TRY(hold_signals());
    TRY(fd_listen(&fd, address, 0));
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG | (c->key_pem ? MHD_USE_TLS : 0u);
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)c->key_pem },
        { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)c->chain_pem },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_Daemon *d = MHD_start_daemon(flags, 0, NULL, NULL, on_request, (void *)(uintptr_t)c,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
        MHD_OPTION_URI_LOG_CALLBACK, open_request, NULL, MHD_OPTION_NOTIFY_COMPLETED, close_request, NULL,
        MHD_OPTION_ARRAY, c->key_pem ? tls : tls + 2, MHD_OPTION_END);
    if (!d) FAIL(E_IO, "the HTTP server did not start");
    int listening = take_fd(&fd);                /* the server closes it */
    err e = announce(c, listening);
    if (!e.code) e = wait_for_end();
    MHD_stop_daemon(d);
    return e;
}
