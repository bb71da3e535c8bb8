/* The genesis document and the service record. */
#include <string.h>

#include "core/hash.h"
#include "policy/record.h"
#include "policy/statement.h"
#include "support/check_main.h"
#include "support/vectors.h"

#define RULES_SAMPLE "[\"4846\",\"525301\"]"
#define RULES_JSON_SAMPLE "[{\"name\":\"tapscript\"}]"
#define H32(b) b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b

static struct genesis sample(void)
{
    struct genesis g = { .limited = true, .max_weight = 400000, .created = 1790000000 };
    strcpy(g.name, "vault");
    strcpy(g.key_arn, "arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef");
    strcpy(g.profile, "confidential-script-2");
    g.rules = 2;
    g.rule_set[0].n = 2;
    g.rule_set[1].n = 3;
    memcpy(g.rule_set[0].bytes, "HF", 2);
    memcpy(g.rule_set[1].bytes, "RS\1", 3);
    memset(g.blockhash, 0xab, 32);
    memset(g.nonce, 0xcd, 16);
    return g;
}

static struct block_check sample_check(void)
{
    struct block_check b = { .made = true, .network = "testnet4", .anchor = "checkpoint", .height = UINT32_MAX, .time = UINT32_MAX, .depth = UINT32_MAX };
    memset(b.work, 0xee, 32);
    return b;
}

START_TEST(the_document_is_fixed_to_the_byte)
{
    static const char want[] =
        "{\"type\":\"holdfast-genesis\",\"version\":3,\"name\":\"vault\","
        "\"key\":\"arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef\","
        "\"blockhash\":\"abababababababababababababababababababababababababababababababab\","
        "\"blockhash_check\":\"unverified\",\"profile\":\"confidential-script-2\",\"rules\":" RULES_SAMPLE ",\"max_weight\":400000,\"created\":1790000000,"
        "\"nonce\":\"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\",\"key_point\":null,\"accepted\":0}";
    static const char more[] = "\"key_point\":\"02" H32("11") "\",\"accepted\":2147487744}";
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
    g.accepted = 0x80001000;
    memset(g.key_point, 0x11, sizeof g.key_point);
    g.key_point[0] = 2;
    ASSERT_OK(genesis_render(text, &n, &g));
    ck_assert_mem_eq(text + n - (sizeof more - 1), more, sizeof more - 1);
    strcpy(g.name, "a\"b");
    ASSERT_CODE(genesis_render(text, &n, &g), E_FORMAT);
    strcpy(g.name, "a\nb");
    ASSERT_CODE(genesis_render(text, &n, &g), E_FORMAT);
}
END_TEST

/* The longest texts that fit their fields: a document that could not be rendered would be a service that cannot begin. */
START_TEST(the_longest_document_has_room)
{
    struct genesis g = { .limited = true, .max_weight = UINT64_MAX, .created = UINT64_MAX, .accepted = UINT32_MAX };
    char text[GENESIS_MAX];
    size_t n = 0;
    memset(g.name, 'n', sizeof g.name - 1);
    memset(g.key_arn, 'a', sizeof g.key_arn - 1);
    memset(g.profile, 'p', sizeof g.profile - 1);
    memset(g.key_point, 3, sizeof g.key_point);
    g.check = sample_check();
    g.rules = GENESIS_RULES;
    for (size_t i = 0; i < GENESIS_RULES; i++) g.rule_set[i].n = GENESIS_RULE_SET;
    ASSERT_OK(genesis_render(text, &n, &g));
}
END_TEST

static size_t write_sample(uint8_t *out, size_t cap)
{
    struct record r = { .epoch = 1, .genesis = sample() };
    r.genesis.check = sample_check();
    struct wr w = wr_of(out, cap);
    const uint8_t sealed[100] = { 5 };
    memset(r.public_key, 2, 33);
    memset(r.commitment, 3, 32);
    record_begin_build(&r);
    record_write_bound(&w, &r);
    record_write_keyring(&w, sealed, sizeof sealed);
    ASSERT_OK(wr_end(&w, "record"));
    return w.len;
}

START_TEST(a_checked_block_is_in_the_document)
{
    static const char want[] = "\"blockhash_check\":{\"network\":\"testnet4\",\"height\":4294967295,\"time\":4294967295,\"depth\":4294967295,"
        "\"anchor\":\"checkpoint\",\"work\":\"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\"},\"profile\":";
    struct genesis g = sample();
    char text[GENESIS_MAX];
    uint8_t id[32], other[32];
    size_t n = 0;
    ASSERT_OK(genesis_id(id, &g));
    g.check = sample_check();
    ASSERT_OK(genesis_render(text, &n, &g));
    ck_assert_ptr_nonnull(memmem(text, n, want, sizeof want - 1));
    ASSERT_OK(genesis_id(other, &g));
    ck_assert_mem_ne(id, other, 32);
}
END_TEST

static bool read_back(struct block_check *out, const uint8_t *p, size_t n)
{
    struct rd r = rd_of(p, n);
    block_check_read(&r, out);
    return rd_ok(&r) && r.left == 0;
}

START_TEST(a_block_check_has_one_encoding)
{
    uint8_t bytes[128], bad[128];
    struct block_check b = sample_check(), back;
    struct wr w = wr_of(bytes, sizeof bytes);
    block_check_write(&w, &b);
    ck_assert(read_back(&back, bytes, w.len));
    ck_assert(back.made && back.height == b.height && back.time == b.time && back.depth == b.depth);
    ck_assert_str_eq(back.network, "testnet4");
    ck_assert_str_eq(back.anchor, "checkpoint");
    ck_assert_mem_eq(back.work, b.work, 32);
    for (size_t cut = 0; cut < w.len; cut++) ck_assert(!read_back(&back, bytes, cut));
    for (uint8_t made = 0; made < 3; made += 2) {           /* "not made" with something in it; no boolean */
        memcpy(bad, bytes, w.len);
        bad[0] = made;
        ck_assert(!read_back(&back, bad, w.len));
    }
    static const uint8_t odd[] = { '"', 'A', 0, ' ', 0x7f };
    for (size_t i = 0; i < sizeof odd; i++) {
        memcpy(bad, bytes, w.len);
        bad[5] = odd[i];                                     /* the network's first character */
        ck_assert(!read_back(&back, bad, w.len));
    }
    b = (struct block_check){ 0 };
    w = wr_of(bytes, sizeof bytes);
    block_check_write(&w, &b);
    ck_assert(read_back(&back, bytes, w.len) && !back.made);
    bytes[0] = 1;                                            /* made, and no words */
    ck_assert(!read_back(&back, bytes, w.len));
}
END_TEST

START_TEST(a_record_comes_back_as_it_was)
{
    uint8_t bytes[RECORD_MAX], id[32], want[32];
    struct record r;
    struct genesis g = sample();
    g.check = sample_check();
    size_t n = write_sample(bytes, sizeof bytes);
    ASSERT_OK(record_parse(&r, bytes, n));
    ck_assert_uint_eq(r.epoch, 1);
    ck_assert_uint_eq(r.keyring_len, 100);
    ck_assert_uint_eq(r.bound_len, n - 104);
    ck_assert_ptr_eq(r.bound, bytes);
    ck_assert(record_is_of_genesis_key(&r));
    ck_assert_str_eq(r.build_arn, g.key_arn);
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

static size_t write_upgraded(uint8_t *out, size_t cap, const char *arn, const uint8_t release[static 32])
{
    struct record r = { .epoch = 2, .genesis = sample() };
    struct wr w = wr_of(out, cap);
    record_begin_build(&r);
    memset(r.build_arn, 0, sizeof r.build_arn);
    strcpy(r.build_arn, arn);
    memcpy(r.release, release, 32);
    record_write_bound(&w, &r);
    record_write_keyring(&w, release, 32);
    ASSERT_OK(wr_end(&w, "record"));
    return w.len;
}

/* The service stays the same, the key that opens its keyring does not. */
START_TEST(an_upgraded_record_names_the_key_of_its_build)
{
    static const uint8_t none[32] = { 0 }, release[32] = { 7 };
    static const char other[] = "arn:aws:kms:eu-central-1:444455556666:key/fedcba98-7654-3210-fedc-ba9876543210";
    uint8_t bytes[RECORD_MAX], id[32], want[32];
    struct record r, other_point = { .genesis = sample() };
    struct genesis g = sample();
    size_t n = write_upgraded(bytes, sizeof bytes, other, release);
    ASSERT_OK(record_parse(&r, bytes, n));
    ck_assert_str_eq(r.build_arn, other);
    ck_assert_str_eq(r.genesis.key_arn, g.key_arn);
    ck_assert_mem_eq(r.release, release, 32);
    ck_assert(!record_is_of_genesis_key(&r));
    ASSERT_OK(genesis_id(want, &g));
    ASSERT_OK(record_check(id, &r, "", other));
    ck_assert_mem_eq(id, want, 32);
    ASSERT_CODE(record_check(id, &r, "", g.key_arn), E_DENIED);   /* the build before */
    n = write_upgraded(bytes, sizeof bytes, other, none);         /* another key that nobody allowed */
    ASSERT_CODE(record_parse(&r, bytes, n), E_FORMAT);
    n = write_upgraded(bytes, sizeof bytes, g.key_arn, release);  /* back on the first key, by a release */
    ASSERT_OK(record_parse(&r, bytes, n));
    ck_assert(record_is_of_genesis_key(&r));
    record_begin_build(&other_point);
    other_point.epoch = 1;
    other_point.build_point[0] = 2;
    struct wr w = wr_of(bytes, sizeof bytes);
    record_write_bound(&w, &other_point);
    record_write_keyring(&w, none, 32);
    ASSERT_CODE(record_parse(&r, bytes, w.len), E_FORMAT);
}
END_TEST

/* No release was made with it: refused by its number, not read as if it were this version. */
START_TEST(a_record_of_version_2_is_refused)
{
    uint8_t bytes[RECORD_MAX];
    struct record r;
    size_t n = write_sample(bytes, sizeof bytes);
    bytes[4] = 2;
    ASSERT_CODE(record_parse(&r, bytes, n), E_FORMAT);
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
    const size_t check = 1 + 4 + 8 + 4 + 10 + 3 * 4 + 32;
    const size_t build = n - 104 - 32 - 33 - 4 - strlen(sample().key_arn);
    const size_t points[] = { build - 65 - check - 33, n - 104 - 32 - 33 };   /* public keys: a compressed point, or zeros */
    memcpy(bad, bytes, n);
    bad[n - 104 - 1] = 1;                                  /* a release, so that the two keys may differ */
    for (size_t i = 0; i < 2; i++) {
        bad[points[i] + 32] = 1;
        ASSERT_CODE(record_parse(&r, bad, n), E_FORMAT);
        bad[points[i]] = 4;
        ASSERT_CODE(record_parse(&r, bad, n), E_FORMAT);
        bad[points[i]] = 3;
        ASSERT_OK(record_parse(&r, bad, n));
    }
    bad[build + 4] = 0;                                    /* a NUL inside the ARN */
    ASSERT_CODE(record_parse(&r, bad, n), E_FORMAT);
    ASSERT_CODE(record_parse(&r, bytes, RECORD_MAX + 1), E_LIMIT);
}
END_TEST

static struct statement full_statement(void)
{
    struct statement s = {
        .build = "0.1.0", .name = "vault", .profile = "confidential-script-2", .has_service = true, .epoch = 3,
        .key_id = "arn:aws:kms:us-east-1:111122223333:key/k", .limited = true, .max_weight = UINT64_MAX,
        .has_policy = true, .has_log = true, .log_size = 7,
    };
    s.rules = RULES_JSON_SAMPLE;
    memset(s.service_id, 0x11, 32);
    memset(s.public_key, 0x02, 33);
    memset(s.blockhash, 0xab, 32);
    memset(s.policy, 0x33, 32);
    memset(s.log_root, 0x44, 32);
    memset(s.log_key, 0x55, 32);
    s.accepted = 1u << 12;
    return s;
}

START_TEST(a_statement_is_fixed_to_the_byte)
{
    static const char empty[] =
        "{\"type\":\"holdfast-statement\",\"version\":2,\"build\":\"0.1.0\",\"simulated\":true,\"name\":\"vault\","
        "\"profile\":\"confidential-script-2\",\"rules\":" RULES_JSON_SAMPLE ",\"service_id\":null,\"public_key\":null,\"epoch\":null,\"settings\":null,"
        "\"policy\":null,\"log\":null}";
    static const char full[] =
        "{\"type\":\"holdfast-statement\",\"version\":2,\"build\":\"0.1.0\",\"simulated\":false,\"name\":\"vault\","
        "\"profile\":\"confidential-script-2\",\"rules\":" RULES_JSON_SAMPLE ",\"service_id\":\"" H32("11") "\",\"public_key\":\"02" H32("02") "\",\"epoch\":3,"
        "\"settings\":{\"key_id\":\"arn:aws:kms:us-east-1:111122223333:key/k\",\"blockhash\":\"" H32("ab") "\","
        "\"blockhash_check\":\"unverified\",\"max_weight\":18446744073709551615,\"accepted\":4096},\"policy\":\"" H32("33") "\",\"log\":{\"size\":7,\"root\":\"" H32("44") "\",\"key\":\"" H32("55") "\"}}";
    struct statement s = full_statement();
    char text[STATEMENT_MAX];
    size_t n = 0;
    ASSERT_OK(statement_render(text, &n, &s));
    ck_assert_uint_eq(n, sizeof full - 1);
    ck_assert_mem_eq(text, full, n);
    s.limited = false;
    ASSERT_OK(statement_render(text, &n, &s));
    ck_assert_ptr_nonnull(memmem(text, n, "\"max_weight\":null,\"accepted\":4096}", 34));
    s = (struct statement){ .build = "0.1.0", .simulated = true, .name = "vault", .profile = "confidential-script-2", .rules = s.rules };
    ASSERT_OK(statement_render(text, &n, &s));
    ck_assert_uint_eq(n, sizeof empty - 1);
    ck_assert_mem_eq(text, empty, n);
    s.name = "a\"b";
    ASSERT_CODE(statement_render(text, &n, &s), E_FORMAT);
    s = full_statement();
    s.key_id = "a\\b";
    ASSERT_CODE(statement_render(text, &n, &s), E_FORMAT);
    static char long_text[STATEMENT_MAX + 1];
    memset(long_text, 'x', sizeof long_text - 1);
    s.key_id = long_text;
    ASSERT_CODE(statement_render(text, &n, &s), E_LIMIT);
}
END_TEST

START_TEST(user_data_commits_to_a_statement)
{
    static const char text[] = "{\"type\":\"holdfast-statement\"}";
    const size_t n = sizeof text - 1;
    uint8_t data[STATEMENT_USER_DATA], bad[STATEMENT_USER_DATA + 1] = { 0 }, digest[32];
    statement_user_data(data, text, n);
    sha256(digest, text, n);
    ck_assert_mem_eq(data, "HFS1\x1d\0\0\0", 8);
    ck_assert_mem_eq(data + 8, digest, 32);
    ASSERT_OK(statement_check(data, sizeof data, text, n));
    ASSERT_CODE(statement_check(data, sizeof data, text, n - 1), E_AUTH);
    ASSERT_CODE(statement_check(data, sizeof data - 1, text, n), E_FORMAT);
    memcpy(bad, data, sizeof data);
    ASSERT_CODE(statement_check(bad, sizeof bad, text, n), E_FORMAT);
    for (size_t i = 0; i < sizeof data; i++) {
        memcpy(bad, data, sizeof data);
        bad[i] ^= 1;
        ASSERT_CODE(statement_check(bad, sizeof data, text, n), i < 4 ? E_FORMAT : E_AUTH);
    }
    static const char huge[STATEMENT_MAX + 1] = { 0 };
    statement_user_data(data, huge, sizeof huge);
    ASSERT_CODE(statement_check(data, sizeof data, huge, sizeof huge), E_AUTH);
}
END_TEST

START_TEST(the_service_is_in_a_pcr)
{
    uint8_t id[32], pcr[SERVICE_PCR_LEN], want[48];
    /* SHA-384 of 48 zero bytes and 32 bytes 0x11, by another implementation. */
    hex_must(want, sizeof want, "edf7399101576c1cf4b63bf6655e285ef11579a94097a9513a2f03ebfd19ba284dc88a6a4e8518eea2d5ec1f6a3d6009");
    memset(id, 0x11, 32);
    statement_service_pcr(pcr, id);
    ck_assert_mem_eq(pcr, want, 48);
}
END_TEST

static Suite *policy_suite(void)
{
    return CHECK_SUITE("policy", a_statement_is_fixed_to_the_byte, user_data_commits_to_a_statement, the_service_is_in_a_pcr, the_document_is_fixed_to_the_byte,
                       a_checked_block_is_in_the_document, a_block_check_has_one_encoding, the_longest_document_has_room, a_record_comes_back_as_it_was,
                       an_upgraded_record_names_the_key_of_its_build, a_record_of_version_2_is_refused, every_other_record_is_refused);
}
CHECK_MAIN(policy_suite)
