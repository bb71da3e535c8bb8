/* The role disk against a parent that lies about the log's entries: what has not the shape of an answer is not handed on, and the role goes on. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/disk_case.h"

/* ---- what the parent says ---- */

static void say_entries(int fd, const struct msg *q, uint32_t count, uint32_t given, uint32_t size, size_t more)
{
    static uint8_t body[1 << 20];
    struct wr w = wr_of(body, sizeof body);
    wr_u32(&w, count);
    for (uint32_t i = 0; i < given; i++) {
        wr_u32(&w, size);
        memset(wr_room(&w, size), 'e', size);
    }
    for (; more; more--) wr_u8(&w, 0);
    ASSERT_OK(wr_end(&w, "entries"));
    ASSERT_OK(msg_send(fd, LINK_LOG_ENTRIES, q->seq, body, w.len, DEADLINE_MS));
}

static void say_proof(int fd, const struct msg *q, uint32_t count, uint32_t given, size_t more)
{
    static uint8_t body[LINK_PROOF_MAX + 128];
    struct wr w = wr_of(body, sizeof body);
    wr_u32(&w, count);
    memset(wr_room(&w, 32 * given + more), 'h', 32 * given + more);
    ASSERT_OK(msg_send(fd, LINK_LOG_PROOF, q->seq, body, w.len, DEADLINE_MS));
}

SAYS(one) ck_assert_uint_eq(q->type, LINK_LOG_READ); say_entries(fd, q, 1, 1, 5, 0); }
SAYS(two) say_entries(fd, q, 2, 2, 5, 0); }
SAYS(large) say_entries(fd, q, 1, 1, TAIL_ENTRY_MAX, 0); }
SAYS(three) say_entries(fd, q, 3, 3, 5, 0); }
SAYS(none) say_entries(fd, q, 0, 0, 5, 0); }
SAYS(countless) say_entries(fd, q, UINT32_MAX, 2, 5, 0); }
SAYS(fewer_than_said) say_entries(fd, q, 2, 1, 5, 0); }
SAYS(more_than_said) say_entries(fd, q, 1, 2, 5, 0); }
SAYS(too_large) say_entries(fd, q, 1, 1, TAIL_ENTRY_MAX + 1, 0); }
SAYS(an_empty_one) say_entries(fd, q, 2, 2, 0, 0); }
SAYS(bytes_behind) say_entries(fd, q, 1, 1, 5, 1); }
SAYS(no_count) ASSERT_OK(msg_send(fd, LINK_LOG_ENTRIES, q->seq, "ab", 2, DEADLINE_MS)); }
SAYS(another_number) say_entries(fd, &(struct msg){ .seq = (uint16_t)(q->seq + 1) }, 1, 1, 5, 0); }
SAYS(refuses) ASSERT_OK(msg_send_error(fd, q, (err){ E_STATE })); }
SAYS(odd_error) ASSERT_OK(msg_send(fd, MSG_ERROR, q->seq, "\xee", 1, DEADLINE_MS)); }
SAYS(another_frame) ASSERT_OK(msg_send(fd, LINK_ANCHORED, q->seq, "", 0, DEADLINE_MS)); }
SAYS(endless) ck_assert_int_eq(write(fd, "\xf0\xff\xff\xff\x10\x01\1\0", 8), 8); }
SAYS(hangs_up) shutdown(fd, SHUT_RDWR); }
SAYS(one_and_hangs_up) say_entries(fd, q, 1, 1, 5, 0); shutdown(fd, SHUT_RDWR); }
SAYS(one_and_more) say_entries(fd, q, 1, 1, 5, 0); say_entries(fd, q, 1, 1, 5, 0); }
SAYS(silent) }
SAYS(when_told) char c; ck_assert_int_eq(read(gate, &c, 1), 1); say_entries(fd, q, 1, 1, 5, 0); }
SAYS(two_hashes) ck_assert_uint_eq(q->type, LINK_LOG_PROVE); say_proof(fd, q, 2, 2, 0); }
SAYS(no_hash) say_proof(fd, q, 0, 0, 0); }
SAYS(all_hashes) say_proof(fd, q, 63, 63, 0); }
SAYS(a_hash_too_many) say_proof(fd, q, 64, 64, 0); }
SAYS(a_hash_missing) say_proof(fd, q, 2, 1, 0); }
SAYS(half_a_hash) say_proof(fd, q, 2, 1, 16); }
SAYS(hash_behind) say_proof(fd, q, 1, 2, 0); }

/* ---- questions ---- */

static void ask_entries(struct bench *b, uint64_t from, uint32_t limit)
{
    uint8_t body[12];
    int none = -1;
    struct wr w = wr_of(body, sizeof body);
    wr_u64(&w, from);
    wr_u32(&w, limit);
    ASSERT_OK(disk_on_log_read(&b->d, b->env.peer[ROLE_WEB], &(struct msg){ DISK_LOG_READ, 0x8001, 12, body }, &none));
}

static void ask_proof(struct bench *b, uint8_t what, uint64_t old, uint64_t size)
{
    uint8_t body[17];
    int none = -1;
    struct wr w = wr_of(body, sizeof body);
    wr_u8(&w, what);
    wr_u64(&w, old);
    wr_u64(&w, size);
    ASSERT_OK(disk_on_log_prove(&b->d, b->env.peer[ROLE_WEB], &(struct msg){ DISK_LOG_PROVE, 0x8002, 17, body }, &none));
}

/* Take what the parent says until web has its answer. Returns the outcome; LOG_OUTCOMES: a wrong frame. */
static uint8_t outcome(struct bench *b, uint16_t type, size_t *n)
{
    struct msg m;
    while (!(m = bench_heard(b->web)).type) ASSERT_OK(bench_deliver(b, FROM_LOG));
    ck_assert(!b->d.read.asking && m.seq == (type == DISK_LOG_ENTRIES ? 0x8001 : 0x8002));
    *n = m.len;
    if (m.type != type || m.len == 0 || (m.body[0] != LOG_READ && m.len != 1)) return LOG_OUTCOMES;
    return m.body[0];
}

START_TEST(only_shapes_of_entries_are_handed_on)
{
    static const struct { say *says; uint8_t outcome; } rows[] = {
        { one, LOG_READ }, { two, LOG_READ }, { large, LOG_READ }, { three, LOG_ODD }, { none, LOG_ODD }, { countless, LOG_ODD }, { fewer_than_said, LOG_ODD }, { more_than_said, LOG_ODD },
        { too_large, LOG_ODD }, { an_empty_one, LOG_ODD }, { bytes_behind, LOG_ODD }, { no_count, LOG_ODD }, { another_number, LOG_ODD }, { refuses, LOG_ODD }, { odd_error, LOG_ODD },
        { another_frame, LOG_ODD }, { endless, LOG_AWAY }, { hangs_up, LOG_AWAY }, { one, LOG_READ },
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    static say *script[ROWS + 1];
    static struct bench b;
    for (unsigned i = 0; i < ROWS; i++) script[i] = rows[i].says;
    bench_open(&b, script, false);
    ck_assert_uint_eq(journal_size(b.d.journal), 2);
    for (unsigned i = 0; i < ROWS; i++) {
        size_t n = 0;
        ask_entries(&b, 0, 2);
        const uint8_t got = outcome(&b, DISK_LOG_ENTRIES, &n);
        ck_assert_msg(got == rows[i].outcome, "row %u: outcome %u", i, got);
        if (rows[i].says == two) ck_assert_uint_eq(n, 1 + 16 + 4 + 2 * 9);
    }
    bench_close(&b);
}
END_TEST

START_TEST(only_shapes_of_proofs_are_handed_on)
{
    static const struct { say *says; uint8_t outcome; } rows[] = {
        { two_hashes, LOG_READ }, { no_hash, LOG_READ }, { all_hashes, LOG_READ }, { a_hash_too_many, LOG_ODD }, { a_hash_missing, LOG_ODD }, { half_a_hash, LOG_ODD }, { hash_behind, LOG_ODD },
        { one, LOG_ODD }, { refuses, LOG_ODD }, { two_hashes, LOG_READ },
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    static say *script[ROWS + 1];
    static struct bench b;
    for (unsigned i = 0; i < ROWS; i++) script[i] = rows[i].says == one ? two : rows[i].says;
    bench_open(&b, script, false);
    for (unsigned i = 0; i < ROWS; i++) {
        size_t n = 0;
        ask_proof(&b, i % 2 ? LINK_PROVE_ENTRY : LINK_PROVE_GROWTH, 1, 2);
        const uint8_t got = outcome(&b, DISK_LOG_PROOF, &n);
        ck_assert_msg(got == rows[i].outcome, "row %u: outcome %u", i, got);
        if (got == LOG_READ && i == 0) ck_assert_uint_eq(n, 1 + 4 + 64);
    }
    bench_close(&b);
}
END_TEST

START_TEST(what_is_not_there_is_not_asked_for)
{
    static say *const script[] = { NULL };
    static struct bench b;
    size_t n = 0;
    bench_open(&b, script, false);
    ask_entries(&b, 2, 1);                       /* the log's end: nothing, and no error */
    ck_assert(outcome(&b, DISK_LOG_ENTRIES, &n) == LOG_READ && n == 1 + 16 + 4);
    ask_entries(&b, 3, 1);
    ck_assert_uint_eq(outcome(&b, DISK_LOG_ENTRIES, &n), LOG_OUT_OF_RANGE);
    static const struct { uint8_t what; uint64_t old, size; } rows[] = { { LINK_PROVE_GROWTH, 0, 3 }, { LINK_PROVE_GROWTH, 2, 1 }, { LINK_PROVE_ENTRY, 2, 2 }, { LINK_PROVE_ENTRY, 0, UINT64_MAX } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask_proof(&b, rows[i].what, rows[i].old, rows[i].size);
        ck_assert_uint_eq(outcome(&b, DISK_LOG_PROOF, &n), LOG_OUT_OF_RANGE);
    }
    ck_assert_int_eq(b.d.read.fd, -1);
    bench_close(&b);
}
END_TEST

/* A parent that ends a connection between two questions costs nothing; one that speaks there is left. */
START_TEST(a_connection_is_kept_and_replaced)
{
    static say *const script[] = { one, one, one_and_hangs_up, one, hangs_up, one, one_and_more, one, NULL };
    static struct bench b;
    size_t n = 0;
    bench_open(&b, script, false);
    for (unsigned i = 0; i < 7; i++) {           /* one of the eight is asked twice */
        const bool had = b.d.read.fd >= 0;
        ask_entries(&b, 0, 2);
        ck_assert(b.d.read.reused == had || i == 3 || i == 6);
        ck_assert_msg(outcome(&b, DISK_LOG_ENTRIES, &n) == LOG_READ, "question %u", i);
        if (i == 5) {
            ASSERT_OK(bench_deliver(&b, FROM_LOG));
            ck_assert_int_eq(b.d.read.fd, -1);
        }
    }
    bench_close(&b);
}
END_TEST

START_TEST(one_at_a_time_and_not_for_ever)
{
    static say *const script[] = { when_told, one, silent, one, NULL };
    static struct bench b;
    int timeout = -1;
    size_t n = 0;
    bench_open(&b, script, false);
    ask_entries(&b, 0, 2);
    ASSERT_OK(bench_deliver(&b, FROM_LOG));      /* the greeting */
    ask_entries(&b, 0, 2);                       /* another one meanwhile */
    struct msg m = bench_heard(b.web);
    ck_assert(m.type == DISK_LOG_ENTRIES && m.len == 1 && m.body[0] == LOG_BUSY && b.d.read.asking);
    ASSERT_OK(disk_read_tick(&b.d, &timeout));
    ck_assert(timeout > 0 && !bench_heard(b.web).type);
    b.d.read.until_ms = 0;                       /* its client has waited enough, the connection has not */
    ASSERT_OK(disk_read_tick(&b.d, &timeout));
    ck_assert_uint_eq(outcome(&b, DISK_LOG_ENTRIES, &n), LOG_LATE);
    ask_proof(&b, LINK_PROVE_GROWTH, 0, 1);
    ck_assert_uint_eq(outcome(&b, DISK_LOG_PROOF, &n), LOG_BUSY);
    ck_assert_int_eq(write(b.gate[1], "g", 1), 1);
    ASSERT_OK(bench_deliver(&b, FROM_LOG));      /* too late to be handed on */
    ck_assert(!bench_heard(b.web).type && b.d.read.fd >= 0);
    ask_entries(&b, 0, 2);
    ck_assert(b.d.read.reused && outcome(&b, DISK_LOG_ENTRIES, &n) == LOG_READ);
    ask_entries(&b, 0, 2);                       /* silence */
    for (unsigned i = 0; i < 2; i++) {
        b.d.read.until_ms = 0;
        ASSERT_OK(disk_read_tick(&b.d, &timeout));
    }
    ck_assert(outcome(&b, DISK_LOG_ENTRIES, &n) == LOG_LATE && b.d.read.fd == -1);
    ask_entries(&b, 0, 2);
    ck_assert_uint_eq(outcome(&b, DISK_LOG_ENTRIES, &n), LOG_READ);
    bench_close(&b);
}
END_TEST

START_TEST(nobody_greets)
{
    static say *const script[] = { NULL };
    static struct bench b;
    size_t n = 0;
    bench_open(&b, script, true);
    for (unsigned i = 0; i < 2; i++) {
        ask_entries(&b, 0, 2);
        ck_assert(outcome(&b, DISK_LOG_ENTRIES, &n) == LOG_AWAY && b.d.read.fd == -1);
    }
    bench_close(&b);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("daemon_disk_read", only_shapes_of_entries_are_handed_on, only_shapes_of_proofs_are_handed_on, what_is_not_there_is_not_asked_for, a_connection_is_kept_and_replaced,
                       one_at_a_time_and_not_for_ever, nobody_greets);
}

CHECK_MAIN(suite)
