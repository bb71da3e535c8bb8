/* The parent's configuration and its list of places the enclave may connect to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

        "[parent]\nlink_cid = 4294967296\n", "[witness]\ndeadline = 0\n", "[witness]\ndeadline = 1h\n", "[witness]\nfile = x\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(parent_config_parse(&c, "test", bad[i]).code == E_FORMAT, "%s", bad[i]);
    ASSERT_FAILS(parent_config_read(&c, "/tmp/hf-no-such-file.ini"));
}
END_TEST

START_TEST(witnesses_of_a_file)
{
    static struct parent_config c;
    static struct witnesses w;
    char path[] = "/tmp/hf-witnesses-XXXXXX", text[512], key[128] = "";
    struct note_key k;
    struct wr v = wr_of(key, sizeof key - 1);
    bool any = true;
    ASSERT_OK(note_key_make(&k, "w.example", NOTE_COSIGNATURE, (const uint8_t[32]){ 1 }));
    note_key_write(&v, &k);
    ASSERT_OK(parent_config_parse(&c, "test", ""));
    ck_assert_uint_eq(c.witness_deadline, 10);
    ASSERT_OK(parent_witnesses(&w, &any, &c));
    ck_assert(!any && w.name_count == 0);
    ASSERT_OK(parent_config_parse(&c, "test", "[witness]\npolicy = /no/such/file\ndeadline = 2m\n"));
    ck_assert_uint_eq(c.witness_deadline, 120);
    ASSERT_CODE(parent_witnesses(&w, &any, &c), E_IO);
    const int fd = mkstemp(path);
    ck_assert(fd >= 0);
    snprintf(c.witness_policy, sizeof c.witness_policy, "%s", path);
    for (int with_url = 0; with_url < 3; with_url++) {
        const int n = snprintf(text, sizeof text, "witness w %s%s\nquorum w\n%s", key, with_url ? " w.example" : "", with_url == 2 ? "rubbish\n" : "");
        ck_assert(ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n);
        ASSERT_CODE(parent_witnesses(&w, &any, &c), with_url == 1 ? E_OK : E_FORMAT);
    }
    close(fd);
    unlink(path);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("parent_config", allowlist, configuration, witnesses_of_a_file);
}

CHECK_MAIN(suite)
