/* Readers, writers, hex and base64. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "tests/support/check_main.h"

START_TEST(integers_have_their_order)
{
    const uint8_t in[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
                           0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e };
    struct rd r = rd_of(in, sizeof in);
    ck_assert_uint_eq(rd_u8(&r), 0x01);
    ck_assert_uint_eq(rd_u16(&r), 0x0302);
    ck_assert_uint_eq(rd_u32(&r), 0x07060504);
    ck_assert(rd_u64(&r) == UINT64_C(0x0f0e0d0c0b0a0908));
    ck_assert_uint_eq(rd_u16be(&r), 0x0102);
    ck_assert_uint_eq(rd_u32be(&r), 0x03040506);
    ck_assert(rd_u64be(&r) == UINT64_C(0x0708090a0b0c0d0e));
    ck_assert(rd_ok(&r));
    ASSERT_OK(rd_end(&r, "it"));

    uint8_t out[sizeof in];
    struct wr w = wr_of(out, sizeof out);
    wr_u8(&w, 0x01);
    wr_u16(&w, 0x0302);
    wr_u32(&w, 0x07060504);
    wr_u64(&w, UINT64_C(0x0f0e0d0c0b0a0908));
    wr_u16be(&w, 0x0102);
    wr_u32be(&w, 0x03040506);
    wr_u64be(&w, UINT64_C(0x0708090a0b0c0d0e));
    ASSERT_OK(wr_end(&w, "it"));
    ck_assert_uint_eq(w.len, sizeof in);
    ck_assert_mem_eq(out, in, sizeof in);
}
END_TEST

START_TEST(a_short_read_gives_zeros_and_sticks)
{
    const uint8_t in[] = { 1, 2, 3 };
    struct rd r = rd_of(in, sizeof in);
    ck_assert_uint_eq(rd_u32(&r), 0);
    ck_assert(!rd_ok(&r));
    /* Three bytes are there still, and may not be had any more. */
    ck_assert_uint_eq(rd_u8(&r), 0);
    ck_assert_ptr_null(rd_bytes(&r, 0));
    uint8_t copy[2] = { 9, 9 };
    rd_copy(&r, copy, 2);
    ck_assert_uint_eq(copy[0] + copy[1], 0);
    ASSERT_CODE(rd_end(&r, "it"), E_FORMAT);
}
END_TEST

START_TEST(what_is_left_over_is_an_error)
{
    struct rd r = rd_of("ab", 2);
    ck_assert_uint_eq(rd_u8(&r), 'a');
    ASSERT_CODE(rd_end(&r, "it"), E_FORMAT);
    ck_assert(rd_ok(&r));
    ck_assert_uint_eq(rd_u8(&r), 'b');
    ASSERT_OK(rd_end(&r, "it"));
}
END_TEST

START_TEST(bytes_come_in_place)
{
    const char in[] = "hello";
    struct rd r = rd_of(in, 5);
    ck_assert_ptr_eq(rd_bytes(&r, 2), in);
    ck_assert_ptr_eq(rd_bytes(&r, 0), in + 2);
    char rest[4] = "";
    rd_copy(&r, rest, 3);
    ck_assert_str_eq(rest, "llo");
    ck_assert_ptr_nonnull(rd_bytes(&r, 0));
    ck_assert_ptr_null(rd_bytes(&r, 1));
    struct rd none = rd_of(NULL, 0);
    ck_assert_ptr_nonnull(rd_bytes(&none, 0));
    ASSERT_OK(rd_end(&none, "nothing"));
    struct rd huge = rd_of(in, 5);
    ck_assert_ptr_null(rd_bytes(&huge, SIZE_MAX));
}
END_TEST

START_TEST(lengths_are_bounded)
{
    const uint8_t in[] = { 3, 0, 0, 0, 'a', 'b', 'c' };
    size_t n = 9;
    struct rd r = rd_of(in, sizeof in);
    const uint8_t *p = rd_var(&r, 3, &n);
    ck_assert_ptr_eq(p, in + 4);
    ck_assert_uint_eq(n, 3);
    r = rd_of(in, sizeof in);
    ck_assert_ptr_null(rd_var(&r, 2, &n));        /* longer than may be */
    ck_assert_uint_eq(n, 0);
    ck_assert(!rd_ok(&r));
    r = rd_of(in, sizeof in - 1);
    ck_assert_ptr_null(rd_var(&r, 3, &n));        /* longer than is there */
    ck_assert_uint_eq(n, 0);
    r = rd_of(in, 3);
    ck_assert_ptr_null(rd_var(&r, 3, &n));        /* half a length */
    const uint8_t empty[] = { 0, 0, 0, 0 };
    r = rd_of(empty, 4);
    ck_assert_ptr_nonnull(rd_var(&r, 0, &n));
    ASSERT_OK(rd_end(&r, "it"));
    const uint8_t most[] = { 255, 255, 255, 255 };
    r = rd_of(most, 4);
    ck_assert_ptr_null(rd_var(&r, SIZE_MAX, &n));
}
END_TEST

START_TEST(a_part_is_read_on_its_own)
{
    struct rd r = rd_of("abcdef", 6);
    struct rd s = rd_sub(&r, 2);
    ck_assert_uint_eq(rd_u8(&s), 'a');
    ck_assert_uint_eq(rd_u16(&s), 0);
    ck_assert(!rd_ok(&s));
    ck_assert(rd_ok(&r));
    ck_assert_uint_eq(rd_u8(&r), 'c');
    s = rd_sub(&r, 4);
    ck_assert(!rd_ok(&s));
    ck_assert(!rd_ok(&r));
    ck_assert_uint_eq(s.left, 0);
}
END_TEST

START_TEST(a_full_writer_stays_full)
{
    uint8_t out[4] = { 9, 9, 9, 9 };
    struct wr w = wr_of(out, 3);
    wr_u16(&w, 0x0201);
    wr_u16(&w, 0x0403);
    wr_u8(&w, 5);                                  /* would fit, and may not */
    ck_assert_uint_eq(w.len, 2);
    ck_assert_uint_eq(out[2], 9);
    ck_assert_ptr_null(wr_room(&w, 0));
    ASSERT_CODE(wr_end(&w, "it"), E_LIMIT);
    w = wr_of(out, 4);
    wr_text(&w, "ab");
    uint8_t *room = wr_room(&w, 2);
    ck_assert_ptr_eq(room, out + 2);
    ck_assert_ptr_null(wr_room(&w, SIZE_MAX));
    uint8_t var[7];
    w = wr_of(var, sizeof var);
    wr_var(&w, "xyz", 3);
    ASSERT_OK(wr_end(&w, "it"));
    ck_assert_mem_eq(var, "\3\0\0\0xyz", 7);
    w = wr_of(var, 6);
    wr_var(&w, "xyz", 3);
    ASSERT_CODE(wr_end(&w, "it"), E_LIMIT);
    w = wr_of(NULL, 0);
    wr_bytes(&w, NULL, 0);
    ASSERT_OK(wr_end(&w, "nothing"));
}
END_TEST

START_TEST(hex_is_exact)
{
    char text[9];
    const uint8_t in[] = { 0x00, 0xff, 0x1a, 0xe5 };
    uint8_t out[4];
    hex_from(text, in, 4);
    ck_assert_str_eq(text, "00ff1ae5");
    ASSERT_OK(hex_to(out, 4, "00FF1aE5", 8));
    ck_assert_mem_eq(out, in, 4);
    ASSERT_CODE(hex_to(out, 4, "00ff1ae", 7), E_FORMAT);
    ASSERT_CODE(hex_to(out, 4, "00ff1ae500", 10), E_FORMAT);
    ASSERT_CODE(hex_to(out, 4, "00ff1a", 6), E_FORMAT);
    static const char bad[] = { ' ', '/', ':', '@', 'G', '`', 'g', 'x', '\0', '\n', '-' };
    for (size_t i = 0; i < sizeof bad; i++)
        for (size_t at = 0; at < 8; at++) {
            memcpy(text, "00ff1ae5", 9);
            text[at] = bad[i];
            memset(out, 7, sizeof out);
            ASSERT_CODE(hex_to(out, 4, text, 8), E_FORMAT);
            ck_assert_mem_eq(out, "\0\0\0\0", 4);
        }
    ASSERT_OK(hex_to(out, 0, "", 0));
    hex_from(text, in, 0);
    ck_assert_str_eq(text, "");
    ASSERT_CODE(hex_to(out, SIZE_MAX / 2 + 2, "00", 2), E_FORMAT);
}
END_TEST

/* RFC 4648 section 10. */
START_TEST(base64_of_the_rfc)
{
    static const char *const pairs[][2] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
    };
    for (size_t i = 0; i < 7; i++) {
        char text[16];
        uint8_t out[8];
        size_t n = strlen(pairs[i][0]);
        ck_assert_uint_eq(base64_size(n), strlen(pairs[i][1]) + 1);
        base64_from(text, pairs[i][0], n);
        ck_assert_str_eq(text, pairs[i][1]);
        size_t got = 99;
        ASSERT_OK(base64_to(out, n, &got, text, strlen(text)));
        ck_assert_uint_eq(got, n);
        ck_assert_mem_eq(out, pairs[i][0], n);
        if (n > 0)
            ASSERT_CODE(base64_to(out, n - 1, &got, text, strlen(text)), E_LIMIT);
    }
}
END_TEST

START_TEST(base64_has_one_spelling)
{
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zg===", "=", "==", "===", "====", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm8=Zm8=",
        "Z g=", "Zg==\n", "\nZg==", "Zm9v\n", "Zm9-", "Zm9_", "Zm=v", "=m9v", "Z=9v", "Zm9v====", "Zm9vZ",
        "Zm\0v", "Zm9\x80", "Zm9 ",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t out[16];
        size_t n = 9, len = i == 24 ? 4 : strlen(bad[i]);
        enum err_code code = base64_to(out, sizeof out, &n, bad[i], len).code;
        ck_assert_msg(code == E_FORMAT, "'%s' was taken: %s", bad[i], err_text(code));
        ck_assert_uint_eq(n, 0);
    }
}
END_TEST

START_TEST(base64_takes_all_bytes)
{
    uint8_t in[256], out[256];
    char text[400];
    for (unsigned i = 0; i < 256; i++)
        in[i] = (uint8_t)i;
    for (size_t n = 0; n <= 256; n++) {
        size_t got = 0;
        base64_from(text, in, n);
        ck_assert_uint_eq(strlen(text) + 1, base64_size(n));
        ASSERT_OK(base64_to(out, sizeof out, &got, text, strlen(text)));
        ck_assert_uint_eq(got, n);
        ck_assert_mem_eq(in, out, n);
    }
}
END_TEST

/* Any reads, in any order, from any bytes: never out of bounds, and the sum of
 * what was given never more than what was there. */
START_TEST(property_random_reads_stay_inside)
{
    srand(12345);
    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t)(rand() % 40);
        /* On the heap at its exact size, so that a sanitizer sees one byte too far. */
        uint8_t *in = malloc(size ? size : 1);
        for (size_t i = 0; i < size; i++)
            in[i] = (uint8_t)(rand() % 5);
        struct rd r = rd_of(in, size);
        for (int step = 0; step < 12; step++) {
            size_t left = r.left, n = (size_t)(rand() % 12), got = 0;
            bool was = rd_ok(&r);
            switch (rand() % 5) {
            case 0: (void)rd_u8(&r); break;
            case 1: (void)rd_u64be(&r); break;
            case 2: (void)rd_bytes(&r, n); break;
            case 3: {
                const uint8_t *p = rd_var(&r, n, &got);
                ck_assert(p ? got <= n && p + got <= in + size : got == 0);
                break;
            }
            default: {
                struct rd s = rd_sub(&r, n);
                ck_assert_uint_le(s.left, left);
            }
            }
            ck_assert_uint_le(r.left, left);
            ck_assert(was || !rd_ok(&r));
        }
        free(in);
    }
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core/buf", integers_have_their_order, a_short_read_gives_zeros_and_sticks,
                       what_is_left_over_is_an_error, bytes_come_in_place, lengths_are_bounded,
                       a_part_is_read_on_its_own, a_full_writer_stays_full, hex_is_exact, base64_of_the_rfc,
                       base64_has_one_spelling, base64_takes_all_bytes, property_random_reads_stay_inside);
}

CHECK_MAIN(suite)
