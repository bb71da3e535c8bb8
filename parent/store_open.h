/* store_open.h - stores by their names: DIR, dir:DIR, s3:BUCKET/PREFIX, s3:https://HOST/BUCKET/PREFIX; several behind commas. */
#ifndef PARENT_STORE_OPEN_H
#define PARENT_STORE_OPEN_H
#include "parent/s3_place.h"
#include "parent/store.h"

enum { STORES_MAX = 8, STORE_NAME = 320 };

struct store_conf {
    const char *names;
    uint64_t durable;                        /* stores that must have an object or a head; 0: all */
    struct s3_settings s3;
};

/* One store: its own back end. Several: store_many.h. `create`: as store_dir_open(). Several open when one of them
 * does; the others are tried again later. Fails: E_FORMAT (names), and as the back ends do. */
err store_open(struct store_backend **out, const struct store_conf *conf, bool create);
/* Are the names well formed, without touching anything? Fails: E_FORMAT, E_LIMIT (more than STORES_MAX), E_DENIED. */
err store_names_check(const struct store_conf *conf);

#endif
