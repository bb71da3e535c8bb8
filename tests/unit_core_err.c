/* Errors, log lines, plain memory. */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"
#include "tests/support/faults.h"

static char text[256 * 1024];

static int matches(const char *line, const char *pattern)
{
    regex_t re;
    ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NEWLINE), 0);
    int found = regexec(&re, line, 0, NULL, 0) == 0;
    regfree(&re);
    return found;
}

static size_t lines_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += *s == '\n';
    return n;
}

START_TEST(codes_have_words_and_statuses)
{
    static const int http[E_CODES] = { 200, 400, 413, 401, 403, 409, 404, 502, 504, 500, 500 };
    for (unsigned i = 0; i < E_CODES; i++) {
        ck_assert_int_eq(err_http((enum err_code)i), http[i]);
        ck_assert_uint_gt(strlen(err_text((enum err_code)i)), 1);
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(err_text((enum err_code)i), err_text((enum err_code)j));
    }
    ck_assert_int_eq(err_http(E_CODES), 500);
    ck_assert_str_eq(err_text((enum err_code)4711), "unknown error");
}
END_TEST

static err fails(enum err_code code, int why)
{
    errno = why;
    FAIL(code, "reason %d", 7);
}

static err passes_up(int *after)
{
    TRY(OK);
    TRY(fails(E_DENIED, 0));
    *after = 1;
    return OK;
}

static void log_failures(void *ctx)
{
    (void)ctx;
    log_open("role", LOG_DEBUG);
    err_drop(fails(E_AUTH, EACCES));
    err_drop(fails(E_IO, EACCES));
    err_drop(fails(E_IO, 0));
}

START_TEST(failures_are_told_once_with_place)
{
    int after = 0;
    ASSERT_CODE(passes_up(&after), E_DENIED);
    ck_assert_int_eq(after, 0);
    ck_assert(exited(child_run(log_failures, NULL, text, sizeof text), 0));
    ck_assert_uint_eq(lines_of(text), 3);
    ck_assert(matches(text, "WARN role: not authentic: reason 7 \\(tests/unit_core_err.c:[0-9]+\\)$"));
    ck_assert(matches(text, "input/output error: reason 7: Permission denied \\(tests/unit"));
    ck_assert(matches(text, "input/output error: reason 7 \\(tests/unit"));
}
END_TEST

START_TEST(errno_survives_logging)
{
    err_drop(fails(E_IO, ENOSPC));
    ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

static void breach(void *ctx)
{
    (void)ctx;
    int two = 2;
    MUST(two == 2);
    MUST(two == 3);
}

START_TEST(a_broken_invariant_aborts_with_its_words)
{
    ck_assert(died(child_run(breach, NULL, text, sizeof text), SIGABRT));
    ck_assert(matches(text, "ERROR test: broken invariant: two == 3 \\(tests/unit_core_err.c:[0-9]+\\)$"));
}
END_TEST

static void log_odd(void *ctx)
{
    log_open("odd\nname", LOG_INFO);
    log_debug("not shown");
    log_info("%s", (const char *)ctx);
}

START_TEST(control_characters_are_shown)
{
    char odd[] = "a\nb\r\x1b[2J\x7f\ttab \xc2\x9b caf\xc3\xa9 \\x41 \\n";
    ck_assert(exited(child_run(log_odd, odd, text, sizeof text), 0));
    ck_assert_uint_eq(lines_of(text), 1);
    ck_assert_ptr_nonnull(strstr(text, "INFO odd\\x0aname: a\\x0ab\\x0d\\x1b[2J\\x7f\\x09tab \\xc2"));
    ck_assert_ptr_nonnull(strstr(text, "caf\xc3\xa9 \\x5cx41 \\n\n"));
    ck_assert(matches(text, "^20[0-9]{2}-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\\.[0-9]{3}Z INFO "));
}
END_TEST

START_TEST(the_time_is_utc)
{
    /* Tried around the second, as the child's clock runs on. */
    time_t before = time(NULL);
    ck_assert(exited(child_run(log_odd, (char[]){ "x" }, text, sizeof text), 0));
    int found = 0;
    for (time_t t = before; t <= time(NULL); t++) {
        char want[32];
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", gmtime(&t));
        found += strncmp(text, want, strlen(want)) == 0;
    }
    ck_assert_int_eq(found, 1);
}
END_TEST

static void log_long(void *ctx)
{
    (void)ctx;
    char big[5000];
    memset(big, '\n', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    log_open("t", LOG_INFO);
    log_info("%s", big);
}

START_TEST(a_long_line_stays_one_line)
{
    ck_assert(exited(child_run(log_long, NULL, text, sizeof text), 0));
    ck_assert_uint_eq(lines_of(text), 1);
    ck_assert_uint_le(strlen(text), 2048);
}
END_TEST

static void log_flood(void *ctx)
{
    (void)ctx;
    struct timespec t;
    log_open("flood", LOG_INFO);
    /* From the begin of a second, so that the flood lies within one. */
    do
        clock_gettime(CLOCK_MONOTONIC, &t);
    while (t.tv_nsec > 50000000);
    for (int i = 0; i < 1000; i++)
        log_warn("line %d", i);
    log_error("and this is why");
    clock_gettime(CLOCK_MONOTONIC, &t);
    t = (struct timespec){ t.tv_sec + 1, 1000000 };
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    log_warn("later");
}

START_TEST(a_flood_is_cut_and_counted_and_hides_no_error)
{
    ck_assert(exited(child_run(log_flood, NULL, text, sizeof text), 0));
    ck_assert_uint_eq(lines_of(text), 180 + 1 + 2);
    ck_assert_ptr_nonnull(strstr(text, "ERROR flood: and this is why\n"));
    ck_assert_ptr_nonnull(strstr(text, "WARN flood: 820 lines were dropped"));
    ck_assert_ptr_nonnull(strstr(text, "WARN flood: later\n"));
}
END_TEST

START_TEST(memory_is_zero_and_moves_on)
{
    BYTES p = NULL;
    ASSERT_OK(mem_new(&p, 100));
    for (size_t i = 0; i < 100; i++)
        ck_assert_uint_eq(p[i], 0);
    uint8_t *was = p;
    BYTES q = take_bytes(&p);
    ck_assert_ptr_null(p);
    ck_assert_ptr_eq(q, was);
    BYTES none = NULL;
    ASSERT_OK(mem_new(&none, 0));
    ck_assert_ptr_nonnull(none);
    TEXT t = strdup("text");
    TEXT u = take_text(&t);
    ck_assert_ptr_null(t);
    ck_assert_str_eq(u, "text");
    memset(q, 0x55, 100);
    mem_wipe(q + 1, 98);
    ck_assert_uint_eq(q[0] + q[99], 0xaa);
    for (size_t i = 1; i < 99; i++)
        ck_assert_uint_eq(q[i], 0);
    mem_wipe(NULL, 0);
}
END_TEST

START_TEST(memory_that_is_not_there_is_an_error)
{
    uint8_t *p = (void *)1;
    ASSERT_CODE(mem_new(&p, SIZE_MAX / 2), E_MEMORY);
    ck_assert_ptr_null(p);
}
END_TEST

START_TEST(descriptors_close_with_their_scope)
{
    int before = open_fds(), kept = -1;
    {
        FD a = open("/dev/null", O_RDONLY);
        FD b = open("/dev/null", O_RDONLY);
        FD none = -1;
        ck_assert_int_eq(none, -1);
        ck_assert_int_ge(b, 0);
        kept = take_fd(&a);
        ck_assert_int_eq(a, -1);
    }
    ck_assert_int_eq(open_fds(), before + 1);
    errno = ENOENT;
    fd_close(&kept);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(kept, -1);
    ck_assert_int_eq(open_fds(), before);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core/err log mem", codes_have_words_and_statuses, failures_are_told_once_with_place,
                       errno_survives_logging, a_broken_invariant_aborts_with_its_words,
                       control_characters_are_shown, the_time_is_utc, a_long_line_stays_one_line,
                       a_flood_is_cut_and_counted_and_hides_no_error, memory_is_zero_and_moves_on,
                       memory_that_is_not_there_is_an_error, descriptors_close_with_their_scope);
}

CHECK_MAIN(suite)
