/* sandbox.h - what a role gives up before it reads a byte from a peer. */
#ifndef CORE_SANDBOX_H
#define CORE_SANDBOX_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "core/err.h"

struct sandbox {
    uid_t       uid;          /* 0: stay what we are; used only when started as root */
    const int  *calls;        /* system calls left, ended by -1; every other one kills the process */
    const int  *refused;      /* calls that fail with EPERM instead (libraries that probe), ended by -1; may be NULL */
    unsigned    max_fds;      /* RLIMIT_NOFILE */
};

/* Close every descriptor not in keep[0..n), and make sure 0, 1, 2 are open. Early, before config is read. */
err sandbox_close_fds(const int *keep, size_t n);
/* In this order: no core (RLIMIT_CORE 0, not dumpable), no new privileges, groups
 * and uid dropped with every capability, die with the parent process, limits, then the
 * seccomp filter with default kill-process. Sanitizer builds allow the calls their
 * runtime needs besides. Fails: E_IO; the caller must then end. */
err sandbox_enter(const struct sandbox *s);

#endif
