/* blk.c - storage over a descriptor, and the doubles that tests need. */
#include "core/blk.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

void blk_close(struct blk **b)
{
    struct blk *old = *b;
    *b = NULL;
    if (old)
        old->close(old);
}

static err in_bounds(uint64_t size, size_t n, uint64_t at)
{
    if (at > size || n > size - at)
        FAIL(E_LIMIT, "%zu bytes at %llu are outside a device of %llu", n,
             (unsigned long long)at, (unsigned long long)size);
    return OK;
}

err blk_next_data(struct blk *b, uint64_t *from, uint64_t *to, uint64_t at)
{
    uint64_t size = b->size(b);
    *from = *to = size;
    if (at >= size)
        return OK;
    if (b->next_data)
        return b->next_data(b, from, to, at);
    *from = at;
    return OK;
}

struct blk_fd {
    struct blk blk;
    int fd;
    uint64_t size;
};

static err blk_fd_read(struct blk *b, void *p, size_t n, uint64_t at)
{
    struct blk_fd *self = (struct blk_fd *)b;
    TRY(in_bounds(self->size, n, at));
    uint8_t *to = p;
    while (n > 0) {
        ssize_t got = pread(self->fd, to, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            FAIL(E_IO, "reading %zu bytes at %llu", n, (unsigned long long)at);
        if (got == 0) {
            errno = EIO;
            FAIL(E_IO, "the device shrank: nothing at %llu", (unsigned long long)at);
        }
        to += got;
        n -= (size_t)got;
        at += (uint64_t)got;
    }
    return OK;
}

static err blk_fd_write(struct blk *b, const void *p, size_t n, uint64_t at)
{
    struct blk_fd *self = (struct blk_fd *)b;
    TRY(in_bounds(self->size, n, at));
    const uint8_t *from = p;
    while (n > 0) {
        ssize_t put = pwrite(self->fd, from, n, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            FAIL(E_IO, "writing %zu bytes at %llu", n, (unsigned long long)at);
        from += put;
        n -= (size_t)put;
        at += (uint64_t)put;
    }
    return OK;
}

static err blk_fd_sync(struct blk *b)
{
    struct blk_fd *self = (struct blk_fd *)b;
    if (fdatasync(self->fd) != 0)
        FAIL(E_IO, "making writes durable");
    return OK;
}

static uint64_t blk_fd_size(struct blk *b)
{
    return ((struct blk_fd *)b)->size;
}

static err blk_fd_next_data(struct blk *b, uint64_t *from, uint64_t *to, uint64_t at)
{
    struct blk_fd *self = (struct blk_fd *)b;
    *from = at;
    *to = self->size;
    off_t data = lseek(self->fd, (off_t)at, SEEK_DATA);
    if (data < 0 && errno == ENXIO)       /* only a hole up to the end */
        *from = self->size;
    else if (data >= 0 && (uint64_t)data < self->size) {
        off_t hole = lseek(self->fd, data, SEEK_HOLE);
        *from = (uint64_t)data;
        if (hole > data && (uint64_t)hole < self->size)
            *to = (uint64_t)hole;
    }
    /* Any other failure: a device without holes, so all may be data. */
    return OK;
}

static void blk_fd_close(struct blk *b)
{
    struct blk_fd *self = (struct blk_fd *)b;
    fd_close(&self->fd);
    free(self);
}

err blk_from_fd(struct blk **out, int *fd)
{
    *out = NULL;
    FD mine = take_fd(fd);
    struct stat st;
    uint64_t size = 0;
    if (fstat(mine, &st) != 0)
        FAIL(E_IO, "asking for the size of a device");
    if (S_ISREG(st.st_mode))
        size = (uint64_t)st.st_size;
    else if (!S_ISBLK(st.st_mode))
        FAIL(E_FORMAT, "storage must be a file or a block device");
    else if (ioctl(mine, BLKGETSIZE64, &size) != 0)
        FAIL(E_IO, "asking for the size of a device");

    struct blk_fd *self = malloc(sizeof *self);
    if (!self)
        FAIL(E_MEMORY, "no memory for a block device");
    *self = (struct blk_fd){
        { blk_fd_read, blk_fd_write, blk_fd_sync, blk_fd_size, blk_fd_close, blk_fd_next_data },
        take_fd(&mine), size,
    };
    *out = &self->blk;
    return OK;
}

/* A write that is not durable yet: what it put where. */
struct pending {
    struct pending *next;
    uint64_t at;
    size_t n;
    uint8_t data[];
};

struct blk_mem {
    struct blk blk;
    uint64_t size;
    uint8_t *now, *durable;
    struct pending *first, **last;
    struct blk_power *power;
};

static err power_out(struct blk_mem *self, bool counts)
{
    struct blk_power *p = self->power;
    bool out = p->stop_after != 0 && p->calls >= p->stop_after;
    if (counts && !out)
        p->calls++;
    if (out) {
        errno = EIO;
        FAIL(E_IO, "the power is out, as the test asks");
    }
    return OK;
}

static void drop_pending(struct blk_mem *self)
{
    while (self->first) {
        struct pending *w = self->first;
        self->first = w->next;
        free(w);
    }
    self->last = &self->first;
}

static err blk_mem_read(struct blk *b, void *p, size_t n, uint64_t at)
{
    struct blk_mem *self = (struct blk_mem *)b;
    TRY(in_bounds(self->size, n, at));
    TRY(power_out(self, false));
    if (n > 0)
        memcpy(p, self->now + at, n);
    return OK;
}

static err blk_mem_write(struct blk *b, const void *p, size_t n, uint64_t at)
{
    struct blk_mem *self = (struct blk_mem *)b;
    TRY(in_bounds(self->size, n, at));
    TRY(power_out(self, true));
    if (n == 0)
        return OK;
    struct pending *w = malloc(sizeof *w + n);
    if (!w)
        FAIL(E_MEMORY, "no memory for a pending write");
    *w = (struct pending){ .at = at, .n = n };
    memcpy(w->data, p, n);
    *self->last = w;
    self->last = &w->next;
    memcpy(self->now + at, p, n);
    return OK;
}

static err blk_mem_sync(struct blk *b)
{
    struct blk_mem *self = (struct blk_mem *)b;
    TRY(power_out(self, true));
    for (struct pending *w = self->first; w; w = w->next)
        memcpy(self->durable + w->at, w->data, w->n);
    drop_pending(self);
    return OK;
}

static uint64_t blk_mem_size(struct blk *b)
{
    return ((struct blk_mem *)b)->size;
}

static void blk_mem_close(struct blk *b)
{
    struct blk_mem *self = (struct blk_mem *)b;
    drop_pending(self);
    free(self->now);
    free(self->durable);
    free(self);
}

err blk_volatile(struct blk **out, uint64_t size, struct blk_power *p)
{
    *out = NULL;
    if (size > SIZE_MAX)
        FAIL(E_LIMIT, "a device of %llu bytes does not fit in memory", (unsigned long long)size);
    BYTES now = NULL;
    BYTES durable = NULL;
    TRY(mem_new(&now, (size_t)size));
    TRY(mem_new(&durable, (size_t)size));
    struct blk_mem *self = calloc(1, sizeof *self);
    if (!self)
        FAIL(E_MEMORY, "no memory for a block device");
    *self = (struct blk_mem){
        .blk = { blk_mem_read, blk_mem_write, blk_mem_sync, blk_mem_size, blk_mem_close, NULL },
        .size = size, .now = take_bytes(&now), .durable = take_bytes(&durable), .power = p,
    };
    self->last = &self->first;
    *out = &self->blk;
    return OK;
}

err blk_power_back(struct blk *b)
{
    MUST(b->read_at == blk_mem_read);
    struct blk_mem *self = (struct blk_mem *)b;
    unsigned long left = self->power->kept;
    for (struct pending *w = self->first; w && left > 0; w = w->next, left--) {
        /* The last one that reached the device got half way. */
        bool torn = left == 1 || !w->next;
        memcpy(self->durable + w->at, w->data, torn ? w->n / 2 : w->n);
    }
    drop_pending(self);
    memcpy(self->now, self->durable, (size_t)self->size);
    self->power->calls = 0;
    self->power->stop_after = 0;
    return OK;
}

struct blk_fault {
    struct blk blk, *inner;
    struct blk_faults *f;
};

static err blk_fault_now(struct blk_fault *self)
{
    self->f->calls++;
    if (self->f->calls == self->f->fail_at) {
        errno = EIO;
        FAIL(E_IO, "device call %lu fails as the test asks", self->f->calls);
    }
    return OK;
}

static err blk_fault_read(struct blk *b, void *p, size_t n, uint64_t at)
{
    struct blk_fault *self = (struct blk_fault *)b;
    TRY(blk_fault_now(self));
    return self->inner->read_at(self->inner, p, n, at);
}

static err blk_fault_write(struct blk *b, const void *p, size_t n, uint64_t at)
{
    struct blk_fault *self = (struct blk_fault *)b;
    TRY(blk_fault_now(self));
    return self->inner->write_at(self->inner, p, n, at);
}

static err blk_fault_sync(struct blk *b)
{
    struct blk_fault *self = (struct blk_fault *)b;
    TRY(blk_fault_now(self));
    return self->inner->sync(self->inner);
}

static uint64_t blk_fault_size(struct blk *b)
{
    struct blk_fault *self = (struct blk_fault *)b;
    return self->inner->size(self->inner);
}

static err blk_fault_next_data(struct blk *b, uint64_t *from, uint64_t *to, uint64_t at)
{
    struct blk_fault *self = (struct blk_fault *)b;
    TRY(blk_fault_now(self));
    return blk_next_data(self->inner, from, to, at);
}

static void blk_fault_close(struct blk *b)
{
    struct blk_fault *self = (struct blk_fault *)b;
    blk_close(&self->inner);
    free(self);
}

err blk_faulty(struct blk **out, struct blk **inner, struct blk_faults *f)
{
    *out = NULL;
    BLK taken = *inner;
    *inner = NULL;
    struct blk_fault *self = malloc(sizeof *self);
    if (!self)
        FAIL(E_MEMORY, "no memory for a device filter");
    *self = (struct blk_fault){
        { blk_fault_read, blk_fault_write, blk_fault_sync, blk_fault_size, blk_fault_close,
          blk_fault_next_data }, taken, f,
    };
    taken = NULL;
    *out = &self->blk;
    return OK;
}
