/* disk_permit.c - going on from a state that was put back, which the maintainers have permitted (the keeper judged it).
 *
 * Under the newest log an older generation is one more entry. Where the log itself is an old one, nothing can be proved to follow from what the
 * witnesses have: a new log begins, of the next number, and says so; its key has to be made known to the witnesses again, by people. */
#include <string.h>
#include <time.h>

#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/disk.h"

bool disk_keeps_still(const struct disk *d)
{
    return d->handed_over || d->log.held || (d->log.witnesses && !d->log.anchored);
}

static err add_reopen(struct disk *d, uint64_t now)
{
    struct entry e = { .kind = ENTRY_REOPEN, .time = now, .number = journal_number(d->journal), .size = journal_size(d->journal) };
    journal_root(e.root, d->journal);
    journal_reopen(d->journal);
    return journal_add(d->journal, &e);
}

/* Known: what the log says was the newest. An old log knows no newer one. */
static err add_rollback(struct disk *d, struct entry *e)
{
    uint8_t newest[32];
    e->kind = ENTRY_ROLLBACK;
    e->known = journal_last(d->journal, newest);
    e->generation = d->shown.generation;
    memcpy(e->manifest, d->manifest, 32);
    return journal_add(d->journal, e);
}

static err read_permit(struct entry *e, struct bytes *standing, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    size_t n = 0;
    e->time = rd_u64(&r);
    e->document.p = rd_var(&r, ENTRY_DOCUMENT_MAX, &e->document.n);
    e->signatures = rd_u32(&r);
    if (e->signatures > ENTRY_SIGNATURES) r.bad = true;
    e->signature_list.p = r.p;
    const size_t before = r.left;
    for (uint32_t i = 0; i < e->signatures && rd_ok(&r); i++) (void)rd_var(&r, ENTRY_SIGNATURE_MAX, &n);
    e->signature_list.n = before - r.left;
    standing->p = rd_var(&r, TAIL_STATE_MAX, &standing->n);
    return rd_end(&r, "DISK_PERMIT");
}

static void begin_anew(struct disk *d)
{
    struct disk_log *l = &d->log;
    l->held = false;
    l->boot = journal_boot(d->journal);
    l->wait_ms = l->next_ms = l->asked = 0;
    l->shown.cosigned = l->shown.told = l->shown.size = 0;
    l->shown.freshness = l->witnesses ? FRESH_WAITING : FRESH_NONE;
    fd_close(&l->fd);
    l->waiting = false;
    mem_free_bytes(&l->note);
    l->note_len = 0;
}

err disk_on_permit(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    struct entry e = { 0 };
    struct bytes standing = { 0 };
    uint8_t size[8];
    (void)pass;
    TRY(read_permit(&e, &standing, m));
    if (d->log.shown.freshness != FRESH_ROLLBACK || d->log.anchored) return msg_send_error(fd, m, (err){ E_STATE });
    TRY(disk_store_again(d));
    if (!d->log.held) TRY(add_reopen(d, e.time));
    TRY(add_rollback(d, &e));
    TRY(disk_log_add_boot(d, &d->log.pending, &d->head.head));
    TRY(journal_set_state(d->journal, standing.p, standing.n));
    TRY(seal_log(d->sealer, (uint64_t)time(NULL)));
    log_warn("a permit of the maintainers allows to go on from generation %llu; the log says so for ever", (unsigned long long)d->shown.generation);
    begin_anew(d);
    struct wr w = wr_of(size, sizeof size);
    wr_u64(&w, journal_size(d->journal));
    TRY(msg_send(fd, DISK_LOG_ADDED, m->seq, size, sizeof size, 5000));
    return disk_log_tell(d);
}
