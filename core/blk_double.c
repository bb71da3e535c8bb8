/* blk_double.c - storage that loses power, and storage that fails: for tests.
 *
 * An object of its own, so that no program links it that does not ask for it. */
#include "core/blk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

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
    TRY(blk_in_bounds(self->size, n, at));
    TRY(power_out(self, false));
    if (n > 0)
        memcpy(p, self->now + at, n);
    return OK;
}

static err blk_mem_write(struct blk *b, const void *p, size_t n, uint64_t at)
{
    struct blk_mem *self = (struct blk_mem *)b;
    TRY(blk_in_bounds(self->size, n, at));
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
        .blk = { blk_mem_read, blk_mem_write, blk_mem_sync, blk_mem_size, blk_mem_close, NULL, NULL },
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
          blk_fault_next_data, NULL }, taken, f,
    };
    taken = NULL;
    *out = &self->blk;
    return OK;
}
