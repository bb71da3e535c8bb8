/* Opcodes that the network has not activated. Each has a row with its flag in script_table.c. */
#include <string.h>

#include "core/hash.h"
#include "signer/ec.h"
#include "signer/script_vm.h"

/* BIP347: (a b -- a||b). */
enum script_error op_cat(struct vm *v)
{
    struct element *low = stack_top(v, 1), *top = stack_top(v, 0);
    if (low->n + top->n > SCRIPT_MAX_ELEMENT)
        return SCRIPT_ERR_PUSH_SIZE;
    memcpy(low->b + low->n, top->b, top->n);
    low->n = (uint16_t)(low->n + top->n);
    stack_pop(v, 1);
    return SCRIPT_ERR_OK;
}

static bool any_script_sig(const struct tx *t)
{
    for (size_t i = 0; i < t->in_count; i++)
        if (t->in[i].script_sig.n > 0)
            return true;
    return false;
}

static void run_tidy(struct sha256_run **r)
{
    if (*r)
        sha256_drop(r);
}

/* SHA-256 over all scriptSigs, each behind its length. */
static err script_sigs_hash(uint8_t out[static 32], const struct tx *t)
{
    __attribute__((cleanup(run_tidy))) struct sha256_run *h = NULL;
    TRY(sha256_begin(&h));
    for (size_t i = 0; i < t->in_count; i++) {
        uint8_t len[9];
        struct wr w = wr_of(len, sizeof len);
        wr_compact(&w, t->in[i].script_sig.n);
        sha256_add(h, len, w.len);
        if (t->in[i].script_sig.n)
            sha256_add(h, t->in[i].script_sig.p, t->in[i].script_sig.n);
    }
    sha256_end(&h, out);
    return OK;
}

/* BIP119's template: what the transaction is but for its outpoints. */
err script_template_ctv(uint8_t out[static 32], const struct sighash_cache *c, uint32_t input)
{
    uint8_t b[4 + 4 + 32 + 4 + 32 + 4 + 32 + 4], sigs[32];
    struct wr w = wr_of(b, sizeof b);
    wr_u32(&w, (uint32_t)c->tx->version);
    wr_u32(&w, c->tx->locktime);
    if (any_script_sig(c->tx)) {
        TRY(script_sigs_hash(sigs, c->tx));
        wr_bytes(&w, sigs, 32);
    }
    wr_u32(&w, (uint32_t)c->tx->in_count);
    wr_bytes(&w, c->sequences, 32);
    wr_u32(&w, (uint32_t)c->tx->out_count);
    wr_bytes(&w, c->outputs, 32);
    wr_u32(&w, input);
    MUST(!w.full);
    sha256(out, b, w.len);
    return OK;
}

/* BIP119, in every kind of script: nothing is popped. Arguments that are not of 32 bytes are left
 * for later rules, and pass. */
enum script_error op_ctv(struct vm *v)
{
    uint8_t want[32];
    if (v->flags & SCRIPT_DISCOURAGE_CTV)
        return SCRIPT_ERR_DISCOURAGE_CHECK_TEMPLATE_VERIFY_HASH;
    if (!(v->flags & SCRIPT_CTV))
        return op_nop_upgradable(v);
    if (v->main.n < 1)
        return SCRIPT_ERR_INVALID_STACK_OPERATION;
    const struct element *e = stack_top(v, 0);
    if (e->n != sizeof want)
        return v->flags & SCRIPT_DISCOURAGE_CTV_SIZE ? SCRIPT_ERR_DISCOURAGE_UPGRADABLE_CHECK_TEMPLATE_VERIFY_HASH
                                                     : op_nop_upgradable(v);
    enum script_error over = spend_hashed(v, v->tx->tx->in_count * 8 + 200);
    if (over)
        return over;
    if (script_template_ctv(want, v->tx, v->input).code)
        return SCRIPT_ERR_NO_MEMORY;
    return memcmp(want, e->b, sizeof want) == 0 ? SCRIPT_ERR_OK : SCRIPT_ERR_TEMPLATE_MISMATCH;
}

/* BIP349: the key of the control block. A rule under which the spender chooses that key himself must
 * not switch this on. */
enum script_error op_internalkey(struct vm *v)
{
    if (v->flags & SCRIPT_UNBOUND_INTERNAL)
        return SCRIPT_ERR_UNBOUND_INTERNALKEY;
    return stack_push(v, v->internal, 32) ? SCRIPT_ERR_OK : SCRIPT_ERR_STACK_SIZE;
}

/* BIP348: (signature message key -- yes). The message is verified as it is, of any length. */
enum script_error op_csfs(struct vm *v)
{
    const struct element *sig = stack_top(v, 2), *msg = stack_top(v, 1), *key = stack_top(v, 0);
    bool yes = sig->n > 0;
    enum script_error e;
    if (yes && (e = spend_weight(v)))
        return e;
    if (key->n == 0)
        return SCRIPT_ERR_TAPSCRIPT_EMPTY_PUBKEY;
    if (key->n != 32 && (v->flags & SCRIPT_DISCOURAGE_PUBKEYTYPE))
        return SCRIPT_ERR_DISCOURAGE_UPGRADABLE_PUBKEYTYPE;
    if (key->n == 32 && yes) {
        if (sig->n != 64)
            return SCRIPT_ERR_SCHNORR_SIG_SIZE;
        if ((e = spend_signature(v)) || (e = spend_hashed(v, msg->n + 128u)))
            return e;
        if (!ec_schnorr_verify(sig->b, msg->b, msg->n, key->b))
            return SCRIPT_ERR_SCHNORR_SIG;
    }
    stack_pop(v, 3);
    stack_push_bool(v, yes);
    return SCRIPT_ERR_OK;
}

void script_template_hash(uint8_t out[static 32], const struct sighash_input *in)
{
    uint8_t b[4 + 4 + 32 + 32 + 1 + 4 + 32];
    struct wr w = wr_of(b, sizeof b);
    wr_u32(&w, (uint32_t)in->c->tx->version);
    wr_u32(&w, in->c->tx->locktime);
    wr_bytes(&w, in->c->sequences, 32);
    wr_bytes(&w, in->c->outputs, 32);
    wr_u8(&w, in->has_annex);
    wr_u32(&w, in->input);
    if (in->has_annex)
        wr_bytes(&w, in->annex, 32);
    MUST(!w.full);
    tagged_hash(out, "TemplateHash", &(struct bytes){ b, w.len }, 1);
}

/* BIP446: ( -- hash). */
enum script_error op_templatehash(struct vm *v)
{
    uint8_t h[32];
    enum script_error over = spend_hashed(v, 192);
    if (over)
        return over;
    script_template_hash(h, &v->hashes);
    return stack_push(v, h, sizeof h) ? SCRIPT_ERR_OK : SCRIPT_ERR_STACK_SIZE;
}

/* BIP442: (a b -- tagged hash of both, each behind its length). */
enum script_error op_paircommit(struct vm *v)
{
    struct element *low = stack_top(v, 1), *top = stack_top(v, 0);
    uint8_t low_len[9], top_len[9], h[32];
    struct wr l = wr_of(low_len, sizeof low_len), t = wr_of(top_len, sizeof top_len);
    enum script_error over = spend_hashed(v, low->n + top->n + 192u);
    if (over)
        return over;
    wr_compact(&l, low->n);
    wr_compact(&t, top->n);
    struct bytes pieces[] = { { low_len, l.len }, { low->b, low->n }, { top_len, t.len }, { top->b, top->n } };
    tagged_hash(h, "PairCommit", pieces, 4);
    stack_pop(v, 1);
    memcpy(low->b, h, sizeof h);
    low->n = sizeof h;
    return SCRIPT_ERR_OK;
}
