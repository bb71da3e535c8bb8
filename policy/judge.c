#include "policy/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct court {
    struct judgement *out;
    const struct document *d;
    const struct situation *s;
    const struct bytes *signatures;
    size_t count;
};

/* One line of the account. Returns whether to go on with what lies behind it. */
static bool check(struct court *c, const char *name, bool good, enum reason otherwise, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static bool check(struct court *c, const char *name, bool good, enum reason otherwise, const char *fmt, ...)
{
    struct judgement *j = c->out;
    MUST(j->count < JUDGE_LINES);
    struct judgement_line *l = &j->line[j->count++];
    va_list ap;
    *l = (struct judgement_line){ .name = name, .verdict = j->reason ? JUDGED_SKIPPED : good ? JUDGED_OK : JUDGED_FAILED };
    if (l->verdict != JUDGED_SKIPPED) {
        va_start(ap, fmt);
        vsnprintf(l->detail, sizeof l->detail, fmt, ap);
        va_end(ap);
    }
    if (l->verdict == JUDGED_FAILED) j->reason = otherwise;
    return !j->reason;
}

static bool listed(const uint8_t *list, size_t count, const uint8_t *one, size_t n)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(list + i * n, one, n) == 0) return true;
    return false;
}

static void check_service(struct court *c)
{
    char hex[65];
    hex_from(hex, c->d->service, 32);
    check(c, "service", memcmp(c->d->service, c->s->service, 32) == 0, REASON_OTHER_SERVICE, "for service %s", hex);
}

static void check_network(struct court *c)
{
    const char *here = c->s->network[0] ? c->s->network : c->s->policy ? c->s->policy->network : "";
    check(c, "network", !here[0] || strcmp(here, c->d->network) == 0, REASON_OTHER_NETWORK, "for %s, here is %s", c->d->network, here[0] ? here : "not known");
}

static void check_time(struct court *c)
{
    check(c, "not-before", c->s->now >= c->d->not_before, REASON_NOT_YET_VALID, "valid from %" PRIu64 ", now is %" PRIu64, c->d->not_before, c->s->now);
    check(c, "expires", c->s->now <= c->d->expires, REASON_EXPIRED, "valid until %" PRIu64 ", now is %" PRIu64, c->d->expires, c->s->now);
}

static bool check_policy_there(struct court *c)
{
    return check(c, "policy", c->s->policy != NULL, REASON_NO_POLICY, c->s->policy ? "version %" PRIu64 " is in force" : "none is in force",
                 c->s->policy ? c->s->policy->version : 0);
}

/* A release or veto was made under the policy in force, and under no other. */
static void check_made_under(struct court *c)
{
    const struct document *p = c->s->policy;
    check(c, "made-under", p && c->d->policy_version == p->version && memcmp(c->d->policy, p->hash, 32) == 0, REASON_OTHER_POLICY,
          "made under version %" PRIu64, c->d->policy_version);
}

/* The set, without the keys that `d` has revoked. */
static void drop_revoked(struct maintainers *set, const struct document *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        bool gone = false;
        for (size_t k = 0; k < d->revoked_key_count; k++) gone = gone || memcmp(set->one[i].key, d->revoked_key[k].key, 32) == 0;
        if (!gone) set->one[kept++] = set->one[i];
    }
    set->count = kept;
}

static err check_quorum(struct court *c, const char *name, const struct maintainers *set, uint64_t needed, enum reason otherwise, size_t *signers)
{
    struct quorum q = { 0 };
    if (!c->out->reason) TRY(quorum_count(&q, NULL, c->d, c->signatures, c->count, set));
    *signers = q.count;
    check(c, name, needed && q.count >= needed, otherwise, "%zu of the %" PRIu64 " distinct keys needed (%zu signatures added nothing: %zu again, %zu strangers', %zu bad, %zu not read)",
          q.count, needed, q.again + q.strangers + q.bad + q.unread, q.again, q.strangers, q.bad, q.unread);
    return OK;
}

static void check_delay(struct court *c, uint64_t delay)
{
    const uint64_t at = c->s->accepted;
    c->out->delay = delay;
    c->out->ready_at = at ? at + delay : 0;
    const char *way = c->out->emergency ? " (emergency)" : "";
    if (!at) check(c, "delay", true, REASON_NONE, "takes effect %" PRIu64 " s after it is logged%s", delay, way);
    else check(c, "delay", c->s->now >= at + delay, REASON_PENDING, "pending until %" PRIu64 "%s", at + delay, way);
}

static err judge_release(struct court *c)
{
    const struct document *d = c->d, *p = c->s->policy;
    const struct situation *s = c->s;
    if (!check_policy_there(c)) return OK;
    check_service(c);
    check_network(c);
    check_made_under(c);
    check(c, "policy-expires", s->now <= p->expires, REASON_POLICY_EXPIRED, "the policy is valid until %" PRIu64, p->expires);
    check_time(c);
    check(c, "revoked", !listed(p->revoked_release[0], p->revoked_release_count, d->hash, 32), REASON_REVOKED_RELEASE, "of %zu revoked", p->revoked_release_count);
    const bool same = d->sequence == s->sequence && memcmp(d->hash, s->release, 32) == 0;
    check(c, "sequence", d->sequence > s->sequence || same, REASON_LOWER_SEQUENCE, "%" PRIu64 "; the last was %" PRIu64, d->sequence, s->sequence);
    check(c, "state", s->generation >= d->min_generation, REASON_OLD_STATE, "generation %" PRIu64 "; at least %" PRIu64 " is needed", s->generation, d->min_generation);
    check(c, "veto", !s->vetoed_count || !listed(s->vetoed[0], s->vetoed_count, d->hash, 32), REASON_VETOED, "of %zu vetoed", s->vetoed_count);
    const bool hurry = d->emergency;
    c->out->emergency = hurry;
    check(c, "emergency", !hurry || p->emergency_threshold, REASON_NO_EMERGENCY, "%s", hurry ? "yes: more keys, a shorter delay" : "no");
    c->out->needed = hurry ? p->emergency_threshold : p->keys.threshold;
    TRY(check_quorum(c, "signatures", &p->keys, c->out->needed, REASON_QUORUM, &c->out->signers));
    check_delay(c, hurry ? p->emergency_delay : p->delay);
    return OK;
}

/* Version and hash of what it follows: the policy in force, or the genesis authorisation, or nothing. */
static void check_follows(struct court *c)
{
    const struct document *d = c->d, *p = c->s->policy;
    const uint64_t last = p ? p->version : 0;
    const uint8_t *previous = p ? p->hash : c->s->founders ? c->s->founding : NULL;
    const bool follows = previous ? d->has_previous && memcmp(d->previous, previous, 32) == 0 : !d->has_previous;
    check(c, "version", d->version == last + 1, d->version <= last ? REASON_OLD_VERSION : REASON_SKIPPED_VERSION, "%" PRIu64 "; in force is %" PRIu64, d->version, last);
    check(c, "previous", follows, REASON_OTHER_PREVIOUS, "%s", p ? "the policy in force" : previous ? "the genesis authorisation" : "none");
}

static bool brings_back(const struct document *d, const struct document *p)
{
    struct maintainers keys = d->keys, veto = d->veto_keys;
    drop_revoked(&keys, p);
    drop_revoked(&veto, p);
    return keys.count < d->keys.count || veto.count < d->veto_keys.count;
}

static err judge_policy(struct court *c)
{
    const struct document *d = c->d, *p = c->s->policy;
    const struct maintainers *old = p ? &p->keys : c->s->founders;
    struct maintainers decide = old ? *old : (struct maintainers){ 0 };
    check_service(c);
    check_network(c);
    check_follows(c);
    check_time(c);
    check(c, "revoked-keys", !p || !brings_back(d, p), REASON_REVOKED_KEY, "of %zu revoked", p ? p->revoked_key_count : 0);
    /* A key that the new policy revokes is one that is no longer trusted: it has no say in this. */
    drop_revoked(&decide, d);
    c->out->needed = decide.threshold;
    if (old) TRY(check_quorum(c, "signatures-old", &decide, decide.threshold, REASON_QUORUM, &c->out->signers));
    c->out->new_needed = d->keys.threshold;
    TRY(check_quorum(c, "signatures-new", &d->keys, d->keys.threshold, REASON_QUORUM_NEW, &c->out->new_signers));
    /* Without a delay here, a policy without delay would be the way round it. */
    check_delay(c, p ? p->delay : 0);
    return OK;
}

static err judge_veto(struct court *c)
{
    const struct document *p = c->s->policy;
    if (!check_policy_there(c)) return OK;
    check_service(c);
    check_network(c);
    check_made_under(c);
    check_time(c);
    check(c, "release", !c->s->subject || memcmp(c->s->subject, c->d->release, 32) == 0, REASON_NOT_THE_RELEASE, "%s", c->s->subject ? "the one at hand" : "any");
    c->out->needed = p->veto_keys.threshold;
    return check_quorum(c, "signatures", &p->veto_keys, p->veto_keys.threshold, REASON_QUORUM, &c->out->signers);
}

static err judge_permit(struct court *c)
{
    const struct document *d = c->d, *p = c->s->policy;
    const struct situation *s = c->s;
    if (!check_policy_there(c)) return OK;
    check_service(c);
    check_network(c);
    check_time(c);
    check(c, "one-shot", !s->spent_count || !listed(s->spent[0], s->spent_count, d->nonce, DOCUMENT_NONCE), REASON_PERMIT_USED, "of %zu used", s->spent_count);
    check(c, "state", d->generation == s->generation && d->log_size == s->log_size && memcmp(d->head, s->head, 32) == 0, REASON_OTHER_STATE,
          "for generation %" PRIu64 ", log size %" PRIu64 "; there is %" PRIu64 ", %" PRIu64, d->generation, d->log_size, s->generation, s->log_size);
    c->out->needed = p->keys.threshold;
    return check_quorum(c, "signatures", &p->keys, p->keys.threshold, REASON_QUORUM, &c->out->signers);
}

static err judge_genesis(struct court *c)
{
    const struct maintainers *f = c->s->founders;
    if (!check(c, "founders", f != NULL, REASON_NOT_AUTHORISED, f ? "%zu keys" : "none", f ? f->count : 0)) return OK;
    check_network(c);
    check_time(c);
    c->out->needed = f->threshold;
    TRY(check_quorum(c, "signatures", f, f->threshold, REASON_QUORUM, &c->out->signers));
    c->out->new_needed = c->d->keys.threshold;
    return check_quorum(c, "signatures-new", &c->d->keys, c->d->keys.threshold, REASON_QUORUM_NEW, &c->out->new_signers);
}

err judge(struct judgement *out, const struct document *d, const struct bytes *signatures, size_t count, const struct situation *s)
{
    static err (*const by_kind[DOCUMENT_KINDS])(struct court *) = {
        [DOCUMENT_POLICY] = judge_policy, [DOCUMENT_RELEASE] = judge_release, [DOCUMENT_VETO] = judge_veto,
        [DOCUMENT_PERMIT] = judge_permit, [DOCUMENT_GENESIS] = judge_genesis,
    };
    *out = (struct judgement){ 0 };
    return by_kind[d->kind](&(struct court){ out, d, s, signatures, count });
}
