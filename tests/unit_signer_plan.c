/* The rule `confidential-script`: which inputs it takes, and which errors it gives. */
#include "tests/emulate_case.h"

/* ---- which inputs are emulated ---- */

#define SHORT_INTERNAL "1b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd07"      /* 31 bytes */

START_TEST(not_taproot)
{
    static const char *const scripts[] = {
        "", "51", "5120", "0014751e76e8199196d454941c45d1b3a323f1433bd6",
        "0020fa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce21f",
        "5220fa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce21f",
        "511ffa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce2",
        "5121fa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce21f00",
        "76a914a31c06bd463e3923bc1aadbde48b16976c08071788ac",
    };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        skips(SKIP_NOT_TAPROOT, STACK("51", CONTROL), scripts[i]);
}
END_TEST

START_TEST(no_script_path)
{
    skips(SKIP_NO_WITNESS, STACK(NULL), CASE_ACTUAL);
    skips(SKIP_KEY_PATH, STACK(CASE_SIG), CASE_ACTUAL);
    skips(SKIP_KEY_PATH, STACK(""), CASE_ACTUAL);
    skips(SKIP_KEY_PATH, STACK("50"), CASE_ACTUAL);              /* alone it is no annex */
    skips(SKIP_KEY_PATH, STACK(CASE_SIG, "50"), CASE_ACTUAL);
    skips(SKIP_KEY_PATH, STACK("51", "50" CASE_INTERNAL), CASE_ACTUAL);     /* looks like an annex */
}
END_TEST

START_TEST(control_length)
{
    static char longest[2 * (33 + 32 * 129) + 1];
    skips(SKIP_CONTROL_SHORT, STACK("51", ""), CASE_ACTUAL);
    skips(SKIP_CONTROL_SHORT, STACK("51", "c1"), CASE_ACTUAL);
    skips(SKIP_CONTROL_SHORT, STACK("51", "c1" SHORT_INTERNAL), CASE_ACTUAL);      /* 32 bytes */
    one(STACK("51", CONTROL "00"), CASE_ACTUAL);                                   /* 34 */
    ASSERT_CODE(planned(), E_FORMAT);
    ck_why(EMULATE_INVALID_CONTROL_BLOCK, 0, "Input has invalid control block");
    strcpy(longest, CONTROL);
    for (int i = 0; i < 129; i++)
        strcat(longest, CASE_SISTER);
    one(STACK("51", longest), CASE_ACTUAL);
    ASSERT_CODE(planned(), E_FORMAT);
    ck_why(EMULATE_INVALID_CONTROL_BLOCK, 0, "Input has invalid control block");
    longest[2 * (33 + 32 * 128)] = 0;                                              /* 128 levels are well formed */
    one(STACK("51", longest), CASE_ACTUAL);
    ASSERT_CODE(planned(), E_DENIED);
    ck_why(EMULATE_UNEXPECTED_INPUT, 0, "Unexpected input scriptPubKey");
}
END_TEST

START_TEST(internal_key_no_point)
{
    one(STACK("51", "c1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"), CASE_ACTUAL);
    ASSERT_CODE(planned(), E_FORMAT);
    ck_why(EMULATE_INVALID_CONTROL_BLOCK, 0, "Input has invalid control block");
    one(STACK("51", "c10000000000000000000000000000000000000000000000000000000000000005"), CASE_ACTUAL);
    ASSERT_CODE(planned(), E_FORMAT);
    ck_why(EMULATE_INVALID_CONTROL_BLOCK, 0, "Input has invalid control block");
}
END_TEST

/* 0x50 and 0x51 cannot be leaf versions; every other even value passes the plan, and only 0xc0 the engine. */
START_TEST(leaf_versions)
{
    skips(SKIP_LEAF_VERSION, STACK("51", "51" CASE_INTERNAL), CASE_ACTUAL);
    skips(SKIP_LEAF_VERSION, STACK("51", "50" CASE_INTERNAL, "5000"), CASE_ACTUAL);
    uint8_t script = 0x51, root[32], key[32], actual[34];
    for (unsigned version = 0; version < 256; version += 2) {
        char control[2 * 33 + 8], hex[2 * 34 + 1];
        if (version == 0x50)
            continue;
        taproot_leaf_hash(root, (uint8_t)version, &script, 1);
        ASSERT_OK(address_output_key(key, master, root, NULL));
        taproot_script(actual, key);
        hex_from(hex, actual, 34);
        uint8_t internal[32], q[32];
        int parity;
        case_hex(internal, 32, CASE_INTERNAL);
        ASSERT_OK(taproot_output_key(q, &parity, internal, root));
        snprintf(control, sizeof control, "%02x%s", version | (unsigned)parity, CASE_INTERNAL);
        one(STACK("51", control), hex);
        ASSERT_OK(planned());
        ck_assert_int_eq(plan->input[0].kind, EMULATE_INPUT);
        ck_assert_uint_eq(plan->input[0].leaf_version, version);
        ASSERT_CODE(emulate_verify(&why, plan), version == 0xc0 ? E_OK : E_DENIED);
        if (version != 0xc0)
            ck_why(EMULATE_VERIFICATION_FAILED, 0, "Verification failed");
    }
}
END_TEST

START_TEST(on_chain_already)
{
    skips(SKIP_ON_CHAIN, STACK("51", CONTROL), CASE_EMULATED);
    /* Even a script that fails: the chain will say so, we do not sign. */
    uint8_t script = 0x00, root[32], internal[32], q[32], spk[34];
    char hex[69];
    taproot_leaf_hash(root, 0xc0, &script, 1);
    case_hex(internal, 32, CASE_INTERNAL);
    ASSERT_OK(taproot_output_key(q, NULL, internal, root));
    taproot_script(spk, q);
    hex_from(hex, spk, 34);
    skips(SKIP_ON_CHAIN, STACK("00", CONTROL), hex);
}
END_TEST

START_TEST(unexpected_input)
{
    one(STACK("51", CONTROL), "51208c5db7f797196d6edc4dd7df6048f4ea6b883a6af6af032342088f436543790f");     /* vector H */
    ASSERT_CODE(planned(), E_DENIED);
    ck_why(EMULATE_UNEXPECTED_INPUT, 0, "Unexpected input scriptPubKey");
    bench_case(&b, &SIGNER_CASES[2]);                             /* C without its backup root */
    b.backups = 0;
    ASSERT_CODE(planned(), E_DENIED);
    bench_case(&b, &SIGNER_CASES[0]);                             /* A with one it does not have */
    bench_backup(&b, 0, CASE_ROOT);
    ASSERT_CODE(planned(), E_DENIED);
    bench_case(&b, &SIGNER_CASES[2]);
    b.backup[0].index = 1;                                        /* for an input that is not there: ignored */
    ASSERT_CODE(planned(), E_DENIED);
    bench_case(&b, &SIGNER_CASES[0]);
    master[0] ^= 1;                                               /* another master */
    ASSERT_CODE(planned(), E_DENIED);
    memset(master + 1, 0xff, 32);                                 /* and none */
    ASSERT_CODE(planned(), E_FORMAT);
    ck_why(EMULATE_CRYPTO, 0, "Secp256k1 cryptographic operation failed");
}
END_TEST

START_TEST(ignored_backup_roots)
{
    bench_case(&b, &SIGNER_CASES[5]);
    bench_backup(&b, 0, CASE_ROOT);                               /* input 0 is not emulated */
    bench_backup(&b, 7, CASE_ROOT);
    bench_backup(&b, 0xffffffff, CASE_ROOT);
    ASSERT_OK(planned());
    ck_assert_uint_eq(plan->emulated, 1);
    ck_assert(!plan->input[1].has_backup);
}
END_TEST

/* All internal keys over one tree share one output on chain. */
START_TEST(internal_key_is_free)
{
    one(STACK("51", "c0" CASE_INTERNAL2), CASE_ACTUAL);
    ASSERT_OK(planned());
    ck_hex(plan->input[0].internal, 32, CASE_INTERNAL2);
    ASSERT_OK(emulate_verify(&why, plan));
}
END_TEST

/* ---- spent outputs ---- */

START_TEST(missing_spent_outputs)
{
    bench_case(&b, &SIGNER_CASES[5]);
    b.spents = 1;
    ASSERT_CODE(planned(), E_FORMAT);
    ck_why(EMULATE_MISSING_SPENT_OUTPUTS, 0, "Missing spent outputs");
    b.spents = 0;
    ASSERT_CODE(planned(), E_FORMAT);
    ck_why(EMULATE_MISSING_SPENT_OUTPUTS, 0, "Missing spent outputs");
}
END_TEST

START_TEST(extra_spent_outputs)
{
    bench_case(&b, &SIGNER_CASES[0]);
    b.spent[1].value = 1;
    b.spents = 2;
    ASSERT_OK(planned());                                         /* the plan does not mind */
    ck_assert_uint_eq(plan->emulated, 1);
    ASSERT_CODE(emulate_verify(&why, plan), E_DENIED);
    ck_why(EMULATE_VERIFICATION_FAILED, 0, "Verification failed: ");
    struct sign_request q;
    ASSERT_CODE(emulate_sign_request(&q, plan, 0), E_STATE);
    one(STACK(CASE_SIG), CASE_ACTUAL);                            /* with nothing emulated they never matter */
    b.spents = 2;
    ASSERT_OK(planned());
    ASSERT_OK(emulate_verify(&why, plan));
}
END_TEST

/* The daemon's way in: the refusal says what the limit is, and a plan over it cannot be signed. */
START_TEST(caps_are_told)
{
    struct script_limits l = SCRIPT_LIMITS_DEFAULT;
    struct sign_request q;
    bench_case(&b, &SIGNER_CASES[0]);
    ASSERT_OK(planned());
    l.script_bytes = 1;
    ASSERT_CODE(emulate_verify_within(&why, plan, &l, NULL, NULL), E_LIMIT);
    ck_why(EMULATE_VERIFICATION_FAILED, 0, "Verification failed: CAP_SCRIPT_BYTES: the scripts use more than 1 script bytes");
    ASSERT_CODE(emulate_sign_request(&q, plan, 0), E_STATE);
    l.script_bytes = SCRIPT_LIMITS_DEFAULT.script_bytes;
    ASSERT_OK(emulate_verify_within(&why, plan, &l, NULL, NULL));
    ASSERT_OK(emulate_sign_request(&q, plan, 0));
}
END_TEST

START_TEST(amounts)
{
    static const struct { uint64_t value; enum err_code want; } rows[] = {
        { 0, E_OK }, { INT64_MAX, E_OK }, { (uint64_t)INT64_MAX + 1, E_DENIED }, { UINT64_MAX, E_DENIED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench_case(&b, &SIGNER_CASES[5]);
        b.spent[0].value = rows[i].value;                         /* also of the input that is skipped */
        ASSERT_OK(planned());
        ASSERT_CODE(emulate_verify(&why, plan), rows[i].want);
        if (rows[i].want != E_OK)
            ck_why(EMULATE_VERIFICATION_FAILED, 0, "Verification failed: invalid amount");
        one(STACK(CASE_SIG), CASE_ACTUAL);
        b.spent[0].value = rows[i].value;
        ASSERT_OK(planned());
        ASSERT_OK(emulate_verify(&why, plan));
    }
}
END_TEST

START_TEST(refusal_texts)
{
    static const char *const texts[] = {
        "No error", "Verification failed", "Secp256k1 cryptographic operation failed", "Input has invalid control block",
        "Unable to calculate sighash for input", "Missing spent outputs", "Unexpected input scriptPubKey",
    };
    char got[EMULATE_TEXT], detail[400], want[600];
    memset(detail, 'x', sizeof detail - 1);
    detail[sizeof detail - 1] = 0;
    for (int f = EMULATE_FINE; f <= EMULATE_UNEXPECTED_INPUT; f++) {
        emulate_refusal_text(got, &(struct emulate_refusal){ .fault = (enum emulate_fault)f });
        ck_assert_str_eq(got, texts[f]);
        emulate_refusal_text(got, &(struct emulate_refusal){ .fault = (enum emulate_fault)f, .detail = detail });
        snprintf(want, sizeof want, "%s: %s", texts[f], detail);
        want[EMULATE_TEXT - 1] = 0;
        ck_assert_str_eq(got, want);
    }
    for (int k = EMULATE_INPUT; k <= SKIP_ON_CHAIN; k++)
        ck_assert_str_ne(emulate_kind_text((enum emulate_kind)k), "?");
}
END_TEST

static Suite *signer_plan(void)
{
    const TTest *const tests[] = {
        not_taproot, no_script_path, control_length, internal_key_no_point, leaf_versions,
        on_chain_already, unexpected_input, ignored_backup_roots, internal_key_is_free,
        missing_spent_outputs, extra_spent_outputs, caps_are_told, amounts, refusal_texts,
    };
    Suite *s = suite_create("signer_plan");
    TCase *t = tcase_create("plan");
    tcase_add_checked_fixture(t, before, drop);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    return s;
}

CHECK_MAIN(signer_plan)
