/* disk_case.c - see disk_case.h. */
#include "tests/disk_case.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"
#include "tests/log_case.h"
#include "tests/support/child.h"

/* ---- the parent ---- */

static void serve_one(int fd, const struct bench *b, unsigned *step)
{
    static uint8_t room[1 << 16];
    struct msg m;
    if (msg_recv(fd, &m, room, sizeof room, NULL, DEADLINE_MS).code) return;
    if (m.type != LINK_HELLO && b->deaf) return;
    if (m.type != LINK_HELLO) {
        ck_assert_ptr_nonnull(b->script[*step]);
        b->script[(*step)++](fd, &m, b->gate[0]);
        return;
    }
    if (b->deaf) (void)msg_send_error(fd, &m, (err){ E_DENIED });
    else ASSERT_OK(msg_send(fd, LINK_READY, m.seq, NULL, 0, DEADLINE_MS));
}

static void parent_body(void *ctx)
{
    const struct bench *b = ctx;
    int ends[2] = { -1, -1 };
    unsigned step = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    close(b->env.control);
    for (;;) {
        struct pollfd p[2] = { { .fd = b->control, .events = POLLIN }, { .fd = ends[0], .events = POLLIN } };
        uint8_t room[64];
        struct msg m;
        ck_assert_int_gt(poll(p, 2, DEADLINE_MS * 3), 0);
        if (p[1].revents) {
            char one;
            if (recv(ends[0], &one, 1, MSG_PEEK) == 1) serve_one(ends[0], b, &step);
            else fd_close(&ends[0]);
            continue;
        }
        if (msg_recv(b->control, &m, room, sizeof room, NULL, DEADLINE_MS).code) _exit(0);
        fd_close(&ends[0]);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        ck_assert(m.type == CTL_WANT && m.len == 2 && m.body[0] == GIVE_PARENT);
        ASSERT_OK(msg_send_fd(b->control, CTL_GIVE, m.seq, m.body, 2, ends[1]));
        close(ends[1]);
    }
}

/* ---- the role, without its loop ---- */

static void pair(int *theirs, int *ours)
{
    int p[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
    *theirs = p[0];
    *ours = p[1];
}

static void write_policy(struct bench *b)
{
    char text[4096];
    struct wr w = wr_of(text, sizeof text);
    for (uint8_t i = 0; i < WITNESSES; i++) {
        const struct note_key k = case_key("w.example", NOTE_COSIGNATURE, (uint8_t)(20 + i));
        wr_text(&w, i == 0 ? "witness a " : i == 1 ? "witness b " : "witness c ");
        note_key_write(&w, &k);
        wr_text(&w, "\n");
    }
    wr_text(&w, "group g 2 a b c\nquorum g\n");
    ASSERT_OK(witnesses_parse(&b->witnesses, text, w.len));
}

void bench_seal(struct bench *b, uint8_t seed)
{
    struct seal_report rep;
    const bool first = seal_generation(b->d.sealer) == 0;
    rig_fill(b->image, seed, seed);
    ASSERT_OK(seal_write(b->d.sealer, &rep, b->image, first ? (const uint8_t *)"record" : NULL, first ? 6 : 0, 1000 + seed));
    b->d.shown.generation = rep.generation;
}

static void open_log(struct bench *b)
{
    SEAL_HEAD found = { 0 };
    struct disk *d = &b->d;
    struct entry boot = { .kind = ENTRY_BOOT, .time = 5, .previous = ENTRY_NO_BOOT };
    ASSERT_OK(store_memory_open(&d->store, b->rig.m, &b->rig.power));
    ASSERT_OK(seal_head_get(&found, d->store));
    ASSERT_OK(seal_open(&d->sealer, b->rig.key, b->rig.service, b->rig.epoch, d->store, &found));
    ASSERT_OK(secret_new(&b->key, JOURNAL_KEY));
    memset(secret_reveal(b->key), 7, JOURNAL_KEY);
    ASSERT_OK(journal_new(&d->journal, b->key, b->rig.service, b->rig.epoch, d->store));
    const struct seal_journal hooks = journal_hooks(d->journal);
    seal_use_journal(d->sealer, &hooks);
    ASSERT_OK(journal_add(d->journal, &boot));
    bench_seal(b, 1);
}

void bench_open(struct bench *b, say *const *script, bool deaf)
{
    memset(b, 0, sizeof *b);
    rig_open(&b->rig, 1, 1);
    b->script = script;
    b->deaf = deaf;
    b->env.id = ROLE_DISK;
    memset(b->env.peer, 0xff, sizeof b->env.peer);
    pair(&b->control, &b->env.control);
    pair(&b->web, &b->env.peer[ROLE_WEB]);
    pair(&b->keeper, &b->env.peer[ROLE_KEEPER]);
    pair(&b->book, &b->env.peer[ROLE_BOOK]);
    ck_assert_int_eq(pipe(b->gate), 0);
    write_policy(b);
    b->image = rig_image(16);
    b->d = (struct disk){ .env = &b->env, .loop = &b->loop, .log = { .fd = -1, .witnesses = &b->witnesses, .shown = { .freshness = FRESH_WAITING } }, .read = { .fd = -1 } };
    loop_add(&b->loop, &b->d.log.fd, NULL, false);
    loop_add(&b->loop, &b->d.read.fd, NULL, false);
    open_log(b);
    b->pid = child_start(parent_body, b);
    close(b->control);
}

void bench_close(struct bench *b)
{
    close(b->env.control);
    ck_assert(exited(child_wait(b->pid), 0));
    disk_drop(&b->d);
    blk_close(&b->image);
    secret_drop(&b->key);
    for (int r = 0; r < ROLES; r++) fd_close(&b->env.peer[r]);
    close(b->web);
    close(b->book);
    close(b->keeper);
    close(b->gate[0]);
    close(b->gate[1]);
    rig_close(&b->rig);
}

err bench_deliver(struct bench *b, int source)
{
    struct loop_source *s = &b->loop.source[source];
    struct pollfd p = { .fd = *s->fd, .events = POLLIN };
    err (*take)(void *) = s->first;
    ck_assert_int_eq(poll(&p, 1, DEADLINE_MS), 1);
    ck_assert_ptr_nonnull(take);
    s->first = NULL;
    return take(&b->d);
}

struct msg bench_heard(int fd)
{
    static uint8_t room[2 << 20];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    struct msg m = { 0 };
    if (poll(&p, 1, 0) == 1) ASSERT_OK(msg_recv(fd, &m, room, sizeof room, NULL, DEADLINE_MS));
    return m;
}
