/* web.c - the role's one loop. */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "core/log.h"
#include "core/mem.h"
#include "daemon/roles.h"
#include "daemon/web.h"

enum { AT_HTTP, AT_CONTROL, AT_LISTEN, AT_LANES, POLLED = AT_LANES + WEB_LANES };
enum { TICK_MS = 250, ACCEPT_BURST = 64, HTTP_RUNS = 4 };

uint64_t web_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Deadlines are looked at every TICK_MS while there is anyone who could miss one. */
static int poll_ms(struct web *w)
{
    MHD_UNSIGNED_LONG_LONG mhd = 0;
    const bool pausing = web_now_ms() < w->accept_ms;
    int ms = w->con_count || pausing || w->stopping ? TICK_MS : -1;
    if (MHD_get_timeout(w->mhd, &mhd) == MHD_YES && (ms < 0 || mhd < (unsigned)ms)) ms = (int)mhd;
    return ms;
}

static void poll_set(struct web *w, struct pollfd fds[static POLLED])
{
    const bool accepting = !w->stopping && web_now_ms() >= w->accept_ms;
    for (unsigned i = 0; i < POLLED; i++) fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
    fds[AT_HTTP].fd = w->epoll;
    fds[AT_CONTROL].fd = w->stopping ? -1 : w->env->control;
    fds[AT_LISTEN].fd = accepting ? w->env->given[0] : -1;
    for (unsigned i = 0; i < WEB_LANES; i++) fds[AT_LANES + i].fd = *w->lane[i].fd;
    fds[AT_LANES + LANE_LOG].fd = -1;           /* LANE_DISK takes its answers */
}

static err serve_peers(struct web *w, const struct pollfd fds[static POLLED])
{
    /* Lanes first: a judge that answered and then died has its answer delivered, before init's word
     * about its successor closes the channel. */
    for (unsigned i = 0; i < WEB_LANES; i++)
        if (fds[AT_LANES + i].revents) TRY(web_lane_serve(w, i));
    if (fds[AT_CONTROL].revents) {
        TRY(role_control(w->env, &w->stopping));
        web_lanes_follow(w);
    }
    return OK;
}

static err accept_some(struct web *w)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        unsigned before = w->con_count;
        TRY(web_accept(w));
        if (w->con_count == before) return OK;
    }
    return OK;
}

static void look_around(struct web *w)
{
    const uint64_t now = web_now_ms();
    if (now < w->look_ms) return;
    w->look_ms = now + TICK_MS / 2;
    web_cut_overdue(w, now);
    web_cut_slow(w, now);
}

/* A connection whose answer has just been given wants another run or two; asking poll() in between would cost more. */
static err run_http(struct web *w)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    for (int i = 0; i < HTTP_RUNS; i++) {
        if (MHD_run(w->mhd) != MHD_YES) FAIL(E_IO, "libmicrohttpd gave up");
        if (MHD_get_timeout(w->mhd, &ms) != MHD_YES || ms > 0) return OK;
    }
    return OK;
}

static err turn(struct web *w)
{
    struct pollfd fds[POLLED];
    poll_set(w, fds);
    int n = poll(fds, POLLED, poll_ms(w));
    if (n < 0 && errno != EINTR) FAIL(E_IO, "poll");
    if (n > 0) {
        TRY(serve_peers(w, fds));
        if (fds[AT_LISTEN].revents) TRY(accept_some(w));
    }
    look_around(w);
    TRY(web_dispatch(w));                    /* a peer that just became free need not wait for clients */
    TRY(run_http(w));
    return web_dispatch(w);
}

/* Told to stop: what waits for a peer hears 503, what a peer has is answered if it comes in time. */
static err run(struct web *w)
{
    while (!w->stopping) TRY(turn(w));
    const uint64_t until = web_now_ms() + WEB_STOP_MS;
    web_drop_queues(w);
    while (web_busy(w) && web_now_ms() < until) TRY(turn(w));
    return OK;
}

static void close_web(struct web **at)
{
    struct web *w = *at;
    *at = NULL;
    if (!w) return;
    /* libmicrohttpd may not be stopped while a connection is suspended. */
    web_give_up(w);
    if (w->mhd && MHD_run(w->mhd) != MHD_YES) log_warn("libmicrohttpd would not finish");
    web_http_close(w);
    free(w->room);
    mem_free_bytes(&w->checkpoint);
    free(w);
}
#define WEB __attribute__((cleanup(close_web))) struct web *

/* The server's own descriptors, and what is read from files once (jansson's seed, the time zone
 * that the C library wants before it can write a date), must be there before the sandbox closes. */
err web_warm_up(struct role_env *env)
{
    json_object_seed(0);
    tzset();
    WEB w = calloc(1, sizeof *w);
    if (!w) FAIL(E_MEMORY, "no memory for the role");
    *w = (struct web){ .env = env, .epoll = -1 };
    /* Of these 8 MiB only the pages that frames fill are ever real. */
    TRY(mem_new(&w->room, MSG_MAX));
    TRY(web_http_open(w));
    env->warm = w;
    w = NULL;
    return OK;
}

err web_main(struct role_env *env)
{
    WEB w = env->warm;
    env->warm = NULL;
    w->stopping = env->stopping;
    web_jobs_open(w);
    return run(w);
}
