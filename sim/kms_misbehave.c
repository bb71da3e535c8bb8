/* kms_misbehave.c - what DIR/misbehave makes the simulated KMS do wrong: KIND[:COUNT][@CALL].
 *
 * Read again for each call, like all of the state, so that a test changes it while it runs. Only
 * a server that presents another CA's certificate must have known before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/mem.h"
#include "sim/files.h"
#include "sim/kms.h"

enum { WORDS_MAX = 128 };

static const char *const kinds[] = {
    [THROTTLE] = "throttle", [ERROR500] = "error500", [WRONG_KEY_ID] = "wrong-key-id", [EXTERNAL_ORIGIN] = "external-origin",
    [OTHER_RECIPIENT] = "other-recipient", [TRUNCATED] = "truncated", [SLOW] = "slow", [REPLAY] = "replay",
    [PLAINTEXT] = "plaintext", [PLAINTEXT_ONLY] = "plaintext-only", [SHORT_SECRET] = "short-secret", [LONG_SECRET] = "long-secret",
    [GARBAGE] = "garbage", [WRONG_CA] = "wrong-ca",
};

struct order { enum misbehaviour kind; unsigned long count; char call[64]; };    /* count 0: for ever; call "": those with a Recipient */

static err parse_kind(enum misbehaviour *out, const char *text, size_t n)
{
    for (unsigned i = BEHAVES + 1; i < sizeof kinds / sizeof *kinds; i++) {
        if (strlen(kinds[i]) != n || strncmp(kinds[i], text, n) != 0) continue;
        *out = (enum misbehaviour)i;
        return OK;
    }
    FAIL(E_FORMAT, "misbehave: there is no `%.*s`", (int)n, text);
}

static err parse_order(struct order *out, const char *text)
{
    memset(out, 0, sizeof *out);
    size_t n = strcspn(text, ":@\n");
    TRY(parse_kind(&out->kind, text, n));
    text += n;
    if (*text == ':') {
        char *end = NULL;
        out->count = text[1] >= '1' && text[1] <= '9' ? strtoul(text + 1, &end, 10) : 0;
        if (out->count == 0 || out->count > 1000000) FAIL(E_FORMAT, "misbehave: a count is 1 to 1000000");
        text = end;
    }
    if (*text == '@') {
        n = strcspn(++text, "\n");
        if (n == 0 || n >= sizeof out->call) FAIL(E_FORMAT, "misbehave: no name of a call");
        memcpy(out->call, text, n);
        text += n;
    }
    if (text[*text == '\n']) FAIL(E_FORMAT, "misbehave: KIND[:COUNT][@CALL] is all there can be");
    return OK;
}

static err read_order(struct order *out, char path[static PATH_LONGEST], const char *dir)
{
    TEXT text = NULL;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    TRY(file_path(path, dir, "misbehave"));
    err e = file_read(&text, &n, path, WORDS_MAX);
    if (e.code == E_ABSENT || (!e.code && n == 0)) return OK;
    TRY(e);
    return parse_order(out, text);
}

static err write_order(const char *path, const struct order *o)
{
    char text[WORDS_MAX];
    int n = snprintf(text, sizeof text, "%s:%lu%s%s\n", kinds[o->kind], o->count, o->call[0] ? "@" : "", o->call);
    if (n < 0 || n >= (int)sizeof text) FAIL(E_LIMIT, "misbehave: too long");
    return file_write(path, 0644, text, (size_t)n);
}

err misbehave_set(const char *dir, const char *text)
{
    char path[PATH_LONGEST];
    struct order o;
    TRY(parse_order(&o, text));
    TRY(file_path(path, dir, "misbehave"));
    return file_write(path, 0644, text, strlen(text));
}

err misbehave_read(enum misbehaviour *out, const char *dir)
{
    char path[PATH_LONGEST];
    struct order o;
    TRY(read_order(&o, path, dir));
    *out = o.kind;
    return OK;
}

err misbehave_take(enum misbehaviour *out, const char *dir, const char *call, bool secret)
{
    char path[PATH_LONGEST];
    struct order o;
    *out = BEHAVES;
    TRY(read_order(&o, path, dir));
    if (o.call[0] ? strcmp(o.call, call) != 0 : !secret) return OK;
    *out = o.kind;
    if (o.count == 0) return OK;
    if (--o.count > 0) return write_order(path, &o);
    if (unlink(path) < 0) FAIL(E_IO, "%s cannot be removed", path);
    return OK;
}
