/* vectors.h - published test vectors, read where they lie.
 *
 * The folder is $HOLDFAST_VECTORS, else $HOLDFAST_VECTORS_DIR (CTest sets it to
 * ../shared/vectors beside the project). Nothing is copied into the project: a
 * test that needs a vector which is not there is skipped (exit 77) and says so. */
#ifndef TESTS_SUPPORT_VECTORS_H
#define TESTS_SUPPORT_VECTORS_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Call in main(), before Check forks: ends the program with 77 and names what is
 * missing unless `name` (relative, such as "wycheproof/hkdf_sha256_test.json") can be read. */
void     vectors_need(const char *name);
bool     vectors_have(const char *name);
/* End the program with 77 and the reason. In main() only. */
void     skip_all(const char *why) __attribute__((noreturn));

/* The calls below end the process with a message when they cannot do their work. */
char    *vectors_path(const char *name);                      /* free() it */
uint8_t *vectors_read(const char *name, size_t *n);           /* free() it; NUL-terminated besides */
json_t  *vectors_json(const char *name);                      /* json_decref() it */
/* Bytes of the hex string obj[key]. Out: *n. free() it. An empty string gives a non-NULL pointer and n = 0. */
uint8_t *vectors_hex(const json_t *obj, const char *key, size_t *n);
const char *vectors_text(const json_t *obj, const char *key);
/* Bytes of hex text, for vectors written in a test. Exactly `n` bytes, or the process ends. */
void     hex_must(uint8_t *out, size_t n, const char *hex);
/* Where the project's source stands ($HOLDFAST_SOURCE), and its build ($HOLDFAST_BUILD). */
const char *source_dir(void);
const char *build_dir(void);

#endif
