/* replay.h - has this been seen before? A bounded memory of requests, by time.
 *
 * The guarantee is without a clock: an id that was taken once is never taken again by the
 * same memory. What is forgotten is forgotten together with every time that it could
 * bear, so a clock that jumps costs refusals, not replays. Pure; nothing here is secret. */
#ifndef KEYSTORE_REPLAY_H
#define KEYSTORE_REPLAY_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

struct replay;
/* Room for `most` ids within any two windows. Fails: E_MEMORY. */
err  replay_open(struct replay **out, size_t most, uint64_t window_ms);
void replay_close(struct replay **r);
#define REPLAY __attribute__((cleanup(replay_close))) struct replay *

/* Take the id of a message that says it is of `time_ms`. Both times on one scale.
 * Fails (not logged): E_TIMEOUT (more than the window away from now_ms, or of a time already forgotten),
 * E_STATE (seen), E_LIMIT (no room: try later). */
err  replay_take(struct replay *r, const uint8_t id[static 16], uint64_t time_ms, uint64_t now_ms);

#endif
