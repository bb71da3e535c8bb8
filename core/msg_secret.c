/* msg_secret.c - frames that carry a secret, from arena to arena. */
#include "core/mem.h"
#include "core/msg.h"
#include "core/msg_wire.h"
#include "core/wait.h"

err msg_send_secret(int fd, uint16_t type, uint16_t seq, const void *head, size_t head_len,
                    const secret *s, int deadline_ms)
{
    size_t n = secret_len(s);
    if (head_len > MSG_MAX - n)
        FAIL(E_LIMIT, "a frame of %zu bytes beside a secret is too long to send", head_len);
    uint8_t frame[MSG_HEAD];
    msg_put_head(frame, type, seq, (uint32_t)(head_len + n));
    /* The kernel takes the bytes from the arena itself. */
    struct iovec v[3] = {
        { frame, sizeof frame },
        { (void *)(uintptr_t)head, head_len },
        { (void *)(uintptr_t)secret_peek(s), n },
    };
    return fd_write_pieces(fd, v, 3, -1, until_ms(deadline_ms));
}

static err recv_parts(int fd, void *head, size_t head_len, secret **out, size_t secret_len, int64_t until)
{
    SECRET s = NULL;
    TRY(secret_new(&s, secret_len));
    TRY(fd_read_until(fd, head, head_len, until));
    TRY(fd_read_until(fd, secret_reveal(s), secret_len, until));
    secret_move(out, &s);
    return OK;
}

err msg_recv_secret(int fd, uint16_t type, void *head, size_t head_len,
                    secret **out, size_t secret_len, int deadline_ms)
{
    int64_t until = until_ms(deadline_ms);
    FD pass = -1;
    struct msg m;
    *out = NULL;
    TRY(msg_get_head(fd, &m, &pass, until));
    if (pass >= 0)
        FAIL(E_FORMAT, "a descriptor beside a secret");
    if (m.type == MSG_ERROR)
        return msg_get_error(fd, &m, until);
    /* Compared in 64 bits, so that no sum of lengths can wrap. */
    if (m.type != type || head_len > MSG_MAX || m.len != (uint64_t)head_len + secret_len)
        FAIL(E_FORMAT, "a frame of type %u and %u bytes where a secret of type %u was due",
             m.type, (unsigned)m.len, type);
    err e = recv_parts(fd, head, head_len, out, secret_len, until);
    if (e.code != E_OK) {
        mem_wipe(head, head_len);
        FAIL(e.code, "a secret of type %u did not arrive whole", type);
    }
    return OK;
}
