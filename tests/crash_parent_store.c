/* The power goes after every single write, flush and rename of the parent's store, while generations are sealed into
 * it. What a disk may then hold is made anew in another folder, in four ways: only what was flushed; everything; names
 * that were not flushed over content that was not; content torn in half. From each of them the previous or the new
 * generation comes back, whole, and the next one can be sealed.
 *
 * The model of a disk: fsync() of a file makes its bytes durable, fsync() of a folder its names; nothing else does,
 * and without it both may be there or not. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "parent/store.h"
#include "tests/support/seal_rig.h"

enum { CHUNKS = 12, FILES = 64, NAMES = 128, SURVIVALS = 4 };

struct file { dev_t dev; ino_t ino; uint8_t *bytes; size_t n, durable; };
/* A name in the root (0) or in objects (1); `file` -1: removed. In the order in which they were given. */
struct name { int folder, file; bool durable; char text[80]; };
struct disk {
    bool on, out;                         /* recorded; the power is out                        */
    unsigned long ops, stop_after;
    struct stat folder[2];
    struct file file[FILES];
    struct name name[NAMES];
    size_t files, names;
};
static struct disk disk;

static bool dead(void)
{
    if (!disk.on) return false;
    if (!disk.out && disk.stop_after && disk.ops >= disk.stop_after) disk.out = true;
    if (disk.out) {
        errno = EIO;
        return true;
    }
    disk.ops++;
    return false;
}

static int folder_of(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return -1;
    for (int i = 0; i < 2; i++)
        if (st.st_ino == disk.folder[i].st_ino && st.st_dev == disk.folder[i].st_dev) return i;
    return -1;
}

static struct file *file_of(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return NULL;
    for (size_t i = 0; i < disk.files; i++)
        if (disk.file[i].ino == st.st_ino && disk.file[i].dev == st.st_dev) return &disk.file[i];
    return NULL;
}

static void name_give(int folder, const char *text, int file)
{
    ck_assert(disk.names < NAMES);
    struct name *n = &disk.name[disk.names++];
    *n = (struct name){ .folder = folder, .file = file };
    snprintf(n->text, sizeof n->text, "%s", text);
}

/* Which file has that name now? */
static int file_named(int folder, const char *text)
{
    for (size_t i = disk.names; i-- > 0;)
        if (disk.name[i].folder == folder && strcmp(disk.name[i].text, text) == 0) return disk.name[i].file;
    return -1;
}

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int a, const char *from, int b, const char *to);
int __wrap_renameat(int a, const char *from, int b, const char *to);
int __real_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __real_unlinkat(int dir, const char *path, int flags);
int __wrap_unlinkat(int dir, const char *path, int flags);

int __wrap_openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    const bool makes = flags & O_CREAT && folder_of(dir) >= 0 && strcmp(path, "lock") != 0;
    if (makes && dead()) return -1;
    const int fd = __real_openat(dir, path, flags, mode);
    if (fd < 0 || !makes || !disk.on) return fd;
    struct stat st;
    struct file *old = file_of(fd);
    if (old) {                                   /* a leftover, or an inode used again: it is empty now */
        old->n = old->durable = 0;
        if (file_named(folder_of(dir), path) < 0) name_give(folder_of(dir), path, (int)(old - disk.file));
        return fd;
    }
    ck_assert(disk.files < FILES && fstat(fd, &st) == 0);
    disk.file[disk.files] = (struct file){ .dev = st.st_dev, .ino = st.st_ino, .bytes = malloc(1 << 20) };
    name_give(folder_of(dir), path, (int)disk.files++);
    return fd;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    struct file *f = disk.on ? file_of(fd) : NULL;
    if (!f) return __real_write(fd, p, n);
    if (dead()) return -1;
    const ssize_t done = __real_write(fd, p, n);
    if (done > 0) {
        ck_assert(f->n + (size_t)done <= 1 << 20);
        memcpy(f->bytes + f->n, p, (size_t)done);
        f->n += (size_t)done;
    }
    return done;
}

int __wrap_fsync(int fd)
{
    struct file *f = disk.on ? file_of(fd) : NULL;
    const int folder = disk.on ? folder_of(fd) : -1;
    if ((f || folder >= 0) && dead()) return -1;
    if (f) f->durable = f->n;
    for (size_t i = 0; folder >= 0 && i < disk.names; i++)
        if (disk.name[i].folder == folder) disk.name[i].durable = true;
    return 0;                                    /* the model is the disk: nothing is flushed for real */
}

static int renamed(int a, const char *from, int b, const char *to, int result)
{
    if (result != 0 || !disk.on) return result;
    const int file = file_named(folder_of(a), from);
    name_give(folder_of(a), from, -1);
    name_give(folder_of(b), to, file);
    return result;
}

int __wrap_renameat(int a, const char *from, int b, const char *to)
{
    return dead() ? -1 : renamed(a, from, b, to, __real_renameat(a, from, b, to));
}

int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    return dead() ? -1 : renamed(a, from, b, to, __real_renameat2(a, from, b, to, flags));
}

int __wrap_unlinkat(int dir, const char *path, int flags)
{
    const int folder = disk.on ? folder_of(dir) : -1;
    if (folder < 0) return __real_unlinkat(dir, path, flags);
    if (dead()) return -1;
    const int result = __real_unlinkat(dir, path, flags);
    if (result == 0) name_give(folder, path, -1);
    return result;
}

/* ---- what survives ---- */

enum survival { FLUSHED, ALL, NAMES_ONLY, TORN };

static void file_write(const char *path, const struct file *f, enum survival how)
{
    const size_t more = f->n - f->durable;
    const size_t n = how == ALL ? f->n : how == TORN ? f->durable + more / 2 : f->durable;
    FILE *out = fopen(path, "w");
    ck_assert(out && fwrite(f->bytes, 1, n, out) == n && fclose(out) == 0);
}

/* The store's folder as a restart may find it. */
static void survive(const char *dir, enum survival how)
{
    char path[300];
    snprintf(path, sizeof path, "%s/objects", dir);
    ck_assert(mkdir(dir, 0700) == 0 && mkdir(path, 0700) == 0);
    for (size_t i = 0; i < disk.names; i++) {
        const struct name *n = &disk.name[i];
        if (!n->durable && how == FLUSHED) continue;
        snprintf(path, sizeof path, "%s/%s%s", dir, n->folder ? "objects/" : "", n->text);
        if (n->file < 0) unlink(path);
        else file_write(path, &disk.file[n->file], how);
    }
    snprintf(path, sizeof path, "%s/lock", dir);
    FILE *lock = fopen(path, "w");
    ck_assert(lock && fclose(lock) == 0);
}

/* ---- the enclave's store, on the folder in this process ---- */

struct direct { struct store store; struct store_backend *back; struct store_put *put; };

static err d_head_get(struct store *s, uint8_t out[static LINK_HEAD_MAX], size_t *n) { return ((struct direct *)s)->back->head_get(((struct direct *)s)->back, out, n); }
static err d_head_put(struct store *s, const void *e, size_t en, const void *p, size_t n) { return ((struct direct *)s)->back->head_put(((struct direct *)s)->back, e, en, p, n); }
static err d_begin(struct store *s, const char *name) { return ((struct direct *)s)->back->put(((struct direct *)s)->back, &((struct direct *)s)->put, name); }
static err d_data(struct store *s, const void *p, size_t n) { struct direct *d = (struct direct *)s; return d->put->write(d->put, p, n); }
static err d_abort(struct store *s) { store_put_close(&((struct direct *)s)->put); return OK; }
static err d_end(struct store *s, uint64_t total)
{
    struct direct *d = (struct direct *)s;
    (void)total;
    err e = d->put->commit(d->put);
    store_put_close(&d->put);
    return e;
}

static err d_get(struct store *s, uint64_t *total, const char *name, uint64_t max, struct store_sink sink)
{
    static uint8_t room[LINK_PIECE];
    struct store_backend *b = ((struct direct *)s)->back;
    STORE_GET g = NULL;
    TRY(b->get(b, &g, name));
    *total = g->size;
    if (g->size > max) return (err){ E_LIMIT };
    for (size_t n;;) {
        TRY(g->read(g, room, &n, sizeof room));
        if (n == 0) return OK;
        TRY(sink.take(sink.self, room, n));
    }
}

static err count(void *self, const struct store_entry *e) { (void)e; ++*(uint32_t *)self; return OK; }
static err d_list(struct store *s, uint32_t *objects, bool *head)
{
    struct store_backend *b = ((struct direct *)s)->back;
    uint8_t raw[LINK_HEAD_MAX];
    size_t n = 0;
    *objects = 0;
    TRY(b->head_get(b, raw, &n));
    *head = n > 0;
    return b->list(b, count, objects);
}

static void direct_open(struct direct *d, const char *dir, bool create)
{
    *d = (struct direct){ .store = { d_head_get, d_head_put, d_begin, d_data, d_end, d_abort, d_get, d_list, NULL } };
    ASSERT_OK(store_dir_open(&d->back, dir, create));
}
static void direct_close(struct direct *d)
{
    store_put_close(&d->put);
    store_backend_close(&d->back);
}
#define DIRECT __attribute__((cleanup(direct_close))) struct direct

/* ---- lives ---- */

static void picture(struct blk *image, unsigned g)
{
    for (unsigned i = 0; i < CHUNKS; i++)
        if (i % 4 <= g) rig_fill(image, i, (uint8_t)(i % 3 ? g : 1));
}

static void recording(const char *dir)
{
    char objects[300];
    snprintf(objects, sizeof objects, "%s/objects", dir);
    for (size_t i = 0; i < disk.files; i++) free(disk.file[i].bytes);
    disk = (struct disk){ .stop_after = disk.stop_after };
    ck_assert(stat(dir, &disk.folder[0]) == 0 && stat(objects, &disk.folder[1]) == 0);
    disk.on = true;
}

/* Seal three generations, until the power goes. Out: generations that were promised. */
static unsigned life(struct rig *r, const char *dir)
{
    DIRECT d;
    SEALER s = NULL;
    SEAL_HEAD none = { 0 };
    BLK image = rig_image(CHUNKS);
    unsigned promised = 0;
    direct_open(&d, dir, true);
    recording(dir);
    err e = seal_head_get(&none, &d.store);
    if (!e.code) e = seal_open(&s, r->key, r->service, r->epoch, &d.store, &none);
    for (unsigned g = 1; g <= 3 && !e.code; g++) {
        struct seal_report rep;
        picture(image, g);
        e = seal_write(s, &rep, image, g == 1 ? (const uint8_t *)"record" : NULL, 6, g);
        if (!e.code) promised = g;
    }
    return promised;
}

/* Out: the generation that came back; the service goes on from it. */
static unsigned restart(struct rig *r, const char *dir)
{
    DIRECT d;
    SEALER s = NULL;
    SEAL_HEAD found = { 0 };
    struct seal_report rep;
    BLK back = rig_image(CHUNKS);
    BLK want = rig_image(CHUNKS);
    unsigned g = 0;
    direct_open(&d, dir, false);
    ASSERT_OK(seal_head_get(&found, &d.store));
    ASSERT_OK(seal_open(&s, r->key, r->service, r->epoch, &d.store, &found));
    if (found.present) {
        ASSERT_OK(seal_restore(s, &rep, back, 0));
        g = (unsigned)rep.generation;
        for (unsigned i = 1; i <= g; i++) picture(want, i);
        rig_same(want, back);
    }
    rig_fill(back, 5, 77);
    ASSERT_OK(seal_write(s, &rep, back, found.present ? NULL : (const uint8_t *)"record", 6, 9));
    ck_assert_uint_eq(rep.generation, g + 1);
    return g;
}

static void place(char out[static 64], unsigned long stop, int how)
{
    snprintf(out, 64, "/dev/shm/holdfast-crash-%d-%lu-%d", (int)getpid(), stop, how);
}

static void clear(const char *dir)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert(system(command) == 0);
}

START_TEST(the_power_goes)
{
    for (unsigned long stop = 1;; stop++) {
        RIG r;
        char dir[64], after[64];
        rig_open(&r, 1, 1);
        place(dir, stop, 9);
        disk.stop_after = stop;
        const unsigned promised = life(&r, dir);
        const bool out = disk.out;
        disk.on = false;
        for (int how = FLUSHED; how <= TORN; how++) {
            place(after, stop, how);
            survive(after, (enum survival)how);
            const unsigned got = restart(&r, after);
            ck_assert_msg(got == promised || got == promised + 1, "stopped after %lu, survival %d: %u came back, %u was promised", stop, how, got, promised);
            clear(after);
        }
        clear(dir);
        if (!out) {
            ck_assert_uint_eq(promised, 3);
            ck_assert_uint_gt(stop, 40);
            printf("%lu operations, each with %d survivals\n", stop - 1, SURVIVALS);
            return;
        }
    }
}
END_TEST

/* The test sees what it is for: with a flush left out, something is lost. */
START_TEST(a_flush_left_out)
{
    RIG r;
    char dir[64], after[64];
    rig_open(&r, 1, 1);
    place(dir, 0, 9);
    place(after, 0, NAMES_ONLY);
    disk.stop_after = 0;
    ck_assert_uint_eq(life(&r, dir), 3);
    disk.on = false;
    for (size_t i = 0; i < disk.files; i++)
        if (disk.file[i].n > 4 * CHUNK_SIZE) disk.file[i].durable = 0;      /* packs, as if never flushed */
    survive(after, NAMES_ONLY);
    DIRECT d;
    SEALER s = NULL;
    SEAL_HEAD found = { 0 };
    struct seal_report rep;
    BLK back = rig_image(CHUNKS);
    direct_open(&d, after, false);
    ASSERT_OK(seal_head_get(&found, &d.store));
    ASSERT_OK(seal_open(&s, r.key, r.service, r.epoch, &d.store, &found));
    ASSERT_CODE(seal_restore(s, &rep, back, 0), E_FORMAT);
    clear(after);
    clear(dir);
}
END_TEST

static Suite *crashes(void)
{
    return CHECK_SUITE("parent store crashes", the_power_goes, a_flush_left_out);
}

CHECK_MAIN(crashes)
