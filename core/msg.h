/* msg.h - a typed, length-checked frame between two processes.
 *
 * On the wire: u32 payload length, u16 type, u16 sequence, payload; integers
 * little-endian. Between roles it runs over socket pairs, which may also carry
 * one descriptor with a frame; to the parent over vsock, unix or tcp. */
#ifndef CORE_MSG_H
#define CORE_MSG_H
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "core/io.h"
#include "core/secret.h"

enum { MSG_HEAD = 8, MSG_MAX = 8u << 20 };            /* no frame is longer than 8 MiB */

struct msg { uint16_t type, seq; uint32_t len; const uint8_t *body; };

/* Send one frame. Fails: E_LIMIT (n > MSG_MAX), E_CLOSED, E_IO, E_TIMEOUT. */
err msg_send(int fd, uint16_t type, uint16_t seq, const void *body, size_t n, int deadline_ms);
/* Send one frame with a descriptor beside it (AF_UNIX only); `pass` stays the caller's. */
err msg_send_fd(int fd, uint16_t type, uint16_t seq, const void *body, size_t n, int pass);
/* Receive one frame into `room`. Out: *m, whose body points into room; *pass, a
 * descriptor or -1 (NULL: a descriptor is refused, and closed).
 * Fails: E_LIMIT (longer than cap: the stream is dead), E_CLOSED, E_TIMEOUT, E_FORMAT. */
err msg_recv(int fd, struct msg *m, void *room, size_t cap, int *pass, int deadline_ms);
/* Ask and wait for the answer: same seq, type `want` (or E_FORMAT). A frame of type
 * MSG_ERROR with a one-byte err_code body becomes that error. */
err msg_call(int fd, uint16_t type, const void *body, size_t n,
             uint16_t want, struct msg *m, void *room, size_t cap, int deadline_ms);
/* The error answer to `to`, in the form msg_call() understands. */
err msg_send_error(int fd, const struct msg *to, err e);
enum { MSG_ERROR = 0xffff };

/* What may be asked of a role on one channel. A frame of another type, out of
 * its length bounds, in a state not in `when`, or a second MSG_ONCE, is E_STATE or
 * E_FORMAT from msg_serve(), and the role must end. */
enum { MSG_ONCE = 1u << 0 };
struct msg_rule {
    uint16_t type;
    uint32_t min, max;                                /* bounds of the body's length */
    unsigned when;                                    /* bit set of 1u << state */
    unsigned flags;
    err    (*on)(void *self, int fd, const struct msg *m, int *pass);   /* pass: descriptor or -1; take it by setting -1 */
};
struct msg_table { const struct msg_rule *rules; size_t count; };
struct msg_seen  { uint64_t once; };                  /* which MSG_ONCE rules were used, by index: at most 64 rules */
/* Receive one frame from fd and run its rule. */
err msg_serve(const struct msg_table *t, struct msg_seen *seen, unsigned state,
              void *self, int fd, void *room, size_t cap, int deadline_ms);

/* Secrets between roles: the body is head || secret; it is received straight into
 * the arena and never touches a buf. head_len may be 0. */
err msg_send_secret(int fd, uint16_t type, uint16_t seq, const void *head, size_t head_len,
                    const secret *s, int deadline_ms);
err msg_recv_secret(int fd, uint16_t type, void *head, size_t head_len,
                    secret **out, size_t secret_len, int deadline_ms);

#endif
