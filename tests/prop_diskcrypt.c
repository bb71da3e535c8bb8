/* Random sparse images and random histories: what was sealed last is what comes back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/seal_rig.h"

static uint64_t state;

static uint64_t next(void)                /* splitmix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
    return (unsigned)(next() % n);
}

/* Some writes of any size at any place, some of them of zeros. */
static void scribble(struct blk *image)
{
    static uint8_t some[3 * CHUNK_SIZE];
    uint64_t size = image->size(image);
    for (unsigned i = below(12); i > 0; i--) {
        size_t n = below(3) == 0 ? 1 + below(100) : 1 + below(sizeof some - 1);
        uint64_t at = next() % size;
        if (n > size - at)
            n = (size_t)(size - at);
        bool zero = below(3) == 0;
        for (size_t k = 0; k < n; k++)
            some[k] = zero ? 0 : (uint8_t)next();
        ASSERT_OK(image->write_at(image, some, n, at));
    }
}

static uint64_t not_zero(struct blk *image)
{
    static uint8_t chunk[CHUNK_SIZE];
    uint64_t n = 0;
    for (uint64_t at = 0; at < image->size(image); at += CHUNK_SIZE) {
        ASSERT_OK(image->read_at(image, chunk, CHUNK_SIZE, at));
        n += chunk_is_zero(chunk, CHUNK_SIZE) ? 0 : CHUNK_SIZE;
    }
    return n;
}

START_TEST(histories)
{
    const char *given = getenv("HOLDFAST_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("seed %llu (HOLDFAST_TEST_SEED repeats it)\n", (unsigned long long)seed);
    for (unsigned run = 0; run < 60; run++) {
        state = seed + run;
        RIG r;
        rig_open(&r, (uint8_t)run, run);
        unsigned chunks = 1 + below(50);
        BLK image = rig_image(chunks);
        for (unsigned g = 1 + below(4); g > 0; g--) {
            struct seal_report put, got;
            scribble(image);
            ASSERT_OK(rig_seal(&r, &put, image, next()));
            ck_assert_uint_eq(put.data, not_zero(image));
            BLK back = rig_image(chunks);
            ASSERT_OK(rig_restore(&r, &got, back));
            rig_same(image, back);
            ck_assert(got.generation == put.generation && got.time == put.time && got.data == put.data);
        }
    }
}
END_TEST

static Suite *properties(void)
{
    return CHECK_SUITE("diskcrypt properties", histories);
}

CHECK_MAIN(properties)
