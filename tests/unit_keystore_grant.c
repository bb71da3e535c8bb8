/* unit_keystore_grant.c - build keys and grants: each way in which a grant is not the one for this build. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/crypto.h"
#include "core/hash.h"
#include "core/log.h"
#include "keystore/grant.h"
#include "tests/keystore_case.h"
#include "tests/support/vectors.h"

#define ARN "arn:aws:kms:eu-central-1:444455556666:key/fedcba98-7654-3210-fedc-ba9876543210"

static secret *fill(uint8_t byte)
{
    secret *s = NULL;
    ASSERT_OK(secret_new(&s, 32));
    memset(secret_reveal(s), byte, 32);
    return s;
}

struct party { struct build_key key; struct keyring ring; struct grant_terms terms; uint8_t bytes[GRANT_MAX + 1]; size_t n; };

static void party_drop(struct party *p)
{
    build_key_drop(&p->key);
    keyring_drop(&p->ring);
}
#define PARTY __attribute__((cleanup(party_drop))) struct party

/* A keyring, the build that may have it, and the grant. */
static void party_make(struct party *p)
{
    SECRET root = fill(9);
    *p = (struct party){ .ring.epoch = 7 };
    for (uint8_t i = 0; i < 32; i++) p->ring.service_id[i] = i;
    p->ring.master = fill(1);
    p->ring.service_root = fill(2);
    ASSERT_OK(build_key_derive(&p->key, root, p->ring.service_id));
    struct grant_terms *t = &p->terms;
    memcpy(t->service_id, p->ring.service_id, 32);
    t->epoch = 7;
    memcpy(t->build_key, p->key.point, BUILD_KEY);
    memset(t->release, 0x11, 32);
    memset(t->pcr, 0x22, sizeof t->pcr);
    memset(t->blockhash, 0x33, 32);
    memset(t->record, 0x44, 32);
    memset(t->log_root, 0x55, 32);
    t->log_number = 1;
    t->log_size = 100;
    strcpy(t->arn, ARN);
    ASSERT_OK(grant_seal(p->bytes, &p->n, &p->ring, t));
}

/* ---- what was said: the log's lines ---- */

static int heard = -1;

static void listen_now(void)
{
    heard = memfd_create("heard", MFD_CLOEXEC);
    ck_assert(heard >= 0 && dup2(heard, 2) == 2 && fcntl(2, F_SETFL, O_APPEND) == 0);
    log_open("test", LOG_WARN);
}

/* Opening fails with this code and these words (NULL: any; the log writes 200 lines a second at most), and gives nothing. */
static void refused(const struct party *p, const struct grant_terms *want, enum err_code code, const char *words)
{
    char text[2048];
    struct keyring got = { .epoch = 99 };
    const size_t before = secret_count();
    ck_assert(ftruncate(heard, 0) == 0);
    log_open("test", words ? LOG_WARN : LOG_ERROR + 1);
    ASSERT_CODE(grant_open(&got, p->bytes, p->n, &p->key, want), code);
    ck_assert(got.epoch == 99 && !got.master && !got.service_root);
    ck_assert_uint_eq(secret_count(), before);
    if (!words) return;
    const ssize_t n = pread(heard, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    ck_assert_msg(strstr(text, words) != NULL, "expected \"%s\" in: %s", words, text);
}

START_TEST(a_build_key_is_one_builds_and_one_services)
{
    uint8_t service[32], want[32];
    SECRET root = fill(9);
    SECRET other = fill(8);
    SECRET odd = NULL;
    BUILD_KEYPAIR a = { 0 };
    BUILD_KEYPAIR b = { 0 };
    for (uint8_t i = 0; i < 32; i++) service[i] = i;
    ASSERT_OK(build_key_derive(&a, root, service));
    hex_must(want, 32, "1e68d08096665d31292837a2d427fbca29968f34f8793098f6124e682d94d9c9");     /* by the model */
    ck_assert_mem_eq(secret_peek(a.scalar), want, 32);
    hex_must(want, 32, "409c8395f48a5af07b5db7f9aaec83ffedb3cd1a6aaac536f75e70216d2a8e2f");
    ck_assert_mem_eq(a.point, want, 32);
    ASSERT_OK(build_key_derive(&b, root, service));
    ck_assert(secret_eq(a.scalar, b.scalar));
    build_key_drop(&b);
    ASSERT_OK(build_key_derive(&b, other, service));
    ck_assert_mem_ne(a.point, b.point, BUILD_KEY);
    build_key_drop(&b);
    service[31] ^= 1;
    ASSERT_OK(build_key_derive(&b, root, service));
    ck_assert_mem_ne(a.point, b.point, BUILD_KEY);
    build_key_drop(&b);
    ck_assert(!b.scalar);
    ASSERT_OK(secret_new(&odd, 31));
    ASSERT_CODE(build_key_derive(&b, odd, service), E_FORMAT);
    ck_assert(!b.scalar);
}
END_TEST

START_TEST(a_grant_gives_the_keyring)
{
    PARTY p;
    KEYRING got = { 0 };
    uint8_t again[GRANT_MAX], commitment[32];
    struct grant_terms t;
    size_t n = 0;
    party_make(&p);
    ck_assert_uint_eq(p.n, GRANT_FIXED + strlen(ARN) + GRANT_SEALED);
    ASSERT_OK(grant_open(&got, p.bytes, p.n, &p.key, &p.terms));
    ck_assert(secret_eq(got.master, p.ring.master) && secret_eq(got.service_root, p.ring.service_root));
    ASSERT_OK(keyring_commitment(commitment, &p.ring));
    ASSERT_OK(keyring_check(&got, commitment));
    ASSERT_OK(grant_read(&t, p.bytes, p.n));
    ck_assert_mem_eq(&t, &p.terms, sizeof t);
    ASSERT_OK(grant_seal(again, &n, &p.ring, &p.terms));         /* never the same key twice */
    ck_assert_mem_ne(again + n - GRANT_SEALED, p.bytes + n - GRANT_SEALED, 32);
    ck_assert_mem_ne(again + n - 80, p.bytes + n - 80, 80);
    memset(p.terms.arn, 'a', GRANT_ARN - 1);                     /* the longest */
    ASSERT_OK(grant_seal(again, &n, &p.ring, &p.terms));
    ck_assert_uint_eq(n, GRANT_MAX);
    keyring_drop(&got);
    ASSERT_OK(grant_open(&got, again, n, &p.key, &p.terms));
}
END_TEST

/* Each is genuine, and was made for something else. */
START_TEST(a_grant_for_something_else_is_refused)
{
    static const struct { size_t at; const char *words; } terms[] = {
        { offsetof(struct grant_terms, service_id), "for another service" }, { offsetof(struct grant_terms, epoch), "for epoch 7; the service is in epoch 6" },
        { offsetof(struct grant_terms, release), "for another release" }, { offsetof(struct grant_terms, pcr), "another PCR0" },
        { offsetof(struct grant_terms, pcr[1]), "another PCR1" }, { offsetof(struct grant_terms, pcr[2]), "another PCR2" },
        { offsetof(struct grant_terms, blockhash), "another block hash" }, { offsetof(struct grant_terms, record), "another service record" },
        { offsetof(struct grant_terms, log_number), "at entry 100 of log 1, not at entry 100 of log 0" },
        { offsetof(struct grant_terms, log_size), "at entry 100 of log 1, not at entry 101" }, { offsetof(struct grant_terms, log_root), "another history" },
        { offsetof(struct grant_terms, arn), "for KMS key " ARN },
    };
    PARTY p;
    party_make(&p);
    listen_now();
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        struct grant_terms want = p.terms;
        ((uint8_t *)&want)[terms[i].at] ^= 1;
        refused(&p, &want, E_DENIED, terms[i].words);
    }
}
END_TEST

START_TEST(a_grant_for_another_build_key_is_refused)
{
    PARTY p;
    SECRET root = fill(8);
    party_make(&p);
    listen_now();
    build_key_drop(&p.key);
    ASSERT_OK(build_key_derive(&p.key, root, p.ring.service_id));
    refused(&p, &p.terms, E_AUTH, "the grant is for build key 409c8395");
    memcpy(p.bytes + 44, p.key.point, BUILD_KEY);                /* and relabelled */
    refused(&p, &p.terms, E_AUTH, "altered, or not made for this build key");
}
END_TEST

START_TEST(an_edited_grant_is_refused)
{
    PARTY p;
    party_make(&p);
    const size_t length = GRANT_FIXED - 4, sealed = p.n - GRANT_SEALED;
    listen_now();
    for (size_t i = 0; i < p.n; i++) {
        p.bytes[i] ^= (uint8_t)(1u << i % 8);
        const bool form = i < 8 || (i >= length && i < length + 4), key = i >= 44 && i < 76;
        refused(&p, &p.terms, form ? E_FORMAT : E_AUTH, i == 4 ? "grant of version 17" : i % 8 ? NULL : form ? "grant" : key ? "for build key" : "altered");
        p.bytes[i] ^= (uint8_t)(1u << i % 8);
    }
    const size_t whole = p.n;
    for (p.n = 0; p.n <= whole + 1; p.n++)
        if (p.n != whole) refused(&p, &p.terms, E_FORMAT, NULL);
    p.n = whole;
    memset(p.bytes + 8, 0, 4);
    refused(&p, &p.terms, E_FORMAT, "without an epoch");
    party_drop(&p);
    party_make(&p);
    memset(p.bytes + sealed, 0, 32);                             /* a point of small order */
    refused(&p, &p.terms, E_AUTH, "altered");
    party_drop(&p);
    party_make(&p);
    p.bytes[GRANT_FIXED + 3] = 0;                                /* an ARN that ends early */
    refused(&p, &p.terms, E_FORMAT, "grant");
}
END_TEST

/* What the header of grant.h says: anybody can make one, of his own keyring. The commitment tells, and the public key. */
START_TEST(a_grant_of_a_strangers_keyring_opens_and_is_not_the_services)
{
    PARTY p;
    KEYRING got = { 0 };
    uint8_t commitment[32];
    party_make(&p);
    ASSERT_OK(keyring_commitment(commitment, &p.ring));
    secret_reveal(p.ring.master)[0] ^= 1;
    ASSERT_OK(grant_seal(p.bytes, &p.n, &p.ring, &p.terms));
    ASSERT_OK(grant_open(&got, p.bytes, p.n, &p.key, &p.terms));
    ASSERT_CODE(keyring_check(&got, commitment), E_AUTH);
}
END_TEST

START_TEST(nothing_is_granted_that_could_not_be_opened)
{
    PARTY p;
    party_make(&p);
    struct grant_terms t = p.terms;
    const size_t n = p.n;
    t.service_id[0] ^= 1;
    ASSERT_CODE(grant_seal(p.bytes, &p.n, &p.ring, &t), E_STATE);
    t = p.terms;
    t.epoch++;
    ASSERT_CODE(grant_seal(p.bytes, &p.n, &p.ring, &t), E_STATE);
    t = p.terms;
    t.arn[0] = 0;
    ASSERT_CODE(grant_seal(p.bytes, &p.n, &p.ring, &t), E_FORMAT);
    t = p.terms;
    memset(t.arn, 'a', sizeof t.arn);                            /* not ended */
    ASSERT_CODE(grant_seal(p.bytes, &p.n, &p.ring, &t), E_LIMIT);
    t = p.terms;
    memset(t.build_key, 0, BUILD_KEY);
    ASSERT_CODE(grant_seal(p.bytes, &p.n, &p.ring, &t), E_FORMAT);
    secret_drop(&p.ring.service_root);
    ASSERT_CODE(grant_seal(p.bytes, &p.n, &p.ring, &p.terms), E_FORMAT);
    ck_assert_uint_eq(p.n, n);
}
END_TEST

START_TEST(the_name_is_of_the_build_and_of_the_grant)
{
    static const uint8_t key[BUILD_KEY] = { 1 }, digest[32] = { 0xab, 0xcd };
    char name[GRANT_NAME], want[GRANT_NAME], hex[17];
    uint8_t of_key[32];
    sha256(of_key, key, sizeof key);
    hex_from(hex, of_key, 8);
    snprintf(want, sizeof want, "grant-%s-abcd000000000000", hex);
    grant_name(name, key, digest);
    ck_assert_str_eq(name, want);
    ck_assert_uint_eq(strlen(name), GRANT_NAME - 1);
}
END_TEST

static Suite *grant_suite(void)
{
    Suite *s = suite_create("grant");
    SECRET_CASE(s, "grant", a_build_key_is_one_builds_and_one_services, a_grant_gives_the_keyring, a_grant_for_something_else_is_refused,
                a_grant_for_another_build_key_is_refused, an_edited_grant_is_refused, a_grant_of_a_strangers_keyring_opens_and_is_not_the_services,
                nothing_is_granted_that_could_not_be_opened, the_name_is_of_the_build_and_of_the_grant);
    return s;
}

int main(void)
{
    if (crypto_warm_up().code) return 1;
    return check_main((check_suite *const[]){ grant_suite }, 1);
}
