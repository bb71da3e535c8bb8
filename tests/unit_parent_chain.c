/* The log as its store holds it: the kept tree against the model of one who appends; chains of segments, whole, damaged and growing. */
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "parent/chain.h"
#include "tests/log_case.h"
#include "tests/segment_case.h"
#include "tests/support/check_main.h"

/* ---- the kept tree ---- */

static void leaf_of(uint8_t out[static TLOG_HASH], uint64_t i)
{
    const struct tlog_store log = case_log();
    ASSERT_OK(log.node(NULL, out, 0, i));
}

START_TEST(each_subtree_is_what_it_says)
{
    LEAVES l = { 0 };
    const struct tlog_store kept = leaves_store(&l), model = case_log();
    uint8_t a[TLOG_HASH], b[TLOG_HASH];
    for (uint64_t i = 0; i < 600; i++) {
        leaf_of(a, i);
        ASSERT_OK(leaves_add(&l, a));
    }
    for (unsigned level = 0; level < 10; level++)
        for (uint64_t i = 0; i < 600u >> level; i++) {
            ASSERT_OK(kept.node(kept.self, a, level, i));
            ASSERT_OK(model.node(NULL, b, level, i));
            ck_assert_mem_eq(a, b, TLOG_HASH);
        }
    for (unsigned level = 0; level < 70; level++) ASSERT_CODE(kept.node(kept.self, a, level, level < 10 ? 600u >> level : 0), E_ABSENT);
    ASSERT_CODE(kept.node(kept.self, a, 1, UINT64_MAX), E_ABSENT);
}
END_TEST

START_TEST(it_is_the_tree_of_who_appends)
{
    LEAVES l = { 0 };
    struct tlog t = { 0 }, got;
    for (uint64_t i = 0; i < 5000; i++) {
        uint8_t leaf[TLOG_HASH];
        leaf_of(leaf, i % 77);
        ASSERT_OK(leaves_add(&l, leaf));
        ASSERT_OK(tlog_append(&t, leaf));
        ASSERT_OK(leaves_tree(&got, &l, l.size));
        for (unsigned k = 0; k < TLOG_LEVELS; k++)
            if (t.size >> k & 1) ck_assert_mem_eq(got.node[k], t.node[k], TLOG_HASH);
    }
    ASSERT_CODE(leaves_tree(&got, &l, 5001), E_ABSENT);
}
END_TEST

START_TEST(proofs_verify_after_a_cut_too)
{
    LEAVES l = { 0 };
    struct tlog_path p;
    uint8_t leaf[TLOG_HASH];
    for (unsigned cut = 0; cut < 3; cut++) {
        const uint64_t keep = cut * 137;                     /* not at a boundary of anything */
        leaves_cut(&l, keep < l.size ? keep : l.size);
        while (l.size < 530) {
            leaf_of(leaf, l.size);
            ASSERT_OK(leaves_add(&l, leaf));
        }
        const struct tlog_store s = leaves_store(&l);
        const struct checkpoint now = case_tree("x", 530);
        for (uint64_t old = 1; old < 530; old += 23) {
            const struct checkpoint before = case_tree("x", old);
            ASSERT_OK(tlog_prove_growth(&p, &s, old, 530));
            ASSERT_OK(tlog_check_growth(&p, old, before.root, 530, now.root));
            leaf_of(leaf, old);
            ASSERT_OK(tlog_prove_entry(&p, &s, old, 530));
            ASSERT_OK(tlog_check_entry(&p, leaf, old, 530, now.root));
        }
    }
}
END_TEST

/* ---- chains ---- */

/* A store that counts what is read. */
static unsigned reads;
static err (*real_get)(struct store_backend *, struct store_get **, const char *);
static err counting_get(struct store_backend *s, struct store_get **out, const char *name)
{
    reads++;
    return real_get(s, out, name);
}

static struct store_backend *store_new(void)
{
    struct store_backend *s = NULL;
    ASSERT_OK(store_backend_memory(&s, 16 << 20));
    real_get = s->get;
    s->get = counting_get;
    reads = 0;
    return s;
}

static void check_chain(const struct chain *c, const struct made *newest, size_t segments)
{
    struct tlog t;
    ck_assert_uint_eq(c->count, segments);
    ck_assert_uint_eq(c->leaves.size, newest->tree.size);
    ck_assert_str_eq(c->segments[c->count - 1].name, newest->name);
    ASSERT_OK(leaves_tree(&t, &c->leaves, c->leaves.size));
    uint8_t a[TLOG_HASH], b[TLOG_HASH];
    tlog_root(a, &t);
    tlog_root(b, &newest->tree);
    ck_assert_mem_eq(a, b, TLOG_HASH);
}

START_TEST(a_growing_log_is_read_piece_by_piece)
{
    STORE_BACKEND s = store_new();
    CHAIN c = { 0 };
    struct made m[12];
    m[0] = case_segment(s, NULL, 256, 0, NULL);
    for (unsigned i = 1; i < 9; i++) m[i] = case_segment(s, &m[i - 1], i * 3, 0, NULL);
    ASSERT_OK(chain_follow(&c, s, m[8].name, m[8].sha256));
    check_chain(&c, &m[8], 9);
    ck_assert_uint_eq(reads, 9);
    /* The tail is written anew with more in it; what is before it is held already. */
    m[9] = case_segment(s, &m[7], 25, 1, NULL);
    ASSERT_OK(chain_follow(&c, s, m[9].name, NULL));
    check_chain(&c, &m[9], 9);
    ck_assert_uint_eq(reads, 10);
    /* Two segments more; and then back, as after a crash or a restore. */
    m[10] = case_segment(s, &m[9], 1, 0, NULL);
    m[11] = case_segment(s, &m[10], 1, 0, NULL);
    ASSERT_OK(chain_follow(&c, s, m[11].name, NULL));
    check_chain(&c, &m[11], 11);
    ck_assert_uint_eq(reads, 12);
    ASSERT_OK(chain_follow(&c, s, m[3].name, NULL));
    check_chain(&c, &m[3], 4);
    ASSERT_OK(chain_follow(&c, s, m[11].name, m[11].sha256));
    check_chain(&c, &m[11], 11);
    /* Another log altogether. */
    struct made other = case_segment(s, NULL, 5, 9, NULL);
    ASSERT_OK(chain_follow(&c, s, other.name, NULL));
    check_chain(&c, &other, 1);
}
END_TEST

static void other_service(struct tail *t) { t->service[0]++; }
static void other_log(struct tail *t) { t->number++; }
static void earlier_epoch(struct tail *t) { t->epoch = 3; }
static void other_hash(struct tail *t) { t->previous_sha256[5] ^= 1; }
static void other_tree(struct tail *t) { t->before.node[1][0] ^= 1; }
static void skips(struct tail *t) { t->from = t->before.size = 7; memset(t->before.node, 3, sizeof t->before.node); }

START_TEST(what_does_not_fit_is_refused)
{
    static const struct { void (*first)(struct tail *), (*second)(struct tail *); } cases[] = {
        { other_service, NULL }, { NULL, other_service }, { other_log, NULL }, { NULL, other_log }, { earlier_epoch, NULL },
        { NULL, other_hash }, { NULL, other_tree }, { NULL, skips },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        STORE_BACKEND s = store_new();
        CHAIN c = { 0 };
        const struct made a = case_segment(s, NULL, 6, 0, cases[i].first), b = case_segment(s, &a, 3, 0, cases[i].second);
        err e = chain_follow(&c, s, b.name, b.sha256);
        ck_assert_msg(e.code == E_AUTH, "case %zu: %s", i, err_text(e.code));
        ck_assert(c.count == 0 && c.leaves.size == 0);
        ASSERT_OK(chain_follow(&c, s, a.name, a.sha256));    /* and it can be used on */
    }
}
END_TEST

START_TEST(what_is_missing_or_damaged_is_told)
{
    STORE_BACKEND s = store_new();
    CHAIN c = { 0 };
    BYTES room = NULL;
    struct tail t;
    uint8_t sha[32], wrong[32] = { 0 };
    size_t n = 0;
    ASSERT_OK(mem_new(&room, TAIL_MAX));
    const struct made a = case_segment(s, NULL, 6, 0, NULL), b = case_segment(s, &a, 3, 0, NULL), d = case_segment(s, &b, 3, 0, NULL);
    ASSERT_CODE(chain_follow(&c, s, d.name, wrong), E_AUTH);
    ASSERT_CODE(chain_follow(&c, s, "log-0000000000000000-0000000000000077", NULL), E_ABSENT);
    ASSERT_CODE(chain_follow(&c, s, "record-0000000000000000", NULL), E_FORMAT);
    ASSERT_CODE(chain_follow(&c, s, "", NULL), E_FORMAT);
    ASSERT_OK(segment_read(&t, sha, room, &n, s, b.name));
    ck_assert_mem_eq(sha, b.sha256, 32);
    /* Under a name that says another place. */
    case_put(s, "log-0000000000000007-0000000000000001", room, n);
    ASSERT_CODE(chain_follow(&c, s, "log-0000000000000007-0000000000000001", NULL), E_FORMAT);
    case_remove(s, b.name);
    ASSERT_CODE(chain_follow(&c, s, d.name, NULL), E_ABSENT);
    room[n - 66] ^= 1;                                       /* in its state: all else fits */
    case_put(s, b.name, room, n);
    ASSERT_CODE(chain_follow(&c, s, d.name, NULL), E_AUTH);
    case_remove(s, b.name);
    case_put(s, b.name, room, n - 1);
    ASSERT_CODE(chain_follow(&c, s, d.name, NULL), E_FORMAT);
    memset(room, 0, TAIL_MAX);
    case_put(s, "log-0000000000000000-0000000000000002", room, TAIL_MAX);
    ASSERT_CODE(chain_follow(&c, s, "log-0000000000000000-0000000000000002", NULL), E_FORMAT);
    BYTES more = NULL;
    ASSERT_OK(mem_new(&more, TAIL_MAX + 1));
    case_put(s, "log-0000000000000000-0000000000000003", more, TAIL_MAX + 1);
    ASSERT_CODE(chain_follow(&c, s, "log-0000000000000000-0000000000000003", NULL), E_LIMIT);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("parent_chain", each_subtree_is_what_it_says, it_is_the_tree_of_who_appends, proofs_verify_after_a_cut_too,
                       a_growing_log_is_read_piece_by_piece, what_does_not_fit_is_refused, what_is_missing_or_damaged_is_told);
}

CHECK_MAIN(suite)
