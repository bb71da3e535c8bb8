/* serve.c - a connection of the enclave, in a process of its own. */
#include "parent/serve.h"

#include <errno.h>
#include <poll.h>

#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/msg.h"
#include "parent/anchors.h"
#include "parent/prune.h"
#include "parent/relay.h"
#include "parent/session.h"

enum { HELLO_MS = 5000, CONNECT_MS = 10000, QUIET_MS = 250 };

static err send_frame(void *self, uint16_t type, uint16_t seq, const void *body, size_t n)
{
    return msg_send(*(int *)self, type, seq, body, n, SERVE_FRAME_MS);
}

/* Wait for the next frame to begin. Out: *ended, when it is time to go instead. */
static err next_frame(bool *ended, bool *stopping, int fd, int stop, bool busy, uint64_t idle_s)
{
    *ended = false;
    for (;;) {
        struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = *stopping ? -1 : stop, .events = POLLIN } };
        int wait = idle_s > 1000000 ? -1 : (int)(idle_s * 1000);
        /* When stopping: long enough for the next frame of a seal that runs, not for another seal. */
        if (*stopping) wait = busy ? SERVE_FRAME_MS : QUIET_MS;
        int rc = poll(p, 2, wait);
        if (rc < 0 && errno == EINTR) continue;
        if (rc < 0) FAIL(E_IO, "waiting for the enclave");
        if (p[0].revents) return OK;
        if (p[1].revents) {
            *stopping = true;
            continue;
        }
        if (*stopping && !busy) {
            *ended = true;
            return OK;
        }
        if (!busy) return (err){ E_TIMEOUT };
        FAIL(E_TIMEOUT, "the enclave fell silent inside a put: dropped");
    }
}

/* Say that it may begin, then answer frame by frame. */
static err serve_session(int fd, struct session *session, const struct parent_config *conf, uint16_t seq, int stop)
{
    BYTES room = NULL;
    SEGMENTS log = { 0 };
    bool ended = false, stopping = false;
    TRY(mem_new(&room, LINK_PIECE));
    fd_wide(fd);
    TRY(msg_send(fd, LINK_READY, seq, NULL, 0, SERVE_FRAME_MS));
    for (;;) {
        struct msg m;
        TRY(next_frame(&ended, &stopping, fd, stop, session->putting, conf->link_idle));
        if (ended) return OK;
        /* An end of the stream between requests is how an enclave leaves. */
        err e = msg_recv(fd, &m, room, LINK_PIECE, NULL, SERVE_FRAME_MS);
        if (e.code == E_CLOSED && !session->putting) return OK;
        TRY(e);
        TRY(session_on(session, &m));
        if (session->head_moved) {
            session->head_moved = false;
            /* The generation is durable and was answered; tidying up may fail and be tried next time. */
            err_drop(prune_by(session->store, &(struct prune_rules){ .last = conf->store_keep, .log = &log }, NULL));
        }
    }
}

static err serve_store(int fd, const struct parent_config *conf, uint16_t seq, int stop)
{
    STORE_BACKEND store = NULL;
    SESSION session = { 0 };
    /* Not made here: a store that vanished under a running parent must not come back empty. */
    const struct store_conf stores = parent_stores(conf);
    TRY(store_open(&store, &stores, false));
    TRY(session_open(&session, store, (struct session_out){ send_frame, &fd }, conf->store_max_object));
    return serve_session(fd, &session, conf, seq, stop);
}

static err serve_witness(int fd, const struct parent_config *conf, uint16_t seq, int stop)
{
    STORE_BACKEND store = NULL;
    ANCHORS anchors = { 0 };
    SESSION session = { 0 };
    const struct store_conf stores = parent_stores(conf);
    TRY(store_open(&store, &stores, false));
    TRY(anchors_open(&anchors, store, conf));
    session_open_witness(&session, (struct session_out){ send_frame, &fd }, (struct session_anchor){ anchors_ask, anchors_read, anchors_prove, &anchors });
    return serve_session(fd, &session, conf, seq, stop);
}

static err serve_egress(int fd, const struct parent_config *conf, const struct hello *hello, const struct msg *m, int stop)
{
    const struct allow_entry *entry = NULL;
    struct relay_count count = { 0 };
    FD far = -1;
    err e = allow_find(&entry, &conf->allow, hello->host, hello->port);
    if (e.code == E_OK) e = allow_connect(&far, entry, CONNECT_MS);
    if (e.code) {
        err_drop(msg_send_error(fd, m, e));
        return e;
    }
    /* Only now, so that the enclave learns here and not from a dead pipe that nobody is there. */
    TRY(msg_send(fd, LINK_READY, m->seq, NULL, 0, SERVE_FRAME_MS));
    e = relay_pipe(&count, fd, far, (int)(conf->egress_idle * 1000), stop);
    log_info("egress: %s:%u%s%s: %llu bytes out, %llu back", hello->host, hello->port, entry->target[0] ? " as " : "",
             entry->target, (unsigned long long)count.out, (unsigned long long)count.back);
    return e.code == E_TIMEOUT || e.code == E_CLOSED ? OK : e;
}

err serve_link(int *fd, const struct parent_config *conf, int stop)
{
    FD mine = take_fd(fd);
    uint8_t room[HELLO_MAX];
    struct msg m;
    struct hello hello;
    TRY(msg_recv(mine, &m, room, sizeof room, NULL, HELLO_MS));
    err e = hello_parse(&hello, &m);
    if (e.code) {
        err_drop(msg_send_error(mine, &m, e));
        return e;
    }
    if (hello.purpose == LINK_EGRESS) return serve_egress(mine, conf, &hello, &m, stop);
    if (hello.purpose == LINK_WITNESS) return serve_witness(mine, conf, m.seq, stop);
    return serve_store(mine, conf, m.seq, stop);
}
