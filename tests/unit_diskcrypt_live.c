/* Sealing a disk that is in use: the generation is the disk as it was when it last stood still, however much was
 * written in between. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "tests/support/seal_rig.h"

enum { CHUNKS = 1300, HELD = 1024 };        /* HELD as in seal_live.c */

static uint64_t state = 11;

static unsigned below(unsigned n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((state >> 33) % n);
}

/* A disk with a writer who uses every moment that it runs. */
struct disk {
    struct rig r;
    struct store *store;
    struct sealer *sealer;
    struct blk *image, *cut;              /* now, and when it last stood still                */
    unsigned restless;                    /* chunks written each time that it runs again      */
    unsigned stops, running;
    unsigned long calls, fail_at;
    bool zeros, zero_all;
};

static void copy(struct blk *to, struct blk *from)
{
    static uint8_t room[CHUNKS * CHUNK_SIZE];
    ASSERT_OK(from->read_at(from, room, sizeof room, 0));
    ASSERT_OK(to->write_at(to, room, sizeof room, 0));
}

static void use(struct disk *d)
{
    static const uint8_t zeros[CHUNK_SIZE];
    for (unsigned i = 0; i < d->restless; i++) {
        const unsigned at = d->restless < CHUNKS ? below(CHUNKS) : i;
        if (d->zeros && below(8) == 0) ASSERT_OK(d->image->write_at(d->image, zeros, CHUNK_SIZE, (uint64_t)at * CHUNK_SIZE));
        else rig_fill(d->image, at, (uint8_t)below(256));
    }
    for (unsigned i = 0; d->zero_all && d->stops == 1 && i < CHUNKS; i++)
        ASSERT_OK(d->image->write_at(d->image, zeros, CHUNK_SIZE, (uint64_t)i * CHUNK_SIZE));
}

static err freeze(void *self)
{
    struct disk *d = self;
    if (++d->calls == d->fail_at) return (err){ E_IO };
    ck_assert(d->running);
    use(d);
    d->running = 0;
    d->stops++;
    copy(d->cut, d->image);
    return OK;
}

static err thaw(void *self)
{
    struct disk *d = self;
    ck_assert(!d->running);
    d->running = 1;
    if (!d->zero_all) use(d);
    return ++d->calls == d->fail_at ? (err){ E_TIMEOUT } : OK;
}

static void disk_open(struct disk *d, unsigned filled)
{
    *d = (struct disk){ .running = 1 };
    rig_open(&d->r, 1, 1);
    d->image = rig_image(CHUNKS);
    d->cut = rig_image(CHUNKS);
    for (unsigned i = 0; i < filled; i++) rig_fill(d->image, i, 1);
    BLK scratch = rig_image(CHUNKS);
    ASSERT_OK(rig_boot(&d->r, &d->store, &d->sealer, scratch, 0));
}

static void disk_close(struct disk *d)
{
    seal_close(&d->sealer);
    store_close(&d->store);
    blk_close(&d->image);
    blk_close(&d->cut);
    rig_close(&d->r);
}
#define DISK __attribute__((cleanup(disk_close))) struct disk

static err seal(struct disk *d, struct seal_report *rep)
{
    const struct seal_gate gate = { freeze, thaw, d };
    const uint8_t *record = seal_generation(d->sealer) ? NULL : (const uint8_t *)"record";
    d->stops = 0;
    d->calls = 0;
    err e = seal_write_live(d->sealer, rep, d->image, &gate, record, record ? 6 : 0, 1);
    ck_assert(d->running);                /* whatever happened */
    return e;
}

/* Out: how often the disk stood still. */
static unsigned sealed(struct disk *d)
{
    struct seal_report rep, got;
    BLK back = rig_image(CHUNKS);
    ASSERT_OK(seal(d, &rep));
    ASSERT_OK(rig_restore(&d->r, &got, back));
    rig_same(d->cut, back);
    ck_assert_uint_eq(got.generation, rep.generation);
    ck_assert_uint_eq(got.data, rep.data);
    return d->stops;
}

START_TEST(little_stands_still_once)
{
    DISK d;
    disk_open(&d, HELD);
    ck_assert_uint_eq(sealed(&d), 1);
    for (unsigned i = 0; i < 8; i++) {
        d.restless = below(30);
        d.zeros = i % 2;
        ck_assert_uint_eq(sealed(&d), 1);
        ck_assert_uint_eq(seal_generation(d.sealer), i + 2);
    }
}
END_TEST

START_TEST(much_goes_first)
{
    DISK d;
    disk_open(&d, HELD + 1);
    d.restless = 50;
    ck_assert_uint_eq(sealed(&d), 1);     /* the first generation */
    for (unsigned i = 0; i < CHUNKS; i++) rig_fill(d.image, i, 9);
    ck_assert_uint_eq(sealed(&d), 2);     /* a pack, and what changed since */
    ck_assert_uint_eq(seal_generation(d.sealer), 3);
    d.restless = 0;
    ck_assert_uint_eq(sealed(&d), 1);
    ck_assert_uint_eq(sealed(&d), 1);
    struct seal_report rep;
    ASSERT_OK(seal(&d, &rep));
    ck_assert_uint_eq(rep.written, 0);    /* digests were kept through all of it */
}
END_TEST

/* Faster than it can be sealed: in the end it is held, whatever that takes. */
START_TEST(a_writer_who_never_rests)
{
    DISK d;
    disk_open(&d, CHUNKS);
    d.restless = CHUNKS;
    ck_assert_uint_eq(sealed(&d), 1);
    for (unsigned i = 0; i < 3; i++) {
        d.zeros = i % 2;
        ck_assert_uint_eq(sealed(&d), 4);
    }
}
END_TEST

/* What was sealed from the running disk is zeros, or gone, when it stands still: its pack leaves the list. */
START_TEST(a_first_pack_in_vain)
{
    DISK d;
    disk_open(&d, 4);
    ck_assert_uint_eq(sealed(&d), 1);
    for (unsigned i = 0; i < HELD + 40; i++) rig_fill(d.image, i, 7);
    d.zero_all = true;
    ck_assert_uint_eq(sealed(&d), 2);
    ck_assert_uint_eq(seal_generation(d.sealer), 3);
    struct manifest_clear m;
    struct head h;
    size_t n = 0;
    const uint8_t *raw = store_memory_head(d.r.m, &n);
    ASSERT_OK(head_parse(&h, raw, n));
    const uint8_t *list = store_memory_object(d.r.m, &n, h.manifest);
    ASSERT_OK(manifest_clear_parse(&m, list, n));
    ck_assert_uint_eq(m.packs, 0);
}
END_TEST

/* The disk does not stop, or started by itself: no generation, and the next one is whole. */
START_TEST(the_gate_fails)
{
    for (unsigned long n = 1; n <= 4; n++) {
        DISK d;
        struct seal_report rep;
        disk_open(&d, HELD);
        ck_assert_uint_eq(sealed(&d), 1);
        for (unsigned i = 0; i < CHUNKS; i++) rig_fill(d.image, i, 3);
        d.restless = 10;
        d.fail_at = n;
        const unsigned before = (unsigned)seal_generation(d.sealer);
        ASSERT_CODE(seal(&d, &rep), n % 2 ? E_IO : E_TIMEOUT);
        ck_assert_uint_eq(seal_generation(d.sealer), before);
        d.fail_at = 0;
        (void)sealed(&d);
    }
}
END_TEST

/* The power goes at each call of the store: the generation before, or the new one. */
START_TEST(the_power_goes)
{
    for (unsigned long stop = 1;; stop++) {
        DISK d;
        struct seal_report rep, got;
        disk_open(&d, HELD);
        ck_assert_uint_eq(sealed(&d), 1);
        BLK old = rig_image(CHUNKS);
        copy(old, d.cut);
        for (unsigned i = 0; i < HELD + 20; i++) rig_fill(d.image, i, 5);
        d.restless = 3;
        d.r.power = (struct store_power){ .stop_after = stop, .torn = stop % 2 };
        const err e = seal(&d, &rep);
        d.r.power = (struct store_power){ 0 };
        BLK back = rig_image(CHUNKS);
        ASSERT_OK(rig_restore(&d.r, &got, back));
        ck_assert(got.generation == 1 || got.generation == 3);
        rig_same(got.generation == 1 ? old : d.cut, back);
        if (!e.code) {
            ck_assert_uint_gt(stop, 10);
            break;
        }
    }
}
END_TEST

static Suite *live(void)
{
    return CHECK_SUITE("diskcrypt live", little_stands_still_once, much_goes_first, a_writer_who_never_rests, a_first_pack_in_vain,
                       the_gate_fails, the_power_goes);
}

CHECK_MAIN(live)
