/* Segments of the log and the entries in them: what is written is read again; what is altered, cut or foreign is refused. */
#include <string.h>

#include "core/hash.h"
#include "policy/entry.h"
#include "policy/tail.h"
#include "support/check_main.h"

enum { ROOM = 4096 };

static size_t put_entry(uint8_t *out, const struct entry *e)
{
    uint8_t one[1024];
    struct wr w = wr_of(one, sizeof one), v = wr_of(out, 1028);
    entry_write(&w, e);
    ASSERT_OK(wr_end(&w, "entry"));
    wr_var(&v, one, w.len);
    return v.len;
}

static struct entry example(enum entry_kind kind)
{
    static const uint8_t signature[] = { 3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0 };
    struct entry e = { .kind = kind, .time = 1790000000 };
    switch (kind) {
    case ENTRY_GENESIS: e.document = (struct bytes){ "{}", 2 }; break;
    case ENTRY_BOOT: memset(e.pcr, 7, sizeof e.pcr); e.simulated = true; memset(e.random, 1, 32); e.generation = 4; memset(e.manifest, 2, 32); e.previous = ENTRY_NO_BOOT; break;
    case ENTRY_SEAL: e.generation = 5; memset(e.manifest, 3, 32); e.epoch = 1; break;
    case ENTRY_GRANT: memset(e.release, 4, 32); memset(e.build, 5, 32); memset(e.grant, 6, 32); break;
    case ENTRY_REKEY: e.epoch = 1; e.new_epoch = 2; break;
    case ENTRY_REOPEN: e.number = 1; e.size = 77; memset(e.root, 8, 32); break;
    case ENTRY_ROLLBACK: e.known = 9; e.generation = 5; memset(e.manifest, 9, 32); [[fallthrough]];
    default: e.document = (struct bytes){ "{\"type\":1}", 10 }; e.signatures = 2; e.signature_list = (struct bytes){ signature, sizeof signature };
    }
    return e;
}

START_TEST(each_kind_of_entry_is_read_as_written)
{
    for (int kind = ENTRY_GENESIS; kind < ENTRY_KINDS; kind++) {
        uint8_t bytes[1024], again[1024];
        struct wr w = wr_of(bytes, sizeof bytes), v = wr_of(again, sizeof again);
        struct entry e = example((enum entry_kind)kind), got;
        ck_assert_ptr_nonnull(entry_name((unsigned)kind));
        entry_write(&w, &e);
        ASSERT_OK(wr_end(&w, "entry"));
        if (kind == ENTRY_BOOT) ck_assert_uint_eq(w.len, ENTRY_BOOT_SIZE);
        ASSERT_OK(entry_parse(&got, bytes, w.len));
        entry_write(&v, &got);
        ck_assert_uint_eq(v.len, w.len);
        ck_assert_mem_eq(bytes, again, w.len);
        /* cut anywhere, or longer by a byte: no entry */
        for (size_t n = 0; n < w.len; n++) ASSERT_CODE(entry_parse(&got, bytes, n), E_FORMAT);
        ASSERT_CODE(entry_parse(&got, bytes, w.len + 1), E_FORMAT);
    }
}
END_TEST

START_TEST(an_entry_of_another_time_is_told_apart)
{
    struct entry got;
    uint8_t bytes[10] = { ENTRY_KINDS, 1 };
    ASSERT_CODE(entry_parse(&got, bytes, sizeof bytes), E_FORMAT);
    bytes[0] = ENTRY_SEAL, bytes[1] = ENTRY_VERSION + 1;
    ASSERT_CODE(entry_parse(&got, bytes, sizeof bytes), E_FORMAT);
    ck_assert_ptr_null(entry_name(0));
    ck_assert_ptr_null(entry_name(ENTRY_KINDS));
}
END_TEST

START_TEST(signatures_are_given_one_by_one)
{
    struct entry e = example(ENTRY_POLICY);
    struct bytes got[2];
    size_t n = 0;
    ASSERT_OK(entry_signatures(got, 2, &n, &e));
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(got[0].n, 3);
    ck_assert_mem_eq(got[0].p, "abc", 3);
    ck_assert_uint_eq(got[1].n, 0);
    ASSERT_CODE(entry_signatures(got, 1, &n, &e), E_LIMIT);
}
END_TEST

/* A segment with a signature that is not right, but there. */
static size_t segment(uint8_t *out, uint64_t from, unsigned count)
{
    static uint8_t entries[8 * 1028];
    const struct entry e = example(ENTRY_SEAL);
    struct wr w = wr_of(out, ROOM);
    struct tail t = { .epoch = 1, .from = from, .count = count, .entries = entries, .state = (const uint8_t *)"state", .state_len = 5 };
    memset(t.service, 0x11, 32);
    t.before.size = from;
    memset(t.before.node, 0x22, sizeof t.before.node);
    if (from) tail_name(t.previous, from - 1, (const uint8_t *)"saltsalt");
    for (unsigned i = 0; i < count; i++) t.entries_len += put_entry(entries + t.entries_len, &e);
    ASSERT_OK(tail_write(&w, &t));
    wr_bytes(&w, t.signature, sizeof t.signature);
    return w.len;
}

START_TEST(a_segment_is_read_as_written)
{
    static const uint64_t sizes[] = { 0, 1, 6, 255, 1u << 20, (UINT64_C(1) << 61) + 5 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t bytes[ROOM], again[ROOM];
        struct tail t;
        struct tlog tree;
        const size_t n = segment(bytes, sizes[i], 3);
        ASSERT_OK(tail_parse(&t, bytes, n));
        ck_assert_uint_eq(t.count, 3);
        ck_assert_uint_eq(t.from, sizes[i]);
        ck_assert_uint_eq(t.state_len, 5);
        ck_assert_mem_eq(t.state, "state", 5);
        ASSERT_OK(tail_tree(&tree, &t));
        ck_assert_uint_eq(tree.size, sizes[i] + 3);
        struct wr w = wr_of(again, sizeof again);
        ASSERT_OK(tail_write(&w, &t));
        ck_assert_uint_eq(w.len + 64, n);
        ck_assert_mem_eq(again, bytes, w.len);
        ASSERT_CODE(tail_check(&t, (const uint8_t *)"0123456789abcdef0123456789abcdef"), E_AUTH);
        for (size_t cut = 0; cut < n; cut++) ck_assert_int_ne(tail_parse(&t, bytes, cut).code, E_OK);
        /* Its beginning tells the same, and a beginning of TAIL_HEAD bytes is enough. */
        struct tail whole, head;
        ASSERT_OK(tail_parse(&whole, bytes, n));
        ASSERT_OK(tail_peek(&head, bytes, n < TAIL_HEAD ? n : TAIL_HEAD));
        ck_assert(head.from == whole.from && head.count == whole.count && strcmp(head.previous, whole.previous) == 0);
        ck_assert_mem_eq(head.previous_sha256, whole.previous_sha256, 32);
        ASSERT_CODE(tail_peek(&head, bytes, 60), E_FORMAT);
        ASSERT_CODE(tail_parse(&t, bytes, n + 1), E_FORMAT);
    }
}
END_TEST

START_TEST(a_segment_of_the_wrong_shape_is_refused)
{
    uint8_t bytes[ROOM];
    struct tail t;
    size_t n = segment(bytes, 5, 2);
    bytes[0] ^= 1;
    ASSERT_CODE(tail_parse(&t, bytes, n), E_FORMAT);
    bytes[0] ^= 1, bytes[8] = 2;
    ASSERT_CODE(tail_parse(&t, bytes, n), E_FORMAT);
    bytes[8] = 1, bytes[44] = 0;                       /* epoch 0 */
    ASSERT_CODE(tail_parse(&t, bytes, n), E_FORMAT);
    bytes[44] = 1, bytes[60] = 'x';                    /* the previous segment's name, and its length before */
    ASSERT_CODE(tail_parse(&t, bytes, n), E_FORMAT);
    struct wr w = wr_of(bytes, sizeof bytes);
    struct tail none = { .epoch = 1 };
    ASSERT_CODE(tail_write(&w, &none), E_FORMAT);
    struct tail most = { .epoch = 1, .count = 1, .from = TLOG_SIZE_MAX, .previous = "log-0000000000000000-0000000000000000" };
    ASSERT_CODE(tail_write(&w, &most), E_LIMIT);
}
END_TEST

START_TEST(names_are_of_one_form)
{
    char name[TAIL_NAME];
    tail_name(name, 0x1234, (const uint8_t *)"\1\2\3\4\5\6\7\xff");
    ck_assert_str_eq(name, "log-0000000000001234-01020304050607ff");
    ck_assert(tail_name_ok(name));
    ck_assert(!tail_name_ok("log-0000000000001234-01020304050607fF"));
    ck_assert(!tail_name_ok("log-0000000000001234_01020304050607ff"));
    ck_assert(!tail_name_ok("log-0000000000001234-01020304050607f"));
    ck_assert(!tail_name_ok(""));
}
END_TEST

START_TEST(a_segment_is_full_by_count_or_by_bytes)
{
    struct tail t = { .count = TAIL_ENTRIES - 1, .entries_len = TAIL_FULL - 1 };
    ck_assert(!tail_full(&t));
    t.count++;
    ck_assert(tail_full(&t));
    t.count = 1, t.entries_len = TAIL_FULL;
    ck_assert(tail_full(&t));
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("policy tail", each_kind_of_entry_is_read_as_written, an_entry_of_another_time_is_told_apart, signatures_are_given_one_by_one,
                       a_segment_is_read_as_written, a_segment_of_the_wrong_shape_is_refused, names_are_of_one_form,
                       a_segment_is_full_by_count_or_by_bytes);
}

CHECK_MAIN(suite)
