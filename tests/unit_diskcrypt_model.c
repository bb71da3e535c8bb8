/* What we seal is opened by a reader in Python that shares no code with us
 * (tests/models/seal_reader.py, written from docs/wire/seal.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "tests/support/seal_rig.h"
#include "tests/support/vectors.h"

static void file_put(const char *dir, const char *name, const uint8_t *p, size_t n)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    ck_assert(fclose(f) == 0);
}

static void store_dump(const char *dir, struct store_memory *m)
{
    char objects[100];
    size_t n;
    snprintf(objects, sizeof objects, "%s/objects", dir);
    ck_assert(mkdir(objects, 0700) == 0);
    const uint8_t *p = store_memory_head(m, &n);
    file_put(dir, "head", p, n);
    for (size_t i = 0; store_memory_name(m, i); i++) {
        p = store_memory_object(m, &n, store_memory_name(m, i));
        file_put(objects, store_memory_name(m, i), p, n);
    }
}

static int reader(const char *dir, const char *options)
{
    char command[600];
    snprintf(command, sizeof command, "python3 '%s/tests/models/seal_reader.py' '%s' %s >'%s/said' 2>&1",
             source_dir(), dir, options, dir);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void image_is(const char *dir, struct blk *image)
{
    char path[100];
    BLK back = NULL;
    snprintf(path, sizeof path, "%s/image", dir);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    int fd = dup(fileno(f));
    fclose(f);
    ASSERT_OK(blk_from_fd(&back, &fd));
    rig_same(image, back);
}

START_TEST(opened_elsewhere)
{
    RIG r;
    rig_open(&r, 0x42, 7);
    secret_drop(&r.key);
    ASSERT_OK(secret_new(&r.key, SEAL_KEY));          /* 32 zero bytes: a key both sides know */
    BLK image = rig_image(9);
    struct seal_report rep;
    for (unsigned g = 1; g <= 2; g++) {
        rig_fill(image, 3 * g, (uint8_t)g);
        rig_fill(image, 8, (uint8_t)g);
        ASSERT_OK(rig_seal(&r, &rep, image, 1700000000 + g));
    }
    char dir[] = "/tmp/holdfast-model-XXXXXX", options[300], clean[100];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    store_dump(dir, r.m);
    ck_assert_int_eq(reader(dir, ""), 0);
    snprintf(options, sizeof options, "--key %064d -o '%s/image'", 0, dir);
    ck_assert_int_eq(reader(dir, options), 0);
    image_is(dir, image);
    /* And it can say no. */
    snprintf(options, sizeof options, "--key %063d1", 0);
    ck_assert_int_eq(reader(dir, options), 1);
    size_t n;
    uint8_t *head = store_memory_head(r.m, &n);
    head[n - 1] ^= 1;
    file_put(dir, "head", head, n);
    ck_assert_int_eq(reader(dir, ""), 1);
    snprintf(clean, sizeof clean, "rm -rf '%s'", dir);
    ck_assert(system(clean) == 0);
}
END_TEST

static Suite *model(void)
{
    return CHECK_SUITE("diskcrypt model", opened_elsewhere);
}

CHECK_MAIN(model)
