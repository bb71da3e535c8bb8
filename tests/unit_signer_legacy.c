/* Scripts from before taproot, where the published vectors leave a gap: forms of ECDSA signatures at their
 * limits, signatures inside scripts, locks at their edges, wrapped programs, and what ECDSA costs. */
#include <secp256k1.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "signer/ec.h"
#include "tests/script_case.h"
#include "tests/support/check_main.h"

#define CONSENSUS SCRIPT_FLAGS_CONSENSUS
#define COMPRESSED "02" CASE_KEY

/* Input 0 spends `script` bare, with this scriptSig. */
static void bare(struct script_case *c, struct span sig, struct span script)
{
    c->in[0].script_sig = sig;
    c->spent[0].script = script;
}

/* ---- BIP66's forms ---- */

START_TEST(der_forms)
{
    static const struct { const char *hex; bool strict; } rows[] = {
        { "3006020101020101" "01", true },
        { "3006020100020100" "01", true },
        { "300702020080020101" "01", true },                  /* 00 before a high bit */
        { "300702020001020101" "01", false },                 /* 00 before a low bit */
        { "300702010102020001" "01", false },
        { "300702010102020080" "01", true },
        { "3006020181020101" "01", false },                   /* negative */
        { "3006020101020181" "01", false },
        { "30050200020101" "01", false },                     /* no bytes at all */
        { "30050201010200" "01", false },
        { "3006030101020101" "01", false }, { "3006020101030101" "01", false },
        { "3106020101020101" "01", false }, { "3007020101020101" "01", false },
        { "3005020101020101" "01", false }, { "3006020201020101" "01", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCRIPT_CASE c;
        char words[200];
        case_open(&c);
        snprintf(words, sizeof words, "0x%02zx 0x%s", strlen(rows[i].hex) / 2, rows[i].hex);
        bare(&c, asm_of(words), asm_of("0x21 0x" COMPRESSED " CHECKSIG NOT"));
        case_expect(&c, 0, SCRIPT_ERR_OK);                    /* lax: read, and wrong */
        case_expect(&c, SCRIPT_DERSIG, rows[i].strict ? SCRIPT_ERR_OK : SCRIPT_ERR_SIG_DER);
    }
}
END_TEST

/* The longest strict signature is of 73 bytes with its hash type; one of 74 cannot be strict. */
START_TEST(der_longest)
{
    for (size_t extra = 0; extra < 2; extra++) {
        SCRIPT_CASE c;
        uint8_t sig[80] = { 0x30 }, script[80];
        size_t r = 33, s = 33 + extra, n = 6 + r + s;
        case_open(&c);
        sig[1] = (uint8_t)(n - 2);
        sig[2] = 2;
        sig[3] = (uint8_t)r;
        memset(sig + 4, 0x11, r);
        sig[4 + r] = 2;
        sig[5 + r] = (uint8_t)s;
        memset(sig + 6 + r, 0x11, s);
        sig[n] = 1;
        script[0] = (uint8_t)(n + 1);
        memcpy(script + 1, sig, n + 1);
        ck_assert_uint_eq(n + 1, 73 + extra);
        bare(&c, (struct span){ script, n + 2 }, asm_of("0x21 0x" COMPRESSED " CHECKSIG NOT"));
        case_expect(&c, SCRIPT_DERSIG, extra ? SCRIPT_ERR_SIG_DER : SCRIPT_ERR_OK);
    }
}
END_TEST

/* What the lax parser takes: a wrong outer length, long lengths, padding, bytes behind. */
START_TEST(lax_forms)
{
    secp256k1_context *ctx = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    static const uint8_t secret[32] = { [31] = 1 }, hash[32] = { 5 };
    secp256k1_ecdsa_signature made;
    uint8_t rs[64], good[80];
    ck_assert(secp256k1_ecdsa_sign(ctx, &made, hash, secret, NULL, NULL));
    secp256k1_ecdsa_signature_serialize_compact(ctx, rs, &made);
    struct span key = hex_of(COMPRESSED);
    static const struct { uint8_t outer[4]; size_t outer_n; uint8_t len[4]; size_t len_n; size_t pad, tail; bool reads; } rows[] = {
        { { 0x44 }, 1, { 0x20 }, 1, 0, 0, true },
        { { 0x00 }, 1, { 0x20 }, 1, 0, 3, true },
        { { 0x81, 0x07 }, 2, { 0x20 }, 1, 0, 0, true },
        { { 0x7f }, 1, { 0x81, 0x20 }, 2, 0, 0, true },
        { { 0x7f }, 1, { 0x83, 0x00, 0x00, 0x20 }, 4, 0, 0, true },
        { { 0x7f }, 1, { 0x24 }, 1, 4, 0, true },             /* zeros before the number */
        { { 0x7f }, 1, { 0x83, 0x01, 0x00, 0x20 }, 4, 0, 0, false },
        { { 0xff }, 1, { 0x20 }, 1, 0, 0, false },            /* an outer length of 127 bytes */
        { { 0x44 }, 1, { 0xa0 }, 1, 0, 0, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wr w = wr_of(good, sizeof good);
        wr_u8(&w, 0x30);
        wr_bytes(&w, rows[i].outer, rows[i].outer_n);
        wr_u8(&w, 2);
        wr_bytes(&w, rows[i].len, rows[i].len_n);
        for (size_t k = 0; k < rows[i].pad; k++)
            wr_u8(&w, 0);
        wr_bytes(&w, rs, 32);
        wr_u8(&w, 2);
        wr_u8(&w, 0x20);
        wr_bytes(&w, rs + 32, 32);
        for (size_t k = 0; k < rows[i].tail; k++)
            wr_u8(&w, 0xee);
        ck_assert(!w.full);
        ck_assert_int_eq(ec_ecdsa_verify(good, w.len, key.p, key.n, hash), rows[i].reads);
        ck_assert_int_eq(ec_ecdsa_low_s(good, w.len), rows[i].reads);
        for (size_t n = 0; n + rows[i].tail < w.len; n++)
            ck_assert(!ec_ecdsa_verify(good, n, key.p, key.n, hash));
    }
    secp256k1_context_destroy(ctx);
    row_done();
}
END_TEST

/* ---- signatures inside scripts ---- */

/* A script that holds its own signature, of each length that changes how it is pushed: it is cut out, which
 * CONST_SCRIPTCODE makes an error. One instruction later it is something else, and stays. */
START_TEST(signature_in_script)
{
    static const size_t sizes[] = { 0, 1, 75, 76, 255, 256, 520 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        SCRIPT_CASE c;
        size_t n = sizes[i];
        uint8_t *push = row_room(600), *script = row_room(700);
        case_open(&c);
        struct wr w = wr_of(push, 600);
        if (n >= 76)
            wr_u8(&w, n > 255 ? 0x4d : 0x4c);
        wr_u8(&w, (uint8_t)n);
        if (n > 255)
            wr_u8(&w, (uint8_t)(n >> 8));
        for (size_t k = 0; k < n; k++)
            wr_u8(&w, 0x42);
        struct wr s = wr_of(script, 700);
        wr_bytes(&s, push, w.len);            /* DROP key CHECKSIG NOT */
        wr_u8(&s, 0x75);
        wr_u8(&s, 33);
        wr_bytes(&s, hex_of(COMPRESSED).p, 33);
        wr_u8(&s, 0xac);
        wr_u8(&s, 0x91);
        bare(&c, (struct span){ push, w.len }, (struct span){ script, s.len });
        case_expect(&c, 0, SCRIPT_ERR_OK);
        case_expect(&c, SCRIPT_CONST_SCRIPTCODE, SCRIPT_ERR_SIG_FINDANDDELETE);
        uint8_t *other = row_room(600);
        memcpy(other, push, w.len);
        other[w.len - 1] ^= 1;
        if (n > 0) {
            bare(&c, (struct span){ other, w.len }, (struct span){ script, s.len });
            case_expect(&c, SCRIPT_CONST_SCRIPTCODE, SCRIPT_ERR_OK);
        }
    }
}
END_TEST

/* ---- locks ---- */

START_TEST(sequence_edges)
{
    static const struct { uint32_t have; int32_t version; const char *want; bool good; } rows[] = {
        { 10, 2, "0x02 0x0a00", true }, { 9, 2, "10", false }, { 10, 1, "10", false }, { 10, -1, "10", true },
        { 0x80000000 | 10, 2, "10", false },                  /* switched off by the input */
        { 0, 1, "0x05 0x0000008000", true },                  /* switched off by the script */
        { 0x400000 | 10, 2, "0x03 0x0a0040", true }, { 10, 2, "0x03 0x0a0040", false }, { 0x400000 | 10, 2, "10", false },
        { 0x3f0000 | 10, 2, "0x03 0x0a003f", true },          /* bits without a meaning are not compared */
        { 10, 2, "0x03 0x0a003f", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCRIPT_CASE c;
        char words[64];
        case_open(&c);
        c.in[0].sequence = rows[i].have;
        c.tx.version = rows[i].version;
        snprintf(words, sizeof words, "%s CHECKSEQUENCEVERIFY DROP 1", rows[i].want);
        case_words(&c, words, NULL);
        case_expect(&c, CONSENSUS, rows[i].good ? SCRIPT_ERR_OK : SCRIPT_ERR_UNSATISFIED_LOCKTIME);
    }
}
END_TEST

START_TEST(locktime_edges)
{
    static const struct { uint32_t have, sequence; const char *want; enum script_error error; } rows[] = {
        { 100, 0, "100", SCRIPT_ERR_OK }, { 100, 0, "101", SCRIPT_ERR_UNSATISFIED_LOCKTIME },
        { 100, 0xffffffff, "100", SCRIPT_ERR_UNSATISFIED_LOCKTIME }, { 100, 0xfffffffe, "100", SCRIPT_ERR_OK },
        { 499999999, 0, "499999999", SCRIPT_ERR_OK }, { 500000000, 0, "499999999", SCRIPT_ERR_UNSATISFIED_LOCKTIME },
        { 499999999, 0, "500000000", SCRIPT_ERR_UNSATISFIED_LOCKTIME }, { 500000000, 0, "500000000", SCRIPT_ERR_OK },
        { 0xffffffff, 0, "0x05 0xffffffff00", SCRIPT_ERR_OK }, { 0xffffffff, 0, "0x05 0x0000000001", SCRIPT_ERR_UNSATISFIED_LOCKTIME },
        { 100, 0, "-1", SCRIPT_ERR_NEGATIVE_LOCKTIME }, { 100, 0, "0x06 0x010000000000", SCRIPT_ERR_UNKNOWN_ERROR },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCRIPT_CASE c;
        char words[64];
        case_open(&c);
        c.tx.locktime = rows[i].have;
        c.in[0].sequence = rows[i].sequence;
        snprintf(words, sizeof words, "%s CHECKLOCKTIMEVERIFY DROP 1", rows[i].want);
        case_words(&c, words, NULL);
        case_expect(&c, CONSENSUS, rows[i].error);
        case_expect(&c, CONSENSUS & ~SCRIPT_CHECKLOCKTIMEVERIFY, SCRIPT_ERR_OK);
    }
}
END_TEST

/* ---- programs ---- */

/* Version 1 of 32 bytes inside P2SH is no taproot: on chain it is anyone's, and here refused. */
START_TEST(wrapped_taproot)
{
    SCRIPT_CASE c;
    case_open(&c);
    struct span items[] = { hex_of("00") };
    case_witness(&c, items, 1);
    /* P2SH of 51 20 11..11 */
    struct span redeem = asm_of("1 0x20 0x1111111111111111111111111111111111111111111111111111111111111111");
    uint8_t sig[35] = { 34 };
    memcpy(sig + 1, redeem.p, 34);
    struct span dup = asm_of("HASH160 0x14 0x0000000000000000000000000000000000000000 EQUAL");
    uint8_t *spk = (uint8_t *)(uintptr_t)dup.p, h[32];
    sha256(h, redeem.p, redeem.n);
    ripemd160(spk + 2, h, 32);
    bare(&c, (struct span){ sig, 35 }, dup);
    case_expect(&c, CONSENSUS, SCRIPT_ERR_OK);
    case_expect(&c, SCRIPT_FLAGS_EMULATE, SCRIPT_ERR_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM);
    bare(&c, (struct span){ NULL, 0 }, redeem);
    case_expect(&c, CONSENSUS, SCRIPT_ERR_SCHNORR_SIG_SIZE);
}
END_TEST

START_TEST(pay_to_anchor)
{
    SCRIPT_CASE c;
    case_open(&c);
    bare(&c, (struct span){ NULL, 0 }, hex_of("51024e73"));
    case_expect(&c, CONSENSUS, SCRIPT_ERR_OK);
    case_expect(&c, SCRIPT_FLAGS_EMULATE, SCRIPT_ERR_OK);
    bare(&c, (struct span){ NULL, 0 }, hex_of("51024e74"));
    case_expect(&c, SCRIPT_FLAGS_EMULATE, SCRIPT_ERR_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM);
}
END_TEST

/* ---- cost ---- */

/* Each check of CHECKMULTISIG counts, whole transaction hashed or not. */
START_TEST(ecdsa_budget)
{
    SCRIPT_CASE c;
    case_open(&c);
    bare(&c, asm_of("0 0x09 0x300602010102010101"),
         asm_of("1 0x21 0x" COMPRESSED " 0x21 0x03" CASE_KEY " 2 CHECKMULTISIG NOT"));
    for (uint64_t allowed = 0; allowed < 4; allowed++) {
        struct script_budget b = SCRIPT_BUDGET_BLOCK;
        b.signatures = allowed;
        ck_assert_int_eq(case_run(&c, CONSENSUS, &b), allowed < 2 ? SCRIPT_ERR_CAP_SIGNATURES : SCRIPT_ERR_OK);
        ck_assert_int_eq(c.said.code, allowed < 2 ? E_LIMIT : E_OK);
        b = SCRIPT_BUDGET_BLOCK;
        b.hashed_bytes = allowed * (tx_size(&c.tx, false) + c.spent[0].script.n);
        ck_assert_int_eq(case_run(&c, CONSENSUS, &b), allowed < 2 ? SCRIPT_ERR_CAP_HASHED_BYTES : SCRIPT_ERR_OK);
    }
}
END_TEST

static Suite *legacy_suite(void)
{
    return CHECK_SUITE("script_legacy", der_forms, der_longest, lax_forms, signature_in_script, sequence_edges,
                       locktime_edges, wrapped_taproot, pay_to_anchor, ecdsa_budget);
}

CHECK_MAIN(legacy_suite)
