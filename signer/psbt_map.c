/* What each field's key and value look like, by a table. */
#include "signer/psbt_map.h"
#include <string.h>
#include "signer/tx.h"

enum { CONTROL_MIN = 33, CONTROL_STEP = 32, CONTROL_MAX = 33 + 32 * 128, DEPTH_MAX = 128, BOTH = -1, ANY = PSBT_MAX };

enum key_kind { KEY_NONE, KEY_PUBLIC, KEY_XPUB, KEY_20, KEY_32, KEY_64, KEY_CONTROL, KEY_MUSIG };
/* A value of `least` to `most` bytes, of whole steps above the least. */
struct field {
    uint8_t  type;
    int8_t   version;                  /* 0, 2 or BOTH */
    uint8_t  key;                      /* enum key_kind */
    bool     cleared;                  /* by a finaliser; inputs only */
    uint32_t least, most, step;
};

static const struct field globals[] = {
    { GLOBAL_UNSIGNED_TX,       0,    KEY_NONE, false, 10, ANY, 1 },
    { 0x01 /* XPUB */,          BOTH, KEY_XPUB, false, 4, ANY, 4 },
    { GLOBAL_TX_VERSION,        2,    KEY_NONE, false, 4, 4, 1 },
    { GLOBAL_FALLBACK_LOCKTIME, 2,    KEY_NONE, false, 4, 4, 1 },
    { GLOBAL_INPUT_COUNT,       2,    KEY_NONE, false, 1, 9, 1 },
    { GLOBAL_OUTPUT_COUNT,      2,    KEY_NONE, false, 1, 9, 1 },
    { GLOBAL_TX_MODIFIABLE,     2,    KEY_NONE, false, 1, 1, 1 },
    { GLOBAL_VERSION,           BOTH, KEY_NONE, false, 4, 4, 1 },
};
static const struct field inputs[] = {
    { IN_NON_WITNESS_UTXO,      BOTH, KEY_NONE, false, 10, ANY, 1 },
    { IN_WITNESS_UTXO,          BOTH, KEY_NONE, false, 9, ANY, 1 },
    { 0x02 /* PARTIAL_SIG */,   BOTH, KEY_PUBLIC, true, 1, ANY, 1 },
    { IN_SIGHASH_TYPE,          BOTH, KEY_NONE, true, 4, 4, 1 },
    { 0x04 /* REDEEM_SCRIPT */, BOTH, KEY_NONE, true, 0, ANY, 1 },
    { 0x05 /* WITNESS_SCRIPT */, BOTH, KEY_NONE, true, 0, ANY, 1 },
    { 0x06 /* BIP32 */,         BOTH, KEY_PUBLIC, true, 4, ANY, 4 },
    { IN_FINAL_SCRIPTSIG,       BOTH, KEY_NONE, true, 0, ANY, 1 },
    { IN_FINAL_SCRIPTWITNESS,   BOTH, KEY_NONE, true, 1, ANY, 1 },
    { 0x09 /* POR */,           BOTH, KEY_NONE, true, 0, ANY, 1 },
    { 0x0a /* RIPEMD160 */,     BOTH, KEY_20, true, 0, ANY, 1 },
    { 0x0b /* SHA256 */,        BOTH, KEY_32, true, 0, ANY, 1 },
    { 0x0c /* HASH160 */,       BOTH, KEY_20, true, 0, ANY, 1 },
    { 0x0d /* HASH256 */,       BOTH, KEY_32, true, 0, ANY, 1 },
    { IN_PREVIOUS_TXID,         2,    KEY_NONE, false, 32, 32, 1 },
    { IN_OUTPUT_INDEX,          2,    KEY_NONE, false, 4, 4, 1 },
    { IN_SEQUENCE,              2,    KEY_NONE, false, 4, 4, 1 },
    { IN_REQUIRED_TIME,         2,    KEY_NONE, false, 4, 4, 1 },
    { IN_REQUIRED_HEIGHT,       2,    KEY_NONE, false, 4, 4, 1 },
    { IN_TAP_KEY_SIG,           BOTH, KEY_NONE, true, 64, 65, 1 },
    { 0x14 /* TAP_SCRIPT_SIG */, BOTH, KEY_64, true, 64, 65, 1 },
    { 0x15 /* TAP_LEAF */,      BOTH, KEY_CONTROL, true, 1, ANY, 1 },
    { 0x16 /* TAP_BIP32 */,     BOTH, KEY_32, true, 5, ANY, 1 },
    { 0x17 /* TAP_INTERNAL */,  BOTH, KEY_NONE, true, 32, 32, 1 },
    { IN_TAP_MERKLE_ROOT,       BOTH, KEY_NONE, true, 32, 32, 1 },
    { 0x1a /* MUSIG2 keys */,   BOTH, KEY_MUSIG, true, 0, ANY, 33 },
    { 0x1b /* MUSIG2 nonce */,  BOTH, KEY_MUSIG, true, 66, 66, 1 },
    { 0x1c /* MUSIG2 sig */,    BOTH, KEY_MUSIG, true, 32, 32, 1 },
};
static const struct field outputs[] = {
    { 0x00 /* REDEEM_SCRIPT */, BOTH, KEY_NONE, false, 0, ANY, 1 },
    { 0x01 /* WITNESS_SCRIPT */, BOTH, KEY_NONE, false, 0, ANY, 1 },
    { 0x02 /* BIP32 */,         BOTH, KEY_PUBLIC, false, 4, ANY, 4 },
    { OUT_AMOUNT,               2,    KEY_NONE, false, 8, 8, 1 },
    { OUT_SCRIPT,               2,    KEY_NONE, false, 0, ANY, 1 },
    { 0x05 /* TAP_INTERNAL */,  BOTH, KEY_NONE, false, 32, 32, 1 },
    { OUT_TAP_TREE,             BOTH, KEY_NONE, false, 3, ANY, 1 },
    { 0x07 /* TAP_BIP32 */,     BOTH, KEY_32, false, 5, ANY, 1 },
    { 0x08 /* MUSIG2 keys */,   BOTH, KEY_MUSIG, false, 0, ANY, 33 },
};

static const struct field *find(enum psbt_part part, uint64_t type)
{
    const struct field *rows = part == PSBT_GLOBAL ? globals : part == PSBT_INPUT ? inputs : outputs;
    size_t n = part == PSBT_GLOBAL ? sizeof globals : part == PSBT_INPUT ? sizeof inputs : sizeof outputs;
    for (size_t i = 0; i < n / sizeof *rows; i++)
        if (rows[i].type == type)
            return &rows[i];
    return NULL;
}

static struct span take(struct rd *r)
{
    size_t n = (size_t)rd_compact(r);
    const uint8_t *p = rd_bytes(r, n);
    return (struct span){ p, p ? n : 0 };
}

bool psbt_pair(struct psbt_pair *out, struct rd *r)
{
    const uint8_t *start = r->p;
    *out = (struct psbt_pair){ 0 };
    out->key = take(r);
    if (!rd_ok(r) || out->key.n == 0)
        return false;
    struct rd key = rd_of(out->key.p, out->key.n);
    out->type = rd_compact(&key);
    out->data = (struct span){ key.p, key.left };
    out->value = take(r);
    r->bad |= !rd_ok(&key);
    out->whole = (struct span){ start, (size_t)(r->p - start) };
    return rd_ok(r);
}

/* BIP174's proprietary keys: a prefix, a subtype, and whatever follows. */
static bool proprietary_parse(struct span *prefix, uint64_t *subtype, size_t *more, const struct psbt_pair *p)
{
    struct rd r = rd_of(p->data.p, p->data.n);
    *prefix = take(&r);
    *subtype = rd_compact(&r);
    *more = r.left;
    return rd_ok(&r);
}

bool psbt_pair_emulated(const struct psbt_pair *p)
{
    static const char name[] = "holdfast";
    struct span prefix;
    uint64_t subtype;
    size_t more;
    return p->type == PROPRIETARY && proprietary_parse(&prefix, &subtype, &more, p) && subtype == 0 && more == 0 &&
           prefix.n == sizeof name - 1 && memcmp(prefix.p, name, prefix.n) == 0;
}

bool psbt_pair_cleared(const struct psbt_pair *p)
{
    const struct field *f = find(PSBT_INPUT, p->type);
    return f ? f->cleared : psbt_pair_emulated(p);
}

static bool key_fits(enum key_kind kind, size_t n)
{
    switch (kind) {
    case KEY_NONE:    return n == 0;
    case KEY_PUBLIC:  return n == 33 || n == 65;
    case KEY_XPUB:    return n == 78;
    case KEY_20:      return n == 20;
    case KEY_32:      return n == 32;
    case KEY_64:      return n == 64;
    case KEY_CONTROL: return n >= CONTROL_MIN && n <= CONTROL_MAX && (n - CONTROL_MIN) % CONTROL_STEP == 0;
    case KEY_MUSIG:   return n == 33 || n == 66 || n == 98;
    }
    return false;
}

/* Leaf hashes, then the fingerprint and the path. */
static bool tap_bip32_fits(struct span v)
{
    struct rd r = rd_of(v.p, v.n);
    size_t hashes = (size_t)rd_compact(&r);
    return rd_ok(&r) && hashes <= r.left / 32 && r.left - hashes * 32 >= 4 && (r.left - hashes * 32) % 4 == 0;
}

/* Leaves from left to right, each with its depth. `open[d]`: a left child at depth d waits for its right one. */
static bool tap_tree_fits(struct span v)
{
    bool open[DEPTH_MAX + 1] = { false }, complete = false;
    struct rd r = rd_of(v.p, v.n);
    while (rd_ok(&r) && r.left) {
        uint8_t depth = rd_u8(&r), version = rd_u8(&r);
        (void)take(&r);
        if (complete || depth > DEPTH_MAX || version & 1)
            return false;
        for (unsigned d = depth + 1u; d <= DEPTH_MAX; d++)
            if (open[d])
                return false;
        while (depth > 0 && open[depth])
            open[depth--] = false;
        complete = depth == 0;
        open[depth] = true;
    }
    return rd_ok(&r) && complete;
}

const char *psbt_pair_form(enum psbt_part part, const struct psbt_pair *p)
{
    const struct field *f = find(part, p->type);
    struct span prefix;
    uint64_t subtype;
    size_t more;
    if (p->type == PROPRIETARY && !proprietary_parse(&prefix, &subtype, &more, p))
        return "a proprietary key that is not well formed";
    if (!f)
        return NULL;
    if (!key_fits(f->key, p->data.n))
        return "a key of the wrong length for its type";
    if (p->value.n < f->least || p->value.n > f->most || (p->value.n - f->least) % f->step != 0)
        return "a value of the wrong length for its type";
    if (f->key == KEY_32 && (part == PSBT_OUTPUT || p->type == 0x16) && !tap_bip32_fits(p->value))
        return "a taproot derivation that is not well formed";
    if (part == PSBT_OUTPUT && p->type == OUT_TAP_TREE && !tap_tree_fits(p->value))
        return "a taproot tree that is not well formed";
    return NULL;
}

int psbt_pair_version(enum psbt_part part, const struct psbt_pair *p)
{
    const struct field *f = find(part, p->type);
    return f ? f->version : BOTH;
}
