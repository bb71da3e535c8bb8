/* store_needs.c - what stands behind a head, and how it comes into a store that lacks it. */
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "diskcrypt/manifest.h"
#include "parent/store_many_in.h"

enum { CLEAR_MAX = MANIFEST_FIXED + MANIFEST_PACKS_MAX * MANIFEST_PACK, PIECE = 1 << 20 };

void needs_drop(struct needs *n)
{
    free(n->entries);
    free(n->names);
    *n = (struct needs){ 0 };
}

static err size_of(uint64_t *out, struct store_backend *s, const char *name)
{
    STORE_GET get = NULL;
    TRY(s->get(s, &get, name));
    *out = get->size;
    return OK;
}

static void need(struct needs *n, const char *name, uint64_t size)
{
    memcpy(n->names[n->count], name, strlen(name) + 1);
    n->entries[n->count] = (struct store_entry){ n->names[n->count], size, 0 };
    n->count++;
}

static err read_clear(struct manifest_clear *m, uint8_t *room, struct store_backend *from, const char *name)
{
    STORE_GET get = NULL;
    size_t have = 0, n = 1;
    TRY(from->get(from, &get, name));
    while (have < CLEAR_MAX && n > 0) {
        TRY(get->read(get, room + have, &n, CLEAR_MAX - have));
        have += n;
    }
    TRY(manifest_clear_parse(m, room, have));
    if (m->total_size != get->size) FAIL(E_FORMAT, "stores: manifest %s is %llu bytes long, not %llu", name, (unsigned long long)get->size, (unsigned long long)m->total_size);
    return OK;
}

err needs_of(struct needs *out, struct store_backend *from, const void *head, size_t n)
{
    struct head h;
    struct manifest_clear m;
    BYTES room = NULL;
    uint64_t record = 0;
    *out = (struct needs){ 0 };
    TRY(head_parse(&h, head, n));
    if (h.generation == 0) return OK;
    TRY(mem_new(&room, CLEAR_MAX));
    TRY(read_clear(&m, room, from, h.manifest));
    TRY(size_of(&record, from, h.record));
    out->entries = calloc(m.packs + 2u, sizeof *out->entries);
    out->names = calloc(m.packs + 2u, sizeof *out->names);
    if (!out->entries || !out->names) {
        needs_drop(out);
        FAIL(E_MEMORY, "a list of %u packs", m.packs);
    }
    for (uint32_t i = 0; i < m.packs; i++) {
        struct manifest_pack p;
        manifest_pack_get(&p, &m, i);
        need(out, p.name, p.size);
    }
    need(out, h.record, record);
    need(out, h.manifest, m.total_size);     /* last, as everything else is brought before it */
    return OK;
}

/* ---- which of them are there ---- */

struct seen { const struct needs *n; bool *there; bool altered; };

static err mark(void *self, const struct store_entry *e)
{
    struct seen *s = self;
    for (size_t i = 0; i < s->n->count; i++) {
        if (strcmp(s->n->entries[i].name, e->name) != 0) continue;
        s->there[i] = true;
        s->altered = s->altered || s->n->entries[i].size != e->size;
    }
    return OK;
}

static void free_marks(bool **p)
{
    free(*p);
}
#define MARKS __attribute__((cleanup(free_marks))) bool *

static err look(struct seen *s, struct store_backend *in)
{
    s->there = calloc(s->n->count + 1, sizeof *s->there);
    if (!s->there) FAIL(E_MEMORY, "marks for %zu objects", s->n->count);
    return in->list(in, mark, s);
}

err needs_there(bool *there, const struct needs *n, struct store_backend *in)
{
    struct seen s = { .n = n };
    *there = false;
    err e = look(&s, in);
    MARKS marks = s.there;
    TRY(e);
    *there = !s.altered;
    for (size_t i = 0; i < n->count; i++) *there = *there && marks[i];
    return OK;
}

static err bring(struct store_backend *from, struct store_backend *to, const struct store_entry *o)
{
    STORE_GET get = NULL;
    STORE_PUT put = NULL;
    BYTES piece = NULL;
    size_t n = 1;
    uint64_t sent = 0;
    TRY(mem_new(&piece, PIECE));
    TRY(from->get(from, &get, o->name));
    if (get->size != o->size) FAIL(E_AUTH, "stores: %s has another size than its manifest says", o->name);
    TRY(to->put(to, &put, o->name));
    while (n > 0) {
        TRY(get->read(get, piece, &n, PIECE));
        if (n) TRY(put->write(put, piece, n));
        sent += n;
    }
    if (sent != o->size) FAIL(E_IO, "stores: %s ended after %llu bytes", o->name, (unsigned long long)sent);
    return put->commit(put);
}

err needs_bring(size_t *brought, const struct needs *n, struct store_backend *from, struct store_backend *to)
{
    struct seen s = { .n = n };
    *brought = 0;
    err e = look(&s, to);
    MARKS marks = s.there;
    TRY(e);
    if (s.altered) FAIL(E_AUTH, "stores: an object has another size in this store: remove it there, and it is brought again");
    for (size_t i = 0; i < n->count; i++) {
        if (marks[i]) continue;
        TRY(bring(from, to, &n->entries[i]));
        ++*brought;
    }
    return OK;
}
