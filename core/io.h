/* io.h - a stream of bytes to one peer: vsock, unix, tcp, a descriptor, or a test.
 *
 * Addresses are text: vsock:CID:PORT  unix:PATH  tcp:HOST:PORT (HOST numeric or
 * `localhost`; [v6] in brackets)  fd:N. vsock:any:PORT listens on every CID. */
#ifndef CORE_IO_H
#define CORE_IO_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

/* All or nothing: on OK exactly `n` bytes moved; on any error the stream is
 * dead and only close() is allowed. A filter (fault, count) is an io over an io. */
struct io {
    err  (*read)(struct io *, void *p, size_t n);
    err  (*write)(struct io *, const void *p, size_t n);
    void (*close)(struct io *);                       /* also frees the io itself */
};
void io_close(struct io **io);                        /* closes, and NULLs it */
#define IO __attribute__((cleanup(io_close))) struct io *

/* Take over descriptor *fd (set to -1). Each read or write must finish within
 * `deadline_ms` of its call; < 0 waits for ever. The descriptor is set non-blocking. */
err io_from_fd(struct io **out, int *fd, int deadline_ms);
/* Connect within deadline_ms, which then holds for each later call. Fails: E_FORMAT (address), E_IO, E_TIMEOUT. */
err io_connect(struct io **out, const char *address, int deadline_ms);

/* The same without the stream on top, for relays and accept loops. *fd is close-on-exec
 * and non-blocking. fd:N takes N itself, not a copy. */
err fd_connect(int *fd, const char *address, int deadline_ms);
/* Listen. A stale unix socket file is replaced only if nothing answers on it; mode 0600 unless `mode` says otherwise. */
err fd_listen(int *fd, const char *address, unsigned mode);
/* Fails: E_TIMEOUT, E_IO (with no descriptor left, at once: the caller must not spin). */
err fd_accept(int *fd, int listener, int deadline_ms);
/* Let a MiB be on its way from here, for a stream of large frames: then who sends works while the peer does. A wish, for
 * unix sockets only (vsock has credits instead, TCP finds out by itself); the kernel grants it up to net.core.wmem_max. */
void fd_wide(int fd);
/* Exact reads and writes on a descriptor, with a deadline. A signal neither ends nor
 * stretches them, and no SIGPIPE comes from a socket (from a pipe it does). An end of stream
 * or timeout before the first byte is not logged: between frames both are ordinary.
 * Fails: E_CLOSED (end of stream), E_TIMEOUT, E_IO. */
err fd_read(int fd, void *p, size_t n, int deadline_ms);
err fd_write(int fd, const void *p, size_t n, int deadline_ms);

/* Test filter: counts calls; call number `fail_at` (from 1) fails with E_IO. Takes *inner. */
struct io_faults { unsigned long calls, fail_at; };
err io_faulty(struct io **out, struct io **inner, struct io_faults *f);

#endif
