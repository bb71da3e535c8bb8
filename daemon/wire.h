/* wire.h - every message between roles. Bodies are fixed layouts over core/buf.h,
 * little-endian; `var` is a u32 length and the bytes. A channel not listed does not exist. */
#ifndef DAEMON_WIRE_H
#define DAEMON_WIRE_H
#include <stdbool.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "policy/block_check.h"
#include "signer/child.h"
#include "signer/headers.h"
#include "signer/rules.h"

enum wire_type {
    /* init -> role, on the control channel */
    CTL_CONFIG = 1,      /* struct daemon_config, whole                                          */
    CTL_GIVE,            /* u8 what (role_id or GIVE_*), u8 instance; a descriptor beside it      */
    CTL_GO,              /* all given: enter the sandbox                                          */
    CTL_STOP,            /* finish what is begun, then end with status 0                          */
    /* role -> init */
    CTL_READY,           /* sandboxed                                                             */
    CTL_WANT,            /* u8 GIVE_EGRESS, u8 which (EGRESS_*) | u8 GIVE_PARENT, u8 0 -> CTL_GIVE | MSG_ERROR */
    CTL_IMAGE_NEW,       /* disk: u64 size: drop any image, make an empty one -> CTL_GIVE GIVE_IMAGE */
    CTL_IMAGE_FORMAT,    /* disk: make a file system on the image -> CTL_DONE                     */
    CTL_MOUNT,           /* disk: attach and mount -> CTL_DONE                                    */
    CTL_FREEZE,          /* disk -> CTL_DONE; init thaws by itself after 10 s                      */
    CTL_THAW,
    CTL_SERVING,         /* keeper: u8 phase; logged                                              */
    CTL_DONE,
    CTL_VOLUME,          /* disk: start the volume process, with a channel to us -> CTL_GIVE ROLE_VOLUME unasked, CTL_DONE | MSG_ERROR E_ABSENT (no device-mapper) */
    CTL_IMAGE_MAP,       /* disk: take over the mapping that volume opened -> CTL_DONE            */
    CTL_IMAGE_GROW,      /* disk: u64 size: make the mounted image that large -> CTL_GIVE GIVE_IMAGE */
    CTL_IMAGE_FILL,      /* disk: let the file system have all of it -> CTL_DONE                  */

    /* web <-> keeper */
    KEEPER_SETUP = 0x20, /* wire_setup, wire_headers -> KEEPER_SETUP_IS: u8 enum setup_verdict, u32 findings that break custody,
                          * var public words about the headers; each 0 or empty for other verdicts */
    KEEPER_SETUP_IS,
    KEEPER_STATE,        /* keeper -> web, unasked, at every change: wire_state                    */
    KEEPER_ATTEST,       /* u8 with a document, var nonce (<= 512; empty: none) -> KEEPER_ATTESTED | MSG_ERROR */
    KEEPER_ATTESTED,     /* var attestation document (empty when not asked for), var state statement */
    KEEPER_EVIDENCE,     /* var nonce (<= 512; empty: none) -> KEEPER_EVIDENCE_IS | MSG_ERROR E_ABSENT (no key yet) */
    KEEPER_EVIDENCE_IS,  /* var attestation document, var key evidence (JSON)                      */
    /* Requests that come encrypted (daemon/secure.h); the keys never leave the keeper.           */
    KEEPER_SECURE = 0x28, /* u8 length (33 or 65), client's public key, then nonce, ciphertext, tag -> KEEPER_OPENED */
    KEEPER_CHANNEL,      /* a request of keystore/channel.h, whole -> KEEPER_OPENED                */
    KEEPER_OPENED,       /* u8 enum secure_verdict, u64 handle (0: refused), the plaintext         */
    KEEPER_SEAL,         /* u64 handle, u16 HTTP status, u8 enum channel_kind, the answer -> KEEPER_SEALED */
    KEEPER_SEALED,       /* u8 done (0: that handle is gone), the answer for the client            */

    /* web <-> judge */
    JUDGE_SIGN = 0x30,   /* u64 request id, u32 the one input that is asked for (refused when it is not emulated; JUDGE_ALL: all, and
                          * those that are not emulated are skipped), then the request as signer/emulate.h lays it out -> JUDGE_VERDICT */
    JUDGE_VERDICT,       /* u16 HTTP status, var public text, u32 n, n x { u32 input, u8 annex kept, 64 signature },
                            var kinds: one byte (enum emulate_kind) for each input when 200, else empty */
    /* web <-> trial */
    TRIAL_VERIFY,        /* wire_terms, u8 with a trace, then as JUDGE_SIGN; nothing is signed or
                          * recorded -> TRIAL_VERDICT                                             */
    TRIAL_VERDICT,       /* u16 HTTP status, var public text, var kinds as in JUDGE_VERDICT, var trace (daemon/trace.h; empty
                          * when not asked for)                                                   */

    /* judge <-> sign */
    SIGN_PARAMS = 0x40,  /* empty -> SIGN_PARAMS_IS | MSG_ERROR E_STATE (no key yet)              */
    SIGN_PARAMS_IS,      /* wire_terms                                                            */
    SIGN_INPUT,          /* sign_request (signer/request.h) -> SIGN_INPUT_IS: 64 signature | MSG_ERROR                  */
    SIGN_INPUT_IS,
    /* keeper -> sign */
    SIGN_MASTER,         /* once; u8 profile, u64 maximal weight, then 32 secret -> SIGN_PUBLIC   */
    SIGN_PUBLIC,         /* 33 master public key                                                  */
    SIGN_SERVE,          /* list of rule sets: the state is restored, signing may begin -> SIGN_SERVING */
    SIGN_SERVING,
    SIGN_STOP,           /* nothing is signed from here on, until SIGN_SERVE -> SIGN_STOPPED        */
    SIGN_STOPPED,
    SIGN_AGREE,          /* 33 or 65 client's public key -> SIGN_AGREED: 32 secret | MSG_ERROR E_DENIED (no such point) */
    SIGN_AGREED,

    /* judge -> book, web -> book */
    BOOK_RECORD = 0x50,  /* wire_entry -> BOOK_RECORDED: u64 row                                  */
    BOOK_RECORDED,
    BOOK_SPEND,          /* judge: u32 n (1 to WIRE_SPENDS), n x wire_spend -> BOOK_SPENT, once what is granted is sealed       */
    BOOK_SPENT,          /* u8 enum spend_verdict, u32 which of the n, u64 limit, u64 left, u64 seconds until more comes free  */
    BOOK_LIST,           /* u32 limit (<= 1000), u64 before (0: newest), u64 since (unix seconds) -> BOOK_LISTED */
    BOOK_LISTED,         /* u64 total, u32 n, n x wire_entry, the newest first                    */
    /* disk <-> book */
    BOOK_OPEN,           /* u8 fresh, 32 service id, u64 time, var genesis document -> BOOK_OPENED; the time is the hypervisor's, in unix seconds */
    BOOK_OPENED,         /* u64 requests recorded                                                 */
    BOOK_DIRTY,          /* book -> disk, unasked, at the first commit after BOOK_CLEAN           */
    BOOK_CLEAN,          /* disk -> book, just before a freeze: what follows counts as new        */
    BOOK_SEAL,           /* book -> disk, one at a time: seal what there is -> BOOK_SEALED: u8 SPEND_GRANTED (durable, and cosigned by the witnesses if
                          * there are any), SPEND_UNSEALED or SPEND_UNWITNESSED                    */
    BOOK_SEALED,
    BOOK_CLOSE,          /* -> BOOK_CLOSED; nothing is recorded after it                          */
    BOOK_CLOSED,

    /* keeper <-> disk */
    DISK_RECORD_GET = 0x60, /* empty -> DISK_RECORD                                                */
    DISK_RECORD,         /* u8 present, var service record                                        */
    DISK_OPEN,           /* once; u8 fresh, 32 service id, u32 epoch, then 32 secret seal key; followed by DISK_VOLUME, DISK_LOG_KEY, then DISK_GENESIS -> DISK_OPENED */
    DISK_VOLUME,         /* once; 64 secret volume key                                            */
    DISK_LOG_KEY,        /* once; 32 secret log key                                               */
    DISK_GENESIS,        /* var genesis document, var service record (kept with the first generation when fresh), wire_boot */
    DISK_OPENED,         /* u64 generation, u64 requests recorded                                 */
    DISK_ANCHORED,       /* disk -> keeper, unasked, once: witnesses have cosigned this start, or none are configured */
    DISK_LOG,            /* disk -> keeper and web, unasked, at every change: wire_log, var newest checkpoint that is cosigned (a note) */
    DISK_LOG_SEEN,       /* keeper -> disk: DISK_LOG was read, the next may come                    */
    DISK_STANDING,       /* empty -> DISK_STANDING_IS: u64 generation, 32 its manifest, u64 log size, var standing (policy/standing.h) */
    DISK_STANDING_IS,
    DISK_LOG_ADD,        /* var entry, var standing: durable together -> DISK_LOG_ADDED: u64 log size | MSG_ERROR */
    DISK_LOG_ADDED,
    DISK_PERMIT,         /* u64 time, var permit, u32 n, n x var signature, var standing: go on from the state that was put back -> DISK_LOG_ADDED | MSG_ERROR E_STATE */
    DISK_KEYS,           /* keeper -> disk: the keys come next: DISK_OPEN, DISK_VOLUME, DISK_LOG_KEY */
    DISK_STILL,          /* empty: seal -> DISK_STILL_IS: u32 log number, u64 its size, 32 root | MSG_ERROR */
    DISK_STILL_IS,
    DISK_GRANT_PUT,      /* u64 log size it is for, u64 time, 32 release, 32 build key, var grant, var standing -> DISK_GRANT_KEPT | MSG_ERROR
                          * E_DENIED (the log went on): the grant and its entry are durable, and this enclave seals no more */
    DISK_GRANT_KEPT,
    DISK_GRANT_GET,      /* before there are keys: 32 build key -> DISK_GRANT                       */
    DISK_GRANT,          /* u8 there; if so var grant, 32 release, u32 log number, u64 its size and 32 root before the grant's entry, var record */
    /* web <-> disk */
    DISK_SEAL,           /* empty -> DISK_SEALED: wire_disk | MSG_ERROR                           */
    DISK_SEALED,
    DISK_STATE,          /* disk -> web, unasked, at every change: wire_disk                      */
    DISK_VERIFY,         /* empty -> DISK_VERIFIED: u8 error code, u64 generation, u64 bytes read | MSG_ERROR */
    DISK_VERIFIED,
    DISK_GROW,           /* u64 size -> DISK_SEALED: wire_disk, grown and sealed | MSG_ERROR      */
    /* of the log, as the parent says; for the client to check. Each is answered while others go on, one at a time */
    DISK_LOG_READ,       /* u64 from, u32 limit (<= LINK_ENTRIES) -> DISK_LOG_ENTRIES             */
    DISK_LOG_ENTRIES,    /* u8 enum log_outcome; if that is LOG_READ: u64 size of the log, u64 from, u32 n, n x var entry */
    DISK_LOG_PROVE,      /* u8 LINK_PROVE_*, u64 old size | index, u64 size -> DISK_LOG_PROOF      */
    DISK_LOG_PROOF,      /* u8 enum log_outcome; if that is LOG_READ: u32 n, n x 32 hash           */

    /* keeper <-> fetch */
    FETCH_DERIVE = 0xa0, /* var ARN, var peer SPKI, var attestation document -> FETCH_DERIVED     */
    FETCH_DERIVED,       /* u8 ok, u8 retryable, var error type, var CMS, var key id, var key origin, var request id */
    FETCH_EVIDENCE,      /* var ARN, 48 PCR0, u32 milliseconds at most -> FETCH_EVIDENCE_IS         */
    FETCH_EVIDENCE_IS,   /* u8 ok, u32 findings, u8 has a public key, 91 its SPKI, var key evidence (JSON) */

    /* web <-> keeper: documents of the maintainers */
    KEEPER_DOCUMENT = 0xb0, /* var document, u32 n, n x var signature -> KEEPER_JUDGED | MSG_ERROR */
    KEEPER_JUDGED,       /* u8 enum paper_outcome, u8 kind, 32 hash, u8 enum reason, u8 enum paper_state, u64 ready at, u64 now,
                          * u32 n, n x { var name, u8 enum judged, var detail }                   */
    KEEPER_STANDING,     /* empty -> KEEPER_STANDING_IS | MSG_ERROR                               */
    KEEPER_STANDING_IS,  /* u64 now, 2 x policy (in force; waiting): { u8 there, 32 hash, u64 version, u64 expires, u64 delay, u64 ready at },
                          * u32 n, n x release { 32 hash, var label, 48 PCR0, u64 sequence, u64 expires, u64 ready at, u8 enum paper_state, u8 emergency } */

    KEEPER_GRANT,        /* 32 release, var announcement (an attestation document) -> KEEPER_GRANTED | MSG_ERROR */
    KEEPER_GRANTED,      /* u8 granted, var reason (a name), var words, var name of the object     */
    KEEPER_ANNOUNCE,     /* var nonce (<= 512; empty: none) -> KEEPER_ANNOUNCED: var attestation document | MSG_ERROR E_STATE */
    KEEPER_ANNOUNCED,

    /* disk <-> volume */
    VOLUME_OPEN = 0x90,  /* once; u8 enum volume_act, 32 service id, u32 epoch, then 64 secret -> VOLUME_OPENED */
    VOLUME_OPENED
};

#define JUDGE_ALL UINT32_MAX
enum { JUDGE_HEAD = 8 + 4 };            /* before the request, in JUDGE_SIGN */
/* What a signature spends from the service's limits, and what becomes of it. */
enum spend_verdict { SPEND_GRANTED, SPEND_VALUE, SPEND_COUNT, SPEND_EACH_VALUE, SPEND_EACH_COUNT, SPEND_UNSEALED, SPEND_UNWITNESSED, SPEND_VERDICTS };
enum { WIRE_SPENDS = 1024, WIRE_SPEND = 32 + 32 + 8 };

enum volume_act { VOLUME_OLD, VOLUME_NEW, VOLUME_LARGER, VOLUME_ACTS };
enum { EGRESS_KMS = 0, EGRESS_IMDS = 1, EGRESS_RELAY_COUNT = 2 };
enum phase { PHASE_STARTING, PHASE_AWAITING_SETUP, PHASE_DERIVING, PHASE_RESTORING, PHASE_SERVING, PHASE_WITNESSING, PHASE_ANNOUNCING, PHASE_HANDED_OVER, PHASES };
enum log_outcome { LOG_READ, LOG_BUSY, LOG_AWAY, LOG_LATE, LOG_ODD, LOG_OUT_OF_RANGE, LOG_OUTCOMES };
enum setup_verdict {
    SETUP_DONE, SETUP_ALREADY, SETUP_KMS_FAILED, SETUP_KMS_EMPTY, SETUP_KMS_LENGTH,
    SETUP_DENIED, SETUP_NOT_NOW, SETUP_BAD_KEY, SETUP_FAILED,
    SETUP_KEY_REFUSED,                   /* by its evidence                                */
    SETUP_BAD_HEADERS                    /* the words say what is wrong with the run that was given */
};
enum paper_outcome { PAPER_AGREED, PAPER_REFUSED, PAPER_OUTCOMES };
enum paper_state { PAPER_NONE, PAPER_PENDING, PAPER_READY, PAPER_VETOED, PAPER_GRANTED, PAPER_IN_FORCE, PAPER_VOID, PAPER_STATES };
enum secure_verdict {
    SECURE_OPEN, SECURE_BAD_KEY,   /* the client's key is no point                                 */
    SECURE_BAD_FORM, SECURE_BAD_SEAL, /* no request of the channel; not authentic, or for another key */
    SECURE_BAD_BOOT, SECURE_BAD_TIME, SECURE_REPLAYED,
    SECURE_FULL, SECURE_NOT_NOW, SECURE_VERDICTS
};
/* Plaintext of one encrypted request: of the earlier systems' endpoint, and how much more its ciphertext may be
 * (room for a plaintext that is refused as too long in an encrypted answer); of the channel, any route's body. */
enum { CHANNEL_PLAIN_MAX = 6 << 20, SECURE_PLAIN_MAX = 4 << 20, SECURE_SLACK = 64 << 10, SECURE_OVERHEAD = 28 };
enum { WIRE_TEXT = 240, WIRE_WHICH = 240, WIRE_ARN = 256 };

struct wire_setup { bool limited; uint64_t max_weight; char key_id[WIRE_ARN]; uint8_t blockhash[32]; /* as displayed */
                    uint32_t accepted; /* findings about the key, by bit */ };
/* A run of headers that the block hash is to be found in (signer/headers.h). */
struct wire_headers {
    bool     given;                      /* the rest is set                                */
    uint8_t  network;                    /* enum headers_network                           */
    bool     anchored;
    uint32_t height;                     /* of the first header, when anchored             */
    uint8_t  hash[32];                   /* likewise, as displayed                         */
    const uint8_t *bytes;                /* borrowed; n <= HEADERS_MAX * HEADER_SIZE       */
    size_t   n;
};
enum { WIRE_SETUP_LEAST = 1 + 8 + 4 + 32 + 4 + 1, WIRE_SETUP_MOST = 1024 + HEADERS_MAX * HEADER_SIZE };
struct wire_state {
    uint8_t phase, simulated, has_service;
    uint8_t public_key[33], service_id[32];
    uint8_t channel_key[32], boot[16];   /* the channel's (keystore/channel.h); boot: new at each start */
    uint32_t epoch, releases;            /* releases: accepted under the policy in force   */
    char profile[32];
    struct rule_list rules;
    struct wire_setup settings;
    struct block_check check;            /* of the settings' block hash                    */
};
/* What the keeper knows of this start, for its entry in the log. */
struct wire_boot { uint8_t pcr[3][48], simulated, random[32], release[32]; uint64_t time; };
enum { WIRE_BOOT = 3 * 48 + 1 + 32 + 32 + 8, WIRE_LOG_MOST = 16 << 10 };
/* The service's log. Cosigned: size of the newest checkpoint that the quorum has; unanchored: generations sealed since; told: the
 * largest size that a witness spoke of. */
enum freshness { FRESH_NONE, FRESH_WAITING, FRESH_WITNESSED, FRESH_UNREACHABLE, FRESH_ROLLBACK, FRESHNESSES };
struct wire_log { uint8_t freshness, key[32], root[32]; uint32_t number; uint64_t size, cosigned, unanchored, told;
                  uint64_t generation, sealed; uint8_t head[32]; /* the state there is: what a permit to go back to it names */ };
/* What a judge has to know of the service. */
struct wire_terms {
    uint8_t  master[33];                 /* public key                                     */
    uint64_t max_weight;
    uint8_t  kind;                       /* enum child_kind                                */
    struct rule_list rules;              /* at least one                                   */
};
enum { WIRE_RULES_MOST = 1 + RULES_MAX * RULES_ENCODED, WIRE_TERMS_LEAST = 33 + 8 + 1 + 1 + 50, WIRE_TERMS_MOST = 33 + 8 + 1 + WIRE_RULES_MOST };
struct wire_entry {
    uint64_t row, time;                  /* row 0 on the way in; unix seconds, set by book */
    uint8_t  txid[32], request_hash[32];
    uint16_t status;                     /* the HTTP status that the verdict is            */
    uint32_t inputs, signed_inputs;
    char     text[WIRE_TEXT];            /* the verdict's public words, or empty           */
    char     which[WIRE_WHICH];          /* the inputs signed ("0-2,5"; ends in "..." where there is no room), or the one that a refusal blames, or empty */
    char     rules[RULES_NAME];          /* the rule set; empty: refused before one was chosen */
};
struct wire_spend {
    uint8_t  message[32];                /* hash that is signed (BIP341's)                 */
    uint8_t  key[32];                    /* output key that is spent                       */
    uint64_t value;                      /* satoshi                                        */
};
struct wire_disk {
    uint8_t  mounted, dirty, last_failed;
    char     backend[8];
    uint64_t generation, sealed_at, image_size, sealed_bytes;
    uint64_t sealed_chunks, written_chunks;  /* of the generation in all; of those, sealed anew for it */
    uint64_t sealed_ms, freeze_us;
};

void wire_put_setup(struct wr *w, const struct wire_setup *s);
void wire_get_setup(struct rd *r, struct wire_setup *s);
void wire_put_headers(struct wr *w, const struct wire_headers *h);
void wire_get_headers(struct rd *r, struct wire_headers *h);
void wire_put_state(struct wr *w, const struct wire_state *s);
void wire_get_state(struct rd *r, struct wire_state *s);
void wire_put_terms(struct wr *w, const struct wire_terms *t);
void wire_get_terms(struct rd *r, struct wire_terms *t);
void wire_put_entry(struct wr *w, const struct wire_entry *e);
void wire_get_entry(struct rd *r, struct wire_entry *e);
void wire_put_spend(struct wr *w, const struct wire_spend *s);
void wire_get_spend(struct rd *r, struct wire_spend *s);
void wire_put_boot(struct wr *w, const struct wire_boot *b);
void wire_get_boot(struct rd *r, struct wire_boot *b);
void wire_put_log(struct wr *w, const struct wire_log *l);
void wire_get_log(struct rd *r, struct wire_log *l);
void wire_put_disk(struct wr *w, const struct wire_disk *d);
void wire_get_disk(struct rd *r, struct wire_disk *d);

#endif
