/* judge.h - may this document take effect here and now? Pure: all that the answer depends on is handed in.
 *
 * The account names each check in its order. After the first that fails the rest are skipped; signatures
 * come last but for the delay, so that an answer that is no anyway costs no verification. */
#ifndef POLICY_JUDGE_H
#define POLICY_JUDGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/hash.h"
#include "policy/document.h"
#include "policy/quorum.h"
#include "policy/reason.h"

enum { JUDGE_LINES = 16, JUDGE_DETAIL = 160 };

/* What the judge knows. Times are unix seconds of a clock that the host does not set. */
struct situation {
    uint8_t  service[32];
    char     network[DOCUMENT_NETWORK];          /* "" = not known: then the policy's counts, if there is one */
    uint64_t now;
    const struct document *policy;               /* in force; NULL: none                           */
    /* Before the first policy: whom the genesis authorisation names, and its hash. NULL: an open service. For a genesis
     * authorisation: whom the measured configuration names. */
    const struct maintainers *founders;
    uint8_t  founding[32];
    uint64_t sequence;                           /* of the newest release that took effect, 0: none */
    uint8_t  release[32];                        /* its hash: that very one may be asked for again */
    uint64_t generation, log_size;               /* of the state that is there                     */
    uint8_t  head[32];                           /* its manifest's hash                            */
    const uint8_t (*vetoed)[32];                 /* hashes of releases                             */
    size_t   vetoed_count;
    const uint8_t (*spent)[DOCUMENT_NONCE];      /* permits that were used                         */
    size_t   spent_count;
    const uint8_t *subject;                      /* the release that a veto has to be of; NULL: any */
    uint64_t accepted;                           /* when this document was logged as agreed; 0: it is only submitted now */
};

enum judged { JUDGED_OK, JUDGED_FAILED, JUDGED_SKIPPED };
struct judgement_line { const char *name; enum judged verdict; char detail[JUDGE_DETAIL]; };
struct judgement {
    enum reason reason;                          /* REASON_NONE: agreed, and in effect once `ready_at` has passed */
    uint64_t delay, ready_at;                    /* seconds; a time, 0 before it is logged (`accepted`) */
    bool     emergency;
    size_t   signers, needed;                    /* of the keys that decide                        */
    size_t   new_signers, new_needed;            /* of a policy's own                              */
    struct judgement_line line[JUDGE_LINES];
    size_t   count;
};

/* Judge a document of any kind. Out: *out. Fails: E_MEMORY; else the verdict is out->reason. */
err judge(struct judgement *out, const struct document *d, const struct bytes *signatures, size_t count, const struct situation *s);

#endif
