/* imds.c - `holdfast-sim imds`: the instance metadata service, version 2, for credentials.
 *
 * Source: Amazon EC2 User Guide, "Use the Instance Metadata Service". */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/buf.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "sim/files.h"
#include "sim/serve.h"
#include "sim/sim.h"

enum { USAGE = 2, TOKENS = 64, TOKEN_BYTES = 42, TOKEN = 56, TTL_MAX = 21600, SESSION_BYTES = 300, RENEW = 15 * 60 };

static const char help[] =
    "usage: holdfast-sim imds --state DIR --listen HOST:PORT [--ready-file F] [--lifetime SECONDS]\n"
    "\n"
    "Stands in for the instance metadata service of EC2, version 2 only, with the instance's role\n"
    "credentials: PUT /latest/api/token, GET /latest/meta-data/iam/security-credentials/[ROLE].\n"
    "\n"
    "  --state DIR       shared with `holdfast-sim kms`: the credentials given out are in\n"
    "                    credentials.json (mode 0600); new ones with each start\n"
    "  --listen H:P      address to serve on; port 0 takes a free one\n"
    "  --ready-file F    gets HOST:PORT once it listens\n"
    "  --lifetime S      seconds until credentials expire (21600); new ones are made\n"
    "                    15 minutes before, when somebody asks\n"
    "\n"
    "Ends with status 0 on SIGTERM or SIGINT.\n";

#define FOLDER "/latest/meta-data/iam/security-credentials"
static const char role[] = "holdfast-sim", folder[] = FOLDER, tree[] = FOLDER "/";

struct imds {
    const char *dir;
    int64_t lifetime, renew, expires;
    char *credentials;                                        /* the document, as given out */
    struct { char text[TOKEN + 1]; int64_t until; } tokens[TOKENS];
    size_t next;
};
static void drop_imds(struct imds *s) { free(s->credentials); }

/* ---- credentials ----------------------------------------------------------- */

static err random_text(char *out, size_t n, const char *letters, size_t count)
{
    uint8_t b[64];
    TRY(random_bytes(b, sizeof b));
    for (size_t i = 0; i < n; i++) out[i] = letters[b[i] % count];
    out[n] = 0;
    return OK;
}

static void write_time(char out[static 24], int64_t at)
{
    struct tm tm;
    time_t t = (time_t)at;
    MUST(gmtime_r(&t, &tm) && strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
}

/* Make credentials and let KMS know of them before anybody can have them. */
static err issue(struct imds *s, int64_t now)
{
    uint8_t session[SESSION_BYTES];
    char id[21] = "ASIA", secret[41], token[SESSION_BYTES * 4 / 3 + 8], updated[24], expires[24], path[PATH_LONGEST];
    TRY(random_text(id + 4, 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32));
    TRY(random_text(secret, 40, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 64));
    TRY(random_bytes(session, sizeof session));
    base64_from(token, session, sizeof session);
    write_time(updated, now);
    write_time(expires, now + s->lifetime);
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Code", "Success", "LastUpdated", updated, "Type", "AWS-HMAC",
                          "AccessKeyId", id, "SecretAccessKey", secret, "Token", token, "Expiration", expires);
    TEXT text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    json_decref(j);
    if (!text) FAIL(E_MEMORY, "no memory for credentials");
    TRY(file_path(path, s->dir, "credentials.json"));
    TRY(file_write(path, 0600, text, strlen(text)));
    free(s->credentials);
    s->credentials = take_text(&text);
    s->expires = now + s->lifetime;
    return OK;
}

/* ---- answers --------------------------------------------------------------- */

static void say(struct serve_answer *out, int status, const char *text)
{
    out->status = status;
    out->type = "text/plain";
    out->body = strdup(text);
}

static void put_token(struct imds *s, struct serve_answer *out, const struct serve_request *q, int64_t now)
{
    const char *ttl = serve_header(q, "x-aws-ec2-metadata-token-ttl-seconds");
    uint8_t b[TOKEN_BYTES];
    char *end = NULL;
    long seconds = ttl ? strtol(ttl, &end, 10) : 0;
    /* The real service refuses a request that came through a proxy. */
    if (serve_header(q, "x-forwarded-for")) return say(out, 403, "");
    if (!ttl || end == ttl || *end || seconds < 1 || seconds > TTL_MAX) return say(out, 400, "");
    if (random_bytes(b, sizeof b).code) return;
    size_t at = s->next++ % TOKENS;
    base64_from(s->tokens[at].text, b, sizeof b);
    s->tokens[at].until = now + seconds;
    say(out, 200, s->tokens[at].text);
    out->headers[0].name = "X-aws-ec2-metadata-token-ttl-seconds";
    snprintf(out->headers[0].value, sizeof out->headers[0].value, "%ld", seconds);
}

static bool token_known(const struct imds *s, const char *token, int64_t now)
{
    for (size_t i = 0; token && i < TOKENS; i++)
        if (s->tokens[i].text[0] && s->tokens[i].until > now && strcmp(s->tokens[i].text, token) == 0) return true;
    return false;
}

static void give_credentials(struct imds *s, struct serve_answer *out, int64_t now)
{
    if (s->expires - now < s->renew && issue(s, now).code) return;
    say(out, 200, s->credentials);
    out->type = "application/json";
}

static void handle(void *self, struct serve_answer *out, const struct serve_request *q)
{
    struct imds *s = self;
    int64_t now = (int64_t)time(NULL);
    out->status = 500;
    bool get = strcmp(q->method, "GET") == 0;
    if (strcmp(q->path, "/latest/api/token") == 0) {
        if (strcmp(q->method, "PUT") == 0) put_token(s, out, q, now);
        else say(out, 405, "");
    } else if (!token_known(s, serve_header(q, "x-aws-ec2-metadata-token"), now)) {
        say(out, 401, "Unauthorized");
    } else if (get && (strcmp(q->path, tree) == 0 || strcmp(q->path, folder) == 0)) {
        say(out, 200, role);
    } else if (get && strncmp(q->path, tree, sizeof tree - 1) == 0 && strcmp(q->path + sizeof tree - 1, role) == 0) {
        give_credentials(s, out, now);
    } else {
        say(out, 404, "Not Found");
    }
    log_info("%s %s: %d", q->method, q->path, out->status);
}

/* ---- the program ----------------------------------------------------------- */

struct options { const char *dir, *listen, *ready; long lifetime; bool help; };

static err parse_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        { "state", required_argument, NULL, 's' },      { "listen", required_argument, NULL, 'l' },
        { "ready-file", required_argument, NULL, 'r' }, { "lifetime", required_argument, NULL, 't' },
        { "help", no_argument, NULL, 'h' },             { NULL, 0, NULL, 0 },
    };
    char *end = NULL;
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 's': o->dir = optarg; break;
        case 'l': o->listen = optarg; break;
        case 'r': o->ready = optarg; break;
        case 't':
            o->lifetime = strtol(optarg, &end, 10);
            if (*end || o->lifetime < 1 || o->lifetime > 43200) FAIL(E_FORMAT, "--lifetime is 1 to 43200 seconds");
            break;
        case 'h': o->help = true; return OK;
        default: FAIL(E_FORMAT, "unknown option");
        }
    }
    if (optind != argc || !o->dir || !o->listen) FAIL(E_FORMAT, "--state and --listen are needed");
    return OK;
}

static err run(const struct options *o)
{
    /* A lifetime shorter than that margin is for tests of expiry: then nothing is renewed. */
    int64_t renew = o->lifetime > 2 * RENEW ? RENEW : 0;
    __attribute__((cleanup(drop_imds))) struct imds s = { .dir = o->dir, .lifetime = o->lifetime, .renew = renew };
    TRY(file_folder(o->dir));
    TRY(issue(&s, (int64_t)time(NULL)));
    log_warn("SIMULATOR: development credentials, good for `holdfast-sim kms` alone");
    return serve(&(struct serve_config){ .what = "SIMULATED instance metadata", .listen = o->listen, .ready_file = o->ready,
                                         .handler = handle, .self = &s });
}

int sim_imds_main(int argc, char **argv)
{
    struct options o = { .lifetime = TTL_MAX };
    log_open("sim-imds", LOG_INFO);
    if (parse_options(&o, argc, argv).code) {
        fputs(help, stderr);
        return USAGE;
    }
    if (o.help) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    return run(&o).code ? EXIT_FAILURE : EXIT_SUCCESS;
}
