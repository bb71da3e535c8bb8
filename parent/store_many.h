/* store_many.h - several stores as one (docs/operations.md tells the rules to operators).
 *
 * Writing: an object or a head counts as written when `durable` stores have it. A store's head moves only after that store
 * has everything that the head needs; what it missed while it was away is copied first, from the others.
 * Reading: the first store in order that has it, and the next one when that breaks off.
 * The head offered: when the stores differ, the one of the highest generation whose manifest, record and packs are all there,
 * looking through the stores together; of equal ones that of the first store. That is an offer: the enclave alone decides
 * whether it is authentic and fresh enough. A head that cannot be read is passed over while another store has one. */
#ifndef PARENT_STORE_MANY_H
#define PARENT_STORE_MANY_H
#include "parent/store.h"

/* How a store is opened, now and again after it was away. `self` outlives the stores. */
struct many_opener { err (*open)(struct store_backend **out, const char *name, const void *self, bool create); const void *self; };

err  store_many_new(struct store_backend **out, uint64_t durable);
/* Try to open one more; that it cannot be opened is logged and no failure. Fails: E_MEMORY, E_LIMIT. */
err  store_many_add(struct store_backend *many, const char *name, struct many_opener opener, bool create);
/* Fails: E_IO when no store could be opened. */
err  store_many_ready(struct store_backend *many);

enum many_state { MANY_WHOLE, MANY_BEHIND, MANY_AWAY };
struct many_report { const char *name; enum many_state state; uint64_t generation; };
/* Call `each` for every store, compared with the head offered. A single store that is none of ours: no call.
 * Fails: as each does, E_MEMORY. */
err  store_many_states(struct store_backend *any, err (*each)(void *self, const struct many_report *), void *self);
/* Bring all generations to the stores that lack them. No work for a single store. Out: *behind, how many stay behind. */
err  store_many_catch_up(struct store_backend *any, size_t *behind);

#endif
