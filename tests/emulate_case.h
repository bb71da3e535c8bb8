/* emulate_case.h - one emulation request on the bench, parsed and planned. */
#ifndef TESTS_EMULATE_CASE_H
#define TESTS_EMULATE_CASE_H
#include <stdio.h>
#include "signer/address.h"
#include "signer/taproot.h"
#include "tests/signer_case.h"
#include "tests/support/check_main.h"

static struct bench b;
static uint8_t master[33];
/* The last request and plan; the tests' own, so that a failing assertion leaks nothing that matters. */
static struct emulate_request *request;
static struct emulate_plan *plan;
static struct emulate_refusal why;

static void before(void) { case_hex(master, 33, CASE_MASTER); }
static void drop(void)
{
    emulate_plan_free(&plan);
    emulate_request_free(&request);
}

/* Parse what is on the bench, and plan. */
static err planned(void)
{
    drop();
    bench_bytes(&b);
    ASSERT_OK(emulate_request_parse(&request, b.bytes, b.len));
    return emulate_plan_make(&plan, &why, request, master);
}

static inline void ck_hex(const void *got, size_t n, const char *want)
{
    char hex[2 * 256 + 1];
    ck_assert_uint_le(n, 256);
    hex_from(hex, got, n);
    ck_assert_str_eq(hex, want);
}

static inline void ck_why(enum emulate_fault fault, uint32_t input, const char *text)
{
    char got[EMULATE_TEXT];
    ck_assert_int_eq(why.fault, fault);
    ck_assert_uint_eq(why.input, input);
    emulate_refusal_text(got, &why);
    ck_assert_msg(strncmp(got, text, strlen(text)) == 0, "%s", got);
}

/* One input on the bench. */
static inline void one(const char *const *witness, const char *actual)
{
    bench_start(&b);
    bench_input(&b, witness, actual);
}

static inline void skips(enum emulate_kind kind, const char *const *witness, const char *actual)
{
    one(witness, actual);
    ASSERT_OK(planned());
    ck_assert_uint_eq(plan->emulated, 0);
    ck_assert_msg(plan->input[0].kind == kind, "%s", emulate_kind_text(plan->input[0].kind));
    struct sign_request q;
    ASSERT_OK(emulate_verify(&why, plan));
    ASSERT_CODE(emulate_sign_request(&q, plan, 0), E_STATE);
}
#define STACK(...) ((const char *const[]){ __VA_ARGS__, NULL })

#define CONTROL "c1" CASE_INTERNAL

#endif
