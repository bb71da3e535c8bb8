/* book: the only process that opens a file on the encrypted disk. */
#include "daemon/book.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/log.h"
#include "core/mem.h"
#include "daemon/loop.h"
#include "daemon/roles.h"
#include "policy/genesis.h"

enum { CLOSED, OPEN, DONE };
#define IN(state) (1u << (state))
_Static_assert(4 + WIRE_SPENDS * WIRE_SPEND > GENESIS_MAX + 512, "the longest frame is a BOOK_SPEND");
enum { ROOM = 4 + WIRE_SPENDS * WIRE_SPEND + 64, LIST_MAX = 1000, ENTRY_SIZE = 8 + 8 + 64 + 2 + 4 + 4 + 3 * 4 + WIRE_TEXT + WIRE_WHICH + RULES_NAME };

/* `told`: disk knows of an unsealed commit. It is told once and not for each: while
 * it seals it does not read, and a full channel would stop the book. */
/* A judge that waits until what it was granted is sealed. `inode` tells its channel from a later one with the same number. */
struct waiting { int fd; ino_t inode; uint16_t seq; bool asked; };
struct librarian {
    struct role_env *env;
    struct book     *book;
    unsigned         state;
    bool             told;
    bool             sealing, unsealed;      /* BOOK_SEAL is under way; there are spends that no seal had */
    struct waiting   waiting[JUDGES_MAX];    /* fd < 0: free */
    uint64_t         opened_at, opened_on;   /* the hypervisor's time, and the monotonic clock then; seconds */
};

static uint64_t seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec;
}

err book_warm_up(struct role_env *env)
{
    (void)env;
    if (sqlite3_initialize() != SQLITE_OK) FAIL(E_MEMORY, "sqlite");
    /* SQLite asks once where temporary files go, by reading the environment: it is empty. */
    return OK;
}

static err on_open(void *self, int fd, const struct msg *m, int *pass)
{
    struct librarian *k = self;
    struct rd r = rd_of(m->body, m->len);
    char path[CONFIG_PATH + 32];
    uint8_t id[32];
    size_t n = 0;
    uint64_t total = 0;
    (void)pass;
    uint8_t fresh = rd_u8(&r);
    rd_copy(&r, id, 32);
    k->opened_at = rd_u64(&r);
    k->opened_on = seconds();
    const uint8_t *genesis = rd_var(&r, GENESIS_MAX, &n);
    TRY(rd_end(&r, "BOOK_OPEN"));
    snprintf(path, sizeof path, "%s/state/state.db", k->env->config.disk_dir);
    TRY(book_open(&k->book, path, fresh == 1, id, genesis, n));
    TRY(book_count(k->book, &total));
    k->state = OPEN;
    uint8_t body[8];
    struct wr w = wr_of(body, sizeof body);
    wr_u64(&w, total);
    return msg_send(fd, BOOK_OPENED, m->seq, body, w.len, 5000);
}

static err on_record(void *self, int fd, const struct msg *m, int *pass)
{
    struct librarian *k = self;
    struct rd r = rd_of(m->body, m->len);
    struct wire_entry e;
    uint64_t row = 0;
    (void)pass;
    wire_get_entry(&r, &e);
    TRY(rd_end(&r, "BOOK_RECORD"));
    if (k->state != OPEN) return msg_send_error(fd, m, (err){ E_STATE });
    err failed = book_append(k->book, &row, &e);
    if (failed.code == E_LIMIT) return msg_send_error(fd, m, failed);
    TRY(failed);                       /* a database that cannot be written is the end */
    if (!k->told) TRY(msg_send(k->env->peer[ROLE_DISK], BOOK_DIRTY, 0, NULL, 0, 5000));
    k->told = true;
    uint8_t body[8];
    struct wr w = wr_of(body, sizeof body);
    wr_u64(&w, row);
    return msg_send(fd, BOOK_RECORDED, m->seq, body, w.len, 5000);
}

/* ---- spends ---- */

static ino_t inode_of(int fd)
{
    struct stat s;
    return fd >= 0 && fstat(fd, &s) == 0 ? s.st_ino : 0;
}

static err tell_spent(int fd, uint16_t seq, const struct book_verdict *v)
{
    uint8_t body[1 + 4 + 3 * 8];
    struct wr w = wr_of(body, sizeof body);
    wr_u8(&w, (uint8_t)v->verdict);
    wr_u32(&w, v->which);
    wr_u64(&w, v->limit);
    wr_u64(&w, v->left);
    wr_u64(&w, v->wait);
    return msg_send(fd, BOOK_SPENT, seq, body, w.len, 5000);
}

/* One seal at a time: what is granted while it runs may have missed its cut, and waits for the next. */
static err ask_for_seal(struct librarian *k)
{
    if (k->sealing || k->state != OPEN) return OK;
    bool some = false;
    for (unsigned i = 0; i < JUDGES_MAX; i++) some |= k->waiting[i].asked = k->waiting[i].fd >= 0;
    if (!some) return OK;
    k->sealing = true;
    k->unsealed = false;
    return msg_send(k->env->peer[ROLE_DISK], BOOK_SEAL, 0, NULL, 0, 5000);
}

/* A judge asks one thing at a time: an entry with its channel's number is of one that is gone. */
static err wait_for_seal(struct librarian *k, int fd, uint16_t seq)
{
    struct waiting *free_one = NULL;
    for (unsigned i = 0; i < JUDGES_MAX; i++)
        if (k->waiting[i].fd == fd || (!free_one && k->waiting[i].fd < 0)) free_one = &k->waiting[i];
    if (!free_one) FAIL(E_LIMIT, "more judges wait than there are");
    *free_one = (struct waiting){ .fd = fd, .inode = inode_of(fd), .seq = seq };
    return ask_for_seal(k);
}

static err on_sealed(void *self, int fd, const struct msg *m, int *pass)
{
    struct librarian *k = self;
    const struct book_verdict v = { .verdict = (enum spend_verdict)m->body[0] };
    const bool done = v.verdict == SPEND_GRANTED;
    (void)fd, (void)pass;
    if (!done && v.verdict != SPEND_UNSEALED && v.verdict != SPEND_UNWITNESSED) FAIL(E_FORMAT, "BOOK_SEALED says %u", m->body[0]);
    if (!k->sealing) FAIL(E_STATE, "a seal that was not asked for");
    k->sealing = false;
    k->unsealed |= !done;
    for (unsigned i = 0; i < JUDGES_MAX; i++) {
        struct waiting *x = &k->waiting[i];
        if (x->fd < 0 || !x->asked) continue;
        /* The judge may have ended meanwhile, and its successor knows of no question. */
        if (inode_of(x->fd) == x->inode) err_drop(tell_spent(x->fd, x->seq, &v));
        x->fd = -1;
    }
    return ask_for_seal(k);
}

static err read_spends(struct wire_spend *s, uint32_t n, struct rd *r)
{
    for (uint32_t i = 0; i < n; i++) wire_get_spend(r, &s[i]);
    return rd_end(r, "BOOK_SPEND");
}

static err on_spend(void *self, int fd, const struct msg *m, int *pass)
{
    struct librarian *k = self;
    struct rd r = rd_of(m->body, m->len);
    BYTES room = NULL;
    struct book_verdict v;
    bool fresh;
    (void)pass;
    const uint32_t n = rd_u32(&r);
    if (n == 0 || n > WIRE_SPENDS) FAIL(E_FORMAT, "BOOK_SPEND of %u", n);
    TRY(mem_new(&room, n * sizeof(struct wire_spend)));
    struct wire_spend *s = (struct wire_spend *)(void *)room;
    TRY(read_spends(s, n, &r));
    if (k->state != OPEN) return msg_send_error(fd, m, (err){ E_STATE });
    err e = book_spend(k->book, &v, &fresh, &k->env->config.spend, s, n, k->opened_at + (seconds() - k->opened_on));
    if (e.code == E_LIMIT) return msg_send_error(fd, m, e);
    TRY(e);
    k->unsealed |= fresh;
    /* Nothing new, and nothing that a seal has not had or is just having: it is durable. */
    if (v.verdict != SPEND_GRANTED || (!fresh && !k->unsealed && !k->sealing)) return tell_spent(fd, m->seq, &v);
    return wait_for_seal(k, fd, m->seq);
}

/* ---- the history ---- */

static err list_into(struct librarian *k, struct wr *w, uint32_t limit, uint64_t before, uint64_t since)
{
    BYTES room = NULL;
    uint64_t total = 0;
    uint32_t n = 0;
    TRY(mem_new(&room, limit * sizeof(struct wire_entry)));
    struct wire_entry *e = (struct wire_entry *)(void *)room;
    TRY(book_count(k->book, &total));
    TRY(book_list(k->book, e, &n, limit, before, since));
    wr_u64(w, total);
    wr_u32(w, n);
    for (uint32_t i = 0; i < n; i++) wire_put_entry(w, &e[i]);
    return wr_end(w, "BOOK_LISTED");
}

static err on_list(void *self, int fd, const struct msg *m, int *pass)
{
    struct librarian *k = self;
    struct rd r = rd_of(m->body, m->len);
    BYTES out = NULL;
    (void)pass;
    uint32_t limit = rd_u32(&r);
    uint64_t before = rd_u64(&r), since = rd_u64(&r);
    TRY(rd_end(&r, "BOOK_LIST"));
    if (limit > LIST_MAX) FAIL(E_LIMIT, "BOOK_LIST of %u", limit);
    if (k->state != OPEN) return msg_send_error(fd, m, (err){ E_STATE });
    size_t cap = 12 + (size_t)limit * ENTRY_SIZE;
    TRY(mem_new(&out, cap));
    struct wr w = wr_of(out, cap);
    TRY(list_into(k, &w, limit, before, since));
    return msg_send(fd, BOOK_LISTED, m->seq, out, w.len, 10000);
}

static err on_clean(void *self, int fd, const struct msg *m, int *pass)
{
    struct librarian *k = self;
    (void)fd, (void)m, (void)pass;
    k->told = false;
    return OK;
}

static err on_close(void *self, int fd, const struct msg *m, int *pass)
{
    struct librarian *k = self;
    (void)pass;
    TRY(book_close(&k->book));
    k->state = DONE;
    return msg_send(fd, BOOK_CLOSED, m->seq, NULL, 0, 5000);
}

#define ALWAYS (IN(CLOSED) | IN(OPEN) | IN(DONE))
enum { RECORD_BODY = 8 + 8 + 64 + 2 + 4 + 4 + 3 * 4 };
static const struct msg_rule judge_rules[] = {
    { BOOK_RECORD, RECORD_BODY, ENTRY_SIZE, ALWAYS, 0, on_record },
    { BOOK_SPEND, 4 + WIRE_SPEND, 4 + WIRE_SPENDS * WIRE_SPEND, ALWAYS, 0, on_spend },
};
static const struct msg_rule web_rules[] = { { BOOK_LIST, 20, 20, ALWAYS, 0, on_list } };
static const struct msg_rule disk_rules[] = {
    { BOOK_OPEN, 45, 45 + GENESIS_MAX, IN(CLOSED), MSG_ONCE, on_open },
    { BOOK_CLEAN, 0, 0, IN(OPEN) | IN(DONE), 0, on_clean },
    { BOOK_CLOSE, 0, 0, IN(OPEN), MSG_ONCE, on_close },
    { BOOK_SEALED, 1, 1, IN(OPEN) | IN(DONE), 0, on_sealed },
};
static const struct msg_table judge_table = { judge_rules, 2 }, web_table = { web_rules, 1 }, disk_table = { disk_rules, 4 };

err book_main(struct role_env *env)
{
    struct librarian k = { .env = env };
    BYTES room = NULL;
    for (unsigned i = 0; i < JUDGES_MAX; i++) k.waiting[i].fd = -1;
    TRY(mem_new(&room, ROOM));
    struct loop l = { .env = env, .state = &k.state, .self = &k, .room = room, .cap = ROOM };
    loop_add(&l, &env->peer[ROLE_DISK], &disk_table, false);
    loop_add(&l, &env->peer[ROLE_WEB], &web_table, true);     /* web is the first to go when the enclave stops */
    loop_add_judges(&l, &judge_table);
    err e = loop_run(&l);
    err closed = book_close(&k.book);
    return e.code ? e : closed;
}
