/* life_papers.h - the maintainers' documents in a log: which policy is in force when, which releases were agreed on, vetoed, granted. */
#ifndef PARENT_LIFE_PAPERS_H
#define PARENT_LIFE_PAPERS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "policy/entry.h"
#include "policy/judge.h"

struct kept { struct document d; uint64_t accepted; bool granted; };
struct papers {
    bool     has_founders, has_policy, elsewhere;      /* elsewhere: the log was begun anew, and what was in force is in the one before */
    struct document founders, policy;                  /* in force */
    struct kept *waiting, *releases;                   /* policies; all releases that were logged */
    size_t   waiting_count, release_count;
    uint8_t (*vetoed)[32], (*spent)[DOCUMENT_NONCE];
    size_t   vetoed_count, spent_count;
    uint64_t sequence;                                 /* of the newest release granted, and its hash */
    uint8_t  newest[32];
};
void papers_drop(struct papers *p);

struct papers_verdict { char fault[200], note[200]; bool notice, unjudged; };
/* A policy, release or veto. `s` knows all but the documents. Fails: E_MEMORY. */
err  papers_take(struct papers *p, struct papers_verdict *v, const struct entry *e, const struct situation *s);
/* The permit of a rollback, which may be missing while there is no policy. s->log_size: the entry of the seal that is gone back to; UINT64_MAX: not known. Fails: E_MEMORY. */
err  papers_permit(struct papers *p, struct papers_verdict *v, const struct entry *e, const struct situation *s);
/* A grant: by then the release must be in effect. */
void papers_grant(struct papers *p, struct papers_verdict *v, const struct entry *e, const struct situation *s);
const struct kept *papers_release(const struct papers *p, const uint8_t hash[static 32]);

#endif
