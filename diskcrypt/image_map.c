/* image_map.c - taking over a dm-crypt mapping that another process opened.
 *
 * Plain ioctls (linux/dm-ioctl.h), no library: init needs three calls, none with a key. */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "diskcrypt/image_own.h"

/* A request with room for what comes back. */
struct dm_call { struct dm_ioctl head; char data[512]; };

static struct dm_call call_for(const char *name)
{
    struct dm_call c = { .head = { .version = { 4, 0, 0 }, .data_size = sizeof c, .data_start = sizeof c.head } };
    snprintf(c.head.name, sizeof c.head.name, "%s", name);
    return c;
}

static err control_open(int *fd)
{
    *fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
    if (*fd < 0)
        FAIL(E_ABSENT, "this kernel has no device-mapper (/dev/mapper/control)");
    return OK;
}

err image_luks_possible(void)
{
    FD control = -1;
    TRY(control_open(&control));
    struct dm_call c = call_for("crypt");
    /* Loads the module where it is one. */
    if (ioctl(control, DM_GET_TARGET_VERSION, &c) != 0)
        FAIL(E_ABSENT, "this kernel's device-mapper has no crypt target");
    return OK;
}

int image_number(const struct image *im)
{
    int number = -1;
    return sscanf(im->loop_path, "/dev/loop%d", &number) == 1 ? number : -1;
}

void image_map_name(char out[static IMAGE_MAP_NAME], int number)
{
    snprintf(out, IMAGE_MAP_NAME, "holdfast-loop%d", number);
}

/* Deferred: the kernel removes it when its last user goes, however that ended. */
static err remove_when_unused(const char *name)
{
    FD control = -1;
    TRY(control_open(&control));
    struct dm_call c = call_for(name);
    c.head.flags = DM_DEFERRED_REMOVE;
    if (ioctl(control, DM_DEV_REMOVE, &c) != 0)
        FAIL(E_IO, "marking the mapping %s for removal", name);
    return OK;
}

static err is_ours(const struct image *im, int mapped)
{
    uint64_t whole = 0, inner = 0;
    struct stat st;
    if (fstat(mapped, &st) != 0 || !S_ISBLK(st.st_mode))
        FAIL(E_STATE, "%s is no block device", im->device);
    if (ioctl(im->loop, BLKGETSIZE64, &whole) != 0 || ioctl(mapped, BLKGETSIZE64, &inner) != 0)
        FAIL(E_IO, "asking the size of %s", im->device);
    if (inner >= whole)
        FAIL(E_STATE, "%s is no mapping of this disk: it is as large as the disk itself", im->device);
    return OK;
}

err image_map(struct image *im)
{
    char name[IMAGE_MAP_NAME];
    if (im->loop < 0 || im->mapped >= 0 || im->mounted)
        FAIL(E_STATE, "only an attached disk that is not mounted can get a mapping");
    image_map_name(name, image_number(im));
    snprintf(im->device, sizeof im->device, "/dev/mapper/%s", name);
    FD mapped = open(im->device, O_RDONLY | O_CLOEXEC);
    if (mapped < 0)
        FAIL(E_IO, "opening %s", im->device);
    TRY(is_ours(im, mapped));
    TRY(remove_when_unused(name));
    im->mapped = take_fd(&mapped);
    im->backend = IMAGE_LUKS;
    return OK;
}

/* A mapping whose maker was killed before it was taken over has no user: it goes at once. */
void image_unmap(struct image *im)
{
    char name[IMAGE_MAP_NAME], path[IMAGE_MAP_NAME + 16];
    fd_close(&im->mapped);
    image_map_name(name, image_number(im));
    snprintf(path, sizeof path, "/dev/mapper/%s", name);
    if (im->backend == IMAGE_LOOP && access(path, F_OK) == 0)
        err_drop(remove_when_unused(name));
    unlink(path);                         /* libdevmapper made the node; without udev nobody else removes it */
}
