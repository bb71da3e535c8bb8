/* cmd_verify.c - `holdfast verify`: is this the service, and the code, that it is said to be? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "keystore/pem.h"
#include "parent/ask.h"
#include "parent/file.h"
#include "parent/measure.h"
#include "keystore/nitro_root.h"
#include "parent/say.h"
#include "parent/verify.h"

enum {
    FILE_CAP = 64 << 10, NONCE_MAX = 512, NONCE_OWN = 32, MAX_AGE_ONLINE = 300, ASK_S = 60,
    PCRS_MAX = REPEATED_MAX + MEASURED_PCRS
};

/* All that the checks borrow from. */
struct job {
    struct verify_want want;
    struct verify_evidence evidence;
    struct attest_pcr pcrs[PCRS_MAX];
    uint8_t nonce[NONCE_MAX], root[ATTEST_CERT_MAX];
    uint8_t *doc, *statement;
    char *served;
    json_t *answer;
};

static void job_drop(struct job *j)
{
    mem_free_bytes(&j->doc);
    mem_free_bytes(&j->statement);
    mem_free_text(&j->served);
    json_drop(&j->answer);
}

/* ---- what is wanted ---- */

static enum exits take_root(struct job *j, const struct call *c)
{
    const char *path = call_value(c, "root");
    BYTES text = NULL;
    size_t n = 0, der_len = 0;
    j->want.root_given = path != NULL;
    j->want.check.root = (struct bytes){ nitro_root_g1, sizeof nitro_root_g1 };
    if (!path) return EXIT_DONE;
    if (file_read(&text, &n, path, FILE_CAP).code) return say_failure(c, EXIT_USAGE, NULL, NULL, "verify: --root %s cannot be read", path);
    if (pem_certificate(j->root, sizeof j->root, &der_len, text, n).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "verify: --root %s is not a certificate in PEM", path);
    j->want.check.root = (struct bytes){ j->root, der_len };
    return EXIT_DONE;
}

static enum exits take_pcr(struct job *j, const struct call *c, const char *text)
{
    struct attest_pcr *p = &j->pcrs[j->want.check.pcr_count];
    char *end = NULL;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno || text[0] < '0' || text[0] > '9' || *end != '=' || n >= ATTEST_PCRS
        || strlen(end + 1) != 2 * ATTEST_PCR || hex_to(p->value, ATTEST_PCR, end + 1, 2 * ATTEST_PCR).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "verify: --pcr takes N=HEX, N from 0 to 31 and 96 hex digits, not `%.120s`", text);
    p->index = (unsigned)n;
    j->want.check.pcr_count++;
    return EXIT_DONE;
}

static void want_pcr(struct job *j, unsigned index, const uint8_t value[static EIF_PCR])
{
    struct attest_pcr *p = &j->pcrs[j->want.check.pcr_count++];
    p->index = index;
    memcpy(p->value, value, ATTEST_PCR);
}

static enum exits take_image(struct job *j, const struct call *c)
{
    const char *path = call_value(c, "image");
    struct measured m;
    if (!path) return EXIT_DONE;
    j->want.image = true;
    const enum measure_end how = measure_image(&m, path);
    if (how == MEASURE_NO_FILE) return say_failure(c, EXIT_USAGE, NULL, NULL, "verify: --image %s cannot be read", path);
    j->want.image_bad = how != MEASURE_DONE;
    if (j->want.image_bad) return EXIT_DONE;
    want_pcr(j, 0, m.pcrs.pcr0);
    want_pcr(j, 1, m.pcrs.pcr1);
    want_pcr(j, 2, m.pcrs.pcr2);
    if (m.pcrs.has_pcr8) want_pcr(j, 8, m.pcrs.pcr8);
    return EXIT_DONE;
}

static enum exits take_nonce(struct job *j, const struct call *c)
{
    size_t n = NONCE_OWN;
    if (j->want.online) {
        if (random_bytes(j->nonce, n).code) return say_failure(c, EXIT_REFUSED, NULL, NULL, "verify: no random bytes for a nonce");
    } else {
        const char *hex = call_value(c, "nonce");
        if (!hex) return EXIT_DONE;
        n = strlen(hex) / 2;
        if (n == 0 || n > NONCE_MAX || hex_to(j->nonce, n, hex, strlen(hex)).code)
            return say_failure(c, EXIT_USAGE, NULL, NULL, "verify: --nonce takes 1 to %d bytes in hex", NONCE_MAX);
    }
    j->want.check.nonce = (struct bytes){ j->nonce, n };
    return EXIT_DONE;
}

/* What asking commands have as well. */
static enum exits take_common(struct job *j, const struct call *c)
{
    j->want.check.pcrs = j->pcrs;
    enum exits code = take_root(j, c);
    for (size_t i = 0; code == EXIT_DONE && i < c->repeated_count; i++) code = take_pcr(j, c, c->repeated[i]);
    if (code == EXIT_DONE) code = take_nonce(j, c);
    return code == EXIT_DONE ? take_image(j, c) : code;
}

static enum exits take_options(struct job *j, const struct call *c)
{
    static const char *const offline_only[] = { "at", "nonce", "statement" };
    const char *url = call_value(c, "url"), *document = call_value(c, "document");
    unsigned long long at, age;
    if (!url == !document)
        return say_failure(c, EXIT_USAGE, NULL, "`holdfast verify --help` explains both.", "verify: give either --url ADDRESS or --document FILE");
    j->want.online = url != NULL;
    for (size_t i = 0; url && i < sizeof offline_only / sizeof *offline_only; i++)
        if (call_value(c, offline_only[i]))
            return say_failure(c, EXIT_USAGE, NULL, "Online, all of these come from the moment.", "verify: --%s goes with --document only", offline_only[i]);
    if (!call_number(&at, c, "at", (unsigned long long)time(NULL), 0, 253402300799ull)) return EXIT_USAGE;
    if (!call_number(&age, c, "max-age", url ? MAX_AGE_ONLINE : 0, 0, 253402300799ull)) return EXIT_USAGE;
    j->want.check.at = (int64_t)at;
    j->want.check.max_age = age;
    j->want.check.allow_debug = call_value(c, "allow-debug") != NULL;
    return take_common(j, c);
}

/* ---- the evidence ---- */

/* The answer of GET /attestation, fetched now or kept in a file. Anything missing is left
 * empty: then the check of that name fails. */
static void take_answer(struct job *j)
{
    const char *document = json_string_value(json_object_get(j->answer, "document"));
    const json_t *text = json_object_get(j->answer, "statement");
    const size_t cap = document ? strlen(document) / 4 * 3 + 3 : 1;
    size_t n = 0;
    if (!mem_new(&j->doc, cap).code && document && !base64_to(j->doc, cap, &n, document, strlen(document)).code)
        j->evidence.doc = (struct bytes){ j->doc, n };
    if (json_is_string(text)) j->evidence.statement = (struct bytes){ json_string_value(text), json_string_length(text) };
}

/* Where the failed check stands. */
static size_t failed_line(const struct verify_result *r)
{
    size_t i = 0;
    while (i + 1 < r->count && r->line[i].verdict != VERIFY_FAILED) i++;
    return i;
}

static enum exits served_key(struct job *j, const struct call *c)
{
    HTTP_ANSWER a = { 0 };
    err e = http_call(&a, &(struct http_request){ .url = call_url(c), .path = "/public-key", .timeout_s = ASK_S });
    if (e.code) return call_unreached(c, e, &a);
    if (a.status != 200) return EXIT_DONE;         /* none before setup; the statement has to agree */
    JSON body = json_loadb((const char *)a.body, a.len, JSON_REJECT_DUPLICATES, NULL);
    const char *key = json_string_value(json_object_get(body, "public_key"));
    j->served = strdup(key ? key : "?");
    j->evidence.served_key = j->served;
    return j->served ? EXIT_DONE : say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
}

static enum exits fetch(struct job *j, const struct call *c)
{
    char path[64 + 2 * NONCE_OWN + 1] = "/attestation?format=json&nonce=";
    hex_from(path + strlen(path), j->nonce, NONCE_OWN);
    enum exits code = call_ask(c, &j->answer, &(struct http_request){ .url = call_url(c), .path = path, .timeout_s = ASK_S });
    if (code != EXIT_DONE) return code;
    take_answer(j);
    return served_key(j, c);
}

static enum exits load(struct job *j, const struct call *c)
{
    const char *path = call_value(c, "document"), *statement = call_value(c, "statement");
    size_t n = 0;
    if (file_read(&j->doc, &n, path, FILE_CAP).code) return say_failure(c, EXIT_USAGE, NULL, NULL, "verify: --document %s cannot be read", path);
    if (n && j->doc[0] == '{') {                   /* no document begins so: this is an answer that was kept */
        j->answer = json_loadb((const char *)j->doc, n, JSON_REJECT_DUPLICATES, NULL);
        mem_free_bytes(&j->doc);
        take_answer(j);
    } else {
        j->evidence.doc = (struct bytes){ j->doc, n };
    }
    if (!statement) return EXIT_DONE;
    if (file_read(&j->statement, &n, statement, FILE_CAP).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "verify: --statement %s cannot be read", statement);
    j->evidence.statement = (struct bytes){ j->statement, n };
    return EXIT_DONE;
}

/* ---- the verdict ---- */

static json_t *hex_json(struct bytes b)
{
    TEXT hex = b.p ? malloc(2 * b.n + 1) : NULL;
    if (!hex) return json_null();
    hex_from(hex, b.p, b.n);
    return json_string(hex);
}

static json_t *document_json(const struct verify_result *r)
{
    const struct attest_doc *d = &r->doc;
    if (!d->module_id.p) return json_null();
    JSON pcrs = json_object();
    for (unsigned i = 0; i < ATTEST_PCRS; i++) {
        char name[8];
        snprintf(name, sizeof name, "%u", i);
        if (d->pcr[i]) json_object_set_new(pcrs, name, hex_json((struct bytes){ d->pcr[i], ATTEST_PCR }));
    }
    return json_pack("{s:s%, s:I, s:b, s:O, s:o, s:o, s:o}", "module_id", (const char *)d->module_id.p, d->module_id.n,
                     "timestamp_ms", (json_int_t)d->timestamp_ms, "debug", (int)r->debug, "pcrs", pcrs,
                     "public_key", hex_json(d->public_key), "user_data", hex_json(d->user_data), "nonce", hex_json(d->nonce));
}

static const char *verdict_text(enum verify_verdict v)
{
    return v == VERIFY_OK ? "ok" : v == VERIFY_FAILED ? "FAILED" : "skipped";
}

static enum exits tell_json(const struct verify_result *r, const struct verify_want *want, enum exits code)
{
    JSON checks = json_array();
    const char *why = "";
    for (size_t i = 0; i < r->count; i++) {
        const struct verify_line *l = &r->line[i];
        if (l->verdict == VERIFY_FAILED) why = l->detail;
        json_array_append_new(checks, json_pack("{s:s, s:s, s:s}", "name", l->name, "verdict",
                                                l->verdict == VERIFY_FAILED ? "failed" : verdict_text(l->verdict), "detail", l->detail));
    }
    JSON out = json_pack("{s:b, s:s?, s:O, s:o, s:O?, s:b, s:b}", "accepted", (int)!r->failed, "failed", r->failed, "checks", checks,
                         "document", document_json(r), "statement", r->statement, "simulated", (int)r->simulated,
                         "root_given", (int)want->root_given);
    if (out && r->failed) {
        json_object_set_new(out, "error", json_sprintf("refused: %s: %s", r->failed, why));
        json_object_set_new(out, "exit", json_integer((int)code));
    }
    return say_json(&out) == EXIT_DONE ? code : EXIT_REFUSED;
}

static void tell_document(const struct verify_result *r)
{
    char made[32], hex[2 * ATTEST_PCR + 1];
    verify_time_text(made, r->doc.timestamp_ms / 1000);
    if (r->failed) puts("\nWhat follows is the word of a document that was refused:");
    printf("\nmade        %s\n", made);
    for (unsigned i = 0; i < ATTEST_PCRS; i++) {
        static const uint8_t zero[ATTEST_PCR] = { 0 };
        if (!r->doc.pcr[i] || memcmp(r->doc.pcr[i], zero, ATTEST_PCR) == 0) continue;
        hex_from(hex, r->doc.pcr[i], ATTEST_PCR);
        printf("PCR%-2u       %s\n", i, hex);
    }
    if (r->statement) puts("statement");
    if (r->statement) say_members(r->statement);
}

static void tell_people(const struct verify_result *r)
{
    printf("%-13s %-8s %s\n", "CHECK", "VERDICT", "DETAIL");
    for (size_t i = 0; i < r->count; i++) {
        const struct verify_line *l = &r->line[i];
        printf("%-13s %-8s ", l->name, verdict_text(l->verdict));
        say_text(l->detail, strlen(l->detail));
        putchar('\n');
    }
    if (r->doc.module_id.p) tell_document(r);
    if (r->failed) printf("\nREFUSED: %s\n", r->failed);
    else puts("\nACCEPTED");
}

/* What must not be overlooked, also where the table goes to a file. */
static void warn_people(const struct verify_result *r, const struct verify_want *want)
{
    if (r->failed) fprintf(stderr, "holdfast: refused: %s\n", r->failed);
    if (r->simulated) fputs("SIMULATED: the service says that its security module is a stand-in. This protects nothing.\n", stderr);
    if (want->root_given) fputs("ROOT: judged by the root given with --root, not by AWS's.\n", stderr);
    if (!r->failed && r->debug) fputs("DEBUG: an enclave in debug mode was allowed. Its host can read everything in it.\n", stderr);
    if (!r->failed && want->check.pcr_count == 0)
        fputs("CODE: no PCR was expected, so that any code in a genuine enclave passes. Use --image or --pcr.\n", stderr);
}

static enum exits run_verify(const struct call *c)
{
    __attribute__((cleanup(job_drop))) struct job j = { .doc = NULL };
    VERIFY_RESULT r = { .count = 0 };
    enum exits code = take_options(&j, c);
    if (code == EXIT_DONE) code = j.want.online ? fetch(&j, c) : load(&j, c);
    if (code != EXIT_DONE) return code;
    verify_run(&r, &j.want, &j.evidence);
    code = r.failed ? EXIT_REFUSED : EXIT_DONE;
    warn_people(&r, &j.want);
    if (c->json) return tell_json(&r, &j.want, code);
    tell_people(&r);
    return fflush(stdout) == 0 ? code : EXIT_REFUSED;
}

enum exits call_attested_key(uint8_t key[static CHANNEL_KEY], const struct call *c)
{
    __attribute__((cleanup(job_drop))) struct job j = { .doc = NULL };
    VERIFY_RESULT r = { .count = 0 };
    j.want.online = true;
    j.want.check.at = (int64_t)time(NULL);
    j.want.check.max_age = MAX_AGE_ONLINE;
    enum exits code = take_common(&j, c);
    if (code == EXIT_DONE) code = fetch(&j, c);
    if (code != EXIT_DONE) return code;
    verify_run(&r, &j.want, &j.evidence);
    warn_people(&r, &j.want);
    if (r.failed)
        return say_failure(c, EXIT_REFUSED, NULL, "`holdfast verify --url ADDRESS` shows every check.", "the service's attestation is refused: %s: %s", r.failed, r.line[failed_line(&r)].detail);
    if (r.doc.public_key.n != CHANNEL_KEY)
        return say_failure(c, EXIT_REFUSED, NULL, "Another version of the service? --plain does without.", "the service's attestation carries no channel key");
    memcpy(key, r.doc.public_key.p, CHANNEL_KEY);
    return EXIT_DONE;
}

static const struct option_row options[] = {
    { "url", "ADDRESS", "ask the running service there: http://HOST:PORT or unix:PATH" },
    { "document", "FILE", "or judge a kept document, or a kept answer of GET /attestation" },
    { "pcr", "N=HEX...", "expect this PCR; may be given again" },
    { "image", "FILE", "expect the PCRs of this enclave image file" },
    { "root", "FILE", "another root than AWS Nitro Enclaves G1, in PEM" },
    { "allow-debug", NULL, "accept an enclave in debug mode" },
    { "max-age", "SECONDS", "between making and judging (default 300 with --url, else any)" },
    { "at", "SECONDS", "with --document: judge at this unix time (default now)" },
    { "nonce", "HEX", "with --document: the nonce that it must carry" },
    { "statement", "FILE", "with --document: the state statement that it must commit to" },
    { NULL, NULL, NULL },
};

const struct command verify_command = {
    .name = "verify", .summary = "Verify a service's attestation, trusting a root and the code's measurements.", .options = options, .run = run_verify,
    .details = "Exit code 0: accepted. 1: refused; the failing check is named. With --url a fresh nonce is\n"
               "sent, and the key that is served must be the attested one." };
