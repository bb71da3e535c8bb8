/* keystore_case.h - a test case whose tests each have an arena, opened after Check's fork. */
#ifndef TESTS_KEYSTORE_CASE_H
#define TESTS_KEYSTORE_CASE_H
#include "core/secret.h"
#include "tests/support/check_main.h"

static inline void case_arena_open(void)
{
    ASSERT_OK(secret_arena_open(1 << 17));
}

static inline void case_arena_close(void)
{
    ck_assert_uint_eq(secret_count(), 0);        /* every test gives back what it took */
    secret_arena_close();
}

static inline TCase *secret_case(Suite *s, const char *name, const TTest *const *tests)
{
    TCase *t = tcase_create(name);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, case_arena_open, case_arena_close);
    for (; *tests; tests++) tcase_add_test(t, *tests);
    suite_add_tcase(s, t);
    return t;
}
#define SECRET_CASE(suite, name, ...) secret_case((suite), (name), (const TTest *const[]){ __VA_ARGS__, NULL })

#endif
