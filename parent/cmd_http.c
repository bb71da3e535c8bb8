/* cmd_http.c - the commands that ask a running service over HTTP. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "parent/ask.h"
#include "parent/say.h"
#include "parent/setup_headers.h"
#include "parent/trace_show.h"

enum { SIGN_BODY_MAX = 4 << 20, USUAL_S = 60, SETUP_S = 180, SEAL_S = 180 };

const char *call_url(const struct call *c)
{
    const char *url = call_value(c, "url");
    return url ? url : ASK_DEFAULT_URL;
}

static const char *url_of(const struct call *c) { return call_url(c); }

static json_t *json_of(const struct http_answer *a)
{
    return a->json ? json_loadb((const char *)a->body, a->len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL) : NULL;
}

static enum exits exit_of_status(long status, bool parent_says)
{
    if (status == 503 && parent_says) return EXIT_REACH;
    if (status >= 500) return EXIT_SERVER;
    return EXIT_REFUSED;
}

static const char *hint_of_status(long status, bool parent_says)
{
    if (status == 503 && parent_says) return "The parent runs, the enclave does not answer it: see the enclave's log, then try again.";
    if (status == 503) return "The service is busy or still starting: try again in a moment.";
    if (status == 404) return "Run `holdfast setup` first, if this service was never set up.";
    if (status == 409) return "`holdfast settings` shows what is set already.";
    if (status >= 500) return "The reason is in the enclave's log, under this request_id.";
    return NULL;
}

/* The service said no. Its own words are the best account of why. */
static enum exits refused(const struct call *c, const struct http_answer *a)
{
    /* Everything here may be absent or of another type: jansson answers NULL to all of it. */
    JSON body = json_of(a);
    const char *words = json_string_value(json_object_get(body, "error"));
    /* Only the parent's own 503 lacks a request id: the enclave never saw the request. */
    bool parent_says = words && !json_object_get(body, "request_id") &&
                       (strcmp(words, "enclave not reachable") == 0 || strcmp(words, "too many connections") == 0);
    const char *hint = hint_of_status(a->status, parent_says);
    enum exits code = exit_of_status(a->status, parent_says);
    const char *id = json_string_value(json_object_get(body, "request_id"));
    /* Where it has a reason of its own, ours would be a guess. */
    const char *reason = json_string_value(json_object_get(body, "reason"));
    if (reason) hint = NULL;
    JSON detail = json_pack("{s:I, s:s?, s:s*, s:O*}", "status", (json_int_t)a->status, "request_id", id, "reason", reason, "account", json_object_get(body, "account"));
    json_t *trace = json_object_get(body, "trace");
    if (trace && c->json) json_object_set(detail, "trace", trace);
    else if (trace) trace_show(trace);
    if (words && reason) return say_failure(c, code, &detail, hint, "%s: %s (HTTP %ld)", words, reason, a->status);
    if (words) return say_failure(c, code, &detail, hint, "%s (HTTP %ld)", words, a->status);
    return say_failure(c, code, &detail, hint, "HTTP %ld: %.300s", a->status, (const char *)a->body);
}

static enum exits unreached(const struct call *c, err e, const struct http_answer *a)
{
    const char *hint = "Is `holdfast run` running, and is this its `listen` address (--url)?";
    if (e.code == E_FORMAT) return say_failure(c, EXIT_USAGE, NULL, NULL, "`%s` is no address: http://HOST:PORT or unix:PATH", url_of(c));
    if (e.code == E_AUTH) return say_failure(c, EXIT_SERVER, NULL, "Something between here and the enclave answers in its place.", "%s: %s", url_of(c), a->reason);
    if (e.code == E_LIMIT || e.code == E_MEMORY) return say_failure(c, EXIT_SERVER, NULL, NULL, "%s: %s", url_of(c), a->reason);
    if (e.code == E_TIMEOUT) hint = "It may still be at work: look at `holdfast status` before trying again.";
    return say_failure(c, EXIT_REACH, NULL, hint, "cannot reach %s: %s", url_of(c), a->reason);
}

/* Take an answer as JSON. Out: *body. */
static enum exits take(const struct call *c, json_t **body, err e, const struct http_answer *a)
{
    if (e.code) return unreached(c, e, a);
    if (a->status < 200 || a->status > 299) return refused(c, a);
    JSON value = json_of(a);
    if (a->json && !value) return say_failure(c, EXIT_SERVER, NULL, NULL, "the answer of %s is not well-formed JSON", url_of(c));
    /* The earlier systems' routes answer in plain words; a program still gets JSON. */
    if (!value) value = json_pack("{s:s%}", "message", (const char *)a->body, a->len);
    if (!value) return say_failure(c, EXIT_SERVER, NULL, NULL, "the answer of %s is not text", url_of(c));
    *body = value;
    value = NULL;
    return EXIT_DONE;
}

enum exits call_ask(const struct call *c, json_t **body, const struct http_request *r)
{
    HTTP_ANSWER a = { 0 };
    err e = http_call(&a, r);
    return take(c, body, e, &a);
}

/* The same over the channel, where there is one. */
static enum exits ask(const struct call *c, json_t **body, const struct http_request *r)
{
    struct channel_target target;
    bool channel = false;
    enum exits code = call_channel(&target, &channel, c);
    if (code != EXIT_DONE) return code;
    if (!channel) return call_ask(c, body, r);
    HTTP_ANSWER a = { 0 };
    err e = channel_call(&a, r, &target);
    return take(c, body, e, &a);
}
enum exits call_ask_channel(const struct call *c, json_t **body, const struct http_request *r) { return ask(c, body, r); }
enum exits call_take(const struct call *c, json_t **body, err e, const struct http_answer *a) { return take(c, body, e, a); }
enum exits call_unreached(const struct call *c, err e, const struct http_answer *a) { return unreached(c, e, a); }

static enum exits show(const struct call *c, json_t **body)
{
    if (c->json) return say_json(body);
    if (json_is_object(*body)) say_members(*body);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

enum exits call_show(const struct call *c, json_t **body) { return show(c, body); }

static enum exits ask_and_show(const struct call *c, const char *path)
{
    JSON body = NULL;
    enum exits code = ask(c, &body, &(struct http_request){ .url = url_of(c), .path = path, .timeout_s = USUAL_S });
    return code == EXIT_DONE ? show(c, &body) : code;
}

static enum exits run_status(const struct call *c)
{
    JSON body = NULL;
    enum exits code = ask(c, &body, &(struct http_request){ .url = url_of(c), .path = "/status", .timeout_s = USUAL_S });
    if (code != EXIT_DONE) return code;
    if (json_is_true(json_object_get(body, "simulated")))
        fputs("SIMULATED: attestation and KMS are stand-ins. This protects nothing.\n", stderr);
    return show(c, &body);
}

static enum exits run_public_key(const struct call *c)
{
    JSON body = NULL;
    enum exits code = ask(c, &body, &(struct http_request){ .url = url_of(c), .path = "/public-key", .timeout_s = USUAL_S });
    if (code != EXIT_DONE) return code;
    const char *key = json_string_value(json_object_get(body, "public_key"));
    if (!key) return say_failure(c, EXIT_SERVER, NULL, NULL, "the answer of %s has no public_key", url_of(c));
    if (c->json) return say_json(&body);
    /* The bare key, so that $(holdfast public-key) can be used as it is. */
    say_text(key, strlen(key));
    putchar('\n');
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exits run_settings(const struct call *c)
{
    return ask_and_show(c, "/settings");
}

static void show_requests(const json_t *body)
{
    size_t i;
    json_t *row;
    printf("%-11s %-4s %-6s %-64s %s\n", "TIME", "HTTP", "SIGNED", "TRANSACTION", "VERDICT");
    json_array_foreach(json_object_get(body, "requests"), i, row) {
        const char *txid = json_string_value(json_object_get(row, "txid")), *text = json_string_value(json_object_get(row, "text"));
        printf("%-11lld %-4lld %lld/%-4lld ", (long long)json_integer_value(json_object_get(row, "time")),
               (long long)json_integer_value(json_object_get(row, "status")),
               (long long)json_integer_value(json_object_get(row, "signed")),
               (long long)json_integer_value(json_object_get(row, "inputs")));
        say_text(txid ? txid : "-", txid ? strlen(txid) : 1);
        putchar(' ');
        say_text(text ? text : "", text ? strlen(text) : 0);
        putchar('\n');
    }
    printf("%lld in all\n", (long long)json_integer_value(json_object_get(body, "total")));
}

static enum exits run_requests(const struct call *c)
{
    JSON body = NULL;
    unsigned long long limit;
    char path[64];
    if (!call_number(&limit, c, "limit", 100, 1, 1000)) return EXIT_USAGE;
    snprintf(path, sizeof path, "/requests?limit=%llu", limit);
    enum exits code = ask(c, &body, &(struct http_request){ .url = url_of(c), .path = path, .timeout_s = USUAL_S });
    if (code != EXIT_DONE) return code;
    if (c->json || !json_is_array(json_object_get(body, "requests"))) return show(c, &body);
    show_requests(body);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exits run_seal(const struct call *c)
{
    JSON body = NULL;
    enum exits code = ask(c, &body, &(struct http_request){ .url = url_of(c), .path = "/seal", .body = "", .timeout_s = SEAL_S,
                                                            .progress = "sealing" });
    return code == EXIT_DONE ? show(c, &body) : code;
}

/* Names with commas between; whether there are such findings the service knows. */
static bool add_accepted(json_t *set, const char *list)
{
    json_t *names = json_array();
    for (const char *p = list; ; p++) {
        const size_t n = strcspn(p, ",");
        if (json_array_append_new(names, json_stringn(p, n)) != 0) break;
        p += n;
        if (!*p) return json_object_set_new(set, "accept", names) == 0;
    }
    json_decref(names);
    return false;
}

static enum exits run_setup(const struct call *c)
{
    const char *key = call_value(c, "key"), *blockhash = call_value(c, "blockhash");
    unsigned long long weight;
    uint8_t hash[32];
    if (!key || !blockhash) return say_failure(c, EXIT_USAGE, NULL, NULL, "setup: --key ARN and --blockhash HEX are needed");
    /* Checked here because setup is once in a life: a slip should cost nothing. */
    if (hex_to(hash, sizeof hash, blockhash, strlen(blockhash)).code)
        return say_failure(c, EXIT_USAGE, NULL, "Give it as block explorers show it.", "setup: --blockhash takes 64 hex digits");
    if (!call_number(&weight, c, "max-weight", 0, 0, INT64_MAX)) return EXIT_USAGE;
    JSON set = json_pack("{s:s, s:s}", "key_id", key, "blockhash", blockhash);
    if (!set) return say_failure(c, EXIT_USAGE, NULL, NULL, "setup: --key is not text");
    enum exits code = setup_headers(set, c);
    if (code != EXIT_DONE) return code;
    if (call_value(c, "max-weight")) json_object_set_new(set, "max_weight", json_integer((json_int_t)weight));
    if (call_value(c, "accept") && !add_accepted(set, call_value(c, "accept"))) return say_failure(c, EXIT_USAGE, NULL, NULL, "setup: --accept is not text");
    TEXT text = json_dumps(set, JSON_COMPACT);
    JSON body = NULL;
    if (!text) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    code = ask(c, &body, &(struct http_request){ .url = url_of(c), .path = "/setup", .body = text, .body_len = strlen(text),
                                                .timeout_s = SETUP_S, .progress = "waiting for the key" });
    return code == EXIT_DONE ? show(c, &body) : code;
}

static void close_file(FILE **f)
{
    if (*f && *f != stdin) fclose(*f);
}

/* Read the request whole. Out: *n <= SIGN_BODY_MAX. */
static enum exits read_request(uint8_t **out, size_t *n, const struct call *c, const char *path)
{
    __attribute__((cleanup(close_file))) FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    if (!f) return say_failure(c, EXIT_USAGE, NULL, NULL, "sign: %s: %s", path, strerror(errno));
    /* One byte more than may be: so that too long is told from just fitting. */
    if (mem_new(out, SIGN_BODY_MAX + 1).code) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    *n = fread(*out, 1, SIGN_BODY_MAX + 1, f);
    if (ferror(f)) return say_failure(c, EXIT_USAGE, NULL, NULL, "sign: %s: %s", path, strerror(errno));
    if (*n > SIGN_BODY_MAX) return say_failure(c, EXIT_USAGE, NULL, NULL, "sign: %s is longer than 4 MiB, the service's limit", path);
    return EXIT_DONE;
}

/* A PSBT as programs store it (bytes), or as they print it (base64, perhaps in lines): the service's JSON in place of it. */
static enum exits wrap_psbt(uint8_t **request, size_t *n, const struct call *c)
{
    static const uint8_t magic[5] = { 'p', 's', 'b', 't', 0xff };
    const bool raw = *n >= sizeof magic && memcmp(*request, magic, sizeof magic) == 0;
    BYTES coded = NULL;
    if (mem_new(&coded, raw ? base64_size(*n) : *n + 1).code) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    if (raw) {
        base64_from((char *)coded, *request, *n);
    } else {
        size_t k = 0;
        for (size_t i = 0; i < *n; i++)
            if ((*request)[i] && !strchr(" \t\r\n", (*request)[i])) coded[k++] = (*request)[i];
    }
    JSON body = json_pack("{s:s}", "psbt", (const char *)coded);
    if (!body || coded[0] == 0) return say_failure(c, EXIT_USAGE, NULL, "Give its bytes, or its base64.", "sign: --psbt: that is no PSBT");
    if (call_value(c, "finalize")) json_object_set_new(body, "finalize", json_true());
    mem_free_bytes(request);
    *request = (uint8_t *)json_dumps(body, JSON_COMPACT);
    if (!*request) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    *n = strlen((const char *)*request);
    if (*n > SIGN_BODY_MAX) return say_failure(c, EXIT_USAGE, NULL, NULL, "sign: the PSBT is longer than 3 MiB, the service's limit");
    return EXIT_DONE;
}

/* Ask for a trace as well: a member of the request, in any of its forms. */
static enum exits add_trace(uint8_t **request, size_t *n, const struct call *c)
{
    JSON body = json_loadb((const char *)*request, *n, JSON_REJECT_DUPLICATES, NULL);
    if (json_object_set_new(body, "trace", json_true()) != 0)
        return say_failure(c, EXIT_USAGE, NULL, "Without --trace the service says what is wrong with it.", "sign: --trace: the request is no JSON object");
    mem_free_bytes(request);
    *request = (uint8_t *)json_dumps(body, JSON_COMPACT);
    if (!*request) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    *n = strlen((const char *)*request);
    return EXIT_DONE;
}

/* The PSBT for the next program; which inputs are left to others, for the reader. */
static enum exits show_psbt(const struct call *c, json_t **body)
{
    const char *psbt = json_string_value(json_object_get(*body, "psbt"));
    size_t i, made = 0;
    json_t *input;
    if (!psbt) return say_failure(c, EXIT_SERVER, NULL, "Is the service older than this program?", "the answer of %s has no PSBT", url_of(c));
    json_array_foreach(json_object_get(*body, "inputs"), i, input) {
        const char *skipped = json_string_value(json_object_get(input, "skipped"));
        made += json_is_true(json_object_get(input, "signed"));
        if (skipped && !c->json) fprintf(stderr, "input %zu is not signed: %s\n", i, skipped);
    }
    if (made == 0)
        return say_failure(c, EXIT_REFUSED, NULL, "Each input to be signed needs its emulated spend as a final script witness.", "no input of this PSBT is one that the service signs");
    if (c->json) return say_json(body);
    say_text(psbt, strlen(psbt));
    putchar('\n');
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exits run_sign(const struct call *c)
{
    BYTES request = NULL;
    JSON body = NULL;
    size_t n = 0;
    const char *psbt = call_value(c, "psbt"), *path = psbt ? psbt : c->operands[0];
    const bool dry = call_value(c, "dry-run") != NULL, trace = call_value(c, "trace") != NULL;
    if (trace && !dry) return say_failure(c, EXIT_USAGE, NULL, "A signature is never given with a trace.", "sign: --trace goes with --dry-run");
    if ((psbt != NULL) == (c->operand_count == 1))
        return say_failure(c, EXIT_USAGE, NULL, "`holdfast sign --help` shows both ways.", "sign: give either FILE or --psbt FILE");
    if (call_value(c, "finalize") && (!psbt || dry))
        return say_failure(c, EXIT_USAGE, NULL, NULL, "sign: --finalize goes with --psbt, and not with --dry-run");
    enum exits code = read_request(&request, &n, c, path);
    if (code == EXIT_DONE && psbt) code = wrap_psbt(&request, &n, c);
    if (code == EXIT_DONE && trace) code = add_trace(&request, &n, c);
    if (code == EXIT_DONE)
        code = ask(c, &body, &(struct http_request){ .url = url_of(c), .path = dry ? "/verify" : "/verify-and-sign", .body = request, .body_len = n,
                                                     .timeout_s = USUAL_S, .progress = dry ? "waiting for the verdict" : "waiting for the signature" });
    if (code != EXIT_DONE) return code;
    if (psbt && !dry) return show_psbt(c, &body);
    if (trace && !c->json) {
        trace_show_valid(body);
        return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
    }
    /* The answer is JSON for the next program in either case. */
    return say_json(&body);
}

static const struct option_row sign_options[] = {
    { "psbt", "FILE|-", "instead of FILE: a PSBT (version 0 or 2; bytes or base64); print it, signed, in base64" },
    { "finalize", NULL, "with --psbt: put final witnesses in place of signatures" },
    { "dry-run", NULL, "have it verified only: nothing is signed or recorded" },
    { "trace", NULL, "with --dry-run: show each instruction of the scripts, and what it left on the stacks" },
    ASK_OPTIONS, { NULL, NULL, NULL },
};
static const struct option_row ask_only[] = { ASK_OPTIONS, { NULL, NULL, NULL } };
static const struct option_row setup_options[] = {
    { "key", "ARN", "the KMS key that the master key is derived with" },
    { "blockhash", "HEX", "hash of a Bitcoin block, as explorers show it" },
    SETUP_HEADERS_OPTIONS,
    { "max-weight", "N", "largest transaction to sign, in weight units (default 4000000)" },
    { "accept", "ID[,ID]", "findings about the key to accept by name; the genesis document records them" },
    ASK_OPTIONS, { NULL, NULL, NULL },
};
static const struct option_row requests_options[] = {
    { "limit", "N", "how many, newest first: 1 to 1000 (default 100)" }, ASK_OPTIONS, { NULL, NULL, NULL },
};

const struct command status_command = {
    .name = "status", .summary = "Show the state of the running service.", .options = ask_only, .run = run_status };
const struct command seal_command = {
    .name = "seal", .summary = "Have the enclave seal its disk to the parent's store now.", .options = ask_only, .run = run_seal };
const struct command public_key_command = {
    .name = "public-key", .summary = "Print the service's master public key.", .options = ask_only, .run = run_public_key };
const struct command settings_command = {
    .name = "settings", .summary = "Show what the service was set up with.", .options = ask_only, .run = run_settings };
const struct command requests_command = {
    .name = "requests", .summary = "List the requests that the service answered.", .options = requests_options, .run = run_requests };
const struct command setup_command = {
    .name = "setup", .summary = "Set the service up: once in its life.", .options = setup_options, .run = run_setup };
const struct command sign_command = {
    .name = "sign", .operands = "[FILE|-]", .operands_most = 1, .options = sign_options, .run = run_sign,
    .summary = "Have an emulated spend verified and signed; print the signed transaction.",
    .details = "FILE holds a JSON request of POST /verify-and-sign, in any of its forms; - reads it from standard input.\n"
               "In a PSBT, an input's emulated spend stands as its final script witness." };
