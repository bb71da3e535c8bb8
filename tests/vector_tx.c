/* tx_valid.json and tx_invalid.json: whole transactions, and how flags may matter.
 *
 * A rule is a soft fork or a policy: a flag may only ever forbid more. So a valid transaction
 * stays valid when flags are taken away, an invalid one invalid when flags are added; and the
 * files name the smallest sets, so that each flag named must matter. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vector_run.h"

/* Core's 21. Rules not active here are added where their files mention them. */
#define CORE_FLAGS ((UINT64_C(1) << 21) - 1)
#define NEW_RULES \
    (SCRIPT_CTV | SCRIPT_CAT | SCRIPT_CSFS | SCRIPT_INTERNALKEY | SCRIPT_TEMPLATEHASH | SCRIPT_APO | SCRIPT_PAIRCOMMIT)
enum { RANDOM_TRIES = 16 };

/* The same sequence in every run. */
static uint64_t next_random(void)
{
    static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static bool all_inputs(struct run *r, const struct spend *s, uint64_t flags)
{
    struct script_result res;
    for (uint32_t i = 0; i < s->tx->in_count; i++)
        if (script_verify(r->engine, &res, &s->cache, i, s->spent[i].script.p, s->spent[i].script.n, flags, NULL).code)
            return false;
    return true;
}

static void read_output(const struct spend *s, const json_t *known)
{
    uint8_t txid[32];
    hash_reversed(s->row, txid, row_text(s->row, json_array_get(known, 0)));
    uint32_t vout = (uint32_t)json_integer_value(json_array_get(known, 1));     /* -1 is 0xffffffff */
    struct span script = row_asm(s->row, row_text(s->row, json_array_get(known, 2)));
    for (size_t i = 0; i < s->tx->in_count; i++)
        if (s->tx->in[i].vout == vout && memcmp(s->tx->in[i].txid, txid, 32) == 0)
            s->spent[i] = (struct tx_out){ json_integer_value(json_array_get(known, 3)), script };
}

/* Fill in the spent outputs by outpoint. Returns false when the transaction does not parse. */
static bool read_spend(struct spend *s, size_t row, const json_t *line)
{
    struct span bytes = row_hex(row, json_array_get(line, 1));
    *s = (struct spend){ .row = row, .tx = row_tx(row, &bytes) };
    if (!s->tx)
        return false;
    s->spent = row_room(s->tx->in_count * sizeof *s->spent);
    size_t i;
    json_t *known;
    json_array_foreach(json_array_get(line, 0), i, known)
        read_output(s, known);
    if (sighash_cache_make(&s->cache, s->tx, s->spent).code)
        broken(row, "no memory");
    return true;
}

/* A fourth column of flags that always count, and a fifth: flags excluded only matter together. */
struct valid_row { uint64_t excluded, always; bool together; };

static struct valid_row read_valid(size_t n, const json_t *line)
{
    struct valid_row v = { .excluded = row_flags(n, row_text(n, json_array_get(line, 2))) };
    const json_t *always = json_array_get(line, 3);
    v.together = json_is_true(json_array_get(line, 4));
    if (json_is_string(always))
        v.always = row_flags(n, json_string_value(always));
    return v;
}

/* All flags that a set without new rules knows of: a set that comes with its rule's own DISCOURAGE
 * flag (Inquisition's) takes OP_CHECKTEMPLATEVERIFY for no NOP at all. */
static uint64_t all_flags(const struct valid_row *v, bool has_always)
{
    uint64_t all = CORE_FLAGS | (has_always ? 0 : NEW_RULES);
    if (v->excluded & (SCRIPT_DISCOURAGE_CTV | SCRIPT_DISCOURAGE_CTV_SIZE))
        all &= ~SCRIPT_DISCOURAGE_NOPS;
    return all;
}

/* Take flags away. Without its rule an opcode is an OP_SUCCESS again, and a key of an unknown type:
 * what discourages those says nothing about the rule. */
static uint64_t without(uint64_t flags, uint64_t gone)
{
    if (gone & NEW_RULES & ~SCRIPT_CTV)
        gone |= SCRIPT_DISCOURAGE_OP_SUCCESS | SCRIPT_DISCOURAGE_PUBKEYTYPE;
    if (gone & SCRIPT_CTV)
        gone |= SCRIPT_DISCOURAGE_NOPS;
    return flags & ~gone;
}

static bool flags_may_go(struct run *r, const struct spend *s, uint64_t flags, uint64_t always, const char **why)
{
    static char text[256];
    for (uint64_t left = flags; left; left &= left - 1) {
        uint64_t one = left & (0 - left), less = without(flags, one);
        if (!all_inputs(r, s, script_flags_trim(less | always))) {
            snprintf(text, sizeof text, "invalid without %s", script_flag_name(one));
            *why = text;
            return false;
        }
    }
    for (int i = 0; i < RANDOM_TRIES; i++) {
        uint64_t rules = i % 2 ? flags & NEW_RULES : 0;     /* all of them, or none */
        uint64_t some = script_flags_trim(without((flags & next_random()) | rules, (flags & NEW_RULES) ^ rules) | always);
        if (!all_inputs(r, s, some)) {
            snprintf(text, sizeof text, "invalid under fewer flags: %.200s", flag_words(some));
            *why = text;
            return false;
        }
    }
    return true;
}

/* Each name excluded must make a difference: or all together, where the row says so. */
static bool exclusions_matter(struct run *r, const struct spend *s, uint64_t flags, const char *names, bool together,
                              const char **why)
{
    static char text[256];
    for (const char *p = names; *p;) {
        size_t n = together ? strlen(p) : strcspn(p, ",");
        char name[512];
        snprintf(name, sizeof name, "%.*s", (int)n, p);
        uint64_t added = row_flags(s->row, name);
        if (added && all_inputs(r, s, script_flags_fill(flags | added))) {
            snprintf(text, sizeof text, "valid even with %.200s", name);
            *why = text;
            return false;
        }
        p += n + (p[n] == ',');
    }
    return true;
}

static const char *check_valid(struct run *r, size_t n, const json_t *line)
{
    struct spend s;
    const char *why = NULL;
    struct valid_row v = read_valid(n, line);
    if (!read_spend(&s, n, line))
        return "does not parse";
    if (tx_check(s.tx).code)
        return "breaks a rule of CheckTransaction";
    uint64_t flags = script_flags_trim((all_flags(&v, json_array_size(line) > 3) & ~v.excluded) | v.always);
    if (!all_inputs(r, &s, flags))
        return "invalid";
    if (flags_may_go(r, &s, flags, v.always, &why))
        (void)exclusions_matter(r, &s, flags, row_text(n, json_array_get(line, 2)), v.together, &why);
    return why;
}

void run_tx_valid(struct run *r)
{
    size_t n;
    json_t *line;
    json_array_foreach(r->root, n, line) {
        if (!json_is_array(json_array_get(line, 0)))
            continue;
        const char *why = check_valid(r, n, line);
        verdict(r, !why, n, "%s (without %s)", why ? why : "", json_string_value(json_array_get(line, 2)));
        row_done();
    }
}

/* BIP119's fourth column: when these are not set, take those away too. */
static uint64_t drop_dependent(size_t n, uint64_t flags, const json_t *rules)
{
    size_t i, j;
    json_t *rule, *name;
    json_array_foreach(rules, i, rule) {
        uint64_t unless = 0, drop = 0;
        json_array_foreach(json_object_get(rule, "if_unset"), j, name)
            unless |= row_flags(n, row_text(n, name));
        json_array_foreach(json_object_get(rule, "then_unset"), j, name)
            drop |= row_flags(n, row_text(n, name));
        if (!(flags & unless))
            flags &= ~drop;
    }
    return flags;
}

static const char *check_invalid(struct run *r, size_t n, const json_t *line)
{
    static char text[256];
    struct spend s;
    const char *words = row_text(n, json_array_get(line, 2));
    bool parses = read_spend(&s, n, line);
    if (strcmp(words, "BADTX") == 0)
        return parses && tx_check(s.tx).code == E_OK ? "CheckTransaction has nothing against it" : NULL;
    if (!parses || tx_check(s.tx).code)
        return "is malformed, not invalid";
    uint64_t flags = row_flags(n, words);
    if (flags != script_flags_fill(flags))
        return "names flags without those they need";
    if (all_inputs(r, &s, flags))
        return "valid";
    for (int i = 0; i < 21 + RANDOM_TRIES; i++) {
        uint64_t more = script_flags_fill(flags | (i < 21 ? SCRIPT_BIT(i) : next_random() & CORE_FLAGS));
        if (all_inputs(r, &s, more)) {
            snprintf(text, sizeof text, "valid under more flags: %.200s", flag_words(more));
            return text;
        }
    }
    for (uint64_t left = flags; left; left &= left - 1) {
        uint64_t fewer = drop_dependent(n, script_flags_trim(flags & ~(left & (0 - left))), json_array_get(line, 3));
        if (!all_inputs(r, &s, fewer)) {
            snprintf(text, sizeof text, "invalid even without %s", script_flag_name(left));
            return text;
        }
    }
    return NULL;
}

void run_tx_invalid(struct run *r)
{
    size_t n;
    json_t *line;
    json_array_foreach(r->root, n, line) {
        if (!json_is_array(json_array_get(line, 0)))
            continue;
        const char *why = check_invalid(r, n, line);
        verdict(r, !why, n, "%s (%s)", why ? why : "", json_string_value(json_array_get(line, 2)));
        row_done();
    }
}
