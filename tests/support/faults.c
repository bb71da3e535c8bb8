/* faults.c - see faults.h. */
#include "tests/support/faults.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/secret.h"

/* Only where the test links the arena. */
extern __typeof__(secret_count) secret_count __attribute__((weak));

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void  __real_free(void *p);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
err   __real_random_bytes(void *out, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);
void  __wrap_free(void *p);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
err   __wrap_random_bytes(void *out, size_t n);

unsigned long fault_alloc_at, fault_random_at;
static unsigned long allocs, randoms;
static bool armed, paused;
static int struck;

/* Live blocks, as a set with open addressing: 0 is free, 1 was freed. Kept from the
 * program's start, so that a block replaced by another does not count as one more. */
enum { SLOT_BITS = 17, SLOTS = 1 << SLOT_BITS };
static uintptr_t live[SLOTS];
static size_t live_count, live_at_arm;

static size_t slot_of(uintptr_t p)
{
    return (size_t)((uint64_t)(p >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SLOT_BITS));
}

static void *remember(void *p)
{
    if (!p)
        return p;
    size_t i = slot_of((uintptr_t)p);
    for (size_t tried = 0; live[i] > 1; i = (i + 1) % SLOTS)
        if (++tried == SLOTS)
            abort();
    live[i] = (uintptr_t)p;
    live_count++;
    return p;
}

static void forget(const void *p)
{
    size_t i = slot_of((uintptr_t)p);
    for (size_t tried = 0; live[i] != (uintptr_t)p; i = (i + 1) % SLOTS)
        if (!p || live[i] == 0 || ++tried == SLOTS)
            return;                       /* none of ours: some library's */
    live[i] = 1;
    live_count--;
    /* Marks at the end of a run lead nowhere; without them searches stay short. */
    while (live[(i + 1) % SLOTS] == 0 && live[i] == 1) {
        live[i] = 0;
        i = (i + SLOTS - 1) % SLOTS;
    }
}

static bool alloc_fails(void)
{
    if (!armed || paused || fault_alloc_at == 0 || ++allocs != fault_alloc_at)
        return false;
    struck = 1;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return alloc_fails() ? NULL : remember(__real_malloc(n));
}

void *__wrap_calloc(size_t count, size_t n)
{
    return alloc_fails() ? NULL : remember(__real_calloc(count, n));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (alloc_fails())
        return NULL;
    forget(p);
    void *q = __real_realloc(p, n);
    return remember(q ? q : n > 0 ? p : NULL);
}

void __wrap_free(void *p)
{
    forget(p);
    __real_free(p);
}

char *__wrap_strdup(const char *s)
{
    return alloc_fails() ? NULL : remember(__real_strdup(s));
}

char *__wrap_strndup(const char *s, size_t n)
{
    return alloc_fails() ? NULL : remember(__real_strndup(s, n));
}

err __wrap_random_bytes(void *out, size_t n)
{
    if (armed && fault_random_at != 0 && ++randoms == fault_random_at) {
        struck = 1;
        errno = EIO;
        FAIL(E_IO, "random call %lu fails as the test asks", randoms);
    }
    return __real_random_bytes(out, n);
}

void fault_arm(unsigned long alloc_at, unsigned long random_at)
{
    live_at_arm = live_count;
    allocs = randoms = 0;
    struck = 0;
    fault_alloc_at = alloc_at;
    fault_random_at = random_at;
    armed = true;
}

void fault_disarm(void)
{
    armed = false;
    fault_alloc_at = fault_random_at = 0;
}

void fault_pause(int on)
{
    paused = on;
}

int fault_struck(void)
{
    return struck;
}

size_t fault_live_blocks(void)
{
    return live_count > live_at_arm ? live_count - live_at_arm : 0;
}

int open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = 0;
    if (!d)
        return -1;
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        count += e->d_name[0] != '.';
    closedir(d);
    return count - 1;
}

static size_t secrets(void)
{
    return secret_count ? secret_count() : 0;
}

struct before {
    int fds;
    size_t secrets;
};

static err attempt_once(size_t *blocks, enum fault_kind kind, fault_body *body, void *ctx, unsigned long n,
                        const char *what)
{
    struct before b = { open_fds(), secrets() };
    fault_arm(kind == FAULT_ALLOC || kind == FAULT_ALLOC_LIBRARY ? n : 0, kind == FAULT_RANDOM ? n : 0);
    err e = body(ctx, n);
    *blocks = fault_live_blocks();
    fault_disarm();
    ck_assert_msg(secrets() == b.secrets, "%s: %zu secrets leak at fault %lu", what,
                  secrets() - b.secrets, n);
    ck_assert_msg(open_fds() == b.fds, "%s: descriptors leak at fault %lu", what, n);
    return e;
}

/* A library may fill a cache on a path it takes for the first time, and keep it. So
 * a block that stays is a leak only if another stays each time the path is taken. */
static err attempt(enum fault_kind kind, fault_body *body, void *ctx, unsigned long n, const char *what)
{
    size_t blocks = 0;
    err e = attempt_once(&blocks, kind, body, ctx, n, what);
    for (int again = 0; blocks > 0 && again < 3; again++)
        e = attempt_once(&blocks, kind, body, ctx, n, what);
    ck_assert_msg(blocks == 0, "%s: %zu heap blocks leak at fault %lu", what, blocks, n);
    return e;
}

unsigned long fault_loop(enum fault_kind kind, fault_body *body, void *ctx, const char *what)
{
    unsigned long told = 0;
    err e = attempt(kind, body, ctx, 0, what);
    ck_assert_msg(e.code == E_OK, "%s: %s without any fault", what, err_text(e.code));
    for (unsigned long n = 1;; n++) {
        ck_assert_msg(n < 1000000, "%s: does not come to an end", what);
        e = attempt(kind, body, ctx, n, what);
        bool hit = kind == FAULT_CALL ? e.code != E_OK : struck;
        if (hit) {
            ck_assert_msg(e.code != E_OK || kind == FAULT_ALLOC_LIBRARY, "%s: fault %lu was not told", what, n);
            told++;
            continue;
        }
        ck_assert_msg(e.code == E_OK, "%s: %s though fault %lu did not strike", what, err_text(e.code), n);
        return told;
    }
}
