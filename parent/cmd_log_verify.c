/* cmd_log_verify.c - `holdfast log verify`: the whole log, offline, by nobody's word. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "diskcrypt/manifest.h"
#include "parent/cmd_log.h"
#include "parent/cmd_store.h"
#include "parent/file.h"
#include "parent/life.h"
#include "parent/log_read.h"
#include "parent/paper.h"
#include "parent/say.h"
#include "parent/verify.h"
#include "policy/cosign.h"
#include "policy/witnesses.h"

enum { NOTICES_MAX = 10000, POLICY_FILE = 1 << 16 };

struct audit {
    const struct call *call;
    struct log_keys keys;
    struct witnesses witnesses;
    bool has_witnesses, has_checkpoint;
    uint8_t *note_bytes;                     /* of --cosigned */
    struct note note;
    struct checkpoint at;
    struct paper authorisation;
    struct life *life;
    uint32_t number;                         /* of the log, where segments say so */
    bool has_number;
    struct tlog tree;
    bool reached;                            /* the tree had the checkpoint's size; its root then: */
    uint8_t root_then[TLOG_HASH];
    uint64_t faults, unknown, notices;
    json_t *checks, *list;
    bool failed;
};

static void audit_drop(struct audit *a)
{
    mem_free_bytes(&a->note_bytes);
    paper_drop(&a->authorisation);
    life_drop(&a->life);
    json_drop(&a->checks);
    json_drop(&a->list);
}

enum verdict { V_OK, V_FAILED, V_SKIPPED };
static void check(struct audit *a, const char *name, enum verdict v, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void check(struct audit *a, const char *name, enum verdict v, const char *fmt, ...)
{
    static const char *const words[] = { "ok", "failed", "skipped" };
    char detail[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    a->failed = a->failed || v == V_FAILED;
    json_array_append_new(a->checks, json_pack("{s:s, s:s, s:s}", "name", name, "verdict", words[v], "detail", detail));
}

/* ---- what it is verified by ---- */

static enum exits usage(const struct audit *a, const char *what)
{
    return say_failure(a->call, EXIT_USAGE, NULL, NULL, "log verify: %s", what);
}

static enum exits take_options(struct audit *a)
{
    const struct call *c = a->call;
    const char *vkey = call_value(c, "vkey"), *witnesses = call_value(c, "witnesses"), *cosigned = call_value(c, "cosigned"), *paper = call_value(c, "authorisation");
    BYTES text = NULL;
    size_t n = 0;
    if (vkey && log_keys_parse(&a->keys, vkey).code) return usage(a, "--vkey takes the verifier key of a log, NAME+8 hex digits+base64; several behind commas");
    if (witnesses && (file_read(&text, &n, witnesses, POLICY_FILE).code || witnesses_parse(&a->witnesses, (const char *)text, n).code))
        return usage(a, "--witnesses takes a trust policy file (c2sp.org/tlog-policy)");
    a->has_witnesses = witnesses != NULL;
    if (cosigned) {
        if (file_read(&a->note_bytes, &n, cosigned, NOTE_MAX).code || note_parse(&a->note, (const char *)a->note_bytes, n).code ||
            checkpoint_parse(&a->at, a->note.text, a->note.text_len).code)
            return usage(a, "--cosigned takes a signed checkpoint, as GET /log/checkpoint gives it");
        a->has_checkpoint = true;
    }
    if (a->has_witnesses && !cosigned) return usage(a, "--witnesses says who must have cosigned: --cosigned FILE is what they have");
    return paper ? paper_load(&a->authorisation, c, paper, DOCUMENT_GENESIS) : EXIT_DONE;
}

/* ---- entry by entry ---- */

static void keep_notice(struct audit *a, uint64_t index, const struct entry *e, const struct life_line *line)
{
    static const char *const words[] = { [LIFE_PLAIN] = "plain", [LIFE_NOTICE] = "notice", [LIFE_UNKNOWN] = "unknown", [LIFE_FAULT] = "fault" };
    const char *kind = e->kind ? entry_name(e->kind) : "unknown";
    a->faults += line->mark == LIFE_FAULT;
    a->unknown += line->mark == LIFE_UNKNOWN;
    a->notices += line->mark == LIFE_NOTICE;
    if (json_array_size(a->list) >= NOTICES_MAX) return;
    json_array_append_new(a->list, json_pack("{s:I, s:I, s:s, s:s, s:s}", "index", (json_int_t)index, "time", (json_int_t)e->time, "kind", kind, "mark", words[line->mark], "text", line->text));
}

static err take_entry(void *self, uint64_t index, const uint8_t *p, size_t n)
{
    struct audit *a = self;
    struct entry e;
    struct life_line line;
    uint8_t leaf[TLOG_HASH];
    TRY(life_next(a->life, &e, &line, p, n));
    if (line.mark != LIFE_PLAIN || line.text[0]) keep_notice(a, index, &e, &line);
    tlog_leaf(leaf, p, n);
    TRY(tlog_append(&a->tree, leaf));
    if (a->has_checkpoint && a->tree.size == a->at.size) {
        a->reached = true;
        tlog_root(a->root_then, &a->tree);
    }
    return OK;
}

static err begin_life(struct audit *a, const uint8_t *service, uint32_t number)
{
    const struct document *d = call_value(a->call, "authorisation") ? &a->authorisation.d : NULL;
    return life_new(&a->life, service, number, d);
}

static enum exits read_store(struct audit *a)
{
    STORE_BACKEND store = NULL;
    CHAIN chain = { 0 };
    char dir[PARENT_STORES];
    uint8_t raw[LINK_HEAD_MAX];
    size_t n = 0;
    struct head h = { 0 };
    enum exits code = cmd_store(&store, dir, sizeof dir, a->call);
    if (code != EXIT_DONE) return code;
    err e = store->head_get(store, raw, &n);
    if (!e.code && n) e = head_parse(&h, raw, n);
    if (!e.code && !h.log[0]) return say_failure(a->call, EXIT_REFUSED, NULL, NULL, "%s: its head names no log", dir);
    if (!e.code) e = chain_follow(&chain, store, h.log, h.log_sha256);
    if (e.code == E_IO || e.code == E_MEMORY) return say_failure(a->call, EXIT_REFUSED, NULL, NULL, "%s cannot be read: %s", dir, err_text(e.code));
    if (e.code) {
        check(a, "segments", V_FAILED, "the chain of segments is not whole, or not one: %s", err_text(e.code));
        return EXIT_DONE;
    }
    check(a, "segments", V_OK, "%zu segments with %" PRIu64 " entries: each is the one that the next names, and has the tree before it", chain.count, chain.leaves.size);
    a->number = chain.tail.number;
    a->has_number = true;
    e = begin_life(a, chain.tail.service, chain.tail.number);
    if (!e.code) e = log_from_store(store, &chain, &a->keys, 0, UINT64_MAX, take_entry, a);
    if (e.code == E_AUTH) {
        check(a, "signatures", V_FAILED, "a segment is not signed by --vkey");
        life_drop(&a->life);                 /* it was not read to its end */
    }
    else if (e.code) return say_failure(a->call, EXIT_REFUSED, NULL, NULL, "%s cannot be read: %s", dir, err_text(e.code));
    else if (a->keys.count) check(a, "signatures", V_OK, "each segment is signed by --vkey");
    else check(a, "signatures", V_SKIPPED, "--vkey says whose they must be");
    return EXIT_DONE;
}

static enum exits read_file(struct audit *a, const char *path)
{
    err e = begin_life(a, NULL, 0);
    if (!e.code) e = log_from_file(path, take_entry, a);
    if (e.code) return say_failure(a->call, e.code == E_IO ? EXIT_USAGE : EXIT_REFUSED, NULL, "`holdfast log show --from 0 --limit N --json` writes one.", "%s: no entries of a log: %s", path, err_text(e.code));
    return EXIT_DONE;
}

/* ---- verdicts ---- */

/* A log's name is holdfast/SERVICE, and /NUMBER when it was begun anew. */
static bool origin_fits(const struct audit *a, const char *origin)
{
    char hex[65];
    const uint8_t *service = a->life ? life_service(a->life) : NULL;
    if (strncmp(origin, "holdfast/", 9) != 0) return false;
    if (!service) return true;
    hex_from(hex, service, 32);
    const char *rest = origin + 9;
    if (strncmp(rest, hex, 64) != 0) return false;
    rest += 64;
    if (!a->has_number) return *rest == 0 || *rest == '/';
    char want[16] = "";
    if (a->number) snprintf(want, sizeof want, "/%" PRIu32, a->number);
    return strcmp(rest, want) == 0;
}

static void check_names(struct audit *a)
{
    for (size_t i = 0; i < a->keys.count; i++)
        if (!origin_fits(a, a->keys.one[i].name)) {
            check(a, "name", V_FAILED, "--vkey is of another log: %s", a->keys.one[i].name);
            return;
        }
    if (a->has_checkpoint && !origin_fits(a, a->at.origin)) check(a, "name", V_FAILED, "the checkpoint is of another log: %s", a->at.origin);
    else if (a->keys.count || a->has_checkpoint) check(a, "name", V_OK, "of this service's log");
}

static bool signed_by_log(const struct audit *a)
{
    for (size_t i = 0; i < a->keys.count; i++) {
        uint64_t time;
        if (strcmp(a->keys.one[i].name, a->at.origin) == 0 && cosign_check(&time, &a->note, &a->keys.one[i]).code == E_OK) return true;
    }
    return false;
}

static void check_checkpoint(struct audit *a)
{
    bool enough = false;
    if (!a->has_checkpoint) {
        check(a, "checkpoint", V_SKIPPED, "--cosigned takes one to compare with");
        return;
    }
    if (!a->reached) check(a, "checkpoint", V_FAILED, "it is of %" PRIu64 " entries; here are %" PRIu64 ": entries are missing", a->at.size, a->tree.size);
    else if (memcmp(a->root_then, a->at.root, TLOG_HASH) != 0) check(a, "checkpoint", V_FAILED, "the first %" PRIu64 " entries here are not those that it is of", a->at.size);
    else if (!a->keys.count) check(a, "checkpoint", V_OK, "of the first %" PRIu64 " entries; --vkey says whose signature it must have", a->at.size);
    else if (!signed_by_log(a)) check(a, "checkpoint", V_FAILED, "it is not signed by --vkey");
    else check(a, "checkpoint", V_OK, "of the first %" PRIu64 " entries, signed by the log", a->at.size);
    if (!a->has_witnesses) check(a, "cosignatures", V_SKIPPED, "--witnesses says whose they must be");
    else if (witnesses_check(&enough, &a->witnesses, &a->note).code || !enough) check(a, "cosignatures", V_FAILED, "the quorum of --witnesses has not cosigned it");
    else if (a->witnesses.quorum == WITNESSES_NONE) check(a, "cosignatures", V_SKIPPED, "the policy of --witnesses asks for none");
    else check(a, "cosignatures", V_OK, "the quorum of --witnesses has cosigned it");
}

static void check_life(struct audit *a)
{
    struct life_line line;
    if (!a->life) {
        check(a, "life", V_SKIPPED, "there is nothing to judge");
        return;
    }
    life_end(&line, a->life);
    if (a->faults) check(a, "life", V_FAILED, "%" PRIu64 " entries break the rules", a->faults);
    else if (line.mark == LIFE_FAULT) check(a, "life", V_FAILED, "%s", line.text);
    else if (a->unknown) check(a, "life", V_FAILED, "%" PRIu64 " entries could not be judged", a->unknown);
    else check(a, "life", V_OK, "%" PRIu64 " entries keep the rules; %" PRIu64 " are worth a look", a->tree.size, a->notices);
}

static void say_notices(const struct audit *a)
{
    size_t i;
    json_t *one;
    json_array_foreach(a->list, i, one) {
        char when[32];
        const char *mark = json_string_value(json_object_get(one, "mark")), *text = json_string_value(json_object_get(one, "text"));
        verify_time_text(when, (uint64_t)json_integer_value(json_object_get(one, "time")));
        printf("%-3s %-8" JSON_INTEGER_FORMAT " %-20s %-9s ", strcmp(mark, "plain") == 0 ? "" : strcmp(mark, "notice") == 0 ? "!" : "!!!", json_integer_value(json_object_get(one, "index")), when,
               json_string_value(json_object_get(one, "kind")));
        say_text(text, strlen(text));
        putchar('\n');
    }
    if (i) putchar('\n');
}

static enum exits tell(struct audit *a)
{
    const enum exits code = a->failed ? EXIT_REFUSED : EXIT_DONE;
    uint8_t root[TLOG_HASH];
    char root_text[45], service[65] = "";
    tlog_root(root, &a->tree);
    base64_from(root_text, root, sizeof root);
    if (a->life && life_service(a->life)) hex_from(service, life_service(a->life), 32);
    if (a->call->json) {
        JSON out = json_pack("{s:b, s:s, s:I, s:s, s:O, s:O}", "verified", (int)!a->failed, "service_id", service, "size", (json_int_t)a->tree.size, "root", root_text, "checks", a->checks, "notices", a->list);
        if (out && a->failed) {
            json_object_set_new(out, "error", json_string("the log is not as it should be"));
            json_object_set_new(out, "exit", json_integer((json_int_t)code));
        }
        return say_json(&out) == EXIT_DONE ? code : EXIT_REFUSED;
    }
    say_notices(a);
    size_t i;
    json_t *one;
    json_array_foreach(a->checks, i, one)
        printf("%-8s %-13s %s\n", json_string_value(json_object_get(one, "verdict")), json_string_value(json_object_get(one, "name")), json_string_value(json_object_get(one, "detail")));
    printf("%-8s %-13s %s\n", "", "service", service);
    printf("%-8s %-13s %" PRIu64 " entries, root %s\n", "", "size", a->tree.size, root_text);
    return fflush(stdout) == 0 ? code : EXIT_REFUSED;
}

enum exits log_verify(const struct call *c)
{
    __attribute__((cleanup(audit_drop))) struct audit a = { .call = c, .checks = json_array(), .list = json_array() };
    const char *file = c->operand_count > 1 ? c->operands[1] : NULL;
    const bool store = call_value(c, "store") || call_value(c, "config");
    if (!file == !store) return say_failure(c, EXIT_USAGE, NULL, "`holdfast log --help` tells more.", "log verify: give --store NAME, or a FILE with the entries");
    enum exits code = take_options(&a);
    if (code == EXIT_DONE) code = store ? read_store(&a) : read_file(&a, file);
    if (code != EXIT_DONE) return code;
    check_names(&a);
    if (a.life) check_checkpoint(&a);
    check_life(&a);
    return tell(&a);
}
