/* sandbox.h - what a role gives up before it reads a byte from a peer. */
#ifndef CORE_SANDBOX_H
#define CORE_SANDBOX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "core/err.h"

struct sandbox {
    uid_t       uid;          /* 0: stay what we are; used only when started as root */
    bool        init;         /* the first process: keeps its capabilities, and may outlive its parent */
    const int  *calls;        /* system calls left, ended by -1; every other one kills the process */
    const int  *refused;      /* calls that fail with EPERM instead (libraries that probe), ended by -1; may be NULL */
    unsigned    max_fds;      /* RLIMIT_NOFILE; 0: as it is */
    uint64_t    keep_caps;    /* bit set of 1 << CAP_*; 0, as for nearly all: none is kept, root or not */
};

/* Close every descriptor not in keep[0..n) and above 2, and make sure 0, 1, 2 are
 * open (/dev/null stands in). Early, before config is read. */
err sandbox_close_fds(const int *keep, size_t n);
/* In this order: no core (RLIMIT_CORE 0, not dumpable), no new privileges, groups
 * and uid dropped with every capability, die with the parent process, limits, then the
 * seccomp filter with default kill-process. Always allowed: exit, exit_group,
 * rt_sigreturn, restart_syscall, clock_gettime. A role lists the rest itself; what core
 * needs: log_*: write. fd_*, io, msg: recvfrom, recvmsg, sendmsg, poll (ppoll on arm64), and
 * close for passed descriptors; on pipes read and writev. fd_accept: accept4.
 * random_bytes: getrandom. libcrypto's own random: getpid. malloc: brk, mmap, munmap,
 * madvise, mremap. The group id becomes the uid's number. Sanitizer builds allow the
 * calls their runtime needs besides. Fails: E_IO; the caller must then end. */
err sandbox_enter(const struct sandbox *s);

#endif
