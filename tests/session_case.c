/* session_case.c - see session_case.h. */
#include "tests/session_case.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/check_main.h"

err keep_frame(void *self, uint16_t type, uint16_t seq, const void *body, size_t n)
{
    struct sent *s = self;
    if (s->fails.code) return s->fails;
    ck_assert_uint_lt(s->count, FRAMES);
    s->type[s->count] = type;
    s->seq[s->count] = seq;
    s->len[s->count] = n;
    if (n) memcpy(s->body[s->count], body, n < 64 ? n : 64);
    s->count++;
    return OK;
}

err frame(struct rig *r, uint16_t type, const void *body, size_t n)
{
    /* Exactly the bytes, on the heap: a sanitizer sees any read beyond them. */
    uint8_t *copy = malloc(n ? n : 1);
    if (n) memcpy(copy, body, n);
    struct msg m = { .type = type, .seq = 77, .len = (uint32_t)n, .body = copy };
    r->sent.count = 0;
    err e = session_on(&r->session, &m);
    free(copy);
    return e;
}

bool said(const struct rig *r, uint16_t type)
{
    return r->sent.count == 1 && r->sent.type[0] == type && r->sent.seq[0] == 77;
}

bool said_error(const struct rig *r, enum err_code code)
{
    return said(r, MSG_ERROR) && r->sent.len[0] == 1 && r->sent.body[0][0] == code;
}
