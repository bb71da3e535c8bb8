/* The parent's side of the link: a connection's bytes, from hello on, against a store
 * in memory. Nothing may crash it, and what was put must come back as it was. */
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "parent/allow.h"
#include "parent/session.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen { uint64_t got, announced; bool ended, done, head; };

static err take(void *self, uint16_t type, uint16_t seq, const void *body, size_t n)
{
    struct seen *s = self;
    (void)seq;
    MUST(n <= LINK_PIECE);
    if (type == LINK_DATA) s->got += n;
    if (type == LINK_DONE) s->done = true;
    if (type == LINK_HEAD && ((const uint8_t *)body)[0]) fuzz_reached("link.head");
    if (type == LINK_LISTED) fuzz_reached("link.list");
    if (type == LINK_GET_END) {
        struct rd r = rd_of(body, n);
        MUST(rd_u64(&r) == s->got);
        if (s->got > 0) fuzz_reached("link");
    }
    if (type != LINK_DATA) s->got = 0;
    if (type == MSG_ERROR) MUST(n == 1 && ((const uint8_t *)body)[0] > E_OK && ((const uint8_t *)body)[0] < E_CODES);
    return OK;
}

static bool next(struct msg *m, struct rd *r)
{
    m->len = rd_u32(r);
    m->type = rd_u16(r);
    m->seq = rd_u16(r);
    if (!rd_ok(r) || m->len > LINK_PIECE) return false;
    m->body = rd_bytes(r, m->len);
    return m->body != NULL;
}

/* Fails now and then, so that both answers are seen. */
static err ask(void *self, uint8_t out[static LINK_ANCHORED_MAX], size_t *n, const char *note, size_t note_len, const char *tail, uint32_t deadline_ms)
{
    (void)self;
    MUST(note_len <= LINK_NOTE_MAX && link_name_ok(tail, strlen(tail)));
    fuzz_reached("link.anchor");
    if (note_len && note[0] == 'x') return (err){ E_ABSENT };
    struct wr w = wr_of(out, LINK_ANCHORED_MAX);
    wr_u64(&w, deadline_ms);
    wr_u32(&w, 0);
    *n = w.len;
    return OK;
}

static err give(void *self, uint8_t **out, size_t *n, uint64_t from, uint32_t limit, const char *tail)
{
    (void)self;
    MUST(limit > 0 && limit <= LINK_ENTRIES && link_name_ok(tail, strlen(tail)));
    fuzz_reached("link.log_read");
    *n = 4;
    return from % 2 ? (err){ E_STATE } : mem_new(out, *n);
}

static err prove(void *self, uint8_t out[static LINK_PROOF_MAX], size_t *n, uint8_t what, uint64_t old, uint64_t size, const char *tail)
{
    (void)self;
    MUST(what < LINK_PROVES && link_name_ok(tail, strlen(tail)));
    fuzz_reached("link.log_prove");
    memset(out, 0, LINK_PROOF_MAX);
    *n = LINK_PROOF_MAX;
    return old > size ? (err){ E_STATE } : OK;
}

static void way_out(const struct hello *h)
{
    static struct allow allow;
    const struct allow_entry *entry = NULL;
    if (allow.count == 0 && allow_parse(&allow, "kms.us-east-1.amazonaws.com:443=127.0.0.1:9443, [fd00::1]:80").code) abort();
    if (allow_find(&entry, &allow, h->host, h->port).code) return;
    MUST(h->port == 443 || h->port == 80);
    fuzz_reached("link.egress");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t piece[LINK_PIECE];
    struct rd r = rd_of(data, size);
    struct msg m;
    struct hello h;
    struct seen seen = { 0 };
    STORE_BACKEND store = NULL;
    log_open("fuzz", LOG_ERROR);
    if (!next(&m, &r) || hello_parse(&h, &m).code) return 0;
    if (h.purpose == LINK_EGRESS) {
        way_out(&h);
        return 0;
    }
    if (h.purpose == LINK_WITNESS) {
        struct session w;
        session_open_witness(&w, (struct session_out){ take, &seen }, (struct session_anchor){ ask, give, prove, NULL });
        while (next(&m, &r) && session_on(&w, &m).code == E_OK) continue;
        session_close(&w);
        return 0;
    }
    if (store_backend_memory(&store, 1 << 20).code) return 0;
    /* As session_open() makes it, with one buffer for all runs. */
    struct session s = { .purpose = LINK_STORE, .store = store, .out = { take, &seen }, .max_object = 1 << 18, .piece = piece };
    while (next(&m, &r) && session_on(&s, &m).code == E_OK) continue;
    store_put_close(&s.put);
    return 0;
}
