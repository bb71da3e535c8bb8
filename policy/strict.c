#include "policy/strict.h"

#include <string.h>

#include "core/buf.h"

struct strict strict_of(const void *p, size_t n) { return (struct strict){ p, n, NULL, NULL }; }

void strict_fail(struct strict *s, const char *why)
{
    if (!s->bad) s->bad = why;
    s->left = 0;
}

/* The next character that is no white space; NUL at the end, which no document holds. */
static char peek(struct strict *s)
{
    while (s->left && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) s->p++, s->left--;
    return s->left ? (char)*s->p : '\0';
}

static bool take(struct strict *s, char c)
{
    if (peek(s) != c || !s->left) return false;
    s->p++, s->left--;
    return true;
}

static bool take_word(struct strict *s, const char *word)
{
    const size_t n = strlen(word);
    (void)peek(s);
    if (s->left < n || memcmp(s->p, word, n) != 0) return false;
    s->p += n, s->left -= n;
    return true;
}

void strict_enter(struct strict *s, char open)
{
    if (!take(s, open)) strict_fail(s, open == '{' ? "an object is expected" : "a list is expected");
}

bool strict_more(struct strict *s, char close, bool first)
{
    if (s->bad || take(s, close)) return false;
    if (first || take(s, ',')) return true;
    strict_fail(s, "a comma or the end of an object or list is expected");
    return false;
}

struct text strict_text(struct strict *s)
{
    size_t n = 0;
    if (!take(s, '"')) {
        strict_fail(s, "a text is expected");
        return (struct text){ "", 0 };
    }
    while (n < s->left && s->p[n] != '"') {
        if (s->p[n] < 0x20 || s->p[n] > 0x7e || s->p[n] == '\\') strict_fail(s, "a text is not printable ASCII without escapes");
        n++;
    }
    if (n >= s->left) {
        strict_fail(s, "a text does not end");
        return (struct text){ "", 0 };
    }
    struct text t = { (const char *)s->p, n };
    s->p += n + 1, s->left -= n + 1;
    return t;
}

struct text strict_name(struct strict *s)
{
    struct text t = strict_text(s);
    if (!take(s, ':')) strict_fail(s, "a colon is expected");
    return t;
}

uint64_t strict_number(struct strict *s, uint64_t min, uint64_t max)
{
    uint64_t v = 0;
    size_t n = 0;
    (void)peek(s);
    for (; n < s->left && s->p[n] >= '0' && s->p[n] <= '9' && n < 17; n++) v = v * 10 + (uint64_t)(s->p[n] - '0');
    /* What follows the digits is looked at by whoever comes next: neither a digit, `.` nor `e` is an end there. */
    if (n == 0 || n == 17 || (n > 1 && *s->p == '0') || v > STRICT_NUMBER_MAX) {
        strict_fail(s, "a whole number from 0 to 2^53 - 1 is expected");
        return 0;
    }
    s->p += n, s->left -= n;
    if (v >= min && v <= max) return v;
    strict_fail(s, "a number is out of bounds");
    return 0;
}

bool strict_flag(struct strict *s)
{
    if (take_word(s, "true")) return true;
    if (!take_word(s, "false")) strict_fail(s, "true or false is expected");
    return false;
}

bool strict_null(struct strict *s) { return take_word(s, "null"); }

void strict_hex(struct strict *s, void *out, size_t n)
{
    struct text t = strict_text(s);
    memset(out, 0, n);
    if (!s->bad && !text_hex(t, out, n)) strict_fail(s, "a value is not in lower-case hex, or has another length");
}

void strict_copy(struct strict *s, char *out, size_t cap, size_t min)
{
    struct text t = strict_text(s);
    memset(out, 0, cap);
    if (t.n >= cap || t.n < min) strict_fail(s, "a text is too long or too short");
    else memcpy(out, t.p, t.n);
}

err strict_end(struct strict *s, const char *what)
{
    if (!s->bad && (peek(s), s->left)) strict_fail(s, "something follows its end");
    if (s->bad) FAIL(E_FORMAT, "%s: %s%s%s", what, s->at ? s->at : "", s->at ? ": " : "", s->bad);
    return OK;
}

bool text_is(struct text t, const char *s) { return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0; }

bool text_hex(struct text t, void *out, size_t n)
{
    if (t.n != 2 * n) return false;
    for (size_t i = 0; i < t.n; i++)
        if (!((t.p[i] >= '0' && t.p[i] <= '9') || (t.p[i] >= 'a' && t.p[i] <= 'f'))) return false;
    err e = hex_to(out, n, t.p, t.n);
    return !e.code;
}
