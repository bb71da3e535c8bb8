/* log.h - the Merkle tree of an append-only log (RFC 6962, section 2).
 *
 * Whoever appends keeps one hash per level, not the tree. Whoever proves reads roots of whole
 * subtrees, at most 64 for each hash of a proof, from wherever they are kept. Whoever checks needs
 * the proof and two roots. Sizes count entries and are at most TLOG_SIZE_MAX, so that a proof has at
 * most the 63 hashes that a witness reads (c2sp.org/tlog-witness). Pure. */
#ifndef POLICY_LOG_H
#define POLICY_LOG_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum { TLOG_HASH = 32, TLOG_LEVELS = 63, TLOG_PATH_MAX = 63 };
#define TLOG_SIZE_MAX (UINT64_C(1) << 62)

/* A tree as the one who appends holds it: for each bit of `size` that is set, the root of that
 * whole subtree. All zero is the empty tree. */
struct tlog { uint64_t size; uint8_t node[TLOG_LEVELS][TLOG_HASH]; };

/* A proof, lowest hash first. */
struct tlog_path { size_t n; uint8_t hash[TLOG_PATH_MAX][TLOG_HASH]; };

/* Reads of a kept tree the root of the whole subtree over the entries index * 2^level and the
 * 2^level - 1 after it. Fails: what a store may fail with. */
struct tlog_store {
    void *self;
    err (*node)(void *self, uint8_t out[static TLOG_HASH], unsigned level, uint64_t index);
};

/* Hash an entry: SHA-256(0x00 || entry). */
void tlog_leaf(uint8_t out[static TLOG_HASH], const void *entry, size_t n);
/* Hash two subtrees: SHA-256(0x01 || left || right). `out` may be either. */
void tlog_join(uint8_t out[static TLOG_HASH], const uint8_t left[static TLOG_HASH], const uint8_t right[static TLOG_HASH]);
/* Append an entry by its leaf hash. Fails: E_LIMIT. */
err  tlog_append(struct tlog *t, const uint8_t leaf[static TLOG_HASH]);
/* The root; of the empty tree, SHA-256 of nothing. */
void tlog_root(uint8_t out[static TLOG_HASH], const struct tlog *t);

/* Prove that entry `index` is in the tree of `size` (2.1.1). Fails: E_ABSENT (it has no such entry), E_LIMIT, the store's. */
err  tlog_prove_entry(struct tlog_path *out, const struct tlog_store *s, uint64_t index, uint64_t size);
/* Prove that the tree of `size` begins with that of `old` (2.1.2). Empty when old is 0 or `size`.
 * Fails: E_ABSENT (old > size), E_LIMIT, the store's. */
err  tlog_prove_growth(struct tlog_path *out, const struct tlog_store *s, uint64_t old, uint64_t size);

/* Is the entry at `index` of the tree with this root? Fails: E_AUTH, E_LIMIT. Source: RFC 9162, 2.1.3.2. */
err  tlog_check_entry(const struct tlog_path *p, const uint8_t leaf[static TLOG_HASH], uint64_t index,
                      uint64_t size, const uint8_t root[static TLOG_HASH]);
/* Does the tree of `size` begin with the tree of `old`? An empty old tree has the empty root, and an
 * empty proof. Fails: E_AUTH, E_LIMIT. Source: RFC 9162, 2.1.4.2. */
err  tlog_check_growth(const struct tlog_path *p, uint64_t old, const uint8_t old_root[static TLOG_HASH],
                       uint64_t size, const uint8_t root[static TLOG_HASH]);

#endif
