/* witness.h - what a witness answers to add-checkpoint (c2sp.org/tlog-witness). Pure: no clock, no store, no key.
 *
 * A witness remembers for each log the size and root that it cosigned last, and only ever moves
 * forward from there. Deciding and remembering must be one atomic step of the caller's:
 * read the state, decide, write the new state durably, and only then cosign. */
#ifndef POLICY_WITNESS_H
#define POLICY_WITNESS_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "policy/checkpoint.h"
#include "policy/log.h"
#include "policy/note.h"

enum { WITNESS_REQUEST_MAX = NOTE_MAX + 24 + 45 * TLOG_PATH_MAX + 1 };

/* A request, parsed; the note's texts are borrowed from it. */
struct witness_request {
    uint64_t          old;
    struct tlog_path  proof;
    struct note       note;
    struct checkpoint checkpoint;
};

/* What is remembered of a log; size 0 (and any root) when nothing was cosigned. */
struct witness_state { uint64_t size; uint8_t root[TLOG_HASH]; };

/* Parse all of p[0..n): "old N", at most 63 hashes in base64, an empty line, a checkpoint. Fails: E_FORMAT, E_LIMIT; both are a 400. */
err witness_parse(struct witness_request *out, const char *p, size_t n);
/* Decide. keys[0..count) are those trusted for the checkpoint's origin (none: the log is unknown). Out: *status,
 * 200 (to be remembered as `next`, then cosigned), 400, 403, 404, 409 or 422. At 409 the answer's body is
 * the size in `known`. Fails: E_MEMORY. */
err witness_decide(int *status, struct witness_state *next, const struct witness_request *r, const struct witness_state *known,
                   const struct note_key *keys, size_t count);

#endif
