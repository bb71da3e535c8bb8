/* psbt.h - partially signed transactions: BIP174 (version 0) and BIP370 (version 2), with BIP371's taproot fields.
 *
 * A reader of untrusted bytes, and a writer that puts key-path signatures in place. The role `web` links
 * it; no process that holds a key does. Nothing is copied: scripts, witnesses and maps point into
 * the caller's bytes, and a pair that is not ours to change is written back byte for byte, whether
 * it is known or not.
 *
 * Strict: lengths in their shortest form, no key twice in a map, fields only in the versions that
 * have them, known fields with keys and values of their size, nothing behind the last map.
 *
 * The emulated spend of an input (signer/emulate.h) is a whole witness: the script's stack, the script,
 * the control block, and perhaps an annex. It stands where a PSBT has room for a whole witness, in
 * PSBT_IN_FINAL_SCRIPTWITNESS; or, for tools that leave an input alone that looks final, in the proprietary
 * field (0xFC, "holdfast", subtype 0, no key data), serialised in the same way. The output's real script
 * tree (the backup path) is told by PSBT_IN_TAP_MERKLE_ROOT, as it is for any taproot output. */
#ifndef SIGNER_PSBT_H
#define SIGNER_PSBT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "signer/tx.h"

enum { PSBT_MAX = 4 << 20, PSBT_KEYS_MAX = 4096 };       /* bytes in all; pairs in one map */

/* What is wrong, for the one who made it. */
enum psbt_part { PSBT_WHOLE, PSBT_GLOBAL, PSBT_INPUT, PSBT_OUTPUT };
struct psbt_fault {
    enum psbt_part part;
    size_t         index;              /* of the input or output */
    const char    *text;               /* a constant text */
};
enum { PSBT_TEXT = 160 };
/* "input 3: a key is there twice", NUL-terminated, printable ASCII. */
void psbt_fault_text(char out[static PSBT_TEXT], const struct psbt_fault *f);

struct psbt_in {
    struct span    map;                /* its pairs, without the zero that ends them */
    bool           has_spent;          /* one of the UTXO fields is there; both, when they agree */
    struct tx_out  spent;
    const uint8_t *merkle_root;        /* PSBT_IN_TAP_MERKLE_ROOT: 32 bytes, or NULL */
    bool           has_sighash;
    uint32_t       sighash;
    uint8_t        proposals;          /* fields that hold a witness: final, proprietary */
};
struct psbt {
    uint32_t        version;           /* 0 or 2 */
    struct span     global, outputs;   /* pairs of the global map; all output maps with their ends */
    struct tx      *tx;                /* as it is to be, each input with the witness that is there for it */
    struct psbt_in *in;                /* tx->in_count */
};

/* Borrows p[0..n) for the life of the PSBT. Allocates a small multiple of n. A transaction without inputs
 * is refused. *why is set on E_FORMAT and E_LIMIT. Fails: E_FORMAT, E_LIMIT (n, or pairs in a map), E_MEMORY. */
err  psbt_parse(struct psbt **out, struct psbt_fault *why, const uint8_t *p, size_t n);
void psbt_free(struct psbt **p);
#define PSBT __attribute__((cleanup(psbt_free))) struct psbt *

/* Is all there that a taproot signature needs: every spent output; and for an input that has a witness,
 * no other sighash type than DEFAULT and no second witness? Fails: E_FORMAT, with *why set. */
err  psbt_signable(struct psbt_fault *why, const struct psbt *p);

/* A signature for one input; sig NULL: none, and the input's map is written as it was. */
struct psbt_signature { const uint8_t *sig; struct span annex; };    /* sig: 64 bytes; annex: n = 0 when there is none */

/* Room that psbt_write() needs at most, for so many signatures on a PSBT of n bytes. */
size_t psbt_room(size_t n, size_t signatures);
/* Write it with its signatures; `s` has tx->in_count elements. The emulated witness of a signed input goes, and
 * PSBT_IN_TAP_KEY_SIG comes. `finalise`, or an annex, which no other field could carry: instead
 * PSBT_IN_FINAL_SCRIPTWITNESS comes, and all goes that BIP174 has a finaliser remove (what stays: the UTXOs, the
 * fields that make version 2's transaction, and what we do not know). After a signature, version 2's transaction is
 * no longer modifiable. */
void psbt_write(struct wr *w, const struct psbt *p, const struct psbt_signature *s, bool finalise);

#endif
