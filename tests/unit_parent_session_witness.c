/* A WITNESS connection's frames, answered: what goes through to the log, and what may not come. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "tests/session_case.h"
#include "tests/support/check_main.h"

struct asked { unsigned count; err fails; char note[16], tail[LINK_NAME_MAX + 1]; uint32_t deadline, limit; uint8_t what; uint64_t from, size; };

static err keep_ask(void *self, uint8_t out[static LINK_ANCHORED_MAX], size_t *n, const char *note, size_t note_len, const char *tail, uint32_t deadline_ms)
{
    struct asked *a = self;
    a->count++;
    snprintf(a->note, sizeof a->note, "%.*s", (int)note_len, note);
    snprintf(a->tail, sizeof a->tail, "%s", tail);
    a->deadline = deadline_ms;
    memset(out, 7, 12);
    *n = 12;
    return a->fails;
}

static err keep_read(void *self, uint8_t **out, size_t *n, uint64_t from, uint32_t limit, const char *tail)
{
    struct asked *a = self;
    a->count++;
    a->from = from;
    a->limit = limit;
    snprintf(a->tail, sizeof a->tail, "%s", tail);
    if (a->fails.code) return a->fails;
    *n = LINK_ENTRIES_MAX;
    return mem_new(out, *n);
}

static err keep_prove(void *self, uint8_t out[static LINK_PROOF_MAX], size_t *n, uint8_t what, uint64_t old, uint64_t size, const char *tail)
{
    struct asked *a = self;
    a->count++;
    a->what = what;
    a->from = old;
    a->size = size;
    snprintf(a->tail, sizeof a->tail, "%s", tail);
    memset(out, 9, 4 + 32);
    *n = 4 + 32;
    return a->fails;
}

/* Entries and proofs: the numbers come through whole, a failure is told, and the connection goes on. */
START_TEST(log_questions)
{
    static struct rig r;
    struct asked a = { 0 };
    uint8_t body[64];
    session_open_witness(&r.session, (struct session_out){ keep_frame, &r.sent }, (struct session_anchor){ keep_ask, keep_read, keep_prove, &a });
    for (uint32_t limit = 1; limit <= LINK_ENTRIES; limit += LINK_ENTRIES - 1) {
        struct wr w = wr_of(body, sizeof body);
        wr_u64(&w, UINT64_MAX - 1);
        wr_u32(&w, limit);
        wr_var(&w, "log-1", 5);
        ASSERT_OK(frame(&r, LINK_LOG_READ, body, w.len));
        ck_assert(said(&r, LINK_LOG_ENTRIES) && r.sent.len[0] == LINK_ENTRIES_MAX && a.from == UINT64_MAX - 1 && a.limit == limit);
    }
    struct wr w = wr_of(body, sizeof body);
    wr_u8(&w, LINK_PROVE_ENTRY);
    wr_u64(&w, 5);
    wr_u64(&w, 9);
    wr_var(&w, "log-2", 5);
    ASSERT_OK(frame(&r, LINK_LOG_PROVE, body, w.len));
    ck_assert(said(&r, LINK_LOG_PROOF) && r.sent.len[0] == 36 && a.what == LINK_PROVE_ENTRY && a.from == 5 && a.size == 9);
    ck_assert_str_eq(a.tail, "log-2");
    a.fails = (err){ E_STATE };
    ASSERT_OK(frame(&r, LINK_LOG_PROVE, body, w.len));
    ck_assert(said_error(&r, E_STATE));
    body[0] = LINK_PROVE_GROWTH;
    a.fails = OK;
    ASSERT_OK(frame(&r, LINK_LOG_PROVE, body, w.len));
    ck_assert(said(&r, LINK_LOG_PROOF) && a.what == LINK_PROVE_GROWTH && a.count == 5);
    session_close(&r.session);
}
END_TEST

START_TEST(witness_connection)
{
    struct asked a = { 0 };
    struct rig r = { 0 };
    uint8_t body[128];
    struct wr w = wr_of(body, sizeof body);
    session_open_witness(&r.session, (struct session_out){ keep_frame, &r.sent }, (struct session_anchor){ keep_ask, keep_read, keep_prove, &a });
    wr_u32(&w, 1234);
    wr_var(&w, "a note", 6);
    wr_var(&w, "log-1", 5);
    ASSERT_OK(frame(&r, LINK_ANCHOR, body, w.len));
    ck_assert(said(&r, LINK_ANCHORED) && r.sent.len[0] == 12 && r.sent.body[0][0] == 7);
    ck_assert_str_eq(a.note, "a note");
    ck_assert_str_eq(a.tail, "log-1");
    ck_assert_uint_eq(a.deadline, 1234);
    /* what merely fails is told, and the connection goes on */
    a.fails = (err){ E_ABSENT };
    ASSERT_OK(frame(&r, LINK_ANCHOR, body, w.len));
    ck_assert(said_error(&r, E_ABSENT));
    a.fails = OK;
    ASSERT_OK(frame(&r, LINK_ANCHOR, body, w.len));
    ck_assert(said(&r, LINK_ANCHORED) && a.count == 3);
    r.sent.fails = (err){ E_TIMEOUT };
    ASSERT_CODE(frame(&r, LINK_ANCHOR, body, w.len), E_TIMEOUT);
    session_close(&r.session);
}
END_TEST

static const struct bad witness_bads[] = {
    { LINK_HEAD_GET, 0, "", false, E_STATE }, { LINK_PUT, 5, "\1\0\0\0a", false, E_STATE }, { LINK_DATA, 1, "x", false, E_STATE },
    { LINK_HEAD_PUT, 9, "\0\0\0\0\1\0\0\0x", false, E_STATE }, { LINK_LIST, 0, "", false, E_STATE }, { LINK_HELLO, 4, "\1\0\3\0", false, E_FORMAT },
    { LINK_ANCHORED, 12, "\0\0\0\0\0\0\0\0\0\0\0\0", false, E_FORMAT }, { LINK_ANCHOR, 0, "", false, E_FORMAT },
    { LINK_ANCHOR, 12, "\0\0\0\0\0\0\0\0\0\0\0\0", false, E_FORMAT },                 /* no name */
    { LINK_ANCHOR, 13, "\0\0\0\0\0\0\0\0\1\0\0\0A", false, E_FORMAT }, { LINK_ANCHOR, 14, "\0\0\0\0\0\0\0\0\1\0\0\0ab", false, E_FORMAT },
    { LINK_ANCHOR, 13, "\0\0\0\0\1\0\1\0\1\0\0\0a", false, E_FORMAT },               /* a longer note than there is, or may be */
    { LINK_LOG_ENTRIES, 4, "\0\0\0\0", false, E_FORMAT }, { LINK_LOG_PROOF, 4, "\0\0\0\0", false, E_FORMAT }, { LINK_LOG_READ, 0, "", false, E_FORMAT },
    { LINK_LOG_READ, 17, "\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0a", false, E_FORMAT },                            /* none, and more than may be */
    { LINK_LOG_READ, 17, "\0\0\0\0\0\0\0\0\xe9\3\0\0\1\0\0\0a", false, E_FORMAT },
    { LINK_LOG_READ, 16, "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", false, E_FORMAT }, { LINK_LOG_READ, 17, "\0\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0/", false, E_FORMAT },
    { LINK_LOG_PROVE, 22, "\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0a", false, E_FORMAT }, { LINK_LOG_PROVE, 21, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", false, E_FORMAT },
    { LINK_LOG_PROVE, 23, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0ab", false, E_FORMAT },
};

START_TEST(witness_rule_breakers)
{
    for (size_t i = 0; i < sizeof witness_bads / sizeof *witness_bads; i++) {
        struct asked a = { 0 };
        struct rig r = { 0 };
        session_open_witness(&r.session, (struct session_out){ keep_frame, &r.sent }, (struct session_anchor){ keep_ask, keep_read, keep_prove, &a });
        err e = frame(&r, witness_bads[i].type, witness_bads[i].body, witness_bads[i].len);
        ck_assert_msg(e.code == witness_bads[i].code, "row %zu: %s", i, err_text(e.code));
        ck_assert_msg(said_error(&r, witness_bads[i].code), "row %zu: no word of it", i);
        ck_assert_uint_eq(a.count, 0);
        session_close(&r.session);
    }
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("parent_session_witness", witness_connection, log_questions, witness_rule_breakers);
}

CHECK_MAIN(suite)
