/* script.h - Bitcoin Script: may this input spend that output?
 *
 * A pure function over bytes: no keys, no I/O, no clock. It knows legacy scripts,
 * P2SH, segwit v0, taproot and tapscript, with Bitcoin Core's flags and error names,
 * and opcodes proposed but not active on the network, each behind a flag.
 * All memory is in a script_engine, made once: 600 KiB. (Signatures in scripts from before
 * segwit take 112 bytes of heap while they are hashed.)
 *
 * On chain "not understood" means "valid". A signer that emulates scripts must turn
 * that around, and use SCRIPT_FLAGS_EMULATE: see there. */
#ifndef SIGNER_SCRIPT_H
#define SIGNER_SCRIPT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "signer/script_limits.h"
#include "signer/sighash.h"
#include "signer/tx.h"

/* ---- flags ---- */
#define SCRIPT_BIT(n) (UINT64_C(1) << (n))
/* Bitcoin Core's, under its numbers. */
#define SCRIPT_P2SH                      SCRIPT_BIT(0)    /* BIP16 */
#define SCRIPT_STRICTENC                 SCRIPT_BIT(1)
#define SCRIPT_DERSIG                    SCRIPT_BIT(2)    /* BIP66 */
#define SCRIPT_LOW_S                     SCRIPT_BIT(3)
#define SCRIPT_NULLDUMMY                 SCRIPT_BIT(4)    /* BIP147 */
#define SCRIPT_SIGPUSHONLY               SCRIPT_BIT(5)
#define SCRIPT_MINIMALDATA               SCRIPT_BIT(6)
#define SCRIPT_DISCOURAGE_NOPS           SCRIPT_BIT(7)
#define SCRIPT_CLEANSTACK                SCRIPT_BIT(8)    /* needs P2SH and WITNESS */
#define SCRIPT_CHECKLOCKTIMEVERIFY       SCRIPT_BIT(9)    /* BIP65 */
#define SCRIPT_CHECKSEQUENCEVERIFY       SCRIPT_BIT(10)   /* BIP112 */
#define SCRIPT_WITNESS                   SCRIPT_BIT(11)   /* BIP141; needs P2SH */
#define SCRIPT_DISCOURAGE_WITNESS        SCRIPT_BIT(12)   /* programs of unknown version */
#define SCRIPT_MINIMALIF                 SCRIPT_BIT(13)
#define SCRIPT_NULLFAIL                  SCRIPT_BIT(14)
#define SCRIPT_WITNESS_PUBKEYTYPE        SCRIPT_BIT(15)
#define SCRIPT_CONST_SCRIPTCODE          SCRIPT_BIT(16)
#define SCRIPT_TAPROOT                   SCRIPT_BIT(17)   /* BIP341, 342; needs WITNESS */
#define SCRIPT_DISCOURAGE_LEAF_VERSION   SCRIPT_BIT(18)
#define SCRIPT_DISCOURAGE_OP_SUCCESS     SCRIPT_BIT(19)
#define SCRIPT_DISCOURAGE_PUBKEYTYPE     SCRIPT_BIT(20)   /* tapscript keys not of 32 bytes */
/* Rules not active on the network. Tapscript only, but CTV, which works everywhere. */
#define SCRIPT_CTV                       SCRIPT_BIT(32)   /* BIP119 OP_CHECKTEMPLATEVERIFY, b3 = NOP4 */
#define SCRIPT_CAT                       SCRIPT_BIT(33)   /* BIP347 OP_CAT, 7e */
#define SCRIPT_CSFS                      SCRIPT_BIT(34)   /* BIP348 OP_CHECKSIGFROMSTACK, cc */
#define SCRIPT_INTERNALKEY               SCRIPT_BIT(35)   /* BIP349 OP_INTERNALKEY, cb */
#define SCRIPT_TEMPLATEHASH              SCRIPT_BIT(36)   /* BIP446 OP_TEMPLATEHASH, ce */
#define SCRIPT_APO                       SCRIPT_BIT(37)   /* BIP118 keys 01 and 01||x */
#define SCRIPT_PAIRCOMMIT                SCRIPT_BIT(38)   /* BIP442 OP_PAIRCOMMIT, cd */
/* Refuse a script that holds one of them, whether the rule is on or not (Inquisition's). */
#define SCRIPT_DISCOURAGE_CTV            SCRIPT_BIT(48)   /* when executed */
#define SCRIPT_DISCOURAGE_CAT            SCRIPT_BIT(49)
#define SCRIPT_DISCOURAGE_CSFS           SCRIPT_BIT(50)
#define SCRIPT_DISCOURAGE_INTERNALKEY    SCRIPT_BIT(51)
#define SCRIPT_DISCOURAGE_TEMPLATEHASH   SCRIPT_BIT(52)
#define SCRIPT_DISCOURAGE_APO            SCRIPT_BIT(53)   /* when a signature is checked against such a key */
#define SCRIPT_DISCOURAGE_PAIRCOMMIT     SCRIPT_BIT(54)
#define SCRIPT_DISCOURAGE_CTV_SIZE       SCRIPT_BIT(55)   /* CTV over anything but 32 bytes */
/* Ours: nothing binds the control block's internal key, so whoever spends could put in his own. INTERNALKEY and
 * BIP118's key 01, which rest on it, are refused when executed. */
#define SCRIPT_UNBOUND_INTERNAL          SCRIPT_BIT(56)

/* What a block must keep today. */
#define SCRIPT_FLAGS_CONSENSUS \
    (SCRIPT_P2SH | SCRIPT_DERSIG | SCRIPT_NULLDUMMY | SCRIPT_CHECKLOCKTIMEVERIFY | \
     SCRIPT_CHECKSEQUENCEVERIFY | SCRIPT_WITNESS | SCRIPT_TAPROOT)
/* For whoever signs on the strength of a script: consensus, and everything that consensus leaves
 * open for later (and so lets pass) refused. A rule not active on the network is added with |. */
#define SCRIPT_FLAGS_EMULATE \
    (SCRIPT_FLAGS_CONSENSUS | SCRIPT_DISCOURAGE_NOPS | SCRIPT_DISCOURAGE_WITNESS | SCRIPT_DISCOURAGE_LEAF_VERSION | \
     SCRIPT_DISCOURAGE_OP_SUCCESS | SCRIPT_DISCOURAGE_PUBKEYTYPE | SCRIPT_DISCOURAGE_CTV_SIZE)

/* One flag's name as Core's test files have it ("TAPROOT"; "NONE" is 0), or false. A name may stand for several bits. */
bool        script_flag_named(uint64_t *flags, const char *name, size_t n);
/* Name of the lowest bit set. NULL when it has none. */
const char *script_flag_name(uint64_t flags);
/* Add what a flag needs (CLEANSTACK, TAPROOT: WITNESS; WITNESS: P2SH), or take away what lacks its need. */
uint64_t    script_flags_fill(uint64_t flags);
uint64_t    script_flags_trim(uint64_t flags);

/* ---- verdicts ---- */
#define SCRIPT_ERRORS(X) \
    X(OK) X(UNKNOWN_ERROR) X(EVAL_FALSE) X(OP_RETURN) \
    X(SCRIPT_SIZE) X(PUSH_SIZE) X(OP_COUNT) X(STACK_SIZE) X(SIG_COUNT) X(PUBKEY_COUNT) \
    X(VERIFY) X(EQUALVERIFY) X(CHECKMULTISIGVERIFY) X(CHECKSIGVERIFY) X(NUMEQUALVERIFY) \
    X(BAD_OPCODE) X(DISABLED_OPCODE) X(INVALID_STACK_OPERATION) X(INVALID_ALTSTACK_OPERATION) X(UNBALANCED_CONDITIONAL) \
    X(NEGATIVE_LOCKTIME) X(UNSATISFIED_LOCKTIME) \
    X(SIG_HASHTYPE) X(SIG_DER) X(MINIMALDATA) X(SIG_PUSHONLY) X(SIG_HIGH_S) X(SIG_NULLDUMMY) X(PUBKEYTYPE) \
    X(CLEANSTACK) X(MINIMALIF) X(NULLFAIL) \
    X(DISCOURAGE_UPGRADABLE_NOPS) X(DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM) X(DISCOURAGE_UPGRADABLE_TAPROOT_VERSION) \
    X(DISCOURAGE_OP_SUCCESS) X(DISCOURAGE_UPGRADABLE_PUBKEYTYPE) \
    X(WITNESS_PROGRAM_WRONG_LENGTH) X(WITNESS_PROGRAM_WITNESS_EMPTY) X(WITNESS_PROGRAM_MISMATCH) \
    X(WITNESS_MALLEATED) X(WITNESS_MALLEATED_P2SH) X(WITNESS_UNEXPECTED) X(WITNESS_PUBKEYTYPE) \
    X(SCHNORR_SIG_SIZE) X(SCHNORR_SIG_HASHTYPE) X(SCHNORR_SIG) X(TAPROOT_WRONG_CONTROL_SIZE) \
    X(TAPSCRIPT_VALIDATION_WEIGHT) X(TAPSCRIPT_CHECKMULTISIG) X(TAPSCRIPT_MINIMALIF) X(TAPSCRIPT_EMPTY_PUBKEY) \
    X(OP_CODESEPARATOR) X(SIG_FINDANDDELETE) \
    X(TEMPLATE_MISMATCH) X(DISCOURAGE_CHECK_TEMPLATE_VERIFY_HASH) X(DISCOURAGE_UPGRADABLE_CHECK_TEMPLATE_VERIFY_HASH) \
    X(DISCOURAGE_OP_CAT) X(DISCOURAGE_CHECKSIGFROMSTACK) X(DISCOURAGE_INTERNALKEY) X(DISCOURAGE_TEMPLATEHASH) \
    X(DISCOURAGE_ANYPREVOUT) X(DISCOURAGE_PAIRCOMMIT) X(UNBOUND_INTERNALKEY) X(UNBOUND_ANYPREVOUT) \
    X(CAP_SCRIPT_BYTES) X(CAP_OPCODES) X(CAP_SIGNATURES) X(CAP_HASHED_BYTES) \
    X(CAP_STACK_BYTES) X(CAP_TIME) X(NO_MEMORY)
#define SCRIPT_ERROR_ENUM(name) SCRIPT_ERR_##name,
enum script_error { SCRIPT_ERRORS(SCRIPT_ERROR_ENUM) SCRIPT_ERROR_COUNT };
/* "EVAL_FALSE" and so on: Core's test names; the CAP_ and UNBOUND_ ones are ours. Never NULL. */
const char *script_error_name(enum script_error e);
/* "OP_CHECKSIG"; "OP_SUCCESS" or "OP_UNKNOWN" where there is no other name. For pushes of 1 to 75 bytes
 * "OP_PUSHBYTES". Never NULL. */
const char *script_opcode_name(uint8_t opcode);

enum script_part { SCRIPT_PART_SIG, SCRIPT_PART_PUBKEY, SCRIPT_PART_REDEEM, SCRIPT_PART_WITNESS, SCRIPT_PART_TAPSCRIPT };
struct script_result {
    enum script_error error;
    enum script_part  part;        /* which script was being looked at last */
    uint32_t          op_at;       /* index of its opcode (pushes count), when one failed; else UINT32_MAX */
    uint8_t           opcode;      /* that opcode */
};

/* ---- our own caps ----
 * Counted down over as many calls as the caller likes, so that they bound a whole request. Consensus has
 * no bound on a tapscript's length; here every cost has one. */
struct script_budget {
    uint64_t script_bytes;         /* of all scripts run */
    uint64_t opcodes;              /* looked at, executed or not */
    uint64_t signatures;           /* verified: ECDSA and Schnorr */
    uint64_t hashed_bytes;         /* by opcodes and by signature hashes */
    uint64_t stack_bytes;          /* a bound, not counted down; 0: what consensus allows */
    /* Asked now and then, at least once for each 256 opcodes, each signature and each 64 KiB hashed: is
     * the time over? NULL: never. The engine itself has no clock; a test gives one that counts. */
    bool   (*late)(void *clock);
    void    *clock;
    uint32_t unclocked;            /* the engine's own: work since it asked */
};
/* What `l` allows, with the time left to the caller to set. */
struct script_budget script_budget_of(const struct script_limits *l);
#define SCRIPT_BUDGET_BLOCK (script_budget_of(&SCRIPT_LIMITS_DEFAULT))
/* The limit that a CAP_ error is about, and what it counts ("hashed bytes"; NULL: no CAP_ error). */
const char *script_cap_unit(uint64_t *limit, const struct script_limits *l, enum script_error e);

/* ---- the engine ---- */
struct script_engine;
/* One per thread; it keeps nothing from one call to the next. Fails: E_MEMORY. */
err  script_engine_new(struct script_engine **out);
void script_engine_free(struct script_engine **e);
#define SCRIPT_ENGINE __attribute__((cleanup(script_engine_free))) struct script_engine *

/* Run input `input` of c->tx against script_pubkey: the spent output's script, or the emulated one.
 * Signatures are over c->spent, whatever script_pubkey is. The witness and scriptSig are the transaction's.
 * budget may be NULL: no caps. flags must be closed under script_flags_fill() (MUST).
 * Out: *res. OK means: allowed. Nothing is logged.
 * Fails: E_DENIED (the script says no, or is invalid: res->error), E_LIMIT (budget: res->error tells which),
 * E_MEMORY, E_FORMAT (no such input). */
err  script_verify(struct script_engine *e, struct script_result *res, const struct sighash_cache *c, uint32_t input,
                   const uint8_t *script_pubkey, size_t n, uint64_t flags, struct script_budget *budget);

/* ---- watching it ----
 * One instruction that was met, with the stacks as they are behind it (behind one that failed: as it left them). */
struct script_event {
    uint32_t          input;
    enum script_part  part;
    uint32_t          op_at, pc;       /* the instruction's index (pushes count), and the offset of its first byte */
    uint8_t           opcode;
    bool              executed;        /* false: inside a branch that is not taken */
    enum script_error error;           /* OK, or why the script ends here */
    uint32_t          main, alt;       /* elements on each stack */
    const struct script_engine *engine;
};
/* Called for each instruction that could be read, in order, with what is valid during the call only. It cannot change the
 * verdict. A cap that is met before an instruction is read, and what is refused before a script begins, make no event. */
struct script_watch { void (*on)(void *self, const struct script_event *e); void *self; };
/* Element `index` of a stack, 0 being the lowest; index < e->main or e->alt (MUST). */
struct span script_event_item(const struct script_event *e, bool alt, uint32_t index);
/* script_verify(), watched; `watch` may be NULL. */
err  script_verify_watched(struct script_engine *e, struct script_result *res, const struct sighash_cache *c, uint32_t input,
                           const uint8_t *script_pubkey, size_t n, uint64_t flags, struct script_budget *budget,
                           const struct script_watch *watch);

#endif
