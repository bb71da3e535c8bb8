/* cmd_log.c - `holdfast log`: what the service did, and whether it was allowed to. */
#include <string.h>

#include "parent/ask.h"
#include "parent/cmd_log.h"
#include "parent/say.h"

static enum exits run_log(const struct call *c)
{
    static const struct { const char *name; enum exits (*run)(const struct call *); } parts[] = {
        { "show", log_show }, { "verify", log_verify }, { "monitor", log_monitor }, { "requests", log_requests },
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(c->operands[0], parts[i].name) == 0) return parts[i].run(c);
    return say_failure(c, EXIT_USAGE, NULL, "`holdfast log --help` lists what there is.", "there is no `log %s`", c->operands[0]);
}

static const struct option_row options[] = {
    { "store", "NAME", "show, verify: the store: a folder, dir:FOLDER or s3:BUCKET/PREFIX; several behind commas" },
    { "config", "FILE", "or the configuration of `holdfast run`, which names it" },
    { "from", "N", "show: from this entry on (default: the newest)" },
    { "limit", "N", "show, requests: so many, at most (default 100; requests: 1 to 1000, the newest first)" },
    { "vkey", "VKEY[,VKEY]", "verify, monitor: the log's verifier key, as /status and the attestation tell; one for each epoch" },
    { "witnesses", "FILE", "verify, monitor: the trust policy whose quorum must have cosigned" },
    { "cosigned", "FILE", "verify: the checkpoint with its cosignatures, as /log/checkpoint gives it" },
    { "authorisation", "FILE", "verify: the genesis authorisation that the first policy follows" },
    { "state", "FILE", "monitor: keeps the newest checkpoint that was seen" },
    { "interval", "SECONDS", "monitor: look again and again, until something is wrong (default: once)" },
    { "since", "TIME", "requests: not older than 2h, 7d, 2026-11-27T12:00:00Z (UTC) or @SECONDS" },
    { "before", "ROW", "requests: only what came before this row (a row's number is in --json)" },
    ASK_OPTIONS, { NULL, NULL, NULL },
};

const struct command log_command = {
    .name = "log",
    .operands = "show|verify [FILE]|monitor|requests",
    .operands_least = 1,
    .operands_most = 2,
    .summary = "Read the service's log, judge the life that it tells, watch that it only grows; list requests.",
    .options = options,
    .run = run_log,
    .details = "show prints entries; with --json also as they are, which `verify FILE` reads. verify needs nobody: it checks every segment, hash and\n"
               "signature, and judges each start, upgrade and rollback by the documents in the log as of their time. FILE (or --store) has all entries;\n"
               "with --cosigned they are compared with a checkpoint. monitor compares what the service shows with what it showed before. requests\n"
               "lists what the service was asked and how it decided, from its own state.\n"
               "Exit code 0: good. 1: not, or refused. 2: wrong usage. 3: not reached. 4: the service failed.",
};
