/* A dry run's trace: collected from a real engine, its bounds, its bytes read back, and as JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "daemon/trace.h"
#include "daemon/web_trace.h"
#include "tests/script_case.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"

static uint8_t room[TRACE_BYTES];

/* Run and collect. Returns the trace's length; all of it is checked to be readable. */
static size_t traced(struct script_case *c, enum script_error want)
{
    struct trace t = trace_of(room);
    const struct script_watch w = { trace_on, &t };
    ck_assert_int_eq(sighash_cache_make(&c->cache, &c->tx, c->spent).code, E_OK);
    err_drop(script_verify_watched(c->engine, &c->res, &c->cache, 0, c->spent[0].script.p, c->spent[0].script.n, SCRIPT_FLAGS_EMULATE, NULL, &w));
    ck_assert_int_eq(c->res.error, want);
    return trace_end(&t);
}

/* Read a whole trace. Out: the last step. Returns their number, UINT32_MAX when it is broken. */
static uint32_t read_all(struct trace_step *last, bool *cut, const uint8_t *p, size_t n)
{
    struct rd r = rd_of(p, n);
    uint32_t count;
    if (!trace_head(cut, &count, &r))
        return UINT32_MAX;
    for (uint32_t i = 0; i < count; i++)
        if (!trace_next(last, &r))
            return UINT32_MAX;
    return rd_ok(&r) && r.left == 0 ? count : UINT32_MAX;
}

#define OBJECT "{\"a\":1}"
/* That with the trace joined to it, parsed. */
static json_t *joined(const uint8_t *p, size_t len)
{
    BYTES body = (uint8_t *)strdup(OBJECT);
    size_t n = strlen(OBJECT);
    ck_assert_int_eq(web_trace_add(&body, &n, p, len).code, E_OK);
    json_t *v = json_loadb((const char *)body, n, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(v);
    ck_assert_int_eq(json_integer_value(json_object_get(v, "a")), 1);
    return v;
}

static void shows(size_t n, const char *want)
{
    json_t *v = joined(room, n);
    char *text = json_dumps(json_object_get(v, "trace"), JSON_COMPACT);
    ck_assert_str_eq(text, want);
    free(text);
    json_decref(v);
}

START_TEST(as_json)
{
    SCRIPT_CASE c;
    case_open(&c);
    case_words(&c, "NOTIF DUP ENDIF TOALTSTACK 0 VERIFY", (const char *const[]){ "0a0b", "01", NULL });
    shows(traced(&c, SCRIPT_ERR_VERIFY),
          "{\"truncated\":false,\"inputs\":[{\"index\":0,\"steps\":["
          "{\"index\":0,\"pc\":0,\"op\":\"OP_NOTIF\",\"executed\":true,\"stack\":[\"0a0b\"],\"alt\":[]},"
          "{\"index\":1,\"pc\":1,\"op\":\"OP_DUP\",\"executed\":false,\"stack\":[\"0a0b\"],\"alt\":[]},"
          "{\"index\":2,\"pc\":2,\"op\":\"OP_ENDIF\",\"executed\":true,\"stack\":[\"0a0b\"],\"alt\":[]},"
          "{\"index\":3,\"pc\":3,\"op\":\"OP_TOALTSTACK\",\"executed\":true,\"stack\":[],\"alt\":[\"0a0b\"]},"
          "{\"index\":4,\"pc\":4,\"op\":\"OP_0\",\"executed\":true,\"stack\":[\"\"],\"alt\":[\"0a0b\"]},"
          "{\"index\":5,\"pc\":5,\"op\":\"OP_VERIFY\",\"executed\":true,\"stack\":[\"\"],\"alt\":[\"0a0b\"],\"error\":\"VERIFY\"}]}]}");
    case_leaf(&c, 0xc0, asm_of("RESERVED"), NULL, 0, NULL);
    shows(traced(&c, SCRIPT_ERR_DISCOURAGE_OP_SUCCESS), "{\"truncated\":false,\"inputs\":[]}");
}
END_TEST

/* Elements of 80 and 81 bytes, 16 and 17 of them. */
START_TEST(long_and_many)
{
    SCRIPT_CASE c;
    struct trace_step last;
    bool cut;
    case_open(&c);
    for (size_t k = 0; k < 2; k++) {
        struct span items[17];
        for (size_t i = 0; i < 17; i++)
            items[i] = fill_of((uint8_t)i, TRACE_ITEM + k);
        case_leaf(&c, 0xc0, asm_of("NOP"), items, TRACE_ITEMS + k, NULL);
        size_t n = traced(&c, SCRIPT_ERR_CLEANSTACK);
        ck_assert_uint_eq(read_all(&last, &cut, room, n), 1);
        ck_assert(!cut);
        ck_assert_uint_eq(last.main.count, TRACE_ITEMS + k);
        ck_assert_uint_eq(last.main.shown, TRACE_ITEMS);
        json_t *v = joined(room, n), *step = json_array_get(json_object_get(json_array_get(json_object_get(json_object_get(v, "trace"), "inputs"), 0), "steps"), 0);
        json_t *stack = json_object_get(step, "stack");
        const char *low = json_string_value(json_array_get(stack, 0)), *top = json_string_value(json_array_get(stack, TRACE_ITEMS - 1));
        ck_assert_uint_eq(json_array_size(stack), TRACE_ITEMS);
        ck_assert_int_eq(json_integer_value(json_object_get(step, "below")), (json_int_t)k);
        ck_assert(strncmp(low, k ? "01" : "00", 2) == 0 && strncmp(top, k ? "10" : "0f", 2) == 0);
        ck_assert_uint_eq(strlen(top), 2 * TRACE_ITEM + (k ? strlen("...81") : 0));
        ck_assert_str_eq(top + 2 * TRACE_ITEM, k ? "...81" : "");
        json_decref(v);
    }
}
END_TEST

static void put_stack(struct wr *w, uint32_t count)
{
    const uint8_t shown = count < TRACE_ITEMS ? (uint8_t)count : TRACE_ITEMS;
    wr_u32(w, count);
    wr_u8(w, shown);
    for (uint8_t i = 0; i < shown; i++) {
        wr_u16(w, 520);
        wr_u8(w, TRACE_ITEM);
        memset(wr_room(w, TRACE_ITEM), 0xee, TRACE_ITEM);
    }
}

/* The steps that JSON makes the longest, as many as fit. */
START_TEST(json_room_is_enough)
{
    for (size_t many = 0; many < 2; many++) {
        struct wr w = wr_of(room, sizeof room), head = wr_of(room, TRACE_HEAD);
        uint32_t count = 0;
        w.len = TRACE_HEAD;
        for (; count < TRACE_STEPS && w.len + TRACE_STEP_MAX <= w.cap; count++) {
            wr_u32(&w, UINT32_MAX - TRACE_STEPS + count);
            wr_u32(&w, UINT32_MAX);
            wr_u32(&w, UINT32_MAX);
            wr_u8(&w, 0xbb);
            wr_u8(&w, 0);
            wr_u16(&w, SCRIPT_ERR_DISCOURAGE_UPGRADABLE_CHECK_TEMPLATE_VERIFY_HASH);
            put_stack(&w, many ? UINT32_MAX : 0);
            put_stack(&w, many ? UINT32_MAX : 0);
        }
        ck_assert(!w.full);
        wr_u8(&head, 1);
        wr_u32(&head, count);
        json_t *v = joined(room, w.len);
        ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(v, "trace"), "inputs")), count);
        json_decref(v);
    }
}
END_TEST

/* A script of many instructions: what comes first is kept, and the one that fails. */
START_TEST(bounds)
{
    SCRIPT_CASE c;
    struct trace_step last;
    bool cut;
    case_open(&c);
    static const struct { size_t nops, items; bool fails, cut; } rows[] = {
        { TRACE_STEPS - 2, 0, false, false }, { TRACE_STEPS - 1, 0, false, true }, { TRACE_STEPS - 2, 0, true, true }, { 5000, 0, true, true },
        { 5000, TRACE_ITEMS, false, true }, { 5000, TRACE_ITEMS, true, true }, { 20, TRACE_ITEMS, true, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span items[TRACE_ITEMS], nops = fill_of(0x61, rows[i].nops + 2);
        uint8_t *end = (uint8_t *)(uintptr_t)nops.p + rows[i].nops;
        for (size_t k = 0; k < TRACE_ITEMS; k++)
            items[k] = fill_of(1, 200);
        end[0] = 0x51;
        end[1] = 0x6a;
        nops.n -= !rows[i].fails;
        case_leaf(&c, 0xc0, nops, items, rows[i].items, NULL);
        size_t n = traced(&c, rows[i].fails ? SCRIPT_ERR_OP_RETURN : rows[i].items ? SCRIPT_ERR_CLEANSTACK : SCRIPT_ERR_OK);
        uint32_t count = read_all(&last, &cut, room, n);
        ck_assert_uint_le(count, TRACE_STEPS);
        ck_assert_uint_le(n, TRACE_BYTES);
        ck_assert_int_eq(cut, rows[i].cut);
        ck_assert_uint_ge(count, 20);
        if (!rows[i].cut)
            ck_assert_uint_eq(count, nops.n);
        ck_assert_int_eq(last.error, rows[i].fails ? SCRIPT_ERR_OP_RETURN : SCRIPT_ERR_OK);
        if (rows[i].fails)
            ck_assert_uint_eq(last.index, nops.n - 1);
        json_decref(joined(room, n));
    }
}
END_TEST

/* Every cut, and every byte of the head and the fields changed, is broken or another trace; never more than there is. */
START_TEST(broken_bytes)
{
    SCRIPT_CASE c;
    struct trace_step last;
    bool cut;
    case_open(&c);
    case_words(&c, "DUP TOALTSTACK SIZE DROP", (const char *const[]){ "0102", NULL });
    const size_t n = traced(&c, SCRIPT_ERR_OK);
    ck_assert_uint_eq(read_all(&last, &cut, room, n), 4);
    for (size_t k = 0; k < n; k++) {
        uint8_t *exact = malloc(k ? k : 1);
        memcpy(exact, room, k);
        ck_assert_uint_eq(read_all(&last, &cut, exact, k), UINT32_MAX);
        BYTES body = (uint8_t *)strdup(OBJECT);
        size_t len = strlen(OBJECT);
        ck_assert_int_eq(web_trace_add(&body, &len, exact, k).code, E_FORMAT);
        ck_assert_str_eq((char *)body, OBJECT);
        free(exact);
    }
    struct { size_t at; uint8_t value; } bad[] = { { 0, 2 }, { 2, 0xff }, { TRACE_HEAD + 13, 2 }, { TRACE_HEAD + 15, 0xff }, { TRACE_HEAD + 20, 17 },
                                                   { TRACE_HEAD + 16, 0 }, { TRACE_HEAD + 21, 3 }, { TRACE_HEAD + 22, 1 }, { TRACE_HEAD + 23, 3 } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t kept = room[bad[i].at];
        room[bad[i].at] = bad[i].value;
        ck_assert_msg(read_all(&last, &cut, room, n) == UINT32_MAX, "byte %zu", bad[i].at);
        room[bad[i].at] = kept;
    }
}
END_TEST

/* Inputs of a trace come in order. */
START_TEST(order)
{
    SCRIPT_CASE c;
    case_open(&c);
    case_words(&c, "1", NULL);
    const size_t n = traced(&c, SCRIPT_ERR_OK), step = n - TRACE_HEAD;
    memcpy(room + n, room + TRACE_HEAD, step);
    room[1] = 2;
    for (uint8_t first = 0; first < 3; first++) {
        room[TRACE_HEAD] = first;
        room[n] = 1;
        BYTES body = (uint8_t *)strdup(OBJECT);
        size_t len = strlen(OBJECT);
        ck_assert_int_eq(web_trace_add(&body, &len, room, n + step).code, first < 2 ? E_OK : E_FORMAT);
        if (first < 2) {
            json_t *v = json_loadb((const char *)body, len, 0, NULL), *inputs = json_object_get(json_object_get(v, "trace"), "inputs");
            ck_assert_uint_eq(json_array_size(inputs), first ? 1 : 2);
            json_decref(v);
        }
    }
}
END_TEST

static err without_memory(void *ctx, unsigned long n)
{
    uint8_t *body = NULL;
    size_t len = strlen(OBJECT);
    (void)n;
    TRY(mem_new(&body, len));
    memcpy(body, OBJECT, len);
    err e = web_trace_add(&body, &len, room, *(size_t *)ctx);
    free(body);
    return e;
}

START_TEST(no_memory)
{
    SCRIPT_CASE c;
    case_open(&c);
    case_words(&c, "1", NULL);
    size_t n = traced(&c, SCRIPT_ERR_OK);
    FAULT_LOOP(FAULT_ALLOC, without_memory, &n);
}
END_TEST

static Suite *trace_suite(void)
{
    return CHECK_SUITE("daemon_trace", as_json, long_and_many, json_room_is_enough, bounds, broken_bytes, order, no_memory);
}

CHECK_MAIN(trace_suite)
