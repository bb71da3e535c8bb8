/* cbor.h - reading and writing CBOR (RFC 8949) for the NSM, COSE and attestation.
 *
 * A pull reader over libcbor's streaming decoder: it allocates nothing, follows
 * no declared length it cannot see, and hands out pointers into the input. The
 * only files that name libcbor are this one's. Strings in chunks (indefinite length)
 * are refused where a value is read and may only be skipped; maps and arrays may be either. */
#ifndef KEYSTORE_CBOR_H
#define KEYSTORE_CBOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "core/hash.h"

enum cb_kind {
    CB_UINT, CB_NEGINT, CB_BYTES, CB_TEXT, CB_CHUNKED, CB_ARRAY, CB_MAP, CB_TAG, CB_BOOL, CB_NULL, CB_BREAK, CB_OTHER
};
/* One head of the stream, with a string's bytes but not a container's content. */
struct cb_item {
    enum cb_kind kind;
    uint64_t value;          /* UINT; NEGINT: the number is -1 - value; ARRAY, MAP: entries; TAG; BOOL */
    bool indefinite;         /* ARRAY, MAP */
    struct bytes text;       /* BYTES, TEXT */
};
err cb_next(struct cb_item *out, struct rd *r);
/* Skip one whole item, nested up to 16 deep. */
err cb_skip(struct rd *r);

/* The next item, which must be of this kind. Fails: E_FORMAT, naming `what`. */
err cb_want(struct cb_item *out, struct rd *r, enum cb_kind kind, const char *what);
/* A bounded unsigned integer, a byte string, the same or null (p = NULL), a text, a bool. */
err cb_uint(uint64_t *out, struct rd *r, uint64_t max, const char *what);
err cb_bytes(struct bytes *out, struct rd *r, const char *what);
err cb_bytes_or_null(struct bytes *out, struct rd *r, const char *what);
err cb_text(struct bytes *out, struct rd *r, const char *what);
err cb_bool(bool *out, struct rd *r, const char *what);
bool cb_is(struct bytes text, const char *word);

/* Walk a container: enter, then for each entry *more = true and the caller reads it. */
struct cb_walk { bool indefinite; uint64_t left; };
err cb_enter(struct cb_walk *out, struct rd *r, enum cb_kind array_or_map, const char *what);
err cb_more(bool *more, struct cb_walk *w, struct rd *r);

/* Walk a map whose keys are texts or integers and all different. After each
 * key the caller reads or skips the value. Fails: E_FORMAT (a key twice, or of another kind), E_LIMIT. */
enum { CB_KEYS_MAX = 40 };
struct cb_map { struct cb_walk walk; size_t count; struct cb_item keys[CB_KEYS_MAX]; };
err cb_map_enter(struct cb_map *out, struct rd *r, const char *what);
err cb_map_key(struct cb_item *key, bool *more, struct cb_map *m, struct rd *r);
/* Index of a text key in names[0..count), or count when it is none of them. */
size_t cb_key_index(const struct cb_item *key, const char *const *names, size_t count);

/* Writers; what does not fit marks w full (wr_end() tells). Shortest forms. */
void cb_put_uint(struct wr *w, uint64_t v);
void cb_put_negint(struct wr *w, uint64_t minus_one_minus_v);
void cb_put_bytes(struct wr *w, struct bytes b);
void cb_put_bytes_or_null(struct wr *w, struct bytes b);       /* p = NULL: null */
void cb_put_text(struct wr *w, const char *s);
void cb_put_text_n(struct wr *w, struct bytes b);
void cb_put_bool(struct wr *w, bool v);
void cb_put_array(struct wr *w, size_t n);
void cb_put_map(struct wr *w, size_t n);
void cb_put_map_open(struct wr *w);                            /* indefinite, ended by cb_put_break() */
void cb_put_break(struct wr *w);

#endif
