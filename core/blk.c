/* blk.c - storage over a descriptor. The doubles that tests need: blk_double.c. */
#include "core/blk.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

err blk_in_bounds(uint64_t size, size_t n, uint64_t at)
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

err blk_look(const uint8_t **p, struct blk *b, uint8_t *room, size_t n, uint64_t at)
{
    TRY(blk_in_bounds(b->size(b), n, at));
    *p = b->map ? b->map(b, n, at) : NULL;
    if (*p)
        return OK;
    *p = room;
    return b->read_at(b, room, n, at);
}

struct blk_fd {
    struct blk blk;
    int fd;
    uint64_t size;
    uint8_t *whole;                       /* mapped at the first look, read only               */
    bool     cannot_map;
};

static err blk_fd_read(struct blk *b, void *p, size_t n, uint64_t at)
{
    struct blk_fd *self = (struct blk_fd *)b;
    TRY(blk_in_bounds(self->size, n, at));
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
    TRY(blk_in_bounds(self->size, n, at));
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
    struct stat st;
    *from = at;
    *to = self->size;
    /* The kernel finds the end of a run page by page. A file that is all there has none to find. */
    if (fstat(self->fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_blocks * 512 >= self->size)
        return OK;
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

/* All of it once, and for good: pages that were looked at before cost nothing the next time. */
static const uint8_t *blk_fd_map(struct blk *b, size_t n, uint64_t at)
{
    struct blk_fd *self = (struct blk_fd *)b;
    (void)n;
    if (!self->whole && !self->cannot_map) {
        void *map = mmap(NULL, (size_t)self->size, PROT_READ, MAP_SHARED, self->fd, 0);
        self->cannot_map = map == MAP_FAILED;
        self->whole = self->cannot_map ? NULL : map;
    }
    return self->whole ? self->whole + at : NULL;
}

static void blk_fd_close(struct blk *b)
{
    struct blk_fd *self = (struct blk_fd *)b;
    if (self->whole)
        MUST(munmap(self->whole, (size_t)self->size) == 0);
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
        { blk_fd_read, blk_fd_write, blk_fd_sync, blk_fd_size, blk_fd_close, blk_fd_next_data, blk_fd_map },
        take_fd(&mine), size, NULL, false,
    };
    *out = &self->blk;
    return OK;
}
