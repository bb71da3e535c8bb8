/* The loop: one instruction after the other, in the order of Core's checks. */
#include <string.h>

#include "signer/script_vm.h"

enum { OP_PUSHDATA1 = 0x4c, OP_PUSHDATA2, OP_PUSHDATA4, OP_16 = 0x60, OP_CODESEPARATOR = 0xab };

bool script_step(const uint8_t *script, size_t n, size_t *at, uint8_t *op, struct span *push)
{
    if (*at >= n)
        return false;
    struct rd r = rd_of(script + *at, n - *at);
    *push = (struct span){ NULL, 0 };
    *op = rd_u8(&r);
    if (*op <= OP_PUSHDATA4) {
        size_t len = *op < OP_PUSHDATA1 ? *op : *op == OP_PUSHDATA1 ? rd_u8(&r) : *op == OP_PUSHDATA2 ? rd_u16(&r) : rd_u32(&r);
        push->p = rd_bytes(&r, len);
        push->n = len;
        if (!rd_ok(&r))
            return false;
    }
    *at = n - r.left;
    return true;
}

bool script_push_only(const uint8_t *script, size_t n)
{
    uint8_t op;
    struct span push;
    for (size_t at = 0; at < n;)
        if (!script_step(script, n, &at, &op, &push) || op > OP_16)
            return false;
    return true;
}

bool script_is_op_success(uint8_t op, uint64_t flags)
{
    bool reserved = op == 80 || op == 98 || (op >= 126 && op <= 129) || (op >= 131 && op <= 134) || op == 137 || op == 138
                 || op == 141 || op == 142 || (op >= 149 && op <= 153) || (op >= 187 && op <= 254);
    return reserved && !(script_opcodes[op].rule & flags);
}

/* What fails even in a branch that is not taken. */
static enum script_error check_static(struct vm *v, const struct opcode *o)
{
    if (v->push.n > SCRIPT_MAX_ELEMENT)
        return SCRIPT_ERR_PUSH_SIZE;
    if (v->kind == KIND_TAPSCRIPT)
        return SCRIPT_ERR_OK;
    if (v->op > OP_16 && ++v->op_count > SCRIPT_MAX_OPS)
        return SCRIPT_ERR_OP_COUNT;
    if (o->how & OP_DISABLED)
        return SCRIPT_ERR_DISABLED_OPCODE;
    if (v->op == OP_CODESEPARATOR && v->kind == KIND_BASE && (v->flags & SCRIPT_CONST_SCRIPTCODE))
        return SCRIPT_ERR_OP_CODESEPARATOR;
    return SCRIPT_ERR_OK;
}

static enum script_error run_one(struct vm *v)
{
    const struct opcode *o = &script_opcodes[v->op];
    enum script_error e = check_static(v, o);
    if (e || (v->dark && !(o->how & OP_ALWAYS)))
        return e;
    if (!o->run || (o->kinds && !(o->kinds & v->kind)))
        return SCRIPT_ERR_BAD_OPCODE;
    if (v->main.n < o->need)
        return SCRIPT_ERR_INVALID_STACK_OPERATION;
    return o->run(v);
}

static enum script_error spend_script(struct vm *v)
{
    if (!v->budget)
        return SCRIPT_ERR_OK;
    if (v->budget->script_bytes < v->n)
        return SCRIPT_ERR_CAP_SCRIPT_BYTES;
    v->budget->script_bytes -= v->n;
    return SCRIPT_ERR_OK;
}

static enum script_error spend_opcode(struct vm *v)
{
    if (!v->budget)
        return SCRIPT_ERR_OK;
    if (v->budget->opcodes == 0)
        return SCRIPT_ERR_CAP_OPCODES;
    v->budget->opcodes--;
    return spend_time(v, 1);
}

struct span script_event_item(const struct script_event *e, bool alt, uint32_t index)
{
    const struct vm *v = &e->engine->vm;
    const struct stack *s = alt ? &v->alt : &v->main;
    MUST(index < s->n);
    const struct element *x = &v->pool[s->at[index]];
    return (struct span){ x->b, x->n };
}

/* ELSE and ENDIF are at work on either side of a branch that is not taken. */
static void tell(const struct vm *v, size_t pc, bool was_dark, enum script_error e)
{
    const struct script_event seen = {
        .input = v->input, .part = v->res->part, .op_at = v->op_at, .pc = (uint32_t)pc, .opcode = v->op,
        .executed = !was_dark || !v->dark, .error = e, .main = v->main.n, .alt = v->alt.n,
        .engine = (const struct script_engine *)(const void *)v,
    };
    v->watch->on(v->watch->self, &seen);
}

/* One instruction, and the stacks that it leaves. */
static enum script_error run_next(struct vm *v)
{
    const size_t pc = v->at;
    const bool was_dark = v->dark != 0;
    enum script_error e = spend_opcode(v);
    if (e)
        return e;
    e = script_step(v->script, v->n, &v->at, &v->op, &v->push) ? run_one(v) : SCRIPT_ERR_BAD_OPCODE;
    if (!e)
        e = v->main.n + v->alt.n > SCRIPT_MAX_STACK ? SCRIPT_ERR_STACK_SIZE : check_stack_bytes(v);
    if (v->watch)
        tell(v, pc, was_dark, e);
    return e;
}

static enum script_error run_all(struct vm *v)
{
    for (v->op_at = 0; v->at < v->n; v->op_at++) {
        enum script_error e = run_next(v);
        if (e) {
            v->res->op_at = v->op_at;
            v->res->opcode = v->op;
            return e;
        }
    }
    return v->depth ? SCRIPT_ERR_UNBALANCED_CONDITIONAL : SCRIPT_ERR_OK;
}

enum script_error script_eval(struct vm *v, enum script_kind kind, const uint8_t *script, size_t n)
{
    v->kind = kind;
    v->script = script;
    v->n = n;
    v->at = v->code_from = 0;
    v->op = 0;
    v->op_count = v->depth = v->dark = 0;
    while (v->alt.n > 0)                      /* the alt stack is each script's own */
        v->free_at[v->free_n++] = v->alt.at[--v->alt.n];
    if (kind != KIND_TAPSCRIPT && n > SCRIPT_MAX_BYTES)
        return SCRIPT_ERR_SCRIPT_SIZE;
    enum script_error e = spend_script(v);
    return e ? e : run_all(v);
}
