/* book_spend.c - the account of what signatures spent from the service's limits (docs/limits.md). */
#include "daemon/book_own.h"

/* Window sums as double: they cannot overflow, whatever amounts clients claimed, and are exact below 2^53, where every limit is. */
static const double EXACT = 9007199254740992.0;

struct account { uint64_t value, count, oldest; };

err book_spend_open(struct book *b)
{
    TRY(book_prepare(b, &b->spent, "SELECT 1 FROM spends WHERE message = ?"));
    TRY(book_prepare(b, &b->spend, "INSERT INTO spends (message, key, time, value) VALUES (?,?,?,?)"));
    TRY(book_prepare(b, &b->sum, "SELECT total(value), count(*), min(time) FROM spends WHERE time > ?"));
    TRY(book_prepare(b, &b->sum_of, "SELECT total(value), count(*), min(time) FROM spends WHERE key = ?2 AND time > ?1"));
    return book_prepare(b, &b->newest, "SELECT max(time) FROM spends");
}

void book_spend_close(struct book *b)
{
    sqlite3_stmt *const all[] = { b->spent, b->spend, b->sum, b->sum_of, b->newest };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sqlite3_finalize(all[i]);
}

/* One row, or none. Out: *there. */
static err row(struct book *b, sqlite3_stmt *q, bool *there, const char *what)
{
    const int code = sqlite3_step(q);
    *there = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? OK : book_fail(b, what);
}

static err is_spent(struct book *b, bool *there, const struct wire_spend *s)
{
    sqlite3_bind_blob(b->spent, 1, s->message, 32, SQLITE_STATIC);
    err e = row(b, b->spent, there, "spent");
    sqlite3_reset(b->spent);
    return e;
}

static err newest(struct book *b, uint64_t *now)
{
    bool there;
    err e = row(b, b->newest, &there, "newest spend");
    if (!e.code && there && sqlite3_column_int64(b->newest, 0) > (sqlite3_int64)*now) *now = (uint64_t)sqlite3_column_int64(b->newest, 0);
    sqlite3_reset(b->newest);
    return e;
}

/* Of one key, or of all (NULL), later than `after`. */
static err account(struct book *b, struct account *a, uint64_t after, const uint8_t *key)
{
    sqlite3_stmt *q = key ? b->sum_of : b->sum;
    bool there;
    sqlite3_bind_int64(q, 1, (sqlite3_int64)after);
    if (key) sqlite3_bind_blob(q, 2, key, 32, SQLITE_STATIC);
    err e = row(b, q, &there, "account");
    if (!e.code) {
        const double value = sqlite3_column_double(q, 0);
        *a = (struct account){ .value = value < EXACT ? (uint64_t)value : (uint64_t)EXACT, .count = (uint64_t)sqlite3_column_int64(q, 1),
                               .oldest = (uint64_t)sqlite3_column_int64(q, 2) };
    }
    sqlite3_reset(q);
    return e;
}

static void refuse(struct book_verdict *v, enum spend_verdict why, uint64_t limit, uint64_t used)
{
    v->verdict = why;
    v->limit = limit;
    v->left = limit > used ? limit - used : 0;
}

/* Within `value` and `count` (0: no limit)? If not, *v says so. */
static err within(struct book *b, struct book_verdict *v, const struct wire_spend *s, const uint64_t limit[static 2], const uint8_t *key,
                  uint64_t window, uint64_t now)
{
    struct account a;
    if (!limit[0] && !limit[1]) return OK;
    TRY(account(b, &a, now > window ? now - window : 0, key));
    if (limit[0] && (s->value > limit[0] || a.value > limit[0] - s->value)) refuse(v, key ? SPEND_EACH_VALUE : SPEND_VALUE, limit[0], a.value);
    else if (limit[1] && a.count >= limit[1]) refuse(v, key ? SPEND_EACH_COUNT : SPEND_COUNT, limit[1], a.count);
    if (v->verdict != SPEND_GRANTED) v->wait = a.oldest ? a.oldest + window - now : 0;
    return OK;
}

static err spend_one(struct book *b, struct book_verdict *v, bool *fresh, const struct limits *l, const struct wire_spend *s, uint64_t now)
{
    const struct limits_script *own = limits_of(l, s->key);
    bool there;
    TRY(is_spent(b, &there, s));
    if (there) return OK;
    TRY(within(b, v, s, (const uint64_t[]){ l->value, l->count }, NULL, l->window, now));
    if (v->verdict == SPEND_GRANTED) TRY(within(b, v, s, (const uint64_t[]){ own->value, own->count }, s->key, l->window, now));
    if (v->verdict != SPEND_GRANTED) return OK;
    sqlite3_bind_blob(b->spend, 1, s->message, 32, SQLITE_STATIC);
    sqlite3_bind_blob(b->spend, 2, s->key, 32, SQLITE_STATIC);
    sqlite3_bind_int64(b->spend, 3, (sqlite3_int64)now);
    sqlite3_bind_int64(b->spend, 4, (sqlite3_int64)(s->value < INT64_MAX ? s->value : INT64_MAX));
    *fresh = true;
    return book_step(b, b->spend, "spend");
}

err book_spend(struct book *b, struct book_verdict *v, bool *fresh, const struct limits *limits, const struct wire_spend *s, uint32_t n, uint64_t now)
{
    *v = (struct book_verdict){ .verdict = SPEND_GRANTED };
    *fresh = false;
    TRY(book_run(b, "BEGIN IMMEDIATE;", "begin"));
    err e = newest(b, &now);
    for (uint32_t i = 0; i < n && !e.code && v->verdict == SPEND_GRANTED; i++) {
        v->which = i;
        e = spend_one(b, v, fresh, limits, &s[i], now);
    }
    if (!e.code && v->verdict == SPEND_GRANTED) e = book_run(b, "COMMIT;", "commit");
    if (!sqlite3_get_autocommit(b->db)) {          /* refused, or failed: all of it is taken back */
        *fresh = false;
        err undone = book_run(b, "ROLLBACK;", "rollback");
        if (!e.code) e = undone;
    }
    return e;
}
