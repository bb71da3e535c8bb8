/* Frames: what is taken, what is refused, and who may ask what. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/msg.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"
#include "tests/support/faults.h"

/* Both ends of a socket pair, which every test here has. */
static int a, b;

static void set_up(void)
{
    int fd[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    a = fd[0];
    b = fd[1];
}

static void tear_down(void)
{
    close(a);
    close(b);
}

/* Bytes as a hostile peer would write them. */
static void put_raw(const void *p, size_t n)
{
    ck_assert_int_eq(write(a, p, n), (ssize_t)n);
}

static void put_head(uint32_t len, uint16_t type, uint16_t seq)
{
    uint8_t head[MSG_HEAD];
    struct wr w = wr_of(head, sizeof head);
    wr_u32(&w, len);
    wr_u16(&w, type);
    wr_u16(&w, seq);
    put_raw(head, sizeof head);
}

START_TEST(a_frame_arrives)
{
    uint8_t room[16], wire[MSG_HEAD + 5];
    struct msg m;
    ASSERT_OK(msg_send(a, 0x0102, 0x0304, "hello", 5, 1000));
    ck_assert_int_eq(recv(b, wire, sizeof wire, MSG_PEEK), sizeof wire);
    ck_assert_mem_eq(wire, "\5\0\0\0\2\1\4\3hello", sizeof wire);
    ASSERT_OK(msg_recv(b, &m, room, sizeof room, NULL, 1000));
    ck_assert_uint_eq(m.type, 0x0102);
    ck_assert_uint_eq(m.seq, 0x0304);
    ck_assert_uint_eq(m.len, 5);
    ck_assert_ptr_eq(m.body, room);
    ck_assert_mem_eq(room, "hello", 5);
    ASSERT_OK(msg_send(a, 1, 0, NULL, 0, 1000));
    ASSERT_OK(msg_recv(b, &m, room, sizeof room, NULL, 1000));
    ck_assert_uint_eq(m.len, 0);
    ck_assert_ptr_nonnull(m.body);
}
END_TEST

START_TEST(too_long_is_refused_both_ways)
{
    uint8_t room[16] = { 0 };
    struct msg m;
    ASSERT_CODE(msg_send(a, 1, 0, room, MSG_MAX + 1, 1000), E_LIMIT);
    ASSERT_OK(msg_send(a, 1, 0, room, 16, 1000));
    ASSERT_OK(msg_recv(b, &m, room, 16, NULL, 1000));
    put_head(17, 1, 0);
    ASSERT_CODE(msg_recv(b, &m, room, 16, NULL, 1000), E_LIMIT);
    ck_assert_ptr_null(m.body);
    put_head(UINT32_MAX, 1, 0);
    ASSERT_CODE(msg_recv(b, &m, room, 16, NULL, 1000), E_LIMIT);
    /* A room larger than the longest frame does not make frames longer. */
    put_head(MSG_MAX + 1, 1, 0);
    ASSERT_CODE(msg_recv(b, &m, room, (size_t)MSG_MAX * 2, NULL, 1000), E_LIMIT);
}
END_TEST

START_TEST(a_short_frame_is_an_error)
{
    uint8_t room[16];
    struct msg m;
    put_head(5, 1, 0);
    put_raw("hell", 4);
    ASSERT_CODE(msg_recv(b, &m, room, sizeof room, NULL, 30), E_TIMEOUT);
    ck_assert_ptr_null(m.body);
    put_raw("\5\0\0", 3);
    ASSERT_CODE(msg_recv(b, &m, room, sizeof room, NULL, 30), E_TIMEOUT);
    ASSERT_CODE(msg_recv(b, &m, room, sizeof room, NULL, 0), E_TIMEOUT);
    put_head(5, 1, 0);
    put_raw("hell", 4);
    shutdown(a, SHUT_WR);
    ASSERT_CODE(msg_recv(b, &m, room, sizeof room, NULL, 1000), E_CLOSED);
    ASSERT_CODE(msg_recv(b, &m, room, sizeof room, NULL, 1000), E_CLOSED);
}
END_TEST

START_TEST(an_end_within_the_header_is_an_error)
{
    uint8_t room[16];
    struct msg m;
    put_raw("\5\0\0", 3);
    shutdown(a, SHUT_WR);
    ASSERT_CODE(msg_recv(b, &m, room, sizeof room, NULL, 1000), E_CLOSED);
}
END_TEST

static void drip(void *ctx)
{
    (void)ctx;
    static const char frame[] = "\40\0\0\0\1\0\0\0";
    for (int i = 0; i < 40; i++) {
        if (send(a, i < 8 ? frame + i : "x", 1, MSG_NOSIGNAL) != 1)
            return;
        poll(NULL, 0, 20);
    }
}

/* The deadline is for the frame, not for each of its bytes. */
START_TEST(a_dripping_peer_does_not_stretch_the_deadline)
{
    uint8_t room[64];
    struct msg m;
    pid_t pid = child_start(drip, NULL);
    ASSERT_CODE(msg_recv(b, &m, room, sizeof room, NULL, 100), E_TIMEOUT);
    kill(pid, SIGKILL);
    child_wait(pid);
}
END_TEST

static void send_fds(const int *fds, size_t count, const void *p, size_t n)
{
    union { struct cmsghdr align; char room[CMSG_SPACE(8 * sizeof(int))]; } control = { 0 };
    struct iovec v = { (void *)(uintptr_t)p, n };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
                        .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    ck_assert_int_eq(sendmsg(a, &h, 0), (ssize_t)n);
}

START_TEST(a_descriptor_goes_along)
{
    uint8_t room[16];
    struct msg m;
    struct stat sent, got;
    FD null = open("/dev/null", O_RDONLY);
    int pass = 5, before = open_fds();
    ASSERT_OK(msg_send_fd(a, 7, 1, "body", 4, null));
    ASSERT_OK(msg_recv(b, &m, room, sizeof room, &pass, 1000));
    ck_assert_int_ge(pass, 0);
    ck_assert_int_ne(pass, null);
    ck_assert_mem_eq(room, "body", 4);
    fstat(null, &sent);
    fstat(pass, &got);
    ck_assert(sent.st_rdev == got.st_rdev && sent.st_ino == got.st_ino);
    ck_assert_int_ne(fcntl(pass, F_GETFD) & FD_CLOEXEC, 0);
    fd_close(&pass);
    ck_assert_int_eq(open_fds(), before);
    /* No descriptor: said so. */
    ASSERT_OK(msg_send(a, 7, 1, "body", 4, 1000));
    pass = 5;
    ASSERT_OK(msg_recv(b, &m, room, sizeof room, &pass, 1000));
    ck_assert_int_eq(pass, -1);
    /* A pipe cannot carry one. */
    int p[2];
    ck_assert_int_eq(pipe(p), 0);
    ASSERT_CODE(msg_send_fd(p[1], 7, 1, NULL, 0, null), E_IO);
    close(p[0]);
    close(p[1]);
}
END_TEST

START_TEST(an_unwanted_descriptor_is_refused_and_closed)
{
    uint8_t room[16];
    struct msg m;
    FD null = open("/dev/null", O_RDONLY);
    int before = open_fds();
    ASSERT_OK(msg_send_fd(a, 7, 1, "body", 4, null));
    ASSERT_CODE(msg_recv(b, &m, room, sizeof room, NULL, 1000), E_FORMAT);
    ck_assert_int_eq(open_fds(), before);
}
END_TEST

START_TEST(many_descriptors_are_refused_and_closed)
{
    static const uint8_t frame[] = { 0, 0, 0, 0, 7, 0, 1, 0 };
    uint8_t room[16];
    struct msg m;
    FD null = open("/dev/null", O_RDONLY);
    int many[] = { null, null, null, null, null, null, null, null };
    for (size_t count = 2; count <= 8; count++) {
        int before = open_fds(), pass = 5;
        tear_down();
        set_up();
        send_fds(many, count, frame, sizeof frame);
        ASSERT_CODE(msg_recv(b, &m, room, sizeof room, &pass, 1000), E_FORMAT);
        ck_assert_int_eq(pass, -1);
        ck_assert_int_eq(open_fds(), before);
    }
    /* One with the first half of the header, and one with the second. */
    tear_down();
    set_up();
    int before = open_fds(), pass = 5;
    send_fds(many, 1, frame, 4);
    send_fds(many, 1, frame + 4, 4);
    ASSERT_CODE(msg_recv(b, &m, room, sizeof room, &pass, 1000), E_FORMAT);
    ck_assert_int_eq(pass, -1);
    ck_assert_int_eq(open_fds(), before);
}
END_TEST

/* The kernel drops a descriptor that we have no number left for; that is told. */
START_TEST(a_descriptor_that_was_lost_is_missed)
{
    uint8_t room[16];
    struct msg m;
    FD null = open("/dev/null", O_RDONLY);
    int pass = 5;
    struct rlimit was, now;
    ASSERT_OK(msg_send_fd(a, 7, 1, "body", 4, null));
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
    now = was;
    now.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
    err e = msg_recv(b, &m, room, sizeof room, &pass, 1000);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
    ck_assert_int_eq((int)e.code, E_FORMAT);
    ck_assert_int_eq(pass, -1);
}
END_TEST

START_TEST(a_descriptor_in_the_body_vanishes)
{
    uint8_t room[16];
    struct msg m;
    FD null = open("/dev/null", O_RDONLY);
    int before = open_fds(), pass = 5;
    put_head(4, 7, 1);
    send_fds((int[]){ null }, 1, "body", 4);
    ASSERT_OK(msg_recv(b, &m, room, sizeof room, &pass, 1000));
    ck_assert_int_eq(pass, -1);
    ck_assert_int_eq(open_fds(), before);
}
END_TEST

START_TEST(a_descriptor_of_a_bad_frame_is_closed)
{
    static const uint8_t frame[] = { 99, 0, 0, 0, 7, 0, 1, 0 };
    uint8_t room[16];
    struct msg m;
    FD null = open("/dev/null", O_RDONLY);
    int before = open_fds(), pass = 5;
    send_fds((int[]){ null }, 1, frame, sizeof frame);
    ASSERT_CODE(msg_recv(b, &m, room, sizeof room, &pass, 1000), E_LIMIT);
    ck_assert_int_eq(pass, -1);
    ck_assert_int_eq(open_fds(), before);
}
END_TEST

enum answer { GOOD, BAD_SEQ, BAD_TYPE, AN_ERROR, NO_ERROR, ODD_ERROR, EMPTY_ERROR, SILENCE, GONE };

static void answer(void *ctx)
{
    uint8_t room[16], code = 0;
    struct msg m;
    close(a);
    if (msg_recv(b, &m, room, sizeof room, NULL, 2000).code != E_OK || m.type != 3)
        _exit(1);
    switch (*(enum answer *)ctx) {
    case GOOD: err_drop(msg_send(b, 4, m.seq, m.body, m.len, 1000)); break;
    case BAD_SEQ: err_drop(msg_send(b, 4, m.seq ^ 1, m.body, m.len, 1000)); break;
    case BAD_TYPE: err_drop(msg_send(b, 5, m.seq, m.body, m.len, 1000)); break;
    case AN_ERROR: err_drop(msg_send_error(b, &m, (err){ E_DENIED })); break;
    case NO_ERROR: err_drop(msg_send(b, MSG_ERROR, m.seq, &code, 1, 1000)); break;
    case ODD_ERROR: code = E_CODES; err_drop(msg_send(b, MSG_ERROR, m.seq, &code, 1, 1000)); break;
    case EMPTY_ERROR: err_drop(msg_send(b, MSG_ERROR, m.seq, &code, 0, 1000)); break;
    case SILENCE: poll(NULL, 0, 400); break;
    case GONE: break;
    }
}

START_TEST(a_question_gets_its_answer_or_an_error)
{
    static const enum err_code want[] = { E_OK, E_FORMAT, E_FORMAT, E_DENIED, E_FORMAT, E_FORMAT, E_FORMAT,
                                          E_TIMEOUT, E_CLOSED };
    for (enum answer how = GOOD; how <= GONE; how++) {
        uint8_t room[16];
        struct msg m;
        pid_t pid = child_start(answer, &how);
        close(b);
        err e = msg_call(a, 3, "ask", 3, 4, &m, room, sizeof room, 200);
        ck_assert_msg(e.code == want[how], "answer %d: %s", (int)how, err_text(e.code));
        ck_assert(how == GOOD ? m.len == 3 && memcmp(m.body, "ask", 3) == 0 : m.body == NULL);
        ck_assert(exited(child_wait(pid), 0));
        close(a);
        set_up();
    }
}
END_TEST

/* A role of three rules. */
struct role { int hellos, works, gifts, pass; };

static err on_hello(void *self, int fd, const struct msg *m, int *pass)
{
    (void)m;
    (void)pass;
    ((struct role *)self)->hellos++;
    return msg_send(fd, 9, m->seq, NULL, 0, 1000);
}

static err on_work(void *self, int fd, const struct msg *m, int *pass)
{
    (void)fd;
    (void)pass;
    ((struct role *)self)->works++;
    return m->body[0] == '!' ? (err){ E_DENIED } : OK;
}

static err on_gift(void *self, int fd, const struct msg *m, int *pass)
{
    struct role *r = self;
    (void)fd;
    r->gifts++;
    if (m->len == 1)
        r->pass = take_fd(pass);
    return OK;
}

static const struct msg_rule rules[] = {
    { 1, 0, 0, 1u << 0, MSG_ONCE, on_hello },
    { 2, 1, 4, 1u << 1 | 1u << 2, 0, on_work },
    { 3, 0, 1, 1u << 1, 0, on_gift },
    { 1, 2, 2, 1u << 3, 0, on_work },
};
static const struct msg_table table = { rules, 4 };

static err serve(struct role *r, struct msg_seen *seen, unsigned state)
{
    uint8_t room[64];
    return msg_serve(&table, seen, state, r, b, room, sizeof room, 1000);
}

START_TEST(rules_say_what_may_be_asked)
{
    struct role r = { 0 };
    struct msg_seen seen = { 0 };
    ASSERT_OK(msg_send(a, 1, 0, NULL, 0, 1000));
    ASSERT_OK(serve(&r, &seen, 0));
    ASSERT_OK(msg_send(a, 2, 0, "1234", 4, 1000));
    ASSERT_OK(serve(&r, &seen, 1));
    ASSERT_OK(msg_send(a, 2, 0, "1", 1, 1000));
    ASSERT_OK(serve(&r, &seen, 2));
    ASSERT_OK(msg_send(a, 1, 0, "12", 2, 1000));
    ASSERT_OK(serve(&r, &seen, 3));
    ck_assert_int_eq(r.hellos, 1);
    ck_assert_int_eq(r.works, 3);

    ASSERT_OK(msg_send(a, 2, 0, "!", 1, 1000));                     /* the rule's own answer */
    ASSERT_CODE(serve(&r, &seen, 1), E_DENIED);
    ck_assert_int_eq(r.works, 4);
    ASSERT_OK(msg_send(a, 4, 0, NULL, 0, 1000));                    /* not permitted */
    ASSERT_CODE(serve(&r, &seen, 1), E_FORMAT);
    ASSERT_OK(msg_send(a, MSG_ERROR, 0, "\1", 1, 1000));
    ASSERT_CODE(serve(&r, &seen, 1), E_FORMAT);
    ASSERT_OK(msg_send(a, 2, 0, "1", 1, 1000));                     /* early */
    ASSERT_CODE(serve(&r, &seen, 0), E_STATE);
    ASSERT_OK(msg_send(a, 2, 0, NULL, 0, 1000));                    /* short */
    ASSERT_CODE(serve(&r, &seen, 1), E_FORMAT);
    ASSERT_OK(msg_send(a, 2, 0, "12345", 5, 1000));                 /* long */
    ASSERT_CODE(serve(&r, &seen, 1), E_FORMAT);
    ASSERT_OK(msg_send(a, 1, 0, NULL, 0, 1000));                    /* repeated */
    ASSERT_CODE(serve(&r, &seen, 0), E_STATE);
    put_head(65, 2, 0);                                             /* over-long */
    ASSERT_CODE(serve(&r, &seen, 1), E_LIMIT);
    ck_assert_int_eq(r.hellos, 1);
    ck_assert_int_eq(r.works, 4);
}
END_TEST

START_TEST(a_rule_that_takes_no_descriptor_closes_it)
{
    struct role r = { .pass = -1 };
    struct msg_seen seen = { 0 };
    FD null = open("/dev/null", O_RDONLY);
    int before = open_fds();
    ASSERT_OK(msg_send_fd(a, 3, 0, NULL, 0, null));
    ASSERT_OK(serve(&r, &seen, 1));
    ASSERT_OK(msg_send_fd(a, 2, 0, "!", 1, null));
    ASSERT_CODE(serve(&r, &seen, 1), E_DENIED);
    ASSERT_OK(msg_send_fd(a, 2, 0, NULL, 0, null));
    ASSERT_CODE(serve(&r, &seen, 1), E_FORMAT);
    ck_assert_int_eq(open_fds(), before);
    ASSERT_OK(msg_send_fd(a, 3, 0, "1", 1, null));
    ASSERT_OK(serve(&r, &seen, 1));
    ck_assert_int_ge(r.pass, 0);
    ck_assert_int_eq(open_fds(), before + 1);
    fd_close(&r.pass);
}
END_TEST

START_TEST(a_secret_goes_from_arena_to_arena)
{
    uint8_t head[4] = { 0 };
    ASSERT_OK(secret_arena_open(1 << 16));
    SECRET s = NULL;
    SECRET got = NULL;
    ASSERT_OK(secret_random(&s, 48));
    ASSERT_OK(msg_send_secret(a, 6, 2, "head", 4, s, 1000));
    ASSERT_OK(msg_recv_secret(b, 6, head, 4, &got, 48, 1000));
    ck_assert(secret_eq(s, got));
    ck_assert_mem_eq(head, "head", 4);
    secret_drop(&got);
    ASSERT_OK(msg_send_secret(a, 6, 2, NULL, 0, s, 1000));
    ASSERT_OK(msg_recv_secret(b, 6, NULL, 0, &got, 48, 1000));
    ck_assert(secret_eq(s, got));
}
END_TEST

START_TEST(a_secret_of_another_shape_is_refused)
{
    uint8_t head[4] = { 1, 2, 3, 4 };
    ASSERT_OK(secret_arena_open(1 << 16));
    SECRET s = NULL;
    ASSERT_OK(secret_random(&s, 48));
    static const struct { uint16_t type; size_t head, len; } odd[] = { { 7, 4, 48 }, { 6, 4, 47 }, { 6, 4, 49 }, { 6, 3, 48 }, { 6, 0, 48 } };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        secret *got = (void *)1;
        ASSERT_OK(msg_send_secret(a, 6, 2, "head", 4, s, 1000));
        ASSERT_CODE(msg_recv_secret(b, odd[i].type, head, odd[i].head, &got, odd[i].len, 1000), E_FORMAT);
        ck_assert_ptr_null(got);
        tear_down();
        set_up();
    }
    secret *got = (void *)1;
    ASSERT_OK(msg_send_error(a, &(struct msg){ .seq = 2 }, (err){ E_ABSENT }));
    ASSERT_CODE(msg_recv_secret(b, 6, head, 4, &got, 48, 1000), E_ABSENT);
    put_head(2, MSG_ERROR, 2);
    put_raw("\1\1", 2);
    ASSERT_CODE(msg_recv_secret(b, 6, head, 4, &got, 48, 1000), E_FORMAT);
    tear_down();
    set_up();
    /* Cut short: nothing is kept, of the head neither. */
    put_head(52, 6, 2);
    put_raw("headxxxxxxxx", 12);
    ASSERT_CODE(msg_recv_secret(b, 6, head, 4, &got, 48, 30), E_TIMEOUT);
    ck_assert_ptr_null(got);
    ck_assert_mem_eq(head, "\0\0\0\0", 4);
    FD null = open("/dev/null", O_RDONLY);
    int before = open_fds();
    tear_down();
    set_up();
    ASSERT_OK(msg_send_fd(a, 6, 2, "headxxxx", 8, null));
    ASSERT_CODE(msg_recv_secret(b, 6, head, 4, &got, 4, 1000), E_FORMAT);
    ck_assert_int_eq(open_fds(), before);
    ck_assert_uint_eq(secret_count(), 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("core/msg");
    TCase *c = tcase_create("core/msg");
    static const TTest *const *const tests[] = {
        &a_frame_arrives, &too_long_is_refused_both_ways, &a_short_frame_is_an_error,
        &an_end_within_the_header_is_an_error, &a_dripping_peer_does_not_stretch_the_deadline,
        &a_descriptor_goes_along, &an_unwanted_descriptor_is_refused_and_closed,
        &many_descriptors_are_refused_and_closed, &a_descriptor_that_was_lost_is_missed,
        &a_descriptor_in_the_body_vanishes,
        &a_descriptor_of_a_bad_frame_is_closed, &a_question_gets_its_answer_or_an_error,
        &rules_say_what_may_be_asked, &a_rule_that_takes_no_descriptor_closes_it,
        &a_secret_goes_from_arena_to_arena, &a_secret_of_another_shape_is_refused,
    };
    tcase_add_checked_fixture(c, set_up, tear_down);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(c, *tests[i]);
    suite_add_tcase(s, c);
    return s;
}

CHECK_MAIN(suite)
