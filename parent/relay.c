#include "parent/relay.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"

enum { DIAL_MS = 5000, STOP_SILENCE_MS = 1000, STOP_TOTAL_MS = 5000, DRAIN_MS = 2000, DRAIN_MAX = 8 << 20 };

/* One direction. Bytes at[start..end) wait for `to`. */
struct lane { int from, to; uint8_t *at; size_t start, end; bool eof, done; uint64_t moved; };

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool wants_read(const struct lane *l)  { return !l->eof && l->end < RELAY_BUFFER; }
static bool wants_write(const struct lane *l) { return l->start < l->end; }

static bool not_now(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Out: *moved is set when there was progress. Fails: E_CLOSED, the peer broke off. */
static err lane_read(struct lane *l, bool *moved)
{
    ssize_t n = recv(l->from, l->at + l->end, RELAY_BUFFER - l->end, MSG_DONTWAIT);
    if (n < 0) return not_now() ? OK : (err){ E_CLOSED };
    *moved = true;
    if (n == 0) l->eof = true;
    l->end += (size_t)n;
    return OK;
}

static err lane_write(struct lane *l, bool *moved)
{
    ssize_t n = send(l->to, l->at + l->start, l->end - l->start, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return not_now() ? OK : (err){ E_CLOSED };
    *moved = true;
    l->start += (size_t)n;
    l->moved += (uint64_t)n;
    if (l->start == l->end) l->start = l->end = 0;
    return OK;
}

static err lane_step(struct lane *l, short from, short to, bool *moved)
{
    if (wants_read(l) && (from & (POLLIN | POLLHUP | POLLERR))) TRY(lane_read(l, moved));
    /* What was just read is tried at once: the usual reader is ready, and a poll is saved. */
    if (wants_write(l) && ((to & (POLLOUT | POLLHUP | POLLERR)) || *moved)) TRY(lane_write(l, moved));
    if (l->eof && !wants_write(l) && !l->done) {
        l->done = true;
        *moved = true;
        (void)shutdown(l->to, SHUT_WR);
    }
    return OK;
}

/* How long to wait at most: the idle limit, or what is left of the time to stop. */
static int patience(int idle_ms, int64_t last, int64_t stopping)
{
    int64_t now = now_ms(), until = idle_ms < 0 ? INT64_MAX : last + idle_ms;
    if (stopping >= 0) {
        if (last + STOP_SILENCE_MS < until) until = last + STOP_SILENCE_MS;
        if (stopping + STOP_TOTAL_MS < until) until = stopping + STOP_TOTAL_MS;
    }
    if (until == INT64_MAX) return -1;
    if (until <= now) return 0;
    return until - now > 1000000 ? 1000000 : (int)(until - now);
}

static struct pollfd poll_for(int fd, const struct lane *reads, const struct lane *writes)
{
    short events = (short)((wants_read(reads) ? POLLIN : 0) | (wants_write(writes) ? POLLOUT : 0));
    /* A hang-up is reported even when nothing is asked for: do not ask at all, or it would spin. */
    return (struct pollfd){ .fd = events ? fd : -1, .events = events };
}

static err pump(struct lane *out, struct lane *back, int idle_ms, int stop)
{
    int64_t last = now_ms(), stopping = -1;
    while (!out->done || !back->done) {
        struct pollfd p[3] = { poll_for(out->from, out, back), poll_for(out->to, back, out),
                               { .fd = stopping < 0 ? stop : -1, .events = POLLIN } };
        int wait = patience(idle_ms, last, stopping);
        int rc = poll(p, 3, wait);
        if (rc < 0 && errno != EINTR) FAIL(E_IO, "waiting in a relay");
        if (rc == 0 && patience(idle_ms, last, stopping) == 0) return (err){ E_TIMEOUT };
        if (rc <= 0) continue;
        if (p[2].revents) stopping = now_ms();
        bool moved_out = false, moved_back = false;
        TRY(lane_step(out, p[0].revents, p[1].revents, &moved_out));
        TRY(lane_step(back, p[1].revents, p[0].revents, &moved_back));
        if (moved_out || moved_back) last = now_ms();
    }
    return OK;
}

err relay_pipe(struct relay_count *count, int a, int b, int idle_ms, int stop)
{
    BYTES there = NULL;
    BYTES here = NULL;
    *count = (struct relay_count){ 0 };
    TRY(mem_new(&there, RELAY_BUFFER));
    TRY(mem_new(&here, RELAY_BUFFER));
    struct lane out = { .from = a, .to = b, .at = there }, back = { .from = b, .to = a, .at = here };
    err e = pump(&out, &back, idle_ms, stop);
    *count = (struct relay_count){ out.moved, back.moved };
    return e;
}

/* Answer, end our side, and let the client finish what it was sending: a
 * connection closed on unread bytes is reset, and the answer could be lost. */
static void say(int client, int status, const char *reason, const char *words, int drain_ms)
{
    char body[160], text[512];
    uint8_t sink[4096];
    int64_t until = now_ms() + drain_ms;
    size_t drained = 0;
    int n = snprintf(body, sizeof body, "{\"error\":\"%s\",\"status\":%d}\n", words, status);
    int len = snprintf(text, sizeof text,
                       "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                       "Retry-After: 2\r\nConnection: close\r\n\r\n%s", status, reason, n, body);
    /* It fits any fresh socket's buffer; a client for which it does not is not waited for. */
    (void)send(client, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(client, SHUT_WR);
    while (drained < DRAIN_MAX) {
        ssize_t got = recv(client, sink, sizeof sink, MSG_DONTWAIT);
        if (got > 0) drained += (size_t)got;
        else if (got == 0 || !not_now()) return;
        int64_t left = until - now_ms();
        struct pollfd p = { .fd = client, .events = POLLIN };
        if (left <= 0 || (got < 0 && poll(&p, 1, (int)left) <= 0)) return;
    }
}

void relay_client(int *client, const char *enclave, int idle_ms, int stop)
{
    FD mine = take_fd(client);
    FD far = -1;
    struct relay_count count = { 0 };
    if (fd_connect(&far, enclave, DIAL_MS).code) {
        say(mine, 503, "Service Unavailable", "enclave not reachable", DRAIN_MS);
        return;
    }
    err e = relay_pipe(&count, mine, far, idle_ms, stop);
    log_debug("client: %llu bytes in, %llu back, %s", (unsigned long long)count.out,
              (unsigned long long)count.back, err_text(e.code));
    /* A request went in and nothing came back: the enclave died, or is deaf. An empty reply would
     * leave the client guessing whose fault it was. */
    if (count.out > 0 && count.back == 0)
        say(mine, 502, "Bad Gateway", "the enclave ended the connection without an answer", DRAIN_MS);
}

void relay_turn_away(int *client)
{
    FD mine = take_fd(client);
    say(mine, 503, "Service Unavailable", "too many connections", 0);
}
