/* document.h - what maintainers sign: policy, release, veto, rollback permit, genesis authorisation.
 *
 * JSON with a strict schema (docs/wire/policy.md): every member of its kind once and no other, `type` first and
 * `format` second, the rest in any order. A document is its exact bytes: its identity is their
 * SHA-256, a signature covers them, and nothing here writes one again. Pure; holds no pointer into what was parsed. */
#ifndef POLICY_DOCUMENT_H
#define POLICY_DOCUMENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "policy/maintainer.h"
#include "policy/reason.h"

enum {
    DOCUMENT_MAX = 32 << 10, DOCUMENT_FORMAT = 1, DOCUMENT_NETWORK = 12, DOCUMENT_LABEL = 64, DOCUMENT_COMMIT = 64,
    DOCUMENT_PCR = 48, DOCUMENT_NONCE = 16, DOCUMENT_REVOKED_KEYS = 16, DOCUMENT_REVOKED_RELEASES = 64
};
#define DOCUMENT_DELAY_MAX (10ull * 366 * 86400)
#define DOCUMENT_TIME_MAX 253402300799ull        /* the last second of the year 9999 */

enum document_kind { DOCUMENT_POLICY, DOCUMENT_RELEASE, DOCUMENT_VETO, DOCUMENT_PERMIT, DOCUMENT_GENESIS, DOCUMENT_KINDS };

struct document {
    enum document_kind kind;
    uint8_t  hash[32], hash512[64];              /* SHA-256 of the exact bytes: who it is; SHA-512: some signatures are over that */
    char     network[DOCUMENT_NETWORK];          /* mainnet, testnet, signet, regtest              */
    uint8_t  service[32];                        /* all but genesis                                */
    uint64_t not_before, expires;                /* unix seconds, first and last; not_before 0 in a policy and a veto */
    /* policy, and of these the keys and their threshold also genesis */
    uint64_t version;                            /* from 1                                         */
    bool     has_previous;
    uint8_t  previous[32];                       /* hash; of version 1: of the genesis authorisation, if there was one */
    struct maintainers keys, veto_keys;
    uint64_t delay;                              /* seconds from the log entry to the effect       */
    uint64_t emergency_threshold, emergency_delay;   /* threshold 0: there is no such way           */
    size_t   revoked_key_count, revoked_release_count;
    struct maintainer revoked_key[DOCUMENT_REVOKED_KEYS];
    uint8_t  revoked_release[DOCUMENT_REVOKED_RELEASES][32];
    /* release */
    uint64_t sequence, min_generation;
    uint64_t policy_version;                     /* also veto                                      */
    uint8_t  policy[32];                         /* hash; also veto                                */
    uint8_t  pcr[3][DOCUMENT_PCR], pcr8[DOCUMENT_PCR];
    bool     has_pcr8, emergency;
    char     label[DOCUMENT_LABEL + 1], commit[DOCUMENT_COMMIT + 1];
    /* veto */
    uint8_t  release[32];                        /* hash                                           */
    /* permit */
    uint64_t generation, log_size;
    uint8_t  head[32], nonce[DOCUMENT_NONCE];
    /* genesis */
    char     name[64], key_arn[256], profile[32];
    uint8_t  blockhash[32];                      /* as displayed                                   */
};

/* Its `type`, as "holdfast-release"; the namespace of its SSH signatures, as "holdfast-release@holdfast"; the kind of the
 * Nostr event that signs it. */
const char *document_type(enum document_kind k);
const char *document_namespace(enum document_kind k);
uint64_t    document_event(enum document_kind k);

/* Parse and check all that can be checked in the document alone. Out: *out; *why: REASON_FORM or
 * REASON_UNKNOWN_FORMAT on failure. Fails: E_FORMAT, E_LIMIT (longer than DOCUMENT_MAX). */
err document_parse(struct document *out, enum reason *why, const void *p, size_t n);

#endif
