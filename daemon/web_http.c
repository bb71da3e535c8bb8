/* web_http.c - libmicrohttpd's side: connections, requests coming in, answers going out.
 *
 * libmicrohttpd can be answered at two moments only: when the headers are read, and when the
 * body is. A refusal that is due in between (a body that grows too long) is kept, the rest of the body is
 * thrown away, and the answer is given at the end; a client that sends more than WEB_DRAIN
 * of that, or asked first (Expect), hears it at once or is cut off. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/web.h"
#include "daemon/web_text.h"

enum { CONNECTION_MEMORY = 24 << 10, FIRST_PIECE = 4096, IDLE_MS = 2000, ACCEPT_PAUSE_MS = 100 };

/* ---- answers ---- */

static struct web_con *con_of(struct MHD_Connection *con)
{
    const union MHD_ConnectionInfo *i = MHD_get_connection_info(con, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return i ? i->socket_context : NULL;
}

static void drop_body(struct web_request *r)
{
    r->web->bodies -= r->cap;
    free(r->body);
    r->body = NULL;
    r->cap = r->len = 0;
}

static void drop_message(struct web_request *r)
{
    r->web->bodies -= r->message_len + r->form.kept;
    free(r->message);
    r->message = NULL;
    r->message_len = r->form.kept = 0;
}

bool web_request_message(struct web_request *r, uint8_t *message, size_t n)
{
    drop_body(r);
    drop_message(r);
    if (r->web->bodies + n > WEB_BODIES) {
        free(message);
        return false;
    }
    r->message = message;
    r->message_len = n;
    r->web->bodies += n;
    return true;
}

bool web_request_asked(struct web_request *r, uint8_t *message, size_t n, const struct web_form *form)
{
    if (!web_request_message(r, message, n + form->kept)) return false;
    r->message_len = n;
    r->form = *form;
    return true;
}

bool web_request_body(struct web_request *r, uint8_t *body, size_t n)
{
    drop_body(r);
    drop_message(r);
    if (r->web->bodies + n > WEB_BODIES) {
        free(body);
        return false;
    }
    r->body = body;
    r->len = r->cap = n;
    r->web->bodies += n;
    return true;
}

void web_answer_bytes(struct web_request *r, int status, const char *type, uint8_t *body, size_t n)
{
    if (r->answer.status) {
        free(body);
        return;
    }
    if (r->session && !r->sealing && !r->web->ending) {
        web_secure_answer(r, status, type, body, n);
        return;
    }
    r->answer.status = status;
    r->answer.type = type;
    r->answer.body = body;
    r->answer.n = n;
    drop_body(r);
    drop_message(r);
    if (r->suspended) {
        r->suspended = false;
        MHD_resume_connection(r->con);
    }
}

void web_answer_text(struct web_request *r, int status, const char *text)
{
    uint8_t *body = (uint8_t *)strdup(text);
    web_answer_bytes(r, status, "text/plain; charset=utf-8", body, body ? strlen(text) : 0);
}

void web_answer_error(struct web_request *r, int status, const char *text)
{
    uint8_t *body = NULL;
    if (r->answer.status) return;
    size_t n = web_error_body(&body, text, status, r->id);
    r->answer.retry = status == 503;
    web_answer_bytes(r, status, "application/json", body, n);
}

static void add_headers(struct MHD_Response *to, const struct web_request *r)
{
    char id[17];
    snprintf(id, sizeof id, "%016llx", (unsigned long long)r->id);
    bool good = MHD_add_response_header(to, "X-Request-Id", id) == MHD_YES
             && MHD_add_response_header(to, MHD_HTTP_HEADER_CONTENT_TYPE, r->answer.type) == MHD_YES
             && MHD_add_response_header(to, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES;
    if (r->answer.allow) good = MHD_add_response_header(to, MHD_HTTP_HEADER_ALLOW, r->answer.allow) == MHD_YES && good;
    if (r->answer.close) good = MHD_add_response_header(to, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES && good;
    if (r->answer.retry) good = MHD_add_response_header(to, MHD_HTTP_HEADER_RETRY_AFTER, "1") == MHD_YES && good;
    if (!good) log_warn("an answer went out without all of its headers");
}

/* Hand the answer to libmicrohttpd, which owns the body from then on. */
static enum MHD_Result reply(struct web_request *r)
{
    struct web_answer *a = &r->answer;
    struct MHD_Response *out = MHD_create_response_from_buffer(a->n, a->body, MHD_RESPMEM_MUST_FREE);
    if (!out) return MHD_NO;
    a->body = NULL;
    add_headers(out, r);
    if (r->route && a->status >= 400) log_info("%s: %d (request %016llx)", r->route->path, a->status, (unsigned long long)r->id);
    enum MHD_Result queued = MHD_queue_response(r->con, (unsigned)a->status, out);
    MHD_destroy_response(out);
    r->replied = true;
    struct web_con *c = con_of(r->con);
    if (c) {
        c->waiting = false;
        c->since_ms = web_now_ms();          /* now the client has to read */
    }
    return queued;
}

/* ---- a request coming in ---- */

static const char *header(struct web_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->con, MHD_HEADER_KIND, name);
}

/* What decides where a request ends. */
struct framing { unsigned hosts, lengths, codings; bool chunked; };

static enum MHD_Result count_header(void *self, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct framing *f = self;
    (void)kind;
    f->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    f->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        f->codings++;
        f->chunked = value && strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

/* A request whose end two readers could see at two places (RFC 9112, 6.3), or to no one host, is
 * refused, and with it the rest of the connection. */
static bool misframed(struct web_request *r, const char *version)
{
    struct framing f = { 0 };
    MHD_get_connection_values(r->con, MHD_HEADER_KIND, count_header, &f);
    if (f.hosts > 1 || (!f.hosts && strcmp(version, MHD_HTTP_VERSION_1_1) == 0))
        web_answer_error(r, 400, "A request needs one Host header.");
    else if (f.lengths + f.codings > 1 || (f.codings && !f.chunked))
        web_answer_error(r, 400, "The length of the body is ambiguous.");
    r->answer.close = r->answer.status != 0;
    return r->answer.close;
}

static void refuse_early(struct web_request *r, const char *allow, uint64_t announced)
{
    if (!r->route && !allow) {
        web_answer_error(r, 404, "There is no such path.");
    } else if (!r->route) {
        r->answer.allow = allow;
        web_answer_error(r, 405, "This path does not know that method.");
    } else if (r->route->json && !web_content_type_json(header(r, MHD_HTTP_HEADER_CONTENT_TYPE))) {
        web_answer_error(r, 415, web_text_415);
    } else if (r->route->cap && announced > r->route->cap) {
        web_answer_error(r, 413, web_text_413);
    } else if (r->web->stopping) {
        web_answer_error(r, 503, "The service is stopping.");
    }
}

/* libmicrohttpd checked the header's form; a length that does not fit is more than any cap. */
static uint64_t announced_length(struct web_request *r)
{
    const char *text = header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (!text) return 0;
    errno = 0;
    unsigned long long n = strtoull(text, NULL, 10);
    return errno ? UINT64_MAX : n;
}

static enum MHD_Result begin(struct web *w, struct MHD_Connection *con, const char *method, const char *path,
                             const char *version, void **slot)
{
    struct web_request *r = calloc(1, sizeof *r);
    if (!r) return MHD_NO;
    *slot = r;                               /* on_completed() frees it from here on */
    r->web = w;
    r->con = con;
    if (random_bytes(&r->id, sizeof r->id).code) return MHD_NO;
    const char *allow = NULL;
    web_route_find(&r->route, &allow, method, path);
    const uint64_t announced = announced_length(r);
    struct web_con *c = con_of(con);
    if (c) c->collecting = true;
    if (misframed(r, version)) return reply(r);
    refuse_early(r, allow, announced);
    const char *expect = header(r, MHD_HTTP_HEADER_EXPECT);
    if (r->answer.status && (expect || announced > WEB_DRAIN)) return reply(r);
    return MHD_YES;
}

/* Room grows with what came, not with what was announced. */
static bool grow(struct web_request *r, size_t need)
{
    size_t cap = r->cap ? r->cap : FIRST_PIECE;
    while (cap < need) cap *= 2;
    if (cap > r->route->cap) cap = r->route->cap;
    if (cap <= r->cap) return true;
    if (r->web->bodies + (cap - r->cap) > WEB_BODIES) return false;
    uint8_t *more = realloc(r->body, cap);
    if (!more) return false;
    r->web->bodies += cap - r->cap;
    r->body = more;
    r->cap = cap;
    return true;
}

static enum MHD_Result collect(struct web_request *r, const char *p, size_t n)
{
    r->seen = n > SIZE_MAX - r->seen ? SIZE_MAX : r->seen + n;
    if (r->answer.status || !r->route->cap) return r->seen > WEB_DRAIN ? MHD_NO : MHD_YES;
    if (r->seen > r->route->cap) {
        web_answer_error(r, 413, web_text_413);
    } else if (!grow(r, r->seen)) {
        web_answer_error(r, 503, "There is no room for this request now.");
    } else {
        memcpy(r->body + r->len, p, n);
        r->len = r->seen;
    }
    return MHD_YES;
}

/* The request is whole: run its handler, once. Without an answer yet, the connection waits. */
static enum MHD_Result finish(struct web *w, struct web_request *r)
{
    if (!r->run) {
        r->run = true;
        w->pending++;
        struct web_con *c = con_of(r->con);
        if (c) c->collecting = false;
        if (!r->answer.status) r->route->run(w, r);
        if (!r->answer.status && c) c->waiting = true;
    }
    if (r->answer.status) return reply(r);
    r->suspended = true;
    MHD_suspend_connection(r->con);
    return MHD_YES;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *con, const char *path, const char *method,
                                  const char *version, const char *p, size_t *n, void **slot)
{
    struct web_request *r = *slot;
    if (!r) return begin(self, con, method, path, version, slot);
    if (r->replied) return MHD_YES;
    if (*n == 0) return finish(self, r);
    const size_t got = *n;
    *n = 0;
    return collect(r, p, got);
}

static void on_completed(void *self, struct MHD_Connection *con, void **slot, enum MHD_RequestTerminationCode why)
{
    struct web *w = self;
    struct web_request *r = *slot;
    struct web_con *c = con_of(con);
    (void)why;
    if (c) {
        c->collecting = c->waiting = false;
        c->since_ms = web_now_ms();
    }
    if (!r) return;
    if (r->run) w->pending--;
    drop_body(r);
    drop_message(r);
    free(r->answer.body);
    free(r);
    *slot = NULL;
}

/* ---- connections ---- */

static void on_connection(void *self, struct MHD_Connection *con, void **context, enum MHD_ConnectionNotificationCode what)
{
    struct web *w = self;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *i = MHD_get_connection_info(con, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct web_con *c = calloc(1, sizeof *c);
        w->con_count++;
        *context = c;
        if (!c) return;                      /* then only libmicrohttpd's own timeout watches it */
        *c = (struct web_con){ .fd = i ? i->connect_fd : -1, .since_ms = web_now_ms(), .next = w->cons, .back = &w->cons };
        if (c->next) c->next->back = &c->next;
        w->cons = c;
        return;
    }
    struct web_con *c = *context;
    w->con_count--;
    w->accept_ms = 0;                        /* a place is free: no need to wait out a pause */
    if (!c) return;
    *c->back = c->next;
    if (c->next) c->next->back = c->back;
    free(c);
    *context = NULL;
}

/* libmicrohttpd has no call to end a connection; it notices the end of the stream. */
static void cut(struct web_con *c)
{
    c->since_ms = web_now_ms();
    if (c->fd >= 0) shutdown(c->fd, SHUT_RDWR);
}

void web_cut_slow(struct web *w, uint64_t now_ms)
{
    const uint64_t allowed = w->env->config.web_timeout * 1000 * WEB_SLOW;
    for (struct web_con *c = w->cons; c; c = c->next)
        if (!c->waiting && now_ms - c->since_ms > allowed) cut(c);
}

/* At the cap, the client that has kept a connection longest without a request (or, much longer,
 * without finishing one) gives way, so that silent clients cannot keep all others out. */
static void make_room(struct web *w, uint64_t now_ms)
{
    struct web_con *oldest = NULL;
    for (struct web_con *c = w->cons; c; c = c->next) {
        const uint64_t grace = c->collecting ? w->env->config.web_timeout * 1000 : IDLE_MS;
        if (c->waiting || now_ms - c->since_ms < grace) continue;
        if (!oldest || c->since_ms < oldest->since_ms) oldest = c;
    }
    if (oldest) cut(oldest);
}

err web_accept(struct web *w)
{
    const uint64_t now = web_now_ms();
    if (w->con_count >= w->env->config.web_connections) {
        make_room(w, now);
        w->accept_ms = now + ACCEPT_PAUSE_MS;
        return OK;
    }
    int fd = accept4(w->env->given[0], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK) FAIL(E_IO, "the clients' listener is broken");
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) w->accept_ms = now + ACCEPT_PAUSE_MS;
        return OK;
    }
    /* The address only tells libmicrohttpd whether TCP's options apply; who the client is
     * means nothing behind the parent's relay. A failing call has closed fd. */
    struct sockaddr_storage from = { 0 };
    socklen_t n = sizeof from;
    if (getsockname(fd, (struct sockaddr *)&from, &n) || (from.ss_family != AF_INET && from.ss_family != AF_INET6)) {
        from.ss_family = AF_UNIX;
        n = sizeof(struct sockaddr_un);
    }
    if (MHD_add_connection(w->mhd, fd, (struct sockaddr *)&from, n) != MHD_YES) log_debug("a connection was not taken in");
    return OK;
}

/* ---- the server ---- */

__attribute__((format(printf, 2, 0)))
static void on_log(void *self, const char *format, va_list ap)
{
    char line[256];
    (void)self;
    vsnprintf(line, sizeof line, format, ap);
    size_t n = strlen(line);
    while (n && line[n - 1] == '\n') line[--n] = 0;
    log_debug("http: %s", line);
}

/* Paths and arguments are compared as they came: nothing that we serve needs an escape,
 * and %00 could cut a path short. */
static size_t keep_escapes(void *self, struct MHD_Connection *con, char *text)
{
    (void)self;
    (void)con;
    return strlen(text);
}

err web_http_open(struct web *w)
{
    const struct daemon_config *c = &w->env->config;
    w->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, w,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)c->web_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)c->web_timeout,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, w,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, w,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_END);
    if (!w->mhd) FAIL(E_IO, "libmicrohttpd would not start");
    const union MHD_DaemonInfo *i = MHD_get_daemon_info(w->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (!i || i->epoll_fd < 0) FAIL(E_IO, "libmicrohttpd has no epoll descriptor");
    w->epoll = i->epoll_fd;
    return OK;
}

void web_http_close(struct web *w)
{
    if (w->mhd) MHD_stop_daemon(w->mhd);
    w->mhd = NULL;
}
