/* files.h - the small files of a simulator's state folder. */
#ifndef SIM_FILES_H
#define SIM_FILES_H
#include <stddef.h>
#include <sys/types.h>
#include "core/err.h"

enum { PATH_LONGEST = 4096 };

/* DIR/NAME. Fails: E_LIMIT. */
err file_path(char out[static PATH_LONGEST], const char *dir, const char *name);
/* Make DIR unless it is there. Fails: E_IO. */
err file_folder(const char *dir);
/* The whole of a file of at most `max` bytes. Out: *out, the caller's to free, NUL after *n bytes.
 * Fails: E_ABSENT (no such file, not logged), E_LIMIT, E_IO, E_MEMORY. */
err file_read(char **out, size_t *n, const char *path, size_t max);
/* Write a file whole or not at all (temporary file, fsync, rename); one that is there is replaced. Fails: E_IO, E_LIMIT. */
err file_write(const char *path, mode_t mode, const void *p, size_t n);

#endif
