/* unit_keystore_aws.c - key names and signatures. */
#include <stdio.h>
#include <string.h>

#include "keystore/arn.h"
#include "keystore/sigv4.h"
#include "tests/support/check_main.h"

#define UUID "1234abcd-12ab-34cd-56ef-1234567890ab"
#define ARN "arn:aws:kms:us-east-1:111122223333:key/" UUID
#define MRK "mrk-1234abcd12ab34cd56ef1234567890ab"

static enum err_code parse(struct arn *a, const char *text)
{
    return arn_parse(a, text, strlen(text)).code;
}

START_TEST(arn_good)
{
    struct arn a;
    ck_assert_int_eq(parse(&a, ARN), E_OK);
    ck_assert_str_eq(a.text, ARN);
    ck_assert_str_eq(a.partition, "aws");
    ck_assert_str_eq(a.region, "us-east-1");
    ck_assert_str_eq(a.account, "111122223333");
    ck_assert_str_eq(a.key_id, UUID);
    ck_assert(!a.multi_region);
    ck_assert_int_eq(parse(&a, "arn:aws:kms:eu-central-1:111122223333:key/" MRK), E_OK);
    ck_assert(a.multi_region);
}
END_TEST

START_TEST(arn_bad)
{
    static const char *const bad[] = {
        "", "arn", UUID, "alias/x",
        "arn:aws:kms:us-east-1:111122223333:alias/x",
        "arn:aws:kms:us-east-1:111122223333:key/alias/x",
        "arn:aws:kms:us-east-1:111122223333:key/" UUID "/x",
        "arn:aws:kms:us-east-1:111122223333:key/" UUID " ",
        "arn:aws:kms:us-east-1:111122223333:key/1234ABCD-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890a",
        "arn:aws:kms:us-east-1:111122223333:key/1234abcd012ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:us-east-1:111122223333:key/" MRK "0",
        "arn:aws:kms:us-east-1:111122223333:key/mrk-" UUID,
        "arn:aws:kms:us-east-1:111122223333:key/",
        "arn:aws:kms:us-east-1:11112222333:key/" UUID,
        "arn:aws:kms:us-east-1:1111222233334:key/" UUID,
        "arn:aws:kms:us-east-1:11112222333x:key/" UUID,
        "arn:aws:kms:us-east-1::key/" UUID,
        "arn:aws:kms::111122223333:key/" UUID,
        "arn:aws:kms:us-east-1.evil.example:111122223333:key/" UUID,
        "arn:aws:kms:us/east-1:111122223333:key/" UUID,
        "arn:aws:kms:US-EAST-1:111122223333:key/" UUID,
        "arn:aws:kms:useast1:111122223333:key/" UUID,
        "arn:aws:kms:-us-east:111122223333:key/" UUID,
        "arn:aws:kms:us-east-:111122223333:key/" UUID,
        "arn:aws:s3:us-east-1:111122223333:key/" UUID,
        "arn:aws-mars:kms:us-east-1:111122223333:key/" UUID,
        "ARN:aws:kms:us-east-1:111122223333:key/" UUID,
        "arn:aws:kms:us-east-1:111122223333:key:" UUID,
    };
    struct arn a;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(parse(&a, bad[i]) == E_FORMAT, "taken: %s", bad[i]);
    char longest[ARN_MAX + 1];
    memset(longest, 'a', sizeof longest);
    ck_assert_int_eq(arn_parse(&a, longest, ARN_MAX).code, E_LIMIT);
    ck_assert_int_eq(arn_parse(&a, ARN "\0", sizeof ARN).code, E_FORMAT);     /* a NUL inside */
}
END_TEST

/* Every single changed character gives either a refusal or another ARN, never the same fields. */
START_TEST(arn_each_character)
{
    char text[sizeof ARN];
    struct arn a;
    for (size_t i = 0; i < sizeof ARN - 1; i++)
        for (int c = 1; c < 256; c++) {
            memcpy(text, ARN, sizeof text);
            if (text[i] == (char)c) continue;
            text[i] = (char)c;
            if (arn_parse(&a, text, sizeof text - 1).code == E_OK)
                ck_assert(strcmp(a.text, text) == 0 && (strcmp(a.region, "us-east-1") || strcmp(a.account, "111122223333") || strcmp(a.key_id, UUID)));
        }
}
END_TEST

START_TEST(endpoints)
{
    static const struct { const char *arn; bool fips; const char *host; } cases[] = {
        { ARN, false, "kms.us-east-1.amazonaws.com" },
        { ARN, true, "kms-fips.us-east-1.amazonaws.com" },
        { "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/" UUID, true, "kms-fips.us-gov-west-1.amazonaws.com" },
        { "arn:aws-cn:kms:cn-north-1:111122223333:key/" UUID, false, "kms.cn-north-1.amazonaws.com.cn" },
        { "arn:aws-cn:kms:cn-north-1:111122223333:key/" UUID, true, NULL },
        { "arn:aws-iso:kms:us-iso-east-1:111122223333:key/" UUID, false, "kms.us-iso-east-1.c2s.ic.gov" },
        { "arn:aws-iso-b:kms:us-isob-east-1:111122223333:key/" UUID, false, "kms.us-isob-east-1.sc2s.sgov.gov" },
        { "arn:aws-eusc:kms:eusc-de-east-1:111122223333:key/" UUID, false, "kms.eusc-de-east-1.amazonaws.eu" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arn a;
        char host[ARN_HOST_MAX];
        ck_assert_int_eq(parse(&a, cases[i].arn), E_OK);
        err e = arn_endpoint(host, &a, cases[i].fips);
        ck_assert_int_eq(e.code, cases[i].host ? E_OK : E_STATE);
        if (cases[i].host) ck_assert_str_eq(host, cases[i].host);
    }
}
END_TEST

/* ---- signatures ----------------------------------------------------------- */

/* AWS's own example key, and its published signature of the plainest request ("get-vanilla"). */
#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
static const struct sigv4_scope scope = { "20150830", "us-east-1", "service" };
static const struct sigv4_header vanilla[] = { { "x-amz-date", "20150830T123600Z" }, { "host", "example.amazonaws.com" } };
static const struct sigv4_request get_vanilla = { .method = "GET", .path = "/", .query = "", .headers = vanilla, .header_count = 2, .body = "" };

START_TEST(published)
{
    char text[1024], sig[SIGV4_HEX];
    ASSERT_OK(sigv4_canonical(text, sizeof text, &get_vanilla));
    ck_assert_str_eq(text, "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n"
                           "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    ASSERT_OK(sigv4_string_to_sign(text, sizeof text, text, "20150830T123600Z", &scope));
    ck_assert_str_eq(text, "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n"
                           "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63");
    ASSERT_OK(sigv4_sign(sig, &get_vanilla, "20150830T123600Z", &scope, SECRET_KEY));
    ck_assert_str_eq(sig, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    ASSERT_OK(sigv4_authorization(text, sizeof text, &get_vanilla, "20150830T123600Z", &scope, "AKIDEXAMPLE", SECRET_KEY));
    ck_assert_str_eq(text, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
                           "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}
END_TEST

START_TEST(header_values)
{
    const struct sigv4_header h[] = { { "b", "  a   b  c " }, { "a", "\t x\ty\t" }, { "c", "" } };
    const struct sigv4_request q = { .method = "POST", .path = "/", .query = "", .headers = h, .header_count = 3, .body = "" };
    char text[512];
    ASSERT_OK(sigv4_canonical(text, sizeof text, &q));
    ck_assert_ptr_nonnull(strstr(text, "\na:x y\nb:a b c\nc:\n\na;b;c\n"));
    for (size_t cap = 0; cap <= strlen(text); cap++)
        ASSERT_CODE(sigv4_canonical(text, cap, &q), E_LIMIT);
}
END_TEST

START_TEST(sign_limits)
{
    struct sigv4_header h[SIGV4_HEADERS_MAX + 1];
    char names[SIGV4_HEADERS_MAX + 1][4], sig[SIGV4_HEX], key[300];
    for (int i = 0; i <= SIGV4_HEADERS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "h%02d", i);
        h[i] = (struct sigv4_header){ names[i], "v" };
    }
    struct sigv4_request q = { .method = "GET", .path = "/", .query = "", .headers = h, .header_count = SIGV4_HEADERS_MAX, .body = "" };
    ASSERT_OK(sigv4_sign(sig, &q, "20150830T123600Z", &scope, SECRET_KEY));
    q.header_count++;
    ASSERT_CODE(sigv4_sign(sig, &q, "20150830T123600Z", &scope, SECRET_KEY), E_LIMIT);
    q.header_count = 2;
    h[1].name = h[0].name;
    ASSERT_CODE(sigv4_sign(sig, &q, "20150830T123600Z", &scope, SECRET_KEY), E_FORMAT);
    q.header_count = 1;
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = 0;
    ASSERT_CODE(sigv4_sign(sig, &q, "20150830T123600Z", &scope, key), E_LIMIT);
}
END_TEST

START_TEST(times)
{
    static const char *const bad[] = { "", "20150830T123600", "20150830 123600Z", "2015083aT123600Z", "20150230T123600Z", "20151301T000000Z",
                                       "20150830T240000Z", "20150830T126000Z", "20150830T123660Z", "19691231T235959Z", "20150830T123600Z0", "2015-08-30T12:36" };
    char text[SIGV4_TIME];
    int64_t t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ASSERT_CODE(sigv4_time_parse(&t, bad[i]), E_FORMAT);
    ASSERT_OK(sigv4_time_parse(&t, "20150830T123600Z"));
    ck_assert_int_eq(t, 1440938160);
    ASSERT_OK(sigv4_time_parse(&t, "20240229T235959Z"));
    ck_assert_int_eq(t, 1709251199);
    for (t = 0; t < 8000000000; t += 86399 * 37) {
        int64_t back;
        sigv4_time(text, t);
        ASSERT_OK(sigv4_time_parse(&back, text));
        ck_assert_int_eq(back, t);
    }
}
END_TEST

#define CRED "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/kms/aws4_request"
#define SIG "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

START_TEST(claims)
{
    struct sigv4_claim c;
    ASSERT_OK(sigv4_claim_parse(&c, CRED ", SignedHeaders=content-type;host;x-amz-date, Signature=" SIG));
    ck_assert_str_eq(c.access_key, "AKID");
    ck_assert_str_eq(c.scope.date, "20150830");
    ck_assert_str_eq(c.scope.region, "us-east-1");
    ck_assert_str_eq(c.scope.service, "kms");
    ck_assert_uint_eq(c.signed_count, 3);
    ck_assert_str_eq(c.signed_headers[2], "x-amz-date");
    ck_assert_str_eq(c.signature, SIG);
    ASSERT_OK(sigv4_claim_parse(&c, CRED ",SignedHeaders=host,Signature=" SIG));     /* spaces are optional */
}
END_TEST

START_TEST(claims_bad)
{
    static const char *const bad[] = {
        "", "AWS4-HMAC-SHA256", "Basic QUtJRA==",
        CRED, CRED ", SignedHeaders=host", CRED ", SignedHeaders=host, Signature=", CRED ", SignedHeaders=, Signature=" SIG,
        CRED ", SignedHeaders=host;, Signature=" SIG, CRED ", SignedHeaders=;host, Signature=" SIG,
        CRED ", SignedHeaders=x;host, Signature=" SIG, CRED ", SignedHeaders=host;host, Signature=" SIG,
        CRED ", SignedHeaders=host, Signature=" SIG "0", CRED ", SignedHeaders=host, Signature=5FA00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        CRED ", SignedHeaders=host, Signature=" SIG ",", CRED ", Signature=" SIG ", SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=AKID/2015083/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=" SIG,
        "AWS4-HMAC-SHA256 Credential=AKID/2015083x/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=" SIG,
        "AWS4-HMAC-SHA256 Credential=AKID/20150830//kms/aws4_request, SignedHeaders=host, Signature=" SIG,
        "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/kms/aws5_request, SignedHeaders=host, Signature=" SIG,
        "AWS4-HMAC-SHA256 Credential=/20150830/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=" SIG,
        CRED ", SignedHeaders=a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q, Signature=" SIG,
        CRED ", SignedHeaders=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, Signature=" SIG,
    };
    struct sigv4_claim c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(sigv4_claim_parse(&c, bad[i]).code == E_FORMAT, "taken: %s", bad[i]);
    /* No prefix of a good header is one, the shorter signatures included. */
    const char *good = CRED ", SignedHeaders=host, Signature=" SIG;
    for (size_t n = 0; n < strlen(good); n++) {
        char cut[512];
        memcpy(cut, good, n);
        cut[n] = 0;
        ASSERT_CODE(sigv4_claim_parse(&c, cut), E_FORMAT);
    }
}
END_TEST

/* What one side signs, the other takes apart and recomputes; any change in what is signed changes the signature. */
START_TEST(both_sides)
{
    char auth[SIGV4_AUTH_MAX], sig[SIGV4_HEX];
    struct sigv4_claim c;
    ASSERT_OK(sigv4_authorization(auth, sizeof auth, &get_vanilla, "20150830T123600Z", &scope, "AKIDEXAMPLE", SECRET_KEY));
    ASSERT_OK(sigv4_claim_parse(&c, auth));
    ASSERT_OK(sigv4_sign(sig, &get_vanilla, "20150830T123600Z", &c.scope, SECRET_KEY));
    ck_assert_str_eq(sig, c.signature);
    struct sigv4_request q = get_vanilla;
    struct sigv4_scope s = scope;
    q.body = "x", q.body_len = 1;
    ASSERT_OK(sigv4_sign(sig, &q, "20150830T123600Z", &s, SECRET_KEY));
    ck_assert_str_ne(sig, c.signature);
    ASSERT_OK(sigv4_sign(sig, &get_vanilla, "20150830T123601Z", &s, SECRET_KEY));
    ck_assert_str_ne(sig, c.signature);
    ASSERT_OK(sigv4_sign(sig, &get_vanilla, "20150830T123600Z", &s, SECRET_KEY "x"));
    ck_assert_str_ne(sig, c.signature);
    s.region[3] = 'w';
    ASSERT_OK(sigv4_sign(sig, &get_vanilla, "20150830T123600Z", &s, SECRET_KEY));
    ck_assert_str_ne(sig, c.signature);
}
END_TEST

static Suite *suite_arn(void) { return CHECK_SUITE("arn", arn_good, arn_bad, arn_each_character, endpoints); }
static Suite *suite_sigv4(void) { return CHECK_SUITE("sigv4", published, header_values, sign_limits, times, claims, claims_bad, both_sides); }
CHECK_MAIN(suite_arn, suite_sigv4)
