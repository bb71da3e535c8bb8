/* sighash.h - what a signature signs: legacy, segwit v0 (BIP143), taproot (BIP341, 342).
 *
 * The hashes over the whole transaction are made once, in a sighash_cache, or a
 * transaction of many inputs would cost its size squared. */
#ifndef SIGNER_SIGHASH_H
#define SIGNER_SIGHASH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "signer/tx.h"

enum { SIGHASH_DEFAULT = 0, SIGHASH_ALL = 1, SIGHASH_NONE = 2, SIGHASH_SINGLE = 3, SIGHASH_ANYONECANPAY = 0x80,
       SIGHASH_ANYPREVOUT = 0x40, SIGHASH_ANYPREVOUTANYSCRIPT = 0xc0 };      /* BIP118 */

/* Hashes of one transaction, single SHA-256; BIP143 takes SHA-256 of three of them again.
 * It borrows tx and spent: both must outlive it, unchanged but for witnesses. */
struct sighash_cache {
    const struct tx     *tx;
    const struct tx_out *spent;    /* the output each input spends: tx->in_count of them */
    uint8_t prevouts[32], amounts[32], scripts[32], sequences[32], outputs[32];
    uint8_t prevouts2[32], sequences2[32], outputs2[32];
};
/* Fails: E_MEMORY. */
err sighash_cache_make(struct sighash_cache *c, const struct tx *tx, const struct tx_out *spent);

/* BIP341's message: epoch 0x00 and SigMsg(hash_type, ext_flag), with BIP342's extension for a leaf. */
enum { SIGMSG_MAX = 244 };
struct sigmsg { uint8_t bytes[SIGMSG_MAX]; size_t n; };
struct sighash_leaf {              /* of a script path */
    uint8_t  leaf_hash[32];
    uint32_t codesep;              /* index of the last executed OP_CODESEPARATOR, or 0xffffffff */
    uint8_t  key_version;          /* 0; 1 = a key of BIP118, which allows more hash types */
};
/* Build the message for input `input`. annex: the annex with its 0x50, or NULL for none;
 * leaf: NULL for the key path. Returns false for a hash type that BIP341 does not know, and for
 * SINGLE without a matching output: there is nothing to sign then. */
bool sighash_taproot_message(struct sigmsg *m, const struct sighash_cache *c, uint32_t input,
                             uint8_t hash_type, const struct span *annex, const struct sighash_leaf *leaf);
/* For many signatures of one input: the hashes of its annex and of its own output are made once. */
struct sighash_input {
    const struct sighash_cache *c;
    uint32_t input;
    bool     has_annex, has_single;
    uint8_t  annex[32], single[32];
};
void sighash_input_begin(struct sighash_input *in, const struct sighash_cache *c, uint32_t input,
                         const struct span *annex);
bool sighash_input_message(struct sigmsg *m, struct sighash_input *in, uint8_t hash_type,
                           const struct sighash_leaf *leaf);
/* The 32 bytes that BIP340 signs: tagged hash "TapSighash" over the message. */
void sighash_taproot(uint8_t out[static 32], const struct sigmsg *m);

/* BIP143, for a segwit v0 program; amount is spent[input].value. */
void sighash_v0(uint8_t out[static 32], const struct sighash_cache *c, uint32_t input,
                uint32_t hash_type, const uint8_t *script_code, size_t n);
/* Before segwit. script_code may still hold OP_CODESEPARATORs: they are left out of the hash.
 * SINGLE without a matching output gives the number 1, as history has it. Fails: E_MEMORY. */
err  sighash_legacy(uint8_t out[static 32], const struct tx *tx, uint32_t input,
                    uint32_t hash_type, const uint8_t *script_code, size_t n);

#endif
