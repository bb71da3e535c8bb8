/* Addresses and trees: BIP350's and Core's vectors, BIP341's wallet vectors, and every single
 * wrong character. */
#include <stdio.h>
#include <stdlib.h>
#include "signer/address.h"
#include "signer/taproot.h"
#include "tests/signer_case.h"
#include "tests/support/check_main.h"
#include "tests/support/vectors.h"

#define KEY_IO_VALID   "bitcoin/core/key_io_valid.json"
#define KEY_IO_INVALID "bitcoin/core/key_io_invalid.json"
#define WALLET         "bitcoin/bips/bip-0341/wallet-test-vectors.json"

static void ck_hex(const uint8_t *got, size_t n, const char *want)
{
    char hex[2 * 128 + 1];
    ck_assert_uint_le(n, 128);
    hex_from(hex, got, n);
    ck_assert_str_eq(hex, want);
}

/* scriptPubKey of a witness program. */
static size_t script_of(uint8_t out[static 42], uint8_t version, const uint8_t *program, size_t n)
{
    out[0] = version ? (uint8_t)(0x50 + version) : 0;
    out[1] = (uint8_t)n;
    memcpy(out + 2, program, n);
    return n + 2;
}

static void decodes(const char *text, enum address_network net, const char *script_hex)
{
    uint8_t version, program[40], script[42];
    size_t n;
    char back[ADDRESS_TEXT], lower[ADDRESS_TEXT];
    ASSERT_OK(address_decode(&version, program, &n, net, text));
    ck_hex(script, script_of(script, version, program, n), script_hex);
    ASSERT_OK(address_encode(back, net, version, program, n));
    for (size_t i = 0; i <= strlen(text); i++)
        lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    ck_assert_str_eq(back, lower);
}

static void refuses(const char *text)
{
    uint8_t version, program[40];
    size_t n;
    for (int net = ADDRESS_MAINNET; net <= ADDRESS_REGTEST; net++)
        ck_assert_msg(address_decode(&version, program, &n, (enum address_network)net, text).code != E_OK,
                      "%s was taken", text);
}

START_TEST(bip350_valid)
{
    static const struct { enum address_network net; const char *text, *script; } rows[] = {
        { ADDRESS_MAINNET, "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6" },
        { ADDRESS_TESTNET, "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
          "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262" },
        { ADDRESS_MAINNET, "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
          "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6" },
        { ADDRESS_MAINNET, "BC1SW50QGDZ25J", "6002751e" },
        { ADDRESS_MAINNET, "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323" },
        { ADDRESS_SIGNET, "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
          "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433" },
        { ADDRESS_TESTNET, "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
          "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433" },
        { ADDRESS_MAINNET, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
          "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        decodes(rows[i].text, rows[i].net, rows[i].script);
}
END_TEST

START_TEST(bip350_invalid)
{
    static const char *const rows[] = {
        "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",        /* human-readable part */
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",        /* bech32 for version 1 */
        "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",        /* and 2 */
        "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",        /* and 16 */
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",                            /* bech32m for version 0 */
        "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
        "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",        /* a character */
        "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",        /* version 17 */
        "bc1pw5dgrnzv",                                                          /* one byte */
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",   /* 41 bytes */
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",                                  /* version 0, 16 bytes */
        "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",        /* mixed case */
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",      /* padding of more than 4 bits */
        "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",        /* padding not zero */
        "bc1gmk9yu", "", "1", "bc1", "bc1p", "p", "1pzry9x0s0muk", "bc1\x80p", " bc1pw508d6q",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuses(rows[i]);
}
END_TEST

START_TEST(wrong_network)
{
    uint8_t version, program[40];
    size_t n;
    const char *text = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0";
    ASSERT_CODE(address_decode(&version, program, &n, ADDRESS_TESTNET, text), E_DENIED);
    ASSERT_CODE(address_decode(&version, program, &n, ADDRESS_SIGNET, text), E_DENIED);
    ASSERT_CODE(address_decode(&version, program, &n, ADDRESS_REGTEST, text), E_DENIED);
    ASSERT_OK(address_decode(&version, program, &n, ADDRESS_MAINNET, text));
}
END_TEST

/* BCH's promise: any one wrong character, and any one more or fewer in bech32m, is seen. */
START_TEST(every_single_error)
{
    static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l1bio";
    const char *good = "bc1plgeaej7ssa7v0ceage2mtklz3n62mqw37ygwgjfvwc607scvug0ssqr088";
    size_t n = strlen(good);
    char bad[ADDRESS_TEXT + 1];
    for (size_t at = 0; at < n; at++) {
        for (const char *c = charset; *c; c++) {
            strcpy(bad, good);
            bad[at] = *c;
            if (good[at] != *c)
                refuses(bad);
        }
        memcpy(bad, good, at);                        /* one left out */
        strcpy(bad + at, good + at + 1);
        refuses(bad);
        memcpy(bad, good, at);                        /* one put in */
        bad[at] = 'q';
        strcpy(bad + at + 1, good + at);
        refuses(bad);
    }
}
END_TEST

START_TEST(encode_refuses)
{
    uint8_t program[42] = { 0 };
    char out[ADDRESS_TEXT];
    for (unsigned version = 0; version < 256; version++)
        for (size_t n = 0; n <= 42; n++) {
            bool good = version <= 16 && n >= 2 && n <= 40 && (version || n == 20 || n == 32);
            err e = address_encode(out, ADDRESS_REGTEST, (uint8_t)version, program, n);
            ck_assert_int_eq(e.code, good ? E_OK : E_FORMAT);
            if (!good)
                ck_assert_str_eq(out, "");
        }
}
END_TEST

static bool network_of(enum address_network *net, const char *chain)
{
    if (strcmp(chain, "main") == 0)
        *net = ADDRESS_MAINNET;
    else if (strncmp(chain, "test", 4) == 0)
        *net = ADDRESS_TESTNET;
    else if (strcmp(chain, "signet") == 0)
        *net = ADDRESS_SIGNET;
    else if (strcmp(chain, "regtest") == 0)
        *net = ADDRESS_REGTEST;
    else
        return false;
    return true;
}

START_TEST(core_valid)
{
    json_t *rows = vectors_json(KEY_IO_VALID), *row;
    size_t i, taproot = 0, segwit = 0;
    json_array_foreach(rows, i, row) {
        const char *text = json_string_value(json_array_get(row, 0));
        const char *script = json_string_value(json_array_get(row, 1));
        enum address_network net;
        if (!strchr(text, '1') || strncmp(text + strspn(text, "bcrt"), "1", 1) != 0 || text[0] == '1' ||
            !network_of(&net, vectors_text(json_array_get(row, 2), "chain")))
            continue;
        decodes(text, net, script);
        segwit++;
        taproot += strncmp(script, "5120", 4) == 0;
    }
    json_decref(rows);
    ck_assert_uint_ge(segwit, 20);
    ck_assert_uint_ge(taproot, 4);
}
END_TEST

START_TEST(core_invalid)
{
    json_t *rows = vectors_json(KEY_IO_INVALID), *row;
    size_t i;
    json_array_foreach(rows, i, row)
        refuses(json_string_value(json_array_get(row, 0)));
    ck_assert_uint_ge(json_array_size(rows), 20);
    json_decref(rows);
}
END_TEST

/* ---- trees ---- */

struct flat { struct tree_leaf leaf[16]; uint8_t *script[16]; size_t ids[16]; size_t count; };

static void flatten(struct flat *f, const json_t *node, uint8_t depth)
{
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++)
            flatten(f, json_array_get(node, i), (uint8_t)(depth + 1));
        return;
    }
    struct tree_leaf *leaf = &f->leaf[f->count];
    f->ids[f->count] = (size_t)json_integer_value(json_object_get(node, "id"));
    leaf->depth = depth;
    leaf->version = (uint8_t)json_integer_value(json_object_get(node, "leafVersion"));
    leaf->script.p = f->script[f->count] = vectors_hex(node, "script", &leaf->script.n);
    f->count++;
}

static void check_wallet_case(const json_t *c)
{
    const json_t *given = json_object_get(c, "given"), *middle = json_object_get(c, "intermediary");
    const json_t *expected = json_object_get(c, "expected");
    struct flat f = { .count = 0 };
    uint8_t root[32], internal[32], key[32];
    char text[ADDRESS_TEXT];
    const json_t *tree = json_object_get(given, "scriptTree");
    hex_must(internal, 32, vectors_text(given, "internalPubkey"));
    if (!json_is_null(tree)) {
        flatten(&f, tree, 0);
        ASSERT_OK(tree_root(root, f.leaf, f.count));
        ck_hex(root, 32, vectors_text(middle, "merkleRoot"));
    }
    ASSERT_OK(taproot_output_key(key, NULL, internal, f.count ? root : NULL));
    address_p2tr(text, ADDRESS_MAINNET, key);
    ck_assert_str_eq(text, vectors_text(expected, "bip350Address"));
    for (size_t i = 0; i < f.count; i++) {
        static uint8_t control[TREE_CONTROL_MAX];
        size_t n;
        const json_t *want = json_array_get(json_object_get(expected, "scriptPathControlBlocks"), f.ids[i]);
        ASSERT_OK(tree_control(control, &n, internal, f.leaf, f.count, i));
        ck_hex(control, n, json_string_value(want));
    }
    for (size_t i = 0; i < f.count; i++)
        free(f.script[i]);
}

START_TEST(bip341_trees)
{
    json_t *file = vectors_json(WALLET), *c;
    size_t i;
    json_array_foreach(json_object_get(file, "scriptPubKey"), i, c)
        check_wallet_case(c);
    ck_assert_uint_ge(i, 7);
    json_decref(file);
}
END_TEST

START_TEST(trees_refused)
{
    static const uint8_t one[1] = { 0x51 };
    static const struct { enum err_code want; size_t count; uint8_t depth[5], version; } rows[] = {
        { E_OK, 1, { 0 }, 0xc0 },             { E_OK, 2, { 1, 1 }, 0xc0 },          { E_OK, 3, { 1, 2, 2 }, 0xc0 },
        { E_OK, 3, { 2, 2, 1 }, 0xc0 },       { E_OK, 4, { 2, 2, 2, 2 }, 0xc0 },    { E_OK, 4, { 2, 3, 3, 1 }, 0xc2 },
        { E_FORMAT, 0, { 0 }, 0xc0 },         { E_FORMAT, 1, { 1 }, 0xc0 },         { E_FORMAT, 2, { 0, 0 }, 0xc0 },
        { E_FORMAT, 2, { 0, 1 }, 0xc0 },      { E_FORMAT, 2, { 1, 0 }, 0xc0 },      { E_FORMAT, 2, { 1, 2 }, 0xc0 },
        { E_FORMAT, 2, { 2, 1 }, 0xc0 },      { E_FORMAT, 3, { 1, 1, 1 }, 0xc0 },   { E_FORMAT, 3, { 2, 1, 2 }, 0xc0 },
        { E_FORMAT, 3, { 1, 1, 0 }, 0xc0 },   { E_FORMAT, 3, { 1, 2, 3 }, 0xc0 },   { E_FORMAT, 4, { 2, 2, 2, 1 }, 0xc0 },
        { E_FORMAT, 5, { 1, 2, 3, 4, 5 }, 0xc0 },
        { E_LIMIT, 1, { 129 }, 0xc0 },        { E_LIMIT, 2, { 255, 255 }, 0xc0 },
        { E_FORMAT, 1, { 0 }, 0xc1 },         { E_FORMAT, 1, { 0 }, 0x50 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tree_leaf leaves[5];
        uint8_t root[32];
        for (size_t j = 0; j < 5; j++)
            leaves[j] = (struct tree_leaf){ rows[i].depth[j], rows[i].version, { one, 1 } };
        err e = tree_root(root, leaves, rows[i].count);
        ck_assert_msg(e.code == rows[i].want, "tree %zu: %s", i, err_text(e.code));
    }
}
END_TEST

/* A comb of 128 levels is the deepest tree there is; its lowest leaf has the longest control block. */
START_TEST(deepest_tree)
{
    static const uint8_t one[1] = { 0x51 };
    static struct tree_leaf leaves[130];
    static uint8_t control[TREE_CONTROL_MAX];
    struct taproot_control c;
    uint8_t root[32], root2[32], leaf[32], internal[32], key[32];
    size_t n;
    for (size_t i = 0; i < 129; i++)
        leaves[i] = (struct tree_leaf){ (uint8_t)(i < 128 ? i + 1 : 128), 0xc0, { one, 1 } };
    case_hex(internal, 32, CASE_INTERNAL);
    ASSERT_OK(tree_root(root, leaves, 129));
    ASSERT_OK(tree_control(control, &n, internal, leaves, 129, 128));
    ck_assert_uint_eq(n, TREE_CONTROL_MAX);
    ck_assert(taproot_control_parse(&c, control, n));
    taproot_leaf_hash(leaf, 0xc0, one, 1);
    ASSERT_OK(taproot_output_key(key, NULL, internal, root));
    ck_assert(taproot_commits(key, root2, &c, leaf));
    ck_assert_mem_eq(root, root2, 32);
    ASSERT_CODE(tree_control(control, &n, internal, leaves, 129, 129), E_FORMAT);
    leaves[129] = leaves[128], leaves[128].depth = leaves[129].depth = 129;
    ASSERT_CODE(tree_root(root, leaves, 130), E_LIMIT);
    for (size_t i = 0; i < 130; i++)                  /* a whole tree, and the deepest comb after it: no room */
        leaves[i].depth = (uint8_t)(i < 129 ? i : 128);
    ASSERT_CODE(tree_root(root, leaves, 130), E_FORMAT);
    memset(internal, 0xff, 32);
    ASSERT_CODE(tree_control(control, &n, internal, leaves, 1, 0), E_FORMAT);
}
END_TEST

START_TEST(too_many_leaves)
{
    static const uint8_t one[1] = { 0x51 };
    static struct tree_leaf leaves[TREE_MAX_LEAVES + 1];
    uint8_t root[32];
    for (size_t i = 0; i <= TREE_MAX_LEAVES; i++)
        leaves[i] = (struct tree_leaf){ 10, 0xc0, { one, 1 } };
    ASSERT_OK(tree_root(root, leaves, TREE_MAX_LEAVES));
    ASSERT_CODE(tree_root(root, leaves, TREE_MAX_LEAVES + 1), E_LIMIT);
}
END_TEST

/* ---- the rule's own addresses ---- */

START_TEST(emulated_addresses)
{
    static const uint8_t yes[1] = { 0x51 }, no[1] = { 0x00 };
    uint8_t master[33], root[32], backup[32], key[32], script[34];
    char text[ADDRESS_TEXT];
    case_hex(master, 33, CASE_MASTER);
    ASSERT_OK(tree_root(root, (struct tree_leaf[]){ { 0, 0xc0, { yes, 1 } } }, 1));
    ck_hex(root, 32, CASE_ROOT);
    ASSERT_OK(address_emulated(text, ADDRESS_MAINNET, master, root, NULL));
    ck_assert_str_eq(text, "bc1plgeaej7ssa7v0ceage2mtklz3n62mqw37ygwgjfvwc607scvug0ssqr088");
    memcpy(backup, root, 32);
    ASSERT_OK(address_output_key(key, master, root, backup));
    taproot_script(script, key);
    ck_hex(script, 34, SIGNER_CASES[2].actual);
    ASSERT_OK(tree_root(root, (struct tree_leaf[]){ { 1, 0xc0, { yes, 1 } }, { 1, 0xc0, { no, 1 } } }, 2));
    ck_hex(root, 32, SIGNER_CASES[1].root);
    ASSERT_OK(address_output_key(key, master, root, NULL));
    taproot_script(script, key);
    ck_hex(script, 34, SIGNER_CASES[1].actual);
}
END_TEST

START_TEST(bad_master)
{
    uint8_t master[33], root[32] = { 0 }, key[32];
    char text[ADDRESS_TEXT] = "x";
    case_hex(master, 33, CASE_MASTER);
    static const uint8_t firsts[] = { 0, 1, 4, 5, 6, 7, 255 };
    for (size_t i = 0; i < sizeof firsts; i++) {
        master[0] = firsts[i];
        ASSERT_CODE(address_output_key(key, master, root, NULL), E_FORMAT);
    }
    master[0] = 2;
    memset(master + 1, 0xff, 32);
    ASSERT_CODE(address_emulated(text, ADDRESS_REGTEST, master, root, NULL), E_FORMAT);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(networks)
{
    static const char *const names[] = { "mainnet", "testnet", "signet", "regtest" };
    static const char *const hrps[] = { "bc", "tb", "tb", "bcrt" };
    static const char *const bad[] = { "", "main", "Mainnet", "mainnet ", "testnet4", "bc" };
    enum address_network net;
    for (int i = 0; i < 4; i++) {
        ASSERT_OK(address_network_parse(&net, names[i]));
        ck_assert_int_eq((int)net, i);
        ck_assert_str_eq(address_hrp(net), hrps[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASSERT_CODE(address_network_parse(&net, bad[i]), E_FORMAT);
}
END_TEST

static Suite *signer_address(void)
{
    return CHECK_SUITE("signer_address", bip350_valid, bip350_invalid, wrong_network, every_single_error,
                       encode_refuses, core_valid, core_invalid, bip341_trees, trees_refused, deepest_tree,
                       too_many_leaves, emulated_addresses, bad_master, networks);
}

int main(void)
{
    static check_suite *const suites[] = { signer_address };
    vectors_need(KEY_IO_VALID);
    vectors_need(KEY_IO_INVALID);
    vectors_need(WALLET);
    return check_main(suites, 1);
}
