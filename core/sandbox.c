/* sandbox.c - giving things up, in an order in which nothing comes back. */
#include "core/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/mem.h"

static bool is_kept(int fd, const int *keep, size_t n)
{
    if (fd <= STDERR_FILENO)
        return true;
    for (size_t i = 0; i < n; i++)
        if (keep[i] == fd)
            return true;
    return false;
}

/* For kernels before 5.9, which lack close_range(2): the stock enclave kernel is one. */
static err close_listed(const int *keep, size_t n)
{
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        FAIL(E_IO, "listing open descriptors");
    int own = dirfd(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        char *end = NULL;
        long fd = strtol(e->d_name, &end, 10);
        if (end != e->d_name && *end == '\0' && fd != own && !is_kept((int)fd, keep, n))
            close((int)fd);
    }
    closedir(d);
    return OK;
}

/* The next kept descriptor at or after `from`, or -1. */
static int next_kept(int from, const int *keep, size_t n)
{
    int best = -1;
    for (size_t i = 0; i < n; i++)
        if (keep[i] >= from && (best < 0 || keep[i] < best))
            best = keep[i];
    return best;
}

static err close_gaps(const int *keep, size_t n)
{
    int from = STDERR_FILENO + 1;
    for (;;) {
        int stop = next_kept(from, keep, n);
        unsigned last = stop < 0 ? ~0u : (unsigned)stop - 1;
        if ((stop < 0 || stop > from) &&
            syscall(SYS_close_range, (unsigned)from, last, 0u) != 0) {
            if (errno == ENOSYS)
                return close_listed(keep, n);
            FAIL(E_IO, "closing descriptors from %d on", from);
        }
        if (stop < 0)
            return OK;
        from = stop + 1;
    }
}

err sandbox_close_fds(const int *keep, size_t n)
{
    TRY(close_gaps(keep, n));
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* The lowest free number is this one: all below were found open. */
        if (open("/dev/null", O_RDWR) != fd)
            FAIL(E_IO, "opening /dev/null in place of descriptor %d", fd);
    }
    return OK;
}

static err no_core(void)
{
    if (setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }) != 0)
        FAIL(E_IO, "forbidding core files");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        FAIL(E_IO, "making the process undumpable");
    return OK;
}

/* The bounding set limits what a later exec could gain. Needs CAP_SETPCAP, so it
 * comes before the uid; without that capability there is nothing to take away. */
static err drop_bounding(uint64_t keep)
{
    for (unsigned long cap = 0; cap < 64; cap++) {
        if (keep >> cap & 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
            continue;
        if (errno == EINVAL)              /* past the kernel's last one */
            return OK;
        if (errno == EPERM && geteuid() != 0)
            return OK;
        FAIL(E_IO, "dropping capability %lu from the bounding set", cap);
    }
    return OK;
}

static err set_caps(uint64_t keep)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct caps[2] = {
        { (uint32_t)keep, (uint32_t)keep, 0 },
        { (uint32_t)(keep >> 32), (uint32_t)(keep >> 32), 0 },
    };
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        FAIL(E_IO, "clearing ambient capabilities");
    if (syscall(SYS_capset, &head, caps) != 0)
        FAIL(E_IO, "dropping capabilities");
    return OK;
}

static err drop_user(uid_t uid, uint64_t keep_caps)
{
    if (uid == 0 || geteuid() != 0)
        return OK;
    if (keep_caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        FAIL(E_IO, "keeping capabilities over a change of user");
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        FAIL(E_IO, "becoming user %u", (unsigned)uid);
    uid_t r, e, s;
    if (getresuid(&r, &e, &s) != 0 || r != uid || e != uid || s != uid)
        FAIL(E_IO, "user %u was not taken on", (unsigned)uid);
    return OK;
}

static err die_with_parent(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        FAIL(E_IO, "asking to die with the parent");
    /* It may have died before we asked; then nobody would tell us. */
    errno = 0;
    if (getppid() != parent)
        FAIL(E_IO, "the parent process is gone");
    return OK;
}

static err drop_privileges(const struct sandbox *s, pid_t parent)
{
    TRY(drop_bounding(s->keep_caps));
    TRY(drop_user(s->uid, s->keep_caps));
    TRY(set_caps(s->keep_caps));
    /* A change of user undid what was said before: dumps, and the parent's death. */
    TRY(no_core());
    return die_with_parent(parent);
}

/* What every process does in any case: end, return from a signal, be continued
 * after a stop, and read a clock where the kernel's fast path is not to be had. */
static const int base_calls[] = {
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime),
#ifdef HOLDFAST_SANITIZE
    /* Shadow memory, stack unwinding, reports and error exits of the runtimes. */
    SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(mremap),
    SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(futex),
    SCMP_SYS(write), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(sched_yield), SCMP_SYS(brk),
    SCMP_SYS(prctl), SCMP_SYS(readlink), SCMP_SYS(openat), SCMP_SYS(read), SCMP_SYS(close),
#endif
    -1,
};

static bool in_list(int call, const int *list)
{
    for (; list && *list != -1; list++)
        if (*list == call)
            return true;
    return false;
}

static err add_rules(scmp_filter_ctx f, uint32_t action, const int *calls, const int *earlier)
{
    for (const int *c = calls; c && *c != -1; c++) {
        if (in_list(*c, earlier))
            continue;
        int r = seccomp_rule_add(f, action, *c, 0);
        if (r != 0) {
            errno = -r;
            FAIL(E_IO, "a rule for system call %d", *c);
        }
    }
    return OK;
}

static err build_filter(scmp_filter_ctx f, const struct sandbox *s)
{
    /* A foreign architecture's numbers would mean other calls: the process ends. */
    int r = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r == 0)
        r = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    errno = -r;
    if (r != 0)
        FAIL(E_IO, "setting up the system call filter");
    TRY(add_rules(f, SCMP_ACT_ALLOW, base_calls, NULL));
    TRY(add_rules(f, SCMP_ACT_ALLOW, s->calls, base_calls));
    for (const int *c = s->refused; c && *c != -1; c++)
        MUST(!in_list(*c, s->calls));
    return add_rules(f, SCMP_ACT_ERRNO(EPERM), s->refused, base_calls);
}

enum { FILTER_MAX = 4096 };

static void filter_release(scmp_filter_ctx *f)
{
    if (*f)
        seccomp_release(*f);
}

/* The filter as the kernel wants it. Loaded by ourselves and not by libseccomp, so
 * that loading is the last call made: freeing the builder's memory afterwards
 * could need a call that the role no longer has. */
static err compile_filter(struct sock_filter *out, unsigned short *count, const struct sandbox *s)
{
    __attribute__((cleanup(filter_release))) scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!f)
        FAIL(E_MEMORY, "no memory for a system call filter");
    TRY(build_filter(f, s));
    FD fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0 || seccomp_export_bpf(f, fd) != 0)
        FAIL(E_IO, "compiling the system call filter");
    off_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || size % (off_t)sizeof *out != 0 || size > FILTER_MAX * (off_t)sizeof *out)
        FAIL(E_LIMIT, "a system call filter of %lld bytes", (long long)size);
    if (pread(fd, out, (size_t)size, 0) != (ssize_t)size)
        FAIL(E_IO, "reading the compiled filter");
    *count = (unsigned short)((size_t)size / sizeof *out);
    return OK;
}

err sandbox_enter(const struct sandbox *s)
{
    MUST(s->calls != NULL);
    pid_t parent = getppid();
    struct sock_filter code[FILTER_MAX];
    struct sock_fprog program = { 0, code };
    TRY(no_core());
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        FAIL(E_IO, "giving up new privileges");
    TRY(compile_filter(code, &program.len, s));
    if (!s->init)
        TRY(drop_privileges(s, parent));
    if (s->max_fds > 0 &&
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){ s->max_fds, s->max_fds }) != 0)
        FAIL(E_IO, "limiting open descriptors to %u", s->max_fds);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        FAIL(E_IO, "closing the system call filter");
    return OK;
}
