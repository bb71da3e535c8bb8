/* The role disk against a parent that lies about witnesses: whatever it answers, the role goes on, and nothing is taken for
 * cosigned that is not. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/disk_case.h"
#include "tests/log_case.h"

enum { LINES = 40 };

/* ---- answers about witnesses ---- */

static void put_cosignature(struct wr *w, const struct msg *q, uint8_t seed, uint8_t signer, const char *instead)
{
    struct rd r = rd_of(q->body, q->len);
    uint8_t message[2048], signature[64];
    struct note n;
    size_t len = 0;
    (void)rd_u32(&r);
    const char *text = (const char *)rd_var(&r, LINK_NOTE_MAX, &len);
    ASSERT_OK(note_parse(&n, text, len));
    struct wr m = wr_of(message, sizeof message);
    if (instead) cosign_message(&m, 77, instead, strlen(instead));
    else cosign_message(&m, 77, n.text, n.text_len);
    const struct cosign_key holder = case_holder(&signer);
    ASSERT_OK(holder.sign(holder.self, signature, message, m.len));
    wr_u32(w, case_key("w.example", NOTE_COSIGNATURE, seed).id);
    wr_u64(w, 77);
    wr_bytes(w, signature, 64);
}

enum what { GOOD, FORGED, OF_ANOTHER };
struct line { uint8_t seed; enum what what; };

static void say_anchored(int fd, const struct msg *q, uint64_t told, uint32_t count, const struct line *lines, size_t n, size_t more)
{
    static uint8_t body[LINK_ANCHORED_MAX + 64];
    struct wr w = wr_of(body, sizeof body);
    wr_u64(&w, told);
    wr_u32(&w, count);
    for (size_t i = 0; i < n; i++)
        put_cosignature(&w, q, lines[i].seed, (uint8_t)(lines[i].seed + (lines[i].what == FORGED ? 100 : 0)), lines[i].what == OF_ANOTHER ? "w.example\n1\nAAAA\n" : NULL);
    for (; more; more--) wr_u8(&w, 0);
    ASSERT_OK(msg_send(fd, LINK_ANCHORED, q->seq, body, w.len, DEADLINE_MS));
}

static void repeated(int fd, const struct msg *q, uint8_t seed, uint32_t count)
{
    struct line lines[LINES];
    ck_assert_uint_le(count, LINES);
    for (uint32_t i = 0; i < count; i++) lines[i] = (struct line){ seed, GOOD };
    say_anchored(fd, q, 0, count, lines, count, 0);
}

#define LINES_OF(...) (const struct line[]){ __VA_ARGS__ }
SAYS(nothing_there) say_anchored(fd, q, 0, 0, NULL, 0, 0); }
SAYS(good) say_anchored(fd, q, 0, 2, LINES_OF({ 20, GOOD }, { 22, GOOD }), 2, 0); }
SAYS(good_among_others) say_anchored(fd, q, 0, 4, LINES_OF({ 90, GOOD }, { 20, GOOD }, { 21, FORGED }, { 22, GOOD }), 4, 0); }
SAYS(one_of_two) say_anchored(fd, q, 0, 1, LINES_OF({ 20, GOOD }), 1, 0); }
SAYS(strangers) say_anchored(fd, q, 0, 2, LINES_OF({ 90, GOOD }, { 91, GOOD }), 2, 0); }
SAYS(forged) say_anchored(fd, q, 0, 2, LINES_OF({ 20, GOOD }, { 21, FORGED }), 2, 0); }
SAYS(of_another) say_anchored(fd, q, 0, 2, LINES_OF({ 20, GOOD }, { 21, OF_ANOTHER }), 2, 0); }
SAYS(one_many_times) repeated(fd, q, 20, 31); }
SAYS(more_than_fit) repeated(fd, q, 20, 32); }
SAYS(fewer_than_said) say_anchored(fd, q, 0, 3, LINES_OF({ 20, GOOD }, { 21, GOOD }), 2, 0); }
SAYS(more_than_said) say_anchored(fd, q, 0, 2, LINES_OF({ 20, GOOD }, { 21, GOOD }, { 22, GOOD }), 3, 0); }
SAYS(bytes_behind) say_anchored(fd, q, 0, 2, LINES_OF({ 20, GOOD }, { 21, GOOD }), 2, 1); }
SAYS(countless) say_anchored(fd, q, 0, UINT32_MAX, LINES_OF({ 20, GOOD }, { 21, GOOD }), 2, 0); }
SAYS(a_twin) say_anchored(fd, q, 1000, 0, NULL, 0, 0); }
SAYS(a_twin_and_good) say_anchored(fd, q, 1000, 2, LINES_OF({ 20, GOOD }, { 22, GOOD }), 2, 0); }
SAYS(too_short) ASSERT_OK(msg_send(fd, LINK_ANCHORED, q->seq, "abc", 3, DEADLINE_MS)); }
SAYS(empty) ASSERT_OK(msg_send(fd, LINK_ANCHORED, q->seq, "", 0, DEADLINE_MS)); }
SAYS(no_witnesses) ASSERT_OK(msg_send_error(fd, q, (err){ E_ABSENT })); }
SAYS(in_no_state) ASSERT_OK(msg_send_error(fd, q, (err){ E_STATE })); }
SAYS(odd_error) ASSERT_OK(msg_send(fd, MSG_ERROR, q->seq, "\xee", 1, DEADLINE_MS)); }
SAYS(empty_error) ASSERT_OK(msg_send(fd, MSG_ERROR, q->seq, "", 0, DEADLINE_MS)); }
SAYS(another_frame) ASSERT_OK(msg_send(fd, LINK_DONE, q->seq, "", 0, DEADLINE_MS)); }
SAYS(hangs_up) shutdown(fd, SHUT_RDWR); }
SAYS(endless) ck_assert_int_eq(write(fd, "\xf0\xff\xff\xff\x0e\x01\1\0", 8), 8); }
SAYS(half_a_frame) ck_assert_int_eq(write(fd, "\x0c\0\0\0\x0e\x01\1\0ab", 10), 10); shutdown(fd, SHUT_RDWR); }
SAYS(silent) }

/* Ask now, and take what comes. */
static err round_of(struct bench *b)
{
    int timeout = -1;
    b->d.log.next_ms = 0;
    TRY(disk_log_tick(&b->d, &timeout));
    if (b->d.log.fd < 0) return OK;              /* nobody greeted us */
    return bench_deliver(b, FROM_WITNESSES);
}

static bool anchored_said(struct bench *b)
{
    bool said = false;
    for (struct msg m; (m = bench_heard(b->keeper)).type;) {
        ck_assert(m.type == DISK_LOG || (m.type == DISK_ANCHORED && m.len == 0 && !said));
        said |= m.type == DISK_ANCHORED;
    }
    while (bench_heard(b->web).type) continue;
    return said;
}

static say *const bad_answers[] = {
    nothing_there, one_of_two, strangers, forged, of_another, one_many_times, more_than_fit, fewer_than_said, more_than_said, bytes_behind, countless, too_short, empty,
    no_witnesses, in_no_state, odd_error, empty_error, another_frame, hangs_up, endless, half_a_frame, good_among_others, NULL
};
enum { BAD = sizeof bad_answers / sizeof *bad_answers - 2 };

START_TEST(nothing_but_a_quorum_begins_to_sign)
{
    static struct bench b;
    bench_open(&b, bad_answers, false);
    for (unsigned i = 0; i < BAD; i++) {
        err e = round_of(&b);
        ck_assert_msg(e.code == E_OK && b.d.log.shown.freshness == FRESH_UNREACHABLE && b.d.log.shown.cosigned == 0 && !b.d.log.anchored && b.d.log.fd == -1, "row %u: %s", i, err_text(e.code));
        ck_assert_msg(!anchored_said(&b) && !b.d.log.note_len, "row %u: told as cosigned", i);
    }
    ASSERT_OK(round_of(&b));
    ck_assert(b.d.log.shown.freshness == FRESH_WITNESSED && b.d.log.shown.cosigned == journal_size(b.d.journal) && anchored_said(&b));
    bench_close(&b);
}
END_TEST

START_TEST(who_signs_goes_on)
{
    static say *const script[] = { good, strangers, hangs_up, odd_error, endless, good, a_twin, NULL };
    static struct bench b;
    bench_open(&b, script, false);
    ASSERT_OK(round_of(&b));
    ck_assert(anchored_said(&b));
    bench_seal(&b, 2);
    ASSERT_OK(disk_log_tell(&b.d));
    for (unsigned i = 0; i < 4; i++) {
        ASSERT_OK(round_of(&b));
        ck_assert(b.d.log.shown.freshness == FRESH_UNREACHABLE && b.d.log.shown.cosigned == journal_size(b.d.journal) - 1 && b.d.log.shown.unanchored == 1);
    }
    ASSERT_OK(round_of(&b));
    ck_assert(b.d.log.shown.freshness == FRESH_WITNESSED && b.d.log.shown.unanchored == 0 && !anchored_said(&b));   /* it was told once */
    bench_seal(&b, 3);
    ASSERT_OK(disk_log_tell(&b.d));
    ASSERT_CODE(round_of(&b), E_STATE);          /* another goes on from this state */
    bench_close(&b);
}
END_TEST

START_TEST(at_a_start_a_twin_is_waited_out)
{
    static say *const script[] = { a_twin, silent, good, NULL };
    static struct bench b;
    int timeout = -1;
    bench_open(&b, script, false);
    ASSERT_OK(round_of(&b));
    ck_assert(b.d.log.shown.freshness == FRESH_ROLLBACK && b.d.log.shown.told == 1000 && !anchored_said(&b));
    /* silence: given up when its time is over, and asked again */
    b.d.log.next_ms = 0;
    ASSERT_OK(disk_log_tick(&b.d, &timeout));
    ck_assert_int_ge(b.d.log.fd, 0);
    b.d.log.next_ms = 0;
    ASSERT_OK(disk_log_tick(&b.d, &timeout));
    ck_assert(b.d.log.fd == -1 && b.d.log.next_ms > 0 && timeout > 0);
    ASSERT_OK(round_of(&b));
    ck_assert(b.d.log.shown.freshness == FRESH_WITNESSED && anchored_said(&b));
    bench_close(&b);
}
END_TEST

/* What the book was told; -1: nothing. */
static int book_heard(struct bench *b, uint16_t seq)
{
    const struct msg m = bench_heard(b->book);
    if (!m.type) return -1;
    ck_assert(m.type == BOOK_SEALED && m.seq == seq && m.len == 1 && bench_heard(b->book).type == 0);
    return m.body[0];
}

static void seal_for_the_book(struct bench *b, uint8_t seed)
{
    bench_seal(b, seed);
    ASSERT_OK(disk_log_tell(&b->d));
    ASSERT_OK(disk_log_owe(&b->d, seed, SPEND_GRANTED));
    ck_assert_int_eq(book_heard(b, seed), -1);
}

/* Its time is over, and nobody is to be asked. */
static void give_up(struct bench *b)
{
    int timeout = -1;
    b->d.log.owed_until_ms = 0;
    b->d.log.next_ms = disk_now_ms() + 100000;
    ASSERT_OK(disk_log_tick(&b->d, &timeout));
    ck_assert(!b->d.log.owes);
}

START_TEST(what_a_limit_counts_waits_for_a_quorum)
{
    static say *const script[] = { good, good, strangers, good, a_twin, NULL };
    static struct bench b;
    int timeout = -1;
    bench_open(&b, script, false);
    ASSERT_OK(round_of(&b));
    seal_for_the_book(&b, 2);
    ASSERT_CODE(disk_log_owe(&b.d, 9, SPEND_GRANTED), E_STATE);
    ASSERT_OK(disk_log_tick(&b.d, &timeout));
    ck_assert(timeout > 0 && b.d.log.owes);
    ASSERT_OK(bench_deliver(&b, FROM_WITNESSES));
    ck_assert_int_eq(book_heard(&b, 2), SPEND_GRANTED);
    seal_for_the_book(&b, 3);
    ASSERT_OK(round_of(&b));
    ck_assert_int_eq(book_heard(&b, 3), -1);
    give_up(&b);
    ck_assert_int_eq(book_heard(&b, 3), SPEND_UNWITNESSED);
    ASSERT_OK(round_of(&b));                     /* the cosignatures come too late: nobody is told twice */
    ck_assert_int_eq(book_heard(&b, 3), -1);
    /* while the store is handed over, a request may be waiting; what the other build has cosigned is not ours */
    seal_for_the_book(&b, 4);
    b.d.handed_over = true;
    ASSERT_OK(round_of(&b));
    ck_assert_int_eq(book_heard(&b, 4), -1);
    give_up(&b);
    ck_assert_int_eq(book_heard(&b, 4), SPEND_UNWITNESSED);
    bench_close(&b);
}
END_TEST

START_TEST(what_waits_for_nobody)
{
    static say *const script[] = { NULL };
    static struct bench b;
    bench_open(&b, script, false);
    ASSERT_OK(disk_log_owe(&b.d, 5, SPEND_UNSEALED));
    ck_assert_int_eq(book_heard(&b, 5), SPEND_UNSEALED);
    b.d.log.witnesses = NULL;
    ASSERT_OK(disk_log_owe(&b.d, 6, SPEND_GRANTED));
    ck_assert_int_eq(book_heard(&b, 6), SPEND_GRANTED);
    bench_close(&b);
}
END_TEST

/* A quorum for what there is outweighs a word that there is more: the word is the parent's. */
START_TEST(a_quorum_outweighs_a_word)
{
    static say *const script[] = { a_twin_and_good, hangs_up, NULL };
    static struct bench b;
    bench_open(&b, script, false);
    ASSERT_OK(round_of(&b));
    ck_assert(b.d.log.shown.freshness == FRESH_WITNESSED && anchored_said(&b));
    /* and is forgotten with its answer: who cannot be asked the next time has said nothing */
    bench_seal(&b, 2);
    ASSERT_OK(disk_log_tell(&b.d));
    ASSERT_OK(round_of(&b));
    ck_assert(b.d.log.shown.freshness == FRESH_UNREACHABLE && b.d.log.shown.told == 0);
    bench_close(&b);
}
END_TEST

START_TEST(nobody_greets)
{
    static say *const script[] = { NULL };
    static struct bench b;
    bench_open(&b, script, true);
    for (unsigned i = 0; i < 3; i++) {
        ASSERT_OK(round_of(&b));
        ck_assert(b.d.log.fd == -1 && !b.d.log.anchored && !anchored_said(&b));
    }
    bench_close(&b);
}
END_TEST

static unsigned logs_heard(struct bench *b)
{
    unsigned n = 0;
    for (struct msg m; (m = bench_heard(b->keeper)).type;) n += m.type == DISK_LOG;
    return n;
}

/* However long it asks KMS: it finds one word about the log, and gets the newest when it has read that. */
START_TEST(a_keeper_that_does_not_read_holds_up_nobody)
{
    enum { SEALS = 300 };
    static say *const script[] = { NULL };
    static struct bench b;
    bench_open(&b, script, false);
    b.d.log.reading = false;
    (void)logs_heard(&b);
    for (unsigned i = 0; i < SEALS; i++) {
        bench_seal(&b, (uint8_t)(1 + i % 3));
        ASSERT_OK(disk_log_tell(&b.d));
        while (bench_heard(b.web).type) continue;
    }
    ck_assert_uint_eq(logs_heard(&b), 1);
    ASSERT_OK(disk_on_log_seen(&b.d, -1, NULL, NULL));
    struct wire_log l;
    struct msg m = bench_heard(b.keeper);
    ck_assert_uint_eq(m.type, DISK_LOG);
    struct rd r = rd_of(m.body, m.len);
    wire_get_log(&r, &l);
    ck_assert_uint_eq(l.size, journal_size(b.d.journal));
    ASSERT_OK(disk_on_log_seen(&b.d, -1, NULL, NULL));
    ck_assert_uint_eq(logs_heard(&b), 0);
    bench_close(&b);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("daemon_disk_log", nothing_but_a_quorum_begins_to_sign, who_signs_goes_on, at_a_start_a_twin_is_waited_out, a_quorum_outweighs_a_word, what_a_limit_counts_waits_for_a_quorum,
        what_waits_for_nobody, a_keeper_that_does_not_read_holds_up_nobody, nobody_greets);
}

CHECK_MAIN(suite)
