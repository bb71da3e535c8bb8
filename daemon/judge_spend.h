/* judge_spend.h - a judge's part in the limits (docs/limits.md). */
#ifndef DAEMON_JUDGE_SPEND_H
#define DAEMON_JUDGE_SPEND_H
#include "daemon/limits.h"
#include "daemon/wire.h"

/* status 0: nothing is refused. */
struct spend_refusal { uint16_t status; bool blames; uint32_t input; char text[WIRE_TEXT]; };

/* The limits that need no account, of a verified plan; a dry run has them too. */
void judge_limits(struct spend_refusal *why, const struct limits *l, const struct emulate_plan *p);
/* Ask the book for what the signatures of this plan spend, and wait until it is sealed. Fails: as msg_call(); E_LIMIT (the disk is full). */
err  judge_spend(struct spend_refusal *why, int book, const struct limits *l, const struct emulate_plan *p);

#endif
