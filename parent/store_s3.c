/* store_s3.c - the store in a bucket: opening, listing, reading. */
#include "parent/store_s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "parent/store_s3_in.h"

/* ---- listing ---- */

struct listing { err (*each)(void *, const struct s3_entry *); void *self; char skip[S3_PREFIX + 16]; };

static err below(void *self, const struct s3_entry *e)
{
    struct listing *l = self;
    const size_t n = strlen(l->skip);
    /* A server that answers with more than it was asked for is not followed. */
    if (strncmp(e->key, l->skip, n) != 0) return OK;
    struct s3_entry shorter = { .size = e->size, .time = e->time };
    memcpy(shorter.key, e->key + n, strlen(e->key + n) + 1);
    return l->each(l->self, &shorter);
}

err s3_each(struct s3_store *s, const char *folder, err (*each)(void *, const struct s3_entry *), void *self)
{
    struct listing l = { .each = each, .self = self };
    char prefix[3 * sizeof l.skip + 1], token[3 * S3_NEXT_MAX / 2 + 1] = "", query[sizeof prefix + sizeof token + 80];
    struct s3_page page = { .more = true };
    S3_ANSWER a = { 0 };
    snprintf(l.skip, sizeof l.skip, "%s%s/", s->bucket.place.prefix, folder);
    TRY(s3_escape(prefix, sizeof prefix, l.skip));
    while (page.more) {
        char before[S3_NEXT_MAX + 1];
        memcpy(before, page.next, sizeof before);
        snprintf(query, sizeof query, "%s%s%slist-type=2&max-keys=1000&prefix=%s", token[0] ? "continuation-token=" : "", token, token[0] ? "&" : "", prefix);
        TRY(s3_call(&a, &s->bucket, &(struct s3_ask){ .method = "GET", .query = query }));
        if (a.status != 200) return s3_refused(&a, "listing the bucket");
        TRY(s3_list_page(&page, (const char *)a.body, a.len, below, &l));
        if (page.more && strcmp(page.next, before) == 0) FAIL(E_FORMAT, "s3: a listing that goes round in a circle");
        TRY(s3_escape(token, sizeof token, page.next));
    }
    return OK;
}

struct objects { err (*each)(void *, const struct store_entry *); void *self; };

static err object_entry(void *self, const struct s3_entry *e)
{
    const struct objects *o = self;
    if (!link_name_ok(e->key, strlen(e->key))) return OK;
    return o->each(o->self, &(struct store_entry){ e->key, e->size, e->time });
}

static err s3_list(struct store_backend *base, err (*each)(void *, const struct store_entry *), void *self)
{
    struct objects o = { each, self };
    return s3_each((struct s3_store *)base, "objects", object_entry, &o);
}

/* ---- getting: ranges of one and the same object ---- */

struct s3_get { struct store_get base; struct s3_store *s; struct s3_answer window; uint64_t at; size_t used; char key[S3_NAME], etag[160]; };

static err fill(struct s3_get *g)
{
    char range[64], match[192];
    const uint64_t left = g->base.size - g->at, n = left < S3_WINDOW ? left : S3_WINDOW;
    snprintf(range, sizeof range, "Range: bytes=%llu-%llu", (unsigned long long)g->at, (unsigned long long)(g->at + n - 1));
    snprintf(match, sizeof match, "If-Match: %s", g->etag);
    TRY(s3_call(&g->window, &g->s->bucket, &(struct s3_ask){ .method = "GET", .key = g->key, .header = range,
                                                             .other_header = g->etag[0] ? match : NULL, .cap = S3_WINDOW }));
    if (g->window.status != 206 && !(g->window.status == 200 && n == g->base.size)) return s3_refused(&g->window, g->key);
    if (g->window.len != n) FAIL(E_IO, "s3: %s: %zu bytes came, not %llu", g->key, g->window.len, (unsigned long long)n);
    g->at += n;
    g->used = 0;
    return OK;
}

static err get_read(struct store_get *base, void *p, size_t *n, size_t cap)
{
    struct s3_get *g = (struct s3_get *)base;
    *n = 0;
    if (cap == 0) return OK;
    if (g->used == g->window.len) {
        if (g->at == g->base.size) return OK;
        /* Until it is filled again there is nothing in it. */
        g->used = g->window.len = 0;
        err e = fill(g);
        if (e.code) g->used = g->window.len = 0;
        TRY(e);
    }
    const size_t have = g->window.len - g->used;
    *n = have < cap ? have : cap;
    memcpy(p, g->window.body + g->used, *n);
    g->used += *n;
    return OK;
}

static void get_close(struct store_get *base)
{
    s3_answer_drop(&((struct s3_get *)base)->window);
    free(base);
}

err s3_get_open(struct store_backend *base, struct store_get **out, const char *name)
{
    struct s3_store *s = (struct s3_store *)base;
    S3_ANSWER a = { 0 };
    *out = NULL;
    if (!link_name_ok(name, strlen(name))) FAIL(E_FORMAT, "`%s` cannot be the name of an object", name);
    struct s3_get *g = calloc(1, sizeof *g);
    if (!g) FAIL(E_MEMORY, "an object's reader");
    g->base = (struct store_get){ 0, get_read, get_close };
    g->s = s;
    snprintf(g->key, sizeof g->key, "objects/%s", name);
    STORE_GET mine = &g->base;
    TRY(s3_call(&a, &s->bucket, &(struct s3_ask){ .method = "HEAD", .key = g->key }));
    if (a.status == 404) FAIL(E_ABSENT, "the store has no object %s", name);
    if (a.status != 200) return s3_refused(&a, name);
    g->base.size = a.length;
    memcpy(g->etag, a.etag, sizeof g->etag);
    *out = mine;
    mine = NULL;
    return OK;
}

/* ---- opening ---- */

static void s3_close(struct store_backend *base)
{
    struct s3_store *s = (struct s3_store *)base;
    s3_wire_end(&s->bucket.handle);
    s3_keys_wipe(&s->bucket.keys);
    free(s);
}

err store_s3_open(struct store_backend **out, const char *name, const struct s3_settings *settings)
{
    S3_ANSWER a = { 0 };
    *out = NULL;
    struct s3_store *s = calloc(1, sizeof *s);
    if (!s) FAIL(E_MEMORY, "a store");
    s->base = (struct store_backend){ s3_put_open, s3_get_open, s3_head_get, s3_head_put, s3_list, s3_remove, s3_close };
    STORE_BACKEND mine = &s->base;
    TRY(s3_place_parse(&s->bucket.place, name, settings));
    TRY(s3_call(&a, &s->bucket, &(struct s3_ask){ .method = "GET", .key = "head", .quick = true }));
    if (a.status == 404 && strcmp(a.code, "NoSuchBucket") == 0) FAIL(E_ABSENT, "s3: there is no such bucket: %s", s->bucket.place.base);
    if (a.status != 200 && a.status != 404) return s3_refused(&a, "opening the store");
    *out = mine;
    mine = NULL;
    return OK;
}
