/* quorum.h - how many distinct keys of a set have signed a document. Pure.
 *
 * A key counts once, however often, in whatever format or under whatever name it signs. A signature that is junk, or a stranger's,
 * counts for nothing and against nothing. Work is bounded: one reading for each signature, a verification
 * only where it claims a key of the set that has not signed yet, and at most QUORUM_TRIES for one key. */
#ifndef POLICY_QUORUM_H
#define POLICY_QUORUM_H
#include <stdbool.h>
#include <stddef.h>
#include "core/err.h"
#include "core/hash.h"
#include "policy/document.h"

enum {
    QUORUM_SIGNATURES = 16384,                   /* what stands behind them is not read            */
    QUORUM_TRIES = 256                           /* forgeries of one key; who can put more in front of a good one could leave it out */
};

enum quorum_word { QUORUM_GOOD, QUORUM_AGAIN, QUORUM_STRANGER, QUORUM_BAD, QUORUM_UNREAD };
/* What became of one signature. */
struct quorum_note { enum quorum_word word; int key; const char *why; };     /* key: place in the set, or -1 */

struct quorum {
    bool   signed_by[MAINTAINERS_MAX];           /* by place in the set                            */
    size_t count;                                /* distinct keys                                  */
    size_t again, strangers, bad, unread;        /* signatures that added nothing                  */
};

/* Count. Each signature is one armoured SSHSIG or one Nostr event. `notes`: room for `count`, or NULL. Fails: E_MEMORY. */
err quorum_count(struct quorum *out, struct quorum_note *notes, const struct document *d, const struct bytes *signatures, size_t count,
                 const struct maintainers *set);

#endif
