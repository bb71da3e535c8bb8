/* taproot.h - the commitments of BIP341: leaf, branch, control block, output. */
#ifndef SIGNER_TAPROOT_H
#define SIGNER_TAPROOT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "signer/tx.h"

enum { TAPROOT_LEAF_TAPSCRIPT = 0xc0, TAPROOT_LEAF_MASK = 0xfe, TAPROOT_ANNEX_TAG = 0x50,
       TAPROOT_MAX_DEPTH = 128, TAPROOT_SCRIPT = 34 };

void taproot_leaf_hash(uint8_t out[static 32], uint8_t leaf_version, const uint8_t *script, size_t n);
/* Of two nodes in either order: the smaller is hashed first. */
void taproot_branch_hash(uint8_t out[static 32], const uint8_t a[static 32], const uint8_t b[static 32]);
/* The tweak of `internal`: tagged hash over it and the root; root NULL = no scripts. */
void taproot_tweak_hash(uint8_t out[static 32], const uint8_t internal[static 32], const uint8_t *root);

/* A control block, borrowed from its bytes. */
struct taproot_control {
    uint8_t        leaf_version;   /* even */
    int            parity;         /* of the output key's y, as claimed */
    const uint8_t *internal;       /* 32 bytes */
    const uint8_t *path;           /* depth * 32 bytes, from the leaf upwards */
    size_t         depth;
};
/* Read one: 33 + 32m bytes, m <= 128. Whether `internal` is a point is not looked at
 * here. Returns false when the length is wrong. */
bool taproot_control_parse(struct taproot_control *out, const uint8_t *p, size_t n);
/* The root that `leaf` (a leaf hash) has under this path. */
void taproot_control_root(uint8_t root[static 32], const struct taproot_control *c, const uint8_t leaf[static 32]);

/* Output key of an internal key and an optional (NULL) root. Fails: E_FORMAT (no point). */
err  taproot_output_key(uint8_t output[static 32], int *parity,
                        const uint8_t internal[static 32], const uint8_t *root);
/* Does the control block, with this leaf hash, commit to the output key, parity included?
 * Out: root[32] unless NULL. */
bool taproot_commits(const uint8_t output[static 32], uint8_t *root,
                     const struct taproot_control *c, const uint8_t leaf[static 32]);
/* scriptPubKey of an output key: OP_1 and a push of it. */
void taproot_script(uint8_t out[static TAPROOT_SCRIPT], const uint8_t output[static 32]);
/* The output key inside a P2TR scriptPubKey, or NULL when it is not one. */
const uint8_t *taproot_script_key(const uint8_t *script, size_t n);

/* What a witness stack means for a taproot input (BIP341, rule by number of items). */
enum taproot_path { TAPROOT_NO_WITNESS, TAPROOT_KEY_PATH, TAPROOT_SCRIPT_PATH };
struct taproot_witness {
    enum taproot_path path;
    bool        has_annex;         /* two items or more, and the last begins with 0x50 */
    struct span annex;             /* with its first byte 0x50 */
    struct span script, control;   /* script path only; control of any length */
    struct span signature;         /* key path only */
    uint32_t    stack_count;       /* script path: items below the script */
};
/* Out: *out, over the input's bytes. Fails: E_FORMAT (stack bytes and count disagree). */
err taproot_witness_read(struct taproot_witness *out, const struct tx_in *in);

#endif
