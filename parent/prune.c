/* prune.c - mark what is needed, then remove what may go.
 *
 * Removing too much loses a service's past, removing too little costs disk: so every doubt keeps. */
#include "parent/prune.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/log.h"
#include "parent/catalogue.h"

enum { RECORD_SIZE_MAX = 1 << 16 };

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static bool is_record(const char *name)  { return strncmp(name, "record-", 7) == 0; }
static bool is_segment(const char *name) { return tail_name_ok(name); }
static bool is_ours(const char *name)
{
    return is_record(name) || is_segment(name) || (name[0] == 'g' && (ends_with(name, ".pack") || ends_with(name, ".manifest")));
}

/* Of several manifests with one number (a seal was cut off and made again) only one is in
 * the chain: the one whose hash the next newer manifest carries. */
static err in_chain(bool *yes, const struct generation *g, const struct generation *newer, bool twins, struct store_backend *s)
{
    uint8_t hash[32];
    *yes = true;
    if (!twins || !newer || newer->number != g->number + 1) return OK;
    TRY(catalogue_hash(hash, s, g->object->name));
    *yes = memcmp(hash, newer->clear.previous, sizeof hash) == 0;
    return OK;
}

static void need(const struct catalogue *c, const char *name)
{
    struct object *o = catalogue_find(c, name);
    if (o) o->needed = true;
}

static void need_generation(const struct catalogue *c, const struct generation *g)
{
    need(c, g->object->name);
    for (uint32_t i = 0; i < g->clear.packs; i++) need(c, g->packs[i].name);
}

/* How far the rules are used up, walking from the newest generation to older ones. */
struct quota { uint64_t last, left[3]; int64_t seen[3]; };

static int64_t period(uint64_t time, int kind)
{
    const time_t t = (time_t)(time < 253402300799u ? time : 253402300799u);
    const int64_t day = (int64_t)t / 86400;
    struct tm at;
    if (kind == 0) return day;
    if (kind == 1) return (day + 3) / 7;                     /* 1 January 1970 was a Thursday */
    return gmtime_r(&t, &at) ? (int64_t)at.tm_year * 12 + at.tm_mon : day;
}

/* Does this one stay? A generation nobody can date stays: better too many than one too few. */
static bool stays(struct quota *q, const struct prune_rules *rules, const struct generation *g)
{
    bool yes = false;
    for (size_t i = 0; i < rules->protect_count; i++) yes = yes || rules->protect[i] == g->number;
    if (q->last > 0) {
        q->last--;
        yes = true;
    }
    for (int kind = 0; kind < 3; kind++) {
        if (q->left[kind] == 0) continue;
        if (!g->readable) return true;
        const int64_t now = period(g->clear.time, kind);
        if (now == q->seen[kind]) continue;
        q->seen[kind] = now;
        q->left[kind]--;
        yes = true;
    }
    return yes;
}

/* Mark what the kept generations need. Out: *kept, their number. */
static err mark(size_t *kept, struct catalogue *c, struct store_backend *s, const struct prune_rules *rules)
{
    const struct generation *newer = NULL;
    struct quota q = { .last = rules->last ? rules->last : 1, .left = { rules->daily, rules->weekly, rules->monthly },
                       .seen = { INT64_MIN, INT64_MIN, INT64_MIN } };
    *kept = 0;
    for (size_t i = 0; i < c->generation_count; i++) {
        const struct generation *g = &c->generations[i];
        bool yes = true;
        if (g->number > c->head.generation || (g->number == c->head.generation && !g->is_head)) continue;
        if (newer && newer->number == g->number) continue;
        bool twins = i + 1 < c->generation_count && c->generations[i + 1].number == g->number;
        twins = twins || (i > 0 && c->generations[i - 1].number == g->number);
        TRY(in_chain(&yes, g, newer, twins && !g->is_head, s));
        if (!yes) continue;
        /* The first one must be the head's, or the head's is missing. */
        if (!newer && !g->is_head) break;
        newer = g;
        if (!stays(&q, rules, g)) continue;
        if (!g->readable)
            FAIL(E_FORMAT, "prune: manifest %s is damaged; nothing is removed while it belongs to a kept generation",
                 g->object->name);
        need_generation(c, g);
        ++*kept;
    }
    if (*kept == 0) FAIL(E_ABSENT, "prune: the head's manifest %s is missing; nothing is removed", c->head.manifest);
    return OK;
}

/* A manifest tells its record by hash only, so the few records are hashed. */
static err mark_records(struct catalogue *c, struct store_backend *s)
{
    need(c, c->head.record);
    for (size_t i = 0; i < c->object_count; i++) {
        struct object *o = &c->objects[i];
        uint8_t hash[32];
        if (!is_record(o->name) || o->needed || o->size > RECORD_SIZE_MAX) continue;
        TRY(catalogue_hash(hash, s, o->name));
        for (size_t k = 0; k < c->generation_count; k++)
            if (c->generations[k].object->needed && memcmp(c->generations[k].clear.record, hash, sizeof hash) == 0)
                o->needed = true;
    }
    return OK;
}

/* Mark the head's log. Where it is not whole, all that could be of it stays. */
static err mark_log(struct catalogue *c, struct store_backend *s, struct segments *known)
{
    SEGMENTS own = { 0 };
    struct segments *log = known ? known : &own;
    err e = segments_follow(log, s, c->head.log);
    if (e.code == E_MEMORY || e.code == E_IO) return e;
    for (size_t i = 0; e.code == E_OK && i < log->count; i++) need(c, log->one[i].name);
    if (e.code == E_OK) return OK;
    log_warn("prune: the log is not whole; no segment of one is removed");
    for (size_t i = 0; i < c->object_count; i++) c->objects[i].needed = c->objects[i].needed || is_segment(c->objects[i].name);
    return OK;
}

/* A tail that was written anew. A seal that runs now writes its own after the present one; the minute is for clocks that are set back. */
static bool superseded(const struct catalogue *c, const struct object *o, int64_t now)
{
    const struct object *tail = is_segment(o->name) ? catalogue_find(c, c->head.log) : NULL;
    return tail && tail->time <= now && tail->time - o->time > PRUNE_TAIL_AGE;
}

/* What only generations below the head needed, none of which is kept, goes at once: a seal that runs
 * now is above the head, and builds on what the head needs. */
static bool outlived(const struct catalogue *c, const struct object *o)
{
    for (size_t k = c->generation_count; k > 0 && c->generations[k - 1].number < c->head.generation; k--) {
        const struct generation *g = &c->generations[k - 1];
        if (g->object == o) return true;
        for (uint32_t i = 0; i < g->clear.packs; i++)
            if (strcmp(g->packs[i].name, o->name) == 0) return true;
    }
    return false;
}

static bool may_go(const struct catalogue *c, const struct object *o, int64_t now)
{
    if (o->needed || !is_ours(o->name)) return false;
    /* A time ahead of ours counts as young: clocks are set back now and then. */
    return (now > o->time && now - o->time > PRUNE_ORPHAN_AGE) || outlived(c, o) || superseded(c, o, now);
}

/* Manifests first: should this be cut off, no manifest stays without its packs. */
static size_t choose(const char **names, uint64_t *bytes, const struct catalogue *c, bool manifests)
{
    size_t count = 0;
    int64_t now = time(NULL);
    for (size_t i = 0; i < c->object_count; i++) {
        const struct object *o = &c->objects[i];
        if (ends_with(o->name, ".manifest") != manifests || !may_go(c, o, now)) continue;
        names[count++] = o->name;
        *bytes += o->size;
    }
    return count;
}

static void free_names(const char ***names)
{
    free(*names);
}

err prune_by(struct store_backend *s, const struct prune_rules *rules, struct prune_report *report)
{
    CATALOGUE c = { 0 };
    struct prune_report r = { 0 };
    if (report) *report = r;
    TRY(catalogue_read(&c, s));
    /* Generation 0: nothing was promised yet, and the first seal may be running. */
    if (c.raw_head_len == 0 || c.head.generation == 0) return OK;
    TRY(mark(&r.kept, &c, s, rules));
    TRY(mark_records(&c, s));
    TRY(mark_log(&c, s, rules->log));
    __attribute__((cleanup(free_names))) const char **names = calloc(c.object_count + 1, sizeof *names);
    if (!names) FAIL(E_MEMORY, "a list of %zu names", c.object_count);
    size_t count = choose(names, &r.bytes, &c, true);
    count += choose(names + count, &r.bytes, &c, false);
    if (rules->dry_run) r.removed = count;
    else if (count) TRY(s->remove(s, &r.removed, c.raw_head, c.raw_head_len, names, count));
    if (r.removed && !rules->dry_run)
        log_info("prune: kept %zu generations, removed %zu objects, %llu bytes", r.kept, r.removed, (unsigned long long)r.bytes);
    if (report) *report = r;
    return OK;
}

err prune(struct store_backend *s, uint64_t keep, struct prune_report *report)
{
    const struct prune_rules rules = { .last = keep };
    return prune_by(s, &rules, report);
}
