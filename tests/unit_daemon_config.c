/* The measured configuration: what is accepted, and that everything else is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"
#include "support/check_main.h"

static err read_text(struct daemon_config *c, const char *text)
{
    char path[] = "/tmp/holdfast-config-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    err e = daemon_config_read(c, path);
    unlink(path);
    return e;
}

START_TEST(defaults_are_for_an_enclave)
{
    struct daemon_config c;
    ASSERT_OK(read_text(&c, "[service]\nname = vault\n"));
    ck_assert_str_eq(c.service_name, "vault");
    ck_assert_str_eq(c.nsm_device, "/dev/nsm");
    ck_assert_str_eq(c.profile, "confidential-script-2");
    ck_assert_uint_eq(c.disk_size, 64u << 20);
    ck_assert_uint_eq(c.seal_interval, 60);
    ck_assert_str_eq(c.parent_link, "vsock:3:8001");
}
END_TEST

START_TEST(bad_values_are_refused)
{
    static const char *const bad[] = {
        "[service]\ngenesis = maybe\n", "[service]\nsetup = closed\n", "[service]\nprofile = holdfast-2\n", "[service]\nid = 12\n",
        "[service]\nname = a\"b\n", "[disk]\nbackend = zfs\n", "[disk]\nsize = 1\n", "[disk]\nsize = 16777217\n",
        "[disk]\ndir = relative/path\n", "[log]\nlevel = loud\n", "[judge]\ncount = 17\n", "[nonsense]\nkey = 1\n",
        "[service]\nnmae = x\n", "[seal]\ninterval = soon\n", "[seal]\ninterval = 1\ninterval = 2\n",
        "[init]\nuid_base = 0\n" };
    struct daemon_config c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(read_text(&c, bad[i]).code == E_FORMAT || read_text(&c, bad[i]).code == E_LIMIT, "accepted: %s", bad[i]);
}
END_TEST

START_TEST(a_pinned_id_is_compared_in_lower_case)
{
    struct daemon_config c;
    ASSERT_OK(read_text(&c, "[service]\nid = ABCDEF0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789\n"));
    ck_assert_str_eq(c.service_id, "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789");
}
END_TEST

START_TEST(no_file_is_an_error)
{
    struct daemon_config c;
    ASSERT_FAILS(daemon_config_read(&c, "/nonexistent/holdfastd.ini"));
}
END_TEST

static Suite *config_suite(void)
{
    return CHECK_SUITE("config", defaults_are_for_an_enclave, bad_values_are_refused, a_pinned_id_is_compared_in_lower_case,
                       no_file_is_an_error);
}
CHECK_MAIN(config_suite)
