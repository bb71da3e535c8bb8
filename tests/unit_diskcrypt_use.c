/* A disk in use: standing still, sealed as it was then, and growing. Needs root, loop devices and mkfs.ext4. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "tests/support/child.h"
#include "tests/support/image_place.h"
#include "tests/support/seal_rig.h"

static struct blk *copy_of(struct blk *image)
{
    static uint8_t room[SIZE];
    struct blk *copy = rig_image(SIZE / CHUNK_SIZE);
    ASSERT_OK(image->read_at(image, room, SIZE, 0));
    ASSERT_OK(copy->write_at(copy, room, SIZE, 0));
    return copy;
}

START_TEST(freezes)
{
    PLACE p;
    place_make(&p);
    FD fd = -1;
    image_file(&fd, &p);
    IMAGE im = NULL;
    ASSERT_OK(image_attach(&im, fd));
    ASSERT_OK(image_mkfs(im, MKFS_MS));
    ASSERT_OK(image_mount(im, p.disk, 0, 0, 0700));
    ASSERT_CODE(image_thaw(im), E_STATE);
    put_file(&p, "before", "there");
    ASSERT_OK(image_freeze(im, 20000));
    ASSERT_CODE(image_freeze(im, 20000), E_STATE);
    pid_t writer = fork();
    if (writer == 0) {
        put_file(&p, "during", "late");
        _exit(0);
    }
    FD again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    BLK image = NULL;
    ASSERT_OK(blk_from_fd(&image, &again));
    BLK before = copy_of(image);
    nanosleep(&(struct timespec){ 0, 200000000 }, NULL);
    rig_same(before, image);
    ck_assert_int_eq(waitpid(writer, NULL, WNOHANG), 0);
    ASSERT_OK(image_thaw(im));
    int status = -1;
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert(exited(status, 0));
    has_file(&p, "during", "late");
    ASSERT_OK(image_freeze(im, 20000));                 /* and again */
    ASSERT_OK(image_thaw(im));
    ASSERT_OK(image_freeze(im, 20000));
    ASSERT_OK(image_unmount(im));                       /* a frozen one is thawed first */
}
END_TEST

struct cutting { struct image *im; struct place *p; };
static err cut_freeze(void *self) { return image_freeze(((struct cutting *)self)->im, 20000); }
static err cut_thaw(void *self)
{
    struct cutting *c = self;
    TRY(image_thaw(c->im));
    put_file(c->p, "two", "after the cut");
    return OK;
}

/* The first generation of a mounted disk. */
static void seal_in_use(struct rig *r, struct seal_report *rep, struct blk *image, struct cutting *c)
{
    const struct seal_gate gate = { cut_freeze, cut_thaw, c };
    STORE st = NULL;
    SEALER s = NULL;
    BLK scratch = rig_image(SIZE / CHUNK_SIZE);
    ASSERT_OK(rig_boot(r, &st, &s, scratch, 0));
    ASSERT_OK(seal_write_live(s, rep, image, &gate, (const uint8_t *)"record", 6, 1));
}

/* Seal from the frozen disk, lose it, restore into a new one, mount: the files are there. */
START_TEST(seal_and_restore)
{
    PLACE p;
    place_make(&p);
    RIG r;
    rig_open(&r, 1, 1);
    FD fd = -1;
    image_file(&fd, &p);
    struct seal_report rep;
    {
        IMAGE im = NULL;
        BLK image = NULL;
        ASSERT_OK(image_attach(&im, fd));
        ASSERT_OK(image_mkfs(im, MKFS_MS));
        ASSERT_OK(image_mount(im, p.disk, 0, 0, 0700));
        put_file(&p, "one", "kept");
        FD again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        ASSERT_OK(blk_from_fd(&image, &again));
        struct cutting c = { im, &p };
        seal_in_use(&r, &rep, image, &c);
        ck_assert_uint_lt(rep.data, SIZE / 4);          /* an empty disk is mostly holes */
    }
    fd_close(&fd);
    ASSERT_OK(image_create(&fd, p.memory, SIZE));
    FD again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    BLK image = NULL;
    ASSERT_OK(blk_from_fd(&image, &again));
    ASSERT_OK(rig_restore(&r, &rep, image));
    IMAGE im = NULL;
    ASSERT_OK(image_attach(&im, fd));
    ASSERT_OK(image_mount(im, p.disk, 0, 0, 0700));
    has_file(&p, "one", "kept");
    char path[200];
    snprintf(path, sizeof path, "%s/two", p.disk);
    ck_assert(access(path, F_OK) != 0 && errno == ENOENT);
}
END_TEST

static bool has_capability(unsigned number)
{
    uint64_t held = 0;
    char line[200];
    FILE *f = fopen("/proc/self/status", "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "CapEff:", 7) == 0) held = strtoull(line + 7, NULL, 16);
    fclose(f);
    return held >> number & 1;
}

static uint64_t room_on(const struct place *p)
{
    struct statvfs fs;
    ck_assert(statvfs(p->disk, &fs) == 0);
    return (uint64_t)fs.f_blocks * fs.f_frsize;
}

START_TEST(grows_in_use)
{
    PLACE p;
    place_make(&p);
    FD fd = -1;
    image_file(&fd, &p);
    IMAGE im = NULL;
    ASSERT_OK(image_attach(&im, fd));
    ASSERT_CODE(image_grow(im, fd, 2 * SIZE), E_STATE);           /* not mounted */
    ASSERT_OK(image_mkfs(im, MKFS_MS));
    ASSERT_OK(image_mount(im, p.disk, 0, 0, 0700));
    put_file(&p, "before", "kept");
    const uint64_t before = room_on(&p);
    ASSERT_CODE(image_grow(im, fd, SIZE / 2), E_STATE);
    ASSERT_CODE(image_grow(im, fd, 2 * SIZE + 1), E_FORMAT);
    ck_assert_uint_eq(room_on(&p), before);
    ASSERT_OK(image_grow(im, fd, SIZE));
    if (!has_capability(CAP_SYS_RESOURCE)) {
        /* A container may lack it; the emulated machine of the suite system_vm has it, and grows for real. */
        ASSERT_OK(image_grow(im, fd, SIZE + (1 << 20)));
        ASSERT_CODE(image_fill(im), E_DENIED);
        has_file(&p, "before", "kept");
        printf("not tried: growing a file system, for want of CAP_SYS_RESOURCE\n");
        return;
    }
    ASSERT_OK(image_fill(im));
    ck_assert_uint_eq(room_on(&p), before);
    for (unsigned times = 2; times <= 8; times *= 2) {
        ASSERT_OK(image_grow(im, fd, (uint64_t)times * SIZE));
        ASSERT_OK(image_fill(im));
        ck_assert_uint_ge(room_on(&p), (uint64_t)times * SIZE * 9 / 10 - 8 * (1 << 20));
        has_file(&p, "before", "kept");
    }
    ASSERT_OK(image_freeze(im, 20000));
    ASSERT_CODE(image_grow(im, fd, 16ull * SIZE), E_STATE);
    ASSERT_CODE(image_fill(im), E_STATE);
    ASSERT_OK(image_thaw(im));
    ASSERT_OK(image_unmount(im));
    ASSERT_OK(image_mount(im, p.disk, 0, 0, 0700));
    has_file(&p, "before", "kept");
}
END_TEST

static Suite *use(void)
{
    return CHECK_SUITE("diskcrypt disk in use", freezes, seal_and_restore, grows_in_use);
}

int main(void)
{
    return place_main(use);
}
