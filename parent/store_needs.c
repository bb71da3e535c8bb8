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
    free(n->by_name);
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

static int compare_names(const void *a, const void *b, void *self)
{
    const struct needs *n = self;
    return strcmp(n->entries[*(const size_t *)a].name, n->entries[*(const size_t *)b].name);
}

static err follow_log(bool *broken, struct segments *log, struct store_backend *from, const struct head *h)
{
    *broken = false;
    err e = segments_follow(log, from, h->log);
    if (e.code != E_ABSENT) return e;
    log_warn("stores: the log of the head's generation %llu is not whole in any store", (unsigned long long)h->generation);
    *broken = true;
    return OK;
}

static err gather(struct needs *out, const struct head *h, const struct manifest_clear *m, uint64_t record, const struct segments *log)
{
    const size_t most = m->packs + log->count + 2;
    out->entries = calloc(most, sizeof *out->entries);
    out->names = calloc(most, sizeof *out->names);
    out->by_name = calloc(most, sizeof *out->by_name);
    if (!out->entries || !out->names || !out->by_name) FAIL(E_MEMORY, "a list of %zu objects", most);
    for (uint32_t i = 0; i < m->packs; i++) {
        struct manifest_pack p;
        manifest_pack_get(&p, m, i);
        need(out, p.name, p.size);
    }
    for (size_t i = 0; i < log->count; i++) need(out, log->one[i].name, log->one[i].size);
    need(out, h->record, record);
    need(out, h->manifest, m->total_size);   /* last, as everything else is brought before it */
    out->tail = log->count ? m->packs + log->count - 1 : out->count;
    for (size_t i = 0; i < out->count; i++) out->by_name[i] = i;
    qsort_r(out->by_name, out->count, sizeof *out->by_name, compare_names, out);
    return OK;
}

err needs_of(struct needs *out, struct store_backend *from, struct segments *log, const void *head, size_t n)
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
    TRY(follow_log(&out->log_broken, log, from, &h));
    err e = gather(out, &h, &m, record, log);
    if (e.code) needs_drop(out);
    return e;
}

/* ---- which of them are there ---- */

struct seen { const struct needs *n; bool *there; bool altered; };

static err mark(void *self, const struct store_entry *e)
{
    struct seen *s = self;
    size_t low = 0, high = s->n->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2, i = s->n->by_name[middle];
        const int order = strcmp(e->name, s->n->entries[i].name);
        if (order == 0) {
            s->there[i] = true;
            s->altered = s->altered || s->n->entries[i].size != e->size;
            return OK;
        }
        if (order < 0) high = middle;
        else low = middle + 1;
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
        err brings = bring(from, to, &n->entries[i]);
        /* What is lost everywhere must not keep the service from going on: it starts from the tail. */
        if (brings.code == E_ABSENT && i != n->tail && tail_name_ok(n->entries[i].name)) continue;
        TRY(brings);
        ++*brought;
    }
    return OK;
}
