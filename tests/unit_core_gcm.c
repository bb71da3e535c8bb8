/* AES-256-GCM by libipsec-mb against libcrypto: what one seals, the other opens. Linked with WRAP gcm_ipsec_ready, which is
 * asked at each key: so both are had in one process. Skipped where the processor lacks VAES. */
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "core/gcm_ipsec.h"
#include "tests/support/check_main.h"
#include "tests/support/vectors.h"

enum { MOST = 3 << 20, ROOM = MOST + 128 };

static bool wanted = true;
bool __real_gcm_ipsec_ready(void);
bool __wrap_gcm_ipsec_ready(void);
bool __wrap_gcm_ipsec_ready(void)
{
    return wanted && __real_gcm_ipsec_ready();
}

struct pair { struct gcm *fast, *plain; uint8_t *text, *aad, *one, *other; };

static void set_up(struct pair *p)
{
    SECRET key = NULL;
    wanted = true;
    ASSERT_OK(crypto_warm_up());
    ASSERT_OK(secret_arena_open(1 << 16));
    ASSERT_OK(secret_random(&key, GCM_KEY));
    const size_t before = secret_count();
    ASSERT_OK(gcm_open_key(&p->fast, key));
    ck_assert_str_eq(gcm_library(), "libipsec-mb");
    ck_assert_uint_eq(secret_count(), before + 1);       /* its schedule */
    wanted = false;
    ASSERT_OK(gcm_open_key(&p->plain, key));
    ck_assert_str_eq(gcm_library(), "libcrypto");
    ck_assert_uint_eq(secret_count(), before + 1);
    uint8_t **rooms[] = { &p->text, &p->aad, &p->one, &p->other };
    for (size_t i = 0; i < 4; i++) {
        *rooms[i] = malloc(ROOM);
        ck_assert_ptr_nonnull(*rooms[i]);
        ASSERT_OK(random_bytes(*rooms[i], ROOM));
    }
}

static void tear_down(struct pair *p)
{
    gcm_close_key(&p->fast);
    gcm_close_key(&p->plain);
    ck_assert_uint_eq(secret_count(), 0);
    free(p->text);
    free(p->aad);
    free(p->one);
    free(p->other);
}

/* Seal by both, from and to odd places; open each by the other, in place too; nothing is written behind the end. */
static void cross(struct pair *p, size_t n, size_t aad)
{
    const size_t off = n % 61;
    uint8_t tag[16], other_tag[16], nonce[12], *one = p->one + off, *other = p->other + off;
    const uint8_t *text = p->text + (n + aad) % 64;
    ASSERT_OK(random_bytes(nonce, sizeof nonce));
    memset(one + n, 0xa5, 16);
    memset(other + n, 0xa5, 16);
    ASSERT_OK(gcm_seal(p->fast, one, tag, nonce, p->aad + off, aad, text, n));
    ASSERT_OK(gcm_seal(p->plain, other, other_tag, nonce, p->aad + off, aad, text, n));
    ck_assert(memcmp(one, other, n + 16) == 0);
    ck_assert_mem_eq(tag, other_tag, 16);
    ASSERT_OK(gcm_unseal(p->fast, other, tag, nonce, p->aad + off, aad, other, n));
    ck_assert(memcmp(other, text, n) == 0);
    ASSERT_OK(gcm_seal(p->fast, other, other_tag, nonce, p->aad + off, aad, other, n));
    ck_assert(memcmp(one, other, n) == 0);
    ASSERT_OK(gcm_unseal(p->plain, other, tag, nonce, p->aad + off, aad, one, n));
    ck_assert(memcmp(other, text, n + 0) == 0 && other[n] == 0xa5 && other[n + 15] == 0xa5);
}

/* Its loops are of 16, 128 and 768 bytes, and twice of that: every length around all of them. */
START_TEST(every_length_is_the_same)
{
    struct pair p = { 0 };
    set_up(&p);
    for (size_t n = 0; n <= 4200; n++) cross(&p, n, n % 3 * 30);
    for (size_t aad = 0; aad <= 4200; aad++) cross(&p, aad % 5 * 16, aad);
    static const size_t large[] = { 16383, 16384, 16385, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1, MOST - 17, MOST };
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        cross(&p, large[i], 60);
        cross(&p, 0, large[i]);
        cross(&p, 777, large[i]);
    }
    tear_down(&p);
}
END_TEST

/* A GMAC has no text, and no place for one. */
START_TEST(a_gmac_is_the_same)
{
    struct pair p = { 0 };
    uint8_t tag[16], other[16], nonce[12] = { 0 };
    set_up(&p);
    for (size_t aad = 0; aad <= 16384; aad += 97) {
        ASSERT_OK(gcm_seal(p.fast, NULL, tag, nonce, p.aad, aad, NULL, 0));
        ASSERT_OK(gcm_seal(p.plain, NULL, other, nonce, p.aad, aad, NULL, 0));
        ck_assert_mem_eq(tag, other, 16);
        ASSERT_OK(gcm_unseal(p.fast, NULL, tag, nonce, p.aad, aad, NULL, 0));
        tag[aad % 16] ^= 1;
        ASSERT_CODE(gcm_unseal(p.fast, NULL, tag, nonce, p.aad, aad, NULL, 0), E_AUTH);
    }
    tear_down(&p);
}
END_TEST

static bool all_zero(const uint8_t *b, size_t n)
{
    while (n > 0 && b[n - 1] == 0) n--;
    return n == 0;
}

START_TEST(what_is_forged_is_wiped)
{
    struct pair p = { 0 };
    uint8_t tag[16], nonce[12] = { 1 };
    set_up(&p);
    for (size_t n = 1; n < 20000; n = n * 5 / 4 + 1) {
        ASSERT_OK(gcm_seal(p.fast, p.one, tag, nonce, p.aad, 60, p.text, n));
        for (unsigned bit = 0; bit < 128; bit += 9) {
            tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
            memset(p.other, 0xee, n + 1);
            ASSERT_CODE(gcm_unseal(p.fast, p.other, tag, nonce, p.aad, 60, p.one, n), E_AUTH);
            ck_assert(all_zero(p.other, n) && p.other[n] == 0xee);
            tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        p.one[n / 2] ^= 4;
        ASSERT_CODE(gcm_unseal(p.fast, p.other, tag, nonce, p.aad, 60, p.one, n), E_AUTH);
        ck_assert(all_zero(p.other, n));
        /* In place, too: then nothing is left of it. */
        ASSERT_CODE(gcm_unseal(p.fast, p.one, tag, nonce, p.aad, 60, p.one, n), E_AUTH);
        ck_assert(all_zero(p.one, n));
        ASSERT_CODE(gcm_unseal(p.fast, p.one, tag, nonce, p.aad, 59, p.one, n), E_AUTH);
    }
    tear_down(&p);
}
END_TEST

/* What a message left in the room would open its last block, and tell the key of its hash. */
START_TEST(a_room_keeps_nothing_of_a_message)
{
    struct pair p = { 0 };
    _Alignas(GCM_IPSEC_ALIGN) uint8_t room[GCM_IPSEC_ROOM], fresh[GCM_IPSEC_ROOM];
    uint8_t tag[16];
    set_up(&p);
    memset(room, 0, sizeof room);
    gcm_ipsec_key(room, p.aad);
    memcpy(fresh, room, sizeof room);
    gcm_ipsec_seal(room, p.one, tag, p.aad, p.aad, 60, p.text, 1001);
    ck_assert_mem_eq(room, fresh, sizeof room);
    gcm_ipsec_open(room, p.one, tag, p.aad, p.aad, 60, p.text, 1001);
    ck_assert_mem_eq(room, fresh, sizeof room);
    tear_down(&p);
}
END_TEST

/* The arena's end: no room for a schedule is said, and leaves nothing behind. */
START_TEST(a_full_arena_is_said)
{
    struct gcm *g = NULL;
    SECRET key = NULL;
    secret *rest[64] = { NULL };
    size_t n = 0;
    wanted = true;
    ASSERT_OK(crypto_warm_up());
    ASSERT_OK(secret_arena_open(4096));
    ASSERT_OK(secret_random(&key, GCM_KEY));
    while (n < 64 && secret_new(&rest[n], 1024).code == E_OK) n++;
    ASSERT_CODE(gcm_open_key(&g, key), E_MEMORY);
    ck_assert_ptr_null(g);
    ck_assert_uint_eq(secret_count(), n + 1);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core/gcm", every_length_is_the_same, a_gmac_is_the_same, what_is_forged_is_wiped,
                       a_room_keeps_nothing_of_a_message, a_full_arena_is_said);
}

int main(void)
{
    gcm_ipsec_start();
    if (!__real_gcm_ipsec_ready()) {
        puts("this processor lacks VAES, or this is no x86-64: libcrypto alone is used here");
        return 77;
    }
    return check_main((check_suite *const[]){ suite }, 1);
}
