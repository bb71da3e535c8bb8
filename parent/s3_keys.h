/* s3_keys.h - who we are to the S3 server.
 *
 * In this order: the file of [s3] credentials; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the
 * environment; the file of AWS_SHARED_CREDENTIALS_FILE; the role of the instance (a file only if its owner alone may use it;
 * the role by IMDSv2). They open a store of ciphertext and nothing else. They are in no argument list and in no log. */
#ifndef PARENT_S3_KEYS_H
#define PARENT_S3_KEYS_H
#include "parent/s3_place.h"

struct s3_keys { char id[S3_KEY], secret[S3_KEY], token[S3_TOKEN]; int64_t until; };     /* until: unix seconds; 0: no end */

/* Fails: E_ABSENT (none anywhere), E_DENIED (a file that others may read), E_FORMAT, E_IO, E_CLOSED. */
err  s3_keys_find(struct s3_keys *out, const struct s3_place *place);
/* The file's form: lines `aws_access_key_id = ...`, `aws_secret_access_key = ...`, `aws_session_token = ...`;
 * `[profile]` lines, empty lines and `#` lines are passed over. Fails: E_FORMAT, E_LIMIT. */
err  s3_keys_parse(struct s3_keys *out, const char *text);
void s3_keys_wipe(struct s3_keys *k);

#endif
