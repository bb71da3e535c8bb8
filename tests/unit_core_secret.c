/* The arena: what it keeps, and what it gives back. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/secret.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"

enum { ARENA = 16384 };

/* Check's own assertions write to a pipe each: too slow for every byte. */
static int all(const uint8_t *p, size_t n, uint8_t value)
{
    size_t same = 0;
    for (size_t i = 0; i < n; i++)
        same += p[i] == value;
    return same == n;
}

static void open_arena(void)
{
    ASSERT_OK(secret_arena_open(ARENA));
}

START_TEST(no_arena_no_secret)
{
    secret *s = (void *)1;
    ASSERT_CODE(secret_new(&s, 32), E_STATE);
    ck_assert_ptr_null(s);
    ASSERT_CODE(secret_random(&s, 32), E_STATE);
    ck_assert_uint_eq(secret_count(), 0);
    secret_arena_close();
    open_arena();
    ASSERT_CODE(secret_arena_open(ARENA), E_STATE);
    secret_arena_close();
    ASSERT_CODE(secret_new(&s, 32), E_STATE);
    ASSERT_CODE(secret_arena_open(0), E_LIMIT);
    open_arena();
    ASSERT_OK(secret_new(&s, 32));
    secret_arena_close();
    ck_assert_uint_eq(secret_count(), 0);
}
END_TEST

START_TEST(secrets_live_move_and_go)
{
    open_arena();
    {
        SECRET a = NULL;
        SECRET b = NULL;
        SECRET c = NULL;
        ASSERT_OK(secret_new(&a, 33));
        ck_assert_uint_eq(secret_len(a), 33);
        ck_assert(all(secret_peek(a), 33, 0));
        ASSERT_OK(secret_random(&b, 33));
        ck_assert(!secret_eq(a, b));
        ASSERT_OK(secret_copy(&c, b));
        ck_assert(secret_eq(c, b));
        secret_reveal(c)[32] ^= 1;
        ck_assert(!secret_eq(c, b));
        ck_assert_uint_eq(secret_count(), 3);
        secret_move(&a, &c);
        ck_assert_ptr_null(c);
        ck_assert_uint_eq(secret_count(), 2);
        secret_reveal(a)[32] ^= 1;
        ck_assert(secret_eq(a, b));
        SECRET shorter = NULL;
        ASSERT_OK(secret_new(&shorter, 32));
        memcpy(secret_reveal(shorter), secret_peek(b), 32);
        ck_assert(!secret_eq(shorter, b));
        secret_move(&a, &c);                        /* from nothing: only drops */
        ck_assert_ptr_null(a);
        secret_drop(&a);
    }
    ck_assert_uint_eq(secret_count(), 0);
}
END_TEST

START_TEST(lengths_are_bounded)
{
    secret *s = NULL;
    open_arena();
    ASSERT_CODE(secret_new(&s, 0), E_LIMIT);
    ASSERT_CODE(secret_new(&s, 4097), E_LIMIT);
    ASSERT_CODE(secret_new(&s, SIZE_MAX), E_LIMIT);
    ck_assert_ptr_null(s);
    ASSERT_OK(secret_new(&s, 4096));
    secret_drop(&s);
    ASSERT_OK(secret_new(&s, 1));
    secret_drop(&s);
}
END_TEST

START_TEST(a_dropped_secret_is_zero)
{
    open_arena();
    SECRET s = NULL;
    ASSERT_OK(secret_new(&s, 100));
    const uint8_t *p = secret_peek(s);
    memset(secret_reveal(s), 0xa5, 100);
    secret_drop(&s);
    ck_assert_ptr_null(s);
    /* The two units it took, with what stood behind it. */
    ck_assert(all(p, 128, 0));
}
END_TEST

START_TEST(room_is_used_up_and_used_again)
{
    secret *every[ARENA / 64 + 1];
    size_t count = 0;
    open_arena();
    err e = OK;
    while ((e = secret_random(&every[count], 48)).code == E_OK)
        count++;
    ck_assert_int_eq((int)e.code, E_MEMORY);
    ck_assert_ptr_null(every[count]);
    ck_assert_uint_eq(count, ARENA / 64);
    /* Every other one goes; a secret of two units still has no room, one of one has. */
    for (size_t i = 0; i < count; i += 2)
        secret_drop(&every[i]);
    secret *s = NULL;
    ASSERT_CODE(secret_new(&s, 49), E_MEMORY);
    ASSERT_OK(secret_new(&s, 48));
    secret_drop(&s);
    secret_drop(&every[1]);
    ASSERT_OK(secret_new(&s, 64 * 3 - 16));
    secret_drop(&s);
    for (size_t i = 0; i < count; i++)
        secret_drop(&every[i]);
    ck_assert_uint_eq(secret_count(), 0);
}
END_TEST

/* Secrets made and dropped at random keep their bytes and never overlap. */
START_TEST(property_secrets_do_not_meet)
{
    enum { SLOTS = 24 };
    secret *s[SLOTS] = { NULL };
    uint8_t mark[SLOTS] = { 0 };
    srand(99);
    ASSERT_OK(secret_arena_open(32768));
    for (int round = 0; round < 20000; round++) {
        size_t i = (size_t)rand() % SLOTS;
        if (s[i])
            ck_assert(all(secret_peek(s[i]), secret_len(s[i]), mark[i]));
        secret_drop(&s[i]);
        if (secret_new(&s[i], 1 + (size_t)rand() % 3000).code != E_OK)
            continue;
        ck_assert(all(secret_peek(s[i]), secret_len(s[i]), 0));
        mark[i] = (uint8_t)(1 + rand() % 255);
        memset(secret_reveal(s[i]), mark[i], secret_len(s[i]));
    }
    for (size_t i = 0; i < SLOTS; i++)
        secret_drop(&s[i]);
    ck_assert_uint_eq(secret_count(), 0);
}
END_TEST

static void overrun(void *ctx)
{
    size_t at = *(size_t *)ctx;
    SECRET s = NULL;
    err_drop(secret_new(&s, 40));
    secret_reveal(s)[at] ^= 1;
}

/* The child opens its own arena: the parent's is wiped by the fork. */
static void overrun_own(void *ctx)
{
    err_drop(secret_arena_open(ARENA));
    overrun(ctx);
}

START_TEST(an_overrun_by_one_bit_aborts)
{
    for (size_t at = 40; at < 64; at++)
        ck_assert(died(child_run(overrun_own, &at, (char[400]){ 0 }, 400), SIGABRT));
    size_t inside = 39;
    ck_assert(exited(child_run(overrun_own, &inside, NULL, 0), 0));
}
END_TEST

static void touch_guard(void *ctx)
{
    long at = *(long *)ctx;
    secret *s = NULL;
    err_drop(secret_arena_open(4096));
    err_drop(secret_new(&s, 4000));
    /* What a sanitizer says about the fault is its own business. */
    signal(SIGSEGV, SIG_DFL);
    ((volatile uint8_t *)secret_reveal(s))[at] = 1;
}

START_TEST(guard_pages_stand_at_either_end)
{
    long outside[] = { -1, -4096, 4096, 8191 };
    for (size_t i = 0; i < 4; i++)
        ck_assert(died(child_run(touch_guard, &outside[i], NULL, 0), SIGSEGV));
    ck_assert(exited(child_run(touch_guard, &(long){ 0 }, NULL, 0), 0));
}
END_TEST

enum misuse { NULL_HANDLE, INNER_HANDLE, DROPPED_HANDLE, FOREIGN_HANDLE, SELF_MOVE, CLOSED };

static void misuse(void *ctx)
{
    secret *s = NULL, *copy = NULL;
    long long odd = 0;
    err_drop(secret_arena_open(ARENA));
    err_drop(secret_new(&s, 100));
    copy = s;
    switch (*(enum misuse *)ctx) {
    case NULL_HANDLE: (void)secret_len(NULL); break;
    case INNER_HANDLE: (void)secret_len((secret *)(void *)((uint8_t *)s + 4)); break;
    case DROPPED_HANDLE: secret_drop(&s); (void)secret_peek(copy); break;
    case FOREIGN_HANDLE: (void)secret_peek((secret *)(void *)&odd); break;
    case SELF_MOVE: secret_move(&copy, &s); break;
    case CLOSED: secret_arena_close(); (void)secret_peek(s); break;
    }
}

START_TEST(a_wrong_handle_aborts)
{
    for (enum misuse m = NULL_HANDLE; m <= CLOSED; m++)
        ck_assert_msg(died(child_run(misuse, &m, (char[400]){ 0 }, 400), SIGABRT), "misuse %d went through", (int)m);
}
END_TEST

struct forked {
    secret *s;
    const uint8_t *p;
};

static void look_in_child(void *ctx)
{
    struct forked *f = ctx;
    for (size_t i = 0; i < 64; i++)
        if (f->p[i] != 0)
            _exit(1);
    if (secret_count() != 0)
        _exit(2);
    secret *s = NULL;
    if (secret_new(&s, 8).code != E_STATE)
        _exit(3);
    secret_drop(&f->s);                             /* a cleanup on the way out is harmless */
    if (f->s)
        _exit(4);
    if (secret_arena_open(ARENA).code != E_OK || secret_new(&s, 8).code != E_OK)
        _exit(5);
    secret_drop(&s);
}

static void peek_in_child(void *ctx)
{
    (void)secret_peek(((struct forked *)ctx)->s);
}

START_TEST(a_forked_child_has_only_zeros)
{
    open_arena();
    struct forked f = { NULL, NULL };
    ASSERT_OK(secret_new(&f.s, 48));
    memset(secret_reveal(f.s), 0x77, 48);
    f.p = secret_peek(f.s);
    ck_assert(exited(child_run(look_in_child, &f, NULL, 0), 0));
    ck_assert(died(child_run(peek_in_child, &f, (char[400]){ 0 }, 400), SIGABRT));
    ck_assert(all(f.p, 48, 0x77));
    secret_drop(&f.s);
}
END_TEST

/* The kernel's own word about the pages: /proc/self/smaps, VmFlags and Locked. */
START_TEST(the_kernel_knows_the_arena_is_special)
{
    open_arena();
    SECRET s = NULL;
    ASSERT_OK(secret_new(&s, 8));
    unsigned long at = (unsigned long)secret_peek(s), from = 0, to = 0;
    unsigned long size = 0, locked = 0;
    char line[512], flags[512] = "";
    FILE *f = fopen("/proc/self/smaps", "r");
    ck_assert_ptr_nonnull(f);
    int here = 0;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2 && strchr(line, '-') < strchr(line, ' '))
            here = from <= at && at < to;
        if (!here)
            continue;
        sscanf(line, "Size: %lu kB", &size);
        sscanf(line, "Locked: %lu kB", &locked);
        if (strncmp(line, "VmFlags:", 8) == 0)
            strcpy(flags, line);
    }
    fclose(f);
    ck_assert_msg(strstr(flags, " lo"), "not locked: %s", flags);
    ck_assert_msg(strstr(flags, " dd"), "may be dumped: %s", flags);
    ck_assert_msg(strstr(flags, " wf"), "not wiped on fork: %s", flags);
    ck_assert_uint_eq(size, ARENA / 1024);
    ck_assert_uint_eq(locked, ARENA / 1024);
}
END_TEST

/* As an unprivileged user whose hard limit is too small. */
static void open_without_limit(void *ctx)
{
    rlim_t limit = *(rlim_t *)ctx;
    struct rlimit r = { 0, limit };
    if (setrlimit(RLIMIT_MEMLOCK, &r) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
        _exit(90);
    err e = secret_arena_open(ARENA);
    secret *s = NULL;
    if (e.code == E_OK)
        _exit(0);
    _exit(e.code == E_IO && secret_new(&s, 8).code == E_STATE ? 1 : 91);
}

START_TEST(memory_that_cannot_be_locked_is_refused)
{
    if (geteuid() != 0) {
        struct rlimit none = { 0, 0 };
        ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
        ASSERT_CODE(secret_arena_open(ARENA), E_IO);
        return;
    }
    ck_assert(exited(child_run(open_without_limit, &(rlim_t){ 0 }, (char[400]){ 0 }, 400), 1));
    ck_assert(exited(child_run(open_without_limit, &(rlim_t){ ARENA }, (char[400]){ 0 }, 400), 1));
    /* The soft limit alone is no obstacle: it is raised. */
    ck_assert(exited(child_run(open_without_limit, &(rlim_t){ 1 << 20 }, NULL, 0), 0));
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core/secret", no_arena_no_secret, secrets_live_move_and_go, lengths_are_bounded,
                       a_dropped_secret_is_zero, room_is_used_up_and_used_again, property_secrets_do_not_meet,
                       an_overrun_by_one_bit_aborts, guard_pages_stand_at_either_end,
                       a_wrong_handle_aborts, a_forked_child_has_only_zeros,
                       the_kernel_knows_the_arena_is_special, memory_that_cannot_be_locked_is_refused);
}

CHECK_MAIN(suite)
