/* fuzz_entry.c - entries of the log, as a parent may hand them out: one encoding for one meaning. */
#include <stdint.h>
#include <string.h>

#include "core/log.h"
#include "policy/entry.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

static void signatures(const struct entry *e)
{
    struct bytes list[ENTRY_SIGNATURES];
    size_t count = 0;
    MUST(!entry_signatures(list, ENTRY_SIGNATURES, &count, e).code);
    MUST(count == e->signatures);
    for (size_t i = 0; i < count; i++) MUST(list[i].n <= ENTRY_SIGNATURE_MAX && list[i].p >= e->signature_list.p);
    if (count) fuzz_reached("entry.signatures");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static uint8_t again[1 << 20];
    struct entry e;
    if (entry_parse(&e, p, n).code) return 0;
    MUST(n <= sizeof again && entry_name(e.kind));
    fuzz_reached("entry");
    if (e.kind == ENTRY_BOOT) fuzz_reached("entry.boot");
    if (e.kind == ENTRY_ROLLBACK) fuzz_reached("entry.rollback");
    signatures(&e);
    struct wr w = wr_of(again, sizeof again);
    entry_write(&w, &e);
    MUST(!w.full && w.len == n && memcmp(again, p, n) == 0);
    return 0;
}
