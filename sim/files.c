/* files.c - reading and replacing small files whole. */
#include "sim/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/mem.h"

err file_path(char out[static PATH_LONGEST], const char *dir, const char *name)
{
    int n = snprintf(out, PATH_LONGEST, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_LONGEST) FAIL(E_LIMIT, "the path of %s is too long", name);
    return OK;
}

err file_folder(const char *dir)
{
    if (mkdir(dir, 0755) < 0 && errno != EEXIST) FAIL(E_IO, "%s: %s", dir, strerror(errno));
    return OK;
}

err file_read(char **out, size_t *n, const char *path, size_t max)
{
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return (err){ E_ABSENT };
    if (fd < 0) FAIL(E_IO, "%s: %s", path, strerror(errno));
    TEXT text = malloc(max + 1);
    if (!text) FAIL(E_MEMORY, "no memory to read %s", path);
    size_t have = 0;
    for (ssize_t got; (got = read(fd, text + have, max + 1 - have)) != 0; have += (size_t)got) {
        if (got < 0) FAIL(E_IO, "%s: %s", path, strerror(errno));
        if (have + (size_t)got > max) FAIL(E_LIMIT, "%s is longer than %zu bytes", path, max);
    }
    text[have] = 0;
    *n = have;
    *out = take_text(&text);
    return OK;
}

/* The rename is durable only when the folder is. */
static err sync_folder(const char *path)
{
    char dir[PATH_LONGEST];
    const char *slash = strrchr(path, '/');
    if (!slash) return OK;
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = 0;
    FD fd = open(dir[0] ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) FAIL(E_IO, "%s: %s", dir, strerror(errno));
    return OK;
}

err file_write(const char *path, mode_t mode, const void *p, size_t n)
{
    char fresh[PATH_LONGEST];
    int len = snprintf(fresh, sizeof fresh, "%s.%ld.new", path, (long)getpid());
    if (len < 0 || len >= PATH_LONGEST) FAIL(E_LIMIT, "%s: too long", path);
    FD fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0) FAIL(E_IO, "%s: %s", fresh, strerror(errno));
    if (write(fd, p, n) != (ssize_t)n || fsync(fd) < 0 || rename(fresh, path) < 0) {
        int why = errno;
        unlink(fresh);
        FAIL(E_IO, "%s: %s", path, strerror(why));
    }
    return sync_folder(path);
}
