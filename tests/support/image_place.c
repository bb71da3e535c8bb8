/* image_place.c - see image_place.h. */
#include "tests/support/image_place.h"
#include "tests/support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>


void place_make(struct place *p)
{
    strcpy(p->dir, "/tmp/holdfast-image-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(p->dir));
    snprintf(p->memory, sizeof p->memory, "%s/memory", p->dir);
    snprintf(p->disk, sizeof p->disk, "%s/disk", p->dir);
    ck_assert(mkdir(p->memory, 0700) == 0 && mkdir(p->disk, 0700) == 0);
}

void place_drop(struct place *p)
{
    umount2(p->memory, MNT_DETACH);
    rmdir(p->disk);
    rmdir(p->memory);
    rmdir(p->dir);
}

void image_file(int *fd, const struct place *p)
{
    ASSERT_OK(image_namespace());
    ASSERT_OK(image_tmpfs(p->memory, 9 * SIZE));
    ASSERT_OK(image_create(fd, p->memory, SIZE));
}

void put_file(const struct place *p, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", p->disk, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert(fputs(text, f) >= 0);
    ck_assert(fclose(f) == 0);
}

void has_file(const struct place *p, const char *name, const char *text)
{
    char path[200], got[100] = "";
    snprintf(path, sizeof path, "%s/%s", p->disk, name);
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "no %s", path);
    ck_assert_ptr_nonnull(fgets(got, sizeof got, f));
    fclose(f);
    ck_assert_str_eq(got, text);
}

int place_main(check_suite *suite)
{
    check_suite *const suites[] = { suite };
    if (geteuid() != 0)
        skip_all("the disk needs root");
    if (access("/dev/loop-control", R_OK | W_OK) != 0)
        skip_all("the disk needs loop devices (/dev/loop-control)");
    if (access("/sbin/mkfs.ext4", X_OK) != 0)
        skip_all("the disk needs mkfs.ext4");
    return check_main(suites, 1);
}
