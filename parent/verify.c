#include "parent/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/hash.h"
#include "policy/statement.h"

void verify_result_drop(struct verify_result *r)
{
    json_decref(r->statement);
    r->statement = NULL;
}

void verify_time_text(char out[static 32], uint64_t seconds)
{
    struct tm at;
    time_t t = (time_t)seconds;
    if (seconds > 253402300799u || !gmtime_r(&t, &at) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &at) == 0)
        snprintf(out, 32, "%" PRIu64, seconds);
}

/* ---- lines ---- */

__attribute__((format(printf, 4, 5)))
static void line(struct verify_result *r, const char *name, enum verify_verdict verdict, const char *fmt, ...)
{
    MUST(r->count < VERIFY_CHECKS);
    struct verify_line *l = &r->line[r->count++];
    va_list ap;
    l->name = name;
    l->verdict = verdict;
    va_start(ap, fmt);
    vsnprintf(l->detail, sizeof l->detail, fmt, ap);
    va_end(ap);
    if (verdict == VERIFY_FAILED && !r->failed) r->failed = name;
}

/* ---- what the document's checks have found ---- */

/* One function per check says what it saw; `good` is its verdict. */
struct seen { const struct attest_doc *d; const struct verify_want *want; bool good; char *out; };
enum { HEX = 2 * ATTEST_PCR + 1 };
#define SAY(s, ...) snprintf((s)->out, VERIFY_DETAIL, __VA_ARGS__)

static void say_format(const struct seen *s)
{
    if (s->good) SAY(s, "module %.*s", (int)s->d->module_id.n, (const char *)s->d->module_id.p);
    else SAY(s, "not an attestation document");
}

static void say_algorithm(const struct seen *s)
{
    if (s->good) SAY(s, "ES384");
    else SAY(s, "not signed with ES384");
}

static void say_root(const struct seen *s)
{
    uint8_t digest[32];
    char pinned[65], found[65];
    sha256(digest, s->want->check.root.p, s->want->check.root.n);
    hex_from(pinned, digest, sizeof digest);
    sha256(digest, s->d->cabundle[0].p, s->d->cabundle[0].n);
    hex_from(found, digest, sizeof digest);
    const char *whose = s->want->root_given ? "the root given" : "AWS Nitro Enclaves Root G1";
    if (s->good) SAY(s, "%s, sha256 %s", whose, pinned);
    else SAY(s, "the document's root has sha256 %s, %s %s", found, whose, pinned);
}

static void say_certificates(const struct seen *s)
{
    if (s->good) SAY(s, "%zu, all P-384 with ECDSA-SHA384", s->d->cabundle_count + 1);
    else SAY(s, "a certificate is malformed or not of the kind that AWS issues");
}

static void say_chain(const struct seen *s)
{
    if (s->good) SAY(s, "leads to the root");
    else SAY(s, "the certificates do not lead to the root");
}

static void say_validity(const struct seen *s)
{
    char at[32];
    verify_time_text(at, (uint64_t)s->want->check.at);
    SAY(s, s->good ? "all certificates are valid at %s" : "a certificate is not valid at %s", at);
}

static void say_signature(const struct seen *s)
{
    if (s->good) SAY(s, "made with the document's certificate");
    else SAY(s, "not made with the document's certificate over these bytes");
}

static void say_debug(const struct seen *s)
{
    if (!s->good) SAY(s, "PCR0 is zero: an enclave in debug mode, whose memory and console its host can read");
    else if (attest_is_debug(s->d)) SAY(s, "DEBUG MODE, and allowed: its host can read everything in it");
    else SAY(s, "not in debug mode");
}

static void say_pcr(const struct seen *s)
{
    const struct attest_check *c = &s->want->check;
    char have[HEX], want[HEX];
    if (s->good) {
        int n = SAY(s, "as expected:");
        for (size_t i = 0; i < c->pcr_count && n > 0 && n < VERIFY_DETAIL; i++)
            n += snprintf(s->out + n, (size_t)(VERIFY_DETAIL - n), " PCR%u", c->pcrs[i].index);
        return;
    }
    for (size_t i = 0; i < c->pcr_count; i++) {
        const struct attest_pcr *p = &c->pcrs[i];
        const uint8_t *is = p->index < ATTEST_PCRS ? s->d->pcr[p->index] : NULL;
        if (is && memcmp(is, p->value, ATTEST_PCR) == 0) continue;
        hex_from(want, p->value, ATTEST_PCR);
        if (is) hex_from(have, is, ATTEST_PCR);
        SAY(s, "PCR%u is %s, expected %s", p->index, is ? have : "not in the document", want);
        return;
    }
}

static void say_nonce(const struct seen *s)
{
    if (s->good) SAY(s, "%zu bytes, as asked for", s->want->check.nonce.n);
    else SAY(s, s->d->nonce.p ? "the document has another nonce" : "the document has no nonce");
}

static void say_age(const struct seen *s)
{
    char made[32];
    const uint64_t then = s->d->timestamp_ms / 1000, at = (uint64_t)s->want->check.at;
    verify_time_text(made, then);
    SAY(s, "made %s, %" PRIu64 " s %s; at most %" PRIu64 " s are allowed", made, then > at ? then - at : at - then,
        then > at ? "ahead" : "ago", s->want->check.max_age);
}

/* Was the check asked for at all? */
static bool asked(const char *name, const struct attest_check *c, const char **why)
{
    *why = strcmp(name, "pcr") == 0 && c->pcr_count == 0 ? "none was asked for: this does not say which code runs (--pcr, --image)"
         : strcmp(name, "nonce") == 0 && !c->nonce.p ? "none was asked for: this may be an old document"
         : strcmp(name, "age") == 0 && c->max_age == 0 ? "any age was allowed" : NULL;
    return !*why;
}

static const struct { const char *name; void (*say)(const struct seen *); } says[] = {
    { "format", say_format }, { "algorithm", say_algorithm }, { "root", say_root }, { "certificates", say_certificates },
    { "chain", say_chain }, { "validity", say_validity }, { "signature", say_signature }, { "debug", say_debug },
    { "pcr", say_pcr }, { "nonce", say_nonce }, { "age", say_age },
};

static void describe(struct seen *s, const char *name)
{
    s->out[0] = 0;
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        if (strcmp(says[i].name, name) == 0) says[i].say(s);
}

static void judge_document(struct verify_result *r, const struct verify_want *want, const struct verify_evidence *e)
{
    const char *failed = NULL, *why;
    char detail[VERIFY_DETAIL];
    struct seen s = { &r->doc, want, true, detail };
    err verdict = attest_verify(&r->doc, &failed, e->doc.p, e->doc.n, &want->check);
    MUST(!verdict.code == !failed);
    for (const char *const *name = attest_checks(); *name; name++) {
        if (r->failed) {
            line(r, *name, VERIFY_SKIPPED, "not reached");
        } else if (failed && strcmp(*name, failed) == 0) {
            s.good = false;
            describe(&s, *name);
            line(r, *name, VERIFY_FAILED, "%s", detail);
        } else if (!asked(*name, &want->check, &why)) {
            line(r, *name, VERIFY_SKIPPED, "%s", why);
        } else {
            describe(&s, *name);
            line(r, *name, VERIFY_OK, "%s", detail);
        }
    }
    if (failed && !r->failed) r->failed = failed;        /* a check that this file does not know by name */
    r->debug = r->doc.module_id.p && attest_is_debug(&r->doc);
}

/* ---- the statement, once the document is genuine ---- */

static bool is_statement(const json_t *v)
{
    const char *type = json_string_value(json_object_get(v, "type"));
    return type && strcmp(type, "holdfast-statement") == 0 && json_integer_value(json_object_get(v, "version")) == 2
        && json_is_boolean(json_object_get(v, "simulated"));
}

static void judge_statement(struct verify_result *r, const struct verify_want *want, const struct verify_evidence *e)
{
    static const char name[] = "statement";
    const struct bytes text = e->statement, data = r->doc.user_data;
    if (!text.p && want->online) {
        line(r, name, VERIFY_FAILED, "the service gave none");
        return;
    }
    if (!text.p) {
        line(r, name, VERIFY_SKIPPED, "none was given (--statement)");
        return;
    }
    const err e1 = statement_check(data.p ? data.p : "", data.n, text.p, text.n);
    if (e1.code) {
        line(r, name, VERIFY_FAILED, e1.code == E_FORMAT ? "the document commits to no statement" : "the document commits to another statement");
        return;
    }
    json_t *v = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    if (!is_statement(v)) {
        json_decref(v);
        line(r, name, VERIFY_FAILED, "the document commits to this text, but it is no statement of version 2");
        return;
    }
    r->statement = v;
    r->simulated = json_is_true(json_object_get(v, "simulated"));
    line(r, name, VERIFY_OK, r->simulated ? "the document commits to it; it says SIMULATED" : "the document commits to it");
}

/* PCR16, locked, ties the boot to the service: even code of the same measurement that is taken
 * over later cannot get a document for another service. */
static void judge_service(struct verify_result *r)
{
    static const char name[] = "service";
    uint8_t id[32], want[SERVICE_PCR_LEN];
    const json_t *v = json_object_get(r->statement, "service_id");
    const char *hex = json_string_value(v);
    const uint8_t *pcr = r->doc.pcr[SERVICE_PCR];
    if (!r->statement) {
        line(r, name, VERIFY_SKIPPED, "no statement says which");
    } else if (json_is_null(v)) {
        line(r, name, VERIFY_SKIPPED, "not set up yet");
    } else if (!hex || strlen(hex) != 64 || hex_to(id, sizeof id, hex, 64).code) {
        line(r, name, VERIFY_FAILED, "the statement's service_id is malformed");
    } else {
        statement_service_pcr(want, id);
        const bool good = pcr && memcmp(pcr, want, sizeof want) == 0;
        if (good) line(r, name, VERIFY_OK, "%s, in PCR%d", hex, SERVICE_PCR);
        else line(r, name, VERIFY_FAILED, "PCR%d is not that of service %s", SERVICE_PCR, hex);
    }
}

static void judge_key(struct verify_result *r, const struct verify_want *want, const struct verify_evidence *e)
{
    static const char name[] = "public-key";
    const char *stated = json_string_value(json_object_get(r->statement, "public_key")), *served = e->served_key;
    if (!want->online) line(r, name, VERIFY_SKIPPED, "offline: nothing is served");
    else if (!stated && !served) line(r, name, VERIFY_SKIPPED, "there is none yet");
    else if (!stated || !served || strcmp(stated, served) != 0)
        line(r, name, VERIFY_FAILED, "served is %.70s, the statement has %.70s", served ? served : "none", stated ? stated : "none");
    else line(r, name, VERIFY_OK, "%s, as served", stated);
}

void verify_run(struct verify_result *out, const struct verify_want *want, const struct verify_evidence *e)
{
    static const char *const after[] = { "statement", "service", "public-key" };
    memset(out, 0, sizeof *out);
    if (want->image) {
        if (want->image_bad) line(out, "image", VERIFY_FAILED, "the image file could not be measured");
        else line(out, "image", VERIFY_OK, "measured, and its CRC is right");
    }
    judge_document(out, want, e);
    for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
        if (out->failed) line(out, after[i], VERIFY_SKIPPED, "not reached");
        else if (i == 0) judge_statement(out, want, e);
        else if (i == 1) judge_service(out);
        else judge_key(out, want, e);
    }
}
