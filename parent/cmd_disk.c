/* cmd_disk.c - `holdfast disk grow`: a larger state disk, while the service runs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "parent/ask.h"
#include "parent/say.h"

enum { GROW_S = 180 };

static enum exits run_grow(const struct call *c)
{
    char body[64];
    JSON answer = NULL;
    uint64_t size = 0;
    const char *text = call_value(c, "size");
    if (!text || !conf_size(&size, text) || size == 0 || size > INT64_MAX)
        return say_failure(c, EXIT_USAGE, NULL, "For example --size 256M: what the disk is to have in all.", "disk grow: --size says how large");
    snprintf(body, sizeof body, "{\"size\":%" PRIu64 "}", size);
    const struct http_request r = { .url = call_url(c), .path = "/disk/grow", .body = body, .body_len = strlen(body), .type = "application/json", .timeout_s = GROW_S,
                                    .progress = "the enclave makes its disk larger, and seals it" };
    enum exits code = call_ask_channel(c, &answer, &r);
    return code == EXIT_DONE ? call_show(c, &answer) : code;
}

static enum exits run_disk(const struct call *c)
{
    if (strcmp(c->operands[0], "grow") == 0) return run_grow(c);
    return say_failure(c, EXIT_USAGE, NULL, "`holdfast disk --help` lists what there is.", "there is no `disk %s`", c->operands[0]);
}

static const struct option_row options[] = {
    { "size", "SIZE", "what the disk is to have in all: 256M, 1G; a multiple of 64K" }, ASK_OPTIONS, { NULL, NULL, NULL },
};

const struct command disk_command = {
    .name = "disk",
    .operands = "grow",
    .operands_least = 1,
    .operands_most = 1,
    .summary = "Make the enclave's state disk larger while it runs.",
    .options = options,
    .run = run_disk,
    .details = "The enclave seals first, grows the disk, and seals again: done means durable. It never shrinks, and grows no further than\n"
               "the measured configuration says ([disk] size_max), since it is enclave memory.\n"
               "Exit code 0: done. 1: refused. 2: wrong usage. 3: not reached. 4: it failed inside the service.",
};
