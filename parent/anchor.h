/* anchor.h - taking a checkpoint to the witnesses: the client's side of c2sp.org/tlog-witness.
 *
 * All witnesses of a trust policy that have a URL are asked at once. A URL without a scheme means https://. What comes back is
 * believed only as far as it verifies under the policy's keys; whether it is enough is for the enclave to say. */
#ifndef PARENT_ANCHOR_H
#define PARENT_ANCHOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "parent/anchor_read.h"
#include "policy/log.h"
#include "policy/witnesses.h"

enum { ANCHOR_GRACE_MS = 500, ANCHOR_REQUEST_MS = 10000 };

struct anchor_request {
    const char *note; size_t note_len;       /* the checkpoint, signed by its log                   */
    const struct tlog_store *log;            /* of at least the checkpoint's size; asked for proofs */
    unsigned deadline_ms;                    /* for all of it                                       */
};
struct anchor_answer {
    uint64_t largest;                        /* the largest size that a witness said it cosigned of another log: above the checkpoint's, or its own (a twin); 0: none did */
    bool     enough;                         /* by the policy's own quorum                          */
    size_t   count;
    struct anchor_cosignature got[WITNESSES_NAMES];
    enum anchor_word words[WITNESSES_NAMES]; /* by place in the policy                              */
};

/* Keeps connections, and the size that each witness is known to have cosigned: one request less for each. */
struct anchor;
/* `policy` is borrowed. Fails: E_MEMORY. */
err  anchor_open(struct anchor **out, const struct witnesses *policy);
void anchor_close(struct anchor **a);
#define ANCHOR __attribute__((cleanup(anchor_close))) struct anchor *

/* Ask. Returns when every witness has answered for good, or the deadline passed. What fails for a moment is tried again until then, while the
 * quorum is not there and still could be; once that is settled, nothing is tried again, and who has not answered gets as long again as it took so
 * far, ANCHOR_GRACE_MS at least: one dead witness keeps nobody waiting. Fails: E_FORMAT, E_LIMIT (note), E_MEMORY, E_IO, what `log` fails with.
 * That a witness fails is no failure here. */
err  anchor_ask(struct anchor *a, struct anchor_answer *out, const struct anchor_request *q);

#endif
