/* anchor_wire.h - short POST requests to several servers at once (libcurl's multi interface).
 *
 * No redirect is followed, no cookie is kept, certificates are checked against the system's. Connections stay
 * open for the next request. An answer has room for WIRE_ANSWER bytes; a longer one is refused. */
#ifndef PARENT_ANCHOR_WIRE_H
#define PARENT_ANCHOR_WIRE_H
#include <stdbool.h>
#include <stddef.h>
#include "core/err.h"

enum { WIRE_ANSWER = 4096, WIRE_TYPE = 64 };

/* How a request ended. */
enum wire_end {
    WIRE_NONE,                               /* it has not                                          */
    WIRE_ANSWERED,                           /* with `status`, whatever it says                     */
    WIRE_LOST,                               /* not reachable, or broken off                        */
    WIRE_LATE,                               /* its time was up                                     */
    WIRE_STRANGER,                           /* a certificate that does not verify                  */
    WIRE_LONG,                               /* an answer of more than WIRE_ANSWER bytes            */
    WIRE_NOWHERE                             /* no URL of http or https                             */
};

struct wire {
    void *easy;                              /* in flight; NULL: not */
    enum wire_end end;
    long   status;
    char   type[WIRE_TYPE];                  /* Content-Type without its parameters; "" for none */
    char   answer[WIRE_ANSWER + 1];
    size_t len;
    bool   too_long;
};

struct wires;
/* Fails: E_MEMORY. */
err  wires_open(struct wires **out);
/* Every wire must have been dropped, or have ended. */
void wires_close(struct wires **w);
/* Begin a request. `url` is copied; `body` is borrowed until the wire ended or was dropped. Fails: E_MEMORY. */
err  wires_post(struct wires *w, struct wire *one, const char *url, const char *body, size_t n, long timeout_ms);
/* Let all requests go on, waiting for at most wait_ms until something happens to one; what ended has its `end` set.
 * Fails: E_IO. */
err  wires_run(struct wires *w, int wait_ms);
/* Give a request up. Safe for one that is not in flight. */
void wires_drop(struct wires *w, struct wire *one);

#endif
