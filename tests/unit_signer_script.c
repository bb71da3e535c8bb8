/* The engine over scripts made up here: what must be refused, limits, and the state it keeps
 * (none). That opcodes do what they should, the published vectors say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/script_case.h"
#include "tests/support/check_main.h"

#define EMULATE   SCRIPT_FLAGS_EMULATE
#define CONSENSUS SCRIPT_FLAGS_CONSENSUS
#define NEW_TAPSCRIPT (SCRIPT_CAT | SCRIPT_CSFS | SCRIPT_INTERNALKEY | SCRIPT_TEMPLATEHASH | SCRIPT_PAIRCOMMIT)

/* ---- what consensus lets pass ---- */

/* BIP342's list, written out here a second time. */
static bool success_by_bip342(unsigned op)
{
    static const uint8_t list[] = { 80, 98, 126, 127, 128, 129, 131, 132, 133, 134, 137, 138, 141, 142, 149, 150, 151, 152, 153 };
    for (size_t i = 0; i < sizeof list; i++)
        if (list[i] == op)
            return true;
    return op >= 187 && op <= 254;
}

START_TEST(op_success_is_refused)
{
    for (unsigned op = 0x4f; op < 256; op++) {
        SCRIPT_CASE c;
        case_open(&c);
        /* Behind it what cannot be decoded, in front what is false: neither counts on chain. */
        uint8_t script[] = { 0x00, (uint8_t)op, 0x4c };
        case_leaf(&c, 0xc0, (struct span){ script, sizeof script }, NULL, 0, NULL);
        if (success_by_bip342(op)) {
            case_expect(&c, CONSENSUS, SCRIPT_ERR_OK);
            case_expect(&c, EMULATE, SCRIPT_ERR_DISCOURAGE_OP_SUCCESS);
            ck_assert_uint_eq(c.res.op_at, 1);
            ck_assert_uint_eq(c.res.opcode, op);
            ck_assert_int_eq(c.res.part, SCRIPT_PART_TAPSCRIPT);
        } else {
            case_expect(&c, CONSENSUS, SCRIPT_ERR_BAD_OPCODE);
            case_expect(&c, EMULATE, SCRIPT_ERR_BAD_OPCODE);
        }
    }
}
END_TEST

START_TEST(leaf_versions_are_refused)
{
    for (unsigned version = 0; version < 256; version += 2) {
        SCRIPT_CASE c;
        case_open(&c);
        if (version == 0x50)                 /* a control block that begins so is an annex */
            continue;
        case_leaf(&c, (uint8_t)version, asm_of("0"), NULL, 0, NULL);
        case_expect(&c, CONSENSUS, version == 0xc0 ? SCRIPT_ERR_EVAL_FALSE : SCRIPT_ERR_OK);
        case_expect(&c, EMULATE, version == 0xc0 ? SCRIPT_ERR_EVAL_FALSE : SCRIPT_ERR_DISCOURAGE_UPGRADABLE_TAPROOT_VERSION);
    }
}
END_TEST

START_TEST(key_types_are_refused)
{
    for (size_t n = 0; n <= 65; n++) {
        SCRIPT_CASE c;
        case_open(&c);
        struct span items[] = { fill_of(0x11, 64), fill_of(2, n) };
        enum script_error open = n == 0 ? SCRIPT_ERR_TAPSCRIPT_EMPTY_PUBKEY : n == 32 ? SCRIPT_ERR_SCHNORR_SIG : SCRIPT_ERR_OK;
        enum script_error strict = open ? open : SCRIPT_ERR_DISCOURAGE_UPGRADABLE_PUBKEYTYPE;
        for (int empty = 0; empty < 2; empty++) {
            if (empty)
                items[0].n = 0;
            case_leaf(&c, 0xc0, asm_of("CHECKSIG"), items, 2, NULL);
            enum script_error no = n == 0 || !empty ? open : SCRIPT_ERR_EVAL_FALSE;
            case_expect(&c, CONSENSUS, no);
            case_expect(&c, EMULATE, empty && n == 32 ? no : strict);
        }
    }
}
END_TEST

START_TEST(upgradable_nops_are_refused)
{
    static const char *const nops[] = { "NOP1", "NOP4", "NOP5", "NOP6", "NOP7", "NOP8", "NOP9", "NOP10" };
    for (size_t i = 0; i < sizeof nops / sizeof *nops; i++) {
        SCRIPT_CASE c;
        char words[32];
        case_open(&c);
        snprintf(words, sizeof words, "1 %s", nops[i]);
        case_words(&c, words, NULL);
        case_expect(&c, CONSENSUS, SCRIPT_ERR_OK);
        case_expect(&c, EMULATE, SCRIPT_ERR_DISCOURAGE_UPGRADABLE_NOPS);
        /* Not executed: nothing to refuse. */
        snprintf(words, sizeof words, "1 0 IF %s ENDIF", nops[i]);
        case_words(&c, words, NULL);
        case_expect(&c, EMULATE, SCRIPT_ERR_OK);
    }
}
END_TEST

START_TEST(witness_versions_are_refused)
{
    for (uint8_t version = 0x51; version <= 0x60; version++) {
        SCRIPT_CASE c;
        case_open(&c);
        uint8_t program[] = { version, 3, 1, 2, 3 };
        c.spent[0].script = (struct span){ program, sizeof program };
        case_expect(&c, CONSENSUS, SCRIPT_ERR_OK);
        case_expect(&c, EMULATE, SCRIPT_ERR_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM);
    }
}
END_TEST

/* What consensus refuses, the strict flags refuse too: over random scripts of opcodes likely to run. */
START_TEST(emulate_allows_only_what_consensus_allows)
{
    static const uint8_t likely[] = { 0x00, 0x51, 0x52, 0x60, 0x61, 0x63, 0x64, 0x67, 0x68, 0x69, 0x6b, 0x6c, 0x6d, 0x6e, 0x75, 0x76,
                                      0x77, 0x7a, 0x7b, 0x7c, 0x7e, 0x82, 0x87, 0x88, 0x8b, 0x93, 0x9a, 0xa8, 0xab, 0xac, 0xb0, 0xb1,
                                      0xb2, 0xb3, 0xba, 0xcb, 0xcc, 0xcd, 0xce };
    unsigned long allowed = 0, waved = 0;
    srand(7);
    for (int i = 0; i < 20000; i++) {
        SCRIPT_CASE c;
        case_open(&c);
        uint8_t script[12];
        struct span items[] = { hex_of("01"), hex_of(""), hex_of("0102"), hex_of(CASE_KEY) };
        size_t n = 1 + (size_t)rand() % sizeof script;
        for (size_t k = 0; k < n; k++)
            script[k] = rand() % 50 ? likely[(size_t)rand() % sizeof likely] : (uint8_t)rand();
        case_leaf(&c, 0xc0, (struct span){ script, n }, items, (size_t)rand() % 5, NULL);
        uint64_t rules = rand() % 2 ? NEW_TAPSCRIPT | SCRIPT_CTV : 0;
        bool strict = case_run(&c, EMULATE | rules, NULL) == SCRIPT_ERR_OK;
        bool open = case_run(&c, CONSENSUS | rules, NULL) == SCRIPT_ERR_OK;
        bool bare = case_run(&c, CONSENSUS, NULL) == SCRIPT_ERR_OK;
        ck_assert(!strict || open);
        ck_assert(!open || bare);            /* a rule only takes away */
        allowed += strict;
        waved += bare && !strict;
    }
    ck_assert_uint_gt(allowed, 200);         /* or the test would say nothing */
    ck_assert_uint_gt(waved, 200);
}
END_TEST

/* ---- limits of consensus ---- */

START_TEST(stack_sizes)
{
    SCRIPT_CASE c;
    struct span items[1100];
    case_open(&c);
    for (size_t i = 0; i < 1100; i++)
        items[i] = hex_of("01");
    uint8_t drops[500];
    memset(drops, 0x6d, sizeof drops);       /* 2DROP */
    drops[499] = 0x75;
    case_leaf(&c, 0xc0, (struct span){ drops, 500 }, items, 1000, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_OK);
    case_leaf(&c, 0xc0, (struct span){ drops, 500 }, items, 1001, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_STACK_SIZE);
    case_leaf(&c, 0xc0, asm_of("DUP"), items, 1000, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_STACK_SIZE);
    case_leaf(&c, 0xc0, asm_of("TOALTSTACK DUP"), items, 999, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_CLEANSTACK);
    case_leaf(&c, 0xc0, asm_of("TOALTSTACK DUP"), items, 1000, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_STACK_SIZE);
    case_leaf(&c, 0xc0, asm_of("TOALTSTACK 3DUP"), items, 998, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_STACK_SIZE);
}
END_TEST

/* A v0 witness may start above the limit if the first opcode ends below it. */
START_TEST(first_stack_of_v0)
{
    SCRIPT_CASE c;
    struct span items[1200];
    case_open(&c);
    for (size_t i = 0; i < 1200; i++)
        items[i] = hex_of("");
    for (size_t count = 1039; count <= 1045; count++) {
        size_t top = count;
        items[--top] = hex_of("14");                                    /* 20 keys, all empty */
        top -= 20;
        items[--top] = hex_of("14");                                    /* 20 signatures, all empty */
        case_p2wsh(&c, asm_of("CHECKMULTISIG"), items, count);
        case_expect(&c, CONSENSUS, count <= 1042 ? SCRIPT_ERR_CLEANSTACK : SCRIPT_ERR_STACK_SIZE);
        for (size_t i = 0; i < 1200; i++)
            items[i] = hex_of("");
    }
    case_p2wsh(&c, asm_of("2DROP"), items, 1002);
    case_expect(&c, CONSENSUS, SCRIPT_ERR_CLEANSTACK);
    case_p2wsh(&c, asm_of("2DROP"), items, 1003);
    case_expect(&c, CONSENSUS, SCRIPT_ERR_STACK_SIZE);
    items[3] = fill_of(0, 521);
    case_p2wsh(&c, asm_of("2DROP"), items, 1200);
    case_expect(&c, CONSENSUS, SCRIPT_ERR_PUSH_SIZE);
}
END_TEST

START_TEST(element_sizes)
{
    SCRIPT_CASE c;
    case_open(&c);
    struct span item = fill_of(1, 520);
    case_leaf(&c, 0xc0, asm_of("SIZE 0x02 0x0802 EQUALVERIFY"), &item, 1, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_OK);
    item = fill_of(1, 521);
    case_leaf(&c, 0xc0, asm_of("DROP 1"), &item, 1, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_PUSH_SIZE);
    uint8_t *script = row_room(600);         /* in a branch not taken, too */
    memcpy(script, (uint8_t[]){ 0x51, 0x00, 0x63, 0x4d, 0x09, 0x02 }, 6);
    script[6 + 521] = 0x68;
    case_leaf(&c, 0xc0, (struct span){ script, 6 + 521 + 1 }, NULL, 0, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_PUSH_SIZE);
    ck_assert_uint_eq(c.res.op_at, 3);
    ck_assert_uint_eq(c.res.opcode, 0x4d);
}
END_TEST

/* Tapscript has no limit on length, opcodes or depth but the witness itself; ours come from a budget. */
START_TEST(long_tapscripts)
{
    SCRIPT_CASE c;
    case_open(&c);
    enum { DEPTH = 100000 };
    uint8_t *script = row_room(DEPTH * 3 + 1), *p = script;
    for (int i = 0; i < DEPTH; i++) {
        *p++ = 0x51;
        *p++ = 0x63;                          /* 1 IF */
    }
    *p++ = 0x51;
    memset(p, 0x68, DEPTH);
    case_leaf(&c, 0xc0, (struct span){ script, DEPTH * 3 + 1 }, NULL, 0, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_OK);
    case_leaf(&c, 0xc0, (struct span){ script, DEPTH * 3 }, NULL, 0, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_UNBALANCED_CONDITIONAL);
}
END_TEST

START_TEST(conditions)
{
    static const struct { const char *words; enum script_error want; } rows[] = {
        { "1 IF 1 ELSE 0 ENDIF", SCRIPT_ERR_OK }, { "0 IF 0 ELSE 1 ENDIF", SCRIPT_ERR_OK },
        { "1 IF 1 ELSE 0 ELSE 1 ENDIF VERIFY", SCRIPT_ERR_OK },                       /* each ELSE turns it */
        { "0 NOTIF 1 ENDIF", SCRIPT_ERR_OK }, { "1 IF", SCRIPT_ERR_UNBALANCED_CONDITIONAL },
        { "0 IF 1 IF VER ENDIF ELSE 1 ENDIF", SCRIPT_ERR_DISCOURAGE_OP_SUCCESS },
        { "0 IF 0 IF RETURN ELSE RETURN ENDIF RETURN ELSE 1 ENDIF", SCRIPT_ERR_OK },
        { "ELSE", SCRIPT_ERR_UNBALANCED_CONDITIONAL }, { "ENDIF", SCRIPT_ERR_UNBALANCED_CONDITIONAL },
        { "IF 1 ENDIF", SCRIPT_ERR_UNBALANCED_CONDITIONAL }, { "2 IF 1 ENDIF", SCRIPT_ERR_TAPSCRIPT_MINIMALIF },
        { "0x01 0x00 IF ELSE 1 ENDIF", SCRIPT_ERR_TAPSCRIPT_MINIMALIF },
        { "0 IF VERIF ENDIF 1", SCRIPT_ERR_BAD_OPCODE }, { "0 IF VERNOTIF ENDIF 1", SCRIPT_ERR_BAD_OPCODE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCRIPT_CASE c;
        case_open(&c);
        case_words(&c, rows[i].words, NULL);
        case_expect(&c, EMULATE, rows[i].want);
    }
}
END_TEST

/* ---- signatures ---- */

START_TEST(weight_of_signatures)
{
    /* n signatures need 50 n <= 50 + the witness's bytes: here the script and the signature itself. */
    for (size_t dups = 1; dups < 12; dups++) {
        SCRIPT_CASE c;
        case_open(&c);
        uint8_t *script = row_room(200);
        size_t n = 0;
        for (size_t i = 0; i < dups; i++)
            script[n++] = 0x76;               /* DUP */
        for (size_t i = 0; i < dups + 1; i++) {
            script[n++] = 0x51;
            script[n++] = 0xad;               /* 1 CHECKSIGVERIFY: a key of an unknown type */
        }
        script[n++] = 0x51;
        struct span sig = hex_of("aa");
        case_leaf(&c, 0xc0, (struct span){ script, n }, &sig, 1, NULL);
        size_t left = 50 + 1 + 2 + (1 + n) + (1 + 33);
        bool fits = (dups + 1) * 50 <= left;
        case_expect(&c, CONSENSUS, fits ? SCRIPT_ERR_OK : SCRIPT_ERR_TAPSCRIPT_VALIDATION_WEIGHT);
    }
}
END_TEST

START_TEST(codeseparator_and_annex)
{
    SCRIPT_CASE c;
    case_open(&c);
    struct span annex = hex_of("50aabb"), other = hex_of("50aabc");
    const char *words = "0 IF CODESEPARATOR ENDIF CODESEPARATOR 0x20 0x" CASE_KEY " CHECKSIG";
    case_leaf(&c, 0xc0, asm_of(words), NULL, 0, NULL);
    struct span sig = case_sign(&c, 0, 4, 0, &annex), wrong = case_sign(&c, 0, 2, 0, &annex);
    case_leaf(&c, 0xc0, asm_of(words), &sig, 1, &annex);
    case_expect(&c, EMULATE, SCRIPT_ERR_OK);
    case_leaf(&c, 0xc0, asm_of(words), &sig, 1, &other);
    case_expect(&c, EMULATE, SCRIPT_ERR_SCHNORR_SIG);
    case_leaf(&c, 0xc0, asm_of(words), &sig, 1, NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_SCHNORR_SIG);
    case_leaf(&c, 0xc0, asm_of(words), &wrong, 1, &annex);
    case_expect(&c, EMULATE, SCRIPT_ERR_SCHNORR_SIG);
    ck_assert_uint_eq(c.res.op_at, 6);
}
END_TEST

/* Signatures are over the spent outputs as they are, whatever script the engine is shown. */
START_TEST(emulated_script_and_actual_output)
{
    SCRIPT_CASE c;
    case_open(&c);
    const char *words = "0x20 0x" CASE_KEY " CHECKSIG";
    case_words(&c, words, NULL);
    struct span emulated = c.spent[0].script, actual = fill_of(3, 34);
    c.spent[0].script = actual;
    struct span sig = case_sign(&c, 0, UINT32_MAX, 0, NULL);
    case_leaf(&c, 0xc0, asm_of(words), &sig, 1, NULL);
    c.spent[0].script = actual;
    ASSERT_OK(sighash_cache_make(&c.cache, &c.tx, c.spent));
    ASSERT_OK(script_verify(c.engine, &c.res, &c.cache, 0, emulated.p, emulated.n, EMULATE, NULL));
    c.spent[0].script = emulated;
    ASSERT_OK(sighash_cache_make(&c.cache, &c.tx, c.spent));
    ASSERT_CODE(script_verify(c.engine, &c.res, &c.cache, 0, emulated.p, emulated.n, EMULATE, NULL), E_DENIED);
    ASSERT_CODE(script_verify(c.engine, &c.res, &c.cache, 1, emulated.p, emulated.n, EMULATE, NULL), E_FORMAT);
}
END_TEST

START_TEST(commitment_is_checked)
{
    SCRIPT_CASE c;
    case_open(&c);
    case_words(&c, "1", NULL);
    case_expect(&c, EMULATE, SCRIPT_ERR_OK);
    size_t n = c.in[0].witness.n;
    uint8_t *w = row_room(n + 64);
    memcpy(w, c.in[0].witness.p, n);
    c.in[0].witness.p = w;
    for (size_t i = 0; i < n; i++) {         /* script byte, parity and version, internal key */
        if (i == 0 || i == 2)
            continue;                         /* lengths */
        w[i] ^= 1;
        ck_assert_int_ne(case_run(&c, CONSENSUS, NULL), SCRIPT_ERR_OK);
        ck_assert_int_eq(c.res.error, SCRIPT_ERR_WITNESS_PROGRAM_MISMATCH);
        w[i] ^= 1;
    }
    w[2] = 32;                                /* a control block of 32 bytes, then of 34 */
    c.in[0].witness.n = n - 1;
    case_expect(&c, CONSENSUS, SCRIPT_ERR_TAPROOT_WRONG_CONTROL_SIZE);
    w[2] = 34;
    c.in[0].witness.n = n + 1;
    case_expect(&c, CONSENSUS, SCRIPT_ERR_TAPROOT_WRONG_CONTROL_SIZE);
}
END_TEST

/* ---- nothing stays behind ---- */

START_TEST(no_state_between_calls)
{
    SCRIPT_CASE c, d;
    struct span items[900];
    case_open(&c);
    case_open(&d);
    for (size_t i = 0; i < 900; i++)
        items[i] = hex_of("01");
    case_leaf(&c, 0xc0, asm_of("TOALTSTACK 1 IF CODESEPARATOR RETURN"), items, 900, NULL);
    case_words(&d, "DEPTH 0 EQUALVERIFY FROMALTSTACK", NULL);
    struct script_engine *own = d.engine;
    d.engine = c.engine;
    for (int i = 0; i < 5; i++) {
        case_expect(&c, EMULATE, SCRIPT_ERR_OP_RETURN);
        case_expect(&d, EMULATE, SCRIPT_ERR_INVALID_ALTSTACK_OPERATION);
        ck_assert_uint_eq(d.res.op_at, 3);
    }
    d.engine = own;
}
END_TEST

START_TEST(names)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = script_flag_name(SCRIPT_BIT(bit));
        uint64_t back;
        if (!name)
            continue;
        ck_assert(script_flag_named(&back, name, strlen(name)));
        ck_assert_uint_eq(back, SCRIPT_BIT(bit));
    }
    uint64_t f;
    ck_assert(script_flag_named(&f, "NONE", 4) && f == 0);
    ck_assert(!script_flag_named(&f, "TAPROO", 6));
    ck_assert(!script_flag_named(&f, "", 0));
    ck_assert_ptr_null(script_flag_name(0));
    ck_assert_str_eq(script_error_name(SCRIPT_ERR_OK), "OK");
    ck_assert_str_eq(script_error_name(SCRIPT_ERR_CAP_HASHED_BYTES), "CAP_HASHED_BYTES");
    ck_assert_str_eq(script_error_name(SCRIPT_ERROR_COUNT), "UNKNOWN_ERROR");
    ck_assert_str_eq(script_opcode_name(0xac), "OP_CHECKSIG");
    ck_assert_str_eq(script_opcode_name(0xfe), "OP_SUCCESS");
    ck_assert_str_eq(script_opcode_name(0xff), "OP_UNKNOWN");
    ck_assert_uint_eq(script_flags_fill(SCRIPT_TAPROOT), SCRIPT_TAPROOT | SCRIPT_WITNESS | SCRIPT_P2SH);
    ck_assert_uint_eq(script_flags_trim(SCRIPT_TAPROOT | SCRIPT_WITNESS | SCRIPT_CLEANSTACK), 0);
    ck_assert_uint_eq(script_flags_trim(CONSENSUS), CONSENSUS);
    ck_assert_uint_eq(script_flags_fill(EMULATE), EMULATE);
}
END_TEST

static Suite *refused(void)
{
    return CHECK_SUITE("script_refused", op_success_is_refused, leaf_versions_are_refused, key_types_are_refused,
                       upgradable_nops_are_refused, witness_versions_are_refused,
                       emulate_allows_only_what_consensus_allows);
}

static Suite *limits(void)
{
    return CHECK_SUITE("script_limits", stack_sizes, first_stack_of_v0, element_sizes, long_tapscripts, conditions,
                       weight_of_signatures, codeseparator_and_annex, emulated_script_and_actual_output,
                       commitment_is_checked, no_state_between_calls, names);
}

CHECK_MAIN(refused, limits)
