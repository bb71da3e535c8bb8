/* unit_keystore_announce.c - announcements of a build: what is taken, and each refusal by its name. */
#include <string.h>

#include "keystore/announce.h"
#include "keystore/key_finding.h"
#include "tests/support/check_main.h"
#include "tests/support/vectors.h"

#define ARN "arn:aws:kms:eu-central-1:444455556666:key/fedcba98-7654-3210-fedc-ba9876543210"
#define MRK "arn:aws:kms:eu-central-1:444455556666:key/mrk-0123456789abcdef0123456789abcdef"
enum { NOW = 1800000000 };

static const uint8_t key[ANNOUNCE_KEY] = { 7 }, service[32] = { 1, 2 }, master[ANNOUNCE_PUBLIC] = { 2, 9 }, zeros[ATTEST_PCR];
static uint8_t pcr[4][ATTEST_PCR], bound[ATTEST_PCR], user_data[ANNOUNCE_USER_DATA + 1], document[ATTEST_MAX];

static struct announcement sample(void)
{
    struct announcement a = { .arn = ARN };
    memcpy(a.build_key, key, sizeof key);
    memcpy(a.service_id, service, sizeof service);
    memcpy(a.public_key, master, sizeof master);
    return a;
}

static struct announce_want want(void)
{
    return (struct announce_want){ .service_id = service, .public_key = master, .service_pcr = bound, .pcr = { pcr[0], pcr[1], pcr[2] },
                                   .not_before = NOW - 10, .expires = NOW + 10 };
}

/* A document's fields, with the announcement in static memory. */
static struct attest_doc doc_of(const struct announcement *a)
{
    struct attest_doc d = { .module_id = { "i-0-enc0", 8 }, .timestamp_ms = (uint64_t)NOW * 1000, .certificate = { "c", 1 }, .cabundle = { { "r", 1 } }, .cabundle_count = 1 };
    size_t n = 0;
    for (size_t i = 0; i < 4; i++) memset(pcr[i], (int)(0x10 + i), ATTEST_PCR);
    memset(bound, 0x77, sizeof bound);
    for (unsigned i = 0; i < 3; i++) d.pcr[i] = pcr[i];
    d.pcr[8] = pcr[3];
    ASSERT_OK(announce_write(user_data, &n, a));
    d.user_data = (struct bytes){ user_data, n };
    d.public_key = (struct bytes){ key, sizeof key };
    return d;
}

static void refused(const struct attest_doc *d, const struct announce_want *w, enum err_code code, const char *name)
{
    struct announcement a;
    enum announce_reason why = ANNOUNCE_GOOD;
    ASSERT_CODE(announce_check(&a, &why, d, w), code);
    ck_assert_str_eq(announce_reason_name(why), name);
}

static err no_signature(void *self, uint8_t sig[static COSE_SIG], const void *message, size_t n)
{
    (void)self, (void)message, (void)n;
    memset(sig, 1, COSE_SIG);
    return OK;
}

/* Through a document's bytes, as the keeper gets it. */
START_TEST(an_announcement_comes_through_a_document)
{
    static const uint8_t head[] = { 'H', 'F', 'A', '1', 1, 0, 0, 0, 0, 0, 0, 0, 1, 2 };
    struct announcement a = sample(), got;
    struct attest_doc d = doc_of(&a), read;
    struct announce_want w = want();
    enum announce_reason why;
    size_t n = 0;
    ck_assert_mem_eq(user_data, head, sizeof head);
    ck_assert_uint_eq(d.user_data.n, 81 + strlen(ARN));
    ASSERT_OK(attest_make(document, sizeof document, &n, &d, true, no_signature, NULL));
    ASSERT_OK(attest_parse(&read, document, n));
    w.pcr8 = pcr[3];
    ASSERT_OK(announce_check(&got, &why, &read, &w));
    ck_assert_int_eq(why, ANNOUNCE_GOOD);
    ck_assert_mem_eq(&got, &a, sizeof got);
    d.pcr[16] = bound;                                     /* tied to this service already */
    ASSERT_OK(announce_check(&got, &why, &d, &w));
}
END_TEST

START_TEST(each_refusal_has_its_name)
{
    static const char *const other_pcr[] = { "other-pcr0", "other-pcr1", "other-pcr2" };
    struct announcement a = sample();
    struct attest_doc good = doc_of(&a);
    const struct announce_want w = want();
    uint8_t other[ATTEST_PCR] = { 1 };
    for (unsigned i = 0; i < 3; i++) {
        struct attest_doc d = good;
        d.pcr[i] = other;
        refused(&d, &w, E_DENIED, other_pcr[i]);
        d.pcr[i] = NULL;
        refused(&d, &w, E_DENIED, i == 0 ? "debug" : other_pcr[i]);
        d.pcr[i] = zeros;
        refused(&d, &w, E_DENIED, i == 0 ? "debug" : other_pcr[i]);
    }
    struct announce_want v = w;
    v.pcr[0] = zeros;                                      /* no release can ask for it, and then it would not help */
    struct attest_doc d = good;
    d.pcr[0] = zeros;
    refused(&d, &v, E_DENIED, "debug");
    v = w;
    v.pcr8 = other;
    refused(&good, &v, E_DENIED, "other-pcr8");
    v.pcr8 = pcr[3];
    d = good;
    d.pcr[8] = NULL;
    refused(&d, &v, E_DENIED, "other-pcr8");
    v = w;
    v.service_id = other;
    refused(&good, &v, E_DENIED, "other-service");
    v = w;
    v.public_key = other;
    refused(&good, &v, E_DENIED, "other-public-key");
    d = good;
    d.pcr[16] = other;
    refused(&d, &w, E_DENIED, "bound");
}
END_TEST

START_TEST(it_is_attested_while_the_release_is_valid)
{
    struct announcement a = sample(), got;
    struct attest_doc d = doc_of(&a);
    struct announce_want w = want();
    enum announce_reason why;
    d.timestamp_ms = (uint64_t)(NOW - 10) * 1000;
    ASSERT_OK(announce_check(&got, &why, &d, &w));
    d.timestamp_ms--;
    refused(&d, &w, E_DENIED, "early");
    d.timestamp_ms = (uint64_t)(NOW + 10) * 1000 + 999;
    ASSERT_OK(announce_check(&got, &why, &d, &w));
    d.timestamp_ms++;
    refused(&d, &w, E_DENIED, "late");
}
END_TEST

/* What the service accepted for its first key may be found about the next; nothing else. */
START_TEST(findings_are_those_that_were_accepted)
{
    struct announcement a = sample(), got;
    a.findings = 1u << KEY_POLICY_CHANGED | 1u << KEY_ACTION_MANAGES;
    struct attest_doc d = doc_of(&a);
    struct announce_want w = want();
    enum announce_reason why;
    refused(&d, &w, E_DENIED, "key-findings");
    w.accepted = 1u << KEY_POLICY_CHANGED;
    refused(&d, &w, E_DENIED, "key-findings");
    w.accepted |= 1u << KEY_ACTION_MANAGES | 1u << KEY_ORIGIN;
    ASSERT_OK(announce_check(&got, &why, &d, &w));
    ck_assert_uint_eq(got.findings, a.findings);
}
END_TEST

START_TEST(other_documents_announce_nothing)
{
    struct announcement a = sample();
    struct attest_doc good = doc_of(&a), d = good;
    const struct announce_want w = want();
    d.user_data.p = NULL;
    refused(&d, &w, E_FORMAT, "form");
    d = good;
    d.public_key.p = NULL;
    refused(&d, &w, E_FORMAT, "form");
    d = good;
    d.public_key.n--;
    refused(&d, &w, E_FORMAT, "form");
    d = good;
    for (d.user_data.n = 0; d.user_data.n < good.user_data.n; d.user_data.n++) refused(&d, &w, E_FORMAT, "form");
    d.user_data.n = good.user_data.n + 1;
    refused(&d, &w, E_FORMAT, "form");
    d = good;
    static const struct { size_t at; uint8_t to; const char *name; } bad[] = {
        { 0, 'h', "form" }, { 3, '2', "form" }, { 4, 2, "unknown-version" }, { 5, 1, "unknown-version" }, { 6, 1, "form" }, { 44, 0, "form" },
        { 44, 4, "form" }, { 77, 1, "form" }, { 81, 'A', "form" }, { 81, 0, "form" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const uint8_t was = user_data[bad[i].at];
        user_data[bad[i].at] = bad[i].to;
        refused(&d, &w, E_FORMAT, bad[i].name);
        user_data[bad[i].at] = was;
    }
}
END_TEST

START_TEST(a_multi_region_key_is_not_announced)
{
    struct announcement a = sample();
    struct attest_doc d = doc_of(&a);
    const struct announce_want w = want();
    size_t n = 0;
    static uint8_t other[ANNOUNCE_USER_DATA];
    memcpy(other, user_data, d.user_data.n);
    memcpy(other + 81, MRK, sizeof MRK - 1);               /* as a build might that does not know better */
    d.user_data.p = other;
    _Static_assert(sizeof MRK == sizeof ARN, "same length");
    refused(&d, &w, E_FORMAT, "form");
    strcpy(a.arn, MRK);
    ASSERT_CODE(announce_write(user_data, &n, &a), E_FORMAT);
    a.arn[0] = 0;
    ASSERT_CODE(announce_write(user_data, &n, &a), E_FORMAT);
    memset(a.arn, 'a', sizeof a.arn);
    ASSERT_CODE(announce_write(user_data, &n, &a), E_FORMAT);
}
END_TEST

START_TEST(every_reason_has_words)
{
    for (int i = 0; i < ANNOUNCE_REASONS; i++)
        for (int j = 0; j < i; j++) {
            ck_assert_str_ne(announce_reason_name((enum announce_reason)i), announce_reason_name((enum announce_reason)j));
            ck_assert_str_ne(announce_reason_text((enum announce_reason)i), announce_reason_text((enum announce_reason)j));
        }
    ck_assert_str_eq(announce_reason_name(ANNOUNCE_REASONS), "unknown");
}
END_TEST

static Suite *announce_suite(void)
{
    return CHECK_SUITE("announce", an_announcement_comes_through_a_document, each_refusal_has_its_name, it_is_attested_while_the_release_is_valid,
                       findings_are_those_that_were_accepted, other_documents_announce_nothing, a_multi_region_key_is_not_announced, every_reason_has_words);
}
CHECK_MAIN(announce_suite)
