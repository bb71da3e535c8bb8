/* Pruning: what goes, what stays, and when nothing may go. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/hash.h"
#include "parent/catalogue.h"
#include "parent/prune.h"
#include "tests/support/check_main.h"

enum { PACK = PACK_HEAD + CHUNK_SIZE, MANIFEST = MANIFEST_FIXED + 2 * MANIFEST_PACK + 2 * MANIFEST_ENTRY + CHUNK_TAG };

static char dir[64];
static struct store_backend *s;
static uint64_t step = 1;                            /* seconds from one generation to the next */

static void setup(void)
{
    char store[80];
    strcpy(dir, "/tmp/hf-prune-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(store, sizeof store, "%s/store", dir);
    ASSERT_OK(store_dir_open(&s, store, true));
}

static void teardown(void)
{
    char command[96];
    store_backend_close(&s);
    snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *name, const void *p, size_t n)
{
    STORE_PUT object = NULL;
    ASSERT_OK(s->put(s, &object, name));
    ASSERT_OK(object->write(object, p, n));
    ASSERT_OK(object->commit(object));
}

static void age(const char *name, int64_t seconds)
{
    char path[256];
    struct timespec at[2] = { { .tv_sec = time(NULL) - seconds }, { .tv_sec = time(NULL) - seconds } };
    snprintf(path, sizeof path, "%s/store/objects/%s", dir, name);
    ck_assert_int_eq(utimensat(AT_FDCWD, path, at, 0), 0);
}

static bool there(const char *name)
{
    STORE_GET get = NULL;
    return s->get(s, &get, name).code == E_OK;
}

static void salt_of(uint8_t salt[static SALT], uint64_t generation, uint8_t variant)
{
    memset(salt, 0x5a, SALT);
    salt[0] = (uint8_t)generation;
    salt[1] = variant;
}

static void names_of(char pack[static OBJECT_NAME], char manifest[static OBJECT_NAME], uint64_t generation, uint8_t variant)
{
    uint8_t salt[SALT];
    salt_of(salt, generation, variant);
    pack_name(pack, generation, salt);
    manifest_name(manifest, generation, salt);
}

static bool pack_there(uint64_t generation)
{
    char pack[OBJECT_NAME], manifest[OBJECT_NAME];
    names_of(pack, manifest, generation, 0);
    return there(pack);
}

static bool manifest_there(uint64_t generation)
{
    char pack[OBJECT_NAME], manifest[OBJECT_NAME];
    names_of(pack, manifest, generation, 0);
    return there(manifest);
}

/* Store one generation: its pack and a manifest that needs it and the pack before.
 * Out: hash, the manifest's, for the next one to name. */
static void put_generation(uint8_t hash[static 32], uint64_t generation, uint8_t variant, const uint8_t *record)
{
    static uint8_t pack_bytes[PACK];
    uint8_t bytes[MANIFEST] = { 0 };
    char pack[OBJECT_NAME], manifest[OBJECT_NAME];
    struct manifest_pack packs[2];
    struct manifest_clear m = { .generation = generation, .epoch = 1, .time = 1700000000 + generation * step, .image_size = 4 * CHUNK_SIZE,
                                .stored = 1, .packs = 1 };
    size_t at = 0;
    memset(packs, 0, sizeof packs);
    salt_of(m.salt, generation, variant);
    if (generation > 1) memcpy(m.previous, hash, 32);
    if (record) memcpy(m.record, record, 32);
    if (generation > 1) {
        packs[at] = (struct manifest_pack){ .generation = generation - 1, .image_size = 4 * CHUNK_SIZE, .size = PACK };
        salt_of(packs[at++].salt, generation - 1, 0);
        m.packs = m.stored = 2;
    }
    packs[at] = (struct manifest_pack){ .generation = generation, .image_size = 4 * CHUNK_SIZE, .size = PACK };
    memcpy(packs[at].salt, m.salt, SALT);
    struct wr w = wr_of(bytes, sizeof bytes);
    manifest_clear_build(&w, &m, packs);
    ASSERT_OK(wr_end(&w, "manifest"));
    size_t total = w.len + (size_t)m.stored * MANIFEST_ENTRY + CHUNK_TAG;
    sha256(hash, bytes, total);
    names_of(pack, manifest, generation, variant);
    put(pack, pack_bytes, sizeof pack_bytes);
    put(manifest, bytes, total);
}

static void put_head(uint64_t generation, uint8_t variant, const char *record)
{
    struct head h = { .generation = generation, .epoch = 1 };
    uint8_t bytes[LINK_HEAD_MAX], old[LINK_HEAD_MAX];
    char pack[OBJECT_NAME], manifest[OBJECT_NAME];
    size_t n, have;
    if (generation) {
        names_of(pack, manifest, generation, variant);
        strcpy(h.manifest, manifest);
        strcpy(h.record, record);
    }
    ASSERT_OK(head_build(bytes, &n, &h));
    ASSERT_OK(s->head_get(s, old, &have));
    ASSERT_OK(s->head_put(s, old, have, bytes, n));
}

static const char record_one[] = "record-0000000000000001";

static void put_chain(uint64_t count)
{
    uint8_t hash[32], record[32];
    sha256(record, "one", 3);
    put(record_one, "one", 3);
    for (uint64_t g = 1; g <= count; g++) put_generation(hash, g, 0, record);
    put_head(count, 0, record_one);
}

START_TEST(keeps_the_newest)
{
    struct prune_report r;
    put_chain(10);
    ASSERT_OK(prune(s, 100, &r));
    ck_assert(r.kept == 10 && r.removed == 0);
    ASSERT_OK(prune(s, 3, &r));
    ck_assert_uint_eq(r.kept, 3);
    /* manifests 1-7, packs 1-6: pack 7 is needed by generation 8 */
    ck_assert_uint_eq(r.removed, 13);
    for (uint64_t g = 1; g <= 10; g++) {
        ck_assert_int_eq(manifest_there(g), g >= 8);
        ck_assert_int_eq(pack_there(g), g >= 7);
    }
    ck_assert(there(record_one));
    ASSERT_OK(prune(s, 3, &r));
    ck_assert_uint_eq(r.removed, 0);
    ASSERT_OK(prune(s, 0, &r));
    ck_assert(manifest_there(10) && !manifest_there(9) && pack_there(10) && pack_there(9) && !pack_there(8));
}
END_TEST

START_TEST(orphans_wait_an_hour)
{
    struct prune_report r;
    uint8_t salt[SALT] = { 9 };
    char young[OBJECT_NAME], old[OBJECT_NAME], ahead[OBJECT_NAME];
    put_chain(3);
    pack_name(young, 4, salt);
    salt[0]++;
    pack_name(old, 4, salt);
    salt[0]++;
    pack_name(ahead, 2, salt);
    put(young, "x", 1);
    put(old, "x", 1);
    put(ahead, "x", 1);
    put("foreign", "x", 1);
    put("record-00000000000000ff", "unneeded", 8);
    age(young, PRUNE_ORPHAN_AGE - 60);
    age(old, PRUNE_ORPHAN_AGE + 60);
    age(ahead, -7200);
    age("foreign", 1000000);
    age("record-00000000000000ff", 1000000);
    age(record_one, 1000000);
    for (uint64_t g = 1; g <= 3; g++) {
        char pack[OBJECT_NAME], manifest[OBJECT_NAME];
        names_of(pack, manifest, g, 0);
        age(pack, 1000000);
        age(manifest, 1000000);
    }
    ASSERT_OK(prune(s, 48, &r));
    ck_assert_uint_eq(r.removed, 2);
    ck_assert(there(young) && !there(old) && there(ahead) && there("foreign") && !there("record-00000000000000ff"));
    ck_assert(there(record_one) && manifest_there(1) && pack_there(1));
}
END_TEST

/* A seal that was cut off left a manifest of the same number: only the one in the chain counts. */
START_TEST(twins)
{
    struct prune_report r;
    uint8_t hash[32], other[32];
    char pack[OBJECT_NAME], manifest[OBJECT_NAME];
    put(record_one, "one", 3);
    put_generation(hash, 1, 0, NULL);
    memcpy(other, hash, 32);
    put_generation(other, 2, 7, NULL);
    put_generation(hash, 2, 0, NULL);
    put_generation(hash, 3, 0, NULL);
    memset(other, 1, 32);
    put_generation(other, 3, 7, NULL);
    put_head(3, 0, record_one);
    for (uint8_t g = 2; g <= 3; g++) {
        names_of(pack, manifest, g, 7);
        age(pack, 7200);
        age(manifest, 7200);
    }
    ASSERT_OK(prune(s, 48, &r));
    ck_assert_uint_eq(r.kept, 3);
    ck_assert_uint_eq(r.removed, 4);
    for (uint64_t g = 1; g <= 3; g++) ck_assert(manifest_there(g) && pack_there(g));
}
END_TEST

static void damage(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/store/objects/%s", dir, name);
    ck_assert_int_eq(truncate(path, 50), 0);
}

START_TEST(nothing_goes_when_unsure)
{
    struct prune_report r;
    char pack[OBJECT_NAME], manifest[OBJECT_NAME];
    ASSERT_OK(prune(s, 1, &r));                      /* no head */
    put_head(0, 0, NULL);
    uint8_t hash[32];
    put_generation(hash, 1, 0, NULL);
    names_of(pack, manifest, 1, 0);
    age(pack, 7200);
    age(manifest, 7200);
    ASSERT_OK(prune(s, 1, &r));                      /* the first seal may be running */
    ck_assert(r.removed == 0 && pack_there(1));
    for (uint64_t g = 2; g <= 6; g++) put_generation(hash, g, 0, NULL);
    put_head(6, 0, record_one);
    names_of(pack, manifest, 5, 0);
    damage(manifest);
    ASSERT_CODE(prune(s, 2, &r), E_FORMAT);          /* 5 must be kept, and what it needs is not known */
    for (uint64_t g = 1; g <= 6; g++) ck_assert(pack_there(g));
    ASSERT_OK(prune(s, 1, &r));                      /* 5 need not be kept */
    ck_assert(!manifest_there(5) && manifest_there(6) && pack_there(6) && pack_there(5) && !pack_there(1));
    uint8_t head[LINK_HEAD_MAX];
    size_t n, removed;
    ASSERT_OK(s->head_get(s, head, &n));
    names_of(pack, manifest, 6, 0);
    ASSERT_OK(s->remove(s, &removed, head, n, (const char *const[]){ manifest }, 1));
    ck_assert_uint_eq(removed, 1);
    ASSERT_CODE(prune(s, 1, &r), E_ABSENT);          /* the head's manifest is gone */
    ck_assert(pack_there(6) && pack_there(5));
}
END_TEST

START_TEST(head_damaged)
{
    struct prune_report r;
    uint8_t head[LINK_HEAD_MAX];
    size_t n;
    put_chain(3);
    ASSERT_OK(s->head_get(s, head, &n));
    ASSERT_OK(s->head_put(s, head, n, "rubbish", 7));
    ASSERT_CODE(prune(s, 1, &r), E_FORMAT);
    for (uint64_t g = 1; g <= 3; g++) ck_assert(manifest_there(g) && pack_there(g));
}
END_TEST

START_TEST(catalogue)
{
    CATALOGUE c = { 0 };
    char pack[OBJECT_NAME], manifest[OBJECT_NAME];
    put_chain(3);
    names_of(pack, manifest, 2, 0);
    damage(pack);
    ASSERT_OK(catalogue_read(&c, s));
    ck_assert_uint_eq(c.object_count, 7);
    ck_assert_uint_eq(c.generation_count, 3);
    ck_assert(c.generations[0].number == 3 && c.generations[0].is_head && c.generations[0].missing == 1);
    ck_assert(c.generations[1].number == 2 && !c.generations[1].is_head && c.generations[1].missing == 1);
    ck_assert(c.generations[2].number == 1 && c.generations[2].missing == 0 && c.generations[2].clear.time == 1700000001);
    ck_assert_uint_eq(c.generations[2].bytes, PACK + MANIFEST - MANIFEST_PACK - MANIFEST_ENTRY);
    ck_assert_ptr_null(catalogue_find(&c, "a"));
}
END_TEST

/* put_generation() dates them a second apart; here the days do the choosing. */
START_TEST(by_day_and_name)
{
    struct prune_report r;
    const uint64_t five = 5;
    put_chain(10);
    struct prune_rules rules = { .last = 1, .daily = 3, .monthly = 2, .dry_run = true };
    ASSERT_OK(prune_by(s, &rules, &r));
    ck_assert(r.kept == 1 && r.removed > 0);         /* all of one day: its newest stands for it */
    for (uint64_t g = 1; g <= 10; g++) ck_assert(manifest_there(g) && pack_there(g));
    rules = (struct prune_rules){ .protect = &five, .protect_count = 1 };
    ASSERT_OK(prune_by(s, &rules, &r));
    ck_assert_uint_eq(r.kept, 2);
    for (uint64_t g = 1; g <= 10; g++) {
        ck_assert_int_eq(manifest_there(g), g == 5 || g == 10);
        ck_assert_int_eq(pack_there(g), g == 4 || g == 5 || g >= 9);
    }
}
END_TEST

START_TEST(one_a_day)
{
    struct prune_report r;
    uint8_t hash[32], record[32];
    sha256(record, "one", 3);
    put(record_one, "one", 3);
    step = 43200;                                    /* 1700000000 is 22:13 of 14 November 2023, a Tuesday */
    for (uint64_t g = 1; g <= 12; g++) put_generation(hash, g, 0, record);
    step = 1;
    put_head(12, 0, record_one);
    const struct prune_rules rules = { .last = 2, .daily = 3, .weekly = 2 };
    ASSERT_OK(prune_by(s, &rules, &r));
    /* 12 is of Monday 20th 22:13, 11 of 10:13; 10 of Sunday (day and week), 8 of Saturday. */
    ck_assert_uint_eq(r.kept, 4);
    for (uint64_t g = 1; g <= 12; g++) ck_assert_int_eq(manifest_there(g), g == 12 || g == 11 || g == 10 || g == 8);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("parent_prune");
    TCase *c = tcase_create("all");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, keeps_the_newest);
    tcase_add_test(c, orphans_wait_an_hour);
    tcase_add_test(c, twins);
    tcase_add_test(c, nothing_goes_when_unsure);
    tcase_add_test(c, head_damaged);
    tcase_add_test(c, by_day_and_name);
    tcase_add_test(c, one_a_day);
    tcase_add_test(c, catalogue);
    suite_add_tcase(made, c);
    return made;
}

CHECK_MAIN(suite)
