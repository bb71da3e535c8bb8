/* s3_list.h - the XML that an S3 server answers with, as far as it is needed.
 *
 * Not an XML parser: elements are found by their names, in a text of bounded length, with no entities, no
 * attributes that matter and no nesting of an element in itself. What does not look like that is E_FORMAT. */
#ifndef PARENT_S3_LIST_H
#define PARENT_S3_LIST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum { S3_KEY_MAX = 1024, S3_NEXT_MAX = 2048 };

struct s3_entry { char key[S3_KEY_MAX + 1]; uint64_t size; int64_t time; };      /* time: unix seconds */
struct s3_page { bool more; char next[S3_NEXT_MAX + 1]; size_t count; };

/* The text of the first <name>...</name> in p[n], entities resolved. Fails: E_ABSENT, E_FORMAT, E_LIMIT (cap). */
err s3_element(char *out, size_t cap, const char *name, const char *p, size_t n);
/* One page of ListObjectsV2: `each` for every entry. Fails: E_FORMAT, E_LIMIT, or as `each` does. */
err s3_list_page(struct s3_page *out, const char *p, size_t n, err (*each)(void *self, const struct s3_entry *), void *self);

#endif
