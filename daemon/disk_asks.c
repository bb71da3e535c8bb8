/* disk_asks.c - what web and book may ask of the role disk: to seal, to verify, to grow. */
#include "core/log.h"
#include "core/mem.h"
#include "daemon/disk.h"

enum { INIT_MS = 90000 };

/* Read back what the parent holds, and authenticate it. What it finds is an answer; a store that cannot be
 * asked is an error. */
err disk_on_verify(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    struct seal_report r = { 0 };
    (void)pass;
    if (d->state != MOUNTED) return msg_send_error(fd, m, (err){ E_STATE });
    err e = disk_store_again(d);
    if (e.code) return msg_send_error(fd, m, e);
    e = seal_verify(d->sealer, &r);
    /* A transfer may have stopped in its middle. */
    d->store_broken = e.code != E_OK;
    if (e.code == E_CLOSED || e.code == E_TIMEOUT || e.code == E_MEMORY) return msg_send_error(fd, m, e);
    uint8_t body[32];
    struct wr w = wr_of(body, sizeof body);
    wr_u8(&w, (uint8_t)e.code);
    wr_u64(&w, e.code ? d->shown.generation : r.generation);
    wr_u64(&w, r.moved);
    return msg_send(fd, DISK_VERIFIED, m->seq, body, w.len, 5000);
}

/* What there is is sealed first, so that nothing is lost whatever becomes of this. */
static err grow(struct disk *d, uint64_t size)
{
    uint8_t body[8];
    struct wr w = wr_of(body, sizeof body);
    FD fd = -1;
    err result = OK;
    TRY(disk_seal_and_tell(d, &result));
    TRY(result);
    wr_u64(&w, size);
    TRY(role_ask_init(d->env, CTL_IMAGE_GROW, body, w.len, &fd, INIT_MS));
    BLK larger = NULL;
    TRY(blk_from_fd(&larger, &fd));
    blk_close(&d->image);
    d->image = larger;
    larger = NULL;
    TRY(disk_volume_larger(d));
    err filled = role_ask_init(d->env, CTL_IMAGE_FILL, NULL, 0, NULL, INIT_MS);
    if (filled.code) return filled.code == E_DENIED ? (err){ E_IO } : filled;   /* denied to us, not to the client */
    log_info("the disk has %llu MiB now", (unsigned long long)(size >> 20));
    return OK;
}

static err on_seal_or_grow(struct disk *d, int fd, const struct msg *m, uint64_t size)
{
    err result = OK;
    if (d->state != MOUNTED || disk_keeps_still(d)) return msg_send_error(fd, m, (err){ E_STATE });
    if (size) result = grow(d, size);
    if (d->displaced) return result;
    if (!result.code) TRY(disk_seal_and_tell(d, &result));
    if (result.code) return msg_send_error(fd, m, result);
    uint8_t body[128];
    struct wr w = wr_of(body, sizeof body);
    wire_put_disk(&w, &d->shown);
    return msg_send(fd, DISK_SEALED, m->seq, body, w.len, 5000);
}

err disk_on_seal(void *self, int fd, const struct msg *m, int *pass)
{
    (void)pass;
    return on_seal_or_grow(self, fd, m, 0);
}

err disk_on_grow(void *self, int fd, const struct msg *m, int *pass)
{
    struct rd r = rd_of(m->body, m->len);
    const uint64_t size = rd_u64(&r);
    (void)pass;
    TRY(rd_end(&r, "DISK_GROW"));
    if (!size) FAIL(E_FORMAT, "a disk cannot grow to nothing");
    return on_seal_or_grow(self, fd, m, size);
}

/* A limit's new value: the book answers its judges when this is durable, and when the witnesses, if there are any, know of it. */
err disk_on_book_seal(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    err result = OK;
    (void)fd, (void)pass;
    /* What was handed over is not this enclave's to change. */
    if (disk_keeps_still(d)) result = (err){ E_STATE };
    else TRY(disk_seal_and_tell(d, &result));
    return disk_log_owe(d, m->seq, result.code ? SPEND_UNSEALED : SPEND_GRANTED);
}

err disk_on_dirty(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    (void)fd, (void)m, (void)pass;
    if (d->shown.dirty) return OK;
    d->shown.dirty = 1;
    return disk_push_state(d);
}
