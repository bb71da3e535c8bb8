/* prune.h - let go of what no kept generation needs.
 *
 * Kept are: the head's generation always; the `keep` newest ones up to it; every pack and
 * service record they need; and whatever is younger than an hour (it may belong to a seal
 * that runs). When a manifest that must be kept cannot be read, nothing is removed. Names
 * of a shape that this program does not make are left alone. */
#ifndef PARENT_PRUNE_H
#define PARENT_PRUNE_H
#include <stddef.h>
#include <stdint.h>
#include "parent/store.h"

enum { PRUNE_ORPHAN_AGE = 3600 };            /* seconds */

struct prune_report { size_t kept, removed; uint64_t bytes; };   /* generations, objects, bytes removed */

/* Out: *report (may be NULL). Fails: E_FORMAT (head or a kept manifest damaged), E_STATE (the
 * head moved meanwhile: nothing was removed, the next seal tries again), E_IO. */
err prune(struct store_backend *s, uint64_t keep, struct prune_report *report);

#endif
