/* The clear bytes: packs, manifests, heads. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "diskcrypt/manifest.h"
#include "tests/support/check_main.h"

static struct pack_head a_pack(void)
{
    struct pack_head h = { .epoch = 3, .generation = 0x0102030405060708, .image_size = 5 * CHUNK_SIZE };
    for (unsigned i = 0; i < 32; i++) {
        h.service[i] = (uint8_t)i;
        h.salt[i] = (uint8_t)(0xa0 + i);
    }
    return h;
}

START_TEST(sizes)
{
    ASSERT_OK(chunk_size_check(CHUNK_SIZE));
    ASSERT_OK(chunk_size_check((uint64_t)CHUNK_SIZE * CHUNK_COUNT_MAX));
    ASSERT_CODE(chunk_size_check(0), E_FORMAT);
    ASSERT_CODE(chunk_size_check(CHUNK_SIZE - 1), E_FORMAT);
    ASSERT_CODE(chunk_size_check(CHUNK_SIZE + 4096), E_FORMAT);
    ASSERT_CODE(chunk_size_check((uint64_t)CHUNK_SIZE * (CHUNK_COUNT_MAX + 1ull)), E_LIMIT);
    ASSERT_FAILS(chunk_size_check(UINT64_MAX));
}
END_TEST

START_TEST(zeros)
{
    static uint8_t p[CHUNK_SIZE];
    ck_assert(chunk_is_zero(p, sizeof p));
    ck_assert(chunk_is_zero(p, 0));
    for (size_t i = 0; i < sizeof p; i += 1 + i / 7) {
        p[i] = 1;
        ck_assert_msg(!chunk_is_zero(p, sizeof p), "byte %zu", i);
        p[i] = 0;
    }
    memset(p, 5, sizeof p);               /* all the same, and not zero */
    ck_assert(!chunk_is_zero(p, sizeof p));
    ck_assert(!chunk_is_zero(p + sizeof p - 1, 1));
}
END_TEST

/* The very bytes, so that nothing moves unnoticed. */
START_TEST(nonce_aad_and_names)
{
    struct pack_head h = a_pack();
    uint8_t nonce[CHUNK_NONCE], aad[CHUNK_AAD];
    chunk_nonce(nonce, 0x01020304);
    ck_assert_mem_eq(nonce, "\x04\x03\x02\x01\0\0\0\0\0\0\0\0", sizeof nonce);
    chunk_aad(aad, &h, 0x0a0b0c0d);
    ck_assert_mem_eq(aad, h.service, 32);
    ck_assert_mem_eq(aad + 32, "\3\0\0\0" "\x08\7\6\5\4\3\2\1" "\x0d\x0c\x0b\x0a" "\0\x40\0\0" "\0\x40\1\0\0\0\0\0", 28);
    char name[OBJECT_NAME];
    pack_name(name, h.generation, h.salt);
    ck_assert_str_eq(name, "g0102030405060708-a0a1a2a3.pack");
    manifest_name(name, UINT64_MAX, h.salt);
    ck_assert_str_eq(name, "gffffffffffffffff-a0a1a2a3.manifest");
    record_name(name, h.salt);
    ck_assert_str_eq(name, "record-a0a1a2a3a4a5a6a7");
}
END_TEST

START_TEST(pack_round_trip)
{
    struct pack_head h = a_pack(), back;
    uint8_t bytes[PACK_HEAD], again[PACK_HEAD];
    pack_head_build(bytes, &h);
    ck_assert_mem_eq(bytes, "hf-pack\n\1\0\0\0", 12);
    ASSERT_OK(pack_head_parse(&back, bytes));
    pack_head_build(again, &back);
    ck_assert_mem_eq(bytes, again, sizeof bytes);
    for (size_t i = 0; i < 12; i++) {     /* magic and version */
        bytes[i] ^= 1;
        ASSERT_CODE(pack_head_parse(&back, bytes), E_FORMAT);
        bytes[i] ^= 1;
    }
    memset(bytes + 48, 0, 8);             /* generation 0 */
    ASSERT_CODE(pack_head_parse(&back, bytes), E_FORMAT);
    pack_head_build(bytes, &h);
    bytes[88] ^= 1;                       /* chunk size */
    ASSERT_CODE(pack_head_parse(&back, bytes), E_FORMAT);
    pack_head_build(bytes, &h);
    bytes[92] ^= 1;                       /* image size */
    ASSERT_CODE(pack_head_parse(&back, bytes), E_FORMAT);
}
END_TEST

/* Generation 7 of an image of nine chunks, five of them stored in three packs. */
struct sample { struct manifest_clear m; struct manifest_pack packs[3]; uint8_t entries[5 * MANIFEST_ENTRY]; };

static void entry(struct sample *s, unsigned i, uint32_t index, uint32_t pack, uint32_t slot)
{
    struct manifest_entry e = { index, pack, PACK_HEAD + (uint64_t)slot * CHUNK_SIZE, { (uint8_t)i } };
    manifest_entry_build(s->entries + i * MANIFEST_ENTRY, &e);
}

static void sample_make(struct sample *s)
{
    *s = (struct sample){ .m = { .epoch = 1, .generation = 7, .time = 1700000000, .log_position = 12,
                                 .image_size = 9 * CHUNK_SIZE, .stored = 5, .packs = 3 } };
    memset(s->m.service, 0x51, 32);
    memset(s->m.salt, 0x52, 32);
    memset(s->m.previous, 0x53, 32);
    memset(s->m.record, 0x54, 32);
    static const uint64_t generations[] = { 2, 5, 7 };
    for (unsigned i = 0; i < 3; i++) {
        s->packs[i] = (struct manifest_pack){ .generation = generations[i], .image_size = 9 * CHUNK_SIZE,
                                              .size = PACK_HEAD + (3 - i) * (uint64_t)CHUNK_SIZE };
        memset(s->packs[i].salt, i == 2 ? 0x52 : 0x60 + (int)i, SALT);
    }
    entry(s, 0, 0, 0, 0);
    entry(s, 1, 2, 1, 0);
    entry(s, 2, 3, 0, 2);
    entry(s, 3, 5, 2, 0);
    entry(s, 4, 8, 1, 1);
}

static size_t sample_bytes(uint8_t *out, size_t cap, const struct sample *s)
{
    struct wr w = wr_of(out, cap);
    manifest_clear_build(&w, &s->m, s->packs);
    ASSERT_OK(wr_end(&w, "sample"));
    return w.len;
}

START_TEST(manifest_round_trip)
{
    struct sample s;
    sample_make(&s);
    uint8_t bytes[1024], again[1024];
    size_t n = sample_bytes(bytes, sizeof bytes, &s);
    ck_assert_uint_eq(n, MANIFEST_FIXED + 3 * MANIFEST_PACK);
    struct manifest_clear m;
    ASSERT_OK(manifest_clear_parse(&m, bytes, sizeof bytes));   /* what follows is not looked at */
    ck_assert_uint_eq(m.clear_size, n);
    ck_assert_uint_eq(m.total_size, n + 5 * MANIFEST_ENTRY + CHUNK_TAG);
    struct manifest_pack packs[3];
    for (uint32_t i = 0; i < 3; i++)
        manifest_pack_get(&packs[i], &m, i);
    ck_assert_str_eq(packs[2].name, "g0000000000000007-52525252.pack");
    struct wr w = wr_of(again, sizeof again);
    manifest_clear_build(&w, &m, packs);
    ck_assert_uint_eq(w.len, n);
    ck_assert_mem_eq(bytes, again, n);
    ASSERT_OK(manifest_entries_check(&m, s.entries));
    for (size_t cut = 0; cut < n; cut++)
        ASSERT_CODE(manifest_clear_parse(&m, bytes, cut), E_FORMAT);
    ck_assert_uint_ge(manifest_size_max(9 * CHUNK_SIZE), n + 5 * MANIFEST_ENTRY + CHUNK_TAG);
}
END_TEST

/* Change one thing in the sample, and it must be refused. */
#define REFUSED(change) \
    do { \
        struct sample s; \
        sample_make(&s); \
        change; \
        uint8_t bytes_[4096]; \
        struct manifest_clear m_; \
        size_t n_ = sample_bytes(bytes_, sizeof bytes_, &s); \
        ck_assert_msg(manifest_clear_parse(&m_, bytes_, n_).code != E_OK, "accepted: %s", #change); \
    } while (0)

START_TEST(manifest_bad_fields)
{
    REFUSED(s.m.generation = 0);
    REFUSED(s.m.generation = 1);          /* a first one with a predecessor */
    REFUSED(memset(s.m.previous, 0, 32)); /* a later one without */
    REFUSED(s.m.generation = 6);          /* older than a pack it needs */
    REFUSED(s.m.image_size = 0);
    REFUSED(s.m.image_size += 1);
    REFUSED(s.m.image_size = UINT64_MAX - CHUNK_SIZE + 1);
    REFUSED(s.m.stored = 10);             /* more than the image has */
    REFUSED(s.m.stored = 7);              /* more than the packs have */
    REFUSED(s.m.stored = 2);              /* a pack for nothing */
    REFUSED(s.packs[0].size -= 1);
    REFUSED(s.packs[0].size = PACK_HEAD);
    REFUSED(s.packs[0].size = 0);
    REFUSED(s.packs[0].size = PACK_HEAD + 10ull * CHUNK_SIZE);
    REFUSED(s.packs[0].image_size = 2 * CHUNK_SIZE);
    REFUSED(s.packs[0].image_size = 9 * CHUNK_SIZE + 1);
    REFUSED(s.packs[1].generation = 2);   /* twice */
    REFUSED(s.packs[1].generation = 1);   /* out of order */
    REFUSED(s.packs[0].generation = 0);
    REFUSED(s.packs[2].generation = 8);   /* from the future */
    REFUSED(s.packs[2].salt[31] ^= 1);    /* its own generation's salt */
}
END_TEST

START_TEST(manifest_bad_bytes)
{
    struct sample s;
    sample_make(&s);
    uint8_t bytes[1024];
    struct manifest_clear m;
    size_t n = sample_bytes(bytes, sizeof bytes, &s);
    static const size_t at[] = { 0, 7, 8, 11, 176, 179, 187 };    /* magic, version, chunk size, packs' high byte */
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        bytes[at[i]] ^= 0x40;
        ck_assert_msg(manifest_clear_parse(&m, bytes, n).code == E_FORMAT, "byte %zu", at[i]);
        bytes[at[i]] ^= 0x40;
    }
    ASSERT_OK(manifest_clear_parse(&m, bytes, n));
}
END_TEST

#define ENTRIES_REFUSED(change) \
    do { \
        struct sample s; \
        sample_make(&s); \
        change; \
        uint8_t bytes_[1024]; \
        struct manifest_clear m_; \
        size_t n_ = sample_bytes(bytes_, sizeof bytes_, &s); \
        ASSERT_OK(manifest_clear_parse(&m_, bytes_, n_)); \
        ck_assert_msg(manifest_entries_check(&m_, s.entries).code == E_FORMAT, "accepted: %s", #change); \
    } while (0)

START_TEST(manifest_bad_entries)
{
    ENTRIES_REFUSED(entry(&s, 1, 0, 1, 0));         /* the same chunk twice */
    ENTRIES_REFUSED(entry(&s, 1, 4, 1, 0));         /* out of order */
    ENTRIES_REFUSED(entry(&s, 4, 9, 1, 1));         /* outside the image */
    ENTRIES_REFUSED(entry(&s, 4, UINT32_MAX, 1, 1));
    ENTRIES_REFUSED(entry(&s, 3, 5, 3, 0));         /* no such pack */
    ENTRIES_REFUSED(entry(&s, 3, 5, 2, 1));         /* outside the pack */
    ENTRIES_REFUSED(entry(&s, 2, 3, 0, 0));         /* the same place twice */
    ENTRIES_REFUSED(entry(&s, 3, 5, 1, 1));         /* pack 2 for nothing; and place 1 twice */
    ENTRIES_REFUSED(s.entries[8]++);                /* between two chunks of a pack */
    ENTRIES_REFUSED(memset(s.entries + 8, 0, 8));   /* inside the pack's header */
    ENTRIES_REFUSED(memset(s.entries + 8, 0xff, 8));
    ENTRIES_REFUSED(s.packs[0].image_size = 3 * CHUNK_SIZE);   /* chunk 3 of an image that had three */
}
END_TEST

static struct head a_head(void)
{
    struct head h = { .epoch = 2, .generation = 0x1f, .manifest = "g000000000000001f-0011aaff.manifest",
                      .record = "record-0123456789abcdef" };
    memset(h.service, 9, sizeof h.service);
    memset(h.manifest_sha256, 8, 32);
    memset(h.record_sha256, 7, 32);
    strcpy(h.log, "log-0000000000000005-00112233445566ff");
    memset(h.log_sha256, 6, 32);
    return h;
}

START_TEST(head_round_trip)
{
    struct head h = a_head(), back;
    uint8_t bytes[LINK_HEAD_MAX], again[LINK_HEAD_MAX];
    size_t n, k;
    ASSERT_OK(head_build(bytes, &n, &h));
    ck_assert_uint_eq(n, 8 + 4 + 32 + 4 + 8 + 4 + 35 + 32 + 4 + 23 + 32 + 4 + 37 + 32);
    ASSERT_OK(head_parse(&back, bytes, n));
    ASSERT_OK(head_build(again, &k, &back));
    ck_assert_uint_eq(n, k);
    ck_assert_mem_eq(bytes, again, n);
    for (size_t cut = 0; cut < n; cut++)
        ASSERT_CODE(head_parse(&back, bytes, cut), E_FORMAT);
    ASSERT_CODE(head_parse(&back, bytes, n + 1), E_FORMAT);
    h = (struct head){ .epoch = 4 };      /* the first generation is being made */
    ASSERT_OK(head_build(bytes, &n, &h));
    ASSERT_OK(head_parse(&back, bytes, n));
    ck_assert_uint_eq(back.generation, 0);
    ck_assert_uint_eq(back.epoch, 4);
}
END_TEST

#define HEAD_REFUSED(change) \
    do { \
        struct head h = a_head(); \
        uint8_t bytes_[LINK_HEAD_MAX]; \
        size_t n_; \
        change; \
        ck_assert_msg(head_build(bytes_, &n_, &h).code == E_FORMAT, "accepted: %s", #change); \
    } while (0)

START_TEST(head_bad_names)
{
    HEAD_REFUSED(h.generation = 0);
    HEAD_REFUSED(h.generation = 0x20);
    HEAD_REFUSED(h.manifest[0] = 'h');
    HEAD_REFUSED(h.manifest[18] = 'A');
    HEAD_REFUSED(h.manifest[34] = 0);
    HEAD_REFUSED(strcat(h.manifest, "x"));
    HEAD_REFUSED(strcpy(h.manifest, "../../../../etc/passwd"));
    HEAD_REFUSED(h.record[3] = '/');
    HEAD_REFUSED(h.record[8] = 'G');
    HEAD_REFUSED(h.record[0] = 0);
    HEAD_REFUSED(strcat(h.record, "0"));
    HEAD_REFUSED(h.log[0] = 0);                       /* and its hash stays */
    HEAD_REFUSED(h.log[3] = '/');
    HEAD_REFUSED(h.log[9] = 'F');
    HEAD_REFUSED(strcat(h.log, "0"));
}
END_TEST

/* Whatever the bytes are: refused, or exactly what a build of the result gives. */
START_TEST(head_flipped_bits)
{
    struct head h = a_head(), back;
    uint8_t bytes[LINK_HEAD_MAX], again[LINK_HEAD_MAX];
    size_t n, k;
    ASSERT_OK(head_build(bytes, &n, &h));
    for (size_t bit = 0; bit < 8 * n; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (head_parse(&back, bytes, n).code == E_OK) {
            ASSERT_OK(head_build(again, &k, &back));
            ck_assert(k == n && memcmp(bytes, again, n) == 0);
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

static Suite *formats(void)
{
    return CHECK_SUITE("diskcrypt formats", sizes, zeros, nonce_aad_and_names, pack_round_trip, manifest_round_trip,
                       manifest_bad_fields, manifest_bad_bytes, manifest_bad_entries, head_round_trip, head_bad_names,
                       head_flipped_bits);
}

CHECK_MAIN(formats)
