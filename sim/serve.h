/* serve.h - the HTTP server under the simulated services.
 *
 * One thread answers one request at a time, so a handler needs no lock. A request is
 * given whole; a body of more than SERVE_BODY_MAX bytes is refused before. */
#ifndef SIM_SERVE_H
#define SIM_SERVE_H
#include <stddef.h>
#include "core/err.h"
#include "keystore/sigv4.h"

enum { SERVE_BODY_MAX = 1 << 20, SERVE_HEADERS = 48, SERVE_ANSWER_HEADERS = 4 };

struct serve_request {
    const char *method, *path, *query;           /* as sent: nothing is unescaped; query "" without one */
    struct sigv4_header headers[SERVE_HEADERS];  /* names in lower case, in the order sent */
    size_t header_count;
    const char *body;
    size_t body_len;
};
struct serve_answer {
    int status;
    const char *type;                            /* Content-Type, a literal */
    char *body;                                  /* malloc()ed, or NULL: empty */
    size_t cut;                                  /* not 0: after so many bytes of it the connection ends */
    struct { const char *name; char value[128]; } headers[SERVE_ANSWER_HEADERS];
};
typedef void (*serve_handler)(void *self, struct serve_answer *out, const struct serve_request *q);

/* The only header of this name, or NULL when there is none or more than one. */
const char *serve_header(const struct serve_request *q, const char *name);

struct serve_config {
    const char *what;                            /* for the log */
    const char *listen;                          /* HOST:PORT; port 0 takes any free one */
    const char *ready_file;                      /* gets "HOST:PORT" once listening; or NULL */
    const char *key_pem, *chain_pem;             /* TLS, or both NULL: plain HTTP */
    serve_handler handler;
    void *self;
};
/* Serve until SIGTERM or SIGINT. Fails: E_FORMAT (listen), E_IO. */
err serve(const struct serve_config *c);

#endif
