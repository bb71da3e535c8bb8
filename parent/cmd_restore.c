/* cmd_restore.c - `holdfast restore --at`: ask the enclave that starts next for an older generation. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parent/cmd_store.h"
#include "parent/config.h"
#include "parent/rewind.h"
#include "parent/say.h"

/* A number of digits is a generation; YYYY-MM-DDTHH:MM:SSZ is a time (UTC), and so is @SECONDS. */
static bool target_of(struct rewind_to *to, const char *text)
{
    struct tm at = { 0 };
    char *end;
    *to = (struct rewind_to){ 0 };
    const bool unix_time = text[0] == '@';
    const char *digits = unix_time ? text + 1 : text;
    if (digits[0] >= '0' && digits[0] <= '9') {
        to->value = strtoull(digits, &end, 10);
        to->by_time = unix_time;
        if (*end == 0) return true;
    }
    end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &at);
    if (!end || *end) return false;
    const time_t t = timegm(&at);
    *to = (struct rewind_to){ .by_time = true, .value = (uint64_t)(t > 0 ? t : 0) };
    return true;
}

static enum exits failed(const struct call *c, const char *dir, err e)
{
    if (e.code == E_STATE)
        return say_failure(c, EXIT_REFUSED, NULL, "Stop the enclave first: it must be the only one that moves the head.", "%s: the head moved meanwhile; nothing was changed", dir);
    if (e.code == E_ABSENT)
        return say_failure(c, EXIT_REFUSED, NULL, "`holdfast backups` lists the generations there are.", "%s: no such generation; nothing was changed", dir);
    return say_failure(c, EXIT_REFUSED, NULL, "The line above says why.", "%s: nothing was changed: %s", dir, err_text(e.code));
}

static enum exits run_restore(const struct call *c)
{
    STORE_BACKEND store = NULL;
    char dir[PARENT_STORES];
    struct rewind_to to;
    struct rewind_report r;
    const char *at = call_value(c, "at");
    if (!at || !target_of(&to, at))
        return say_failure(c, EXIT_USAGE, NULL, "A generation's number, 2026-11-27T12:00:00Z, or @UNIX_SECONDS.", "restore: --at says which generation");
    enum exits code = cmd_store(&store, dir, sizeof dir, c);
    if (code != EXIT_DONE) return code;
    err e = store_rewind(&r, store, &to);
    if (e.code) return failed(c, dir, e);
    if (c->json) {
        JSON out = json_pack("{s:I, s:I, s:I}", "before", (json_int_t)r.before, "generation", (json_int_t)r.after, "time", (json_int_t)r.time);
        return say_json(&out);
    }
    if (r.before == r.after) printf("generation %" PRIu64 " is the present one already\n", r.after);
    else printf("generation %" PRIu64 " is the present one now, instead of %" PRIu64 ": the enclave that starts next decides whether it takes it\n", r.after, r.before);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static const struct option_row options[] = {
    { "at", "GENERATION|TIME", "its number, or the newest not after a time (UTC: 2026-11-27T12:00:00Z, or @SECONDS)" },
    { "store", "NAME", "the store: a folder, dir:FOLDER or s3:BUCKET/PREFIX; several behind commas" },
    { "config", "FILE", "or the configuration of `holdfast run`, which names it" },
    { NULL, NULL, NULL },
};

const struct command restore_command = {
    .name = "restore",
    .summary = "Make an older generation the one that the next start of the enclave restores.",
    .options = options,
    .run = run_restore,
    .details = "Stop the enclave first, and make a copy (`holdfast backup copy`): what is newer than GENERATION is no longer\n"
               "part of the chain, and the next pruning removes it. `backup import` from the copy takes this back.\n"
               "An enclave that finds the head moved while it runs ends. State that was spent since is given back by this;\n"
               "until witnesses are configured nothing but the operator stands against that (freshness: none).",
};
