/* anchors_log.c - what the enclave hands on of the log: entries and proofs, for whoever has a checkpoint to compare them with. */
#include <inttypes.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "parent/anchors.h"

_Static_assert((int)LINK_ENTRIES_MAX >= 8 + (int)TAIL_ENTRY_MAX, "each entry of a log can be given");
_Static_assert((int)LINK_PROOF_MAX == 4 + TLOG_PATH_MAX * TLOG_HASH, "the link carries each proof");

/* Append what one segment has of them. False: the next one does not fit any more. */
static bool copy(struct wr *w, uint32_t *count, const struct tail *t, uint64_t from, uint32_t limit)
{
    struct rd r = tail_entries(t);
    uint64_t index = t->from;
    size_t n = 0;
    for (const uint8_t *p; *count < limit && (p = tail_next(&r, &n)); index++) {
        if (index < from) continue;
        if (w->len + 4 + n > w->cap) return false;
        wr_var(w, p, n);
        ++*count;
    }
    return true;
}

/* The segments of the chain are read again: what is kept of them is hashes. */
static err collect(struct wr *w, uint32_t *count, struct anchors *a, uint64_t from, uint32_t limit)
{
    BYTES room = NULL;
    bool more = true;
    TRY(mem_new(&room, TAIL_MAX));
    for (size_t i = 0; i < a->chain.count && *count < limit && more; i++) {
        const struct segment *g = &a->chain.segments[i];
        struct tail t;
        uint8_t sha[32];
        size_t n = 0;
        if (i + 1 < a->chain.count && a->chain.segments[i + 1].from <= from) continue;
        err e = segment_read(&t, sha, room, &n, a->store, g->name);
        if (e.code == E_ABSENT) FAIL(E_STATE, "log segment %s went away while the log was read", g->name);
        TRY(e);
        if (memcmp(sha, g->sha256, sizeof sha) != 0) FAIL(E_AUTH, "log segment %s changed while the log was read", g->name);
        more = copy(w, count, &t, from, limit);
    }
    return OK;
}

err anchors_read(void *self, uint8_t **out, size_t *n, uint64_t from, uint32_t limit, const char *tail)
{
    BYTES body = NULL;
    uint32_t count = 0;
    TRY(anchors_follow(self, tail));
    TRY(mem_new(&body, LINK_ENTRIES_MAX));
    struct wr w = wr_of(body, LINK_ENTRIES_MAX);
    wr_u32(&w, 0);
    TRY(collect(&w, &count, self, from, limit));
    TRY(wr_end(&w, "entries of the log"));
    struct wr head = wr_of(body, 4);
    wr_u32(&head, count);
    *n = w.len;
    *out = take_bytes(&body);
    return OK;
}

err anchors_prove(void *self, uint8_t out[static LINK_PROOF_MAX], size_t *n, uint8_t what, uint64_t old, uint64_t size, const char *tail)
{
    struct anchors *a = self;
    struct tlog_path path = { 0 };
    TRY(anchors_follow(a, tail));
    const struct tlog_store log = leaves_store(&a->chain.leaves);
    const uint64_t held = a->chain.leaves.size;
    if (size > held || old > size || (what == LINK_PROVE_ENTRY && old == size))
        FAIL(E_STATE, "a proof about %" PRIu64 " and %" PRIu64 " in a log of %" PRIu64 " entries", old, size, held);
    TRY(what == LINK_PROVE_ENTRY ? tlog_prove_entry(&path, &log, old, size) : tlog_prove_growth(&path, &log, old, size));
    struct wr w = wr_of(out, LINK_PROOF_MAX);
    wr_u32(&w, (uint32_t)path.n);
    wr_bytes(&w, path.hash, path.n * TLOG_HASH);
    *n = w.len;
    return wr_end(&w, "a proof");
}
