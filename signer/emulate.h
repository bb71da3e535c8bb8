/* emulate.h - the rule `confidential-script`: which inputs of a transaction the enclave signs for.
 *
 * A client proposes a transaction in which an input spends, by script path, an
 * emulated output: one that is not on chain. If the script allows it, the enclave signs by
 * key path for the output that is on chain, whose key it derives from the emulated tree's root, or (holdfast-1)
 * from the rule set and the emulated output key.
 * The role `judge` links this: pure functions over untrusted bytes, no secret, no I/O.
 *
 *     emulate_request_parse -> emulate_plan_make -> emulate_verify -> emulate_sign_request (per input)
 *
 * Stricter than consensus on purpose: what soft forks left open on chain ("valid for
 * now": OP_SUCCESS, unknown leaf versions and key types, upgradable NOPs) would
 * here mean "sign for anyone", and is refused. */
#ifndef SIGNER_EMULATE_H
#define SIGNER_EMULATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "signer/child.h"
#include "signer/request.h"
#include "signer/rules.h"
#include "signer/script_limits.h"
#include "signer/sighash.h"
#include "signer/tx.h"
struct script_watch;

/* ---- the request, as `web` sends it ----
 *
 *   u32 length, transaction with its witness (BIP144, wire form; at least one input)
 *   u32 count, then per spent output: u64 value in satoshi, var scriptPubKey (u32 length)
 *   u32 count, then per backup root:  u32 input index, 32 bytes of root; ascending, none twice
 *   var name of the rule set (u32 length); empty: the service's first
 *
 * Integers little-endian, nothing left over. A value above 2^63-1 is taken, and refused by
 * emulate_verify(), as the rule has it. A backup root for an input that is not emulated, or
 * not there, is ignored. More spent outputs than inputs are taken here as well. */
enum { EMULATE_REQUEST_MAX = 6u << 20 };
struct emulate_backup { uint32_t index; const uint8_t *root; };
struct emulate_request {
    struct tx             *tx;
    struct tx_out         *spent;      /* spent_count; a value above 2^63-1 shows as negative */
    struct emulate_backup *backup;     /* backup_count, ascending */
    size_t                 spent_count, backup_count;
    struct span            rules;      /* the rule set's name; n = 0: none is asked for */
};
/* Borrows p[0..n) for the life of the request. Fails: E_FORMAT, E_LIMIT (n), E_MEMORY. */
err  emulate_request_parse(struct emulate_request **out, const uint8_t *p, size_t n);
void emulate_request_free(struct emulate_request **q);
#define EMULATE_REQUEST __attribute__((cleanup(emulate_request_free))) struct emulate_request *

/* The writer's side, in this order: tx (tx_write()'s bytes), spent count, each output, backup count, each root, rules. */
void emulate_write_tx(struct wr *w, const struct tx *tx);
void emulate_write_count(struct wr *w, uint32_t count);
void emulate_write_output(struct wr *w, uint64_t value, const uint8_t *script, size_t n);
void emulate_write_backup(struct wr *w, uint32_t index, const uint8_t root[static 32]);
void emulate_write_rules(struct wr *w, const char *name, size_t n);

/* ---- why a request was refused: told to the client ---- */
enum emulate_fault {
    EMULATE_FINE,
    EMULATE_VERIFICATION_FAILED,       /* the script said no, or cannot be evaluated; detail says more */
    EMULATE_CRYPTO,                    /* a key or a sum that is no point */
    EMULATE_INVALID_CONTROL_BLOCK,
    EMULATE_SIGHASH,
    EMULATE_MISSING_SPENT_OUTPUTS,     /* fewer than inputs */
    EMULATE_UNEXPECTED_INPUT,          /* the output on chain is not the one that this tree and key have */
    EMULATE_UNKNOWN_RULES,             /* the service does not sign under the rule set that was asked for */
    EMULATE_UNBOUND_KEY                /* the script rests on the internal key, and no address of this service depends on it */
};
struct emulate_refusal {
    enum emulate_fault fault;
    uint32_t           input;          /* which one, when one is to blame */
    const char        *detail;         /* a constant text, or NULL */
    const char        *unit;           /* what `limit` counts, when one of the caps was met; a constant, or NULL */
    uint64_t           limit;
};
enum { EMULATE_TEXT = 160 };
/* "Verification failed: …", "Missing spent outputs" and so on, NUL-terminated: what follows "Unable to sign: ". */
void emulate_refusal_text(char out[static EMULATE_TEXT], const struct emulate_refusal *why);

/* ---- the plan: what each input is ---- */
enum emulate_kind {
    EMULATE_INPUT,                     /* to be verified and signed */
    SKIP_NOT_TAPROOT,                  /* the spent output is not P2TR */
    SKIP_NO_WITNESS,
    SKIP_KEY_PATH,                     /* one witness item, or one and an annex */
    SKIP_CONTROL_SHORT,                /* control block under 33 bytes: no script path */
    SKIP_LEAF_VERSION,                 /* 0x50 is an annex's byte, never a leaf version */
    SKIP_ON_CHAIN                      /* the output on chain has this very script: the chain checks it */
};
const char *emulate_kind_text(enum emulate_kind k);

struct emulate_input {
    enum emulate_kind kind;            /* the rest is set for EMULATE_INPUT only */
    uint8_t     leaf_version;
    uint8_t     internal[32];          /* of the control block: the client's choice; in the child key by way of the output key, or not */
    uint8_t     merkle_root[32];
    uint8_t     emulated_script[34];   /* the scriptPubKey that the engine is shown for this input */
    uint8_t     output_key[32];        /* on chain: as derived, equal to the spent output's */
    bool        has_backup;
    uint8_t     backup_root[32];
    struct span annex;                 /* kept, with its 0x50; n = 0: none, or one that is dropped */
};
/* What the service is, and the rule set that holds for this request. */
struct emulate_terms {
    uint8_t         master[33];        /* public key */
    enum child_kind kind;
    struct rule_set rules;
};
/* Pick the rule set that `q` asks for, or the first. Fails: E_DENIED (UNKNOWN_RULES, with *why set). */
err  emulate_choose_rules(struct emulate_terms *t, struct emulate_refusal *why, const struct emulate_request *q,
                          const struct rule_list *allowed);

struct emulate_plan {
    const struct emulate_request *request;
    struct emulate_terms terms;
    uint8_t              rules_id[32];
    size_t               count;        /* inputs of the transaction */
    size_t               emulated;     /* of them EMULATE_INPUT */
    bool                 verified;     /* set by emulate_verify() */
    struct sighash_cache cache;        /* made by emulate_verify() */
    const struct script_watch *watch;  /* NULL, or set by the caller: who sees the scripts run (signer/script.h) */
    struct emulate_input input[];
};
/* Decide for every input; *why is set on E_FORMAT and E_DENIED. An input that is skipped is not
 * verified; a plan with emulated = 0 is fine (the client gets his transaction back as it was).
 * The plan borrows `q`. Fails: E_FORMAT (MISSING_SPENT_OUTPUTS, INVALID_CONTROL_BLOCK, CRYPTO),
 * E_DENIED (UNEXPECTED_INPUT), E_MEMORY. */
err  emulate_plan_make(struct emulate_plan **out, struct emulate_refusal *why,
                       const struct emulate_request *q, const uint8_t master[static 33]);
/* The same under given terms; above they are: children of roots, and `tapscript`. */
err  emulate_plan_under(struct emulate_plan **out, struct emulate_refusal *why,
                        const struct emulate_request *q, const struct emulate_terms *terms);
void emulate_plan_free(struct emulate_plan **p);
#define EMULATE_PLAN __attribute__((cleanup(emulate_plan_free))) struct emulate_plan *

/* Run every emulated input through the engine, strictly: it is shown the emulated scriptPubKey for that
 * input, while its signatures are over the actual spent outputs. The rule set's caps serve the
 * whole request. *why is set on E_DENIED and E_LIMIT; its detail is the engine's name for the reason.
 * Takes 600 KiB while it runs.
 * Fails: E_DENIED (VERIFICATION_FAILED, UNBOUND_KEY), E_LIMIT (VERIFICATION_FAILED: the budget), E_MEMORY. */
err  emulate_verify(struct emulate_refusal *why, struct emulate_plan *p);
/* The same within `limits`, and the rule set's caps, used up by all inputs together. `late` says whether limits->time_ms is over (NULL:
 * time is not looked at); this file has no clock. */
err  emulate_verify_within(struct emulate_refusal *why, struct emulate_plan *p, const struct script_limits *limits,
                           bool (*late)(void *clock), void *clock);

/* What to ask the signer for one EMULATE_INPUT of a verified plan: the key-path message with
 * SIGHASH_DEFAULT over the actual outputs, with the annex if it is kept.
 * Fails: E_STATE (not verified, not an emulated input), E_FORMAT (no sighash: cannot happen here). */
err  emulate_sign_request(struct sign_request *out, const struct emulate_plan *p, uint32_t input);

/* The input's witness after signing: the signature, and the annex if kept (each with its
 * CompactSize, without the count). Returns the number of items. */
uint32_t emulate_witness_write(struct wr *w, const uint8_t sig[static 64], const struct span *annex);

#endif
