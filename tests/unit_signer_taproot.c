/* Control blocks, witness shapes, public-key operations, and the forms of BIP341's message. The values
 * themselves are checked against the published vectors by vector_run. */
#include "signer/taproot.h"

#include <stdlib.h>
#include <string.h>

#include "signer/ec.h"
#include "signer/sighash.h"
#include "tests/script_case.h"
#include "tests/support/check_main.h"

START_TEST(control_lengths)
{
    static uint8_t block[33 + 32 * 130];
    struct taproot_control c;
    for (size_t n = 0; n <= sizeof block; n++) {
        bool good = n >= 33 && (n - 33) % 32 == 0 && (n - 33) / 32 <= 128;
        uint8_t *exact = malloc(n ? n : 1);
        memset(exact, 0xc1, n ? n : 1);
        ck_assert_int_eq(taproot_control_parse(&c, exact, n), good);
        if (good) {
            ck_assert_uint_eq(c.depth, (n - 33) / 32);
            ck_assert_uint_eq(c.leaf_version, 0xc0);
            ck_assert_int_eq(c.parity, 1);
            ck_assert_ptr_eq(c.internal, exact + 1);
            ck_assert_ptr_eq(c.path, exact + 33);
        }
        free(exact);
    }
}
END_TEST

/* A path of 128 steps commits; any bit of it changed does not. */
START_TEST(deepest_path)
{
    static uint8_t block[33 + 32 * 128];
    struct span key = hex_of(CASE_KEY);
    uint8_t leaf[32], node[32], output[32], root[32];
    int parity;
    taproot_leaf_hash(leaf, 0xc0, (const uint8_t *)"\x51", 1);
    memcpy(node, leaf, 32);
    memcpy(block + 1, key.p, 32);
    for (size_t i = 0; i < 128; i++) {
        memset(block + 33 + 32 * i, (int)(i * 2 + 1), 32);
        taproot_branch_hash(node, block + 33 + 32 * i, node);
    }
    ASSERT_OK(taproot_output_key(output, &parity, key.p, node));
    block[0] = (uint8_t)(0xc0 | parity);
    struct taproot_control c;
    ck_assert(taproot_control_parse(&c, block, sizeof block));
    ck_assert(taproot_commits(output, root, &c, leaf));
    ck_assert_mem_eq(root, node, 32);
    for (size_t at = 1; at < sizeof block; at += 61) {
        block[at] ^= 0x10;
        ck_assert(!taproot_commits(output, NULL, &c, leaf));
        block[at] ^= 0x10;
    }
    c.parity = !c.parity;
    ck_assert(!taproot_commits(output, NULL, &c, leaf));
    row_done();
}
END_TEST

/* No tree, and a tree whose root is 32 zero bytes, are different outputs. */
START_TEST(tweaks)
{
    uint8_t none[32], zero[32], root[32] = { 0 }, a[32], b[32], left[32], right[32];
    struct span key = hex_of(CASE_KEY);
    taproot_tweak_hash(none, key.p, NULL);
    taproot_tweak_hash(zero, key.p, root);
    ck_assert(memcmp(none, zero, 32) != 0);
    memset(a, 1, 32);
    memset(b, 2, 32);
    taproot_branch_hash(left, a, b);
    taproot_branch_hash(right, b, a);
    ck_assert_mem_eq(left, right, 32);
    row_done();
}
END_TEST

START_TEST(scripts)
{
    uint8_t key[32], script[TAPROOT_SCRIPT + 1];
    memset(key, 7, 32);
    taproot_script(script, key);
    ck_assert_mem_eq(taproot_script_key(script, TAPROOT_SCRIPT), key, 32);
    ck_assert_ptr_null(taproot_script_key(script, TAPROOT_SCRIPT - 1));
    ck_assert_ptr_null(taproot_script_key(script, TAPROOT_SCRIPT + 1));
    ck_assert_ptr_null(taproot_script_key(NULL, 0));
    for (int i = 0; i < 2; i++) {
        script[i] ^= 1;
        ck_assert_ptr_null(taproot_script_key(script, TAPROOT_SCRIPT));
        script[i] ^= 1;
    }
}
END_TEST

START_TEST(witness_shapes)
{
    static const struct { const char *items[5]; enum taproot_path path; bool annex; uint32_t below; } rows[] = {
        { { NULL }, TAPROOT_NO_WITNESS, false, 0 },
        { { "aa" }, TAPROOT_KEY_PATH, false, 0 },
        { { "50" }, TAPROOT_KEY_PATH, false, 0 },              /* alone, it is no annex */
        { { "aa", "50" }, TAPROOT_KEY_PATH, true, 0 },
        { { "50", "50" }, TAPROOT_KEY_PATH, true, 0 },
        { { "aa", "bb" }, TAPROOT_SCRIPT_PATH, false, 0 },
        { { "aa", "" }, TAPROOT_SCRIPT_PATH, false, 0 },
        { { "aa", "bb", "50cc" }, TAPROOT_SCRIPT_PATH, true, 0 },
        { { "aa", "bb", "cc" }, TAPROOT_SCRIPT_PATH, false, 1 },
        { { "aa", "bb", "50", "51" }, TAPROOT_SCRIPT_PATH, false, 2 },
        { { "aa", "bb", "cc", "dd", "50" }, TAPROOT_SCRIPT_PATH, true, 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span items[5];
        struct tx_in in = { 0 };
        struct taproot_witness w;
        size_t n = 0;
        for (; n < 5 && rows[i].items[n]; n++)
            items[n] = hex_of(rows[i].items[n]);
        in.witness = row_witness(items, n);
        in.witness_count = (uint32_t)n;
        ASSERT_OK(taproot_witness_read(&w, &in));
        ck_assert_int_eq(w.path, rows[i].path);
        ck_assert_int_eq(w.has_annex, rows[i].annex);
        if (w.has_annex)
            ck_assert_uint_eq(w.annex.p[0], 0x50);
        if (w.path == TAPROOT_SCRIPT_PATH) {
            ck_assert_uint_eq(w.stack_count, rows[i].below);
            ck_assert_mem_eq(w.script.p, items[rows[i].below].p, w.script.n);
            ck_assert_uint_eq(w.control.n, items[rows[i].below + 1].n);
        }
        if (w.path == TAPROOT_KEY_PATH)
            ck_assert_mem_eq(w.signature.p, items[0].p, 1);
        in.witness_count++;                   /* bytes and count disagree */
        ASSERT_CODE(taproot_witness_read(&w, &in), E_FORMAT);
        row_done();
    }
}
END_TEST

START_TEST(keys_and_tweaks)
{
    struct span x = hex_of(CASE_KEY), no_point = hex_of("0000000000000000000000000000000000000000000000000000000000000005");
    struct span order = hex_of("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    struct span zero = fill_of(0, 32), one = hex_of("0000000000000000000000000000000000000000000000000000000000000001");
    struct span minus = hex_of("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140");
    uint8_t out[32], child[33], parent[33] = { 2 };
    int parity;
    ck_assert(ec_xonly_valid(x.p) && !ec_xonly_valid(no_point.p) && !ec_xonly_valid(zero.p));
    ASSERT_CODE(ec_tweak_xonly(out, &parity, no_point.p, one.p), E_FORMAT);
    ASSERT_CODE(ec_tweak_xonly(out, &parity, x.p, order.p), E_FORMAT);
    ASSERT_CODE(ec_tweak_xonly(out, &parity, x.p, minus.p), E_FORMAT);      /* G - G */
    ASSERT_OK(ec_tweak_xonly(out, &parity, x.p, zero.p));
    ck_assert_mem_eq(out, x.p, 32);
    ck_assert(ec_tweak_check(out, parity, x.p, zero.p) && !ec_tweak_check(out, !parity, x.p, zero.p));
    ck_assert(!ec_tweak_check(out, parity, no_point.p, zero.p));
    memcpy(parent + 1, x.p, 32);
    ASSERT_OK(ec_pubkey_add(child, parent, one.p));                          /* 2G */
    struct span two = hex_of("02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5");
    ck_assert_mem_eq(child, two.p, 33);
    ASSERT_CODE(ec_pubkey_add(child, parent, minus.p), E_FORMAT);
    ASSERT_CODE(ec_pubkey_add(child, parent, order.p), E_FORMAT);
    parent[0] = 4;
    ASSERT_CODE(ec_pubkey_add(child, parent, one.p), E_FORMAT);
    ck_assert(!ec_pubkey_valid(parent, 33) && !ec_pubkey_valid(parent, 0) && ec_pubkey_valid(two.p, 33));
    row_done();
}
END_TEST

/* ---- the message ---- */

static size_t message_size(uint8_t type, bool annex, bool leaf)
{
    bool anyone = type & 0x80;
    size_t n = 1 + 1 + 4 + 4 + 1 + (anyone ? 36 + 8 + 35 + 4 : 128 + 4);
    uint8_t base = type & 3;
    return n + (base == 2 ? 0 : 32u) + (annex ? 32 : 0) + (leaf ? 37 : 0);
}

START_TEST(hash_types)
{
    struct span annex = hex_of("50");
    struct script_case c;
    memset(&c, 0, sizeof c);
    c.tx = (struct tx){ .version = 2, .in_count = 3, .out_count = 2, .in = c.in, .out = c.out };
    for (int i = 0; i < 3; i++)
        c.spent[i].script = fill_of(1, 34);
    ASSERT_OK(sighash_cache_make(&c.cache, &c.tx, c.spent));
    struct sighash_leaf leaf = { .codesep = UINT32_MAX };
    for (unsigned type = 0; type < 256; type++)
        for (unsigned form = 0; form < 4; form++)
            for (uint32_t input = 0; input < 4; input++) {
                struct sigmsg m;
                bool known = type <= 3 || (type >= 0x81 && type <= 0x83);
                bool want = known && input < 3 && !((type & 3) == 3 && input >= 2);
                bool got = sighash_taproot_message(&m, &c.cache, input, (uint8_t)type, form & 1 ? &annex : NULL,
                                                   form & 2 ? &leaf : NULL);
                ck_assert_int_eq(got, want);
                if (want) {
                    ck_assert_uint_eq(m.n, message_size((uint8_t)type, form & 1, form & 2));
                    ck_assert_uint_eq(m.bytes[0], 0);
                    ck_assert_uint_eq(m.bytes[1], type);
                } else {
                    ck_assert_uint_eq(m.n, 0);
                }
            }
    row_done();
}
END_TEST

static Suite *taproot_suite(void)
{
    return CHECK_SUITE("signer_taproot", control_lengths, deepest_path, tweaks, scripts, witness_shapes, keys_and_tweaks,
                       hash_types);
}

CHECK_MAIN(taproot_suite)
