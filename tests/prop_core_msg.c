/* Any frames, cut anywhere on their way, arrive as they were sent. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/msg.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"

enum { FRAMES = 400, LONGEST = 3000, SECRET_LEN = 32 };

/* Both sides make the same numbers from the same seed. */
static uint32_t next(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

struct frame { uint16_t type, seq; size_t n; uint8_t body[LONGEST]; };

static void make_frame(struct frame *f, uint32_t *x)
{
    f->type = (uint16_t)next(x);
    f->seq = (uint16_t)next(x);
    f->n = next(x) % 4 == 0 ? next(x) % LONGEST : next(x) % 40;
    for (size_t i = 0; i < f->n; i++)
        f->body[i] = (uint8_t)next(x);
}

struct job { int fd; uint32_t seed; };

/* Sends the frames as raw bytes in pieces of random length. */
static void send_in_pieces(void *ctx)
{
    struct job *j = ctx;
    uint32_t x = j->seed, cuts = j->seed ^ 0x5bd1e995;
    static uint8_t stream[FRAMES * (LONGEST + MSG_HEAD)];
    struct wr w = wr_of(stream, sizeof stream);
    for (int i = 0; i < FRAMES; i++) {
        struct frame f;
        make_frame(&f, &x);
        wr_u32(&w, (uint32_t)f.n);
        wr_u16(&w, f.type);
        wr_u16(&w, f.seq);
        wr_bytes(&w, f.body, f.n);
    }
    for (size_t at = 0; at < w.len;) {
        size_t n = 1 + next(&cuts) % (next(&cuts) % 3 == 0 ? 2000 : 9);
        n = n < w.len - at ? n : w.len - at;
        if (send(j->fd, stream + at, n, MSG_NOSIGNAL) != (ssize_t)n)
            _exit(1);
        at += n;
    }
}

static void send_frames(void *ctx)
{
    struct job *j = ctx;
    uint32_t x = j->seed;
    for (int i = 0; i < FRAMES; i++) {
        struct frame f;
        make_frame(&f, &x);
        if (msg_send(j->fd, f.type, f.seq, f.body, f.n, 10000).code != E_OK)
            _exit(1);
    }
}

static void receive(child_body *sender, uint32_t seed, int small_buffers)
{
    int fd[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    if (small_buffers)
        setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &(int){ 1 }, sizeof(int));
    struct job j = { fd[1], seed };
    pid_t pid = child_start(sender, &j);
    close(fd[1]);
    uint32_t x = seed;
    uint8_t room[LONGEST];
    struct msg m;
    for (int i = 0; i < FRAMES; i++) {
        struct frame f;
        make_frame(&f, &x);
        ASSERT_OK(msg_recv(fd[0], &m, room, sizeof room, NULL, 10000));
        ck_assert_msg(m.type == f.type && m.seq == f.seq && m.len == f.n && memcmp(m.body, f.body, f.n) == 0,
                      "frame %d of seed %u is not what was sent", i, seed);
    }
    ASSERT_CODE(msg_recv(fd[0], &m, room, sizeof room, NULL, 10000), E_CLOSED);
    ck_assert(exited(child_wait(pid), 0));
    close(fd[0]);
}

START_TEST(frames_survive_any_cutting)
{
    for (uint32_t seed = 1; seed <= 12; seed++)
        receive(send_in_pieces, seed * 2654435761u, 0);
}
END_TEST

START_TEST(frames_survive_a_narrow_socket)
{
    for (uint32_t seed = 1; seed <= 6; seed++)
        receive(send_frames, seed * 40503u, 1);
}
END_TEST

/* Random bytes never do more than fail: no frame longer than the room, no crash. */
START_TEST(noise_is_refused_or_bounded)
{
    uint32_t x = 77;
    uint8_t room[64];
    int frames = 0, failures = 0;
    for (int round = 0; round < 3000; round++) {
        int fd[2];
        uint8_t noise[80];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        size_t n = next(&x) % sizeof noise;
        for (size_t i = 0; i < n; i++)
            noise[i] = i % 8 < 4 && i % 8 > 0 && next(&x) % 8 ? 0 : (uint8_t)(next(&x) % 48);
        ck_assert_int_eq(write(fd[1], noise, n), (ssize_t)n);
        close(fd[1]);
        struct msg m;
        err e = OK;
        while ((e = msg_recv(fd[0], &m, room, sizeof room, NULL, 1000)).code == E_OK) {
            ck_assert_uint_le(m.len, sizeof room);
            frames++;
        }
        ck_assert(e.code == E_CLOSED || e.code == E_LIMIT);
        failures += e.code == E_LIMIT;
        close(fd[0]);
    }
    /* The noise was such that both ways were taken. */
    ck_assert_int_gt(frames, 100);
    ck_assert_int_gt(failures, 100);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core/msg properties", frames_survive_any_cutting, frames_survive_a_narrow_socket,
                       noise_is_refused_or_bounded);
}

CHECK_MAIN(suite)
