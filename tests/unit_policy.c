/* The genesis document and the service record. */
#include <string.h>

#include "core/hash.h"
#include "policy/record.h"
#include "support/check_main.h"

static struct genesis sample(void)
{
    struct genesis g = { .limited = true, .max_weight = 400000, .created = 1790000000 };
    strcpy(g.name, "vault");
    strcpy(g.key_arn, "arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef");
    strcpy(g.profile, "confidential-script-2");
    memset(g.blockhash, 0xab, 32);
    memset(g.nonce, 0xcd, 16);
    return g;
}

START_TEST(the_document_is_fixed_to_the_byte)
{
    static const char want[] =
        "{\"type\":\"holdfast-genesis\",\"version\":1,\"name\":\"vault\","
        "\"key\":\"arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef\","
        "\"blockhash\":\"abababababababababababababababababababababababababababababababab\","
        "\"profile\":\"confidential-script-2\",\"max_weight\":400000,\"created\":1790000000,"
        "\"nonce\":\"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\"}";
    struct genesis g = sample();
    char text[GENESIS_MAX];
    uint8_t id[32], own[32];
    size_t n = 0;
    ASSERT_OK(genesis_render(text, &n, &g));
    ck_assert_uint_eq(n, sizeof want - 1);
    ck_assert_mem_eq(text, want, n);
    ASSERT_OK(genesis_id(id, &g));
    sha256(own, want, sizeof want - 1);
    ck_assert_mem_eq(id, own, 32);
    g.nonce[0] ^= 1;
    ASSERT_OK(genesis_id(own, &g));
    ck_assert_mem_ne(id, own, 32);
    strcpy(g.name, "a\"b");
    ASSERT_CODE(genesis_render(text, &n, &g), E_FORMAT);
    strcpy(g.name, "a\nb");
    ASSERT_CODE(genesis_render(text, &n, &g), E_FORMAT);
}
END_TEST

static size_t write_sample(uint8_t *out, size_t cap)
{
    struct record r = { .epoch = 1, .genesis = sample() };
    struct wr w = wr_of(out, cap);
    const uint8_t sealed[100] = { 5 };
    memset(r.public_key, 2, 33);
    memset(r.commitment, 3, 32);
    record_write_bound(&w, &r);
    record_write_keyring(&w, sealed, sizeof sealed);
    ASSERT_OK(wr_end(&w, "record"));
    return w.len;
}

START_TEST(a_record_comes_back_as_it_was)
{
    uint8_t bytes[RECORD_MAX], id[32], want[32];
    struct record r;
    struct genesis g = sample();
    size_t n = write_sample(bytes, sizeof bytes);
    ASSERT_OK(record_parse(&r, bytes, n));
    ck_assert_uint_eq(r.epoch, 1);
    ck_assert_uint_eq(r.keyring_len, 100);
    ck_assert_uint_eq(r.bound_len, n - 104);
    ck_assert_ptr_eq(r.bound, bytes);
    ASSERT_OK(genesis_id(want, &g));
    ASSERT_OK(record_check(id, &r, "", ""));
    ck_assert_mem_eq(id, want, 32);
    char hex[65];
    hex_from(hex, want, 32);
    ASSERT_OK(record_check(id, &r, hex, g.key_arn));
    hex[0] = hex[0] == '0' ? '1' : '0';
    ASSERT_CODE(record_check(id, &r, hex, ""), E_DENIED);
    ASSERT_CODE(record_check(id, &r, "", "arn:aws:kms:us-east-1:111122223333:key/another"), E_DENIED);
}
END_TEST

START_TEST(every_other_record_is_refused)
{
    uint8_t bytes[RECORD_MAX], bad[RECORD_MAX + 8];
    struct record r;
    size_t n = write_sample(bytes, sizeof bytes);
    for (size_t cut = 0; cut < n; cut++) ASSERT_FAILS(record_parse(&r, bytes, cut));
    memcpy(bad, bytes, n);
    bad[n] = 0;
    ASSERT_CODE(record_parse(&r, bad, n + 1), E_FORMAT);
    for (size_t at = 0; at < 8; at++) {                    /* magic, version, reserved */
        memcpy(bad, bytes, n);
        bad[at] ^= 0x40;
        ASSERT_CODE(record_parse(&r, bad, n), E_FORMAT);
    }
    memcpy(bad, bytes, n);
    memset(bad + 8, 0, 4);                                 /* epoch 0 */
    ASSERT_CODE(record_parse(&r, bad, n), E_FORMAT);
    memcpy(bad, bytes, n);
    bad[12 + 4] = 0;                                       /* a NUL inside the name */
    ASSERT_CODE(record_parse(&r, bad, n), E_FORMAT);
    ASSERT_CODE(record_parse(&r, bytes, RECORD_MAX + 1), E_LIMIT);
}
END_TEST

static Suite *policy_suite(void)
{
    return CHECK_SUITE("policy", the_document_is_fixed_to_the_byte, a_record_comes_back_as_it_was, every_other_record_is_refused);
}
CHECK_MAIN(policy_suite)
