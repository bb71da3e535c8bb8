/* keeper.h - what the role keeper knows while it runs. */
#ifndef DAEMON_KEEPER_H
#define DAEMON_KEEPER_H
#include "core/secret.h"
#include "daemon/loop.h"
#include "daemon/wire.h"
#include "keystore/attest.h"
#include "keystore/build_key.h"
#include "keystore/keyring.h"
#include "keystore/nsm.h"
#include "keystore/p256.h"
#include "keystore/profile.h"
#include "keystore/recipient.h"
#include "policy/record.h"
#include "policy/standing.h"

/* What KMS said about a key, the last time it was asked. */
struct keeper_evidence {
    char     arn[WIRE_ARN];              /* empty: never asked                         */
    uint32_t findings;                   /* keystore/key_finding.h, by bit             */
    uint8_t  point[P256_POINT];          /* the key's own public key; zeros: not had   */
    uint8_t *text;                       /* word for word (JSON), never parsed here    */
    size_t   len;
};

/* A build that waits for a grant (takeover.c). */
struct heir {
    secret          *build_root;
    struct build_key own;
    uint8_t          service_id[32], point[P256_POINT], refused[32];   /* refused: hash of a grant that did not hold */
    uint32_t         findings;           /* about its KMS key, those that break custody */
};
void heir_drop(struct heir *h);

struct keeper {
    struct role_env  *env;
    unsigned          state;             /* one of enum phase                          */
    struct nsm        nsm;
    struct recipient *recipient;
    struct secure    *secure;            /* daemon/secure.h                            */
    struct wire_state shown;             /* what web was told last                     */
    struct keeper_evidence evidence;
    bool              has_policy;        /* one is in force, as of when it was looked at last */
    uint8_t           policy[32];        /* its hash                                   */
    struct wire_log   log;               /* as disk told it last; size 0: no log yet   */
    uint8_t           record[RECORD_MAX]; /* of the service, as the store has it        */
    size_t            record_len;
    uint8_t           root[ATTEST_CERT_MAX]; /* that other builds' documents have to lead to, DER */
    size_t            root_len;
    bool              signing_stopped;
    struct heir       heir;
    uint64_t          evidence_ms;       /* when KMS was asked last, on the monotonic clock; 0: never */
};

/* What KMS is asked for. Borrowed. */
struct kms_question {
    const char    *arn;
    const uint8_t *point;                /* 33, the key's own public key; all zero: not known  */
    const uint8_t *blockhash;            /* 32, as displayed                                   */
    enum profile   profile;
};

/* derive.c: ask KMS, through fetch, for the secret of a key and a block hash: attested to this
 * boot's recipient key, opened here. Bounded attempts. Where the key's public key is known, its holder must
 * show first that it is he who answers; the `first` time, also that he gave this secret (p256.h). Out: *z, 32 bytes.
 * Fails: E_DENIED (KMS says no; or the answer's key or origin is not what it must be),
 *        E_AUTH (the envelope, or the holder), E_CLOSED or E_TIMEOUT (KMS not to be had), E_FORMAT. */
err keeper_derive(struct keeper *k, secret **z, const struct kms_question *q, bool first);
/* After a failed question: if fetch is gone, wait shortly for the next one. */
void keeper_await_fetch(struct keeper *k);
/* evidence.c: ask fetch what KMS says about the key, judged for this build. Out: k->evidence.
 * Fails: E_CLOSED (KMS not to be had), E_FORMAT, as the NSM's calls; k->evidence stays as it was. */
err keeper_gather(struct keeper *k, const char *arn, unsigned within_ms);
/* Answer KEEPER_EVIDENCE, from what is known if it is fresh. */
err keeper_on_evidence(void *self, int fd, const struct msg *m, int *pass);
/* begin.c: make a service, or open the one in `record`. */
err keeper_genesis(struct keeper *k, const struct genesis *g, secret **z);
err keeper_open_record(struct keeper *k, const uint8_t *bytes, size_t n);
/* The rule sets of a genesis document, from and to what they mean. Fails: E_FORMAT (an encoding that is none, or of a rule
 * set that this build does not know). */
void keeper_put_rules(struct genesis *g, const struct rule_list *rules);
err keeper_get_rules(struct rule_list *rules, const struct genesis *g);
/* dated.c: find the block hash in the run of headers. Out: *check (not made when no run was given); on
 * failure words for the client. Fails: as headers_check(). */
err keeper_check_block(struct block_check *check, char words[static HEADERS_TEXT], const struct wire_headers *headers,
                       const uint8_t blockhash[static 32]);
/* begin.c: the witnesses have cosigned this start: judges are answered from here on. */
err keeper_on_anchored(void *self, int fd, const struct msg *m, int *pass);
extern const struct msg_table keeper_disk_table;     /* what disk may say unasked */
/* ledger.c: the log has grown, or is cosigned. */
err keeper_on_log(void *self, int fd, const struct msg *m, int *pass);
/* Wait for DISK_ANCHORED, not longer than this; it may come later as well. */
err keeper_await_anchor(struct keeper *k, int within_ms);
/* Ask disk, and take in what it says unasked meanwhile. Out: *m in `room`. Fails: as msg_call(). */
err keeper_ask_disk(struct keeper *k, uint16_t type, const void *body, size_t n, uint16_t want, struct msg *m, void *room, size_t cap, int deadline_ms);
/* The time by the hypervisor's clock (the host has no hand in it), unix seconds, and this build's PCR0 to 2, from a document of this moment.
 * Fails: as the NSM's calls; E_FORMAT (its document cannot be read). */
err keeper_now(struct keeper *k, uint64_t *now, uint8_t pcr[static 3][48]);
/* papers.c: what documents have made to be in force goes into the statement and to web. */
err keeper_show_papers(struct keeper *k, const struct standing *s);
/* The keyring of the service that is open, asked of KMS anew. */
err keeper_reopen(struct keeper *k, struct keyring *ring, const struct record *r);
/* Signing goes on after all. Returns `why`, or what kept it from doing so. */
err keeper_sign_again(struct keeper *k, err why);
/* handover.c */
err keeper_on_grant(void *self, int fd, const struct msg *m, int *pass);
/* takeover.c: the record is sealed for another key than this build's. */
err keeper_announce(struct keeper *k, const struct record *r, const uint8_t id[static 32]);
err keeper_look_for_grant(struct keeper *k);
err keeper_tick(void *self, int *timeout_ms);
err keeper_on_announce(void *self, int fd, const struct msg *m, int *pass);
/* begin.c: open the service with a keyring that was granted, and with a new record. */
err keeper_take_over(struct keeper *k, const struct keyring *ring, const struct record *old, const uint8_t release[static 32], const uint8_t *record, size_t n);
/* attest.c: answer KEEPER_ATTEST. */
err keeper_on_attest(void *self, int fd, const struct msg *m, int *pass);
/* Extend PCR16 with the service id and lock it, or find it so: from here on, every document of
 * this boot names the service. Fails: E_STATE (it holds something else), as the NSM's calls. */
err keeper_bind_service(const struct keeper *k, const uint8_t service_id[static 32]);
/* Tell web (and, through init, the log) where we are. */
err keeper_tell(struct keeper *k, enum phase phase);

#endif
