#include "signer/tx.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"

enum { COMPACT_MAX = 0x02000000, IN_MIN = 41, OUT_MIN = 9 };

uint64_t rd_compact(struct rd *r)
{
    uint8_t head = rd_u8(r);
    uint64_t v = head, least = 0;
    if (head == 0xfd) {
        v = rd_u16(r);
        least = 0xfd;
    } else if (head == 0xfe) {
        v = rd_u32(r);
        least = 0x10000;
    } else if (head == 0xff) {
        v = rd_u64(r);
        least = UINT64_C(0x100000000);
    }
    if (v < least || v > COMPACT_MAX) {
        r->bad = true;
        return 0;
    }
    return rd_ok(r) ? v : 0;
}

void wr_compact(struct wr *w, uint64_t v)
{
    if (v < 0xfd) {
        wr_u8(w, (uint8_t)v);
    } else if (v <= 0xffff) {
        wr_u8(w, 0xfd);
        wr_u16(w, (uint16_t)v);
    } else if (v <= 0xffffffff) {
        wr_u8(w, 0xfe);
        wr_u32(w, (uint32_t)v);
    } else {
        wr_u8(w, 0xff);
        wr_u64(w, v);
    }
}

size_t compact_size(uint64_t v)
{
    return v < 0xfd ? 1 : v <= 0xffff ? 3 : v <= 0xffffffff ? 5 : 9;
}

static struct span rd_span(struct rd *r)
{
    struct span s = { NULL, 0 };
    size_t n = (size_t)rd_compact(r);
    s.p = rd_bytes(r, n);
    s.n = s.p ? n : 0;
    return s;
}

struct span tx_item(struct rd *r)
{
    return rd_span(r);
}

void tx_item_write(struct wr *w, const void *p, size_t n)
{
    wr_compact(w, n);
    wr_bytes(w, p, n);
}

/* A count of things of at least `least` bytes each: it cannot ask for more than the bytes
 * left could hold, so that what is allocated follows the input. */
static size_t rd_count(struct rd *r, size_t least)
{
    uint64_t n = rd_compact(r);
    if (!rd_ok(r) || n > r->left / least) {
        r->bad = true;
        return 0;
    }
    return (size_t)n;
}

static void in_read(struct tx_in *in, struct rd *r)
{
    rd_copy(r, in->txid, 32);
    in->vout = rd_u32(r);
    in->script_sig = rd_span(r);
    in->sequence = rd_u32(r);
}

static void out_read(struct tx_out *o, struct rd *r)
{
    o->value = (int64_t)rd_u64(r);
    o->script = rd_span(r);
}

/* The stack is walked, not stored. */
static void witness_read(struct tx_in *in, struct rd *r)
{
    in->witness_count = (uint32_t)rd_count(r, 1);
    const uint8_t *start = r->p;
    for (uint32_t i = 0; i < in->witness_count && rd_ok(r); i++)
        (void)rd_span(r);
    in->witness = (struct span){ start, (size_t)(r->p - start) };
}

void tx_free(struct tx **t)
{
    if (*t) {
        free((*t)->in);
        free((*t)->out);
        free(*t);
    }
    *t = NULL;
}

static err ins_read(struct tx *t, struct rd *r)
{
    t->in_count = rd_count(r, IN_MIN);
    t->in = calloc(t->in_count + 1, sizeof *t->in);
    if (!t->in)
        FAIL(E_MEMORY, "no room for %zu inputs", t->in_count);
    for (size_t i = 0; i < t->in_count && rd_ok(r); i++)
        in_read(&t->in[i], r);
    return OK;
}

static err outs_read(struct tx *t, struct rd *r)
{
    t->out_count = rd_count(r, OUT_MIN);
    t->out = calloc(t->out_count + 1, sizeof *t->out);
    if (!t->out)
        FAIL(E_MEMORY, "no room for %zu outputs", t->out_count);
    for (size_t i = 0; i < t->out_count && rd_ok(r); i++)
        out_read(&t->out[i], r);
    return OK;
}

static err witnesses_read(struct tx *t, struct rd *r)
{
    bool any = false;
    for (size_t i = 0; i < t->in_count && rd_ok(r); i++) {
        witness_read(&t->in[i], r);
        any |= t->in[i].witness_count > 0;
    }
    if (rd_ok(r) && !any)
        FAIL(E_FORMAT, "transaction: a witness part without a witness");
    return OK;
}

/* BIP144: a zero where the count of inputs would be, then the flag 1. A zero flag is
 * Core's reading of a transaction with no inputs and no outputs. */
static bool has_marker(const struct rd *r)
{
    return r->left >= 2 && r->p[0] == 0 && r->p[1] != 0;
}

err tx_parse(struct tx **out, const uint8_t *p, size_t n)
{
    *out = NULL;
    TX t = calloc(1, sizeof *t);
    if (!t)
        FAIL(E_MEMORY, "no room for a transaction");
    struct rd r = rd_of(p, n);
    t->version = (int32_t)rd_u32(&r);
    bool marker = has_marker(&r);
    if (marker && rd_u16(&r) != 0x0100)
        FAIL(E_FORMAT, "transaction: unknown flag after the segwit marker");
    TRY(ins_read(t, &r));
    TRY(outs_read(t, &r));
    if (marker)
        TRY(witnesses_read(t, &r));
    t->locktime = rd_u32(&r);
    TRY(rd_end(&r, "transaction"));
    *out = t;
    t = NULL;
    return OK;
}

err tx_outs_parse(struct tx_out *outs, size_t count, const uint8_t *p, size_t n)
{
    struct rd r = rd_of(p, n);
    for (size_t i = 0; i < count && rd_ok(&r); i++)
        out_read(&outs[i], &r);
    return rd_end(&r, "list of spent outputs");
}

static bool null_outpoint(const struct tx_in *in)
{
    static const uint8_t zero[32];
    return in->vout == 0xffffffff && memcmp(in->txid, zero, 32) == 0;
}

bool tx_is_coinbase(const struct tx *t)
{
    return t->in_count == 1 && null_outpoint(&t->in[0]);
}

static int by_outpoint(const void *a, const void *b)
{
    const struct tx_in *x = *(const struct tx_in *const *)a, *y = *(const struct tx_in *const *)b;
    int c = memcmp(x->txid, y->txid, 32);
    return c ? c : (x->vout > y->vout) - (x->vout < y->vout);
}

static err check_no_twins(const struct tx *t)
{
    BYTES room = NULL;
    TRY(mem_new(&room, t->in_count * sizeof(struct tx_in *)));
    const struct tx_in **sorted = (const struct tx_in **)(void *)room;
    for (size_t i = 0; i < t->in_count; i++)
        sorted[i] = &t->in[i];
    qsort(sorted, t->in_count, sizeof *sorted, by_outpoint);
    for (size_t i = 1; i < t->in_count; i++)
        if (by_outpoint(&sorted[i - 1], &sorted[i]) == 0)
            FAIL(E_FORMAT, "transaction: an output is spent twice");
    return OK;
}

static err check_values(const struct tx *t)
{
    int64_t sum = 0;
    for (size_t i = 0; i < t->out_count; i++) {
        int64_t v = t->out[i].value;
        if (v < 0 || v > TX_MAX_MONEY)
            FAIL(E_FORMAT, "transaction: output %zu has a value out of range", i);
        sum += v;                             /* both at most 21e14: no overflow */
        if (sum > TX_MAX_MONEY)
            FAIL(E_FORMAT, "transaction: outputs sum to more than all coins");
    }
    return OK;
}

err tx_check(const struct tx *t)
{
    if (t->in_count == 0 || t->out_count == 0)
        FAIL(E_FORMAT, "transaction: no inputs or no outputs");
    if (tx_size(t, false) > TX_MAX_WEIGHT / 4)
        FAIL(E_FORMAT, "transaction: larger than a block");
    TRY(check_values(t));
    TRY(check_no_twins(t));
    if (tx_is_coinbase(t)) {
        size_t n = t->in[0].script_sig.n;
        if (n < 2 || n > 100)
            FAIL(E_FORMAT, "transaction: coinbase script of %zu bytes", n);
        return OK;
    }
    for (size_t i = 0; i < t->in_count; i++)
        if (null_outpoint(&t->in[i]))
            FAIL(E_FORMAT, "transaction: input %zu has a null outpoint", i);
    return OK;
}

static bool any_witness(const struct tx *t)
{
    for (size_t i = 0; i < t->in_count; i++)
        if (t->in[i].witness_count)
            return true;
    return false;
}

size_t tx_size(const struct tx *t, bool witness)
{
    witness = witness && any_witness(t);
    size_t n = 8 + compact_size(t->in_count) + compact_size(t->out_count) + (witness ? 2 : 0);
    for (size_t i = 0; i < t->in_count; i++) {
        const struct tx_in *in = &t->in[i];
        n += 40 + compact_size(in->script_sig.n) + in->script_sig.n;
        if (witness)
            n += compact_size(in->witness_count) + in->witness.n;
    }
    for (size_t i = 0; i < t->out_count; i++)
        n += 8 + compact_size(t->out[i].script.n) + t->out[i].script.n;
    return n;
}

uint64_t tx_weight(const struct tx *t)
{
    return (uint64_t)tx_size(t, false) * 3 + tx_size(t, true);
}

void tx_out_write(struct wr *w, const struct tx_out *o)
{
    wr_u64(w, (uint64_t)o->value);
    wr_compact(w, o->script.n);
    wr_bytes(w, o->script.p, o->script.n);
}

void tx_write(struct wr *w, const struct tx *t, bool witness)
{
    witness = witness && any_witness(t);
    wr_u32(w, (uint32_t)t->version);
    if (witness)
        wr_u16(w, 0x0100);
    wr_compact(w, t->in_count);
    for (size_t i = 0; i < t->in_count; i++) {
        wr_bytes(w, t->in[i].txid, 32);
        wr_u32(w, t->in[i].vout);
        wr_compact(w, t->in[i].script_sig.n);
        wr_bytes(w, t->in[i].script_sig.p, t->in[i].script_sig.n);
        wr_u32(w, t->in[i].sequence);
    }
    wr_compact(w, t->out_count);
    for (size_t i = 0; i < t->out_count; i++)
        tx_out_write(w, &t->out[i]);
    for (size_t i = 0; witness && i < t->in_count; i++) {
        wr_compact(w, t->in[i].witness_count);
        wr_bytes(w, t->in[i].witness.p, t->in[i].witness.n);
    }
    wr_u32(w, t->locktime);
}

err tx_id(uint8_t out[static 32], const struct tx *t)
{
    size_t n = tx_size(t, false);
    BYTES room = NULL;
    TRY(mem_new(&room, n));
    struct wr w = wr_of(room, n);
    tx_write(&w, t, false);
    MUST(!w.full && w.len == n);
    sha256d(out, room, n);
    return OK;
}
