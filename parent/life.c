/* life.c - see life.h. */
#include "parent/life.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/life_papers.h"

struct sealed { uint64_t generation, index; uint8_t manifest[32]; };
struct life {
    uint8_t  service[32];
    bool     has_service, reopened;
    uint32_t number, epoch;
    uint64_t index;                          /* of the entry that comes next                        */
    uint64_t generation;                     /* the newest that counts: sealed, or gone back to     */
    uint8_t  manifest[32];
    struct sealed *seals;
    size_t   seal_count, seal_cap;
    bool     booted, owed;                   /* owed: the newest boot restored another state, and the rollback entry is to follow */
    uint64_t boot, owed_generation;
    uint8_t  pcr[3][48], release[32];        /* of the newest boot                                  */
    struct papers papers;
};

static void say(struct life_line *l, enum life_mark mark, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct life_line *l, enum life_mark mark, const char *fmt, ...)
{
    va_list ap;
    if (l->mark == LIFE_FAULT) return;       /* the first fault is the reason */
    l->mark = mark;
    va_start(ap, fmt);
    vsnprintf(l->text, sizeof l->text, fmt, ap);
    va_end(ap);
}

err life_new(struct life **out, const uint8_t *service, uint32_t number, const struct document *authorisation)
{
    struct life *l = calloc(1, sizeof *l);
    if (!l) FAIL(E_MEMORY, "a life");
    l->number = number;
    l->has_service = service != NULL;
    if (service) memcpy(l->service, service, 32);
    l->papers.has_founders = authorisation != NULL;
    if (authorisation) l->papers.founders = *authorisation;
    *out = l;
    return OK;
}

void life_drop(struct life **l)
{
    if (!*l) return;
    papers_drop(&(*l)->papers);
    free((*l)->seals);
    free(*l);
    *l = NULL;
}

const uint8_t *life_service(const struct life *l)
{
    return l->has_service ? l->service : NULL;
}

/* ---- what happened ---- */

static void on_genesis(struct life *l, struct life_line *line, const struct entry *e)
{
    uint8_t id[32];
    if (l->index) say(line, LIFE_FAULT, "a service begins once, with the log's first entry");
    if (l->number) say(line, LIFE_FAULT, "log %u of a service does not begin with its genesis", l->number);
    sha256(id, e->document.p, e->document.n);
    if (l->has_service && memcmp(id, l->service, 32) != 0) say(line, LIFE_FAULT, "the genesis document of another service");
    memcpy(l->service, id, 32);
    l->has_service = true;
}

static void on_reopen(struct life *l, struct life_line *line, const struct entry *e)
{
    if (l->index) say(line, LIFE_FAULT, "a log is begun anew with its first entry only");
    else if (l->number && e->number + 1 != l->number) say(line, LIFE_FAULT, "log %u was begun after log %u", l->number, e->number);
    else say(line, LIFE_NOTICE, "the log was begun anew after log %u, of %" PRIu64 " entries: what stood there is not judged here", e->number, e->size);
    l->reopened = l->papers.elsewhere = true;
}

static bool zeros(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

static void check_build(struct life *l, struct life_line *line, const struct entry *e)
{
    const bool same = l->booted && memcmp(l->pcr, e->pcr, sizeof l->pcr) == 0 && memcmp(l->release, e->release, 32) == 0;
    if (same) return;
    if (zeros(e->release, 32)) {
        if (l->booted) say(line, LIFE_FAULT, "another build than before, and it names no release that allowed it");
        return;
    }
    const struct kept *r = papers_release(&l->papers, e->release);
    if (!r) {
        /* A log begun anew goes on with the build that was there. */
        if (!l->papers.elsewhere || l->booted) say(line, LIFE_FAULT, "it names a release that the log does not have");
        return;
    }
    if (memcmp(r->d.pcr, e->pcr, sizeof r->d.pcr) != 0) say(line, LIFE_FAULT, "its measurements are not those of release %s", r->d.label);
    else if (!r->granted) say(line, LIFE_FAULT, "release %s was not granted the keys before", r->d.label);
    else say(line, LIFE_NOTICE, "another build takes over: release %s, sequence %" PRIu64, r->d.label, r->d.sequence);
}

static void on_boot(struct life *l, struct life_line *line, const struct entry *e)
{
    const uint64_t before = l->booted ? l->boot : ENTRY_NO_BOOT;
    const bool fits = e->generation == l->generation && memcmp(e->manifest, l->manifest, 32) == 0;
    if (e->previous != before && !(l->reopened && !l->booted)) say(line, LIFE_FAULT, "it names another boot before it than there was");
    check_build(l, line, e);
    /* Another state than the log knows has to be accounted for by the entry that follows. */
    l->owed = !fits && !(l->reopened && !l->seal_count && !l->booted);
    l->owed_generation = e->generation;
    if (l->reopened && !l->booted) {
        l->generation = e->generation;
        memcpy(l->manifest, e->manifest, 32);
    }
    if (e->simulated && line->mark == LIFE_PLAIN) say(line, LIFE_NOTICE, "SIMULATED: no security module vouches for this boot");
    l->booted = true;
    l->boot = l->index;
    memcpy(l->pcr, e->pcr, sizeof l->pcr);
    memcpy(l->release, e->release, 32);
}

static err on_seal(struct life *l, struct life_line *line, const struct entry *e)
{
    /* Behind a rollback the generation that was gone back to is told once more. */
    if (e->generation == l->generation && memcmp(e->manifest, l->manifest, 32) == 0) return OK;
    if (e->generation <= l->generation) say(line, LIFE_FAULT, "generation %" PRIu64 " after %" PRIu64, e->generation, l->generation);
    if (l->epoch && e->epoch != l->epoch) say(line, LIFE_FAULT, "sealed in epoch %u, not %u", e->epoch, l->epoch);
    if (l->seal_count == l->seal_cap) {
        const size_t cap = l->seal_cap ? 2 * l->seal_cap : 64;
        struct sealed *more = reallocarray(l->seals, cap, sizeof *more);
        if (!more) FAIL(E_MEMORY, "%zu generations", cap);
        l->seals = more;
        l->seal_cap = cap;
    }
    l->epoch = e->epoch;
    l->generation = e->generation;
    memcpy(l->manifest, e->manifest, 32);
    l->seals[l->seal_count] = (struct sealed){ .generation = e->generation, .index = l->index };
    memcpy(l->seals[l->seal_count++].manifest, e->manifest, 32);
    return OK;
}

/* What the maintainers' documents are judged by, besides each other. */
static struct situation situation_of(const struct life *l, const struct entry *e)
{
    struct situation s = { .now = e->time, .generation = l->generation };
    memcpy(s.service, l->service, 32);
    memcpy(s.head, l->manifest, 32);
    return s;
}

static void say_verdict(struct life_line *line, const struct papers_verdict *v)
{
    if (!v->fault[0] && !v->note[0]) return;
    say(line, v->fault[0] ? LIFE_FAULT : v->unjudged ? LIFE_UNKNOWN : v->notice ? LIFE_NOTICE : LIFE_PLAIN, "%s", v->fault[0] ? v->fault : v->note);
}

static err on_paper(struct life *l, struct life_line *line, const struct entry *e)
{
    const struct situation s = situation_of(l, e);
    struct papers_verdict v = { 0 };
    TRY(papers_take(&l->papers, &v, e, &s));
    say_verdict(line, &v);
    return OK;
}

static err on_rollback(struct life *l, struct life_line *line, const struct entry *e)
{
    struct situation s = situation_of(l, e);
    struct papers_verdict v = { 0 };
    const struct sealed *to = NULL;
    for (size_t i = l->seal_count; i-- > 0 && !to;)
        if (l->seals[i].generation == e->generation && memcmp(l->seals[i].manifest, e->manifest, 32) == 0) to = &l->seals[i];
    if (e->known != l->generation) say(line, LIFE_FAULT, "it says that the log knew generation %" PRIu64 "; it was %" PRIu64, e->known, l->generation);
    if (!to && !l->reopened) say(line, LIFE_FAULT, "it goes back to a generation that was never sealed");
    s.generation = e->generation;
    s.log_size = to ? to->index : UINT64_MAX;
    memcpy(s.head, e->manifest, 32);
    TRY(papers_permit(&l->papers, &v, e, &s));
    if (v.fault[0]) say(line, LIFE_FAULT, "%s", v.fault);
    else say(line, LIFE_NOTICE, "ROLLED BACK from generation %" PRIu64 " to %" PRIu64 ": %s", e->known, e->generation, v.note);
    if (l->owed && l->owed_generation != e->generation) say(line, LIFE_FAULT, "the boot before it restored generation %" PRIu64, l->owed_generation);
    l->owed = false;
    l->generation = e->generation;
    memcpy(l->manifest, e->manifest, 32);
    return OK;
}

static void on_grant(struct life *l, struct life_line *line, const struct entry *e)
{
    const struct situation s = situation_of(l, e);
    struct papers_verdict v = { 0 };
    papers_grant(&l->papers, &v, e, &s);
    say_verdict(line, &v);
}

static void on_rekey(struct life *l, struct life_line *line, const struct entry *e)
{
    if (e->new_epoch <= e->epoch || (l->epoch && e->epoch != l->epoch)) say(line, LIFE_FAULT, "from epoch %u to %u, in epoch %u", e->epoch, e->new_epoch, l->epoch);
    l->epoch = e->new_epoch;
}

/* The order that holds whatever the entry says. */
static void check_place(struct life *l, struct life_line *line, const struct entry *e)
{
    if (l->index == 0 && e->kind != ENTRY_GENESIS && e->kind != ENTRY_REOPEN) say(line, LIFE_FAULT, "a log begins with a genesis, or with a reopen");
    if (l->index == 1 && e->kind != ENTRY_BOOT) say(line, LIFE_FAULT, "the second entry is a boot");
    if (l->owed && e->kind != ENTRY_ROLLBACK) {
        say(line, LIFE_FAULT, "entry %" PRIu64 " restored generation %" PRIu64 ", the log knew %" PRIu64 ", and no rollback entry follows", l->boot, l->owed_generation, l->generation);
        l->owed = false;
    }
}

err life_next(struct life *l, struct entry *e, struct life_line *line, const void *p, size_t n)
{
    err out = OK;
    *line = (struct life_line){ 0 };
    if (entry_parse(e, p, n).code) {
        *e = (struct entry){ 0 };
        say(line, LIFE_UNKNOWN, "no entry that this program knows");
        l->index++;
        return OK;
    }
    check_place(l, line, e);
    switch (e->kind) {
    case ENTRY_GENESIS: on_genesis(l, line, e); break;
    case ENTRY_BOOT: on_boot(l, line, e); break;
    case ENTRY_SEAL: out = on_seal(l, line, e); break;
    case ENTRY_POLICY: case ENTRY_RELEASE: case ENTRY_VETO: out = on_paper(l, line, e); break;
    case ENTRY_GRANT: on_grant(l, line, e); break;
    case ENTRY_ROLLBACK: out = on_rollback(l, line, e); break;
    case ENTRY_REKEY: on_rekey(l, line, e); break;
    case ENTRY_REOPEN: on_reopen(l, line, e); break;
    case ENTRY_KINDS: break;
    }
    l->index++;
    return out;
}

void life_end(struct life_line *line, const struct life *l)
{
    *line = (struct life_line){ 0 };
    if (l->index == 0) say(line, LIFE_FAULT, "the log is empty");
    else if (!l->booted) say(line, LIFE_FAULT, "nobody ever booted");
    else if (l->owed) say(line, LIFE_FAULT, "entry %" PRIu64 " restored generation %" PRIu64 ", the log knew %" PRIu64 ", and no rollback entry follows", l->boot, l->owed_generation, l->generation);
}
