/* cmd_log_show.c - `holdfast log show`: the entries, readable. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/cmd_log.h"
#include "parent/cmd_store.h"
#include "parent/log_read.h"
#include "parent/log_text.h"
#include "parent/say.h"
#include "parent/segments.h"
#include "diskcrypt/manifest.h"

enum { USUAL = 100, MOST = 1 << 24 };

/* Where entries go: a list for programs, lines for people. */
struct shown { json_t *list; uint64_t count; };

static err show_one(void *self, uint64_t index, const uint8_t *p, size_t n)
{
    struct shown *s = self;
    JSON one = log_entry_json(index, p, n);
    if (!one) FAIL(E_MEMORY, "an entry");
    s->count++;
    if (!s->list) {
        log_entry_say(one);
        return OK;
    }
    return json_array_append(s->list, one) == 0 ? OK : (err){ E_MEMORY };
}

/* What was asked for, or else the newest ones. */
static bool range_of(uint64_t *from, uint64_t *count, const struct call *c, uint64_t size)
{
    unsigned long long limit, first;
    if (!call_number(&limit, c, "limit", USUAL, 1, MOST) || !call_number(&first, c, "from", size > limit ? size - limit : 0, 0, INT64_MAX)) return false;
    *from = first;
    *count = limit;
    return true;
}

static enum exits show_store(const struct call *c, struct shown *s, uint64_t *size, uint64_t *from)
{
    STORE_BACKEND store = NULL;
    CHAIN chain = { 0 };
    char dir[PARENT_STORES];
    uint8_t raw[LINK_HEAD_MAX];
    size_t n = 0;
    struct head h = { 0 };
    uint64_t count = 0;
    enum exits code = cmd_store(&store, dir, sizeof dir, c);
    if (code != EXIT_DONE) return code;
    err e = store->head_get(store, raw, &n);
    if (!e.code && n) e = head_parse(&h, raw, n);
    if (!e.code && !h.log[0]) return say_failure(c, EXIT_REFUSED, NULL, NULL, "%s: its head names no log", dir);
    if (!e.code) e = chain_follow(&chain, store, h.log, h.log_sha256);
    *size = chain.leaves.size;
    if (!e.code && !range_of(from, &count, c, *size)) return EXIT_USAGE;
    if (!e.code) e = log_from_store(store, &chain, NULL, *from, count, show_one, s);
    return e.code ? say_failure(c, EXIT_REFUSED, NULL, "The line above says why; `holdfast backup verify` tells more.", "%s: the log cannot be read: %s", dir, err_text(e.code)) : EXIT_DONE;
}

static enum exits show_service(const struct call *c, struct shown *s, uint64_t *size, uint64_t *from)
{
    char text[NOTE_MAX + 1];
    struct note note;
    struct checkpoint at = { .size = 0 };
    size_t n = 0;
    uint64_t count = 0;
    /* The newest ones can only be found once it is known how many there are. */
    if (!call_value(c, "from")) {
        enum exits code = log_checkpoint(c, text, &n, &note, &at);
        if (code != EXIT_DONE) return code;
    }
    if (!range_of(from, &count, c, at.size)) return EXIT_USAGE;
    return log_from_service(c, size, *from, count, show_one, s);
}

enum exits log_show(const struct call *c)
{
    struct shown s = { 0 };
    uint64_t size = 0, from = 0;
    JSON list = c->json ? json_array() : NULL;
    s.list = list;
    uint64_t unused = 0;
    if (!range_of(&unused, &unused, c, 0)) return EXIT_USAGE;       /* before anything is asked */
    if (c->operand_count > 1) return say_failure(c, EXIT_USAGE, NULL, NULL, "log show: too many words: %s", c->operands[1]);
    const bool store = call_value(c, "store") || call_value(c, "config");
    enum exits code = store ? show_store(c, &s, &size, &from) : show_service(c, &s, &size, &from);
    if (code != EXIT_DONE) return code;
    if (!c->json) {
        printf("%" PRIu64 " shown, %" PRIu64 " in all\n", s.count, size);
        return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
    }
    JSON out = json_pack("{s:I, s:I, s:O}", "size", (json_int_t)size, "from", (json_int_t)from, "entries", list);
    return say_json(&out);
}
