/* The store over a connection: with the parent's own code at the other end, and with
 * peers that answer wrongly in every way. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/msg.h"
#include "parent/serve.h"
#include "parent/store.h"
#include "tests/support/child.h"
#include "tests/support/seal_rig.h"

enum { MS = 5000 };

static void line_make(int ends[2])
{
    ck_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
}

/* ---- the parent itself ---- */

struct parent { char dir[64]; int fd, mine; };

static void parent_live(void *ctx)
{
    struct parent *p = ctx;
    struct parent_config conf;
    char text[120];
    close(p->mine);
    snprintf(text, sizeof text, "[store]\ndir = %s/store\n", p->dir);
    if (parent_config_parse(&conf, "test", text).code || serve_link(&p->fd, &conf, -1).code)
        _exit(1);
}

static pid_t parent_start(struct store **out, struct parent *p)
{
    int ends[2];
    line_make(ends);
    p->fd = ends[1];
    p->mine = ends[0];
    pid_t pid = child_start(parent_live, p);
    close(ends[1]);
    ASSERT_OK(link_hello(ends[0], LINK_STORE, NULL, 0, MS));
    ASSERT_OK(store_link(out, &ends[0], MS));
    ck_assert_int_eq(ends[0], -1);
    return pid;
}

static void parent_make(struct parent *p)
{
    char dir[80];
    strcpy(p->dir, "/tmp/holdfast-link-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(p->dir));
    snprintf(dir, sizeof dir, "%s/store", p->dir);
    STORE_BACKEND made = NULL;
    ASSERT_OK(store_dir_open(&made, dir, true));
}

static void parent_drop(struct parent *p)
{
    char command[120];
    snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    ck_assert(system(command) == 0);
}
#define PARENT __attribute__((cleanup(parent_drop))) struct parent

START_TEST(with_the_parent)
{
    PARENT p;
    parent_make(&p);
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(70);            /* more than two pieces of the link */
    for (unsigned i = 0; i < 70; i++)
        if (i % 9)
            rig_fill(image, i, 5);
    struct seal_report put, got;
    for (unsigned g = 1; g <= 3; g++) {
        STORE st = NULL;
        pid_t pid = parent_start(&st, &p);
        SEAL_HEAD h = { 0 };
        SEALER s = NULL;
        BLK back = rig_image(70);
        ASSERT_OK(seal_head_get(&h, st));
        ck_assert(h.present == (g > 1));
        ASSERT_OK(seal_open(&s, r.key, r.service, r.epoch, st, &h));
        if (g > 1) {
            ASSERT_OK(seal_restore(s, &got, back, g - 1));
            rig_same(image, back);
        }
        rig_fill(image, g, (uint8_t)g);
        ASSERT_OK(seal_write(s, &put, image, (const uint8_t *)"record", g == 2 ? 3 : 6, g));
        ck_assert_uint_eq(put.generation, g);
        store_close(&st);
        ck_assert(exited(child_wait(pid), 0));
    }
}
END_TEST

/* A put that is given up leaves nothing, and the connection in order. */
START_TEST(abort_with_the_parent)
{
    PARENT p;
    parent_make(&p);
    STORE st = NULL;
    pid_t pid = parent_start(&st, &p);
    uint32_t objects;
    uint64_t total;
    bool head;
    uint8_t byte = 7, back[4];
    size_t n;
    ASSERT_OK(st->put_begin(st, "one"));
    ASSERT_OK(st->put_data(st, &byte, 1));
    ASSERT_OK(st->put_abort(st));
    ASSERT_OK(st->list(st, &objects, &head));
    ck_assert(objects == 0 && !head);
    ASSERT_CODE(store_get_all(st, back, &n, "one", sizeof back), E_ABSENT);
    ASSERT_OK(store_put_all(st, "one", "abc", 3));
    ASSERT_CODE(store_put_all(st, "one", "abc", 3), E_STATE);        /* written once */
    ASSERT_OK(store_get_all(st, back, &n, "one", sizeof back));
    ck_assert(n == 3 && memcmp(back, "abc", 3) == 0);
    ASSERT_OK(st->list(st, &objects, &head));
    ck_assert(objects == 1 && !head);
    ASSERT_OK(st->head_put(st, NULL, 0, "h1", 2));
    ASSERT_CODE(st->head_put(st, NULL, 0, "h2", 2), E_STATE);
    ASSERT_CODE(st->head_put(st, "h0", 2, "h2", 2), E_STATE);
    ASSERT_OK(st->head_put(st, "h1", 2, "h2", 2));
    uint8_t raw[LINK_HEAD_MAX];
    ASSERT_OK(st->head_get(st, raw, &n));
    ck_assert(n == 2 && memcmp(raw, "h2", 2) == 0);
    ASSERT_CODE(store_get_all(st, back, &n, "one", 2), E_LIMIT);     /* that ends it */
    ASSERT_CODE(st->get(st, &total, "one", 9, (struct store_sink){ 0 }), E_CLOSED);
    store_close(&st);
    child_wait(pid);
}
END_TEST

/* ---- peers that answer wrongly ---- */

/* One frame of a script: answer the question with this. */
struct reply { uint16_t type; int seq_off; const char *body; size_t n; };
struct script { int fd, mine, skip; struct reply replies[4]; };

static void script_live(void *ctx)
{
    struct script *s = ctx;
    static uint8_t room[LINK_PIECE];
    struct msg m;
    close(s->mine);
    for (int i = 0; i <= s->skip; i++)    /* the last frame of the question is answered */
        if (msg_recv(s->fd, &m, room, sizeof room, NULL, MS).code)
            _exit(1);
    for (unsigned i = 0; i < 4 && s->replies[i].type; i++)
        if (msg_send(s->fd, s->replies[i].type, (uint16_t)(m.seq + s->replies[i].seq_off), s->replies[i].body,
                     s->replies[i].n, MS).code)
            _exit(2);
    /* Then silent, until the other end goes. */
    err_drop(msg_recv(s->fd, &m, room, sizeof room, NULL, MS));
}

enum question { ASK_HEAD, ASK_MOVE, ASK_PUT, ASK_ABORT, ASK_GET, ASK_LIST };

static err taken(void *self, const uint8_t *p, size_t n)
{
    *(size_t *)self += n;
    return n > 0 && p[0] == '!' ? (err){ E_DENIED } : OK;
}

static err ask(struct store *st, enum question q)
{
    uint8_t raw[LINK_HEAD_MAX], byte = 1;
    size_t n = 0;
    uint64_t total;
    uint32_t objects;
    bool head;
    switch (q) {
    case ASK_HEAD: return st->head_get(st, raw, &n);
    case ASK_MOVE: return st->head_put(st, "a", 1, "b", 1);
    case ASK_GET: return st->get(st, &total, "x", 10, (struct store_sink){ taken, &n });
    case ASK_LIST: return st->list(st, &objects, &head);
    case ASK_PUT:
    case ASK_ABORT: break;
    }
    TRY(st->put_begin(st, "x"));
    TRY(st->put_data(st, &byte, 1));
    return q == ASK_PUT ? st->put_end(st, 1) : st->put_abort(st);
}

struct wrong { enum question q; struct reply replies[4]; enum err_code code; bool usable; };

#define B(text) (text), sizeof(text) - 1
static const struct wrong wrongs[] = {
    /* orderly refusals: the connection goes on */
    { ASK_HEAD, { { MSG_ERROR, 0, B("\x09") } }, E_IO, true },
    { ASK_MOVE, { { MSG_ERROR, 0, B("\x05") } }, E_STATE, true },
    { ASK_PUT, { { MSG_ERROR, 0, B("\x05") } }, E_STATE, true },
    { ASK_ABORT, { { MSG_ERROR, 0, B("\x01") } }, E_OK, true },
    { ASK_GET, { { MSG_ERROR, 0, B("\x06") } }, E_ABSENT, true },
    { ASK_GET, { { LINK_DATA, 0, B("abc") }, { MSG_ERROR, 0, B("\x09") } }, E_IO, true },
    { ASK_GET, { { LINK_DATA, 0, B("abc") }, { LINK_GET_END, 0, B("\3\0\0\0\0\0\0\0") } }, E_OK, true },
    { ASK_GET, { { LINK_GET_END, 0, B("\0\0\0\0\0\0\0\0") } }, E_OK, true },
    { ASK_HEAD, { { LINK_HEAD, 0, B("\0\0\0\0\0") } }, E_OK, true },
    { ASK_HEAD, { { LINK_HEAD, 0, B("\1\2\0\0\0hi") } }, E_OK, true },
    { ASK_LIST, { { LINK_LISTED, 0, B("\2\0\0\0\1") } }, E_OK, true },
    { ASK_MOVE, { { LINK_DONE, 0, B("") } }, E_OK, true },
    /* errors that are none */
    { ASK_HEAD, { { MSG_ERROR, 0, B("") } }, E_FORMAT, false },
    { ASK_HEAD, { { MSG_ERROR, 0, B("\0") } }, E_FORMAT, false },
    { ASK_HEAD, { { MSG_ERROR, 0, B("\x0b") } }, E_FORMAT, false },
    { ASK_HEAD, { { MSG_ERROR, 0, B("\1\1") } }, E_FORMAT, false },
    /* another question's answer, another kind of answer */
    { ASK_HEAD, { { LINK_HEAD, 1, B("\0\0\0\0\0") } }, E_FORMAT, false },
    { ASK_HEAD, { { LINK_DONE, 0, B("") } }, E_FORMAT, false },
    { ASK_LIST, { { LINK_HEAD, 0, B("\0\0\0\0\0") } }, E_FORMAT, false },
    { ASK_MOVE, { { MSG_ERROR, -1, B("\x05") } }, E_FORMAT, false },
    /* bodies that are wrong */
    { ASK_HEAD, { { LINK_HEAD, 0, B("") } }, E_FORMAT, false },
    { ASK_HEAD, { { LINK_HEAD, 0, B("\0\2\0\0\0hi") } }, E_FORMAT, false },
    { ASK_HEAD, { { LINK_HEAD, 0, B("\1\0\0\0\0") } }, E_FORMAT, false },
    { ASK_HEAD, { { LINK_HEAD, 0, B("\2\2\0\0\0hi") } }, E_FORMAT, false },
    { ASK_HEAD, { { LINK_HEAD, 0, B("\1\2\0\0\0hi!") } }, E_FORMAT, false },
    { ASK_HEAD, { { LINK_HEAD, 0, B("\1\xff\xff\xff\xffhi") } }, E_FORMAT, false },
    { ASK_LIST, { { LINK_LISTED, 0, B("\2\0\0\0") } }, E_FORMAT, false },
    { ASK_LIST, { { LINK_LISTED, 0, B("\2\0\0\0\2") } }, E_FORMAT, false },
    { ASK_LIST, { { LINK_LISTED, 0, B("\2\0\0\0\1\1") } }, E_FORMAT, false },
    { ASK_MOVE, { { LINK_DONE, 0, B("x") } }, E_FORMAT, false },
    { ASK_PUT, { { LINK_DONE, 0, B("x") } }, E_FORMAT, false },
    { ASK_PUT, { { LINK_GET_END, 0, B("\1\0\0\0\0\0\0\0") } }, E_FORMAT, false },
    { ASK_ABORT, { { LINK_DONE, 0, B("") } }, E_FORMAT, false },
    /* objects that are wrong */
    { ASK_GET, { { LINK_DATA, 0, B("") } }, E_FORMAT, false },
    { ASK_GET, { { LINK_DATA, 0, B("abc") }, { LINK_DONE, 0, B("") } }, E_FORMAT, false },
    { ASK_GET, { { LINK_DATA, 0, B("abc") }, { LINK_DATA, 1, B("d") } }, E_FORMAT, false },
    { ASK_GET, { { LINK_DATA, 0, B("abc") }, { LINK_GET_END, 0, B("\4\0\0\0\0\0\0\0") } }, E_FORMAT, false },
    { ASK_GET, { { LINK_DATA, 0, B("abc") }, { LINK_GET_END, 0, B("\3\0\0\0\0\0\0") } }, E_FORMAT, false },
    { ASK_GET, { { LINK_DATA, 0, B("abcdefgh") }, { LINK_DATA, 0, B("ijk") } }, E_LIMIT, false },
    { ASK_GET, { { LINK_DATA, 0, B("!") } }, E_DENIED, false },       /* our own sink stops */
};

static void answered(const struct wrong *w)
{
    int ends[2];
    line_make(ends);
    struct script s = { .fd = ends[1], .mine = ends[0], .skip = w->q == ASK_PUT || w->q == ASK_ABORT ? 2 : 0 };
    memcpy(s.replies, w->replies, sizeof s.replies);
    pid_t pid = child_start(script_live, &s);
    close(ends[1]);
    STORE st = NULL;
    ASSERT_OK(store_link(&st, &ends[0], MS));
    enum err_code got = ask(st, w->q).code;
    ck_assert_msg(got == w->code, "case %zu: %s, expected %s", (size_t)(w - wrongs), err_text(got), err_text(w->code));
    if (!w->usable)
        ASSERT_CODE(ask(st, ASK_LIST), E_CLOSED);
    else
        ASSERT_OK(st->put_begin(st, "y"));
    store_close(&st);
    child_wait(pid);
}

START_TEST(wrong_answers)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++)
        answered(&wrongs[i]);
}
END_TEST

/* A frame that is announced longer than any may be is not waited for. */
START_TEST(long_frames)
{
    int ends[2];
    line_make(ends);
    FD far = ends[1];
    STORE st = NULL;
    ASSERT_OK(store_link(&st, &ends[0], MS));
    static const uint8_t huge[8] = { 1, 0, 0x10, 0, LINK_HEAD & 0xff, LINK_HEAD >> 8, 1, 0 };
    ck_assert(write(far, huge, sizeof huge) == sizeof huge);
    ASSERT_CODE(ask(st, ASK_HEAD), E_LIMIT);
    ASSERT_CODE(ask(st, ASK_HEAD), E_CLOSED);
}
END_TEST

START_TEST(silence_and_hanging_up)
{
    int ends[2];
    line_make(ends);
    FD far = ends[1];
    STORE st = NULL;
    ASSERT_OK(store_link(&st, &ends[0], 50));
    ASSERT_CODE(ask(st, ASK_HEAD), E_TIMEOUT);
    ASSERT_CODE(ask(st, ASK_HEAD), E_CLOSED);       /* a late answer would be taken for the next one's */
    store_close(&st);
    fd_close(&far);
    line_make(ends);
    ASSERT_OK(store_link(&st, &ends[0], MS));
    close(ends[1]);
    ASSERT_CODE(ask(st, ASK_GET), E_CLOSED);
    ASSERT_CODE(ask(st, ASK_PUT), E_CLOSED);
}
END_TEST

static Suite *links(void)
{
    return CHECK_SUITE("diskcrypt link", with_the_parent, abort_with_the_parent, wrong_answers, long_frames,
                       silence_and_hanging_up);
}

int main(void)
{
    static check_suite *const suites[] = { links };
    signal(SIGPIPE, SIG_IGN);
    return check_main(suites, 1);
}
