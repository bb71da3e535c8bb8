/* check_main.c - see check_main.h. */
#include "tests/support/check_main.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"

#ifdef HOLDFAST_SANITIZE
/* Tests ask for more memory than there is, and want the NULL that others get. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

int check_main(check_suite *const *suites, size_t count)
{
    log_open("test", getenv("HOLDFAST_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    SRunner *r = srunner_create(NULL);
    for (size_t i = 0; i < count; i++)
        srunner_add_suite(r, suites[i]());
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r), run = srunner_ntests_run(r);
    srunner_free(r);
    /* A suite that runs nothing has not passed. */
    return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

Suite *check_suite_of(const char *name, const TTest *const *tests)
{
    Suite *s = suite_create(name);
    TCase *c = tcase_create(name);
    tcase_set_timeout(c, 60);
    for (; *tests; tests++)
        tcase_add_test(c, *tests);
    suite_add_tcase(s, c);
    return s;
}
