/* fuzz_cms.c - CMS envelopes from somebody who is not KMS. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "keystore/envelope.h"
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
    struct envelope e;
    if (envelope_parse(&e, p, n).code) return 0;
    fuzz_reached("cms");
    MUST(e.content_len > 0 && e.content_len <= sizeof e.content && e.content_len % 16 == 0);
    /* Whole, or gathered from pieces: both must be reached. */
    if (memmem(p, n, e.content, e.content_len)) fuzz_reached("cms.whole");
    else fuzz_reached("cms.pieces");
    return 0;
}
