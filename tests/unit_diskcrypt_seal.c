/* Sealing and restoring, when all goes well and when the state is odd. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/seal_rig.h"

START_TEST(empty_store)
{
    RIG r;
    rig_open(&r, 1, 1);
    STORE st = NULL;
    SEAL_HEAD h = { 0 };
    ASSERT_OK(store_memory_open(&st, r.m, NULL));
    ASSERT_OK(seal_head_get(&h, st));
    ck_assert(!h.present && h.raw_len == 0);
}
END_TEST

START_TEST(generations)
{
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(40);
    struct seal_report rep;
    for (unsigned g = 1; g <= 4; g++) {
        rig_fill(image, g * 3, (uint8_t)g);
        if (g == 3)
            for (unsigned i = 0; i < 33; i++)
                rig_fill(image, i, 77);
        ASSERT_OK(rig_seal(&r, &rep, image, 1000 + g));
        ck_assert_uint_eq(rep.generation, g);
        ck_assert_uint_eq(rep.time, 1000 + g);
        BLK back = rig_image(40);
        ASSERT_OK(rig_restore(&r, &rep, back));
        ck_assert_uint_eq(rep.generation, g);
        ck_assert_uint_eq(rep.time, 1000 + g);
        ck_assert_uint_eq(rep.image_size, 40 * CHUNK_SIZE);
        ck_assert_uint_eq(rep.data, (g < 3 ? g : 33) * (uint64_t)CHUNK_SIZE);
        rig_same(image, back);
    }
}
END_TEST

START_TEST(manifests_chain)
{
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(4);
    struct seal_report rep;
    uint8_t last[32] = { 0 };
    for (unsigned g = 1; g <= 3; g++) {
        rig_fill(image, g, 1);
        ASSERT_OK(rig_seal(&r, &rep, image, g));
        size_t n, len;
        struct head h;
        struct manifest_clear m;
        const uint8_t *raw = store_memory_head(r.m, &n);
        ASSERT_OK(head_parse(&h, raw, n));
        const uint8_t *object = store_memory_object(r.m, &len, h.manifest);
        ck_assert_ptr_nonnull(object);
        ASSERT_OK(manifest_clear_parse(&m, object, len));
        ck_assert_uint_eq(m.total_size, len);
        ck_assert_uint_eq(m.generation, g);
        ck_assert_mem_eq(m.previous, last, 32);
        ck_assert_mem_eq(m.record, h.record_sha256, 32);
        memcpy(last, h.manifest_sha256, 32);
        struct manifest_pack p;
        manifest_pack_get(&p, &m, 0);
        ck_assert_ptr_nonnull(store_memory_object(r.m, &len, p.name));
        ck_assert_uint_eq(len, p.size);
    }
}
END_TEST

START_TEST(nothing_but_zeros)
{
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(9);
    static const uint8_t zeros[CHUNK_SIZE];
    ASSERT_OK(image->write_at(image, zeros, sizeof zeros, 2 * CHUNK_SIZE));   /* zeros, yet no hole */
    struct seal_report rep;
    ASSERT_OK(rig_seal(&r, &rep, image, 1));
    ck_assert_uint_eq(rep.data, 0);
    BLK back = rig_image(9);
    ASSERT_OK(rig_restore(&r, &rep, back));
    rig_same(image, back);
    uint64_t from, to;
    ASSERT_OK(blk_next_data(back, &from, &to, 0));
    ck_assert_uint_eq(from, 9 * CHUNK_SIZE);          /* and it stays sparse */
}
END_TEST

/* The record comes and goes with the head. */
START_TEST(records)
{
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(3);
    BLK scratch = rig_image(3);
    struct seal_report rep;
    STORE st = NULL;
    SEALER s = NULL;
    ASSERT_OK(rig_boot(&r, &st, &s, scratch, 0));
    ASSERT_CODE(seal_write(s, &rep, image, NULL, 0, 1), E_STATE);             /* the first needs one */
    ASSERT_CODE(seal_write(s, &rep, image, (const uint8_t *)"x", SEAL_RECORD_MAX + 1, 1), E_LIMIT);
    static const char *const put[] = { "one", NULL, "two" }, *const there[] = { "one", "one", "two" };
    for (unsigned i = 0; i < 3; i++) {
        ASSERT_OK(seal_write(s, &rep, image, (const uint8_t *)put[i], put[i] ? 3 : 0, 1));
        SEAL_HEAD h = { 0 };
        ASSERT_OK(seal_head_get(&h, st));
        ck_assert(h.present && h.record_len == 3);
        ck_assert_mem_eq(h.record, there[i], 3);
        ck_assert_uint_eq(h.head.generation, i + 1);
        ck_assert_uint_eq(seal_generation(s), i + 1);
    }
}
END_TEST

START_TEST(what_is_missing_is_named)
{
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(3);
    rig_fill(image, 1, 1);
    struct seal_report rep;
    ASSERT_OK(rig_seal(&r, &rep, image, 1));
    rig_listen();
    for (size_t i = 0; i < 3; i++) {
        char name[LINK_NAME_MAX + 1];
        strcpy(name, store_memory_name(r.m, i));
        size_t n;
        uint8_t *p = store_memory_object(r.m, &n, name), *kept = malloc(n);
        memcpy(kept, p, n);
        store_memory_remove(r.m, name);
        BLK back = rig_image(3);
        ASSERT_CODE(rig_restore(&r, &rep, back), E_ABSENT);
        ck_assert(rig_said(name));
        ASSERT_CODE(rig_seal(&r, &rep, image, 2), E_ABSENT);    /* and nothing new is begun over it */
        ASSERT_OK(store_memory_set(r.m, name, kept, n));
        free(kept);
    }
    BLK back = rig_image(3);
    ASSERT_OK(rig_restore(&r, &rep, back));
    store_memory_remove(r.m, NULL);
    rig_listen();
    ASSERT_CODE(rig_seal(&r, &rep, image, 2), E_ABSENT);
    ck_assert(rig_said("3 objects and no head"));
}
END_TEST

/* Two enclaves of one service: the second to write is told. */
START_TEST(two_sealers)
{
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(3);
    BLK scratch = rig_image(3);
    BLK scratch2 = rig_image(3);
    struct seal_report rep;
    ASSERT_OK(rig_seal(&r, &rep, image, 1));
    STORE st = NULL;
    STORE st2 = NULL;
    SEALER s = NULL;
    SEALER s2 = NULL;
    ASSERT_OK(rig_boot(&r, &st, &s, scratch, 0));
    ASSERT_OK(rig_boot(&r, &st2, &s2, scratch2, 0));
    ASSERT_OK(seal_write(s, &rep, image, NULL, 0, 2));
    ASSERT_CODE(seal_write(s2, &rep, image, NULL, 0, 2), E_STATE);
    ASSERT_OK(seal_write(s, &rep, image, NULL, 0, 3));
    ck_assert_uint_eq(rep.generation, 3);
}
END_TEST

/* The head is put back while the enclave runs. */
START_TEST(head_put_back)
{
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(3);
    BLK scratch = rig_image(3);
    struct seal_report rep;
    STORE st = NULL;
    SEALER s = NULL;
    ASSERT_OK(rig_boot(&r, &st, &s, scratch, 0));
    ASSERT_OK(seal_write(s, &rep, image, (const uint8_t *)"r", 1, 1));
    size_t n;
    uint8_t old[LINK_HEAD_MAX];
    const uint8_t *p = store_memory_head(r.m, &n);
    memcpy(old, p, n);
    ASSERT_OK(seal_write(s, &rep, image, NULL, 0, 2));
    ASSERT_OK(store_memory_set(r.m, NULL, old, n));
    ASSERT_CODE(seal_write(s, &rep, image, NULL, 0, 3), E_STATE);
    store_memory_remove(r.m, NULL);
    ASSERT_CODE(seal_write(s, &rep, image, NULL, 0, 3), E_STATE);
}
END_TEST

START_TEST(not_restored_not_sealed)
{
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(3);
    rig_fill(image, 0, 1);
    struct seal_report rep;
    ASSERT_OK(rig_seal(&r, &rep, image, 1));
    STORE st = NULL;
    SEALER s = NULL;
    SEAL_HEAD h = { 0 };
    ASSERT_OK(store_memory_open(&st, r.m, NULL));
    ASSERT_OK(seal_head_get(&h, st));
    ASSERT_OK(seal_open(&s, r.key, r.service, r.epoch, st, &h));
    ASSERT_CODE(seal_write(s, &rep, image, (const uint8_t *)"r", 1, 2), E_STATE);
    ASSERT_CODE(seal_restore(s, &rep, image, 0), E_STATE);     /* not into what is not empty */
    BLK other = rig_image(4);
    ASSERT_CODE(seal_restore(s, &rep, other, 0), E_FORMAT);    /* nor into another size */
    BLK odd = NULL;
    struct blk_power power = { 0 };
    ASSERT_OK(blk_volatile(&odd, 4096, &power));
    ASSERT_FAILS(seal_restore(s, &rep, odd, 0));
    BLK back = rig_image(3);
    uint64_t size = 0;
    ASSERT_OK(seal_image_size(&size, s));
    ck_assert_uint_eq(size, 3 * CHUNK_SIZE);
    ASSERT_CODE(seal_restore(s, &rep, other, 0), E_FORMAT);    /* still not, now that it is known */
    ASSERT_CODE(seal_restore(s, &rep, back, 2), E_STATE);      /* 1 is older than 2 */
    BLK fresh = rig_image(3);
    ASSERT_OK(seal_restore(s, &rep, fresh, 1));
    rig_same(image, fresh);
    ASSERT_CODE(seal_restore(s, &rep, back, 1), E_STATE);      /* once */
    ASSERT_CODE(seal_image_size(&size, s), E_STATE);
    ASSERT_OK(seal_write(s, &rep, image, NULL, 0, 2));
}
END_TEST

/* The last answer is lost: the sealer finds out, and does not seal beside it. */
START_TEST(lost_answers)
{
    for (unsigned torn = 0; torn < 2; torn++) {
        RIG r;
        rig_open(&r, 1, 1);
        BLK image = rig_image(3);
        BLK scratch = rig_image(3);
        struct seal_report rep;
        STORE st = NULL;
        SEALER s = NULL;
        ASSERT_OK(rig_boot(&r, &st, &s, scratch, 0));
        ASSERT_OK(seal_write(s, &rep, image, (const uint8_t *)"r", 1, 1));
        /* head_get, begin, header, (chunk), end …: find the call that is the head's */
        unsigned long before = r.power.calls;
        rig_fill(image, 1, 1);
        ASSERT_OK(seal_write(s, &rep, image, NULL, 0, 2));
        unsigned long calls = r.power.calls - before;
        r.power = (struct store_power){ .stop_after = calls, .torn = torn };
        rig_fill(image, 1, 2);            /* as much as before */
        ASSERT_CODE(seal_write(s, &rep, image, NULL, 0, 3), E_CLOSED);
        r.power = (struct store_power){ 0 };
        STORE again = NULL;
        ASSERT_OK(store_memory_open(&again, r.m, &r.power));
        seal_use_store(s, again);
        rig_fill(image, 2, 9);
        ASSERT_OK(seal_write(s, &rep, image, NULL, 0, 4));
        ck_assert_uint_eq(rep.generation, torn ? 4 : 3);
        BLK back = rig_image(3);
        ASSERT_OK(rig_restore(&r, &rep, back));
        rig_same(image, back);
    }
}
END_TEST

/* A first seal that did not finish leaves a new beginning, and the store usable. */
START_TEST(unfinished_first)
{
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(3);
    rig_fill(image, 1, 1);
    struct seal_report rep;
    r.power.stop_after = 8;            /* the record is there, the pack is not */
    ASSERT_FAILS(rig_seal(&r, &rep, image, 1));
    r.power = (struct store_power){ 0 };
    STORE st = NULL;
    SEAL_HEAD h = { 0 };
    ASSERT_OK(store_memory_open(&st, r.m, NULL));
    ck_assert_ptr_nonnull(store_memory_name(r.m, 0));     /* there is an object already */
    ASSERT_OK(seal_head_get(&h, st));
    ck_assert(!h.present && h.raw_len > 0);
    r.service[0] ^= 1;                                    /* the next beginning is another service */
    ASSERT_OK(rig_seal(&r, &rep, image, 1));
    ck_assert_uint_eq(rep.generation, 1);
    BLK back = rig_image(3);
    ASSERT_OK(rig_restore(&r, &rep, back));
    rig_same(image, back);
}
END_TEST

static void progress(void *self, uint64_t done, uint64_t total)
{
    uint64_t *seen = self;
    ck_assert(done > seen[0] && done <= total && (seen[1] == 0 || seen[1] == total));
    seen[0] = done;
    seen[1] = total;
}

START_TEST(progress_is_told)
{
    RIG r;
    rig_open(&r, 1, 1);
    BLK image = rig_image(50);
    for (unsigned i = 5; i < 45; i++)
        rig_fill(image, i, 1);
    BLK scratch = rig_image(50);
    struct seal_report rep;
    STORE st = NULL;
    SEALER s = NULL;
    ASSERT_OK(rig_boot(&r, &st, &s, scratch, 0));
    uint64_t seen[2] = { 0 };
    seal_on_progress(s, progress, seen);
    ASSERT_OK(seal_write(s, &rep, image, (const uint8_t *)"r", 1, 1));
    ck_assert_uint_eq(seen[0], 40 * CHUNK_SIZE);
    ck_assert_uint_eq(seen[1], 40 * CHUNK_SIZE);
    seal_close(&s);
    SEAL_HEAD h = { 0 };
    ASSERT_OK(seal_head_get(&h, st));
    ASSERT_OK(seal_open(&s, r.key, r.service, r.epoch, st, &h));
    memset(seen, 0, sizeof seen);
    seal_on_progress(s, progress, seen);
    ASSERT_OK(seal_restore(s, &rep, scratch, 0));
    ck_assert_uint_eq(seen[0], 40 * CHUNK_SIZE);
    rig_same(image, scratch);
}
END_TEST

static Suite *sealing(void)
{
    return CHECK_SUITE("diskcrypt seal", empty_store, generations, manifests_chain, nothing_but_zeros, records,
                       what_is_missing_is_named, two_sealers, head_put_back, not_restored_not_sealed, lost_answers,
                       unfinished_first, progress_is_told);
}

CHECK_MAIN(sealing)
