/* unit_keystore_eif.c - an enclave image measured, and every read and allocation of that failing in turn.
 * Images of all shapes: tests/system/test_eif.py, against a second model. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "keystore/eif.h"
#include "keystore/pem.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"
#include "tests/support/vectors.h"

/* An image in memory whose read number `fail_at` fails. */
struct image { struct blk blk; uint8_t p[4096]; size_t n; unsigned long calls, fail_at; };

static err read_image(struct blk *b, void *p, size_t n, uint64_t at)
{
    struct image *m = (struct image *)b;
    if (++m->calls == m->fail_at) return (err){ E_IO };
    MUST(at <= m->n && n <= m->n - at);
    memcpy(p, m->p + at, n);
    return OK;
}

static uint64_t size_of_image(struct blk *b) { return ((struct image *)b)->n; }

struct part { uint16_t type; const char *data; size_t n; };
#define P(type, text) { type, text, sizeof(text) - 1 }
/* [{"signing_certificate": PEM of "der", "signature": COSE_Sign1 of {0: 48 zero bytes}}], byte strings as such. */
static size_t signature(uint8_t *out, size_t cap)
{
    static const char pem[] = "-----BEGIN CERTIFICATE-----\nZGVy\n-----END CERTIFICATE-----\n";
    struct wr w = wr_of(out, cap);
    wr_u8(&w, 0x81), wr_u8(&w, 0xa2);
    wr_u8(&w, 0x73), wr_text(&w, "signing_certificate");
    wr_u8(&w, 0x58), wr_u8(&w, sizeof pem - 1), wr_text(&w, pem);
    wr_u8(&w, 0x69), wr_text(&w, "signature");
    wr_u8(&w, 0x58), wr_u8(&w, 1 + 4 + 1 + 2 + 82 + 2);
    wr_u8(&w, 0x84), wr_u8(&w, 0x43), wr_bytes(&w, "\xa1\x01\x26", 3), wr_u8(&w, 0xa0);
    wr_u8(&w, 0x58), wr_u8(&w, 82);
    wr_u8(&w, 0xa2), wr_u8(&w, 0x6e), wr_text(&w, "register_index"), wr_u8(&w, 0);
    wr_u8(&w, 0x6e), wr_text(&w, "register_value"), wr_u8(&w, 0x58), wr_u8(&w, 48);
    memset(wr_room(&w, 48), 0, 48);
    wr_u8(&w, 0x41), wr_u8(&w, 7);
    ASSERT_OK(wr_end(&w, "signature"));
    return w.len;
}

static void make(struct image *m, const struct part *part, size_t count)
{
    uint64_t offset[32] = { 0 }, size[32] = { 0 }, at = EIF_HEADER;
    struct wr w = wr_of(m->p, sizeof m->p);
    for (size_t i = 0; i < count; i++) {
        offset[i] = at;
        size[i] = part[i].n;
        at += EIF_SECTION_HEADER + part[i].n;
    }
    wr_text(&w, ".eif");
    wr_u16be(&w, 4), wr_u16be(&w, EIF_ARM64), wr_u64be(&w, 1 << 20), wr_u64be(&w, 2);
    wr_u16be(&w, 0), wr_u16be(&w, (uint16_t)count);
    for (int i = 0; i < 32; i++) wr_u64be(&w, offset[i]);
    for (int i = 0; i < 32; i++) wr_u64be(&w, size[i]);
    wr_u32be(&w, 0), wr_u32be(&w, 0);
    for (size_t i = 0; i < count; i++) {
        wr_u16be(&w, part[i].type), wr_u16be(&w, 0), wr_u64be(&w, part[i].n);
        wr_bytes(&w, part[i].data, part[i].n);
    }
    ASSERT_OK(wr_end(&w, "image"));
    m->n = w.len;
    m->blk = (struct blk){ .read_at = read_image, .size = size_of_image };
}

static void usual(struct image *m)
{
    uint8_t sig[512];
    const struct part parts[] = {
        P(EIF_KERNEL, "kernel"), P(EIF_CMDLINE, "a b"), P(EIF_METADATA, "{}"), P(EIF_RAMDISK, "one"), P(EIF_RAMDISK, "two"),
        { EIF_SIGNATURE, (const char *)sig, signature(sig, sizeof sig) },
    };
    memset(m, 0, sizeof *m);
    make(m, parts, sizeof parts / sizeof *parts);
}

static void want(const uint8_t have[static EIF_PCR], const char *parts)
{
    uint8_t both[96] = { 0 }, pcr[48];
    sha384(both + 48, parts, strlen(parts));
    sha384(pcr, both, sizeof both);
    ck_assert_mem_eq(have, pcr, 48);
}

START_TEST(the_parts_make_the_pcrs)
{
    static struct image m;
    struct eif e;
    struct eif_pcrs p;
    uint8_t fact[48];
    usual(&m);
    ASSERT_OK(eif_read(&e, &m.blk));
    ck_assert_uint_eq(e.count, 6);
    ck_assert_uint_eq(e.flags, EIF_ARM64);
    ck_assert_uint_eq(e.default_cpus, 2);
    ASSERT_OK(eif_measure(&p, &e, &m.blk));
    want(p.pcr0, "kernela bonetwo");
    want(p.pcr1, "kernela bone");
    want(p.pcr2, "two");
    want(p.pcr8, "der");
    ck_assert(p.has_pcr8);
    /* PCR2 of every image with one ramdisk, as AWS's tools print it. */
    const struct part one[] = { P(EIF_KERNEL, "k"), P(EIF_CMDLINE, ""), P(EIF_RAMDISK, "r") };
    make(&m, one, 3);
    ASSERT_OK(eif_read(&e, &m.blk));
    ASSERT_OK(eif_measure(&p, &e, &m.blk));
    hex_must(fact, 48, "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a");
    ck_assert_mem_eq(p.pcr2, fact, 48);
    ck_assert(!p.has_pcr8);
}
END_TEST

START_TEST(a_signature_says_what_it_is_for)
{
    static struct eif_signature s;
    uint8_t sig[512];
    size_t n = signature(sig, sizeof sig);
    ASSERT_OK(eif_signature_parse(&s, sig, n));
    ck_assert_uint_eq(s.certificate_len, 3);
    ck_assert_mem_eq(s.certificate, "der", 3);
    ck_assert(s.names_pcr0);
    for (size_t cut = 0; cut < n; cut++) ASSERT_FAILS(eif_signature_parse(&s, sig, cut));
    ASSERT_CODE(eif_signature_parse(&s, sig, EIF_SIGNATURE_MAX + 1), E_LIMIT);
}
END_TEST

START_TEST(pem_is_read_strictly)
{
    static const struct { const char *text; enum err_code want; } cases[] = {
        { "x\n-----BEGIN CERTIFICATE-----\nZG\r\n \tVy\n-----END CERTIFICATE-----\ny", E_OK },
        { "-----BEGIN CERTIFICATE-----ZGVy-----END CERTIFICATE-----", E_OK },
        { "", E_ABSENT }, { "ZGVy", E_ABSENT }, { "-----BEGIN PUBLIC KEY-----\nZGVy\n-----END PUBLIC KEY-----", E_ABSENT },
        { "-----BEGIN CERTIFICATE-----\nZGVy\n", E_FORMAT }, { "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", E_FORMAT },
        { "-----BEGIN CERTIFICATE-----\nZGV\n-----END CERTIFICATE-----", E_FORMAT },
        { "-----BEGIN CERTIFICATE-----\nZG.y\n-----END CERTIFICATE-----", E_FORMAT },
        { "-----BEGIN CERTIFICATE-----\nZGVyZGVy\n-----END CERTIFICATE-----", E_LIMIT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t der[4];
        size_t n = 0;
        ASSERT_CODE(pem_certificate(der, sizeof der, &n, cases[i].text, strlen(cases[i].text)), cases[i].want);
        if (cases[i].want == E_OK) ck_assert(n == 3 && memcmp(der, "der", 3) == 0);
    }
}
END_TEST

static err measure(void *ctx, unsigned long n)
{
    struct image *m = ctx;
    struct eif e;
    struct eif_pcrs p;
    m->calls = 0;
    m->fail_at = n;
    TRY(eif_read(&e, &m->blk));
    return eif_measure(&p, &e, &m->blk);
}

static err measure_with_reads(void *ctx, unsigned long n)
{
    (void)n;
    return measure(ctx, 0);
}

START_TEST(every_read_and_allocation_fails_in_turn)
{
    static struct image m;
    usual(&m);
    unsigned long n = 1;
    while (measure(&m, n).code) n++;
    ck_assert_uint_gt(n, 10);
    FAULT_LOOP(FAULT_ALLOC, measure_with_reads, &m);
}
END_TEST

static Suite *eif_suite(void)
{
    return CHECK_SUITE("keystore/eif", the_parts_make_the_pcrs, a_signature_says_what_it_is_for, pem_is_read_strictly,
                       every_read_and_allocation_fails_in_turn);
}
CHECK_MAIN(eif_suite)
