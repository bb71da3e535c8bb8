/* tree_text.c - a script tree as people write it, and the leaf that gets coins back without the service. */
#include "signer/address.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "signer/taproot.h"

/* BIP386's expression, with scripts in hex: a leaf, or {tree,tree}. */
struct reader {
    const char *p, *end;
    uint8_t *bytes;                       /* scripts, one behind the other */
    size_t   used, count;
    struct tree_leaf *leaf;               /* TREE_MAX_LEAVES */
};

static bool take(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != c) return false;
    r->p++;
    return true;
}

static err leaf(struct reader *r, unsigned depth)
{
    size_t n = 0;
    while (r->p + n < r->end && strchr("0123456789abcdefABCDEF", r->p[n]) && r->p[n]) n++;
    if (n == 0 || n % 2) FAIL(E_FORMAT, "a tree: a leaf is a script in hex, or {tree,tree}");
    if (r->count == TREE_MAX_LEAVES) FAIL(E_LIMIT, "a tree: more than %d leaves", TREE_MAX_LEAVES);
    TRY(hex_to(r->bytes + r->used, n / 2, r->p, n));
    r->leaf[r->count++] = (struct tree_leaf){ .depth = (uint8_t)depth, .version = TAPROOT_LEAF_TAPSCRIPT,
                                              .script = { r->bytes + r->used, n / 2 } };
    r->used += n / 2;
    r->p += n;
    return OK;
}

static err tree(struct reader *r, unsigned depth)
{
    if (!take(r, '{')) return leaf(r, depth);
    if (depth == TAPROOT_MAX_DEPTH) FAIL(E_LIMIT, "a tree: deeper than %d", TAPROOT_MAX_DEPTH);
    TRY(tree(r, depth + 1));
    if (!take(r, ',')) FAIL(E_FORMAT, "a tree: a branch is {tree,tree}");
    TRY(tree(r, depth + 1));
    if (!take(r, '}')) FAIL(E_FORMAT, "a tree: a branch is {tree,tree}");
    return OK;
}

static void drop_leaves(struct tree_leaf **l)
{
    free(*l);
}

err tree_text_root(uint8_t root[static 32], const char *text, size_t n)
{
    BYTES bytes = NULL;
    __attribute__((cleanup(drop_leaves))) struct tree_leaf *leaves = calloc(TREE_MAX_LEAVES, sizeof *leaves);
    if (!leaves) FAIL(E_MEMORY, "a tree of scripts");
    TRY(mem_new(&bytes, n / 2 + 1));
    struct reader r = { .p = text, .end = text + n, .bytes = bytes, .leaf = leaves };
    TRY(tree(&r, 0));
    if (r.p != r.end) FAIL(E_FORMAT, "a tree: %zu characters behind it", (size_t)(r.end - r.p));
    return tree_root(root, leaves, r.count);
}

err recovery_script(uint8_t out[static RECOVERY_SCRIPT], size_t *n, uint32_t blocks, const uint8_t key[static 32])
{
    enum { OP_1 = 0x51, OP_DROP = 0x75, OP_CHECKSIG = 0xac, OP_CHECKSEQUENCEVERIFY = 0xb2 };
    uint8_t unused[32];
    int parity;
    if (blocks == 0 || blocks > 0xffff) FAIL(E_FORMAT, "a recovery leaf waits 1 to 65535 blocks, not %u", blocks);
    /* A key that is no point could never sign: the coins would have no way back. */
    TRY(taproot_output_key(unused, &parity, key, NULL));
    struct wr w = wr_of(out, RECOVERY_SCRIPT);
    /* The shortest push of a number (BIP62's rule, enforced as MINIMALDATA): little-endian, the top bit is the sign. */
    if (blocks <= 16) {
        wr_u8(&w, (uint8_t)(OP_1 - 1 + blocks));
    } else {
        const uint8_t number[3] = { (uint8_t)blocks, (uint8_t)(blocks >> 8), 0 };
        const size_t size = blocks < 0x80 ? 1 : blocks < 0x8000 ? 2 : 3;
        wr_u8(&w, (uint8_t)size);
        wr_bytes(&w, number, size);
    }
    wr_u8(&w, OP_CHECKSEQUENCEVERIFY);
    wr_u8(&w, OP_DROP);
    wr_u8(&w, 32);
    wr_bytes(&w, key, 32);
    wr_u8(&w, OP_CHECKSIG);
    *n = w.len;
    return wr_end(&w, "a recovery leaf");
}
