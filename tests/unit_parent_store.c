/* The store as a folder: what it promises, and that being killed or failed at any
 * single step leaves whole objects and one head only. The linker sends the store's
 * system calls through the wrappers here. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "parent/store.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"

/* ---- a blow at system call number `at` ---- */

enum blow { NONE, KILL_BEFORE, KILL_AFTER, KILL_TORN, FAIL_IO };
static enum blow blow;
static unsigned long at, calls;
static int struck;

static int strikes(void)
{
    if (blow == NONE || ++calls != at) return 0;
    struck = 1;
    if (blow == KILL_BEFORE) kill(getpid(), SIGKILL);
    return 1;
}

static void strike_after(int hit)
{
    if (hit) kill(getpid(), SIGKILL);
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    int hit = strikes();
    if (hit && blow == FAIL_IO) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t got = __real_write(fd, p, hit && blow == KILL_TORN ? n / 2 : n);
    strike_after(hit);
    return got;
}

#define WRAP_CALL(name, params, args) \
    int __real_##name params; \
    int __wrap_##name params; \
    int __wrap_##name params \
    { \
        int hit = strikes(); \
        if (hit && blow == FAIL_IO) { \
            errno = EIO; \
            return -1; \
        } \
        int got = __real_##name args; \
        int why = errno; \
        strike_after(hit); \
        errno = why; \
        return got; \
    }
WRAP_CALL(fsync, (int fd), (fd))
WRAP_CALL(flock, (int fd, int how), (fd, how))
WRAP_CALL(mkdirat, (int d, const char *p, mode_t m), (d, p, m))
WRAP_CALL(unlinkat, (int d, const char *p, int f), (d, p, f))
WRAP_CALL(renameat, (int a, const char *p, int b, const char *q), (a, p, b, q))
WRAP_CALL(renameat2, (int a, const char *p, int b, const char *q, unsigned f), (a, p, b, q, f))
int __real_openat(int d, const char *p, int f, ...);
int __wrap_openat(int d, const char *p, int f, ...);
int __wrap_openat(int d, const char *p, int f, ...)
{
    va_list ap;
    va_start(ap, f);
    mode_t mode = f & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    int hit = strikes();
    if (hit && blow == FAIL_IO) {
        errno = EIO;
        return -1;
    }
    int got = __real_openat(d, p, f, mode);
    strike_after(hit);
    return got;
}

/* ---- helpers ---- */

static char dir[64];

static void make_dir(void)
{
    strcpy(dir, "/tmp/hf-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static void fill(uint8_t *p, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(i * 7 + seed + (i >> 8));
}

enum { PIECE = 5000, PIECES = 3 };

static err put_object(struct store_backend *s, const char *name, unsigned seed)
{
    STORE_PUT put = NULL;
    uint8_t bytes[PIECE];
    TRY(s->put(s, &put, name));
    for (unsigned i = 0; i < PIECES; i++) {
        fill(bytes, sizeof bytes, seed + i);
        TRY(put->write(put, bytes, sizeof bytes));
    }
    return put->commit(put);
}

static bool object_whole(struct store_backend *s, const char *name, unsigned seed)
{
    STORE_GET get = NULL;
    uint8_t want[PIECE], got[PIECE * PIECES + 1];
    size_t have = 0, n = 1;
    if (s->get(s, &get, name).code) return false;
    while (n > 0 && have < sizeof got) {
        ASSERT_OK(get->read(get, got + have, &n, sizeof got - have));
        have += n;
    }
    if (have != PIECE * PIECES || get->size != have) return false;
    for (unsigned i = 0; i < PIECES; i++) {
        fill(want, sizeof want, seed + i);
        if (memcmp(got + i * PIECE, want, PIECE) != 0) return false;
    }
    return true;
}

static err count(void *self, const struct store_entry *e)
{
    (void)e;
    ++*(int *)self;
    return OK;
}

static int objects(struct store_backend *s)
{
    int n = 0;
    ASSERT_OK(s->list(s, count, &n));
    return n;
}

static int leftovers(const char *sub)
{
    char path[128];
    int n = 0;
    snprintf(path, sizeof path, "%s%s", dir, sub);
    DIR *d = opendir(path);
    if (!d) return 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) n += strncmp(e->d_name, ".tmp-", 5) == 0;
    closedir(d);
    return n;
}

/* ---- what it promises ---- */

START_TEST(put_get_list)
{
    make_dir();
    STORE_BACKEND s = NULL;
    STORE_GET get = NULL;
    ASSERT_CODE(store_dir_open(&s, "/tmp/hf-store-that-is-not-there", false), E_ABSENT);
    ASSERT_CODE(store_dir_open(&s, dir, false), E_ABSENT);
    ASSERT_OK(store_dir_open(&s, dir, true));
    ck_assert_int_eq(objects(s), 0);
    ASSERT_CODE(s->get(s, &get, "a"), E_ABSENT);
    ASSERT_OK(put_object(s, "a", 1));
    ck_assert(object_whole(s, "a", 1));
    /* written once: another object of that name changes nothing */
    ASSERT_CODE(put_object(s, "a", 2), E_STATE);
    ck_assert(object_whole(s, "a", 1));
    ck_assert_int_eq(objects(s), 1);
    ck_assert_int_eq(leftovers("/objects"), 0);
    static const char *const bad[] = { "", ".", "..", ".a", "-a", "a/b", "A", "a b", "a\n", "../head" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        STORE_PUT put = NULL;
        ASSERT_CODE(s->put(s, &put, bad[i]), E_FORMAT);
        ASSERT_CODE(s->get(s, &get, bad[i]), E_FORMAT);
    }
    remove_dir();
}
END_TEST

START_TEST(given_up)
{
    make_dir();
    STORE_BACKEND s = NULL;
    ASSERT_OK(store_dir_open(&s, dir, true));
    STORE_PUT put = NULL;
    ASSERT_OK(s->put(s, &put, "a"));
    ASSERT_OK(put->write(put, "half", 4));
    ck_assert_int_eq(leftovers("/objects"), 1);
    /* another start does not touch what has a writer */
    STORE_BACKEND other = NULL;
    ASSERT_OK(store_dir_open(&other, dir, true));
    ck_assert_int_eq(leftovers("/objects"), 1);
    store_put_close(&put);
    ck_assert_int_eq(leftovers("/objects"), 0);
    ck_assert_int_eq(objects(s), 0);
    /* and an orphan goes at the next start */
    char path[128];
    snprintf(path, sizeof path, "%s/objects/.tmp-0123", dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    store_backend_close(&other);
    ASSERT_OK(store_dir_open(&other, dir, false));
    ck_assert_int_eq(leftovers("/objects"), 1);
    store_backend_close(&other);
    ASSERT_OK(store_dir_open(&other, dir, true));
    ck_assert_int_eq(leftovers("/objects"), 0);
    remove_dir();
}
END_TEST

START_TEST(head_compares)
{
    make_dir();
    STORE_BACKEND s = NULL;
    uint8_t head[LINK_HEAD_MAX], big[LINK_HEAD_MAX + 1] = { 1 };
    size_t n = 7, removed;
    ASSERT_OK(store_dir_open(&s, dir, true));
    ASSERT_OK(s->head_get(s, head, &n));
    ck_assert_uint_eq(n, 0);
    ASSERT_CODE(s->head_put(s, "x", 1, "one", 3), E_STATE);
    ASSERT_CODE(s->head_put(s, NULL, 0, "", 0), E_FORMAT);
    ASSERT_CODE(s->head_put(s, NULL, 0, big, sizeof big), E_FORMAT);
    ASSERT_OK(s->head_put(s, NULL, 0, "one", 3));
    ASSERT_CODE(s->head_put(s, NULL, 0, "two", 3), E_STATE);
    ASSERT_CODE(s->head_put(s, "onE", 3, "two", 3), E_STATE);
    ASSERT_CODE(s->head_put(s, "on", 2, "two", 3), E_STATE);
    ASSERT_OK(s->head_get(s, head, &n));
    ck_assert_uint_eq(n, 3);
    ck_assert_mem_eq(head, "one", 3);
    ASSERT_OK(s->head_put(s, "one", 3, big, LINK_HEAD_MAX));
    ASSERT_OK(s->head_get(s, head, &n));
    ck_assert_uint_eq(n, LINK_HEAD_MAX);
    /* removal is bound to the head as well */
    ASSERT_OK(put_object(s, "a", 1));
    const char *const names[] = { "a", "never-there" };
    ASSERT_CODE(s->remove(s, &removed, "one", 3, names, 2), E_STATE);
    ck_assert(object_whole(s, "a", 1));
    ASSERT_OK(s->remove(s, &removed, big, LINK_HEAD_MAX, names, 2));
    ck_assert_uint_eq(removed, 1);
    ck_assert_int_eq(objects(s), 0);
    remove_dir();
}
END_TEST

/* What stands where something of ours should is never taken for an empty store. */
START_TEST(odd_folders)
{
    make_dir();
    STORE_BACKEND s = NULL;
    STORE_GET get = NULL;
    uint8_t head[LINK_HEAD_MAX];
    size_t n;
    char path[128], big[LINK_HEAD_MAX + 1];
    snprintf(path, sizeof path, "%s/other", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ASSERT_CODE(store_dir_open(&s, dir, true), E_FORMAT);
    ck_assert_int_eq(rmdir(path), 0);
    ASSERT_OK(store_dir_open(&s, dir, true));
    snprintf(path, sizeof path, "%s/head", dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ASSERT_CODE(s->head_get(s, head, &n), E_FORMAT);
    ASSERT_CODE(s->head_put(s, NULL, 0, "one", 3), E_FORMAT);
    memset(big, 'x', sizeof big);
    ck_assert_int_eq((int)__real_write(fd, big, sizeof big), (int)sizeof big);
    close(fd);
    ASSERT_CODE(s->head_get(s, head, &n), E_FORMAT);
    snprintf(path, sizeof path, "%s/objects/pipe", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ASSERT_CODE(s->get(s, &get, "pipe"), E_FORMAT);
    snprintf(path, sizeof path, "%s/objects/link", dir);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ASSERT_CODE(s->get(s, &get, "link"), E_IO);
    ASSERT_CODE(put_object(s, "link", 1), E_STATE);
    ck_assert_int_eq(objects(s), 0);
    remove_dir();
}
END_TEST

/* ---- killed or failed at every step ---- */

static err one_life(void)
{
    STORE_BACKEND s = NULL;
    size_t removed;
    TRY(store_dir_open(&s, dir, true));
    TRY(put_object(s, "a", 1));
    TRY(s->head_put(s, NULL, 0, "one", 3));
    TRY(put_object(s, "b", 2));
    TRY(s->head_put(s, "one", 3, "two", 3));
    return s->remove(s, &removed, "two", 3, (const char *const[]){ "a" }, 1);
}

static void life(void *ctx)
{
    (void)ctx;
    calls = 0;
    if (one_life().code) _exit(3);
}

/* Whatever happened: whole objects, one head, and what the head stands for is there. */
static void check_folder(unsigned long step)
{
    STORE_BACKEND s = NULL;
    uint8_t head[LINK_HEAD_MAX];
    size_t n;
    ASSERT_OK(store_dir_open(&s, dir, true));
    ck_assert_int_eq(leftovers("/objects"), 0);
    bool a = object_whole(s, "a", 1), b = object_whole(s, "b", 2);
    ck_assert_msg(objects(s) == a + b, "step %lu: an object is not whole", step);
    ASSERT_OK(s->head_get(s, head, &n));
    bool one = n == 3 && memcmp(head, "one", 3) == 0, two = n == 3 && memcmp(head, "two", 3) == 0;
    ck_assert_msg(n == 0 || one || two, "step %lu: the head is torn", step);
    ck_assert_msg(!one || a, "step %lu: head before its object", step);
    ck_assert_msg(!two || b, "step %lu: head before its object", step);
    /* and it can be worked on */
    ASSERT_OK(put_object(s, "c", 3));
    ASSERT_OK(s->head_put(s, head, n, "three", 5));
    ck_assert_int_eq(leftovers(""), 0);
}

static unsigned long every_step(enum blow how)
{
    unsigned long n = 0;
    for (;;) {
        make_dir();
        blow = how;
        at = ++n;
        int status = child_run(life, NULL, (char[4096]){ 0 }, 4096);
        blow = NONE;
        if (exited(status, 0)) {
            check_folder(n);
            remove_dir();
            return n - 1;
        }
        ck_assert_msg(how == FAIL_IO ? exited(status, 3) : died(status, SIGKILL), "step %lu: status %#x", n, status);
        check_folder(n);
        remove_dir();
    }
}

START_TEST(killed_before)  { ck_assert_uint_ge(every_step(KILL_BEFORE), 30); } END_TEST
START_TEST(killed_after)   { ck_assert_uint_ge(every_step(KILL_AFTER), 30); } END_TEST
START_TEST(killed_torn)    { ck_assert_uint_ge(every_step(KILL_TORN), 30); } END_TEST

static bool life_done(void)
{
    STORE_BACKEND s = NULL;
    uint8_t head[LINK_HEAD_MAX];
    size_t n;
    ASSERT_OK(store_dir_open(&s, dir, false));
    ASSERT_OK(s->head_get(s, head, &n));
    return object_whole(s, "b", 2) && objects(s) == 1 && n == 3 && memcmp(head, "two", 3) == 0;
}

/* Every call fails in turn, in this process: told, or made good by another attempt; nothing
 * half, no descriptor lost. */
START_TEST(failed)
{
    unsigned long tolerated = 0;
    for (unsigned long n = 1;; n++) {
        make_dir();
        int before = open("/dev/null", O_RDONLY);
        close(before);
        calls = 0;
        struck = 0;
        at = n;
        blow = FAIL_IO;
        err e = one_life();
        blow = NONE;
        int after = open("/dev/null", O_RDONLY);
        close(after);
        ck_assert_int_eq(before, after);
        ck_assert_msg(e.code != E_OK || life_done(), "call %lu failed and nobody said so", n);
        tolerated += struck && e.code == E_OK;
        check_folder(n);
        remove_dir();
        if (!struck) {
            ck_assert_int_eq(e.code, E_OK);
            ck_assert_uint_ge(n, 30);
            /* the lock on each of the two temporary files: another is made */
            ck_assert_uint_eq(tolerated, 2);
            return;
        }
    }
}
END_TEST

/* ---- several processes ---- */

enum { WRITERS = 4, TURNS = 40 };

static void counter(void *ctx)
{
    STORE_BACKEND s = NULL;
    (void)ctx;
    if (store_dir_open(&s, dir, true).code) _exit(2);
    for (int done = 0; done < TURNS;) {
        uint8_t head[LINK_HEAD_MAX];
        char next[16];
        size_t n;
        if (s->head_get(s, head, &n).code || n == 0 || n > 8) _exit(3);
        head[n] = '\0';
        snprintf(next, sizeof next, "%d", atoi((char *)head) + 1);
        err e = s->head_put(s, head, n, next, strlen(next));
        if (e.code == E_OK) done++;
        else if (e.code != E_STATE) _exit(4);
    }
}

START_TEST(many_writers)
{
    make_dir();
    STORE_BACKEND s = NULL;
    uint8_t head[LINK_HEAD_MAX];
    size_t n;
    pid_t pids[WRITERS];
    ASSERT_OK(store_dir_open(&s, dir, true));
    ASSERT_OK(s->head_put(s, NULL, 0, "0", 1));
    for (int i = 0; i < WRITERS; i++) pids[i] = child_start(counter, NULL);
    for (int i = 0; i < WRITERS; i++) ck_assert(exited(child_wait(pids[i]), 0));
    ASSERT_OK(s->head_get(s, head, &n));
    head[n] = '\0';
    ck_assert_int_eq(atoi((char *)head), WRITERS * TURNS);
    remove_dir();
}
END_TEST

/* ---- a disk that is really full ---- */

static void on_a_small_disk(void *ctx)
{
    STORE_BACKEND s = NULL;
    (void)ctx;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", dir, "tmpfs", 0, "size=64k") != 0)
        _exit(77);
    if (store_dir_open(&s, dir, true).code || put_object(s, "a", 1).code || s->head_put(s, NULL, 0, "one", 3).code) _exit(2);
    for (int i = 0; i < 10; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        err e = put_object(s, name, 1);
        if (e.code == E_OK) continue;
        if (e.code != E_IO || object_whole(s, name, 1) || leftovers("/objects") != 0 || objects(s) != i + 1) _exit(3);
        _exit(object_whole(s, "a", 1) ? 0 : 4);
    }
    _exit(5);
}

START_TEST(disk_full)
{
    char text[4096];
    make_dir();
    int status = child_run(on_a_small_disk, NULL, text, sizeof text);
    if (exited(status, 77)) fputs("disk_full: not run: mounting a tmpfs needs CAP_SYS_ADMIN\n", stderr);
    else ck_assert_msg(exited(status, 0), "status %#x: %s", status, text);
    remove_dir();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = CHECK_SUITE("parent_store", put_get_list, given_up, head_compares, odd_folders, killed_before, killed_after,
                           killed_torn, failed, many_writers, disk_full);
    return s;
}

CHECK_MAIN(suite)
