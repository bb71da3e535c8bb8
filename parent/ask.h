/* ask.h - a command's question to the running service, with failures said as every command says them.
 * The command must have the options ASK_OPTIONS (or be `verify`, which has its own). */
#ifndef PARENT_ASK_H
#define PARENT_ASK_H
#include <jansson.h>
#include "parent/command.h"
#include "parent/channel.h"
#include "parent/http.h"

#define ASK_DEFAULT_URL "http://127.0.0.1:8000"
#define ASK_OPTIONS \
    { "url", "ADDRESS", "the running parent: http://HOST:PORT or unix:PATH (default " ASK_DEFAULT_URL ")" }, \
    { "channel-key", "HEX|auto", "encrypt to this attested key; auto: verify the service's attestation first" }, \
    { "plain", NULL, "do not encrypt" }, \
    { "root", "FILE", "with auto: another root than AWS Nitro Enclaves G1, in PEM" }, \
    { "image", "FILE", "with auto: expect the PCRs of this enclave image file" }, \
    { "pcr", "N=HEX...", "with auto: expect this PCR; may be given again" }

/* Ask, and take a 2xx answer as JSON (plain words become {"message": …}). Out: *body, owned. Otherwise
 * the failure has been said and its exit code is returned. */
enum exits call_ask(const struct call *c, json_t **body, const struct http_request *r);
/* The same over the encrypted channel, where there is one, for a command with ASK_OPTIONS; and shown as such commands do. */
enum exits call_ask_channel(const struct call *c, json_t **body, const struct http_request *r);
enum exits call_show(const struct call *c, json_t **body);
/* Take what http_call() gave, in the same way. */
enum exits call_take(const struct call *c, json_t **body, err e, const struct http_answer *a);
/* Say why http_call() failed with `e`. */
enum exits call_unreached(const struct call *c, err e, const struct http_answer *a);
/* The value of --url, or the default. */
const char *call_url(const struct call *c);

/* cmd_channel.c: how this invocation talks. Out: *channel, and if so *target: by --channel-key, by the environment's
 * HOLDFAST_CHANNEL_KEY, by what the service's verified attestation says, or else by its own word. */
enum exits call_channel(struct channel_target *target, bool *channel, const struct call *c);
/* cmd_verify.c: verify the service's attestation as `holdfast verify --url` does, with the options --root, --image and
 * --pcr. Out: the channel key that it vouches for. */
enum exits call_attested_key(uint8_t key[static CHANNEL_KEY], const struct call *c);

#endif
