/* image_mkfs.c - an empty ext4, made by mkfs.ext4 with nothing left to its defaults. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "diskcrypt/image_own.h"

enum { SAID_MAX = 2048 };                 /* of what mkfs prints, this much is kept */

static int64_t now_ms(void)
{
    struct timespec t;
    MUST(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* In the child: only system calls. */
static void __attribute__((noreturn)) mkfs_exec(const char *device, int out)
{
    static const char *const places[] = { "/sbin/mkfs.ext4", "/usr/sbin/mkfs.ext4" };
    const char *const args[] = {
        "mkfs.ext4", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-i", "16384", "-m", "0",
        /* Named one by one, so that /etc/mke2fs.conf decides nothing that a later kernel must know. */
        "-O", "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,"
              "huge_file,dir_nlink,extra_isize,metadata_csum",
        /* Nothing is left for a kernel thread to write later: the image stands still when nobody writes. */
        "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
        device, NULL,
    };
    char *const environment[] = { NULL };
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    syscall(SYS_close_range, 3u, ~0u, 0u);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        execve(places[i], (char *const *)(uintptr_t)args, environment);   /* it has no const */
    static const char missing[] = "there is no mkfs.ext4 in /sbin or /usr/sbin";
    (void)!write(2, missing, sizeof missing - 1);
    _exit(127);
}

/* Collect what it prints until it closes its end, at most until the deadline. */
static void listen_to(int fd, char said[static SAID_MAX], int64_t until)
{
    size_t len = 0;
    char rest[256];
    for (;;) {
        int64_t left = until - now_ms();
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        if (left <= 0 || poll(&wait, 1, (int)left) == 0)
            break;
        bool room = len < SAID_MAX - 1;
        ssize_t n = room ? read(fd, said + len, SAID_MAX - 1 - len) : read(fd, rest, sizeof rest);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (room)
            len += (size_t)n;
    }
    said[len] = 0;
}

/* Out: *status as waitpid gives it. Fails: E_TIMEOUT, after killing it. */
static err wait_for(int *status, pid_t pid, int64_t until)
{
    const struct timespec nap = { 0, 2000000 };
    for (;;) {
        pid_t got = waitpid(pid, status, WNOHANG);
        if (got == pid)
            return OK;
        if (got < 0 && errno != EINTR)
            FAIL(E_IO, "waiting for mkfs.ext4");
        if (now_ms() >= until)
            break;
        nanosleep(&nap, NULL);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR) { }
    FAIL(E_TIMEOUT, "mkfs.ext4 did not end in its time");
}

err image_mkfs(struct image *im, int timeout_ms)
{
    if (im->loop < 0 || im->mounted)
        FAIL(E_STATE, "only an attached disk that is not mounted gets a file system");
    int64_t until = now_ms() + timeout_ms;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        FAIL(E_IO, "making a pipe");
    FD in = ends[0];
    FD out = ends[1];
    pid_t pid = fork();
    if (pid < 0)
        FAIL(E_IO, "starting mkfs.ext4");
    if (pid == 0)
        mkfs_exec(im->device, out);
    fd_close(&out);
    char said[SAID_MAX];
    int status = 0;
    listen_to(in, said, until);
    TRY(wait_for(&status, pid, until));
    errno = 0;
    if (WIFSIGNALED(status))
        FAIL(E_IO, "mkfs.ext4 died of signal %d: %s", WTERMSIG(status), said);
    if (WEXITSTATUS(status) != 0)
        FAIL(E_IO, "mkfs.ext4 ended with %d: %s", WEXITSTATUS(status), said);
    return OK;
}
