/* sigv4.h - AWS Signature Version 4: sign a request, and take one apart to check it.
 *
 * Source: AWS "Signature Version 4 signing process". Pure functions over text; the
 * client and the simulator use the same ones, tests/models/sigv4.py is a second
 * implementation. Path and query are taken as already canonical ("/" and "" for KMS).
 * Keys made on the way from the secret access key are wiped. */
#ifndef KEYSTORE_SIGV4_H
#define KEYSTORE_SIGV4_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum {
    SIGV4_TIME = 17,             /* "20261121T040000Z" and NUL            */
    SIGV4_HEX = 65,              /* a signature or hash in hex, and NUL   */
    SIGV4_HEADERS_MAX = 16,      /* signed headers                        */
    SIGV4_AUTH_MAX = 1024        /* the Authorization header's value      */
};

struct sigv4_header { const char *name, *value; };     /* name in lower case */
struct sigv4_request {
    const char *method, *path, *query;
    const struct sigv4_header *headers;                /* those to be signed, in any order, no name twice */
    size_t header_count;
    const void *body;
    size_t body_len;
};
struct sigv4_scope { char date[9]; char region[32]; char service[32]; };     /* date: YYYYMMDD */

/* Unix seconds as ISO 8601 basic, and back. Fails: E_FORMAT (form, or a date that is none). */
void sigv4_time(char out[static SIGV4_TIME], int64_t unix_seconds);
err  sigv4_time_parse(int64_t *unix_seconds, const char *text);

/* The two texts between request and signature; exposed because tests and the
 * simulator compare them. Out: NUL-terminated. Fails: E_LIMIT, E_FORMAT (a header twice). */
err sigv4_canonical(char *out, size_t cap, const struct sigv4_request *q);
err sigv4_string_to_sign(char *out, size_t cap, const char *canonical, const char *time, const struct sigv4_scope *s);

/* The signature over q at `time` ("x-amz-date" must be among the headers with that value).
 * Out: lower-case hex. Fails: E_LIMIT (more than 16 headers, or 24 KiB of them), E_FORMAT, E_MEMORY. */
err sigv4_sign(char out[static SIGV4_HEX], const struct sigv4_request *q, const char *time,
               const struct sigv4_scope *s, const char *secret_key);
/* The Authorization header's value for it. Fails: as sigv4_sign(). */
err sigv4_authorization(char *out, size_t cap, const struct sigv4_request *q, const char *time,
                        const struct sigv4_scope *s, const char *access_key, const char *secret_key);

/* An Authorization header taken apart (for the checking side). */
struct sigv4_claim {
    char access_key[129];
    struct sigv4_scope scope;
    char signed_headers[SIGV4_HEADERS_MAX][64];        /* in the order given, which must be sorted */
    size_t signed_count;
    char signature[SIGV4_HEX];
};
/* Fails: E_FORMAT, E_LIMIT. */
err sigv4_claim_parse(struct sigv4_claim *out, const char *authorization);

#endif
