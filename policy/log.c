#include "policy/log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "core/hash.h"

void tlog_leaf(uint8_t out[static TLOG_HASH], const void *entry, size_t n)
{
    const struct bytes pieces[] = { { "\x00", 1 }, { entry, n } };
    sha256_of(out, pieces, 2);
}

void tlog_join(uint8_t out[static TLOG_HASH], const uint8_t left[static TLOG_HASH], const uint8_t right[static TLOG_HASH])
{
    const struct bytes pieces[] = { { "\x01", 1 }, { left, TLOG_HASH }, { right, TLOG_HASH } };
    sha256_of(out, pieces, 3);
}

err tlog_append(struct tlog *t, const uint8_t leaf[static TLOG_HASH])
{
    uint8_t sum[TLOG_HASH];
    unsigned level = 0;
    if (t->size >= TLOG_SIZE_MAX) FAIL(E_LIMIT, "the log holds %" PRIu64 " entries and takes no more", t->size);
    memcpy(sum, leaf, sizeof sum);
    /* As in binary addition: each set bit is a subtree that is now full with its neighbour. */
    for (; t->size >> level & 1; level++)
        tlog_join(sum, t->node[level], sum);
    memcpy(t->node[level], sum, sizeof sum);
    t->size++;
    return OK;
}

void tlog_root(uint8_t out[static TLOG_HASH], const struct tlog *t)
{
    bool any = false;
    MUST(t->size <= TLOG_SIZE_MAX);
    sha256(out, "", 0);
    for (unsigned level = 0; level < TLOG_LEVELS; level++) {
        if (!(t->size >> level & 1)) continue;
        if (any) tlog_join(out, t->node[level], out);
        else memcpy(out, t->node[level], TLOG_HASH);
        any = true;
    }
}

/* The root over entries [lo, hi), a range that the recursion of 2.1 makes: lo is a multiple of the
 * power of two at or above its length, so it is cut in whole subtrees by the bits of that length. */
static err range_root(uint8_t out[static TLOG_HASH], const struct tlog_store *s, uint64_t lo, uint64_t hi)
{
    const uint64_t n = hi - lo;
    bool any = false;
    for (unsigned level = 0; level < TLOG_LEVELS; level++) {
        uint8_t node[TLOG_HASH];
        if (!(n >> level & 1)) continue;
        const uint64_t first = lo + (n >> level >> 1 << level << 1);
        TRY(s->node(s->self, node, level, first >> level));
        if (any) tlog_join(out, node, out);
        else memcpy(out, node, TLOG_HASH);
        any = true;
    }
    MUST(any);
    return OK;
}

/* The largest power of two below n, for n > 1. */
static uint64_t half(uint64_t n)
{
    uint64_t k = 1;
    while (k << 1 < n)
        k <<= 1;
    return k;
}

static err push(struct tlog_path *p, const struct tlog_store *s, uint64_t lo, uint64_t hi)
{
    MUST(p->n < TLOG_PATH_MAX);
    TRY(range_root(p->hash[p->n], s, lo, hi));
    p->n++;
    return OK;
}

/* The walks go down from the root; a proof goes up. */
static void turn(struct tlog_path *p)
{
    for (size_t i = 0; i < p->n / 2; i++) {
        uint8_t kept[TLOG_HASH];
        memcpy(kept, p->hash[i], sizeof kept);
        memcpy(p->hash[i], p->hash[p->n - 1 - i], sizeof kept);
        memcpy(p->hash[p->n - 1 - i], kept, sizeof kept);
    }
}

static err size_check(uint64_t size)
{
    if (size > TLOG_SIZE_MAX) FAIL(E_LIMIT, "a log of %" PRIu64 " entries", size);
    return OK;
}

err tlog_prove_entry(struct tlog_path *out, const struct tlog_store *s, uint64_t index, uint64_t size)
{
    uint64_t lo = 0, hi = size;
    out->n = 0;
    TRY(size_check(size));
    if (index >= size) FAIL(E_ABSENT, "entry %" PRIu64 " of a log of %" PRIu64, index, size);
    while (hi - lo > 1) {
        const uint64_t middle = lo + half(hi - lo);
        const bool left = index < middle;
        TRY(left ? push(out, s, middle, hi) : push(out, s, lo, middle));
        if (left) hi = middle;
        else lo = middle;
    }
    turn(out);
    return OK;
}

err tlog_prove_growth(struct tlog_path *out, const struct tlog_store *s, uint64_t old, uint64_t size)
{
    uint64_t lo = 0, hi = size;
    out->n = 0;
    TRY(size_check(size));
    if (old > size) FAIL(E_ABSENT, "size %" PRIu64 " of a log of %" PRIu64, old, size);
    if (old == 0 || old == size) return OK;
    while (old != hi) {
        const uint64_t middle = lo + half(hi - lo);
        const bool left = old <= middle;
        TRY(left ? push(out, s, middle, hi) : push(out, s, lo, middle));
        if (left) hi = middle;
        else lo = middle;
    }
    /* Who asks has the root over [0, hi) already when that is the whole old tree. */
    if (lo > 0) TRY(push(out, s, lo, hi));
    turn(out);
    return OK;
}

/* Where a check stands on its way up: the entry's and the last entry's place at this level. */
struct climb { uint64_t at, last; };

/* Go up one level. Out: true when the next hash is a left neighbour. */
static bool climb(struct climb *c)
{
    const bool from_left = (c->at & 1) || c->at == c->last;
    if (from_left)
        for (; c->at && !(c->at & 1); c->last >>= 1)
            c->at >>= 1;                          /* the right edge joins nothing at these levels */
    c->at >>= 1;
    c->last >>= 1;
    return from_left;
}

err tlog_check_entry(const struct tlog_path *p, const uint8_t leaf[static TLOG_HASH], uint64_t index,
                     uint64_t size, const uint8_t root[static TLOG_HASH])
{
    uint8_t sum[TLOG_HASH];
    TRY(size_check(size));
    if (index >= size || p->n > TLOG_PATH_MAX) FAIL(E_AUTH, "no entry %" PRIu64 " in a log of %" PRIu64, index, size);
    struct climb c = { index, size - 1 };
    memcpy(sum, leaf, sizeof sum);
    for (size_t i = 0; i < p->n; i++) {
        if (c.last == 0) FAIL(E_AUTH, "the inclusion proof is too long");
        if (climb(&c)) tlog_join(sum, p->hash[i], sum);
        else tlog_join(sum, sum, p->hash[i]);
    }
    if (c.last != 0 || memcmp(sum, root, sizeof sum) != 0) FAIL(E_AUTH, "the inclusion proof does not lead to the root");
    return OK;
}

/* Check a proof between two trees, neither empty and not of one size. */
static err growth(const struct tlog_path *p, uint64_t old, const uint8_t old_root[static TLOG_HASH],
                  uint64_t size, const uint8_t root[static TLOG_HASH])
{
    const bool whole = (old & (old - 1)) == 0;    /* the old root is the first hash, and is not sent */
    struct climb c = { old - 1, size - 1 };
    uint8_t before[TLOG_HASH], after[TLOG_HASH];
    if (p->n == 0 || p->n > TLOG_PATH_MAX) FAIL(E_AUTH, "a consistency proof of %zu hashes", p->n);
    for (; c.at & 1; c.last >>= 1)
        c.at >>= 1;
    memcpy(before, whole ? old_root : p->hash[0], sizeof before);
    memcpy(after, before, sizeof after);
    for (size_t i = whole ? 0 : 1; i < p->n; i++) {
        if (c.last == 0) FAIL(E_AUTH, "the consistency proof is too long");
        if (climb(&c)) {
            tlog_join(before, p->hash[i], before);
            tlog_join(after, p->hash[i], after);
        } else {
            tlog_join(after, after, p->hash[i]);
        }
    }
    if (c.last != 0 || memcmp(before, old_root, sizeof before) != 0 || memcmp(after, root, sizeof after) != 0)
        FAIL(E_AUTH, "the consistency proof does not lead to both roots");
    return OK;
}

err tlog_check_growth(const struct tlog_path *p, uint64_t old, const uint8_t old_root[static TLOG_HASH],
                      uint64_t size, const uint8_t root[static TLOG_HASH])
{
    static const struct tlog empty = { 0 };
    uint8_t none[TLOG_HASH];
    TRY(size_check(size));
    if (old > size) FAIL(E_AUTH, "the log shrank from %" PRIu64 " to %" PRIu64 " entries", old, size);
    if (old > 0 && old < size) return growth(p, old, old_root, size, root);
    if (p->n != 0) FAIL(E_AUTH, "a consistency proof where none is needed");
    tlog_root(none, &empty);
    if (old == 0 && memcmp(old_root, none, sizeof none) != 0) FAIL(E_AUTH, "the empty log has another root");
    if (size == 0 && memcmp(root, none, sizeof none) != 0) FAIL(E_AUTH, "the empty log has another root");
    if (old == size && memcmp(old_root, root, sizeof none) != 0) FAIL(E_AUTH, "two roots of %" PRIu64 " entries", size);
    return OK;
}
