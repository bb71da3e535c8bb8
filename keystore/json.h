/* json.h - small JSON objects of AWS services, read strictly (jansson).
 *
 * For the fetch role's answers and the simulator's requests. Refused: anything that is
 * not one object, a member twice, nesting beyond JSON_DEPTH_MAX, NUL in a string, bytes
 * after the end, texts longer than the caller has room for. */
#ifndef KEYSTORE_JSON_H
#define KEYSTORE_JSON_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum { JSON_DEPTH_MAX = 16, JSON_SIZE_MAX = 2 << 20 };
#define JSON __attribute__((cleanup(json_release))) json_t *
void json_release(json_t **j);

/* Once, before the sandbox: jansson's hash seed, and an allocator that wipes what it frees. */
void json_warm_up(void);

/* Out: *out, an object. Fails: E_FORMAT, E_LIMIT (size, depth); `what` names it in the log. */
err json_read(json_t **out, const char *text, size_t n, const char *what);
/* Member `name` as text, NUL-terminated. Fails: E_FORMAT (absent, not a string), E_LIMIT. */
err json_text(const json_t *j, const char *name, char *out, size_t cap);
/* The same; "" when absent or null. */
err json_text_or_empty(const json_t *j, const char *name, char *out, size_t cap);
/* Member `name` as base64. Out: out[0..*len). Fails: E_FORMAT, E_LIMIT. */
err json_blob(const json_t *j, const char *name, uint8_t *out, size_t cap, size_t *len);
/* Member `name` as a boolean; false when absent. Fails: E_FORMAT. */
err json_flag(const json_t *j, const char *name, bool *out);

#endif
