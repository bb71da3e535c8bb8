/* s3_list.c - see s3_list.h. The peer is a stranger: every length is checked. */
#include "parent/s3_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/log.h"

struct span { const char *p; size_t n; };

/* The inner text of the first element of that name; *after is where to go on. */
static bool element(struct span *inner, struct span *after, const char *name, struct span in)
{
    char open[40], close[40];
    int n = snprintf(open, sizeof open, "<%s>", name), m = snprintf(close, sizeof close, "</%s>", name);
    const char *from = memmem(in.p, in.n, open, (size_t)n);
    if (!from) return false;
    from += n;
    const char *to = memmem(from, in.n - (size_t)(from - in.p), close, (size_t)m);
    if (!to) return false;
    *inner = (struct span){ from, (size_t)(to - from) };
    *after = (struct span){ to + m, in.n - (size_t)(to + m - in.p) };
    return true;
}

static err text_of(char *out, size_t cap, const char *name, struct span s)
{
    static const struct { const char *entity; char is; } entities[] =
        { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' }, { "&#34;", '"' } };
    size_t used = 0;
    for (size_t i = 0; i < s.n;) {
        char c = s.p[i];
        size_t step = 1;
        if (c == '<' || (unsigned char)c < ' ') FAIL(E_FORMAT, "s3: <%s> is not plain text", name);
        if (c == '&') {
            c = 0;
            for (size_t k = 0; k < sizeof entities / sizeof *entities && !c; k++) {
                step = strlen(entities[k].entity);
                if (s.n - i >= step && memcmp(s.p + i, entities[k].entity, step) == 0) c = entities[k].is;
            }
            if (!c) FAIL(E_FORMAT, "s3: an unknown entity in <%s>", name);
        }
        if (used + 1 >= cap) FAIL(E_LIMIT, "s3: <%s> is longer than %zu bytes", name, cap - 1);
        out[used++] = c;
        i += step;
    }
    out[used] = '\0';
    return OK;
}

err s3_element(char *out, size_t cap, const char *name, const char *p, size_t n)
{
    struct span inner, after;
    if (!element(&inner, &after, name, (struct span){ p, n })) return (err){ E_ABSENT };
    return text_of(out, cap, name, inner);
}

static err number(uint64_t *out, const char *text)
{
    char *end;
    *out = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || strlen(text) > 18) FAIL(E_FORMAT, "s3: a size of `%s`", text);
    return OK;
}

static err entry(struct s3_entry *e, struct span s)
{
    char text[40];
    struct tm at = { 0 };
    err r = s3_element(e->key, sizeof e->key, "Key", s.p, s.n);
    if (r.code == E_OK) r = s3_element(text, sizeof text, "Size", s.p, s.n);
    if (r.code == E_ABSENT) FAIL(E_FORMAT, "s3: a listed object without key or size");
    TRY(r);
    TRY(number(&e->size, text));
    e->time = 0;
    r = s3_element(text, sizeof text, "LastModified", s.p, s.n);
    if (r.code == E_ABSENT) return OK;
    TRY(r);
    if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &at)) FAIL(E_FORMAT, "s3: a time of `%s`", text);
    e->time = (int64_t)timegm(&at);
    return OK;
}

err s3_list_page(struct s3_page *out, const char *p, size_t n, err (*each)(void *, const struct s3_entry *), void *self)
{
    struct span all, after, one;
    char more[8] = "";
    *out = (struct s3_page){ 0 };
    /* The root carries a namespace, so it is looked for without its end. */
    const char *root = n ? memmem(p, n, "<ListBucketResult", 17) : NULL;
    if (!root || !memmem(root, n - (size_t)(root - p), "</ListBucketResult>", 19)) FAIL(E_FORMAT, "s3: the listing is no listing, or was cut off");
    all = (struct span){ root, n - (size_t)(root - p) };
    err e = s3_element(more, sizeof more, "IsTruncated", all.p, all.n);
    if (e.code == E_ABSENT || (strcmp(more, "true") && strcmp(more, "false"))) FAIL(E_FORMAT, "s3: a listing that does not say whether it is all");
    TRY(e);
    out->more = more[0] == 't';
    if (out->more) {
        e = s3_element(out->next, sizeof out->next, "NextContinuationToken", all.p, all.n);
        if (e.code == E_ABSENT || !out->next[0]) FAIL(E_FORMAT, "s3: a listing that goes on, but does not say where");
        TRY(e);
    }
    for (after = all; element(&one, &after, "Contents", after); out->count++) {
        struct s3_entry found;
        TRY(entry(&found, one));
        TRY(each(self, &found));
    }
    return OK;
}
