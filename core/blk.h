/* blk.h - random-access storage: a file, a mapping, or a test double. */
#ifndef CORE_BLK_H
#define CORE_BLK_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

/* Every call moves exactly n bytes or fails; offsets beyond the size fail with E_LIMIT. */
struct blk {
    err      (*read_at)(struct blk *, void *p, size_t n, uint64_t at);
    err      (*write_at)(struct blk *, const void *p, size_t n, uint64_t at);
    err      (*sync)(struct blk *);                   /* durable when it returns OK */
    uint64_t (*size)(struct blk *);
    void     (*close)(struct blk *);                  /* also frees the blk itself */
    /* May be NULL. As blk_next_data(). */
    err      (*next_data)(struct blk *, uint64_t *from, uint64_t *to, uint64_t at);
    /* May be NULL, and NULL where these bytes cannot be shown as they lie; in bounds. For blk_look(). */
    const uint8_t *(*map)(struct blk *, size_t n, uint64_t at);
};
void blk_close(struct blk **b);
/* Is [at, at + n) inside? For those who implement a blk. Fails: E_LIMIT. */
err  blk_in_bounds(uint64_t size, size_t n, uint64_t at);
#define BLK __attribute__((cleanup(blk_close))) struct blk *

/* Find the first run of bytes at or after `at` that may be other than zero; what is
 * before it reads as zeros (a hole). Where holes are not known, all may be.
 * Out: [*from, *to); both the size when nothing but holes is left. */
err blk_next_data(struct blk *b, uint64_t *from, uint64_t *to, uint64_t at);

/* Look at n bytes at `at`: where they lie, if this storage can show them, else read into `room` of n bytes. Out: *p, good
 * until the storage is closed, or `room` is used again. Only while nobody writes there. In holes a look may cost memory:
 * ask blk_next_data() first. Fails: as read_at(). */
err blk_look(const uint8_t **p, struct blk *b, uint8_t *room, size_t n, uint64_t at);

/* Over an open file descriptor; its present size is the size. Takes *fd. */
err blk_from_fd(struct blk **out, int *fd);

/* Test double in memory: writes become durable only at sync(). After `stop_after`
 * writes and syncs (0 = never) every call fails with E_IO: the power is out.
 * blk_power_back() gives what a restart would find: all synced bytes, and of the
 * writes since then the first `kept`, the last of them torn in half. */
struct blk_power { unsigned long calls, stop_after, kept; };
err blk_volatile(struct blk **out, uint64_t size, struct blk_power *p);
err blk_power_back(struct blk *b);
/* Test filter: call number `fail_at` (from 1) fails with E_IO. Takes *inner. */
struct blk_faults { unsigned long calls, fail_at; };
err blk_faulty(struct blk **out, struct blk **inner, struct blk_faults *f);

#endif
