/* rewind.h - make an older generation of a store the present one.
 *
 * It only prepares: the log stays the newest one, so that nobody can take back what it says, and the enclave that starts next decides whether it accepts an older state. Nothing
 * is removed; what was newer is an orphan from then on, and goes with the next pruning. */
#ifndef PARENT_REWIND_H
#define PARENT_REWIND_H
#include <stdbool.h>
#include <stdint.h>
#include "core/err.h"
#include "parent/store.h"

/* Which generation: by number, or the newest not younger than a unix time. */
struct rewind_to { bool by_time; uint64_t value; };
struct rewind_report { uint64_t before, after, time; };      /* generations; unix seconds of the latter */

/* Out: *r. Fails: E_ABSENT (no such generation in the head's chain, or no head), E_FORMAT (it is not whole; a head that
 * cannot be read), E_STATE (the head moved meanwhile: something runs on this store), E_IO, E_MEMORY. Then nothing changed. */
err store_rewind(struct rewind_report *r, struct store_backend *s, const struct rewind_to *to);

#endif
