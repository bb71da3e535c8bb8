/* trace.h - what scripts did, an instruction at a time: collected by `trial` when a dry run asks for it, and shown by `web`.
 *
 * In bytes: u8 cut, u32 count of steps, then per step u32 input, u32 index, u32 pc, u8 opcode, u8 executed, u16 enum
 * script_error, and two stacks (main, alt), each u32 elements, u8 shown, and the `shown` uppermost elements, lowest
 * first: u16 length, u8 shown bytes, those bytes.
 *
 * Bounded in every direction. When there is more, `cut` is set; the instruction at which a script fails is
 * kept even then, as the last step. */
#ifndef DAEMON_TRACE_H
#define DAEMON_TRACE_H
#include <stdbool.h>
#include <stdint.h>
#include "core/buf.h"
#include "signer/script.h"

enum {
    TRACE_STEPS = 2000, TRACE_ITEMS = 16, TRACE_ITEM = 80,
    TRACE_STEP_MAX = 16 + 2 * (5 + TRACE_ITEMS * (3 + TRACE_ITEM)),   /* bytes of one step */
    TRACE_BYTES = 256 << 10, TRACE_HEAD = 5
};

/* ---- collecting ---- */
struct trace { struct wr out; uint32_t steps; bool cut; };
/* `room` has TRACE_BYTES, and stays the caller's. */
struct trace trace_of(uint8_t *room);
/* struct script_watch's function; self is a struct trace. Sees the emulated scripts only, not the two pushes of their output. */
void trace_on(void *self, const struct script_event *e);
/* Fill in the head. Returns the bytes of all. */
size_t trace_end(const struct trace *t);

/* ---- reading ---- */
struct trace_item  { uint16_t n; struct span shown; };
struct trace_stack { uint32_t count; uint8_t shown; struct trace_item item[TRACE_ITEMS]; };
struct trace_step {
    uint32_t input, index, pc;
    uint8_t  opcode;
    bool     executed;
    enum script_error error;
    struct trace_stack main, alt;
};
/* Out: *cut, *count. False: that is no trace (TRACE_BYTES at most). */
bool trace_head(bool *cut, uint32_t *count, struct rd *r);
/* The next step, its bytes borrowed. False: broken. Ask rd_end() after the last. */
bool trace_next(struct trace_step *out, struct rd *r);

#endif
