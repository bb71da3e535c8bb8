#include "policy/nostr.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "policy/signature.h"

static void quoted(struct wr *w, const char *p, size_t n)
{
    wr_text(w, "\"");
    wr_bytes(w, p, n);
    wr_text(w, "\"");
}

/* [["e","..."],...], written again without white space as it is read. */
static void read_tags(struct strict *s, struct wr *w)
{
    size_t tags = 0;
    w->len = 0;
    strict_enter(s, '[');
    wr_text(w, "[");
    for (bool first = true; strict_more(s, ']', first); first = false) {
        size_t values = 0;
        if (++tags > NOSTR_TAGS) strict_fail(s, "it has too many tags");
        wr_text(w, first ? "[" : ",[");
        strict_enter(s, '[');
        for (bool begin = true; strict_more(s, ']', begin); begin = false) {
            if (++values > NOSTR_TAG_VALUES) strict_fail(s, "a tag is too long");
            struct text t = strict_text(s);
            if (!begin) wr_text(w, ",");
            quoted(w, t.p, t.n);
        }
        wr_text(w, "]");
    }
    wr_text(w, "]");
}

/* NIP-01: SHA-256 of [0,pubkey,created_at,kind,tags,content]. */
static const char *compute(struct nostr_event *e, const struct wr *tags)
{
    uint8_t all[NOSTR_MAX + 256];
    char hex[65], head[160];
    struct wr w = wr_of(all, sizeof all);
    hex_from(hex, e->who.key, 32);
    snprintf(head, sizeof head, "[0,\"%s\",%" PRIu64 ",%" PRIu64 ",", hex, e->created, e->kind);
    wr_text(&w, head);
    wr_bytes(&w, tags->p, tags->len);
    wr_text(&w, ",");
    quoted(&w, e->content, strlen(e->content));
    wr_text(&w, "]");
    if (w.full || tags->full) return "it is too long";
    sha256(e->computed, all, w.len);
    return NULL;
}

const char *nostr_parse(struct nostr_event *out, const char *p, size_t n)
{
    static const char *const names[] = { "id", "pubkey", "created_at", "kind", "tags", "content", "sig" };
    enum { NAMES = sizeof names / sizeof *names };
    uint8_t tag_bytes[NOSTR_MAX];
    struct wr tags = wr_of(tag_bytes, sizeof tag_bytes);
    struct strict s = strict_of(p, n);
    unsigned seen = 0;
    *out = (struct nostr_event){ .who.kind = MAINTAINER_NOSTR };
    if (n > NOSTR_MAX) return "it is too long";
    strict_enter(&s, '{');
    for (bool first = true; strict_more(&s, '}', first); first = false) {
        struct text name = strict_name(&s);
        size_t i = 0;
        while (i < NAMES && !text_is(name, names[i])) i++;
        if (i == NAMES || seen >> i & 1) return "a member is unknown, or stands twice";
        seen |= 1u << i;
        switch (i) {
        case 0: strict_hex(&s, out->id, 32); break;
        case 1: strict_hex(&s, out->who.key, 32); break;
        case 2: out->created = strict_number(&s, 0, STRICT_NUMBER_MAX); break;
        case 3: out->kind = strict_number(&s, 0, 65535); break;
        case 4: read_tags(&s, &tags); break;
        case 5: strict_copy(&s, out->content, sizeof out->content, 0); break;
        default: strict_hex(&s, out->signature, 64); break;
        }
    }
    if (s.bad) return s.bad;
    /* The rest is white space: strict_end() would log. */
    for (; s.left; s.p++, s.left--)
        if (!memchr(" \t\r\n", *s.p, 4)) return "something follows its end";
    return seen == (1u << NAMES) - 1 ? compute(out, &tags) : "a member is missing";
}

const char *nostr_check(const struct nostr_event *e, uint64_t kind, const char *content)
{
    if (e->kind != kind) return "it was made for another purpose (event kind)";
    if (strcmp(e->content, content) != 0) return "its content does not name this document";
    if (memcmp(e->id, e->computed, sizeof e->id) != 0) return "its id is not that of what it says";
    return bip340_check(e->who.key, e->signature, e->id) ? NULL : "it does not verify";
}

void nostr_content(char out[static NOSTR_CONTENT + 1], const char *type, const uint8_t hash[static 32])
{
    char hex[65];
    hex_from(hex, hash, 32);
    snprintf(out, NOSTR_CONTENT + 1, "%s %s", type, hex);
}
