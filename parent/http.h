/* http.h - one HTTP request to a running parent, answered whole (libcurl).
 *
 * The address is http://HOST:PORT, https://HOST:PORT or unix:PATH. No redirect is followed.
 * An answer longer than HTTP_ANSWER_MAX is refused: no peer decides how much is held. */
#ifndef PARENT_HTTP_H
#define PARENT_HTTP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum { HTTP_ANSWER_MAX = 32 << 20 };

struct http_request {
    const char *url, *path;                  /* base address, and path with query */
    const void *body;                        /* NULL: a GET, else a POST */
    size_t      body_len;
    const char *type;                        /* its content type; NULL: JSON */
    long        timeout_s;                   /* for everything together */
    const char *progress;                    /* what is waited for, shown on a terminal; or NULL */
};
struct http_answer {
    long     status;
    bool     json;                           /* by its content type */
    uint8_t *body;                           /* owned; NUL-terminated beyond len */
    size_t   len;
    char     reason[256];                    /* when it failed: why, for people */
};
void http_answer_drop(struct http_answer *a);
#define HTTP_ANSWER __attribute__((cleanup(http_answer_drop))) struct http_answer

/* Fails: E_CLOSED (not reachable, or broke off; out->reason says how), E_TIMEOUT, E_LIMIT,
 * E_FORMAT (address), E_MEMORY. An answer with an error status is OK here. */
err http_call(struct http_answer *out, const struct http_request *r);

#endif
