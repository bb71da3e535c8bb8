/* paper_check.c - would a service agree? The same judgement as its own (policy/judge.h), with what the command line knows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "parent/file.h"
#include "parent/paper.h"
#include "parent/say.h"
#include "policy/judge.h"

enum { SIGNATURE_FILE = 64 << 10 };

/* All that a check is made from. */
struct desk {
    struct paper p, policy, genesis;
    struct maintainers founders;
    struct situation s;
    uint8_t *file[REPEATED_MAX];
    struct bytes sig[REPEATED_MAX];
    struct quorum_note note[REPEATED_MAX], own[REPEATED_MAX];   /* by those who decide; by a policy's own keys */
    uint8_t vetoed[32];
    struct judgement j;
};

static void desk_drop(struct desk *d)
{
    paper_drop(&d->p);
    paper_drop(&d->policy);
    paper_drop(&d->genesis);
    for (size_t i = 0; i < REPEATED_MAX; i++) mem_free_bytes(&d->file[i]);
}

static enum exits usage(const struct call *c, const char *what)
{
    return say_failure(c, EXIT_USAGE, NULL, NULL, "%s check: %s", c->command->name, what);
}

static enum exits take_signatures(struct desk *d, const struct call *c)
{
    for (size_t i = 0; i < c->repeated_count; i++) {
        size_t n = 0;
        if (file_read(&d->file[i], &n, c->repeated[i], SIGNATURE_FILE).code) return say_failure(c, EXIT_USAGE, NULL, NULL, "%s check: --sig %s cannot be read", c->command->name, c->repeated[i]);
        d->sig[i] = (struct bytes){ d->file[i], n };
    }
    return EXIT_DONE;
}

/* Who decides: the policy in force, or before the first whom the genesis authorisation names. */
static enum exits take_authority(struct desk *d, const struct call *c)
{
    const enum document_kind k = paper_kind(c);
    unsigned long long threshold;
    const char *file = k == DOCUMENT_GENESIS ? NULL : call_value(c, k == DOCUMENT_POLICY ? "previous" : "policy");
    enum exits code = file ? paper_load(&d->policy, c, file, DOCUMENT_POLICY) : EXIT_DONE;
    if (file) d->s.policy = &d->policy.d;
    if (k == DOCUMENT_POLICY && code == EXIT_DONE && call_value(c, "genesis")) {
        code = paper_load(&d->genesis, c, call_value(c, "genesis"), DOCUMENT_GENESIS);
        d->s.founders = &d->genesis.d.keys;
        memcpy(d->s.founding, d->genesis.d.hash, 32);
    }
    if (k != DOCUMENT_GENESIS || !call_value(c, "founders")) return code;
    if (!call_number(&threshold, c, "founders-threshold", 0, 1, MAINTAINERS_MAX)) return EXIT_USAGE;
    d->s.founders = &d->founders;
    return paper_keys(&d->founders, c, call_value(c, "founders"), threshold);
}

static bool take_number(uint64_t *out, const struct call *c, const char *name, uint64_t fallback)
{
    unsigned long long v;
    if (!call_number(&v, c, name, fallback, 0, STRICT_NUMBER_MAX)) return false;
    *out = v;
    return true;
}

/* The state of the service: what was not given is taken to be as the document wants it. */
static enum exits take_state(struct desk *d, const struct call *c)
{
    const enum document_kind k = paper_kind(c);
    const struct document *doc = &d->p.d;
    const char *service = k == DOCUMENT_POLICY ? call_value(c, "service") : NULL, *vetoed = k == DOCUMENT_RELEASE ? call_value(c, "vetoed") : NULL;
    memcpy(d->s.service, d->s.policy ? d->s.policy->service : doc->service, 32);
    if (service && hex_to(d->s.service, 32, service, strlen(service)).code) return usage(c, "--service takes 64 hex digits");
    if (!take_number(&d->s.now, c, "at", (uint64_t)time(NULL))) return EXIT_USAGE;
    if (k == DOCUMENT_RELEASE) {
        if (!take_number(&d->s.sequence, c, "last-sequence", 0) || !take_number(&d->s.generation, c, "generation", doc->min_generation)) return EXIT_USAGE;
        if (vetoed && hex_to(d->vetoed, 32, vetoed, strlen(vetoed)).code) return usage(c, "--vetoed takes the SHA-256 of a release");
        d->s.vetoed = (const uint8_t (*)[32])&d->vetoed;
        d->s.vetoed_count = vetoed != NULL;
    }
    if (k == DOCUMENT_PERMIT) {
        const char *head = call_value(c, "head");
        memcpy(d->s.head, doc->head, 32);
        if (head && hex_to(d->s.head, 32, head, strlen(head)).code) return usage(c, "--head takes 64 hex digits");
        if (!take_number(&d->s.generation, c, "generation", doc->generation) || !take_number(&d->s.log_size, c, "log-size", doc->log_size)) return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* A veto is of one release, where the release is at hand. */
static enum exits take_subject(struct desk *d, const struct call *c)
{
    if (paper_kind(c) != DOCUMENT_VETO || !call_value(c, "release")) return EXIT_DONE;
    enum exits code = paper_load(&d->genesis, c, call_value(c, "release"), DOCUMENT_RELEASE);
    d->s.subject = d->genesis.d.hash;
    return code;
}

/* Those of whom the signatures are asked for first. */
static const struct maintainers *deciders(const struct desk *d)
{
    if (d->p.d.kind == DOCUMENT_VETO && d->s.policy) return &d->s.policy->veto_keys;
    return d->s.policy ? &d->s.policy->keys : d->s.founders ? d->s.founders : &d->p.d.keys;
}

static json_t *signatures_json(const struct desk *d, const struct call *c, const struct maintainers *set)
{
    static const char *const words[] = { "counts", "counted-already", "not-of-these-keys", "bad", "not-read" };
    json_t *out = json_array();
    for (size_t i = 0; i < c->repeated_count; i++) {
        /* Who signs a policy for the new threshold only is no stranger. */
        const bool is_new = d->note[i].word == QUORUM_STRANGER && d->own[i].word != QUORUM_STRANGER;
        const struct quorum_note *n = is_new ? &d->own[i] : &d->note[i];
        const struct maintainers *of = is_new ? &d->p.d.keys : set;
        json_array_append_new(out, json_pack("{s:s, s:s, s:s?, s:s?}", "file", c->repeated[i], "verdict", words[n->word],
                                             "by", n->key >= 0 ? of->one[n->key].name : NULL, "why", n->why));
    }
    return out;
}

static json_t *checks_json(const struct judgement *j)
{
    static const char *const words[] = { "ok", "failed", "skipped" };
    json_t *out = json_array();
    for (size_t i = 0; i < j->count; i++)
        json_array_append_new(out, json_pack("{s:s, s:s, s:s}", "name", j->line[i].name, "verdict", words[j->line[i].verdict], "detail", j->line[i].detail));
    return out;
}

static void say_signature(const json_t *one, const char *title)
{
    const char *by = json_string_value(json_object_get(one, "by")), *why = json_string_value(json_object_get(one, "why"));
    printf("%-24s %s: %s%s%s%s%s\n", title, json_string_value(json_object_get(one, "file")), json_string_value(json_object_get(one, "verdict")),
           by ? ", by " : "", by ? by : "", why ? ": " : "", why ? why : "");
}

static void say_account(const struct desk *d, const json_t *signatures)
{
    const struct judgement *j = &d->j;
    paper_say(&d->p);
    putchar('\n');
    for (size_t i = 0; i < json_array_size(signatures); i++) say_signature(json_array_get(signatures, i), i ? "" : "signatures");
    putchar('\n');
    for (size_t i = 0; i < j->count; i++)
        printf("%-8s %-16s %s\n", (const char *const[]){ "ok", "FAILED", "skipped" }[j->line[i].verdict], j->line[i].name, j->line[i].detail);
    printf("\n%s: %s\n", j->reason ? "REFUSED" : "accepted", reason_text(j->reason));
}

static enum exits tell(const struct desk *d, const struct call *c)
{
    const struct judgement *j = &d->j;
    const enum exits code = j->reason ? EXIT_REFUSED : EXIT_DONE;
    JSON signatures = signatures_json(d, c, deciders(d));
    if (!c->json) {
        say_account(d, signatures);
        return fflush(stdout) == 0 ? code : EXIT_REFUSED;
    }
    JSON out = json_pack("{s:b, s:s, s:s, s:o, s:O, s:I, s:b, s:o}", "accepted", j->reason == REASON_NONE, "reason", reason_name(j->reason), "text", reason_text(j->reason),
                         "checks", checks_json(j), "signatures", signatures, "delay", (json_int_t)j->delay, "emergency", (int)j->emergency, "document", paper_json(&d->p));
    if (out && j->reason) {
        json_object_set_new(out, "error", json_sprintf("refused: %s", reason_name(j->reason)));
        json_object_set_new(out, "exit", json_integer((json_int_t)code));
    }
    return say_json(&out) == EXIT_DONE ? code : EXIT_REFUSED;
}

enum exits paper_check(const struct call *c, const char *path)
{
    __attribute__((cleanup(desk_drop))) struct desk d = { 0 };
    struct quorum q;
    enum exits code = paper_load(&d.p, c, path, paper_kind(c));
    if (code == EXIT_DONE) code = take_signatures(&d, c);
    if (code == EXIT_DONE) code = take_authority(&d, c);
    if (code == EXIT_DONE) code = take_state(&d, c);
    if (code == EXIT_DONE) code = take_subject(&d, c);
    if (code != EXIT_DONE) return code;
    err e = quorum_count(&q, d.note, &d.p.d, d.sig, c->repeated_count, deciders(&d));
    if (!e.code) e = quorum_count(&q, d.own, &d.p.d, d.sig, c->repeated_count, &d.p.d.keys);
    if (!e.code) e = judge(&d.j, &d.p.d, d.sig, c->repeated_count, &d.s);
    return e.code ? say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory") : tell(&d, c);
}
