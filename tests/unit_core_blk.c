/* Storage: over files, in memory with a power cut, with faults. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/blk.h"
#include "core/mem.h"
#include "tests/support/check_main.h"

static struct blk *over_memfd(uint64_t size)
{
    FD fd = memfd_create("blk", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    struct blk *b = NULL;
    ASSERT_OK(blk_from_fd(&b, &fd));
    ck_assert_int_eq(fd, -1);
    return b;
}

static void bounds(struct blk *b)
{
    char c[2] = { 0, 0 };
    uint64_t n = b->size(b);
    ASSERT_OK(b->write_at(b, "xy", 2, n - 2));
    ASSERT_OK(b->read_at(b, c, 2, n - 2));
    ck_assert_mem_eq(c, "xy", 2);
    ASSERT_CODE(b->write_at(b, c, 2, n - 1), E_LIMIT);
    ASSERT_CODE(b->read_at(b, c, 2, n - 1), E_LIMIT);
    ASSERT_CODE(b->read_at(b, c, 1, n), E_LIMIT);
    ASSERT_CODE(b->read_at(b, c, 1, UINT64_MAX), E_LIMIT);
    ASSERT_CODE(b->write_at(b, c, 2, UINT64_MAX), E_LIMIT);
    ASSERT_OK(b->read_at(b, c, 0, n));
    ASSERT_OK(b->write_at(b, c, 0, n));
    ASSERT_CODE(b->read_at(b, c, 0, n + 1), E_LIMIT);
}

START_TEST(a_file_is_storage)
{
    BLK b = over_memfd(10000);
    ck_assert_uint_eq(b->size(b), 10000);
    bounds(b);
    ASSERT_OK(b->sync(b));
}
END_TEST

START_TEST(other_things_are_no_storage)
{
    int fd[2];
    struct blk *b = (void *)1;
    ck_assert_int_eq(pipe(fd), 0);
    ASSERT_CODE(blk_from_fd(&b, &fd[0]), E_FORMAT);
    ck_assert_ptr_null(b);
    ck_assert_int_eq(fd[0], -1);
    int bad = 4000;
    ASSERT_CODE(blk_from_fd(&b, &bad), E_IO);
    close(fd[1]);
}
END_TEST

START_TEST(a_file_that_shrinks_is_an_error)
{
    FD fd = memfd_create("blk", MFD_CLOEXEC);
    FD other = dup(fd);
    char c[100];
    ck_assert_int_eq(ftruncate(fd, 100), 0);
    BLK b = NULL;
    ASSERT_OK(blk_from_fd(&b, &fd));
    ck_assert_int_eq(ftruncate(other, 50), 0);
    ASSERT_OK(b->read_at(b, c, 50, 0));
    ASSERT_CODE(b->read_at(b, c, 51, 0), E_IO);
}
END_TEST

START_TEST(holes_of_a_file_are_known)
{
    FD fd = memfd_create("blk", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
    ck_assert_int_eq(pwrite(fd, "x", 1, 65536), 1);
    BLK b = NULL;
    ASSERT_OK(blk_from_fd(&b, &fd));
    uint64_t from = 0, to = 0;
    ASSERT_OK(blk_next_data(b, &from, &to, 0));
    ck_assert(from <= 65536 && to > 65536);
    ck_assert(from > 0 && to < 1 << 20);
    ASSERT_OK(blk_next_data(b, &from, &to, to));
    ck_assert_uint_eq(from, 1 << 20);
    ck_assert_uint_eq(to, 1 << 20);
    ASSERT_OK(blk_next_data(b, &from, &to, UINT64_MAX));
    ck_assert_uint_eq(from, 1 << 20);
    /* Where holes are not known, all may be data. */
    struct blk_power p = { 0 };
    BLK m = NULL;
    ASSERT_OK(blk_volatile(&m, 100, &p));
    ASSERT_OK(blk_next_data(m, &from, &to, 7));
    ck_assert(from == 7 && to == 100);
}
END_TEST

/* A file that is all there is not searched; one page less, and the hole is found. */
START_TEST(a_hole_in_a_whole_file_is_known)
{
    enum { SIZE = 1 << 20, PAGE = 4096, AT = 40 * PAGE };
    static uint8_t all[SIZE];
    FD fd = memfd_create("blk", MFD_CLOEXEC);
    FD other = dup(fd);
    memset(all, 1, sizeof all);
    ck_assert_int_eq(pwrite(fd, all, SIZE, 0), SIZE);
    BLK b = NULL;
    ASSERT_OK(blk_from_fd(&b, &fd));
    uint64_t from = 0, to = 0;
    ASSERT_OK(blk_next_data(b, &from, &to, 5 * PAGE));
    ck_assert(from == 5 * PAGE && to == SIZE);
    ck_assert_int_eq(fallocate(other, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, AT, PAGE), 0);
    ASSERT_OK(blk_next_data(b, &from, &to, 0));
    ck_assert(from == 0 && to == AT);
    ASSERT_OK(blk_next_data(b, &from, &to, AT));
    ck_assert(from == AT + PAGE && to == SIZE);
}
END_TEST

START_TEST(memory_is_storage)
{
    struct blk_power p = { 0 };
    BLK b = NULL;
    ASSERT_OK(blk_volatile(&b, 1000, &p));
    ck_assert_uint_eq(b->size(b), 1000);
    bounds(b);
    ASSERT_OK(b->sync(b));
    ck_assert_uint_eq(p.calls, 3);                 /* two writes (one empty) and a sync */
}
END_TEST

static void expect(struct blk *b, const char *want)
{
    char got[9] = "";
    ASSERT_OK(b->read_at(b, got, 8, 0));
    ck_assert_str_eq(got, want);
}

/* write AAAAAAAA, sync, write BB at 0, write CC at 2, write DD at 4: what a cut leaves. */
static void cut(unsigned long kept, const char *want)
{
    struct blk_power p = { .kept = kept };
    BLK b = NULL;
    ASSERT_OK(blk_volatile(&b, 8, &p));
    ASSERT_OK(b->write_at(b, "AAAAAAAA", 8, 0));
    ASSERT_OK(b->sync(b));
    ASSERT_OK(b->write_at(b, "BB", 2, 0));
    ASSERT_OK(b->write_at(b, "CC", 2, 2));
    ASSERT_OK(b->write_at(b, "DD", 2, 4));
    expect(b, "BBCCDDAA");
    ASSERT_OK(blk_power_back(b));
    expect(b, want);
    /* And what was found is what stays. */
    ASSERT_OK(blk_power_back(b));
    expect(b, want);
}

START_TEST(a_cut_tears_the_last_kept_write)
{
    cut(0, "AAAAAAAA");
    cut(1, "BAAAAAAA");
    cut(2, "BBCAAAAA");
    cut(3, "BBCCDAAA");
    cut(9, "BBCCDAAA");
}
END_TEST

START_TEST(the_power_goes_out_when_asked)
{
    char c;
    for (unsigned long stop = 1; stop <= 4; stop++) {
        struct blk_power p = { .stop_after = stop };
        BLK b = NULL;
        ASSERT_OK(blk_volatile(&b, 8, &p));
        unsigned long done = 0;
        done += b->write_at(b, "1", 1, 0).code == E_OK;
        done += b->sync(b).code == E_OK;
        done += b->write_at(b, "2", 1, 1).code == E_OK;
        done += b->write_at(b, "3", 1, 2).code == E_OK;
        done += b->sync(b).code == E_OK;
        ck_assert_uint_eq(done, stop);
        ASSERT_CODE(b->read_at(b, &c, 1, 0), E_IO);
        ASSERT_OK(blk_power_back(b));
        ASSERT_OK(b->read_at(b, &c, 1, 0));
        ck_assert_int_eq(c, stop >= 2 ? '1' : 0);
        ASSERT_OK(b->read_at(b, &c, 1, 1));
        ck_assert_int_eq(c, 0);
        ASSERT_OK(b->sync(b));
    }
}
END_TEST

START_TEST(a_fault_strikes_the_call_it_names)
{
    struct blk_faults f = { 0, 2 };
    char c;
    uint64_t from, to;
    BLK inner = over_memfd(16);
    BLK b = NULL;
    ASSERT_OK(blk_faulty(&b, &inner, &f));
    ck_assert_ptr_null(inner);
    ck_assert_uint_eq(b->size(b), 16);
    ASSERT_OK(b->write_at(b, "a", 1, 0));
    ASSERT_CODE(b->sync(b), E_IO);
    ASSERT_OK(b->sync(b));
    ASSERT_OK(b->read_at(b, &c, 1, 0));
    ASSERT_OK(blk_next_data(b, &from, &to, 0));
    ck_assert_uint_eq(f.calls, 5);
    f = (struct blk_faults){ 0, 1 };
    ASSERT_CODE(b->read_at(b, &c, 1, 0), E_IO);
    ASSERT_CODE(b->read_at(b, &c, 1, 16), E_LIMIT);
}
END_TEST

/* Random writes, syncs and cuts: what was synced is there, and every other byte is
 * what it was at the sync or what was written there since. */
START_TEST(property_synced_bytes_survive)
{
    enum { SIZE = 64 };
    srand(4242);
    for (int round = 0; round < 3000; round++) {
        struct blk_power p = { .stop_after = 1 + (unsigned long)rand() % 20, .kept = (unsigned long)rand() % 8 };
        uint8_t durable[SIZE] = { 0 }, now[SIZE] = { 0 }, found[SIZE];
        bool written[SIZE] = { false };
        BLK b = NULL;
        ASSERT_OK(blk_volatile(&b, SIZE, &p));
        for (int step = 1;; step++) {
            uint8_t value[16];
            size_t n = 1 + (size_t)rand() % 16, at = (size_t)rand() % (SIZE - n + 1);
            memset(value, step, n);
            if (rand() % 4 == 0) {
                if (b->sync(b).code != E_OK)
                    break;
                memcpy(durable, now, SIZE);
                memset(written, 0, sizeof written);
            } else {
                if (b->write_at(b, value, n, at).code != E_OK)
                    break;
                memcpy(now + at, value, n);
                memset(written + at, 1, n);
            }
        }
        ASSERT_OK(blk_power_back(b));
        ASSERT_OK(b->read_at(b, found, SIZE, 0));
        int lost = 0;
        for (size_t i = 0; i < SIZE; i++)
            lost += !written[i] && found[i] != durable[i];
        ck_assert_int_eq(lost, 0);
    }
}
END_TEST

/* Bytes are looked at where they lie, as they are now; what cannot show them reads. */
START_TEST(a_look)
{
    static uint8_t room[4096];
    const uint8_t *p = NULL;
    FD fd = memfd_create("blk", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
    BLK b = NULL;
    ASSERT_OK(blk_from_fd(&b, &fd));
    ASSERT_OK(b->write_at(b, "one", 3, 65536));
    ASSERT_OK(blk_look(&p, b, room, sizeof room, 65536));
    ck_assert(p != room && memcmp(p, "one", 3) == 0);
    ASSERT_OK(b->write_at(b, "two", 3, 65536));
    ck_assert_mem_eq(p, "two", 3);
    ASSERT_CODE(blk_look(&p, b, room, sizeof room, (1 << 20) - 4095), E_LIMIT);
    ASSERT_CODE(blk_look(&p, b, room, sizeof room, UINT64_MAX - 10), E_LIMIT);
    struct blk_power power = { 0 };
    BLK m = NULL;
    ASSERT_OK(blk_volatile(&m, 8192, &power));
    ASSERT_OK(m->write_at(m, "three", 5, 4096));
    ASSERT_OK(blk_look(&p, m, room, sizeof room, 4096));
    ck_assert(p == room && memcmp(p, "three", 5) == 0);
    ASSERT_CODE(blk_look(&p, m, room, sizeof room, 4097), E_LIMIT);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core/blk", a_file_is_storage, other_things_are_no_storage, a_file_that_shrinks_is_an_error,
                       holes_of_a_file_are_known, a_hole_in_a_whole_file_is_known, memory_is_storage, a_cut_tears_the_last_kept_write,
                       the_power_goes_out_when_asked, a_fault_strikes_the_call_it_names,
                       property_synced_bytes_survive, a_look);
}

CHECK_MAIN(suite)
