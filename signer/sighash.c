#include "signer/sighash.h"

#include <string.h>

#include "core/hash.h"
#include "signer/taproot.h"

static void run_tidy(struct sha256_run **r)
{
    if (*r)
        sha256_drop(r);
}
#define RUN __attribute__((cleanup(run_tidy))) struct sha256_run *

static void put(struct sha256_run *h, const void *p, size_t n)
{
    if (n)
        sha256_add(h, p, n);
}

static void put_u32(struct sha256_run *h, uint32_t v)
{
    uint8_t b[4];
    struct wr w = wr_of(b, sizeof b);
    wr_u32(&w, v);
    sha256_add(h, b, sizeof b);
}

static void put_compact(struct sha256_run *h, uint64_t v)
{
    uint8_t b[9];
    struct wr w = wr_of(b, sizeof b);
    wr_compact(&w, v);
    sha256_add(h, b, w.len);
}

static void put_outpoint(struct sha256_run *h, const struct tx_in *in)
{
    sha256_add(h, in->txid, 32);
    put_u32(h, in->vout);
}

static void put_value(struct sha256_run *h, int64_t value)
{
    uint8_t b[8];
    struct wr w = wr_of(b, sizeof b);
    wr_u64(&w, (uint64_t)value);
    sha256_add(h, b, sizeof b);
}

static void put_script(struct sha256_run *h, const struct span *s)
{
    put_compact(h, s->n);
    put(h, s->p, s->n);
}

static void put_out(struct sha256_run *h, const struct tx_out *o)
{
    put_value(h, o->value);
    put_script(h, &o->script);
}

enum { HASH_PREVOUTS, HASH_AMOUNTS, HASH_SCRIPTS, HASH_SEQUENCES };

static err hash_ins(uint8_t out[static 32], const struct sighash_cache *c, int what)
{
    RUN h = NULL;
    TRY(sha256_begin(&h));
    for (size_t i = 0; i < c->tx->in_count; i++) {
        switch (what) {
        case HASH_PREVOUTS:  put_outpoint(h, &c->tx->in[i]); break;
        case HASH_AMOUNTS:   put_value(h, c->spent[i].value); break;
        case HASH_SCRIPTS:   put_script(h, &c->spent[i].script); break;
        default:             put_u32(h, c->tx->in[i].sequence); break;
        }
    }
    sha256_end(&h, out);
    return OK;
}

static err hash_outs(uint8_t out[static 32], const struct tx *t)
{
    RUN h = NULL;
    TRY(sha256_begin(&h));
    for (size_t i = 0; i < t->out_count; i++)
        put_out(h, &t->out[i]);
    sha256_end(&h, out);
    return OK;
}

err sighash_cache_make(struct sighash_cache *c, const struct tx *tx, const struct tx_out *spent)
{
    *c = (struct sighash_cache){ .tx = tx, .spent = spent };
    TRY(hash_ins(c->prevouts, c, HASH_PREVOUTS));
    TRY(hash_ins(c->amounts, c, HASH_AMOUNTS));
    TRY(hash_ins(c->scripts, c, HASH_SCRIPTS));
    TRY(hash_ins(c->sequences, c, HASH_SEQUENCES));
    TRY(hash_outs(c->outputs, tx));
    sha256(c->prevouts2, c->prevouts, 32);
    sha256(c->sequences2, c->sequences, 32);
    sha256(c->outputs2, c->outputs, 32);
    return OK;
}

/* Hash of one output or of one script with its length, without an allocation. */
static void hash_script(uint8_t out[static 32], const void *head, size_t head_len, const struct span *s)
{
    uint8_t len[9];
    struct wr w = wr_of(len, sizeof len);
    wr_compact(&w, s->n);
    struct bytes pieces[] = { { head, head_len }, { len, w.len }, { s->p, s->n } };
    sha256_of(out, pieces, 3);
}

static void hash_out(uint8_t out[static 32], const struct tx_out *o)
{
    uint8_t value[8];
    struct wr w = wr_of(value, sizeof value);
    wr_u64(&w, (uint64_t)o->value);
    hash_script(out, value, sizeof value, &o->script);
}

static bool hash_type_known(uint8_t t, const struct sighash_leaf *leaf)
{
    uint8_t base = t & 3, rest = t & 0xfc;
    if (t == SIGHASH_DEFAULT)
        return true;
    if (base == 0)
        return false;
    bool apo = leaf && leaf->key_version == 1;
    return rest == 0 || rest == SIGHASH_ANYONECANPAY
        || (apo && (rest == SIGHASH_ANYPREVOUT || rest == SIGHASH_ANYPREVOUTANYSCRIPT));
}

/* How much of the input the message names, by the two high bits of the hash type:
 * index into tables made once, everything, all but the outpoint, or the sequence alone. */
static void put_input(struct wr *w, const struct sighash_input *in, uint8_t high)
{
    const struct tx_in *i = &in->c->tx->in[in->input];
    if (high == 0) {
        wr_u32(w, in->input);
        return;
    }
    if (high == SIGHASH_ANYONECANPAY) {
        wr_bytes(w, i->txid, 32);
        wr_u32(w, i->vout);
    }
    if (high != SIGHASH_ANYPREVOUTANYSCRIPT)
        tx_out_write(w, &in->c->spent[in->input]);
    wr_u32(w, i->sequence);
}

static void put_hashes(struct wr *w, const struct sighash_cache *c)
{
    wr_bytes(w, c->prevouts, 32);
    wr_bytes(w, c->amounts, 32);
    wr_bytes(w, c->scripts, 32);
    wr_bytes(w, c->sequences, 32);
}

static void put_leaf(struct wr *w, const struct sighash_leaf *leaf, uint8_t high)
{
    if (high != SIGHASH_ANYPREVOUTANYSCRIPT)
        wr_bytes(w, leaf->leaf_hash, 32);
    wr_u8(w, leaf->key_version);
    wr_u32(w, leaf->codesep);
}

static const uint8_t *single_hash(struct sighash_input *in)
{
    if (!in->has_single)
        hash_out(in->single, &in->c->tx->out[in->input]);
    in->has_single = true;
    return in->single;
}

void sighash_input_begin(struct sighash_input *in, const struct sighash_cache *c, uint32_t input,
                         const struct span *annex)
{
    *in = (struct sighash_input){ .c = c, .input = input, .has_annex = annex != NULL };
    if (annex)
        hash_script(in->annex, NULL, 0, annex);
}

bool sighash_input_message(struct sigmsg *m, struct sighash_input *in, uint8_t hash_type,
                           const struct sighash_leaf *leaf)
{
    const struct tx *tx = in->c->tx;
    uint8_t base = hash_type ? hash_type & 3 : SIGHASH_ALL, high = hash_type & 0xc0;
    m->n = 0;
    if (in->input >= tx->in_count || !hash_type_known(hash_type, leaf))
        return false;
    if (base == SIGHASH_SINGLE && in->input >= tx->out_count)
        return false;
    /* These put the spent script itself into the message: 34 bytes for a taproot output, which
     * alone can be signed for. An emulated spend of anything else has no such message. */
    if (high && high != SIGHASH_ANYPREVOUTANYSCRIPT
        && in->c->spent[in->input].script.n > TAPROOT_SCRIPT)
        return false;

    struct wr w = wr_of(m->bytes, sizeof m->bytes);
    wr_u8(&w, 0);                                     /* epoch */
    wr_u8(&w, hash_type);
    wr_u32(&w, (uint32_t)tx->version);
    wr_u32(&w, tx->locktime);
    if (high == 0)
        put_hashes(&w, in->c);
    if (base == SIGHASH_ALL)
        wr_bytes(&w, in->c->outputs, 32);
    wr_u8(&w, (uint8_t)((leaf ? 2 : 0) + (in->has_annex ? 1 : 0)));
    put_input(&w, in, high);
    if (in->has_annex)
        wr_bytes(&w, in->annex, 32);
    if (base == SIGHASH_SINGLE)
        wr_bytes(&w, single_hash(in), 32);
    if (leaf)
        put_leaf(&w, leaf, high);
    MUST(!w.full);
    m->n = w.len;
    return true;
}

bool sighash_taproot_message(struct sigmsg *m, const struct sighash_cache *c, uint32_t input,
                             uint8_t hash_type, const struct span *annex, const struct sighash_leaf *leaf)
{
    struct sighash_input in;
    sighash_input_begin(&in, c, input, annex);
    return sighash_input_message(m, &in, hash_type, leaf);
}

void sighash_taproot(uint8_t out[static 32], const struct sigmsg *m)
{
    struct bytes piece = { m->bytes, m->n };
    tagged_hash(out, "TapSighash", &piece, 1);
}

static const uint8_t zero[32];

/* BIP143's hashOutputs. */
static void v0_outputs(uint8_t out[static 32], const struct sighash_cache *c, uint32_t input, uint32_t base)
{
    memset(out, 0, 32);
    if (base != SIGHASH_SINGLE && base != SIGHASH_NONE) {
        memcpy(out, c->outputs2, 32);
    } else if (base == SIGHASH_SINGLE && input < c->tx->out_count) {
        hash_out(out, &c->tx->out[input]);
        sha256(out, out, 32);
    }
}

void sighash_v0(uint8_t out[static 32], const struct sighash_cache *c, uint32_t input,
                uint32_t hash_type, const uint8_t *script_code, size_t n)
{
    uint32_t base = hash_type & 0x1f;
    bool anyone = hash_type & SIGHASH_ANYONECANPAY;
    bool sequences = !anyone && base != SIGHASH_SINGLE && base != SIGHASH_NONE;
    const struct tx_in *in = &c->tx->in[input];
    uint8_t head[4 + 32 + 32 + 36 + 9], tail[8 + 4 + 32 + 4 + 4], outputs[32];
    v0_outputs(outputs, c, input, base);

    struct wr w = wr_of(head, sizeof head);
    wr_u32(&w, (uint32_t)c->tx->version);
    wr_bytes(&w, anyone ? zero : c->prevouts2, 32);
    wr_bytes(&w, sequences ? c->sequences2 : zero, 32);
    wr_bytes(&w, in->txid, 32);
    wr_u32(&w, in->vout);
    wr_compact(&w, n);
    struct wr t = wr_of(tail, sizeof tail);
    wr_u64(&t, (uint64_t)c->spent[input].value);
    wr_u32(&t, in->sequence);
    wr_bytes(&t, outputs, 32);
    wr_u32(&t, c->tx->locktime);
    wr_u32(&t, hash_type);
    MUST(!w.full && !t.full);
    struct bytes pieces[] = { { head, w.len }, { script_code, n }, { tail, t.len } };
    sha256_of(out, pieces, 3);
    sha256(out, out, 32);
}

/* Length of the instruction at p, its opcode and push included; what is left of the script
 * when the push is cut off. */
static size_t step(const uint8_t *p, size_t left)
{
    struct rd r = rd_of(p, left);
    uint8_t op = rd_u8(&r);
    size_t n = op < 0x4c ? op : op == 0x4c ? rd_u8(&r) : op == 0x4d ? rd_u16(&r) : op == 0x4e ? rd_u32(&r) : 0;
    size_t head = op == 0x4c ? 2 : op == 0x4d ? 3 : op == 0x4e ? 5 : 1;
    return !rd_ok(&r) || n > r.left ? left : head + n;
}

enum { OP_CODESEPARATOR = 0xab };

/* The script code without its OP_CODESEPARATORs: first its length, then the bytes. */
static void put_script_code(struct sha256_run *h, const uint8_t *p, size_t n)
{
    size_t kept = n;
    for (size_t i = 0; i < n; i += step(p + i, n - i))
        kept -= p[i] == OP_CODESEPARATOR;
    put_compact(h, kept);
    size_t from = 0;
    for (size_t i = 0; i < n; i += step(p + i, n - i))
        if (p[i] == OP_CODESEPARATOR) {
            put(h, p + from, i - from);
            from = i + 1;
        }
    put(h, p + from, n - from);
}

struct legacy { const struct tx *tx; uint32_t input, base; bool anyone; };

static void put_legacy_ins(struct sha256_run *h, const struct legacy *l, const uint8_t *code, size_t n)
{
    size_t first = l->anyone ? l->input : 0, end = l->anyone ? (size_t)l->input + 1 : l->tx->in_count;
    put_compact(h, end - first);
    for (size_t i = first; i < end; i++) {
        put_outpoint(h, &l->tx->in[i]);
        if (i == l->input)
            put_script_code(h, code, n);
        else
            put_compact(h, 0);
        bool blank = i != l->input && (l->base == SIGHASH_NONE || l->base == SIGHASH_SINGLE);
        put_u32(h, blank ? 0 : l->tx->in[i].sequence);
    }
}

static void put_legacy_outs(struct sha256_run *h, const struct legacy *l)
{
    size_t count = l->base == SIGHASH_NONE ? 0 : l->base == SIGHASH_SINGLE ? (size_t)l->input + 1 : l->tx->out_count;
    put_compact(h, count);
    for (size_t i = 0; i < count; i++) {
        if (l->base == SIGHASH_SINGLE && i != l->input) {
            put_value(h, -1);                         /* an output that was never there */
            put_compact(h, 0);
        } else {
            put_out(h, &l->tx->out[i]);
        }
    }
}

err sighash_legacy(uint8_t out[static 32], const struct tx *tx, uint32_t input,
                   uint32_t hash_type, const uint8_t *script_code, size_t n)
{
    struct legacy l = { tx, input, hash_type & 0x1f, hash_type & SIGHASH_ANYONECANPAY };
    memset(out, 0, 32);
    if (l.base == SIGHASH_SINGLE && input >= tx->out_count) {
        out[0] = 1;
        return OK;
    }
    RUN h = NULL;
    TRY(sha256_begin(&h));
    put_u32(h, (uint32_t)tx->version);
    put_legacy_ins(h, &l, script_code, n);
    put_legacy_outs(h, &l);
    put_u32(h, tx->locktime);
    put_u32(h, hash_type);
    sha256_end(&h, out);
    sha256(out, out, 32);
    return OK;
}
