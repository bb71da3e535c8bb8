/* standing.h - what is in force: the part of the log's state that documents of the maintainers make. Pure.
 *
 * It goes with each segment of the log (policy/tail.h), so that a later start need not read the whole of it. Documents are kept
 * as their exact bytes, with the signatures that were accepted: whether one has taken effect is judged anew each time. */
#ifndef POLICY_STANDING_H
#define POLICY_STANDING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "core/hash.h"
#include "policy/document.h"
#include "policy/judge.h"

enum {
    STANDING_VERSION = 1, STANDING_RELEASES = 4, STANDING_VETOED = 64, STANDING_SPENT = 64, STANDING_SIGNATURES = 32, STANDING_LIST = 16 << 10,
    STANDING_MAX = 250 << 10
};

/* A document that was accepted, and when (unix seconds, the hypervisor's clock). document.n 0: none. */
struct standing_paper {
    struct bytes document, list;                 /* list: `signatures` var, as in the log's entry */
    uint32_t     signatures;
    uint64_t     accepted;
    uint8_t      granted;                        /* a release whose build was given the keyring   */
};

/* All bytes are borrowed. All zero: nothing was ever accepted. */
struct standing {
    struct standing_paper policy, next;          /* in force; waiting for its delay               */
    size_t  release_count, vetoed_count, spent_count;
    struct standing_paper release[STANDING_RELEASES];      /* the newest last                     */
    uint8_t vetoed[STANDING_VETOED][32];         /* hashes of releases, the newest last           */
    uint8_t spent[STANDING_SPENT][DOCUMENT_NONCE];
    uint64_t sequence;                           /* of the newest release that a grant was made for */
    uint8_t release_hash[32];
};

/* p[0..n); n = 0 gives the one that is all zero. Fails: E_FORMAT (also an unknown version, named in the log), E_LIMIT. */
err  standing_read(struct standing *out, const void *p, size_t n);
/* Ask wr_end() afterwards. */
void standing_write(struct wr *w, const struct standing *s);

/* Where a service is, for the judgement of one document. */
struct standing_place {
    const uint8_t *service;                      /* 32                                            */
    uint64_t now, generation, log_size;
    const uint8_t *head;                         /* 32, manifest of the generation                */
};
/* A situation (policy/judge.h) from both; `policy` has the room for the one in force. Fails: E_FORMAT (it cannot be: it was accepted). */
err  standing_situation(struct situation *out, struct document *policy, const struct standing *s, const struct standing_place *at);
/* Judge a paper that was accepted, as of now. Out: *d, *j. Fails: E_MEMORY, E_FORMAT. */
err  standing_judge(struct document *d, struct judgement *j, const struct standing_paper *p, const struct standing *s, const struct standing_place *at);
/* A policy whose delay has passed is in force from now on; releases of the one before are dropped. Out: *changed. Fails: as above. */
err  standing_settle(struct standing *s, bool *changed, const struct standing_place *at);
/* Take a document that was judged to be agreed. A list that is full drops its oldest. */
void standing_take(struct standing *s, const struct document *d, const struct standing_paper *p);

#endif
