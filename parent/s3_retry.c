/* s3_retry.c - see s3_retry.h. */
#include "parent/s3_retry.h"

#include <stddef.h>
#include <string.h>

/* What a server says when the same request may do better later. */
static bool passing(long status, const char *code)
{
    static const char *const words[] = { "SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling",
                                         "OperationAborted", "ConditionalRequestConflict" };
    if (status == 0 || status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (status >= 400 && strcmp(code, words[i]) == 0) return true;
    return false;
}

bool s3_retry(unsigned *ms, unsigned tries, long status, const char *code, long retry_after, uint32_t random)
{
    *ms = 0;
    if (tries >= S3_TRIES || !passing(status, code)) return false;
    unsigned wait = S3_WAIT_FIRST;
    for (unsigned i = 1; i < tries && wait < S3_WAIT_MOST; i++) wait *= 2;
    if (wait > S3_WAIT_MOST) wait = S3_WAIT_MOST;
    wait = wait / 2 + random % (wait / 2 + 1);
    if (retry_after > S3_RETRY_AFTER_MOST) retry_after = S3_RETRY_AFTER_MOST;
    if (retry_after > 0 && wait < (unsigned)retry_after * 1000) wait = (unsigned)retry_after * 1000;
    *ms = wait;
    return true;
}
