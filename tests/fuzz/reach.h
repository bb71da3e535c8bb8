/* reach.h - a named point that a fuzz target's seeds must get to.
 *
 * When HF_REACH_FILE is set, the first call for a name appends the name and a
 * newline to that file; tests/fuzz/run reads it. Otherwise it costs a comparison. */
#ifndef TESTS_FUZZ_REACH_H
#define TESTS_FUZZ_REACH_H
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void fuzz_reached_at(const char *name, int *told)
{
    if (*told)
        return;
    *told = 1;
    const char *path = getenv("HF_REACH_FILE");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    if (write(fd, name, strlen(name)) < 0 || write(fd, "\n", 1) < 0)
        abort();
    close(fd);
}

/* `name` is a literal; each place tells once per process. */
#define fuzz_reached(name) \
    do { \
        static int told_; \
        fuzz_reached_at((name), &told_); \
    } while (0)

#endif
