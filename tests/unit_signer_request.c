/* The bytes of an emulation request: every cut, every count, and no memory. */
#include <stdlib.h>
#include "tests/signer_case.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"

static struct bench b;

static enum err_code parsed(const uint8_t *p, size_t n)
{
    EMULATE_REQUEST q = NULL;
    err e = emulate_request_parse(&q, p, n);
    ck_assert_int_eq(q != NULL, e.code == E_OK);
    return e.code;
}

START_TEST(request_cut_or_longer)
{
    static uint8_t copy[BENCH_ROOM];
    bench_case(&b, &SIGNER_CASES[5]);
    bench_backup(&b, 1, CASE_ROOT);
    bench_backup(&b, 2, CASE_ROOT);
    bench_bytes(&b);
    ck_assert_int_eq(parsed(b.bytes, b.len), E_OK);
    for (size_t n = 0; n < b.len; n++) {
        uint8_t *exact = malloc(n ? n : 1);                       /* so that a sanitizer sees one byte too far */
        memcpy(exact, b.bytes, n);
        ck_assert_int_eq(parsed(exact, n), E_FORMAT);
        free(exact);
    }
    memcpy(copy, b.bytes, b.len);
    copy[b.len] = 0;
    ck_assert_int_eq(parsed(copy, b.len + 1), E_FORMAT);
}
END_TEST

/* Offsets of the fields in what bench_bytes() wrote. */
static size_t spent_at(void) { return 4 + tx_size(&b.tx, true); }
static void put_u32(size_t at, uint32_t v)
{
    struct wr w = wr_of(b.bytes + at, 4);
    wr_u32(&w, v);
}

START_TEST(request_counts)
{
    static const uint32_t big[] = { 2, 3, 0x7fffffff, 0x80000000, 0xffffffff };
    for (size_t i = 0; i < sizeof big / sizeof *big; i++) {
        bench_case(&b, &SIGNER_CASES[2]);
        put_u32(spent_at(), big[i]);
        ck_assert_int_eq(parsed(b.bytes, b.len), E_FORMAT);
        bench_case(&b, &SIGNER_CASES[2]);
        put_u32(spent_at() + 4 + 8, big[i] + 100);                /* length of the script */
        ck_assert_int_eq(parsed(b.bytes, b.len), E_FORMAT);
        bench_case(&b, &SIGNER_CASES[2]);
        put_u32(spent_at() + 4 + 8 + 4 + 34, big[i]);             /* count of the roots */
        ck_assert_int_eq(parsed(b.bytes, b.len), E_FORMAT);
        bench_case(&b, &SIGNER_CASES[2]);
        put_u32(0, big[i]);                                       /* length of the transaction */
        ck_assert_int_eq(parsed(b.bytes, b.len), E_FORMAT);
    }
    bench_case(&b, &SIGNER_CASES[0]);
    ck_assert_int_eq(parsed(b.bytes, EMULATE_REQUEST_MAX + 1u), E_LIMIT);
}
END_TEST

START_TEST(request_root_order)
{
    bench_case(&b, &SIGNER_CASES[0]);
    bench_backup(&b, 1, CASE_ROOT);
    bench_backup(&b, 1, CASE_ROOT);
    bench_bytes(&b);
    ck_assert_int_eq(parsed(b.bytes, b.len), E_FORMAT);
    b.backup[1].index = 0;
    bench_bytes(&b);
    ck_assert_int_eq(parsed(b.bytes, b.len), E_FORMAT);
    b.backup[1].index = 2;
    bench_bytes(&b);
    ck_assert_int_eq(parsed(b.bytes, b.len), E_OK);
}
END_TEST

START_TEST(request_bad_transaction)
{
    bench_case(&b, &SIGNER_CASES[0]);
    b.bytes[4 + 5] = 2;                                           /* BIP144's flag */
    ck_assert_int_eq(parsed(b.bytes, b.len), E_FORMAT);
    bench_start(&b);                                              /* no inputs */
    bench_bytes(&b);
    ck_assert_int_eq(parsed(b.bytes, b.len), E_FORMAT);
    static uint8_t small[8];
    struct wr w = wr_of(small, sizeof small);
    emulate_write_tx(&w, &b.tx);
    ck_assert(w.full);
}
END_TEST

/* Every allocation, one after the other. */
static err whole(void *ctx, unsigned long n)
{
    (void)n;
    EMULATE_REQUEST q = NULL;
    EMULATE_PLAN p = NULL;
    struct emulate_refusal r;
    struct sign_request s;
    TRY(emulate_request_parse(&q, b.bytes, b.len));
    TRY(emulate_plan_make(&p, &r, q, ctx));
    TRY(emulate_verify(&r, p));
    return emulate_sign_request(&s, p, 1);
}

START_TEST(fault_memory)
{
    uint8_t master[33];
    case_hex(master, 33, CASE_MASTER);
    bench_case(&b, &SIGNER_CASES[5]);
    bench_backup(&b, 3, CASE_ROOT);
    bench_bytes(&b);
    FAULT_LOOP(FAULT_ALLOC, whole, master);
}
END_TEST

static Suite *signer_request(void)
{
    return CHECK_SUITE("signer_request", request_cut_or_longer, request_counts, request_root_order,
                       request_bad_transaction, fault_memory);
}

CHECK_MAIN(signer_request)
