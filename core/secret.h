/* secret.h - bytes that must not outlive their use.
 *
 * A secret lives in one locked, undumpable arena (mlock, MADV_DONTDUMP,
 * MADV_WIPEONFORK, a guard page at either end); it is zeroed when dropped. It is
 * not a buffer: nothing prints, serialises or compares it but the calls here.
 * A process that never opened the arena cannot hold a secret at all. */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

typedef struct secret secret;
#define SECRET __attribute__((cleanup(secret_drop))) secret *

/* Once per process, before the first secret. `size` is rounded up to pages.
 * Raises the soft RLIMIT_MEMLOCK to the hard one. A forked child holds no secret, whatever
 * handles it has: dropping them does nothing, and it may open an arena of its own.
 * Fails: E_IO (memory could not be locked: never ignored), E_STATE (open already), E_LIMIT. */
err    secret_arena_open(size_t size);
void   secret_arena_close(void);                     /* wipes all; for tests' end */
size_t secret_count(void);                           /* secrets alive now */

err    secret_new(secret **out, size_t len);         /* zero-filled; 1 <= len <= 4096. Fails: E_MEMORY, E_STATE (no arena), E_LIMIT */
err    secret_random(secret **out, size_t len);      /* from the system's generator */
err    secret_copy(secret **out, const secret *s);
void   secret_drop(secret **s);                      /* wipe, free, and NULL it; a byte written past its end aborts */
void   secret_move(secret **dst, secret **src);      /* drops *dst, NULLs *src    */
size_t secret_len(const secret *s);
bool   secret_eq(const secret *a, const secret *b);  /* constant time for equal lengths */

/* The only door to the bytes. Valid until the secret is dropped. The lint counts
 * its callers: a new one is a reviewed line in tests/reveal.allow. */
uint8_t *secret_reveal(secret *s);
const uint8_t *secret_peek(const secret *s);         /* the same door, for reading; counted too */

#endif
