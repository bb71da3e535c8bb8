/* session.c - the rules of a STORE connection, and those of a WITNESS connection.
 *
 * The peer is the enclave if all is well and anybody otherwise. It gets to hold one unfinished object
 * and one buffer of ours, both of sizes that we chose. */
#include "parent/session.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"

err hello_parse(struct hello *out, const struct msg *m)
{
    memset(out, 0, sizeof *out);
    if (m->type != LINK_HELLO) FAIL(E_STATE, "a connection that begins with frame %#x, not with hello", m->type);
    struct rd r = rd_of(m->body, m->len);
    uint16_t version = rd_u16(&r);
    out->purpose = rd_u16(&r);
    /* The version comes first: what follows it may look otherwise in another one. */
    if (!rd_ok(&r)) FAIL(E_FORMAT, "a hello of %u bytes", m->len);
    if (version != LINK_VERSION)
        FAIL(E_DENIED, "the enclave speaks version %u of the link, this parent %d: run builds that fit together",
             version, LINK_VERSION);
    if (out->purpose == LINK_EGRESS) {
        size_t n = 0;
        out->port = rd_u16(&r);
        const uint8_t *host = rd_var(&r, HELLO_HOST_MAX, &n);
        TRY(rd_end(&r, "hello"));
        for (size_t i = 0; i < n; i++)
            /* It goes into the log and, without a target, to the resolver. */
            if (host[i] <= ' ' || host[i] >= 0x7f) FAIL(E_FORMAT, "a hello for a host that is no plain text");
        if (n == 0 || out->port == 0) FAIL(E_FORMAT, "a hello for no host or port 0");
        memcpy(out->host, host, n);
        return OK;
    }
    TRY(rd_end(&r, "hello"));
    if (out->purpose != LINK_STORE && out->purpose != LINK_WITNESS) FAIL(E_FORMAT, "a hello with unknown purpose %u", out->purpose);
    return OK;
}

err session_open(struct session *s, struct store_backend *store, struct session_out out, uint64_t max_object)
{
    memset(s, 0, sizeof *s);
    s->purpose = LINK_STORE;
    s->store = store;
    s->out = out;
    s->max_object = max_object;
    return mem_new(&s->piece, LINK_PIECE);
}

void session_open_witness(struct session *s, struct session_out out, struct session_anchor anchor)
{
    *s = (struct session){ .purpose = LINK_WITNESS, .out = out, .anchor = anchor };
}

void session_close(struct session *s)
{
    store_put_close(&s->put);
    mem_free_bytes(&s->piece);
}

static err answer(const struct session *s, const struct msg *m, uint16_t type, const void *body, size_t n)
{
    return s->out.send(s->out.self, type, m->seq, body, n);
}

static err answer_error(const struct session *s, const struct msg *m, err why)
{
    uint8_t code = (uint8_t)why.code;
    return answer(s, m, MSG_ERROR, &code, 1);
}

static err done_or_error(const struct session *s, const struct msg *m, err result)
{
    return result.code ? answer_error(s, m, result) : answer(s, m, LINK_DONE, NULL, 0);
}

/* ---- one function for each request: a failure it returns breaks the rules and ends the session ---- */

static err on_head_get(struct session *s, const struct msg *m)
{
    uint8_t head[LINK_HEAD_MAX], body[1 + 4 + LINK_HEAD_MAX];
    size_t n = 0;
    err e = s->store->head_get(s->store, head, &n);
    if (e.code) return answer_error(s, m, e);
    struct wr w = wr_of(body, sizeof body);
    wr_u8(&w, n > 0);
    wr_var(&w, head, n);
    TRY(wr_end(&w, "head"));
    return answer(s, m, LINK_HEAD, body, w.len);
}

static err on_head_put(struct session *s, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    size_t expected_len = 0, next_len = 0;
    const uint8_t *expected = rd_var(&r, LINK_HEAD_MAX, &expected_len);
    const uint8_t *next = rd_var(&r, LINK_HEAD_MAX, &next_len);
    TRY(rd_end(&r, "head put"));
    if (next_len == 0) FAIL(E_FORMAT, "a head put without a head");
    err e = s->store->head_put(s->store, expected, expected_len, next, next_len);
    if (e.code == E_OK) s->head_moved = true;
    return done_or_error(s, m, e);
}

/* The last field of a frame. */
static err read_last_name(char out[static LINK_NAME_MAX + 1], struct rd *r)
{
    size_t n = 0;
    const uint8_t *name = rd_var(r, LINK_NAME_MAX, &n);
    TRY(rd_end(r, "object name"));
    if (!link_name_ok((const char *)name, n)) FAIL(E_FORMAT, "a name that no object can have");
    memcpy(out, name, n);
    out[n] = '\0';
    return OK;
}

static err read_name(char out[static LINK_NAME_MAX + 1], const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    return read_last_name(out, &r);
}

static err on_put(struct session *s, const struct msg *m)
{
    TRY(read_name(s->put_name, m));
    s->putting = true;
    s->put_size = 0;
    /* The enclave sends without waiting, so a failure now is told at LINK_PUT_END. */
    s->put_result = s->store->put(s->store, &s->put, s->put_name);
    return OK;
}

static void put_fails(struct session *s, err why)
{
    s->put_result = why;
    store_put_close(&s->put);
}

static err too_large(const struct session *s)
{
    FAIL(E_LIMIT, "object %s is larger than %llu bytes ([store] max_object)", s->put_name,
         (unsigned long long)s->max_object);
}

static err on_data(struct session *s, const struct msg *m)
{
    if (!s->put) return OK;            /* it failed already: what is still on its way is thrown away */
    /* put_size never exceeds max_object, so this cannot wrap. */
    if (m->len > s->max_object - s->put_size) {
        put_fails(s, too_large(s));
        return OK;
    }
    s->put_size += m->len;
    err e = s->put->write(s->put, m->body, m->len);
    if (e.code) put_fails(s, e);
    return OK;
}

static err put_finish(struct session *s, uint64_t total)
{
    if (s->put_result.code) return s->put_result;
    /* Also how an enclave gives up a put: it announces a size that cannot be. */
    if (total != s->put_size)
        FAIL(E_FORMAT, "object %s came with %llu bytes, not %llu: dropped", s->put_name,
             (unsigned long long)s->put_size, (unsigned long long)total);
    return s->put->commit(s->put);
}

static err on_put_end(struct session *s, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    uint64_t total = rd_u64(&r);
    TRY(rd_end(&r, "put end"));
    err e = put_finish(s, total);
    store_put_close(&s->put);
    s->putting = false;
    return done_or_error(s, m, e);
}

static err send_object(struct session *s, const struct msg *m, struct store_get *get, err *result)
{
    uint64_t total = 0;
    uint8_t end[8];
    for (;;) {
        size_t n = 0;
        *result = get->read(get, s->piece, &n, LINK_PIECE);
        if (result->code) return OK;
        if (n == 0) break;
        TRY(answer(s, m, LINK_DATA, s->piece, n));
        total += n;
    }
    /* What was sent, not what the store announced: the enclave compares the two. */
    struct wr w = wr_of(end, sizeof end);
    wr_u64(&w, total);
    return answer(s, m, LINK_GET_END, end, w.len);
}

static err on_get(struct session *s, const struct msg *m)
{
    char name[LINK_NAME_MAX + 1];
    STORE_GET get = NULL;
    err result = OK;
    TRY(read_name(name, m));
    result = s->store->get(s->store, &get, name);
    if (result.code == E_OK) TRY(send_object(s, m, get, &result));
    return result.code ? answer_error(s, m, result) : OK;
}

static err count_entry(void *self, const struct store_entry *e)
{
    uint32_t *count = self;
    (void)e;
    if (*count < UINT32_MAX) ++*count;
    return OK;
}

static err on_list(struct session *s, const struct msg *m)
{
    uint8_t head[LINK_HEAD_MAX], body[5];
    size_t n = 0;
    uint32_t count = 0;
    err e = s->store->list(s->store, count_entry, &count);
    if (e.code == E_OK) e = s->store->head_get(s->store, head, &n);
    if (e.code) return answer_error(s, m, e);
    struct wr w = wr_of(body, sizeof body);
    wr_u32(&w, count);
    wr_u8(&w, n > 0);
    return answer(s, m, LINK_LISTED, body, w.len);
}

static err on_anchor(struct session *s, const struct msg *m)
{
    uint8_t body[LINK_ANCHORED_MAX];
    char name[LINK_NAME_MAX + 1];
    size_t note_len = 0, n = 0;
    struct rd r = rd_of(m->body, m->len);
    const uint32_t deadline = rd_u32(&r);
    const uint8_t *note = rd_var(&r, LINK_NOTE_MAX, &note_len);
    TRY(read_last_name(name, &r));
    err e = s->anchor.ask(s->anchor.self, body, &n, (const char *)note, note_len, name, deadline);
    return e.code ? answer_error(s, m, e) : answer(s, m, LINK_ANCHORED, body, n);
}

static err on_log_read(struct session *s, const struct msg *m)
{
    BYTES body = NULL;
    char name[LINK_NAME_MAX + 1];
    size_t n = 0;
    struct rd r = rd_of(m->body, m->len);
    const uint64_t from = rd_u64(&r);
    const uint32_t limit = rd_u32(&r);
    TRY(read_last_name(name, &r));
    if (limit == 0 || limit > LINK_ENTRIES) FAIL(E_FORMAT, "%u entries of the log asked for", limit);
    err e = s->anchor.read(s->anchor.self, &body, &n, from, limit, name);
    return e.code ? answer_error(s, m, e) : answer(s, m, LINK_LOG_ENTRIES, body, n);
}

static err on_log_prove(struct session *s, const struct msg *m)
{
    uint8_t body[LINK_PROOF_MAX];
    char name[LINK_NAME_MAX + 1];
    size_t n = 0;
    struct rd r = rd_of(m->body, m->len);
    const uint8_t what = rd_u8(&r);
    const uint64_t old = rd_u64(&r), size = rd_u64(&r);
    TRY(read_last_name(name, &r));
    if (what >= LINK_PROVES) FAIL(E_FORMAT, "a proof of no kind asked for");
    err e = s->anchor.prove(s->anchor.self, body, &n, what, old, size, name);
    return e.code ? answer_error(s, m, e) : answer(s, m, LINK_LOG_PROOF, body, n);
}

/* What may be asked on which connection, how long it may be, and whether inside a put or outside. */
static const struct rule { uint16_t type, purpose; uint32_t min, max; bool in_put; err (*on)(struct session *, const struct msg *); } rules[] = {
    { LINK_HEAD_GET, LINK_STORE, 0, 0, false, on_head_get },
    { LINK_HEAD_PUT, LINK_STORE, 8, 8 + 2 * LINK_HEAD_MAX, false, on_head_put },
    { LINK_PUT, LINK_STORE, 4, 4 + LINK_NAME_MAX, false, on_put },
    { LINK_DATA, LINK_STORE, 1, LINK_PIECE, true, on_data },
    { LINK_PUT_END, LINK_STORE, 8, 8, true, on_put_end },
    { LINK_GET, LINK_STORE, 4, 4 + LINK_NAME_MAX, false, on_get },
    { LINK_LIST, LINK_STORE, 0, 0, false, on_list },
    { LINK_ANCHOR, LINK_WITNESS, 12, 12 + LINK_NOTE_MAX + LINK_NAME_MAX, false, on_anchor },
    { LINK_LOG_READ, LINK_WITNESS, 16, 16 + LINK_NAME_MAX, false, on_log_read },
    { LINK_LOG_PROVE, LINK_WITNESS, 21, 21 + LINK_NAME_MAX, false, on_log_prove },
};

static err run_rule(struct session *s, const struct msg *m)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        if (r->type != m->type) continue;
        if (r->purpose != s->purpose) FAIL(E_STATE, "a link frame of type %#x on a connection for another purpose", m->type);
        if (r->in_put != s->putting)
            FAIL(E_STATE, "a link frame of type %#x may not come %s a put", m->type, s->putting ? "inside" : "outside");
        if (m->len < r->min || m->len > r->max) FAIL(E_FORMAT, "a link frame of type %#x with %u bytes", m->type, m->len);
        return r->on(s, m);
    }
    FAIL(E_FORMAT, "a link frame of unknown type %#x", m->type);
}

err session_on(struct session *s, const struct msg *m)
{
    err e = run_rule(s, m);
    /* When sending failed there is nobody to tell. */
    if (e.code == E_FORMAT || e.code == E_STATE) err_drop(answer_error(s, m, e));
    return e;
}
