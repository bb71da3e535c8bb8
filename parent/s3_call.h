/* s3_call.h - one request to a bucket, with its retries. */
#ifndef PARENT_S3_CALL_H
#define PARENT_S3_CALL_H
#include "parent/s3_wire.h"

enum { S3_ANSWER_MAX = 4 << 20, S3_URL = 4096, S3_REQUEST_S = 120, S3_BUDGET_S = 40 };

struct s3_bucket { struct s3_place place; struct s3_keys keys; void *handle; };

struct s3_ask {
    const char *method, *key;                /* key: below the prefix; NULL: the bucket itself */
    const char *query;                       /* sorted and escaped; NULL: none */
    const char *header, *other_header;       /* may be NULL */
    const void *body; size_t body_len;
    size_t      cap;                         /* of the answer; 0: S3_ANSWER_MAX */
    bool        quick;                       /* two tries at most: whether anybody is there */
    bool        once;                        /* no retry at all: the caller looks what came of it */
};

/* Retries as s3_retry.h says, but begins none that would end its wait after S3_BUDGET_S: the enclave waits for a minute. Out: the last answer; *out must be zeroed or an earlier one.
 * Fails: E_CLOSED, E_TIMEOUT (still so after all tries), E_IO (still busy or throttled), E_LIMIT, E_MEMORY, E_AUTH, E_ABSENT
 * (credentials). Any other status is OK here. */
err s3_call(struct s3_answer *out, struct s3_bucket *b, const struct s3_ask *q);
/* Log and name a status that ends it: E_ABSENT (404), E_DENIED (401, 403), E_STATE (409, 412), E_IO. */
err s3_refused(const struct s3_answer *a, const char *what);
/* Escape for a query: everything but letters, digits and -._~. Fails: E_LIMIT. */
err s3_escape(char *out, size_t cap, const char *text);

#endif
