#include "parent/paper.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "parent/file.h"
#include "parent/say.h"
#include "parent/verify.h"

void paper_drop(struct paper *p) { mem_free_bytes(&p->bytes); }

enum document_kind paper_kind(const struct call *c)
{
    static const char *const names[DOCUMENT_KINDS] = { "policy", "release", "veto", "permit", "genesis" };
    enum document_kind k = DOCUMENT_POLICY;
    while (strcmp(c->command->name, names[k]) != 0) {
        k++;
        MUST(k < DOCUMENT_KINDS);
    }
    return k;
}

enum exits paper_load(struct paper *out, const struct call *c, const char *path, enum document_kind kind)
{
    enum reason why = REASON_FORM;
    if (file_read(&out->bytes, &out->n, path, DOCUMENT_MAX).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "%s: %s cannot be read, or is longer than %d bytes", c->command->name, path, DOCUMENT_MAX);
    err e = document_parse(&out->d, &why, out->bytes, out->n);
    JSON detail = json_pack("{s:s}", "reason", reason_name(e.code ? why : REASON_OTHER_KIND));
    if (e.code) return say_failure(c, EXIT_REFUSED, &detail, reason_text(why), "%s is refused: %s. The log line names the member", path, reason_name(why));
    if (out->d.kind != kind)
        return say_failure(c, EXIT_REFUSED, &detail, reason_text(REASON_OTHER_KIND), "%s is a %s, not a %s", path, document_type(out->d.kind), document_type(kind));
    return EXIT_DONE;
}

json_t *paper_json(const struct paper *p)
{
    char hex[65];
    hex_from(hex, p->d.hash, 32);
    return json_pack("{s:s, s:s, s:I, s:o}", "sha256", hex, "namespace", document_namespace(p->d.kind), "event_kind", (json_int_t)document_event(p->d.kind),
                     "document", json_loadb((const char *)p->bytes, p->n, JSON_REJECT_DUPLICATES, NULL));
}

static void say_keys(const char *title, const struct maintainers *set)
{
    for (size_t i = 0; i < set->count; i++) {
        char text[MAINTAINER_TEXT];
        struct wr w = wr_of(text, sizeof text - 1);
        maintainer_write(&w, &set->one[i]);
        text[w.len] = 0;
        printf("%-24s %s  %s\n", i ? "" : title, set->one[i].name, text);
    }
}

void paper_say(const struct paper *p)
{
    char hex[65], when[32];
    JSON members = json_loadb((const char *)p->bytes, p->n, JSON_REJECT_DUPLICATES, NULL);
    hex_from(hex, p->d.hash, 32);
    json_object_del(members, "keys");
    json_object_del(members, "veto_keys");
    printf("%-24s %s\n", "sha256", hex);
    say_members(members);
    say_keys("keys", &p->d.keys);
    say_keys("veto_keys", &p->d.veto_keys);
    if (p->d.not_before) {
        verify_time_text(when, p->d.not_before);
        printf("%-24s %s\n", "valid from", when);
    }
    verify_time_text(when, p->d.expires);
    printf("%-24s %s\n", "valid until", when);
}

/* ---- files of keys ---- */

/* NAME KIND KEY [comment] */
static err key_line(struct maintainers *set, const char *line, size_t n)
{
    struct maintainer m = { 0 };
    const char *word[3];
    size_t len[3], at = 0;
    for (int i = 0; i < 3; i++) {
        while (at < n && (line[at] == ' ' || line[at] == '\t')) at++;
        word[i] = line + at;
        while (at < n && line[at] != ' ' && line[at] != '\t' && line[at] != '\r') at++;
        len[i] = (size_t)(line + at - word[i]);
        if (!len[i]) FAIL(E_FORMAT, "a line is not `NAME KIND KEY`");
    }
    char key[MAINTAINER_TEXT];
    if (len[0] > MAINTAINER_NAME || len[1] + len[2] + 2 > sizeof key) FAIL(E_FORMAT, "a name or a key is too long");
    memcpy(m.name, word[0], len[0]);
    snprintf(key, sizeof key, "%.*s %.*s", (int)len[1], word[1], (int)len[2], word[2]);
    TRY(maintainer_parse(&m, key, strlen(key)));
    return maintainers_add(set, &m);
}

static err key_lines(struct maintainers *set, const char *p, size_t n)
{
    while (n) {
        const char *end = memchr(p, '\n', n);
        const size_t len = end ? (size_t)(end - p) : n;
        if (len && *p != '#' && *p != '\r') TRY(key_line(set, p, len));
        p += len + (end != NULL), n -= len + (end != NULL);
    }
    if (!set->count) FAIL(E_FORMAT, "there is no key in it");
    return OK;
}

enum exits paper_keys(struct maintainers *out, const struct call *c, const char *path, uint64_t threshold)
{
    BYTES file = NULL;
    size_t n = 0;
    *out = (struct maintainers){ 0 };
    if (file_read(&file, &n, path, DOCUMENT_MAX).code) return say_failure(c, EXIT_USAGE, NULL, NULL, "%s: %s cannot be read", c->command->name, path);
    if (key_lines(out, (const char *)file, n).code)
        return say_failure(c, EXIT_USAGE, NULL, "A line is NAME, then a key as in a .pub file or `nostr` and 64 hex digits. No key and no name stands twice.",
                           "%s: the keys in %s cannot be taken: the line above says why", c->command->name, path);
    out->threshold = threshold ? threshold : out->count;
    return EXIT_DONE;
}
