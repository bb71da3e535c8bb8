/* The state database: whose it is, what it keeps, and what it refuses to open. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/book.h"
#include "support/check_main.h"

static char dir[64], path[96];
static const uint8_t ID[32] = { 1, 2, 3 }, OTHER[32] = { 9 };
static const char GENESIS[] = "{\"type\":\"holdfast-genesis\"}";

static void setup(void)
{
    strcpy(dir, "/tmp/holdfast-book-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/state.db", dir);
}

static err open_book(struct book **b, int fresh, const uint8_t id[static 32])
{
    return book_open(b, path, fresh, id, GENESIS, sizeof GENESIS - 1);
}

static struct wire_entry entry(uint8_t mark, bool signed_one)
{
    struct wire_entry e = { .status = signed_one ? 200 : 400, .inputs = 2, .signed_inputs = signed_one };
    memset(e.txid, mark, 32);
    memset(e.request_hash, mark + 1, 32);
    if (!signed_one) strcpy(e.text, "Unable to sign: no");
    strcpy(e.which, signed_one ? "0-1" : "1");
    strcpy(e.rules, "lnhance");
    return e;
}

START_TEST(what_is_written_is_read_after_reopening)
{
    struct book *b = NULL;
    struct wire_entry e = entry(7, true), got[4];
    uint64_t row = 0, total = 0;
    uint32_t n = 0;
    setup();
    ASSERT_OK(open_book(&b, 1, ID));
    ASSERT_OK(book_append(b, &row, &e));
    e = entry(8, false);
    ASSERT_OK(book_append(b, &row, &e));
    ck_assert_uint_eq(row, 2);
    ASSERT_OK(book_close(&b));
    ASSERT_OK(open_book(&b, 0, ID));
    ASSERT_OK(book_count(b, &total));
    ck_assert_uint_eq(total, 2);
    ASSERT_OK(book_list(b, got, &n, 4, 0, 0));
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(got[0].row, 2);
    ck_assert_str_eq(got[0].text, "Unable to sign: no");
    ck_assert_uint_eq(got[1].txid[31], 7);
    ck_assert_uint_eq(got[1].request_hash[0], 8);
    ck_assert_uint_eq(got[1].status, 200);
    ck_assert_str_eq(got[1].which, "0-1");
    ck_assert_str_eq(got[0].which, "1");
    ck_assert_str_eq(got[1].rules, "lnhance");
    const uint64_t time = got[1].time;
    ASSERT_OK(book_list(b, got, &n, 4, 0, time));
    ck_assert_uint_eq(n, 2);
    ASSERT_OK(book_list(b, got, &n, 4, 0, time + 100));
    ck_assert_uint_eq(n, 0);
    ck_assert_uint_gt(got[1].time, 1700000000);
    ASSERT_OK(book_list(b, got, &n, 4, 2, 0));
    ck_assert_uint_eq(n, 1);
    ASSERT_OK(book_list(b, got, &n, 1, 0, 0));
    ck_assert_uint_eq(n, 1);
    ASSERT_OK(book_close(&b));
}
END_TEST

START_TEST(only_its_own_service_opens_it)
{
    struct book *b = NULL;
    setup();
    ASSERT_CODE(open_book(&b, 0, ID), E_ABSENT);
    ck_assert_int_ne(access(path, F_OK), 0);               /* a missing file is not made */
    ASSERT_OK(open_book(&b, 1, ID));
    ASSERT_OK(book_close(&b));
    ASSERT_CODE(open_book(&b, 1, ID), E_STATE);
    ASSERT_CODE(open_book(&b, 0, OTHER), E_AUTH);
    ASSERT_CODE(book_open(&b, path, false, ID, "{}", 2), E_AUTH);
    ck_assert_ptr_null(b);
    ASSERT_OK(open_book(&b, 0, ID));
    ASSERT_OK(book_close(&b));
}
END_TEST

START_TEST(what_is_no_database_of_ours_is_refused)
{
    struct book *b = NULL;
    setup();
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 5000; i++) fputs("not a database ", f);
    fclose(f);
    ASSERT_CODE(open_book(&b, 0, ID), E_FORMAT);
    f = fopen(path, "w");                                  /* empty: SQLite would call it a new one */
    fclose(f);
    ASSERT_FAILS(open_book(&b, 0, ID));
}
END_TEST

START_TEST(refused_requests_do_not_pile_up_and_signed_ones_stay)
{
    struct book *b = NULL;
    uint64_t row = 0, total = 0;
    struct wire_entry good = entry(1, true), bad = entry(2, false);
    setup();
    ASSERT_OK(open_book(&b, 1, ID));
    for (int i = 0; i < 50; i++) ASSERT_OK(book_append(b, &row, &good));
    for (int i = 0; i < BOOK_REFUSED + 300; i++) ASSERT_OK(book_append(b, &row, &bad));
    ASSERT_OK(book_count(b, &total));
    ck_assert_uint_eq(total, 50 + BOOK_REFUSED);
    ASSERT_OK(book_append(b, &row, &good));
    ck_assert_uint_eq(row, 50 + BOOK_REFUSED + 300 + 1);   /* a row number is never used again */
    ASSERT_OK(book_close(&b));
}
END_TEST

/* What the build before this one made: its schema, word for word, with two requests in it. */
static void make_schema_1(void)
{
    static const char schema[] =
        "PRAGMA application_id = 1212564051;"
        "PRAGMA user_version = 1;"
        "CREATE TABLE service (id BLOB NOT NULL PRIMARY KEY, genesis BLOB NOT NULL);"
        "CREATE TABLE requests (row INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, txid BLOB NOT NULL,"
        " request_hash BLOB NOT NULL, status INTEGER NOT NULL, inputs INTEGER NOT NULL, signed INTEGER NOT NULL, text TEXT NOT NULL);"
        "CREATE INDEX refused ON requests (row) WHERE signed = 0;"
        "INSERT INTO service VALUES (x'0102030000000000000000000000000000000000000000000000000000000000', CAST('{\"type\":\"holdfast-genesis\"}' AS BLOB));"
        "INSERT INTO requests VALUES (1, 1700000000, zeroblob(32), zeroblob(32), 200, 2, 1, '');"
        "INSERT INTO requests VALUES (2, 1700000001, zeroblob(32), zeroblob(32), 400, 2, 0, 'no');";
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, schema, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

START_TEST(an_earlier_schema_is_brought_up)
{
    struct book *b = NULL;
    struct wire_entry got[4], e = entry(7, true);
    uint64_t row = 0;
    uint32_t n = 0;
    setup();
    make_schema_1();
    ASSERT_CODE(open_book(&b, 0, OTHER), E_AUTH);           /* and another service's is not touched */
    for (int again = 0; again < 2; again++) {
        ASSERT_OK(open_book(&b, 0, ID));
        ASSERT_OK(book_list(b, got, &n, 4, 3, 0));
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(got[0].text, "no");
        ck_assert_str_eq(got[1].rules, "");
        ck_assert_uint_eq(got[1].status, 200);
        ASSERT_OK(book_append(b, &row, &e));
        ck_assert_uint_eq(row, again ? 4 : 3);
        ASSERT_OK(book_list(b, got, &n, 1, 0, 0));
        ck_assert_str_eq(got[0].rules, "lnhance");
        ASSERT_OK(book_close(&b));
    }
}
END_TEST

START_TEST(a_later_schema_is_refused)
{
    struct book *b = NULL;
    sqlite3 *db = NULL;
    setup();
    ASSERT_OK(open_book(&b, 1, ID));
    ASSERT_OK(book_close(&b));
    static const char *const versions[] = { "PRAGMA user_version = 99;", "PRAGMA user_version = 0;" };
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(db, versions[i], NULL, NULL, NULL), SQLITE_OK);
        ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
        ASSERT_CODE(open_book(&b, 0, ID), E_FORMAT);
    }
}
END_TEST

static Suite *book_suite(void)
{
    return CHECK_SUITE("book", what_is_written_is_read_after_reopening, only_its_own_service_opens_it,
                       what_is_no_database_of_ours_is_refused, refused_requests_do_not_pile_up_and_signed_ones_stay,
                       an_earlier_schema_is_brought_up, a_later_schema_is_refused);
}
CHECK_MAIN(book_suite)
