/* say.c - output. Most of what is printed came from a peer: nothing of it may reach a
 * terminal as a control sequence. */
#include "parent/say.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void json_drop(json_t **j)
{
    if (*j) json_decref(*j);
    *j = NULL;
}

/* A full disk behind standard output is a failure, not a shorter answer. */
static enum exits flushed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_DONE;
    fputs("holdfast: standard output could not be written\n", stderr);
    return EXIT_REFUSED;
}

enum exits say_json(json_t **value)
{
    JSON mine = *value;
    *value = NULL;
    if (!mine || json_dumpf(mine, stdout, JSON_ENCODE_ANY | JSON_COMPACT | JSON_PRESERVE_ORDER) != 0) {
        fputs("holdfast: no memory for the answer\n", stderr);
        return EXIT_REFUSED;
    }
    putchar('\n');
    return flushed();
}

enum exits say_failure(const struct call *c, enum exits code, json_t **detail, const char *hint, const char *fmt, ...)
{
    JSON extra = detail ? *detail : NULL;
    char text[1024];
    va_list ap;
    if (detail) *detail = NULL;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (c && c->json) {
        JSON object = json_pack("{s:s, s:i}", "error", text, "exit", (int)code);
        if (object && hint) json_object_set_new(object, "hint", json_string(hint));
        if (object && extra) json_object_update_missing(object, extra);
        if (say_json(&object) == EXIT_DONE) return code;
    }
    fputs("holdfast: ", stderr);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) fprintf(stderr, "\\x%02x", (unsigned char)*p);
        else fputc(*p, stderr);
    fputc('\n', stderr);
    if (hint) fprintf(stderr, "  %s\n", hint);
    return code;
}

void say_text(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)text[i];
        if ((ch < 0x20 && ch != '\n' && ch != '\t') || ch == 0x7f) printf("\\x%02x", ch);
        else putchar(ch);
    }
}

static void say_value(const char *name, const json_t *value)
{
    printf("%-24s ", name);
    if (json_is_string(value)) {
        say_text(json_string_value(value), json_string_length(value));
    } else if (json_is_boolean(value)) {
        fputs(json_is_true(value) ? "yes" : "no", stdout);
    } else if (json_is_null(value)) {
        fputs("none", stdout);
    } else {
        json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    }
    putchar('\n');
}

static void say_nested(const json_t *object, const char *prefix, int depth)
{
    const char *key;
    json_t *value;
    /* jansson's iteration wants a plain pointer, and changes nothing. */
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        char name[160], *p;
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        for (p = name; *p; p++)
            if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
        if (json_is_object(value) && depth < 4) say_nested(value, name, depth + 1);
        else say_value(name, value);
    }
}

void say_members(const json_t *object)
{
    say_nested(object, "", 0);
}
