/* web_jobs.c - questions to the peers: a queue and a lane to each single peer (two to disk), a pool of
 * lanes to the judges. */
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "daemon/web.h"

enum { SEQ_LOG = 0x8000 };

void web_jobs_open(struct web *w)
{
    struct role_env *env = w->env;
    w->lane[LANE_KEEPER].fd = &env->peer[ROLE_KEEPER];
    w->lane[LANE_DISK].fd = &env->peer[ROLE_DISK];
    w->lane[LANE_BOOK].fd = &env->peer[ROLE_BOOK];
    w->lane[LANE_LOG].fd = &env->peer[ROLE_DISK];
    w->lane[LANE_TRIAL].fd = &env->peer[ROLE_TRIAL];
    for (unsigned i = 0; i < JUDGES_MAX; i++) w->lane[LANE_JUDGE + i].fd = &env->judge[i];
    for (unsigned i = 0; i < WEB_LANES; i++) w->lane[i].known = *w->lane[i].fd;
}

/* ---- queues ---- */

static void push(struct web_queue *q, struct web_request *r)
{
    r->next = NULL;
    if (q->last) q->last->next = r;
    else q->first = r;
    q->last = r;
    q->count++;
    r->queued = true;
}

static struct web_request *pop(struct web_queue *q)
{
    struct web_request *r = q->first;
    if (!r) return NULL;
    q->first = r->next;
    if (!q->first) q->last = NULL;
    q->count--;
    r->next = NULL;
    r->queued = false;
    return r;
}

void web_ask(struct web *w, struct web_request *r, unsigned queue, uint16_t ask, uint16_t want, unsigned seconds,
             err (*on_answer)(struct web *, struct web_request *, const struct msg *))
{
    struct web_queue *q = &w->queue[queue];
    if (q->count >= WEB_QUEUE) {
        web_answer_error(r, 503, "Too many requests are waiting.");
        return;
    }
    r->ask = ask;
    r->want = want;
    r->until_ms = web_now_ms() + seconds * 1000ull;
    r->on_answer = on_answer;
    push(q, r);
}

/* ---- lanes ---- */

static unsigned queue_of(unsigned lane) { return lane < LANE_JUDGE ? lane : LANE_JUDGE; }

/* A judge is gone: its client hears so, and is not tried on the next judge, which the same
 * request might end as well. init sends another channel. */
static void lose(struct web_lane *l)
{
    if (l->running) web_answer_error(l->running, 503, "The process that worked on this request ended. Try again.");
    l->running = NULL;
    l->busy = false;
    l->known = *l->fd;
}

static err lost(struct web *w, unsigned lane, err why)
{
    struct web_lane *l = &w->lane[lane];
    if (lane < LANE_TRIAL) return why;
    if (lane == LANE_TRIAL) log_warn("the judge of dry runs is gone");
    else log_warn("judge %u is gone", lane - LANE_JUDGE);
    fd_close(l->fd);
    lose(l);
    return OK;
}

/* 0 is for what a peer says unasked; the upper half tells the answers to LANE_LOG from those to LANE_DISK. */
static uint16_t next_seq(uint16_t seq, unsigned lane)
{
    const uint16_t next = (seq + 1) & (SEQ_LOG - 1);
    return lane == LANE_LOG ? next | SEQ_LOG : next ? next : 1;
}

static err send_one(struct web *w, unsigned lane, struct web_request *r)
{
    struct web_lane *l = &w->lane[lane];
    l->seq = next_seq(l->seq, lane);
    l->busy = true;
    l->running = r;
    l->want = r->want;
    err e = msg_send(*l->fd, r->ask, l->seq, r->message, r->message_len, WEB_PEER_MS);
    return e.code ? lost(w, lane, e.code == E_CLOSED ? e : (err){ E_CLOSED }) : OK;
}

err web_dispatch(struct web *w)
{
    for (unsigned i = 0; i < WEB_LANES; i++) {
        struct web_lane *l = &w->lane[i];
        struct web_queue *q = &w->queue[queue_of(i)];
        if (*l->fd < 0 || l->busy || !q->first) continue;
        TRY(send_one(w, i, pop(q)));
    }
    return OK;
}

static err take_state(struct web *w, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    wire_get_state(&r, &w->state);
    TRY(rd_end(&r, "KEEPER_STATE"));
    w->has_state = true;
    if (w->state.phase == PHASE_AWAITING_SETUP) w->awaited = true;
    return OK;
}

static err take_disk(struct web *w, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    wire_get_disk(&r, &w->disk);
    TRY(rd_end(&r, "DISK_STATE"));
    w->has_disk = true;
    return OK;
}

static const char *error_words(enum err_code code)
{
    switch (code) {
    case E_STATE:   return "This cannot be done now.";
    case E_ABSENT:  return "There is nothing of that kind.";
    case E_LIMIT:   return "This is larger than what is accepted.";
    case E_TIMEOUT: return "A part of the service did not answer in time.";
    case E_DENIED:  return "This is not allowed.";
    default:        return "This failed inside the service.";
    }
}

static err read_answer(struct web *w, struct web_request *r, const struct msg *m)
{
    if (m->type != MSG_ERROR) return r->on_answer(w, r, m);
    if (m->len != 1 || m->body[0] == E_OK || m->body[0] >= E_CODES) FAIL(E_FORMAT, "an error answer that names no error");
    web_answer_error(r, err_http(m->body[0]), error_words(m->body[0]));
    return OK;
}

static err take_answer(struct web *w, struct web_lane *l, const struct msg *m)
{
    if (!l->busy || m->seq != l->seq) FAIL(E_STATE, "an answer (frame %u) to no question", m->type);
    if (m->type != l->want && m->type != MSG_ERROR) FAIL(E_FORMAT, "an answer of type %u where %u was due", m->type, l->want);
    struct web_request *r = l->running;
    /* Without r it is too late: the client has its 503. After a failure, the end of the
     * role answers what is still running. */
    if (r) TRY(read_answer(w, r, m));
    l->busy = false;
    l->running = NULL;
    MUST(!r || r->answer.status || r->queued);   /* answered, or it goes on at a peer */
    return OK;
}

err web_lane_serve(struct web *w, unsigned lane)
{
    struct web_lane *l = &w->lane[lane];
    struct msg m;
    err e = msg_recv(*l->fd, &m, w->room, MSG_MAX, NULL, WEB_PEER_MS);
    if (e.code == E_FORMAT || e.code == E_LIMIT) return e;
    if (e.code) return lost(w, lane, (err){ E_CLOSED });
    if (lane == LANE_KEEPER && m.type == KEEPER_STATE) return take_state(w, &m);
    if (lane == LANE_DISK && m.type == DISK_STATE) return take_disk(w, &m);
    if (lane == LANE_DISK && m.type == DISK_LOG) return web_take_log(w, &m);
    return take_answer(w, lane == LANE_DISK && m.seq & SEQ_LOG ? &w->lane[LANE_LOG] : l, &m);
}

void web_lanes_follow(struct web *w)
{
    for (unsigned i = LANE_TRIAL; i < WEB_LANES; i++) {
        struct web_lane *l = &w->lane[i];
        if (*l->fd != l->known) lose(l);
    }
}

/* ---- giving up ---- */

static void too_late(struct web *w, struct web_request *r)
{
    if (r->on_late) r->on_late(w, r);
    else web_answer_error(r, 503, "The service did not get to this request in time.");
}

/* A queue may mix deadlines, so all of it is looked at. */
static void cut_queue(struct web *w, struct web_queue *q, uint64_t now_ms)
{
    struct web_queue all = *q;
    *q = (struct web_queue){ 0 };
    for (struct web_request *r; (r = pop(&all)) != NULL;) {
        if (now_ms >= r->until_ms) too_late(w, r);
        else push(q, r);
    }
}

void web_cut_overdue(struct web *w, uint64_t now_ms)
{
    for (unsigned i = 0; i < WEB_LANES; i++) {
        struct web_lane *l = &w->lane[i];
        if (!l->running || now_ms < l->running->until_ms) continue;
        too_late(w, l->running);
        l->running = NULL;                   /* and the lane stays busy until the peer answers */
    }
    for (unsigned i = 0; i < WEB_QUEUES; i++) cut_queue(w, &w->queue[i], now_ms);
}

static const char stopping[] = "The service is stopping.";

void web_drop_queues(struct web *w)
{
    for (unsigned i = 0; i < WEB_QUEUES; i++)
        while (w->queue[i].first) web_answer_error(pop(&w->queue[i]), 503, stopping);
}

void web_give_up(struct web *w)
{
    w->ending = true;
    web_drop_queues(w);
    for (unsigned i = 0; i < WEB_LANES; i++) {
        if (w->lane[i].running) web_answer_error(w->lane[i].running, 503, stopping);
        w->lane[i].running = NULL;
    }
}

bool web_busy(const struct web *w) { return w->pending > 0; }
