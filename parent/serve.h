/* serve.h - one connection of the enclave, from hello to its end. */
#ifndef PARENT_SERVE_H
#define PARENT_SERVE_H
#include "core/err.h"
#include "parent/config.h"

enum { SERVE_FRAME_MS = 30000 };             /* a frame that began must have come, or gone, by then */

/* Serve the accepted connection *fd (taken): STORE, EGRESS or WITNESS, as its hello says. `stop` (a
 * descriptor, or -1): once it can be read, a running put is finished, and the connection then
 * ended as soon as it falls silent. Fails: what ended it early; the peer was told where that was possible. */
err serve_link(int *fd, const struct parent_config *conf, int stop);

#endif
