/* The arithmetic of targets, by published examples: the reference implementation's own tests of compact
 * numbers and of retargets at real heights, and the chain work of real blocks. */
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "signer/headers.h"
#include "signer/target.h"
#include "support/check_main.h"

static void shown(char out[65], const struct target *t)
{
    uint8_t bytes[32];
    target_bytes(bytes, t);
    hex_from(out, bytes, 32);
}

START_TEST(compact_numbers)
{
    static const struct { uint32_t bits, back; const char *value; } cases[] = {
        { 0x01120000, 0x01120000, "12" }, { 0x01123456, 0x01120000, "12" }, { 0x02008000, 0x02008000, "80" },
        { 0x05009234, 0x05009234, "92340000" }, { 0x04123456, 0x04123456, "12345600" },
        { 0x20123456, 0x20123456, "1234560000000000000000000000000000000000000000000000000000000000" },
        { 0x03123456, 0x03123456, "123456" }, { 0x21001234, 0x20123400, "1234000000000000000000000000000000000000000000000000000000000000" },
        { 0x22000012, 0x20120000, "1200000000000000000000000000000000000000000000000000000000000000" },
        { 0x1d00ffff, 0x1d00ffff, "00000000ffff0000000000000000000000000000000000000000000000000000" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct target t;
        char text[65];
        const size_t n = strlen(cases[i].value);
        ck_assert_msg(target_from_bits(&t, cases[i].bits), "%08x", cases[i].bits);
        shown(text, &t);
        ck_assert_str_eq(text + 64 - n, cases[i].value);
        ck_assert_uint_eq(strspn(text, "0") >= 64 - n, 1);
        ck_assert_uint_eq(target_to_bits(&t), cases[i].back);
    }
    static const uint32_t bad[] = { 0, 0x00123456, 0x01003456, 0x02000056, 0x03000000, 0x04000000, 0x00923456, 0x01803456, 0x02800056,
                                    0x03800000, 0x04800000, 0x01fedcba, 0x04923456, 0x21123456, 0x22001234, 0x23000012, 0xff123456 };
    struct target t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!target_from_bits(&t, bad[i]), "%08x", bad[i]);
}
END_TEST

/* Real retargets: heights 32255, 2015, 68543 (a quarter) and 46367 (four times) of mainnet. */
START_TEST(retargets)
{
    ck_assert_uint_eq(headers_next_bits(HEADERS_MAINNET, 0x1d00ffff, 1261130161, 1262152739), 0x1d00d86a);
    ck_assert_uint_eq(headers_next_bits(HEADERS_MAINNET, 0x1d00ffff, 1231006505, 1233061996), 0x1d00ffff);
    ck_assert_uint_eq(headers_next_bits(HEADERS_MAINNET, 0x1c05a3f4, 1279008237, 1279297671), 0x1c0168fd);
    ck_assert_uint_eq(headers_next_bits(HEADERS_MAINNET, 0x1c387f6f, 1263163443, 1269211443), 0x1d00e1fd);
    /* A product that just fits, and one cut to the limit. */
    ck_assert_uint_eq(headers_next_bits(HEADERS_SIGNET, 0x1e0377ae, 0, UINT32_MAX), 0x1e0377ae);
    ck_assert_uint_eq(headers_next_bits(HEADERS_SIGNET, 0x1e0377ae, UINT32_MAX, 0), 0x1e00ddeb);
}
END_TEST

START_TEST(work)
{
    static const struct { uint32_t bits; const char *work; } cases[] = {
        { 0x1d00ffff, "0100010001" }, { 0x207fffff, "02" }, { 0x1703e8b3, "417d7e45d02ce99fe8c0" },
        { 0x03000001, "8000000000000000000000000000000000000000000000000000000000000000" },
    };
    struct target t, w;
    char text[65];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(target_from_bits(&t, cases[i].bits));
        target_work(&w, &t);
        shown(text, &w);
        ck_assert_str_eq(text + 64 - strlen(cases[i].work), cases[i].work);
    }
    target_add(&w, &w);                        /* 2^255 twice: too much */
    shown(text, &w);
    ck_assert_uint_eq(strspn(text, "f"), 64);
}
END_TEST

START_TEST(met)
{
    struct target t;
    uint8_t hash[32] = { 0 };
    ck_assert(target_from_bits(&t, 0x1d00ffff));
    hash[26] = hash[27] = 0xff;
    ck_assert(target_met(&t, hash));
    hash[0] = 1;
    ck_assert(!target_met(&t, hash));
    hash[0] = 0;
    hash[28] = 1;
    ck_assert(!target_met(&t, hash));
    memset(hash, 0, 32);
    ck_assert(target_met(&t, hash));
}
END_TEST

START_TEST(words)
{
    enum headers_network n;
    char text[HEADERS_TEXT];
    for (unsigned i = 0; i < HEADERS_NETWORKS; i++) {
        ASSERT_OK(headers_network_parse(&n, headers_network_text((enum headers_network)i)));
        ck_assert_uint_eq(n, i);
    }
    ASSERT_CODE(headers_network_parse(&n, "main"), E_FORMAT);
    ck_assert_str_eq(headers_network_text(HEADERS_NETWORKS), "?");
    ck_assert_str_eq(headers_anchor_text((enum headers_anchor)9), "?");
    for (unsigned f = 0; f <= HEADERS_NOT_IN_RUN; f++) {
        headers_refusal_text(text, &(struct headers_refusal){ .fault = (enum headers_fault)f, .index = UINT32_MAX, .height = UINT32_MAX });
        ck_assert_uint_gt(strlen(text), 10);
        ck_assert_uint_lt(strlen(text), HEADERS_TEXT - 1);
    }
}
END_TEST

/* What is asked for is left alone when the answer is no. */
START_TEST(untouched)
{
    uint8_t bytes[HEADER_SIZE] = { 0 }, hash[32] = { 0 };
    struct headers_claim claim = { .network = HEADERS_REGTEST };
    struct headers_found found, same;
    struct headers_refusal why;
    memset(&found, 0x5a, sizeof found);
    same = found;
    ASSERT_CODE(headers_check(&found, &why, &claim, hash, bytes, sizeof bytes), E_DENIED);
    ck_assert_int_eq(why.fault, HEADERS_START);
    ASSERT_CODE(headers_check(&found, &why, &claim, hash, bytes, 0), E_FORMAT);
    ASSERT_CODE(headers_check(&found, &why, &claim, hash, bytes, 79), E_FORMAT);
    ck_assert_mem_eq(&found, &same, sizeof found);
}
END_TEST

static Suite *headers_suite(void)
{
    return CHECK_SUITE("headers", compact_numbers, retargets, work, met, words, untouched);
}
CHECK_MAIN(headers_suite)
