/* io_double.c - a stream that fails when told to: for tests. */
#include <errno.h>
#include <stdlib.h>

#include "core/io.h"

struct io_fault {
    struct io io, *inner;
    struct io_faults *f;
};

static err io_fault_now(struct io_fault *self)
{
    self->f->calls++;
    if (self->f->calls == self->f->fail_at) {
        errno = EIO;
        FAIL(E_IO, "stream call %lu fails as the test asks", self->f->calls);
    }
    return OK;
}

static err io_fault_read(struct io *io, void *p, size_t n)
{
    struct io_fault *self = (struct io_fault *)io;
    TRY(io_fault_now(self));
    return self->inner->read(self->inner, p, n);
}

static err io_fault_write(struct io *io, const void *p, size_t n)
{
    struct io_fault *self = (struct io_fault *)io;
    TRY(io_fault_now(self));
    return self->inner->write(self->inner, p, n);
}

static void io_fault_close(struct io *io)
{
    struct io_fault *self = (struct io_fault *)io;
    io_close(&self->inner);
    free(self);
}

err io_faulty(struct io **out, struct io **inner, struct io_faults *f)
{
    *out = NULL;
    IO taken = *inner;
    *inner = NULL;
    struct io_fault *self = malloc(sizeof *self);
    if (!self)
        FAIL(E_MEMORY, "no memory for a stream filter");
    *self = (struct io_fault){ { io_fault_read, io_fault_write, io_fault_close }, taken, f };
    taken = NULL;
    *out = &self->io;
    return OK;
}
