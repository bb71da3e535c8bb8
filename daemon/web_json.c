/* web_json.c - from text to a checked tree, and the readers of single members. */
#include "daemon/web_json.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "daemon/web_read.h"

bool web_problem(struct web_problem *why, int status, const char *text)
{
    why->status = status;
    snprintf(why->text, sizeof why->text, "%s", text);
    return false;
}

bool web_misfit(struct web_problem *why, const char *at, const char *words)
{
    why->status = 422;
    snprintf(why->text, sizeof why->text, "%s: %s", at, words);
    return false;
}

/* A text that has no room for the rest is cut at its end, as it should be. */
bool web_misfit_in(struct web_problem *why, const char *list, size_t index)
{
    char tail[WEB_PROBLEM];
    snprintf(tail, sizeof tail, "%s", why->text);
    if (why->status == 422) snprintf(why->text, sizeof why->text, "%s[%zu].%.200s", list, index, tail);
    return false;
}

bool web_misfit_under(struct web_problem *why, const char *name)
{
    char tail[WEB_PROBLEM];
    snprintf(tail, sizeof tail, "%s", why->text);
    if (why->status == 422) snprintf(why->text, sizeof why->text, "%s.%.200s", name, tail);
    return false;
}

/* jansson recurses, and makes of `{},` in the text 200 bytes of memory, so depth and number of
 * values are looked at before it sees them. Brackets inside strings do not count; what is not JSON at
 * all is found later. */
static bool moderate(struct web_problem *why, const char *p, size_t n)
{
    size_t depth = 0, containers = 0, values = 0;
    bool text = false;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (text && c == '\\') i++;
        else if (c == '"') text = !text;
        else if (text) continue;
        else if (c == ',') values++;
        else if (c == '[' || c == '{') containers++, depth++;
        else if ((c == ']' || c == '}') && depth > 0) depth--;
        if (depth > WEB_DEPTH) return web_problem(why, 400, "Failed to parse the request body as JSON: nested too deeply");
    }
    if (containers > WEB_CONTAINERS || containers + values > WEB_VALUES)
        return web_problem(why, 413, "The request body has too many values.");
    return true;
}

/* jansson's words end in a piece of the document (`near '...'`), which stays out: the
 * client has it, and it need not be printable. */
static bool not_json(struct web_problem *why, const json_error_t *e)
{
    char words[JSON_ERROR_TEXT_LENGTH];
    snprintf(words, sizeof words, "%s", e->text);
    char *near = strstr(words, " near ");
    if (near) *near = 0;
    why->status = 400;
    snprintf(why->text, sizeof why->text, "Failed to parse the request body as JSON: %s at line %d column %d",
             words, e->line, e->column);
    return false;
}

/* Well-formed JSON that we do not take: 422. */
static const char *refused(enum json_error_code code)
{
    switch (code) {
    case json_error_numeric_overflow:   return "a number is too large";
    case json_error_duplicate_key:      return "a member is there twice";
    case json_error_null_character:
    case json_error_null_byte_in_key:   return "a text has the character U+0000";
    default:                            return NULL;
    }
}

bool web_parse(json_t **out, struct web_problem *why, const void *body, size_t n)
{
    json_error_t e;
    if (n == 0) body = "";                   /* jansson refuses NULL before it looks at the length */
    if (!moderate(why, body, n)) return false;
    *out = json_loadb(body, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (*out) return true;
    if (json_error_code(&e) == json_error_out_of_memory)
        return web_problem(why, 500, "There is no memory for this request.");
    const char *words = refused(json_error_code(&e));
    return words ? web_misfit(why, "body", words) : not_json(why, &e);
}

bool web_object(const json_t *v, const char *at, struct web_problem *why)
{
    return json_is_object(v) || web_misfit(why, at, v ? "not an object" : "missing");
}

bool web_array(const json_t *of, const char *name, json_t **out, struct web_problem *why)
{
    *out = json_object_get(of, name);
    if (!json_is_array(*out)) return web_misfit(why, name, *out ? "not an array" : "missing");
    return true;
}

bool web_integer(const json_t *of, const char *name, int64_t min, int64_t max, int64_t *out, struct web_problem *why)
{
    const json_t *v = json_object_get(of, name);
    if (!v) return web_misfit(why, name, "missing");
    if (!json_is_integer(v)) return web_misfit(why, name, "not an integer");
    *out = json_integer_value(v);
    return (*out >= min && *out <= max) || web_misfit(why, name, "out of range");
}

bool web_text(const json_t *of, const char *name, const char **out, size_t *n, struct web_problem *why)
{
    const json_t *v = json_object_get(of, name);
    if (!v) return web_misfit(why, name, "missing");
    if (!json_is_string(v)) return web_misfit(why, name, "not a text");
    *out = json_string_value(v);
    *n = json_string_length(v);
    return true;
}

/* hex_to() would log what only the client got wrong, so the digits are looked at first. */
bool web_hex(uint8_t *out, size_t n, const char *hex, size_t digits)
{
    if (digits != 2 * n || strspn(hex, "0123456789abcdefABCDEF") != digits) return false;
    err_drop(hex_to(out, n, hex, digits));
    return true;
}

bool web_decimal(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (!*text || (*text == '0' && text[1])) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (v > (max - digit) / 10) return false;
        v = v * 10 + digit;
    }
    *out = v;
    return v <= max;
}

void web_told(struct web_problem *why)
{
    static const char head[] = "Failed to deserialize the JSON body into the target type: ";
    char tail[WEB_PROBLEM];
    if (why->status != 422) return;
    snprintf(tail, sizeof tail, "%s", why->text);
    snprintf(why->text, sizeof why->text, "%s%.200s", head, tail);
}

void web_drop_json(json_t **v)
{
    json_decref(*v);
    *v = NULL;
}
