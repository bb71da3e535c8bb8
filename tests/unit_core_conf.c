/* One INI file, every key known, and a helpful word when it is not so. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"

struct sample {
    char name[16];
    uint64_t count, wait, size;
    bool on;
    int untouched;
};

#define AT(field) offsetof(struct sample, field)
static const struct conf_key keys[] = {
    { "web", "name", CONF_TEXT, AT(name), sizeof(((struct sample *)0)->name), 0, 0, "" },
    { "web", "count", CONF_U64, AT(count), 0, 1, 100, "" },
    { "web", "on", CONF_BOOL, AT(on), 0, 0, 0, "" },
    { "seal", "interval", CONF_SECONDS, AT(wait), 0, 1, 86400, "" },
    { "seal", "size", CONF_BYTES, AT(size), 0, 4096, UINT64_MAX, "" },
};
enum { KEYS = sizeof keys / sizeof *keys };

static const struct sample defaults = { "a name of 15 ch", 5, 60, 65536, false, 77 };

static err parse(struct sample *s, const char *text)
{
    memcpy(s, &defaults, sizeof *s);                        /* with its padding */
    return conf_parse("test.ini", text, keys, KEYS, s);
}

START_TEST(a_file_sets_what_it_names)
{
    struct sample s;
    ASSERT_OK(parse(&s, "# a comment\n; another\n\n[web]\nname = box\ncount=100\non = yes ; really\n"
                        "[seal]\r\ninterval = 2h\r\nsize: 1G"));
    ck_assert_str_eq(s.name, "box");
    for (size_t i = 4; i < sizeof s.name; i++)
        ck_assert_int_eq(s.name[i], 0);
    ck_assert_uint_eq(s.count, 100);
    ck_assert(s.on);
    ck_assert_uint_eq(s.wait, 7200);
    ck_assert_uint_eq(s.size, 1u << 30);
    ck_assert_int_eq(s.untouched, 77);
}
END_TEST

START_TEST(defaults_stay)
{
    struct sample s;
    ASSERT_OK(parse(&s, ""));
    ck_assert_mem_eq(&s, &defaults, sizeof s);
    ASSERT_OK(parse(&s, "[web]\n[seal]\n  \n \t # c\n[web]\n"));
    ck_assert_mem_eq(&s, &defaults, sizeof s);
    ASSERT_OK(conf_parse("none", "# nothing\n", NULL, 0, &s));
    ASSERT_CODE(conf_parse("none", "a = b\n", NULL, 0, &s), E_FORMAT);
}
END_TEST

START_TEST(units_are_understood)
{
    static const struct { const char *line; uint64_t want; } waits[] = {
        { "60", 60 }, { "60s", 60 }, { "5m", 300 }, { "24h", 86400 }, { "1", 1 }, { "0001", 1 } };
    static const struct { const char *line; uint64_t want; } sizes[] = {
        { "4096", 4096 }, { "4K", 4096 }, { "64M", 64u << 20 }, { "17179869183G", UINT64_C(17179869183) << 30 },
        { "18446744073709551615", UINT64_MAX } };
    struct sample s;
    char text[100];
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        snprintf(text, sizeof text, "[seal]\ninterval = %s\n", waits[i].line);
        ASSERT_OK(parse(&s, text));
        ck_assert_uint_eq(s.wait, waits[i].want);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(text, sizeof text, "[seal]\nsize = %s\n", sizes[i].line);
        ASSERT_OK(parse(&s, text));
        ck_assert(s.size == sizes[i].want);
    }
}
END_TEST

struct bad {
    const char *text, *says;
};

static const struct bad bads[] = {
    { "[web]\ncount = 0\n", "test.ini:2: [web] count = '0': expected a decimal number, from 1 to 100" },
    { "[web]\n\ncount = 101\n", "test.ini:3: [web] count = '101'" },
    { "[web]\ncount = -1\n", "count = '-1'" },
    { "[web]\ncount = +1\n", "count = '+1'" },
    { "[web]\ncount = 0x10\n", "count = '0x10'" },
    { "[web]\ncount = 1e1\n", "count = '1e1'" },
    { "[web]\ncount = 5 5\n", "count = '5 5'" },
    { "[web]\ncount = 5s\n", "count = '5s'" },
    { "[web]\ncount = 18446744073709551617\n", "count = '18446744073709551617'" },
    { "[web]\ncount =\n", "count = ''" },
    { "[web]\non = true\n", "on = 'true': expected yes or no" },
    { "[web]\non = Yes\n", "on = 'Yes'" },
    { "[web]\nname = sixteen letters!\n", "[web] name is 16 bytes long: at most 15" },
    { "[seal]\ninterval = 25h\n", "expected a time such as 60, 60s, 5m or 2h, from 1 to 86400" },
    { "[seal]\ninterval = 5 m\n", "interval = '5 m'" },
    { "[seal]\ninterval = 5M\n", "interval = '5M'" },
    { "[seal]\ninterval = m\n", "interval = 'm'" },
    { "[seal]\nsize = 17179869184G\n", "expected a size such as 4096, 64M or 1G" },
    { "[seal]\nsize = 64MB\n", "size = '64MB'" },
    { "[web]\ncuont = 5\n", "test.ini:2: unknown key [web] cuont; did you mean [web] count?" },
    { "[web]\nsise = 5\n", "unknown key [web] sise; did you mean [seal] size?" },
    { "[seal]\ncount = 5\n", "unknown key [seal] count; did you mean [web] count?" },
    { "[web]\ncolour = 5\n", "unknown key [web] colour" },
    { "[wbe]\ncolour = 5\n", "unknown section [wbe] colour" },
    { "count = 5\n", "did you mean [web] count?" },
    { "[web]\ncount = 5\ncount = 5\n", "test.ini:3: [web] count is given twice" },
    { "[web]\ncount = 5\n[seal]\n[web]\ncount = 5\n", "test.ini:5: [web] count is given twice" },
    { "[web]\nnonsense\n", "test.ini:2: expected '[section]', 'name = value' or a comment" },
    { "[web\ncount = 5\n", "test.ini:1: expected" },
    { "nonsense\n[web]\ncount = 500\n", "test.ini:1: expected" },
    { "[web]\ncount = 500\nnonsense\n", "test.ini:2: [web] count" },
    { "[web]\n count = 5\n", "test.ini:2: the line begins with a space" },
    { "[web]\nname = a\n  b\n", "test.ini:3: the line begins with a space" },
    { "[web]\nname = a\x01\n", "test.ini:2: control character 0x01" },
    { "[web]\nname = a\rb\n", "control character 0x0d" },
    { "[Web]\ncount = 5\n", "[Web] count" },
};

static void parse_in_child(void *ctx)
{
    const struct bad *b = ctx;
    struct sample s;
    log_open("conf", LOG_INFO);
    if (parse(&s, b->text).code != E_FORMAT)
        _exit(1);
    /* Nothing of a bad file is taken over, not even its good lines. */
    if (memcmp(&s, &defaults, sizeof s) != 0)
        _exit(2);
}

START_TEST(a_bad_file_changes_nothing_and_says_why)
{
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        char said[2000];
        struct bad b = bads[i];
        int status = child_run(parse_in_child, &b, said, sizeof said);
        ck_assert_msg(exited(status, 0), "'%s' gave %x, %s", b.text, (unsigned)status, said);
        ck_assert_msg(strstr(said, b.says), "'%s' gave '%s', not '%s'", b.text, said, b.says);
        ck_assert_ptr_eq(strchr(said, '\n') + 1, strchr(said, '\0'));
    }
}
END_TEST

START_TEST(a_long_line_is_refused_not_cut)
{
    char text[600] = "[web]\nname = ";
    struct sample s;
    memset(text + strlen(text), ' ', 300);
    strcat(text, "x\n");
    ASSERT_CODE(parse(&s, text), E_FORMAT);
    strcpy(text, "# ");
    memset(text + 2, 'c', 400);
    text[402] = '\0';
    ASSERT_CODE(parse(&s, text), E_FORMAT);
}
END_TEST

START_TEST(files_are_read)
{
    char path[] = "/tmp/hf-conf-XXXXXX";
    struct sample s = defaults;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "[web]\ncount = 9\n", 16), 16);
    ASSERT_OK(conf_read(path, keys, KEYS, &s));
    ck_assert_uint_eq(s.count, 9);
    ck_assert_int_eq(write(fd, "\0", 1), 1);
    ASSERT_CODE(conf_read(path, keys, KEYS, &s), E_FORMAT);
    ck_assert_int_eq(ftruncate(fd, (1 << 20) + 1), 0);
    ASSERT_CODE(conf_read(path, keys, KEYS, &s), E_LIMIT);
    unlink(path);
    close(fd);
    ASSERT_CODE(conf_read(path, keys, KEYS, &s), E_ABSENT);
    ASSERT_CODE(conf_read("/tmp", keys, KEYS, &s), E_FORMAT);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ASSERT_CODE(conf_read(path, keys, KEYS, &s), E_FORMAT);   /* and it does not hang */
    unlink(path);
    ck_assert_uint_eq(s.count, 9);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core/conf", a_file_sets_what_it_names, defaults_stay, units_are_understood,
                       a_bad_file_changes_nothing_and_says_why, a_long_line_is_refused_not_cut, files_are_read);
}

CHECK_MAIN(suite)
