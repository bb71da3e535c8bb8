/* The log's segments among the objects of a store: what pruning, checking, copying, going back and several stores make of them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/hash.h"
#include "parent/copy.h"
#include "parent/chain.h"
#include "parent/inspect.h"
#include "parent/prune.h"
#include "parent/rewind.h"
#include "parent/store_open.h"
#include "tests/segment_case.h"
#include "tests/support/check_main.h"

enum { PACK = PACK_HEAD + CHUNK_SIZE, MANIFEST = MANIFEST_FIXED + MANIFEST_PACK + MANIFEST_ENTRY + CHUNK_TAG };

static char dir[64];
static struct store_backend *s;
static uint8_t last[32];                             /* hash of the manifest made last */

static void setup(void)
{
    char store[80];
    strcpy(dir, "/tmp/hf-log-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(store, sizeof store, "%s/a", dir);
    ASSERT_OK(store_dir_open(&s, store, true));
}

static void teardown(void)
{
    char command[96];
    store_backend_close(&s);
    snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static struct store_backend *store_at(const char *name)
{
    struct store_backend *out = NULL;
    char path[80];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ASSERT_OK(store_dir_open(&out, path, true));
    return out;
}

static void age(const char *name, int64_t seconds)
{
    char path[256];
    const struct timespec at = { .tv_sec = time(NULL) - seconds };
    snprintf(path, sizeof path, "%s/a/objects/%s", dir, name);
    ck_assert_int_eq(utimensat(AT_FDCWD, path, (const struct timespec[2]){ at, at }, 0), 0);
}

static bool there(struct store_backend *in, const char *name)
{
    STORE_GET get = NULL;
    return in->get(in, &get, name).code == E_OK;
}

/* A generation with a pack of its own, its record, and the head that names it and the log's tail. */
static struct head generation(struct store_backend *to, uint64_t number, const struct made *tail)
{
    static uint8_t pack[PACK], bytes[MANIFEST];
    struct manifest_pack p = { .generation = number, .image_size = 4 * CHUNK_SIZE, .size = PACK, .salt = { (uint8_t)number } };
    struct pack_head ph = { .service = { 7 }, .epoch = 1, .generation = number, .image_size = 4 * CHUNK_SIZE, .salt = { (uint8_t)number } };
    struct manifest_clear m = { .service = { 7 }, .epoch = 1, .generation = number, .time = 1700000000 + number, .image_size = 4 * CHUNK_SIZE, .stored = 1, .packs = 1, .salt = { (uint8_t)number } };
    struct head h = { .service = { 7 }, .epoch = 1, .generation = number, .record = "record-0000000000000001" };
    uint8_t raw[LINK_HEAD_MAX], old[LINK_HEAD_MAX];
    size_t n = 0, have = 0;
    struct wr w = wr_of(bytes, sizeof bytes);
    if (number > 1) memcpy(m.previous, last, 32);
    sha256(h.record_sha256, "one", 3);
    memcpy(m.record, h.record_sha256, 32);
    manifest_clear_build(&w, &m, &p);
    ASSERT_OK(wr_end(&w, "manifest"));
    pack_head_build(pack, &ph);
    manifest_name(h.manifest, number, m.salt);
    pack_name(p.name, number, p.salt);
    sha256(h.manifest_sha256, bytes, sizeof bytes);
    memcpy(last, h.manifest_sha256, 32);
    case_put(to, p.name, pack, sizeof pack);
    case_put(to, h.manifest, bytes, sizeof bytes);
    if (!there(to, h.record)) case_put(to, h.record, "one", 3);
    if (tail) {
        memcpy(h.log, tail->name, sizeof tail->name);
        memcpy(h.log_sha256, tail->sha256, 32);
    }
    ASSERT_OK(head_build(raw, &n, &h));
    ASSERT_OK(to->head_get(to, old, &have));
    ASSERT_OK(to->head_put(to, old, have, raw, n));
    return h;
}

static void move_log(struct store_backend *in, const struct made *tail)
{
    uint8_t raw[LINK_HEAD_MAX], old[LINK_HEAD_MAX];
    size_t n = 0, have = 0;
    struct head h;
    ASSERT_OK(in->head_get(in, old, &have));
    ASSERT_OK(head_parse(&h, old, have));
    memcpy(h.log, tail->name, sizeof tail->name);
    memcpy(h.log_sha256, tail->sha256, 32);
    ASSERT_OK(head_build(raw, &n, &h));
    ASSERT_OK(in->head_put(in, old, have, raw, n));
}

static struct head head_of(struct store_backend *in)
{
    uint8_t raw[LINK_HEAD_MAX];
    size_t n = 0;
    struct head h;
    ASSERT_OK(in->head_get(in, raw, &n));
    ASSERT_OK(head_parse(&h, raw, n));
    return h;
}

START_TEST(pruning_keeps_the_log_and_nothing_beside_it)
{
    struct prune_report r;
    SEGMENTS log = { 0 };
    const struct made first = case_segment(s, NULL, 256, 0, NULL), tail = case_segment(s, &first, 3, 1, NULL);
    const struct made before = case_segment(s, &first, 2, 2, NULL), running = case_segment(s, &first, 4, 3, NULL), stray = case_segment(s, NULL, 9, 4, NULL);
    for (uint64_t g = 1; g < 5; g++) generation(s, g, &tail);
    age(first.name, 1000000);
    age(tail.name, 600);
    age(before.name, 600 + PRUNE_TAIL_AGE + 1);
    age(running.name, 600 + PRUNE_TAIL_AGE - 1);             /* within the minute */
    age(stray.name, PRUNE_ORPHAN_AGE + 5);
    const struct prune_rules rules = { .last = 1, .log = &log };
    ASSERT_OK(prune_by(s, &rules, &r));
    ck_assert(there(s, first.name) && there(s, tail.name) && !there(s, before.name) && there(s, running.name) && !there(s, stray.name));
    /* The present generation's kept log grows; the list goes on from what it was. */
    const struct made longer = case_segment(s, &first, 6, 5, NULL), next = case_segment(s, &longer, 1, 0, NULL);
    move_log(s, &next);
    ASSERT_OK(prune_by(s, &rules, &r));
    ck_assert(there(s, first.name) && there(s, longer.name) && there(s, next.name) && !there(s, tail.name) && !there(s, running.name));
    ck_assert(log.count == 3 && !log.broken);
}
END_TEST

START_TEST(a_clock_ahead_makes_nothing_old)
{
    struct prune_report r;
    const struct made first = case_segment(s, NULL, 256, 0, NULL), tail = case_segment(s, &first, 3, 1, NULL), other = case_segment(s, &first, 2, 2, NULL);
    generation(s, 1, &tail);
    age(tail.name, -1000);
    age(other.name, 10);
    ASSERT_OK(prune(s, 1, &r));
    ck_assert(there(s, other.name) && r.removed == 0);
}
END_TEST

START_TEST(where_the_log_is_broken_no_segment_goes)
{
    struct prune_report r;
    const struct made first = case_segment(s, NULL, 256, 0, NULL), second = case_segment(s, &first, 256, 0, NULL), tail = case_segment(s, &second, 3, 1, NULL);
    const struct made stray = case_segment(s, NULL, 9, 4, NULL);
    for (uint64_t g = 1; g < 4; g++) generation(s, g, &tail);
    age(stray.name, 1000000);
    age(first.name, 1000000);
    case_remove(s, second.name);
    ASSERT_OK(prune(s, 1, &r));
    ck_assert(r.removed > 0 && there(s, first.name) && there(s, tail.name) && there(s, stray.name));
}
END_TEST

static enum flaw log_flaw(struct store_backend *in, struct log_found *found)
{
    CATALOGUE c = { 0 };
    enum flaw flaw = FLAW_ORPHAN;
    ASSERT_OK(catalogue_read(&c, in));
    ASSERT_OK(inspect_log(&flaw, found, &c, in));
    return flaw;
}

START_TEST(checking_tells_what_is_wrong_with_it)
{
    struct log_found found;
    static uint8_t bytes[TAIL_MAX];
    struct tail t;
    uint8_t sha[32];
    size_t n = 0;
    generation(s, 1, NULL);
    ck_assert(log_flaw(s, &found) == FLAW_NONE && found.segments == 0);
    const struct made first = case_segment(s, NULL, 256, 0, NULL), tail = case_segment(s, &first, 3, 1, NULL);
    move_log(s, &tail);
    ck_assert(log_flaw(s, &found) == FLAW_NONE && found.segments == 2 && found.entries == 259);
    ASSERT_OK(segment_read(&t, sha, bytes, &n, s, first.name));
    case_remove(s, first.name);
    ck_assert_int_eq(log_flaw(s, &found), FLAW_LOG_MISSING);
    ck_assert_str_eq(flaw_name(FLAW_LOG_MISSING), "log-missing");
    bytes[n - 1] ^= 1;                                       /* its signature, which is in the hash */
    case_put(s, first.name, bytes, n);
    ck_assert_int_eq(log_flaw(s, &found), FLAW_LOG);
    case_remove(s, tail.name);
    ck_assert_int_eq(log_flaw(s, &found), FLAW_LOG_MISSING);
}
END_TEST

static void other_service(struct tail *t) { t->service[0] = 8; }

START_TEST(a_log_of_another_service_is_told)
{
    struct log_found found;
    const struct made only = case_segment(s, NULL, 5, 0, other_service);
    generation(s, 1, &only);
    ck_assert_int_eq(log_flaw(s, &found), FLAW_SERVICE);
}
END_TEST

START_TEST(a_copy_has_the_log)
{
    STORE_BACKEND b = store_at("b");
    struct copy_report r;
    struct log_found found;
    const struct made first = case_segment(s, NULL, 256, 0, NULL), tail = case_segment(s, &first, 3, 1, NULL), old = case_segment(s, &first, 2, 2, NULL);
    generation(s, 1, &tail);
    ASSERT_OK(store_copy(&r, s, b, false, NULL));
    ck_assert_int_eq(log_flaw(b, &found), FLAW_NONE);
    ck_assert_uint_eq(found.entries, 259);
    ck_assert(!there(b, old.name));
    /* Entries without a generation go along too; and then the copy is not put back over them. */
    const struct made longer = case_segment(s, &first, 9, 5, NULL);
    move_log(s, &longer);
    ASSERT_CODE(store_copy(&r, b, s, false, NULL), E_STATE);
    ASSERT_OK(store_copy(&r, s, b, true, NULL));
    ck_assert_uint_eq(r.objects, 1);
    ck_assert_str_eq(head_of(b).log, longer.name);
    /* A log that was begun anew is shorter and newer. */
    ASSERT_OK(store_copy(&r, b, s, false, NULL));
}
END_TEST

static void next_log(struct tail *t) { t->number = 1; }

START_TEST(a_log_begun_anew_is_the_newer_one)
{
    STORE_BACKEND b = store_at("b");
    struct copy_report r;
    const struct made first = case_segment(s, NULL, 256, 0, NULL), anew = case_segment(s, NULL, 1, 7, next_log);
    generation(s, 1, &first);
    ASSERT_OK(store_copy(&r, s, b, false, NULL));
    move_log(s, &anew);
    ASSERT_CODE(store_copy(&r, b, s, false, NULL), E_STATE);
    ASSERT_OK(store_copy(&r, s, b, false, NULL));
    ck_assert_str_eq(head_of(b).log, anew.name);
}
END_TEST

START_TEST(a_log_with_a_hole_is_copied_as_far_as_it_goes)
{
    STORE_BACKEND b = store_at("b");
    struct copy_report r;
    const struct made first = case_segment(s, NULL, 256, 0, NULL), second = case_segment(s, &first, 256, 0, NULL), tail = case_segment(s, &second, 3, 1, NULL);
    generation(s, 1, &tail);
    case_remove(s, first.name);
    ASSERT_OK(store_copy(&r, s, b, false, NULL));
    ck_assert(r.skipped == 1 && there(b, tail.name) && there(b, second.name));
    STORE_BACKEND none = store_at("none");
    case_remove(s, tail.name);
    ASSERT_CODE(store_copy(&r, s, none, false, NULL), E_ABSENT);
}
END_TEST

START_TEST(going_back_keeps_the_newest_log)
{
    struct rewind_report r;
    const struct made first = case_segment(s, NULL, 256, 0, NULL), tail = case_segment(s, &first, 3, 1, NULL);
    const struct head one = generation(s, 1, &first);
    generation(s, 2, &tail);
    ASSERT_OK(store_rewind(&r, s, &(struct rewind_to){ .value = 1 }));
    const struct head h = head_of(s);
    ck_assert_uint_eq(h.generation, 1);
    ck_assert_str_eq(h.manifest, one.manifest);
    ck_assert_str_eq(h.log, tail.name);
    ck_assert_mem_eq(h.log_sha256, tail.sha256, 32);
}
END_TEST

/* Two folders as one store. */
static struct store_backend *both(uint64_t durable)
{
    char names[200];
    struct store_backend *out = NULL;
    snprintf(names, sizeof names, "%s/a,%s/b", dir, dir);
    const struct store_conf conf = { .names = names, .durable = durable };
    ASSERT_OK(store_open(&out, &conf, true));
    return out;
}

START_TEST(several_stores_have_it_all)
{
    STORE_BACKEND b = store_at("b");
    STORE_BACKEND all = both(2);
    const struct made first = case_segment(all, NULL, 256, 0, NULL), tail = case_segment(all, &first, 3, 1, NULL);
    generation(all, 1, &tail);
    ck_assert(there(s, first.name) && there(b, first.name) && there(s, tail.name) && there(b, tail.name));
    /* One loses a segment: the next head brings it back. */
    case_remove(b, first.name);
    const struct made longer = case_segment(all, &first, 5, 2, NULL);
    move_log(all, &longer);
    ck_assert(there(b, first.name));
    ck_assert_str_eq(head_of(b).log, longer.name);
    /* Both lose it: the service goes on all the same. */
    case_remove(s, first.name);
    case_remove(b, first.name);
    const struct made more = case_segment(all, &first, 7, 3, NULL);
    move_log(all, &more);
    ck_assert_str_eq(head_of(s).log, more.name);
}
END_TEST

START_TEST(of_two_logs_the_longer_is_offered)
{
    struct copy_report r;
    const struct made first = case_segment(s, NULL, 256, 0, NULL), tail = case_segment(s, &first, 3, 1, NULL);
    generation(s, 1, &tail);
    STORE_BACKEND b = store_at("b");
    ASSERT_OK(store_copy(&r, s, b, false, NULL));
    const struct made longer = case_segment(b, &first, 5, 2, NULL);
    move_log(b, &longer);
    STORE_BACKEND all = both(1);
    ck_assert_str_eq(head_of(all).log, longer.name);
    /* But not where it is not whole. */
    case_remove(b, longer.name);
    ck_assert_str_eq(head_of(all).log, tail.name);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("parent_log_store");
    TCase *c = tcase_create("all");
    tcase_add_checked_fixture(c, setup, teardown);
    static const TTest *const *const tests[] = { &pruning_keeps_the_log_and_nothing_beside_it, &a_clock_ahead_makes_nothing_old, &where_the_log_is_broken_no_segment_goes,
        &checking_tells_what_is_wrong_with_it, &a_log_of_another_service_is_told, &a_copy_has_the_log, &a_log_begun_anew_is_the_newer_one,
        &a_log_with_a_hole_is_copied_as_far_as_it_goes, &going_back_keeps_the_newest_log, &several_stores_have_it_all, &of_two_logs_the_longer_is_offered };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(c, *tests[i]);
    suite_add_tcase(made, c);
    return made;
}

CHECK_MAIN(suite)
