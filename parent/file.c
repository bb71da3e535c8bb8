#include "parent/file.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

static void close_file(FILE **f)
{
    if (*f && *f != stdin) fclose(*f);
}

err file_read(uint8_t **out, size_t *n, const char *path, size_t cap)
{
    BYTES room = NULL;
    __attribute__((cleanup(close_file))) FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    if (!f) FAIL(E_IO, "%s", path);
    /* One byte more than may be, so that too long is told from just fitting; and one for a NUL. */
    TRY(mem_new(&room, cap + 2));
    *n = fread(room, 1, cap + 1, f);
    if (ferror(f)) FAIL(E_IO, "%s", path);
    if (*n > cap) FAIL(E_LIMIT, "%s is longer than %zu bytes", path, cap);
    *out = take_bytes(&room);
    return OK;
}
