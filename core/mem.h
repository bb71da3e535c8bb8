/* mem.h - scoped cleanup for plain (public) memory and descriptors.
 *
 * There is no `goto out` in this project: a resource is declared with its
 * cleanup and moved out with take_*() when it outlives the block. */
#ifndef CORE_MEM_H
#define CORE_MEM_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

void mem_free_bytes(uint8_t **p);
void mem_free_text(char **p);
void fd_close(int *fd);                       /* closes when >= 0, sets -1 */
#define BYTES __attribute__((cleanup(mem_free_bytes))) uint8_t *
#define TEXT  __attribute__((cleanup(mem_free_text))) char *
#define FD    __attribute__((cleanup(fd_close))) int

/* n zeroed bytes (n = 0 gives one). Fails: E_MEMORY. */
err mem_new(uint8_t **out, size_t n);
/* Hand the resource on: returns it and leaves NULL / -1 behind. */
uint8_t *take_bytes(uint8_t **p);
char    *take_text(char **p);
int      take_fd(int *fd);
/* Wipe public-but-sensitive bytes (session credentials, request bodies) so that
 * the compiler cannot leave it out. */
void mem_wipe(void *p, size_t n);

#endif
