/* cbor.c - CBOR in and out, over libcbor. */
#include "keystore/cbor.h"
#include <cbor.h>
#include <string.h>

/* libcbor calls back once per head; each callback only notes what it was told. */
static void note(void *ctx, enum cb_kind kind, uint64_t value)
{
    struct cb_item *i = ctx;
    i->kind = kind;
    i->value = value;
}
static void on_u8(void *c, uint8_t v) { note(c, CB_UINT, v); }
static void on_u16(void *c, uint16_t v) { note(c, CB_UINT, v); }
static void on_u32(void *c, uint32_t v) { note(c, CB_UINT, v); }
static void on_u64(void *c, uint64_t v) { note(c, CB_UINT, v); }
static void on_n8(void *c, uint8_t v) { note(c, CB_NEGINT, v); }
static void on_n16(void *c, uint16_t v) { note(c, CB_NEGINT, v); }
static void on_n32(void *c, uint32_t v) { note(c, CB_NEGINT, v); }
static void on_n64(void *c, uint64_t v) { note(c, CB_NEGINT, v); }
static void on_chunks(void *c) { note(c, CB_CHUNKED, 0); }
static void on_bytes(void *c, cbor_data p, size_t n)
{
    note(c, CB_BYTES, n);
    ((struct cb_item *)c)->text = (struct bytes){ p, n };
}
static void on_text(void *c, cbor_data p, size_t n)
{
    note(c, CB_TEXT, n);
    ((struct cb_item *)c)->text = (struct bytes){ p, n };
}
static void on_array(void *c, size_t n) { note(c, CB_ARRAY, n); }
static void on_map(void *c, size_t n) { note(c, CB_MAP, n); }
static void on_array_open(void *c)
{
    note(c, CB_ARRAY, 0);
    ((struct cb_item *)c)->indefinite = true;
}
static void on_map_open(void *c)
{
    note(c, CB_MAP, 0);
    ((struct cb_item *)c)->indefinite = true;
}
static void on_tag(void *c, uint64_t v) { note(c, CB_TAG, v); }
static void on_bool(void *c, bool v) { note(c, CB_BOOL, v); }
static void on_null(void *c) { note(c, CB_NULL, 0); }
static void on_break(void *c) { note(c, CB_BREAK, 0); }
static void on_float(void *c, float v) { (void)v; note(c, CB_OTHER, 0); }
static void on_double(void *c, double v) { (void)v; note(c, CB_OTHER, 0); }
static void on_undefined(void *c) { note(c, CB_OTHER, 0); }

static const struct cbor_callbacks callbacks = {
    .uint8 = on_u8, .uint16 = on_u16, .uint32 = on_u32, .uint64 = on_u64,
    .negint8 = on_n8, .negint16 = on_n16, .negint32 = on_n32, .negint64 = on_n64,
    .byte_string = on_bytes, .byte_string_start = on_chunks, .string = on_text, .string_start = on_chunks,
    .array_start = on_array, .indef_array_start = on_array_open,
    .map_start = on_map, .indef_map_start = on_map_open,
    .tag = on_tag, .boolean = on_bool, .null = on_null, .undefined = on_undefined,
    .float2 = on_float, .float4 = on_float, .float8 = on_double, .indef_break = on_break,
};

err cb_next(struct cb_item *out, struct rd *r)
{
    *out = (struct cb_item){ .kind = CB_OTHER };
    if (r->bad || r->left == 0) {
        r->bad = true;
        FAIL(E_FORMAT, "CBOR ends early");
    }
    /* libcbor takes the one-byte tags it has no name for, COSE's among them, for errors. */
    if (r->p[0] >= 0xc0 && r->p[0] <= 0xd7) {
        note(out, CB_TAG, rd_u8(r) & 0x1fu);
        return OK;
    }
    struct cbor_decoder_result d = cbor_stream_decode(r->p, r->left, &callbacks, out);
    if (d.status != CBOR_DECODER_FINISHED || d.read == 0 || d.read > r->left) {
        r->bad = true;
        FAIL(E_FORMAT, "CBOR is malformed or ends early");
    }
    (void)rd_bytes(r, d.read);
    return OK;
}

enum { SKIP_DEPTH = 16 };

static err skip_item(struct rd *r, const struct cb_item *head, unsigned depth);

/* The `n` items of a definite container, or those up to the break. */
static err skip_content(struct rd *r, const struct cb_item *head, unsigned depth)
{
    uint64_t n = head->value;
    /* A map's count is of pairs; more than the bytes left cannot be there. */
    if (n > r->left) FAIL(E_FORMAT, "CBOR container longer than its input");
    if (head->kind == CB_MAP) n *= 2;
    for (uint64_t i = 0; head->indefinite || i < n; i++) {
        struct cb_item next;
        TRY(cb_next(&next, r));
        if (next.kind == CB_BREAK) {
            if (!head->indefinite || (head->kind == CB_MAP && i % 2)) FAIL(E_FORMAT, "CBOR break where a value belongs");
            return OK;
        }
        TRY(skip_item(r, &next, depth));
    }
    return OK;
}

static err skip_item(struct rd *r, const struct cb_item *head, unsigned depth)
{
    if (depth >= SKIP_DEPTH) FAIL(E_FORMAT, "CBOR nested deeper than %d", SKIP_DEPTH);
    struct cb_item next;
    switch (head->kind) {
    case CB_BREAK: FAIL(E_FORMAT, "CBOR break outside a container");
    case CB_TAG:
        TRY(cb_next(&next, r));
        return skip_item(r, &next, depth + 1);
    case CB_ARRAY:
    case CB_MAP: return skip_content(r, head, depth + 1);
    case CB_CHUNKED:
        for (;;) {
            TRY(cb_next(&next, r));
            if (next.kind == CB_BREAK) return OK;
            if (next.kind != CB_BYTES && next.kind != CB_TEXT) FAIL(E_FORMAT, "CBOR string of things that are no strings");
        }
    default: return OK;
    }
}

err cb_skip(struct rd *r)
{
    struct cb_item head;
    TRY(cb_next(&head, r));
    return skip_item(r, &head, 0);
}

err cb_want(struct cb_item *out, struct rd *r, enum cb_kind kind, const char *what)
{
    TRY(cb_next(out, r));
    if (out->kind != kind) FAIL(E_FORMAT, "CBOR: %s is of the wrong type", what);
    return OK;
}

err cb_uint(uint64_t *out, struct rd *r, uint64_t max, const char *what)
{
    struct cb_item i;
    TRY(cb_want(&i, r, CB_UINT, what));
    if (i.value > max) FAIL(E_FORMAT, "CBOR: %s is too large", what);
    *out = i.value;
    return OK;
}

err cb_bytes(struct bytes *out, struct rd *r, const char *what)
{
    struct cb_item i;
    TRY(cb_want(&i, r, CB_BYTES, what));
    *out = i.text;
    return OK;
}

err cb_bytes_or_null(struct bytes *out, struct rd *r, const char *what)
{
    struct cb_item i;
    TRY(cb_next(&i, r));
    if (i.kind != CB_BYTES && i.kind != CB_NULL) FAIL(E_FORMAT, "CBOR: %s is of the wrong type", what);
    *out = i.kind == CB_BYTES ? i.text : (struct bytes){ NULL, 0 };
    return OK;
}

err cb_text(struct bytes *out, struct rd *r, const char *what)
{
    struct cb_item i;
    TRY(cb_want(&i, r, CB_TEXT, what));
    *out = i.text;
    return OK;
}

err cb_bool(bool *out, struct rd *r, const char *what)
{
    struct cb_item i;
    TRY(cb_want(&i, r, CB_BOOL, what));
    *out = i.value != 0;
    return OK;
}

bool cb_is(struct bytes text, const char *word)
{
    return text.n == strlen(word) && memcmp(text.p, word, text.n) == 0;
}

err cb_enter(struct cb_walk *out, struct rd *r, enum cb_kind array_or_map, const char *what)
{
    struct cb_item i;
    TRY(cb_want(&i, r, array_or_map, what));
    *out = (struct cb_walk){ i.indefinite, i.value };
    return OK;
}

err cb_more(bool *more, struct cb_walk *w, struct rd *r)
{
    if (w->indefinite) {
        *more = !(r->left > 0 && r->p[0] == 0xff);
        if (!*more) (void)rd_u8(r);
        return OK;
    }
    *more = w->left > 0;
    if (*more) w->left--;
    return OK;
}

err cb_map_enter(struct cb_map *out, struct rd *r, const char *what)
{
    out->count = 0;
    return cb_enter(&out->walk, r, CB_MAP, what);
}

static bool same_key(const struct cb_item *a, const struct cb_item *b)
{
    if (a->kind != b->kind || a->value != b->value) return false;
    return a->kind != CB_TEXT || memcmp(a->text.p, b->text.p, a->text.n) == 0;
}

err cb_map_key(struct cb_item *key, bool *more, struct cb_map *m, struct rd *r)
{
    TRY(cb_more(more, &m->walk, r));
    if (!*more) return OK;
    TRY(cb_next(key, r));
    if (key->kind != CB_TEXT && key->kind != CB_UINT && key->kind != CB_NEGINT)
        FAIL(E_FORMAT, "CBOR map key is neither text nor integer");
    if (m->count == CB_KEYS_MAX) FAIL(E_LIMIT, "CBOR map has more than %d keys", CB_KEYS_MAX);
    for (size_t i = 0; i < m->count; i++)
        if (same_key(&m->keys[i], key)) FAIL(E_FORMAT, "CBOR map has a key twice");
    m->keys[m->count++] = *key;
    return OK;
}

size_t cb_key_index(const struct cb_item *key, const char *const *names, size_t count)
{
    if (key->kind != CB_TEXT) return count;
    for (size_t i = 0; i < count; i++)
        if (cb_is(key->text, names[i])) return i;
    return count;
}

/* libcbor's encoders return the bytes written, 0 when they do not fit. */
static void put(struct wr *w, size_t (*encode)(uint64_t, unsigned char *, size_t), uint64_t v)
{
    uint8_t head[9];
    wr_bytes(w, head, encode(v, head, sizeof head));
}
static size_t array_head(uint64_t v, unsigned char *p, size_t n) { return cbor_encode_array_start((size_t)v, p, n); }
static size_t map_head(uint64_t v, unsigned char *p, size_t n) { return cbor_encode_map_start((size_t)v, p, n); }
static size_t bytes_head(uint64_t v, unsigned char *p, size_t n) { return cbor_encode_bytestring_start((size_t)v, p, n); }
static size_t text_head(uint64_t v, unsigned char *p, size_t n) { return cbor_encode_string_start((size_t)v, p, n); }
static size_t negint_head(uint64_t v, unsigned char *p, size_t n) { return cbor_encode_negint(v, p, n); }
static size_t uint_head(uint64_t v, unsigned char *p, size_t n) { return cbor_encode_uint(v, p, n); }

void cb_put_uint(struct wr *w, uint64_t v) { put(w, uint_head, v); }
void cb_put_negint(struct wr *w, uint64_t v) { put(w, negint_head, v); }
void cb_put_array(struct wr *w, size_t n) { put(w, array_head, n); }
void cb_put_map(struct wr *w, size_t n) { put(w, map_head, n); }
void cb_put_bytes(struct wr *w, struct bytes b)
{
    put(w, bytes_head, b.n);
    wr_bytes(w, b.p, b.n);
}
void cb_put_text_n(struct wr *w, struct bytes b)
{
    put(w, text_head, b.n);
    wr_bytes(w, b.p, b.n);
}
void cb_put_text(struct wr *w, const char *s) { cb_put_text_n(w, (struct bytes){ s, strlen(s) }); }
void cb_put_bytes_or_null(struct wr *w, struct bytes b)
{
    if (b.p) cb_put_bytes(w, b);
    else wr_u8(w, 0xf6);
}
void cb_put_bool(struct wr *w, bool v) { wr_u8(w, v ? 0xf5 : 0xf4); }
void cb_put_map_open(struct wr *w) { wr_u8(w, 0xbf); }
void cb_put_break(struct wr *w) { wr_u8(w, 0xff); }
