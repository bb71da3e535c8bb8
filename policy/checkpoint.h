/* checkpoint.h - the text of a checkpoint (c2sp.org/tlog-checkpoint): origin, size, root.
 *
 * Extension lines are read over and never written: no witness says anything about them. Pure. */
#ifndef POLICY_CHECKPOINT_H
#define POLICY_CHECKPOINT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "policy/log.h"

enum { CHECKPOINT_ORIGIN = 255, CHECKPOINT_TEXT = CHECKPOINT_ORIGIN + 1 + 20 + 1 + 44 + 1 };

struct checkpoint {
    char     origin[CHECKPOINT_ORIGIN + 1];      /* UTF-8 without control characters; NUL-terminated */
    uint64_t size;                               /* at most TLOG_SIZE_MAX                            */
    uint8_t  root[TLOG_HASH];
};

/* Read a note's text: p[0..n), ending with its newline. Fails: E_FORMAT, E_LIMIT (origin, size). */
err  checkpoint_parse(struct checkpoint *out, const char *p, size_t n);
/* Write the three lines. */
void checkpoint_write(struct wr *w, const struct checkpoint *c);
/* Read a decimal number as the formats write one: digits, no leading zero. At most UINT64_MAX. */
bool decimal_read(uint64_t *out, const char *p, size_t n);

#endif
