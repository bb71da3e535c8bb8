#include "daemon/loop.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/log.h"
#include "core/mem.h"

enum { FRAME_DEADLINE_MS = 10000 };

void loop_add(struct loop *l, int *fd, const struct msg_table *table, bool may_close)
{
    MUST(l->count < LOOP_SOURCES);
    l->source[l->count++] = (struct loop_source){ .fd = fd, .table = table, .may_close = may_close };
}

void loop_first(struct loop *l, const int *fd, err (*take)(void *self))
{
    for (size_t i = 0; i < l->count; i++)
        if (l->source[i].fd == fd) l->source[i].first = take;
}

void loop_add_judges(struct loop *l, const struct msg_table *table)
{
    for (unsigned i = 0; i < JUDGES_MAX; i++) loop_add(l, &l->env->judge[i], table, true);
}

/* Nothing may be said here unasked; but a peer may be gone, and that is another thing. */
static err unexpected(int fd)
{
    uint8_t one;
    if (recv(fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) return (err){ E_CLOSED };
    FAIL(E_STATE, "a frame on a channel where none is expected");
}

/* One readable channel. A peer that may be restarted and closed its end is
 * forgotten until init hands over the new one. */
static err serve_one(struct loop *l, struct loop_source *s)
{
    if (s->first) {
        err (*take)(void *) = s->first;
        s->first = NULL;
        return take(l->self);
    }
    if (!s->table) return unexpected(*s->fd);
    err e = msg_serve(s->table, &s->seen, *l->state, l->self, *s->fd, l->room, l->cap, FRAME_DEADLINE_MS);
    if (e.code == E_CLOSED && s->may_close) {
        fd_close(s->fd);
        return OK;
    }
    return e;
}

static err turn(struct loop *l, bool *stop)
{
    struct pollfd fds[1 + LOOP_SOURCES] = { { .fd = l->env->control, .events = POLLIN } };
    int timeout = -1;
    if (l->tick) TRY(l->tick(l->self, &timeout));
    for (size_t i = 0; i < l->count; i++) fds[1 + i] = (struct pollfd){ .fd = *l->source[i].fd, .events = POLLIN };
    int n = poll(fds, 1 + (nfds_t)l->count, timeout);
    if (n < 0 && errno != EINTR) FAIL(E_IO, "poll");
    if (n <= 0) return OK;
    if (fds[0].revents) return role_control(l->env, stop);    /* first: it may replace the others */
    for (size_t i = 0; i < l->count; i++)
        if (fds[1 + i].revents) TRY(serve_one(l, &l->source[i]));
    return OK;
}

err loop_run(struct loop *l)
{
    bool stop = l->env->stopping;
    while (!stop) TRY(turn(l, &stop));
    return OK;
}
