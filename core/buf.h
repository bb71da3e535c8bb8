/* buf.h - a bounded reader and a bounded writer over borrowed bytes.
 *
 * All parsing and all building of records goes through these. Errors stick: a
 * short read yields zeros (or NULL) and marks the reader bad, so that a parser
 * reads its fields in order and asks once, with rd_ok() or rd_end(), whether
 * they were all there. Nothing here allocates. Integers are little-endian
 * unless the name ends in `be`. */
#ifndef CORE_BUF_H
#define CORE_BUF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

struct rd { const uint8_t *p; size_t left; bool bad; };
struct wr { uint8_t *p; size_t cap, len; bool full; };

struct rd rd_of(const void *p, size_t n);
uint8_t   rd_u8(struct rd *r);
uint16_t  rd_u16(struct rd *r);
uint32_t  rd_u32(struct rd *r);
uint64_t  rd_u64(struct rd *r);
uint16_t  rd_u16be(struct rd *r);
uint32_t  rd_u32be(struct rd *r);
uint64_t  rd_u64be(struct rd *r);
/* The next n bytes in place, or NULL (and bad) when fewer are left. n = 0 gives a non-NULL pointer. */
const uint8_t *rd_bytes(struct rd *r, size_t n);
/* Copy the next n bytes out; zeros when fewer are left. */
void      rd_copy(struct rd *r, void *out, size_t n);
/* A byte string behind a u32 length of at most `max`. Out: *n. NULL and bad when too long or short. */
const uint8_t *rd_var(struct rd *r, size_t max, size_t *n);
/* The next n bytes as a reader of their own; bad (and empty) when fewer are left. */
struct rd rd_sub(struct rd *r, size_t n);
/* True while every read so far was satisfied. */
bool      rd_ok(const struct rd *r);
/* OK when every read was satisfied and nothing is left. Fails: E_FORMAT, naming `what` in the log. */
err       rd_end(const struct rd *r, const char *what);

struct wr wr_of(void *p, size_t cap);
void wr_u8(struct wr *w, uint8_t v);
void wr_u16(struct wr *w, uint16_t v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
void wr_u16be(struct wr *w, uint16_t v);
void wr_u32be(struct wr *w, uint32_t v);
void wr_u64be(struct wr *w, uint64_t v);
void wr_bytes(struct wr *w, const void *p, size_t n);
void wr_var(struct wr *w, const void *p, size_t n);          /* u32 length, then the bytes */
void wr_text(struct wr *w, const char *s);                   /* the characters, no NUL, no length */
/* n bytes to be filled by the caller, or NULL (and full). */
uint8_t *wr_room(struct wr *w, size_t n);
/* OK when everything fitted. Fails: E_LIMIT, naming `what` in the log. */
err  wr_end(const struct wr *w, const char *what);

/* Lower-case hex, NUL-terminated: out has 2n+1 bytes. */
void hex_from(char *out, const void *p, size_t n);
/* Exactly n bytes from exactly 2n hex digits of either case. Fails: E_FORMAT. */
err  hex_to(void *out, size_t n, const char *hex, size_t hex_len);
/* Standard base64 with padding, NUL-terminated. out has base64_size(n) bytes. */
size_t base64_size(size_t n);
void base64_from(char *out, const void *p, size_t n);
/* Strict standard base64 (padded, canonical, no white space). Out: *n <= cap. Fails: E_FORMAT, E_LIMIT. */
err  base64_to(void *out, size_t cap, size_t *n, const char *text, size_t text_len);
/* The same for text that anybody may send in any amount: the verdict, and no line in the log. */
bool base64_read(void *out, size_t cap, size_t *n, const char *text, size_t text_len);

#endif
