/* tx.h - a Bitcoin transaction over the bytes it came in.
 *
 * Parsing is strict: CompactSize must be canonical, every length must lie in the
 * bytes given, and nothing may be left over. Nothing is copied: scripts and
 * witness items point into the caller's bytes, which must outlive the struct.
 * Hashes are in wire order (the reverse of what block explorers show). */
#ifndef SIGNER_TX_H
#define SIGNER_TX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"

struct span { const uint8_t *p; size_t n; };          /* borrowed bytes; n = 0 may have p = NULL */

/* `witness` is the input's stack as serialised, without its count: each item a
 * CompactSize and its bytes. So a transaction of a million empty items costs no
 * memory, and a caller that signs an input points it at bytes of his own. */
struct tx_in {
    uint8_t     txid[32];
    uint32_t    vout, sequence, witness_count;
    struct span script_sig, witness;
};
struct tx_out { int64_t value; struct span script; }; /* value in satoshi, sign unchecked */
struct tx {
    int32_t        version;
    uint32_t       locktime;
    size_t         in_count, out_count;
    struct tx_in  *in;
    struct tx_out *out;
};

enum { TX_MAX_WEIGHT = 4000000, TX_WITNESS_ITEM_HEAD = 9 };
#define TX_MAX_MONEY INT64_C(2100000000000000)

/* Parse one transaction, with (BIP144) or without a witness. Allocates at most 3 times n
 * and a few hundred bytes. As in Core, a marker with an unknown flag, or a witness part in
 * which every stack is empty, is refused. Out: *out, for tx_free(). Fails: E_FORMAT, E_MEMORY. */
err  tx_parse(struct tx **out, const uint8_t *p, size_t n);
void tx_free(struct tx **t);
#define TX __attribute__((cleanup(tx_free))) struct tx *

/* Parse outputs put one behind the other (CTxOut: value, script), as many as `count`.
 * Out: outs[0..count). Fails: E_FORMAT (short, long, or not canonical). */
err  tx_outs_parse(struct tx_out *outs, size_t count, const uint8_t *p, size_t n);

/* Core's CheckTransaction: inputs and outputs there, values in range, no input twice, no
 * null outpoint outside a coinbase, coinbase script of 2 to 100 bytes, stripped size times
 * four within TX_MAX_WEIGHT. Fails: E_FORMAT (the rule is logged), E_MEMORY. */
err  tx_check(const struct tx *t);
bool tx_is_coinbase(const struct tx *t);

/* Bytes of the serialisation: with the witness (when there is any), and without. */
size_t   tx_size(const struct tx *t, bool witness);
uint64_t tx_weight(const struct tx *t);                /* BIP141, in weight units */
/* Write it; w->full tells when it did not fit. */
void     tx_write(struct wr *w, const struct tx *t, bool witness);
void     tx_out_write(struct wr *w, const struct tx_out *o);
/* Hash of the stripped serialisation, in wire order. Fails: E_MEMORY. */
err      tx_id(uint8_t out[static 32], const struct tx *t);

/* The next item of a stack: start with `struct rd r = rd_of(in->witness.p, in->witness.n)`
 * and take exactly witness_count. A short stack (only in hand-made inputs) marks r bad. */
struct span tx_item(struct rd *r);
/* Write one witness item: its CompactSize and bytes. */
void        tx_item_write(struct wr *w, const void *p, size_t n);

/* CompactSize. Reading one that is not canonical or above 0x02000000 marks r bad. */
uint64_t rd_compact(struct rd *r);
void     wr_compact(struct wr *w, uint64_t v);
size_t   compact_size(uint64_t v);

#endif
