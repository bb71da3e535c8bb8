/* A head is refused, or it is exactly what building it again gives. */
#include <string.h>

#include "diskcrypt/manifest.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct head h;
    uint8_t again[LINK_HEAD_MAX];
    size_t n = 0;
    if (head_parse(&h, data, size).code)
        return 0;
    fuzz_reached("head");
    MUST(head_build(again, &n, &h).code == E_OK);
    MUST(n == size && memcmp(again, data, n) == 0);
    return 0;
}
