/* store_many_head.c - one head out of several, and back into all of them. */
#include <string.h>

#include "core/log.h"
#include "diskcrypt/manifest.h"
#include "parent/copy.h"
#include "parent/store_many_in.h"

struct raw { uint8_t bytes[LINK_HEAD_MAX]; size_t n; err result; bool parsed; uint64_t generation; struct log_end log; };

static bool same(const struct raw *r, const void *head, size_t n)
{
    return r->result.code == E_OK && r->n == n && (n == 0 || memcmp(r->bytes, head, n) == 0);
}

static void read_heads(struct raw out[static STORES_MAX], struct many_store *s, uint64_t wanted)
{
    (void)many_wake(s, wanted);
    for (size_t i = 0; i < s->count; i++) {
        struct member *m = &s->members[i];
        struct head h;
        out[i] = (struct raw){ .result = { E_IO } };
        if (!member_here(m)) continue;
        out[i].result = m->store->head_get(m->store, out[i].bytes, &out[i].n);
        if (out[i].result.code) member_failed(m, "reading the head", out[i].result);
        else if (out[i].n && head_parse(&h, out[i].bytes, out[i].n).code == E_OK) {
            out[i].parsed = true;
            out[i].generation = h.generation;
        }
    }
}

/* Is all that this head needs somewhere among the stores? */
static bool whole(struct many_store *s, const struct raw *r)
{
    NEEDS needs = { 0 };
    bool there = false;
    if (!r->parsed) return false;
    if (needs_of(&needs, &s->base, &s->log, r->bytes, r->n).code || needs.log_broken) return false;
    return needs_there(&there, &needs, &s->base).code == E_OK && there;
}

/* Does head i come before head k, both read well? More generation first, then more of a log, then the order of the stores. */
static bool before(const struct raw *heads, size_t i, size_t k)
{
    if (heads[i].parsed != heads[k].parsed) return heads[i].parsed;
    if (heads[i].n == 0 || heads[k].n == 0) return heads[i].n > 0 && heads[k].n == 0;
    if (heads[i].generation != heads[k].generation) return heads[i].generation > heads[k].generation;
    return segments_newer(&heads[i].log, &heads[k].log);
}

/* Entries are added to the log between generations, too. A tail that cannot be read counts as none. */
static void weigh(struct raw *heads, struct many_store *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct head h;
        if (heads[i].parsed && head_parse(&h, heads[i].bytes, heads[i].n).code == E_OK) err_drop(segments_end(&heads[i].log, &s->base, h.log));
    }
}

/* Out: *pick, the store whose head is offered. When all agree that is asked no further. */
static err choose(size_t *pick, struct raw *heads, struct many_store *s)
{
    bool tried[STORES_MAX] = { false };
    size_t first = s->count;
    bool agree = true;
    err last = { E_IO };
    for (size_t i = 0; i < s->count; i++) {
        if (heads[i].result.code) {
            last = heads[i].result;
            continue;
        }
        if (first == s->count) first = i;
        agree = agree && same(&heads[i], heads[first].bytes, heads[first].n);
    }
    if (first == s->count) FAIL(last.code, "stores: no store's head can be read");
    *pick = first;
    if (agree) return OK;
    weigh(heads, s);
    size_t top = s->count;
    for (size_t round = 0; round < s->count; round++) {
        size_t best = s->count;
        for (size_t i = 0; i < s->count; i++)
            if (!tried[i] && !heads[i].result.code && (best == s->count || before(heads, i, best))) best = i;
        if (best == s->count) break;
        tried[best] = true;
        if (top == s->count) top = best;
        if (heads[best].n == 0 || !whole(s, &heads[best])) continue;
        log_warn("stores: they differ; the head of %s is offered, generation %llu", s->members[best].name, (unsigned long long)heads[best].generation);
        *pick = best;
        return OK;
    }
    /* None is whole: the newest, so that the enclave tells what is missing rather than going back unasked. */
    *pick = top;
    return OK;
}

err many_head_get(struct store_backend *base, uint8_t out[static LINK_HEAD_MAX], size_t *n)
{
    struct many_store *s = (struct many_store *)base;
    struct raw heads[STORES_MAX];
    size_t pick = 0;
    *n = 0;
    read_heads(heads, s, 1);
    TRY(choose(&pick, heads, s));
    memcpy(out, heads[pick].bytes, heads[pick].n);
    *n = heads[pick].n;
    return OK;
}

/* Make store i fit for `next`: it has all that it needs. A head that is none of ours needs nothing we could know. */
static err make_fit(struct many_store *s, size_t i, const struct needs *needs)
{
    size_t brought = 0;
    struct member *m = &s->members[i];
    TRY(needs_bring(&brought, needs, &s->base, m->store));
    if (brought) log_info("stores: %s was brought %zu objects that it lacked", m->name, brought);
    return OK;
}

/* A store that holds something newer than what we were told to replace is another history: it is left alone. */
static bool may_follow(const struct raw *r, const struct raw *expected, bool is_expected)
{
    if (r->result.code) return false;
    if (is_expected || r->n == 0) return true;
    return r->parsed && expected->parsed && r->generation <= expected->generation;
}

struct move { const void *next; size_t next_len; struct raw heads[STORES_MAX]; bool fit[STORES_MAX]; size_t fits; };

static err prepare(struct move *v, struct many_store *s, const struct raw *expected)
{
    NEEDS needs = { 0 };
    struct head h;
    uint64_t next_generation = 0;
    if (head_parse(&h, v->next, v->next_len).code == E_OK) {
        next_generation = h.generation;
        TRY(needs_of(&needs, &s->base, &s->log, v->next, v->next_len));
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!may_follow(&v->heads[i], expected, same(&v->heads[i], expected->bytes, expected->n)) && !same(&v->heads[i], v->next, v->next_len)) continue;
        err e = make_fit(s, i, &needs);
        if (e.code) member_failed(&s->members[i], "catching up", e);
        else v->fits += v->fit[i] = true;
    }
    /* Going back is only for all of them together: one that was left out would bring the newer head back. */
    const bool back = expected->parsed && next_generation < expected->generation;
    const size_t wanted = back ? s->count : s->durable;
    if (v->fits < wanted)
        FAIL(E_IO, "stores: %zu stores are fit for the next head, %zu must be; no head was moved", v->fits, wanted);
    return OK;
}

err many_head_put(struct store_backend *base, const void *expected, size_t expected_len, const void *next, size_t next_len)
{
    struct many_store *s = (struct many_store *)base;
    struct move v = { .next = next, .next_len = next_len };
    size_t pick = 0, done = 0;
    err last = { E_IO };
    if (next_len == 0 || next_len > LINK_HEAD_MAX) FAIL(E_FORMAT, "a head of %zu bytes", next_len);
    read_heads(v.heads, s, s->durable);
    TRY(choose(&pick, v.heads, s));
    /* `next` there already: an earlier attempt reached too few stores, and this one completes it. */
    if (!same(&v.heads[pick], expected, expected_len) && !same(&v.heads[pick], next, next_len))
        FAIL(E_STATE, "the stores' head is not the one that was expected");
    TRY(prepare(&v, s, &v.heads[pick]));
    for (size_t i = 0; i < s->count; i++) {
        struct member *m = &s->members[i];
        if (!v.fit[i]) continue;
        err e = same(&v.heads[i], next, next_len) ? OK : m->store->head_put(m->store, v.heads[i].bytes, v.heads[i].n, next, next_len);
        if (e.code) member_failed(m, "moving the head", last = e);
        else done++;
    }
    if (done >= s->durable) return OK;
    FAIL(last.code, "stores: the head is in %zu stores of the %llu that must have it", done, (unsigned long long)s->durable);
}

/* ---- telling, and catching up ---- */

err store_many_states(struct store_backend *any, err (*each)(void *, const struct many_report *), void *self)
{
    struct many_store *s = many_of(any);
    struct raw heads[STORES_MAX];
    size_t pick = 0;
    NEEDS needs = { 0 };
    if (!s) return OK;
    read_heads(heads, s, s->count);
    err e = choose(&pick, heads, s);
    if (e.code == E_OK && heads[pick].parsed) err_drop(needs_of(&needs, any, &s->log, heads[pick].bytes, heads[pick].n));
    for (size_t i = 0; i < s->count; i++) {
        struct many_report r = { s->members[i].name, MANY_AWAY, heads[i].generation };
        bool there = false;
        if (e.code == E_OK && heads[i].result.code == E_OK && needs_there(&there, &needs, s->members[i].store).code == E_OK)
            r.state = there && same(&heads[i], heads[pick].bytes, heads[pick].n) ? MANY_WHOLE : MANY_BEHIND;
        TRY(each(self, &r));
    }
    return OK;
}

static err count_one(void *self, const struct store_entry *e)
{
    (void)e;
    ++*(size_t *)self;
    return OK;
}

/* What all have together against what this one has: of equal number it lacks nothing. */
static bool lacks(struct store_backend *all, struct store_backend *one)
{
    size_t a = 0, b = 0;
    return all->list(all, count_one, &a).code || one->list(one, count_one, &b).code || a != b;
}

err store_many_catch_up(struct store_backend *any, size_t *behind)
{
    struct many_store *s = many_of(any);
    struct raw heads[STORES_MAX];
    size_t pick = 0;
    *behind = 0;
    if (!s) return OK;
    read_heads(heads, s, s->count);
    TRY(choose(&pick, heads, s));
    if (!heads[pick].parsed || heads[pick].generation == 0) return OK;
    for (size_t i = 0; i < s->count; i++) {
        struct member *m = &s->members[i];
        struct copy_report r;
        if (i == pick) continue;
        if (m->store && same(&heads[i], heads[pick].bytes, heads[pick].n) && !lacks(any, m->store)) continue;
        err e = m->store && !heads[i].result.code ? store_copy(&r, any, m->store, false, NULL) : (err){ E_IO };
        if (e.code == E_OK && r.objects) log_info("stores: %s was brought %zu objects, %llu bytes", m->name, r.objects, (unsigned long long)r.bytes);
        if (e.code == E_OK) continue;
        ++*behind;
        log_error("stores: %s stays behind: %s", m->name, err_text(e.code));
    }
    return OK;
}
