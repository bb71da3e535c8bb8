/* image.c - the file, the loop device and the mount. */
#include "diskcrypt/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "diskcrypt/image_calls.h"
#include "diskcrypt/image_own.h"

const int image_calls[] = { IMAGE_CALLS, IMAGE_MKFS_CALLS, -1 };

enum {
    IMAGE_GRAIN = 65536,                  /* what a sealed copy is cut into                   */
    SECTOR      = 4096,
    LOOP_TRIES  = 64                      /* how often another may snatch the free device     */
};

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256                /* Linux 5.10; older ones ignore it                 */
#endif

err image_namespace(void)
{
    if (unshare(CLONE_NEWNS) != 0)
        FAIL(E_IO, "making a private mount namespace");
    /* Neither our mounts go out nor others' come in. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        FAIL(E_IO, "making the mounts private");
    return OK;
}

err image_tmpfs(const char *dir, uint64_t size)
{
    char options[80];
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    /* noswap came with Linux 6.4; an enclave has no swap anyway. */
    snprintf(options, sizeof options, "mode=0700,size=%llu,noswap", (unsigned long long)size);
    if (mount("tmpfs", dir, "tmpfs", flags, options) == 0)
        return OK;
    if (errno == EINVAL) {
        snprintf(options, sizeof options, "mode=0700,size=%llu", (unsigned long long)size);
        if (mount("tmpfs", dir, "tmpfs", flags, options) == 0)
            return OK;
    }
    FAIL(E_IO, "mounting a tmpfs on %s", dir);
}

err image_size_check(uint64_t size)
{
    if (size < IMAGE_SIZE_MIN || size % IMAGE_GRAIN != 0 || size > INT64_MAX)
        FAIL(E_FORMAT, "a disk of %llu bytes: it must be whole 64 KiB and at least %d MiB",
             (unsigned long long)size, IMAGE_SIZE_MIN >> 20);
    return OK;
}

err image_create(int *fd, const char *dir, uint64_t size)
{
    *fd = -1;
    TRY(image_size_check(size));
    FD file = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0)
        FAIL(E_IO, "making the disk's file in %s", dir);
    struct statfs fs;
    if (fstatfs(file, &fs) != 0)
        FAIL(E_IO, "asking what %s is", dir);
    /* The disk's plaintext belongs into memory, never onto a medium. */
    if (fs.f_type != TMPFS_MAGIC)
        FAIL(E_STATE, "%s is not a tmpfs", dir);
    if (ftruncate(file, (off_t)size) != 0)
        FAIL(E_IO, "giving the disk's file its size");
    *fd = take_fd(&file);
    return OK;
}

/* Open /dev/loopN, making the node where nothing else does. */
static err node_open(int *fd, char *path, size_t path_size, int number)
{
    snprintf(path, path_size, "/dev/loop%d", number);
    FD node = open(path, O_RDWR | O_CLOEXEC);
    if (node < 0 && errno == ENOENT) {
        if (mknod(path, S_IFBLK | 0600, makedev(LOOP_MAJOR, (unsigned)number)) != 0 && errno != EEXIST)
            FAIL(E_IO, "making %s", path);
        node = open(path, O_RDWR | O_CLOEXEC);
    }
    if (node < 0)
        FAIL(E_IO, "opening %s", path);
    struct stat st;
    if (fstat(node, &st) != 0)
        FAIL(E_IO, "asking what %s is", path);
    if (!S_ISBLK(st.st_mode) || major(st.st_rdev) != LOOP_MAJOR)
        FAIL(E_STATE, "%s is not a loop device", path);
    *fd = take_fd(&node);
    return OK;
}

/* Out: *taken = false when somebody else took that device first. */
static err loop_configure(bool *taken, int node, int file)
{
    /* AUTOCLEAR: the kernel detaches it when the last user is gone, however that ended. */
    struct loop_config config = {
        .fd = (uint32_t)file, .block_size = SECTOR,
        .info = { .lo_flags = LO_FLAGS_AUTOCLEAR, .lo_file_name = "holdfast" },
    };
    *taken = ioctl(node, LOOP_CONFIGURE, &config) == 0;
    if (!*taken && errno != EBUSY)
        FAIL(E_IO, "attaching the disk's file to a loop device");
    return OK;
}

static err loop_attach(struct image *im, int file)
{
    FD control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        FAIL(E_IO, "opening /dev/loop-control: has this kernel loop devices?");
    for (int i = 0; i < LOOP_TRIES; i++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            FAIL(E_IO, "asking for a free loop device");
        FD node = -1;
        bool taken = false;
        TRY(node_open(&node, im->loop_path, sizeof im->loop_path, number));
        TRY(loop_configure(&taken, node, file));
        if (taken) {
            im->loop = take_fd(&node);
            strcpy(im->device, im->loop_path);
            return OK;
        }
    }
    FAIL(E_IO, "every free loop device was taken by others first, %d times", LOOP_TRIES);
}

err image_attach(struct image **out, int fd)
{
    *out = NULL;
    IMAGE im = calloc(1, sizeof *im);
    if (!im)
        FAIL(E_MEMORY, "no memory for an image");
    im->loop = im->mapped = im->root = im->guard_fd = -1;
    TRY(loop_attach(im, fd));
    *out = im;
    im = NULL;
    return OK;
}

enum image_backend image_backend(const struct image *im)
{
    return im->backend;
}

const char *image_device(const struct image *im)
{
    return im->device;
}

static err root_hand_over(struct image *im, uid_t owner, gid_t group, mode_t mode)
{
    im->root = open(im->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (im->root < 0)
        FAIL(E_IO, "opening the mounted disk at %s", im->dir);
    if (fchown(im->root, owner, group) != 0 || fchmod(im->root, mode) != 0)
        FAIL(E_IO, "handing over the disk's root directory");
    return OK;
}

err image_mount(struct image *im, const char *dir, uid_t owner, gid_t group, mode_t mode)
{
    if (im->mounted)
        FAIL(E_STATE, "the disk is mounted already");
    if (strlen(dir) >= sizeof im->dir)
        FAIL(E_LIMIT, "the name of the folder to mount on is too long");
    strcpy(im->dir, dir);
    /* discard: blocks that files free become holes, and leave the sealed copy. */
    if (mount(im->device, dir, "ext4", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NOSYMFOLLOW,
              "errors=remount-ro,discard") != 0)
        FAIL(E_IO, "mounting the disk on %s", dir);
    im->mounted = true;
    err e = root_hand_over(im, owner, group, mode);
    if (e.code)
        err_drop(image_unmount(im));
    return e;
}

err image_unmount(struct image *im)
{
    if (!im->mounted)
        return OK;
    if (im->guard)
        err_drop(image_thaw(im));         /* a frozen file system would outlive its mount */
    fd_close(&im->root);
    if (umount2(im->dir, UMOUNT_NOFOLLOW) != 0) {
        err e = err_log(E_IO, __FILE__, __LINE__, "unmounting %s", im->dir);
        im->root = open(im->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return e;
    }
    im->mounted = false;
    return OK;
}

err image_detach(struct image *im)
{
    TRY(image_unmount(im));
    if (im->loop < 0)
        return OK;
    image_unmap(im);
    int failed = ioctl(im->loop, LOOP_CLR_FD);
    int why = errno;
    fd_close(&im->loop);                  /* AUTOCLEAR does the rest in any case */
    errno = why;
    if (failed && errno != ENXIO)
        FAIL(E_IO, "detaching %s", im->loop_path);
    return OK;
}

void image_close(struct image **im)
{
    struct image *gone = *im;
    *im = NULL;
    if (!gone)
        return;
    err e = image_detach(gone);
    if (e.code && gone->mounted) {
        /* Somebody still has a file open in it: take it out of sight, and let
         * the kernel finish when that somebody ends. */
        log_warn("%s is busy: it goes when its last user does", gone->dir);
        if (umount2(gone->dir, MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
            log_error("%s stays mounted", gone->dir);
    }
    fd_close(&gone->root);
    fd_close(&gone->mapped);
    fd_close(&gone->loop);
    free(gone);
}
