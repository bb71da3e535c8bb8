/* life_papers.c - see life_papers.h. */
#include "parent/life_papers.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void papers_drop(struct papers *p)
{
    free(p->waiting);
    free(p->releases);
    free(p->vetoed);
    free(p->spent);
    *p = (struct papers){ 0 };
}

static void fault(struct papers_verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct papers_verdict *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->fault, sizeof v->fault, fmt, ap);
    va_end(ap);
}

static void note(struct papers_verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct papers_verdict *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->note, sizeof v->note, fmt, ap);
    va_end(ap);
}

/* One more item. `list` is where a pointer to an array of items of that size stands, of whatever type. */
static err grow(void *list, size_t *count, size_t size, const void *item)
{
    void *old;
    memcpy(&old, list, sizeof old);
    uint8_t *more = reallocarray(old, *count + 1, size);
    if (!more) FAIL(E_MEMORY, "documents of a log");
    memcpy(more + *count * size, item, size);
    old = more;
    memcpy(list, &old, sizeof old);
    ++*count;
    return OK;
}

const struct kept *papers_release(const struct papers *p, const uint8_t hash[static 32])
{
    for (size_t i = p->release_count; i-- > 0;)
        if (memcmp(p->releases[i].d.hash, hash, 32) == 0) return &p->releases[i];
    return NULL;
}

/* The situation with what the log says of documents. */
static struct situation complete(const struct papers *p, const struct situation *s)
{
    struct situation out = *s;
    out.policy = p->has_policy ? &p->policy : NULL;
    out.founders = p->has_founders ? &p->founders.keys : NULL;
    if (p->has_founders) memcpy(out.founding, p->founders.hash, 32);
    out.sequence = p->sequence;
    memcpy(out.release, p->newest, 32);
    out.vetoed = (const uint8_t (*)[32])p->vetoed;
    out.vetoed_count = p->vetoed_count;
    out.spent = (const uint8_t (*)[DOCUMENT_NONCE])p->spent;
    out.spent_count = p->spent_count;
    return out;
}

/* Policies whose delay has passed by now come into force, in the order in which they do. They were agreed on when they were
 * logged; of two that follow the same one, the second no longer fits then. */
static void promote(struct papers *p, uint64_t now)
{
    for (;;) {
        struct kept *next = NULL;
        for (size_t i = 0; i < p->waiting_count; i++) {
            struct kept *k = &p->waiting[i];
            const bool follows = p->has_policy ? k->d.version == p->policy.version + 1 && memcmp(k->d.previous, p->policy.hash, 32) == 0 : k->d.version == 1;
            if (follows && k->accepted <= now && (!next || k->accepted < next->accepted)) next = k;
        }
        if (!next) return;
        p->policy = next->d;
        p->has_policy = true;
        *next = p->waiting[--p->waiting_count];
    }
}

/* Judge the entry's document with the signatures in it. Out: *d, *j. A document that cannot be read is a fault already. */
static err judge_entry(struct papers_verdict *v, struct document *d, struct judgement *j, enum document_kind kind, const struct entry *e, const struct situation *s)
{
    enum reason why = REASON_NONE;
    struct bytes signatures[ENTRY_SIGNATURES];
    size_t count = 0;
    *j = (struct judgement){ .reason = REASON_FORM };
    if (document_parse(d, &why, e->document.p, e->document.n).code || d->kind != kind) {
        fault(v, "its document is no %s: %s", document_type(kind), reason_name(why ? why : REASON_OTHER_KIND));
        return OK;
    }
    err read = entry_signatures(signatures, ENTRY_SIGNATURES, &count, e);
    if (read.code) {
        fault(v, "its signatures cannot be read");
        return OK;
    }
    TRY(judge(j, d, signatures, count, s));
    const struct judgement_line *failed = NULL;
    for (size_t i = 0; i < j->count && !failed; i++)
        if (j->line[i].verdict == JUDGED_FAILED) failed = &j->line[i];
    if (j->reason) fault(v, "%s: %s", reason_name(j->reason), failed ? failed->detail : reason_text(j->reason));
    return OK;
}

/* What is in force may not stand in this log: where it was begun anew, and before the first policy of a service that was authorised. */
static bool unjudged(struct papers_verdict *v, const struct papers *p, const struct document *d)
{
    const bool authorised = d && d->kind == DOCUMENT_POLICY && d->version == 1 && d->has_previous && !p->has_founders;
    if (p->has_policy || !(p->elsewhere || authorised)) return false;
    *v = (struct papers_verdict){ .notice = p->elsewhere, .unjudged = !p->elsewhere };
    if (p->elsewhere) note(v, "not judged: the policy in force is in the log before this one");
    else note(v, "not judged: it follows a genesis authorisation; --authorisation takes that document");
    return true;
}

static err take_policy(struct papers *p, struct papers_verdict *v, const struct kept *k, const struct judgement *j)
{
    struct kept in_force = *k;
    in_force.accepted += j->delay;           /* from when on it counts */
    note(v, "version %" PRIu64 ", agreed by %zu keys of the old and %zu of the new, in force from %" PRIu64, k->d.version, j->signers, j->new_signers, in_force.accepted);
    TRY(grow(&p->waiting, &p->waiting_count, sizeof in_force, &in_force));
    promote(p, k->accepted);
    return OK;
}

err papers_take(struct papers *p, struct papers_verdict *v, const struct entry *e, const struct situation *s)
{
    static const enum document_kind kinds[ENTRY_KINDS] = { [ENTRY_POLICY] = DOCUMENT_POLICY, [ENTRY_RELEASE] = DOCUMENT_RELEASE, [ENTRY_VETO] = DOCUMENT_VETO };
    struct kept k = { .accepted = e->time };
    struct judgement j;
    promote(p, e->time);
    const struct situation now = complete(p, s);
    TRY(judge_entry(v, &k.d, &j, kinds[e->kind], e, &now));
    if (j.reason && j.reason != REASON_FORM && unjudged(v, p, &k.d)) {
        /* Its hash is known at least; and a policy is one to go on from. */
        if (e->kind == ENTRY_POLICY) p->policy = k.d, p->has_policy = true;
        return e->kind == ENTRY_RELEASE ? grow(&p->releases, &p->release_count, sizeof k, &k) : OK;
    }
    if (v->fault[0]) return OK;
    if (e->kind == ENTRY_POLICY) return take_policy(p, v, &k, &j);
    v->notice = e->kind == ENTRY_VETO || j.emergency;
    if (e->kind == ENTRY_VETO) {
        const struct kept *r = papers_release(p, k.d.release);
        note(v, "VETO of release %s by %zu keys", r ? r->d.label : "not in this log", j.signers);
        return grow(&p->vetoed, &p->vetoed_count, 32, k.d.release);
    }
    note(v, "%s, sequence %" PRIu64 ", agreed by %zu keys, not before %" PRIu64 "%s", k.d.label, k.d.sequence, j.signers, e->time + j.delay, j.emergency ? ", EMERGENCY" : "");
    return grow(&p->releases, &p->release_count, sizeof k, &k);
}

err papers_permit(struct papers *p, struct papers_verdict *v, const struct entry *e, const struct situation *s)
{
    struct document d;
    struct judgement j;
    promote(p, e->time);
    struct situation now = complete(p, s);
    if (e->document.n == 0) {
        if (p->has_policy) fault(v, "there is a policy, and no permit");
        else note(v, "nobody had to allow it");
        return OK;
    }
    enum reason why;
    /* The manifest says how long the log was; the seal's entry stands at most a little later. */
    if (!document_parse(&d, &why, e->document.p, e->document.n).code && d.log_size < now.log_size) now.log_size = d.log_size;
    TRY(judge_entry(v, &d, &j, DOCUMENT_PERMIT, e, &now));
    if (j.reason && j.reason != REASON_FORM && unjudged(v, p, NULL)) return OK;
    if (v->fault[0]) return OK;
    note(v, "allowed by %zu keys", j.signers);
    return grow(&p->spent, &p->spent_count, DOCUMENT_NONCE, d.nonce);
}

void papers_grant(struct papers *p, struct papers_verdict *v, const struct entry *e, const struct situation *s)
{
    promote(p, e->time);
    const struct situation now = complete(p, s);
    struct kept *r = (struct kept *)(uintptr_t)papers_release(p, e->release);
    if (!r) {
        if (!unjudged(v, p, NULL)) fault(v, "for a release that the log does not have");
        return;
    }
    /* Its signatures were judged when it was logged; what may have changed since is looked at again. */
    const uint64_t delay = r->d.emergency ? now.policy ? now.policy->emergency_delay : 0 : now.policy ? now.policy->delay : 0;
    bool vetoed = false;
    for (size_t i = 0; i < p->vetoed_count; i++) vetoed = vetoed || memcmp(p->vetoed[i], r->d.hash, 32) == 0;
    const bool again = r->d.sequence == p->sequence && memcmp(r->d.hash, p->newest, 32) == 0;
    if (vetoed) fault(v, "release %s was vetoed", r->d.label);
    else if (now.policy && memcmp(now.policy->hash, r->d.policy, 32) != 0) fault(v, "release %s was made under another policy than that in force", r->d.label);
    else if (now.policy && e->time > now.policy->expires) fault(v, "the policy in force had expired");
    else if (e->time < r->accepted + delay) fault(v, "release %s was pending until %" PRIu64, r->d.label, r->accepted + delay);
    else if (e->time > r->d.expires) fault(v, "release %s had expired", r->d.label);
    else if (r->d.sequence <= p->sequence && !again) fault(v, "release %s has sequence %" PRIu64 "; the last was %" PRIu64, r->d.label, r->d.sequence, p->sequence);
    if (v->fault[0]) return;
    r->granted = true;
    p->sequence = r->d.sequence;
    memcpy(p->newest, r->d.hash, 32);
    note(v, "release %s may take over", r->d.label);
    v->notice = true;
}
