/* A WITNESS connection as the enclave has it: a served process, a store with segments, witnesses of every mood. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/msg.h"
#include "parent/serve.h"
#include "policy/witnesses.h"
#include "tests/fake_witness.h"
#include "tests/log_case.h"
#include "tests/segment_case.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"

#define ORIGIN "log.example"
enum { WAIT_MS = 50000 };

struct rig {
    char dir[32];
    struct parent_config conf;
    struct store_backend *store;
    struct fake fakes[3];
    struct witnesses policy;
    int theirs, ours;
    pid_t pid;
    struct made tail;
};

static void write_policy(struct rig *r)
{
    char text[4096], path[64];
    struct wr w = wr_of(text, sizeof text);
    for (unsigned i = 0; i < 3; i++) {
        char url[64];
        const struct note_key k = case_key("w.example", NOTE_COSIGNATURE, r->fakes[i].seed);
        snprintf(url, sizeof url, " http://127.0.0.1:%u\n", r->fakes[i].port);
        wr_text(&w, i == 0 ? "witness a " : i == 1 ? "witness b " : "witness c ");
        note_key_write(&w, &k);
        wr_text(&w, url);
    }
    wr_text(&w, "group g 2 a b c\nquorum g\n");
    ASSERT_OK(witnesses_parse(&r->policy, text, w.len));
    snprintf(path, sizeof path, "%s/witnesses", r->dir);
    FILE *f = fopen(path, "w");
    ck_assert(f && fwrite(text, 1, w.len, f) == w.len && fclose(f) == 0);
}

static void serve_body(void *ctx)
{
    struct rig *r = ctx;
    close(r->ours);
    _exit((int)serve_link(&r->theirs, &r->conf, -1).code);
}

static void connect_to(struct rig *r)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    r->theirs = fds[1];
    r->ours = fds[0];
    r->pid = child_start(serve_body, r);
    close(fds[1]);
    ASSERT_OK(link_hello(r->ours, LINK_WITNESS, NULL, 0, WAIT_MS));
}

static int hang_up(struct rig *r)
{
    close(r->ours);
    return child_wait(r->pid);
}

static void rig_open(struct rig *r, bool with_policy)
{
    char text[256];
    strcpy(r->dir, "/tmp/hf-anchors-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(r->dir));
    for (unsigned i = 0; i < 3; i++) {
        r->fakes[i].seed = (uint8_t)(20 + i);
        r->fakes[i].origin = ORIGIN;
        fake_start(&r->fakes[i]);
    }
    write_policy(r);
    snprintf(text, sizeof text, "[store]\ndir = %s/store\n[witness]\n%s%s%s\ndeadline = 3\n", r->dir, with_policy ? "policy = " : "", with_policy ? r->dir : "", with_policy ? "/witnesses" : "");
    ASSERT_OK(parent_config_parse(&r->conf, "test", text));
    ASSERT_OK(store_dir_open(&r->store, r->conf.store_dir, true));
    const struct made first = case_segment(r->store, NULL, 256, 0, NULL);
    r->tail = case_segment(r->store, &first, 4, 0, NULL);
    connect_to(r);
}

static void rig_close(struct rig *r)
{
    char command[64];
    ck_assert(exited(hang_up(r), E_OK));
    store_backend_close(&r->store);
    for (unsigned i = 0; i < 3; i++) fake_stop(&r->fakes[i]);
    snprintf(command, sizeof command, "rm -rf -- '%s'", r->dir);
    ck_assert_int_eq(system(command), 0);
}

struct anchored { uint64_t largest; uint32_t count; uint8_t room[LINK_ANCHORED_MAX]; };

static err ask(struct rig *r, struct anchored *out, uint64_t size, uint32_t deadline, const char *tail)
{
    static uint8_t body[LINK_NOTE_MAX];
    char note[1024];
    struct msg m;
    struct wr w = wr_of(body, sizeof body);
    const size_t n = case_note(note, sizeof note, ORIGIN, size, 1);
    wr_u32(&w, deadline);
    wr_var(&w, note, n);
    wr_var(&w, tail, strlen(tail));
    TRY(msg_call(r->ours, LINK_ANCHOR, body, w.len, LINK_ANCHORED, &m, out->room, sizeof out->room, WAIT_MS));
    struct rd a = rd_of(m.body, m.len);
    out->largest = rd_u64(&a);
    out->count = rd_u32(&a);
    ck_assert_uint_eq(a.left, out->count * LINK_COSIGNATURE);
    return OK;
}

/* Are so many good cosignatures in it, as the enclave judges? */
static bool enough(const struct rig *r, const struct anchored *got, uint64_t size)
{
    char text[4096];
    uint8_t body[CHECKPOINT_TEXT], signature[72];
    struct note n;
    bool yes = false;
    struct wr w = wr_of(text, sizeof text), b = wr_of(body, sizeof body);
    struct rd a = rd_of(got->room + 12, got->count * (size_t)LINK_COSIGNATURE);
    const struct checkpoint c = case_tree(ORIGIN, size);
    checkpoint_write(&b, &c);
    wr_bytes(&w, body, b.len);
    wr_text(&w, "\n");
    while (a.left) {
        const uint32_t id = rd_u32(&a);
        struct wr s = wr_of(signature, sizeof signature);
        wr_u64be(&s, rd_u64(&a));
        wr_bytes(&s, rd_bytes(&a, 64), 64);
        for (unsigned i = 0; i < 3; i++)
            if (r->policy.names[i].key.id == id) note_write_signature(&w, &r->policy.names[i].key, signature, sizeof signature);
    }
    ASSERT_OK(note_parse(&n, text, w.len));
    ASSERT_OK(witnesses_check(&yes, &r->policy, &n));
    return yes;
}

START_TEST(from_the_enclave_to_the_witnesses)
{
    static struct rig r = { .fakes = { { .mood = FAKE_HONEST }, { .mood = FAKE_HONEST }, { .mood = FAKE_DEAD } } };
    static struct anchored got;
    rig_open(&r, true);
    ASSERT_OK(ask(&r, &got, 260, WAIT_MS, r.tail.name));
    ck_assert(got.count == 2 && got.largest == 0 && enough(&r, &got, 260));
    /* It goes on, on this connection and on another; the tail is a new one. */
    const struct made longer = case_segment(r.store, &r.tail, 40, 0, NULL);
    ASSERT_OK(ask(&r, &got, 300, WAIT_MS, longer.name));
    ck_assert(got.count == 2 && enough(&r, &got, 300));
    ck_assert(exited(hang_up(&r), E_OK));
    connect_to(&r);
    ASSERT_OK(ask(&r, &got, 300, WAIT_MS, longer.name));
    ck_assert(got.count == 2 && enough(&r, &got, 300));
    /* An older store: the witnesses know better. */
    ASSERT_OK(ask(&r, &got, 260, WAIT_MS, r.tail.name));
    ck_assert(got.count == 0 && got.largest == 300);
    rig_close(&r);
}
END_TEST

START_TEST(what_cannot_be_proved_is_not_asked)
{
    static struct rig r = { .fakes = { { .mood = FAKE_HONEST }, { .mood = FAKE_HONEST }, { .mood = FAKE_HONEST } } };
    static struct anchored got;
    rig_open(&r, true);
    ASSERT_CODE(ask(&r, &got, 259, WAIT_MS, r.tail.name), E_STATE);
    ASSERT_CODE(ask(&r, &got, 261, WAIT_MS, r.tail.name), E_STATE);
    ASSERT_CODE(ask(&r, &got, 260, WAIT_MS, "log-0000000000000100-ffffffffffffffff"), E_STATE);
    ASSERT_CODE(ask(&r, &got, 260, WAIT_MS, "record-0000000000000100"), E_FORMAT);
    ASSERT_CODE(ask(&r, &got, 260, 0, r.tail.name), E_TIMEOUT);
    for (unsigned i = 0; i < 3; i++) ck_assert_uint_eq(r.fakes[i].seen->requests, 0);
    ASSERT_OK(ask(&r, &got, 260, WAIT_MS, r.tail.name));
    ck_assert_uint_eq(got.count, 3);
    rig_close(&r);
}
END_TEST

START_TEST(no_witnesses_are_configured)
{
    static struct rig r = { .fakes = { { .mood = FAKE_DEAD }, { .mood = FAKE_DEAD }, { .mood = FAKE_DEAD } } };
    static struct anchored got;
    rig_open(&r, false);
    ASSERT_CODE(ask(&r, &got, 260, WAIT_MS, r.tail.name), E_ABSENT);
    ASSERT_CODE(ask(&r, &got, 260, WAIT_MS, r.tail.name), E_ABSENT);
    rig_close(&r);
}
END_TEST

START_TEST(nobody_answers_in_time)
{
    static struct rig r = { .fakes = { { .mood = FAKE_HUNG }, { .mood = FAKE_DEAD }, { .mood = FAKE_HONEST } } };
    static struct anchored got;
    rig_open(&r, true);
    ASSERT_OK(ask(&r, &got, 260, 700, r.tail.name));
    ck_assert(got.count == 1 && !enough(&r, &got, 260));
    /* The parent's own deadline ends it where the enclave's would not. */
    ASSERT_OK(ask(&r, &got, 260, UINT32_MAX, r.tail.name));
    ck_assert_uint_eq(got.count, 1);
    rig_close(&r);
}
END_TEST

/* ---- entries and proofs ---- */

static err read_log(struct rig *r, struct msg *m, uint64_t from, uint32_t limit, const char *tail)
{
    static uint8_t room[LINK_ENTRIES_MAX];
    uint8_t body[128];
    struct wr w = wr_of(body, sizeof body);
    wr_u64(&w, from);
    wr_u32(&w, limit);
    wr_var(&w, tail, strlen(tail));
    return msg_call(r->ours, LINK_LOG_READ, body, w.len, LINK_LOG_ENTRIES, m, room, sizeof room, WAIT_MS);
}

static err prove(struct rig *r, struct tlog_path *out, uint8_t what, uint64_t old, uint64_t size, const char *tail)
{
    uint8_t body[128], room[LINK_PROOF_MAX];
    struct wr w = wr_of(body, sizeof body);
    struct msg m;
    wr_u8(&w, what);
    wr_u64(&w, old);
    wr_u64(&w, size);
    wr_var(&w, tail, strlen(tail));
    TRY(msg_call(r->ours, LINK_LOG_PROVE, body, w.len, LINK_LOG_PROOF, &m, room, sizeof room, WAIT_MS));
    struct rd p = rd_of(m.body, m.len);
    out->n = rd_u32(&p);
    ck_assert_uint_le(out->n, TLOG_PATH_MAX);
    rd_copy(&p, out->hash, out->n * TLOG_HASH);
    return rd_end(&p, "LINK_LOG_PROOF");
}

/* Entries "from", "from + 1", ...: the numbers that the log's rig gives them. */
static void expect_entries(const struct msg *m, uint64_t from, uint32_t count)
{
    struct rd in = rd_of(m->body, m->len);
    ck_assert_uint_eq(rd_u32(&in), count);
    for (uint64_t i = from; i < from + count; i++) {
        char want[24];
        size_t n = 0;
        const uint8_t *p = rd_var(&in, 24, &n);
        ck_assert_uint_eq(n, (size_t)snprintf(want, sizeof want, "%" PRIu64, i));
        ck_assert_mem_eq(p, want, n);
    }
    ASSERT_OK(rd_end(&in, "entries"));
}

START_TEST(entries_are_given)
{
    static struct rig r = { .fakes = { { .mood = FAKE_DEAD }, { .mood = FAKE_DEAD }, { .mood = FAKE_DEAD } } };
    static const struct { uint64_t from; uint32_t limit, count; } rows[] = {
        { 0, 1, 1 }, { 0, 1000, 260 }, { 255, 1, 1 }, { 255, 2, 2 }, { 256, 1, 1 }, { 250, 9, 9 }, { 259, 1000, 1 }, { 260, 1000, 0 }, { UINT64_MAX, 1000, 0 },
    };
    struct msg m;
    rig_open(&r, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ASSERT_OK(read_log(&r, &m, rows[i].from, rows[i].limit, r.tail.name));
        expect_entries(&m, rows[i].from, rows[i].count);
    }
    /* the log goes on under a new tail */
    const struct made longer = case_segment(r.store, &r.tail, 300 - 260, 1, NULL);
    ASSERT_OK(read_log(&r, &m, 258, 4, longer.name));
    expect_entries(&m, 258, 4);
    ASSERT_CODE(read_log(&r, &m, 0, 1, "log-0000000000000100-ffffffffffffffff"), E_STATE);
    ASSERT_CODE(read_log(&r, &m, 0, 1, "record-0000000000000100"), E_FORMAT);
    rig_close(&r);
}
END_TEST

START_TEST(entries_that_change_or_go)
{
    static struct rig r = { .fakes = { { .mood = FAKE_DEAD }, { .mood = FAKE_DEAD }, { .mood = FAKE_DEAD } } };
    struct msg m;
    rig_open(&r, false);
    const struct made first = case_segment(r.store, NULL, 256, 9, NULL), second = case_segment(r.store, &first, 4, 9, NULL);
    ASSERT_OK(read_log(&r, &m, 0, 1, second.name));
    case_remove(r.store, first.name);
    ASSERT_CODE(read_log(&r, &m, 0, 1, second.name), E_STATE);
    ASSERT_OK(read_log(&r, &m, 256, 1, second.name));
    case_put(r.store, first.name, "another", 7);
    ck_assert_int_ne(read_log(&r, &m, 0, 1, second.name).code, E_OK);
    ASSERT_OK(read_log(&r, &m, 0, 1, r.tail.name));
    rig_close(&r);
}
END_TEST

START_TEST(proofs_are_given)
{
    static struct rig r = { .fakes = { { .mood = FAKE_DEAD }, { .mood = FAKE_DEAD }, { .mood = FAKE_DEAD } } };
    struct tlog_path p;
    rig_open(&r, false);
    const struct checkpoint all = case_tree(ORIGIN, 260);
    for (uint64_t old = 0; old <= 260; old += 13) {
        const struct checkpoint before = case_tree(ORIGIN, old);
        uint8_t leaf[TLOG_HASH];
        char text[24];
        ASSERT_OK(prove(&r, &p, LINK_PROVE_GROWTH, old, 260, r.tail.name));
        ASSERT_OK(tlog_check_growth(&p, old, before.root, 260, all.root));
        if (old == 260) break;
        tlog_leaf(leaf, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, old));
        ASSERT_OK(prove(&r, &p, LINK_PROVE_ENTRY, old, 260, r.tail.name));
        ASSERT_OK(tlog_check_entry(&p, leaf, old, 260, all.root));
    }
    ASSERT_CODE(prove(&r, &p, LINK_PROVE_GROWTH, 0, 261, r.tail.name), E_STATE);
    ASSERT_CODE(prove(&r, &p, LINK_PROVE_GROWTH, 10, 9, r.tail.name), E_STATE);
    ASSERT_CODE(prove(&r, &p, LINK_PROVE_ENTRY, 9, 9, r.tail.name), E_STATE);
    ASSERT_CODE(prove(&r, &p, LINK_PROVE_ENTRY, 9, UINT64_MAX, r.tail.name), E_STATE);
    rig_close(&r);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("parent_anchors", from_the_enclave_to_the_witnesses, what_cannot_be_proved_is_not_asked, no_witnesses_are_configured, nobody_answers_in_time,
                       entries_are_given, entries_that_change_or_go, proofs_are_given);
}

CHECK_MAIN(suite)
