#include "daemon/limits.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "signer/rules.h"

void limits_defaults(struct limits *l)
{
    memset(l, 0, sizeof *l);
    strcpy(l->to_text, "any");
    strcpy(l->others, "yes");
}

/* ---- reading ---- */

/* `any`, `listed`, or numbers of to1 .. to8 joined by +. */
static bool read_to(limits_to *out, const struct limits *l, const char *text, size_t n)
{
    *out = 0;
    if (n == 3 && memcmp(text, "any", 3) == 0) *out = LIMITS_ANYWHERE;
    if (n == 6 && memcmp(text, "listed", 6) == 0)
        for (unsigned i = 0; i < LIMITS_TO; i++) *out |= (limits_to)(l->to_n[i].n ? 1u << i : 0);
    if (*out) return true;
    for (size_t i = 0; i < n; i += 2) {
        const unsigned k = (unsigned)(text[i] - '1');
        if (k >= LIMITS_TO || !l->to_n[k].n || (i + 1 < n && (text[i + 1] != '+' || i + 2 == n))) return false;
        *out |= (limits_to)(1u << k);
    }
    return n > 0;
}

static bool read_number(uint64_t *out, const char *text, size_t n)
{
    *out = 0;
    if (n == 0 || n > 16 || (text[0] == '0' && n > 1)) return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        *out = *out * 10 + (uint64_t)(text[i] - '0');
    }
    return true;
}

/* Names joined by +. Whether the service has them is its genesis's affair: one that it has not is never asked for. */
static bool read_rules(char out[static LIMITS_TEXT], const char *text, size_t n)
{
    for (size_t at = 0; at <= n;) {
        const char *plus = memchr(text + at, '+', n - at);
        const size_t len = plus ? (size_t)(plus - text) - at : n - at;
        if (len == 0 || len >= RULES_NAME) return false;
        at += len + 1;
    }
    memcpy(out, text, n);
    out[n] = 0;
    return true;
}

static bool read_word(struct limits_script *s, const struct limits *l, const char *word, size_t n)
{
    const char *equals = memchr(word, '=', n);
    if (!equals) return false;
    const size_t name = (size_t)(equals - word), rest = n - name - 1;
    if (name == 5 && memcmp(word, "value", 5) == 0) return read_number(&s->value, equals + 1, rest);
    if (name == 5 && memcmp(word, "count", 5) == 0) return read_number(&s->count, equals + 1, rest);
    if (name == 5 && memcmp(word, "rules", 5) == 0) return read_rules(s->rules, equals + 1, rest);
    if (name == 2 && memcmp(word, "to", 2) == 0) return read_to(&s->to, l, equals + 1, rest);
    return false;
}

static err read_script(struct limits *l, unsigned i)
{
    struct limits_script *s = &l->script[i];
    const char *p = l->script_text[i];
    *s = l->each;
    if (!*p) return OK;
    size_t n = strcspn(p, " ");
    if (n != 64 || hex_to(s->key, 32, p, n).code) FAIL(E_FORMAT, "[limits] script%u begins with an output key, 64 hex digits", i + 1);
    for (p += n; *(p += strspn(p, " ")); p += n) {
        n = strcspn(p, " ");
        if (!read_word(s, l, p, n)) FAIL(E_FORMAT, "[limits] script%u: `%.*s` is no value=, count=, rules= or to= of the right form", i + 1, (int)n, p);
    }
    for (unsigned k = 0; k < i; k++)
        if (l->script[k].named && memcmp(l->script[k].key, s->key, 32) == 0) FAIL(E_FORMAT, "[limits] script%u and script%u are one script", k + 1, i + 1);
    s->named = true;
    return OK;
}

static err read_to_n(struct limits *l, unsigned i)
{
    const size_t n = strlen(l->to_n_text[i]);
    if (n % 2 || n / 2 > LIMITS_TO_SCRIPT || hex_to(l->to_n[i].bytes, n / 2, l->to_n_text[i], n).code)
        FAIL(E_FORMAT, "[limits] to%u is a scriptPubKey in hex, of %d bytes at most", i + 1, LIMITS_TO_SCRIPT);
    l->to_n[i].n = (uint8_t)(n / 2);
    return OK;
}

err limits_read(struct limits *l)
{
    for (unsigned i = 0; i < LIMITS_TO; i++) TRY(read_to_n(l, i));
    l->each = (struct limits_script){ .value = l->each_value, .count = l->each_count };
    if (!read_to(&l->each.to, l, l->to_text, strlen(l->to_text))) FAIL(E_FORMAT, "[limits] to is any, listed, or numbers of those that are given, as 1+3");
    if (strcmp(l->others, "yes") != 0 && strcmp(l->others, "no") != 0) FAIL(E_FORMAT, "[limits] others is yes or no");
    for (unsigned i = 0; i < LIMITS_SCRIPTS; i++) TRY(read_script(l, i));
    if (limits_counted(l) && !l->window) FAIL(E_FORMAT, "[limits] window is needed where a value or a count is limited");
    return OK;
}

/* ---- asking ---- */

const struct limits_script *limits_of(const struct limits *l, const uint8_t key[static 32])
{
    for (unsigned i = 0; i < LIMITS_SCRIPTS; i++)
        if (l->script[i].named && memcmp(l->script[i].key, key, 32) == 0) return &l->script[i];
    return &l->each;
}

bool limits_counted(const struct limits *l)
{
    bool some = l->value || l->count || l->each.value || l->each.count;
    for (unsigned i = 0; i < LIMITS_SCRIPTS; i++) some |= l->script[i].named && (l->script[i].value || l->script[i].count);
    return some;
}

static bool has_name(const char *names, const char *name)
{
    const size_t n = strlen(name);
    for (const char *p = names; *p; p += *p == '+') {
        const size_t len = strcspn(p, "+");
        if (len == n && memcmp(p, name, n) == 0) return true;
        p += len;
    }
    return false;
}

/* To a script that is listed for this input, or back to where it came from. */
static bool may_go(const struct limits *l, limits_to to, const struct tx_out *out, const struct tx_out *spent)
{
    if (out->script.n == spent->script.n && memcmp(out->script.p, spent->script.p, out->script.n) == 0) return true;
    for (unsigned i = 0; i < LIMITS_TO; i++)
        if (to & 1u << i && l->to_n[i].n == out->script.n && memcmp(l->to_n[i].bytes, out->script.p, out->script.n) == 0) return true;
    return false;
}

static const char *refusal_of(const struct limits *l, const struct emulate_plan *p, uint32_t i)
{
    const struct limits_script *s = limits_of(l, p->input[i].output_key);
    const struct tx *tx = p->request->tx;
    if (!s->named && strcmp(l->others, "no") == 0) return "this output is not one that the service signs for";
    if (s->rules[0] && !has_name(s->rules, p->terms.rules.name)) return "this output is not signed for under this rule set";
    for (size_t k = 0; k < tx->out_count && !(s->to & LIMITS_ANYWHERE); k++)
        if (!may_go(l, s->to, &tx->out[k], &p->request->spent[i])) return "an output goes to a script that is not allowed";
    return NULL;
}

const char *limits_refusal(const struct limits *l, uint32_t *input, const struct emulate_plan *p)
{
    MUST(p->verified);
    for (uint32_t i = 0; i < p->count; i++) {
        const char *words = p->input[i].kind == EMULATE_INPUT ? refusal_of(l, p, i) : NULL;
        if (!words) continue;
        *input = i;
        return words;
    }
    return NULL;
}
