/* Our own caps: counting down, and telling which one it was. */
#include "signer/script_vm.h"

enum { CLOCK_WORK = 256 };         /* opcodes, or 256 bytes hashed: a look at the clock costs less than these */

struct script_budget script_budget_of(const struct script_limits *l)
{
    return (struct script_budget){ .script_bytes = l->script_bytes, .opcodes = l->opcodes, .signatures = l->signatures,
                                   .hashed_bytes = l->hashed_bytes, .stack_bytes = l->stack_bytes };
}

const char *script_cap_unit(uint64_t *limit, const struct script_limits *l, enum script_error e)
{
    switch (e) {
    case SCRIPT_ERR_CAP_SCRIPT_BYTES: *limit = l->script_bytes; return "script bytes";
    case SCRIPT_ERR_CAP_OPCODES:      *limit = l->opcodes;      return "opcodes";
    case SCRIPT_ERR_CAP_SIGNATURES:   *limit = l->signatures;   return "signatures";
    case SCRIPT_ERR_CAP_HASHED_BYTES: *limit = l->hashed_bytes; return "hashed bytes";
    case SCRIPT_ERR_CAP_STACK_BYTES:  *limit = l->stack_bytes;  return "stack bytes";
    case SCRIPT_ERR_CAP_TIME:         *limit = l->time_ms;      return "milliseconds";
    default:                          *limit = 0;               return NULL;
    }
}

enum script_error spend_time(struct vm *v, uint64_t work)
{
    struct script_budget *b = v->budget;
    if (!b || !b->late)
        return SCRIPT_ERR_OK;
    if (work < CLOCK_WORK && (b->unclocked += (uint32_t)work) < CLOCK_WORK)
        return SCRIPT_ERR_OK;
    b->unclocked = 0;
    return b->late(b->clock) ? SCRIPT_ERR_CAP_TIME : SCRIPT_ERR_OK;
}

enum script_error spend_hashed(struct vm *v, uint64_t bytes)
{
    if (!v->budget)
        return SCRIPT_ERR_OK;
    if (v->budget->hashed_bytes < bytes)
        return SCRIPT_ERR_CAP_HASHED_BYTES;
    v->budget->hashed_bytes -= bytes;
    return spend_time(v, bytes / 256);
}

enum script_error spend_signature(struct vm *v)
{
    if (!v->budget)
        return SCRIPT_ERR_OK;
    if (v->budget->signatures == 0)
        return SCRIPT_ERR_CAP_SIGNATURES;
    v->budget->signatures--;
    return spend_time(v, CLOCK_WORK);
}

static uint64_t bytes_on(const struct vm *v, const struct stack *s)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < s->n; i++)
        sum += v->pool[s->at[i]].n;
    return sum;
}

/* Added up only when so many elements could be too large at all: with the default limit, never. */
enum script_error check_stack_bytes(const struct vm *v)
{
    const uint32_t count = v->main.n + v->alt.n;
    if (!v->budget || !v->budget->stack_bytes || (uint64_t)count * SCRIPT_MAX_ELEMENT <= v->budget->stack_bytes)
        return SCRIPT_ERR_OK;
    return bytes_on(v, &v->main) + bytes_on(v, &v->alt) > v->budget->stack_bytes ? SCRIPT_ERR_CAP_STACK_BYTES : SCRIPT_ERR_OK;
}
