/* The rule `confidential-script`: the published cases, what the engine lets through, what is asked to be signed. */
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include "signer/keys.h"
#include "tests/emulate_case.h"

/* BIP340 with the scalar 32 x `byte`, without auxiliary randomness: a user's signature inside a script. */
static void user_signs(uint8_t sig[static 64], const uint8_t hash[static 32], uint8_t byte)
{
    uint8_t key[32];
    secp256k1_keypair pair;
    secp256k1_context *ctx = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
    memset(key, byte, 32);
    ck_assert(secp256k1_keypair_create(ctx, &pair, key));
    ck_assert(secp256k1_schnorrsig_sign32(ctx, sig, hash, &pair, NULL));
    secp256k1_context_destroy(ctx);
}

/* ---- the vectors ---- */

START_TEST(vectors)
{
    const struct signer_case *c = &SIGNER_CASES[_i];
    struct sign_request q;
    uint8_t hash[32], aux_rand[32], sig[64], items[256];
    uint32_t at = bench_case(&b, c);
    ASSERT_OK(planned());
    ck_assert_uint_eq(plan->emulated, 1);
    const struct emulate_input *e = &plan->input[at];
    ck_assert_int_eq(e->kind, EMULATE_INPUT);
    ck_hex(e->merkle_root, 32, c->root);
    if (c->emulated)
        ck_hex(e->emulated_script, 34, c->emulated);
    ck_hex(e->output_key, 32, c->actual + 4);
    ck_assert_uint_eq(e->leaf_version, 0xc0);
    ck_assert_int_eq(e->has_backup, c->backup != NULL);
    if (at == 1)
        ck_assert_int_eq(plan->input[0].kind, SKIP_NO_WITNESS);
    ASSERT_CODE(emulate_sign_request(&q, plan, at), E_STATE);      /* not verified yet */
    ASSERT_OK(emulate_verify(&why, plan));
    ASSERT_OK(emulate_sign_request(&q, plan, at));
    tagged_hash(hash, "TapSighash", &(struct bytes){ q.sigmsg, q.sigmsg_len }, 1);
    ck_hex(hash, 32, c->sighash);
    ck_assert_int_eq(secret_arena_open(65536).code, E_OK);
    {
        SECRET k = NULL;
        SIGNER s = NULL;
        case_scalar(&k, 1);
        memset(aux_rand, 1, 32);
        ASSERT_OK(signer_open(&s, &k));
        ASSERT_OK(signer_sign_with_aux(s, sig, &q, aux_rand));
    }
    secret_arena_close();
    ck_hex(sig, 64, c->sig);
    struct wr w = wr_of(items, sizeof items);
    ck_assert_uint_eq(emulate_witness_write(&w, sig, &e->annex), c->items);
    ck_assert_uint_eq(w.len, c->items == 1 ? 65u : 65u + 6u);
}
END_TEST

/* Vector A whole: weights, and the signed transaction byte for byte. */
START_TEST(signed_transaction)
{
    uint8_t items[80], sig[64], bytes[256];
    bench_case(&b, &SIGNER_CASES[0]);
    ASSERT_OK(planned());
    struct tx *tx = request->tx;
    ck_assert_uint_eq(tx_weight(tx), 287);
    case_hex(sig, 64, CASE_SIG);
    struct wr w = wr_of(items, sizeof items);
    tx->in[0].witness_count = emulate_witness_write(&w, sig, &plan->input[0].annex);
    tx->in[0].witness = (struct span){ items, w.len };
    ck_assert_uint_eq(tx_weight(tx), 316);
    w = wr_of(bytes, sizeof bytes);
    tx_write(&w, tx, true);
    ck_hex(bytes, w.len,
           "020000000001010000000000000000000000000000000000000000000000000000000000000000ffffffff00fdffffff01"
           "a086010000000000026a000140" CASE_SIG "00000000");
}
END_TEST

/* Vector J: outputs of 1 sat and an empty script. */
START_TEST(weights)
{
    static const struct { size_t n; uint64_t weight; } rows[] = {
        { 115000, 4140259 }, { 100, 3843 }, { 111104, 4000003 }, { 111103, 3999967 },
    };
    static struct tx_out outs[115000];
    for (size_t i = 0; i < 115000; i++)
        outs[i] = (struct tx_out){ 1, { NULL, 0 } };
    bench_case(&b, &SIGNER_CASES[0]);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        b.tx.out = outs;
        b.tx.out_count = rows[i].n;
        ck_assert_uint_eq(tx_weight(&b.tx), rows[i].weight);
    }
}
END_TEST

/* ---- the engine's verdict ---- */

/* Lay out a leaf that the master can spend on chain, with the items below it on the stack. */
static void leaf_case(const char *leaf_hex, const char *const *items, int flip_parity, const char *annex)
{
    static uint8_t script[1024];
    static char control[2 * 33 + 8], hex[2 * 34 + 1];
    const char *stack[12];
    uint8_t root[32], key[32], spk[34], internal[32];
    int parity;
    size_t n = case_hex(script, sizeof script, leaf_hex), depth = 0;
    taproot_leaf_hash(root, 0xc0, script, n);
    case_hex(internal, 32, CASE_INTERNAL);
    ASSERT_OK(taproot_output_key(key, &parity, internal, root));
    snprintf(control, sizeof control, "%02x%s", 0xc0u | (unsigned)(parity ^ flip_parity), CASE_INTERNAL);
    ASSERT_OK(address_output_key(key, master, root, NULL));
    taproot_script(spk, key);
    hex_from(hex, spk, 34);
    for (; *items; items++)
        stack[depth++] = *items;
    stack[depth++] = leaf_hex;
    stack[depth++] = control;
    stack[depth++] = annex;
    stack[depth] = NULL;
    one(stack, hex);
}

static void engine_says(enum err_code want, const char *leaf_hex, const char *const *items)
{
    leaf_case(leaf_hex, items, 0, NULL);
    ASSERT_OK(planned());
    err e = emulate_verify(&why, plan);
    ck_assert_msg(e.code == want, "leaf %s: %s", leaf_hex, err_text(e.code));
    if (want != E_OK) {
        struct sign_request q;
        ck_why(EMULATE_VERIFICATION_FAILED, 0, "Verification failed: ");
        ASSERT_CODE(emulate_sign_request(&q, plan, 0), E_STATE);
    }
}

START_TEST(scripts)
{
    engine_says(E_OK, "51", STACK(NULL));
    engine_says(E_DENIED, "00", STACK(NULL));
    engine_says(E_DENIED, "6a", STACK(NULL));
    engine_says(E_DENIED, "", STACK(NULL));                       /* nothing left on the stack */
    engine_says(E_OK, "", STACK("01"));
    engine_says(E_DENIED, "51", STACK("01"));                     /* one too many left */
    engine_says(E_OK, "529387", STACK("05", "03"));               /* 3 + 2 = 5 */
    engine_says(E_DENIED, "529387", STACK("06", "03"));
}
END_TEST

/* What soft forks left open is "sign for anyone" here, so it is refused. */
START_TEST(left_open_by_soft_forks)
{
    static const uint8_t success[][2] = {
        { 80, 80 }, { 98, 98 }, { 126, 129 }, { 131, 134 }, { 137, 138 }, { 141, 142 }, { 149, 153 }, { 187, 254 },
    };
    for (size_t i = 0; i < sizeof success / sizeof *success; i++)
        for (unsigned op = success[i][0]; op <= success[i][1]; op++) {
            char leaf[16];
            snprintf(leaf, sizeof leaf, "51%02x", op);
            engine_says(E_DENIED, leaf, STACK(NULL));
            snprintf(leaf, sizeof leaf, "510063%02x68", op);      /* in a branch not taken, as well */
            engine_says(E_DENIED, leaf, STACK(NULL));
        }
    static const char *const nops[] = { "b0", "b3", "b4", "b5", "b6", "b7", "b8", "b9" };
    for (size_t i = 0; i < sizeof nops / sizeof *nops; i++) {
        char leaf[16];
        snprintf(leaf, sizeof leaf, "51%s", nops[i]);
        engine_says(E_DENIED, leaf, STACK(NULL));
    }
    engine_says(E_DENIED, "02aabbac", STACK("01"));               /* CHECKSIG with a key of an unknown type */
    /* OP_CAT as of today is OP_SUCCESS126: the leaf of vector K is anyone's. */
    engine_says(E_DENIED, "7e066f705f63617487", STACK("6f705f", "636174"));
}
END_TEST

START_TEST(parity_bit)
{
    leaf_case("51", STACK(NULL), 1, NULL);
    ASSERT_OK(planned());
    ASSERT_CODE(emulate_verify(&why, plan), E_DENIED);
    ck_why(EMULATE_VERIFICATION_FAILED, 0, "Verification failed: ");
}
END_TEST

/* A signature inside the emulated script is over the outputs really spent, and over the emulated leaf. */
START_TEST(signature_inside)
{
    const char *leaf = "20" CASE_INTERNAL2 "ac";
    struct sighash_cache cache;
    struct sighash_leaf ext = { .codesep = 0xffffffff };
    struct sigmsg m;
    uint8_t script[34], hash[32], sig[64];
    char hex[129];
    leaf_case(leaf, STACK(""), 0, NULL);
    struct tx_out spent = { 100000, b.spent[0].script };
    taproot_leaf_hash(ext.leaf_hash, 0xc0, script, case_hex(script, sizeof script, leaf));
    ASSERT_OK(sighash_cache_make(&cache, &b.tx, &spent));
    ck_assert(sighash_taproot_message(&m, &cache, 0, SIGHASH_DEFAULT, NULL, &ext));
    sighash_taproot(hash, &m);
    user_signs(sig, hash, 2);
    hex_from(hex, sig, 64);
    engine_says(E_OK, leaf, STACK(hex));
    hex[0] = hex[0] == '0' ? '1' : '0';
    engine_says(E_DENIED, leaf, STACK(hex));
    hex_from(hex, sig, 64);
    leaf_case(leaf, STACK(hex), 0, NULL);
    b.spent[0].value++;                                           /* a lie about the amount */
    ASSERT_OK(planned());
    ASSERT_CODE(emulate_verify(&why, plan), E_DENIED);
}
END_TEST

/* ---- annex ---- */

static void annex_case(const char *annex, size_t kept)
{
    leaf_case("51", STACK(NULL), 0, annex);
    struct sign_request q;
    ASSERT_OK(planned());
    ck_assert_uint_eq(plan->emulated, 1);
    ck_assert_uint_eq(plan->input[0].annex.n, kept);
    ASSERT_OK(emulate_verify(&why, plan));
    ASSERT_OK(emulate_sign_request(&q, plan, 0));
    ck_assert_uint_eq(q.sigmsg_len, kept ? SIGN_MSG_ANNEX : SIGN_MSG_PLAIN);
}

START_TEST(annexes)
{
    annex_case("50", 0);
    annex_case("5000", 2);
    annex_case("5001", 0);
    annex_case("50ff00", 0);
    annex_case("5000010203", 5);
}
END_TEST

/* ---- several inputs ---- */

START_TEST(mixed_inputs)
{
    struct sign_request q;
    bench_start(&b);
    bench_input(&b, STACK("51", CONTROL), CASE_EMULATED);         /* really on chain */
    bench_input(&b, STACK("51", CONTROL), CASE_ACTUAL);           /* emulated */
    bench_input(&b, STACK(CASE_SIG), CASE_ACTUAL);                /* key path */
    bench_input(&b, STACK("51", CONTROL), "0014751e76e8199196d454941c45d1b3a323f1433bd6");
    bench_input(&b, STACK("51", "c0" CASE_INTERNAL2, "5000aa"), SIGNER_CASES[2].actual);      /* with a backup root */
    bench_input(&b, NULL, CASE_ACTUAL);
    bench_backup(&b, 4, CASE_ROOT);
    ASSERT_OK(planned());
    static const enum emulate_kind want[] = {
        SKIP_ON_CHAIN, EMULATE_INPUT, SKIP_KEY_PATH, SKIP_NOT_TAPROOT, EMULATE_INPUT, SKIP_NO_WITNESS,
    };
    ck_assert_uint_eq(plan->emulated, 2);
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(plan->input[i].kind, want[i]);
    ASSERT_OK(emulate_verify(&why, plan));
    for (uint32_t i = 0; i < 7; i++)
        ASSERT_CODE(emulate_sign_request(&q, plan, i), i < 6 && want[i] == EMULATE_INPUT ? E_OK : E_STATE);
    ASSERT_OK(emulate_sign_request(&q, plan, 4));
    ck_assert(q.has_backup);
    ck_hex(q.backup_root, 32, CASE_ROOT);
    ck_hex(q.output_key, 32, SIGNER_CASES[2].actual + 4);
    ck_assert_uint_eq(q.index, 4);
}
END_TEST

/* One bad emulated input fails the whole request, and says which. */
START_TEST(one_bad_of_several)
{
    bench_start(&b);
    bench_input(&b, STACK("51", CONTROL), CASE_ACTUAL);
    bench_input(&b, STACK("51", CONTROL), SIGNER_CASES[1].actual);
    ASSERT_CODE(planned(), E_DENIED);
    ck_why(EMULATE_UNEXPECTED_INPUT, 1, "Unexpected input scriptPubKey");
    ck_assert_ptr_null(plan);
    bench_start(&b);
    bench_input(&b, STACK("51", CONTROL), CASE_ACTUAL);
    bench_input(&b, STACK("01", "51", CONTROL), CASE_ACTUAL);     /* leaves two items */
    ASSERT_OK(planned());
    ASSERT_CODE(emulate_verify(&why, plan), E_DENIED);
    ck_why(EMULATE_VERIFICATION_FAILED, 1, "Verification failed: ");
}
END_TEST

static Suite *signer_emulate(void)
{
    const TTest *const tests[] = {
        signed_transaction, weights, scripts, left_open_by_soft_forks, parity_bit, signature_inside,
        annexes, mixed_inputs, one_bad_of_several,
    };
    Suite *s = suite_create("signer_emulate");
    TCase *t = tcase_create("emulate");
    tcase_add_checked_fixture(t, before, drop);
    tcase_add_loop_test(t, vectors, 0, SIGNER_CASE_COUNT);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    return s;
}

CHECK_MAIN(signer_emulate)
