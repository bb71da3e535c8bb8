/* cmd_run.c - `holdfast run`. */
#include <stdio.h>

#include "core/log.h"
#include "parent/config.h"
#include "parent/run.h"
#include "parent/say.h"

static void on_ready(void *self, const struct run_ready *at)
{
    const struct call *c = self;
    if (!c->json) {
        log_info("ready: clients at %s, the enclave's link at %s; store with %zu objects, %s head", at->listen, at->link,
                 at->objects, at->head ? "a" : "no");
        return;
    }
    JSON ready = json_pack("{s:b, s:s, s:s, s:I, s:b}", "ready", 1, "listen", at->listen, "link", at->link,
                           "objects", (json_int_t)at->objects, "head", (int)at->head);
    (void)say_json(&ready);
}

static enum exits run(const struct call *c)
{
    struct parent_config conf;
    const char *path = call_value(c, "config");
    if (!path)
        return say_failure(c, EXIT_USAGE, NULL, "`holdfast run --help` lists the keys of that file.", "run: --config FILE is needed");
    err e = parent_config_read(&conf, path);
    if (e.code)
        return say_failure(c, EXIT_USAGE, NULL, "The line above says what is wrong; `holdfast run --help` lists the keys.",
                           "the configuration %s cannot be used: %s", path, err_text(e.code));
    struct witnesses witnesses;
    bool any = false;
    e = parent_witnesses(&witnesses, &any, &conf);
    if (e.code)
        return say_failure(c, EXIT_USAGE, NULL, "The line above says what is wrong.", "the witnesses' file %s cannot be used: %s", conf.witness_policy, err_text(e.code));
    log_open("holdfast", conf.level);
    if (call_value(c, "check")) {
        JSON ok = json_pack("{s:b, s:i}", "ok", 1, "egress", (int)conf.allow.count);
        if (c->json) return say_json(&ok);
        puts("the configuration is well formed");
        return EXIT_DONE;
    }
    e = run_parent(&conf, on_ready, (void *)(uintptr_t)c);
    if (e.code) return say_failure(c, EXIT_REFUSED, NULL, "The lines above say what happened.", "run: %s", err_text(e.code));
    return EXIT_DONE;
}

static const struct option_row options[] = {
    { "config", "FILE", "the configuration, an INI file (keys below)" },
    { "check", NULL, "only read the configuration, and say whether it is well formed" },
    { NULL, NULL, NULL },
};

const struct command run_command = {
    .name = "run",
    .summary = "Relay clients to the enclave, be its way out, keep its sealed copies.",
    .options = options,
    .run = run,
    .details =
        "It stays in the foreground and logs to standard error. SIGTERM lets running puts\n"
        "finish and ends it with 0. With --json a line {\"ready\":true, ...} appears on standard\n"
        "output once it listens.\n\n"
        "keys of the configuration (defaults in docs/config-parent.md):\n"
        "  [parent] listen       where clients come in: tcp:HOST:PORT or unix:PATH\n"
        "  [parent] enclave      the enclave's web side: vsock:CID:PORT, unix:PATH, tcp:HOST:PORT\n"
        "  [parent] clients      client connections at once, at most\n"
        "  [parent] client_idle  how long a client connection may be silent\n"
        "  [parent] link         where the enclave comes in: vsock:any:PORT, unix:PATH, tcp:HOST:PORT\n"
        "  [parent] link_cid     only this vsock CID may come in there; 0: any\n"
        "  [parent] links        connections of the enclave at once, at most\n"
        "  [parent] link_idle    how long a store connection of the enclave may be silent\n"
        "  [parent] egress_idle  how long a connection out may be silent\n"
        "  [parent] stop         how long running puts may take after SIGTERM\n"
        "  [parent] egress       where the enclave may connect to: HOST:PORT[=TARGET], ...\n"
        "  [store] dir           folder of the sealed objects\n"
        "  [store] store         or its name, or several: dir:/FOLDER, s3:BUCKET/PREFIX, ...\n"
        "  [store] durable       stores that must have what is written; 0: all of them\n"
        "  [store] keep          generations kept\n"
        "  [store] max_object    size of one object, at most\n"
        "  [s3] endpoint         the S3 server: https://HOST[:PORT]\n"
        "  [s3] region           the region that requests are signed for\n"
        "  [s3] style            path or virtual: where the bucket stands in the address\n"
        "  [s3] credentials      file with the access key, of mode 0600\n"
        "  [s3] http             yes: http:// to other machines is meant\n"
        "  [witness] policy      file with the log's witnesses (c2sp.org/tlog-policy)\n"
        "  [witness] deadline    how long they may be asked for their cosignatures\n"
        "  [log] level           debug, info, warn or error",
};
