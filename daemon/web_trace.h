/* web_trace.h - the trace of a dry run, as clients get it. */
#ifndef DAEMON_WEB_TRACE_H
#define DAEMON_WEB_TRACE_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

/* Put `"trace": {"truncated", "inputs": [{"index", "steps": [{"index", "pc", "op", "executed", "stack", "alt", …}]}]}` before
 * the end of the object *body (of one member at least; it is replaced). `trace` is as daemon/trace.h lays it out. Fails: E_FORMAT, E_MEMORY. */
err web_trace_add(uint8_t **body, size_t *n, const uint8_t *trace, size_t trace_len);

#endif
