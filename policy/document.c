#include "policy/document.h"

#include <string.h>

#include "core/hash.h"
#include "policy/strict.h"

static const struct { const char *type, *name_space; uint64_t event; } kinds[DOCUMENT_KINDS] = {
    [DOCUMENT_POLICY]  = { "holdfast-policy", "holdfast-policy@holdfast", 8730 },
    [DOCUMENT_RELEASE] = { "holdfast-release", "holdfast-release@holdfast", 8731 },
    [DOCUMENT_VETO]    = { "holdfast-veto", "holdfast-veto@holdfast", 8732 },
    [DOCUMENT_PERMIT]  = { "holdfast-rollback-permit", "holdfast-rollback-permit@holdfast", 8733 },
    [DOCUMENT_GENESIS] = { "holdfast-genesis-authorisation", "holdfast-genesis-authorisation@holdfast", 8734 },
};

const char *document_type(enum document_kind k) { return kinds[k].type; }
const char *document_namespace(enum document_kind k) { return kinds[k].name_space; }
uint64_t    document_event(enum document_kind k) { return kinds[k].event; }

/* ---- members ---- */

static void read_network(struct strict *s, struct document *d)
{
    static const char *const known[] = { "mainnet", "testnet", "signet", "regtest" };
    struct text t = strict_text(s);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (text_is(t, known[i])) memcpy(d->network, known[i], t.n + 1);
    if (!d->network[0]) strict_fail(s, "network is none of mainnet, testnet, signet, regtest");
}

static void read_key(struct strict *s, struct maintainer *m)
{
    struct text t = strict_text(s);
    if (s->bad) return;
    err e = maintainer_parse(m, t.p, t.n);
    if (e.code) strict_fail(s, "a public key cannot be taken");
}

/* [{"name":TEXT,"key":KEY}, ...] */
static void read_set(struct strict *s, struct maintainers *set)
{
    strict_enter(s, '[');
    for (bool first = true; strict_more(s, ']', first); first = false) {
        struct maintainer m = { 0 };
        strict_enter(s, '{');
        if (!strict_more(s, '}', true) || !text_is(strict_name(s), "name")) strict_fail(s, "a key has a `name` and then a `key`");
        strict_copy(s, m.name, sizeof m.name, 1);
        if (!strict_more(s, '}', false) || !text_is(strict_name(s), "key")) strict_fail(s, "a key has a `name` and then a `key`");
        read_key(s, &m);
        if (strict_more(s, '}', false)) strict_fail(s, "a key has a `name`, a `key`, and nothing else");
        if (s->bad) return;
        err e = maintainers_add(set, &m);
        if (e.code) strict_fail(s, "a key or a name stands twice, or there are too many");
    }
}

static void read_keys(struct strict *s, struct document *d) { read_set(s, &d->keys); }
static void read_veto_keys(struct strict *s, struct document *d) { read_set(s, &d->veto_keys); }

static void read_revoked_keys(struct strict *s, struct document *d)
{
    strict_enter(s, '[');
    for (bool first = true; strict_more(s, ']', first); first = false) {
        if (d->revoked_key_count == DOCUMENT_REVOKED_KEYS) strict_fail(s, "too many revoked keys");
        if (s->bad) return;
        read_key(s, &d->revoked_key[d->revoked_key_count++]);
    }
}

static void read_revoked_releases(struct strict *s, struct document *d)
{
    strict_enter(s, '[');
    for (bool first = true; strict_more(s, ']', first); first = false) {
        if (d->revoked_release_count == DOCUMENT_REVOKED_RELEASES) strict_fail(s, "too many revoked releases");
        if (s->bad) return;
        strict_hex(s, d->revoked_release[d->revoked_release_count++], 32);
    }
}

static void read_previous(struct strict *s, struct document *d)
{
    if (strict_null(s)) return;
    strict_hex(s, d->previous, sizeof d->previous);
    d->has_previous = true;
}

/* A PCR that is zero is that of a debug enclave, whose memory the host reads. */
static void read_pcr(struct strict *s, uint8_t out[static DOCUMENT_PCR])
{
    static const uint8_t zero[DOCUMENT_PCR];
    strict_hex(s, out, DOCUMENT_PCR);
    if (memcmp(out, zero, DOCUMENT_PCR) == 0) strict_fail(s, "a PCR is zero, or not 96 lower-case hex digits");
}

static void read_pcr0(struct strict *s, struct document *d) { read_pcr(s, d->pcr[0]); }
static void read_pcr1(struct strict *s, struct document *d) { read_pcr(s, d->pcr[1]); }
static void read_pcr2(struct strict *s, struct document *d) { read_pcr(s, d->pcr[2]); }
static void read_pcr8(struct strict *s, struct document *d)
{
    if (strict_null(s)) return;
    read_pcr(s, d->pcr8);
    d->has_pcr8 = true;
}

/* A commit's name in git: SHA-1 or SHA-256. */
static void read_commit(struct strict *s, struct document *d)
{
    uint8_t hash[32];
    struct text t = strict_text(s);
    if (!text_hex(t, hash, 20) && !text_hex(t, hash, 32)) strict_fail(s, "commit has neither 40 nor 64 lower-case hex digits");
    else memcpy(d->commit, t.p, t.n);
}

static void read_emergency_threshold(struct strict *s, struct document *d)
{
    if (!strict_null(s)) d->emergency_threshold = strict_number(s, 1, MAINTAINERS_MAX);
}

static void read_emergency_delay(struct strict *s, struct document *d)
{
    if (strict_null(s)) d->emergency_delay = UINT64_MAX;          /* told apart from 0 by agree() */
    else d->emergency_delay = strict_number(s, 0, DOCUMENT_DELAY_MAX);
}

#define NUMBER(f, member, min, max) static void f(struct strict *s, struct document *d) { d->member = strict_number(s, min, max); }
#define HEX(f, member) static void f(struct strict *s, struct document *d) { strict_hex(s, d->member, sizeof d->member); }
#define TEXT_OF(f, member) static void f(struct strict *s, struct document *d) { strict_copy(s, d->member, sizeof d->member, 1); }
#define COUNT_MAX STRICT_NUMBER_MAX
NUMBER(read_version, version, 1, COUNT_MAX)
NUMBER(read_threshold, keys.threshold, 1, MAINTAINERS_MAX)
NUMBER(read_veto_threshold, veto_keys.threshold, 1, MAINTAINERS_MAX)
NUMBER(read_delay, delay, 0, DOCUMENT_DELAY_MAX)
NUMBER(read_not_before, not_before, 0, DOCUMENT_TIME_MAX)
NUMBER(read_expires, expires, 1, DOCUMENT_TIME_MAX)
NUMBER(read_sequence, sequence, 1, COUNT_MAX)
NUMBER(read_policy_version, policy_version, 1, COUNT_MAX)
NUMBER(read_min_generation, min_generation, 0, COUNT_MAX)
NUMBER(read_generation, generation, 0, COUNT_MAX)
NUMBER(read_log_size, log_size, 1, COUNT_MAX)
HEX(read_service, service)
HEX(read_policy, policy)
HEX(read_release, release)
HEX(read_head, head)
HEX(read_nonce, nonce)
HEX(read_blockhash, blockhash)
TEXT_OF(read_label, label)
TEXT_OF(read_name, name)
TEXT_OF(read_key_arn, key_arn)
TEXT_OF(read_profile, profile)
static void read_emergency(struct strict *s, struct document *d) { d->emergency = strict_flag(s); }

enum { P = 1 << DOCUMENT_POLICY, R = 1 << DOCUMENT_RELEASE, V = 1 << DOCUMENT_VETO, B = 1 << DOCUMENT_PERMIT, G = 1 << DOCUMENT_GENESIS };
static const struct member { const char *name; unsigned in; void (*read)(struct strict *, struct document *); } members[] = {
    { "service", P | R | V | B, read_service }, { "network", P | R | V | B | G, read_network },
    { "not_before", R | B | G, read_not_before }, { "expires", P | R | V | B | G, read_expires },
    { "version", P, read_version }, { "previous", P, read_previous },
    { "threshold", P | G, read_threshold }, { "keys", P | G, read_keys },
    { "veto_threshold", P, read_veto_threshold }, { "veto_keys", P, read_veto_keys }, { "delay", P, read_delay },
    { "emergency_threshold", P, read_emergency_threshold }, { "emergency_delay", P, read_emergency_delay },
    { "revoked_keys", P, read_revoked_keys }, { "revoked_releases", P, read_revoked_releases },
    { "sequence", R, read_sequence }, { "policy_version", R | V, read_policy_version }, { "policy", R | V, read_policy },
    { "pcr0", R, read_pcr0 }, { "pcr1", R, read_pcr1 }, { "pcr2", R, read_pcr2 }, { "pcr8", R, read_pcr8 },
    { "label", R, read_label }, { "commit", R, read_commit }, { "min_generation", R, read_min_generation }, { "emergency", R, read_emergency },
    { "release", V, read_release },
    { "generation", B, read_generation }, { "log_size", B, read_log_size }, { "head", B, read_head }, { "nonce", B, read_nonce },
    { "name", G, read_name }, { "key", G, read_key_arn }, { "blockhash", G, read_blockhash }, { "profile", G, read_profile },
};
enum { MEMBERS = sizeof members / sizeof *members };
_Static_assert(MEMBERS <= 64, "one bit each");

/* ---- the whole ---- */

/* `type` and `format`, which say how to read the rest. */
static void read_begin(struct strict *s, struct document *d, enum reason *why)
{
    size_t k = 0;
    strict_enter(s, '{');
    if (!strict_more(s, '}', true) || !text_is(strict_name(s), "type")) strict_fail(s, "`type` is not its first member");
    struct text type = strict_text(s);
    if (s->bad) return;
    while (k < DOCUMENT_KINDS && !text_is(type, kinds[k].type)) k++;
    if (k == DOCUMENT_KINDS) strict_fail(s, "its type is not known");
    if (!strict_more(s, '}', false) || !text_is(strict_name(s), "format")) strict_fail(s, "`format` is not its second member");
    const uint64_t format = strict_number(s, 0, STRICT_NUMBER_MAX);
    if (s->bad) return;
    d->kind = (enum document_kind)k;
    if (format == DOCUMENT_FORMAT) return;
    *why = REASON_UNKNOWN_FORMAT;
    strict_fail(s, "its format version is unknown to this build");
}

static void read_members(struct strict *s, struct document *d)
{
    uint64_t seen = 0, needed = 0;
    const unsigned kind = 1u << d->kind;
    for (size_t i = 0; i < MEMBERS; i++)
        if (members[i].in & kind) needed |= 1ull << i;
    while (strict_more(s, '}', false)) {
        struct text name = strict_name(s);
        size_t i = 0;
        while (i < MEMBERS && !text_is(name, members[i].name)) i++;
        if (i == MEMBERS || !(needed >> i & 1)) strict_fail(s, "a member is unknown");
        else if (seen >> i & 1) strict_fail(s, "a member stands twice");
        if (s->bad) return;
        seen |= 1ull << i;
        s->at = members[i].name;
        members[i].read(s, d);
        if (!s->bad) s->at = NULL;
    }
    for (size_t i = 0; !s->bad && i < MEMBERS; i++)
        if ((needed & ~seen) >> i & 1) {
            s->at = members[i].name;
            strict_fail(s, "it is missing");
        }
}

static const char *agree_policy(struct document *d)
{
    if (d->keys.threshold > d->keys.count) return "threshold is higher than there are keys";
    if (d->kind == DOCUMENT_GENESIS) return NULL;
    if (d->veto_keys.count && d->veto_keys.threshold > d->veto_keys.count) return "veto_threshold is higher than there are veto keys";
    if (!d->veto_keys.count && d->veto_keys.threshold != 1) return "veto_threshold is 1 where there are no veto keys";
    if (d->version > 1 && !d->has_previous) return "previous is null, and the version is not the first";
    if ((d->emergency_threshold == 0) != (d->emergency_delay == UINT64_MAX)) return "only one of emergency_threshold and emergency_delay is null";
    if (d->emergency_threshold == 0) d->emergency_delay = 0;
    else if (d->emergency_threshold > d->keys.count || d->emergency_threshold < d->keys.threshold) return "emergency_threshold is not from threshold to the number of keys";
    if (d->emergency_threshold && d->emergency_delay > d->delay) return "emergency_delay is longer than delay";
    for (size_t i = 0; i < d->revoked_key_count; i++)
        for (size_t k = 0; k < MAINTAINERS_MAX; k++)
            if ((k < d->keys.count && memcmp(d->keys.one[k].key, d->revoked_key[i].key, 32) == 0) ||
                (k < d->veto_keys.count && memcmp(d->veto_keys.one[k].key, d->revoked_key[i].key, 32) == 0))
                return "a key is listed and revoked";
    return NULL;
}

/* What members say together. */
static void agree(struct strict *s, struct document *d)
{
    if (s->bad) return;
    const char *why = d->kind == DOCUMENT_POLICY || d->kind == DOCUMENT_GENESIS ? agree_policy(d) : NULL;
    if (!why && d->not_before > d->expires) why = "not_before is later than expires";
    if (why) strict_fail(s, why);
}

err document_parse(struct document *out, enum reason *why, const void *p, size_t n)
{
    struct strict s = strict_of(p, n);
    *out = (struct document){ 0 };
    *why = REASON_FORM;
    if (n > DOCUMENT_MAX) FAIL(E_LIMIT, "document: %zu bytes, more than %d", n, DOCUMENT_MAX);
    read_begin(&s, out, why);
    if (!s.bad) read_members(&s, out);
    agree(&s, out);
    TRY(strict_end(&s, s.bad || out->kind >= DOCUMENT_KINDS ? "document" : kinds[out->kind].type));
    sha256(out->hash, p, n);
    sha512(out->hash512, p, n);
    *why = REASON_NONE;
    return OK;
}
