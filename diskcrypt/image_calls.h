/* image_calls.h - the system calls that a filter must leave for image.h to work.
 *
 * A seccomp filter is inherited by children, so the role that calls image_mkfs()
 * needs what mkfs.ext4 (e2fsprogs 1.47, found by tracing it) needs, besides what
 * image.c does itself. As lists without their end, to be put into one array:
 *     static const int calls[] = { IMAGE_CALLS, IMAGE_MKFS_CALLS, SYS_poll, -1 };
 * image_calls is both together, ended by -1. */
#ifndef DISKCRYPT_IMAGE_CALLS_H
#define DISKCRYPT_IMAGE_CALLS_H
#include <sys/syscall.h>

/* What image.c does: mounts, the loop device, the freeze guard, and starting mkfs. */
#if defined(__x86_64__)
#define IMAGE_ARCH_CALLS SYS_mknod, SYS_dup2, SYS_poll, SYS_access, SYS_unlink
#else
#define IMAGE_ARCH_CALLS SYS_dup3, SYS_ppoll, SYS_faccessat, SYS_unlinkat
#endif
#define IMAGE_CALLS \
    SYS_mount, SYS_umount2, SYS_unshare, SYS_openat, SYS_close, SYS_ioctl, SYS_newfstatat, SYS_fstat, \
    SYS_fstatfs, SYS_ftruncate, SYS_fchown, SYS_fchmod, SYS_mknodat, \
    SYS_clone, SYS_clone3, SYS_wait4, SYS_kill, SYS_pipe2, SYS_socketpair, SYS_sendto, SYS_recvfrom, \
    SYS_read, SYS_write, SYS_clock_gettime, SYS_clock_nanosleep, SYS_rt_sigprocmask, SYS_prctl, \
    SYS_set_robust_list, SYS_gettid, SYS_close_range, SYS_exit_group, IMAGE_ARCH_CALLS

/* What mkfs.ext4 does, from its start by the dynamic loader to its end. */
#if defined(__x86_64__)
#define IMAGE_MKFS_ARCH_CALLS SYS_access, SYS_arch_prctl
#else
#define IMAGE_MKFS_ARCH_CALLS SYS_faccessat
#endif
#define IMAGE_MKFS_CALLS \
    SYS_execve, SYS_brk, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_set_tid_address, \
    SYS_set_robust_list, SYS_rseq, SYS_prlimit64, SYS_prctl, SYS_getrandom, SYS_uname, SYS_sysinfo, \
    SYS_openat, SYS_close, SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_lseek, SYS_fsync, \
    SYS_newfstatat, SYS_fstat, SYS_faccessat2, SYS_readlinkat, SYS_fadvise64, SYS_fallocate, SYS_fcntl, SYS_ioctl, \
    SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getpid, SYS_getppid, SYS_gettid, SYS_futex, \
    SYS_clock_gettime, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_exit_group, IMAGE_MKFS_ARCH_CALLS

extern const int image_calls[];

#endif
