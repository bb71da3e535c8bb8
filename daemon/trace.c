#include "daemon/trace.h"

#include <string.h>

/* ---- collecting ---- */

struct trace trace_of(uint8_t *room)
{
    struct trace t = { .out = wr_of(room, TRACE_BYTES) };
    t.out.len = TRACE_HEAD;
    return t;
}

static void put_stack(struct wr *w, const struct script_event *e, bool alt)
{
    const uint32_t count = alt ? e->alt : e->main, shown = count < TRACE_ITEMS ? count : TRACE_ITEMS;
    wr_u32(w, count);
    wr_u8(w, (uint8_t)shown);
    for (uint32_t i = count - shown; i < count; i++) {
        const struct span item = script_event_item(e, alt, i);
        const size_t n = item.n < TRACE_ITEM ? item.n : TRACE_ITEM;
        wr_u16(w, (uint16_t)item.n);
        wr_u8(w, (uint8_t)n);
        wr_bytes(w, item.p, n);
    }
}

static void put_step(struct wr *w, const struct script_event *e)
{
    wr_u32(w, e->input);
    wr_u32(w, e->op_at);
    wr_u32(w, e->pc);
    wr_u8(w, e->opcode);
    wr_u8(w, e->executed);
    wr_u16(w, (uint16_t)e->error);
    put_stack(w, e, false);
    put_stack(w, e, true);
}

/* Two steps' room is kept back: one that is being tried, and one for the instruction that fails. */
void trace_on(void *self, const struct script_event *e)
{
    struct trace *t = self;
    if (e->part != SCRIPT_PART_TAPSCRIPT) return;
    if (t->steps + 1 >= TRACE_STEPS || t->out.len + 2 * (size_t)TRACE_STEP_MAX > t->out.cap) t->cut = true;
    if (t->cut && !e->error) return;
    put_step(&t->out, e);
    t->steps++;
}

size_t trace_end(const struct trace *t)
{
    struct wr head = wr_of(t->out.p, TRACE_HEAD);
    MUST(!t->out.full);
    wr_u8(&head, t->cut);
    wr_u32(&head, t->steps);
    return t->out.len;
}

/* ---- reading ---- */

bool trace_head(bool *cut, uint32_t *count, struct rd *r)
{
    const bool small = r->left <= TRACE_BYTES;
    const uint8_t flag = rd_u8(r);
    *cut = flag;
    *count = rd_u32(r);
    return small && rd_ok(r) && flag <= 1 && *count <= TRACE_STEPS;
}

static bool get_stack(struct trace_stack *s, struct rd *r)
{
    s->count = rd_u32(r);
    s->shown = rd_u8(r);
    if (s->shown > TRACE_ITEMS || s->shown > s->count) return false;
    for (uint32_t i = 0; i < s->shown; i++) {
        struct trace_item *item = &s->item[i];
        item->n = rd_u16(r);
        item->shown.n = rd_u8(r);
        if (item->shown.n != (item->n < TRACE_ITEM ? item->n : TRACE_ITEM)) return false;
        item->shown.p = rd_bytes(r, item->shown.n);
    }
    return rd_ok(r);
}

bool trace_next(struct trace_step *out, struct rd *r)
{
    out->input = rd_u32(r);
    out->index = rd_u32(r);
    out->pc = rd_u32(r);
    out->opcode = rd_u8(r);
    const uint8_t executed = rd_u8(r);
    const uint16_t error = rd_u16(r);
    out->executed = executed;
    out->error = (enum script_error)error;
    return rd_ok(r) && executed <= 1 && error < SCRIPT_ERROR_COUNT && get_stack(&out->main, r) && get_stack(&out->alt, r);
}
