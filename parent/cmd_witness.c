/* cmd_witness.c - `holdfast witness`: a small witness, for each maintainer to run. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "core/log.h"
#include "core/mem.h"
#include "parent/say.h"
#include "parent/witness_http.h"

enum { PATH = 4096, VKEY = NOTE_NAME + 64 };

static bool path_of(char out[static PATH], const struct call *c, const char *name)
{
    return (size_t)snprintf(out, PATH, "%s/%s", call_value(c, "dir"), name) < PATH;
}

static void vkey_of(char out[static VKEY], const struct note_key *k)
{
    struct wr w = wr_of((uint8_t *)out, VKEY - 1);
    note_key_write(&w, k);
    MUST(!w.full);
    out[w.len] = 0;
}

static void close_witness(struct witness *w)
{
    witness_key_close(&w->key);
    witness_db_close(&w->db);
}
#define WITNESS __attribute__((cleanup(close_witness))) struct witness

static enum exits open_witness(struct witness *w, const struct call *c)
{
    char db[PATH], key[PATH], name[NOTE_NAME + 1];
    uint8_t public[32];
    *w = (struct witness){ 0 };
    if (!path_of(db, c, "witness.db") || !path_of(key, c, "witness.key")) return say_failure(c, EXIT_USAGE, NULL, NULL, "witness: the path is too long");
    err e = witness_db_open(&w->db, name, db);
    if (!e.code) e = witness_key_open(&w->key, key);
    if (!e.code) witness_key_public(public, w->key);
    if (!e.code) e = note_key_make(&w->as, name, NOTE_COSIGNATURE, public);
    if (!e.code) return EXIT_DONE;
    return say_failure(c, EXIT_REFUSED, NULL, "`holdfast witness init` makes a new one. A lost one is not made anew under its name: it would forget what it vouched for.",
                       "%s is no witness: %s", call_value(c, "dir"), err_text(e.code));
}

static enum exits say_who(const struct call *c, const struct witness *w)
{
    char vkey[VKEY];
    vkey_of(vkey, &w->as);
    JSON out = json_pack("{s:s, s:s}", "name", w->as.name, "vkey", vkey);
    if (c->json) return say_json(&out);
    puts(vkey);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exits run_init(const struct call *c)
{
    WITNESS w = { 0 };
    char db[PATH], key[PATH];
    const char *name = call_value(c, "name");
    if (!name || !note_name_ok(name, strlen(name)))
        return say_failure(c, EXIT_USAGE, NULL, "A name like example.org/witness: no spaces, no `+`.", "witness init: --name NAME is needed");
    if (!path_of(db, c, "witness.db") || !path_of(key, c, "witness.key")) return say_failure(c, EXIT_USAGE, NULL, NULL, "witness: the path is too long");
    (void)mkdir(call_value(c, "dir"), 0700);
    err e = witness_db_make(db, name);
    if (!e.code) e = witness_key_make(key);
    if (e.code) return say_failure(c, EXIT_REFUSED, NULL, "The line above says why.", "no witness was made in %s: %s", call_value(c, "dir"), err_text(e.code));
    enum exits code = open_witness(&w, c);
    return code == EXIT_DONE ? say_who(c, &w) : code;
}

static enum exits run_add(const struct call *c)
{
    WITNESS w = { 0 };
    struct note_key key;
    const char *vkey = call_value(c, "log"), *origin = call_value(c, "origin");
    if (!vkey || note_key_parse(&key, vkey, strlen(vkey)).code || key.type != NOTE_ED25519)
        return say_failure(c, EXIT_USAGE, NULL, "It looks like NAME+8 hex digits+base64; the log's operator has it.", "witness add: --log takes the verifier key of a log");
    enum exits code = open_witness(&w, c);
    if (code != EXIT_DONE) return code;
    if (!origin) origin = key.name;
    if (!*origin || strlen(origin) > CHECKPOINT_ORIGIN) return say_failure(c, EXIT_USAGE, NULL, NULL, "witness add: an origin has 1 to %d bytes", CHECKPOINT_ORIGIN);
    err e = witness_db_add(w.db, origin, &key);
    if (e.code) return say_failure(c, EXIT_REFUSED, NULL, NULL, "%s was not added: %s", origin, err_text(e.code));
    JSON out = json_pack("{s:s}", "origin", origin);
    if (c->json) return say_json(&out);
    printf("%s is known now\n", origin);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static void list_one(void *self, const char *origin, uint64_t size, unsigned keys)
{
    json_array_append_new(self, json_pack("{s:s, s:I, s:I}", "origin", origin ? origin : "", "size", (json_int_t)size, "keys", (json_int_t)keys));
}

static enum exits run_show(const struct call *c)
{
    WITNESS w = { 0 };
    char vkey[VKEY];
    JSON logs = json_array();
    size_t i;
    json_t *log;
    enum exits code = open_witness(&w, c);
    if (code != EXIT_DONE) return code;
    err e = witness_db_list(w.db, list_one, logs);
    if (e.code) return say_failure(c, EXIT_REFUSED, NULL, NULL, "%s cannot be read: %s", call_value(c, "dir"), err_text(e.code));
    vkey_of(vkey, &w.as);
    JSON out = json_pack("{s:s, s:s, s:O}", "name", w.as.name, "vkey", vkey, "logs", logs);
    if (c->json) return say_json(&out);
    puts(vkey);
    json_array_foreach(logs, i, log)
        printf("%12" JSON_INTEGER_FORMAT "  %s\n", json_integer_value(json_object_get(log, "size")), json_string_value(json_object_get(log, "origin")));
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

struct at { const struct call *call; const struct witness *w; };

static void on_ready(void *self, unsigned port)
{
    const struct at *at = self;
    char vkey[VKEY];
    vkey_of(vkey, &at->w->as);
    JSON out = json_pack("{s:b, s:i, s:s}", "ready", 1, "port", (int)port, "vkey", vkey);
    if (at->call->json) (void)say_json(&out);
    else log_info("witness %s is ready at port %u", vkey, port);
}

static enum exits run_serve(const struct call *c)
{
    WITNESS w = { 0 };
    sigset_t signals;
    char host[256] = "127.0.0.1";
    const char *listen = call_value(c, "listen"), *colon = listen ? strrchr(listen, ':') : NULL;
    if (listen && (!colon || (size_t)(colon - listen) >= sizeof host))
        return say_failure(c, EXIT_USAGE, NULL, NULL, "witness serve: --listen takes HOST:PORT");
    if (listen) snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
    /* The key is in this process: it is not to be looked at, and leaves no core. */
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }) != 0)
        return say_failure(c, EXIT_REFUSED, NULL, NULL, "witness serve: the process cannot be closed to others");
    log_open("holdfast witness", LOG_INFO);
    enum exits code = open_witness(&w, c);
    if (code != EXIT_DONE) return code;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    FD stop = signalfd(-1, &signals, SFD_CLOEXEC);
    if (stop < 0) return say_failure(c, EXIT_REFUSED, NULL, NULL, "witness serve: no signals");
    err e = witness_serve(&w, host, colon ? colon + 1 : "7380", stop, on_ready, &(struct at){ c, &w });
    if (e.code) return say_failure(c, e.code == E_FORMAT ? EXIT_USAGE : EXIT_REFUSED, NULL, "The line above says why.", "witness serve: %s", err_text(e.code));
    return EXIT_DONE;
}

static enum exits run_witness(const struct call *c)
{
    static const struct { const char *name; enum exits (*run)(const struct call *); } parts[] = {
        { "init", run_init }, { "add", run_add }, { "show", run_show }, { "serve", run_serve },
    };
    if (!call_value(c, "dir")) return say_failure(c, EXIT_USAGE, NULL, "`holdfast witness --help` lists what there is.", "witness: --dir DIR is needed");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(c->operands[0], parts[i].name) == 0) return parts[i].run(c);
    return say_failure(c, EXIT_USAGE, NULL, "`holdfast witness --help` lists what there is.", "there is no `witness %s`", c->operands[0]);
}

static const struct option_row options[] = {
    { "dir", "DIR", "the witness's folder: its key and what it remembers" },
    { "name", "NAME", "init: what it is called, like example.org/witness" },
    { "log", "VKEY", "add: the verifier key of a log to vouch for" },
    { "origin", "TEXT", "add: the log's origin, where it is not the key's name" },
    { "listen", "HOST:PORT", "serve: where (default 127.0.0.1:7380); put TLS in front of it" },
    { NULL, NULL, NULL },
};

const struct command witness_command = {
    .name = "witness",
    .operands = "init|add|show|serve",
    .operands_least = 1,
    .operands_most = 1,
    .summary = "Run a witness: it vouches that a log only ever grows.",
    .options = options,
    .run = run_witness,
    .details = "init makes a key and prints the verifier key that others configure. add makes a log known. serve answers\n"
               "POST /add-checkpoint (c2sp.org/tlog-witness); SIGTERM ends it. What it vouched for is on the disk before the answer\n"
               "leaves. Keep DIR and back the key up, but never start from an old copy of witness.db: it would vouch for a rollback.",
};
