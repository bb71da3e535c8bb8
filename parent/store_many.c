/* store_many.c - objects in several stores; the heads are in store_many_head.c. */
#include "parent/store_many.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/log.h"
#include "core/mem.h"
#include "parent/store_many_in.h"

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool many_wake(struct many_store *s, uint64_t wanted)
{
    uint64_t awake = 0;
    const int64_t now = now_ms();
    for (size_t i = 0; i < s->count; i++) awake += s->members[i].rest_until <= now;
    if (awake >= wanted || awake == s->count) return false;
    for (size_t i = 0; i < s->count; i++) s->members[i].rest_until = 0;
    return true;
}

bool member_here(struct member *m)
{
    if (m->rest_until > now_ms()) return false;
    if (m->store) return true;
    err e = m->opener.open(&m->store, m->name, m->opener.self, false);
    if (e.code == E_OK) {
        log_info("stores: %s is there again", m->name);
        m->told = false;
        return true;
    }
    if (!m->told) log_error("stores: %s cannot be used: %s", m->name, err_text(e.code));
    m->told = true;
    m->rest_until = now_ms() + MANY_REST_MS;
    return false;
}

void member_failed(struct member *m, const char *what, err why)
{
    log_error("stores: %s: %s failed: %s; it is behind until it was caught up", m->name, what, err_text(why.code));
    if (why.code == E_IO || why.code == E_CLOSED || why.code == E_TIMEOUT) m->rest_until = now_ms() + MANY_REST_MS;
}

/* ---- putting: to all at once ---- */

struct many_put { struct store_put base; struct many_store *s; struct store_put *puts[STORES_MAX]; char name[LINK_NAME_MAX + 1]; };

static size_t puts_left(const struct many_put *p)
{
    size_t left = 0;
    for (size_t i = 0; i < p->s->count; i++) left += p->puts[i] != NULL;
    return left;
}

static void drop(struct many_put *p, size_t i, const char *what, err why)
{
    member_failed(&p->s->members[i], what, why);
    store_put_close(&p->puts[i]);
}

static err enough(const struct many_put *p, size_t have, err last)
{
    if (have >= p->s->durable) return OK;
    FAIL(last.code ? last.code : E_IO, "stores: object %s: %zu stores of the %llu that must have it", p->name, have, (unsigned long long)p->s->durable);
}

static err put_write(struct store_put *base, const void *data, size_t n)
{
    struct many_put *p = (struct many_put *)base;
    err last = OK;
    for (size_t i = 0; i < p->s->count; i++) {
        if (!p->puts[i]) continue;
        err e = p->puts[i]->write(p->puts[i], data, n);
        if (e.code) drop(p, i, "writing an object", last = e);
    }
    return enough(p, puts_left(p), last);
}

static err put_commit(struct store_put *base)
{
    struct many_put *p = (struct many_put *)base;
    size_t done = 0;
    err last = OK;
    TRY(enough(p, puts_left(p), (err){ E_STATE }));
    for (size_t i = 0; i < p->s->count; i++) {
        if (!p->puts[i]) continue;
        err e = p->puts[i]->commit(p->puts[i]);
        if (e.code) drop(p, i, "keeping an object", last = e);
        else done++;
        store_put_close(&p->puts[i]);
    }
    return enough(p, done, last);
}

static void put_close(struct store_put *base)
{
    struct many_put *p = (struct many_put *)base;
    for (size_t i = 0; i < p->s->count; i++) store_put_close(&p->puts[i]);
    free(p);
}

err many_put(struct store_backend *base, struct store_put **out, const char *name)
{
    struct many_store *s = (struct many_store *)base;
    err last = OK;
    *out = NULL;
    if (!link_name_ok(name, strlen(name))) FAIL(E_FORMAT, "`%s` cannot be the name of an object", name);
    struct many_put *p = calloc(1, sizeof *p);
    if (!p) FAIL(E_MEMORY, "an object's writer");
    p->base = (struct store_put){ put_write, put_commit, put_close };
    p->s = s;
    strcpy(p->name, name);
    (void)many_wake(s, s->durable);
    STORE_PUT mine = &p->base;
    for (size_t i = 0; i < s->count; i++) {
        struct member *m = &s->members[i];
        if (!member_here(m)) continue;
        err e = m->store->put(m->store, &p->puts[i], name);
        if (e.code) drop(p, i, "beginning an object", last = e);
    }
    TRY(enough(p, puts_left(p), last));
    *out = mine;
    mine = NULL;
    return OK;
}

/* ---- getting: from the first that has it, then from the next ---- */

struct many_get { struct store_get base; struct many_store *s; struct store_get *get; size_t at; uint64_t done; bool sized; char name[LINK_NAME_MAX + 1]; };

/* The next store that has it, at the place where the last one broke off. Objects do not change, so the bytes go on. */
static err try_stores(struct many_get *g)
{
    err why = { E_ABSENT };
    store_get_close(&g->get);
    for (; g->at < g->s->count; g->at++) {
        struct member *m = &g->s->members[g->at];
        uint8_t skipped[4096];
        uint64_t left = g->done;
        if (!member_here(m)) {
            if (why.code == E_ABSENT) why = (err){ E_IO };
            continue;
        }
        err e = m->store->get(m->store, &g->get, g->name);
        if (e.code == E_OK && g->sized && g->get->size != g->base.size) e = (err){ E_AUTH };
        while (e.code == E_OK && left > 0) {
            size_t n = 0;
            e = g->get->read(g->get, skipped, &n, left < sizeof skipped ? (size_t)left : sizeof skipped);
            if (e.code == E_OK && n == 0) e = (err){ E_IO };
            left -= n;
        }
        if (e.code == E_OK) return OK;
        store_get_close(&g->get);
        if (e.code != E_ABSENT) {
            member_failed(m, "reading an object", e);
            why = e;
        }
    }
    return why;
}

static err next_store(struct many_get *g)
{
    err e = try_stores(g);
    /* It may be in one that rests. */
    if (e.code && many_wake(g->s, g->s->count)) {
        g->at = 0;
        e = try_stores(g);
    }
    if (e.code) FAIL(e.code, "stores: no store gives %s", g->name);
    return OK;
}

static err get_read(struct store_get *base, void *p, size_t *n, size_t cap)
{
    struct many_get *g = (struct many_get *)base;
    for (;;) {
        *n = 0;
        if (!g->get) TRY(next_store(g));
        err e = g->get->read(g->get, p, n, cap);
        if (e.code == E_OK && *n == 0 && cap > 0 && g->done < base->size) e = (err){ E_IO };
        g->done += e.code ? 0 : *n;
        if (e.code == E_OK) return OK;
        member_failed(&g->s->members[g->at], "reading an object", e);
        store_get_close(&g->get);
        g->at++;
    }
}

static void get_close(struct store_get *base)
{
    store_get_close(&((struct many_get *)base)->get);
    free(base);
}

err many_get(struct store_backend *base, struct store_get **out, const char *name)
{
    *out = NULL;
    if (!link_name_ok(name, strlen(name))) FAIL(E_FORMAT, "`%s` cannot be the name of an object", name);
    struct many_get *g = calloc(1, sizeof *g);
    if (!g) FAIL(E_MEMORY, "an object's reader");
    g->base = (struct store_get){ 0, get_read, get_close };
    g->s = (struct many_store *)base;
    strcpy(g->name, name);
    STORE_GET mine = &g->base;
    TRY(next_store(g));
    g->base.size = g->get->size;
    g->sized = true;
    *out = mine;
    mine = NULL;
    return OK;
}

/* ---- listing: each name once ---- */

struct item { char name[LINK_NAME_MAX + 1]; uint64_t size; int64_t time; size_t order; };
struct items { struct item *p; size_t count, room, order; };

static void items_drop(struct items *i)
{
    free(i->p);
}

static err add(void *self, const struct store_entry *e)
{
    struct items *all = self;
    if (all->count == all->room) {
        struct item *more = realloc(all->p, (all->room ? all->room * 2 : 256) * sizeof *more);
        if (!more) FAIL(E_MEMORY, "a list of objects");
        all->p = more;
        all->room = all->room ? all->room * 2 : 256;
    }
    struct item *i = &all->p[all->count++];
    *i = (struct item){ .size = e->size, .time = e->time, .order = all->order };
    memcpy(i->name, e->name, strlen(e->name) + 1);
    return OK;
}

static int by_name(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int d = strcmp(x->name, y->name);
    return d ? d : (x->order > y->order) - (x->order < y->order);
}

static err many_list(struct store_backend *base, err (*each)(void *, const struct store_entry *), void *self)
{
    struct many_store *s = (struct many_store *)base;
    __attribute__((cleanup(items_drop))) struct items all = { 0 };
    size_t listed = 0;
    err last = { E_IO };
    (void)many_wake(s, 1);
    for (; all.order < s->count; all.order++) {
        struct member *m = &s->members[all.order];
        if (!member_here(m)) continue;
        err e = m->store->list(m->store, add, &all);
        if (e.code == E_OK) listed++;
        else member_failed(m, "listing", last = e);
    }
    if (listed == 0) return last;
    if (all.count) qsort(all.p, all.count, sizeof *all.p, by_name);
    for (size_t i = 0; i < all.count; i++)
        if (i == 0 || strcmp(all.p[i].name, all.p[i - 1].name) != 0)
            TRY(each(self, &(struct store_entry){ all.p[i].name, all.p[i].size, all.p[i].time }));
    return OK;
}

/* A store with another head keeps its objects: it is behind, and may need them. */
static err many_remove(struct store_backend *base, size_t *removed, const void *head, size_t head_len, const char *const *names, size_t count)
{
    struct many_store *s = (struct many_store *)base;
    size_t done = 0;
    err last = { E_IO };
    *removed = 0;
    (void)many_wake(s, 1);
    for (size_t i = 0; i < s->count; i++) {
        struct member *m = &s->members[i];
        size_t n = 0;
        if (!member_here(m)) continue;
        err e = m->store->remove(m->store, &n, head, head_len, names, count);
        if (e.code) member_failed(m, "removing objects", last = e);
        else done++;
        if (n > *removed) *removed = n;
    }
    return done ? OK : last;
}

static void many_close(struct store_backend *base)
{
    struct many_store *s = (struct many_store *)base;
    segments_drop(&s->log);
    for (size_t i = 0; i < s->count; i++) store_backend_close(&s->members[i].store);
    free(s);
}

struct many_store *many_of(struct store_backend *any)
{
    return any->close == many_close ? (struct many_store *)any : NULL;
}

err store_many_new(struct store_backend **out, uint64_t durable)
{
    *out = NULL;
    struct many_store *s = calloc(1, sizeof *s);
    if (!s) FAIL(E_MEMORY, "several stores");
    s->base = (struct store_backend){ many_put, many_get, many_head_get, many_head_put, many_list, many_remove, many_close };
    s->durable = durable;
    *out = &s->base;
    return OK;
}

err store_many_add(struct store_backend *many, const char *name, struct many_opener opener, bool create)
{
    struct many_store *s = (struct many_store *)many;
    if (s->count == STORES_MAX || strlen(name) >= STORE_NAME) FAIL(E_LIMIT, "stores: %d at most", STORES_MAX);
    struct member *m = &s->members[s->count++];
    m->opener = opener;
    strcpy(m->name, name);
    err e = opener.open(&m->store, name, opener.self, create);
    if (e.code) {
        log_error("stores: %s cannot be used: %s", name, err_text(e.code));
        m->told = true;
        m->rest_until = now_ms() + MANY_REST_MS;
    }
    return OK;
}

err store_many_ready(struct store_backend *many)
{
    const struct many_store *s = (const struct many_store *)many;
    for (size_t i = 0; i < s->count; i++)
        if (s->members[i].store) return OK;
    FAIL(E_IO, "stores: none of the %zu stores can be opened", s->count);
}
