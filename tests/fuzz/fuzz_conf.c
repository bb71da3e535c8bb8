/* Configuration text of any shape. A bad one must change nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf.h"
#include "core/log.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sample {
    char name[24];
    uint64_t count, wait, size;
    bool on;
    uint8_t after[8];
};

#define AT(field) offsetof(struct sample, field)
static const struct conf_key keys[] = {
    { "web", "name", CONF_TEXT, AT(name), 24, 0, 0, "" },
    { "web", "count", CONF_U64, AT(count), 0, 1, 100, "" },
    { "web", "on", CONF_BOOL, AT(on), 0, 0, 0, "" },
    { "seal", "interval", CONF_SECONDS, AT(wait), 0, 1, 86400, "" },
    { "seal", "size", CONF_BYTES, AT(size), 0, 4096, UINT64_MAX, "" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_open("fuzz", LOG_ERROR);
    char *text = malloc(size + 1);
    struct sample before, s;
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    memset(&before, 0, sizeof before);
    before.count = before.wait = 1;
    before.size = 4096;
    memset(before.after, 0x5a, sizeof before.after);
    memcpy(&s, &before, sizeof s);

    err e = conf_parse("fuzz.ini", text, keys, sizeof keys / sizeof *keys, &s);
    if (e.code != E_OK) {
        MUST(e.code == E_FORMAT && memcmp(&s, &before, sizeof s) == 0);
        fuzz_reached("conf.refused");
    } else {
        MUST(s.count >= 1 && s.count <= 100 && s.wait >= 1 && s.wait <= 86400 && s.size >= 4096);
        MUST(memchr(s.name, '\0', sizeof s.name) != NULL);
        MUST(memcmp(s.after, before.after, sizeof s.after) == 0);
        if (memcmp(&s, &before, sizeof s) != 0)
            fuzz_reached("conf");
    }
    free(text);
    return 0;
}
