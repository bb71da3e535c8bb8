/* script_vm.h - the inside of the interpreter, shared by its files only.
 *
 * An opcode is one row of the table in script_table.c and one function of type
 * opcode_fn. The loop in script_eval.c has done, before the function runs: the
 * checks of length and count, the row's least stack depth (`need`), and the rule
 * that an unknown opcode is BAD_OPCODE. The function returns an error or OK. */
#ifndef SIGNER_SCRIPT_VM_H
#define SIGNER_SCRIPT_VM_H
#include "signer/script.h"

enum {
    SCRIPT_MAX_BYTES = 10000, SCRIPT_MAX_ELEMENT = 520, SCRIPT_MAX_OPS = 201, SCRIPT_MAX_STACK = 1000,
    SCRIPT_MAX_KEYS = 20, SCRIPT_SIG_WEIGHT = 50,
    /* A v0 witness may begin above 1,000 elements, as long as the first opcode brings it down: the
     * largest CHECKMULTISIG takes 43 and leaves 1. More than that, and no first opcode can. */
    SCRIPT_FIRST_STACK = SCRIPT_MAX_STACK + 42,
    SCRIPT_SLOTS = SCRIPT_FIRST_STACK + 8     /* and what one opcode adds before the check */
};

struct element { uint16_t n; uint8_t b[SCRIPT_MAX_ELEMENT]; };
/* Element numbers, bottom first. Both stacks share one pool, so that moving costs no copy. */
struct stack { uint32_t n; uint16_t at[SCRIPT_SLOTS]; };

enum script_kind { KIND_BASE = 1, KIND_V0 = 2, KIND_TAPSCRIPT = 4 };

struct vm {
    /* the call */
    const struct sighash_cache *tx;
    uint32_t              input;
    uint64_t              flags;
    struct script_budget *budget;             /* or NULL */
    struct script_result *res;
    const struct script_watch *watch;         /* or NULL */
    struct sighash_input  hashes;             /* taproot: annex and own output */
    /* the script that runs */
    enum script_kind      kind;
    const uint8_t        *script;
    size_t                n, at, code_from;   /* code_from: behind the last executed OP_CODESEPARATOR */
    uint8_t               op;
    struct span           push;               /* data of the present push */
    uint32_t              op_at, op_count;
    uint32_t              depth, dark;        /* open IFs; number of the first false one, 0 = none: executing */
    /* tapscript */
    struct sighash_leaf   leaf;
    int64_t               weight_left;
    const uint8_t        *internal;
    /* memory */
    struct stack          main, alt;
    uint16_t              free_at[SCRIPT_SLOTS];
    uint32_t              free_n;
    struct element        pool[SCRIPT_SLOTS];
    uint8_t               redeem[SCRIPT_MAX_ELEMENT];
    uint8_t               code[SCRIPT_MAX_BYTES];   /* script code with signatures cut out */
};
struct script_engine { struct vm vm; };

typedef enum script_error opcode_fn(struct vm *v);
enum { OP_ALWAYS = 1, OP_DISABLED = 2 };      /* run in a branch not taken; fail even there (not in tapscript) */
struct opcode {
    const char *name;
    opcode_fn  *run;                          /* NULL: BAD_OPCODE when executed */
    uint8_t     need, how, kinds;             /* kinds 0: all */
    uint64_t    rule;                         /* tapscript: OP_SUCCESS unless this flag is set */
    uint64_t    discourage;                   /* tapscript: refused when the script holds it and this flag is set */
    enum script_error discouraged;
};
extern const struct opcode script_opcodes[256];

/* The instruction at *at. Returns false when it is cut off. push.p is NULL for what is no push. */
bool script_step(const uint8_t *script, size_t n, size_t *at, uint8_t *op, struct span *push);
/* Is it push-only: everything up to OP_16? */
bool script_push_only(const uint8_t *script, size_t n);
/* Run one script on the stacks as they are. */
enum script_error script_eval(struct vm *v, enum script_kind kind, const uint8_t *script, size_t n);
bool script_is_op_success(uint8_t op, uint64_t flags);

/* Stack: 0 is the top. The caller has checked the depth. */
struct element *stack_top(struct vm *v, uint32_t from_top);
void stack_reset(struct vm *v);
bool stack_push(struct vm *v, const void *p, size_t n);      /* false: no slot (cannot happen before STACK_SIZE), or over 520 */
struct element *stack_new(struct vm *v);                      /* a new empty top, or NULL */
void stack_pop(struct vm *v, uint32_t count);
void stack_roll(struct vm *v, uint32_t from_top);             /* bring it to the top */
void stack_push_bool(struct vm *v, bool b);
bool element_true(const struct element *e);

/* Numbers: at most `max` bytes, sign and magnitude, little-endian. */
bool num_read(int64_t *out, const struct vm *v, uint32_t from_top, size_t max);
void num_push(struct vm *v, int64_t x);
size_t num_write(uint8_t out[static 9], int64_t x);

/* Count against the budget. */
enum script_error spend_hashed(struct vm *v, uint64_t bytes);
enum script_error spend_signature(struct vm *v);
enum script_error spend_time(struct vm *v, uint64_t work);    /* 256: ask the clock */
enum script_error check_stack_bytes(const struct vm *v);      /* both stacks, against the budget */
/* BIP342's budget: each signature that is there takes 50 off the witness's weight, whatever key it is for. */
enum script_error spend_weight(struct vm *v);

/* BIP340 signature of 64 or 65 bytes over this input (taproot key path, and tapscript keys of 32 bytes). */
enum script_error check_schnorr(struct vm *v, const uint8_t *sig, size_t n, const uint8_t key[static 32],
                                const struct sighash_leaf *leaf);
/* CHECKLOCKTIMEVERIFY's and CHECKSEQUENCEVERIFY's rule. */
bool lock_time_ok(const struct vm *v, int64_t want);
bool lock_sequence_ok(const struct vm *v, int64_t want);

/* What OP_CHECKTEMPLATEVERIFY and OP_TEMPLATEHASH hash. Fails: E_MEMORY. */
err  script_template_ctv(uint8_t out[static 32], const struct sighash_cache *c, uint32_t input);
void script_template_hash(uint8_t out[static 32], const struct sighash_input *in);

/* One function a row; which variant, v->op tells. */
opcode_fn op_push, op_small_number, op_nop, op_nop_upgradable, op_bad, op_if, op_else, op_endif, op_verify, op_return,
    op_toalt, op_fromalt, op_drop, op_dup, op_ifdup, op_depth, op_nip, op_over, op_pick, op_rot, op_swap, op_tuck,
    op_size, op_equal, op_unary, op_binary, op_within, op_hash, op_codeseparator, op_checksig, op_checksigadd,
    op_checkmultisig, op_cltv, op_csv, op_cat, op_ctv, op_csfs, op_internalkey, op_templatehash, op_paircommit;

#endif
