/* Opcodes that move, compare, count and hash. */
#include <string.h>

#include "core/hash.h"
#include "signer/script_vm.h"

enum {
    OP_1NEGATE = 0x4f, OP_1 = 0x51, OP_NOTIF = 0x64,
    OP_2DROP = 0x6d, OP_2DUP = 0x6e, OP_3DUP = 0x6f, OP_2OVER = 0x70, OP_2ROT = 0x71, OP_2SWAP = 0x72,
    OP_ROLL = 0x7a, OP_EQUALVERIFY = 0x88,
    OP_1ADD = 0x8b, OP_1SUB, OP_NEGATE = 0x8f, OP_ABS, OP_NOT, OP_0NOTEQUAL, OP_ADD, OP_SUB,
    OP_BOOLAND = 0x9a, OP_BOOLOR, OP_NUMEQUAL, OP_NUMEQUALVERIFY, OP_NUMNOTEQUAL, OP_LESSTHAN,
    OP_GREATERTHAN, OP_LESSTHANOREQUAL, OP_GREATERTHANOREQUAL, OP_MIN, OP_MAX,
    OP_RIPEMD160 = 0xa6, OP_SHA1, OP_SHA256, OP_HASH160, OP_HASH256
};

/* Is this the shortest way to push these bytes (BIP62 rule 3)? */
static bool push_minimal(const struct span *d, uint8_t op)
{
    if (d->n == 0)
        return op == 0;
    if (d->n == 1 && ((d->p[0] >= 1 && d->p[0] <= 16) || d->p[0] == 0x81))
        return false;
    if (d->n <= 75)
        return op == d->n;
    return d->n <= 255 ? op == 0x4c : op == 0x4d;
}

enum script_error op_push(struct vm *v)
{
    if ((v->flags & SCRIPT_MINIMALDATA) && !push_minimal(&v->push, v->op))
        return SCRIPT_ERR_MINIMALDATA;
    return stack_push(v, v->push.p, v->push.n) ? SCRIPT_ERR_OK : SCRIPT_ERR_STACK_SIZE;
}

enum script_error op_small_number(struct vm *v)
{
    num_push(v, v->op == OP_1NEGATE ? -1 : v->op - OP_1 + 1);
    return SCRIPT_ERR_OK;
}

enum script_error op_nop(struct vm *v)
{
    (void)v;
    return SCRIPT_ERR_OK;
}

enum script_error op_nop_upgradable(struct vm *v)
{
    return v->flags & SCRIPT_DISCOURAGE_NOPS ? SCRIPT_ERR_DISCOURAGE_UPGRADABLE_NOPS : SCRIPT_ERR_OK;
}

enum script_error op_bad(struct vm *v)
{
    (void)v;
    return SCRIPT_ERR_BAD_OPCODE;
}

/* A condition must be empty or the byte 1: consensus in tapscript, a flag in v0. */
static enum script_error condition_form(const struct vm *v, const struct element *e)
{
    bool minimal = e->n == 0 || (e->n == 1 && e->b[0] == 1);
    if (v->kind == KIND_TAPSCRIPT && !minimal)
        return SCRIPT_ERR_TAPSCRIPT_MINIMALIF;
    if (v->kind == KIND_V0 && (v->flags & SCRIPT_MINIMALIF) && !minimal)
        return SCRIPT_ERR_MINIMALIF;
    return SCRIPT_ERR_OK;
}

enum script_error op_if(struct vm *v)
{
    bool taken = false;
    if (!v->dark) {
        if (v->main.n < 1)
            return SCRIPT_ERR_UNBALANCED_CONDITIONAL;
        enum script_error e = condition_form(v, stack_top(v, 0));
        if (e)
            return e;
        taken = element_true(stack_top(v, 0)) != (v->op == OP_NOTIF);
        stack_pop(v, 1);
    }
    v->depth++;
    if (!taken && !v->dark)
        v->dark = v->depth;
    return SCRIPT_ERR_OK;
}

enum script_error op_else(struct vm *v)
{
    if (v->depth == 0)
        return SCRIPT_ERR_UNBALANCED_CONDITIONAL;
    if (!v->dark)
        v->dark = v->depth;
    else if (v->dark == v->depth)
        v->dark = 0;
    return SCRIPT_ERR_OK;
}

enum script_error op_endif(struct vm *v)
{
    if (v->depth == 0)
        return SCRIPT_ERR_UNBALANCED_CONDITIONAL;
    if (v->dark == v->depth)
        v->dark = 0;
    v->depth--;
    return SCRIPT_ERR_OK;
}

enum script_error op_verify(struct vm *v)
{
    if (!element_true(stack_top(v, 0)))
        return SCRIPT_ERR_VERIFY;
    stack_pop(v, 1);
    return SCRIPT_ERR_OK;
}

enum script_error op_return(struct vm *v)
{
    (void)v;
    return SCRIPT_ERR_OP_RETURN;
}

enum script_error op_toalt(struct vm *v)
{
    v->alt.at[v->alt.n++] = v->main.at[--v->main.n];
    return SCRIPT_ERR_OK;
}

enum script_error op_fromalt(struct vm *v)
{
    if (v->alt.n < 1)
        return SCRIPT_ERR_INVALID_ALTSTACK_OPERATION;
    v->main.at[v->main.n++] = v->alt.at[--v->alt.n];
    return SCRIPT_ERR_OK;
}

enum script_error op_drop(struct vm *v)
{
    stack_pop(v, v->op == OP_2DROP ? 2 : 1);
    return SCRIPT_ERR_OK;
}

/* Copy the element `from_top` to a new top. */
static enum script_error copy(struct vm *v, uint32_t from_top)
{
    const struct element *e = stack_top(v, from_top);
    return stack_push(v, e->b, e->n) ? SCRIPT_ERR_OK : SCRIPT_ERR_STACK_SIZE;
}

/* Copy `count` elements, of which the lowest is at from_top: the distance stays the same. */
static enum script_error copies(struct vm *v, uint32_t from_top, int count)
{
    enum script_error e = SCRIPT_ERR_OK;
    for (; count > 0 && !e; count--)
        e = copy(v, from_top);
    return e;
}

enum script_error op_dup(struct vm *v)
{
    uint32_t count = v->op == OP_2DUP ? 2 : v->op == OP_3DUP ? 3 : 1;
    return copies(v, count - 1, (int)count);
}

enum script_error op_ifdup(struct vm *v)
{
    return element_true(stack_top(v, 0)) ? copy(v, 0) : SCRIPT_ERR_OK;
}

enum script_error op_depth(struct vm *v)
{
    num_push(v, v->main.n);
    return SCRIPT_ERR_OK;
}

enum script_error op_nip(struct vm *v)
{
    stack_roll(v, 1);
    stack_pop(v, 1);
    return SCRIPT_ERR_OK;
}

enum script_error op_over(struct vm *v)
{
    return v->op == OP_2OVER ? copies(v, 3, 2) : copy(v, 1);
}

/* OP_PICK and OP_ROLL. */
enum script_error op_pick(struct vm *v)
{
    int64_t n;
    if (!num_read(&n, v, 0, 4))
        return SCRIPT_ERR_UNKNOWN_ERROR;
    stack_pop(v, 1);
    if (n < 0 || n >= v->main.n)
        return SCRIPT_ERR_INVALID_STACK_OPERATION;
    if (v->op != OP_ROLL)
        return copy(v, (uint32_t)n);
    stack_roll(v, (uint32_t)n);
    return SCRIPT_ERR_OK;
}

enum script_error op_rot(struct vm *v)
{
    uint32_t from = v->op == OP_2ROT ? 5 : 2;
    stack_roll(v, from);
    if (v->op == OP_2ROT)
        stack_roll(v, from);
    return SCRIPT_ERR_OK;
}

enum script_error op_swap(struct vm *v)
{
    uint32_t from = v->op == OP_2SWAP ? 3 : 1;
    stack_roll(v, from);
    if (v->op == OP_2SWAP)
        stack_roll(v, from);
    return SCRIPT_ERR_OK;
}

/* (a b -- b a b) */
enum script_error op_tuck(struct vm *v)
{
    stack_roll(v, 1);
    return copy(v, 1);
}

enum script_error op_size(struct vm *v)
{
    num_push(v, stack_top(v, 0)->n);
    return SCRIPT_ERR_OK;
}

/* The two operands give way to the answer, or, for the VERIFY form, a true answer to nothing. */
static enum script_error answer(struct vm *v, uint32_t taken, bool yes, bool verify, enum script_error no)
{
    stack_pop(v, taken);
    if (verify && yes)
        return SCRIPT_ERR_OK;
    stack_push_bool(v, yes);
    return verify ? no : SCRIPT_ERR_OK;
}

enum script_error op_equal(struct vm *v)
{
    const struct element *a = stack_top(v, 0), *b = stack_top(v, 1);
    bool same = a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
    return answer(v, 2, same, v->op == OP_EQUALVERIFY, SCRIPT_ERR_EQUALVERIFY);
}

enum script_error op_unary(struct vm *v)
{
    int64_t x;
    if (!num_read(&x, v, 0, 4))
        return SCRIPT_ERR_UNKNOWN_ERROR;
    switch (v->op) {
    case OP_1ADD:      x += 1; break;
    case OP_1SUB:      x -= 1; break;
    case OP_NEGATE:    x = -x; break;
    case OP_ABS:       x = x < 0 ? -x : x; break;
    case OP_NOT:       x = x == 0; break;
    default:           x = x != 0; break;         /* OP_0NOTEQUAL */
    }
    stack_pop(v, 1);
    num_push(v, x);
    return SCRIPT_ERR_OK;
}

static int64_t binary(uint8_t op, int64_t a, int64_t b)
{
    switch (op) {
    case OP_ADD:                return a + b;
    case OP_SUB:                return a - b;
    case OP_BOOLAND:            return a != 0 && b != 0;
    case OP_BOOLOR:             return a != 0 || b != 0;
    case OP_NUMEQUAL:
    case OP_NUMEQUALVERIFY:     return a == b;
    case OP_NUMNOTEQUAL:        return a != b;
    case OP_LESSTHAN:           return a < b;
    case OP_GREATERTHAN:        return a > b;
    case OP_LESSTHANOREQUAL:    return a <= b;
    case OP_GREATERTHANOREQUAL: return a >= b;
    case OP_MIN:                return a < b ? a : b;
    default:                    return a > b ? a : b;   /* OP_MAX */
    }
}

enum script_error op_binary(struct vm *v)
{
    int64_t a, b;
    if (!num_read(&a, v, 1, 4) || !num_read(&b, v, 0, 4))
        return SCRIPT_ERR_UNKNOWN_ERROR;
    if (v->op == OP_NUMEQUALVERIFY)
        return answer(v, 2, a == b, true, SCRIPT_ERR_NUMEQUALVERIFY);
    stack_pop(v, 2);
    num_push(v, binary(v->op, a, b));
    return SCRIPT_ERR_OK;
}

/* (x min max -- min <= x < max) */
enum script_error op_within(struct vm *v)
{
    int64_t x, min, max;
    if (!num_read(&x, v, 2, 4) || !num_read(&min, v, 1, 4) || !num_read(&max, v, 0, 4))
        return SCRIPT_ERR_UNKNOWN_ERROR;
    return answer(v, 3, min <= x && x < max, false, SCRIPT_ERR_OK);
}

enum script_error op_hash(struct vm *v)
{
    struct element *e = stack_top(v, 0);
    enum script_error over = spend_hashed(v, e->n + 64u);
    if (over)
        return over;
    uint8_t h[32];
    size_t n = v->op == OP_SHA256 || v->op == OP_HASH256 ? 32 : 20;
    switch (v->op) {
    case OP_RIPEMD160: ripemd160(h, e->b, e->n); break;
    case OP_SHA1:      sha1(h, e->b, e->n); break;
    case OP_SHA256:    sha256(h, e->b, e->n); break;
    case OP_HASH160:   sha256(h, e->b, e->n); ripemd160(h, h, 32); break;
    default:           sha256d(h, e->b, e->n); break;     /* OP_HASH256 */
    }
    memcpy(e->b, h, n);
    e->n = (uint16_t)n;
    return SCRIPT_ERR_OK;
}
