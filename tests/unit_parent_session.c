/* The link as the parent serves it: against the enclave's own client (diskcrypt's
 * store over a connection), and frame by frame against what no client would send. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io.h"
#include "core/mem.h"
#include "diskcrypt/store.h"
#include "parent/serve.h"
#include "parent/session.h"
#include "tests/session_case.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"

/* ---- frame by frame ---- */

static void rig_open(struct rig *r, uint64_t max_object)
{
    memset(r, 0, sizeof *r);
    ASSERT_OK(store_backend_memory(&r->store, 4 << 20));
    ASSERT_OK(session_open(&r->session, r->store, (struct session_out){ keep_frame, &r->sent }, max_object));
}

static void rig_close(struct rig *r)
{
    session_close(&r->session);
    store_backend_close(&r->store);
}
#define RIG __attribute__((cleanup(rig_close))) struct rig

static err name_frame(struct rig *r, uint16_t type, const char *name)
{
    uint8_t body[4 + 300];
    struct wr w = wr_of(body, sizeof body);
    wr_var(&w, name, strlen(name));
    return frame(r, type, body, w.len);
}

static err end_frame(struct rig *r, uint64_t total)
{
    uint8_t body[8];
    struct wr w = wr_of(body, sizeof body);
    wr_u64(&w, total);
    return frame(r, LINK_PUT_END, body, w.len);
}

static err head_frame(struct rig *r, const char *expected, const char *next)
{
    uint8_t body[64];
    struct wr w = wr_of(body, sizeof body);
    wr_var(&w, expected, strlen(expected));
    wr_var(&w, next, strlen(next));
    return frame(r, LINK_HEAD_PUT, body, w.len);
}

START_TEST(orderly)
{
    RIG r;
    rig_open(&r, 1 << 20);
    ASSERT_OK(frame(&r, LINK_HEAD_GET, NULL, 0));
    ck_assert(said(&r, LINK_HEAD) && r.sent.len[0] == 5 && r.sent.body[0][0] == 0);
    ASSERT_OK(name_frame(&r, LINK_PUT, "a"));
    ck_assert_uint_eq(r.sent.count, 0);
    ASSERT_OK(frame(&r, LINK_DATA, "hello ", 6));
    ASSERT_OK(frame(&r, LINK_DATA, "world", 5));
    ck_assert_uint_eq(r.sent.count, 0);
    ASSERT_OK(end_frame(&r, 11));
    ck_assert(said(&r, LINK_DONE) && r.sent.len[0] == 0);
    ASSERT_OK(name_frame(&r, LINK_GET, "a"));
    ck_assert_uint_eq(r.sent.count, 2);
    ck_assert_uint_eq(r.sent.type[0], LINK_DATA);
    ck_assert_mem_eq(r.sent.body[0], "hello world", 11);
    ck_assert_uint_eq(r.sent.type[1], LINK_GET_END);
    ck_assert_mem_eq(r.sent.body[1], "\x0b\0\0\0\0\0\0\0", 8);
    ASSERT_OK(name_frame(&r, LINK_GET, "b"));
    ck_assert(said_error(&r, E_ABSENT));
    ck_assert(!r.session.head_moved);
    ASSERT_OK(head_frame(&r, "", "one"));
    ck_assert(said(&r, LINK_DONE));
    ck_assert(r.session.head_moved);
    ASSERT_OK(head_frame(&r, "", "two"));
    ck_assert(said_error(&r, E_STATE));
    ASSERT_OK(frame(&r, LINK_HEAD_GET, NULL, 0));
    ck_assert_mem_eq(r.sent.body[0], "\1\3\0\0\0one", 8);
    ASSERT_OK(frame(&r, LINK_LIST, NULL, 0));
    ck_assert(said(&r, LINK_LISTED) && r.sent.len[0] == 5);
    ck_assert_mem_eq(r.sent.body[0], "\1\0\0\0\1", 5);
}
END_TEST

/* What merely fails is told at the end of the put, and the session goes on. */
START_TEST(failing_puts)
{
    RIG r;
    rig_open(&r, 10);
    uint8_t piece[8] = { 0 };
    ASSERT_OK(name_frame(&r, LINK_PUT, "big"));
    ASSERT_OK(frame(&r, LINK_DATA, piece, 8));
    ASSERT_OK(frame(&r, LINK_DATA, piece, 8));
    ASSERT_OK(frame(&r, LINK_DATA, piece, 8));
    ck_assert_uint_eq(r.sent.count, 0);
    ASSERT_OK(end_frame(&r, 24));
    ck_assert(said_error(&r, E_LIMIT));
    ASSERT_OK(name_frame(&r, LINK_PUT, "a"));
    ASSERT_OK(frame(&r, LINK_DATA, piece, 8));
    ASSERT_OK(end_frame(&r, 7));
    ck_assert(said_error(&r, E_FORMAT));
    ASSERT_OK(name_frame(&r, LINK_PUT, "a"));
    ASSERT_OK(end_frame(&r, UINT64_MAX));
    ck_assert(said_error(&r, E_FORMAT));
    ASSERT_OK(name_frame(&r, LINK_GET, "a"));
    ck_assert(said_error(&r, E_ABSENT));
    ASSERT_OK(name_frame(&r, LINK_PUT, "a"));
    ASSERT_OK(frame(&r, LINK_DATA, piece, 8));
    ASSERT_OK(end_frame(&r, 8));
    ck_assert(said(&r, LINK_DONE));
    ASSERT_OK(name_frame(&r, LINK_PUT, "a"));
    ASSERT_OK(end_frame(&r, 0));
    ck_assert(said_error(&r, E_STATE));
}
END_TEST

/* What breaks the rules ends the session, with a word about it. */
static const struct bad bads[] = {
    { LINK_HELLO, 4, "\1\0\1\0", false, E_FORMAT }, { LINK_READY, 0, "", false, E_FORMAT }, { 0, 0, "", false, E_FORMAT },
    { 0x7777, 3, "abc", false, E_FORMAT }, { LINK_HEAD, 5, "\0\0\0\0\0", false, E_FORMAT }, { LINK_DONE, 0, "", false, E_FORMAT },
    { MSG_ERROR, 1, "\1", false, E_FORMAT },
    { LINK_HEAD_GET, 1, "x", false, E_FORMAT }, { LINK_LIST, 1, "x", false, E_FORMAT },
    { LINK_HEAD_PUT, 7, "\0\0\0\0\0\0\0", false, E_FORMAT }, { LINK_HEAD_PUT, 8, "\0\0\0\0\0\0\0\0", false, E_FORMAT },
    { LINK_HEAD_PUT, 9, "\0\0\0\0\2\0\0\0x", false, E_FORMAT }, { LINK_HEAD_PUT, 10, "\0\0\0\0\1\0\0\0xy", false, E_FORMAT },
    { LINK_HEAD_PUT, 9, "\1\4\0\0xxxxx", false, E_FORMAT }, { LINK_HEAD_PUT, 9, "\0\0\0\0\xff\xff\xff\xffx", false, E_FORMAT },
    { LINK_PUT, 4, "\0\0\0\0", false, E_FORMAT }, { LINK_PUT, 3, "\0\0\0", false, E_FORMAT }, { LINK_PUT, 6, "\2\0\0\0..", false, E_FORMAT },
    { LINK_PUT, 7, "\3\0\0\0a/b", false, E_FORMAT }, { LINK_PUT, 6, "\3\0\0\0ab", false, E_FORMAT }, { LINK_PUT, 6, "\1\0\0\0ab", false, E_FORMAT },
    { LINK_PUT, 6, "\2\0\0\0a\0", false, E_FORMAT }, { LINK_GET, 6, "\2\0\0\0.a", false, E_FORMAT }, { LINK_GET, 5, "\1\0\0\0A", false, E_FORMAT },
    { LINK_ANCHOR, 12, "\0\0\0\0\0\0\0\0\0\0\0\0", false, E_STATE }, { LINK_ANCHORED, 12, "\0\0\0\0\0\0\0\0\0\0\0\0", false, E_FORMAT },
    { LINK_DATA, 1, "x", false, E_STATE }, { LINK_PUT_END, 8, "\0\0\0\0\0\0\0\0", false, E_STATE },
    { LINK_DATA, 0, "", true, E_FORMAT }, { LINK_PUT_END, 7, "\0\0\0\0\0\0\0", true, E_FORMAT },
    { LINK_PUT, 5, "\1\0\0\0b", true, E_STATE }, { LINK_GET, 5, "\1\0\0\0b", true, E_STATE }, { LINK_LIST, 0, "", true, E_STATE },
    { LINK_HEAD_GET, 0, "", true, E_STATE }, { LINK_HEAD_PUT, 9, "\0\0\0\0\1\0\0\0x", true, E_STATE },
};

START_TEST(rule_breakers)
{
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        RIG r;
        uint8_t head[LINK_HEAD_MAX];
        size_t n = 0;
        rig_open(&r, 1 << 20);
        if (bads[i].in_put) ASSERT_OK(name_frame(&r, LINK_PUT, "a"));
        err e = frame(&r, bads[i].type, bads[i].body, bads[i].len);
        ck_assert_msg(e.code == bads[i].code, "row %zu: %s", i, err_text(e.code));
        ck_assert_msg(said_error(&r, bads[i].code), "row %zu: no word of it", i);
        ASSERT_OK(r.store->head_get(r.store, head, &n));
        ck_assert_uint_eq(n, 0);
    }
}
END_TEST

START_TEST(over_long_frames)
{
    RIG r;
    BYTES big = NULL;
    char name[LINK_NAME_MAX + 2];
    ASSERT_OK(mem_new(&big, LINK_PIECE + 1));
    rig_open(&r, 8 << 20);
    ASSERT_OK(name_frame(&r, LINK_PUT, "a"));
    ASSERT_OK(frame(&r, LINK_DATA, big, LINK_PIECE));
    ASSERT_CODE(frame(&r, LINK_DATA, big, LINK_PIECE + 1), E_FORMAT);
    rig_close(&r);
    rig_open(&r, 8 << 20);
    memset(name, 'a', sizeof name);
    name[LINK_NAME_MAX] = '\0';
    ASSERT_OK(name_frame(&r, LINK_GET, name));
    ck_assert(said_error(&r, E_ABSENT));
    name[LINK_NAME_MAX] = 'a';
    name[LINK_NAME_MAX + 1] = '\0';
    ASSERT_CODE(name_frame(&r, LINK_GET, name), E_FORMAT);
}
END_TEST

/* An answer that cannot be sent ends the session with that failure. */
START_TEST(deaf_peer)
{
    RIG r;
    rig_open(&r, 1 << 20);
    ASSERT_OK(name_frame(&r, LINK_PUT, "a"));
    ASSERT_OK(frame(&r, LINK_DATA, "x", 1));
    ASSERT_OK(end_frame(&r, 1));
    r.sent.fails = (err){ E_TIMEOUT };
    ASSERT_CODE(frame(&r, LINK_HEAD_GET, NULL, 0), E_TIMEOUT);
    ASSERT_CODE(frame(&r, LINK_LIST, NULL, 0), E_TIMEOUT);
    ASSERT_CODE(name_frame(&r, LINK_GET, "a"), E_TIMEOUT);
}
END_TEST

START_TEST(hellos)
{
    static const struct { size_t len; const char *body; enum err_code code; } rows[] = {
        { 4, "\1\0\1\0", E_OK }, { 4, "\2\0\1\0", E_DENIED }, { 4, "\1\0\3\0", E_OK }, { 4, "\1\0\4\0", E_FORMAT }, { 4, "\1\0\0\0", E_FORMAT }, { 5, "\1\0\3\0x", E_FORMAT },
        { 3, "\1\0\1", E_FORMAT }, { 0, "", E_FORMAT }, { 5, "\1\0\1\0x", E_FORMAT },
        { 13, "\1\0\2\0\xbb\1\3\0\0\0a.b", E_OK }, { 13, "\1\0\2\0\0\0\3\0\0\0a.b", E_FORMAT }, { 10, "\1\0\2\0\xbb\1\0\0\0\0", E_FORMAT },
        { 12, "\1\0\2\0\xbb\1\3\0\0\0a.", E_FORMAT }, { 14, "\1\0\2\0\xbb\1\3\0\0\0a.bc", E_FORMAT }, { 4, "\1\0\2\0", E_FORMAT },
        { 13, "\1\0\2\0\xbb\1\3\0\0\0a\nb", E_FORMAT }, { 13, "\1\0\2\0\xbb\1\3\0\0\0a\0b", E_FORMAT }, { 13, "\1\0\2\0\xbb\1\xff\xff\xff\xff" "a.b", E_FORMAT },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hello h;
        struct msg m = { .type = LINK_HELLO, .len = (uint32_t)rows[i].len, .body = (const uint8_t *)rows[i].body };
        err e = hello_parse(&h, &m);
        ck_assert_msg(e.code == rows[i].code, "row %zu: %s", i, err_text(e.code));
    }
    struct hello h;
    ASSERT_CODE(hello_parse(&h, &(struct msg){ .type = LINK_LIST }), E_STATE);
}
END_TEST

START_TEST(names)
{
    ck_assert(link_name_ok("g0000000000000001-0a1b2c3d.pack", 31) && link_name_ok("0", 1));
    ck_assert(!link_name_ok("", 0) && !link_name_ok(".", 1) && !link_name_ok("-x", 2) && !link_name_ok("a_b", 3) && !link_name_ok("a\0b", 3));
}
END_TEST

/* ---- the enclave's client against a served connection ---- */

struct served { struct parent_config conf; int theirs, ours, stop[2]; };

static void serve_body(void *ctx)
{
    struct served *s = ctx;
    close(s->ours);
    _exit((int)serve_link(&s->theirs, &s->conf, s->stop[0]).code);
}

static pid_t serve(struct served *s, int fds[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ck_assert_int_eq(pipe(s->stop), 0);
    s->theirs = fds[1];
    s->ours = fds[0];
    pid_t pid = child_start(serve_body, s);
    close(fds[1]);
    return pid;
}

struct taken { uint8_t bytes[3 << 20]; size_t n; };
static err take(void *self, const uint8_t *p, size_t n)
{
    struct taken *t = self;
    memcpy(t->bytes + t->n, p, n);
    t->n += n;
    return OK;
}

START_TEST(enclaves_client)
{
    char dir[] = "/tmp/hf-link-XXXXXX", command[64];
    static struct served s;
    static struct taken got;
    static uint8_t object[(2 << 20) + 12345];
    int fds[2];
    uint64_t total;
    uint32_t count;
    bool present;
    uint8_t head[LINK_HEAD_MAX];
    size_t n;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ASSERT_OK(parent_config_parse(&s.conf, "test", ""));
    snprintf(s.conf.store_dir, sizeof s.conf.store_dir, "%s/store", dir);
    strcpy(s.conf.stores, s.conf.store_dir);
    STORE_BACKEND made = NULL;
    ASSERT_OK(store_dir_open(&made, s.conf.store_dir, true));
    for (size_t i = 0; i < sizeof object; i++) object[i] = (uint8_t)(i * 31 >> 3);

    pid_t pid = serve(&s, fds);
    ASSERT_OK(link_hello(fds[0], LINK_STORE, NULL, 0, 5000));
    STORE store = NULL;
    ASSERT_OK(store_link(&store, &fds[0], 5000));
    ASSERT_OK(store->list(store, &count, &present));
    ck_assert(count == 0 && !present);
    ASSERT_OK(store->put_begin(store, "given-up"));
    ASSERT_OK(store->put_data(store, object, 100));
    ASSERT_OK(store->put_abort(store));
    ASSERT_OK(store->put_begin(store, "a"));
    for (size_t at = 0, piece; at < sizeof object; at += piece) {
        piece = sizeof object - at < LINK_PIECE ? sizeof object - at : LINK_PIECE;
        ASSERT_OK(store->put_data(store, object + at, piece));
    }
    ASSERT_OK(store->put_end(store, sizeof object));
    ASSERT_OK(store->head_put(store, NULL, 0, "one", 3));
    ASSERT_CODE(store->head_put(store, NULL, 0, "two", 3), E_STATE);
    ASSERT_OK(store->head_get(store, head, &n));
    ck_assert(n == 3 && memcmp(head, "one", 3) == 0);
    ASSERT_OK(store->get(store, &total, "a", sizeof got.bytes, (struct store_sink){ take, &got }));
    ck_assert_uint_eq(total, sizeof object);
    ck_assert_uint_eq(got.n, sizeof object);
    ck_assert_mem_eq(got.bytes, object, sizeof object);
    ASSERT_CODE(store->get(store, &total, "b", 10, (struct store_sink){ take, &got }), E_ABSENT);
    ASSERT_OK(store->list(store, &count, &present));
    ck_assert(count == 1 && present);

    /* told to stop in the middle of a put: the put is finished, then the connection ends */
    ASSERT_OK(store->put_begin(store, "late"));
    ASSERT_OK(store->put_data(store, object, 1000));
    ck_assert_int_eq((int)write(s.stop[1], "x", 1), 1);
    usleep(400000);
    ASSERT_OK(store->put_data(store, object, 1000));
    ASSERT_OK(store->put_end(store, 2000));
    ck_assert(exited(child_wait(pid), E_OK));
    ASSERT_CODE(store->list(store, &count, &present), E_CLOSED);
    snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(way_out_refused)
{
    static struct served s;
    int fds[2];
    ASSERT_OK(parent_config_parse(&s.conf, "test", "[parent]\negress = kms.example:443=127.0.0.1:1\n"));
    pid_t pid = serve(&s, fds);
    ASSERT_CODE(link_hello(fds[0], LINK_EGRESS, "evil.example", 443, 5000), E_DENIED);
    ck_assert(exited(child_wait(pid), E_DENIED));
    pid = serve(&s, fds);
    ASSERT_CODE(link_hello(fds[0], LINK_EGRESS, "kms.example", 80, 5000), E_DENIED);
    ck_assert(exited(child_wait(pid), E_DENIED));
    /* allowed, but nobody listens there */
    pid = serve(&s, fds);
    ASSERT_CODE(link_hello(fds[0], LINK_EGRESS, "KMS.example", 443, 5000), E_IO);
    ck_assert(exited(child_wait(pid), E_IO));
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("parent_session", orderly, failing_puts, rule_breakers, over_long_frames, deaf_peer, hellos, names, enclaves_client, way_out_refused);
}

CHECK_MAIN(suite)
