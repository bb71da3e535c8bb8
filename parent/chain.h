/* chain.h - the service's log as its store holds it: segments, each of which names the one before (docs/wire/log.md).
 *
 * Read from the newest back to the first entry, and checked as far as it can be without a key: hashes, numbers, and the tree that each
 * segment says is before it. Signatures are for whoever has the log's key. */
#ifndef PARENT_CHAIN_H
#define PARENT_CHAIN_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "parent/leaves.h"
#include "parent/store.h"
#include "policy/tail.h"

/* Read one segment. Out: room[0..*n), *t, which borrows from it, and its hash. Fails: E_ABSENT, E_LIMIT, E_FORMAT, E_IO. */
err segment_read(struct tail *t, uint8_t sha256[static 32], uint8_t room[static TAIL_MAX], size_t *n, struct store_backend *s, const char *name);
/* May `t` stand right before `next`, by all but its hash? Fails: E_AUTH. */
err segment_precedes(const struct tail *t, const struct tail *next);

struct segment { char name[TAIL_NAME]; uint8_t sha256[32], root[32]; uint64_t from, size; };   /* root: of the tree before it; size: of the object */
struct chain {
    struct leaves leaves;
    struct segment *segments;                /* the oldest first */
    size_t count, cap;
    struct tail tail;                        /* of the newest; its borrowed parts are gone */
};
void chain_drop(struct chain *c);
#define CHAIN __attribute__((cleanup(chain_drop))) struct chain

/* Make it the chain that ends with `tail`, reading only the segments that it does not hold yet. `sha256`: of the tail, or NULL. After
 * a failure it is empty. Fails: E_AUTH (they do not fit together), E_ABSENT (one is missing), E_FORMAT, E_LIMIT, E_MEMORY, E_IO. */
err chain_follow(struct chain *c, struct store_backend *s, const char *tail, const uint8_t *sha256);

#endif
