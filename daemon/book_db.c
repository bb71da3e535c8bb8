#include "daemon/book_own.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"

enum { SCHEMA_VERSION = 2, APPLICATION_ID = 0x48464253 /* "HFBS" */ };

/* What signatures spent from the limits (book_spend.c). Kept for ever: what was spent for once is never spent for again. */
#define SPENDS \
    "CREATE TABLE spends (message BLOB NOT NULL PRIMARY KEY, key BLOB NOT NULL, time INTEGER NOT NULL, value INTEGER NOT NULL) WITHOUT ROWID;" \
    "CREATE INDEX spends_time ON spends (time, value);" \
    "CREATE INDEX spends_key ON spends (key, time, value);"

static const char SCHEMA[] =
    "PRAGMA application_id = 1212564051;"
    "PRAGMA user_version = 2;"
    "CREATE TABLE service (id BLOB NOT NULL PRIMARY KEY, genesis BLOB NOT NULL);"
    "CREATE TABLE requests (row INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, txid BLOB NOT NULL,"
    " request_hash BLOB NOT NULL, status INTEGER NOT NULL, inputs INTEGER NOT NULL, signed INTEGER NOT NULL, text TEXT NOT NULL,"
    " which TEXT NOT NULL DEFAULT '', rules TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX refused ON requests (row) WHERE signed = 0;"
    SPENDS;

/* From each earlier schema to the next one. What an earlier build did not write down stays empty. */
static const char *const STEPS[SCHEMA_VERSION] = {
    [1] = "ALTER TABLE requests ADD COLUMN which TEXT NOT NULL DEFAULT '';"
          "ALTER TABLE requests ADD COLUMN rules TEXT NOT NULL DEFAULT '';"
          SPENDS
          "PRAGMA user_version = 2;",
};

/* Durable is what is sealed, not what is in this enclave's memory: so no fsync for
 * each request. A freeze sees all writes in their order, and SQLite's rollback
 * journal then makes any cut between two of them whole again. */
static const char SETTINGS[] =
    "PRAGMA journal_mode = PERSIST;"
    "PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA synchronous = OFF;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA trusted_schema = OFF;";

err book_fail(struct book *b, const char *what)
{
    int code = b->db ? sqlite3_errcode(b->db) : SQLITE_NOMEM;
    const char *words = b->db ? sqlite3_errmsg(b->db) : "no memory";
    if (code == SQLITE_FULL) FAIL(E_LIMIT, "%s: the state disk is full", what);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) FAIL(E_FORMAT, "%s: %s", what, words);
    FAIL(E_IO, "%s: %s", what, words);
}

err book_run(struct book *b, const char *sql, const char *what)
{
    if (sqlite3_exec(b->db, sql, NULL, NULL, NULL) != SQLITE_OK) return book_fail(b, what);
    return OK;
}

err book_prepare(struct book *b, sqlite3_stmt **out, const char *sql)
{
    if (sqlite3_prepare_v2(b->db, sql, -1, out, NULL) != SQLITE_OK) return book_fail(b, "prepare");
    return OK;
}

static err number(struct book *b, sqlite3_int64 *out, const char *sql)
{
    sqlite3_stmt *q = NULL;
    TRY(book_prepare(b, &q, sql));
    int code = sqlite3_step(q);
    if (code == SQLITE_ROW) *out = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    if (code != SQLITE_ROW) return book_fail(b, sql);
    return OK;
}

static err begin(struct book *b, const uint8_t id[static 32], const void *genesis, size_t n)
{
    sqlite3_stmt *q = NULL;
    TRY(book_run(b, "BEGIN EXCLUSIVE;", "begin"));
    TRY(book_run(b, SCHEMA, "schema"));
    TRY(book_prepare(b, &q, "INSERT INTO service VALUES (?, ?)"));
    sqlite3_bind_blob(q, 1, id, 32, SQLITE_STATIC);
    sqlite3_bind_blob(q, 2, genesis, (int)n, SQLITE_STATIC);
    int code = sqlite3_step(q);
    sqlite3_finalize(q);
    if (code != SQLITE_DONE) return book_fail(b, "first row");
    return book_run(b, "COMMIT;", "commit");
}

/* All steps or none: a database between two schemas would be nobody's. */
static err migrate(struct book *b, int version)
{
    log_info("the state database is of schema %d: it becomes %d", version, SCHEMA_VERSION);
    TRY(book_run(b, "BEGIN EXCLUSIVE;", "begin"));
    err e = OK;
    for (; !e.code && version < SCHEMA_VERSION; version++) e = book_run(b, STEPS[version], "migration");
    if (!e.code) e = book_run(b, "COMMIT;", "commit");
    if (e.code && !sqlite3_get_autocommit(b->db)) err_drop(book_run(b, "ROLLBACK;", "rollback"));
    return e;
}

/* The disk was authenticated as this service's; that the database on it says the
 * same is one more lock on the same door, and cheap. */
static err recognise(struct book *b, const uint8_t id[static 32], const void *genesis, size_t n)
{
    sqlite3_int64 application = 0, version = 0;
    TRY(number(b, &application, "PRAGMA application_id"));
    TRY(number(b, &version, "PRAGMA user_version"));
    if (application != APPLICATION_ID) FAIL(E_FORMAT, "the state database is not ours");
    if (version < 1 || version > SCHEMA_VERSION) FAIL(E_FORMAT, "state database of schema %d: this build knows 1 to %d", (int)version, SCHEMA_VERSION);
    sqlite3_stmt *q = NULL;
    TRY(book_prepare(b, &q, "SELECT count(*) FROM service WHERE id = ? AND genesis = ?"));
    sqlite3_bind_blob(q, 1, id, 32, SQLITE_STATIC);
    sqlite3_bind_blob(q, 2, genesis, (int)n, SQLITE_STATIC);
    bool same = sqlite3_step(q) == SQLITE_ROW && sqlite3_column_int(q, 0) == 1;
    sqlite3_finalize(q);
    if (!same) FAIL(E_AUTH, "the state database is another service's");
    return version == SCHEMA_VERSION ? OK : migrate(b, (int)version);
}

static err prepare_all(struct book *b)
{
    TRY(book_prepare(b, &b->append, "INSERT INTO requests (time, txid, request_hash, status, inputs, signed, text, which, rules) VALUES (?,?,?,?,?,?,?,?,?)"));
    TRY(book_prepare(b, &b->trim, "DELETE FROM requests WHERE signed = 0 AND row <= "
                             "(SELECT row FROM requests WHERE signed = 0 ORDER BY row DESC LIMIT 1 OFFSET ?)"));
    TRY(book_prepare(b, &b->count, "SELECT count(*) FROM requests"));
    TRY(book_spend_open(b));
    return book_prepare(b, &b->list, "SELECT row, time, txid, request_hash, status, inputs, signed, text, which, rules FROM requests "
                                "WHERE row < ? AND time >= ? ORDER BY row DESC LIMIT ?");
}

static err open_all(struct book *b, const char *path, bool fresh, const uint8_t id[static 32], const void *genesis, size_t n)
{
    bool there = access(path, F_OK) == 0;
    if (fresh && there) FAIL(E_STATE, "a new disk already has a state database");
    if (!fresh && !there) FAIL(E_ABSENT, "the restored disk has no state database");
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | (fresh ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(path, &b->db, flags, NULL) != SQLITE_OK) return book_fail(b, "open");
    sqlite3_extended_result_codes(b->db, 0);
    TRY(book_run(b, SETTINGS, "settings"));
    TRY(fresh ? begin(b, id, genesis, n) : recognise(b, id, genesis, n));
    return prepare_all(b);
}

err book_open(struct book **out, const char *path, bool fresh, const uint8_t service_id[static 32],
              const void *genesis, size_t genesis_len)
{
    struct book *b = calloc(1, sizeof *b);
    if (!b) FAIL(E_MEMORY, "book");
    err e = open_all(b, path, fresh, service_id, genesis, genesis_len);
    if (e.code) err_drop(book_close(&b));
    *out = b;
    return e;
}

err book_close(struct book **book)
{
    struct book *b = *book;
    *book = NULL;
    if (!b) return OK;
    sqlite3_finalize(b->append);
    sqlite3_finalize(b->trim);
    sqlite3_finalize(b->count);
    sqlite3_finalize(b->list);
    book_spend_close(b);
    int code = sqlite3_close(b->db);
    free(b);
    if (code != SQLITE_OK) FAIL(E_IO, "the state database did not close: %s", sqlite3_errstr(code));
    return OK;
}

err book_step(struct book *b, sqlite3_stmt *q, const char *what)
{
    int code = sqlite3_step(q);
    err e = code == SQLITE_DONE ? OK : book_fail(b, what);
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return e;
}

static err append_and_trim(struct book *b, const struct wire_entry *e)
{
    sqlite3_stmt *q = b->append;
    sqlite3_bind_int64(q, 1, (sqlite3_int64)time(NULL));
    sqlite3_bind_blob(q, 2, e->txid, 32, SQLITE_STATIC);
    sqlite3_bind_blob(q, 3, e->request_hash, 32, SQLITE_STATIC);
    sqlite3_bind_int(q, 4, e->status);
    sqlite3_bind_int64(q, 5, e->inputs);
    sqlite3_bind_int64(q, 6, e->signed_inputs);
    sqlite3_bind_text(q, 7, e->text, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 8, e->which, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 9, e->rules, -1, SQLITE_STATIC);
    TRY(book_step(b, q, "append"));
    if (e->signed_inputs) return OK;
    /* Anybody can be refused any number of times: that must not fill the disk. */
    sqlite3_bind_int(b->trim, 1, BOOK_REFUSED);
    return book_step(b, b->trim, "trim");
}

err book_append(struct book *b, uint64_t *row, const struct wire_entry *e)
{
    TRY(book_run(b, "BEGIN IMMEDIATE;", "begin"));
    err failed = append_and_trim(b, e);
    *row = (uint64_t)sqlite3_last_insert_rowid(b->db);
    if (!failed.code) failed = book_run(b, "COMMIT;", "commit");
    if (failed.code && !sqlite3_get_autocommit(b->db)) err_drop(book_run(b, "ROLLBACK;", "rollback"));
    return failed;
}

err book_count(struct book *b, uint64_t *total)
{
    int code = sqlite3_step(b->count);
    *total = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(b->count, 0) : 0;
    err e = code == SQLITE_ROW ? OK : book_fail(b, "count");
    sqlite3_reset(b->count);
    return e;
}

static bool copy_blob(uint8_t *out, sqlite3_stmt *q, int column)
{
    const void *p = sqlite3_column_blob(q, column);
    if (!p || sqlite3_column_bytes(q, column) != 32) return false;
    memcpy(out, p, 32);
    return true;
}

static void copy_text(char *out, size_t room, sqlite3_stmt *q, int column)
{
    const char *text = (const char *)sqlite3_column_text(q, column);
    if (text) strncpy(out, text, room - 1);
}

static bool row_of(struct wire_entry *e, sqlite3_stmt *q)
{
    memset(e, 0, sizeof *e);
    e->row = (uint64_t)sqlite3_column_int64(q, 0);
    e->time = (uint64_t)sqlite3_column_int64(q, 1);
    e->status = (uint16_t)sqlite3_column_int(q, 4);
    e->inputs = (uint32_t)sqlite3_column_int64(q, 5);
    e->signed_inputs = (uint32_t)sqlite3_column_int64(q, 6);
    copy_text(e->text, sizeof e->text, q, 7);
    copy_text(e->which, sizeof e->which, q, 8);
    copy_text(e->rules, sizeof e->rules, q, 9);
    return copy_blob(e->txid, q, 2) && copy_blob(e->request_hash, q, 3);
}

err book_list(struct book *b, struct wire_entry *out, uint32_t *n, uint32_t limit, uint64_t before, uint64_t since)
{
    sqlite3_stmt *q = b->list;
    sqlite3_bind_int64(q, 1, before && before <= INT64_MAX ? (sqlite3_int64)before : INT64_MAX);
    sqlite3_bind_int64(q, 2, since <= INT64_MAX ? (sqlite3_int64)since : INT64_MAX);
    sqlite3_bind_int64(q, 3, limit);
    int code = SQLITE_ROW;
    bool whole = true;
    for (*n = 0; *n < limit && whole && (code = sqlite3_step(q)) == SQLITE_ROW; )
        if ((whole = row_of(&out[*n], q))) ++*n;
    err e = !whole || (code != SQLITE_ROW && code != SQLITE_DONE) ? book_fail(b, "list") : OK;
    sqlite3_reset(q);
    return e;
}
