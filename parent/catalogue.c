/* catalogue.c - names and clear headers, put together.
 *
 * All of it was written by a peer. Counts are bounded, every length is checked by the parser, and a
 * manifest that makes no sense is listed as damaged instead of ending the listing. */
#include "parent/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"

enum { CLEAR_MAX = MANIFEST_FIXED + MANIFEST_PACKS_MAX * MANIFEST_PACK, HASH_PIECE = 1 << 20 };

void catalogue_drop(struct catalogue *c)
{
    for (size_t i = 0; i < c->generation_count; i++) free(c->generations[i].packs);
    free(c->generations);
    free(c->objects);
    memset(c, 0, sizeof *c);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct object *)a)->name, ((const struct object *)b)->name);
}

struct object *catalogue_find(const struct catalogue *c, const char *name)
{
    struct object key;
    size_t n = strlen(name);
    if (n >= sizeof key.name || c->object_count == 0) return NULL;
    memcpy(key.name, name, n + 1);
    return bsearch(&key, c->objects, c->object_count, sizeof key, by_name);
}

struct gather { struct catalogue *c; size_t room; };

static err add_object(void *self, const struct store_entry *e)
{
    struct gather *g = self;
    struct catalogue *c = g->c;
    if (c->object_count == CATALOGUE_OBJECTS_MAX)
        FAIL(E_LIMIT, "the store holds more than %d objects: something fills it", CATALOGUE_OBJECTS_MAX);
    if (c->object_count == g->room) {
        size_t more = g->room ? g->room * 2 : 64;
        struct object *bigger = realloc(c->objects, more * sizeof *bigger);
        if (!bigger) FAIL(E_MEMORY, "a list of %zu objects", more);
        c->objects = bigger;
        g->room = more;
    }
    struct object *o = &c->objects[c->object_count++];
    *o = (struct object){ .size = e->size, .time = e->time };
    memcpy(o->name, e->name, strlen(e->name) + 1);
    return OK;
}

/* g<16 hex>-<8 hex>.manifest. Out: *number. */
static bool manifest_number(uint64_t *number, const char *name)
{
    char made[OBJECT_NAME], *end;
    uint8_t salt[SALT] = { 0 };
    if (name[0] != 'g' || strlen(name) != 1 + 16 + 1 + 8 + 9) return false;
    *number = strtoull(name + 1, &end, 16);
    if (*end != '-' || hex_to(salt, 4, end + 1, 8).code) return false;
    /* One spelling only: what the name says must give the name again. */
    manifest_name(made, *number, salt);
    return strcmp(made, name) == 0;
}

static err read_clear(struct generation *g, struct store_backend *s, const struct object *o)
{
    BYTES bytes = NULL;
    STORE_GET get = NULL;
    size_t have = 0, n = 1;
    char name[OBJECT_NAME];
    struct manifest_clear m;
    TRY(s->get(s, &get, o->name));
    TRY(mem_new(&bytes, CLEAR_MAX));
    while (have < CLEAR_MAX && n > 0) {
        TRY(get->read(get, bytes + have, &n, CLEAR_MAX - have));
        have += n;
    }
    TRY(manifest_clear_parse(&m, bytes, have));
    /* A manifest under another's name would be counted for a generation that it is not. */
    manifest_name(name, m.generation, m.salt);
    if (strcmp(name, o->name) != 0) FAIL(E_FORMAT, "the manifest named %s says that it is %s", o->name, name);
    if (m.total_size != o->size) FAIL(E_FORMAT, "the manifest %s is not whole", o->name);
    g->packs = calloc(m.packs + 1u, sizeof *g->packs);
    if (!g->packs) FAIL(E_MEMORY, "a list of packs");
    for (uint32_t i = 0; i < m.packs; i++) manifest_pack_get(&g->packs[i], &m, i);
    m.pack_list = NULL;            /* it pointed into bytes that end with this function */
    g->clear = m;
    return OK;
}

static void measure(struct generation *g, const struct catalogue *c)
{
    g->bytes = g->object->size;
    for (uint32_t i = 0; i < g->clear.packs; i++) {
        const struct object *o = catalogue_find(c, g->packs[i].name);
        if (!o || o->size != g->packs[i].size) g->missing++;
        else g->bytes += o->size;
    }
}

static int newest_first(const void *a, const void *b)
{
    const struct generation *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? 1 : -1;
    if (x->is_head != y->is_head) return x->is_head ? -1 : 1;
    return strcmp(x->object->name, y->object->name);
}

static err read_generations(struct catalogue *c, struct store_backend *s)
{
    size_t manifests = 0;
    uint64_t number;
    for (size_t i = 0; i < c->object_count; i++) manifests += manifest_number(&number, c->objects[i].name);
    c->generations = calloc(manifests + 1, sizeof *c->generations);
    if (!c->generations) FAIL(E_MEMORY, "a list of %zu generations", manifests);
    for (size_t i = 0; i < c->object_count; i++) {
        if (!manifest_number(&number, c->objects[i].name)) continue;
        struct generation *g = &c->generations[c->generation_count++];
        g->number = number;
        g->object = &c->objects[i];
        g->is_head = c->raw_head_len > 0 && strcmp(c->head.manifest, g->object->name) == 0;
        err e = read_clear(g, s, g->object);
        g->readable = e.code == E_OK;
        /* Bad bytes are a fact about the store; a read that failed is none, and must not look like one. */
        if (e.code == E_MEMORY || e.code == E_IO) return e;
        measure(g, c);
    }
    qsort(c->generations, c->generation_count, sizeof *c->generations, newest_first);
    return OK;
}

err catalogue_read(struct catalogue *out, struct store_backend *s)
{
    struct gather g = { .c = out };
    memset(out, 0, sizeof *out);
    TRY(s->head_get(s, out->raw_head, &out->raw_head_len));
    if (out->raw_head_len) TRY(head_parse(&out->head, out->raw_head, out->raw_head_len));
    TRY(s->list(s, add_object, &g));
    if (out->object_count) qsort(out->objects, out->object_count, sizeof *out->objects, by_name);
    return read_generations(out, s);
}

static void drop_run(struct sha256_run **r)
{
    if (*r) sha256_drop(r);
}

err catalogue_hash(uint8_t out[static 32], struct store_backend *s, const char *name)
{
    STORE_GET get = NULL;
    BYTES piece = NULL;
    __attribute__((cleanup(drop_run))) struct sha256_run *run = NULL;
    size_t n = 1;
    TRY(s->get(s, &get, name));
    TRY(mem_new(&piece, HASH_PIECE));
    TRY(sha256_begin(&run));
    while (n > 0) {
        TRY(get->read(get, piece, &n, HASH_PIECE));
        sha256_add(run, piece, n);
    }
    sha256_end(&run, out);
    return OK;
}
