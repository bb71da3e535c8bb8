/* store_s3_head.c - the one thing that moves, and who may move it (store_s3.h says the rule). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "parent/store_s3_in.h"

enum { NONCE = 32, CLAIM_TRIES = 60 };

struct claim { struct s3_store *s; char nonce[NONCE + 1], key[S3_NAME]; struct timespec since; bool held; };
struct rivals { const char *mine; int64_t my_time; bool seen; size_t count; char names[16][NONCE + 1]; int64_t times[16]; };

static double held_for(const struct claim *c)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - c->since.tv_sec) + (double)(now.tv_nsec - c->since.tv_nsec) / 1e9;
}

static void claim_drop(struct claim *c)
{
    S3_ANSWER a = { 0 };
    if (!c->held) return;
    c->held = false;
    err_drop(s3_call(&a, &c->s->bucket, &(struct s3_ask){ .method = "DELETE", .key = c->key }));
}
#define CLAIM __attribute__((cleanup(claim_drop))) struct claim

static err rival(void *self, const struct s3_entry *e)
{
    struct rivals *r = self;
    if (strcmp(e->key, r->mine) == 0) {
        r->seen = true;
        r->my_time = e->time;
    } else if (r->count < 16 && strlen(e->key) == NONCE && strspn(e->key, "0123456789abcdef") == NONCE) {
        memcpy(r->names[r->count], e->key, NONCE + 1);
        r->times[r->count++] = e->time;
    }
    return OK;
}

/* Is ours the only claim? Out: *alone. Dead ones are cleared away. */
static err look_around(bool *alone, struct claim *c)
{
    struct rivals r = { .mine = c->nonce };
    TRY(s3_each(c->s, "claims", rival, &r));
    if (!r.seen) FAIL(E_IO, "s3: the listing does not show what was just written: such a server cannot be a store");
    *alone = true;
    for (size_t i = 0; i < r.count; i++) {
        S3_ANSWER a = { 0 };
        char key[S3_NAME];
        *alone = false;
        if (r.my_time - r.times[i] <= S3_CLAIM_OLD) continue;
        snprintf(key, sizeof key, "claims/%s", r.names[i]);
        log_warn("s3: clearing away the claim of a writer that is gone");
        TRY(s3_call(&a, &c->s->bucket, &(struct s3_ask){ .method = "DELETE", .key = key }));
    }
    return OK;
}

/* The nonce in the body: some servers take a put of the same bytes for no change. */
static err claim_put(struct claim *c, bool again, bool *refused)
{
    S3_ANSWER a = { 0 };
    TRY(s3_call(&a, &c->s->bucket, &(struct s3_ask){ .method = "PUT", .key = c->key, .header = again ? "If-None-Match: *" : NULL, .body = c->nonce, .body_len = NONCE }));
    *refused = a.status == 412;
    if (!*refused && a.status != 200 && !(again && (a.status == 501 || a.status == 400))) return s3_refused(&a, "claiming the head");
    return OK;
}

static err claim_try(struct claim *c, struct s3_store *s)
{
    uint8_t random[NONCE / 2];
    bool refused;
    TRY(random_bytes(random, sizeof random));
    *c = (struct claim){ .s = s };
    hex_from(c->nonce, random, sizeof random);
    snprintf(c->key, sizeof c->key, "claims/%s", c->nonce);
    clock_gettime(CLOCK_MONOTONIC, &c->since);
    c->held = true;                          /* from here on it may be there, whatever is answered */
    TRY(claim_put(c, false, &refused));
    if (s->probed) return OK;
    TRY(claim_put(c, true, &s->conditional));
    s->probed = true;
    log_info("s3: this server %s conditional puts", s->conditional ? "has" : "has no");
    return OK;
}

static err claim_take(struct claim *c, struct s3_store *s)
{
    for (int i = 0; i < CLAIM_TRIES; i++) {
        bool alone = false;
        uint32_t random;
        TRY(claim_try(c, s));
        TRY(look_around(&alone, c));
        if (alone) return OK;
        claim_drop(c);
        TRY(random_bytes(&random, sizeof random));
        const unsigned ms = 50 + random % (i < 6 ? 100u << i : 6400u);
        nanosleep(&(struct timespec){ ms / 1000, (long)(ms % 1000) * 1000000 }, NULL);
    }
    FAIL(E_TIMEOUT, "s3: others keep the head claimed: is another writer at work on this store?");
}

static err head_read(struct s3_store *s, uint8_t out[static LINK_HEAD_MAX], size_t *n, char etag[static 160])
{
    S3_ANSWER a = { 0 };
    *n = 0;
    etag[0] = '\0';
    TRY(s3_call(&a, &s->bucket, &(struct s3_ask){ .method = "GET", .key = "head" }));
    if (a.status == 404 && strcmp(a.code, "NoSuchBucket") != 0) return OK;
    if (a.status != 200) return s3_refused(&a, "reading the head");
    if (a.len == 0 || a.len > LINK_HEAD_MAX) FAIL(E_FORMAT, "the store's head is damaged: it must have 1 to %d bytes; put back the right one", LINK_HEAD_MAX);
    memcpy(out, a.body, a.len);
    *n = a.len;
    memcpy(etag, a.etag, 160);
    return OK;
}

err s3_head_get(struct store_backend *base, uint8_t out[static LINK_HEAD_MAX], size_t *n)
{
    char etag[160];
    return head_read((struct s3_store *)base, out, n, etag);
}

static err head_is(struct s3_store *s, const void *expected, size_t n, char etag[static 160])
{
    uint8_t present[LINK_HEAD_MAX];
    size_t have;
    TRY(head_read(s, present, &have, etag));
    if (have != n || (n > 0 && memcmp(present, expected, n) != 0)) FAIL(E_STATE, "the store's head is not the one that was expected");
    return OK;
}

/* One put, never repeated by itself: whoever repeats it has looked first. Out: *unheard, when what is there must tell what
 * came of it (a condition that failed may have been failed by our own put, heard of by nobody). */
static err put_once(bool *unheard, struct s3_store *s, const char *etag, const void *next, size_t next_len)
{
    S3_ANSWER a = { 0 };
    char condition[192];
    snprintf(condition, sizeof condition, etag[0] ? "If-Match: %s" : "If-None-Match: *%s", etag);
    err e = s3_call(&a, &s->bucket, &(struct s3_ask){ .method = "PUT", .key = "head", .header = s->conditional ? condition : NULL, .body = next, .body_len = next_len, .once = true });
    *unheard = a.status == 0 || a.status >= 500 || a.status == 408 || a.status == 429 || a.status == 409 || a.status == 412;
    if (*unheard) return OK;
    TRY(e);
    return a.status == 200 ? OK : s3_refused(&a, "putting the head");
}

err s3_head_put(struct store_backend *base, const void *expected, size_t expected_len, const void *next, size_t next_len)
{
    struct s3_store *s = (struct s3_store *)base;
    CLAIM c = { 0 };
    char etag[160];
    bool unheard = true;
    if (next_len == 0 || next_len > LINK_HEAD_MAX) FAIL(E_FORMAT, "a head of %zu bytes", next_len);
    TRY(claim_take(&c, s));
    TRY(head_is(s, expected, expected_len, etag));
    for (unsigned i = 0; held_for(&c) < S3_CLAIM_HOLD; i++) {
        TRY(put_once(&unheard, s, etag, next, next_len));
        if (unheard) nanosleep(&(struct timespec){ i < 4 ? 1 << i : 8, 0 }, NULL);
        /* Read back in any case: what was answered is what is there. */
        err e = head_is(s, next, next_len, etag);
        if (e.code != E_STATE) return e;
        if (!unheard) FAIL(E_STATE, "s3: another writer's head came over ours: is its clock or network far behind?");
        TRY(head_is(s, expected, expected_len, etag));
    }
    /* It may still be on its way; the claim stays until it is old, so that nobody builds on what it would replace. */
    c.held = false;
    FAIL(E_TIMEOUT, "s3: putting the head was not answered in %d s", S3_CLAIM_HOLD);
}

err s3_remove(struct store_backend *base, size_t *removed, const void *head, size_t head_len, const char *const *names, size_t count)
{
    struct s3_store *s = (struct s3_store *)base;
    CLAIM c = { 0 };
    char etag[160];
    *removed = 0;
    for (size_t i = 0; i < count; i++)
        if (!link_name_ok(names[i], strlen(names[i]))) FAIL(E_FORMAT, "`%s` cannot be the name of an object", names[i]);
    for (size_t i = 0; i < count; i++) {
        S3_ANSWER a = { 0 };
        char key[S3_NAME];
        /* A claim is good for so long only: a long removal takes one after the other. */
        if (!c.held || held_for(&c) > S3_CLAIM_HOLD / 2) {
            claim_drop(&c);
            TRY(claim_take(&c, s));
            TRY(head_is(s, head, head_len, etag));
        }
        snprintf(key, sizeof key, "objects/%s", names[i]);
        TRY(s3_call(&a, &s->bucket, &(struct s3_ask){ .method = "DELETE", .key = key }));
        if (a.status == 404) continue;
        if (a.status < 200 || a.status > 299) return s3_refused(&a, names[i]);
        ++*removed;
    }
    return count ? OK : head_is(s, head, head_len, etag);
}
