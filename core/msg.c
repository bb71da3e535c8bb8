/* msg.c - frames between processes, and the table of what may be asked. */
#include "core/msg.h"

#include <limits.h>
#include <time.h>

#include "core/mem.h"
#include "core/msg_wire.h"
#include "core/wait.h"

/* Answers that have no deadline of their own wait this long for a slow reader. */
enum { ANSWER_MS = 10000 };

void msg_put_head(uint8_t out[static MSG_HEAD], uint16_t type, uint16_t seq, uint32_t len)
{
    struct wr w = wr_of(out, MSG_HEAD);
    wr_u32(&w, len);
    wr_u16(&w, type);
    wr_u16(&w, seq);
}

static err send_frame(int fd, uint16_t type, uint16_t seq, const void *body, size_t n, int pass, int64_t until)
{
    if (n > MSG_MAX)
        FAIL(E_LIMIT, "a frame of %zu bytes is too long to send", n);
    uint8_t head[MSG_HEAD];
    msg_put_head(head, type, seq, (uint32_t)n);
    /* iovec has no const; the body is only read. */
    struct iovec v[2] = { { head, sizeof head }, { (void *)(uintptr_t)body, n } };
    return fd_write_pieces(fd, v, 2, pass, until);
}

err msg_send(int fd, uint16_t type, uint16_t seq, const void *body, size_t n, int deadline_ms)
{
    return send_frame(fd, type, seq, body, n, -1, until_ms(deadline_ms));
}

err msg_send_fd(int fd, uint16_t type, uint16_t seq, const void *body, size_t n, int pass)
{
    MUST(pass >= 0);
    return send_frame(fd, type, seq, body, n, pass, until_ms(ANSWER_MS));
}

err msg_get_head(int fd, struct msg *m, int *pass, int64_t until)
{
    uint8_t head[MSG_HEAD];
    *m = (struct msg){ 0 };
    TRY(fd_read_pass(fd, head, sizeof head, pass, until));
    struct rd r = rd_of(head, sizeof head);
    m->len = rd_u32(&r);
    m->type = rd_u16(&r);
    m->seq = rd_u16(&r);
    return OK;
}

/* The body follows a header that came, so a silence here is worth a line. */
static err get_body(int fd, void *p, size_t n, int64_t until)
{
    err e = fd_read_until(fd, p, n, until);
    if (e.code == E_CLOSED || e.code == E_TIMEOUT)
        FAIL(e.code, "a frame of %zu bytes was not sent to its end", n);
    return e;
}

static err recv_until(int fd, struct msg *m, void *room, size_t cap, int *pass, int64_t until)
{
    FD passed = -1;
    struct msg got;
    *m = (struct msg){ 0 };
    if (pass)
        *pass = -1;
    TRY(msg_get_head(fd, &got, &passed, until));
    if (passed >= 0 && !pass)
        FAIL(E_FORMAT, "a descriptor beside a frame of type %u, where none may be", got.type);
    if (got.len > MSG_MAX || got.len > cap)
        FAIL(E_LIMIT, "a frame of type %u announces %u bytes, at most %zu may come", got.type,
             (unsigned)got.len, cap < MSG_MAX ? cap : (size_t)MSG_MAX);
    TRY(get_body(fd, room, got.len, until));
    got.body = room;
    *m = got;
    if (pass)
        *pass = take_fd(&passed);
    return OK;
}

err msg_recv(int fd, struct msg *m, void *room, size_t cap, int *pass, int deadline_ms)
{
    return recv_until(fd, m, room, cap, pass, until_ms(deadline_ms));
}

static err error_of_body(const uint8_t *body, size_t n)
{
    if (n != 1 || body[0] == E_OK || body[0] >= E_CODES)
        FAIL(E_FORMAT, "an error answer that names no error");
    /* The peer logged the reason where it found it. */
    return (err){ (enum err_code)body[0] };
}

err msg_get_error(int fd, const struct msg *m, int64_t until)
{
    uint8_t code = 0;
    if (m->len != 1)
        FAIL(E_FORMAT, "an error answer of %u bytes", (unsigned)m->len);
    TRY(get_body(fd, &code, 1, until));
    return error_of_body(&code, 1);
}

err msg_call(int fd, uint16_t type, const void *body, size_t n,
             uint16_t want, struct msg *m, void *room, size_t cap, int deadline_ms)
{
    int64_t until = until_ms(deadline_ms);
    /* Any number will do that the last call on this stream did not use: it tells
     * an answer to an abandoned question from ours. The clock gives one. */
    uint16_t seq = (uint16_t)((uint64_t)until_ms(0) >> 4);
    struct msg got;
    *m = (struct msg){ 0 };
    TRY(send_frame(fd, type, seq, body, n, -1, until));
    TRY(recv_until(fd, &got, room, cap, NULL, until));
    if (got.seq != seq)
        FAIL(E_FORMAT, "an answer numbered %u to question %u", got.seq, seq);
    if (got.type == MSG_ERROR)
        return error_of_body(got.body, got.len);
    if (got.type != want)
        FAIL(E_FORMAT, "an answer of type %u where %u was due", got.type, want);
    *m = got;
    return OK;
}

err msg_send_error(int fd, const struct msg *to, err e)
{
    MUST(e.code != E_OK && e.code < E_CODES);
    uint8_t code = (uint8_t)e.code;
    return send_frame(fd, MSG_ERROR, to->seq, &code, 1, -1, until_ms(ANSWER_MS));
}

/* A type may have several rules for different states; the one for now counts. */
static err find_rule(size_t *at, const struct msg_table *t, unsigned state, const struct msg *m)
{
    bool known = false;
    for (size_t i = 0; i < t->count; i++) {
        const struct msg_rule *r = &t->rules[i];
        if (r->type != m->type)
            continue;
        known = true;
        if (r->when & 1u << state) {
            *at = i;
            return OK;
        }
    }
    if (known)
        FAIL(E_STATE, "a frame of type %u may not come in state %u", m->type, state);
    FAIL(E_FORMAT, "a frame of type %u may not be asked here", m->type);
}

err msg_serve(const struct msg_table *t, struct msg_seen *seen, unsigned state,
              void *self, int fd, void *room, size_t cap, int deadline_ms)
{
    MUST(t->count <= 64 && state < sizeof(unsigned) * CHAR_BIT);
    FD pass = -1;
    struct msg m;
    size_t at = 0;
    TRY(recv_until(fd, &m, room, cap, &pass, until_ms(deadline_ms)));
    TRY(find_rule(&at, t, state, &m));
    const struct msg_rule *rule = &t->rules[at];
    if (m.len < rule->min || m.len > rule->max)
        FAIL(E_FORMAT, "a frame of type %u has %u bytes, not %u to %u", m.type,
             (unsigned)m.len, (unsigned)rule->min, (unsigned)rule->max);
    if (rule->flags & MSG_ONCE) {
        uint64_t bit = UINT64_C(1) << at;
        if (seen->once & bit)
            FAIL(E_STATE, "a frame of type %u may come only once", m.type);
        /* Spent before it runs: a rule that fails half way is not tried again. */
        seen->once |= bit;
    }
    return rule->on(self, fd, &m, &pass);
}
