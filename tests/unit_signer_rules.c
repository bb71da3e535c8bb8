/* Opcodes and key types that the network has not activated: each behind its flag, refused without it, and
 * what the published vectors do not show of them. */
#include <stdio.h>
#include <string.h>

#include "tests/script_case.h"
#include "tests/support/check_main.h"

#define EMULATE   SCRIPT_FLAGS_EMULATE
#define CONSENSUS SCRIPT_FLAGS_CONSENSUS
#define NEW_TAPSCRIPT (SCRIPT_CAT | SCRIPT_CSFS | SCRIPT_INTERNALKEY | SCRIPT_TEMPLATEHASH | SCRIPT_PAIRCOMMIT)
#define ITEMS(...) ((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(new_opcodes_follow_their_flags)
{
    static const struct { const char *script; uint64_t rule, discourage; enum script_error discouraged; } rows[] = {
        { "1 2 CAT 0x02 0x0102 EQUAL", SCRIPT_CAT, SCRIPT_DISCOURAGE_CAT, SCRIPT_ERR_DISCOURAGE_OP_CAT },
        { "INTERNALKEY 0x20 0x" CASE_KEY " EQUAL", SCRIPT_INTERNALKEY, SCRIPT_DISCOURAGE_INTERNALKEY, SCRIPT_ERR_DISCOURAGE_INTERNALKEY },
        { "0 1 0x20 0x" CASE_KEY " CHECKSIGFROMSTACK NOT", SCRIPT_CSFS, SCRIPT_DISCOURAGE_CSFS, SCRIPT_ERR_DISCOURAGE_CHECKSIGFROMSTACK },
        { "1 2 PAIRCOMMIT SIZE 0x01 0x20 EQUALVERIFY", SCRIPT_PAIRCOMMIT, SCRIPT_DISCOURAGE_PAIRCOMMIT, SCRIPT_ERR_DISCOURAGE_PAIRCOMMIT },
        { "TEMPLATEHASH SIZE 0x01 0x20 EQUALVERIFY", SCRIPT_TEMPLATEHASH, SCRIPT_DISCOURAGE_TEMPLATEHASH, SCRIPT_ERR_DISCOURAGE_TEMPLATEHASH },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCRIPT_CASE c;
        case_open(&c);
        case_words(&c, rows[i].script, NULL);
        case_expect(&c, CONSENSUS, SCRIPT_ERR_OK);
        case_expect(&c, EMULATE, SCRIPT_ERR_DISCOURAGE_OP_SUCCESS);
        case_expect(&c, EMULATE | (NEW_TAPSCRIPT & ~rows[i].rule), SCRIPT_ERR_DISCOURAGE_OP_SUCCESS);
        case_expect(&c, EMULATE | rows[i].rule, SCRIPT_ERR_OK);
        case_expect(&c, EMULATE | rows[i].rule | rows[i].discourage, rows[i].discouraged);
        case_expect(&c, CONSENSUS | rows[i].discourage, rows[i].discouraged);
        /* Nowhere but in tapscript. */
        struct span one = asm_of(rows[i].script);
        case_p2wsh(&c, one, NULL, 0);
        case_expect(&c, CONSENSUS | NEW_TAPSCRIPT, rows[i].rule == SCRIPT_CAT ? SCRIPT_ERR_DISABLED_OPCODE : SCRIPT_ERR_BAD_OPCODE);
    }
}
END_TEST

START_TEST(cat_sizes)
{
    SCRIPT_CASE c;
    case_open(&c);
    struct span items[] = { fill_of(1, 260), fill_of(2, 260) };
    case_leaf(&c, 0xc0, asm_of("CAT SIZE 0x02 0x0802 EQUALVERIFY"), items, 2, NULL);
    case_expect(&c, EMULATE | SCRIPT_CAT, SCRIPT_ERR_OK);
    items[1] = fill_of(2, 261);
    case_leaf(&c, 0xc0, asm_of("CAT SIZE 0x02 0x0802 EQUALVERIFY"), items, 2, NULL);
    case_expect(&c, EMULATE | SCRIPT_CAT, SCRIPT_ERR_PUSH_SIZE);
    case_words(&c, "1 CAT", NULL);
    case_expect(&c, EMULATE | SCRIPT_CAT, SCRIPT_ERR_INVALID_STACK_OPERATION);
}
END_TEST

/* Vector K of the earlier signer: version 2, one input of fffffffd, 100000 sat to 6a00. */
START_TEST(ctv_template_and_sizes)
{
    SCRIPT_CASE c;
    case_open(&c);
    c.out[0] = (struct tx_out){ 100000, hex_of("6a00") };
    const char *right = "d4917046e1781ce7e1696231cf9dd12062396e3cb6905155b44e64f4cf834190";
    case_words(&c, "CHECKTEMPLATEVERIFY", ITEMS(right));
    case_expect(&c, EMULATE | SCRIPT_CTV, SCRIPT_ERR_OK);
    case_expect(&c, EMULATE, SCRIPT_ERR_DISCOURAGE_UPGRADABLE_NOPS);
    case_expect(&c, EMULATE | SCRIPT_CTV | SCRIPT_DISCOURAGE_CTV, SCRIPT_ERR_DISCOURAGE_CHECK_TEMPLATE_VERIFY_HASH);
    c.out[0].value = 50000;
    case_expect(&c, EMULATE | SCRIPT_CTV, SCRIPT_ERR_TEMPLATE_MISMATCH);
    /* Another length passes on chain, and so must not pass here. */
    for (size_t n = 1; n <= 64; n++) {
        struct span item = fill_of(1, n);
        case_leaf(&c, 0xc0, asm_of("CHECKTEMPLATEVERIFY"), &item, 1, NULL);
        case_expect(&c, CONSENSUS | SCRIPT_CTV, n == 32 ? SCRIPT_ERR_TEMPLATE_MISMATCH : SCRIPT_ERR_OK);
        case_expect(&c, EMULATE | SCRIPT_CTV,
                    n == 32 ? SCRIPT_ERR_TEMPLATE_MISMATCH : SCRIPT_ERR_DISCOURAGE_UPGRADABLE_CHECK_TEMPLATE_VERIFY_HASH);
    }
    case_words(&c, "CHECKTEMPLATEVERIFY 1", NULL);
    case_expect(&c, EMULATE | SCRIPT_CTV, SCRIPT_ERR_INVALID_STACK_OPERATION);
}
END_TEST

START_TEST(csfs_messages)
{
    for (size_t n = 0; n <= 520; n += n < 3 ? 1 : 47) {
        SCRIPT_CASE c;
        case_open(&c);
        struct span msg = fill_of(7, n), items[] = { case_sign_bytes(msg.p, n), msg, hex_of(CASE_KEY) };
        case_leaf(&c, 0xc0, asm_of("CHECKSIGFROMSTACK"), items, 3, NULL);
        case_expect(&c, EMULATE | SCRIPT_CSFS, SCRIPT_ERR_OK);
        items[1] = fill_of(8, n);
        case_leaf(&c, 0xc0, asm_of("CHECKSIGFROMSTACK"), items, 3, NULL);
        case_expect(&c, EMULATE | SCRIPT_CSFS, n == 0 ? SCRIPT_ERR_OK : SCRIPT_ERR_SCHNORR_SIG);
        items[0].n = 63;
        case_leaf(&c, 0xc0, asm_of("CHECKSIGFROMSTACK"), items, 3, NULL);
        case_expect(&c, EMULATE | SCRIPT_CSFS, SCRIPT_ERR_SCHNORR_SIG_SIZE);
        items[0].n = 65;
        case_leaf(&c, 0xc0, asm_of("CHECKSIGFROMSTACK"), items, 3, NULL);
        case_expect(&c, EMULATE | SCRIPT_CSFS, SCRIPT_ERR_SCHNORR_SIG_SIZE);
        items[2] = fill_of(2, 33);
        case_leaf(&c, 0xc0, asm_of("CHECKSIGFROMSTACK"), items, 3, NULL);
        case_expect(&c, CONSENSUS | SCRIPT_CSFS, SCRIPT_ERR_OK);
        case_expect(&c, EMULATE | SCRIPT_CSFS, SCRIPT_ERR_DISCOURAGE_UPGRADABLE_PUBKEYTYPE);
        items[2].n = 0;
        case_leaf(&c, 0xc0, asm_of("CHECKSIGFROMSTACK"), items, 3, NULL);
        case_expect(&c, EMULATE | SCRIPT_CSFS, SCRIPT_ERR_TAPSCRIPT_EMPTY_PUBKEY);
    }
}
END_TEST

/* CHECKSIGFROMSTACK counts against the witness's weight as CHECKSIG does. */
START_TEST(csfs_weight)
{
    for (size_t checks = 1; checks < 8; checks++) {
        SCRIPT_CASE c;
        case_open(&c);
        uint8_t *script = row_room(200);
        size_t n = 0;
        for (size_t i = 0; i < checks; i++, n += 6)
            memcpy(script + n, (uint8_t[]){ 0x76, 0x00, 0x51, 0xcc, 0x69, 0x61 }, 6);   /* DUP 0 1 CSFS VERIFY NOP */
        struct span sig = hex_of("aa");
        case_leaf(&c, 0xc0, (struct span){ script, n }, &sig, 1, NULL);
        bool fits = checks * 50 <= 50 + 1 + 2 + (1 + n) + (1 + 33);
        case_expect(&c, CONSENSUS | SCRIPT_CSFS, fits ? SCRIPT_ERR_OK : SCRIPT_ERR_TAPSCRIPT_VALIDATION_WEIGHT);
    }
}
END_TEST

/* BIP118: one signature, and what may change under it. */
START_TEST(apo_binds_what_it_should)
{
    static const struct { uint8_t type; bool outpoint, value, script, outputs; } rows[] = {   /* bound? */
        { 0x00, true, true, true, true }, { 0x01, true, true, true, true }, { 0x81, true, true, true, true },
        { 0x41, false, true, true, true }, { 0x42, false, true, true, false }, { 0xc1, false, false, false, true },
        { 0xc2, false, false, false, false }, { 0xc3, false, false, false, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int internal = 0; internal < 2; internal++) {
            SCRIPT_CASE c;
            case_open(&c);
            const char *check = internal ? "1 CHECKSIG" : "0x21 0x01" CASE_KEY " CHECKSIG";
            case_words(&c, check, NULL);
            struct span sig = case_sign(&c, rows[i].type, UINT32_MAX, 1, NULL);
            case_leaf(&c, 0xc0, asm_of(check), &sig, 1, NULL);
            case_expect(&c, EMULATE | SCRIPT_APO, SCRIPT_ERR_OK);
            case_expect(&c, EMULATE, SCRIPT_ERR_DISCOURAGE_UPGRADABLE_PUBKEYTYPE);
            case_expect(&c, EMULATE | SCRIPT_APO | SCRIPT_DISCOURAGE_APO, SCRIPT_ERR_DISCOURAGE_ANYPREVOUT);
#define BOUND(yes) case_expect(&c, EMULATE | SCRIPT_APO, (yes) ? SCRIPT_ERR_SCHNORR_SIG : SCRIPT_ERR_OK)
            c.in[0].vout ^= 1;
            BOUND(rows[i].outpoint);
            c.in[0].vout ^= 1;
            c.spent[0].value++;
            BOUND(rows[i].value);
            c.spent[0].value--;
            c.out[0].value--;
            BOUND(rows[i].outputs);
            c.out[0].value++;
            char longer[128];
            snprintf(longer, sizeof longer, "NOP %s", check);
            case_leaf(&c, 0xc0, asm_of(longer), &sig, 1, NULL);
            BOUND(rows[i].script);
            c.in[0].sequence ^= 1;
            BOUND(true);
        }
}
END_TEST

START_TEST(apo_hash_types_stay_apart)
{
    SCRIPT_CASE c;
    case_open(&c);
    /* With a plain key the new types do not exist; a plain signature is none for an APO key. */
    for (unsigned type = 0; type < 256; type++) {
        struct span sig = fill_of(1, 65);
        ((uint8_t *)(uintptr_t)sig.p)[64] = (uint8_t)type;
        bool known = type == 1 || type == 2 || type == 3 || (type >= 0x81 && type <= 0x83);
        bool apo = known || (type >= 0x41 && type <= 0x43) || (type >= 0xc1 && type <= 0xc3);
        case_leaf(&c, 0xc0, asm_of("0x20 0x" CASE_KEY " CHECKSIG"), &sig, 1, NULL);
        case_expect(&c, EMULATE | SCRIPT_APO, known ? SCRIPT_ERR_SCHNORR_SIG : SCRIPT_ERR_SCHNORR_SIG_HASHTYPE);
        case_leaf(&c, 0xc0, asm_of("1 CHECKSIG"), &sig, 1, NULL);
        case_expect(&c, EMULATE | SCRIPT_APO, apo ? SCRIPT_ERR_SCHNORR_SIG : SCRIPT_ERR_SCHNORR_SIG_HASHTYPE);
    }
    case_words(&c, "1 CHECKSIG", NULL);
    struct span sig = case_sign(&c, 0, UINT32_MAX, 0, NULL);
    case_leaf(&c, 0xc0, asm_of("1 CHECKSIG"), &sig, 1, NULL);
    case_expect(&c, EMULATE | SCRIPT_APO, SCRIPT_ERR_SCHNORR_SIG);
}
END_TEST

static Suite *rules(void)
{
    return CHECK_SUITE("script_rules", new_opcodes_follow_their_flags, cat_sizes, ctv_template_and_sizes, csfs_messages, csfs_weight,
                       apo_binds_what_it_should, apo_hash_types_stay_apart);
}

CHECK_MAIN(rules)
