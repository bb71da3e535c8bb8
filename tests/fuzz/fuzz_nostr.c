/* fuzz_nostr.c - Nostr events, from anybody. */
#include <stdint.h>
#include <string.h>

#include "core/log.h"
#include "policy/nostr.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct nostr_event e;
    if (nostr_parse(&e, (const char *)p, n)) return 0;
    MUST(e.who.kind == MAINTAINER_NOSTR && strlen(e.content) <= NOSTR_CONTENT && e.kind <= 65535);
    fuzz_reached("nostr");
    if (!nostr_check(&e, e.kind, e.content)) fuzz_reached("nostr.good");
    return 0;
}
