/* s3_wire.h - one HTTP request, signed when keys are given (libcurl, AWS Signature Version 4); answered whole.
 *
 * No redirect is followed, no cookie is kept. TLS is checked against the system's certificates. */
#ifndef PARENT_S3_WIRE_H
#define PARENT_S3_WIRE_H
#include <stddef.h>
#include "parent/s3_keys.h"

struct s3_wire {
    const char *method, *url;                /* the query sorted and escaped already: it is signed as it stands */
    const char *const *headers;              /* "Name: value", ended by NULL; may be NULL */
    const void *body; size_t body_len;
    size_t      cap;                         /* an answer longer than this is E_LIMIT */
    long        timeout_s;                   /* also ended when nothing moves for 15 s */
    const struct s3_keys *keys;              /* NULL: unsigned */
    const char *region;
    bool        fresh;                       /* a connection of its own: curl repeats what an old one broke off, unasked */
    void      **handle;                      /* kept from request to request: one connection; may be NULL */
};
struct s3_answer {
    long     status;                         /* 0: none came */
    char     etag[160], code[64];            /* code: of an error's XML; "" for none */
    uint64_t length;                         /* Content-Length, of a HEAD too */
    long     retry_after;
    uint8_t *body; size_t len, cap;          /* owned; NUL-terminated */
    unsigned tries;
    bool     too_long;
};
void s3_answer_drop(struct s3_answer *a);
#define S3_ANSWER __attribute__((cleanup(s3_answer_drop))) struct s3_answer

/* Fails: E_CLOSED (not reachable, or broken off), E_AUTH (a certificate that does not verify), E_TIMEOUT, E_LIMIT, E_MEMORY, E_FORMAT.
 * An error status is OK here. */
err  s3_wire(struct s3_answer *out, const struct s3_wire *w);
void s3_wire_end(void **handle);

#endif
