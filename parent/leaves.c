/* leaves.c - see leaves.h. */
#include "parent/leaves.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void leaves_drop(struct leaves *l)
{
    for (unsigned i = 0; i < LEAVES_LEVELS; i++) free(l->level[i].p);
    *l = (struct leaves){ 0 };
}

static err node(void *self, uint8_t out[static TLOG_HASH], unsigned level, uint64_t index)
{
    const struct leaves *l = self;
    /* Compared by shifts of the size: the index may be anything. */
    if (level >= TLOG_LEVELS || index >= l->size >> level)
        FAIL(E_ABSENT, "a log of %" PRIu64 " entries has no subtree %" PRIu64 " of level %u", l->size, index, level);
    unsigned kept = level / LEAVES_STEP < LEAVES_LEVELS ? level / LEAVES_STEP : LEAVES_LEVELS - 1;
    /* The roots below it that are kept, joined pair by pair. */
    uint8_t row[1u << (LEAVES_STEP - 1)][TLOG_HASH];
    size_t n = (size_t)1 << (level - kept * LEAVES_STEP);
    MUST(n <= sizeof row / sizeof *row);
    memcpy(row, l->level[kept].p + index * n * TLOG_HASH, n * TLOG_HASH);
    for (; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++) tlog_join(row[i], row[2 * i], row[2 * i + 1]);
    memcpy(out, row[0], TLOG_HASH);
    return OK;
}

static err put(struct leaves *l, unsigned level, uint64_t index, const uint8_t hash[static TLOG_HASH])
{
    if (index >= l->level[level].cap) {
        const size_t cap = l->level[level].cap ? 2 * l->level[level].cap : 64;
        uint8_t *more = realloc(l->level[level].p, cap * TLOG_HASH);
        if (!more) FAIL(E_MEMORY, "a log of %" PRIu64 " entries", l->size + 1);
        l->level[level].p = more;
        l->level[level].cap = cap;
    }
    memcpy(l->level[level].p + index * TLOG_HASH, hash, TLOG_HASH);
    return OK;
}

/* The root over the 16 newest roots of the level below. */
static void over(uint8_t out[static TLOG_HASH], const struct leaves *l, unsigned below, uint64_t end)
{
    uint8_t row[1u << LEAVES_STEP][TLOG_HASH];
    memcpy(row, l->level[below].p + (end - (1u << LEAVES_STEP)) * TLOG_HASH, sizeof row);
    for (size_t n = 1u << LEAVES_STEP; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++) tlog_join(row[i], row[2 * i], row[2 * i + 1]);
    memcpy(out, row[0], TLOG_HASH);
}

err leaves_add(struct leaves *l, const uint8_t leaf[static TLOG_HASH])
{
    uint8_t hash[TLOG_HASH];
    uint64_t count = l->size;                /* roots at this level, this one left out */
    if (l->size >= LEAVES_MAX) FAIL(E_LIMIT, "a log of more than %d entries", LEAVES_MAX);
    memcpy(hash, leaf, sizeof hash);
    for (unsigned level = 0; level < LEAVES_LEVELS; level++) {
        TRY(put(l, level, count, hash));
        count++;
        if (count % (1u << LEAVES_STEP)) break;
        if (level + 1 < LEAVES_LEVELS) over(hash, l, level, count);
        count = (count >> LEAVES_STEP) - 1;
    }
    l->size++;
    return OK;
}

void leaves_cut(struct leaves *l, uint64_t size)
{
    MUST(size <= l->size);
    l->size = size;                          /* what is above is written anew as it grows again */
}

struct tlog_store leaves_store(const struct leaves *l)
{
    return (struct tlog_store){ (void *)(uintptr_t)l, node };
}

err leaves_tree(struct tlog *out, const struct leaves *l, uint64_t size)
{
    *out = (struct tlog){ .size = size };
    if (size > l->size) FAIL(E_ABSENT, "size %" PRIu64 " of a log of %" PRIu64, size, l->size);
    for (unsigned level = 0; level < TLOG_LEVELS; level++)
        if (size >> level & 1) TRY(node((void *)(uintptr_t)l, out->node[level], level, (size >> level) - 1));
    return OK;
}
