/* The allowlist as text: nothing crashes it, and every entry it accepts is found again. */
#include <string.h>

#include "core/log.h"
#include "parent/allow.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct allow a;
    char text[4096];
    log_open("fuzz", LOG_ERROR);
    if (size >= sizeof text) return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (allow_parse(&a, text).code) return 0;
    for (size_t i = 0; i < a.count; i++) {
        const struct allow_entry *e = NULL;
        MUST(a.entries[i].host[0] != '\0' && a.entries[i].port != 0);
        MUST(allow_find(&e, &a, a.entries[i].host, a.entries[i].port).code == E_OK && e != NULL);
        if (a.entries[i].target[0]) fuzz_reached("egress");
    }
    return 0;
}
