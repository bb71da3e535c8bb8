/* check_main.h - what every unit test's main() does.
 *
 *     CHECK_MAIN(suite_a, suite_b)     the suites, as functions Suite *(void)
 *
 * Log lines below ERROR are hidden, since a failure that a test provokes is no
 * news; HOLDFAST_TEST_LOG=1 shows them. CK_RUN_SUITE, CK_RUN_CASE and CK_FORK
 * work as Check documents them. */
#ifndef TESTS_SUPPORT_CHECK_MAIN_H
#define TESTS_SUPPORT_CHECK_MAIN_H
#include <check.h>
#include <stddef.h>
#include "core/err.h"

typedef Suite *check_suite(void);
int check_main(check_suite *const *suites, size_t count);

#define CHECK_MAIN(...) \
    int main(void) \
    { \
        static check_suite *const suites_[] = { __VA_ARGS__ }; \
        return check_main(suites_, sizeof suites_ / sizeof *suites_); \
    }

/* A suite of one case holding the tests named. */
#define CHECK_SUITE(name_, ...) check_suite_of((name_), (const TTest *const[]){ __VA_ARGS__, NULL })
Suite *check_suite_of(const char *name, const TTest *const *tests);

/* The call gives OK, or exactly this code; the message names both words. */
#define ASSERT_OK(call) ASSERT_CODE(call, E_OK)
#define ASSERT_CODE(call, want) \
    do { \
        enum err_code got_ = (call).code; \
        ck_assert_msg(got_ == (want), "%s: %s, expected %s", #call, err_text(got_), err_text(want)); \
    } while (0)
/* The call fails, with whatever code. */
#define ASSERT_FAILS(call) ck_assert_msg((call).code != E_OK, "%s: ok, expected a failure", #call)

#endif
