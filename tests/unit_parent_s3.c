/* What of the S3 store is a function of text: names, credentials, when to ask again, listings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/s3_call.h"
#include "parent/s3_keys.h"
#include "parent/s3_list.h"
#include "parent/s3_place.h"
#include "parent/s3_retry.h"
#include "parent/store_open.h"
#include "tests/support/check_main.h"

static void no_environment(void)
{
    static const char *const names[] = { "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) ck_assert_int_eq(unsetenv(names[i]), 0);
}

START_TEST(places)
{
    static const struct { const char *name, *endpoint, *style, *base, *prefix; enum err_code code; } rows[] = {
        { "vault/a/b", "", "", "https://vault.s3.us-east-1.amazonaws.com", "a/b/", E_OK },
        { "vault/", "", "path", "https://s3.us-east-1.amazonaws.com/vault", "", E_OK },
        { "vault/a/", "https://minio.example:9000", "", "https://minio.example:9000/vault", "a/", E_OK },
        { "vault", "https://store.example/", "virtual", "https://vault.store.example", "", E_OK },
        { "vault", "http://127.0.0.1:9000", "", "http://127.0.0.1:9000/vault", "", E_OK },
        { "http://localhost:1/vault/x", "https://other", "virtual", "http://localhost:1/vault", "x/", E_OK },
        { "https://h.example/vault", "", "", "https://h.example/vault", "", E_OK },
        { "vault", "http://store.example", "", NULL, NULL, E_DENIED },
        { "http://127.evil.example/vault", "", "", NULL, NULL, E_DENIED },
        { "http://localhost.evil.example/vault", "", "", NULL, NULL, E_DENIED },
        { "https://user:word@h.example/vault", "", "", NULL, NULL, E_FORMAT },
        { "https://h.example", "", "", NULL, NULL, E_FORMAT },
        { "vault", "ftp://h.example", "", NULL, NULL, E_FORMAT },
        { "vault", "https://h.example/path", "", NULL, NULL, E_FORMAT },
        { "vault", "", "dns", NULL, NULL, E_FORMAT },
        { "va", "", "", NULL, NULL, E_FORMAT },
        { "Vault", "", "", NULL, NULL, E_FORMAT },
        { "-vault", "", "", NULL, NULL, E_FORMAT },
        { "va..ult", "", "", NULL, NULL, E_FORMAT },
        { "vault//a", "", "", NULL, NULL, E_FORMAT },
        { "vault/a b", "", "", NULL, NULL, E_FORMAT },
        { "vault/a?b", "", "", NULL, NULL, E_FORMAT },
        { "", "", "", NULL, NULL, E_FORMAT },
    };
    no_environment();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct s3_place p;
        struct s3_settings s = { 0 };
        strcpy(s.endpoint, rows[i].endpoint);
        strcpy(s.style, rows[i].style);
        err e = s3_place_parse(&p, rows[i].name, &s);
        ck_assert_msg(e.code == rows[i].code, "%s: %s", rows[i].name, err_text(e.code));
        if (e.code) continue;
        ck_assert_str_eq(p.base, rows[i].base);
        ck_assert_str_eq(p.prefix, rows[i].prefix);
    }
}
END_TEST

START_TEST(environment_and_http)
{
    struct s3_place p;
    struct s3_settings s = { .http = true };
    no_environment();
    setenv("AWS_REGION", "eu-north-1", 1);
    setenv("AWS_ENDPOINT_URL", "http://store.example", 1);
    ASSERT_OK(s3_place_parse(&p, "vault", &s));
    ck_assert_str_eq(p.region, "eu-north-1");
    ck_assert_str_eq(p.base, "http://store.example/vault");
    setenv("AWS_REGION", "eu north", 1);
    ASSERT_CODE(s3_place_parse(&p, "vault", &s), E_FORMAT);
}
END_TEST

START_TEST(names)
{
    static const struct { const char *names; uint64_t durable; enum err_code code; } rows[] = {
        { "/a", 0, E_OK }, { "dir:/a", 1, E_OK }, { "dir:/a, s3:vault/x", 2, E_OK }, { "dir:/a,dir:/b , s3:vault", 1, E_OK },
        { "", 0, E_FORMAT }, { "dir:", 0, E_FORMAT }, { "dir:/a,", 0, E_FORMAT }, { ",dir:/a", 0, E_FORMAT }, { "dir:/a, dir:/a", 0, E_FORMAT },
        { "dir:/a", 2, E_FORMAT }, { "dir:/a, s3:x", 0, E_FORMAT }, { "/1,/2,/3,/4,/5,/6,/7,/8", 8, E_OK }, { "/1,/2,/3,/4,/5,/6,/7,/8,/9", 0, E_LIMIT },
    };
    no_environment();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        err e = store_names_check(&(struct store_conf){ .names = rows[i].names, .durable = rows[i].durable });
        ck_assert_msg(e.code == rows[i].code, "%s: %s", rows[i].names, err_text(e.code));
    }
}
END_TEST

START_TEST(keys)
{
    struct s3_keys k;
    ASSERT_OK(s3_keys_parse(&k, "[default]\n# c\naws_access_key_id = ID\r\n aws_secret_access_key=a/b+c=\nregion = x\n"));
    ck_assert_str_eq(k.id, "ID");
    ck_assert_str_eq(k.secret, "a/b+c=");
    ck_assert_str_eq(k.token, "");
    ASSERT_CODE(s3_keys_parse(&k, "aws_access_key_id = ID\n"), E_FORMAT);
    ASSERT_CODE(s3_keys_parse(&k, "aws_access_key_id = I D\naws_secret_access_key = s"), E_FORMAT);
    ASSERT_CODE(s3_keys_parse(&k, "aws_access_key_id = A\naws_access_key_id = B\naws_secret_access_key = s"), E_FORMAT);
    ASSERT_CODE(s3_keys_parse(&k, "words"), E_FORMAT);
    s3_keys_wipe(&k);
}
END_TEST

START_TEST(retries)
{
    unsigned ms, last = 0;
    static const long again[] = { 0, 408, 429, 500, 502, 503, 504 }, never[] = { 200, 206, 301, 400, 403, 404, 409, 412, 501 };
    for (size_t i = 0; i < sizeof again / sizeof *again; i++) ck_assert(s3_retry(&ms, 1, again[i], "", 0, 7));
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) ck_assert(!s3_retry(&ms, 1, never[i], "", 0, 7));
    ck_assert(s3_retry(&ms, 1, 400, "RequestTimeout", 0, 0));
    ck_assert(s3_retry(&ms, 1, 409, "ConditionalRequestConflict", 0, 0));
    ck_assert(!s3_retry(&ms, 1, 200, "SlowDown", 0, 0));
    for (unsigned tries = 1; tries < S3_TRIES; tries++) {
        unsigned low, high;
        ck_assert(s3_retry(&low, tries, 503, "SlowDown", 0, 0));
        high = low;
        for (uint32_t r = 0; r < 20000; r += 7) {
            ck_assert(s3_retry(&ms, tries, 503, "SlowDown", 0, r * 2654435761u));
            if (ms > high) high = ms;
            ck_assert_uint_ge(ms, low);
        }
        ck_assert_uint_le(high, S3_WAIT_MOST);
        ck_assert_uint_gt(high, low);
        ck_assert_uint_ge(high, last);
        last = high;
    }
    ck_assert(!s3_retry(&ms, S3_TRIES, 503, "SlowDown", 0, 0));
    ck_assert(s3_retry(&ms, 1, 503, "SlowDown", 3, 0) && ms == 3000);
    ck_assert(s3_retry(&ms, 1, 503, "SlowDown", 999999, 0) && ms == S3_RETRY_AFTER_MOST * 1000);
    ck_assert(s3_retry(&ms, 1, 503, "SlowDown", -5, 0) && ms == S3_WAIT_FIRST / 2);
}
END_TEST

struct got { size_t count; char keys[256]; uint64_t bytes; int64_t time; };

static err each(void *self, const struct s3_entry *e)
{
    struct got *g = self;
    g->count++;
    g->bytes += e->size;
    g->time = e->time;
    const size_t n = strlen(g->keys);
    ck_assert_int_lt(snprintf(g->keys + n, sizeof g->keys - n, "%s|", e->key), (int)(sizeof g->keys - n));
    return OK;
}

#define ROOT(inner) "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"x\">" inner "</ListBucketResult>"
#define ONE "<Contents><Key>a/b&amp;c</Key><LastModified>2026-11-27T10:00:00.000Z</LastModified><ETag>&quot;1&quot;</ETag><Size>12</Size></Contents>"

static err page(struct s3_page *p, struct got *g, const char *text)
{
    memset(g, 0, sizeof *g);
    return s3_list_page(p, text, strlen(text), each, g);
}

START_TEST(listings)
{
    struct s3_page p;
    struct got g;
    ASSERT_OK(page(&p, &g, ROOT("<IsTruncated>false</IsTruncated>")));
    ck_assert(!p.more && g.count == 0);
    ASSERT_OK(page(&p, &g, ROOT("<IsTruncated>true</IsTruncated><NextContinuationToken>t/+=&lt;</NextContinuationToken>" ONE "<Contents><Size>1</Size><Key>z</Key></Contents>")));
    ck_assert(p.more && p.count == 2 && g.count == 2 && g.bytes == 13);
    ck_assert_str_eq(p.next, "t/+=<");
    ck_assert_str_eq(g.keys, "a/b&c|z|");
    ASSERT_OK(page(&p, &g, ROOT("<IsTruncated>false</IsTruncated>" ONE)));
    ck_assert_int_eq(g.time, 1795773600);
    static const char *const bad[] = {
        "", "{}", "<ListBucketResult><IsTruncated>false</IsTruncated>", ROOT(""), ROOT("<IsTruncated>perhaps</IsTruncated>"),
        ROOT("<IsTruncated>true</IsTruncated>"), ROOT("<IsTruncated>true</IsTruncated><NextContinuationToken></NextContinuationToken>"),
        ROOT("<IsTruncated>false</IsTruncated><Contents><Key>a</Key></Contents>"),
        ROOT("<IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>-1</Size></Contents>"),
        ROOT("<IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>"),
        ROOT("<IsTruncated>false</IsTruncated><Contents><Key>a&evil;</Key><Size>1</Size></Contents>"),
        ROOT("<IsTruncated>false</IsTruncated><Contents><Key>a<b/></Key><Size>1</Size></Contents>"),
        ROOT("<IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>1</Size><LastModified>now</LastModified></Contents>"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(page(&p, &g, bad[i]).code != E_OK, "%s", bad[i]);
    /* Cut off anywhere, it is refused. */
    const char *text = ROOT("<IsTruncated>false</IsTruncated>" ONE);
    for (size_t n = 0; n < strlen(text); n++) ASSERT_FAILS(s3_list_page(&p, text, n, each, &g));
}
END_TEST

START_TEST(elements)
{
    char out[8];
    ASSERT_OK(s3_element(out, sizeof out, "Code", "<Error><Code>Slow</Code></Error>", 32));
    ck_assert_str_eq(out, "Slow");
    ASSERT_CODE(s3_element(out, sizeof out, "Code", "<Code>far too long</Code>", 25), E_LIMIT);
    ASSERT_CODE(s3_element(out, sizeof out, "Code", "<Code>Slow", 10), E_ABSENT);
    ASSERT_OK(s3_escape(out, sizeof out, "a/ "));
    ck_assert_str_eq(out, "a%2F%20");
    ASSERT_CODE(s3_escape(out, sizeof out, "a/ b"), E_LIMIT);
}
END_TEST

static Suite *s3_suite(void)
{
    return CHECK_SUITE("s3", places, environment_and_http, names, keys, retries, listings, elements);
}

CHECK_MAIN(s3_suite)
