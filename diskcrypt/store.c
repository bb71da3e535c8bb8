/* store.c - what can be said of every store. */
#include "diskcrypt/store.h"

#include <string.h>

#include "core/mem.h"

void store_close(struct store **s)
{
    struct store *old = *s;
    *s = NULL;
    if (old)
        old->close(old);
}

static err put_pieces(struct store *s, const uint8_t *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        size_t piece = n - done < LINK_PIECE ? n - done : (size_t)LINK_PIECE;
        TRY(s->put_data(s, p + done, piece));
        done += piece;
    }
    return OK;
}

err store_put_all(struct store *s, const char *name, const void *p, size_t n)
{
    TRY(s->put_begin(s, name));
    err e = put_pieces(s, p, n);
    if (e.code) {
        err_drop(s->put_abort(s));        /* the first failure is the one to tell */
        return e;
    }
    return s->put_end(s, n);
}

struct into { uint8_t *p; size_t cap, n; };

static err into_take(void *self, const uint8_t *p, size_t n)
{
    struct into *to = self;
    if (n > to->cap - to->n)
        FAIL(E_LIMIT, "an object came with more bytes than the %zu that may be", to->cap);
    memcpy(to->p + to->n, p, n);
    to->n += n;
    return OK;
}

err store_get_all(struct store *s, void *out, size_t *n, const char *name, size_t cap)
{
    *n = 0;
    struct into to = { out, cap, 0 };
    uint64_t total = 0;
    TRY(s->get(s, &total, name, cap, (struct store_sink){ into_take, &to }));
    MUST(total == to.n);
    *n = to.n;
    return OK;
}
