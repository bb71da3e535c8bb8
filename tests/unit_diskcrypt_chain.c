/* Generations that stand on earlier ones: what is written, what is kept, what is given up. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "diskcrypt/seal_map.h"
#include "tests/support/seal_rig.h"

enum { CHUNKS = 64 };

static uint64_t state = 7;

static unsigned below(unsigned n)         /* a fixed sequence: the same test each time */
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((state >> 33) % n);
}

static void zero(struct blk *image, unsigned i)
{
    static const uint8_t zeros[CHUNK_SIZE];
    ASSERT_OK(image->write_at(image, zeros, CHUNK_SIZE, (uint64_t)i * CHUNK_SIZE));
}

/* One life of the enclave: a sealer on a new service. */
struct life { struct rig r; struct store *store; struct sealer *sealer; struct blk *image; };

static void life_end(struct life *l)
{
    seal_close(&l->sealer);
    store_close(&l->store);
    blk_close(&l->image);
    rig_close(&l->r);
}
#define LIFE __attribute__((cleanup(life_end))) struct life

static void begin(struct life *l, unsigned filled)
{
    struct seal_report rep;
    rig_open(&l->r, 1, 1);
    l->image = rig_image(CHUNKS);
    BLK scratch = rig_image(CHUNKS);
    for (unsigned i = 0; i < filled; i++) rig_fill(l->image, i, 1);
    ASSERT_OK(rig_boot(&l->r, &l->store, &l->sealer, scratch, 0));
    ASSERT_OK(seal_write(l->sealer, &rep, l->image, (const uint8_t *)"record", 6, 1));
    ck_assert_uint_eq(rep.written, (uint64_t)filled * CHUNK_SIZE);
}

/* Seal; out: chunks written. What comes back is what was there. */
static unsigned seal(struct life *l)
{
    struct seal_report rep, got;
    BLK back = rig_image(CHUNKS);
    ASSERT_OK(seal_write(l->sealer, &rep, l->image, NULL, 0, 1));
    ASSERT_OK(rig_restore(&l->r, &got, back));
    rig_same(l->image, back);
    ck_assert_uint_eq(got.data, rep.data);
    return (unsigned)(rep.written / CHUNK_SIZE);
}

/* End this life and begin the next one on the same store. */
static void restart(struct life *l)
{
    seal_close(&l->sealer);
    store_close(&l->store);
    blk_close(&l->image);
    l->image = rig_image(CHUNKS);
    ASSERT_OK(rig_boot(&l->r, &l->store, &l->sealer, l->image, 0));
}

static const uint8_t *list_of(struct life *l, struct manifest_clear *m, struct head *h)
{
    size_t n = 0;
    const uint8_t *head = store_memory_head(l->r.m, &n);
    ASSERT_OK(head_parse(h, head, n));
    const uint8_t *bytes = store_memory_object(l->r.m, &n, h->manifest);
    ASSERT_OK(manifest_clear_parse(m, bytes, n));
    return bytes;
}

START_TEST(only_what_changed)
{
    LIFE l = { 0 };
    begin(&l, 40);
    ck_assert_uint_eq(seal(&l), 0);       /* told by its tags */
    ck_assert_uint_eq(seal(&l), 0);       /* told by its digests */
    rig_fill(l.image, 3, 2);
    rig_fill(l.image, 50, 2);
    ck_assert_uint_eq(seal(&l), 2);
    rig_fill(l.image, 3, 1);              /* back to what it was two generations ago */
    ck_assert_uint_eq(seal(&l), 1);
    zero(l.image, 4);
    zero(l.image, 50);
    ck_assert_uint_eq(seal(&l), 0);
    rig_fill(l.image, 4, 1);
    ck_assert_uint_eq(seal(&l), 1);
    uint8_t bit;
    ASSERT_OK(l.image->read_at(l.image, &bit, 1, 9 * CHUNK_SIZE + 65535));
    bit ^= 1;
    ASSERT_OK(l.image->write_at(l.image, &bit, 1, 9 * CHUNK_SIZE + 65535));
    ck_assert_uint_eq(seal(&l), 1);
}
END_TEST

START_TEST(after_a_restore)
{
    LIFE l = { 0 };
    begin(&l, 40);
    rig_fill(l.image, 7, 2);
    ck_assert_uint_eq(seal(&l), 1);
    restart(&l);
    ck_assert_uint_eq(seal(&l), 0);
    rig_fill(l.image, 7, 3);
    rig_fill(l.image, 8, 3);
    ck_assert_uint_eq(seal(&l), 2);
    restart(&l);
    rig_fill(l.image, 9, 3);
    ck_assert_uint_eq(seal(&l), 1);
    ck_assert_uint_eq(seal(&l), 0);
}
END_TEST

/* Whatever happens to the image: a restore reads at most 5/4 of what lives (and a chunk), and packs stay few. */
START_TEST(chains_are_bounded)
{
    LIFE l = { 0 };
    begin(&l, CHUNKS);
    for (unsigned g = 0; g < 400; g++) {
        struct manifest_clear m;
        struct head h;
        uint64_t read = 0;
        for (unsigned i = below(4); i > 0; i--) {
            if (below(5) == 0) zero(l.image, below(CHUNKS));
            else rig_fill(l.image, below(CHUNKS), (uint8_t)below(256));
        }
        (void)seal(&l);
        (void)list_of(&l, &m, &h);
        for (uint32_t i = 0; i < m.packs; i++) {
            struct manifest_pack p;
            manifest_pack_get(&p, &m, i);
            read += (p.size - PACK_HEAD) / CHUNK_SIZE;
        }
        ck_assert_msg(read * 4 <= (uint64_t)m.stored * 5, "generation %u reads %u chunks for %u", g, (unsigned)read, m.stored);
        ck_assert_uint_le(m.packs, MAP_PACKS_WANTED);
        if (below(20) == 0) restart(&l);
    }
}
END_TEST

/* The number of packs alone: nothing dies, and one chunk is added each time. */
START_TEST(packs_are_merged)
{
    SEAL_MAP m = NULL;
    uint32_t writes;
    ASSERT_OK(map_new(&m, (uint64_t)1024 * CHUNK_SIZE));
    for (uint32_t i = 0; i < 300; i++) {
        m->at[i] = (struct place){ .pack = PLACE_WRITE };
        map_plan(m, &writes);
        ck_assert_uint_ge(writes, 1);
        uint32_t put = 0;
        for (uint32_t k = 0; k < m->chunks; k++)
            if (m->at[k].pack == PLACE_WRITE) m->at[k] = (struct place){ .pack = (int32_t)m->pack_count + 1, .nth = put++ };
        ck_assert_uint_eq(put, writes);
        m->packs[m->pack_count++] = (struct manifest_pack){ .generation = i + 1, .size = PACK_HEAD + (uint64_t)put * CHUNK_SIZE };
        ck_assert_uint_le(m->pack_count, MAP_PACKS_WANTED);
        ck_assert_uint_eq(map_stored(m), i + 1);
        for (uint32_t k = 1; k < m->pack_count; k++) ck_assert_uint_lt(m->packs[k - 1].generation, m->packs[k].generation);
    }
    ck_assert_uint_lt(m->pack_count, 200);
}
END_TEST

/* A disk that grew keeps what it had; one that shrank lets go of the rest. */
START_TEST(another_size)
{
    LIFE l = { 0 };
    struct seal_report rep;
    begin(&l, 40);
    BLK large = rig_image(2 * CHUNKS);
    for (unsigned i = 0; i < 40; i++) rig_fill(large, i, 1);
    rig_fill(large, 100, 1);
    ASSERT_OK(seal_write(l.sealer, &rep, large, NULL, 0, 2));
    ck_assert_uint_eq(rep.written, CHUNK_SIZE);
    BLK back = rig_image(2 * CHUNKS);
    ASSERT_OK(rig_restore(&l.r, &rep, back));
    rig_same(large, back);
}
END_TEST

static void refused(struct life *l, enum err_code code, const char *reason)
{
    BLK back = rig_image(CHUNKS);
    struct seal_report rep;
    rig_listen();
    ASSERT_CODE(rig_restore(&l->r, &rep, back), code);
    ck_assert_msg(rig_said(reason), "the reason is not told: %s", reason);
}

/* Packs of one chain, all of them needed, exchanged, cut, or gone. */
START_TEST(packs_mixed_up)
{
    LIFE l = { 0 };
    begin(&l, 40);
    rig_fill(l.image, 3, 2);
    ck_assert_uint_eq(seal(&l), 1);
    rig_fill(l.image, 4, 2);
    ck_assert_uint_eq(seal(&l), 1);
    struct manifest_clear m;
    struct head h;
    struct manifest_pack second, third;
    (void)list_of(&l, &m, &h);
    ck_assert_uint_eq(m.packs, 3);
    manifest_pack_get(&second, &m, 1);
    manifest_pack_get(&third, &m, 2);
    ck_assert_uint_eq(second.size, third.size);
    size_t n;
    BYTES a = NULL;
    BYTES b = NULL;
    ASSERT_OK(mem_new(&a, second.size));
    ASSERT_OK(mem_new(&b, third.size));
    memcpy(a, store_memory_object(l.r.m, &n, second.name), second.size);
    memcpy(b, store_memory_object(l.r.m, &n, third.name), third.size);
    ASSERT_OK(store_memory_set(l.r.m, second.name, b, third.size));
    refused(&l, E_AUTH, "holds a pack of generation 3");
    uint8_t *p = store_memory_object(l.r.m, &n, second.name);
    memcpy(p, a, PACK_HEAD);              /* the chunk of one under the header of the other */
    refused(&l, E_AUTH, "chunk 3 in g");
    ASSERT_OK(store_memory_set(l.r.m, second.name, a, second.size - 1));
    refused(&l, E_FORMAT, "bytes instead of");
    ASSERT_OK(store_memory_set(l.r.m, second.name, NULL, 0));
    refused(&l, E_FORMAT, "bytes instead of");
    ASSERT_OK(store_memory_set(l.r.m, second.name, a, second.size));
    BLK back = rig_image(CHUNKS);
    struct seal_report rep;
    ASSERT_OK(rig_restore(&l.r, &rep, back));
    rig_same(l.image, back);
}
END_TEST

START_TEST(verify_reads_all)
{
    LIFE l = { 0 };
    struct seal_report rep;
    struct manifest_clear m;
    struct manifest_pack p;
    struct head h;
    begin(&l, 40);
    rig_fill(l.image, 3, 2);
    ck_assert_uint_eq(seal(&l), 1);
    ASSERT_OK(seal_verify(l.sealer, &rep));
    ck_assert(rep.generation == 2 && rep.data == 40 * CHUNK_SIZE);
    (void)list_of(&l, &m, &h);
    size_t n;
    for (uint32_t i = 0; i < m.packs; i++) {
        manifest_pack_get(&p, &m, i);
        uint8_t *bytes = store_memory_object(l.r.m, &n, p.name);
        bytes[n - 1] ^= 1;
        ASSERT_CODE(seal_verify(l.sealer, &rep), E_AUTH);
        bytes[n - 1] ^= 1;
    }
    ASSERT_OK(seal_verify(l.sealer, &rep));
    ck_assert_uint_eq(seal(&l), 0);
}
END_TEST

/* A seal that fails leaves the sealer with the places of the generation before. */
START_TEST(after_a_failure)
{
    LIFE l = { 0 };
    struct seal_report rep;
    begin(&l, 40);
    rig_fill(l.image, 3, 2);
    for (unsigned long n = 1; n < 40; n++) {
        l.r.power = (struct store_power){ .fail_at = n };
        err e = seal_write(l.sealer, &rep, l.image, NULL, 0, 1);
        l.r.power = (struct store_power){ 0 };
        ck_assert_uint_le(seal(&l), 1);
        if (!e.code) break;
        ck_assert_uint_lt(n, 39);
        rig_fill(l.image, 3, (uint8_t)(2 * n + 3));
    }
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("diskcrypt chain", only_what_changed, after_a_restore, chains_are_bounded, packs_are_merged, another_size,
                       packs_mixed_up, verify_reads_all, after_a_failure);
}

CHECK_MAIN(suite)
