/* image_grow.c - a larger disk under a mounted file system. */
#include <errno.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diskcrypt/image_own.h"

/* fs/ext4/ext4.h; no header gives it. Takes the new size in blocks. */
#define EXT4_RESIZE _IOW('f', 16, uint64_t)
enum { BLOCK = 4096 };                    /* as mkfs is told */

err image_grow(struct image *im, int fd, uint64_t size)
{
    struct stat st;
    TRY(image_size_check(size));
    if (!im->mounted || im->guard)
        FAIL(E_STATE, "only a mounted disk that is not frozen can grow");
    if (fstat(fd, &st) != 0)
        FAIL(E_IO, "asking the size of the disk's file");
    if (size < (uint64_t)st.st_size)
        FAIL(E_STATE, "a disk of %lld bytes cannot be made %llu", (long long)st.st_size, (unsigned long long)size);
    if (ftruncate(fd, (off_t)size) != 0)
        FAIL(E_IO, "making the disk's file larger");
    if (ioctl(im->loop, LOOP_SET_CAPACITY, 0) != 0)
        FAIL(E_IO, "making %s larger", im->loop_path);
    return OK;
}

err image_fill(struct image *im)
{
    uint64_t bytes = 0;
    if (!im->mounted || im->guard)
        FAIL(E_STATE, "only a mounted disk that is not frozen can grow");
    if (ioctl(im->mapped >= 0 ? im->mapped : im->loop, BLKGETSIZE64, &bytes) != 0)
        FAIL(E_IO, "asking the size of %s", im->device);
    const uint64_t blocks = bytes / BLOCK;
    if (ioctl(im->root, EXT4_RESIZE, &blocks) == 0)
        return OK;
    if (errno == EPERM)
        FAIL(E_DENIED, "making the file system larger: the kernel asks for CAP_SYS_RESOURCE, which this process lacks");
    else
        FAIL(E_IO, "making the file system larger");
}
