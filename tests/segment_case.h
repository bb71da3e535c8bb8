/* segment_case.h - segments of a test's log in a store: entries "0", "1", ..., signed by key 1. */
#ifndef TESTS_SEGMENT_CASE_H
#define TESTS_SEGMENT_CASE_H
#include "parent/store.h"
#include "policy/tail.h"

struct made { char name[TAIL_NAME]; uint8_t sha256[32]; struct tlog tree; };
/* Put a segment with the `count` entries that come after `before` (NULL: the first ones). `salt` goes into the name; `alter`, if there is one, changes
 * it before it is signed. */
struct made case_segment(struct store_backend *s, const struct made *before, uint32_t count, uint8_t salt, void (*alter)(struct tail *));
/* Put an object of these bytes. */
void case_put(struct store_backend *s, const char *name, const void *p, size_t n);
void case_remove(struct store_backend *s, const char *name);

#endif
