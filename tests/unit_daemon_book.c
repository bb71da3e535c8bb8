/* The state database: whose it is, what it keeps, and what it refuses to open. */
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
    ASSERT_OK(book_list(b, got, &n, 4, 0));
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(got[0].row, 2);
    ck_assert_str_eq(got[0].text, "Unable to sign: no");
    ck_assert_uint_eq(got[1].txid[31], 7);
    ck_assert_uint_eq(got[1].request_hash[0], 8);
    ck_assert_uint_eq(got[1].status, 200);
    ck_assert_uint_gt(got[1].time, 1700000000);
    ASSERT_OK(book_list(b, got, &n, 4, 2));
    ck_assert_uint_eq(n, 1);
    ASSERT_OK(book_list(b, got, &n, 1, 0));
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

static Suite *book_suite(void)
{
    return CHECK_SUITE("book", what_is_written_is_read_after_reopening, only_its_own_service_opens_it,
                       what_is_no_database_of_ours_is_refused, refused_requests_do_not_pile_up_and_signed_ones_stay);
}
CHECK_MAIN(book_suite)
