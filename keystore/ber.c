/* ber.c - elements of BER, one at a time. */
#include "keystore/ber.h"
#include <string.h>

enum { DEPTH = 16 };

/* Identifier and length. Out: *n, or *open for an indefinite length. */
static err head(uint8_t *tag, size_t *n, bool *open, struct rd *r)
{
    *tag = rd_u8(r);
    uint8_t first = rd_u8(r);
    *open = first == 0x80;
    *n = first;
    if (!rd_ok(r)) FAIL(E_FORMAT, "BER: the element ends early");
    if ((*tag & 0x1f) == 0x1f) FAIL(E_FORMAT, "BER: a tag of several bytes");
    if (*open && !(*tag & BER_CONSTRUCTED)) FAIL(E_FORMAT, "BER: an indefinite length on a primitive element");
    if (first <= 0x80) return OK;
    if (first > 0x84) FAIL(E_FORMAT, "BER: a length of %d bytes", first - 0x80);
    *n = 0;
    for (unsigned i = 0; i < first - 0x80u; i++) *n = *n << 8 | rd_u8(r);
    if (!rd_ok(r)) FAIL(E_FORMAT, "BER: the element ends early");
    return OK;
}

/* Walk past elements up to the end marker that closes an indefinite length. */
static err find_end(struct rd *r, unsigned depth)
{
    if (depth >= DEPTH) FAIL(E_FORMAT, "BER: nested deeper than %d", DEPTH);
    for (;;) {
        uint8_t tag;
        size_t n = 0;
        bool open = false;
        TRY(head(&tag, &n, &open, r));
        if (tag == 0) {
            if (n != 0) FAIL(E_FORMAT, "BER: a bad end marker");
            return OK;
        }
        if (open) TRY(find_end(r, depth + 1));
        else if (!rd_bytes(r, n)) FAIL(E_FORMAT, "BER: the element ends early");
    }
}

err ber_any(uint8_t *tag, struct rd *content, struct rd *r)
{
    size_t n = 0;
    bool open = false;
    TRY(head(tag, &n, &open, r));
    if (*tag == 0) FAIL(E_FORMAT, "BER: an end marker where an element belongs");
    if (open) {
        const uint8_t *start = r->p;
        TRY(find_end(r, 0));
        *content = rd_of(start, (size_t)(r->p - start) - 2);
        return OK;
    }
    *content = rd_sub(r, n);
    if (!rd_ok(r)) FAIL(E_FORMAT, "BER: the element ends early");
    return OK;
}

bool ber_is(const struct rd *r, uint8_t tag)
{
    return !r->bad && r->left > 0 && r->p[0] == tag;
}

err ber_want(struct rd *content, struct rd *r, uint8_t tag, const char *what)
{
    if (!ber_is(r, tag)) FAIL(E_FORMAT, "BER: no %s where it belongs", what);
    return ber_any(&tag, content, r);
}

err ber_integer(struct rd *r, uint8_t value, const char *what)
{
    struct rd c = rd_of(NULL, 0);
    TRY(ber_want(&c, r, BER_INTEGER, what));
    if (c.left != 1 || c.p[0] != value) FAIL(E_FORMAT, "BER: %s is not %d", what, value);
    return OK;
}

err ber_oid(struct rd *r, const uint8_t *oid, size_t n, const char *what)
{
    struct rd c = rd_of(NULL, 0);
    TRY(ber_want(&c, r, BER_OID, what));
    if (c.left != n || memcmp(c.p, oid, n) != 0) FAIL(E_FORMAT, "BER: %s is another one", what);
    return OK;
}

static err gather(struct wr *w, struct rd pieces, unsigned depth)
{
    if (depth >= DEPTH) FAIL(E_FORMAT, "BER: nested deeper than %d", DEPTH);
    while (pieces.left > 0) {
        uint8_t tag;
        struct rd c = rd_of(NULL, 0);
        TRY(ber_any(&tag, &c, &pieces));
        if (tag == (BER_OCTETS | BER_CONSTRUCTED)) TRY(gather(w, c, depth + 1));
        else if (tag == BER_OCTETS) wr_bytes(w, c.p, c.left);
        else FAIL(E_FORMAT, "BER: a string of things that are no strings");
    }
    return OK;
}

err ber_octets(uint8_t *out, size_t cap, size_t *len, struct rd *r, uint8_t tag, const char *what)
{
    struct rd c = rd_of(NULL, 0);
    struct wr w = wr_of(out, cap);
    if (ber_is(r, tag | BER_CONSTRUCTED)) {
        TRY(ber_want(&c, r, tag | BER_CONSTRUCTED, what));
        TRY(gather(&w, c, 0));
    } else {
        TRY(ber_want(&c, r, tag, what));
        wr_bytes(&w, c.p, c.left);
    }
    TRY(wr_end(&w, what));
    *len = w.len;
    return OK;
}
