/* Opcodes that check signatures and locks. */
#include <string.h>

#include "signer/ec.h"
#include "signer/script_vm.h"

enum { OP_CHECKSIGVERIFY = 0xad, OP_CHECKMULTISIGVERIFY = 0xaf };

/* BIP66: strict DER of two positive integers, then one byte of hash type. 9 to 73 bytes. */
static bool der_strict(const uint8_t *s, size_t n)
{
    if (n < 9 || n > 73 || s[0] != 0x30 || s[1] != n - 3)
        return false;
    size_t r = s[3];
    if (5 + r >= n)
        return false;
    size_t at = r + 4, len = s[5 + r];
    if (r + len + 7 != n || s[2] != 0x02 || s[at] != 0x02 || r == 0 || len == 0)
        return false;
    const uint8_t *a = s + 4, *b = s + at + 2;
    if (a[0] & 0x80 || b[0] & 0x80)
        return false;
    return !(r > 1 && a[0] == 0 && !(a[1] & 0x80)) && !(len > 1 && b[0] == 0 && !(b[1] & 0x80));
}

static enum script_error signature_form(const struct vm *v, const struct element *sig)
{
    if (sig->n == 0)
        return SCRIPT_ERR_OK;
    if ((v->flags & (SCRIPT_DERSIG | SCRIPT_LOW_S | SCRIPT_STRICTENC)) && !der_strict(sig->b, sig->n))
        return SCRIPT_ERR_SIG_DER;
    if ((v->flags & SCRIPT_LOW_S) && !ec_ecdsa_low_s(sig->b, sig->n - 1u))
        return SCRIPT_ERR_SIG_HIGH_S;
    uint8_t type = sig->b[sig->n - 1] & (uint8_t)~SIGHASH_ANYONECANPAY;
    if ((v->flags & SCRIPT_STRICTENC) && (type < SIGHASH_ALL || type > SIGHASH_SINGLE))
        return SCRIPT_ERR_SIG_HASHTYPE;
    return SCRIPT_ERR_OK;
}

static enum script_error key_form(const struct vm *v, const struct element *key)
{
    bool compressed = key->n == 33 && (key->b[0] == 2 || key->b[0] == 3);
    bool plain = key->n == 65 && key->b[0] == 4;
    if ((v->flags & SCRIPT_STRICTENC) && !compressed && !plain)
        return SCRIPT_ERR_PUBKEYTYPE;
    if ((v->flags & SCRIPT_WITNESS_PUBKEYTYPE) && v->kind == KIND_V0 && !compressed)
        return SCRIPT_ERR_WITNESS_PUBKEYTYPE;
    return SCRIPT_ERR_OK;
}

/* ---- the script code of ECDSA signatures ---- */

/* From behind the last executed OP_CODESEPARATOR; before segwit without the signatures themselves,
 * which are cut out of a copy in v->code. */
static struct span script_code(const struct vm *v)
{
    return (struct span){ v->script + v->code_from, v->n - v->code_from };
}

/* Remove every push of `sig` that begins where an instruction begins. Returns how many. `code`
 * points at the script, or at v->code after an earlier call; then it is done in place. */
static size_t find_and_delete(struct vm *v, struct span *code, const struct element *sig)
{
    uint8_t want[SCRIPT_MAX_ELEMENT + 3];
    struct wr w = wr_of(want, sizeof want);
    if (sig->n >= 0x4c)
        wr_u8(&w, sig->n <= 0xff ? 0x4c : 0x4d);
    if (sig->n <= 0xff)
        wr_u8(&w, (uint8_t)sig->n);
    else
        wr_u16(&w, sig->n);
    wr_bytes(&w, sig->b, sig->n);
    MUST(!w.full && code->n <= sizeof v->code);

    size_t found = 0, at = 0, out = 0, start;
    uint8_t op;
    struct span push;
    do {
        for (; code->n - at >= w.len && memcmp(code->p + at, want, w.len) == 0; found++)
            at += w.len;
        start = at;
        if (!script_step(code->p, code->n, &at, &op, &push))
            at = code->n;                     /* a cut-off tail is kept as it is */
        memmove(v->code + out, code->p + start, at - start);
        out += at - start;
    } while (at > start && at < code->n);
    *code = (struct span){ v->code, out };
    return found;
}

static bool check_ecdsa(struct vm *v, enum script_error *fail, const struct element *sig, const struct element *key,
                        const struct span *code)
{
    uint8_t hash[32];
    if (sig->n == 0)
        return false;
    uint64_t cost = v->kind == KIND_BASE ? tx_size(v->tx->tx, false) + code->n : code->n + 200;
    if ((*fail = spend_signature(v)) || (*fail = spend_hashed(v, cost)))
        return false;
    uint32_t type = sig->b[sig->n - 1];
    if (v->kind == KIND_V0)
        sighash_v0(hash, v->tx, v->input, type, code->p, code->n);
    else if (sighash_legacy(hash, v->tx->tx, v->input, type, code->p, code->n).code) {
        *fail = SCRIPT_ERR_NO_MEMORY;
        return false;
    }
    return ec_ecdsa_verify(sig->b, sig->n - 1u, key->b, key->n, hash);
}

/* ---- Schnorr ---- */

enum script_error check_schnorr(struct vm *v, const uint8_t *sig, size_t n, const uint8_t key[static 32],
                                const struct sighash_leaf *leaf)
{
    struct sigmsg m;
    uint8_t hash[32], type = SIGHASH_DEFAULT;
    if (n != 64 && n != 65)
        return SCRIPT_ERR_SCHNORR_SIG_SIZE;
    if (n == 65 && (type = sig[64]) == SIGHASH_DEFAULT)
        return SCRIPT_ERR_SCHNORR_SIG_HASHTYPE;
    if (!sighash_input_message(&m, &v->hashes, type, leaf))
        return SCRIPT_ERR_SCHNORR_SIG_HASHTYPE;
    enum script_error e = spend_signature(v);
    if (e || (e = spend_hashed(v, m.n)))
        return e;
    sighash_taproot(hash, &m);
    return ec_schnorr_verify(sig, hash, sizeof hash, key) ? SCRIPT_ERR_OK : SCRIPT_ERR_SCHNORR_SIG;
}

enum script_error spend_weight(struct vm *v)
{
    v->weight_left -= SCRIPT_SIG_WEIGHT;
    return v->weight_left < 0 ? SCRIPT_ERR_TAPSCRIPT_VALIDATION_WEIGHT : SCRIPT_ERR_OK;
}

/* BIP118: the key 01 stands for the internal key, 01||x for x, with more hash types. */
static const uint8_t *apo_key(const struct vm *v, const struct element *key)
{
    if (!(v->flags & (SCRIPT_APO | SCRIPT_DISCOURAGE_APO)) || key->n == 0 || key->b[0] != 1)
        return NULL;
    return key->n == 1 ? v->internal : key->n == 33 ? key->b + 1 : NULL;
}

static enum script_error checksig_tapscript(struct vm *v, bool *yes, const struct element *sig, const struct element *key)
{
    enum script_error e = SCRIPT_ERR_OK;
    *yes = sig->n > 0;
    if (*yes && (e = spend_weight(v)))
        return e;
    if (key->n == 0)
        return SCRIPT_ERR_TAPSCRIPT_EMPTY_PUBKEY;
    if (key->n == 32)
        return *yes ? check_schnorr(v, sig->b, sig->n, key->b, &v->leaf) : SCRIPT_ERR_OK;
    const uint8_t *apo = apo_key(v, key);
    if (apo && (v->flags & SCRIPT_DISCOURAGE_APO))
        return SCRIPT_ERR_DISCOURAGE_ANYPREVOUT;
    if (apo && key->n == 1 && (v->flags & SCRIPT_UNBOUND_INTERNAL))
        return SCRIPT_ERR_UNBOUND_ANYPREVOUT;
    if (apo) {
        struct sighash_leaf leaf = v->leaf;
        leaf.key_version = 1;
        return *yes ? check_schnorr(v, sig->b, sig->n, apo, &leaf) : SCRIPT_ERR_OK;
    }
    return v->flags & SCRIPT_DISCOURAGE_PUBKEYTYPE ? SCRIPT_ERR_DISCOURAGE_UPGRADABLE_PUBKEYTYPE : SCRIPT_ERR_OK;
}

static enum script_error checksig_ecdsa(struct vm *v, bool *yes, const struct element *sig, const struct element *key)
{
    struct span code = script_code(v);
    *yes = false;
    if (v->kind == KIND_BASE && find_and_delete(v, &code, sig) > 0 && (v->flags & SCRIPT_CONST_SCRIPTCODE))
        return SCRIPT_ERR_SIG_FINDANDDELETE;
    enum script_error e = signature_form(v, sig);
    if (e || (e = key_form(v, key)))
        return e;
    *yes = check_ecdsa(v, &e, sig, key, &code);
    if (!e && !*yes && (v->flags & SCRIPT_NULLFAIL) && sig->n > 0)
        return SCRIPT_ERR_NULLFAIL;
    return e;
}

static enum script_error checksig(struct vm *v, bool *yes, const struct element *sig, const struct element *key)
{
    return v->kind == KIND_TAPSCRIPT ? checksig_tapscript(v, yes, sig, key) : checksig_ecdsa(v, yes, sig, key);
}

enum script_error op_codeseparator(struct vm *v)
{
    v->code_from = v->at;
    v->leaf.codesep = v->op_at;
    return SCRIPT_ERR_OK;
}

enum script_error op_checksig(struct vm *v)
{
    bool yes;
    enum script_error e = checksig(v, &yes, stack_top(v, 1), stack_top(v, 0));
    if (e)
        return e;
    stack_pop(v, 2);
    if (v->op == OP_CHECKSIGVERIFY)
        return yes ? SCRIPT_ERR_OK : SCRIPT_ERR_CHECKSIGVERIFY;
    stack_push_bool(v, yes);
    return SCRIPT_ERR_OK;
}

/* (signature number key -- number + 1 if it verifies) */
enum script_error op_checksigadd(struct vm *v)
{
    bool yes;
    int64_t n;
    if (!num_read(&n, v, 1, 4))
        return SCRIPT_ERR_UNKNOWN_ERROR;
    enum script_error e = checksig(v, &yes, stack_top(v, 2), stack_top(v, 0));
    if (e)
        return e;
    stack_pop(v, 3);
    num_push(v, n + yes);
    return SCRIPT_ERR_OK;
}

/* ---- CHECKMULTISIG: dummy, signatures, their count, keys, their count (top) ---- */

struct multisig { uint32_t keys, sigs, first_key, first_sig, all; };   /* places from the top */

static enum script_error multisig_shape(struct vm *v, struct multisig *m)
{
    int64_t n;
    if (v->main.n < 1)
        return SCRIPT_ERR_INVALID_STACK_OPERATION;
    if (!num_read(&n, v, 0, 4))
        return SCRIPT_ERR_UNKNOWN_ERROR;
    if (n < 0 || n > SCRIPT_MAX_KEYS)
        return SCRIPT_ERR_PUBKEY_COUNT;
    m->keys = (uint32_t)n;
    v->op_count += m->keys;
    if (v->op_count > SCRIPT_MAX_OPS)
        return SCRIPT_ERR_OP_COUNT;
    m->first_key = 1;
    if (v->main.n < m->keys + 2)
        return SCRIPT_ERR_INVALID_STACK_OPERATION;
    if (!num_read(&n, v, m->keys + 1, 4))
        return SCRIPT_ERR_UNKNOWN_ERROR;
    if (n < 0 || n > m->keys)
        return SCRIPT_ERR_SIG_COUNT;
    m->sigs = (uint32_t)n;
    m->first_sig = m->keys + 2;
    m->all = m->keys + m->sigs + 2;
    return v->main.n < m->all + 1 ? SCRIPT_ERR_INVALID_STACK_OPERATION : SCRIPT_ERR_OK;
}

/* Signatures must be in the keys' order; each key is tried once. */
static enum script_error multisig_run(struct vm *v, bool *yes, const struct multisig *m)
{
    struct span code = script_code(v);
    uint32_t key = m->first_key, keys = m->keys, sig = m->first_sig, sigs = m->sigs;
    for (uint32_t i = 0; v->kind == KIND_BASE && i < sigs; i++)
        if (find_and_delete(v, &code, stack_top(v, sig + i)) > 0 && (v->flags & SCRIPT_CONST_SCRIPTCODE))
            return SCRIPT_ERR_SIG_FINDANDDELETE;
    *yes = true;
    while (*yes && sigs > 0) {
        const struct element *s = stack_top(v, sig), *k = stack_top(v, key);
        enum script_error e = signature_form(v, s);
        if (e || (e = key_form(v, k)))
            return e;
        if (check_ecdsa(v, &e, s, k, &code)) {
            sig++;
            sigs--;
        }
        if (e)
            return e;
        key++;
        keys--;
        *yes = sigs <= keys;
    }
    return SCRIPT_ERR_OK;
}

static bool all_signatures_empty(struct vm *v, const struct multisig *m)
{
    for (uint32_t i = 0; i < m->sigs; i++)
        if (stack_top(v, m->first_sig + i)->n > 0)
            return false;
    return true;
}

enum script_error op_checkmultisig(struct vm *v)
{
    struct multisig m = { 0 };
    bool yes = false;
    if (v->kind == KIND_TAPSCRIPT)
        return SCRIPT_ERR_TAPSCRIPT_CHECKMULTISIG;
    enum script_error e = multisig_shape(v, &m);
    if (e || (e = multisig_run(v, &yes, &m)))
        return e;
    if (!yes && (v->flags & SCRIPT_NULLFAIL) && !all_signatures_empty(v, &m))
        return SCRIPT_ERR_NULLFAIL;
    /* One element more than needed has been taken since the first release. */
    if ((v->flags & SCRIPT_NULLDUMMY) && stack_top(v, m.all)->n > 0)
        return SCRIPT_ERR_SIG_NULLDUMMY;
    stack_pop(v, m.all + 1);
    if (v->op == OP_CHECKMULTISIGVERIFY)
        return yes ? SCRIPT_ERR_OK : SCRIPT_ERR_CHECKMULTISIGVERIFY;
    stack_push_bool(v, yes);
    return SCRIPT_ERR_OK;
}

/* ---- locks ---- */

enum { LOCK_IS_TIME = 500000000, SEQUENCE_TIME = 1 << 22, SEQUENCE_VALUE = 0xffff };
#define SEQUENCE_OFF   UINT32_C(0x80000000)
#define SEQUENCE_FINAL UINT32_C(0xffffffff)

bool lock_time_ok(const struct vm *v, int64_t want)
{
    int64_t have = v->tx->tx->locktime;
    if ((have < LOCK_IS_TIME) != (want < LOCK_IS_TIME) || want > have)
        return false;
    return v->tx->tx->in[v->input].sequence != SEQUENCE_FINAL;   /* else the lock time is not looked at */
}

bool lock_sequence_ok(const struct vm *v, int64_t want)
{
    uint32_t have = v->tx->tx->in[v->input].sequence;
    if ((uint32_t)v->tx->tx->version < 2 || have & SEQUENCE_OFF)
        return false;
    int64_t mask = SEQUENCE_TIME | SEQUENCE_VALUE, h = have & mask, w = want & mask;
    return (h < SEQUENCE_TIME) == (w < SEQUENCE_TIME) && w <= h;
}

static enum script_error lock_number(struct vm *v, int64_t *n)
{
    if (v->main.n < 1)
        return SCRIPT_ERR_INVALID_STACK_OPERATION;
    if (!num_read(n, v, 0, 5))
        return SCRIPT_ERR_UNKNOWN_ERROR;
    return *n < 0 ? SCRIPT_ERR_NEGATIVE_LOCKTIME : SCRIPT_ERR_OK;
}

enum script_error op_cltv(struct vm *v)
{
    int64_t n;
    if (!(v->flags & SCRIPT_CHECKLOCKTIMEVERIFY))
        return SCRIPT_ERR_OK;
    enum script_error e = lock_number(v, &n);
    return e ? e : lock_time_ok(v, n) ? SCRIPT_ERR_OK : SCRIPT_ERR_UNSATISFIED_LOCKTIME;
}

enum script_error op_csv(struct vm *v)
{
    int64_t n;
    if (!(v->flags & SCRIPT_CHECKSEQUENCEVERIFY))
        return SCRIPT_ERR_OK;
    enum script_error e = lock_number(v, &n);
    if (e || (n & SEQUENCE_OFF))
        return e;
    return lock_sequence_ok(v, n) ? SCRIPT_ERR_OK : SCRIPT_ERR_UNSATISFIED_LOCKTIME;
}
