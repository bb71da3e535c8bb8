/* Reading: the maps one by one, then the transaction that they make. */
#include "signer/psbt.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "signer/psbt_map.h"

enum {
    LOCKTIME_SPLIT = 500000000,        /* below: a height; from here on: a time */
    IN_LEAST_2 = 43, OUT_LEAST_2 = 15, /* bytes that an input's and an output's map of version 2 have at least */
    SEQUENCE_FINAL = 0xffffffff
};
static const uint8_t magic[5] = { 'p', 's', 'b', 't', 0xff };

/* One reading. `keys` has room for a map's keys, to find twins. */
struct reading {
    struct psbt       *p;
    struct psbt_fault *why;
    struct rd          r;
    struct span       *keys;
    uint32_t           time, height;   /* the largest of those that inputs ask for */
    bool               no_time, no_height, asked;
    uint32_t           fallback;
    int32_t            tx_version;
    uint64_t           ins, outs;
    uint32_t           seen;           /* bits: global types 0 to 6 */
    bool               versioned;
};

void psbt_fault_text(char out[static PSBT_TEXT], const struct psbt_fault *f)
{
    static const char *const names[] = { [PSBT_GLOBAL] = "global map", [PSBT_INPUT] = "input", [PSBT_OUTPUT] = "output" };
    const char *text = f->text ? f->text : "no fault";
    if (f->part == PSBT_WHOLE)
        snprintf(out, PSBT_TEXT, "%s", text);
    else if (f->part == PSBT_GLOBAL)
        snprintf(out, PSBT_TEXT, "%s: %s", names[f->part], text);
    else
        snprintf(out, PSBT_TEXT, "%s %zu: %s", names[f->part], f->index, text);
}

static err refuse(struct psbt_fault *why, enum err_code code, enum psbt_part part, size_t index, const char *text)
{
    char words[PSBT_TEXT];
    *why = (struct psbt_fault){ .part = part, .index = index, .text = text };
    psbt_fault_text(words, why);
    FAIL(code, "PSBT: %s", words);
}

static err bad(struct reading *g, enum psbt_part part, size_t index, const char *text)
{
    return refuse(g->why, E_FORMAT, part, index, text);
}

/* ---- maps ---- */

static int by_key(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    int c = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

static bool twins(struct span *keys, size_t n)
{
    bool ascending = true;
    for (size_t i = 1; i < n && ascending; i++)
        ascending = by_key(&keys[i - 1], &keys[i]) < 0;
    if (ascending)
        return false;
    qsort(keys, n, sizeof *keys, by_key);
    for (size_t i = 1; i < n; i++)
        if (by_key(&keys[i - 1], &keys[i]) == 0)
            return true;
    return false;
}

/* Read a map to its end; the forms of its pairs are checked, not their sense. Out: its pairs. */
static err read_map(struct reading *g, struct span *out, enum psbt_part part, size_t index)
{
    struct psbt_pair pair;
    size_t n = 0;
    out->p = g->r.p;
    while (psbt_pair(&pair, &g->r)) {
        const char *words = psbt_pair_form(part, &pair);
        if (words)
            return bad(g, part, index, words);
        if (n == PSBT_KEYS_MAX)
            return refuse(g->why, E_LIMIT, part, index, "more fields than are taken");
        g->keys[n++] = pair.key;
        out->n = (size_t)(g->r.p - out->p);
    }
    if (!rd_ok(&g->r))
        return bad(g, part, index, "cut short, or a length that is not well formed");
    return twins(g->keys, n) ? bad(g, part, index, "a key is there twice") : OK;
}

/* Fields that only the other version has. */
static err check_version(struct reading *g, const struct span *map, enum psbt_part part, size_t index)
{
    struct psbt_pair pair;
    for (struct rd r = rd_of(map->p, map->n); r.left && psbt_pair(&pair, &r);) {
        int only = psbt_pair_version(part, &pair);
        if (only >= 0 && (uint32_t)only != g->p->version)
            return bad(g, part, index, "a field that this version of PSBT does not have");
    }
    return OK;
}

static uint32_t u32_of(struct span v)
{
    struct rd r = rd_of(v.p, v.n);
    return rd_u32(&r);
}

static bool compact_of(uint64_t *out, struct span v)
{
    struct rd r = rd_of(v.p, v.n);
    *out = rd_compact(&r);
    return rd_ok(&r) && r.left == 0;
}

/* ---- the global map ---- */

static err take_unsigned(struct reading *g, struct span v)
{
    err e = tx_parse(&g->p->tx, v.p, v.n);
    if (e.code == E_MEMORY)
        return e;
    if (e.code)
        return bad(g, PSBT_GLOBAL, 0, "the unsigned transaction is not well formed");
    for (size_t i = 0; i < g->p->tx->in_count; i++)
        if (g->p->tx->in[i].script_sig.n || g->p->tx->in[i].witness_count)
            return bad(g, PSBT_GLOBAL, 0, "the unsigned transaction has a signature script or a witness");
    return OK;
}

static err take_global(struct reading *g, const struct psbt_pair *pair)
{
    if (pair->type <= GLOBAL_TX_MODIFIABLE)
        g->seen |= 1u << pair->type;
    switch (pair->type) {
    case GLOBAL_UNSIGNED_TX:       return take_unsigned(g, pair->value);
    case GLOBAL_TX_VERSION:        g->tx_version = (int32_t)u32_of(pair->value); break;
    case GLOBAL_FALLBACK_LOCKTIME: g->fallback = u32_of(pair->value); break;
    case GLOBAL_INPUT_COUNT:
        if (!compact_of(&g->ins, pair->value)) return bad(g, PSBT_GLOBAL, 0, "the number of inputs is not well formed");
        break;
    case GLOBAL_OUTPUT_COUNT:
        if (!compact_of(&g->outs, pair->value)) return bad(g, PSBT_GLOBAL, 0, "the number of outputs is not well formed");
        break;
    case GLOBAL_VERSION:
        g->p->version = u32_of(pair->value);
        if (g->p->version != 0 && g->p->version != 2) return bad(g, PSBT_GLOBAL, 0, "a version of PSBT that is neither 0 nor 2");
        break;
    default: break;
    }
    return OK;
}

static err new_tx(struct reading *g)
{
    const uint32_t needed = 1u << GLOBAL_TX_VERSION | 1u << GLOBAL_INPUT_COUNT | 1u << GLOBAL_OUTPUT_COUNT;
    if ((g->seen & needed) != needed)
        return bad(g, PSBT_GLOBAL, 0, "version 2 needs a transaction version and the numbers of inputs and outputs");
    /* So that what is allocated follows the bytes that came. */
    if (g->ins > g->r.left / IN_LEAST_2 || g->outs > g->r.left / OUT_LEAST_2)
        return bad(g, PSBT_GLOBAL, 0, "more inputs or outputs than there are bytes for");
    struct tx *t = g->p->tx = calloc(1, sizeof *t);
    if (!t)
        FAIL(E_MEMORY, "no memory for a transaction");
    t->version = g->tx_version;
    t->in_count = (size_t)g->ins;
    t->out_count = (size_t)g->outs;
    t->in = calloc(t->in_count + 1, sizeof *t->in);
    t->out = calloc(t->out_count + 1, sizeof *t->out);
    if (!t->in || !t->out)
        FAIL(E_MEMORY, "no memory for a transaction of %zu inputs", t->in_count);
    return OK;
}

static err read_global(struct reading *g)
{
    struct psbt_pair pair;
    TRY(read_map(g, &g->p->global, PSBT_GLOBAL, 0));
    for (struct rd r = rd_of(g->p->global.p, g->p->global.n); r.left && psbt_pair(&pair, &r);)
        TRY(take_global(g, &pair));
    TRY(check_version(g, &g->p->global, PSBT_GLOBAL, 0));
    if (g->p->version == 2)
        TRY(new_tx(g));
    else if (!g->p->tx)
        return bad(g, PSBT_GLOBAL, 0, "version 0 needs an unsigned transaction");
    if (g->p->tx->in_count == 0)
        return bad(g, PSBT_GLOBAL, 0, "a transaction without inputs");
    g->p->in = calloc(g->p->tx->in_count, sizeof *g->p->in);
    if (!g->p->in)
        FAIL(E_MEMORY, "no memory for %zu inputs", g->p->tx->in_count);
    return OK;
}

/* ---- inputs ---- */

/* A witness as it is serialised: a count, then the items. */
static bool take_witness(struct tx_in *in, struct span v)
{
    struct rd r = rd_of(v.p, v.n);
    uint64_t count = rd_compact(&r);
    if (!rd_ok(&r) || count > r.left)
        return false;
    in->witness = (struct span){ r.p, r.left };
    in->witness_count = (uint32_t)count;
    for (uint64_t i = 0; i < count && rd_ok(&r); i++)
        (void)tx_item(&r);
    return rd_ok(&r) && r.left == 0;
}

static err take_spent(struct reading *g, size_t i, const struct tx_out *o)
{
    struct psbt_in *in = &g->p->in[i];
    if (in->has_spent && (in->spent.value != o->value || in->spent.script.n != o->script.n ||
                          (o->script.n && memcmp(in->spent.script.p, o->script.p, o->script.n) != 0)))
        return bad(g, PSBT_INPUT, i, "the two fields on the spent output do not agree");
    in->spent = *o;
    in->has_spent = true;
    return OK;
}

/* The transaction that made the spent output must be the one that the input names. */
static err take_previous(struct reading *g, size_t i, struct span v)
{
    const struct tx_in *in = &g->p->tx->in[i];
    TX t = NULL;
    uint8_t id[32];
    err e = tx_parse(&t, v.p, v.n);
    if (e.code == E_MEMORY)
        return e;
    if (e.code)
        return bad(g, PSBT_INPUT, i, "the non-witness UTXO is no transaction");
    TRY(tx_id(id, t));
    if (memcmp(id, in->txid, 32) != 0)
        return bad(g, PSBT_INPUT, i, "the non-witness UTXO is another transaction than the input names");
    if (in->vout >= t->out_count)
        return bad(g, PSBT_INPUT, i, "the non-witness UTXO has no output of that number");
    return take_spent(g, i, &t->out[in->vout]);
}

static err take_proposal(struct reading *g, size_t i, struct span v)
{
    struct psbt_in *in = &g->p->in[i];
    struct tx_in ignored, *to = in->proposals++ ? &ignored : &g->p->tx->in[i];
    return take_witness(to, v) ? OK : bad(g, PSBT_INPUT, i, "a witness that is not well formed");
}

static err take_input(struct reading *g, size_t i, const struct psbt_pair *pair)
{
    struct psbt_in *in = &g->p->in[i];
    struct tx_out o;
    switch (pair->type) {
    case IN_NON_WITNESS_UTXO:
        return take_previous(g, i, pair->value);
    case IN_WITNESS_UTXO: {
        struct rd r = rd_of(pair->value.p, pair->value.n);
        o.value = (int64_t)rd_u64(&r);
        o.script = tx_item(&r);
        return rd_ok(&r) && r.left == 0 ? take_spent(g, i, &o) : bad(g, PSBT_INPUT, i, "the witness UTXO is no output");
    }
    case IN_SIGHASH_TYPE:
        in->has_sighash = true;
        in->sighash = u32_of(pair->value);
        return OK;
    case IN_FINAL_SCRIPTSIG:
        g->p->tx->in[i].script_sig = pair->value;
        return OK;
    case IN_FINAL_SCRIPTWITNESS:
        return take_proposal(g, i, pair->value);
    case IN_TAP_MERKLE_ROOT:
        in->merkle_root = pair->value.p;
        return OK;
    default:
        return psbt_pair_emulated(pair) ? take_proposal(g, i, pair->value) : OK;
    }
}

static err take_lock(struct reading *g, size_t i, bool has_time, uint32_t time, bool has_height, uint32_t height)
{
    if (has_time && time < LOCKTIME_SPLIT)
        return bad(g, PSBT_INPUT, i, "a required time that is a height");
    if (has_height && (height == 0 || height >= LOCKTIME_SPLIT))
        return bad(g, PSBT_INPUT, i, "a required height that is none");
    if (!has_time && !has_height)
        return OK;
    g->asked = true;
    g->no_time |= !has_time;
    g->no_height |= !has_height;
    if (has_time && time > g->time)
        g->time = time;
    if (has_height && height > g->height)
        g->height = height;
    return OK;
}

/* Version 2 tells here what an input spends. */
static err build_input(struct reading *g, size_t i)
{
    struct tx_in *in = &g->p->tx->in[i];
    struct psbt_pair pair;
    uint32_t has = 0, time = 0, height = 0;
    in->sequence = SEQUENCE_FINAL;
    for (struct rd r = rd_of(g->p->in[i].map.p, g->p->in[i].map.n); r.left && psbt_pair(&pair, &r);) {
        if (pair.type < IN_PREVIOUS_TXID || pair.type > IN_REQUIRED_HEIGHT)
            continue;
        has |= 1u << pair.type;
        if (pair.type == IN_PREVIOUS_TXID) memcpy(in->txid, pair.value.p, 32);
        else if (pair.type == IN_OUTPUT_INDEX) in->vout = u32_of(pair.value);
        else if (pair.type == IN_SEQUENCE) in->sequence = u32_of(pair.value);
        else if (pair.type == IN_REQUIRED_TIME) time = u32_of(pair.value);
        else height = u32_of(pair.value);
    }
    if (!(has & 1u << IN_PREVIOUS_TXID) || !(has & 1u << IN_OUTPUT_INDEX))
        return bad(g, PSBT_INPUT, i, "version 2 needs a previous txid and an output number");
    return take_lock(g, i, has & 1u << IN_REQUIRED_TIME, time, has & 1u << IN_REQUIRED_HEIGHT, height);
}

static err read_input(struct reading *g, size_t i)
{
    struct psbt_in *in = &g->p->in[i];
    struct psbt_pair pair;
    TRY(read_map(g, &in->map, PSBT_INPUT, i));
    TRY(check_version(g, &in->map, PSBT_INPUT, i));
    if (g->p->version == 2)
        TRY(build_input(g, i));
    for (struct rd r = rd_of(in->map.p, in->map.n); r.left && psbt_pair(&pair, &r);)
        TRY(take_input(g, i, &pair));
    return OK;
}

/* ---- outputs, and the whole ---- */

static err read_output(struct reading *g, size_t i)
{
    struct tx_out *o = &g->p->tx->out[i];
    struct psbt_pair pair;
    struct span map = { 0 };
    uint32_t has = 0;
    TRY(read_map(g, &map, PSBT_OUTPUT, i));
    TRY(check_version(g, &map, PSBT_OUTPUT, i));
    if (g->p->version == 0)
        return OK;
    for (struct rd r = rd_of(map.p, map.n); r.left && psbt_pair(&pair, &r);) {
        if (pair.type == OUT_AMOUNT) {
            struct rd v = rd_of(pair.value.p, pair.value.n);
            o->value = (int64_t)rd_u64(&v);
            has |= 1;
        } else if (pair.type == OUT_SCRIPT) {
            o->script = pair.value;
            has |= 2;
        }
    }
    return has == 3 ? OK : bad(g, PSBT_OUTPUT, i, "version 2 needs an amount and a script");
}

/* BIP370: the kind of lock time that every input which asks for one can have; a height where both can be. */
static err set_locktime(struct reading *g)
{
    struct tx *t = g->p->tx;
    if (!g->asked)
        t->locktime = g->fallback;
    else if (!g->no_height)
        t->locktime = g->height;
    else if (!g->no_time)
        t->locktime = g->time;
    else
        return bad(g, PSBT_WHOLE, 0, "one input requires a lock time by height, another by time");
    return OK;
}

static err read_all(struct reading *g)
{
    const uint8_t *start = rd_bytes(&g->r, sizeof magic);
    if (!start || memcmp(start, magic, sizeof magic) != 0)
        return bad(g, PSBT_WHOLE, 0, "not a PSBT: it does not begin with its magic");
    TRY(read_global(g));
    for (size_t i = 0; i < g->p->tx->in_count; i++)
        TRY(read_input(g, i));
    g->p->outputs.p = g->r.p;
    for (size_t i = 0; i < g->p->tx->out_count; i++)
        TRY(read_output(g, i));
    g->p->outputs.n = (size_t)(g->r.p - g->p->outputs.p);
    if (g->r.left)
        return bad(g, PSBT_WHOLE, 0, "bytes behind the last map");
    return g->p->version == 2 ? set_locktime(g) : OK;
}

err psbt_parse(struct psbt **out, struct psbt_fault *why, const uint8_t *p, size_t n)
{
    *out = NULL;
    *why = (struct psbt_fault){ 0 };
    if (n > PSBT_MAX)
        return refuse(why, E_LIMIT, PSBT_WHOLE, 0, "longer than is taken");
    PSBT read = calloc(1, sizeof *read);
    struct reading g = { .p = read, .why = why, .r = rd_of(p, n), .keys = calloc(PSBT_KEYS_MAX, sizeof *g.keys) };
    err e = read && g.keys ? read_all(&g) : err_log(E_MEMORY, __FILE__, __LINE__, "no memory for a PSBT");
    free(g.keys);
    if (e.code)
        return e;
    *out = read;
    read = NULL;
    return OK;
}

void psbt_free(struct psbt **p)
{
    if (!*p)
        return;
    tx_free(&(*p)->tx);
    free((*p)->in);
    free(*p);
    *p = NULL;
}

err psbt_signable(struct psbt_fault *why, const struct psbt *p)
{
    *why = (struct psbt_fault){ 0 };
    for (size_t i = 0; i < p->tx->in_count; i++) {
        const struct psbt_in *in = &p->in[i];
        if (!in->has_spent)
            return refuse(why, E_FORMAT, PSBT_INPUT, i, "the output that it spends is needed: add a witness UTXO");
        if (in->proposals > 1)
            return refuse(why, E_FORMAT, PSBT_INPUT, i, "a final witness and a proprietary one: give one of them");
        if (in->proposals && in->has_sighash && in->sighash != 0)
            return refuse(why, E_FORMAT, PSBT_INPUT, i, "asks for another sighash type than DEFAULT");
    }
    return OK;
}
