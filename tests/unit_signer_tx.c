/* Transactions: round trips, every cut, every count, weights, and CheckTransaction's rules. */
#include "signer/script.h"
#include "signer/tx.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/check_main.h"
#include "tests/support/faults.h"
#include "tests/support/vectors.h"

/* Two inputs, two outputs, a witness on the second input only. */
static const char PLAIN[] =
    "02000000" "02"
    "1111111111111111111111111111111111111111111111111111111111111111" "00000000" "00" "fdffffff"
    "2222222222222222222222222222222222222222222222222222222222222222" "05000000" "03" "515253" "ffffffff"
    "02" "e803000000000000" "016a" "0000000000000000" "00" "2a000000";
static const char SEGWIT[] =
    "02000000" "0001" "02"
    "1111111111111111111111111111111111111111111111111111111111111111" "00000000" "00" "fdffffff"
    "2222222222222222222222222222222222222222222222222222222222222222" "05000000" "03" "515253" "ffffffff"
    "02" "e803000000000000" "016a" "0000000000000000" "00"
    "00" "03" "00" "0151" "02aabb" "2a000000";

struct raw { uint8_t b[4096]; size_t n; };

static void raw_of(struct raw *r, const char *hex)
{
    r->n = strlen(hex) / 2;
    ck_assert_uint_le(r->n, sizeof r->b);
    hex_must(r->b, r->n, hex);
}

/* Parse from a block of exactly that size, so that a sanitizer sees one byte too far. */
static enum err_code parses(const uint8_t *p, size_t n)
{
    TX t = NULL;
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, p, n);
    err e = tx_parse(&t, exact, n);
    ck_assert_int_eq(t != NULL, e.code == E_OK);
    free(exact);
    return e.code;
}

static enum err_code parses_hex(const char *hex)
{
    struct raw r;
    raw_of(&r, hex);
    return parses(r.b, r.n);
}

START_TEST(fields)
{
    TX t = NULL;
    struct raw r;
    raw_of(&r, SEGWIT);
    ASSERT_OK(tx_parse(&t, r.b, r.n));
    ck_assert_int_eq(t->version, 2);
    ck_assert_uint_eq(t->locktime, 42);
    ck_assert_uint_eq(t->in_count, 2);
    ck_assert_uint_eq(t->out_count, 2);
    ck_assert_uint_eq(t->in[1].vout, 5);
    ck_assert_uint_eq(t->in[1].txid[31], 0x22);
    ck_assert_uint_eq(t->in[0].sequence, 0xfffffffd);
    ck_assert_uint_eq(t->in[1].script_sig.n, 3);
    ck_assert_int_eq(t->out[0].value, 1000);
    ck_assert_uint_eq(t->out[0].script.p[0], 0x6a);
    ck_assert_uint_eq(t->in[0].witness_count, 0);
    ck_assert_uint_eq(t->in[1].witness_count, 3);
    struct rd items = rd_of(t->in[1].witness.p, t->in[1].witness.n);
    ck_assert_uint_eq(tx_item(&items).n, 0);
    ck_assert_uint_eq(tx_item(&items).p[0], 0x51);
    ck_assert_uint_eq(tx_item(&items).p[1], 0xbb);
    ASSERT_OK(rd_end(&items, "items"));
}
END_TEST

START_TEST(round_trip_and_sizes)
{
    TX t = NULL;
    TX plain = NULL;
    struct raw r, p;
    uint8_t out[512], id[32], same[32];
    raw_of(&r, SEGWIT);
    raw_of(&p, PLAIN);
    ASSERT_OK(tx_parse(&t, r.b, r.n));
    ASSERT_OK(tx_parse(&plain, p.b, p.n));
    struct wr w = wr_of(out, sizeof out);
    tx_write(&w, t, true);
    ck_assert_uint_eq(w.len, r.n);
    ck_assert_mem_eq(out, r.b, r.n);
    ck_assert_uint_eq(tx_size(t, true), r.n);
    w = wr_of(out, sizeof out);
    tx_write(&w, t, false);
    ck_assert_uint_eq(w.len, p.n);
    ck_assert_mem_eq(out, p.b, p.n);
    ck_assert_uint_eq(tx_size(t, false), p.n);
    ck_assert_uint_eq(tx_size(plain, true), p.n);
    ck_assert_uint_eq(tx_weight(t), 3 * p.n + r.n);
    ck_assert_uint_eq(tx_weight(plain), 4 * p.n);
    ASSERT_OK(tx_id(id, t));
    ASSERT_OK(tx_id(same, plain));
    ck_assert_mem_eq(id, same, 32);
    w = wr_of(out, p.n - 1);                 /* one byte short */
    tx_write(&w, plain, true);
    ck_assert(w.full);
}
END_TEST

/* The first transaction between people, and its id. */
START_TEST(known_id)
{
    TX t = NULL;
    struct raw r;
    uint8_t id[32], want[32];
    raw_of(&r, "0100000001c997a5e56e104102fa209c6a852dd90660a20b2d9c352423edce25857fcd3704000000004847304402204e45e16932b8af5149"
               "61a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4acdd12909d831cc56cbbac4622082221a8768d1d0901"
               "ffffffff0200ca9a3b00000000434104ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d71302fa28414e7aab37397f554a7df5f"
               "142c21c1b7303b8a0626f1baded5c72a704f7e6cd84cac00286bee0000000043410411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482e"
               "cad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac00000000");
    hex_must(want, 32, "169e1e83e930853391bc6f35f605c6754cfead57cf8387639d3b4096c54f18f4");
    ASSERT_OK(tx_parse(&t, r.b, r.n));
    ASSERT_OK(tx_id(id, t));
    ck_assert_mem_eq(id, want, 32);
    ASSERT_OK(tx_check(t));
}
END_TEST

START_TEST(cut_or_longer)
{
    const char *const both[] = { PLAIN, SEGWIT };
    for (int i = 0; i < 2; i++) {
        struct raw r;
        raw_of(&r, both[i]);
        ck_assert_int_eq(parses(r.b, r.n), E_OK);
        for (size_t n = 0; n < r.n; n++)
            ck_assert_int_eq(parses(r.b, n), E_FORMAT);
        r.b[r.n] = 0;
        ck_assert_int_eq(parses(r.b, r.n + 1), E_FORMAT);
    }
}
END_TEST

START_TEST(markers)
{
    /* flag 2, flag 3, a witness part without a witness, and Core's reading of a zero flag */
    ck_assert_int_eq(parses_hex("02000000" "0002" "01" "1111111111111111111111111111111111111111111111111111111111111111"
                                "00000000" "00" "fdffffff" "00" "0100" "00000000"), E_FORMAT);
    ck_assert_int_eq(parses_hex("02000000" "0003" "01" "1111111111111111111111111111111111111111111111111111111111111111"
                                "00000000" "00" "fdffffff" "00" "0100" "00000000"), E_FORMAT);
    ck_assert_int_eq(parses_hex("02000000" "0001" "01" "1111111111111111111111111111111111111111111111111111111111111111"
                                "00000000" "00" "fdffffff" "00" "0100" "00000000"), E_OK);
    ck_assert_int_eq(parses_hex("02000000" "0001" "01" "1111111111111111111111111111111111111111111111111111111111111111"
                                "00000000" "00" "fdffffff" "00" "00" "00000000"), E_FORMAT);
    ck_assert_int_eq(parses_hex("02000000" "0001" "00" "00" "00000000"), E_FORMAT);
    ck_assert_int_eq(parses_hex("02000000" "00" "00" "00000000"), E_OK);
}
END_TEST

/* Every CompactSize must be the shortest, and no larger than what is there. */
START_TEST(compact_sizes)
{
    static const struct { const char *hex; uint64_t value; bool good; } rows[] = {
        { "00", 0, true }, { "fc", 252, true }, { "fdfd00", 253, true }, { "fdfc00", 0, false }, { "fdffff", 65535, true },
        { "fe00000100", 65536, true }, { "feffff0000", 0, false }, { "fe00000002", 0x02000000, true },
        { "fe01000002", 0, false }, { "ff0000000001000000", 0, false }, { "ff0100000000000000", 0, false },
        { "ffffffffffffffffff", 0, false }, { "fd", 0, false }, { "fdfd", 0, false }, { "fe000001", 0, false }, { "", 0, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct raw r;
        raw_of(&r, rows[i].hex);
        struct rd in = rd_of(r.b, r.n);
        uint64_t got = rd_compact(&in);
        ck_assert_int_eq(rd_ok(&in), rows[i].good);
        ck_assert_uint_eq(got, rows[i].value);
        if (!rows[i].good)
            continue;
        uint8_t back[9];
        struct wr w = wr_of(back, sizeof back);
        wr_compact(&w, got);
        ck_assert_uint_eq(w.len, r.n);
        ck_assert_uint_eq(compact_size(got), r.n);
        ck_assert_mem_eq(back, r.b, r.n);
    }
    ck_assert_uint_eq(compact_size(UINT64_C(1) << 40), 9);
}
END_TEST

/* A count asks for no more memory than the bytes behind it could fill. */
START_TEST(counts_cost_nothing)
{
    static const char *const counts[] = { "fd1027", "fea0860100", "fe00000002", "fc" };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char hex[512];
        snprintf(hex, sizeof hex, "02000000%s%s", counts[i], PLAIN + 10);
        ck_assert_int_eq(parses_hex(hex), E_FORMAT);
        snprintf(hex, sizeof hex, "02000000" "01" "%.82s" "%s" "e803000000000000" "016a" "00000000", PLAIN + 10, counts[i]);
        ck_assert_int_eq(parses_hex(hex), E_FORMAT);
        snprintf(hex, sizeof hex, "02000000" "0001" "01" "%.82s" "00" "%s" "00" "00000000", PLAIN + 10, counts[i]);
        ck_assert_int_eq(parses_hex(hex), E_FORMAT);
    }
}
END_TEST

START_TEST(spent_outputs)
{
    struct tx_out o[2];
    struct raw r;
    raw_of(&r, "e803000000000000" "016a" "ffffffffffffffff" "00");
    ASSERT_OK(tx_outs_parse(o, 2, r.b, r.n));
    ck_assert_int_eq(o[0].value, 1000);
    ck_assert_int_eq(o[1].value, -1);
    ck_assert_uint_eq(o[0].script.n, 1);
    ASSERT_CODE(tx_outs_parse(o, 1, r.b, r.n), E_FORMAT);
    for (size_t n = 0; n < r.n; n++)
        ASSERT_CODE(tx_outs_parse(o, 2, r.b, n), E_FORMAT);
}
END_TEST

/* ---- CheckTransaction, one rule each ---- */

struct made { struct tx t; struct tx_in in[3]; struct tx_out out[3]; };

static void made_good(struct made *m)
{
    memset(m, 0, sizeof *m);
    m->t = (struct tx){ .version = 1, .in_count = 2, .out_count = 2, .in = m->in, .out = m->out };
    m->in[1].txid[0] = 1;
    m->out[0].value = TX_MAX_MONEY;
}

START_TEST(check_rules)
{
    struct made m;
    static uint8_t big[1000000];
    made_good(&m);
    ASSERT_OK(tx_check(&m.t));
    m.t.in_count = 0;
    ASSERT_CODE(tx_check(&m.t), E_FORMAT);
    made_good(&m);
    m.t.out_count = 0;
    ASSERT_CODE(tx_check(&m.t), E_FORMAT);
    made_good(&m);
    m.out[1].value = 1;                       /* the sum */
    ASSERT_CODE(tx_check(&m.t), E_FORMAT);
    made_good(&m);
    m.out[0].value = TX_MAX_MONEY + 1;
    ASSERT_CODE(tx_check(&m.t), E_FORMAT);
    m.out[0].value = -1;
    ASSERT_CODE(tx_check(&m.t), E_FORMAT);
    m.out[0].value = INT64_MIN;
    ASSERT_CODE(tx_check(&m.t), E_FORMAT);
    made_good(&m);
    m.in[1] = m.in[0];                        /* twice the same */
    ASSERT_CODE(tx_check(&m.t), E_FORMAT);
    m.in[1].vout = 1;
    ASSERT_OK(tx_check(&m.t));
    m.in[1].txid[0] = 0;
    m.in[1].vout = 0xffffffff;                /* a null outpoint beside another input */
    ASSERT_CODE(tx_check(&m.t), E_FORMAT);
    made_good(&m);
    size_t rest = tx_size(&m.t, false) + 4;   /* and a longer length */
    m.out[0].script = (struct span){ big, 1000000 - rest };
    ASSERT_OK(tx_check(&m.t));
    m.out[0].script.n++;
    ASSERT_CODE(tx_check(&m.t), E_FORMAT);
}
END_TEST

START_TEST(check_coinbase)
{
    struct made m;
    static uint8_t script[101];
    made_good(&m);
    m.t.in_count = 1;
    m.in[0].vout = 0xffffffff;
    ck_assert(tx_is_coinbase(&m.t));
    for (size_t n = 0; n <= sizeof script; n++) {
        m.in[0].script_sig = (struct span){ script, n };
        ASSERT_CODE(tx_check(&m.t), n >= 2 && n <= 100 ? E_OK : E_FORMAT);
    }
}
END_TEST

/* Twins far apart among many inputs. */
START_TEST(check_many_inputs)
{
    enum { MANY = 20000 };
    struct made m;
    made_good(&m);
    m.t.in = calloc(MANY, sizeof *m.t.in);
    m.t.in_count = MANY;
    for (uint32_t i = 0; i < MANY; i++)
        m.t.in[i].vout = (i * 7919u) % MANY;
    ASSERT_OK(tx_check(&m.t));
    m.t.in[MANY - 1].vout = m.t.in[17].vout;
    ASSERT_CODE(tx_check(&m.t), E_FORMAT);
    free(m.t.in);
}
END_TEST

static err parse_and_check(void *ctx, unsigned long n)
{
    const struct raw *r = ctx;
    uint8_t id[32];
    TX t = NULL;
    (void)n;
    TRY(tx_parse(&t, r->b, r->n));
    TRY(tx_check(t));
    return tx_id(id, t);
}

START_TEST(no_memory)
{
    struct raw r;
    raw_of(&r, SEGWIT);
    FAULT_LOOP(FAULT_ALLOC, parse_and_check, &r);
}
END_TEST

/* A signature of before segwit is hashed with the help of the heap; so are the tables of a transaction. */
static err verify_once(void *ctx, unsigned long n)
{
    struct made *m = ctx;
    static const uint8_t script[] = { 0xac, 0x91 };            /* CHECKSIG NOT */
    struct sighash_cache c;
    struct script_result res;
    SCRIPT_ENGINE engine = NULL;
    (void)n;
    m->out[2] = (struct tx_out){ 1, { script, sizeof script } };
    TRY(script_engine_new(&engine));
    TRY(sighash_cache_make(&c, &m->t, &m->out[2]));
    err e = script_verify(engine, &res, &c, 0, script, sizeof script, 0, NULL);
    if (e.code == E_MEMORY && res.error != SCRIPT_ERR_NO_MEMORY)
        FAIL(E_STATE, "the code and the error disagree");
    return e;
}

START_TEST(no_memory_to_verify)
{
    struct made m;
    uint8_t sig[9 + 1 + 34] = { 8, 0x30, 6, 2, 1, 1, 2, 1, 1, 33, 2 };
    made_good(&m);
    hex_must(sig + 11, 32, "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    m.t.in_count = 1;
    m.in[0].script_sig = (struct span){ sig, 43 };
    FAULT_LOOP(FAULT_ALLOC, verify_once, &m);
}
END_TEST

static Suite *tx_suite(void)
{
    return CHECK_SUITE("signer_tx", fields, round_trip_and_sizes, known_id, cut_or_longer, markers, compact_sizes,
                       counts_cost_nothing, spent_outputs, check_rules, check_coinbase, check_many_inputs, no_memory, no_memory_to_verify);
}

CHECK_MAIN(tx_suite)
