/* web_log_peer.c - see web_log_peer.h. */
#include "tests/support/web_log_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/link.h"

static void must(err e)
{
    if (!e.code) return;
    fprintf(stderr, "web_log_peer: %s\n", err_text(e.code));
    exit(1);
}

void peer_say_log(int fd)
{
    uint8_t body[256];
    const struct wire_log l = { .freshness = FRESH_WITNESSED, .key = { 5 }, .size = PEER_ENTRIES, .cosigned = PEER_ENTRIES };
    struct wr w = wr_of(body, sizeof body);
    wire_put_log(&w, &l);
    wr_var(&w, "note", 4);
    must(wr_end(&w, "DISK_LOG"));
    must(msg_send(fd, DISK_LOG, 0, body, w.len, 5000));
}

static void put_entries(struct wr *w, uint64_t from, uint64_t limit)
{
    const uint64_t n = from >= PEER_ENTRIES ? 0 : limit < PEER_ENTRIES - from ? limit : PEER_ENTRIES - from;
    wr_u64(w, PEER_ENTRIES);
    wr_u64(w, from);
    wr_u32(w, (uint32_t)n);
    for (uint64_t i = from; i < from + n; i++) {
        wr_u32(w, (uint32_t)i + 1);
        memset(wr_room(w, (size_t)i + 1), (int)i, (size_t)i + 1);
    }
}

/* Two hashes of what was asked: the numbers come back. */
static void put_proof(struct wr *w, uint64_t what, uint64_t old)
{
    wr_u32(w, 2);
    memset(wr_room(w, 32), (int)what, 32);
    memset(wr_room(w, 32), (int)old, 32);
}

void peer_log_go(int fd, struct log_peer *l)
{
    uint8_t body[512];
    struct wr w = wr_of(body, sizeof body);
    const bool entries = l->type == DISK_LOG_READ;
    wr_u8(&w, (uint8_t)(l->outcome == LOG_OUTCOMES ? LOG_READ : l->outcome));
    if (l->outcome == LOG_OUTCOMES) wr_u32(&w, 0xffffffff);
    else if (l->outcome == LOG_READ && entries) put_entries(&w, l->from, l->limit);
    else if (l->outcome == LOG_READ) put_proof(&w, l->limit, l->from);
    must(wr_end(&w, "log"));
    must(msg_send(fd, entries ? DISK_LOG_ENTRIES : DISK_LOG_PROOF, l->seq, body, w.len, 5000));
    l->type = 0;
    l->held = false;
}

bool peer_answer_log(int fd, struct log_peer *l, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    if (m->type != DISK_LOG_READ && m->type != DISK_LOG_PROVE) return false;
    if (l->type) must((err){ E_STATE });         /* web asks one thing at a time */
    l->type = m->type;
    l->seq = m->seq;
    if (m->type == DISK_LOG_READ) {
        l->from = rd_u64(&r);
        l->limit = rd_u32(&r);
    }
    else {
        l->limit = rd_u8(&r);
        l->from = rd_u64(&r);
        (void)rd_u64(&r);
    }
    must(rd_end(&r, "a question about the log"));
    if (!l->held) peer_log_go(fd, l);
    return true;
}
