/* json.c - jansson, bounded. */
#include "keystore/json.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"

void json_release(json_t **j)
{
    json_decref(*j);
    *j = NULL;
}

/* Answers with session credentials pass through here. */
static void wiping_free(void *p)
{
    if (p) {
        mem_wipe(p, malloc_usable_size(p));
        free(p);
    }
}

void json_warm_up(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
    json_object_seed(0);
}

/* jansson recurses up to 2048 deep; we count brackets outside strings first. */
static bool depth_ok(const char *p, size_t n)
{
    size_t depth = 0;
    bool text = false;
    for (size_t i = 0; i < n; i++) {
        if (text && p[i] == '\\')
            i++;
        else if (p[i] == '"')
            text = !text;
        else if (!text && (p[i] == '{' || p[i] == '['))
            depth++;
        else if (!text && (p[i] == '}' || p[i] == ']') && depth > 0)
            depth--;
        if (depth > JSON_DEPTH_MAX)
            return false;
    }
    return true;
}

err json_read(json_t **out, const char *text, size_t n, const char *what)
{
    if (n > JSON_SIZE_MAX || !depth_ok(text, n))
        FAIL(E_LIMIT, "%s: JSON too long or too deep (%zu bytes)", what, n);
    json_error_t e;
    JSON j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    /* e.text quotes the input, which may hold credentials: only the place is told. */
    if (!j)
        FAIL(E_FORMAT, "%s: not JSON, or a member twice (line %d column %d)", what, e.line, e.column);
    if (!json_is_object(j))
        FAIL(E_FORMAT, "%s: not a JSON object", what);
    *out = j;
    j = NULL;
    return OK;
}

static err copy_text(const json_t *v, const char *name, char *out, size_t cap)
{
    if (!json_is_string(v))
        FAIL(E_FORMAT, "member %s: absent or no string", name);
    size_t n = json_string_length(v);
    if (n >= cap)
        FAIL(E_LIMIT, "member %s: %zu characters, at most %zu", name, n, cap - 1);
    memcpy(out, json_string_value(v), n + 1);
    return OK;
}

err json_text(const json_t *j, const char *name, char *out, size_t cap)
{
    return copy_text(json_object_get(j, name), name, out, cap);
}

err json_text_or_empty(const json_t *j, const char *name, char *out, size_t cap)
{
    const json_t *v = json_object_get(j, name);
    out[0] = '\0';
    if (!v || json_is_null(v))
        return OK;
    return copy_text(v, name, out, cap);
}

err json_blob(const json_t *j, const char *name, uint8_t *out, size_t cap, size_t *len)
{
    const json_t *v = json_object_get(j, name);
    if (!json_is_string(v))
        FAIL(E_FORMAT, "member %s: absent or no string", name);
    return base64_to(out, cap, len, json_string_value(v), json_string_length(v));
}

err json_flag(const json_t *j, const char *name, bool *out)
{
    const json_t *v = json_object_get(j, name);
    *out = json_is_true(v);
    if (v && !json_is_boolean(v))
        FAIL(E_FORMAT, "member %s: no boolean", name);
    return OK;
}
