/* leaves.h - a log's tree, kept so that a proof takes no time: the hash of each entry, and the roots over each 16, 256, 4096, ... of them.
 *
 * 34 bytes an entry. Every other subtree is at most 15 joins away. */
#ifndef PARENT_LEAVES_H
#define PARENT_LEAVES_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "policy/log.h"

enum { LEAVES_STEP = 4, LEAVES_LEVELS = 7, LEAVES_MAX = 1 << 24 };   /* at most LEAVES_MAX entries: 573 MB, decades of a seal a minute */

struct leaves {
    uint64_t size;
    struct { uint8_t *p; size_t cap; } level[LEAVES_LEVELS];         /* of roots over 2^(LEAVES_STEP * i) entries */
};
void leaves_drop(struct leaves *l);
#define LEAVES __attribute__((cleanup(leaves_drop))) struct leaves

/* Append an entry by its hash. Fails: E_LIMIT, E_MEMORY. */
err  leaves_add(struct leaves *l, const uint8_t leaf[static TLOG_HASH]);
/* Forget all entries from `size` on. */
void leaves_cut(struct leaves *l, uint64_t size);
/* For proofs of up to l->size entries. Borrows l. Its node() fails with E_ABSENT for a subtree that is not whole. */
struct tlog_store leaves_store(const struct leaves *l);
/* The tree of its first `size` entries, as the one who appends holds it. Fails: E_ABSENT. */
err  leaves_tree(struct tlog *out, const struct leaves *l, uint64_t size);

#endif
