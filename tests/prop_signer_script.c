/* What holds of the engine whatever the script: over random spends of every kind, from a fixed seed or HOLDFAST_TEST_SEED. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "signer/script_vm.h"
#include "tests/script_case.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"

enum { BARE, P2SH, P2WSH, TAPROOT, KINDS, SPENDS = 4000, RULES_FROM = 32, RULES_TO = 56 };
static uint64_t state;

static uint64_t next(void)                /* splitmix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
static size_t below(size_t n) { return (size_t)(next() % n); }

static void begin(void)
{
    const char *given = getenv("HOLDFAST_TEST_SEED");
    state = given ? strtoull(given, NULL, 0) : 2026;
}

/* ---- random spends ---- */

static void put_push(struct wr *w, const struct span *s)
{
    if (s->n > 75)
        wr_u8(w, s->n < 256 ? 0x4c : 0x4d);
    if (s->n < 256)
        wr_u8(w, (uint8_t)s->n);
    else
        wr_u16(w, (uint16_t)s->n);
    wr_bytes(w, s->p, s->n);
}

static struct span some_data(void)
{
    static const char *const odd[] = { "", "01", "02", "80", "00", "81", "ffffff7f", "ffffffff7f", CASE_KEY, "02" CASE_KEY, "01" CASE_KEY };
    if (below(4))
        return hex_of(odd[below(sizeof odd / sizeof *odd)]);
    struct span s = fill_of((uint8_t)next(), below(below(9) ? 70 : 521));
    return s;
}

/* Instructions likely to run; sometimes a signature check; now and then any byte. */
static struct span some_script(int kind)
{
    static const uint8_t likely[] = { 0x00, 0x51, 0x52, 0x53, 0x60, 0x61, 0x63, 0x64, 0x67, 0x68, 0x69, 0x6b, 0x6c, 0x6d, 0x6e, 0x73, 0x74, 0x75, 0x76, 0x77,
                                      0x78, 0x79, 0x7a, 0x7b, 0x7c, 0x7d, 0x7e, 0x82, 0x87, 0x88, 0x8b, 0x93, 0x94, 0x9a, 0xa5, 0xa6, 0xa8, 0xa9, 0xaa, 0xab,
                                      0xac, 0xad, 0xae, 0xb0, 0xb1, 0xb2, 0xb3, 0xba, 0xcb, 0xcc, 0xcd, 0xce };
    const size_t most = kind == P2SH ? 400 : 2000;
    uint8_t *p = row_room(most + 1000);
    struct wr w = wr_of(p, most + 1000);
    for (size_t i = 1 + below(14); i > 0 && w.len < most; i--) {
        const size_t what = below(20);
        if (what < 5) {
            struct span s = some_data();
            if (kind != P2SH || s.n < 100)
                put_push(&w, &s);
        } else {
            wr_u8(&w, what < 19 ? likely[below(sizeof likely)] : (uint8_t)next());
        }
    }
    return (struct span){ p, w.len };
}

/* A signature that is right where the script is `key CHECKSIG`: so that some are verified, and pass. */
static struct span signed_script(int kind)
{
    static const char *const words[] = { "0x20 0x" CASE_KEY " CHECKSIG", "0x20 0x" CASE_KEY " CHECKSIGVERIFY 1", "2 0x20 0x" CASE_KEY " CHECKSIGADD 3 EQUAL" };
    return kind == TAPROOT ? asm_of(words[below(3)]) : asm_of("0x21 0x02" CASE_KEY " CHECKSIG NOT");
}

static void lay_base(struct script_case *c, bool p2sh, struct span script, const struct span *items, size_t count)
{
    uint8_t *sig = row_room(20000), *spk = row_room(23), hash[32];
    struct wr w = wr_of(sig, 20000);
    for (size_t i = 0; i < count; i++)
        put_push(&w, &items[i]);
    c->spent[0].script = script;
    if (p2sh) {
        put_push(&w, &script);
        sha256(hash, script.p, script.n);
        memcpy(spk, "\xa9\x14", 2);
        ripemd160(spk + 2, hash, 32);
        spk[22] = 0x87;
        c->spent[0].script = (struct span){ spk, 23 };
    }
    c->in[0].script_sig = (struct span){ sig, w.len };
}

static void some_spend(struct script_case *c)
{
    const int kind = (int)below(KINDS);
    const bool sign = below(8) == 0;
    struct span items[8], script = sign ? signed_script(kind) : some_script(kind);
    size_t count = below(7);
    for (size_t i = 0; i < count; i++)
        items[i] = some_data();
    c->tx.locktime = (uint32_t)below(3) * 250000000;
    c->in[0].sequence = (uint32_t[]){ 0, 5, 0xfffffffd, 0xffffffff }[below(4)];
    if (sign && kind == TAPROOT) {
        case_leaf(c, 0xc0, script, NULL, 0, NULL);
        items[0] = case_sign(c, 0, UINT32_MAX, 0, NULL);
        count = 1;
    } else if (sign) {
        items[0] = hex_of("300602010102010101");
        count = 1;
    }
    if (kind == TAPROOT)
        case_leaf(c, below(40) ? 0xc0 : 0xc2, script, items, count, NULL);
    else if (kind == P2WSH)
        case_p2wsh(c, script, items, count);
    else
        lay_base(c, kind == P2SH, script, items, count);
}

static enum script_error verify(struct script_case *c, struct script_engine *e, uint64_t flags, struct script_budget *b)
{
    c->said = script_verify(e, &c->res, &c->cache, 0, c->spent[0].script.p, c->spent[0].script.n, flags, b);
    return c->res.error;
}

/* Any flags that go together: consensus's mostly, some of the others, some rules that the network does not have. */
static uint64_t some_flags(void)
{
    uint64_t core = next() & ((SCRIPT_DISCOURAGE_PUBKEYTYPE << 1) - 1), rules = next() & next() & ~(SCRIPT_BIT(RULES_FROM) - 1) & (SCRIPT_BIT(RULES_TO) - 1);
    uint64_t flags = below(3) ? SCRIPT_FLAGS_CONSENSUS | (core & next() & next()) : core;
    return script_flags_fill(flags | (below(2) ? rules : 0));
}

/* Run `body` on random spends, the hashes of each made. */
static void each(void (*body)(struct script_case *c))
{
    begin();
    for (int i = 0; i < SPENDS; i++) {
        SCRIPT_CASE c;
        case_open(&c);
        some_spend(&c);
        ASSERT_OK(sighash_cache_make(&c.cache, &c.tx, c.spent));
        body(&c);
    }
}

/* ---- properties ---- */

static size_t allowed, refused;

/* A flag can only take away: what passes under more of them passes under fewer. */
static void fewer_flags(struct script_case *c)
{
    const uint64_t more = some_flags(), fewer = script_flags_trim(more & (next() | next()));
    const bool strict = verify(c, c->engine, more, NULL) == SCRIPT_ERR_OK, loose = verify(c, c->engine, fewer, NULL) == SCRIPT_ERR_OK;
    ck_assert_msg(!strict || loose, "%s under %#llx, and not under %#llx", script_error_name(c->res.error), (unsigned long long)more, (unsigned long long)fewer);
    allowed += strict;
    refused += loose && !strict;
}

START_TEST(flags_only_take_away)
{
    each(fewer_flags);
    ck_assert_uint_gt(allowed, SPENDS / 20);                 /* or the test would say little */
    ck_assert_uint_gt(refused, SPENDS / 50);
}
END_TEST

/* The same again, on an engine that has just run something else, and on a new one. */
static void twice(struct script_case *c)
{
    static struct script_engine *used;
    if (!used)
        ASSERT_OK(script_engine_new(&used));
    const uint64_t flags = some_flags();
    struct script_budget b[3] = { SCRIPT_BUDGET_BLOCK, SCRIPT_BUDGET_BLOCK, SCRIPT_BUDGET_BLOCK };
    struct script_result r[3];
    for (int i = 0; i < 3; i++) {
        SCRIPT_ENGINE fresh = NULL;
        ASSERT_OK(script_engine_new(&fresh));
        verify(c, i == 0 ? fresh : i == 1 ? used : c->engine, flags, &b[i]);
        r[i] = c->res;
    }
    for (int i = 1; i < 3; i++) {
        ck_assert(r[0].error == r[i].error && r[0].part == r[i].part && r[0].op_at == r[i].op_at && r[0].opcode == r[i].opcode);
        ck_assert(b[0].script_bytes == b[i].script_bytes && b[0].opcodes == b[i].opcodes && b[0].signatures == b[i].signatures && b[0].hashed_bytes == b[i].hashed_bytes);
    }
    c->tx.in[0].sequence ^= 1;                               /* and `used` goes on with another spend in it */
    verify(c, used, SCRIPT_FLAGS_CONSENSUS, NULL);
}

START_TEST(nothing_is_kept)
{
    each(twice);
}
END_TEST

static uint64_t *counter(struct script_budget *b, size_t i)
{
    uint64_t *const at[] = { &b->script_bytes, &b->opcodes, &b->signatures, &b->hashed_bytes };
    return at[i];
}

/* What a spend uses is enough for it; one less of anything is refused, by the cap's own name; and no counter goes below zero. */
static void exact_budget(struct script_case *c)
{
    static const enum script_error caps[] = { SCRIPT_ERR_CAP_SCRIPT_BYTES, SCRIPT_ERR_CAP_OPCODES, SCRIPT_ERR_CAP_SIGNATURES, SCRIPT_ERR_CAP_HASHED_BYTES };
    const uint64_t flags = some_flags();
    struct script_budget full = SCRIPT_BUDGET_BLOCK, left = full, used = full;
    const enum script_error free_of_caps = verify(c, c->engine, flags, NULL), want = verify(c, c->engine, flags, &left);
    ck_assert_int_eq(want, free_of_caps);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_le(*counter(&left, i), *counter(&full, i));
        *counter(&used, i) = *counter(&full, i) - *counter(&left, i);
    }
    left = used;
    ck_assert_int_eq(verify(c, c->engine, flags, &left), want);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(*counter(&left, i), 0);
        if (*counter(&used, i) == 0)
            continue;
        struct script_budget less = used;
        const uint64_t had = --*counter(&less, i);
        ck_assert_int_eq(verify(c, c->engine, flags, &less), caps[i]);
        ck_assert_int_eq(c->said.code, E_LIMIT);
        ck_assert_uint_le(*counter(&less, i), had);
        allowed++;
    }
}

START_TEST(budgets_are_exact)
{
    each(exact_budget);
    ck_assert_uint_gt(allowed, SPENDS);
}
END_TEST

/* Any budget at all: the verdict is the script's or a cap's, and each counter stays within what it was. */
static void some_budget(struct script_case *c)
{
    const uint64_t flags = some_flags();
    const enum script_error want = verify(c, c->engine, flags, NULL);
    struct script_budget b = { .stack_bytes = below(2) ? 0 : below(700) };
    const struct script_budget limits = { .script_bytes = below(3000), .opcodes = below(20), .signatures = below(2), .hashed_bytes = below(1500), .stack_bytes = b.stack_bytes };
    b = limits;
    const enum script_error got = verify(c, c->engine, flags, &b);
    struct script_budget before = limits;
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_le(*counter(&b, i), *counter(&before, i));
    ck_assert_uint_eq(b.stack_bytes, limits.stack_bytes);
    ck_assert_msg(got == want || (got >= SCRIPT_ERR_CAP_SCRIPT_BYTES && got <= SCRIPT_ERR_CAP_STACK_BYTES), "%s instead of %s", script_error_name(got), script_error_name(want));
    ck_assert_int_eq(c->said.code == E_LIMIT, got >= SCRIPT_ERR_CAP_SCRIPT_BYTES && got <= SCRIPT_ERR_CAP_STACK_BYTES);
    refused += c->said.code == E_LIMIT;
}

START_TEST(budgets_stay_above_zero)
{
    each(some_budget);
    ck_assert_uint_gt(refused, SPENDS / 10);
}
END_TEST

/* No memory is asked for while a script of segwit or taproot runs; in older ones a signature's hash needs some, and the cap is
 * met before it is asked for. */
static void without_memory(struct script_case *c)
{
    const uint64_t flags = SCRIPT_FLAGS_CONSENSUS;
    struct script_budget none = { .script_bytes = 1 << 20, .opcodes = 1 << 20, .signatures = 10 };
    fault_arm(1, 0);
    const enum script_error capped = verify(c, c->engine, flags, &none);
    const bool asked = fault_struck();
    fault_arm(1, 0);
    const enum script_error e = verify(c, c->engine, flags, NULL);
    const bool needed = fault_struck();
    fault_disarm();
    ck_assert_msg(!asked, "memory was asked for before %s", script_error_name(capped));
    ck_assert(!needed || (c->in[0].witness_count == 0 && e == SCRIPT_ERR_NO_MEMORY));
    allowed += needed;
}

START_TEST(caps_come_before_memory)
{
    each(without_memory);
    ck_assert_uint_gt(allowed, 10);
}
END_TEST

/* ---- numbers and pushes ---- */

static void read_back(struct vm *v, int64_t x)
{
    uint8_t b[9];
    int64_t back;
    const size_t n = num_write(b, x);
    stack_reset(v);
    num_push(v, x);
    const struct element *e = stack_top(v, 0);
    ck_assert(e->n == n && memcmp(e->b, b, n) == 0);
    v->flags = SCRIPT_MINIMALDATA;
    ck_assert(num_read(&back, v, 0, n) && back == x);
    ck_assert(n == 0 || !num_read(&back, v, 0, n - 1));      /* too long is refused */
    ck_assert_int_eq(element_true(e), x != 0);
}

/* Bytes that are minimal are what their number is written as, and no other bytes are. */
static void written_back(struct vm *v, const uint8_t *b, size_t n)
{
    uint8_t again[9];
    int64_t x, loose;
    stack_reset(v);
    ck_assert(stack_push(v, b, n));
    v->flags = 0;
    ck_assert(num_read(&loose, v, 0, 5));
    v->flags = SCRIPT_MINIMALDATA;
    const size_t m = num_write(again, loose);
    const bool minimal = num_read(&x, v, 0, 5);
    ck_assert_int_eq(minimal, m == n && memcmp(again, b, n) == 0);
    ck_assert_uint_le(m, n);
    ck_assert(!minimal || x == loose);
}

START_TEST(numbers_come_back)
{
    SCRIPT_ENGINE e = NULL;
    ASSERT_OK(script_engine_new(&e));
    begin();
    for (int64_t x = -70000; x <= 70000; x++)
        read_back(&e->vm, x);
    for (int bits = 0; bits < 40; bits++)
        for (int64_t near = -2; near <= 2; near++) {
            read_back(&e->vm, (INT64_C(1) << bits) + near);
            read_back(&e->vm, -(INT64_C(1) << bits) + near);
        }
    for (int i = 0; i < 200000; i++) {
        uint8_t b[5];
        const size_t n = below(6);
        const uint64_t bytes = next() & (below(2) ? UINT64_MAX : 0x80ff008000ff0080u);
        memcpy(b, &bytes, sizeof b);
        written_back(&e->vm, b, n);
        read_back(&e->vm, (int64_t)(next() >> (25 + below(39))) * (below(2) ? 1 : -1));
    }
}
END_TEST

/* One push of `s` in its shortest form, or in the form of that opcode. */
static bool put_form(struct wr *w, const struct span *s, uint8_t form)
{
    if (form == 0 && s->n == 0)
        wr_u8(w, 0);
    else if (form == 0 && s->n == 1 && s->p[0] >= 1 && s->p[0] <= 16)
        wr_u8(w, (uint8_t)(0x50 + s->p[0]));
    else if (form == 0 && s->n == 1 && s->p[0] == 0x81)
        wr_u8(w, 0x4f);
    else if (form == 0)
        put_push(w, s);
    else if (form == 1 && s->n >= 1 && s->n <= 75)
        put_push(w, s);
    else if (form == 0x4c && s->n < 256)
        wr_u8(w, 0x4c), wr_u8(w, (uint8_t)s->n), wr_bytes(w, s->p, s->n);
    else if (form == 0x4d)
        wr_u8(w, 0x4d), wr_u16(w, (uint16_t)s->n), wr_bytes(w, s->p, s->n);
    else if (form == 0x4e)
        wr_u8(w, 0x4e), wr_u32(w, (uint32_t)s->n), wr_bytes(w, s->p, s->n);
    else
        return false;
    return true;
}

struct stack_seen { uint32_t n; struct span top; uint8_t bytes[520]; };
static void keep_top(void *self, const struct script_event *e)
{
    struct stack_seen *s = self;
    s->n = e->main;
    if (e->part != SCRIPT_PART_SIG || e->main == 0)
        return;
    s->top = script_event_item(e, false, e->main - 1);
    memcpy(s->bytes, s->top.p, s->top.n);
    s->top.p = s->bytes;
}

/* A push in any form is push-only and gives its data; under MINIMALDATA in its shortest form alone. Then the whole script
 * read and written again is the same script. */
START_TEST(pushes_come_back)
{
    static const uint8_t forms[] = { 0, 1, 0x4c, 0x4d, 0x4e };
    begin();
    for (int i = 0; i < 4000; i++) {
        SCRIPT_CASE c;
        case_open(&c);
        struct span s = some_data(), shortest;
        uint8_t bytes[600], first[600];
        for (size_t f = 0; f < sizeof forms; f++) {
            struct wr w = wr_of(f ? bytes : first, sizeof bytes);
            if (!put_form(&w, &s, forms[f]))
                continue;
            struct span script = { f ? bytes : first, w.len };
            if (!f)
                shortest = script;
            ck_assert(script_push_only(script.p, script.n));
            for (size_t cut = 1; cut < script.n; cut++)
                ck_assert(!script_push_only(script.p, cut));
            struct stack_seen seen = { 0 };
            const struct script_watch watch = { keep_top, &seen };
            c.in[0].script_sig = script;
            c.spent[0].script = asm_of("DROP 1");
            ASSERT_OK(sighash_cache_make(&c.cache, &c.tx, c.spent));
            ASSERT_OK(script_verify_watched(c.engine, &c.res, &c.cache, 0, c.spent[0].script.p, c.spent[0].script.n, 0, NULL, &watch));
            ck_assert(seen.top.n == s.n && (s.n == 0 || memcmp(seen.bytes, s.p, s.n) == 0));
            const bool same = script.n == shortest.n && memcmp(script.p, shortest.p, script.n) == 0;
            ck_assert_int_eq(verify(&c, c.engine, SCRIPT_MINIMALDATA, NULL), same ? SCRIPT_ERR_OK : SCRIPT_ERR_MINIMALDATA);
            refused += !same;
        }
        const uint8_t behind = (uint8_t)(0x61 + below(0x9f));
        first[shortest.n] = behind;
        ck_assert(!script_push_only(first, shortest.n + 1));
    }
    ck_assert_uint_gt(refused, 4000);
}
END_TEST

static Suite *properties(void)
{
    return CHECK_SUITE("script_properties", flags_only_take_away, nothing_is_kept, budgets_are_exact, budgets_stay_above_zero, caps_come_before_memory,
                       numbers_come_back, pushes_come_back);
}

CHECK_MAIN(properties)
