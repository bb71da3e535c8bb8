/* ber.h - a strict reader of BER (X.690), as much of it as a CMS envelope needs.
 *
 * Tags of one byte; definite lengths of up to four bytes and indefinite ones,
 * nested at most 16 deep; strings whole or in pieces. Works over core/buf.h,
 * allocates nothing, and hands out readers into the input. */
#ifndef KEYSTORE_BER_H
#define KEYSTORE_BER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"

enum {
    BER_INTEGER = 0x02, BER_OCTETS = 0x04, BER_NULL = 0x05, BER_OID = 0x06, BER_SEQUENCE = 0x30, BER_SET = 0x31,
    BER_CONSTRUCTED = 0x20, BER_CONTEXT = 0x80
};

/* Take the next element, whatever it is. Out: *tag, its identifier byte; *content, its
 * content without length and end marker. Fails: E_FORMAT. */
err ber_any(uint8_t *tag, struct rd *content, struct rd *r);
/* Take the next element, which must have this identifier byte. */
err ber_want(struct rd *content, struct rd *r, uint8_t tag, const char *what);
/* True when the next element has this identifier byte (nothing is taken). */
bool ber_is(const struct rd *r, uint8_t tag);
/* A small non-negative INTEGER that must be `value`; an OID that must be these bytes. */
err ber_integer(struct rd *r, uint8_t value, const char *what);
err ber_oid(struct rd *r, const uint8_t *oid, size_t n, const char *what);
/* Take an OCTET STRING, or a string with an implicit `tag` in its place, whole or in
 * pieces, into out[0..*len). Fails: E_FORMAT, E_LIMIT (longer than cap). */
err ber_octets(uint8_t *out, size_t cap, size_t *len, struct rd *r, uint8_t tag, const char *what);

#endif
