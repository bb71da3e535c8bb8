/* strict.h - JSON as documents are written, read from bytes in place. Pure; allocates nothing.
 *
 * For processes that may hold a key, so it is small and takes less than JSON is: texts are printable ASCII
 * without escapes, numbers are whole and from 0 to 2^53 - 1, nesting is what the caller asks for. Errors
 * stick, as in buf.h: the first reason is kept, and everything read after it is empty. */
#ifndef POLICY_STRICT_H
#define POLICY_STRICT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

#define STRICT_NUMBER_MAX ((1ull << 53) - 1)     /* the largest that every JSON library keeps exactly */

struct strict { const uint8_t *p; size_t left; const char *bad, *at; };    /* at: what is being read, for messages; may be NULL */
struct text { const char *p; size_t n; };        /* borrowed, not NUL-terminated */

struct strict strict_of(const void *p, size_t n);
/* Mark as bad, with a reason (a literal); the first one stays. */
void        strict_fail(struct strict *s, const char *why);
/* The opening `{` or `[`. */
void        strict_enter(struct strict *s, char open);
/* Is there another member or element before `close`? Consumes the comma, or `close` when there is none. */
bool        strict_more(struct strict *s, char close, bool first);
struct text strict_text(struct strict *s);
/* A text and the colon behind it. */
struct text strict_name(struct strict *s);
uint64_t    strict_number(struct strict *s, uint64_t min, uint64_t max);
bool        strict_flag(struct strict *s);
/* Is null next? Consumes it. */
bool        strict_null(struct strict *s);
/* n bytes in 2n lower-case hex digits, as a text. */
void        strict_hex(struct strict *s, void *out, size_t n);
/* A text of min..cap - 1 bytes, NUL-terminated. */
void        strict_copy(struct strict *s, char *out, size_t cap, size_t min);
/* OK when all was well and only white space is left. Fails: E_FORMAT, naming `what`. */
err         strict_end(struct strict *s, const char *what);

bool text_is(struct text t, const char *s);
/* n bytes from exactly 2n lower-case hex digits: one spelling for one value. */
bool text_hex(struct text t, void *out, size_t n);

#endif
