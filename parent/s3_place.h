/* s3_place.h - which bucket, where, and how to get in: the words of `s3:...`, judged.
 *
 *   s3:BUCKET[/PREFIX]                    at the configured endpoint
 *   s3:http[s]://HOST[:PORT]/BUCKET[/PREFIX]   at that one, path style
 *
 * A prefix has only letters that need no escape in a URL, so that what is signed and what is sent
 * cannot differ. */
#ifndef PARENT_S3_PLACE_H
#define PARENT_S3_PLACE_H
#include <stdbool.h>
#include <stdint.h>
#include "core/err.h"

enum { S3_ENDPOINT = 192, S3_BUCKET = 64, S3_PREFIX = 128, S3_REGION = 40, S3_FILE = 256, S3_KEY = 160, S3_TOKEN = 4096, S3_BASE = 320 };

/* [s3] of the configuration; empty words mean the environment, then the default. */
struct s3_settings {
    char endpoint[S3_ENDPOINT];         /* AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, https://s3.REGION.amazonaws.com */
    char region[S3_REGION];             /* AWS_REGION, AWS_DEFAULT_REGION, us-east-1 */
    char style[12];                     /* path or virtual; default: virtual for amazonaws.com, else path */
    char credentials[S3_FILE];          /* file of mode 0600: see s3_keys.h */
    bool http;                          /* http:// to other machines is meant */
};
struct s3_place {
    char base[S3_BASE];                 /* scheme, host and, in path style, /BUCKET: no slash at its end */
    char prefix[S3_PREFIX];             /* "" or "a/b/" */
    char region[S3_REGION];
    char credentials[S3_FILE];
};

/* `name` is what stands behind `s3:`. Fails: E_FORMAT (with what to write instead), E_DENIED (http:// to another machine). */
err s3_place_parse(struct s3_place *out, const char *name, const struct s3_settings *s);

#endif
