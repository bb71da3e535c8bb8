/* http.h - one HTTP request over a descriptor that somebody else connected.
 *
 * A thin cover over libcurl for a process that has no socket(2): every connection
 * comes from `dial`, no name is resolved, no proxy, netrc, cookie, redirect or
 * environment is looked at, nothing is kept between two requests. TLS (1.2 or later)
 * ends here; the host's name and chain are checked against the given CAs and no others. */
#ifndef KEYSTORE_HTTP_H
#define KEYSTORE_HTTP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "keystore/arn.h"
#include "keystore/sigv4.h"

/* Give a connected stream to host:port. Out: *fd, ours to close. Any kind of stream socket. */
typedef err (*http_dial)(void *self, const char *host, uint16_t port, int *fd);

enum { HTTP_BODY_MAX = 64 << 10, HTTP_HEADERS_MAX = 12 };

/* Once in the process, before the sandbox: libcurl, with an allocator that wipes what it
 * frees (libcurl copies headers, and the session token is one). Fails: E_IO. */
err  http_warm_up(void);

struct http;
/* After http_warm_up(). Makes one socket pair, the last descriptor that is made here. Fails: E_MEMORY. `ca_pem` is copied; NULL when only plain http will be asked for. */
err  http_open(struct http **out, const void *ca_pem, size_t ca_len, http_dial dial, void *self);
void http_close(struct http **h);
#define HTTP __attribute__((cleanup(http_close))) struct http *

struct http_request {
    const char *method;                        /* GET, PUT, POST                             */
    bool tls;
    const char *host;                          /* name for dial, TLS and the Host header     */
    uint16_t port;                             /* the default port is left out of Host       */
    const char *path;                          /* from '/'                                   */
    struct sigv4_header headers[HTTP_HEADERS_MAX];      /* without Host                      */
    size_t header_count;
    const void *body;                          /* PUT, POST                                  */
    size_t body_len;
    unsigned timeout_ms;                       /* for the exchange; dial has its own         */
};
struct http_answer {
    int status;
    char request_id[64];                       /* x-amzn-RequestId, else ""                  */
    char error_type[128];                      /* x-amzn-ErrorType, else ""                  */
    int64_t date;                              /* Date, unix seconds, or 0                   */
    size_t len;
    char body[HTTP_BODY_MAX + 1];              /* NUL after len bytes                        */
};
/* Ask once; an answer of any status is OK. Fails: as dial; E_CLOSED (connection ended or reset),
 * E_TIMEOUT, E_AUTH (TLS: certificate or name), E_LIMIT (body too long), E_FORMAT, E_IO. */
err  http_call(struct http *h, struct http_answer *out, const struct http_request *q);
void http_answer_wipe(struct http_answer *a);

/* Host header's value for host:port: port left out when it is the scheme's own. */
err  http_host_header(char *out, size_t cap, const char *host, uint16_t port, bool tls);

#endif
