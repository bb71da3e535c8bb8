/* Writing: every pair as it was, but for those that a signature replaces. */
#include "signer/psbt.h"
#include "signer/psbt_map.h"

enum { PAIR_MORE = 96, MODIFIABLE = 0x03 };    /* a new pair, less the annex that the old witness held already */

size_t psbt_room(size_t n, size_t signatures)
{
    return n + signatures * PAIR_MORE;
}

/* A signature with SIGHASH_DEFAULT commits to all inputs and outputs. */
static void write_global(struct wr *w, const struct psbt *p, bool any)
{
    struct psbt_pair pair;
    for (struct rd r = rd_of(p->global.p, p->global.n); r.left && psbt_pair(&pair, &r);) {
        if (any && p->version == 2 && pair.type == GLOBAL_TX_MODIFIABLE) {
            tx_item_write(w, pair.key.p, pair.key.n);
            wr_compact(w, 1);
            wr_u8(w, pair.value.p[0] & (uint8_t)~MODIFIABLE);
        } else {
            wr_bytes(w, pair.whole.p, pair.whole.n);
        }
    }
    wr_u8(w, 0);
}

static void write_key_sig(struct wr *w, const struct psbt_signature *s)
{
    wr_u8(w, 1);
    wr_u8(w, IN_TAP_KEY_SIG);
    tx_item_write(w, s->sig, 64);
}

static void write_final(struct wr *w, const struct psbt_signature *s)
{
    const size_t annex = s->annex.n ? compact_size(s->annex.n) + s->annex.n : 0;
    wr_u8(w, 1);
    wr_u8(w, IN_FINAL_SCRIPTWITNESS);
    wr_compact(w, 1 + 1 + 64 + annex);
    wr_compact(w, annex ? 2 : 1);
    tx_item_write(w, s->sig, 64);
    if (annex)
        tx_item_write(w, s->annex.p, s->annex.n);
}

static bool stays(const struct psbt_pair *pair, bool final)
{
    if (final)
        return !psbt_pair_cleared(pair);
    return pair->type != IN_FINAL_SCRIPTWITNESS && pair->type != IN_FINAL_SCRIPTSIG && pair->type != IN_TAP_KEY_SIG &&
           !psbt_pair_emulated(pair);
}

/* The new pair goes before the first that has a larger type: in order, where the map was. */
static void write_input(struct wr *w, const struct psbt_in *in, const struct psbt_signature *s, bool finalise)
{
    const bool final = finalise || s->annex.n;
    const uint64_t type = final ? IN_FINAL_SCRIPTWITNESS : IN_TAP_KEY_SIG;
    bool put = false;
    struct psbt_pair pair;
    for (struct rd r = rd_of(in->map.p, in->map.n); r.left && psbt_pair(&pair, &r);) {
        if (!stays(&pair, final))
            continue;
        if (!put && pair.type > type) {
            put = true;
            (final ? write_final : write_key_sig)(w, s);
        }
        wr_bytes(w, pair.whole.p, pair.whole.n);
    }
    if (!put)
        (final ? write_final : write_key_sig)(w, s);
}

void psbt_write(struct wr *w, const struct psbt *p, const struct psbt_signature *s, bool finalise)
{
    bool any = false;
    for (size_t i = 0; i < p->tx->in_count; i++)
        any |= s[i].sig != NULL;
    wr_bytes(w, "psbt\xff", 5);
    write_global(w, p, any);
    for (size_t i = 0; i < p->tx->in_count; i++) {
        if (s[i].sig)
            write_input(w, &p->in[i], &s[i], finalise);
        else
            wr_bytes(w, p->in[i].map.p, p->in[i].map.n);
        wr_u8(w, 0);
    }
    wr_bytes(w, p->outputs.p, p->outputs.n);
}
