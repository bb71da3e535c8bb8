/* The disk itself: needs root, loop devices and mkfs.ext4. Each test lives in a mount
 * namespace of its own, so that nothing stays on the machine, whatever happens. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/sandbox.h"
#include "diskcrypt/image.h"
#include "diskcrypt/image_calls.h"
#include "tests/support/child.h"
#include "tests/support/image_place.h"
#include "tests/support/seal_rig.h"
#include "tests/support/vectors.h"

/* Files of the loop devices that are attached to something of ours: a file without
 * a name on a tmpfs; `device` (may be NULL) is the one looked for. */
static bool attached(const char *device)
{
    char path[300], file[300] = "";
    snprintf(path, sizeof path, "/sys/block/%s/loop/backing_file", device + strlen("/dev/"));
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    bool got = fgets(file, sizeof file, f) != NULL;
    fclose(f);
    return got && file[0];
}

static bool soon_detached(const char *device)
{
    for (int i = 0; i < 300; i++) {
        if (!attached(device))
            return true;
        nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
    }
    return false;
}

static long held(int fd)
{
    struct stat st;
    ck_assert(fstat(fd, &st) == 0);
    return (long)st.st_blocks / 2;        /* KiB */
}

START_TEST(creates_only_what_fits)
{
    PLACE p;
    place_make(&p);
    int fd = -1;
    ASSERT_OK(image_namespace());
    ASSERT_OK(image_tmpfs(p.memory, SIZE));
    ASSERT_CODE(image_create(&fd, p.memory, 0), E_FORMAT);
    ASSERT_CODE(image_create(&fd, p.memory, IMAGE_SIZE_MIN - CHUNK_SIZE), E_FORMAT);
    ASSERT_CODE(image_create(&fd, p.memory, SIZE + 4096), E_FORMAT);
    ASSERT_CODE(image_create(&fd, "/no/such/folder", SIZE), E_IO);
    ASSERT_CODE(image_create(&fd, source_dir(), SIZE), E_STATE);     /* no tmpfs */
    ck_assert_int_eq(fd, -1);
    ASSERT_OK(image_create(&fd, p.memory, SIZE));
    ck_assert_int_eq(held(fd), 0);
    close(fd);
}
END_TEST

START_TEST(whole_life)
{
    PLACE p;
    place_make(&p);
    FD fd = -1;
    image_file(&fd, &p);
    IMAGE im = NULL;
    char device[40];
    ASSERT_OK(image_attach(&im, fd));
    strcpy(device, image_device(im));
    ck_assert(attached(device));
    ASSERT_CODE(image_freeze(im, 1000), E_STATE);
    ASSERT_OK(image_mkfs(im, MKFS_MS));
    ck_assert_int_lt(held(fd), SIZE / 1024 / 4);
    ASSERT_OK(image_mount(im, p.disk, 1234, 2345, 0750));
    ASSERT_CODE(image_mount(im, p.disk, 0, 0, 0700), E_STATE);
    ASSERT_CODE(image_mkfs(im, MKFS_MS), E_STATE);       /* never over what is mounted */
    struct stat st;
    ck_assert(stat(p.disk, &st) == 0);
    ck_assert(st.st_uid == 1234 && st.st_gid == 2345 && (st.st_mode & 07777) == 0750);
    put_file(&p, "one", "first");
    ASSERT_OK(image_unmount(im));
    ASSERT_OK(image_unmount(im));
    ASSERT_OK(image_mount(im, p.disk, 0, 0, 0700));
    has_file(&p, "one", "first");
    ASSERT_OK(image_detach(im));
    ASSERT_OK(image_detach(im));
    ck_assert(soon_detached(device));
    image_close(&im);
    image_close(&im);
    /* The file is all there is: attach it anew. */
    ASSERT_OK(image_attach(&im, fd));
    ASSERT_OK(image_mount(im, p.disk, 0, 0, 0700));
    has_file(&p, "one", "first");
    strcpy(device, image_device(im));
    image_close(&im);
    ck_assert(soon_detached(device));
}
END_TEST

START_TEST(freed_blocks_become_holes)
{
    PLACE p;
    place_make(&p);
    FD fd = -1;
    image_file(&fd, &p);
    IMAGE im = NULL;
    ASSERT_OK(image_attach(&im, fd));
    ASSERT_OK(image_mkfs(im, MKFS_MS));
    ASSERT_OK(image_mount(im, p.disk, 0, 0, 0700));
    long before = held(fd);
    char path[200];
    snprintf(path, sizeof path, "%s/big", p.disk);
    int big = open(path, O_CREAT | O_WRONLY, 0600);
    static char some[1 << 20];
    memset(some, 'x', sizeof some);
    for (int i = 0; i < 8; i++)
        ck_assert(write(big, some, sizeof some) == sizeof some);
    ck_assert(fsync(big) == 0 && close(big) == 0);
    ck_assert_int_ge(held(fd), before + 8 * 1024);
    ck_assert(unlink(path) == 0);
    for (int i = 0; i < 100 && held(fd) > before + 1024; i++) {
        sync();
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    }
    ck_assert_int_le(held(fd), before + 1024);
}
END_TEST

/* While frozen the file stands still, and a writer waits; afterwards both go on. */
START_TEST(thaws_by_itself)
{
    PLACE p;
    place_make(&p);
    FD fd = -1;
    image_file(&fd, &p);
    IMAGE im = NULL;
    ASSERT_OK(image_attach(&im, fd));
    ASSERT_OK(image_mkfs(im, MKFS_MS));
    ASSERT_OK(image_mount(im, p.disk, 0, 0, 0700));
    ASSERT_OK(image_freeze(im, 50));
    put_file(&p, "one", "late");                        /* waits those 50 ms */
    ASSERT_CODE(image_thaw(im), E_TIMEOUT);
    ASSERT_OK(image_freeze(im, 20000));
    ASSERT_OK(image_thaw(im));
    /* Thawed behind our back by somebody else. */
    ASSERT_OK(image_freeze(im, 20000));
    int root = open(p.disk, O_RDONLY | O_DIRECTORY);
    ck_assert(ioctl(root, FITHAW, 0) == 0);
    close(root);
    ASSERT_CODE(image_thaw(im), E_TIMEOUT);
}
END_TEST

/* Tear-down with a file still open in the disk: it goes with that file's last user. */
START_TEST(close_while_busy)
{
    PLACE p;
    place_make(&p);
    FD fd = -1;
    image_file(&fd, &p);
    IMAGE im = NULL;
    ASSERT_OK(image_attach(&im, fd));
    ASSERT_OK(image_mkfs(im, MKFS_MS));
    ASSERT_OK(image_mount(im, p.disk, 0, 0, 0700));
    char path[200], device[40];
    strcpy(device, image_device(im));
    snprintf(path, sizeof path, "%s/open", p.disk);
    int open_file = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert(open_file >= 0);
    ASSERT_CODE(image_unmount(im), E_IO);
    ASSERT_OK(image_freeze(im, 20000));                 /* still usable */
    ASSERT_OK(image_thaw(im));
    ASSERT_CODE(image_detach(im), E_IO);
    image_close(&im);
    ck_assert_ptr_null(im);
    ck_assert(attached(device));
    close(open_file);
    ck_assert(soon_detached(device));
}
END_TEST

START_TEST(foreign_bytes_do_not_mount)
{
    PLACE p;
    place_make(&p);
    FD fd = -1;
    image_file(&fd, &p);
    IMAGE im = NULL;
    char device[40];
    ASSERT_OK(image_attach(&im, fd));
    strcpy(device, image_device(im));
    ASSERT_CODE(image_mount(im, p.disk, 0, 0, 0700), E_IO);          /* no file system yet */
    ASSERT_CODE(image_mkfs(im, 0), E_TIMEOUT);
    image_close(&im);
    ck_assert(soon_detached(device));
    ASSERT_CODE(image_attach(&im, -1), E_IO);
    ck_assert_ptr_null(im);
}
END_TEST

/* mkfs complains (the device is read-only) and what it says is in the log. */
START_TEST(mkfs_failure_is_told)
{
    PLACE p;
    place_make(&p);
    FD fd = -1;
    image_file(&fd, &p);
    IMAGE im = NULL;
    ASSERT_OK(image_attach(&im, fd));
    FD node = open(image_device(im), O_RDONLY);
    ck_assert(ioctl(node, BLKROSET, &(int){ 1 }) == 0);
    rig_listen();
    ASSERT_CODE(image_mkfs(im, MKFS_MS), E_IO);
    ck_assert(rig_said("mkfs.ext4 ended with"));
    ck_assert(ioctl(node, BLKROSET, &(int){ 0 }) == 0);
    ASSERT_OK(image_mkfs(im, MKFS_MS));
}
END_TEST

/* Two at once: each gets a device of its own. */
START_TEST(two_disks)
{
    PLACE p;
    place_make(&p);
    FD fd = -1;
    image_file(&fd, &p);
    FD other = -1;
    ASSERT_OK(image_create(&other, p.memory, SIZE));
    IMAGE a = NULL;
    IMAGE b = NULL;
    ASSERT_OK(image_attach(&a, fd));
    ASSERT_OK(image_attach(&b, other));
    ck_assert_str_ne(image_device(a), image_device(b));
}
END_TEST

struct victim { struct place place; int line; bool frozen; };

/* Set a disk up, tell its device through the line, and wait to be killed. */
static void victim_live(void *ctx)
{
    struct victim *v = ctx;
    int fd = -1;
    struct image *im = NULL;
    char device[40] = "";
    if (image_namespace().code || image_tmpfs(v->place.memory, SIZE + (1 << 20)).code ||
        image_create(&fd, v->place.memory, SIZE).code || image_attach(&im, fd).code ||
        image_mkfs(im, MKFS_MS).code || image_mount(im, v->place.disk, 0, 0, 0700).code ||
        (v->frozen && image_freeze(im, 60000).code))
        _exit(1);
    strcpy(device, image_device(im));
    if (write(v->line, device, sizeof device) != sizeof device)
        _exit(2);
    for (;;)
        pause();
}

static void killed(bool frozen)
{
    PLACE p;
    place_make(&p);
    int line[2];
    char device[40] = "";
    ck_assert(pipe(line) == 0);
    struct victim v = { p, line[1], frozen };
    pid_t pid = child_start(victim_live, &v);
    ck_assert(read(line[0], device, sizeof device) == sizeof device);
    ck_assert(attached(device));
    ck_assert(kill(pid, SIGKILL) == 0);
    ck_assert(died(child_wait(pid), SIGKILL));
    ck_assert_msg(soon_detached(device), "%s stays attached", device);
    close(line[0]);
    close(line[1]);
}

START_TEST(killed_while_mounted) { killed(false); } END_TEST
START_TEST(killed_while_frozen) { killed(true); } END_TEST

/* The list of system calls is enough: everything is done under a filter that kills on others. */
static void filtered_live(void *ctx)
{
    const struct place *p = ctx;
    const struct sandbox box = { .init = true, .calls = image_calls };
    int fd = -1;
    struct image *im = NULL;
    if (sandbox_enter(&box).code)
        _exit(1);
    if (image_namespace().code || image_tmpfs(p->memory, SIZE + (1 << 20)).code ||
        image_create(&fd, p->memory, SIZE).code || image_attach(&im, fd).code ||
        image_mkfs(im, MKFS_MS).code || image_mount(im, p->disk, 1, 1, 0700).code ||
        image_freeze(im, 60000).code || image_thaw(im).code || image_unmount(im).code ||
        image_detach(im).code)
        _exit(2);
    image_close(&im);
}

START_TEST(under_a_filter)
{
    PLACE p;
    place_make(&p);
    char said[2000];
    int status = child_run(filtered_live, &p, said, sizeof said);
    ck_assert_msg(exited(status, 0), "status %#x: %s", (unsigned)status, said);
}
END_TEST

static Suite *images(void)
{
    return CHECK_SUITE("diskcrypt image", creates_only_what_fits, whole_life, freed_blocks_become_holes,
                       thaws_by_itself, close_while_busy, foreign_bytes_do_not_mount, mkfs_failure_is_told,
                       two_disks, killed_while_mounted, killed_while_frozen, under_a_filter);
}

int main(void)
{
    return place_main(images);
}
