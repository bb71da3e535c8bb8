/* The client of witnesses against witnesses that keep the protocol, break it, hang, lie or are not there. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "parent/anchor.h"
#include "tests/fake_witness.h"
#include "tests/log_case.h"
#include "tests/support/check_main.h"

#define ORIGIN "log.example"
enum { LONG_MS = 50000, SHORT_MS = 1200, FAKES = 4 };

struct rig { struct fake fakes[FAKES]; size_t count; struct witnesses policy; struct anchor *anchor; struct anchor_answer got; };

/* A policy over the fakes; all of them are named w.example, which the formats allow: the key tells them apart. */
static void rig_open(struct rig *r, size_t count, const char *quorum)
{
    char text[8192], members[128] = "";
    struct wr w = wr_of(text, sizeof text);
    r->count = count;
    for (size_t i = 0; i < count; i++) {
        struct fake *f = &r->fakes[i];
        char line[512], vkey[256];
        struct wr v = wr_of(vkey, sizeof vkey - 1);
        f->seed = (uint8_t)(10 + i);
        f->origin = f->origin ? f->origin : ORIGIN;
        fake_start(f);
        const struct note_key k = case_key("w.example", NOTE_COSIGNATURE, f->seed);
        note_key_write(&v, &k);
        vkey[v.len] = '\0';
        snprintf(line, sizeof line, "witness w%zu %s http://127.0.0.1:%u%s\n", i, vkey, f->port, i == 1 ? "/under/" : "");
        wr_text(&w, line);
        snprintf(members + strlen(members), sizeof members - strlen(members), " w%zu", i);
    }
    if (strcmp(quorum, "none") != 0) {
        wr_text(&w, "group g ");
        wr_text(&w, quorum);
        wr_text(&w, members);
        wr_text(&w, "\nquorum g\n");
    } else wr_text(&w, "quorum none\n");
    ASSERT_OK(witnesses_parse(&r->policy, text, w.len));
    ASSERT_OK(anchor_open(&r->anchor, &r->policy));
}

static void rig_close(struct rig *r)
{
    anchor_close(&r->anchor);
    for (size_t i = 0; i < r->count; i++) fake_stop(&r->fakes[i]);
}

static void ask_of(struct rig *r, const char *origin, uint64_t size, unsigned deadline_ms)
{
    char note[1024];
    const struct tlog_store log = case_log();
    const size_t n = case_note(note, sizeof note, origin, size, 1);
    ASSERT_OK(anchor_ask(r->anchor, &r->got, &(struct anchor_request){ note, n, &log, deadline_ms }));
}

static void ask(struct rig *r, uint64_t size, unsigned deadline_ms) { ask_of(r, ORIGIN, size, deadline_ms); }

/* Does what came back verify, as who asked for it will check it? */
static void check_cosignature(const struct rig *r, uint64_t size, size_t at)
{
    char text[2048], body[CHECKPOINT_TEXT];
    struct wr w = wr_of(text, sizeof text), b = wr_of(body, sizeof body), s;
    uint8_t signature[72];
    struct note n;
    bool enough = false;
    const struct checkpoint c = case_tree(ORIGIN, size);
    checkpoint_write(&b, &c);
    wr_bytes(&w, body, b.len);
    wr_text(&w, "\n");
    s = wr_of(signature, sizeof signature);
    wr_u64be(&s, r->got.got[at].time);
    wr_bytes(&s, r->got.got[at].signature, 64);
    for (size_t i = 0; i < r->policy.name_count; i++)
        if (r->policy.names[i].key.id == r->got.got[at].key_id) {
            struct witnesses one = { .name_count = 1, .names = { r->policy.names[i] }, .quorum = 0 };
            one.names[0].group = WITNESSES_NONE;
            note_write_signature(&w, &one.names[0].key, signature, sizeof signature);
            ASSERT_OK(note_parse(&n, text, w.len));
            ASSERT_OK(witnesses_check(&enough, &one, &n));
        }
    ck_assert(enough);
}

START_TEST(growth_is_cosigned_by_all)
{
    struct rig r = { .fakes = { { .mood = FAKE_HONEST }, { .mood = FAKE_HONEST }, { .mood = FAKE_LATE } } };
    rig_open(&r, 3, "all");
    for (uint64_t size = 1, n = 1; size < 40; size += 7, n++) {
        ask(&r, size, LONG_MS);
        ck_assert(r.got.enough && r.got.count == 3 && r.got.largest == 0);
        for (size_t i = 0; i < 3; i++) {
            check_cosignature(&r, size, i);
            ck_assert_str_eq(anchor_text(r.got.words[i]), "cosigned");
            ck_assert_uint_eq(r.fakes[i].seen->requests, n);     /* what is known of them spares a request */
        }
    }
    ask(&r, 36, LONG_MS);                                        /* the same once more */
    ck_assert_uint_eq(r.got.count, 3);
    rig_close(&r);
}
END_TEST

START_TEST(a_new_client_learns_where_they_stand)
{
    struct rig r = { .fakes = { { .mood = FAKE_HONEST }, { .mood = FAKE_HONEST } } };
    rig_open(&r, 2, "all");
    ask(&r, 5, LONG_MS);
    anchor_close(&r.anchor);
    ASSERT_OK(anchor_open(&r.anchor, &r.policy));
    ask(&r, 9, LONG_MS);
    ck_assert_uint_eq(r.got.count, 2);
    check_cosignature(&r, 9, 0);
    for (size_t i = 0; i < 2; i++) {
        const struct fake_seen *s = r.fakes[i].seen;
        ck_assert(s->requests == 3 && s->old[0] == 0 && s->old[1] == 0 && s->old[2] == 5 && s->size == 9);
    }
    rig_close(&r);
}
END_TEST

START_TEST(a_rollback_is_told)
{
    struct rig r = { .fakes = { { .mood = FAKE_HONEST }, { .mood = FAKE_HONEST }, { .mood = FAKE_TELLS, .number = 77 } } };
    rig_open(&r, 3, "2");
    ask(&r, 9, LONG_MS);
    ck_assert(r.got.enough && r.got.largest == 77 && r.got.words[2] == ANCHOR_AHEAD);
    ask(&r, 5, LONG_MS);
    ck_assert(!r.got.enough && r.got.count == 0 && r.got.largest == 77);
    for (size_t i = 0; i < 3; i++) ck_assert_int_eq(r.got.words[i], ANCHOR_AHEAD);
    ck_assert_uint_eq(r.fakes[0].seen->requests, 2);             /* not followed */
    ck_assert_uint_eq(r.fakes[0].seen->size, 9);
    rig_close(&r);
}
END_TEST

START_TEST(another_log_is_another_history)
{
    struct rig r = { .fakes = { { .mood = FAKE_HONEST } } };
    rig_open(&r, 1, "all");
    ask(&r, 9, LONG_MS);
    ask_of(&r, "log.example/1", 3, LONG_MS);
    ck_assert(!r.got.enough && r.got.words[0] == ANCHOR_UNKNOWN);
    ck_assert_uint_eq(r.fakes[0].seen->old[1], 0);
    rig_close(&r);
}
END_TEST

/* One row each: what a witness does, what is said of it, and how often it may be asked (0: any number). */
static const struct row { struct fake f; enum anchor_word word; unsigned requests; } rows[] = {
    { { .mood = FAKE_STATUS, .number = 400 }, ANCHOR_REFUSED, 1 }, { { .mood = FAKE_STATUS, .number = 403 }, ANCHOR_UNSIGNED, 1 },
    { { .mood = FAKE_STATUS, .number = 404 }, ANCHOR_UNKNOWN, 1 }, { { .mood = FAKE_STATUS, .number = 405 }, ANCHOR_REFUSED, 1 },
    { { .mood = FAKE_STATUS, .number = 413 }, ANCHOR_REFUSED, 1 }, { { .mood = FAKE_STATUS, .number = 422 }, ANCHOR_UNPROVED, 1 },
    { { .mood = FAKE_STATUS, .number = 204 }, ANCHOR_REFUSED, 1 }, { { .mood = FAKE_STATUS, .number = 200 }, ANCHOR_ODD, 1 },
    { { .mood = FAKE_STATUS, .number = 409 }, ANCHOR_ODD, 1 }, { { .mood = FAKE_REDIRECTS }, ANCHOR_REFUSED, 1 },
    { { .mood = FAKE_STATUS, .number = 429 }, ANCHOR_FAILING, 0 }, { { .mood = FAKE_STATUS, .number = 500 }, ANCHOR_FAILING, 0 },
    { { .mood = FAKE_DEAD }, ANCHOR_AWAY, 0 }, { { .mood = FAKE_HUNG }, ANCHOR_LATE, 1 },
    { { .mood = FAKE_FORGED }, ANCHOR_ODD, 1 }, { { .mood = FAKE_BEFORE }, ANCHOR_ODD, 1 }, { { .mood = FAKE_RUBBISH }, ANCHOR_ODD, 1 },
    { { .mood = FAKE_LONG }, ANCHOR_ODD, 1 }, { { .mood = FAKE_TYPELESS }, ANCHOR_ODD, 1 },
    { { .mood = FAKE_TELLS, .number = 0 }, ANCHOR_ODD, 1 },      /* what it was told itself */
    { { .mood = FAKE_TELLS, .number = 8 }, ANCHOR_PARTED, 2 },   /* our size, and then not our tree */
    { { .mood = FAKE_TELLS, .number = 3 }, ANCHOR_ODD, 2 }, { { .mood = FAKE_TELLS, .number = 9 }, ANCHOR_AHEAD, 1 },
    { { .mood = FAKE_TELLS, .number = UINT64_MAX }, ANCHOR_AHEAD, 1 }, { { .mood = FAKE_WAVERS }, ANCHOR_BEHIND, 3 },
};

START_TEST(each_way_to_fail_has_its_word)
{
    /* Beside two good ones, and needed for the quorum: only the deadline ends what may still come. */
    const struct row *row = &rows[_i];
    struct rig r = { .fakes = { { .mood = FAKE_HONEST }, { .mood = FAKE_HONEST }, row->f } };
    rig_open(&r, 3, "all");
    ask(&r, 8, SHORT_MS);
    ck_assert_msg(r.got.words[2] == row->word, "row %d: %s", _i, anchor_text(r.got.words[2]));
    ck_assert(r.got.count == 2 && !r.got.enough);
    ck_assert(r.got.words[0] == ANCHOR_COSIGNED && r.got.words[1] == ANCHOR_COSIGNED);
    ck_assert_uint_eq(r.got.largest, row->word == ANCHOR_AHEAD || row->word == ANCHOR_PARTED ? row->f.number : row->word == ANCHOR_UNPROVED ? 8 : 0);
    if (row->requests) ck_assert_uint_eq(r.fakes[2].seen->requests, row->requests);
    else if (row->f.mood != FAKE_DEAD) ck_assert_uint_gt(r.fakes[2].seen->requests, 1);
    rig_close(&r);
}
END_TEST

START_TEST(what_passes_is_tried_again)
{
    struct rig r = { .fakes = { { .mood = FAKE_MOODY, .number = 2 }, { .mood = FAKE_BREAKS, .number = 1 }, { .mood = FAKE_FORGETS } } };
    rig_open(&r, 3, "all");
    ask(&r, 8, LONG_MS);
    ck_assert(r.got.enough && r.got.count == 3);
    ck_assert_uint_eq(r.fakes[0].seen->requests, 3);
    /* The first one was honoured, so the second is told so, and the third asks from there. */
    ck_assert_uint_eq(r.fakes[2].seen->requests, 3);
    ck_assert_uint_eq(r.fakes[2].seen->old[2], 8);
    rig_close(&r);
}
END_TEST

/* With a deadline that the test's own would not see, only the grace ends these. */
START_TEST(who_is_dead_keeps_nobody_waiting)
{
    static const struct { struct fake f[2]; const char *quorum; bool enough; } cases[] = {
        { { { .mood = FAKE_HUNG }, { .mood = FAKE_DEAD } }, "2", true }, { { { .mood = FAKE_DEAD }, { .mood = FAKE_DEAD } }, "2", true },
        { { { .mood = FAKE_HUNG }, { .mood = FAKE_STATUS, .number = 503 } }, "none", true },
        /* out of reach: refused for good by one */
        { { { .mood = FAKE_HUNG }, { .mood = FAKE_STATUS, .number = 404 } }, "all", false },
        { { { .mood = FAKE_DEAD }, { .mood = FAKE_FORGED } }, "all", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig r = { .fakes = { { .mood = FAKE_HONEST }, { .mood = FAKE_HONEST }, cases[i].f[0], cases[i].f[1] } };
        rig_open(&r, 4, cases[i].quorum);
        ask(&r, 8, 3600000);
        ck_assert_uint_eq(r.got.count, 2);
        ck_assert(r.got.enough == cases[i].enough);
        ask(&r, 9, 3600000);
        ck_assert_uint_eq(r.got.count, 2);
        rig_close(&r);
    }
}
END_TEST

START_TEST(who_has_no_address_is_not_asked)
{
    struct rig r = { .fakes = { { .mood = FAKE_HONEST }, { .mood = FAKE_HONEST }, { .mood = FAKE_HONEST } } };
    rig_open(&r, 3, "1");
    r.policy.names[1].url[0] = '\0';
    strcpy(r.policy.names[2].url, "ftp://127.0.0.1/");
    ask(&r, 8, LONG_MS);
    ck_assert(r.got.words[0] == ANCHOR_COSIGNED && r.got.words[1] == ANCHOR_UNASKED && r.got.words[2] == ANCHOR_NOWHERE && r.got.words[3] == ANCHOR_UNASKED);
    ck_assert_uint_eq(r.fakes[1].seen->requests, 0);
    /* Without a scheme it is TLS, and that this one does not speak. */
    snprintf(r.policy.names[0].url, sizeof r.policy.names[0].url, "127.0.0.1:%u", r.fakes[0].port);
    ask(&r, 9, SHORT_MS);
    ck_assert(r.got.count == 0 && (r.got.words[0] == ANCHOR_AWAY || r.got.words[0] == ANCHOR_LATE));
    ck_assert_uint_eq(r.fakes[0].seen->requests, 1);
    rig_close(&r);
}
END_TEST

static err broken(void *self, uint8_t out[static TLOG_HASH], unsigned level, uint64_t index)
{
    (void)self, (void)out, (void)level, (void)index;
    return (err){ E_IO };
}

START_TEST(bad_requests)
{
    struct rig r = { .fakes = { { .mood = FAKE_HONEST } } };
    char note[1024];
    const struct tlog_store log = case_log(), none = { NULL, broken };
    rig_open(&r, 1, "all");
    const size_t n = case_note(note, sizeof note, ORIGIN, 8, 1);
    for (size_t i = 0; i < n; i++) ASSERT_CODE(anchor_ask(r.anchor, &r.got, &(struct anchor_request){ note, i, &log, LONG_MS }), E_FORMAT);
    ck_assert_uint_eq(r.fakes[0].seen->requests, 0);
    /* Nothing to prove from nothing; but then the store is asked. */
    ASSERT_OK(anchor_ask(r.anchor, &r.got, &(struct anchor_request){ note, n, &none, LONG_MS }));
    const size_t more = case_note(note, sizeof note, ORIGIN, 11, 1);
    ASSERT_CODE(anchor_ask(r.anchor, &r.got, &(struct anchor_request){ note, more, &none, LONG_MS }), E_IO);
    ASSERT_OK(anchor_ask(r.anchor, &r.got, &(struct anchor_request){ note, more, &log, LONG_MS }));
    ck_assert_uint_eq(r.got.count, 1);
    rig_close(&r);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = CHECK_SUITE("parent_anchor", growth_is_cosigned_by_all, a_new_client_learns_where_they_stand, a_rollback_is_told, another_log_is_another_history,
                           what_passes_is_tried_again, who_is_dead_keeps_nobody_waiting, who_has_no_address_is_not_asked, bad_requests);
    TCase *c = tcase_create("ways to fail");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, each_way_to_fail_has_its_word, 0, (int)(sizeof rows / sizeof *rows));
    suite_add_tcase(s, c);
    return s;
}

CHECK_MAIN(suite)
