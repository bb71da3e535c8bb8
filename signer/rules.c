#include "signer/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "signer/script.h"

/* Ascending by number: the order of the encoding. A number is never used again for another meaning:
 * if a proposal changes, it gets a row of its own, and the sets that use it a new version. */
static const struct { const char *name; uint16_t bip; uint64_t flag; } opcodes[] = {
    { "apo", 118, SCRIPT_APO },
    { "ctv", 119, SCRIPT_CTV },
    { "cat", 347, SCRIPT_CAT },
    { "csfs", 348, SCRIPT_CSFS },
    { "internalkey", 349, SCRIPT_INTERNALKEY },
    { "paircommit", 442, SCRIPT_PAIRCOMMIT },
    { "templatehash", 446, SCRIPT_TEMPLATEHASH },
};
enum { OPCODES = sizeof opcodes / sizeof *opcodes, COUNTED = 5, FORMAT = 1, VERSION = 1 };

static const struct { const char *name; uint64_t flags; } named[] = {
    { "tapscript", 0 },
    { "apo", SCRIPT_APO },
    { "ctv", SCRIPT_CTV },
    { "cat", SCRIPT_CAT },
    { "csfs", SCRIPT_CSFS },
    { "internalkey", SCRIPT_INTERNALKEY },
    { "paircommit", SCRIPT_PAIRCOMMIT },
    { "templatehash", SCRIPT_TEMPLATEHASH },
    { "covenants", SCRIPT_CAT | SCRIPT_CTV | SCRIPT_CSFS },
    { "lnhance", SCRIPT_CTV | SCRIPT_CSFS | SCRIPT_INTERNALKEY | SCRIPT_PAIRCOMMIT },
    { "rebindable", SCRIPT_TEMPLATEHASH | SCRIPT_CSFS | SCRIPT_INTERNALKEY },
};
static const uint8_t MAGIC[4] = { 'H', 'F', 'R', 'S' };

/* ---- texts ---- */

static bool same(const char *a, const char *b, size_t n) { return strlen(a) == n && memcmp(a, b, n) == 0; }

/* Small letters, digits and inner hyphens: nothing that JSON or a shell would take for more. */
static bool name_good(const char *p, size_t n)
{
    if (n == 0 || n >= RULES_NAME || p[0] == '-' || p[n - 1] == '-') return false;
    for (size_t i = 0; i < n; i++)
        if (!(p[i] >= 'a' && p[i] <= 'z') && !(p[i] >= '0' && p[i] <= '9') && p[i] != '-') return false;
    return true;
}

static const uint64_t *table_flags(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (same(named[i].name, name, n)) return &named[i].flags;
    return NULL;
}

static void fill(struct rule_set *out, const char *name, size_t n, uint64_t flags)
{
    *out = (struct rule_set){ .version = VERSION, .flags = flags, .caps = SCRIPT_LIMITS_DEFAULT };
    out->caps.time_ms = 0;
    memcpy(out->name, name, n);
}

static err add_opcode(uint64_t *flags, const char *name, size_t n)
{
    for (size_t i = 0; i < OPCODES; i++) {
        if (!same(opcodes[i].name, name, n)) continue;
        if (*flags & opcodes[i].flag) FAIL(E_FORMAT, "rule set: `%.*s` is there twice", (int)n, name);
        *flags |= opcodes[i].flag;
        return OK;
    }
    FAIL(E_FORMAT, "rule set: `%.*s` is no opcode's name: apo, ctv, cat, csfs, internalkey, paircommit, templatehash", (int)(n > 40 ? 40 : n), name);
}

static err compose(struct rule_set *out, const char *text, size_t name_len, size_t n)
{
    uint64_t flags = 0;
    if (table_flags(text, name_len)) FAIL(E_FORMAT, "rule set `%.*s`: the name is taken by the program's own", (int)name_len, text);
    for (size_t at = name_len + 1; at <= n;) {
        const char *plus = memchr(text + at, '+', n - at);
        const size_t len = plus ? (size_t)(plus - text) - at : n - at;
        TRY(add_opcode(&flags, text + at, len));
        at += len + 1;
    }
    fill(out, text, name_len, flags);
    return OK;
}

err rules_parse(struct rule_set *out, const char *text, size_t n)
{
    const char *equals = memchr(text, '=', n);
    const size_t name_len = equals ? (size_t)(equals - text) : n;
    *out = (struct rule_set){ 0 };
    if (!name_good(text, name_len)) FAIL(E_FORMAT, "a rule set's name has 1 to %d small letters, digits and hyphens", RULES_NAME - 1);
    if (equals) return compose(out, text, name_len, n);
    const uint64_t *flags = table_flags(text, n);
    if (!flags) FAIL(E_FORMAT, "no rule set is called `%.*s` (composed ones are written NAME=OPCODE+OPCODE)", (int)n, text);
    fill(out, text, n, *flags);
    return OK;
}

err rules_list_parse(struct rule_list *out, const char *text)
{
    *out = (struct rule_list){ 0 };
    for (const char *p = text;; p++) {
        p += strspn(p, " ");
        const size_t all = strcspn(p, ",");
        size_t n = all;
        while (n && p[n - 1] == ' ') n--;
        if (out->count == RULES_MAX) FAIL(E_LIMIT, "more than %d rule sets", RULES_MAX);
        TRY(rules_parse(&out->set[out->count], p, n));
        if (rules_find(out, out->set[out->count].name, strlen(out->set[out->count].name)))
            FAIL(E_FORMAT, "rule set `%s` is there twice", out->set[out->count].name);
        out->count++;
        p += all;
        if (!*p) return OK;
    }
}

const struct rule_set *rules_find(const struct rule_list *l, const char *name, size_t n)
{
    if (n == 0) return l->count ? &l->set[0] : NULL;
    for (size_t i = 0; i < l->count; i++)
        if (same(l->set[i].name, name, n)) return &l->set[i];
    return NULL;
}

/* ---- bytes ---- */

static void caps_of(uint64_t out[static COUNTED], const struct script_limits *l)
{
    const uint64_t all[COUNTED] = { l->script_bytes, l->opcodes, l->signatures, l->hashed_bytes, l->stack_bytes };
    memcpy(out, all, sizeof all);
}

void rules_write(struct wr *w, const struct rule_set *s)
{
    uint64_t caps[COUNTED];
    uint16_t count = 0;
    for (size_t i = 0; i < OPCODES; i++) count = (uint16_t)(count + !!(s->flags & opcodes[i].flag));
    wr_bytes(w, MAGIC, sizeof MAGIC);
    wr_u16(w, FORMAT);
    wr_var(w, s->name, strlen(s->name));
    wr_u16(w, s->version);
    wr_u16(w, count);
    for (size_t i = 0; i < OPCODES; i++)
        if (s->flags & opcodes[i].flag) wr_u16(w, opcodes[i].bip);
    caps_of(caps, &s->caps);
    for (size_t i = 0; i < COUNTED; i++) wr_u64(w, caps[i]);
}

/* Ascending and known, or the reader is bad. */
static uint64_t read_opcodes(struct rd *r)
{
    uint64_t flags = 0;
    size_t at = 0;
    for (uint16_t left = rd_u16(r); left && rd_ok(r); left--) {
        const uint16_t bip = rd_u16(r);
        while (at < OPCODES && opcodes[at].bip != bip) at++;
        if (at == OPCODES) r->bad = true;
        else flags |= opcodes[at++].flag;
    }
    return flags;
}

void rules_read(struct rd *r, struct rule_set *s)
{
    uint8_t magic[sizeof MAGIC];
    size_t n = 0;
    *s = (struct rule_set){ 0 };
    rd_copy(r, magic, sizeof magic);
    const uint16_t format = rd_u16(r);
    const uint8_t *name = rd_var(r, RULES_NAME - 1, &n);
    if (!name || memcmp(magic, MAGIC, sizeof magic) != 0 || format != FORMAT || !name_good((const char *)name, n)) {
        r->bad = true;
        return;
    }
    memcpy(s->name, name, n);
    s->version = rd_u16(r);
    s->flags = read_opcodes(r);
    uint64_t *const caps[COUNTED] = { &s->caps.script_bytes, &s->caps.opcodes, &s->caps.signatures, &s->caps.hashed_bytes, &s->caps.stack_bytes };
    for (size_t i = 0; i < COUNTED; i++)
        if (!(*caps[i] = rd_u64(r))) r->bad = true;      /* nothing could be verified under it; and 0 means "no bound" elsewhere */
    if (!s->version) r->bad = true;
}

void rules_list_write(struct wr *w, const struct rule_list *l)
{
    wr_u8(w, (uint8_t)l->count);
    for (size_t i = 0; i < l->count; i++) rules_write(w, &l->set[i]);
}

void rules_list_read(struct rd *r, struct rule_list *l)
{
    *l = (struct rule_list){ 0 };
    const uint8_t count = rd_u8(r);
    if (count > RULES_MAX) r->bad = true;
    while (rd_ok(r) && l->count < count) {
        struct rule_set *s = &l->set[l->count];
        rules_read(r, s);
        if (rules_find(l, s->name, strlen(s->name))) r->bad = true;
        l->count++;
    }
}

void rules_id(uint8_t id[static 32], const struct rule_set *s)
{
    uint8_t room[RULES_ENCODED];
    struct wr w = wr_of(room, sizeof room);
    rules_write(&w, s);
    MUST(!w.full);
    tagged_hash(id, "holdfast/ruleset", &(struct bytes){ room, w.len }, 1);
}

static void put_set(struct wr *w, const struct rule_set *s)
{
    uint8_t id[32];
    uint64_t caps[COUNTED];
    char text[96], hex[65];
    bool first = true;
    snprintf(text, sizeof text, "{\"name\":\"%s\",\"version\":%u,\"opcodes\":[", s->name, s->version);
    wr_text(w, text);
    for (size_t i = 0; i < OPCODES; i++) {
        if (!(s->flags & opcodes[i].flag)) continue;
        snprintf(text, sizeof text, "%s\"%s\"", first ? "" : ",", opcodes[i].name);
        wr_text(w, text);
        first = false;
    }
    wr_text(w, "],\"caps\":[");
    caps_of(caps, &s->caps);
    for (size_t i = 0; i < COUNTED; i++) {
        snprintf(text, sizeof text, "%s%" PRIu64, i ? "," : "", caps[i]);
        wr_text(w, text);
    }
    rules_id(id, s);
    hex_from(hex, id, sizeof id);
    wr_text(w, "],\"id\":\"");
    wr_text(w, hex);
    wr_text(w, "\"}");
}

void rules_list_json(struct wr *w, const struct rule_list *l)
{
    wr_text(w, "[");
    for (size_t i = 0; i < l->count; i++) {
        if (i) wr_text(w, ",");
        put_set(w, &l->set[i]);
    }
    wr_text(w, "]");
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

struct script_limits rules_limits(const struct rule_set *s, const struct script_limits *machine)
{
    return (struct script_limits){
        .script_bytes = least(s->caps.script_bytes, machine->script_bytes),
        .opcodes = least(s->caps.opcodes, machine->opcodes),
        .signatures = least(s->caps.signatures, machine->signatures),
        .hashed_bytes = least(s->caps.hashed_bytes, machine->hashed_bytes),
        .stack_bytes = least(s->caps.stack_bytes, machine->stack_bytes),
        .time_ms = machine->time_ms,
    };
}
