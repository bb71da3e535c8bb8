/* tail.h - a segment of the service's log as the parent keeps it (docs/wire/log.md). Pure.
 *
 * The store's head names the newest segment, the tail. Segments are chained back to the first entry by name and hash; each
 * carries the tree before it, so that the enclave goes on from the tail alone, and what it has to know
 * besides (the state). All of it is authentic once the signature verifies, and not before. */
#ifndef POLICY_TAIL_H
#define POLICY_TAIL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "policy/log.h"

enum {
    TAIL_VERSION = 1, TAIL_ENTRIES = 256, TAIL_ENTRY_MAX = 128 << 10, TAIL_STATE_MAX = 256 << 10, TAIL_FULL = 64 << 10,
    TAIL_MAX = 512 << 10, TAIL_NAME = 40, TAIL_MESSAGE = 22 + 32,
    TAIL_HEAD = 8 + 4 + 32 + 4 + 4 + 8 + 4 + TAIL_NAME + 32 + TLOG_LEVELS * TLOG_HASH + 4    /* all before the entries, at most */
};

struct tail {
    uint8_t     service[32];
    uint32_t    epoch, number;                   /* number: of the log, one more at each reopen    */
    uint64_t    from;                            /* entries before this segment                    */
    char        previous[TAIL_NAME];             /* "" when from is 0                              */
    uint8_t     previous_sha256[32];
    struct tlog before;                          /* the tree of size `from`                        */
    uint32_t    count;                           /* entries here                                   */
    const uint8_t *entries, *state;              /* borrowed: count x var; the state               */
    size_t      entries_len, state_len;
    uint8_t     message[TAIL_MESSAGE];           /* what is signed                                 */
    uint8_t     signature[64];
};

/* log-<16 hex of from>-<16 hex of salt>. */
void tail_name(char out[static TAIL_NAME], uint64_t from, const uint8_t salt[static 8]);
bool tail_name_ok(const char *name);
/* Read all of p[0..n). Fails: E_FORMAT (also an unknown version, named in the log), E_LIMIT. */
err  tail_parse(struct tail *out, const void *p, size_t n);
/* Read what stands before the entries only: where it is, and what comes before it. p[0..n) is its beginning, TAIL_HEAD bytes or all of it. Fails: E_FORMAT, E_LIMIT. */
err  tail_peek(struct tail *out, const void *p, size_t n);
/* Write it up to the signature, and make `message` of that; the signature is the caller's to append. The writer must be
 * at its beginning. Fails: E_LIMIT. */
err  tail_write(struct wr *w, struct tail *t);
/* Is it signed by this log key? Fails: E_AUTH, E_MEMORY. */
err  tail_check(const struct tail *t, const uint8_t key[static 32]);
/* The tree after its entries. Fails: E_LIMIT. */
err  tail_tree(struct tlog *out, const struct tail *t);
/* Go through the entries: r = tail_entries(t), then until NULL. Out: *n. */
struct rd tail_entries(const struct tail *t);
const uint8_t *tail_next(struct rd *r, size_t *n);
/* Does the next entry begin a new segment? */
bool tail_full(const struct tail *t);

#endif
