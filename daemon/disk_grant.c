/* disk_grant.c - grants at the role disk: the old build's is put beside the log's entry about it; a new build's is looked for. */
#include <string.h>
#include <time.h>

#include "core/hash.h"
#include "core/mem.h"
#include "daemon/disk.h"
#include "keystore/grant.h"
#include "policy/record.h"

enum { ANSWER = GRANT_MAX + RECORD_MAX + 128 };

/* The newest entry of a segment. Out: *before, the tree without it. */
static err newest(struct entry *e, struct tlog *before, const struct tail *t)
{
    struct rd r = tail_entries(t);
    size_t n = 0;
    *before = t->before;
    for (uint32_t i = 0; i + 1 < t->count; i++) {
        uint8_t leaf[TLOG_HASH];
        const uint8_t *p = tail_next(&r, &n);
        tlog_leaf(leaf, p, n);
        TRY(tlog_append(before, leaf));
    }
    const uint8_t *last = tail_next(&r, &n);
    return entry_parse(e, last, n);
}

/* Is the last thing that the log says a grant to this key? The segment is the parent's word so far: it is authentic once the grant
 * has opened, which names its place in the log, and the journal went on from the same segment. */
static err find(bool *found, struct wr *w, struct disk *d, const uint8_t key[static 32])
{
    BYTES segment = NULL;
    BYTES grant = NULL;
    struct tail t;
    struct entry e;
    struct tlog before;
    char name[GRANT_NAME];
    uint8_t root[32];
    size_t n = 0;
    *found = false;
    TRY(mem_new(&segment, TAIL_MAX));
    TRY(mem_new(&grant, GRANT_MAX));
    if (!d->head.present || !d->head.head.log[0]) return OK;
    TRY(store_get_all(d->store, segment, &n, d->head.head.log, TAIL_MAX));
    TRY(tail_parse(&t, segment, n));
    TRY(newest(&e, &before, &t));
    if (e.kind != ENTRY_GRANT || memcmp(e.build, key, 32) != 0) return OK;
    grant_name(name, key, e.grant);
    TRY(store_get_all(d->store, grant, &n, name, GRANT_MAX));
    tlog_root(root, &before);
    wr_var(w, grant, n);
    wr_bytes(w, e.release, 32);
    wr_u32(w, t.number);
    wr_u64(w, before.size);
    wr_bytes(w, root, 32);
    wr_var(w, d->head.record, d->head.record_len);
    *found = true;
    return wr_end(w, "DISK_GRANT");
}

/* Nobody has a key yet, so that nothing here can be more than looked for again. */
err disk_on_grant_get(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    BYTES body = NULL;
    bool found = false;
    (void)pass;
    TRY(mem_new(&body, ANSWER));
    struct wr w = wr_of(body + 1, ANSWER - 1);
    err e = d->store_broken ? disk_connect(d) : OK;
    if (!e.code) {
        seal_head_drop(&d->head);
        e = seal_head_get(&d->head, d->store);
    }
    if (!e.code) e = find(&found, &w, d, m->body);
    d->store_broken = e.code != E_OK;
    if (e.code == E_MEMORY) return e;
    body[0] = found && !e.code;
    return msg_send(fd, DISK_GRANT, m->seq, body, body[0] ? 1 + w.len : 1, 5000);
}

/* The last seal of this build, and where the log is then. */
err disk_on_still(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    err result = OK;
    uint8_t body[64], root[32];
    struct wr w = wr_of(body, sizeof body);
    (void)pass;
    TRY(disk_seal_and_tell(d, &result));
    if (result.code) return msg_send_error(fd, m, result);
    journal_root(root, d->journal);
    wr_u32(&w, journal_number(d->journal));
    wr_u64(&w, journal_size(d->journal));
    wr_bytes(&w, root, 32);
    return msg_send(fd, DISK_STILL_IS, m->seq, body, w.len, 5000);
}

/* The grant, then its entry and what is in force from then on; after that this enclave writes nothing more. */
err disk_on_grant_put(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    struct rd r = rd_of(m->body, m->len);
    struct entry e = { .kind = ENTRY_GRANT };
    char name[GRANT_NAME];
    size_t n = 0, standing_len = 0;
    (void)pass;
    const uint64_t at = rd_u64(&r);
    e.time = rd_u64(&r);
    rd_copy(&r, e.release, 32);
    rd_copy(&r, e.build, 32);
    const uint8_t *grant = rd_var(&r, GRANT_MAX, &n), *standing = rd_var(&r, TAIL_STATE_MAX, &standing_len);
    TRY(rd_end(&r, "DISK_GRANT_PUT"));
    if (d->handed_over) FAIL(E_STATE, "a second grant");
    if (at != journal_size(d->journal)) return msg_send_error(fd, m, (err){ E_DENIED });   /* the log went on meanwhile */
    sha256(e.grant, grant, n);
    grant_name(name, e.build, e.grant);
    TRY(disk_store_again(d));
    TRY(store_put_all(d->store, name, grant, n));
    TRY(journal_add(d->journal, &e));
    TRY(journal_set_state(d->journal, standing, standing_len));
    /* Whether this took effect can be found out by a start only, so nothing is tried after a failure. */
    TRY(seal_log(d->sealer, (uint64_t)time(NULL)));
    d->handed_over = true;
    TRY(msg_send(fd, DISK_GRANT_KEPT, m->seq, NULL, 0, 5000));
    return disk_log_tell(d);
}
