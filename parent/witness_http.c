/* witness_http.c - libmicrohttpd, driven by one thread: decisions are one after the other anyway. */
#include "parent/witness_http.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"

enum { CONNECTIONS = 256, SILENCE_S = 15, BACKLOG = 64 };

/* A body on its way in. */
struct posted { char *body; size_t len; bool too_long; };

static void plain(char text[static WITNESS_ANSWER], size_t *n, const char *words)
{
    *n = (size_t)snprintf(text, WITNESS_ANSWER, "%s\n", words);
}

static err cosign(struct witness *w, char text[static WITNESS_ANSWER], size_t *n, const struct witness_request *r)
{
    const struct cosign_key holder = witness_key_holder(w->key);
    struct wr out = wr_of((uint8_t *)text, WITNESS_ANSWER);
    TRY(cosign_write(&out, &w->as, &holder, (uint64_t)time(NULL), r->note.text, r->note.text_len));
    TRY(wr_end(&out, "a cosignature"));
    *n = out.len;
    return OK;
}

static const char *words_of(int status)
{
    switch (status) {
    case 400: return "this is no add-checkpoint request";
    case 403: return "the checkpoint is not signed by a key of its log";
    case 404: return "this log is not known here";
    case 422: return "the consistency proof does not verify";
    default:  return "this failed here; nothing was cosigned";
    }
}

static err answer(struct witness *w, int *status, char text[static WITNESS_ANSWER], size_t *n, const char *body, size_t len)
{
    struct witness_state known;
    struct witness_request *r = calloc(1, sizeof *r);
    if (!r) FAIL(E_MEMORY, "a request");
    err e = witness_parse(r, body, len);
    if (e.code) {
        free(r);
        *status = 400;
        plain(text, n, words_of(400));
        return OK;
    }
    e = witness_db_decide(w->db, status, &known, r);
    if (!e.code && *status == 200) e = cosign(w, text, n, r);
    else if (!e.code && *status == 409) *n = (size_t)snprintf(text, WITNESS_ANSWER, "%" PRIu64 "\n", known.size);
    else if (!e.code) plain(text, n, words_of(*status));
    if (!e.code) log_info("%s at %" PRIu64 ": %d", r->checkpoint.origin, r->checkpoint.size, *status);
    free(r);
    return e;
}

void witness_answer(struct witness *w, int *status, char text[static WITNESS_ANSWER], size_t *n, const char *body, size_t len)
{
    *status = 500;
    if (!answer(w, status, text, n, body, len).code) return;
    *status = 500;
    plain(text, n, words_of(500));
}

/* ---- HTTP ---- */

static enum MHD_Result reply(struct MHD_Connection *c, int status, const char *text, size_t n)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(n, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!r) return MHD_NO;
    MHD_add_response_header(r, "Content-Type", status == 409 ? "text/x.tlog.size" : "text/plain; charset=utf-8");
    if (status == 405) MHD_add_response_header(r, "Allow", "POST");
    enum MHD_Result done = MHD_queue_response(c, (unsigned)status, r);
    MHD_destroy_response(r);
    return done;
}

static enum MHD_Result refuse(struct MHD_Connection *c, int status, const char *words)
{
    return reply(c, status, words, strlen(words));
}

static bool keep(struct posted *p, const char *data, size_t n)
{
    if (p->too_long || n > (size_t)WITNESS_REQUEST_MAX - p->len) {
        p->too_long = true;              /* it is read to its end, and then refused */
        return true;
    }
    if (!p->body) p->body = malloc(WITNESS_REQUEST_MAX);
    if (!p->body) return false;
    memcpy(p->body + p->len, data, n);
    p->len += n;
    return true;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                                  const char *data, size_t *n, void **mine)
{
    struct witness *w = self;
    struct posted *p = *mine;
    (void)version;
    if (!p) return (*mine = calloc(1, sizeof *p)) ? MHD_YES : MHD_NO;
    if (*n) {
        const bool kept = keep(p, data, *n);
        *n = 0;
        return kept ? MHD_YES : MHD_NO;
    }
    if (strcmp(url, "/add-checkpoint") != 0) return refuse(c, 404, "there is only /add-checkpoint\n");
    if (strcmp(method, "POST") != 0) return refuse(c, 405, "POST it\n");
    if (p->too_long) return refuse(c, 413, "this is longer than any add-checkpoint request\n");
    char text[WITNESS_ANSWER];
    size_t len = 0;
    int status;
    witness_answer(w, &status, text, &len, p->body ? p->body : "", p->len);
    return reply(c, status, text, len);
}

static void on_end(void *self, struct MHD_Connection *c, void **mine, enum MHD_RequestTerminationCode how)
{
    struct posted *p = *mine;
    (void)self, (void)c, (void)how;
    if (p) free(p->body);
    free(p);
    *mine = NULL;
}

static void free_addresses(struct addrinfo **a) { if (*a) freeaddrinfo(*a); }

static err listen_at(int *out, const char *host, const char *port)
{
    const struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
    __attribute__((cleanup(free_addresses))) struct addrinfo *a = NULL;
    if (getaddrinfo(host, port, &want, &a) != 0) FAIL(E_FORMAT, "%s:%s is no address", host, port);
    FD fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) != 0) FAIL(E_IO, "a socket");
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) FAIL(E_IO, "listening at %s:%s", host, port);
    *out = take_fd(&fd);
    return OK;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t n = sizeof at;
    char text[NI_MAXSERV] = "0";
    if (getsockname(fd, (struct sockaddr *)&at, &n) == 0)
        (void)getnameinfo((struct sockaddr *)&at, n, NULL, 0, text, sizeof text, NI_NUMERICSERV);
    return (unsigned)strtoul(text, NULL, 10);
}

err witness_serve(struct witness *w, const char *host, const char *port, int stop, void (*ready)(void *self, unsigned port), void *self)
{
    FD fd = -1;
    TRY(listen_at(&fd, host, port));
    const unsigned at = port_of(fd);
    struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_AUTO, 0, NULL, NULL, on_request, w, MHD_OPTION_LISTEN_SOCKET, fd,
                                            MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S, MHD_OPTION_END);
    if (!d) FAIL(E_IO, "the HTTP server");
    (void)take_fd(&fd);                  /* it closes it */
    ready(self, at);
    struct pollfd end = { .fd = stop, .events = POLLIN };
    while (poll(&end, 1, 0) == 0 && MHD_run_wait(d, 200) == MHD_YES) { }
    MHD_stop_daemon(d);
    return OK;
}
