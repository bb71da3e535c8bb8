/* PSBTs of both versions: what is read, what is refused and in which words, lock times, and what is written. Published
 * cases and other libraries' PSBTs: tests/system/test_psbt.py. */
#include "signer/psbt.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "tests/psbt_case.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"
#include "tests/support/vectors.h"

#define SIG "c454b67127d37dc6acd4ddb88fdd2d2ad9a66e3a1f404d081bd159e5c2e0086b" "86ac7d86bfc1fb1091a68e9a701d4677dd4bae152fd4cac979c2c3b8a1bc92aa"

struct raw { uint8_t b[16384]; size_t n; };

static void raw_of(struct raw *r, const char *hex)
{
    r->n = strlen(hex) / 2;
    ck_assert_uint_le(r->n, sizeof r->b);
    hex_must(r->b, r->n, hex);
}

static bool same_hex(const void *p, size_t n, const char *hex)
{
    struct raw want;
    raw_of(&want, hex);
    return n == want.n && (n == 0 || memcmp(p, want.b, n) == 0);
}

static void read_good(struct psbt **p, struct raw *r, const char *hex)
{
    struct psbt_fault why;
    raw_of(r, hex);
    err e = psbt_parse(p, &why, r->b, r->n);
    ck_assert_msg(e.code == E_OK, "%s", why.text ? why.text : "?");
    ck_assert_ptr_null(why.text);
}

static void check_tx(const struct psbt *p, const char *hex)
{
    uint8_t out[4096];
    struct wr w = wr_of(out, sizeof out);
    tx_write(&w, p->tx, true);
    ck_assert(!w.full && same_hex(out, w.len, hex));
}

/* Both versions say the same, wherever the witness stands. */
START_TEST(both_versions)
{
    static const char *const good[] = {
        C_PSBT_0, C_PSBT_2,
        C_MAGIC C_GLOBAL_0 "00" C_UTXO C_OURS "00" "00",
        C_MAGIC C_GLOBAL_0 "01fb" "04" "00000000" "00" C_UTXO C_MERKLE C_FINAL C_UNKNOWN "00" "00",
        C_MAGIC C_GLOBAL_2 "00" C_SPENDS_2 C_UTXO C_OURS "00" C_OUT_2 "00",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct raw r;
        struct psbt_fault why;
        PSBT p = NULL;
        read_good(&p, &r, good[i]);
        check_tx(p, C_TX_WITNESS);
        ck_assert(p->in[0].has_spent && p->in[0].spent.value == 100000);
        ck_assert(same_hex(p->in[0].spent.script.p, p->in[0].spent.script.n, C_ACTUAL));
        ck_assert_int_eq(p->in[0].merkle_root != NULL, i == 3);
        ck_assert(i != 3 || same_hex(p->in[0].merkle_root, 32, C_ROOT));
        ck_assert_uint_eq(p->version, i == 1 || i == 4 ? 2 : 0);
        ASSERT_OK(psbt_signable(&why, p));
    }
}
END_TEST

START_TEST(non_witness_utxo)
{
    /* The spent transaction, and one that spends its only output; its id is what tx_id() says. */
    static const char before[] = "02000000" "01" C_TXID "00000000" "00" "ffffffff" "01" "a086010000000000" "22" C_ACTUAL "00000000";
    char id[65], text[4096];
    uint8_t hash[32];
    struct raw r;
    TX t = NULL;
    raw_of(&r, before);
    ASSERT_OK(tx_parse(&t, r.b, r.n));
    ASSERT_OK(tx_id(hash, t));
    hex_from(id, hash, 32);
    static const struct { const char *vout, *more, *words; } cases[] = {
        { "00000000", "", NULL },
        { "00000000", C_UTXO, NULL },
        { "01000000", "", "input 0: the non-witness UTXO has no output of that number" },
        { "00000000", "0101" "2b" "a186010000000000" "22" C_ACTUAL, "input 0: the two fields on the spent output do not agree" },
        { "00000000", "0101" "09" "a086010000000000" "00", "input 0: the two fields on the spent output do not agree" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int wrong = 0; wrong < 2; wrong++) {
            PSBT p = NULL;
            struct psbt_fault why;
            char words[PSBT_TEXT];
            snprintf(text, sizeof text, C_MAGIC "0100" "3e" "02000000" "01" "%s%s" "00" "fdffffff" "01" C_OUT "00000000" "00" "0100" "5e" "%s%s" "00" "00",
                     wrong ? C_ROOT : id, cases[i].vout, before, cases[i].more);
            raw_of(&r, text);
            const char *want = wrong ? "input 0: the non-witness UTXO is another transaction than the input names" : cases[i].words;
            ASSERT_CODE(psbt_parse(&p, &why, r.b, r.n), want ? E_FORMAT : E_OK);
            psbt_fault_text(words, &why);
            ck_assert_str_eq(want ? words : "", want ? want : "");
            ck_assert(want || (p->in[0].spent.value == 100000 && same_hex(p->in[0].spent.script.p, p->in[0].spent.script.n, C_ACTUAL)));
        }
}
END_TEST

#define V0(input) C_MAGIC C_GLOBAL_0 "00" input "00" "00"
#define V2(global, input, output) C_MAGIC global "00" input "00" output "00"

struct case_of {
    const char *hex, *words;                         /* words: NULL where it is accepted */
};

static void each_is_answered(const struct case_of *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        PSBT p = NULL;
        struct psbt_fault why;
        struct raw r;
        char words[PSBT_TEXT];
        raw_of(&r, cases[i].hex);
        err e = psbt_parse(&p, &why, r.b, r.n);
        psbt_fault_text(words, &why);
        ck_assert_msg(e.code == (cases[i].words ? E_FORMAT : E_OK), "case %zu: %s", i, words);
        if (cases[i].words) ck_assert_msg(strcmp(words, cases[i].words) == 0, "case %zu: %s", i, words);
        ck_assert_int_eq(p != NULL, cases[i].words == NULL);
    }
}

START_TEST(refused_globals)
{
    static const struct case_of cases[] = {
        { "", "not a PSBT: it does not begin with its magic" },
        { "70736274fe" "00", "not a PSBT: it does not begin with its magic" },
        { C_MAGIC, "global map: cut short, or a length that is not well formed" },
        { C_MAGIC "00", "global map: version 0 needs an unsigned transaction" },
        { C_MAGIC "0100" "0a" "02000000" "0000" "00000000" "00", "global map: a transaction without inputs" },
        { C_MAGIC "0100" "04" "02000000" "00", "global map: a value of the wrong length for its type" },
        { C_MAGIC "0100" "0a" "02000000" "ffff" "00000000" "00", "global map: the unsigned transaction is not well formed" },
        { C_MAGIC "0100" "65" C_TX_WITNESS "00" "00" "00", "global map: the unsigned transaction has a signature script or a witness" },
        { C_MAGIC "0100" "3f" "02000000" "01" C_TXID "ffffffff" "0151" "fdffffff" "01" C_OUT "00000000" "00" "00" "00",
          "global map: the unsigned transaction has a signature script or a witness" },
        { C_MAGIC C_GLOBAL_0 C_GLOBAL_0 "00" "00" "00", "global map: a key is there twice" },
        { C_MAGIC "020001" "3e" C_TX "00" "00" "00", "global map: a key of the wrong length for its type" },
        { C_MAGIC "03fd0000" "3e" C_TX "00" "00" "00", "global map: cut short, or a length that is not well formed" },
        { C_MAGIC C_GLOBAL_0 "01fb" "04" "01000000" "00" "00" "00", "global map: a version of PSBT that is neither 0 nor 2" },
        { C_MAGIC C_GLOBAL_0 "01fb" "04" "02000000" "00" "00" "00", "global map: a field that this version of PSBT does not have" },
        { C_MAGIC C_GLOBAL_0 "0102" "04" "02000000" "00" "00" "00", "global map: a field that this version of PSBT does not have" },
        { C_MAGIC C_GLOBAL_0 "01fc" "00" "00" "00" "00", "global map: a proprietary key that is not well formed" },
    };
    each_is_answered(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(refused_maps)
{
    static const struct case_of cases[] = {
        { V0(C_SPENDS_2), "input 0: a field that this version of PSBT does not have" },
        { C_MAGIC C_GLOBAL_0 "00" C_UTXO "00" C_OUT_2 "00", "output 0: a field that this version of PSBT does not have" },
        { V0(C_UTXO C_UTXO), "input 0: a key is there twice" },
        { V0(C_FINAL C_UTXO C_FINAL), "input 0: a key is there twice" },
        { V0(C_UNKNOWN C_UTXO C_UNKNOWN), "input 0: a key is there twice" },
        { V0("0101" "2c" "a086010000000000" "22" C_ACTUAL "00"), "input 0: the witness UTXO is no output" },
        { V0("0100" "0a" "02000000" "ffff" "00000000"), "input 0: the non-witness UTXO is no transaction" },
        { V0("0108" "26" C_STACK "00"), "input 0: a witness that is not well formed" },
        { V0("0108" "02" "0201"), "input 0: a witness that is not well formed" },
        { V0("0bfc08686f6c646661737400" "01" "01"), "input 0: a witness that is not well formed" },
        { V0("0103" "01" "00"), "input 0: a value of the wrong length for its type" },
        { V0("0113" "3f" "00" C_ROOT C_ROOT), "input 0: a value of the wrong length for its type" },
        { V0("0118" "21" C_ROOT "00"), "input 0: a value of the wrong length for its type" },
        { V0("2215" C_CONTROL "01" "c0" ), NULL },
        { V0("2115" C_ROOT "01" "c0" ), "input 0: a key of the wrong length for its type" },
        { V0("2116" C_ROOT "05" "01" "00000000"), "input 0: a taproot derivation that is not well formed" },
        { V0("2116" C_ROOT "05" "00" "00000000"), NULL },
        { C_MAGIC C_GLOBAL_0 "00" C_UTXO "00" "0106" "04" "00" "c0" "0151" "00", NULL },
        { C_MAGIC C_GLOBAL_0 "00" C_UTXO "00" "0106" "08" "01" "c0" "0151" "01" "c0" "0152" "00", NULL },
        { C_MAGIC C_GLOBAL_0 "00" C_UTXO "00" "0106" "04" "01" "c0" "0151" "00", "output 0: a taproot tree that is not well formed" },
        { C_MAGIC C_GLOBAL_0 "00" C_UTXO "00" "0106" "08" "00" "c0" "0151" "00" "c0" "0152" "00", "output 0: a taproot tree that is not well formed" },
        { C_MAGIC C_GLOBAL_0 "00" C_UTXO "00" "0106" "0c" "02" "c0" "0151" "01" "c0" "0152" "02" "c0" "0153" "00", "output 0: a taproot tree that is not well formed" },
        { C_MAGIC C_GLOBAL_0 "00" C_UTXO "00" "00" "00", "bytes behind the last map" },
        { C_MAGIC C_GLOBAL_0 "00" C_UTXO "00", "output 0: cut short, or a length that is not well formed" },
    };
    each_is_answered(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(refused_version_2)
{
    static const struct case_of cases[] = {
        { V2("0102" "04" "02000000" "0104" "01" "01" "01fb" "04" "02000000", C_SPENDS_2, C_OUT_2),
          "global map: version 2 needs a transaction version and the numbers of inputs and outputs" },
        { V2("0102" "04" "02000000" "0104" "02" "0101" "0105" "01" "01" "01fb" "04" "02000000", C_SPENDS_2, C_OUT_2), "global map: the number of inputs is not well formed" },
        { V2("0102" "04" "02000000" "0104" "01" "01" "0105" "05" "fe00000001" "01fb" "04" "02000000", C_SPENDS_2, C_OUT_2), "global map: more inputs or outputs than there are bytes for" },
        { V2("0102" "04" "02000000" "0104" "01" "02" "0105" "01" "01" "01fb" "04" "02000000", C_SPENDS_2, C_OUT_2), "global map: more inputs or outputs than there are bytes for" },
        { V2("0102" "04" "02000000" "0104" "01" "00" "0105" "01" "01" "01fb" "04" "02000000", C_SPENDS_2, C_OUT_2), "global map: a transaction without inputs" },
        { V2(C_GLOBAL_2, "010e" "20" C_TXID C_UTXO, C_OUT_2), "input 0: version 2 needs a previous txid and an output number" },
        { V2(C_GLOBAL_2, "010f" "04" "00000000" C_UTXO, C_OUT_2), "input 0: version 2 needs a previous txid and an output number" },
        { V2(C_GLOBAL_2, C_SPENDS_2 C_UTXO, "0104" "02" "6a00"), "output 0: version 2 needs an amount and a script" },
        { V2(C_GLOBAL_2 C_GLOBAL_0, C_SPENDS_2, C_OUT_2), "global map: a field that this version of PSBT does not have" },
        { V2(C_GLOBAL_2, C_SPENDS_2 "0111" "04" "ff64cd1d", C_OUT_2), "input 0: a required time that is a height" },
        { V2(C_GLOBAL_2, C_SPENDS_2 "0112" "04" "00000000", C_OUT_2), "input 0: a required height that is none" },
        { V2(C_GLOBAL_2, C_SPENDS_2 "0112" "04" "0065cd1d", C_OUT_2), "input 0: a required height that is none" },
    };
    each_is_answered(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(not_signable)
{
    static const struct { const char *hex, *words; } bad[] = {
        { V0(C_FINAL), "input 0: the output that it spends is needed: add a witness UTXO" },
        { V0(C_UTXO C_FINAL C_OURS), "input 0: a final witness and a proprietary one: give one of them" },
        { V0(C_UTXO C_FINAL "0103" "04" "01000000"), "input 0: asks for another sighash type than DEFAULT" },
        { V0(C_UTXO C_FINAL "0103" "04" "00000000"), NULL },
        { V0(C_UTXO "0103" "04" "01000000"), NULL },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        PSBT p = NULL;
        struct psbt_fault why;
        struct raw r;
        char words[PSBT_TEXT];
        read_good(&p, &r, bad[i].hex);
        ASSERT_CODE(psbt_signable(&why, p), bad[i].words ? E_FORMAT : E_OK);
        psbt_fault_text(words, &why);
        ck_assert_str_eq(words, bad[i].words ? bad[i].words : "no fault");
    }
}
END_TEST

#define TIME(hex) "0111" "04" hex
#define HEIGHT(hex) "0112" "04" hex
START_TEST(lock_times)
{
    static const char fall[] = "0103" "04" "07000000";
    static const struct { const char *global, *one, *two; uint32_t want; bool good; } cases[] = {
        { "", "", "", 0, true },
        { fall, "", "", 7, true },
        { fall, HEIGHT("0a000000"), "", 10, true },
        { fall, HEIGHT("0a000000"), HEIGHT("0b000000"), 11, true },
        { fall, TIME("0065cd1d"), "", 500000000, true },
        { fall, TIME("0065cd1d"), TIME("0165cd1d"), 500000001, true },
        { fall, TIME("0065cd1d") HEIGHT("0a000000"), "", 10, true },
        { fall, TIME("0065cd1d") HEIGHT("0a000000"), TIME("0165cd1d"), 500000001, true },
        { fall, TIME("0065cd1d") HEIGHT("0a000000"), HEIGHT("01000000"), 10, true },
        { fall, TIME("0065cd1d") HEIGHT("0a000000"), TIME("0165cd1d") HEIGHT("0c000000"), 12, true },
        { fall, TIME("0065cd1d"), HEIGHT("0a000000"), 0, false },
        { fall, HEIGHT("0a000000"), TIME("0065cd1d"), 0, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        PSBT p = NULL;
        struct psbt_fault why;
        struct raw r;
        char text[2048];
        snprintf(text, sizeof text, C_MAGIC "0102" "04" "02000000" "0104" "01" "02" "0105" "01" "01" "01fb" "04" "02000000" "%s" "00"
                 C_SPENDS_2 "%s" "00" C_SPENDS_2 "%s" "00" C_OUT_2 "00", cases[i].global, cases[i].one, cases[i].two);
        raw_of(&r, text);
        ASSERT_CODE(psbt_parse(&p, &why, r.b, r.n), cases[i].good ? E_OK : E_FORMAT);
        if (cases[i].good) ck_assert_uint_eq(p->tx->locktime, cases[i].want);
        else ck_assert_str_eq(why.text, "one input requires a lock time by height, another by time");
    }
}
END_TEST

/* Parse from a block of exactly that size, so that a sanitizer sees one byte too far. What parses is written back as it came. */
static bool holds(const uint8_t *from, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1), *back = malloc(n + 1);
    struct psbt_fault why;
    PSBT p = NULL;
    ck_assert(exact && back);
    memcpy(exact, from, n);
    err e = psbt_parse(&p, &why, exact, n);
    ck_assert_int_eq(p != NULL, e.code == E_OK);
    ck_assert_int_eq(why.text != NULL, e.code != E_OK);
    if (p) {
        struct psbt_signature *none = calloc(p->tx->in_count, sizeof *none);
        struct wr w = wr_of(back, n);
        psbt_write(&w, p, none, true);
        ck_assert(!w.full && w.len == n && memcmp(back, exact, n) == 0);
        free(none);
    }
    free(back);
    free(exact);
    return p != NULL;
}

START_TEST(every_cut_and_every_byte)
{
    static const char *const good[] = {
        C_PSBT_0, C_PSBT_2, V0(C_UTXO C_MERKLE C_OURS C_UNKNOWN), V2(C_GLOBAL_2 "0106" "01" "03", C_SPENDS_2 C_OURS C_UTXO HEIGHT("0a000000"), C_OUT_2),
    };
    log_open("test", LOG_ERROR + 1);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct raw r;
        unsigned taken = 0;
        raw_of(&r, good[i]);
        ck_assert(holds(r.b, r.n));
        for (size_t n = 0; n < r.n; n++) ck_assert_msg(!holds(r.b, n), "case %zu cut at %zu", i, n);
        for (size_t at = 0; at < r.n; at++)
            for (unsigned by = 1; by < 256; by++) {
                r.b[at] ^= (uint8_t)by;
                taken += holds(r.b, r.n);
                r.b[at] ^= (uint8_t)by;
            }
        ck_assert_uint_gt(taken, 1000);          /* other amounts, scripts, roots */
    }
}
END_TEST

START_TEST(too_many_and_unsorted)
{
    const size_t most = PSBT_KEYS_MAX + 2;
    struct psbt_fault why;
    struct raw head;
    raw_of(&head, C_MAGIC C_GLOBAL_0 "00");
    for (int order = 0; order < 2; order++)
        for (size_t count = PSBT_KEYS_MAX; count <= PSBT_KEYS_MAX + 1; count++) {
            BYTES room = NULL;
            PSBT p = NULL;
            ASSERT_OK(mem_new(&room, head.n + most * 5 + 2));
            struct wr w = wr_of(room, head.n + most * 5 + 2);
            wr_bytes(&w, head.b, head.n);
            for (size_t i = 0; i < count; i++) {
                const size_t k = order ? count - i : i;
                wr_u8(&w, 3);
                wr_u8(&w, 0xf0);
                wr_u16be(&w, (uint16_t)k);
                wr_u8(&w, 0);
            }
            wr_u16(&w, 0);
            ASSERT_CODE(psbt_parse(&p, &why, room, w.len), count > PSBT_KEYS_MAX ? E_LIMIT : E_OK);
            if (count > PSBT_KEYS_MAX) continue;
            room[head.n + 5 * 17 + 3] ^= 1;      /* now two are alike, far from each other's place or near */
            ASSERT_CODE(psbt_parse(&p, &why, room, w.len), E_FORMAT);
            ck_assert_str_eq(why.text, "a key is there twice");
        }
    BYTES large = NULL;
    PSBT p = NULL;
    ASSERT_OK(mem_new(&large, PSBT_MAX + 1));
    ASSERT_CODE(psbt_parse(&p, &why, large, PSBT_MAX + 1), E_LIMIT);
}
END_TEST

static void check_written(const char *from, const char *annex, bool finalise, const char *want)
{
    PSBT p = NULL;
    PSBT again = NULL;
    struct raw r, sig, extra;
    uint8_t out[4096];
    struct psbt_fault why;
    read_good(&p, &r, from);
    raw_of(&sig, SIG);
    raw_of(&extra, annex);
    struct psbt_signature s = { .sig = sig.b, .annex = { extra.b, extra.n } };
    struct wr w = wr_of(out, psbt_room(r.n, 1));
    ck_assert_uint_le(w.cap, sizeof out);
    psbt_write(&w, p, &s, finalise);
    ck_assert(!w.full);
    char text[2 * sizeof out + 1];
    hex_from(text, out, w.len);
    ck_assert_str_eq(text, want);
    ASSERT_OK(psbt_parse(&again, &why, out, w.len));
}

#define KEY_SIG "0113" "40" SIG
#define FINAL_SIG "0108" "42" "01" "40" SIG
#define LEAF "2215" C_CONTROL "02" "51c0"
START_TEST(written)
{
    /* In place, and what else is there stays: utxo, leaf, root, unknown. */
    check_written(C_PSBT_0, "", false, V0(C_UTXO KEY_SIG));
    check_written(C_PSBT_0, "", true, V0(C_UTXO FINAL_SIG));
    check_written(V0(C_UTXO C_FINAL LEAF C_MERKLE C_UNKNOWN), "", false, V0(C_UTXO KEY_SIG LEAF C_MERKLE C_UNKNOWN));
    check_written(V0(C_UTXO C_FINAL LEAF C_MERKLE C_UNKNOWN), "", true, V0(C_UTXO FINAL_SIG C_UNKNOWN));
    check_written(V0(C_UNKNOWN C_OURS C_UTXO "0107" "00"), "", false, V0(KEY_SIG C_UNKNOWN C_UTXO));
    check_written(V0(C_UNKNOWN C_OURS C_UTXO "0107" "00"), "", true, V0(FINAL_SIG C_UNKNOWN C_UTXO));
    /* A signature that was there before goes, whatever it was. */
    check_written(V0(C_UTXO C_FINAL "0113" "40" C_ROOT C_ROOT), "", false, V0(C_UTXO KEY_SIG));
    check_written(V0(C_UTXO C_FINAL "0113" "40" C_ROOT C_ROOT), "", true, V0(C_UTXO FINAL_SIG));
    /* Another's proprietary field is not ours to take. */
    check_written(V0(C_UTXO C_FINAL "0bfc08686f6c646661737401" "01" "01" "0cfc08686f6c64666173740001" "00"), "", true,
                  V0(C_UTXO FINAL_SIG "0bfc08686f6c646661737401" "01" "01" "0cfc08686f6c64666173740001" "00"));
    /* No other field has room for an annex. */
    for (int finalise = 0; finalise < 2; finalise++)
        check_written(V0(C_UTXO "0108" "28" "03" "0151" "21" C_CONTROL "025000" C_MERKLE), "5000", finalise, V0(C_UTXO "0108" "45" "02" "40" SIG "025000"));
}
END_TEST

START_TEST(written_version_2)
{
    static const char with[] = C_GLOBAL_2 "0106" "01" "ff", fixed[] = C_GLOBAL_2 "0106" "01" "fc";
    char from[2048], want[2048];
    snprintf(from, sizeof from, C_MAGIC "%s" "00" C_UTXO C_FINAL C_SPENDS_2 HEIGHT("0a000000") C_MERKLE "00" C_OUT_2 "00", with);
    snprintf(want, sizeof want, C_MAGIC "%s" "00" C_UTXO FINAL_SIG C_SPENDS_2 HEIGHT("0a000000") "00" C_OUT_2 "00", fixed);
    check_written(from, "", true, want);
    snprintf(want, sizeof want, C_MAGIC "%s" "00" C_UTXO C_SPENDS_2 HEIGHT("0a000000") KEY_SIG C_MERKLE "00" C_OUT_2 "00", fixed);
    check_written(from, "", false, want);
}
END_TEST

static err parse_once(void *ctx, unsigned long n)
{
    (void)n;
    const struct raw *r = ctx;
    struct psbt_fault why;
    PSBT p = NULL;
    return psbt_parse(&p, &why, r->b, r->n);
}

START_TEST(no_memory)
{
    static struct raw r;
    raw_of(&r, C_PSBT_2);
    FAULT_LOOP(FAULT_ALLOC, parse_once, &r);
    raw_of(&r, C_PSBT_0);
    FAULT_LOOP(FAULT_ALLOC, parse_once, &r);
}
END_TEST

static Suite *psbt_suite(void)
{
    return CHECK_SUITE("psbt", both_versions, non_witness_utxo, refused_globals, refused_maps, refused_version_2, not_signable,
                       lock_times, every_cut_and_every_byte, too_many_and_unsorted, written, written_version_2, no_memory);
}
CHECK_MAIN(psbt_suite)
