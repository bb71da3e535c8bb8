/* Frames as a hostile peer may send them: received plain, and served by a table.
 * The first byte chooses which; the rest is what comes out of the stream. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/msg.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct role {
    unsigned state;
    uint32_t sum;
};

static err on_hello(void *self, int fd, const struct msg *m, int *pass)
{
    (void)fd;
    (void)pass;
    MUST(m->len == 0);
    ((struct role *)self)->state = 1;
    return OK;
}

/* A body of the usual kind: a number, a byte string, no more. */
static err on_work(void *self, int fd, const struct msg *m, int *pass)
{
    struct role *r = self;
    (void)fd;
    (void)pass;
    MUST(m->len >= 4 && m->len <= 64);
    struct rd in = rd_of(m->body, m->len);
    size_t n = 0;
    const uint8_t *p = rd_var(&in, 32, &n);
    TRY(rd_end(&in, "a body"));
    for (size_t i = 0; i < n; i++)
        r->sum += p[i];
    fuzz_reached("frames");
    return OK;
}

static err on_bye(void *self, int fd, const struct msg *m, int *pass)
{
    (void)fd;
    (void)m;
    (void)pass;
    ((struct role *)self)->state = 2;
    fuzz_reached("frames.bye");
    return (err){ E_CLOSED };
}

static const struct msg_rule rules[] = {
    { 1, 0, 0, 1u << 0, MSG_ONCE, on_hello },
    { 2, 4, 64, 1u << 1, 0, on_work },
    { 3, 0, 8, 1u << 0 | 1u << 1, MSG_ONCE, on_bye },
};

static void play(const uint8_t *data, size_t size, int serve)
{
    int fd[2];
    /* At its exact size on the heap, so that one byte too far is seen. */
    enum { CAP = 80 };
    uint8_t *room = malloc(CAP);
    if (!room || socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
        abort();
    if (size > 4096)
        size = 4096;
    if (send(fd[1], data, size, 0) != (ssize_t)size)
        abort();
    close(fd[1]);
    const struct msg_table table = { rules, sizeof rules / sizeof *rules };
    struct msg_seen seen = { 0 };
    struct role r = { 0, 0 };
    struct msg m;
    err e = OK;
    while (e.code == E_OK) {
        e = serve ? msg_serve(&table, &seen, r.state, &r, fd[0], room, CAP, 1000)
                  : msg_recv(fd[0], &m, room, CAP, NULL, 1000);
        MUST(e.code != E_OK || serve || m.len <= CAP);
    }
    MUST(e.code != E_TIMEOUT && e.code != E_IO && e.code != E_MEMORY);
    close(fd[0]);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_open("fuzz", LOG_ERROR);
    if (size < 1)
        return 0;
    play(data + 1, size - 1, data[0] & 1);
    return 0;
}
