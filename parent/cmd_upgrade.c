/* cmd_upgrade.c - `holdfast upgrade`: hand the release to the running build, wait for its delay, bring it the new build's
 * announcement, and have it grant. Each step is the service's; the same command again goes on where it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "parent/ask.h"
#include "parent/file.h"
#include "parent/say.h"
#include "parent/upgrade.h"
#include "parent/verify.h"

enum { ASK_S = 60, GRANT_S = 180, POLL_MOST_S = 30, LOST_S = 15, LOST_MOST = 40 };

static void upgrade_drop(struct upgrade *u)
{
    paper_drop(&u->release);
    mem_free_bytes(&u->document);
    json_drop(&u->checks);
    json_drop(&u->grant);
}

/* ---- the account ---- */

void upgrade_line(struct upgrade *u, const struct call *c, const char *name, const char *verdict, const char *detail)
{
    json_array_append_new(u->checks, json_pack("{s:s, s:s, s:s}", "name", name, "verdict", verdict, "detail", detail));
    if (c->json) return;
    printf("%-8s ", strcmp(verdict, "failed") == 0 ? "FAILED" : verdict);
    say_text(name, strlen(name));
    printf("%*s ", (int)(strlen(name) < 16 ? 16 - strlen(name) : 0), "");
    say_text(detail, strlen(detail));
    putchar('\n');
    fflush(stdout);
}

json_t *upgrade_json(const struct upgrade *u)
{
    return json_pack("{s:s, s:s, s:s?, s:I, s:O, s:O?}", "release", u->hash, "label", u->release.d.label, "state", u->state[0] ? u->state : NULL,
                     "ready_at", (json_int_t)u->ready_at, "checks", u->checks, "grant", u->grant);
}

/* The service's own account of what it looked at. */
static void take_account(struct upgrade *u, const struct call *c, const json_t *body)
{
    const json_t *account = json_object_get(body, "account");
    for (size_t i = 0; i < json_array_size(account); i++) {
        const json_t *one = json_array_get(account, i);
        const char *name = json_string_value(json_object_get(one, "name")), *verdict = json_string_value(json_object_get(one, "verdict")),
                   *detail = json_string_value(json_object_get(one, "detail"));
        if (name && verdict) upgrade_line(u, c, name, verdict, detail ? detail : "");
    }
}

/* ---- asking ---- */

/* A question in JSON (taken). Out: *body. A refusal brings the service's account with it. */
static enum exits post(struct upgrade *u, json_t **body, const struct call *c, const char *path, json_t **question, long seconds, const char *progress)
{
    TEXT text = *question ? json_dumps(*question, JSON_COMPACT) : NULL;
    HTTP_ANSWER a = { 0 };
    json_drop(question);
    if (!text) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    err e = http_call(&a, &(struct http_request){ .url = call_url(c), .path = path, .body = text, .body_len = strlen(text), .timeout_s = seconds, .progress = progress });
    JSON said = !e.code && a.json ? json_loadb((const char *)a.body, a.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    take_account(u, c, said);
    return call_take(c, body, e, &a);
}

/* ---- 1: the release ---- */

static enum exits submit(struct upgrade *u, const struct call *c)
{
    JSON body = NULL;
    JSON question = NULL;
    enum exits code = paper_question(&question, c, &u->release);
    if (code == EXIT_DONE) code = post(u, &body, c, "/documents", &question, ASK_S, "submitting the release");
    if (code != EXIT_DONE) return code;
    const char *hash = json_string_value(json_object_get(body, "hash"));
    if (!hash || strcmp(hash, u->hash) != 0) return say_failure(c, EXIT_SERVER, NULL, NULL, "%s answers about another document than the release", call_url(c));
    upgrade_line(u, c, "submitted", "ok", u->hash);
    return EXIT_DONE;
}

/* ---- 2: its delay ---- */

static uint64_t number(const json_t *object, const char *name)
{
    const json_int_t v = json_integer_value(json_object_get(object, name));
    return v > 0 ? (uint64_t)v : 0;
}

static bool find_release(struct upgrade *u, const json_t *body)
{
    const json_t *list = json_object_get(body, "releases");
    u->now = number(body, "now");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *hash = json_string_value(json_object_get(one, "hash")), *state = json_string_value(json_object_get(one, "state"));
        if (!hash || !state || strcmp(hash, u->hash) != 0) continue;
        u->ready_at = number(one, "ready_at");
        snprintf(u->state, sizeof u->state, "%s", state);
        return true;
    }
    return false;
}

/* Where the release stands. `patient`: that the service cannot be reached is not said. */
static enum exits look(struct upgrade *u, const struct call *c, bool patient)
{
    JSON body = NULL;
    HTTP_ANSWER a = { 0 };
    err e = http_call(&a, &(struct http_request){ .url = call_url(c), .path = "/releases", .timeout_s = ASK_S });
    if (patient && (e.code == E_CLOSED || e.code == E_TIMEOUT || a.status == 503)) return EXIT_REACH;
    enum exits code = call_take(c, &body, e, &a);
    if (code != EXIT_DONE || find_release(u, body)) return code;
    return say_failure(c, EXIT_REFUSED, NULL, "Give its signatures (--sig), to submit it.", "the service does not know the release %s", u->hash);
}

static bool state_is(const struct upgrade *u, const char *word) { return strcmp(u->state, word) == 0; }

static void say_pending(const struct upgrade *u)
{
    char when[32];
    verify_time_text(when, u->ready_at);
    fprintf(stderr, "holdfast: the release is pending until %s; until then a veto can stop it\n", when);
}

/* A service may be restarted while a delay of days passes: that ends no waiting. */
static enum exits await_release(struct upgrade *u, const struct call *c)
{
    const bool wait = call_value(c, "wait") != NULL;
    for (unsigned lost = 0, told = 0; ; ) {
        const bool patient = wait && lost < LOST_MOST;
        enum exits code = look(u, c, patient);
        if (code == EXIT_REACH && patient) {
            lost++;
            sleep(LOST_S);
            continue;
        }
        if (code != EXIT_DONE || !state_is(u, "pending")) return code;
        lost = 0;
        if (!told++) say_pending(u);
        if (!wait) return EXIT_DONE;
        const uint64_t left = u->ready_at > u->now ? u->ready_at - u->now : 1;
        sleep(left < POLL_MOST_S ? (unsigned)left : POLL_MOST_S);
    }
}

/* ---- 3: the grant ---- */

static enum exits grant(struct upgrade *u, const struct call *c)
{
    JSON question = json_pack("{s:s, s:o}", "release", u->hash, "announcement", paper_base64(u->document, u->n));
    enum exits code = post(u, &u->grant, c, "/upgrade/grant", &question, GRANT_S, "waiting for the grant");
    if (code != EXIT_DONE) return code;
    const char *granted = json_string_value(json_object_get(u->grant, "granted"));
    if (!granted || strcmp(granted, u->hash) != 0) return say_failure(c, EXIT_SERVER, NULL, NULL, "%s answers about another grant", call_url(c));
    snprintf(u->state, sizeof u->state, "granted");
    upgrade_line(u, c, "granted", "ok", "the new build has the service's keys, once it has taken the grant");
    return EXIT_DONE;
}

/* ---- the whole ---- */

static enum exits tell(struct upgrade *u, const struct call *c, const char *words)
{
    JSON out = upgrade_json(u);
    if (c->json) return say_json(&out);
    printf("\n%s: %s\n", u->state, words);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exits go_on(struct upgrade *u, const struct call *c)
{
    char words[160], when[32];
    JSON detail = NULL;
    if (state_is(u, "vetoed")) {
        detail = upgrade_json(u);
        return say_failure(c, EXIT_REFUSED, &detail, "A veto is for good: make another release.", "the release %s has been vetoed", u->hash);
    }
    verify_time_text(when, u->ready_at);
    snprintf(words, sizeof words, "until %s. Then the same command goes on; --wait waits for it.", when);
    if (state_is(u, "pending")) return tell(u, c, words);
    upgrade_line(u, c, "delay", "ok", "it has passed, without a veto");
    if (!call_value(c, "new-url") && !call_value(c, "announcement")) return tell(u, c, "start the new build, and give its address (--new-url).");
    enum exits code = upgrade_announcement(u, c);
    if (code == EXIT_DONE) code = grant(u, c);
    return code == EXIT_DONE ? tell(u, c, "the new build takes over. Stop the old one when `holdfast status` of the new one says that it serves.") : code;
}

static enum exits run_upgrade(const struct call *c)
{
    __attribute__((cleanup(upgrade_drop))) struct upgrade u = { .checks = json_array() };
    const char *file = call_value(c, "release");
    if (!file) return say_failure(c, EXIT_USAGE, NULL, NULL, "upgrade: --release FILE is needed");
    if (call_value(c, "new-url") && call_value(c, "announcement"))
        return say_failure(c, EXIT_USAGE, NULL, NULL, "upgrade: --new-url and --announcement are two ways to the same: give one");
    enum exits code = paper_load(&u.release, c, file, DOCUMENT_RELEASE);
    if (code != EXIT_DONE) return code;
    hex_from(u.hash, u.release.d.hash, 32);
    if (c->repeated_count) code = submit(&u, c);
    if (code == EXIT_DONE) code = await_release(&u, c);
    return code == EXIT_DONE ? go_on(&u, c) : code;
}

static const struct option_row options[] = {
    { "release", "FILE", "the release, as it was signed" },
    { "sig", "FILE...", "a signature of it; given again for each. None: it was submitted before" },
    { "url", "ADDRESS", "the running (old) build: http://HOST:PORT or unix:PATH (default " ASK_DEFAULT_URL ")" },
    { "new-url", "ADDRESS", "the new build, which announces itself there" },
    { "announcement", "FILE", "or its announcement: an answer of GET /announcement, or the document alone" },
    { "root", "FILE", "another root than AWS Nitro Enclaves G1, in PEM" },
    { "wait", NULL, "wait until the release's delay has passed" },
    { NULL, NULL, NULL },
};

const struct command upgrade_command = {
    .name = "upgrade", .summary = "Hand a service over to another build, by a signed release.", .options = options, .run = run_upgrade,
    .details = "Submits the release, waits for its delay, judges the new build's announcement and has the old build grant. Each check\n"
               "is shown. The same command again goes on where it was. Exit code 0: granted, or pending (as it says); 1: refused." };
