/* disk_log_read.c - entries of the log and proofs about it, for clients of web: the parent has them.
 *
 * On a connection of their own, and never waited for: nothing here holds up a seal. What comes is handed on when it has the shape of
 * an answer. It is not believed: who asked has, or gets, a checkpoint to compare it with. */
#include <string.h>

#include "core/link.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/disk.h"

/* A parent that has to read a long log from afar may need longer than a client waits. The connection is kept for that: next time it has it. */
enum { SEND_MS = 2000, FRAME_MS = 2000, ANSWER_MS = 45000, PATIENCE_MS = 600000, ROOM = LINK_ENTRIES_MAX + 64 };

/* `body` goes behind the outcome, when that is LOG_READ. */
static err tell(struct disk *d, uint8_t outcome, const uint8_t *body, size_t n)
{
    BYTES message = NULL;
    d->read.asking = false;
    TRY(mem_new(&message, 1 + n));
    message[0] = outcome;
    if (n) memcpy(message + 1, body, n);
    err e = msg_send(d->env->peer[ROLE_WEB], d->read.want, d->read.seq, message, 1 + n, 5000);
    return e.code == E_CLOSED ? OK : e;          /* web is the first to go when the enclave stops */
}

static err give_up(struct disk *d, uint8_t outcome)
{
    fd_close(&d->read.fd);
    d->read.late = false;
    return d->read.asking ? tell(d, outcome, NULL, 0) : OK;
}

static err take_frame(void *self);

/* Greeting and question are sent together; the parent reads them one by one. */
static err send_question(struct disk *d)
{
    struct disk_read *q = &d->read;
    uint8_t hello[4];
    struct wr w = wr_of(hello, sizeof hello);
    q->reused = q->fd >= 0;
    if (!q->reused) {
        q->greeted = false;
        wr_u16(&w, LINK_VERSION);
        wr_u16(&w, LINK_WITNESS);
        TRY(role_want(d->env, GIVE_PARENT, 0, &q->fd));
        TRY(msg_send(q->fd, LINK_HELLO, 0, hello, w.len, SEND_MS));
    }
    TRY(msg_send(q->fd, q->type, 1, q->question, q->question_len, SEND_MS));
    loop_first(d->loop, &q->fd, take_frame);
    return OK;
}

static err ask(struct disk *d)
{
    err e = send_question(d);
    /* The parent may have ended a connection that was silent for long, or was started anew. */
    if (e.code && d->read.reused) {
        fd_close(&d->read.fd);
        e = send_question(d);
    }
    return e.code ? give_up(d, LOG_AWAY) : OK;
}

/* ---- answers ---- */

static err shape_of_entries(const struct disk_read *q, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    const uint32_t count = rd_u32(&r);
    size_t n = 0;
    /* None would keep a client asking for ever. */
    if (count == 0 || count > q->limit || count > q->size - q->from) FAIL(E_FORMAT, "%u entries of the log where at most %u were asked for", count, q->limit);
    for (uint32_t i = 0; i < count && rd_ok(&r); i++)
        if (rd_var(&r, TAIL_ENTRY_MAX, &n) && n == 0) FAIL(E_FORMAT, "an empty entry of the log");
    return rd_end(&r, "LINK_LOG_ENTRIES");
}

static err shape_of_proof(const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    const uint32_t count = rd_u32(&r);
    if (count > TLOG_PATH_MAX) FAIL(E_FORMAT, "a proof of %u hashes", count);
    (void)rd_bytes(&r, (size_t)count * TLOG_HASH);
    return rd_end(&r, "LINK_LOG_PROOF");
}

static err tell_entries(struct disk *d, const uint8_t *body, size_t n)
{
    BYTES whole = NULL;
    TRY(mem_new(&whole, 16 + n));
    struct wr w = wr_of(whole, 16 + n);
    wr_u64(&w, d->read.size);
    wr_u64(&w, d->read.from);
    wr_bytes(&w, body, n);
    TRY(wr_end(&w, "DISK_LOG_ENTRIES"));
    return tell(d, LOG_READ, whole, w.len);
}

static err hand_on(struct disk *d, const struct msg *m)
{
    const struct disk_read *q = &d->read;
    const bool entries = q->type == LINK_LOG_READ;
    err e = OK;
    if (m->type == MSG_ERROR) FAIL(E_FORMAT, "the parent cannot give this part of the log (%s); its own log says why", err_text(m->len == 1 && m->body[0] < E_CODES ? m->body[0] : E_FORMAT));
    if (m->seq != 1 || m->type != (entries ? LINK_LOG_ENTRIES : LINK_LOG_PROOF)) FAIL(E_FORMAT, "a frame of type %#x where a part of the log was due", m->type);
    e = entries ? shape_of_entries(q, m) : shape_of_proof(m);
    if (e.code || !q->asking) return e;
    return entries ? tell_entries(d, m->body, m->len) : tell(d, LOG_READ, m->body, m->len);
}

/* What is said between questions is an end, or it makes one. */
static err between(void *self)
{
    struct disk *d = self;
    fd_close(&d->read.fd);
    return OK;
}

static err once_more(struct disk *d)
{
    fd_close(&d->read.fd);
    return ask(d);
}

static err take_frame(void *self)
{
    struct disk *d = self;
    struct disk_read *q = &d->read;
    BYTES room = NULL;
    struct msg m;
    TRY(mem_new(&room, ROOM));
    err e = msg_recv(q->fd, &m, room, ROOM, NULL, FRAME_MS);
    if (e.code == E_CLOSED && q->reused && q->asking) return once_more(d);
    if (e.code) return give_up(d, LOG_AWAY);
    if (!q->greeted) {
        if (m.type != LINK_READY) return give_up(d, LOG_AWAY);
        q->greeted = true;
        loop_first(d->loop, &q->fd, take_frame);
        return OK;
    }
    e = hand_on(d, &m);
    if (e.code == E_FORMAT) return give_up(d, LOG_ODD);
    TRY(e);
    q->late = false;
    loop_first(d->loop, &q->fd, between);
    return OK;
}

err disk_read_tick(struct disk *d, int *timeout_ms)
{
    struct disk_read *q = &d->read;
    const uint64_t now = disk_now_ms();
    if (q->asking && now >= q->until_ms) {
        log_warn("the parent takes long to give a part of the log");
        TRY(tell(d, LOG_LATE, NULL, 0));
        q->late = true;
        q->until_ms = now + PATIENCE_MS;
    }
    if (q->late && now >= q->until_ms) TRY(give_up(d, LOG_LATE));
    if (!q->asking && !q->late) return OK;
    const uint64_t left = q->until_ms > now ? q->until_ms - now : 0;
    if (*timeout_ms < 0 || left < (uint64_t)*timeout_ms) *timeout_ms = (int)left + 1;
    return OK;
}

/* ---- questions ---- */

/* One at a time: who comes while one is under way hears so at once. Out: *go, whether to ask the parent. */
static err take_question(struct disk *d, bool *go, const struct msg *m, uint16_t want, bool in_range)
{
    struct disk_read *q = &d->read;
    const bool busy = q->asking || q->late;
    const uint8_t refused = busy ? LOG_BUSY : LOG_OUT_OF_RANGE;
    *go = !busy && in_range;
    if (!*go) return msg_send(d->env->peer[ROLE_WEB], want, m->seq, &refused, 1, 5000);
    q->asking = true;
    q->seq = m->seq;
    q->want = want;
    q->until_ms = disk_now_ms() + ANSWER_MS;
    return OK;
}

static err send_for(struct disk *d, uint16_t type, struct wr *w)
{
    wr_var(w, journal_name(d->journal), strlen(journal_name(d->journal)));
    TRY(wr_end(w, "a question about the log"));
    d->read.type = type;
    d->read.question_len = w->len;
    return ask(d);
}

err disk_on_log_read(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    struct rd r = rd_of(m->body, m->len);
    const uint64_t from = rd_u64(&r), size = journal_size(d->journal);
    const uint32_t limit = rd_u32(&r);
    bool go = false;
    (void)fd, (void)pass;
    if (limit == 0 || limit > LINK_ENTRIES) FAIL(E_FORMAT, "DISK_LOG_READ of %u entries", limit);
    TRY(take_question(d, &go, m, DISK_LOG_ENTRIES, from <= size));
    if (!go) return OK;
    d->read.from = from;
    d->read.size = size;
    d->read.limit = limit;
    /* Behind the last one there is nothing to ask for. */
    if (from == size) return tell_entries(d, (const uint8_t[4]){ 0 }, 4);
    struct wr w = wr_of(d->read.question, sizeof d->read.question);
    wr_u64(&w, from);
    wr_u32(&w, limit);
    return send_for(d, LINK_LOG_READ, &w);
}

err disk_on_log_prove(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    struct rd r = rd_of(m->body, m->len);
    const uint8_t what = rd_u8(&r);
    const uint64_t old = rd_u64(&r), size = rd_u64(&r);
    bool go = false;
    (void)fd, (void)pass;
    if (what >= LINK_PROVES) FAIL(E_FORMAT, "DISK_LOG_PROVE of no kind");
    TRY(take_question(d, &go, m, DISK_LOG_PROOF, size <= journal_size(d->journal) && (what == LINK_PROVE_ENTRY ? old < size : old <= size)));
    if (!go) return OK;
    struct wr w = wr_of(d->read.question, sizeof d->read.question);
    wr_u8(&w, what);
    wr_u64(&w, old);
    wr_u64(&w, size);
    return send_for(d, LINK_LOG_PROVE, &w);
}
