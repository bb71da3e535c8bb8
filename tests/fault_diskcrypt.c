/* The n-th call fails, or the power goes at it: the old generation or the new one, nothing lost. */
#include <string.h>

#include "core/crypto.h"
#include "tests/support/faults.h"
#include "tests/support/seal_rig.h"

/* libcrypto itself loses some bytes when memory runs out while it looks an algorithm
 * up. That is not ours to mend: here it always has memory, and fails as a whole instead. */
static struct { unsigned long calls, fail_at; } crypto;

static err crypto_fault(void)
{
    if (++crypto.calls == crypto.fail_at)
        FAIL(E_MEMORY, "crypto call %lu fails as the test asks", crypto.calls);
    return OK;
}

err __real_hkdf_sha256(secret **out, size_t len, const secret *ikm, const void *salt, size_t salt_len,
                       const void *info, size_t info_len);
err __wrap_hkdf_sha256(secret **out, size_t len, const secret *ikm, const void *salt, size_t salt_len,
                       const void *info, size_t info_len);
err __real_gcm_open_key(struct gcm **out, const secret *key);
err __wrap_gcm_open_key(struct gcm **out, const secret *key);
err __real_gcm_seal(struct gcm *g, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n);
err __wrap_gcm_seal(struct gcm *g, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n);
void __real_sha256(uint8_t out[static 32], const void *p, size_t n);
void __wrap_sha256(uint8_t out[static 32], const void *p, size_t n);

err __wrap_hkdf_sha256(secret **out, size_t len, const secret *ikm, const void *salt, size_t salt_len,
                       const void *info, size_t info_len)
{
    TRY(crypto_fault());
    fault_pause(1);
    err e = __real_hkdf_sha256(out, len, ikm, salt, salt_len, info, info_len);
    fault_pause(0);
    return e;
}

err __wrap_gcm_open_key(struct gcm **out, const secret *key)
{
    TRY(crypto_fault());
    fault_pause(1);
    err e = __real_gcm_open_key(out, key);
    fault_pause(0);
    return e;
}

err __wrap_gcm_seal(struct gcm *g, uint8_t *out, uint8_t tag[static 16], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_len, const uint8_t *in, size_t n)
{
    TRY(crypto_fault());
    return __real_gcm_seal(g, out, tag, nonce, aad, aad_len, in, n);
}

void __wrap_sha256(uint8_t out[static 32], const void *p, size_t n)
{
    fault_pause(1);
    __real_sha256(out, p, n);
    fault_pause(0);
}

enum { CHUNKS = 40 };                     /* more than one buffer full */

static struct blk *picture(uint8_t seed)
{
    struct blk *b = rig_image(CHUNKS);
    for (unsigned i = 0; i < CHUNKS; i++)
        if (i % 5 != 3)
            rig_fill(b, i, seed);
    return b;
}

/* What a body works on: made before the fault, checked after it. */
struct work { struct rig rig; struct blk *a, *b, *fresh; struct store_memory *copy; };

static err store_copy(struct store_memory **out, struct store_memory *from)
{
    size_t n;
    TRY(store_memory_new(out));
    for (size_t i = 0; store_memory_name(from, i); i++) {
        const char *name = store_memory_name(from, i);
        const uint8_t *p = store_memory_object(from, &n, name);
        TRY(store_memory_set(*out, name, p, n));
    }
    const uint8_t *head = store_memory_head(from, &n);
    if (head)
        TRY(store_memory_set(*out, NULL, head, n));
    return OK;
}

static err boot_and_seal(struct rig *r, struct blk *scratch, struct blk *image)
{
    STORE st = NULL;
    SEALER s = NULL;
    struct seal_report rep;
    TRY(rig_boot(r, &st, &s, scratch, 0));
    return seal_write(s, &rep, image, (const uint8_t *)"record", 6, 1);
}

/* A life: restore generation 1, seal generation 2; on a store that is thrown away. */
static err life(void *ctx, unsigned long n)
{
    struct work *w = ctx;
    __attribute__((cleanup(store_memory_drop))) struct store_memory *mine = NULL;
    (void)n;
    TRY(store_copy(&mine, w->copy));
    w->rig.m = mine;
    BLK scratch = NULL;
    struct blk_power power = { 0 };
    TRY(blk_volatile(&scratch, CHUNKS * CHUNK_SIZE, &power));
    return boot_and_seal(&w->rig, scratch, w->b);
}

static void work_make(struct work *w)
{
    rig_open(&w->rig, 1, 1);
    w->a = picture(1);
    w->b = picture(2);
    BLK scratch = rig_image(CHUNKS);
    ASSERT_OK(boot_and_seal(&w->rig, scratch, w->a));
    w->copy = w->rig.m;
}

static void work_drop(struct work *w)
{
    blk_close(&w->a);
    blk_close(&w->b);
    store_memory_drop(&w->copy);
    w->rig.m = NULL;
    rig_close(&w->rig);
}
#define WORK __attribute__((cleanup(work_drop))) struct work

START_TEST(allocations)
{
    WORK w = { 0 };
    work_make(&w);
    FAULT_LOOP(FAULT_ALLOC, life, &w);
}
END_TEST

static err life_with_bad_crypto(void *ctx, unsigned long n)
{
    crypto.calls = 0;
    crypto.fail_at = n;
    return life(ctx, n);
}

START_TEST(crypto_calls)
{
    WORK w = { 0 };
    work_make(&w);
    FAULT_LOOP(FAULT_CALL, life_with_bad_crypto, &w);
}
END_TEST

START_TEST(randoms)
{
    WORK w = { 0 };
    work_make(&w);
    FAULT_LOOP(FAULT_RANDOM, life, &w);
}
END_TEST

/* The image's own calls: reading while sealing, writing while restoring. */
static err life_on_bad_disk(void *ctx, unsigned long n)
{
    struct work *w = ctx;
    __attribute__((cleanup(store_memory_drop))) struct store_memory *mine = NULL;
    TRY(store_copy(&mine, w->copy));
    w->rig.m = mine;
    struct blk_faults faults = { .fail_at = n };
    BLK inner = rig_image(CHUNKS);
    BLK disk = NULL;
    TRY(blk_faulty(&disk, &inner, &faults));
    STORE st = NULL;
    SEALER s = NULL;
    struct seal_report rep;
    TRY(rig_boot(&w->rig, &st, &s, disk, 0));
    return seal_write(s, &rep, disk, NULL, 0, 1);
}

START_TEST(disk_calls)
{
    WORK w = { 0 };
    work_make(&w);
    FAULT_LOOP(FAULT_CALL, life_on_bad_disk, &w);
}
END_TEST

/* After whatever happened: one of the pictures is there (or, before the first head, none),
 * not older than what was promised; and the service goes on from it. */
static uint64_t afterwards(struct rig *r, struct blk *const pictures[], uint64_t promised)
{
    r->power = (struct store_power){ 0 };
    BLK back = rig_image(CHUNKS);
    STORE st = NULL;
    SEALER s = NULL;
    struct seal_report rep;
    ASSERT_OK(rig_boot(r, &st, &s, back, 0));
    uint64_t g = seal_generation(s);
    ck_assert_uint_ge(g, promised);
    ck_assert_uint_le(g, 2);
    rig_same(pictures[g], back);
    ASSERT_OK(seal_write(s, &rep, pictures[1], (const uint8_t *)"later", 5, 9));
    ck_assert_uint_eq(rep.generation, g + 1);
    BLK again = rig_image(CHUNKS);
    ASSERT_OK(rig_restore(r, &rep, again));
    rig_same(pictures[1], again);
    return g;
}

/* Two generations in one life of the enclave. Out: how many were answered as durable. */
static uint64_t two_seals(struct rig *r, struct blk *const pictures[])
{
    BLK scratch = rig_image(CHUNKS);
    STORE st = NULL;
    SEALER s = NULL;
    struct seal_report rep;
    if (rig_boot(r, &st, &s, scratch, 0).code || seal_write(s, &rep, pictures[1], (const uint8_t *)"r", 1, 1).code)
        return 0;
    return seal_write(s, &rep, pictures[2], NULL, 0, 2).code ? 1 : 2;
}

START_TEST(power_at_every_call)
{
    BLK none = rig_image(CHUNKS);
    BLK a = picture(1);
    BLK b = picture(2);
    struct blk *const pictures[] = { none, a, b };
    unsigned seen[2][3] = { 0 };          /* by what was promised, and what was found */
    for (unsigned torn = 0; torn < 2; torn++)
        for (unsigned long n = 1;; n++) {
            RIG r;
            rig_open(&r, 1, 1);
            r.power = (struct store_power){ .stop_after = n, .torn = torn };
            uint64_t promised = two_seals(&r, pictures);
            if (promised == 2)
                break;
            ck_assert_uint_lt(n, 200);
            seen[promised][afterwards(&r, pictures, promised)]++;
        }
    /* Each outcome that can be was met: also the head that moved and nobody heard. */
    ck_assert(seen[0][0] > 0 && seen[0][1] > 0 && seen[1][1] > 0 && seen[1][2] > 0);
    ck_assert(seen[0][2] == 0);
}
END_TEST

/* One call fails and the connection goes on: the same sealer tries again. */
START_TEST(store_call_fails_once)
{
    BLK none = rig_image(CHUNKS);
    BLK a = picture(1);
    BLK b = picture(2);
    struct blk *const pictures[] = { none, a, b };
    for (unsigned long n = 1;; n++) {
        RIG r;
        rig_open(&r, 1, 1);
        r.power = (struct store_power){ .fail_at = n };
        BLK scratch = rig_image(CHUNKS);
        STORE st = NULL;
        SEALER s = NULL;
        struct seal_report rep;
        if (rig_boot(&r, &st, &s, scratch, 0).code)
            continue;                     /* before the sealer: nothing happened */
        err first = seal_write(s, &rep, a, (const uint8_t *)"r", 1, 1);
        err second = seal_write(s, &rep, b, (const uint8_t *)"r", 1, 2);
        ck_assert(first.code == E_OK || second.code == E_OK);
        if (first.code == E_OK && second.code == E_OK && r.power.calls < n)
            break;
        afterwards(&r, second.code == E_OK && first.code ? (struct blk *const[]){ none, b, b } : pictures,
                   (first.code == E_OK) + (second.code == E_OK) > 0);
    }
}
END_TEST

static Suite *faults(void)
{
    return CHECK_SUITE("diskcrypt faults", allocations, crypto_calls, randoms, disk_calls,
                       power_at_every_call, store_call_fails_once);
}

CHECK_MAIN(faults)
