#include <string.h>

#include "signer/script_vm.h"

struct element *stack_top(struct vm *v, uint32_t from_top)
{
    MUST(from_top < v->main.n);
    return &v->pool[v->main.at[v->main.n - 1 - from_top]];
}

void stack_reset(struct vm *v)
{
    v->main.n = v->alt.n = 0;
    v->free_n = SCRIPT_SLOTS;
    for (uint16_t i = 0; i < SCRIPT_SLOTS; i++)
        v->free_at[i] = i;
}

struct element *stack_new(struct vm *v)
{
    if (v->free_n == 0)
        return NULL;
    uint16_t slot = v->free_at[--v->free_n];
    v->main.at[v->main.n++] = slot;
    v->pool[slot].n = 0;
    return &v->pool[slot];
}

bool stack_push(struct vm *v, const void *p, size_t n)
{
    if (n > SCRIPT_MAX_ELEMENT)
        return false;
    struct element *e = stack_new(v);
    if (!e)
        return false;
    e->n = (uint16_t)n;
    if (n)
        memcpy(e->b, p, n);
    return true;
}

void stack_pop(struct vm *v, uint32_t count)
{
    MUST(count <= v->main.n);
    for (; count > 0; count--)
        v->free_at[v->free_n++] = v->main.at[--v->main.n];
}

void stack_roll(struct vm *v, uint32_t from_top)
{
    MUST(from_top < v->main.n);
    uint16_t *p = &v->main.at[v->main.n - 1 - from_top], slot = *p;
    memmove(p, p + 1, from_top * sizeof *p);
    v->main.at[v->main.n - 1] = slot;
}

void stack_push_bool(struct vm *v, bool b)
{
    MUST(stack_push(v, "\x01", b));
}

/* False: all zero bytes, where the last may be 0x80 (negative zero). */
bool element_true(const struct element *e)
{
    for (size_t i = 0; i < e->n; i++)
        if (e->b[i] != 0)
            return !(i == e->n - 1u && e->b[i] == 0x80);
    return false;
}

bool num_read(int64_t *out, const struct vm *v, uint32_t from_top, size_t max)
{
    const struct element *e = &v->pool[v->main.at[v->main.n - 1 - from_top]];
    *out = 0;
    if (e->n > max)
        return false;
    if (e->n == 0)
        return true;
    uint8_t last = e->b[e->n - 1];
    bool padded = (last & 0x7f) == 0 && (e->n == 1 || !(e->b[e->n - 2] & 0x80));
    if ((v->flags & SCRIPT_MINIMALDATA) && padded)
        return false;
    int64_t x = 0;
    for (size_t i = e->n; i-- > 0;)
        x = x * 256 + (i == e->n - 1u ? e->b[i] & 0x7f : e->b[i]);
    *out = last & 0x80 ? -x : x;
    return true;
}

size_t num_write(uint8_t out[static 9], int64_t x)
{
    uint64_t left = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    size_t n = 0;
    for (; left; left >>= 8)
        out[n++] = (uint8_t)left;
    if (n > 0 && out[n - 1] & 0x80)
        out[n++] = 0;
    if (x < 0)
        out[n - 1] |= 0x80;
    return n;
}

void num_push(struct vm *v, int64_t x)
{
    uint8_t b[9];
    size_t n = num_write(b, x);
    MUST(stack_push(v, b, n));
}
