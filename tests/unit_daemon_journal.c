/* The service's log beside the disk: every head names both, whatever fails; a log of another time, service or hand is refused. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "daemon/journal.h"
#include "policy/cosign.h"
#include "tests/support/seal_rig.h"

enum { CHUNKS = 600 };

/* One life of an enclave with a log. */
struct life { struct rig *rig; struct store *store; struct sealer *sealer; struct journal *journal; secret *key; struct blk *image; };

static secret *log_key(uint8_t fill)
{
    secret *k = NULL;
    ASSERT_OK(secret_new(&k, JOURNAL_KEY));
    memset(secret_reveal(k), fill, JOURNAL_KEY);
    return k;
}

static void life_end(struct life *l)
{
    seal_close(&l->sealer);
    journal_close(&l->journal);
    store_close(&l->store);
    blk_close(&l->image);
    secret_drop(&l->key);
}
#define LIFE __attribute__((cleanup(life_end))) struct life

static err life_begin(struct life *l, struct rig *r)
{
    SEAL_HEAD found = { 0 };
    struct seal_report rep;
    *l = (struct life){ .rig = r, .key = log_key(7), .image = rig_image(CHUNKS) };
    TRY(store_memory_open(&l->store, r->m, &r->power));
    TRY(seal_head_get(&found, l->store));
    TRY(seal_open(&l->sealer, r->key, r->service, r->epoch, l->store, &found));
    TRY(journal_new(&l->journal, l->key, r->service, r->epoch, l->store));
    if (found.present) {
        TRY(journal_resume(l->journal, &found.head));
        if (!journal_fits(l->journal, &found.head)) return (err){ E_STATE };
        TRY(seal_restore(l->sealer, &rep, l->image, 1));
    }
    const struct seal_journal hooks = journal_hooks(l->journal);
    seal_use_journal(l->sealer, &hooks);
    return OK;
}

static err log_boot(struct life *l, uint8_t who)
{
    struct entry e = { .kind = ENTRY_BOOT, .time = 5, .previous = journal_boot(l->journal) };
    memset(e.random, who, 32);
    return journal_add(l->journal, &e);
}

static err seal_once(struct life *l, uint8_t seed)
{
    struct seal_report rep;
    rig_fill(l->image, seed, seed);
    const bool first = seal_generation(l->sealer) == 0;
    return seal_write(l->sealer, &rep, l->image, first ? (const uint8_t *)"record" : NULL, first ? 6 : 0, 1000u + seed);
}

static void head_of(struct head *h, struct rig *r)
{
    size_t n = 0;
    const uint8_t *raw = store_memory_head(r->m, &n);
    ASSERT_OK(head_parse(h, raw, n));
}

/* Go from the head's segment back to the first entry, checking each link. Out: the kinds, newest segment last. */
static size_t kinds_of(uint8_t *kinds, size_t cap, struct rig *r)
{
    struct head h;
    char name[TAIL_NAME];
    uint8_t want[32];
    size_t have = cap;
    head_of(&h, r);
    memcpy(name, h.log, TAIL_NAME);
    memcpy(want, h.log_sha256, 32);
    while (name[0]) {
        struct tail t;
        uint8_t hash[32];
        size_t n = 0, len = 0;
        const uint8_t *bytes = store_memory_object(r->m, &n, name);
        ck_assert_ptr_nonnull(bytes);
        sha256(hash, bytes, n);
        ck_assert_mem_eq(hash, want, 32);
        ASSERT_OK(tail_parse(&t, bytes, n));
        have -= t.count;
        struct rd e = tail_entries(&t);
        for (size_t i = 0; i < t.count; i++) kinds[have + i] = tail_next(&e, &len)[0];
        memcpy(name, t.previous, TAIL_NAME);
        memcpy(want, t.previous_sha256, 32);
        if (name[0]) ck_assert(t.from > 0);
    }
    memmove(kinds, kinds + have, cap - have);
    return cap - have;
}

START_TEST(each_generation_is_logged_with_its_head)
{
    RIG r;
    rig_open(&r, 1, 1);
    uint8_t kinds[64];
    {
        LIFE l;
        ASSERT_OK(life_begin(&l, &r));
        const struct entry genesis = { .kind = ENTRY_GENESIS, .time = 1, .document = { "{}", 2 } };
        ASSERT_OK(journal_add(l.journal, &genesis));
        ASSERT_OK(log_boot(&l, 1));
        ASSERT_OK(journal_set_state(l.journal, (const uint8_t *)"policy one", 10));
        ck_assert_uint_eq(journal_size(l.journal), 0);
        ASSERT_OK(seal_once(&l, 1));
        ck_assert_uint_eq(journal_size(l.journal), 3);
        ck_assert_uint_eq(journal_boot(l.journal), 1);
        ASSERT_OK(seal_once(&l, 2));
        ck_assert_uint_eq(journal_size(l.journal), 4);
    }
    LIFE l;
    ASSERT_OK(life_begin(&l, &r));
    size_t n = 0;
    const uint8_t *state = journal_state(l.journal, &n);
    ck_assert_uint_eq(n, 10);
    ck_assert_mem_eq(state, "policy one", 10);
    ck_assert_uint_eq(journal_boot(l.journal), 1);
    /* an entry without a generation */
    ASSERT_OK(log_boot(&l, 2));
    ASSERT_OK(seal_log(l.sealer, 9));
    ck_assert_uint_eq(journal_size(l.journal), 5);
    ck_assert_uint_eq(journal_boot(l.journal), 4);
    ck_assert_uint_eq(seal_generation(l.sealer), 2);
    ASSERT_OK(seal_once(&l, 3));
    ck_assert_uint_eq(kinds_of(kinds, sizeof kinds, &r), 6);
    static const uint8_t want[] = { ENTRY_GENESIS, ENTRY_BOOT, ENTRY_SEAL, ENTRY_SEAL, ENTRY_BOOT, ENTRY_SEAL };
    ck_assert_mem_eq(kinds, want, 6);
}
END_TEST

START_TEST(segments_are_chained)
{
    enum { SEALS = 2 * TAIL_ENTRIES + 9 };
    static uint8_t kinds[SEALS + 8];
    RIG r;
    rig_open(&r, 2, 1);
    uint8_t before[32], after[32];
    {
        LIFE l;
        ASSERT_OK(life_begin(&l, &r));
        for (unsigned i = 0; i < SEALS; i++) ASSERT_OK(seal_once(&l, (uint8_t)(i | 1)));
        ck_assert_uint_eq(journal_size(l.journal), SEALS);
        journal_root(before, l.journal);
    }
    LIFE l;
    ASSERT_OK(life_begin(&l, &r));
    journal_root(after, l.journal);
    ck_assert_mem_eq(before, after, 32);
    ck_assert_uint_eq(kinds_of(kinds, sizeof kinds, &r), SEALS);
    for (unsigned i = 0; i < SEALS; i++) ck_assert_uint_eq(kinds[i], ENTRY_SEAL);
}
END_TEST

START_TEST(a_checkpoint_is_signed_by_the_log)
{
    RIG r;
    rig_open(&r, 0xab, 1);
    LIFE l;
    uint8_t room[JOURNAL_NOTE];
    struct wr w = wr_of(room, sizeof room);
    struct note note;
    struct checkpoint c;
    uint8_t root[32];
    uint64_t time = 1;
    ASSERT_OK(life_begin(&l, &r));
    ASSERT_CODE(journal_checkpoint(&w, l.journal), E_STATE);
    ASSERT_OK(seal_once(&l, 1));
    ASSERT_OK(journal_checkpoint(&w, l.journal));
    ASSERT_OK(note_parse(&note, (const char *)room, w.len));
    ASSERT_OK(cosign_check(&time, &note, journal_key(l.journal)));
    ASSERT_OK(checkpoint_parse(&c, note.text, note.text_len));
    journal_root(root, l.journal);
    ck_assert_mem_eq(c.root, root, 32);
    ck_assert_uint_eq(c.size, 1);
    ck_assert_str_eq(c.origin, "holdfast/abababababababababababababababababababababababababababababababab");
}
END_TEST

/* Power lost at each call of a seal and of a log entry, taking effect or not: the next life has the old or the new head, whole. */
static void lose_power(bool torn, bool log_only)
{
    for (unsigned long at = 1;; at++) {
        RIG r;
        rig_open(&r, 3, 1);
        bool done = false;
        {
            LIFE l;
            ASSERT_OK(life_begin(&l, &r));
            ASSERT_OK(log_boot(&l, 1));
            ASSERT_OK(seal_once(&l, 1));
            r.power = (struct store_power){ .stop_after = at, .torn = torn };
            ASSERT_OK(log_boot(&l, 2));
            done = (log_only ? seal_log(l.sealer, 7) : seal_once(&l, 2)).code == E_OK;
        }
        r.power = (struct store_power){ 0 };
        LIFE l;
        ASSERT_OK(life_begin(&l, &r));
        const uint64_t size = journal_size(l.journal), more = log_only ? 1 : 2;
        ck_assert_msg(size == 2 || size == 2 + more, "%u entries", (unsigned)size);
        if (done) ck_assert_uint_eq(size, 2 + more);
        ck_assert_uint_eq(seal_generation(l.sealer), !log_only && size > 2 ? 2 : 1);
        ASSERT_OK(seal_once(&l, 5));
        if (done) return;
    }
}

START_TEST(power_lost_anywhere_leaves_the_old_or_the_new)
{
    lose_power(false, false);
    lose_power(true, false);
    lose_power(false, true);
    lose_power(true, true);
}
END_TEST

/* An answer lost, the process lives on: what was sent is found again, and nothing is logged twice. */
START_TEST(a_lost_answer_is_found_again)
{
    for (unsigned long at = 1; at < 12; at++) {
        RIG r;
        rig_open(&r, 4, 1);
        LIFE l;
        ASSERT_OK(life_begin(&l, &r));
        ASSERT_OK(seal_once(&l, 1));
        r.power = (struct store_power){ .stop_after = at, .torn = true };
        ASSERT_OK(log_boot(&l, 2));
        const bool done = seal_once(&l, 2).code == E_OK;
        r.power = (struct store_power){ 0 };
        struct store *again = NULL;
        ASSERT_OK(store_memory_open(&again, r.m, &r.power));
        seal_use_store(l.sealer, again);
        journal_use_store(l.journal, again);
        ASSERT_OK(seal_once(&l, 3));
        uint8_t kinds[32];
        unsigned boots = 0;
        const size_t n = kinds_of(kinds, sizeof kinds, &r);
        for (size_t i = 0; i < n; i++) boots += kinds[i] == ENTRY_BOOT;
        ck_assert_uint_eq(boots, 1);
        seal_close(&l.sealer);
        store_close(&again);
        if (done) return;
    }
}
END_TEST

static void grow(struct rig *r, unsigned seals)
{
    LIFE l;
    ASSERT_OK(life_begin(&l, r));
    for (unsigned i = 0; i < seals; i++) ASSERT_OK(seal_once(&l, (uint8_t)(i + 1)));
}

static err live_again(struct rig *r)
{
    LIFE l;
    return life_begin(&l, r);
}

static void put_head(struct rig *r, const struct head *h)
{
    uint8_t raw[LINK_HEAD_MAX];
    size_t n = 0;
    ASSERT_OK(head_build(raw, &n, h));
    ASSERT_OK(store_memory_set(r->m, NULL, raw, n));
}

START_TEST(heads_that_mix_times_are_refused)
{
    RIG r;
    rig_open(&r, 5, 1);
    struct head old, new, mixed;
    grow(&r, 1);
    head_of(&old, &r);
    grow(&r, 1);
    head_of(&new, &r);
    mixed = new;                                    /* the newest disk, the log of before */
    memcpy(mixed.log, old.log, sizeof mixed.log);
    memcpy(mixed.log_sha256, old.log_sha256, 32);
    put_head(&r, &mixed);
    ASSERT_CODE(live_again(&r), E_STATE);
    mixed = old;                                    /* the disk of before, the newest log */
    memcpy(mixed.log, new.log, sizeof mixed.log);
    memcpy(mixed.log_sha256, new.log_sha256, 32);
    put_head(&r, &mixed);
    ASSERT_CODE(live_again(&r), E_STATE);
    mixed = new;                                    /* no log */
    mixed.log[0] = 0;
    memset(mixed.log_sha256, 0, 32);
    put_head(&r, &mixed);
    ASSERT_CODE(live_again(&r), E_ABSENT);
    put_head(&r, &new);
    ASSERT_OK(live_again(&r));
}
END_TEST

START_TEST(segments_of_other_hands_are_refused)
{
    RIG r, other;
    rig_open(&r, 6, 1);
    rig_open(&other, 7, 1);
    struct head h, theirs;
    size_t n = 0;
    grow(&r, 1);
    grow(&other, 1);
    head_of(&h, &r);
    head_of(&theirs, &other);
    /* another service's segment, rightly named */
    const uint8_t *bytes = store_memory_object(other.m, &n, theirs.log);
    ASSERT_OK(store_memory_set(r.m, theirs.log, bytes, n));
    struct head mixed = h;
    memcpy(mixed.log, theirs.log, sizeof mixed.log);
    memcpy(mixed.log_sha256, theirs.log_sha256, 32);
    put_head(&r, &mixed);
    ASSERT_CODE(live_again(&r), E_AUTH);
    /* each byte of the own one changed, with the head's hash made to fit */
    put_head(&r, &h);
    uint8_t *own = store_memory_object(r.m, &n, h.log);
    for (size_t i = 0; i < n; i++) {
        own[i] ^= 1;
        mixed = h;
        sha256(mixed.log_sha256, own, n);
        put_head(&r, &mixed);
        const enum err_code code = live_again(&r).code;
        ck_assert_msg(code == E_AUTH || code == E_FORMAT || code == E_LIMIT, "byte %zu: %s", i, err_text(code));
        own[i] ^= 1;
    }
    put_head(&r, &h);
    own[40] ^= 1;                                   /* and without: another than the one named */
    ASSERT_FAILS(live_again(&r));
    own[40] ^= 1;
    ASSERT_OK(live_again(&r));
    store_memory_remove(r.m, h.log);
    ASSERT_CODE(live_again(&r), E_ABSENT);
    secret_drop(&other.key);
    store_memory_drop(&other.m);
}
END_TEST

START_TEST(what_waits_is_bounded_and_can_be_forgotten)
{
    RIG r;
    rig_open(&r, 8, 1);
    LIFE l;
    static uint8_t document[ENTRY_DOCUMENT_MAX];
    const struct entry big = { .kind = ENTRY_POLICY, .time = 1, .document = { document, sizeof document } };
    ASSERT_OK(life_begin(&l, &r));
    ASSERT_OK(seal_once(&l, 1));
    unsigned n = 0;
    while (!journal_add(l.journal, &big).code) n++;
    ck_assert_uint_eq(n, 3);
    ASSERT_OK(journal_set_state(l.journal, document, 100));
    ASSERT_CODE(journal_set_state(l.journal, document, TAIL_STATE_MAX), E_LIMIT);
    journal_forget(l.journal);
    ASSERT_OK(seal_once(&l, 2));
    ck_assert_uint_eq(journal_size(l.journal), 2);
    size_t len = 1;
    (void)journal_state(l.journal, &len);
    ck_assert_uint_eq(len, 0);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("daemon journal", each_generation_is_logged_with_its_head, segments_are_chained, a_checkpoint_is_signed_by_the_log,
                       power_lost_anywhere_leaves_the_old_or_the_new, a_lost_answer_is_found_again, heads_that_mix_times_are_refused,
                       segments_of_other_hands_are_refused, what_waits_is_bounded_and_can_be_forgotten);
}

CHECK_MAIN(suite)
