/* Several stores as one: with every call of one of them failing, what counts as written is, and what lags is caught up. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "diskcrypt/manifest.h"
#include "parent/store_many.h"
#include "tests/support/check_main.h"

enum { STORES = 3, PACK = PACK_HEAD + CHUNK_SIZE, MANIFEST = MANIFEST_FIXED + MANIFEST_PACK + MANIFEST_ENTRY + CHUNK_TAG };

/* ---- a store that fails at call number `at` and ever after, over one that does not ---- */

struct lame { struct store_backend base; struct store_backend *inner; unsigned long calls, at; bool opened; };
struct lame_put { struct store_put base; struct lame *l; struct store_put *inner; };
struct lame_get { struct store_get base; struct lame *l; struct store_get *inner; };

static struct lame lames[STORES];

static err strike(struct lame *l)
{
    return l->at && ++l->calls >= l->at ? (err){ E_IO } : OK;
}

static err lame_write(struct store_put *b, const void *p, size_t n)
{
    struct lame_put *put = (struct lame_put *)b;
    TRY(strike(put->l));
    return put->inner->write(put->inner, p, n);
}

static err lame_commit(struct store_put *b)
{
    struct lame_put *put = (struct lame_put *)b;
    TRY(strike(put->l));
    return put->inner->commit(put->inner);
}

static void lame_put_close(struct store_put *b)
{
    store_put_close(&((struct lame_put *)b)->inner);
    free(b);
}

static err lame_put(struct store_backend *b, struct store_put **out, const char *name)
{
    struct lame *l = (struct lame *)b;
    struct store_put *inner;
    *out = NULL;
    TRY(strike(l));
    TRY(l->inner->put(l->inner, &inner, name));
    struct lame_put *put = calloc(1, sizeof *put);
    *put = (struct lame_put){ { lame_write, lame_commit, lame_put_close }, l, inner };
    *out = &put->base;
    return OK;
}

static err lame_read(struct store_get *b, void *p, size_t *n, size_t cap)
{
    struct lame_get *get = (struct lame_get *)b;
    *n = 0;
    TRY(strike(get->l));
    /* In small pieces, so that it can break off in the middle. */
    return get->inner->read(get->inner, p, n, cap < 1000 ? cap : 1000);
}

static void lame_get_close(struct store_get *b)
{
    store_get_close(&((struct lame_get *)b)->inner);
    free(b);
}

static err lame_get(struct store_backend *b, struct store_get **out, const char *name)
{
    struct lame *l = (struct lame *)b;
    struct store_get *inner;
    *out = NULL;
    TRY(strike(l));
    TRY(l->inner->get(l->inner, &inner, name));
    struct lame_get *get = calloc(1, sizeof *get);
    *get = (struct lame_get){ { inner->size, lame_read, lame_get_close }, l, inner };
    *out = &get->base;
    return OK;
}

static err lame_head_get(struct store_backend *b, uint8_t out[static LINK_HEAD_MAX], size_t *n)
{
    *n = 0;
    TRY(strike((struct lame *)b));
    return ((struct lame *)b)->inner->head_get(((struct lame *)b)->inner, out, n);
}

static err lame_head_put(struct store_backend *b, const void *e, size_t en, const void *x, size_t xn)
{
    TRY(strike((struct lame *)b));
    return ((struct lame *)b)->inner->head_put(((struct lame *)b)->inner, e, en, x, xn);
}

static err lame_list(struct store_backend *b, err (*each)(void *, const struct store_entry *), void *self)
{
    TRY(strike((struct lame *)b));
    return ((struct lame *)b)->inner->list(((struct lame *)b)->inner, each, self);
}

static err lame_remove(struct store_backend *b, size_t *removed, const void *h, size_t n, const char *const *names, size_t count)
{
    *removed = 0;
    TRY(strike((struct lame *)b));
    return ((struct lame *)b)->inner->remove(((struct lame *)b)->inner, removed, h, n, names, count);
}

static void lame_close(struct store_backend *b)
{
    (void)b;                                 /* it outlives each opening, as a disk does */
}

static err lame_open(struct store_backend **out, const char *name, const void *self, bool create)
{
    struct lame *l = &lames[name[0] - '0'];
    (void)self, (void)create;
    *out = NULL;
    TRY(strike(l));
    *out = &l->base;
    return OK;
}

static struct store_backend *many;

static void open_many(uint64_t durable)
{
    static const char *const names[] = { "0", "1", "2" };
    store_backend_close(&many);
    ASSERT_OK(store_many_new(&many, durable));
    for (size_t i = 0; i < STORES; i++) ASSERT_OK(store_many_add(many, names[i], (struct many_opener){ lame_open, NULL }, true));
}

static void setup(void)
{
    for (size_t i = 0; i < STORES; i++) {
        lames[i] = (struct lame){ .base = { lame_put, lame_get, lame_head_get, lame_head_put, lame_list, lame_remove, lame_close } };
        ASSERT_OK(store_backend_memory(&lames[i].inner, 1 << 24));
    }
    open_many(2);
}

static void teardown(void)
{
    store_backend_close(&many);
    for (size_t i = 0; i < STORES; i++) store_backend_close(&lames[i].inner);
}

static void heal(void)
{
    for (size_t i = 0; i < STORES; i++) lames[i].at = lames[i].calls = 0;
}

/* ---- a generation, put together as a seal does ---- */

static err put(struct store_backend *s, const char *name, const void *p, size_t n)
{
    STORE_PUT o = NULL;
    TRY(s->put(s, &o, name));
    TRY(o->write(o, p, n / 2));
    TRY(o->write(o, (const uint8_t *)p + n / 2, n - n / 2));
    return o->commit(o);
}

struct made { uint8_t head[LINK_HEAD_MAX]; size_t n; };

/* What a seal does, but for the head. Each generation needs one pack of its own. */
static err make(struct made *m, uint64_t generation)
{
    static uint8_t last[32];                 /* hash of the manifest before */
    static const uint8_t record[64] = { 7 };
    uint8_t bytes[MANIFEST] = { 0 };
    static uint8_t pack[PACK];
    struct manifest_pack p = { .generation = generation, .image_size = 4 * CHUNK_SIZE, .size = PACK };
    struct manifest_clear c = { .epoch = 1, .generation = generation, .time = 1000 + generation, .image_size = 4 * CHUNK_SIZE, .stored = 1, .packs = 1 };
    struct pack_head ph = { .epoch = 1, .generation = generation, .image_size = 4 * CHUNK_SIZE };
    struct head h = { .epoch = 1, .generation = generation };
    char pack_as[OBJECT_NAME], manifest_as[OBJECT_NAME];
    memset(p.salt, 3, SALT);
    memcpy(c.salt, p.salt, SALT);
    memcpy(ph.salt, p.salt, SALT);
    if (generation > 1) memcpy(c.previous, last, 32);
    sha256(c.record, record, sizeof record);
    memcpy(h.record_sha256, c.record, 32);
    record_name(h.record, c.record);
    pack_name(pack_as, generation, p.salt);
    manifest_name(manifest_as, generation, p.salt);
    strcpy(h.manifest, manifest_as);
    struct wr w = wr_of(bytes, sizeof bytes);
    manifest_clear_build(&w, &c, &p);
    TRY(wr_end(&w, "manifest"));
    pack_head_build(pack, &ph);
    if (generation == 1) TRY(put(many, h.record, record, sizeof record));
    TRY(put(many, pack_as, pack, sizeof pack));
    TRY(put(many, manifest_as, bytes, sizeof bytes));
    sha256(last, bytes, sizeof bytes);
    memcpy(h.manifest_sha256, last, 32);
    return head_build(m->head, &m->n, &h);
}

/* A whole seal of the next generation. */
static err seal(uint64_t generation)
{
    struct made m;
    uint8_t present[LINK_HEAD_MAX];
    size_t n;
    TRY(make(&m, generation));
    TRY(many->head_get(many, present, &n));
    return many->head_put(many, present, n, m.head, m.n);
}

/* The generation of one store's head; 0 without one. */
static uint64_t generation_in(size_t i)
{
    uint8_t raw[LINK_HEAD_MAX];
    size_t n;
    struct head h;
    ASSERT_OK(lames[i].inner->head_get(lames[i].inner, raw, &n));
    if (n == 0) return 0;
    ASSERT_OK(head_parse(&h, raw, n));
    return h.generation;
}

static err count(void *self, const struct store_entry *e)
{
    (void)e;
    ++*(size_t *)self;
    return OK;
}

static size_t objects_in(size_t i)
{
    size_t n = 0;
    ASSERT_OK(lames[i].inner->list(lames[i].inner, count, &n));
    return n;
}

static err tally(void *self, const struct many_report *r)
{
    ((size_t *)self)[r->state]++;
    return OK;
}

static void states_are(size_t whole, size_t behind, size_t away)
{
    size_t got[3] = { 0 };
    ASSERT_OK(store_many_states(many, tally, got));
    ck_assert_uint_eq(got[MANY_WHOLE], whole);
    ck_assert_uint_eq(got[MANY_BEHIND], behind);
    ck_assert_uint_eq(got[MANY_AWAY], away);
}

/* ---- the tests ---- */

START_TEST(all_well)
{
    for (uint64_t g = 1; g <= 3; g++) ASSERT_OK(seal(g));
    for (size_t i = 0; i < STORES; i++) {
        ck_assert_uint_eq(generation_in(i), 3);
        ck_assert_uint_eq(objects_in(i), 7);
    }
    size_t listed = 0;
    ASSERT_OK(many->list(many, count, &listed));
    ck_assert_uint_eq(listed, 7);
    states_are(3, 0, 0);
}
END_TEST

/* One store dies at each of its calls in turn: every seal still counts, and once it is back it is brought up. */
START_TEST(one_dies_anywhere)
{
    ASSERT_OK(seal(1));
    for (unsigned long at = 1; at <= 40; at++) {
        const size_t victim = at % STORES;
        const uint64_t g = 2 * at;
        lames[victim].at = at;
        ASSERT_OK(seal(g));
        ASSERT_OK(seal(g + 1));
        size_t have = 0;
        for (size_t i = 0; i < STORES; i++) have += generation_in(i) == g + 1;
        ck_assert_uint_ge(have, 2);
        heal();
        size_t behind = 9;
        open_many(2);
        ASSERT_OK(store_many_catch_up(many, &behind));
        ck_assert_uint_eq(behind, 0);
        states_are(3, 0, 0);
        for (size_t i = 0; i < STORES; i++) ck_assert_uint_eq(objects_in(i), 1 + 2 * (g + 1));
    }
}
END_TEST

/* Two of three die at each call: with durable = 2 the seal fails, or two have all of it. */
START_TEST(two_die_anywhere)
{
    uint64_t g = 1;
    ASSERT_OK(seal(g));
    for (unsigned long at = 1; at <= 25; at++) {
        lames[0].at = lames[1].at = at;
        err e = seal(++g);
        heal();
        open_many(2);
        size_t have = 0;
        for (size_t i = 0; i < STORES; i++) have += generation_in(i) == g;
        if (e.code == E_OK) ck_assert_uint_ge(have, 2);
        /* Whatever happened, what is offered is whole, and what was promised is not lost. */
        uint8_t raw[LINK_HEAD_MAX];
        size_t n, behind;
        struct head h;
        ASSERT_OK(many->head_get(many, raw, &n));
        ASSERT_OK(head_parse(&h, raw, n));
        ck_assert_uint_ge(h.generation, e.code ? g - 1 : g);
        STORE_GET get = NULL;
        ASSERT_OK(many->get(many, &get, h.manifest));
        teardown();
        many = NULL;
        setup();
        g = 1;
        ASSERT_OK(seal(g));
        ASSERT_OK(store_many_catch_up(many, &behind));
    }
}
END_TEST

START_TEST(reading_falls_back_in_the_middle)
{
    static uint8_t bytes[50000], got[60000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7 + i / 256);
    ASSERT_OK(put(many, "object", bytes, sizeof bytes));
    for (unsigned long at = 1; at <= 60; at += 3) {
        size_t n = 1, have = 0;
        STORE_GET get = NULL;
        lames[0].at = at;
        lames[1].at = at + 5;
        ASSERT_OK(many->get(many, &get, "object"));
        while (n > 0) {
            ASSERT_OK(get->read(get, got + have, &n, sizeof got - have));
            have += n;
        }
        ck_assert_uint_eq(have, sizeof bytes);
        ck_assert_mem_eq(got, bytes, sizeof bytes);
        heal();
    }
    lames[0].at = lames[1].at = lames[2].at = 1;
    STORE_GET none = NULL;
    ASSERT_CODE(many->get(many, &none, "object"), E_IO);
    heal();
    ASSERT_CODE(many->get(many, &none, "absent"), E_ABSENT);
}
END_TEST

/* The head of the highest generation that is whole is offered; a newer one without its pack is not. */
START_TEST(which_head)
{
    uint8_t raw[LINK_HEAD_MAX], first[LINK_HEAD_MAX];
    size_t n, first_n, removed;
    struct head h;
    struct made m;
    char pack[OBJECT_NAME];
    uint8_t salt[SALT];
    ASSERT_OK(seal(1));
    ASSERT_OK(many->head_get(many, first, &first_n));
    ASSERT_OK(make(&m, 2));
    ASSERT_OK(lames[2].inner->head_put(lames[2].inner, first, first_n, m.head, m.n));
    ASSERT_OK(many->head_get(many, raw, &n));
    ck_assert(n == m.n && memcmp(raw, m.head, n) == 0);
    memset(salt, 3, SALT);
    pack_name(pack, 2, salt);
    const char *names[] = { pack };
    for (size_t i = 0; i < STORES; i++)
        ASSERT_OK(lames[i].inner->remove(lames[i].inner, &removed, i == 2 ? m.head : first, i == 2 ? m.n : first_n, names, 1));
    ASSERT_OK(many->head_get(many, raw, &n));
    ASSERT_OK(head_parse(&h, raw, n));
    ck_assert_uint_eq(h.generation, 1);
}
END_TEST

/* Going back needs every store: one that is away would bring the newer head back. */
START_TEST(back_is_for_all)
{
    uint8_t one[LINK_HEAD_MAX], two[LINK_HEAD_MAX];
    size_t one_n, two_n;
    ASSERT_OK(seal(1));
    ASSERT_OK(many->head_get(many, one, &one_n));
    ASSERT_OK(seal(2));
    ASSERT_OK(many->head_get(many, two, &two_n));
    lames[1].at = 1;
    ASSERT_FAILS(many->head_put(many, two, two_n, one, one_n));
    heal();
    for (size_t i = 0; i < STORES; i++) ck_assert_uint_eq(generation_in(i), 2);
    open_many(2);
    ASSERT_OK(many->head_put(many, two, two_n, one, one_n));
    for (size_t i = 0; i < STORES; i++) ck_assert_uint_eq(generation_in(i), 1);
    ASSERT_CODE(many->head_put(many, two, two_n, one, one_n), E_OK);      /* it stands there already */
}
END_TEST

/* A store that was away stays out of no seal for ever: the next head brings it what it lacks. */
START_TEST(durable_all)
{
    open_many(3);
    ASSERT_OK(seal(1));
    open_many(2);
    lames[2].at = 1;
    ASSERT_OK(seal(2));
    ck_assert_uint_eq(generation_in(2), 1);
    states_are(2, 0, 1);
    heal();
    states_are(2, 1, 0);
    open_many(3);
    ASSERT_OK(seal(3));
    ck_assert_uint_eq(generation_in(2), 3);
    lames[2].at = 1;
    ASSERT_FAILS(seal(4));
}
END_TEST

static Suite *many_suite(void)
{
    Suite *s = suite_create("many");
    TCase *c = tcase_create("many");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, all_well);
    tcase_add_test(c, one_dies_anywhere);
    tcase_add_test(c, two_die_anywhere);
    tcase_add_test(c, reading_falls_back_in_the_middle);
    tcase_add_test(c, which_head);
    tcase_add_test(c, back_is_for_all);
    tcase_add_test(c, durable_all);
    suite_add_tcase(s, c);
    return s;
}

CHECK_MAIN(many_suite)
