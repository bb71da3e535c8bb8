/* A hostile parent: every kind of change to what it stores is refused, each with its reason. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "tests/support/seal_rig.h"

enum { CHUNKS = 12 };

/* A service with `generations` sealed ones; image holds the last. */
static void sealed(struct rig *r, struct blk **image, uint8_t who, uint32_t epoch, unsigned generations)
{
    rig_open(r, who, epoch);
    *image = rig_image(CHUNKS);
    struct seal_report rep;
    for (unsigned g = 1; g <= generations; g++) {
        for (unsigned i = 0; i < 6; i++)
            rig_fill(*image, i * 2, (uint8_t)(g * 16 + i));
        ASSERT_OK(rig_seal(r, &rep, *image, g));
    }
}

/* Make every chunk new, so that the next generation writes all of them. */
static void refill(struct blk *image, uint8_t seed)
{
    for (unsigned i = 0; i < 6; i++) rig_fill(image, i * 2, (uint8_t)(seed + i));
}

static struct head head_of(struct rig *r)
{
    struct head h;
    size_t n;
    const uint8_t *p = store_memory_head(r->m, &n);
    ASSERT_OK(head_parse(&h, p, n));
    return h;
}

static void head_set(struct rig *r, const struct head *h)
{
    uint8_t raw[LINK_HEAD_MAX];
    size_t n;
    ASSERT_OK(head_build(raw, &n, h));
    ASSERT_OK(store_memory_set(r->m, NULL, raw, n));
}

/* The present pack's name; its bytes with store_memory_object(). */
static void pack_of(struct rig *r, char name[OBJECT_NAME])
{
    struct head h = head_of(r);
    size_t n;
    struct manifest_clear m;
    struct manifest_pack p;
    const uint8_t *bytes = store_memory_object(r->m, &n, h.manifest);
    ASSERT_OK(manifest_clear_parse(&m, bytes, n));
    manifest_pack_get(&p, &m, m.packs - 1);
    strcpy(name, p.name);
}

/* The parent that lies thoroughly: the head's hash fits whatever the manifest is now. */
static void rehash(struct rig *r)
{
    struct head h = head_of(r);
    size_t n;
    const uint8_t *bytes = store_memory_object(r->m, &n, h.manifest);
    sha256(h.manifest_sha256, bytes, n);
    head_set(r, &h);
}

static void refused(struct rig *r, enum err_code code, const char *reason)
{
    BLK back = rig_image(CHUNKS);
    struct seal_report rep;
    rig_listen();
    ASSERT_CODE(rig_restore(r, &rep, back), code);
    ck_assert_msg(rig_said(reason), "the reason is not told: %s", reason);
}

/* The size of the image to make comes from authentic bytes only. */
START_TEST(size_is_authentic)
{
    RIG r;
    BLK image = NULL;
    sealed(&r, &image, 1, 1, 1);
    struct head h = head_of(&r);
    size_t n;
    uint8_t *p = store_memory_object(r.m, &n, h.manifest);
    p[170] ^= 1;                          /* an image of 256 chunks */
    rehash(&r);
    STORE st = NULL;
    SEALER s = NULL;
    SEAL_HEAD found = { 0 };
    uint64_t size = 1;
    ASSERT_OK(store_memory_open(&st, r.m, NULL));
    ASSERT_OK(seal_head_get(&found, st));
    ASSERT_OK(seal_open(&s, r.key, r.service, r.epoch, st, &found));
    ASSERT_CODE(seal_image_size(&size, s), E_AUTH);
    ck_assert_uint_eq(size, 0);
}
END_TEST

static void accepted(struct rig *r, struct blk *image)
{
    BLK back = rig_image(CHUNKS);
    struct seal_report rep;
    ASSERT_OK(rig_restore(r, &rep, back));
    rig_same(image, back);
}

/* Any byte of the pack: each of its header's, and some of every chunk. */
START_TEST(pack_bytes)
{
    RIG r;
    BLK image = NULL;
    sealed(&r, &image, 1, 1, 1);
    char name[OBJECT_NAME];
    pack_of(&r, name);
    size_t n;
    uint8_t *p = store_memory_object(r.m, &n, name);
    ck_assert_uint_eq(n, PACK_HEAD + 6 * CHUNK_SIZE);
    unsigned tried = 0;
    for (size_t at = 0; at < n; at += at < PACK_HEAD ? 1 : 2039) {
        p[at] ^= (uint8_t)(1u << at % 8);
        BLK back = rig_image(CHUNKS);
        struct seal_report rep;
        enum err_code e = rig_restore(&r, &rep, back).code;
        ck_assert_msg(e == E_AUTH || (at < PACK_HEAD && e == E_FORMAT), "byte %zu: %s", at, err_text(e));
        p[at] ^= (uint8_t)(1u << at % 8);
        tried++;
    }
    ck_assert_uint_ge(tried, PACK_HEAD + 40);
    p[n - 1] ^= 0x80;                     /* the very last one */
    refused(&r, E_AUTH, "chunk 10 in g");
    p[n - 1] ^= 0x80;
    accepted(&r, image);
}
END_TEST

/* Every byte of the manifest, with and without a head that fits. */
START_TEST(manifest_bytes)
{
    RIG r;
    BLK image = NULL;
    sealed(&r, &image, 1, 1, 2);
    struct head h = head_of(&r);
    size_t n;
    uint8_t *p = store_memory_object(r.m, &n, h.manifest);
    for (size_t at = 0; at < n; at++) {
        p[at] ^= (uint8_t)(1u << at % 8);
        BLK back = rig_image(CHUNKS);
        struct seal_report rep;
        ASSERT_CODE(rig_restore(&r, &rep, back), E_AUTH);      /* the head's hash */
        rehash(&r);
        enum err_code e = rig_restore(&r, &rep, back).code;
        ck_assert_msg(e == E_AUTH || (at < MANIFEST_FIXED + MANIFEST_PACK && (e == E_FORMAT || e == E_LIMIT)),
                      "byte %zu: %s", at, err_text(e));
        p[at] ^= (uint8_t)(1u << at % 8);
        head_set(&r, &h);
    }
    p[300] ^= 1;
    refused(&r, E_AUTH, "is not the one the head names");
    rehash(&r);
    refused(&r, E_AUTH, "does not verify under this service's key");
    p[300] ^= 1;
    head_set(&r, &h);
    accepted(&r, image);
}
END_TEST

START_TEST(head_bytes)
{
    RIG r;
    BLK image = NULL;
    sealed(&r, &image, 1, 1, 2);
    size_t n;
    uint8_t *p = store_memory_head(r.m, &n);
    for (size_t at = 0; at < n; at++) {
        p[at] ^= (uint8_t)(1u << at % 8);
        BLK back = rig_image(CHUNKS);
        struct seal_report rep;
        ASSERT_FAILS(rig_restore(&r, &rep, back));
        p[at] ^= (uint8_t)(1u << at % 8);
    }
    accepted(&r, image);
    BYTES kept = NULL;
    ASSERT_OK(mem_new(&kept, n + 1));
    memcpy(kept, p, n);
    ASSERT_OK(store_memory_set(r.m, NULL, kept, n - 1));
    refused(&r, E_FORMAT, "a head");
    ASSERT_OK(store_memory_set(r.m, NULL, kept, n + 1));
    refused(&r, E_FORMAT, "a head");
    kept[8] = 3;
    ASSERT_OK(store_memory_set(r.m, NULL, kept, n));
    refused(&r, E_FORMAT, "a head of format 3: this program knows format 2");
}
END_TEST

START_TEST(record_bytes)
{
    RIG r;
    BLK image = NULL;
    sealed(&r, &image, 1, 1, 1);
    struct head h = head_of(&r);
    size_t n;
    uint8_t *p = store_memory_object(r.m, &n, h.record);
    p[2] ^= 1;
    refused(&r, E_FORMAT, "is not the one the head names");
    /* The head's hash follows: the manifest still knows better. */
    sha256(h.record_sha256, p, n);
    head_set(&r, &h);
    refused(&r, E_AUTH, "goes with another service record");
}
END_TEST

START_TEST(two_chunks_swapped)
{
    RIG r;
    BLK image = NULL;
    sealed(&r, &image, 1, 1, 1);
    char name[OBJECT_NAME];
    pack_of(&r, name);
    size_t n;
    static uint8_t one[CHUNK_SIZE];
    uint8_t *p = store_memory_object(r.m, &n, name) + PACK_HEAD;
    memcpy(one, p, CHUNK_SIZE);
    memcpy(p, p + CHUNK_SIZE, CHUNK_SIZE);
    memcpy(p + CHUNK_SIZE, one, CHUNK_SIZE);
    refused(&r, E_AUTH, "chunk 0 in g");
}
END_TEST

START_TEST(cut_and_extended)
{
    RIG r;
    BLK image = NULL;
    sealed(&r, &image, 1, 1, 1);
    struct head h = head_of(&r);
    char name[OBJECT_NAME];
    pack_of(&r, name);
    size_t n;
    BYTES kept = NULL;
    const uint8_t *p = store_memory_object(r.m, &n, name);
    ASSERT_OK(mem_new(&kept, n + CHUNK_SIZE));
    memcpy(kept, p, n);
    const size_t cuts[] = { 0, 1, PACK_HEAD - 1, PACK_HEAD, PACK_HEAD + 1, n - CHUNK_SIZE, n - 1 };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        ASSERT_OK(store_memory_set(r.m, name, kept, cuts[i]));
        refused(&r, E_FORMAT, "bytes instead of");
    }
    ASSERT_OK(store_memory_set(r.m, name, kept, n + 1));
    refused(&r, E_FORMAT, "is longer than");
    ASSERT_OK(store_memory_set(r.m, name, kept, n + CHUNK_SIZE));
    refused(&r, E_FORMAT, "is longer than");
    ASSERT_OK(store_memory_set(r.m, name, kept, n));
    accepted(&r, image);

    BYTES list = NULL;
    p = store_memory_object(r.m, &n, h.manifest);
    ASSERT_OK(mem_new(&list, n + 33));
    memcpy(list, p, n);
    for (size_t cut = 0; cut < n; cut += 7) {
        ASSERT_OK(store_memory_set(r.m, h.manifest, list, cut));
        rehash(&r);
        refused(&r, E_FORMAT, "manifest");
    }
    for (size_t more = 1; more <= 33; more += 16) {
        ASSERT_OK(store_memory_set(r.m, h.manifest, list, n + more));
        rehash(&r);
        refused(&r, E_FORMAT, "and should have");
    }
}
END_TEST

/* An older generation's objects under the newer names. */
START_TEST(older_under_newer_name)
{
    RIG r;
    BLK image = NULL;
    sealed(&r, &image, 1, 1, 1);
    struct head old = head_of(&r);
    char old_pack[OBJECT_NAME], new_pack[OBJECT_NAME];
    pack_of(&r, old_pack);
    struct seal_report rep;
    refill(image, 0x80);
    ASSERT_OK(rig_seal(&r, &rep, image, 2));
    struct head new = head_of(&r);
    pack_of(&r, new_pack);
    size_t n;
    uint8_t *p = store_memory_object(r.m, &n, old_pack);
    BYTES kept = NULL;
    size_t kept_n;
    const uint8_t *q = store_memory_object(r.m, &kept_n, new_pack);
    ASSERT_OK(mem_new(&kept, kept_n));
    memcpy(kept, q, kept_n);
    ASSERT_OK(store_memory_set(r.m, new_pack, p, n));
    refused(&r, E_AUTH, "holds a pack of generation 1");
    memcpy(store_memory_object(r.m, &n, new_pack), kept, PACK_HEAD);     /* its header made to fit */
    refused(&r, E_AUTH, "chunk 0 in g");
    ASSERT_OK(store_memory_set(r.m, new_pack, kept, kept_n));
    accepted(&r, image);

    p = store_memory_object(r.m, &n, old.manifest);
    ASSERT_OK(store_memory_set(r.m, new.manifest, p, n));
    refused(&r, E_AUTH, "is not the one the head names");
    rehash(&r);
    refused(&r, E_AUTH, "an older one under a newer name");
}
END_TEST

/* Everything put back together is a rollback. It verifies, as it must: only the caller's
 * knowledge of the least generation tells. */
START_TEST(whole_rollback)
{
    RIG r;
    BLK image = NULL;
    sealed(&r, &image, 1, 1, 1);
    struct head old = head_of(&r);
    struct seal_report rep;
    ASSERT_OK(rig_seal(&r, &rep, image, 2));
    head_set(&r, &old);
    accepted(&r, image);
    STORE st = NULL;
    SEALER s = NULL;
    BLK back = rig_image(CHUNKS);
    ASSERT_CODE(rig_boot(&r, &st, &s, back, 2), E_STATE);
}
END_TEST

/* Another attempt at the same generation number (a copy of the enclave, a crash before the head). */
START_TEST(twin_generation)
{
    RIG r;
    BLK image = NULL;
    sealed(&r, &image, 1, 1, 1);
    struct head first = head_of(&r);
    struct seal_report rep;
    refill(image, 0x80);
    ASSERT_OK(rig_seal(&r, &rep, image, 2));
    char a[OBJECT_NAME], b[OBJECT_NAME];
    pack_of(&r, a);
    head_set(&r, &first);
    ASSERT_OK(rig_seal(&r, &rep, image, 2));
    pack_of(&r, b);
    ck_assert_uint_eq(rep.generation, 2);
    ck_assert_str_ne(a, b);
    size_t n, k;
    uint8_t *pa = store_memory_object(r.m, &n, a), *pb = store_memory_object(r.m, &k, b);
    ck_assert_uint_eq(n, k);
    /* The same image under the same number: not one ciphertext block is the same. */
    for (size_t at = PACK_HEAD; at < n; at += 16)
        ck_assert(memcmp(pa + at, pb + at, 16) != 0);
    ASSERT_OK(store_memory_set(r.m, b, pa, n));
    refused(&r, E_AUTH, "another pack of its generation");
}
END_TEST

/* Objects of another service, or another epoch, or under another key. */
START_TEST(services_and_epochs)
{
    RIG r;
    RIG other;
    RIG later;
    BLK image = NULL;
    BLK image2 = NULL;
    BLK image3 = NULL;
    sealed(&r, &image, 1, 1, 1);
    sealed(&other, &image2, 2, 1, 1);
    sealed(&later, &image3, 1, 2, 1);
    struct rig *const wrong[] = { &other, &later };
    const char *const head_why[] = { "the store's head is of another service", "the store's head is of epoch 2" };
    const char *const list_why[] = { "is of another service", "is of epoch 2, the key of epoch 1" };
    const char *const pack_why[] = { "holds a pack of another service", "holds a pack of epoch 2" };
    struct head mine = head_of(&r);
    char pack[OBJECT_NAME];
    pack_of(&r, pack);
    for (unsigned i = 0; i < 2; i++) {
        struct head theirs = head_of(wrong[i]);
        char their_pack[OBJECT_NAME];
        pack_of(wrong[i], their_pack);
        size_t n, k;
        /* the whole store */
        struct store_memory *kept = r.m;
        r.m = wrong[i]->m;
        refused(&r, E_AUTH, head_why[i]);
        r.m = kept;
        /* the manifest */
        BYTES list = NULL;
        const uint8_t *p = store_memory_object(r.m, &n, mine.manifest);
        ASSERT_OK(mem_new(&list, n));
        memcpy(list, p, n);
        p = store_memory_object(wrong[i]->m, &k, theirs.manifest);
        ASSERT_OK(store_memory_set(r.m, mine.manifest, p, k));
        rehash(&r);
        refused(&r, E_AUTH, list_why[i]);
        ASSERT_OK(store_memory_set(r.m, mine.manifest, list, n));
        head_set(&r, &mine);
        /* the pack */
        BYTES bytes = NULL;
        p = store_memory_object(r.m, &n, pack);
        ASSERT_OK(mem_new(&bytes, n));
        memcpy(bytes, p, n);
        p = store_memory_object(wrong[i]->m, &k, their_pack);
        ASSERT_OK(store_memory_set(r.m, pack, p, k));
        refused(&r, E_AUTH, pack_why[i]);
        ASSERT_OK(store_memory_set(r.m, pack, bytes, n));
    }
    accepted(&r, image);
    secret_move(&r.key, &other.key);      /* the right ids, and a wrong key */
    refused(&r, E_AUTH, "does not verify under this service's key");
}
END_TEST

static Suite *tampering(void)
{
    return CHECK_SUITE("diskcrypt tamper", size_is_authentic, pack_bytes, manifest_bytes, head_bytes, record_bytes, two_chunks_swapped,
                       cut_and_extended, older_under_newer_name, whole_rollback, twin_generation, services_and_epochs);
}

CHECK_MAIN(tampering)
