/* copy.c - from store to store, the newest generation first: it is worth the most. */
#include "parent/copy.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "parent/segments.h"

enum { PIECE = 1 << 20 };

struct work {
    struct store_backend *from, *to;
    const struct catalogue *here, *there;
    struct copy_report *report;
    struct progress *progress;
    bool compare;
};

static err same(struct work *w, const char *name)
{
    uint8_t ours[32], theirs[32];
    TRY(catalogue_hash(ours, w->from, name));
    TRY(catalogue_hash(theirs, w->to, name));
    if (memcmp(ours, theirs, sizeof ours) != 0) FAIL(E_AUTH, "copy: %s has other bytes in the second store", name);
    return OK;
}

static err stream(struct work *w, const char *name, struct store_put *put)
{
    STORE_GET get = NULL;
    BYTES piece = NULL;
    size_t n = 1;
    uint64_t sent = 0;
    TRY(w->from->get(w->from, &get, name));
    TRY(mem_new(&piece, PIECE));
    while (n > 0) {
        TRY(get->read(get, piece, &n, PIECE));
        TRY(put->write(put, piece, n));
        progress_add(w->progress, n);
        sent += n;
    }
    if (sent != get->size) FAIL(E_IO, "copy: %s ended after %llu bytes", name, (unsigned long long)sent);
    w->report->objects++;
    w->report->bytes += sent;
    return OK;
}

/* One object, unless it is there. Small ones are compared always: they say what everything else is. */
static err bring(struct work *w, const struct object *o, bool small)
{
    STORE_PUT put = NULL;
    const struct object *there = catalogue_find(w->there, o->name);
    struct object *here = catalogue_find(w->here, o->name);
    /* Packs are shared by generations: each is brought once. */
    if (here->needed) return OK;
    here->needed = true;
    if (there && there->size != o->size) FAIL(E_AUTH, "copy: %s has another size in the second store", o->name);
    if (there) {
        progress_add(w->progress, o->size);
        return small || w->compare ? same(w, o->name) : OK;
    }
    TRY(w->to->put(w->to, &put, o->name));
    TRY(stream(w, o->name, put));
    err e = put->commit(put);
    /* Another copy was faster with the same object. */
    return e.code == E_STATE ? same(w, o->name) : e;
}

static err bring_generation(struct work *w, size_t i)
{
    const struct generation *g = &w->here->generations[i];
    const struct object *record;
    for (uint32_t k = 0; k < g->clear.packs; k++) {
        const struct object *o = catalogue_find(w->here, g->packs[k].name);
        if (!o) FAIL(E_ABSENT, "copy: %s is not here", g->packs[k].name);
        TRY(bring(w, o, false));
    }
    TRY(inspect_record(&record, w->here, w->from, g->clear.record));
    if (!record) FAIL(E_ABSENT, "copy: the record of generation %llu is not here", (unsigned long long)g->number);
    TRY(bring(w, record, true));
    TRY(bring(w, g->object, true));
    w->report->generations++;
    return OK;
}

/* May the second store's head be replaced by ours? Where this store still holds the generation that stands
 * there, or its successor, they must be of one chain. Where both were pruned, service and number must do:
 * the enclave, which has the key, checks what it restores in any case. */
static err follows(const struct catalogue *here, const struct catalogue *there)
{
    const struct head *a = &here->head, *b = &there->head;
    bool known = false;
    if (there->raw_head_len == 0) return OK;
    if (memcmp(a->service, b->service, SERVICE_ID) != 0) FAIL(E_STATE, "copy: the second store is of another service");
    if (b->generation > a->generation)
        FAIL(E_STATE, "copy: the second store is newer: generation %llu there, %llu here", (unsigned long long)b->generation,
             (unsigned long long)a->generation);
    if (b->generation == 0) return OK;
    for (size_t i = 0; i < here->generation_count; i++) {
        const struct generation *g = &here->generations[i];
        const bool it = g->number == b->generation, next = g->number == b->generation + 1 && g->readable;
        if (it && strcmp(g->object->name, b->manifest) == 0) return OK;
        if (next && memcmp(g->clear.previous, b->manifest_sha256, 32) == 0) return OK;
        known = known || it || next;
    }
    if (known) FAIL(E_STATE, "copy: generation %llu of the second store is another than this store's: they have parted", (unsigned long long)b->generation);
    return OK;
}

/* The present log, the oldest segment first: one that is there has all before it beside it. */
static err bring_log(struct work *w)
{
    SEGMENTS log = { 0 };
    err e = segments_follow(&log, w->from, w->here->head.log);
    /* A service starts from the tail alone; so the rest is worth bringing even where its log has a hole. */
    if (e.code == E_ABSENT && log.count > 0) {
        log_warn("copy: the log is not whole: what is before segment %s was left out", log.one[0].name);
        w->report->skipped++;
    }
    else TRY(e);
    for (size_t i = 0; i < log.count; i++) {
        const struct object *o = catalogue_find(w->here, log.one[i].name);
        if (!o) FAIL(E_ABSENT, "copy: %s is not here", log.one[i].name);
        TRY(bring(w, o, false));
    }
    return OK;
}

/* Of two with the same generation, the longer log is the newer one. */
static err log_follows(const struct work *w)
{
    struct log_end ours, theirs;
    if (w->there->raw_head_len == 0 || strcmp(w->here->head.log, w->there->head.log) == 0) return OK;
    err e = segments_end(&theirs, w->to, w->there->head.log);
    /* What is not there, or cannot be read, is in nobody's way. */
    if (e.code == E_ABSENT || e.code == E_FORMAT || e.code == E_LIMIT) return OK;
    TRY(e);
    TRY(segments_end(&ours, w->from, w->here->head.log));
    if (segments_newer(&theirs, &ours))
        FAIL(E_STATE, "copy: the log of the second store is newer: %llu entries there, %llu here", (unsigned long long)theirs.entries, (unsigned long long)ours.entries);
    return OK;
}

static err set_head(struct work *w)
{
    const struct catalogue *here = w->here, *there = w->there;
    w->report->generation = here->head.generation;
    if (there->raw_head_len == here->raw_head_len && memcmp(there->raw_head, here->raw_head, here->raw_head_len) == 0) return OK;
    return w->to->head_put(w->to, there->raw_head, there->raw_head_len, here->raw_head, here->raw_head_len);
}

static err run(struct work *w)
{
    size_t head = w->here->generation_count;
    enum flaw flaw;
    for (size_t i = 0; i < w->here->generation_count; i++)
        if (w->here->generations[i].is_head) head = i;
    if (head == w->here->generation_count) FAIL(E_FORMAT, "copy: the head's manifest %s is missing", w->here->head.manifest);
    TRY(inspect_generation(&flaw, w->here, head, w->from, NULL));
    if (flaw != FLAW_NONE) FAIL(E_FORMAT, "copy: the present generation is not whole: %s", flaw_name(flaw));
    TRY(bring_generation(w, head));
    TRY(bring_log(w));
    TRY(set_head(w));
    for (size_t i = 0; i < w->here->generation_count; i++) {
        if (i == head) continue;
        TRY(inspect_generation(&flaw, w->here, i, w->from, NULL));
        if (flaw == FLAW_ORPHAN) continue;
        if (flaw != FLAW_NONE) {
            log_warn("copy: generation %llu is %s and was left out", (unsigned long long)w->here->generations[i].number, flaw_name(flaw));
            w->report->skipped++;
            continue;
        }
        TRY(bring_generation(w, i));
    }
    return OK;
}

err store_copy(struct copy_report *report, struct store_backend *from, struct store_backend *to, bool compare, struct progress *p)
{
    CATALOGUE here = { 0 };
    CATALOGUE there = { 0 };
    struct work w = { .from = from, .to = to, .here = &here, .there = &there, .report = report, .progress = p, .compare = compare };
    *report = (struct copy_report){ 0 };
    TRY(catalogue_read(&here, from));
    if (here.raw_head_len == 0 || here.head.generation == 0) FAIL(E_ABSENT, "copy: nothing is sealed in this store yet");
    TRY(catalogue_read(&there, to));
    for (size_t i = 0; p && i < here.object_count; i++) p->total += here.objects[i].size;
    TRY(follows(&here, &there));
    TRY(log_follows(&w));
    return run(&w);
}
