/* The tree of scripts, built from its leaves the way a parser builds a sum: a stack of finished
 * subtrees, where two neighbours of equal depth become one a level higher. */
#include "signer/address.h"
#include <string.h>
#include "signer/taproot.h"

struct node { uint8_t hash[32]; uint8_t depth; bool marked; };   /* marked: holds the leaf we want a path for */
struct build {
    struct node stack[TAPROOT_MAX_DEPTH + 1];
    size_t      height;
    uint8_t     path[32 * TAPROOT_MAX_DEPTH];                    /* sisters of the marked leaf, from below */
    size_t      path_len;
};

/* Join the two topmost subtrees. */
static void join(struct build *b)
{
    struct node *left = &b->stack[b->height - 2], *right = &b->stack[b->height - 1];
    if (left->marked || right->marked) {
        memcpy(b->path + b->path_len, left->marked ? right->hash : left->hash, 32);
        b->path_len += 32;
    }
    left->marked |= right->marked;
    uint8_t both[32];
    taproot_branch_hash(both, left->hash, right->hash);
    memcpy(left->hash, both, 32);
    left->depth--;
    b->height--;
}

static err leaf_check(const struct tree_leaf *leaf)
{
    if (leaf->depth > TAPROOT_MAX_DEPTH)
        FAIL(E_LIMIT, "a leaf at depth %u: at most %d", leaf->depth, TAPROOT_MAX_DEPTH);
    if (leaf->version != (leaf->version & TAPROOT_LEAF_MASK) || leaf->version == TAPROOT_ANNEX_TAG)
        FAIL(E_FORMAT, "no leaf version: 0x%02x", leaf->version);
    return OK;
}

static err build(struct build *b, const struct tree_leaf *leaves, size_t count, size_t which)
{
    *b = (struct build){ 0 };
    if (count == 0)
        FAIL(E_FORMAT, "a tree without leaves");
    if (count > TREE_MAX_LEAVES)
        FAIL(E_LIMIT, "a tree of %zu leaves: at most %d", count, TREE_MAX_LEAVES);
    for (size_t i = 0; i < count; i++) {
        TRY(leaf_check(&leaves[i]));
        /* Depths on the stack rise strictly, from 1: so it cannot overflow. A leaf that is too
         * shallow, or comes after the tree is whole, breaks that. */
        if (b->height && (b->stack[b->height - 1].depth > leaves[i].depth || b->stack[0].depth == 0))
            FAIL(E_FORMAT, "leaf %zu at depth %u does not fit beside those before it", i, leaves[i].depth);
        struct node *top = &b->stack[b->height++];
        taproot_leaf_hash(top->hash, leaves[i].version, leaves[i].script.p, leaves[i].script.n);
        top->depth = leaves[i].depth;
        top->marked = i == which;
        while (b->height >= 2 && b->stack[b->height - 1].depth == b->stack[b->height - 2].depth &&
               b->stack[b->height - 1].depth > 0)
            join(b);
    }
    if (b->height != 1 || b->stack[0].depth != 0)
        FAIL(E_FORMAT, "these depths make no tree");
    return OK;
}

err tree_root(uint8_t root[static 32], const struct tree_leaf *leaves, size_t count)
{
    struct build b;
    TRY(build(&b, leaves, count, SIZE_MAX));
    memcpy(root, b.stack[0].hash, 32);
    return OK;
}

err tree_control(uint8_t control[static TREE_CONTROL_MAX], size_t *n, const uint8_t internal[static 32],
                 const struct tree_leaf *leaves, size_t count, size_t which)
{
    struct build b;
    uint8_t output[32];
    int parity;
    if (which >= count)
        FAIL(E_FORMAT, "no leaf %zu among %zu", which, count);
    TRY(build(&b, leaves, count, which));
    TRY(taproot_output_key(output, &parity, internal, b.stack[0].hash));
    struct wr w = wr_of(control, TREE_CONTROL_MAX);
    wr_u8(&w, (uint8_t)(leaves[which].version | parity));
    wr_bytes(&w, internal, 32);
    wr_bytes(&w, b.path, b.path_len);
    TRY(wr_end(&w, "control block"));
    *n = w.len;
    return OK;
}
