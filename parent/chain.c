/* chain.c - see chain.h. */
#include "parent/chain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"

void chain_drop(struct chain *c)
{
    leaves_drop(&c->leaves);
    free(c->segments);
    *c = (struct chain){ 0 };
}

err segment_read(struct tail *t, uint8_t sha256_out[static 32], uint8_t room[static TAIL_MAX], size_t *n, struct store_backend *s, const char *name)
{
    STORE_GET get = NULL;
    size_t got = 1;
    if (!tail_name_ok(name)) FAIL(E_FORMAT, "`%s` is no name of a log segment", name);
    TRY(s->get(s, &get, name));
    if (get->size > TAIL_MAX) FAIL(E_LIMIT, "log segment %s has %" PRIu64 " bytes", name, get->size);
    for (*n = 0; got > 0 && *n < TAIL_MAX; *n += got) TRY(get->read(get, room + *n, &got, TAIL_MAX - *n));
    if (*n != get->size) FAIL(E_IO, "log segment %s ended after %zu bytes", name, *n);
    sha256(sha256_out, room, *n);
    TRY(tail_parse(t, room, *n));
    /* Its name says where it begins. */
    if (strtoull(name + 4, NULL, 16) != t->from) FAIL(E_FORMAT, "log segment %s begins with entry %" PRIu64, name, t->from);
    return OK;
}

err segment_precedes(const struct tail *t, const struct tail *next)
{
    if (memcmp(t->service, next->service, sizeof t->service) != 0 || t->number != next->number || t->epoch > next->epoch || t->from + t->count != next->from)
        FAIL(E_AUTH, "the log segment with entries %" PRIu64 " to %" PRIu64 " does not stand before that from entry %" PRIu64, t->from, t->from + t->count, next->from);
    return OK;
}

/* Segments on their way in, the newest first. */
struct found { struct segment s; uint8_t (*leaves)[TLOG_HASH]; uint32_t count; };
struct way { struct found *found; size_t count, cap; };

static void way_drop(struct way *w)
{
    for (size_t i = 0; i < w->count; i++) free(w->found[i].leaves);
    free(w->found);
}

static err hash_entries(struct found *f, const struct tail *t)
{
    struct rd r = tail_entries(t);
    size_t n = 0;
    f->leaves = calloc(t->count, TLOG_HASH);
    if (!f->leaves) FAIL(E_MEMORY, "%u hashes", t->count);
    for (const uint8_t *p; (p = tail_next(&r, &n));) tlog_leaf(f->leaves[f->count++], p, n);
    return OK;
}

static err keep(struct way *w, const char *name, const uint8_t sha[static 32], size_t size, const struct tail *t)
{
    if (w->count == w->cap) {
        const size_t cap = w->cap ? 2 * w->cap : 16;
        struct found *more = reallocarray(w->found, cap, sizeof *more);
        if (!more) FAIL(E_MEMORY, "%zu log segments", cap);
        w->found = more;
        w->cap = cap;
    }
    struct found *f = &w->found[w->count];
    *f = (struct found){ .s = { .from = t->from, .size = size } };
    memcpy(f->s.name, name, strlen(name) + 1);
    memcpy(f->s.sha256, sha, 32);
    tlog_root(f->s.root, &t->before);
    TRY(hash_entries(f, t));
    w->count++;
    return OK;
}

/* How many segments of the chain are the beginning of the one that goes on with `t`: those up to the one that it names. -1: it is not among them. */
static ptrdiff_t joint(const struct chain *c, const struct tail *t)
{
    if (t->from == 0) return 0;
    for (size_t i = c->count; i-- > 0;)
        if (strcmp(c->segments[i].name, t->previous) == 0 && memcmp(c->segments[i].sha256, t->previous_sha256, 32) == 0) return (ptrdiff_t)i + 1;
    return -1;
}

/* Walk back from the tail until what the chain holds. Out: *stay, its segments that stay. */
static err walk(struct way *w, size_t *stay, struct chain *c, struct store_backend *s, const char *tail, const uint8_t *want)
{
    BYTES room = NULL;
    char name[TAIL_NAME];
    uint8_t sha[32], expected[32];
    struct tail t, next;
    size_t n = 0;
    ptrdiff_t at = -1;
    TRY(mem_new(&room, TAIL_MAX));
    if (strlen(tail) >= sizeof name) FAIL(E_FORMAT, "no name of a log segment");
    strcpy(name, tail);
    for (size_t steps = 0; at < 0; steps++) {
        TRY(segment_read(&t, sha, room, &n, s, name));
        if (want && memcmp(sha, want, 32) != 0) FAIL(E_AUTH, "log segment %s is another than what names it says: damaged or exchanged", name);
        if (steps) TRY(segment_precedes(&t, &next));
        else c->tail = t;
        if (t.from + t.count > LEAVES_MAX) FAIL(E_LIMIT, "a log of %" PRIu64 " entries", t.from + t.count);
        TRY(keep(w, name, sha, n, &t));
        at = joint(c, &t);
        next = t;
        memcpy(name, t.previous, sizeof name);
        memcpy(expected, t.previous_sha256, 32);
        want = expected;
    }
    *stay = (size_t)at;
    return OK;
}

/* Append what was found, the oldest first, where the trees say that it fits. */
static err append(struct chain *c, const struct way *w)
{
    for (size_t i = w->count; i-- > 0;) {
        const struct found *f = &w->found[i];
        struct tlog before;
        uint8_t root[TLOG_HASH];
        TRY(leaves_tree(&before, &c->leaves, c->leaves.size));
        tlog_root(root, &before);
        if (f->s.from != c->leaves.size || memcmp(root, f->s.root, sizeof root) != 0)
            FAIL(E_AUTH, "log segment %s says that another log is before it", f->s.name);
        for (uint32_t k = 0; k < f->count; k++) TRY(leaves_add(&c->leaves, f->leaves[k]));
        c->segments[c->count++] = f->s;
    }
    return OK;
}

static err follow(struct chain *c, struct way *w, struct store_backend *s, const char *tail, const uint8_t *sha)
{
    size_t stay = 0;
    TRY(walk(w, &stay, c, s, tail, sha));
    leaves_cut(&c->leaves, stay < c->count ? c->segments[stay].from : c->leaves.size);
    c->count = stay;
    if (c->count + w->count > c->cap) {
        const size_t cap = c->count + w->count + 16;
        struct segment *more = reallocarray(c->segments, cap, sizeof *more);
        if (!more) FAIL(E_MEMORY, "%zu log segments", cap);
        c->segments = more;
        c->cap = cap;
    }
    return append(c, w);
}

err chain_follow(struct chain *c, struct store_backend *s, const char *tail, const uint8_t *sha)
{
    __attribute__((cleanup(way_drop))) struct way w = { 0 };
    err e = follow(c, &w, s, tail, sha);
    if (e.code) chain_drop(c);
    else c->tail.entries = c->tail.state = NULL, c->tail.entries_len = c->tail.state_len = 0;
    return e;
}
