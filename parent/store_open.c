/* store_open.c - see store_open.h. */
#include "parent/store_open.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "parent/store_many.h"
#include "parent/store_s3.h"

struct names { char name[STORES_MAX][STORE_NAME]; size_t count; };

static err split(struct names *out, const char *p)
{
    *out = (struct names){ 0 };
    for (;;) {
        p += strspn(p, " \t");
        size_t n = strcspn(p, ","), len = n;
        while (len && (p[len - 1] == ' ' || p[len - 1] == '\t')) len--;
        if (len == 0) FAIL(E_FORMAT, "stores: a name is missing: dir:/FOLDER or s3:BUCKET/PREFIX, behind commas");
        if (out->count == STORES_MAX || len >= STORE_NAME) FAIL(E_LIMIT, "stores: %d at most, each of %d bytes", STORES_MAX, STORE_NAME - 1);
        memcpy(out->name[out->count], p, len);
        out->name[out->count++][len] = '\0';
        for (size_t i = 0; i + 1 < out->count; i++)
            if (strcmp(out->name[i], out->name[out->count - 1]) == 0) FAIL(E_FORMAT, "stores: %s is named twice", out->name[i]);
        if (!p[n]) return OK;
        p += n + 1;
    }
}

static const char *s3_of(const char *name)
{
    return strncmp(name, "s3:", 3) == 0 ? name + 3 : NULL;
}

err store_names_check(const struct store_conf *conf)
{
    struct names names;
    TRY(split(&names, conf->names));
    for (size_t i = 0; i < names.count; i++) {
        struct s3_place place;
        const char *s3 = s3_of(names.name[i]);
        if (s3) TRY(s3_place_parse(&place, s3, &conf->s3));
        else if (strcmp(names.name[i], "dir:") == 0) FAIL(E_FORMAT, "stores: dir: names no folder");
    }
    if (conf->durable > names.count) FAIL(E_FORMAT, "[store] durable is %llu, but there are %zu stores", (unsigned long long)conf->durable, names.count);
    return OK;
}

static err open_named(struct store_backend **out, const char *name, const void *self, bool create)
{
    const struct s3_settings *s3 = self;
    const char *bucket = s3_of(name);
    if (bucket) return store_s3_open(out, bucket, s3);
    return store_dir_open(out, strncmp(name, "dir:", 4) == 0 ? name + 4 : name, create);
}

err store_open(struct store_backend **out, const struct store_conf *conf, bool create)
{
    struct names names;
    *out = NULL;
    TRY(store_names_check(conf));
    TRY(split(&names, conf->names));
    if (names.count == 1) return open_named(out, names.name[0], &conf->s3, create);
    STORE_BACKEND many = NULL;
    TRY(store_many_new(&many, conf->durable ? conf->durable : names.count));
    for (size_t i = 0; i < names.count; i++)
        TRY(store_many_add(many, names.name[i], (struct many_opener){ open_named, &conf->s3 }, create));
    TRY(store_many_ready(many));
    *out = many;
    many = NULL;
    return OK;
}
