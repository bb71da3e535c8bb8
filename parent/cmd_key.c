/* cmd_key.c - `holdfast key`: make a KMS key that nobody can open up later, and judge one that exists. Offline. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/mem.h"
#include "keystore/attest.h"
#include "keystore/key_evidence.h"
#include "keystore/pem.h"
#include "parent/file.h"
#include "keystore/nitro_root.h"
#include "parent/say.h"

enum { ACCOUNTS_MAX = 16, POLICY_ROOM = 8192, EVIDENCE_CAP = 2 << 20, ROOT_CAP = 64 << 10 };

static enum exits take_builds(struct key_builds *b, const struct call *c)
{
    for (size_t i = 0; i < c->repeated_count; i++) {
        const char *hex = c->repeated[i];
        if (b->count == KEY_PCR0_MAX) return say_failure(c, EXIT_USAGE, NULL, NULL, "key: --pcr0 at most %d times", KEY_PCR0_MAX);
        if (strlen(hex) != 2 * KEY_PCR || hex_to(b->pcr0[b->count++], KEY_PCR, hex, 2 * KEY_PCR).code)
            return say_failure(c, EXIT_USAGE, NULL, "`holdfast pcr IMAGE` computes it.", "key: --pcr0 takes 96 hex digits, not `%.120s`", hex);
    }
    return EXIT_DONE;
}

/* ---- key policy, key create ------------------------------------------------ */

struct wish { struct key_builds builds; char accounts[ACCOUNTS_MAX * 13]; const char *account[ACCOUNTS_MAX]; size_t account_count; };

static enum exits take_accounts(struct wish *w, const struct call *c)
{
    const char *list = call_value(c, "account");
    if (!list) return EXIT_DONE;
    if (strlen(list) >= sizeof w->accounts) return say_failure(c, EXIT_USAGE, NULL, NULL, "key: --account takes at most %d accounts", ACCOUNTS_MAX);
    memcpy(w->accounts, list, strlen(list) + 1);
    char *rest = w->accounts;
    for (char *one; (one = strsep(&rest, ","));) {
        if (strlen(one) != 12 || strspn(one, "0123456789") != 12 || w->account_count == ACCOUNTS_MAX)
            return say_failure(c, EXIT_USAGE, NULL, NULL, "key: --account takes ids of twelve digits, with commas between, not `%.60s`", one);
        w->account[w->account_count++] = one;
    }
    return EXIT_DONE;
}

static enum exits make_policy(json_t **out, const struct call *c)
{
    static const uint8_t zero[KEY_PCR];
    struct wish w = { .account_count = 0 };
    char text[POLICY_ROOM];
    size_t n = 0;
    enum exits code = take_builds(&w.builds, c);
    if (code == EXIT_DONE) code = take_accounts(&w, c);
    if (code != EXIT_DONE) return code;
    if (!w.builds.count) return say_failure(c, EXIT_USAGE, NULL, "`holdfast pcr IMAGE` computes it.", "key: --pcr0 HEX is needed: the build that may use the key");
    for (size_t i = 0; i < w.builds.count; i++)
        if (memcmp(w.builds.pcr0[i], zero, KEY_PCR) == 0)
            return say_failure(c, EXIT_REFUSED, NULL, NULL, "key: a PCR0 of zeros is every enclave in debug mode, whose memory its starter can read");
    if (key_policy_write(text, sizeof text, &n, &w.builds, w.account, w.account_count).code)
        return say_failure(c, EXIT_REFUSED, NULL, NULL, "key: the policy could not be written");
    *out = json_loadb(text, n, 0, NULL);
    return *out ? EXIT_DONE : say_failure(c, EXIT_REFUSED, NULL, NULL, "key: no memory for a policy");
}

static enum exits run_policy(const struct call *c)
{
    JSON policy = NULL;
    enum exits code = make_policy(&policy, c);
    if (code != EXIT_DONE || c->json) return code == EXIT_DONE ? say_json(&policy) : code;
    TEXT text = json_dumps(policy, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    if (!text || puts(text) < 0) return EXIT_REFUSED;
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static const char create_words[] =
    "# A KMS key that is born locked. Read this before running it: nobody, not the account's\n"
    "# root user either, can change or delete this key afterwards, or let another build use it. What\n"
    "# is derived from it is lost if no enclave image with these measurements can be started any more.\n"
    "# Only AWS itself could intervene (its support restores access to keys that locked all out).\n"
    "\n"
    "cat > key-policy.json <<'POLICY'\n%s\nPOLICY\n"
    "\n"
    "KEY=$(aws kms create-key --region %s --key-spec ECC_NIST_P256 --key-usage KEY_AGREEMENT --origin AWS_KMS \\\n"
    "  --no-multi-region --policy file://key-policy.json --bypass-policy-lockout-safety-check \\\n"
    "  --query KeyMetadata.Arn --output text)\n"
    "\n"
    "%s\n"
    "holdfast key check --evidence key-evidence.json%s\n"
    "\n"
    "# Take a block that is mined after this moment for `holdfast setup --blockhash`: nobody can have\n"
    "# asked KMS for the secret that belongs to it before the key was locked.\n"
    "echo \"$KEY\"\n";

static const char collect_words[] =
    "ask() { aws kms \"$@\" --region %s --key-id \"$KEY\" --output json; }\n"
    "jq -n --arg key \"$KEY\" --argjson describe_key \"$(ask describe-key)\" --argjson get_public_key \"$(ask get-public-key)\" \\\n"
    "  --argjson list_grants \"$(ask list-grants)\" --argjson get_key_policy \"$(ask get-key-policy --policy-name default)\" \\\n"
    "  '{key: $key, documents: {describe_key: $describe_key, get_public_key: $get_public_key,\n"
    "    list_grants: $list_grants, get_key_policy: $get_key_policy}}' > key-evidence.json";

/* Into a shell's words, so nothing but what a region's name is made of. */
static bool is_region(const char *s)
{
    return *s && strlen(s) < 32 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s);
}

static enum exits run_create(const struct call *c)
{
    JSON policy = NULL;
    const char *region = call_value(c, "region") ? call_value(c, "region") : "us-east-1";
    char collect[2048], builds[KEY_PCR0_MAX * (2 * KEY_PCR + 9) + 1] = "";
    if (!is_region(region)) return say_failure(c, EXIT_USAGE, NULL, NULL, "key: --region takes the name of an AWS region, as eu-central-1");
    enum exits code = make_policy(&policy, c);
    if (code != EXIT_DONE) return code;
    TEXT text = json_dumps(policy, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    if (!text) return EXIT_REFUSED;
    snprintf(collect, sizeof collect, collect_words, region);
    for (size_t i = 0, n = 0; i < c->repeated_count; i++) n += (size_t)snprintf(builds + n, sizeof builds - n, " --pcr0 %s", c->repeated[i]);
    if (!c->json) {
        printf(create_words, text, region, collect, builds);
        return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
    }
    TEXT script = NULL;
    if (asprintf(&script, create_words, text, region, collect, builds) < 0) return EXIT_REFUSED;
    JSON out = json_pack("{s:O, s:s}", "policy", policy, "script", script);
    return say_json(&out);
}

/* ---- key check ------------------------------------------------------------- */

/* What the enclave signed: only `GET /key-evidence` has it. */
struct signature { bool present, good; char detail[160]; };

static enum exits take_root(uint8_t root[static ATTEST_CERT_MAX], size_t *n, const struct call *c)
{
    const char *path = call_value(c, "root");
    BYTES text = NULL;
    size_t len = 0;
    *n = sizeof nitro_root_g1;
    memcpy(root, nitro_root_g1, sizeof nitro_root_g1);
    if (!path) return EXIT_DONE;
    if (file_read(&text, &len, path, ROOT_CAP).code || pem_certificate(root, ATTEST_CERT_MAX, n, text, len).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "key: --root %s is not a certificate in PEM", path);
    return EXIT_DONE;
}

static bool expected_build(const struct attest_doc *d, const struct key_builds *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (d->pcr[0] && memcmp(d->pcr[0], b->pcr0[i], KEY_PCR) == 0) return true;
    return false;
}

static void judge_signature(struct signature *s, const struct key_file *f, const struct key_builds *b, struct bytes root, int64_t at)
{
    const struct attest_check want = { .root = root, .at = at };
    struct attest_doc d;
    const char *failed = NULL;
    uint8_t user_data[KEY_EVIDENCE_USER_DATA];
    size_t n = 0;
    BYTES doc = NULL;
    s->present = true;
    if (mem_new(&doc, ATTEST_MAX).code || base64_to(doc, ATTEST_MAX, &n, f->document, strlen(f->document)).code) {
        snprintf(s->detail, sizeof s->detail, "the attestation document is not base64");
        return;
    }
    err e = attest_verify(&d, &failed, doc, n, &want);
    key_evidence_user_data(user_data, f->signed_text, strlen(f->signed_text));
    if (e.code) snprintf(s->detail, sizeof s->detail, "the attestation document is refused: %s", failed ? failed : err_text(e.code));
    else if (!expected_build(&d, b)) snprintf(s->detail, sizeof s->detail, "PCR0 of the document is no expected build's");
    else if (d.user_data.n != sizeof user_data || memcmp(d.user_data.p, user_data, sizeof user_data) != 0)
        snprintf(s->detail, sizeof s->detail, "the document vouches for other evidence than this");
    else {
        s->good = true;
        snprintf(s->detail, sizeof s->detail, "an expected build saw this, at %" PRIu64 " (unix seconds)", d.timestamp_ms / 1000);
    }
}

static json_t *findings_json(const struct key_report *r)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < r->count; i++) {
        const struct key_finding_row *row = key_finding_row(r->found[i].finding);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "id", row->id, "severity", key_severity_text(row->severity),
                                              "where", r->found[i].where, "explanation", row->explanation));
    }
    return list;
}

static void tell(const struct key_report *r, const struct signature *s, const struct key_evidence *e, bool refused)
{
    printf("%s\n\n", e->arn);
    if (s->present) printf("%-12s %s\n\n", s->good ? "attested" : "NOT ATTESTED", s->detail);
    else puts("This file is not attested: it is worth what its author's word is worth.\n");
    for (unsigned i = 0; i < r->count; i++) {
        const struct key_finding_row *row = key_finding_row(r->found[i].finding);
        printf("%-14s %s\n  %s\n  %s\n", key_severity_text(row->severity), row->id, r->found[i].where, row->explanation);
    }
    if (r->count == KEY_FOUND_MAX) puts("(more findings than are shown)");
    printf("%s%s\n", r->count ? "\n" : "", refused ? "REFUSED: custody is not what it should be."
         : "accepted: no AWS principal can use this key but the expected builds, or change that.");
}

static enum exits take_file(struct key_file *f, const struct call *c)
{
    const char *path = call_value(c, "evidence");
    BYTES text = NULL;
    size_t n = 0;
    if (!path) return say_failure(c, EXIT_USAGE, NULL, "`holdfast key create` prints how it is collected; GET /key-evidence has a service's own.", "key: --evidence FILE is needed");
    if (file_read(&text, &n, path, EVIDENCE_CAP).code) return say_failure(c, EXIT_USAGE, NULL, NULL, "key: --evidence %s cannot be read", path);
    if (key_file_read(f, (const char *)text, n).code) return say_failure(c, EXIT_USAGE, NULL, NULL, "key: %s is not evidence about a key", path);
    return EXIT_DONE;
}

static enum exits run_check(const struct call *c)
{
    KEY_FILE f = { .json = NULL };
    struct key_report report;
    struct signature s = { .present = false };
    struct key_builds builds = { .count = 0 };
    uint8_t root[ATTEST_CERT_MAX], spki[KEY_P256_SPKI];
    size_t root_len = 0;
    bool has_key = false;
    unsigned long long at = 0;
    enum exits code = take_builds(&builds, c);
    if (code == EXIT_DONE) code = take_root(root, &root_len, c);
    if (code == EXIT_DONE && !call_number(&at, c, "at", (unsigned long long)time(NULL), 0, INT64_MAX)) return EXIT_USAGE;
    if (code == EXIT_DONE) code = take_file(&f, c);
    if (code != EXIT_DONE) return code;
    /* By the builds that the user expects, not by those that the file says were. */
    f.evidence.builds = builds;
    key_evidence_judge(&report, spki, &has_key, &f.evidence);
    if (f.document) judge_signature(&s, &f, &builds, (struct bytes){ root, root_len }, (int64_t)at);
    const bool refused = key_findings_breaking(report.set) != 0 || (s.present && !s.good);
    if (c->json) {
        JSON out = json_pack("{s:s, s:b, s:o, s:o, s:I}", "key", f.evidence.arn, "accepted", !refused, "attested",
                             s.present ? json_pack("{s:b, s:s}", "good", s.good, "detail", s.detail) : json_null(), "findings", findings_json(&report),
                             "checked_at", (json_int_t)f.evidence.checked_at);
        code = say_json(&out);
    } else tell(&report, &s, &f.evidence, refused);
    return code != EXIT_DONE || refused || fflush(stdout) != 0 ? EXIT_REFUSED : EXIT_DONE;
}

/* ---- */

static const struct { const char *name; enum exits (*run)(const struct call *); const char *options[5]; } parts[] = {
    { "policy", run_policy, { "pcr0", "account" } },
    { "create", run_create, { "pcr0", "account", "region" } },
    { "check", run_check, { "pcr0", "evidence", "root", "at" } },
};

static enum exits run_key(const struct call *c)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp(parts[i].name, c->operands[0]) != 0) continue;
        for (const struct option_row *o = c->command->options; o->name; o++) {
            bool takes = strcmp(o->name, "pcr0") == 0;
            for (size_t k = 0; k < 5 && parts[i].options[k]; k++) takes |= strcmp(parts[i].options[k], o->name) == 0;
            if (!takes && call_value(c, o->name)) return say_failure(c, EXIT_USAGE, NULL, NULL, "key %s: takes no --%s", parts[i].name, o->name);
        }
        return parts[i].run(c);
    }
    return say_failure(c, EXIT_USAGE, NULL, NULL, "key: there is no `key %s`, only `key policy`, `key create` and `key check`", c->operands[0]);
}

static const struct option_row options[] = {
    { "pcr0", "HEX...", "a build that may use the key; may be given again (holdfast pcr IMAGE)" },
    { "account", "N[,N]", "policy, create: AWS accounts that may ask (default: any)" },
    { "region", "NAME", "create: where (default us-east-1)" },
    { "evidence", "FILE", "check: what KMS says about the key" },
    { "root", "FILE", "check: another root than AWS Nitro Enclaves G1, in PEM" },
    { "at", "SECONDS", "check: judge the attestation document at this unix time (default: now)" },
    { NULL, NULL, NULL },
};

const struct command key_command = {
    .name = "key", .operands = "policy|create|check", .operands_least = 1, .operands_most = 1, .options = options, .run = run_key,
    .summary = "Make a KMS key that stays locked, or judge the evidence about one. Offline.",
    .details = "key policy prints the policy of a key that is born locked: only the builds named can derive, everyone can\n"
               "look, nobody can change it. key create prints the AWS commands that make such a key and collect the evidence.\n"
               "key check judges evidence: a file collected so, or what GET /key-evidence answers, whose attestation it verifies\n"
               "too. Exit 0 when nothing breaks custody, 1 when something does, 2 when the file is no evidence.",
};
