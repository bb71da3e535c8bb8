/* segments.c - see segments.h. */
#include "parent/segments.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"

void segments_drop(struct segments *l)
{
    free(l->one);
    *l = (struct segments){ 0 };
}

static err peek(struct tail *t, uint64_t *size, struct store_backend *s, const char *name)
{
    uint8_t head[TAIL_HEAD];
    STORE_GET get = NULL;
    size_t have = 0, n = 1;
    if (!tail_name_ok(name)) FAIL(E_FORMAT, "`%s` is no name of a log segment", name);
    TRY(s->get(s, &get, name));
    for (; have < sizeof head && n > 0; have += n) TRY(get->read(get, head + have, &n, sizeof head - have));
    TRY(tail_peek(t, head, have));
    *size = get->size;
    return OK;
}

err segments_end(struct log_end *out, struct store_backend *s, const char *tail)
{
    struct tail t;
    uint64_t size = 0;
    *out = (struct log_end){ 0 };
    if (!tail[0]) return OK;
    TRY(peek(&t, &size, s, tail));
    *out = (struct log_end){ t.number, t.from + t.count };
    return OK;
}

bool segments_newer(const struct log_end *a, const struct log_end *b)
{
    return a->number != b->number ? a->number > b->number : a->entries > b->entries;
}

static err add(struct segments *l, const char *name, uint64_t size)
{
    if (l->count == l->cap) {
        const size_t cap = l->cap ? 2 * l->cap : 16;
        struct segment_name *more = reallocarray(l->one, cap, sizeof *more);
        if (!more) FAIL(E_MEMORY, "a list of %zu log segments", cap);
        l->one = more;
        l->cap = cap;
    }
    memcpy(l->one[l->count].name, name, strlen(name) + 1);
    l->one[l->count++].size = size;
    return OK;
}

static void reverse(struct segments *l)
{
    for (size_t i = 0; i < l->count / 2; i++) {
        const struct segment_name kept = l->one[i];
        l->one[i] = l->one[l->count - 1 - i];
        l->one[l->count - 1 - i] = kept;
    }
}

/* How many of the list's segments come before that of this name, itself with them; 0: it is not among them. */
static size_t up_to(const struct segments *l, const char *name)
{
    for (size_t i = l->count; i-- > 0;)
        if (strcmp(l->one[i].name, name) == 0) return i + 1;
    return 0;
}

/* Those that the list does not hold, the newest first. Out: *stay, how many of the list go before them. */
static err walk(struct segments *more, size_t *stay, const struct segments *l, struct store_backend *s, const char *tail)
{
    struct tail t = { .from = 1 };
    char name[TAIL_NAME];
    uint64_t end = UINT64_MAX, size = 0;     /* end: where the one that was read last begins */
    *stay = 0;
    if (strlen(tail) >= sizeof name) FAIL(E_FORMAT, "no name of a log segment");
    strcpy(name, tail);
    while (t.from > 0 && !(*stay = up_to(l, name))) {
        TRY(peek(&t, &size, s, name));
        /* Each is before the one that names it: so this comes to an end. */
        if (end != UINT64_MAX && t.from + t.count != end) FAIL(E_FORMAT, "log segment %s is not the one before entry %llu", name, (unsigned long long)end);
        TRY(add(more, name, size));
        end = t.from;
        memcpy(name, t.previous, sizeof name);
    }
    return OK;
}

err segments_follow(struct segments *l, struct store_backend *s, const char *tail)
{
    SEGMENTS more = { 0 };
    size_t stay = 0;
    if (!tail[0]) {
        segments_drop(l);
        return OK;
    }
    if (l->broken) segments_drop(l);
    err e = walk(&more, &stay, l, s, tail);
    if (e.code && e.code != E_ABSENT) {
        segments_drop(l);
        return e;
    }
    reverse(&more);
    l->count = stay;
    l->broken = e.code == E_ABSENT;
    for (size_t i = 0; i < more.count; i++) {
        err full = add(l, more.one[i].name, more.one[i].size);
        if (!full.code) continue;
        segments_drop(l);
        return full;
    }
    return e;
}
