#include "signer/taproot.h"

#include <string.h>

#include "core/hash.h"
#include "signer/ec.h"

void taproot_leaf_hash(uint8_t out[static 32], uint8_t leaf_version, const uint8_t *script, size_t n)
{
    uint8_t head[1 + 9];
    struct wr w = wr_of(head, sizeof head);
    wr_u8(&w, leaf_version);
    wr_compact(&w, n);
    struct bytes pieces[] = { { head, w.len }, { script, n } };
    tagged_hash(out, "TapLeaf", pieces, 2);
}

void taproot_branch_hash(uint8_t out[static 32], const uint8_t a[static 32], const uint8_t b[static 32])
{
    bool swap = memcmp(a, b, 32) > 0;
    struct bytes pieces[] = { { swap ? b : a, 32 }, { swap ? a : b, 32 } };
    tagged_hash(out, "TapBranch", pieces, 2);
}

void taproot_tweak_hash(uint8_t out[static 32], const uint8_t internal[static 32], const uint8_t *root)
{
    struct bytes pieces[] = { { internal, 32 }, { root, 32 } };
    tagged_hash(out, "TapTweak", pieces, root ? 2 : 1);
}

bool taproot_control_parse(struct taproot_control *out, const uint8_t *p, size_t n)
{
    if (n < 33 || (n - 33) % 32 != 0 || (n - 33) / 32 > TAPROOT_MAX_DEPTH)
        return false;
    *out = (struct taproot_control){
        .leaf_version = p[0] & TAPROOT_LEAF_MASK,
        .parity = p[0] & 1,
        .internal = p + 1,
        .path = p + 33,
        .depth = (n - 33) / 32,
    };
    return true;
}

void taproot_control_root(uint8_t root[static 32], const struct taproot_control *c, const uint8_t leaf[static 32])
{
    uint8_t node[32];
    memcpy(node, leaf, 32);
    for (size_t i = 0; i < c->depth; i++)
        taproot_branch_hash(node, node, c->path + 32 * i);
    memcpy(root, node, 32);
}

err taproot_output_key(uint8_t output[static 32], int *parity,
                       const uint8_t internal[static 32], const uint8_t *root)
{
    uint8_t tweak[32];
    taproot_tweak_hash(tweak, internal, root);
    return ec_tweak_xonly(output, parity, internal, tweak);
}

bool taproot_commits(const uint8_t output[static 32], uint8_t *root,
                     const struct taproot_control *c, const uint8_t leaf[static 32])
{
    uint8_t top[32], tweak[32];
    taproot_control_root(top, c, leaf);
    if (root)
        memcpy(root, top, 32);
    taproot_tweak_hash(tweak, c->internal, top);
    return ec_tweak_check(output, c->parity, c->internal, tweak);
}

void taproot_script(uint8_t out[static TAPROOT_SCRIPT], const uint8_t output[static 32])
{
    out[0] = 0x51;
    out[1] = 32;
    memcpy(out + 2, output, 32);
}

const uint8_t *taproot_script_key(const uint8_t *script, size_t n)
{
    return n == TAPROOT_SCRIPT && script[0] == 0x51 && script[1] == 32 ? script + 2 : NULL;
}

/* Keep the last three items of a stack of any size: none before them matters here. */
err taproot_witness_read(struct taproot_witness *out, const struct tx_in *in)
{
    struct span last[3] = { { NULL, 0 } };
    struct rd r = rd_of(in->witness.p, in->witness.n);
    for (uint32_t i = 0; i < in->witness_count && rd_ok(&r); i++) {
        last[0] = last[1];
        last[1] = last[2];
        last[2] = tx_item(&r);
    }
    TRY(rd_end(&r, "witness"));

    *out = (struct taproot_witness){ .path = TAPROOT_NO_WITNESS };
    uint32_t left = in->witness_count;
    const struct span *top = &last[2];
    if (left >= 2 && top->n > 0 && top->p[0] == TAPROOT_ANNEX_TAG) {
        out->has_annex = true;
        out->annex = *top--;
        left--;
    }
    if (left == 1) {
        out->path = TAPROOT_KEY_PATH;
        out->signature = *top;
    } else if (left >= 2) {
        out->path = TAPROOT_SCRIPT_PATH;
        out->control = top[0];
        out->script = top[-1];
        out->stack_count = left - 2;
    }
    return OK;
}
