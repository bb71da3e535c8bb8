/* s3_call.c - see s3_call.h. */
#include "parent/s3_call.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/hash.h"
#include "core/log.h"
#include "parent/s3_retry.h"

err s3_escape(char *out, size_t cap, const char *text)
{
    size_t used = 0;
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
        if (used + 4 > cap) FAIL(E_LIMIT, "s3: a query is too long");
        if (plain) out[used++] = (char)c;
        else used += (size_t)snprintf(out + used, 4, "%%%02X", c);
    }
    out[used] = '\0';
    return OK;
}

err s3_refused(const struct s3_answer *a, const char *what)
{
    const char *word = a->code[0] ? a->code : "no reason given";
    if (a->status == 404) FAIL(E_ABSENT, "s3: %s: not there (%s)", what, word);
    if (a->status == 401 || a->status == 403)
        FAIL(E_DENIED, "s3: %s: refused (%s): check the credentials, their rights on the bucket, the region and this machine's clock", what, word);
    if (a->status == 409 || a->status == 412) FAIL(E_STATE, "s3: %s: something else stands there (%s)", what, word);
    if (a->status == 301 || a->status == 307) FAIL(E_IO, "s3: %s: the bucket is elsewhere (%s): set [s3] endpoint and region", what, word);
    FAIL(E_IO, "s3: %s: status %ld (%s)", what, a->status, word);
}

static void wait_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ ms / 1000, (long)(ms % 1000) * 1000000 }, NULL);
}

/* Keys of a role end; they are asked for again a little before. */
static err fresh_keys(struct s3_bucket *b)
{
    if (b->keys.id[0] && (b->keys.until == 0 || b->keys.until > (int64_t)time(NULL) + 120)) return OK;
    return s3_keys_find(&b->keys, &b->place);
}

static err url_of(char *out, size_t cap, const struct s3_bucket *b, const struct s3_ask *q)
{
    int n = snprintf(out, cap, "%s/%s%s%s%s", b->place.base, q->key ? b->place.prefix : "", q->key ? q->key : "", q->query ? "?" : "", q->query ? q->query : "");
    if (n < 0 || (size_t)n >= cap) FAIL(E_LIMIT, "s3: a URL is too long");
    return OK;
}

err s3_call(struct s3_answer *out, struct s3_bucket *b, const struct s3_ask *q)
{
    char url[S3_URL];
    const char *headers[] = { q->header, q->header ? q->other_header : NULL, NULL };
    TRY(url_of(url, sizeof url, b, q));
    const time_t began = time(NULL);
    out->tries = 0;
    for (;;) {
        unsigned ms;
        uint32_t random;
        TRY(fresh_keys(b));
        struct s3_wire w = { .method = q->method, .url = url, .headers = headers, .body = q->body, .body_len = q->body_len,
                             .cap = q->cap ? q->cap : S3_ANSWER_MAX, .timeout_s = S3_REQUEST_S, .keys = &b->keys,
                             .region = b->place.region, .fresh = q->once, .handle = &b->handle };
        err e = s3_wire(out, &w);
        if (e.code && e.code != E_CLOSED && e.code != E_TIMEOUT) return e;
        TRY(random_bytes(&random, sizeof random));
        const bool again = !q->once && !(q->quick && out->tries >= 2) && s3_retry(&ms, out->tries, out->status, out->code, out->retry_after, random);
        if (!again || time(NULL) - began + ms / 1000 > S3_BUDGET_S) {
            if (e.code) FAIL(e.code, "s3: no answer to %s at %s after %u tries", q->method, b->place.base, out->tries);
            if (out->status >= 500 || out->status == 429) return s3_refused(out, "the server is busy or failing");
            return OK;
        }
        log_info("s3: %s: %s; trying again in %u ms", q->method, e.code ? err_text(e.code) : out->code[0] ? out->code : "server error", ms);
        wait_ms(ms);
    }
}
