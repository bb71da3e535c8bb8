#include "policy/witnesses.h"

#include <string.h>

#include "policy/checkpoint.h"
#include "policy/cosign.h"

enum { WORDS = WITNESSES_NAMES + 3 };

struct word { const char *p; size_t n; };

static bool is(const struct word *w, const char *text)
{
    return w->n == strlen(text) && memcmp(w->p, text, w->n) == 0;
}

static int find(const struct witnesses *w, const struct word *name)
{
    for (size_t i = 0; i < w->name_count; i++)
        if (is(name, w->names[i].name)) return (int)i;
    return WITNESSES_NONE;
}

/* A new name, whose place in the table is kept only by who adds to name_count. */
static err name_new(struct witnesses *w, const struct word *name)
{
    if (w->name_count == WITNESSES_NAMES) FAIL(E_LIMIT, "trust policy: more than %d names", WITNESSES_NAMES);
    if (name->n > NOTE_NAME) FAIL(E_LIMIT, "trust policy: a name of %zu bytes", name->n);
    if (is(name, "none") || find(w, name) >= 0) FAIL(E_FORMAT, "trust policy: a name stands twice, or is `none`");
    struct witnesses_name *one = &w->names[w->name_count];
    memset(one, 0, sizeof *one);
    memcpy(one->name, name->p, name->n);
    one->group = WITNESSES_NONE;
    return OK;
}

static err add_log(struct witnesses *w, const struct word *word, size_t count)
{
    struct note_key k;
    if (count < 2 || count > 3) FAIL(E_FORMAT, "trust policy: a log line has a key and a URL");
    if (w->log_count == WITNESSES_LOGS) FAIL(E_LIMIT, "trust policy: more than %d logs", WITNESSES_LOGS);
    TRY(note_key_parse(&k, word[1].p, word[1].n));
    if (k.type != NOTE_ED25519) FAIL(E_FORMAT, "trust policy: the key of log %s has a type for witnesses", k.name);
    for (size_t i = 0; i < w->log_count; i++)
        if (memcmp(w->logs[i].key, k.key, sizeof k.key) == 0) FAIL(E_FORMAT, "trust policy: the key of log %s stands twice", k.name);
    w->logs[w->log_count++] = k;
    return OK;
}

static err add_witness(struct witnesses *w, const struct word *word, size_t count)
{
    if (count < 3 || count > 4) FAIL(E_FORMAT, "trust policy: a witness line has a name, a key and a URL");
    TRY(name_new(w, &word[1]));
    struct witnesses_name *one = &w->names[w->name_count];
    TRY(note_key_parse(&one->key, word[2].p, word[2].n));
    if (one->key.type != NOTE_COSIGNATURE) FAIL(E_FORMAT, "trust policy: the key of witness %s is not for cosignatures", one->name);
    for (size_t i = 0; i < w->name_count; i++)
        if (!w->names[i].threshold && memcmp(w->names[i].key.key, one->key.key, sizeof one->key.key) == 0)
            FAIL(E_FORMAT, "trust policy: witnesses %s and %s have one key", w->names[i].name, one->name);
    if (count == 4 && word[3].n > WITNESSES_URL) FAIL(E_LIMIT, "trust policy: a URL of %zu bytes", word[3].n);
    if (count == 4) memcpy(one->url, word[3].p, word[3].n);
    w->name_count++;
    return OK;
}

static err add_group(struct witnesses *w, const struct word *word, size_t count)
{
    uint64_t k = 0;
    if (count < 4) FAIL(E_FORMAT, "trust policy: a group line has a name, a threshold and members");
    const size_t members = count - 3;
    TRY(name_new(w, &word[1]));
    if (is(&word[2], "any")) k = 1;
    else if (is(&word[2], "all")) k = members;
    else if (!decimal_read(&k, word[2].p, word[2].n) || k < 1 || k > members) FAIL(E_FORMAT, "trust policy: a threshold is not of 1..%zu", members);
    for (size_t i = 3; i < count; i++) {
        const int at = find(w, &word[i]);
        if (at < 0) FAIL(E_FORMAT, "trust policy: a group has a member that is not defined above it");
        if (w->names[at].group != WITNESSES_NONE) FAIL(E_FORMAT, "trust policy: %s is a member twice", w->names[at].name);
        w->names[at].group = (int)w->name_count;
    }
    w->names[w->name_count++].threshold = (size_t)k;
    return OK;
}

static err set_quorum(struct witnesses *w, bool *has, const struct word *word, size_t count)
{
    if (count != 2 || *has) FAIL(E_FORMAT, "trust policy: one quorum line with one name is needed");
    w->quorum = find(w, &word[1]);
    if (w->quorum == WITNESSES_NONE && !is(&word[1], "none")) FAIL(E_FORMAT, "trust policy: the quorum is not defined above it");
    *has = true;
    return OK;
}

static err split(struct word word[static WORDS], size_t *count, const char *p, size_t n)
{
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) FAIL(E_FORMAT, "trust policy: a control character");
        if (c == ' ' || c == '\t') continue;
        if (i == 0 || p[i - 1] == ' ' || p[i - 1] == '\t') {
            if (*count == WORDS) {
                if (word[0].p[0] == '#') continue;
                FAIL(E_LIMIT, "trust policy: a line of more than %d words", WORDS);
            }
            word[(*count)++] = (struct word){ p + i, 0 };
        }
        word[*count - 1].n = (size_t)(p + i + 1 - word[*count - 1].p);
    }
    return OK;
}

err witnesses_parse(struct witnesses *out, const char *p, size_t n)
{
    bool has_quorum = false;
    memset(out, 0, sizeof *out);
    while (n > 0) {
        struct word word[WORDS];
        size_t count = 0;
        const char *end = memchr(p, '\n', n);
        if (!end) FAIL(E_FORMAT, "trust policy: the last line does not end");
        TRY(split(word, &count, p, (size_t)(end - p)));
        n -= (size_t)(end - p) + 1;
        p = end + 1;
        if (count == 0 || word[0].p[0] == '#') continue;
        if (is(&word[0], "log")) TRY(add_log(out, word, count));
        else if (is(&word[0], "witness")) TRY(add_witness(out, word, count));
        else if (is(&word[0], "group")) TRY(add_group(out, word, count));
        else if (is(&word[0], "quorum")) TRY(set_quorum(out, &has_quorum, word, count));
        else FAIL(E_FORMAT, "trust policy: a line of an unknown kind");
    }
    if (!has_quorum) FAIL(E_FORMAT, "trust policy: no quorum line");
    return OK;
}

bool witnesses_enough(const struct witnesses *w, const bool seen[static WITNESSES_NAMES])
{
    size_t votes[WITNESSES_NAMES] = { 0 };
    if (w->quorum == WITNESSES_NONE) return true;
    /* Members stand above their group, so one pass counts every group before it votes itself. */
    for (size_t i = 0; i < w->name_count; i++) {
        const struct witnesses_name *one = &w->names[i];
        const bool yes = one->threshold ? votes[i] >= one->threshold : seen[i];
        if ((int)i == w->quorum) return yes;
        if (yes && one->group != WITNESSES_NONE) votes[one->group]++;
    }
    return false;
}

err witnesses_check(bool *enough, const struct witnesses *w, const struct note *n)
{
    bool seen[WITNESSES_NAMES] = { false };
    for (size_t i = 0; i < w->name_count; i++) {
        uint64_t time = 0;
        if (w->names[i].threshold) continue;
        err e = cosign_check(&time, n, &w->names[i].key);
        if (e.code && e.code != E_ABSENT && e.code != E_AUTH) return e;
        seen[i] = !e.code;
    }
    *enough = witnesses_enough(w, seen);
    return OK;
}
