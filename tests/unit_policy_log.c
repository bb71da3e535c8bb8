/* The Merkle tree of RFC 6962: known answers of tests/models/merkle.py, and every proof of every size to 70. */
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "policy/log.h"
#include "support/check_main.h"

enum { SIZES = 70, BIG_LEVELS = 8 };

struct kept { uint8_t node[BIG_LEVELS][SIZES + 2][TLOG_HASH]; struct tlog tree; uint8_t root[SIZES + 1][TLOG_HASH]; };

static err kept_node(void *self, uint8_t out[static TLOG_HASH], unsigned level, uint64_t index)
{
    const struct kept *k = self;
    ck_assert_uint_lt(level, BIG_LEVELS);
    ck_assert_uint_le((index + 1) << level, SIZES);      /* whole subtrees only */
    memcpy(out, k->node[level][index], TLOG_HASH);
    return OK;
}

static void leaf_of(uint8_t out[static TLOG_HASH], uint64_t i)
{
    uint8_t entry[SIZES];
    memset(entry, (int)i, sizeof entry);
    tlog_leaf(out, entry, (size_t)i);
}

static void fill(struct kept *k)
{
    memset(k, 0, sizeof *k);
    tlog_root(k->root[0], &k->tree);
    for (uint64_t i = 0; i < SIZES; i++) {
        leaf_of(k->node[0][i], i);
        ASSERT_OK(tlog_append(&k->tree, k->node[0][i]));
        tlog_root(k->root[i + 1], &k->tree);
    }
    for (unsigned level = 1; level < BIG_LEVELS; level++)
        for (uint64_t i = 0; (i + 1) << level <= SIZES; i++)
            tlog_join(k->node[level][i], k->node[level - 1][2 * i], k->node[level - 1][2 * i + 1]);
}

START_TEST(roots_are_those_of_the_model)
{
    static const struct { size_t size; const char *root; } known[] = {
        { 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { 1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
        { 2, "5397b75fcd025549e5c6c04c86b73ee49d8a3135745f4e082f08397d79fa37b3" },
        { 3, "12c35e40e6189d661c70a762621a48f8bac032746c1712e8d6e73d7c1ef0beb1" },
        { 7, "b0cc4f00cd89333eef11e629a34d1c746aa6e4d6493bb553e4dac36871ab00e5" },
        { 8, "c596bdd1cd29b0aec1e58487d6f764fc058a66ec9b3b17836e08338c844c6bc1" },
        { 70, "96f8cddafbd724e7e255f8984e90ab2d7de6beae169aaae6a357ff3817b18308" },
    };
    struct kept k;
    fill(&k);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char hex[2 * TLOG_HASH + 1];
        hex_from(hex, k.root[known[i].size], TLOG_HASH);
        ck_assert_str_eq(hex, known[i].root);
    }
}
END_TEST

/* Every root and proof, in one hash: the model's digest(70). */
START_TEST(proofs_are_those_of_the_model)
{
    static const char want[] = "f87a8cc13a3df1405f09b8ac5f19c2477e15475c2456b1b41ff9450e2861be20";
    struct kept k;
    struct tlog_path p;
    struct sha256_run *run = NULL;
    uint8_t got[32];
    char hex[65];
    fill(&k);
    const struct tlog_store s = { &k, kept_node };
    ASSERT_OK(sha256_begin(&run));
    for (uint64_t n = 0; n <= SIZES; n++) {
        sha256_add(run, k.root[n], TLOG_HASH);
        for (uint64_t m = 0; m < n; m++) {
            ASSERT_OK(tlog_prove_entry(&p, &s, m, n));
            sha256_add(run, p.hash, p.n * TLOG_HASH);
        }
        for (uint64_t m = 0; m <= n; m++) {
            ASSERT_OK(tlog_prove_growth(&p, &s, m, n));
            sha256_add(run, p.hash, p.n * TLOG_HASH);
        }
    }
    sha256_end(&run, got);
    hex_from(hex, got, sizeof got);
    ck_assert_str_eq(hex, want);
}
END_TEST

START_TEST(every_entry_is_proved_and_no_other)
{
    struct kept k;
    struct tlog_path p;
    fill(&k);
    const struct tlog_store s = { &k, kept_node };
    for (uint64_t n = 1; n <= SIZES; n++)
        for (uint64_t m = 0; m < n; m++) {
            ASSERT_OK(tlog_prove_entry(&p, &s, m, n));
            ASSERT_OK(tlog_check_entry(&p, k.node[0][m], m, n, k.root[n]));
            for (uint64_t other = 0; other <= n; other++)
                if (other != m) ASSERT_CODE(tlog_check_entry(&p, k.node[0][m], other, n, k.root[n]), E_AUTH);
            ASSERT_CODE(tlog_check_entry(&p, k.node[0][(m + 1) % SIZES], m, n, k.root[n]), E_AUTH);
            ASSERT_CODE(tlog_check_entry(&p, k.node[0][m], m, n, k.root[n - 1]), E_AUTH);
            for (size_t i = 0; i < p.n; i++) {
                p.hash[i][31] ^= 1;
                ASSERT_CODE(tlog_check_entry(&p, k.node[0][m], m, n, k.root[n]), E_AUTH);
                p.hash[i][31] ^= 1;
            }
            memset(p.hash[p.n++], 0, TLOG_HASH);
            ASSERT_CODE(tlog_check_entry(&p, k.node[0][m], m, n, k.root[n]), E_AUTH);
            if (p.n < 2) continue;
            p.n -= 2;
            ASSERT_CODE(tlog_check_entry(&p, k.node[0][m], m, n, k.root[n]), E_AUTH);
        }
}
END_TEST

START_TEST(every_growth_is_proved_and_no_other)
{
    struct kept k;
    struct tlog_path p;
    fill(&k);
    const struct tlog_store s = { &k, kept_node };
    for (uint64_t n = 0; n <= SIZES; n++)
        for (uint64_t m = 0; m <= n; m++) {
            ASSERT_OK(tlog_prove_growth(&p, &s, m, n));
            ASSERT_OK(tlog_check_growth(&p, m, k.root[m], n, k.root[n]));
            ASSERT_CODE(tlog_check_growth(&p, m, k.root[(m + 1) % (SIZES + 1)], n, k.root[n]), E_AUTH);
            /* From nothing grows anything: only there is the new root not proved. */
            if (m > 0) ASSERT_CODE(tlog_check_growth(&p, m, k.root[m], n, k.root[(n + 1) % (SIZES + 1)]), E_AUTH);
            if (m < n) ASSERT_CODE(tlog_check_growth(&p, n, k.root[n], m, k.root[m]), E_AUTH);
            for (size_t i = 0; i < p.n; i++) {
                p.hash[i][0] ^= 0x80;
                ASSERT_CODE(tlog_check_growth(&p, m, k.root[m], n, k.root[n]), E_AUTH);
                p.hash[i][0] ^= 0x80;
            }
            memset(p.hash[p.n++], 0, TLOG_HASH);
            ASSERT_CODE(tlog_check_growth(&p, m, k.root[m], n, k.root[n]), E_AUTH);
            if (p.n < 2) continue;
            p.n -= 2;
            ASSERT_CODE(tlog_check_growth(&p, m, k.root[m], n, k.root[n]), E_AUTH);
        }
}
END_TEST

static err any_node(void *self, uint8_t out[static TLOG_HASH], unsigned level, uint64_t index)
{
    (void)self;
    (void)level;
    memset(out, (int)(index & 0xff), TLOG_HASH);
    return OK;
}

static err no_node(void *self, uint8_t out[static TLOG_HASH], unsigned level, uint64_t index)
{
    (void)self;
    (void)out;
    FAIL(E_IO, "node %u/%llu", level, (unsigned long long)index);
}

START_TEST(limits_hold)
{
    const struct tlog_store s = { NULL, any_node }, broken = { NULL, no_node };
    const uint8_t leaf[TLOG_HASH] = { 0 };
    struct tlog t = { .size = TLOG_SIZE_MAX - 1 };
    struct tlog_path p;
    uint8_t root[TLOG_HASH];
    ASSERT_OK(tlog_append(&t, leaf));
    tlog_root(root, &t);
    ck_assert_mem_eq(root, t.node[62], TLOG_HASH);
    ASSERT_CODE(tlog_append(&t, leaf), E_LIMIT);
    ck_assert_uint_eq(t.size, TLOG_SIZE_MAX);
    /* The longest of each. */
    ASSERT_OK(tlog_prove_entry(&p, &s, 0, TLOG_SIZE_MAX));
    ck_assert_uint_eq(p.n, 62);
    ASSERT_OK(tlog_prove_growth(&p, &s, TLOG_SIZE_MAX / 2 - 1, TLOG_SIZE_MAX));
    ck_assert_uint_eq(p.n, TLOG_PATH_MAX);
    ASSERT_CODE(tlog_prove_entry(&p, &s, 0, TLOG_SIZE_MAX + 1), E_LIMIT);
    ASSERT_CODE(tlog_prove_growth(&p, &s, 0, TLOG_SIZE_MAX + 1), E_LIMIT);
    ASSERT_CODE(tlog_check_entry(&p, leaf, 0, TLOG_SIZE_MAX + 1, root), E_LIMIT);
    ASSERT_CODE(tlog_check_growth(&p, 0, root, TLOG_SIZE_MAX + 1, root), E_LIMIT);
    ASSERT_CODE(tlog_prove_entry(&p, &s, 5, 5), E_ABSENT);
    ASSERT_CODE(tlog_prove_growth(&p, &s, 6, 5), E_ABSENT);
    ASSERT_CODE(tlog_prove_entry(&p, &broken, 1, 5), E_IO);
    ASSERT_CODE(tlog_prove_growth(&p, &broken, 3, 5), E_IO);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("policy log", roots_are_those_of_the_model, proofs_are_those_of_the_model,
                       every_entry_is_proved_and_no_other, every_growth_is_proved_and_no_other, limits_hold);
}

CHECK_MAIN(suite)
