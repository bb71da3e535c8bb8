/* store_link.c - the store over a connection to the parent (core/link.h).
 *
 * The parent is not trusted: whatever it sends that is not exactly the answer due
 * ends the use of the connection, because nobody knows then what the next bytes mean. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/msg.h"
#include "diskcrypt/store.h"

struct store_link {
    struct store store;
    int          fd, deadline_ms;
    uint16_t     seq;
    bool         dead, putting;
    uint8_t     *room;                    /* LINK_PIECE bytes, for what comes */
};

/* Fail, and refuse the connection from now on. */
static err broken(struct store_link *l, err e)
{
    l->dead = true;
    fd_close(&l->fd);
    return e;
}

#define TRY_LINK(l, call) do { err try_ = (call); if (try_.code) return broken((l), try_); } while (0)

static err usable(struct store_link *l, bool putting)
{
    if (l->dead)
        FAIL(E_CLOSED, "the connection to the store broke earlier");
    MUST(l->putting == putting);          /* a mistake of ours, not of the peer */
    return OK;
}

static err ask(struct store_link *l, uint16_t type, const void *body, size_t n)
{
    TRY_LINK(l, msg_send(l->fd, type, l->seq, body, n, l->deadline_ms));
    return OK;
}

/* The next frame of the answer to the present question. An error answer is
 * returned as that error and leaves the connection in order. */
static err answer(struct store_link *l, struct msg *m)
{
    TRY_LINK(l, msg_recv(l->fd, m, l->room, LINK_PIECE, NULL, l->deadline_ms));
    err wrong = { E_FORMAT };
    if (m->seq != l->seq)
        return broken(l, err_log(E_FORMAT, __FILE__, __LINE__, "the store answered another question"));
    if (m->type != MSG_ERROR)
        return OK;
    if (m->len == 1 && m->body[0] != E_OK && m->body[0] < E_CODES)
        return (err){ (enum err_code)m->body[0] };
    return broken(l, wrong);
}

static err answer_of(struct store_link *l, struct msg *m, uint16_t type)
{
    TRY(answer(l, m));
    if (m->type != type)
        return broken(l, err_log(E_FORMAT, __FILE__, __LINE__, "the store answered with %u where %u was due", m->type, type));
    return OK;
}

static err done(struct store_link *l)
{
    struct msg m;
    TRY(answer_of(l, &m, LINK_DONE));
    if (m.len != 0)
        return broken(l, err_log(E_FORMAT, __FILE__, __LINE__, "the store said done, and more"));
    return OK;
}

static err link_head_get(struct store *s, uint8_t out[static LINK_HEAD_MAX], size_t *len)
{
    struct store_link *l = (struct store_link *)s;
    *len = 0;
    TRY(usable(l, false));
    l->seq++;
    TRY(ask(l, LINK_HEAD_GET, NULL, 0));
    struct msg m;
    TRY(answer_of(l, &m, LINK_HEAD));
    struct rd r = rd_of(m.body, m.len);
    uint8_t present = rd_u8(&r);
    size_t n = 0;
    const uint8_t *p = rd_var(&r, LINK_HEAD_MAX, &n);
    TRY_LINK(l, rd_end(&r, "the store's answer about its head"));
    if (present > 1 || (present == 0) != (n == 0))
        return broken(l, err_log(E_FORMAT, __FILE__, __LINE__, "the store's answer about its head contradicts itself"));
    memcpy(out, p, n);
    *len = n;
    return OK;
}

static err link_head_put(struct store *s, const void *expected, size_t expected_len, const void *bytes, size_t len)
{
    struct store_link *l = (struct store_link *)s;
    TRY(usable(l, false));
    uint8_t body[2 * (4 + LINK_HEAD_MAX)];
    struct wr w = wr_of(body, sizeof body);
    wr_var(&w, expected, expected_len);
    wr_var(&w, bytes, len);
    TRY(wr_end(&w, "a head"));
    l->seq++;
    TRY(ask(l, LINK_HEAD_PUT, body, w.len));
    return done(l);
}

static err name_body(struct wr *w, const char *name)
{
    wr_var(w, name, strlen(name));
    return wr_end(w, "an object's name");
}

static err link_put_begin(struct store *s, const char *name)
{
    struct store_link *l = (struct store_link *)s;
    TRY(usable(l, false));
    uint8_t body[4 + LINK_NAME_MAX];
    struct wr w = wr_of(body, sizeof body);
    TRY(name_body(&w, name));
    l->seq++;
    TRY(ask(l, LINK_PUT, body, w.len));
    l->putting = true;
    return OK;
}

static err link_put_data(struct store *s, const void *p, size_t n)
{
    struct store_link *l = (struct store_link *)s;
    TRY(usable(l, true));
    MUST(n >= 1 && n <= LINK_PIECE);
    return ask(l, LINK_DATA, p, n);
}

static err put_close(struct store_link *l, uint64_t total)
{
    TRY(usable(l, true));
    uint8_t body[8];
    struct wr w = wr_of(body, sizeof body);
    wr_u64(&w, total);
    l->putting = false;
    return ask(l, LINK_PUT_END, body, w.len);
}

static err link_put_end(struct store *s, uint64_t total)
{
    struct store_link *l = (struct store_link *)s;
    TRY(put_close(l, total));
    return done(l);
}

/* There is no frame for it and none is needed: a total that cannot be makes the
 * store drop what it got and answer with an error. */
static err link_put_abort(struct store *s)
{
    struct store_link *l = (struct store_link *)s;
    TRY(put_close(l, UINT64_MAX));
    struct msg m;
    err e = answer(l, &m);
    if (e.code == E_OK)
        return broken(l, err_log(E_FORMAT, __FILE__, __LINE__, "the store accepted an object that was given up"));
    return l->dead ? e : OK;
}

static err get_end(struct store_link *l, const struct msg *m, uint64_t total, const char *name)
{
    struct rd r = rd_of(m->body, m->len);
    uint64_t said = rd_u64(&r);
    TRY_LINK(l, rd_end(&r, "the end of an object"));
    if (said != total)
        return broken(l, err_log(E_FORMAT, __FILE__, __LINE__, "%s: %llu bytes came, %llu were announced", name,
                                 (unsigned long long)total, (unsigned long long)said));
    return OK;
}

static err link_get(struct store *s, uint64_t *total, const char *name, uint64_t max, struct store_sink sink)
{
    struct store_link *l = (struct store_link *)s;
    *total = 0;
    TRY(usable(l, false));
    uint8_t body[4 + LINK_NAME_MAX];
    struct wr w = wr_of(body, sizeof body);
    TRY(name_body(&w, name));
    l->seq++;
    TRY(ask(l, LINK_GET, body, w.len));
    for (uint64_t got = 0;;) {
        struct msg m;
        TRY(answer(l, &m));
        if (m.type == LINK_GET_END) {
            TRY(get_end(l, &m, got, name));
            *total = got;
            return OK;
        }
        if (m.type != LINK_DATA || m.len == 0)
            return broken(l, err_log(E_FORMAT, __FILE__, __LINE__, "%s: a frame of type %u inside an object", name, m.type));
        if (m.len > max - got)
            return broken(l, err_log(E_LIMIT, __FILE__, __LINE__, "%s is longer than the %llu bytes it may have", name,
                                     (unsigned long long)max));
        got += m.len;
        /* The rest would still come, so a sink that stops ends the connection too. */
        TRY_LINK(l, sink.take(sink.self, m.body, m.len));
    }
}

static err link_list(struct store *s, uint32_t *objects, bool *head)
{
    struct store_link *l = (struct store_link *)s;
    *objects = 0;
    *head = false;
    TRY(usable(l, false));
    l->seq++;
    TRY(ask(l, LINK_LIST, NULL, 0));
    struct msg m;
    TRY(answer_of(l, &m, LINK_LISTED));
    struct rd r = rd_of(m.body, m.len);
    uint32_t n = rd_u32(&r);
    uint8_t present = rd_u8(&r);
    TRY_LINK(l, rd_end(&r, "the store's list"));
    if (present > 1)
        return broken(l, err_log(E_FORMAT, __FILE__, __LINE__, "the store's list is odd"));
    *objects = n;
    *head = present;
    return OK;
}

static void link_close(struct store *s)
{
    struct store_link *l = (struct store_link *)s;
    fd_close(&l->fd);
    mem_free_bytes(&l->room);
    free(l);
}

err store_link(struct store **out, int *fd, int deadline_ms)
{
    *out = NULL;
    FD mine = take_fd(fd);
    BYTES room = NULL;
    TRY(mem_new(&room, LINK_PIECE));
    struct store_link *l = malloc(sizeof *l);
    if (!l)
        FAIL(E_MEMORY, "no memory for a store");
    *l = (struct store_link){
        .store = { .head_get = link_head_get, .head_put = link_head_put, .put_begin = link_put_begin,
                   .put_data = link_put_data, .put_end = link_put_end, .put_abort = link_put_abort,
                   .get = link_get, .list = link_list, .close = link_close },
        .fd = take_fd(&mine), .deadline_ms = deadline_ms, .room = take_bytes(&room),
    };
    *out = &l->store;
    return OK;
}
