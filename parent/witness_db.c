/* witness_db.c - see witness_db.h. Several processes may serve one file: every decision is one IMMEDIATE transaction. */
#include "parent/witness_db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"

struct witness_db { sqlite3 *db; };

enum { BUSY_MS = 10000, VKEY = NOTE_NAME + 64 };

static const char SCHEMA[] =
    "BEGIN EXCLUSIVE;"
    "PRAGMA application_id = 1212565335;"    /* "HFWW" */
    "PRAGMA user_version = 1;"
    "CREATE TABLE witness (name TEXT NOT NULL);"
    "CREATE TABLE keys (origin TEXT NOT NULL, vkey TEXT NOT NULL, PRIMARY KEY (origin, vkey));"
    "CREATE TABLE logs (origin TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL);";
/* EXTRA: the folder is synced as well, so that a commit cannot be undone by a journal that comes back. */
static const char SETTINGS[] =
    "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;";

typedef sqlite3_stmt *query;
static void query_end(query *q) { sqlite3_finalize(*q); }
#define QUERY __attribute__((cleanup(query_end))) query

static err fail(struct witness_db *d, const char *what)
{
    const int code = sqlite3_errcode(d->db);
    FAIL(code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? E_FORMAT : E_IO, "the witness's database: %s: %s", what, sqlite3_errmsg(d->db));
}

static err run(struct witness_db *d, const char *sql, const char *what)
{
    return sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK ? OK : fail(d, what);
}

static err ask(struct witness_db *d, query *q, const char *sql, const char *text)
{
    if (sqlite3_prepare_v2(d->db, sql, -1, q, NULL) != SQLITE_OK) return fail(d, "prepare");
    if (text && sqlite3_bind_text(*q, 1, text, -1, SQLITE_STATIC) != SQLITE_OK) return fail(d, "bind");
    return OK;
}

void witness_db_close(struct witness_db **d)
{
    if (!*d) return;
    sqlite3_close((*d)->db);
    free(*d);
    *d = NULL;
}

static err open_at(struct witness_db **out, const char *path, int flags)
{
    struct witness_db *d = calloc(1, sizeof *d);
    if (!d) FAIL(E_MEMORY, "a database");
    err e = OK;
    if (sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READWRITE | flags, NULL) != SQLITE_OK) e = fail(d, path);
    if (!e.code) sqlite3_busy_timeout(d->db, BUSY_MS);
    if (!e.code) e = run(d, SETTINGS, "settings");
    if (e.code) witness_db_close(&d);
    *out = d;
    return e;
}

static err fill(struct witness_db *d, const char *name)
{
    QUERY q = NULL;
    TRY(run(d, SCHEMA, "schema"));
    TRY(ask(d, &q, "INSERT INTO witness VALUES (?)", name));
    if (sqlite3_step(q) != SQLITE_DONE) return fail(d, "name");
    return run(d, "COMMIT;", "commit");
}

err witness_db_make(const char *path, const char *name)
{
    struct witness_db *d = NULL;
    if (!note_name_ok(name, strlen(name))) FAIL(E_FORMAT, "`%s` cannot be a witness's name", name);
    if (access(path, F_OK) == 0) FAIL(E_STATE, "%s is there already", path);
    TRY(open_at(&d, path, SQLITE_OPEN_CREATE));
    err e = fill(d, name);
    witness_db_close(&d);
    if (e.code) unlink(path);
    return e;
}

static err read_name(struct witness_db *d, char name[static NOTE_NAME + 1], const char *path)
{
    QUERY version = NULL;
    QUERY q = NULL;
    TRY(ask(d, &version, "PRAGMA user_version", NULL));
    if (sqlite3_step(version) != SQLITE_ROW) return fail(d, "version");
    if (sqlite3_column_int(version, 0) != 1) FAIL(E_FORMAT, "%s is no witness's database, or one of another version", path);
    TRY(ask(d, &q, "SELECT name FROM witness", NULL));
    if (sqlite3_step(q) != SQLITE_ROW) return fail(d, "name");
    const char *text = (const char *)sqlite3_column_text(q, 0);
    if (!text || !note_name_ok(text, strlen(text))) FAIL(E_FORMAT, "%s: its name is none", path);
    memcpy(name, text, strlen(text) + 1);
    return OK;
}

err witness_db_open(struct witness_db **out, char name[static NOTE_NAME + 1], const char *path)
{
    *out = NULL;
    if (access(path, F_OK) != 0) FAIL(errno == ENOENT ? E_ABSENT : E_IO, "opening %s", path);
    TRY(open_at(out, path, 0));
    err e = read_name(*out, name, path);
    if (e.code) witness_db_close(out);
    return e;
}

/* Out: keys[0..*count), those known for the origin. */
static err keys_of(struct witness_db *d, struct note_key keys[static WITNESS_LOG_KEYS], size_t *count, const char *origin)
{
    QUERY q = NULL;
    int code;
    *count = 0;
    TRY(ask(d, &q, "SELECT vkey FROM keys WHERE origin = ?", origin));
    while ((code = sqlite3_step(q)) == SQLITE_ROW && *count < WITNESS_LOG_KEYS) {
        const char *text = (const char *)sqlite3_column_text(q, 0);
        if (!text) FAIL(E_FORMAT, "a log without a key");
        TRY(note_key_parse(&keys[*count], text, strlen(text)));
        ++*count;
    }
    return code == SQLITE_DONE || code == SQLITE_ROW ? OK : fail(d, "keys");
}

static err insert_log(struct witness_db *d, const char *origin, const char *vkey)
{
    static const uint8_t none[TLOG_HASH];
    QUERY key = NULL;
    QUERY log = NULL;
    TRY(ask(d, &key, "INSERT INTO keys VALUES (?, ?)", origin));
    sqlite3_bind_text(key, 2, vkey, -1, SQLITE_STATIC);
    const int code = sqlite3_step(key);
    if (code == SQLITE_CONSTRAINT) FAIL(E_STATE, "%s is known with this key", origin);
    if (code != SQLITE_DONE) return fail(d, "key");
    TRY(ask(d, &log, "INSERT OR IGNORE INTO logs VALUES (?, 0, ?)", origin));
    sqlite3_bind_blob(log, 2, none, sizeof none, SQLITE_STATIC);
    return sqlite3_step(log) == SQLITE_DONE ? OK : fail(d, "log");
}

static err in_transaction(struct witness_db *d, err e)
{
    if (!e.code) e = run(d, "COMMIT;", "commit");
    if (e.code) err_drop(run(d, "ROLLBACK;", "rollback"));
    return e;
}

err witness_db_add(struct witness_db *d, const char *origin, const struct note_key *key)
{
    struct note_key known[WITNESS_LOG_KEYS];
    char vkey[VKEY];
    size_t count;
    struct wr w = wr_of((uint8_t *)vkey, sizeof vkey - 1);
    note_key_write(&w, key);
    TRY(wr_end(&w, "a verifier key"));
    vkey[w.len] = 0;
    TRY(keys_of(d, known, &count, origin));
    if (count == WITNESS_LOG_KEYS) FAIL(E_LIMIT, "%s has %d keys already", origin, WITNESS_LOG_KEYS);
    TRY(run(d, "BEGIN IMMEDIATE;", "begin"));
    return in_transaction(d, insert_log(d, origin, vkey));
}

err witness_db_list(struct witness_db *d, void (*each)(void *self, const char *origin, uint64_t size, unsigned keys), void *self)
{
    QUERY q = NULL;
    int code;
    TRY(ask(d, &q, "SELECT origin, size, (SELECT count(*) FROM keys WHERE keys.origin = logs.origin) FROM logs ORDER BY origin", NULL));
    while ((code = sqlite3_step(q)) == SQLITE_ROW)
        each(self, (const char *)sqlite3_column_text(q, 0), (uint64_t)sqlite3_column_int64(q, 1), (unsigned)sqlite3_column_int(q, 2));
    return code == SQLITE_DONE ? OK : fail(d, "list");
}

static err remembered(struct witness_db *d, struct witness_state *out, const char *origin)
{
    QUERY q = NULL;
    *out = (struct witness_state){ 0 };
    TRY(ask(d, &q, "SELECT size, root FROM logs WHERE origin = ?", origin));
    const int code = sqlite3_step(q);
    if (code == SQLITE_DONE) return OK;
    if (code != SQLITE_ROW) return fail(d, "state");
    const sqlite3_int64 size = sqlite3_column_int64(q, 0);
    if (size < 0 || sqlite3_column_bytes(q, 1) != TLOG_HASH) FAIL(E_FORMAT, "what is remembered of %s makes no sense", origin);
    out->size = (uint64_t)size;
    memcpy(out->root, sqlite3_column_blob(q, 1), TLOG_HASH);
    return OK;
}

/* Compare and set: the row must still be what was read, whoever else writes. */
static err remember(struct witness_db *d, const char *origin, const struct witness_state *known, const struct witness_state *next)
{
    QUERY q = NULL;
    TRY(ask(d, &q, "UPDATE logs SET size = ?2, root = ?3 WHERE origin = ?1 AND size = ?4", origin));
    sqlite3_bind_int64(q, 2, (sqlite3_int64)next->size);
    sqlite3_bind_blob(q, 3, next->root, TLOG_HASH, SQLITE_STATIC);
    sqlite3_bind_int64(q, 4, (sqlite3_int64)known->size);
    if (sqlite3_step(q) != SQLITE_DONE) return fail(d, "remember");
    if (sqlite3_changes(d->db) != 1) FAIL(E_IO, "what is remembered of %s was not changed", origin);
    return OK;
}

static err decide(struct witness_db *d, int *status, struct witness_state *known, const struct witness_request *r)
{
    struct note_key keys[WITNESS_LOG_KEYS];
    struct witness_state next;
    size_t count;
    const char *origin = r->checkpoint.origin;
    TRY(keys_of(d, keys, &count, origin));
    TRY(remembered(d, known, origin));
    TRY(witness_decide(status, &next, r, known, keys, count));
    return *status == 200 ? remember(d, origin, known, &next) : OK;
}

err witness_db_decide(struct witness_db *d, int *status, struct witness_state *known, const struct witness_request *r)
{
    TRY(run(d, "BEGIN IMMEDIATE;", "begin"));
    return in_transaction(d, decide(d, status, known, r));
}
