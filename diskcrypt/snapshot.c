/* snapshot.c - the copy that is made while the file system stands still. */
#include "diskcrypt/snapshot.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/mem.h"
#include "diskcrypt/chunk.h"

enum { PIECE = 16 * CHUNK_SIZE };

struct snapshot { int fd; uint64_t size; struct blk *blk; uint8_t *piece; };

err snapshot_open(struct snapshot **out, uint64_t size)
{
    *out = NULL;
    TRY(chunk_size_check(size));
    SNAPSHOT s = calloc(1, sizeof *s);
    if (!s)
        FAIL(E_MEMORY, "no memory for a snapshot");
    s->size = size;
    s->fd = memfd_create("snapshot", MFD_CLOEXEC);
    if (s->fd < 0)
        FAIL(E_IO, "making a file in memory");
    TRY(mem_new(&s->piece, PIECE));
    TRY(snapshot_empty(s));
    FD again = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    if (again < 0)
        FAIL(E_IO, "duplicating a descriptor");
    TRY(blk_from_fd(&s->blk, &again));
    *out = s;
    s = NULL;
    return OK;
}

void snapshot_close(struct snapshot **s)
{
    if (!*s)
        return;
    blk_close(&(*s)->blk);
    fd_close(&(*s)->fd);
    mem_free_bytes(&(*s)->piece);
    free(*s);
    *s = NULL;
}

err snapshot_empty(struct snapshot *s)
{
    /* Pages that are cut off are freed, and come back as zeros. */
    if (ftruncate(s->fd, 0) != 0 || ftruncate(s->fd, (off_t)s->size) != 0)
        FAIL(E_IO, "emptying a snapshot");
    return OK;
}

struct blk *snapshot_blk(struct snapshot *s)
{
    return s->blk;
}

/* Write what is not zero of n bytes at `at`, in whole runs. */
static err copy_piece(struct snapshot *s, uint64_t *copied, size_t n, uint64_t at)
{
    for (size_t i = 0; i < n;) {
        size_t run = i;
        while (run < n && !chunk_is_zero(s->piece + run, CHUNK_SIZE))
            run += CHUNK_SIZE;
        if (run > i)
            TRY(s->blk->write_at(s->blk, s->piece + i, run - i, at + i));
        *copied += run - i;
        i = run + CHUNK_SIZE;             /* the one after the run is zeros, or the end */
    }
    return OK;
}

static err copy_all(struct snapshot *s, uint64_t *copied, struct blk *image)
{
    for (uint64_t at = 0; at < s->size;) {
        uint64_t from, to;
        TRY(blk_next_data(image, &from, &to, at));
        from -= from % CHUNK_SIZE;
        to += (CHUNK_SIZE - to % CHUNK_SIZE) % CHUNK_SIZE;
        for (at = from; at < to;) {
            size_t n = to - at < PIECE ? (size_t)(to - at) : (size_t)PIECE;
            TRY(image->read_at(image, s->piece, n, at));
            TRY(copy_piece(s, copied, n, at));
            at += n;
        }
    }
    return OK;
}

err snapshot_copy(struct snapshot *s, uint64_t *copied, struct blk *image)
{
    *copied = 0;
    if (image->size(image) != s->size)
        FAIL(E_STATE, "an image of %llu bytes does not fit a snapshot of %llu",
             (unsigned long long)image->size(image), (unsigned long long)s->size);
    TRY(snapshot_empty(s));
    err e = copy_all(s, copied, image);
    mem_wipe(s->piece, PIECE);
    if (e.code) {
        *copied = 0;
        err_drop(snapshot_empty(s));
    }
    return e;
}
