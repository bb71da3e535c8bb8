/* s3_keys.c - see s3_keys.h. */
#include "parent/s3_keys.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "parent/s3_wire.h"

#define METADATA "http://169.254.169.254/latest"

void s3_keys_wipe(struct s3_keys *k)
{
    mem_wipe(k, sizeof *k);
}

static bool put(char *out, size_t cap, const char *value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (value[i] <= ' ' || value[i] >= 0x7f) return false;
    if (n == 0 || n >= cap) return false;
    memcpy(out, value, n);
    out[n] = '\0';
    return true;
}

static err line_parse(struct s3_keys *out, const char *p, size_t n)
{
    const struct { const char *name; char *to; size_t cap; } rows[] = { { "aws_access_key_id", out->id, sizeof out->id },
        { "aws_secret_access_key", out->secret, sizeof out->secret }, { "aws_session_token", out->token, sizeof out->token } };
    while (n && strchr(" \t\r", p[n - 1])) n--;
    while (n && (*p == ' ' || *p == '\t')) p++, n--;
    if (n == 0 || *p == '#' || *p == '[') return OK;
    const char *eq = memchr(p, '=', n);
    if (!eq) FAIL(E_FORMAT, "s3: a line of the credentials file is not NAME = VALUE");
    size_t name = (size_t)(eq - p);
    while (name && (p[name - 1] == ' ' || p[name - 1] == '\t')) name--;
    const char *value = eq + 1;
    while (value < p + n && (*value == ' ' || *value == '\t')) value++;
    for (size_t i = 0; i < 3; i++) {
        if (strlen(rows[i].name) != name || memcmp(rows[i].name, p, name) != 0) continue;
        if (rows[i].to[0]) FAIL(E_FORMAT, "s3: the credentials file has %s twice: give this program a file of its own", rows[i].name);
        if (!put(rows[i].to, rows[i].cap, value, (size_t)(p + n - value))) FAIL(E_FORMAT, "s3: the credentials file's %s cannot be one", rows[i].name);
    }
    return OK;
}

err s3_keys_parse(struct s3_keys *out, const char *text)
{
    memset(out, 0, sizeof *out);
    while (*text) {
        size_t n = strcspn(text, "\n");
        TRY(line_parse(out, text, n));
        text += n + (text[n] == '\n');
    }
    if (!out->id[0] || !out->secret[0]) FAIL(E_FORMAT, "s3: the credentials file needs aws_access_key_id and aws_secret_access_key");
    return OK;
}

static err from_file(struct s3_keys *out, const char *path)
{
    char text[8192];
    struct stat st;
    size_t len = 0;
    FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) FAIL(E_IO, "s3: opening the credentials file %s", path);
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077)) FAIL(E_DENIED, "s3: others may use the credentials file %s: chmod 600 it", path);
    for (ssize_t got; len < sizeof text - 1 && (got = read(fd, text + len, sizeof text - 1 - len)) > 0;) len += (size_t)got;
    text[len] = '\0';
    err e = len == sizeof text - 1 ? (err){ E_LIMIT } : s3_keys_parse(out, text);
    mem_wipe(text, sizeof text);
    return e;
}

/* One question to the instance metadata. Out: a text. */
static err ask_metadata(struct s3_answer *a, const char *method, const char *path, const char *header)
{
    char url[320];
    if ((size_t)snprintf(url, sizeof url, METADATA "%s", path) >= sizeof url) FAIL(E_FORMAT, "s3: a role with a long name");
    const char *headers[] = { header, NULL };
    struct s3_wire w = { .method = method, .url = url, .headers = headers, .cap = 16384, .timeout_s = 4 };
    TRY(s3_wire(a, &w));
    if (a->status != 200 || a->len == 0) FAIL(E_ABSENT, "s3: the instance metadata has no role (status %ld)", a->status);
    return OK;
}

static err metadata_parse(struct s3_keys *out, const char *text)
{
    json_t *doc = json_loads(text, 0, NULL);
    const char *id = json_string_value(json_object_get(doc, "AccessKeyId")), *secret = json_string_value(json_object_get(doc, "SecretAccessKey"));
    const char *token = json_string_value(json_object_get(doc, "Token")), *end = json_string_value(json_object_get(doc, "Expiration"));
    struct tm at = { 0 };
    bool ok = id && secret && token && end && put(out->id, sizeof out->id, id, strlen(id)) && put(out->secret, sizeof out->secret, secret, strlen(secret)) &&
              put(out->token, sizeof out->token, token, strlen(token)) && strptime(end, "%Y-%m-%dT%H:%M:%SZ", &at);
    if (ok) out->until = (int64_t)timegm(&at);
    json_decref(doc);
    if (!ok) FAIL(E_FORMAT, "s3: the instance metadata's credentials cannot be read");
    return OK;
}

static err from_metadata(struct s3_keys *out)
{
    S3_ANSWER token = { 0 };
    S3_ANSWER role = { 0 };
    S3_ANSWER keys = { 0 };
    char header[512], path[256];
    TRY(ask_metadata(&token, "PUT", "/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 300"));
    snprintf(header, sizeof header, "X-aws-ec2-metadata-token: %s", (char *)token.body);
    TRY(ask_metadata(&role, "GET", "/meta-data/iam/security-credentials/", header));
    char *name = (char *)role.body;
    name[strcspn(name, "\r\n")] = '\0';
    snprintf(path, sizeof path, "/meta-data/iam/security-credentials/%s", name);
    TRY(ask_metadata(&keys, "GET", path, header));
    err e = metadata_parse(out, (char *)keys.body);
    mem_wipe(keys.body, keys.len);
    return e;
}

err s3_keys_find(struct s3_keys *out, const struct s3_place *place)
{
    const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY"), *token = getenv("AWS_SESSION_TOKEN");
    const char *file = place->credentials[0] ? place->credentials : getenv("AWS_SHARED_CREDENTIALS_FILE");
    memset(out, 0, sizeof *out);
    if (place->credentials[0]) return from_file(out, file);
    if (id && *id && secret && *secret) {
        if (!put(out->id, sizeof out->id, id, strlen(id)) || !put(out->secret, sizeof out->secret, secret, strlen(secret)) ||
            (token && *token && !put(out->token, sizeof out->token, token, strlen(token))))
            FAIL(E_FORMAT, "s3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN cannot be one");
        return OK;
    }
    if (file && *file) return from_file(out, file);
    err e = from_metadata(out);
    if (e.code) FAIL(E_ABSENT, "s3: no credentials: set [s3] credentials, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the instance a role");
    return OK;
}
