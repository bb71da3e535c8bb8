/* image_freeze.c - the moment in which the disk stands still.
 *
 * A frozen file system is kept alive by the freeze itself: if every process died
 * in that moment, its mount would go and it would stay, and its loop device with
 * it, until somebody mounted and thawed it by hand. So before the freeze a small
 * process is made which does nothing but thaw: when told to, when its maker is
 * gone, or when the time is up. */
#include <errno.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "diskcrypt/image_own.h"

enum { GUARD_ANSWER_MS = 10000 };
/* What the guard says when it has thawed. */
enum { THAWED = 't', LATE = 'l', REFUSED = 'r' };

static void close_but(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
    if (low > 0)
        syscall(SYS_close_range, 0u, low - 1, 0u);
    if (high > low + 1)
        syscall(SYS_close_range, low + 1, high - 1, 0u);
    syscall(SYS_close_range, high + 1, ~0u, 0u);
}

/* The guard's whole life. Only system calls here: it is a fork of a larger process. */
static void __attribute__((noreturn)) guard_live(int root, int line, int limit_ms)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    close_but(root, line);
    struct pollfd wait = { .fd = line, .events = POLLIN };
    int got = poll(&wait, 1, limit_ms);
    char say = got == 0 ? LATE : THAWED;
    if (ioctl(root, FITHAW, 0) != 0 && say == THAWED)
        say = REFUSED;
    /* Nobody may be there to hear it: then this fails, and that is well. */
    (void)!send(line, &say, 1, MSG_NOSIGNAL);
    _exit(0);
}

/* Without an exit signal, so that no wait() of the caller for its own children meets it. */
static err guard_start(struct image *im, int limit_ms)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        FAIL(E_IO, "making the freeze guard's line");
    FD mine = pair[0];
    FD its = pair[1];
    long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid < 0)
        FAIL(E_IO, "starting the freeze guard");
    if (pid == 0)
        guard_live(im->root, its, limit_ms);
    im->guard = (pid_t)pid;
    im->guard_fd = take_fd(&mine);
    return OK;
}

/* Out: *said, its answer; 0 when it died without one. */
static void guard_end(struct image *im, char *said)
{
    const char thaw = 1;
    struct pollfd wait = { .fd = im->guard_fd, .events = POLLIN };
    *said = 0;
    (void)!send(im->guard_fd, &thaw, 1, MSG_NOSIGNAL);
    if (poll(&wait, 1, GUARD_ANSWER_MS) != 1 || recv(im->guard_fd, said, 1, 0) != 1) {
        *said = 0;
        kill(im->guard, SIGKILL);
    }
    while (waitpid(im->guard, NULL, __WALL) < 0 && errno == EINTR) { }
    im->guard = 0;
    fd_close(&im->guard_fd);
}

err image_freeze(struct image *im, int limit_ms)
{
    if (!im->mounted || im->guard)
        FAIL(E_STATE, "only a mounted disk that is not frozen can be frozen");
    MUST(limit_ms > 0);
    TRY(guard_start(im, limit_ms));
    if (ioctl(im->root, FIFREEZE, 0) == 0)
        return OK;
    err e = err_log(E_IO, __FILE__, __LINE__, "freezing the disk");
    char said;
    guard_end(im, &said);
    return e;
}

err image_thaw(struct image *im)
{
    if (!im->guard)
        FAIL(E_STATE, "the disk is not frozen");
    char said;
    guard_end(im, &said);
    if (said == THAWED)
        return OK;
    if (said == LATE)
        FAIL(E_TIMEOUT, "the disk thawed by itself before it was told to");
    /* The guard is gone or could not: do it here. EINVAL: it is not frozen any more. */
    if (ioctl(im->root, FITHAW, 0) != 0)
        FAIL(errno == EINVAL ? E_TIMEOUT : E_IO, "thawing the disk");
    return OK;
}
