/* rewind.c - a head for an older generation. */
#include "parent/rewind.h"

#include <string.h>

#include "core/log.h"
#include "parent/inspect.h"

static bool fits(const struct generation *g, const struct rewind_to *to)
{
    return to->by_time ? g->readable && g->clear.time <= to->value : g->number == to->value;
}

/* The first, that is the newest, that fits and is whole. Orphans are passed over; any other flaw in the one asked for ends it. */
static err find(size_t *out, const struct catalogue *c, struct store_backend *s, const struct rewind_to *to)
{
    for (size_t i = 0; i < c->generation_count; i++) {
        enum flaw flaw;
        if (!fits(&c->generations[i], to)) continue;
        TRY(inspect_generation(&flaw, c, i, s, NULL));
        if (flaw == FLAW_ORPHAN) continue;
        if (flaw != FLAW_NONE)
            FAIL(E_FORMAT, "restore: generation %llu is not whole: %s", (unsigned long long)c->generations[i].number, flaw_name(flaw));
        *out = i;
        return OK;
    }
    FAIL(E_ABSENT, "restore: the store has no such generation");
}

err store_rewind(struct rewind_report *r, struct store_backend *s, const struct rewind_to *to)
{
    CATALOGUE c = { 0 };
    size_t i = 0, n;
    uint8_t raw[LINK_HEAD_MAX];
    const struct object *record;
    *r = (struct rewind_report){ 0 };
    TRY(catalogue_read(&c, s));
    if (c.raw_head_len == 0 || c.head.generation == 0) FAIL(E_ABSENT, "restore: nothing is sealed in this store");
    TRY(find(&i, &c, s, to));
    const struct generation *g = &c.generations[i];
    *r = (struct rewind_report){ c.head.generation, g->number, g->clear.time };
    if (g->is_head) return OK;
    TRY(inspect_record(&record, &c, s, g->clear.record));
    if (!record) FAIL(E_FORMAT, "restore: the record of generation %llu is missing", (unsigned long long)g->number);
    struct head next = { .epoch = g->clear.epoch, .generation = g->number };
    memcpy(next.service, g->clear.service, sizeof next.service);
    memcpy(next.manifest, g->object->name, sizeof next.manifest);
    memcpy(next.record, record->name, sizeof next.record);
    memcpy(next.record_sha256, g->clear.record, sizeof next.record_sha256);
    memcpy(next.log, c.head.log, sizeof next.log);
    memcpy(next.log_sha256, c.head.log_sha256, sizeof next.log_sha256);
    TRY(catalogue_hash(next.manifest_sha256, s, g->object->name));
    TRY(head_build(raw, &n, &next));
    return s->head_put(s, c.raw_head, c.raw_head_len, raw, n);
}
