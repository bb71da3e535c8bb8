/* fuzz_life.c - a log of any entries, replayed: u16 length and that many bytes for each. Nothing may crash it, and what it says is one of its words. */
#include <stdint.h>
#include <string.h>

#include "core/log.h"
#include "parent/life.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

static void look(const struct entry *e, const struct life_line *line)
{
    MUST(line->mark <= LIFE_FAULT && strlen(line->text) < sizeof line->text);
    MUST((line->mark == LIFE_PLAIN) || line->text[0]);
    if (e->kind == ENTRY_BOOT && line->mark != LIFE_FAULT) fuzz_reached("life.boot");
    if (e->kind == ENTRY_ROLLBACK && line->mark == LIFE_NOTICE) fuzz_reached("life.rollback");
    if (e->kind == ENTRY_POLICY && strstr(line->text, "quorum")) fuzz_reached("life.policy");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    LIFE l = NULL;
    struct life_line line;
    struct rd r = rd_of(p, n);
    MUST(!life_new(&l, NULL, 0, NULL).code);
    while (r.left) {
        struct entry e;
        const size_t len = rd_u16(&r);
        const uint8_t *bytes = rd_bytes(&r, len);
        if (!bytes) return 0;
        if (life_next(l, &e, &line, bytes, len).code) return 0;
        look(&e, &line);
    }
    life_end(&line, l);
    if (line.mark == LIFE_PLAIN) fuzz_reached("life");
    return 0;
}
