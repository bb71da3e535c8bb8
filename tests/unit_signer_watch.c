/* The engine, watched: what is told of each instruction, and that being watched changes nothing. */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "tests/script_case.h"
#include "tests/support/check_main.h"

#define EMULATE SCRIPT_FLAGS_EMULATE

/* What was seen, a line an instruction: part, index, pc, name, x or -, stacks bottom first, the error. */
struct seen { char text[4096]; size_t n, events; enum script_error last_error; };

static void put(struct seen *s, const char *words)
{
    s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%s", words);
    ck_assert_uint_lt(s->n, sizeof s->text);
}

static void put_stack(struct seen *s, const struct script_event *e, bool alt)
{
    char hex[2 * 520 + 1];
    put(s, alt ? " |" : "");
    for (uint32_t i = 0; i < (alt ? e->alt : e->main); i++) {
        struct span item = script_event_item(e, alt, i);
        hex_from(hex, item.p, item.n);
        put(s, " ");
        put(s, item.n ? hex : "''");
    }
}

static void watch(void *self, const struct script_event *e)
{
    struct seen *s = self;
    char head[80];
    s->events++;
    s->last_error = e->error;
    if (e->part != SCRIPT_PART_TAPSCRIPT)
        return;
    ck_assert_uint_eq(e->input, 0);
    snprintf(head, sizeof head, "%u@%u %s %c", e->op_at, e->pc, script_opcode_name(e->opcode), e->executed ? 'x' : '-');
    put(s, head);
    put_stack(s, e, false);
    put_stack(s, e, true);
    put(s, e->error ? " !" : "");
    put(s, e->error ? script_error_name(e->error) : "");
    put(s, "\n");
}

static enum script_error run(struct script_case *c, struct seen *s, struct script_budget *budget)
{
    const struct script_watch w = { watch, s };
    *s = (struct seen){ .n = 0 };
    ck_assert_int_eq(sighash_cache_make(&c->cache, &c->tx, c->spent).code, E_OK);
    c->said = script_verify_watched(c->engine, &c->res, &c->cache, 0, c->spent[0].script.p, c->spent[0].script.n, EMULATE, budget, &w);
    return c->res.error;
}

static void sees(const char *script, const char *const *items, enum script_error want, const char *text)
{
    SCRIPT_CASE c;
    struct seen s;
    case_open(&c);
    case_words(&c, script, items);
    ck_assert_int_eq(run(&c, &s, NULL), want);
    ck_assert_str_eq(s.text, text);
    ck_assert_uint_eq(s.last_error, want == SCRIPT_ERR_EVAL_FALSE || want == SCRIPT_ERR_CLEANSTACK || want == SCRIPT_ERR_UNBALANCED_CONDITIONAL ? 0 : want);
}

START_TEST(each_instruction)
{
    sees("1ADD 0x02 0x0102 TOALTSTACK DUP FROMALTSTACK DROP EQUAL", (const char *const[]){ "05", "07", NULL }, SCRIPT_ERR_CLEANSTACK,
         "0@0 OP_1ADD x 05 08 |\n"
         "1@1 OP_PUSHBYTES x 05 08 0102 |\n"
         "2@4 OP_TOALTSTACK x 05 08 | 0102\n"
         "3@5 OP_DUP x 05 08 08 | 0102\n"
         "4@6 OP_FROMALTSTACK x 05 08 08 0102 |\n"
         "5@7 OP_DROP x 05 08 08 |\n"
         "6@8 OP_EQUAL x 05 01 |\n");
}
END_TEST

START_TEST(branches)
{
    sees("IF 2 0 IF 3 ELSE 4 ENDIF ELSE 5 IF 6 ENDIF ENDIF", (const char *const[]){ "01", NULL }, SCRIPT_ERR_CLEANSTACK,
         "0@0 OP_IF x |\n"
         "1@1 OP_2 x 02 |\n"
         "2@2 OP_0 x 02 '' |\n"
         "3@3 OP_IF x 02 |\n"
         "4@4 OP_3 - 02 |\n"
         "5@5 OP_ELSE x 02 |\n"
         "6@6 OP_4 x 02 04 |\n"
         "7@7 OP_ENDIF x 02 04 |\n"
         "8@8 OP_ELSE x 02 04 |\n"
         "9@9 OP_5 - 02 04 |\n"
         "10@10 OP_IF - 02 04 |\n"
         "11@11 OP_6 - 02 04 |\n"
         "12@12 OP_ENDIF - 02 04 |\n"
         "13@13 OP_ENDIF x 02 04 |\n");
    sees("IF", (const char *const[]){ "01", NULL }, SCRIPT_ERR_UNBALANCED_CONDITIONAL, "0@0 OP_IF x |\n");
}
END_TEST

START_TEST(failures)
{
    sees("1 ADD", NULL, SCRIPT_ERR_INVALID_STACK_OPERATION, "0@0 OP_1 x 01 |\n1@1 OP_ADD x 01 | !INVALID_STACK_OPERATION\n");
    sees("1 RETURN 2", NULL, SCRIPT_ERR_OP_RETURN, "0@0 OP_1 x 01 |\n1@1 OP_RETURN x 01 | !OP_RETURN\n");
    sees("0 IF NOP ENDIF 0 VERIFY", NULL, SCRIPT_ERR_VERIFY,
         "0@0 OP_0 x '' |\n1@1 OP_IF x |\n2@2 OP_NOP - |\n3@3 OP_ENDIF x |\n4@4 OP_0 x '' |\n5@5 OP_VERIFY x '' | !VERIFY\n");
    SCRIPT_CASE c;
    struct seen s;
    case_open(&c);
    static const char *const whole[] = { "5105aabb", "5150" };  /* cut off; an OP_SUCCESS: refused before anything runs */
    for (size_t i = 0; i < 2; i++) {
        case_leaf(&c, 0xc0, hex_of(whole[i]), NULL, 0, NULL);
        ck_assert_int_eq(run(&c, &s, NULL), i ? SCRIPT_ERR_DISCOURAGE_OP_SUCCESS : SCRIPT_ERR_BAD_OPCODE);
        ck_assert_str_eq(s.text, "");
        ck_assert_uint_eq(s.events, 2);                         /* the scriptPubKey's own pushes */
    }
    case_p2wsh(&c, hex_of("5105aabb"), NULL, 0);
    ck_assert_int_eq(run(&c, &s, NULL), SCRIPT_ERR_BAD_OPCODE);
    ck_assert_uint_eq(s.events, 4);
    ck_assert_uint_eq(s.last_error, SCRIPT_ERR_BAD_OPCODE);
}
END_TEST

/* A cap that is met between two instructions belongs to neither; one that an instruction meets is told with it. */
START_TEST(caps)
{
    SCRIPT_CASE c;
    struct seen s;
    case_open(&c);
    case_words(&c, "1 'abc' SHA256 DROP", NULL);
    struct script_budget b = SCRIPT_BUDGET_BLOCK;
    b.opcodes = 2 + 1;
    ck_assert_int_eq(run(&c, &s, &b), SCRIPT_ERR_CAP_OPCODES);
    ck_assert_str_eq(s.text, "0@0 OP_1 x 01 |\n");
    b = SCRIPT_BUDGET_BLOCK;
    b.stack_bytes = 33;
    ck_assert_int_eq(run(&c, &s, &b), SCRIPT_ERR_OK);
    case_words(&c, "1 'abc' SHA256 DUP 2DROP", NULL);
    ck_assert_int_eq(run(&c, &s, &b), SCRIPT_ERR_CAP_STACK_BYTES);
    ck_assert_ptr_nonnull(strstr(s.text, "3@6 OP_DUP x"));
    ck_assert_str_eq(s.text + s.n - strlen(" !CAP_STACK_BYTES\n"), " !CAP_STACK_BYTES\n");
}
END_TEST

/* Watched or not, the verdict, its place and what is left of the budget are the same; and the engine forgets the watcher. */
START_TEST(watching_changes_nothing)
{
    static const uint8_t likely[] = { 0x00, 0x51, 0x52, 0x61, 0x63, 0x64, 0x67, 0x68, 0x69, 0x6b, 0x6c, 0x75, 0x76, 0x7c, 0x82, 0x87, 0x93, 0xa8, 0xac };
    uint64_t state = 11;
    size_t events = 0;
    for (int i = 0; i < 3000; i++) {
        SCRIPT_CASE c;
        struct seen s;
        uint8_t script[16];
        struct span items[] = { hex_of("01"), hex_of(""), hex_of(CASE_KEY) };
        case_open(&c);
        for (size_t k = 0; k < sizeof script; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            script[k] = likely[(state >> 33) % sizeof likely];
        }
        case_leaf(&c, 0xc0, (struct span){ script, 1 + (size_t)(state >> 40) % sizeof script }, items, (size_t)(state >> 50) % 4, NULL);
        struct script_budget a = SCRIPT_BUDGET_BLOCK, b = SCRIPT_BUDGET_BLOCK;
        enum script_error got = run(&c, &s, &a);
        const struct script_result watched = c.res;
        const size_t before = s.events;
        ck_assert_int_eq(case_run(&c, EMULATE, &b), got);
        ck_assert_uint_eq(s.events, before);
        ck_assert(watched.op_at == c.res.op_at && watched.opcode == c.res.opcode && watched.part == c.res.part);
        ck_assert(a.opcodes == b.opcodes && a.hashed_bytes == b.hashed_bytes && a.signatures == b.signatures);
        ck_assert_uint_eq(SCRIPT_BUDGET_BLOCK.opcodes - a.opcodes, before);
        events += before;
    }
    ck_assert_uint_gt(events, 10000);
}
END_TEST

static Suite *watched(void)
{
    return CHECK_SUITE("script_watch", each_instruction, branches, failures, caps, watching_changes_nothing);
}

CHECK_MAIN(watched)
