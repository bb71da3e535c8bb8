/* Our own caps, each at its limit and one above: script bytes, opcodes, signatures, hashed bytes, stack, time. */
#include <string.h>

#include "tests/script_case.h"
#include "tests/support/check_main.h"

#define EMULATE SCRIPT_FLAGS_EMULATE

static void expect_cap(struct script_case *c, size_t offset, uint64_t need, enum script_error want)
{
    for (int over = 0; over < 2; over++) {
        struct script_budget b = SCRIPT_BUDGET_BLOCK;
        *(uint64_t *)(void *)((char *)&b + offset) = need - (uint64_t)over;
        enum script_error got = case_run(c, EMULATE, &b);
        ck_assert_int_eq(got, over ? want : SCRIPT_ERR_OK);
        ck_assert_int_eq(c->said.code, over ? E_LIMIT : E_OK);
        if (!over)
            ck_assert_uint_eq(*(uint64_t *)(void *)((char *)&b + offset), 0);
    }
}

START_TEST(budgets)
{
    SCRIPT_CASE c;
    case_open(&c);
    const char *words = "0x20 0x" CASE_KEY " CHECKSIGVERIFY 'abc' SHA256 SIZE 0x01 0x20 EQUALVERIFY";
    case_words(&c, words, NULL);
    struct span sig = case_sign(&c, 0, UINT32_MAX, 0, NULL), script = asm_of(words);
    case_leaf(&c, 0xc0, script, &sig, 1, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_OK);
    /* The scriptPubKey's own 34 bytes and 2 opcodes count as well. */
    expect_cap(&c, offsetof(struct script_budget, script_bytes), script.n + 34, SCRIPT_ERR_CAP_SCRIPT_BYTES);
    expect_cap(&c, offsetof(struct script_budget, opcodes), 7 + 2, SCRIPT_ERR_CAP_OPCODES);
    expect_cap(&c, offsetof(struct script_budget, signatures), 1, SCRIPT_ERR_CAP_SIGNATURES);
    struct script_budget b = SCRIPT_BUDGET_BLOCK;
    ck_assert_int_eq(case_run(&c, EMULATE, &b), SCRIPT_ERR_OK);
    expect_cap(&c, offsetof(struct script_budget, hashed_bytes), SCRIPT_BUDGET_BLOCK.hashed_bytes - b.hashed_bytes,
               SCRIPT_ERR_CAP_HASHED_BYTES);
}
END_TEST

/* Two elements of 32 bytes are the most that lies there at once: moving them to the other stack frees nothing. */
START_TEST(stack_cap)
{
    SCRIPT_CASE c;
    case_open(&c);
    case_words(&c, "'abc' SHA256 DUP TOALTSTACK DROP FROMALTSTACK", NULL);
    for (uint64_t allowed = 63; allowed <= 64; allowed++) {
        struct script_budget b = SCRIPT_BUDGET_BLOCK;
        b.stack_bytes = allowed;
        ck_assert_int_eq(case_run(&c, EMULATE, &b), allowed < 64 ? SCRIPT_ERR_CAP_STACK_BYTES : SCRIPT_ERR_OK);
        ck_assert_uint_eq(b.stack_bytes, allowed);
    }
    char item[81] = "";                       /* longer than the 33 bytes that the scriptPubKey pushes */
    memset(item, '7', 80);
    struct script_budget b = SCRIPT_BUDGET_BLOCK;
    b.stack_bytes = 39;                       /* what the witness brings counts before anything runs */
    case_words(&c, "DROP 1", (const char *const[]){ item, NULL });
    ck_assert_int_eq(case_run(&c, EMULATE, &b), SCRIPT_ERR_CAP_STACK_BYTES);
    b.stack_bytes = 40;
    ck_assert_int_eq(case_run(&c, EMULATE, &b), SCRIPT_ERR_OK);
}
END_TEST

/* A clock that strikes at its n-th being asked. */
static bool strikes(void *left)
{
    unsigned *n = left;
    return *n == 0 || --*n == 0;
}

START_TEST(time_cap)
{
    SCRIPT_CASE c;
    case_open(&c);
    const char *words = "0x20 0x" CASE_KEY " CHECKSIG";
    case_words(&c, words, NULL);
    struct span sig = case_sign(&c, 0, UINT32_MAX, 0, NULL);
    case_leaf(&c, 0xc0, asm_of(words), &sig, 1, NULL);
    for (unsigned strike = 1; strike <= 2; strike++) {
        unsigned left = strike;
        struct script_budget b = SCRIPT_BUDGET_BLOCK;
        b.late = strikes;
        b.clock = &left;
        enum script_error got = case_run(&c, EMULATE, &b);     /* one signature: asked once */
        ck_assert_int_eq(got, strike == 1 ? SCRIPT_ERR_CAP_TIME : SCRIPT_ERR_OK);
        ck_assert_int_eq(c.said.code, strike == 1 ? E_LIMIT : E_OK);
    }
    struct span nops = fill_of(0x61, 600);    /* opcodes alone bring it on as well */
    case_leaf(&c, 0xc0, nops, (const struct span[]){ { (const uint8_t *)"\x01", 1 } }, 1, NULL);
    for (unsigned strike = 2; strike <= 3; strike++) {
        unsigned left = strike;
        struct script_budget b = SCRIPT_BUDGET_BLOCK;
        b.late = strikes;
        b.clock = &left;
        ck_assert_int_eq(case_run(&c, EMULATE, &b), strike == 2 ? SCRIPT_ERR_CAP_TIME : SCRIPT_ERR_OK);
    }
}
END_TEST

START_TEST(cap_words)
{
    const struct script_limits l = { 11, 12, 13, 14, 15, 16 };
    static const struct { enum script_error e; const char *unit; uint64_t limit; } rows[] = {
        { SCRIPT_ERR_CAP_SCRIPT_BYTES, "script bytes", 11 }, { SCRIPT_ERR_CAP_OPCODES, "opcodes", 12 },
        { SCRIPT_ERR_CAP_SIGNATURES, "signatures", 13 }, { SCRIPT_ERR_CAP_HASHED_BYTES, "hashed bytes", 14 },
        { SCRIPT_ERR_CAP_STACK_BYTES, "stack bytes", 15 }, { SCRIPT_ERR_CAP_TIME, "milliseconds", 16 },
    };
    uint64_t limit;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_str_eq(script_cap_unit(&limit, &l, rows[i].e), rows[i].unit);
        ck_assert_uint_eq(limit, rows[i].limit);
    }
    ck_assert_ptr_null(script_cap_unit(&limit, &l, SCRIPT_ERR_EVAL_FALSE));
}
END_TEST

START_TEST(budget_spans_calls)
{
    SCRIPT_CASE c;
    case_open(&c);
    case_words(&c, "1", NULL);
    struct script_budget b = SCRIPT_BUDGET_BLOCK;
    b.opcodes = 3 * 5;                        /* 2 of the scriptPubKey and 1 */
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(case_run(&c, EMULATE, &b), SCRIPT_ERR_OK);
    ck_assert_int_eq(case_run(&c, EMULATE, &b), SCRIPT_ERR_CAP_OPCODES);
}
END_TEST

static Suite *caps(void)
{
    return CHECK_SUITE("script_caps", budgets, stack_cap, time_cap, cap_words, budget_spans_calls);
}

CHECK_MAIN(caps)
