/* store_memory.c - a parent's store in memory, for tests: it fails where it is
 * told to, loses power where it is told to, and can be tampered with. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "diskcrypt/store.h"

struct object {
    struct object *next;
    char     name[LINK_NAME_MAX + 1];
    uint8_t *bytes;
    size_t   len, cap;
};

struct store_memory { struct object *objects, head; bool has_head; };

struct store_mem {
    struct store         store;
    struct store_memory *m;
    struct store_power  *power;
    struct object       *put;             /* not among the objects until it ends */
};

static void object_drop(struct object **o)
{
    if (*o) {
        mem_free_bytes(&(*o)->bytes);
        free(*o);
        *o = NULL;
    }
}
#define OBJECT __attribute__((cleanup(object_drop))) struct object *

static err object_add(struct object *o, const void *p, size_t n)
{
    if (n > o->cap - o->len) {
        size_t cap = 2 * o->cap + n;
        uint8_t *more = realloc(o->bytes, cap);
        if (!more)
            FAIL(E_MEMORY, "no memory for an object");
        o->bytes = more;
        o->cap = cap;
    }
    if (n > 0)
        memcpy(o->bytes + o->len, p, n);
    o->len += n;
    return OK;
}

static err object_new(struct object **out, const char *name)
{
    struct object *o = calloc(1, sizeof *o);
    if (!o)
        FAIL(E_MEMORY, "no memory for an object");
    MUST(strlen(name) <= LINK_NAME_MAX);
    memcpy(o->name, name, strlen(name));
    *out = o;
    return OK;
}

static struct object **find(struct store_memory *m, const char *name)
{
    struct object **at = &m->objects;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

/* Count a call. Out: *effect, whether what it asks for shall happen. */
static err power(struct store_mem *s, bool *effect)
{
    struct store_power *p = s->power;
    *effect = true;
    if (!p)
        return OK;
    bool was_out = p->stop_after && p->calls >= p->stop_after;
    p->calls++;
    *effect = !was_out && p->calls != p->fail_at;
    if (p->calls == p->fail_at)
        FAIL(E_IO, "store call %lu fails as the test asks", p->calls);
    if (p->stop_after && p->calls >= p->stop_after) {
        *effect = !was_out && p->torn;
        return (err){ E_CLOSED };
    }
    return OK;
}

static err mem_head_get(struct store *st, uint8_t out[static LINK_HEAD_MAX], size_t *len)
{
    struct store_mem *s = (struct store_mem *)st;
    bool effect;
    *len = 0;
    TRY(power(s, &effect));
    if (!s->m->has_head)
        return OK;
    if (s->m->head.len > LINK_HEAD_MAX)
        FAIL(E_FORMAT, "the head is too long");
    memcpy(out, s->m->head.bytes, s->m->head.len);
    *len = s->m->head.len;
    return OK;
}

static err head_replace(struct store_memory *m, const void *expected, size_t expected_len, const void *p, size_t n)
{
    bool same = expected_len == 0 ? !m->has_head
              : m->has_head && m->head.len == expected_len && memcmp(m->head.bytes, expected, expected_len) == 0;
    if (!same)
        FAIL(E_STATE, "the head is another");
    struct object fresh = { 0 };
    TRY(object_add(&fresh, p, n));
    mem_free_bytes(&m->head.bytes);
    m->head = fresh;
    m->has_head = true;
    return OK;
}

static err mem_head_put(struct store *st, const void *expected, size_t expected_len, const void *p, size_t n)
{
    struct store_mem *s = (struct store_mem *)st;
    bool effect;
    err e = power(s, &effect);
    if (effect)
        TRY(head_replace(s->m, expected, expected_len, p, n));
    return e;
}

static err mem_put_begin(struct store *st, const char *name)
{
    struct store_mem *s = (struct store_mem *)st;
    bool effect;
    MUST(!s->put);
    TRY(power(s, &effect));
    return object_new(&s->put, name);
}

static err mem_put_data(struct store *st, const void *p, size_t n)
{
    struct store_mem *s = (struct store_mem *)st;
    bool effect;
    MUST(s->put && n >= 1 && n <= LINK_PIECE);
    TRY(power(s, &effect));
    return object_add(s->put, p, n);
}

static err put_finish(struct store_mem *s, struct object **o, uint64_t total)
{
    if (total != (*o)->len)
        FAIL(E_FORMAT, "%zu bytes came, not %llu", (*o)->len, (unsigned long long)total);
    struct object **at = find(s->m, (*o)->name);
    if (*at)
        FAIL(E_STATE, "%s exists", (*o)->name);
    *at = *o;
    *o = NULL;
    return OK;
}

static err mem_put_end(struct store *st, uint64_t total)
{
    struct store_mem *s = (struct store_mem *)st;
    MUST(s->put);
    OBJECT o = s->put;
    s->put = NULL;
    bool effect;
    err e = power(s, &effect);
    if (effect)
        TRY(put_finish(s, &o, total));
    return e;
}

static err mem_put_abort(struct store *st)
{
    struct store_mem *s = (struct store_mem *)st;
    MUST(s->put);
    object_drop(&s->put);
    bool effect;
    return power(s, &effect);
}

static err mem_get(struct store *st, uint64_t *total, const char *name, uint64_t max, struct store_sink sink)
{
    struct store_mem *s = (struct store_mem *)st;
    bool effect;
    *total = 0;
    TRY(power(s, &effect));
    struct object *o = *find(s->m, name);
    if (!o)
        FAIL(E_ABSENT, "no object %s", name);
    if (o->len > max)
        FAIL(E_LIMIT, "%s is longer than the %llu bytes it may have", name, (unsigned long long)max);
    /* Pieces that fit no boundary of the formats. */
    for (size_t at = 0; at < o->len;) {
        size_t n = o->len - at < 50021 ? o->len - at : 50021;
        TRY(sink.take(sink.self, o->bytes + at, n));
        at += n;
    }
    *total = o->len;
    return OK;
}

static err mem_list(struct store *st, uint32_t *objects, bool *head)
{
    struct store_mem *s = (struct store_mem *)st;
    bool effect;
    *objects = 0;
    TRY(power(s, &effect));
    for (struct object *o = s->m->objects; o; o = o->next)
        (*objects)++;
    *head = s->m->has_head;
    return OK;
}

static void mem_close(struct store *st)
{
    struct store_mem *s = (struct store_mem *)st;
    object_drop(&s->put);
    free(s);
}

err store_memory_open(struct store **out, struct store_memory *m, struct store_power *p)
{
    *out = NULL;
    struct store_mem *s = malloc(sizeof *s);
    if (!s)
        FAIL(E_MEMORY, "no memory for a store");
    *s = (struct store_mem){
        .store = { .head_get = mem_head_get, .head_put = mem_head_put, .put_begin = mem_put_begin,
                   .put_data = mem_put_data, .put_end = mem_put_end, .put_abort = mem_put_abort,
                   .get = mem_get, .list = mem_list, .close = mem_close },
        .m = m, .power = p,
    };
    *out = &s->store;
    return OK;
}

err store_memory_new(struct store_memory **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        FAIL(E_MEMORY, "no memory for a store");
    return OK;
}

void store_memory_drop(struct store_memory **m)
{
    if (!*m)
        return;
    while ((*m)->objects)
        store_memory_remove(*m, (*m)->objects->name);
    mem_free_bytes(&(*m)->head.bytes);
    free(*m);
    *m = NULL;
}

uint8_t *store_memory_object(struct store_memory *m, size_t *len, const char *name)
{
    struct object *o = *find(m, name);
    *len = o ? o->len : 0;
    return o ? o->bytes : NULL;
}

uint8_t *store_memory_head(struct store_memory *m, size_t *len)
{
    *len = m->has_head ? m->head.len : 0;
    return m->has_head ? m->head.bytes : NULL;
}

err store_memory_set(struct store_memory *m, const char *name, const void *p, size_t n)
{
    BYTES copy = NULL;                    /* p may be what is replaced */
    TRY(mem_new(&copy, n));
    if (n > 0)
        memcpy(copy, p, n);
    store_memory_remove(m, name);
    if (!name) {
        m->has_head = true;
        return object_add(&m->head, copy, n);
    }
    OBJECT o = NULL;
    TRY(object_new(&o, name));
    TRY(object_add(o, copy, n));
    *find(m, name) = o;
    o = NULL;
    return OK;
}

void store_memory_remove(struct store_memory *m, const char *name)
{
    if (!name) {
        mem_free_bytes(&m->head.bytes);
        m->head = (struct object){ 0 };
        m->has_head = false;
        return;
    }
    struct object **at = find(m, name), *gone = *at;
    if (gone) {
        *at = gone->next;
        object_drop(&gone);
    }
}

const char *store_memory_name(const struct store_memory *m, size_t i)
{
    const struct object *o = m->objects;
    while (o && i-- > 0)
        o = o->next;
    return o ? o->name : NULL;
}
