/* mem.c - what the cleanup attributes call. */
#include "core/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void mem_free_bytes(uint8_t **p)
{
    free(*p);
    *p = NULL;
}

void mem_free_text(char **p)
{
    free(*p);
    *p = NULL;
}

void fd_close(int *fd)
{
    /* Runs on the way out of a failure, whose errno must still be true. */
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

err mem_new(uint8_t **out, size_t n)
{
    *out = calloc(1, n > 0 ? n : 1);
    if (!*out)
        FAIL(E_MEMORY, "no memory for %zu bytes", n);
    return OK;
}

uint8_t *take_bytes(uint8_t **p)
{
    uint8_t *taken = *p;
    *p = NULL;
    return taken;
}

char *take_text(char **p)
{
    char *taken = *p;
    *p = NULL;
    return taken;
}

int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

void mem_wipe(void *p, size_t n)
{
    if (p && n > 0)
        explicit_bzero(p, n);
}
