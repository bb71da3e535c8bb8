/* The system calls each role keeps after its sandbox closes. Every other call
 * kills the process. A filter is inherited over exec, so init's list holds all
 * that a role does before its own sandbox closes, and what mkfs.ext4 does. */
#include <stddef.h>
#include <sys/syscall.h>

#include "daemon/roles.h"

/* Reading, writing and waiting on what is already open; memory; the clock; ending. */
#define CALLS_BASE \
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_recvmsg, SYS_sendmsg, SYS_recvfrom, SYS_sendto, \
    SYS_poll, SYS_ppoll, SYS_close, SYS_fcntl, SYS_fstat, SYS_newfstatat, SYS_clock_gettime, SYS_clock_nanosleep, \
    SYS_getrandom, SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mprotect, SYS_futex, \
    SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_gettid, SYS_getpid, SYS_tgkill, \
    SYS_restart_syscall, SYS_exit, SYS_exit_group, SYS_sched_yield, SYS_munlock, SYS_gettimeofday, SYS_time

/* Storage through descriptors that are open already. */
#define CALLS_FILE SYS_pread64, SYS_pwrite64, SYS_lseek, SYS_fsync, SYS_fdatasync, SYS_ftruncate, SYS_fallocate

/* SQLite by path, on the mounted disk. */
#define CALLS_PATH \
    SYS_openat, SYS_open, SYS_access, SYS_faccessat, SYS_faccessat2, SYS_stat, SYS_lstat, SYS_readlink, SYS_unlink, SYS_unlinkat, \
    SYS_getcwd, SYS_geteuid, SYS_getuid, SYS_fchown, SYS_fchmod, SYS_statfs, SYS_fstatfs, SYS_chdir, SYS_umask

/* libmicrohttpd over sockets that are given or accepted. */
#define CALLS_SERVE \
    SYS_accept4, SYS_accept, SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_ctl, SYS_shutdown, \
    SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername, SYS_ioctl

/* libcurl and OpenSSL over a socket that is given. */
#define CALLS_FETCH \
    SYS_socketpair, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername, SYS_shutdown, SYS_ioctl, \
    SYS_pipe2, SYS_pipe, SYS_eventfd2, SYS_select, SYS_pselect6, SYS_geteuid, SYS_getuid

/* Starting a process, up to the point where its own filter closes. */
#define CALLS_START \
    SYS_execve, SYS_clone, SYS_clone3, SYS_vfork, SYS_fork, SYS_wait4, SYS_waitid, SYS_kill, SYS_arch_prctl, \
    SYS_set_tid_address, SYS_set_robust_list, SYS_rseq, SYS_prlimit64, SYS_setrlimit, SYS_getrlimit, SYS_prctl, SYS_seccomp, SYS_capset, SYS_capget, \
    SYS_setuid, SYS_setgid, SYS_setresuid, SYS_setresgid, SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_setgroups, SYS_getegid, SYS_getgid, SYS_getppid, SYS_dup, \
    SYS_dup2, SYS_dup3, SYS_pipe, SYS_pipe2, SYS_close_range, SYS_getdents64, SYS_mlock, SYS_mlock2, SYS_mlockall, \
    SYS_epoll_create1, SYS_eventfd2, SYS_sysinfo, SYS_uname, SYS_sched_getaffinity, SYS_sigaltstack, SYS_memfd_create, SYS_timerfd_create

/* init's own work: the disk, the listening socket, the way to the parent, signals. */
#define CALLS_INIT \
    SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_socketpair, SYS_mount, SYS_umount2, SYS_mkdir, SYS_mkdirat, \
    SYS_rmdir, SYS_mknod, SYS_mknodat, SYS_chmod, SYS_fchmodat, SYS_chown, SYS_lchown, SYS_fchownat, SYS_signalfd4, SYS_rt_sigtimedwait, SYS_sync, \
    SYS_syncfs, SYS_rename, SYS_setsid, SYS_setpgid, SYS_fadvise64, SYS_getrusage, SYS_getpgrp, SYS_alarm, SYS_setitimer

/* libcryptsetup and libdevmapper: devices by path, device-mapper's ioctls, the kernel's keyring. */
#define CALLS_VOLUME \
    SYS_ioctl, SYS_add_key, SYS_keyctl, SYS_request_key, SYS_mknod, SYS_mknodat, SYS_mkdir, SYS_unlink, SYS_mlock, SYS_madvise, \
    SYS_getdents64, SYS_getegid, SYS_getppid, SYS_chmod, SYS_chown, SYS_lchown, SYS_fadvise64, SYS_flock, SYS_sync, SYS_readlinkat, \
    SYS_sysinfo, SYS_uname, SYS_semctl

const int calls_web[]    = { CALLS_BASE, CALLS_SERVE, -1 };
const int calls_fetch[]  = { CALLS_BASE, CALLS_FETCH, -1 };
const int calls_keeper[] = { CALLS_BASE, SYS_ioctl, SYS_getsockopt, -1 };   /* /dev/nsm, or the simulator's socket */
const int calls_judge[]  = { CALLS_BASE, -1 };
const int calls_sign[]   = { CALLS_BASE, -1 };
const int calls_disk[]   = { CALLS_BASE, CALLS_FILE, -1 };
const int calls_book[]   = { CALLS_BASE, CALLS_FILE, CALLS_PATH, -1 };
const int calls_volume[] = { CALLS_BASE, CALLS_FILE, CALLS_PATH, CALLS_VOLUME, -1 };
const int calls_init[]   = { CALLS_BASE, CALLS_FILE, CALLS_PATH, CALLS_SERVE, CALLS_FETCH, CALLS_START, CALLS_INIT, CALLS_VOLUME, -1 };

/* Calls that libraries try and can do without: they fail instead of killing. */
const int calls_refused[] = { SYS_socket, SYS_prlimit64, SYS_sysinfo, SYS_sched_getaffinity, SYS_prctl, SYS_uname, -1 };
/* The same for the volume process, which needs some of them. */
const int calls_refused_volume[] = { SYS_socket, SYS_prlimit64, SYS_sched_getaffinity, SYS_prctl, -1 };
