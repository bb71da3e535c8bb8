/* cmd_backup.c - `holdfast backup`: is a store whole, what may go, and a second store. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/ask.h"
#include "parent/cmd_store.h"
#include "parent/config.h"
#include "parent/copy.h"
#include "parent/drill.h"
#include "parent/prune.h"
#include "parent/say.h"

enum { KEEP_MAX = 100000, DEEP_S = 180 };

static enum exits failed(const struct call *c, const char *dir, const char *what, err e)
{
    return say_failure(c, EXIT_REFUSED, NULL, "The line above says why. No object was changed.",
                       "%s: %s: %s", dir, what, err_text(e.code));
}

/* ---- verify ---- */

static json_t *verdict_json(const struct generation *g, enum flaw flaw)
{
    return json_pack("{s:I, s:s, s:s, s:b}", "generation", (json_int_t)g->number, "manifest", g->object->name,
                     "verdict", flaw_name(flaw), "head", (int)g->is_head);
}

static uint64_t all_bytes(const struct catalogue *cat)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < cat->generation_count; i++) sum += cat->generations[i].object->size;
    return sum;
}

/* --deep: the running enclave reads the present generation back, and authenticates all of it. Out: *answer. */
static enum exits ask_deep(json_t **answer, const struct call *c)
{
    const struct http_request r = { .url = call_url(c), .path = "/backup/verify", .body = "", .type = "application/json", .timeout_s = DEEP_S,
                                    .progress = "the enclave reads the present generation" };
    enum exits code = call_ask(c, answer, &r);
    if (code != EXIT_DONE || c->json) return code;
    if (json_is_true(json_object_get(*answer, "authentic"))) puts("the enclave: all of the present generation is authentic");
    return EXIT_DONE;
}

/* What verify found besides the generations. */
struct verified { json_t *list; bool head; size_t bad; enum flaw log; struct log_found found; };

static json_t *log_json(const struct verified *v)
{
    return json_pack("{s:s, s:I, s:I}", "verdict", v->log == FLAW_NONE && !v->found.segments ? "none" : flaw_name(v->log), "segments", (json_int_t)v->found.segments,
                     "entries", (json_int_t)v->found.entries);
}

static enum exits say_verify(const struct call *c, const struct verified *v)
{
    const bool whole = v->head && v->bad == 0 && v->log == FLAW_NONE;
    JSON deep = NULL;
    if (call_value(c, "deep")) {
        enum exits code = ask_deep(&deep, c);
        if (code != EXIT_DONE) return code;
        if (!json_is_true(json_object_get(deep, "authentic"))) {
            const char *why = json_string_value(json_object_get(deep, "reason"));
            return say_failure(c, EXIT_REFUSED, NULL, "The enclave's log names the object. Its next seal, or `backup import`, brings a good one.",
                               "the enclave: the present generation is not what it sealed: %s", why ? why : "no reason given");
        }
    }
    if (c->json) {
        JSON out = json_pack("{s:b, s:b, s:I, s:O, s:o, s:O?}", "whole", (int)whole, "head", (int)v->head, "faults", (json_int_t)v->bad,
                             "generations", v->list, "log", log_json(v), "enclave", deep);
        enum exits code = say_json(&out);
        return code == EXIT_DONE && !whole ? EXIT_REFUSED : code;
    }
    size_t i;
    json_t *row;
    printf("%-10s %-16s %s\n", "GENERATION", "VERDICT", "MANIFEST");
    json_array_foreach(v->list, i, row)
        printf("%-10" JSON_INTEGER_FORMAT " %-16s %s%s\n", json_integer_value(json_object_get(row, "generation")),
               json_string_value(json_object_get(row, "verdict")), json_string_value(json_object_get(row, "manifest")),
               json_is_true(json_object_get(row, "head")) ? "  head" : "");
    if (v->log != FLAW_NONE || v->found.segments)
        printf("log        %-16s %" PRIu64 " entries in %zu segments\n", flaw_name(v->log), v->found.entries, v->found.segments);
    if (fflush(stdout) != 0) return EXIT_REFUSED;
    if (whole) return EXIT_DONE;
    fprintf(stderr, "holdfast: %s\n  Bring the objects back: holdfast backup import DIR, from a copy of the store.\n",
            !v->head ? "there is no present generation" : v->bad ? "not every generation is whole" : "the log is not whole");
    return EXIT_REFUSED;
}

static enum exits run_verify(const struct call *c, struct store_backend *store, const char *dir)
{
    CATALOGUE cat = { 0 };
    JSON list = json_array();
    struct progress p;
    struct verified v = { .list = list };
    err e = catalogue_read(&cat, store);
    if (e.code) return failed(c, dir, "cannot be read", e);
    progress_begin(&p, "verify", all_bytes(&cat));
    for (size_t i = 0; i < cat.generation_count && !e.code; i++) {
        enum flaw flaw = FLAW_NONE;
        e = inspect_generation(&flaw, &cat, i, store, &p);
        v.bad += flaw != FLAW_NONE && flaw != FLAW_ORPHAN;
        v.head = v.head || cat.generations[i].is_head;
        json_array_append_new(list, verdict_json(&cat.generations[i], flaw));
    }
    if (!e.code) e = inspect_log(&v.log, &v.found, &cat, store);
    progress_end(&p);
    if (e.code) return failed(c, dir, e.code == E_ABSENT ? "something was removed meanwhile; try again" : "cannot be read", e);
    return say_verify(c, &v);
}

/* ---- prune ---- */

static bool rules_of(struct prune_rules *r, uint64_t protect[static REPEATED_MAX], const struct call *c)
{
    static const char *const names[] = { "keep-last", "keep-daily", "keep-weekly", "keep-monthly" };
    unsigned long long n[4];
    for (size_t i = 0; i < 4; i++)
        if (!call_number(&n[i], c, names[i], 0, 1, KEEP_MAX)) return false;
    for (size_t i = 0; i < c->repeated_count; i++) {
        char *end;
        protect[i] = strtoull(c->repeated[i], &end, 10);
        if (c->repeated[i][0] >= '0' && c->repeated[i][0] <= '9' && *end == 0) continue;
        (void)say_failure(c, EXIT_USAGE, NULL, NULL, "--protect takes the number of a generation, not `%s`", c->repeated[i]);
        return false;
    }
    *r = (struct prune_rules){ .last = n[0], .daily = n[1], .weekly = n[2], .monthly = n[3], .protect = protect,
                               .protect_count = c->repeated_count, .dry_run = call_value(c, "dry-run") != NULL };
    if (n[0] || n[1] || n[2] || n[3]) return true;
    (void)say_failure(c, EXIT_USAGE, NULL, "`holdfast backup --help` lists them.", "backup prune: say what to keep: at least one of the --keep options");
    return false;
}

static enum exits run_prune(const struct call *c, struct store_backend *store, const char *dir)
{
    uint64_t protect[REPEATED_MAX];
    struct prune_rules rules;
    struct prune_report r;
    if (!rules_of(&rules, protect, c)) return EXIT_USAGE;
    err e = prune_by(store, &rules, &r);
    if (e.code) return failed(c, dir, e.code == E_STATE ? "a seal came between; try again" : "not pruned", e);
    if (c->json) {
        JSON out = json_pack("{s:I, s:I, s:I, s:b}", "kept", (json_int_t)r.kept, "removed_objects", (json_int_t)r.removed,
                             "removed_bytes", (json_int_t)r.bytes, "dry_run", (int)rules.dry_run);
        return say_json(&out);
    }
    char size[16];
    progress_size(size, r.bytes);
    printf("%zu generations stay; %zu objects, %s %s\n", r.kept, r.removed, size, rules.dry_run ? "would be removed" : "removed");
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

/* ---- copy, import ---- */

static enum exits say_copied(const struct call *c, const struct copy_report *r, const char *to)
{
    char size[16];
    if (c->json) {
        JSON out = json_pack("{s:I, s:I, s:I, s:I, s:I, s:s}", "generation", (json_int_t)r->generation, "generations", (json_int_t)r->generations,
                             "skipped", (json_int_t)r->skipped, "objects", (json_int_t)r->objects, "bytes", (json_int_t)r->bytes, "to", to);
        enum exits code = say_json(&out);
        return code == EXIT_DONE && r->skipped ? EXIT_REFUSED : code;
    }
    progress_size(size, r->bytes);
    printf("%zu generations up to %llu are in %s; sent now: %zu objects, %s\n", r->generations, (unsigned long long)r->generation, to, r->objects, size);
    if (r->skipped) printf("%zu generations are not whole and were left out\n", r->skipped);
    return fflush(stdout) == 0 && r->skipped == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exits run_copy(const struct call *c, struct store_backend *store, const char *dir, bool import)
{
    STORE_BACKEND other = NULL;
    struct copy_report r;
    struct progress p;
    const char *far = c->operands[1];
    if (!far) return say_failure(c, EXIT_USAGE, NULL, NULL, "backup %s: which store?", c->operands[0]);
    err e = cmd_store_other(&other, far, !import, c);
    if (e.code)
        return say_failure(c, EXIT_REFUSED, NULL, import ? "It must be a store: a copy made by `holdfast backup copy`." : "It must be empty, or a store already.",
                           "%s cannot be opened as a store: %s", far, err_text(e.code));
    progress_begin(&p, c->operands[0], 0);
    e = import ? store_copy(&r, other, store, call_value(c, "compare") != NULL, &p)
               : store_copy(&r, store, other, call_value(c, "compare") != NULL, &p);
    progress_end(&p);
    if (e.code) return failed(c, import ? dir : far, e.code == E_ABSENT ? "something is missing, or was removed meanwhile" : "not copied", e);
    return say_copied(c, &r, import ? dir : far);
}

/* ---- drill ---- */

static enum exits run_drill(const struct call *c, struct store_backend *store)
{
    struct drill d = { .call = c, .store = store, .config = call_value(c, "drill-config"), .start = call_value(c, "start") };
    struct drilled found;
    unsigned long long wait, generation;
    char size[16];
    if (!call_number(&wait, c, "wait", 300, 1, 86400) || !call_number(&generation, c, "at", 0, 0, INT64_MAX)) return EXIT_USAGE;
    if (!d.config) return say_failure(c, EXIT_USAGE, NULL, "Its addresses must be free, and be those the scratch enclave uses.", "backup drill: --drill-config FILE is needed");
    d.scratch = call_value(c, "scratch") ? call_value(c, "scratch") : "/var/tmp";
    d.wait_s = (unsigned)wait;
    d.older = call_value(c, "at") != NULL;
    d.generation = generation;
    enum exits code = drill_run(&found, &d);
    if (code != EXIT_DONE) return code;
    if (c->json) {
        JSON out = json_pack("{s:b, s:I, s:s, s:I, s:I, s:I}", "restored", 1, "generation", (json_int_t)found.generation, "public_key", found.public_key,
                             "requests", (json_int_t)found.requests, "bytes", (json_int_t)found.bytes, "seconds", (json_int_t)found.seconds);
        return say_json(&out);
    }
    progress_size(size, found.bytes);
    printf("generation %llu came back in %llu s: key %s, %llu requests, %s read back and authentic\n", (unsigned long long)found.generation,
           (unsigned long long)found.seconds, found.public_key, (unsigned long long)found.requests, size);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exits run_backup(const struct call *c)
{
    STORE_BACKEND store = NULL;
    char dir[PARENT_STORES];
    const char *what = c->operands[0];
    const bool verify = !strcmp(what, "verify"), remove = !strcmp(what, "prune"), copy = !strcmp(what, "copy"), import = !strcmp(what, "import"),
               drill = !strcmp(what, "drill");
    if (!verify && !remove && !copy && !import && !drill)
        return say_failure(c, EXIT_USAGE, NULL, "`holdfast backup --help` lists what there is.", "there is no `backup %s`", what);
    if ((verify || remove || drill) && c->operand_count > 1)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "backup %s: too many words: %s", what, c->operands[1]);
    enum exits code = cmd_store(&store, dir, sizeof dir, c);
    if (code != EXIT_DONE) return code;
    if (verify) return run_verify(c, store, dir);
    if (drill) return run_drill(c, store);
    if (remove) return run_prune(c, store, dir);
    return run_copy(c, store, dir, import);
}

static const struct option_row options[] = {
    { "store", "NAME", "the store: a folder, dir:FOLDER or s3:BUCKET/PREFIX; several behind commas" },
    { "config", "FILE", "or the configuration of `holdfast run`, which names it" },
    { "keep-last", "N", "prune: keep the N newest generations" },
    { "keep-daily", "N", "prune: and the newest of each of the N newest days (UTC)" },
    { "keep-weekly", "N", "prune: and of the N newest weeks" },
    { "keep-monthly", "N", "prune: and of the N newest months" },
    { "protect", "GENERATION...", "prune: and this one; may be given again" },
    { "dry-run", NULL, "prune: only tell what would go" },
    { "deep", NULL, "verify: have the running enclave authenticate the present generation too" },
    { "url", "ADDRESS", "with --deep: the running parent (default " ASK_DEFAULT_URL ")" },
    { "drill-config", "FILE", "drill: configuration of the scratch parent; its [store] is not used" },
    { "start", "PROGRAM", "drill: run the scratch enclave with it, until SIGTERM; else start it yourself" },
    { "at", "GENERATION", "drill: try this one instead of the newest" },
    { "wait", "SECONDS", "drill: until it serves, at most (default 300)" },
    { "scratch", "DIR", "drill: where the copy is made (default /var/tmp)" },
    { "compare", NULL, "copy, import: compare what is there already byte by byte" },
    { NULL, NULL, NULL },
};

const struct command backup_command = {
    .name = "backup",
    .operands = "verify|prune|copy STORE|import STORE|drill",
    .operands_least = 1,
    .operands_most = 2,
    .summary = "Check a store, tidy it, copy it to a second one, bring a copy back, or try it. Without a key.",
    .options = options,
    .run = run_backup,
    .details = "verify compares all that is in the clear: sizes, headers, hashes, the chain. Only the enclave can tell whether\n"
               "it is authentic: --deep asks it. prune never removes what a kept generation needs, nor the present generation and its log; a damaged\n"
               "manifest that would be kept stops it. copy makes STORE a store as well, and goes on where an earlier copy was\n"
               "cut off; import is the same from STORE. Neither puts an older generation over a newer one. drill copies the store, has a\n"
               "scratch enclave of the same image restore the copy beside a parent of its own, asks it, and removes all of it.\n"
               "STORE is a folder, dir:FOLDER, s3:BUCKET/PREFIX or s3:https://HOST/BUCKET/PREFIX; access: docs/config-parent.md.\n"
               "Exit code 0: done, or whole. 1: not whole, refused or failed. 2: wrong usage.",
};
