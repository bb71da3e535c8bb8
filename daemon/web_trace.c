/* web_trace.c - a dry run's trace, put to the end of its answer. */
#include "daemon/web_trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "daemon/trace.h"

/* Text around one step's elements at most; an element of k shown bytes took k + 3, and is at most 2k + 9 characters. */
enum { STEP_ROOM = 320 };

static void put_stack(struct wr *w, const char *name, const char *below, const struct trace_stack *s)
{
    char text[64], hex[2 * TRACE_ITEM + 1];
    wr_text(w, name);
    for (uint8_t i = 0; i < s->shown; i++) {
        const struct trace_item *item = &s->item[i];
        wr_text(w, i ? ",\"" : "\"");
        hex_from(hex, item->shown.p, item->shown.n);
        wr_text(w, hex);
        snprintf(text, sizeof text, "...%u", item->n);
        if (item->n > item->shown.n) wr_text(w, text);
        wr_text(w, "\"");
    }
    wr_text(w, "]");
    snprintf(text, sizeof text, ",\"%s\":%" PRIu32, below, s->count - s->shown);
    if (s->count > s->shown) wr_text(w, text);
}

static void put_step(struct wr *w, const struct trace_step *s)
{
    char text[160];
    snprintf(text, sizeof text, "{\"index\":%" PRIu32 ",\"pc\":%" PRIu32 ",\"op\":\"%s\",\"executed\":%s", s->index, s->pc,
             script_opcode_name(s->opcode), s->executed ? "true" : "false");
    wr_text(w, text);
    put_stack(w, ",\"stack\":[", "below", &s->main);
    put_stack(w, ",\"alt\":[", "alt_below", &s->alt);
    snprintf(text, sizeof text, ",\"error\":\"%s\"", script_error_name(s->error));
    if (s->error) wr_text(w, text);
    wr_text(w, "}");
}

/* Inputs come in their order, and the steps of each together. */
static err put_inputs(struct wr *w, uint32_t count, struct rd *r)
{
    uint64_t last = UINT64_MAX;
    char text[64];
    for (uint32_t i = 0; i < count; i++) {
        struct trace_step s;
        if (!trace_next(&s, r) || (i && s.input < last)) FAIL(E_FORMAT, "a trace that does not hold together, at step %u", i);
        snprintf(text, sizeof text, "%s{\"index\":%" PRIu32 ",\"steps\":[", i ? "]}," : "", s.input);
        wr_text(w, i && s.input == last ? "," : text);
        last = s.input;
        put_step(w, &s);
    }
    wr_text(w, count ? "]}" : "");
    return rd_end(r, "trace");
}

err web_trace_add(uint8_t **body, size_t *n, const uint8_t *trace, size_t trace_len)
{
    struct rd r = rd_of(trace, trace_len);
    bool cut;
    uint32_t count;
    BYTES room = NULL;
    if (!trace_head(&cut, &count, &r)) FAIL(E_FORMAT, "a trace without a head");
    const size_t cap = *n + 64 + STEP_ROOM * (size_t)count + 3 * trace_len;
    TRY(mem_new(&room, cap));
    struct wr w = wr_of(room, cap);
    MUST(*n > 2 && (*body)[*n - 1] == '}');
    wr_bytes(&w, *body, *n - 1);
    wr_text(&w, cut ? ",\"trace\":{\"truncated\":true,\"inputs\":[" : ",\"trace\":{\"truncated\":false,\"inputs\":[");
    TRY(put_inputs(&w, count, &r));
    wr_text(&w, "]}}");
    MUST(!w.full);
    mem_free_bytes(body);
    *body = take_bytes(&room);
    *n = w.len;
    return OK;
}
