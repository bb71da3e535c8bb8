/* store_dir.c - the store as a folder.
 *
 * An object is written under a name of its own (`.tmp-` and random hex), flushed,
 * and only then renamed to its name; a rename that would replace something fails.
 * So whatever kills this process, and whenever, every name in objects/ stands for
 * a whole object. A writer holds a lock on its temporary file: one without a lock
 * has no writer any more and can go. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "parent/store.h"

#define TEMPORARY ".tmp-"
enum { TEMPORARY_SIZE = sizeof TEMPORARY + 32, WRITEBACK = 8 << 20 };

struct dir_store { struct store_backend base; int root, objects; };
struct dir_put {
    struct store_put base;
    int fd, objects;
    uint64_t size, flushed;
    char temporary[TEMPORARY_SIZE], name[LINK_NAME_MAX + 1];
};
struct dir_get { struct store_get base; int fd; };

static err write_whole(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0 && (errno == ENOSPC || errno == EDQUOT))
            FAIL(E_IO, "the store is full: make room, or lower [store] keep; nothing of this object was kept");
        if (done <= 0) FAIL(E_IO, "writing to the store");
        p += done;
        n -= (size_t)done;
    }
    return OK;
}

static err flush(int fd, const char *what)
{
    if (fsync(fd) != 0) FAIL(E_IO, "flushing %s to disk", what);
    return OK;
}

/* ---- putting ---- */

static err put_write(struct store_put *base, const void *p, size_t n)
{
    struct dir_put *put = (struct dir_put *)base;
    TRY(write_whole(put->fd, p, n));
    put->size += n;
    /* Let the disk begin early, so that the flush at the end is short. Only a hint. */
    if (put->size - put->flushed >= WRITEBACK) {
        (void)sync_file_range(put->fd, (off_t)put->flushed, (off_t)(put->size - put->flushed), SYNC_FILE_RANGE_WRITE);
        put->flushed = put->size;
    }
    return OK;
}

/* Rename without replacing. Some network file systems lack that flag; a hard link has the same promise. */
static err name_once(struct dir_put *put)
{
    if (renameat2(put->objects, put->temporary, put->objects, put->name, RENAME_NOREPLACE) == 0) {
        put->temporary[0] = '\0';
        return OK;
    }
    if (errno == EINVAL || errno == ENOSYS) {
        if (linkat(put->objects, put->temporary, put->objects, put->name, 0) == 0) return OK;
    }
    if (errno == EEXIST) FAIL(E_STATE, "an object named %s exists already; it was not touched", put->name);
    FAIL(E_IO, "naming the object %s", put->name);
}

static err put_commit(struct store_put *base)
{
    struct dir_put *put = (struct dir_put *)base;
    if (put->fd < 0) FAIL(E_STATE, "the object %s was committed before", put->name);
    FD fd = take_fd(&put->fd);
    TRY(flush(fd, put->name));
    TRY(name_once(put));
    return flush(put->objects, "the folder of objects");
}

static void put_close(struct store_put *base)
{
    struct dir_put *put = (struct dir_put *)base;
    if (put->temporary[0]) (void)unlinkat(put->objects, put->temporary, 0);
    fd_close(&put->fd);
    free(put);
}

/* Create the temporary file and own it. A cleaner may get between the two steps:
 * then the name is gone or locked, and another is tried. */
static err put_create(struct dir_put *put)
{
    for (int attempt = 0; attempt < 16; attempt++) {
        uint8_t random[16];
        struct stat st;
        TRY(random_bytes(random, sizeof random));
        memcpy(put->temporary, TEMPORARY, sizeof TEMPORARY);
        hex_from(put->temporary + sizeof TEMPORARY - 1, random, sizeof random);
        FD fd = openat(put->objects, put->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
            put->temporary[0] = '\0';
            if (errno == EEXIST) continue;
            if (errno == ENOSPC || errno == EDQUOT) FAIL(E_IO, "the store is full: make room, or lower [store] keep");
            FAIL(E_IO, "making a file in the store");
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0 || st.st_nlink == 0) {
            (void)unlinkat(put->objects, put->temporary, 0);
            continue;
        }
        put->fd = take_fd(&fd);
        return OK;
    }
    put->temporary[0] = '\0';
    FAIL(E_IO, "no temporary file could be kept in the store");
}

static err dir_put_open(struct store_backend *base, struct store_put **out, const char *name)
{
    struct dir_store *s = (struct dir_store *)base;
    *out = NULL;
    if (!link_name_ok(name, strlen(name))) FAIL(E_FORMAT, "`%s` cannot be the name of an object", name);
    struct dir_put *put = calloc(1, sizeof *put);
    if (!put) FAIL(E_MEMORY, "an object's writer");
    put->base = (struct store_put){ put_write, put_commit, put_close };
    put->fd = -1;
    put->objects = s->objects;
    strcpy(put->name, name);
    STORE_PUT mine = &put->base;
    TRY(put_create(put));
    *out = mine;
    mine = NULL;
    return OK;
}

/* ---- getting ---- */

static err get_read(struct store_get *base, void *p, size_t *n, size_t cap)
{
    struct dir_get *get = (struct dir_get *)base;
    ssize_t got;
    do got = read(get->fd, p, cap);
    while (got < 0 && errno == EINTR);
    *n = got > 0 ? (size_t)got : 0;
    if (got < 0) FAIL(E_IO, "reading an object");
    return OK;
}

static void get_close(struct store_get *base)
{
    struct dir_get *get = (struct dir_get *)base;
    fd_close(&get->fd);
    free(get);
}

static err dir_get_open(struct store_backend *base, struct store_get **out, const char *name)
{
    struct dir_store *s = (struct dir_store *)base;
    struct stat st;
    *out = NULL;
    if (!link_name_ok(name, strlen(name))) FAIL(E_FORMAT, "`%s` cannot be the name of an object", name);
    /* O_NONBLOCK: a pipe that somebody put there must not hang us before fstat() tells. */
    FD fd = openat(s->objects, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) FAIL(E_ABSENT, "the store has no object %s", name);
    if (fd < 0) FAIL(E_IO, "opening the object %s", name);
    if (fstat(fd, &st) != 0) FAIL(E_IO, "asking about the object %s", name);
    if (!S_ISREG(st.st_mode)) FAIL(E_FORMAT, "%s in the store is not a plain file", name);
    struct dir_get *get = calloc(1, sizeof *get);
    if (!get) FAIL(E_MEMORY, "an object's reader");
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    get->base = (struct store_get){ (uint64_t)st.st_size, get_read, get_close };
    get->fd = take_fd(&fd);
    *out = &get->base;
    return OK;
}

/* ---- the head ---- */

static err dir_head_get(struct store_backend *base, uint8_t out[static LINK_HEAD_MAX], size_t *n)
{
    struct dir_store *s = (struct dir_store *)base;
    uint8_t room[LINK_HEAD_MAX + 1];
    size_t len = 0;
    *n = 0;
    FD fd = openat(s->root, "head", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) return OK;
    if (fd < 0) FAIL(E_IO, "opening the head");
    for (;;) {
        ssize_t got = read(fd, room + len, sizeof room - len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) FAIL(E_IO, "reading the head");
        if (got == 0) break;
        len += (size_t)got;
        if (len == sizeof room) break;
    }
    if (len == 0 || len > LINK_HEAD_MAX)
        FAIL(E_FORMAT, "the store's head is damaged: it must have 1 to %d bytes; put back the right one", LINK_HEAD_MAX);
    memcpy(out, room, len);
    *n = len;
    return OK;
}

/* One lock for everything that depends on which head is the present one. */
static err dir_lock(int *out, struct dir_store *s)
{
    FD fd = openat(s->root, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc;
    *out = -1;
    if (fd < 0) FAIL(E_IO, "opening the store's lock");
    do rc = flock(fd, LOCK_EX);
    while (rc != 0 && errno == EINTR);
    if (rc != 0) FAIL(E_IO, "locking the store");
    *out = take_fd(&fd);
    return OK;
}

static err head_is(struct store_backend *base, const void *expected, size_t n)
{
    uint8_t present[LINK_HEAD_MAX];
    size_t have;
    TRY(dir_head_get(base, present, &have));
    if (have != n || (n > 0 && memcmp(present, expected, n) != 0))
        FAIL(E_STATE, "the store's head is not the one that was expected");
    return OK;
}

static err dir_head_put(struct store_backend *base, const void *expected, size_t expected_len,
                        const void *next, size_t next_len)
{
    struct dir_store *s = (struct dir_store *)base;
    if (next_len == 0 || next_len > LINK_HEAD_MAX) FAIL(E_FORMAT, "a head of %zu bytes", next_len);
    FD lock = -1;
    TRY(dir_lock(&lock, s));
    TRY(head_is(base, expected, expected_len));
    /* Under the lock this name is ours; a leftover of a killed writer is simply written over. */
    FD fd = openat(s->root, TEMPORARY "head", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) FAIL(E_IO, "making the next head");
    TRY(write_whole(fd, next, next_len));
    TRY(flush(fd, "the head"));
    if (renameat(s->root, TEMPORARY "head", s->root, "head") != 0) FAIL(E_IO, "replacing the head");
    return flush(s->root, "the store's folder");
}

/* ---- the folder ---- */

static void dir_end(DIR **d)
{
    if (*d) closedir(*d);
    *d = NULL;
}
#define SCAN __attribute__((cleanup(dir_end))) DIR *

static err scan_begin(DIR **out, int folder)
{
    FD fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) FAIL(E_IO, "opening the folder of objects");
    *out = fdopendir(fd);
    if (!*out) FAIL(E_IO, "listing the folder of objects");
    (void)take_fd(&fd);
    return OK;
}

static err dir_list(struct store_backend *base, err (*each)(void *, const struct store_entry *), void *self)
{
    struct dir_store *s = (struct dir_store *)base;
    SCAN d = NULL;
    TRY(scan_begin(&d, s->objects));
    for (;;) {
        struct stat st;
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e && errno != 0) FAIL(E_IO, "listing the folder of objects");
        if (!e) return OK;
        if (!link_name_ok(e->d_name, strlen(e->d_name))) continue;
        if (fstatat(s->objects, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) continue;
            FAIL(E_IO, "asking about the object %s", e->d_name);
        }
        if (!S_ISREG(st.st_mode)) continue;
        TRY(each(self, &(struct store_entry){ e->d_name, (uint64_t)st.st_size, st.st_mtim.tv_sec }));
    }
}

static err dir_remove(struct store_backend *base, size_t *removed, const void *head, size_t head_len,
                      const char *const *names, size_t count)
{
    struct dir_store *s = (struct dir_store *)base;
    FD lock = -1;
    *removed = 0;
    TRY(dir_lock(&lock, s));
    TRY(head_is(base, head, head_len));
    for (size_t i = 0; i < count; i++) {
        if (!link_name_ok(names[i], strlen(names[i]))) FAIL(E_FORMAT, "`%s` cannot be the name of an object", names[i]);
        if (unlinkat(s->objects, names[i], 0) == 0) ++*removed;
        else if (errno != ENOENT) FAIL(E_IO, "removing the object %s", names[i]);
    }
    return OK;
}

static void dir_close(struct store_backend *base)
{
    struct dir_store *s = (struct dir_store *)base;
    fd_close(&s->objects);
    fd_close(&s->root);
    free(s);
}

/* ---- opening ---- */

static err remove_leftovers(struct dir_store *s)
{
    SCAN d = NULL;
    TRY(scan_begin(&d, s->objects));
    size_t gone = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strncmp(e->d_name, TEMPORARY, sizeof TEMPORARY - 1) != 0) continue;
        FD fd = openat(s->objects, e->d_name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) continue;      /* its writer lives */
        if (unlinkat(s->objects, e->d_name, 0) == 0) gone++;
    }
    if (gone) log_info("store: removed %zu unfinished objects of an interrupted run", gone);
    return OK;
}

/* Only a folder that is a store already, or is empty, may be used: a slip in a path must
 * neither mix a store into other files nor show an empty store to an enclave that has state. */
static err root_is_ours(struct dir_store *s, const char *dir, bool create)
{
    if (faccessat(s->root, "objects", F_OK, 0) == 0) return OK;
    SCAN d = NULL;
    TRY(scan_begin(&d, s->root));
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, "lost+found") != 0)
            FAIL(E_FORMAT, "%s is not a store: it has other files and no folder `objects`", dir);
    if (!create) FAIL(E_ABSENT, "%s is an empty folder, not a store", dir);
    return OK;
}

static err dir_prepare(struct dir_store *s, const char *dir, bool create)
{
    if (create && mkdir(dir, 0700) != 0 && errno != EEXIST) FAIL(E_IO, "making the store %s", dir);
    s->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->root < 0 && errno == ENOENT) FAIL(E_ABSENT, "there is no store at %s", dir);
    if (s->root < 0) FAIL(E_IO, "opening the store %s", dir);
    TRY(root_is_ours(s, dir, create));
    if (create && mkdirat(s->root, "objects", 0700) == 0) {
        log_warn("store: made a new, empty store at %s", dir);
        TRY(flush(s->root, "the store's folder"));
    }
    s->objects = openat(s->root, "objects", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (s->objects < 0) FAIL(E_IO, "opening the folder of objects in %s", dir);
    return create ? remove_leftovers(s) : OK;
}

err store_dir_open(struct store_backend **out, const char *dir, bool create)
{
    *out = NULL;
    struct dir_store *s = calloc(1, sizeof *s);
    if (!s) FAIL(E_MEMORY, "a store");
    s->base = (struct store_backend){ dir_put_open, dir_get_open, dir_head_get, dir_head_put, dir_list, dir_remove, dir_close };
    s->root = s->objects = -1;
    STORE_BACKEND mine = &s->base;
    TRY(dir_prepare(s, dir, create));
    *out = mine;
    mine = NULL;
    return OK;
}
