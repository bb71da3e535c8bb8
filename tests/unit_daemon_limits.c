/* Limits: how the configuration says them, what is refused without an account, and the account. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/book.h"
#include "daemon/limits.h"
#include "signer/address.h"
#include "support/check_main.h"
#include "tests/signer_case.h"

#define KEY_A "fa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce21f"     /* CASE_ACTUAL's */
#define KEY_B "2601acfcf199e578b964f86e703d07f875f03db8bc0604b8052b175db7272794"
#define PAY "0014" "1111111111111111111111111111111111111111"

static struct limits l;

static void fresh_limits(void)
{
    limits_defaults(&l);
    l.window = 100;
}

START_TEST(texts)
{
    fresh_limits();
    ck_assert_int_eq(limits_read(&l).code, E_OK);
    ck_assert(!limits_counted(&l));
    strcpy(l.to_n_text[0], PAY);
    strcpy(l.to_n_text[2], "6a00");
    strcpy(l.to_text, "listed");
    strcpy(l.script_text[0], KEY_A " value=5 count=2 rules=cat+lnhance to=3");
    strcpy(l.script_text[3], KEY_B "  to=any");
    l.each_value = 9;
    ck_assert_int_eq(limits_read(&l).code, E_OK);
    uint8_t a[32], b[32], c[32] = { 0 };
    case_hex(a, 32, KEY_A);
    case_hex(b, 32, KEY_B);
    const struct limits_script *s = limits_of(&l, a);
    ck_assert(s->named && s->value == 5 && s->count == 2 && s->to == 4);
    ck_assert_str_eq(s->rules, "cat+lnhance");
    s = limits_of(&l, b);
    ck_assert(s->named && s->value == 9 && s->count == 0 && s->to == LIMITS_ANYWHERE && !s->rules[0]);
    s = limits_of(&l, c);
    ck_assert(!s->named && s->value == 9 && s->to == 5);
    ck_assert(limits_counted(&l));
    l.window = 0;
    ck_assert_int_eq(limits_read(&l).code, E_FORMAT);
}
END_TEST

START_TEST(bad_texts)
{
    static const char *const scripts[] = {
        "00", (KEY_A "0"), KEY_A " value", KEY_A " value=", KEY_A " value=-1", KEY_A " value=01", KEY_A " value=99999999999999999", KEY_A " count=x",
        KEY_A " rules=", KEY_A " rules=cat+", KEY_A " rules=+cat", KEY_A " to=", KEY_A " to=2", KEY_A " to=9", KEY_A " to=1+", KEY_A " to=11", KEY_A " to=0", KEY_A " colour=1",
        ("zz" KEY_A),
    };
    static const char *const tos[] = { "", "all", "2", "1+2", "listed+1", "+1" };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        fresh_limits();
        strcpy(l.to_n_text[0], PAY);
        strcpy(l.script_text[7], scripts[i]);
        ck_assert_msg(limits_read(&l).code == E_FORMAT, "%s", scripts[i]);
    }
    for (size_t i = 0; i < sizeof tos / sizeof *tos; i++) {
        fresh_limits();
        strcpy(l.to_n_text[0], PAY);
        strcpy(l.to_text, tos[i]);
        ck_assert_msg(limits_read(&l).code == E_FORMAT, "%s", tos[i]);
    }
    fresh_limits();
    strcpy(l.to_text, "listed");                           /* and nothing is */
    ck_assert_int_eq(limits_read(&l).code, E_FORMAT);
    fresh_limits();
    strcpy(l.to_n_text[4], "0");
    ck_assert_int_eq(limits_read(&l).code, E_FORMAT);
    fresh_limits();
    strcpy(l.others, "maybe");
    ck_assert_int_eq(limits_read(&l).code, E_FORMAT);
    fresh_limits();
    strcpy(l.script_text[0], KEY_A);
    strcpy(l.script_text[1], KEY_A " count=1");
    ck_assert_int_eq(limits_read(&l).code, E_FORMAT);
}
END_TEST

/* ---- without an account ---- */

/* A request of case A, paying `pay`; and case A's refusal under l, or NULL. */
static const char *refusal(const char *pay, const char *rules)
{
    static struct bench b;
    EMULATE_REQUEST q = NULL;
    EMULATE_PLAN p = NULL;
    struct emulate_refusal why;
    struct emulate_terms t = { .kind = CHILD_OF_ROOT };
    uint32_t input = 77;
    bench_start(&b);
    b.out[0].script = bench_hex(&b, pay);
    bench_input(&b, NULL, CASE_ACTUAL);
    bench_input(&b, SIGNER_CASES[0].witness, CASE_ACTUAL);
    bench_bytes(&b);
    case_hex(t.master, 33, CASE_MASTER);
    ck_assert_int_eq(rules_parse(&t.rules, rules, strlen(rules)).code, E_OK);
    ck_assert_int_eq(limits_read(&l).code, E_OK);
    ck_assert_int_eq(emulate_request_parse(&q, b.bytes, b.len).code, E_OK);
    ck_assert_int_eq(emulate_plan_under(&p, &why, q, &t).code, E_OK);
    ck_assert_int_eq(emulate_verify(&why, p).code, E_OK);
    const char *words = limits_refusal(&l, &input, p);
    ck_assert_uint_eq(input, words ? 1 : 77);
    return words;
}

START_TEST(where_outputs_go)
{
    fresh_limits();
    ck_assert_ptr_null(refusal("6a00", "tapscript"));
    strcpy(l.to_n_text[1], PAY);
    strcpy(l.to_text, "listed");
    ck_assert_ptr_null(refusal(PAY, "tapscript"));
    ck_assert_ptr_null(refusal(CASE_ACTUAL, "tapscript"));      /* back to where it came from */
    ck_assert_ptr_nonnull(refusal("6a00", "tapscript"));
    ck_assert_ptr_nonnull(refusal(PAY "00", "tapscript"));
    ck_assert_ptr_nonnull(refusal("5120" KEY_B, "tapscript"));
    strcpy(l.script_text[0], KEY_A " to=any");
    ck_assert_ptr_null(refusal("6a00", "tapscript"));
    strcpy(l.script_text[0], KEY_B " to=any");
    ck_assert_ptr_nonnull(refusal("6a00", "tapscript"));
}
END_TEST

START_TEST(which_outputs_and_rules)
{
    fresh_limits();
    strcpy(l.others, "no");
    ck_assert_ptr_nonnull(refusal("6a00", "tapscript"));
    strcpy(l.script_text[0], KEY_B);
    ck_assert_ptr_nonnull(refusal("6a00", "tapscript"));
    strcpy(l.script_text[1], KEY_A);
    ck_assert_ptr_null(refusal("6a00", "tapscript"));
    strcpy(l.script_text[1], KEY_A " rules=cat+lnhance");
    ck_assert_ptr_nonnull(refusal("6a00", "tapscript"));
    ck_assert_ptr_null(refusal("6a00", "lnhance"));
    ck_assert_ptr_null(refusal("6a00", "cat"));
    ck_assert_ptr_nonnull(refusal("6a00", "ctv"));
}
END_TEST

/* ---- the account ---- */

static struct book *book;
static char dir[64], path[96];

static void open_account(bool fresh)
{
    static const uint8_t id[32] = { 1 };
    if (fresh) {
        strcpy(dir, "/tmp/holdfast-spend-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/state.db", dir);
    }
    ASSERT_OK(book_open(&book, path, fresh, id, "{}", 2));
}

static struct wire_spend spend_of(uint8_t message, uint8_t key, uint64_t value)
{
    struct wire_spend s = { .value = value };
    memset(s.message, message, 32);
    memset(s.key, key, 32);
    return s;
}

static struct book_verdict ask(bool *fresh, const struct wire_spend *s, uint32_t n, uint64_t now)
{
    struct book_verdict v;
    ASSERT_OK(book_spend(book, &v, fresh, &l, s, n, now));
    return v;
}

static enum spend_verdict one(uint8_t message, uint8_t key, uint64_t value, uint64_t now)
{
    bool fresh;
    const struct wire_spend s = spend_of(message, key, value);
    const struct book_verdict v = ask(&fresh, &s, 1, now);
    ck_assert(fresh == (v.verdict == SPEND_GRANTED));
    return v.verdict;
}

START_TEST(value_in_a_window)
{
    bool fresh;
    fresh_limits();
    l.value = 1000;
    ASSERT_OK(limits_read(&l));
    open_account(true);
    ck_assert_int_eq(one(1, 1, 1001, 5000), SPEND_VALUE);
    ck_assert_int_eq(one(1, 1, 600, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(2, 2, 401, 5010), SPEND_VALUE);
    ck_assert_int_eq(one(2, 2, 400, 5010), SPEND_GRANTED);
    const struct wire_spend s = spend_of(3, 1, 1);
    struct book_verdict v = ask(&fresh, &s, 1, 5020);
    ck_assert(v.verdict == SPEND_VALUE && v.limit == 1000 && v.left == 0 && v.wait == 80 && !fresh);
    ck_assert_int_eq(one(3, 1, 1, 5099), SPEND_VALUE);
    ck_assert_int_eq(one(3, 1, 600, 5100), SPEND_GRANTED);     /* the first is a whole window ago */
    ck_assert_int_eq(one(4, 1, 1, 5109), SPEND_VALUE);
    ck_assert_int_eq(one(4, 1, 400, 5110), SPEND_GRANTED);
    ck_assert_int_eq(one(5, 1, UINT64_MAX, 9999), SPEND_VALUE);
    ASSERT_OK(book_close(&book));
}
END_TEST

START_TEST(a_message_is_spent_for_once)
{
    bool fresh = true;
    fresh_limits();
    l.count = 1;
    ASSERT_OK(limits_read(&l));
    open_account(true);
    ck_assert_int_eq(one(1, 1, 5, 5000), SPEND_GRANTED);
    const struct wire_spend again = spend_of(1, 1, 5), both[2] = { again, spend_of(2, 1, 5) };
    for (uint64_t now = 5000; now < 5400; now += 50) {
        ck_assert_int_eq(ask(&fresh, &again, 1, now).verdict, SPEND_GRANTED);
        ck_assert(!fresh);
    }
    struct book_verdict v = ask(&fresh, both, 2, 5050);         /* the first is free, the second is one too many */
    ck_assert(v.verdict == SPEND_COUNT && v.which == 1 && !fresh);
    ASSERT_OK(book_close(&book));
    open_account(false);                                        /* it is on disk */
    ck_assert_int_eq(ask(&fresh, &again, 1, 5050).verdict, SPEND_GRANTED);
    ck_assert(!fresh);
    ck_assert_int_eq(one(2, 1, 5, 5050), SPEND_COUNT);
    ASSERT_OK(book_close(&book));
}
END_TEST

START_TEST(all_of_a_request_or_none)
{
    bool fresh = true;
    fresh_limits();
    l.value = 100;
    ASSERT_OK(limits_read(&l));
    open_account(true);
    const struct wire_spend three[3] = { spend_of(1, 1, 50), spend_of(2, 1, 50), spend_of(3, 1, 1) };
    struct book_verdict v = ask(&fresh, three, 3, 5000);
    ck_assert(v.verdict == SPEND_VALUE && v.which == 2 && !fresh);
    ck_assert_int_eq(one(9, 1, 100, 5000), SPEND_GRANTED);      /* nothing of it was kept */
    ASSERT_OK(book_close(&book));
}
END_TEST

START_TEST(each_script_has_its_own)
{
    char key[65];
    fresh_limits();
    l.value = 1000;
    l.each_value = 100;
    l.each_count = 2;
    memset(key, 'e', 64);
    key[64] = 0;
    snprintf(l.script_text[2], sizeof l.script_text[2], "%s value=500 count=0", key);
    ASSERT_OK(limits_read(&l));
    open_account(true);
    ck_assert_int_eq(one(1, 1, 60, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(2, 1, 60, 5000), SPEND_EACH_VALUE);
    ck_assert_int_eq(one(2, 2, 60, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(3, 1, 40, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(4, 2, 1, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(5, 2, 1, 5000), SPEND_EACH_COUNT);
    for (uint8_t i = 0; i < 5; i++) ck_assert_int_eq(one((uint8_t)(10 + i), 0xee, 100, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(20, 0xee, 1, 5000), SPEND_EACH_VALUE);
    ck_assert_int_eq(one(21, 3, 100, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(22, 4, 100, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(23, 5, 100, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(24, 6, 40, 5000), SPEND_VALUE);        /* 961 in all */
    ASSERT_OK(book_close(&book));
}
END_TEST

/* A clock that goes back gives nothing back; amounts that nobody has do not overflow the sums. */
START_TEST(time_and_sums)
{
    fresh_limits();
    l.count = 2;
    ASSERT_OK(limits_read(&l));
    open_account(true);
    ck_assert_int_eq(one(1, 1, UINT64_MAX, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(2, 1, INT64_MAX, 5000), SPEND_GRANTED);
    ck_assert_int_eq(one(3, 1, 1, 50), SPEND_COUNT);
    ck_assert_int_eq(one(3, 1, 1, 0), SPEND_COUNT);
    l.value = 1000;
    l.count = 0;
    ck_assert_int_eq(one(3, 1, 1, 5000), SPEND_VALUE);
    ck_assert_int_eq(one(3, 1, 1, 5100), SPEND_GRANTED);
    ASSERT_OK(book_close(&book));
}
END_TEST

static Suite *limits_suite(void)
{
    return CHECK_SUITE("limits", texts, bad_texts, where_outputs_go, which_outputs_and_rules, value_in_a_window, a_message_is_spent_for_once,
                       all_of_a_request_or_none, each_script_has_its_own, time_and_sums);
}
CHECK_MAIN(limits_suite)
