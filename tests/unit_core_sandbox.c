/* What a role cannot do any more once its sandbox is closed. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/sandbox.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"

static const int calls[] = { SYS_write, SYS_read, SYS_openat, SYS_close, SYS_poll, SYS_newfstatat, SYS_getuid, SYS_getresuid,
                             SYS_getgroups, SYS_getgid, SYS_getrlimit, SYS_prlimit64, SYS_brk, SYS_mmap, SYS_munmap, -1 };
static const int refused[] = { SYS_socket, SYS_mkdirat, SYS_mkdir, -1 };

static void enter(uid_t uid, uint64_t caps)
{
    struct sandbox s = { .uid = uid, .calls = calls, .refused = refused, .max_fds = 40, .keep_caps = caps };
    if (sandbox_enter(&s).code != E_OK)
        _exit(99);
}

static void ordinary_work(void *ctx)
{
    (void)ctx;
    enter(0, 0);
    char c = 0;
    int fd = open("/dev/zero", O_RDONLY);
    if (read(fd, &c, 1) != 1 || close(fd) != 0)
        _exit(1);
}

START_TEST(what_is_listed_works)
{
    ck_assert(exited(child_run(ordinary_work, NULL, NULL, 0), 0));
}
END_TEST

static void call_number(void *ctx)
{
    enter(0, 0);
    syscall(*(long *)ctx, -1, -1, -1, -1, -1, -1);
    _exit(1);
}

START_TEST(what_is_not_listed_kills)
{
    static const long forbidden[] = { SYS_getpgrp, SYS_fork, SYS_execve, SYS_ptrace, SYS_connect, SYS_kill, SYS_unlink,
                                      SYS_setuid, SYS_process_vm_readv, SYS_personality, SYS_bpf, SYS_init_module };
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        long call = forbidden[i];
        int status = child_run(call_number, &call, NULL, 0);
        ck_assert_msg(died(status, SIGSYS), "system call %ld: status %x", call, (unsigned)status);
    }
    /* The x32 numbers of allowed calls are other calls. */
    long x32 = 0x40000000 + SYS_getuid;
    ck_assert(died(child_run(call_number, &x32, NULL, 0), SIGSYS));
}
END_TEST

static void try_refused(void *ctx)
{
    (void)ctx;
    enter(0, 0);
    errno = 0;
    if (socket(AF_INET, SOCK_STREAM, 0) != -1 || errno != EPERM)
        _exit(1);
    errno = 0;
    if (mkdir("/tmp/hf-never", 0700) != -1 || errno != EPERM)
        _exit(2);
}

START_TEST(what_is_refused_fails_and_lives)
{
    ck_assert(exited(child_run(try_refused, NULL, NULL, 0), 0));
}
END_TEST

/* The kernel's own account: /proc/PID/status of the sandboxed child. */
static char status_text[8192];

static const char *status_line(const char *name)
{
    static char line[200];
    char *at = strstr(status_text, name);
    ck_assert_msg(at != NULL, "no %s in /proc/PID/status", name);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
    return line;
}

struct held {
    uid_t uid;
    uint64_t caps;
    int ready, go;
};

static void hold(void *ctx)
{
    struct held *h = ctx;
    if (geteuid() == 0 && setgroups(2, (gid_t[]){ 100, 101 }) != 0)
        _exit(98);
    enter(h->uid, h->caps);
    char c = 'r';
    if (write(h->ready, &c, 1) != 1 || read(h->go, &c, 1) != 0)
        _exit(1);
}

/* An undumpable process's environment can be read by root only. */
static int can_look_into(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

static void look(uid_t uid, uint64_t caps, void (*check)(pid_t, uid_t))
{
    int ready[2], go[2];
    char c, path[64];
    ck_assert_int_eq(pipe(ready) + pipe(go), 0);
    struct held h = { uid, caps, ready[1], go[0] };
    pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        hold(&h);
        _exit(0);
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    status_text[fread(status_text, 1, sizeof status_text - 1, f)] = '\0';
    fclose(f);
    check(pid, uid);
    close(go[1]);
    ck_assert(exited(child_wait(pid), 0));
    close(go[0]);
    close(ready[0]);
}

static void limit_is(pid_t pid, const char *name, unsigned want)
{
    char path[64], line[200];
    unsigned soft = 0, hard = 0, found = 0;
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            found += sscanf(line + strlen(name), " %u %u", &soft, &hard) == 2;
    fclose(f);
    ck_assert_uint_eq(found, 1);
    ck_assert_uint_eq(soft, want);
    ck_assert_uint_eq(hard, want);
}

static void check_powerless(pid_t pid, uid_t uid)
{
    char want[64];
    uid = geteuid() == 0 ? uid : geteuid();          /* only root can become another */
    ck_assert_str_eq(status_line("CapInh:"), "CapInh:\t0000000000000000");
    ck_assert_str_eq(status_line("CapPrm:"), "CapPrm:\t0000000000000000");
    ck_assert_str_eq(status_line("CapEff:"), "CapEff:\t0000000000000000");
    /* Who has no capability cannot shrink the bounding set, and cannot use it. */
    if (geteuid() == 0)
        ck_assert_str_eq(status_line("CapBnd:"), "CapBnd:\t0000000000000000");
    ck_assert_str_eq(status_line("CapAmb:"), "CapAmb:\t0000000000000000");
    ck_assert_str_eq(status_line("NoNewPrivs:"), "NoNewPrivs:\t1");
    ck_assert_str_eq(status_line("Seccomp:"), "Seccomp:\t2");
    snprintf(want, sizeof want, "Uid:\t%u\t%u\t%u\t%u", uid, uid, uid, uid);
    ck_assert_str_eq(status_line("Uid:"), want);
    snprintf(want, sizeof want, "Gid:\t%u\t%u\t%u\t%u", uid, uid, uid, uid);
    ck_assert_str_eq(status_line("Gid:"), want);
    if (geteuid() == 0 && uid != 0)
        ck_assert_str_eq(status_line("Groups:"), "Groups:\t ");
    limit_is(pid, "Max core file size", 0);
    limit_is(pid, "Max open files", 40);
}

START_TEST(a_role_has_no_power_left)
{
    look(4321, 0, check_powerless);
    look(0, 0, check_powerless);
}
END_TEST

static void check_one_cap(pid_t pid, uid_t uid)
{
    (void)pid;
    (void)uid;
    ck_assert_str_eq(status_line("CapInh:"), "CapInh:\t0000000000000000");
    ck_assert_str_eq(status_line("CapPrm:"), "CapPrm:\t0000000000200000");
    ck_assert_str_eq(status_line("CapEff:"), "CapEff:\t0000000000200000");
    ck_assert_str_eq(status_line("CapBnd:"), "CapBnd:\t0000000000200000");
    ck_assert_str_eq(status_line("CapAmb:"), "CapAmb:\t0000000000000000");
}

START_TEST(only_the_capabilities_asked_for_stay)
{
    look(4321, UINT64_C(1) << CAP_SYS_ADMIN, check_one_cap);
    look(0, UINT64_C(1) << CAP_SYS_ADMIN, check_one_cap);
}
END_TEST

/* Another process of the same user must not be able to read it. */
static void spy(void *ctx)
{
    pid_t pid = *(pid_t *)ctx;
    if (setgid(4321) != 0 || setuid(4321) != 0)
        _exit(90);
    _exit(can_look_into(pid));
}

static void check_undumpable(pid_t pid, uid_t uid)
{
    (void)uid;
    ck_assert(exited(child_run(spy, &pid, NULL, 0), 0));
}

static void plain_hold(void *ctx)
{
    int *go = ctx;
    char c;
    if (setgid(4321) != 0 || setuid(4321) != 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
        _exit(90);
    if (write(go[2], "r", 1) != 1 || read(go[0], &c, 1) != 0)
        _exit(1);
}

START_TEST(a_role_cannot_be_looked_into)
{
    look(4321, 0, check_undumpable);
    /* The same spy does see into an ordinary process: so the test can fail. */
    int go[2], ready[2];
    char c;
    ck_assert_int_eq(pipe2(go, O_CLOEXEC) + pipe(ready), 0);
    int ctx[3] = { go[0], go[1], ready[1] };
    pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        plain_hold(ctx);
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    ck_assert(exited(child_run(spy, &pid, NULL, 0), 1));
    close(go[1]);
    child_wait(pid);
}
END_TEST

/* grandchild: sandboxed; its parent is killed; a pipe tells when it is gone. */
START_TEST(a_role_dies_with_its_parent)
{
    int life[2], ready[2];
    char c;
    ck_assert_int_eq(pipe(life) + pipe(ready), 0);
    pid_t parent = fork();
    if (parent == 0) {
        close(life[0]);
        if (fork() == 0) {
            enter(geteuid() == 0 ? 4321 : 0, 0);
            if (write(ready[1], "r", 1) != 1)
                _exit(1);
            for (;;)
                poll(NULL, 0, 1000);
        }
        for (;;)
            pause();
    }
    close(life[1]);
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    struct pollfd p = { .fd = life[0], .events = POLLIN };
    ck_assert_int_eq(poll(&p, 1, 100), 0);
    kill(parent, SIGKILL);
    ck_assert_int_eq(poll(&p, 1, 5000), 1);
    ck_assert_int_eq(read(life[0], &c, 1), 0);
    child_wait(parent);
    close(life[0]);
}
END_TEST

static void enter_as_init(void *ctx)
{
    int as_root = *(int *)ctx;
    static const int more[] = { SYS_prctl, SYS_write, -1 };
    struct sandbox s = { .init = true, .calls = more };
    if (sandbox_enter(&s).code != E_OK)
        _exit(99);
    int signal = -1;
    if (prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0) != 0 || signal != 0)
        _exit(1);
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        _exit(2);
    if (as_root && prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 1)
        _exit(3);
    syscall(SYS_getpgrp);
    _exit(4);
}

START_TEST(the_first_process_keeps_what_it_needs)
{
    ck_assert(died(child_run(enter_as_init, &(int){ geteuid() == 0 }, NULL, 0), SIGSYS));
}
END_TEST

static void close_most(void *ctx)
{
    (void)ctx;
    int kept[3], other[20];
    for (int i = 0; i < 20; i++)
        other[i] = dup(0);
    kept[0] = fcntl(0, F_DUPFD, 200);
    kept[1] = other[7];
    kept[2] = fcntl(0, F_DUPFD, 100);
    close(0);
    if (sandbox_close_fds(kept, 3).code != E_OK)
        _exit(1);
    for (int fd = 0; fd < 1000; fd++) {
        int wanted = fd <= 2 || fd == kept[0] || fd == kept[1] || fd == kept[2];
        if ((fcntl(fd, F_GETFD) >= 0) != wanted)
            _exit(2);
    }
    char c;
    if (read(0, &c, 1) != 0)                        /* /dev/null stands in */
        _exit(3);
    close(1);
    close(2);
    if (sandbox_close_fds(NULL, 0).code != E_OK)
        _exit(4);
    for (int fd = 0; fd < 1000; fd++)
        if ((fcntl(fd, F_GETFD) >= 0) != (fd <= 2))
            _exit(5);
}

START_TEST(descriptors_not_kept_are_closed)
{
    int status = child_run(close_most, NULL, NULL, 0);
    ck_assert_msg(exited(status, 0), "status %x", (unsigned)status);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core/sandbox", what_is_listed_works, what_is_not_listed_kills, what_is_refused_fails_and_lives,
                       a_role_has_no_power_left, a_role_dies_with_its_parent,
                       the_first_process_keeps_what_it_needs, descriptors_not_kept_are_closed);
}

static Suite *root_suite(void)
{
    return CHECK_SUITE("core/sandbox as root", only_the_capabilities_asked_for_stay, a_role_cannot_be_looked_into);
}

int main(void)
{
    static check_suite *const suites[] = { suite, root_suite };
    if (geteuid() != 0)
        printf("SKIP: tests that change the user need root\n");
    return check_main(suites, geteuid() == 0 ? 2 : 1);
}
