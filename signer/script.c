/* From an input and an output to a verdict: scriptSig, scriptPubKey, P2SH, witness programs. */
#include "signer/script.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "signer/ec.h"
#include "signer/script_vm.h"
#include "signer/taproot.h"

enum { P2SH_SIZE = 23, PROGRAM_MIN = 4, PROGRAM_MAX = 42, P2WPKH_SCRIPT = 25 };

err script_engine_new(struct script_engine **out)
{
    /* What elements hold is set before it is read, so only the rest is cleared: most of 600 KiB is never touched. */
    *out = malloc(sizeof **out);
    if (!*out)
        FAIL(E_MEMORY, "no room for a script engine");
    memset(*out, 0, offsetof(struct vm, pool));
    return OK;
}

void script_engine_free(struct script_engine **e)
{
    free(*e);
    *e = NULL;
}

/* ---- shapes of scripts ---- */

static bool is_p2sh(const struct span *s)
{
    return s->n == P2SH_SIZE && s->p[0] == 0xa9 && s->p[1] == 20 && s->p[22] == 0x87;
}

/* BIP141: a small number, then one push of 2 to 40 bytes, and nothing else. */
static bool witness_program(const struct span *s, uint8_t *version, struct span *program)
{
    if (s->n < PROGRAM_MIN || s->n > PROGRAM_MAX || s->p[1] + 2u != s->n)
        return false;
    if (s->p[0] != 0 && (s->p[0] < 0x51 || s->p[0] > 0x60))
        return false;
    *version = s->p[0] ? (uint8_t)(s->p[0] - 0x50) : 0;
    *program = (struct span){ s->p + 2, s->n - 2 };
    return true;
}

static bool same(const struct span *a, const void *p, size_t n)
{
    return a->n == n && memcmp(a->p, p, n) == 0;
}

static bool true_on_top(struct vm *v)
{
    return v->main.n > 0 && element_true(stack_top(v, 0));
}

/* ---- witness ---- */

/* Put the first `count` items of the witness on an empty stack. */
static enum script_error load_witness(struct vm *v, uint32_t count)
{
    const struct tx_in *in = &v->tx->tx->in[v->input];
    struct rd r = rd_of(in->witness.p, in->witness.n);
    stack_reset(v);
    for (uint32_t i = 0; i < count; i++) {
        struct span item = tx_item(&r);
        if (item.n > SCRIPT_MAX_ELEMENT)
            return SCRIPT_ERR_PUSH_SIZE;
        if (i >= SCRIPT_FIRST_STACK)
            continue;                         /* go on looking for one too long: Core tells that first */
        MUST(stack_push(v, item.p, item.n));
    }
    return count > SCRIPT_FIRST_STACK ? SCRIPT_ERR_STACK_SIZE : SCRIPT_ERR_OK;
}

static enum script_error run_witness_script(struct vm *v, enum script_kind kind, const struct span *script, uint32_t count)
{
    v->res->part = kind == KIND_TAPSCRIPT ? SCRIPT_PART_TAPSCRIPT : SCRIPT_PART_WITNESS;
    enum script_error e = load_witness(v, count);
    if (e || (e = check_stack_bytes(v)) || (e = script_eval(v, kind, script->p, script->n)))
        return e;
    if (v->main.n != 1)
        return SCRIPT_ERR_CLEANSTACK;
    return true_on_top(v) ? SCRIPT_ERR_OK : SCRIPT_ERR_EVAL_FALSE;
}

static struct span last_item(const struct tx_in *in)
{
    struct rd r = rd_of(in->witness.p, in->witness.n);
    struct span item = { NULL, 0 };
    for (uint32_t i = 0; i < in->witness_count; i++)
        item = tx_item(&r);
    return item;
}

/* BIP141: the last item is the script, and its hash the program. */
static enum script_error verify_p2wsh(struct vm *v, const struct span *program)
{
    const struct tx_in *in = &v->tx->tx->in[v->input];
    uint8_t hash[32];
    if (in->witness_count == 0)
        return SCRIPT_ERR_WITNESS_PROGRAM_WITNESS_EMPTY;
    struct span script = last_item(in);
    enum script_error e = spend_hashed(v, script.n);
    if (e)
        return e;
    sha256(hash, script.p, script.n);
    if (!same(program, hash, sizeof hash))
        return SCRIPT_ERR_WITNESS_PROGRAM_MISMATCH;
    return run_witness_script(v, KIND_V0, &script, in->witness_count - 1);
}

static enum script_error verify_p2wpkh(struct vm *v, const struct span *program)
{
    uint8_t code[P2WPKH_SCRIPT] = { 0x76, 0xa9, 20 };
    struct span script = { code, sizeof code };
    if (v->tx->tx->in[v->input].witness_count != 2)
        return SCRIPT_ERR_WITNESS_PROGRAM_MISMATCH;
    memcpy(code + 3, program->p, 20);
    code[23] = 0x88;
    code[24] = 0xac;
    return run_witness_script(v, KIND_V0, &script, 2);
}

/* BIP342: a script with an OP_SUCCESS succeeds whatever else it holds, even undecodable bytes
 * behind it. Returns true when the verdict is in *e. */
static bool op_success(struct vm *v, enum script_error *e, const struct span *script)
{
    struct span push;
    uint8_t op;
    uint32_t index = 0;
    *e = SCRIPT_ERR_OK;
    for (size_t at = 0; at < script->n; index++) {
        bool whole = script_step(script->p, script->n, &at, &op, &push);
        const struct opcode *o = &script_opcodes[op];
        if (!whole)
            *e = SCRIPT_ERR_BAD_OPCODE;
        else if (o->discourage & v->flags)
            *e = o->discouraged;
        else if (!script_is_op_success(op, v->flags))
            continue;
        else if (v->flags & SCRIPT_DISCOURAGE_OP_SUCCESS)
            *e = SCRIPT_ERR_DISCOURAGE_OP_SUCCESS;
        if (*e) {
            v->res->op_at = index;
            v->res->opcode = op;
        }
        return true;
    }
    return false;
}

static enum script_error run_tapscript(struct vm *v, const struct taproot_witness *w, const uint8_t *internal)
{
    const struct tx_in *in = &v->tx->tx->in[v->input];
    enum script_error e;
    v->res->part = SCRIPT_PART_TAPSCRIPT;
    v->internal = internal;
    v->weight_left = (int64_t)(compact_size(in->witness_count) + in->witness.n) + SCRIPT_SIG_WEIGHT;
    if (op_success(v, &e, &w->script))
        return e;
    if (w->stack_count > SCRIPT_MAX_STACK)
        return SCRIPT_ERR_STACK_SIZE;
    return run_witness_script(v, KIND_TAPSCRIPT, &w->script, w->stack_count);
}

static enum script_error verify_script_path(struct vm *v, const struct taproot_witness *w, const struct span *program)
{
    struct taproot_control c;
    if (!taproot_control_parse(&c, w->control.p, w->control.n))
        return SCRIPT_ERR_TAPROOT_WRONG_CONTROL_SIZE;
    enum script_error e = spend_hashed(v, w->script.n + w->control.n * 4);
    if (e)
        return e;
    v->leaf = (struct sighash_leaf){ .codesep = UINT32_MAX };
    taproot_leaf_hash(v->leaf.leaf_hash, c.leaf_version, w->script.p, w->script.n);
    if (!taproot_commits(program->p, NULL, &c, v->leaf.leaf_hash))
        return SCRIPT_ERR_WITNESS_PROGRAM_MISMATCH;
    if (c.leaf_version == TAPROOT_LEAF_TAPSCRIPT)
        return run_tapscript(v, w, c.internal);
    return v->flags & SCRIPT_DISCOURAGE_LEAF_VERSION ? SCRIPT_ERR_DISCOURAGE_UPGRADABLE_TAPROOT_VERSION : SCRIPT_ERR_OK;
}

static enum script_error verify_taproot(struct vm *v, const struct span *program)
{
    struct taproot_witness w;
    if (taproot_witness_read(&w, &v->tx->tx->in[v->input]).code)
        return SCRIPT_ERR_UNKNOWN_ERROR;
    if (w.path == TAPROOT_NO_WITNESS)
        return SCRIPT_ERR_WITNESS_PROGRAM_WITNESS_EMPTY;
    enum script_error e = spend_hashed(v, w.annex.n);
    if (e)
        return e;
    sighash_input_begin(&v->hashes, v->tx, v->input, w.has_annex ? &w.annex : NULL);
    if (w.path == TAPROOT_KEY_PATH)
        return check_schnorr(v, w.signature.p, w.signature.n, program->p, NULL);
    return verify_script_path(v, &w, program);
}

static enum script_error verify_program(struct vm *v, uint8_t version, const struct span *program, bool in_p2sh)
{
    v->res->part = SCRIPT_PART_WITNESS;
    if (version == 0 && program->n == 32)
        return verify_p2wsh(v, program);
    if (version == 0)
        return program->n == 20 ? verify_p2wpkh(v, program) : SCRIPT_ERR_WITNESS_PROGRAM_WRONG_LENGTH;
    if (version == 1 && program->n == 32 && !in_p2sh)
        return v->flags & SCRIPT_TAPROOT ? verify_taproot(v, program) : SCRIPT_ERR_OK;
    if (version == 1 && !in_p2sh && same(program, "\x4e\x73", 2))
        return SCRIPT_ERR_OK;                 /* pay to anchor: anyone's by design */
    return v->flags & SCRIPT_DISCOURAGE_WITNESS ? SCRIPT_ERR_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM : SCRIPT_ERR_OK;
}

/* ---- the whole input ---- */

struct spend { struct span sig, pubkey; bool had_witness; uint32_t left; };   /* left: elements, for CLEANSTACK */

static enum script_error run_part(struct vm *v, enum script_part part, const struct span *script)
{
    v->res->part = part;
    return script_eval(v, KIND_BASE, script->p, script->n);
}

/* The scriptSig's last push is the script. It is push-only, so running it again gives the
 * stack that it left, with no need for a copy. */
static enum script_error verify_p2sh(struct vm *v, struct spend *s)
{
    struct span redeem, program;
    uint8_t version, push[3 + SCRIPT_MAX_ELEMENT];
    v->res->part = SCRIPT_PART_REDEEM;
    if (!script_push_only(s->sig.p, s->sig.n))
        return SCRIPT_ERR_SIG_PUSHONLY;
    stack_reset(v);
    enum script_error e = run_part(v, SCRIPT_PART_SIG, &s->sig);
    if (e)
        return e;
    MUST(v->main.n > 0);                      /* or the scriptPubKey had nothing to hash */
    redeem = (struct span){ v->redeem, stack_top(v, 0)->n };
    memcpy(v->redeem, stack_top(v, 0)->b, redeem.n);
    stack_pop(v, 1);
    if ((e = run_part(v, SCRIPT_PART_REDEEM, &redeem)))
        return e;
    if (!true_on_top(v))
        return SCRIPT_ERR_EVAL_FALSE;
    s->left = v->main.n;
    if (!(v->flags & SCRIPT_WITNESS) || !witness_program(&redeem, &version, &program))
        return SCRIPT_ERR_OK;
    s->had_witness = true;
    s->left = 1;
    push[0] = (uint8_t)redeem.n;              /* at most 42: one byte of length */
    memcpy(push + 1, redeem.p, redeem.n);
    if (!same(&s->sig, push, redeem.n + 1))
        return SCRIPT_ERR_WITNESS_MALLEATED_P2SH;
    return verify_program(v, version, &program, true);
}

static enum script_error verify_pubkey(struct vm *v, struct spend *s)
{
    struct span program;
    uint8_t version;
    if (!true_on_top(v))
        return SCRIPT_ERR_EVAL_FALSE;
    s->left = v->main.n;
    if ((v->flags & SCRIPT_WITNESS) && witness_program(&s->pubkey, &version, &program)) {
        s->had_witness = true;
        s->left = 1;
        if (s->sig.n > 0)
            return SCRIPT_ERR_WITNESS_MALLEATED;
        return verify_program(v, version, &program, false);
    }
    return (v->flags & SCRIPT_P2SH) && is_p2sh(&s->pubkey) ? verify_p2sh(v, s) : SCRIPT_ERR_OK;
}

static enum script_error verify(struct vm *v, struct spend *s)
{
    const struct tx_in *in = &v->tx->tx->in[v->input];
    if ((v->flags & SCRIPT_SIGPUSHONLY) && !script_push_only(s->sig.p, s->sig.n))
        return SCRIPT_ERR_SIG_PUSHONLY;
    stack_reset(v);
    enum script_error e = run_part(v, SCRIPT_PART_SIG, &s->sig);
    if (e || (e = run_part(v, SCRIPT_PART_PUBKEY, &s->pubkey)) || (e = verify_pubkey(v, s)))
        return e;
    if ((v->flags & SCRIPT_CLEANSTACK) && s->left != 1)
        return SCRIPT_ERR_CLEANSTACK;
    if ((v->flags & SCRIPT_WITNESS) && !s->had_witness && in->witness_count > 0)
        return SCRIPT_ERR_WITNESS_UNEXPECTED;
    return SCRIPT_ERR_OK;
}

static err verdict(enum script_error e)
{
    switch (e) {
    case SCRIPT_ERR_OK:
        return OK;
    case SCRIPT_ERR_CAP_SCRIPT_BYTES:
    case SCRIPT_ERR_CAP_OPCODES:
    case SCRIPT_ERR_CAP_SIGNATURES:
    case SCRIPT_ERR_CAP_HASHED_BYTES:
    case SCRIPT_ERR_CAP_STACK_BYTES:
    case SCRIPT_ERR_CAP_TIME:
        return (err){ E_LIMIT };
    case SCRIPT_ERR_NO_MEMORY:
        return (err){ E_MEMORY };
    default:
        return (err){ E_DENIED };
    }
}

err script_verify(struct script_engine *e, struct script_result *res, const struct sighash_cache *c, uint32_t input,
                  const uint8_t *script_pubkey, size_t n, uint64_t flags, struct script_budget *budget)
{
    return script_verify_watched(e, res, c, input, script_pubkey, n, flags, budget, NULL);
}

err script_verify_watched(struct script_engine *e, struct script_result *res, const struct sighash_cache *c, uint32_t input,
                          const uint8_t *script_pubkey, size_t n, uint64_t flags, struct script_budget *budget,
                          const struct script_watch *watch)
{
    struct vm *v = &e->vm;
    *res = (struct script_result){ .error = SCRIPT_ERR_UNKNOWN_ERROR, .op_at = UINT32_MAX };
    MUST(flags == script_flags_fill(flags));
    if (input >= c->tx->in_count)
        FAIL(E_FORMAT, "transaction has no input %u", input);
    v->tx = c;
    v->input = input;
    v->flags = flags;
    v->budget = budget;
    v->watch = watch;
    v->res = res;
    v->internal = NULL;
    struct spend s = { .sig = c->tx->in[input].script_sig, .pubkey = { script_pubkey, n } };
    res->error = verify(v, &s);
    v->res = NULL;
    v->watch = NULL;
    return verdict(res->error);
}
