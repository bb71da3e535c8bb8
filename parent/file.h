/* file.h - small files that a command line names. */
#ifndef PARENT_FILE_H
#define PARENT_FILE_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

/* Read a file whole (`-`: standard input). Out: *out, owned, NUL-terminated beyond *n <= cap.
 * Fails: E_IO (errno was logged), E_LIMIT (longer than cap), E_MEMORY. */
err file_read(uint8_t **out, size_t *n, const char *path, size_t cap);

#endif
