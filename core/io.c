/* io.c - exact reads and writes with a deadline, and streams made of them. */
#include "core/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/wait.h"

static int64_t now_ns(void)
{
    struct timespec t = { 0, 0 };
    MUST(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t until_ms(int ms)
{
    return ms < 0 ? NEVER : now_ns() + (int64_t)ms * 1000000;
}

err fd_wait(int fd, short events, int64_t until)
{
    for (;;) {
        int ms = -1;
        if (until != NEVER) {
            /* Rounded up, so that we never spin through the last millisecond. */
            int64_t left = (until - now_ns() + 999999) / 1000000;
            ms = left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
        }
        struct pollfd p = { .fd = fd, .events = events };
        int got = poll(&p, 1, ms);
        if (got > 0 && (p.revents & POLLNVAL)) {
            errno = EBADF;
            FAIL(E_IO, "descriptor %d is not open", fd);
        }
        /* An error or hang-up also ends the wait: the next call tells which. */
        if (got > 0)
            return OK;
        if (got < 0 && errno != EINTR)
            FAIL(E_IO, "waiting for descriptor %d", fd);
        if (got == 0 && until != NEVER && now_ns() >= until)
            return (err){ E_TIMEOUT };
    }
}

err fd_nonblock(int fd)
{
    int mode = fcntl(fd, F_GETFL);
    if (mode < 0 || fcntl(fd, F_SETFL, mode | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        FAIL(E_IO, "setting the mode of descriptor %d", fd);
    return OK;
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

/* The peer's own end of the stream, however abrupt, is not our system's fault. */
static bool peer_gone(void)
{
    return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN;
}

/* What to do after a transfer that moved nothing; OK means try again. */
static err fd_stalled(int fd, short events, int64_t until, bool begun, const char *act)
{
    if (errno == EINTR)
        return OK;
    if (would_block()) {
        err e = fd_wait(fd, events, until);
        if (e.code == E_TIMEOUT && begun)
            FAIL(E_TIMEOUT, "%s stopped half way", act);
        return e;
    }
    if (peer_gone() && !begun)
        return (err){ E_CLOSED };
    if (peer_gone())
        FAIL(E_CLOSED, "%s ended half way", act);
    FAIL(E_IO, "%s on descriptor %d", act, fd);
}

static ssize_t read_some(int fd, void *p, size_t n, int64_t until)
{
    ssize_t got = recv(fd, p, n, MSG_DONTWAIT);
    if (got >= 0 || errno != ENOTSOCK)
        return got;
    /* A pipe or file in blocking mode: wait first, as read() has no flag. */
    if (until != NEVER && fd_wait(fd, POLLIN, until).code != E_OK) {
        errno = EAGAIN;
        return -1;
    }
    return read(fd, p, n);
}

err fd_read_until(int fd, void *p, size_t n, int64_t until)
{
    uint8_t *to = p;
    size_t done = 0;
    while (done < n) {
        ssize_t got = read_some(fd, to + done, n - done, until);
        if (got > 0)
            done += (size_t)got;
        else if (got < 0)
            TRY(fd_stalled(fd, POLLIN, until, done > 0, "reading"));
        else if (done == 0)
            return (err){ E_CLOSED };
        else
            FAIL(E_CLOSED, "the stream ended after %zu of %zu bytes", done, n);
    }
    return OK;
}

/* Takes the descriptors out of one message. False: more than one, or cut off. */
static bool take_passed(struct msghdr *h, int *pass)
{
    bool fine = !(h->msg_flags & MSG_CTRUNC);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            FD one = -1;
            memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof one);
            if (*pass >= 0)
                fine = false;
            else
                *pass = take_fd(&one);
        }
    }
    return fine;
}

static ssize_t recv_some(int fd, void *p, size_t n, int *pass, bool *fine)
{
    /* Room for one descriptor; alignment lets a second in, which is seen and refused. */
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec v = { p, n };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1,
                        .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t got = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got >= 0 && !take_passed(&h, pass))
        *fine = false;
    return got;
}

err fd_read_pass(int fd, void *p, size_t n, int *pass, int64_t until)
{
    uint8_t *to = p;
    size_t done = 0;
    FD passed = -1;
    *pass = -1;
    while (done < n) {
        bool fine = true;
        ssize_t got = recv_some(fd, to + done, n - done, &passed, &fine);
        if (got < 0 && errno == ENOTSOCK && done == 0)
            return fd_read_until(fd, p, n, until);
        if (!fine)
            FAIL(E_FORMAT, "more than one descriptor beside a frame");
        if (got > 0)
            done += (size_t)got;
        else if (got < 0)
            TRY(fd_stalled(fd, POLLIN, until, done > 0, "reading"));
        else if (done == 0)
            return (err){ E_CLOSED };
        else
            FAIL(E_CLOSED, "the stream ended after %zu of %zu bytes", done, n);
    }
    *pass = take_fd(&passed);
    return OK;
}

static ssize_t send_some(int fd, struct iovec *v, size_t count, int pass)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr h = { .msg_iov = v, .msg_iovlen = count };
    if (pass >= 0) {
        memset(&control, 0, sizeof control);
        h.msg_control = &control;
        h.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &pass, sizeof pass);
    }
    ssize_t put = sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
    /* Not a socket: pipes and files, where a descriptor cannot go along. */
    if (put < 0 && errno == ENOTSOCK && pass < 0)
        put = writev(fd, v, (int)count);
    return put;
}

err fd_write_pieces(int fd, struct iovec *v, size_t count, int pass, int64_t until)
{
    bool begun = false;
    for (;;) {
        while (count > 0 && v->iov_len == 0) {
            v++;
            count--;
        }
        if (count == 0)
            return OK;
        ssize_t put = send_some(fd, v, count, begun ? -1 : pass);
        if (put < 0) {
            TRY(fd_stalled(fd, POLLOUT, until, begun, "writing"));
            continue;
        }
        begun = begun || put > 0;
        for (size_t left = (size_t)put; left > 0;) {
            size_t step = left < v->iov_len ? left : v->iov_len;
            if (step > 0)                    /* an empty piece may have no place at all */
                v->iov_base = (uint8_t *)v->iov_base + step;
            v->iov_len -= step;
            left -= step;
            if (v->iov_len == 0) {
                v++;
                count--;
            }
        }
    }
}

err fd_read(int fd, void *p, size_t n, int deadline_ms)
{
    return fd_read_until(fd, p, n, until_ms(deadline_ms));
}

err fd_write(int fd, const void *p, size_t n, int deadline_ms)
{
    /* iovec has no const; the bytes are only read. */
    struct iovec v = { (void *)(uintptr_t)p, n };
    return fd_write_pieces(fd, &v, 1, -1, until_ms(deadline_ms));
}

void io_close(struct io **io)
{
    struct io *old = *io;
    *io = NULL;
    if (old)
        old->close(old);
}

struct io_fd {
    struct io io;
    int fd, deadline_ms;
};

static err io_fd_read(struct io *io, void *p, size_t n)
{
    struct io_fd *self = (struct io_fd *)io;
    return fd_read(self->fd, p, n, self->deadline_ms);
}

static err io_fd_write(struct io *io, const void *p, size_t n)
{
    struct io_fd *self = (struct io_fd *)io;
    return fd_write(self->fd, p, n, self->deadline_ms);
}

static void io_fd_close(struct io *io)
{
    struct io_fd *self = (struct io_fd *)io;
    fd_close(&self->fd);
    free(self);
}

err io_from_fd(struct io **out, int *fd, int deadline_ms)
{
    *out = NULL;
    FD mine = take_fd(fd);
    TRY(fd_nonblock(mine));
    struct io_fd *self = malloc(sizeof *self);
    if (!self)
        FAIL(E_MEMORY, "no memory for a stream");
    *self = (struct io_fd){ { io_fd_read, io_fd_write, io_fd_close }, take_fd(&mine), deadline_ms };
    *out = &self->io;
    return OK;
}

err io_connect(struct io **out, const char *address, int deadline_ms)
{
    *out = NULL;
    FD fd = -1;
    TRY(fd_connect(&fd, address, deadline_ms));
    return io_from_fd(out, &fd, deadline_ms);
}
