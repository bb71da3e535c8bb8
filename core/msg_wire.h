/* msg_wire.h - the frame itself, shared by msg.c and msg_secret.c only. */
#ifndef CORE_MSG_WIRE_H
#define CORE_MSG_WIRE_H
#include "core/msg.h"

void msg_put_head(uint8_t out[static MSG_HEAD], uint16_t type, uint16_t seq, uint32_t len);
/* Receive a header, and a descriptor beside it. Out: m->type, seq, len. */
err  msg_get_head(int fd, struct msg *m, int *pass, int64_t until);
/* After a header of type MSG_ERROR: read its body; always an error, the peer's or E_FORMAT. */
err  msg_get_error(int fd, const struct msg *m, int64_t until);

#endif
