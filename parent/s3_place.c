/* s3_place.c - see s3_place.h. */
#include "parent/s3_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct origin { char scheme[12], host[S3_ENDPOINT]; };

static const char *first_of(const char *configured, const char *env, const char *other_env, const char *fallback)
{
    if (configured[0]) return configured;
    const char *v = getenv(env);
    if ((!v || !*v) && other_env) v = getenv(other_env);
    return v && *v ? v : fallback;
}

static bool only(const char *s, size_t n, const char *more)
{
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || (s[i] && strchr(more, s[i])))) return false;
    return true;
}

/* The machine itself: nobody listens on the way. */
static bool loopback(const char *host)
{
    return !strcmp(host, "localhost") || !strncmp(host, "localhost:", 10) || !strncmp(host, "[::1]", 5) ||
           (!strncmp(host, "127.", 4) && host[strspn(host, "0123456789.:")] == '\0');
}

/* Out: *rest, what follows HOST[:PORT]. */
static err origin_parse(struct origin *o, const char **rest, const char *url, bool http)
{
    size_t scheme = !strncmp(url, "https://", 8) ? 8 : !strncmp(url, "http://", 7) ? 7 : 0;
    if (!scheme) FAIL(E_FORMAT, "s3: the endpoint `%s` must begin with https:// or http://", url);
    size_t n = strcspn(url + scheme, "/");
    if (n == 0 || n >= sizeof o->host || !only(url + scheme, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:[]"))
        FAIL(E_FORMAT, "s3: the endpoint `%s` must be https://HOST[:PORT], without a user or a query", url);
    memcpy(o->scheme, url, scheme);
    o->scheme[scheme] = '\0';
    memcpy(o->host, url + scheme, n);
    o->host[n] = '\0';
    *rest = url + scheme + n;
    if (scheme == 7 && !http && !loopback(o->host))
        FAIL(E_DENIED, "s3: http:// to %s would be open to everybody on the way: use https://, or set [s3] http = yes", o->host);
    return OK;
}

static err bucket_parse(char bucket[static S3_BUCKET], char prefix[static S3_PREFIX], const char *name)
{
    size_t n = strcspn(name, "/");
    if (n < 3 || n >= S3_BUCKET || !only(name, n, ".-") || !only(name, 1, "") || !only(name + n - 1, 1, "") || strstr(name, ".."))
        FAIL(E_FORMAT, "s3: `%s`: a bucket's name has 3 to 63 of a-z, 0-9, `.` and `-`: s3:BUCKET/PREFIX", name);
    memcpy(bucket, name, n);
    bucket[n] = '\0';
    const char *p = name + n + (name[n] == '/');
    size_t len = strlen(p);
    while (len > 0 && p[len - 1] == '/') len--;
    if (len + 2 > S3_PREFIX || !only(p, len, "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-/") || (len && p[0] == '/') || strstr(p, "//") || strstr(p, "/./"))
        FAIL(E_FORMAT, "s3: the prefix `%s` may have letters, digits, `.`, `_`, `-` and single `/`, %d at most", p, S3_PREFIX - 2);
    memcpy(prefix, p, len);
    memcpy(prefix + len, len ? "/" : "", len ? 2 : 1);
    return OK;
}

static err style_parse(bool *is_virtual, const struct s3_settings *s, const char *host, bool own_url)
{
    if (s->style[0] && strcmp(s->style, "path") && strcmp(s->style, "virtual"))
        FAIL(E_FORMAT, "[s3] style is path or virtual, not `%s`", s->style);
    const size_t n = strlen(host), aws = sizeof ".amazonaws.com" - 1;
    *is_virtual = s->style[0] ? !strcmp(s->style, "virtual") : n > aws && !strcmp(host + n - aws, ".amazonaws.com");
    if (own_url) *is_virtual = false;
    return OK;
}

err s3_place_parse(struct s3_place *out, const char *name, const struct s3_settings *s)
{
    char bucket[S3_BUCKET], fallback[S3_ENDPOINT];
    struct origin o;
    bool is_virtual = false;
    const char *rest = name;
    *out = (struct s3_place){ 0 };
    const bool own_url = !strncmp(name, "http://", 7) || !strncmp(name, "https://", 8);
    const char *region = first_of(s->region, "AWS_REGION", "AWS_DEFAULT_REGION", "us-east-1");
    if (strlen(region) >= S3_REGION || !only(region, strlen(region), "-")) FAIL(E_FORMAT, "s3: `%s` is no region", region);
    strcpy(out->region, region);
    strcpy(out->credentials, s->credentials);
    snprintf(fallback, sizeof fallback, "https://s3.%s.amazonaws.com", region);
    TRY(origin_parse(&o, &rest, own_url ? name : first_of(s->endpoint, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", fallback), s->http));
    if (own_url && *rest != '/') FAIL(E_FORMAT, "s3: `%s` names no bucket: s3:https://HOST/BUCKET/PREFIX", name);
    if (!own_url && *rest && strcmp(rest, "/")) FAIL(E_FORMAT, "s3: the endpoint may have no path: `%s`", rest);
    TRY(bucket_parse(bucket, out->prefix, own_url ? rest + 1 : name));
    TRY(style_parse(&is_virtual, s, o.host, own_url));
    if (is_virtual) snprintf(out->base, sizeof out->base, "%s%s.%s", o.scheme, bucket, o.host);
    else snprintf(out->base, sizeof out->base, "%s%s/%s", o.scheme, o.host, bucket);
    return OK;
}
