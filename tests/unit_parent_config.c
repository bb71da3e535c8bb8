/* The parent's configuration and its list of places the enclave may connect to. */
#include <string.h>

#include "parent/config.h"
#include "tests/support/check_main.h"

START_TEST(allowlist)
{
    static struct allow a;
    const struct allow_entry *e = NULL;
    ASSERT_OK(allow_parse(&a, ""));
    ck_assert_uint_eq(a.count, 0);
    ASSERT_CODE(allow_find(&e, &a, "a", 1), E_DENIED);
    ASSERT_OK(allow_parse(&a, " kms.us-east-1.amazonaws.com:443=127.0.0.1:9443 ,169.254.169.254:80=unix:/run/x,, [fd00:ec2::254]:80,h:1=vsock:3:9"));
    ck_assert_uint_eq(a.count, 4);
    ASSERT_OK(allow_find(&e, &a, "KMS.us-east-1.amazonaws.com", 443));
    ck_assert_str_eq(e->target, "127.0.0.1:9443");
    ASSERT_OK(allow_find(&e, &a, "169.254.169.254", 80));
    ck_assert_str_eq(e->target, "unix:/run/x");
    ASSERT_OK(allow_find(&e, &a, "fd00:ec2::254", 80));
    ck_assert_str_eq(e->target, "");
    ASSERT_CODE(allow_find(&e, &a, "kms.us-east-1.amazonaws.com", 444), E_DENIED);
    ASSERT_CODE(allow_find(&e, &a, "kms.us-east-1.amazonaws.com.", 443), E_DENIED);
    ASSERT_CODE(allow_find(&e, &a, "xkms.us-east-1.amazonaws.com", 443), E_DENIED);
    ASSERT_CODE(allow_find(&e, &a, "kms.us-east-1.amazonaws.co", 443), E_DENIED);
    ASSERT_CODE(allow_find(&e, &a, "169.254.169.254 ", 80), E_DENIED);
    static const char *const bad[] = { "a", ":1", "a:", "a:0", "a:65536", "a:123456", "a:1=", "a:1=b", "a:1x", "a b:1", "a:-1", "http://a:1", "u@a:1", "*:", "[:1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(allow_parse(&a, bad[i]).code == E_FORMAT, "%s", bad[i]);
    char many[ALLOW_MAX * 8 + 16] = "";
    for (int i = 0; i < ALLOW_MAX; i++) strcat(many, "a:1,");
    ASSERT_OK(allow_parse(&a, many));
    strcat(many, "a:1");
    ASSERT_CODE(allow_parse(&a, many), E_LIMIT);
}
END_TEST

START_TEST(configuration)
{
    static struct parent_config c;
    ASSERT_OK(parent_config_parse(&c, "test", ""));
    ck_assert_str_eq(c.listen, "tcp:127.0.0.1:8000");
    ck_assert_uint_eq(c.store_keep, 48);
    ck_assert_uint_eq(c.allow.count, 0);
    ASSERT_OK(parent_config_parse(&c, "test", "[parent]\nlink = unix:/x\nlink_idle = 2h\negress = a:1\n[store]\nkeep=7\nmax_object=2G\n[log]\nlevel=debug\n"));
    ck_assert_uint_eq(c.link_idle, 7200);
    ck_assert_uint_eq(c.store_keep, 7);
    ck_assert_uint_eq(c.store_max_object, 2ull << 30);
    ck_assert_uint_eq(c.allow.count, 1);
    ck_assert_int_eq(c.level, LOG_DEBUG);
    static const char *const bad[] = {
        "[store]\nkeep = 0\n", "[store]\nkeep = many\n", "[parent]\nclients = 0\n", "[parent]\negress = a\n", "[log]\nlevel = loud\n",
        "[parent]\nnothing = 1\n", "[other]\nlink = x\n", "[store]\nkeep = 1\nkeep = 2\n", "[parent]\nlisten =\n", "[store]\ndir = /a\nstore = /b\n", "[store]\ndir = /a,/b\n", "[store]\nstore = s3:\n", "[store]\nstore = dir:/a,\n",

        "[parent]\nlink_cid = 4294967296\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(parent_config_parse(&c, "test", bad[i]).code == E_FORMAT, "%s", bad[i]);
    ASSERT_FAILS(parent_config_read(&c, "/tmp/hf-no-such-file.ini"));
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("parent_config", allowlist, configuration);
}

CHECK_MAIN(suite)
