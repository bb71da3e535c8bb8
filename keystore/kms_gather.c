/* kms_gather.c - the reading calls, in the order that shows a change. */
#include "keystore/kms_gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/hash.h"
#include "core/log.h"
#include "keystore/json.h"

enum { PAGE = 100, MARKER_MAX = 1024 };

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 }, NULL);
}

static err keep(struct kms_gathered *g, struct key_document *d, struct bytes body)
{
    MUST(g->count < sizeof g->bodies / sizeof *g->bodies);
    uint8_t *copy = NULL;
    TRY(mem_new(&copy, body.n));
    memcpy(copy, body.p, body.n);
    g->bodies[g->count++] = copy;
    d->body = (struct bytes){ copy, body.n };
    return OK;
}

/* A refusal by name that another attempt would only repeat. */
static bool refused(const struct kms_outcome *how)
{
    return how->http_status != 0 && how->error_type[0] && !how->retryable;
}

static err ask(struct kms *k, struct kms_gathered *g, struct key_document *d, int64_t until, const char *operation, const char *more)
{
    for (unsigned i = 1; ; i++) {
        struct kms_outcome how;
        struct bytes body = { NULL, 0 };
        uint32_t random = 0;
        err e = kms_ask(k, &how, operation, more, &body);
        if (!e.code || refused(&how)) {
            *d = (struct key_document){ .status = how.http_status };
            snprintf(d->request_id, sizeof d->request_id, "%s", how.request_id);
            snprintf(d->error, sizeof d->error, "%s", e.code ? how.error_type : "");
            if (e.code) log_warn("%s: %s (request %s)", operation, how.error_type, how.request_id);
            return e.code ? OK : keep(g, d, body);
        }
        TRY(random_bytes(&random, sizeof random));
        unsigned wait = kms_backoff_ms(i, random);
        if (!how.retryable || i >= KMS_ATTEMPTS || now_ms() + wait >= until) return e;
        sleep_ms(wait);
    }
}

/* The marker goes into a request as it came, so it must need no escapes. Out: text, or "" when this was the last page. */
static err next_marker(char text[static MARKER_MAX], const struct key_document *d)
{
    JSON j = NULL;
    text[0] = 0;
    if (d->status != 200 || json_read(&j, d->body.p, d->body.n, "ListGrants").code) return OK;
    if (!json_is_true(json_object_get(j, "Truncated"))) return OK;
    TRY(json_text(j, "NextMarker", text, MARKER_MAX));
    for (const char *p = text; *p; p++)
        if (*p <= 0x20 || *p > 0x7e || *p == '"' || *p == '\\') FAIL(E_FORMAT, "ListGrants: a marker that is not plain");
    return OK;
}

static err gather_grants(struct kms *k, struct kms_gathered *g, int64_t until)
{
    struct key_evidence *e = &g->evidence;
    char marker[MARKER_MAX] = "", more[MARKER_MAX + 64];
    do {
        if (marker[0]) snprintf(more, sizeof more, ",\"Limit\":%d,\"Marker\":\"%s\"", PAGE, marker);
        else snprintf(more, sizeof more, ",\"Limit\":%d", PAGE);
        TRY(ask(k, g, &e->grants[e->grant_count], until, "ListGrants", more));
        TRY(next_marker(marker, &e->grants[e->grant_count]));
        e->grant_count++;
    } while (marker[0] && e->grant_count < KEY_GRANT_PAGES);
    return OK;
}

static bool same(const struct key_document *a, const struct key_document *b)
{
    return a->status == b->status && strcmp(a->error, b->error) == 0 && a->body.n == b->body.n
        && (a->body.n == 0 || memcmp(a->body.p, b->body.p, a->body.n) == 0);
}

err kms_gather(struct kms *k, struct kms_gathered *out, unsigned within_ms)
{
    static const char default_policy[] = ",\"PolicyName\":\"default\"";
    struct key_evidence *e = &out->evidence;
    const int64_t until = now_ms() + within_ms;
    memset(out, 0, sizeof *out);
    snprintf(e->arn, sizeof e->arn, "%s", kms_arn(k)->text);
    e->checked_at = (int64_t)time(NULL);
    TRY(ask(k, out, &e->policy[0], until, "GetKeyPolicy", default_policy));
    TRY(ask(k, out, &e->describe, until, "DescribeKey", ""));
    TRY(ask(k, out, &e->public_key, until, "GetPublicKey", ""));
    TRY(gather_grants(k, out, until));
    TRY(ask(k, out, &e->policy[1], until, "GetKeyPolicy", default_policy));
    e->policy_count = same(&e->policy[0], &e->policy[1]) ? 1 : 2;
    return OK;
}

void kms_gathered_drop(struct kms_gathered *g)
{
    for (unsigned i = 0; i < g->count; i++) free(g->bodies[i]);
    memset(g, 0, sizeof *g);
}
