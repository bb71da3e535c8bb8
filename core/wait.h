/* wait.h - deadlines, and moving bytes until one. For core/io, net and msg only.
 *
 * A deadline is a point on the monotonic clock in nanoseconds; NEVER has none.
 * Sockets are read and written without blocking whatever their mode; other
 * descriptors should be O_NONBLOCK where a deadline matters. */
#ifndef CORE_WAIT_H
#define CORE_WAIT_H
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "core/err.h"

enum { NEVER = -1 };
int64_t until_ms(int ms);                             /* ms from now; < 0: NEVER */

/* Wait for poll(2) `events`. Fails: E_TIMEOUT (not logged), E_IO. */
err fd_wait(int fd, short events, int64_t until);
/* Set or clear O_NONBLOCK, and set close-on-exec. Fails: E_IO. */
err fd_nonblock(int fd);

/* fd_read(), with a point in time. An end of stream or a timeout before the
 * first byte is not logged: at the border of a frame both are ordinary. */
err fd_read_until(int fd, void *p, size_t n, int64_t until);
/* The same, and collect a descriptor that came beside the bytes into *pass (-1 if none).
 * More than one, or a truncated set: E_FORMAT, all closed. */
err fd_read_pass(int fd, void *p, size_t n, int *pass, int64_t until);
/* Write all pieces, as one system call where they fit; `pass` >= 0 goes beside the
 * first byte. Changes the pieces. Fails: E_CLOSED, E_TIMEOUT, E_IO. */
err fd_write_pieces(int fd, struct iovec *v, size_t count, int pass, int64_t until);

#endif
