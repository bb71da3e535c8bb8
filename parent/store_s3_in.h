/* store_s3_in.h - what the parts of the S3 store share. */
#ifndef PARENT_STORE_S3_IN_H
#define PARENT_STORE_S3_IN_H
#include "parent/s3_call.h"
#include "parent/s3_list.h"
#include "parent/store_s3.h"

struct s3_store { struct store_backend base; struct s3_bucket bucket; bool conditional, probed; };

enum { S3_NAME = LINK_NAME_MAX + 16 };

err s3_put_open(struct store_backend *base, struct store_put **out, const char *name);
err s3_get_open(struct store_backend *base, struct store_get **out, const char *name);
err s3_head_get(struct store_backend *base, uint8_t out[static LINK_HEAD_MAX], size_t *n);
err s3_head_put(struct store_backend *base, const void *expected, size_t expected_len, const void *next, size_t next_len);
err s3_remove(struct store_backend *base, size_t *removed, const void *head, size_t head_len, const char *const *names, size_t count);
/* Every object below PREFIX/FOLDER/, its key shortened to what comes after. */
err s3_each(struct s3_store *s, const char *folder, err (*each)(void *, const struct s3_entry *), void *self);

#endif
