#include "parent/channel.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/mem.h"
#include "parent/say.h"

static bool hex_member(uint8_t *out, size_t n, const json_t *of, const char *name)
{
    const json_t *v = json_object_get(of, name);
    return json_is_string(v) && !hex_to(out, n, json_string_value(v), json_string_length(v)).code;
}

err channel_find(struct channel_target *out, struct http_answer *a, const char *url, long timeout_s)
{
    TRY(http_call(a, &(struct http_request){ .url = url, .path = "/v1/channel", .timeout_s = timeout_s }));
    JSON said = a->status == 200 && a->json ? json_loadb((const char *)a->body, a->len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_string(json_object_get(said, "key")) && hex_member(out->key, sizeof out->key, said, "key")
        && hex_member(out->boot, sizeof out->boot, said, "boot")) return OK;
    snprintf(a->reason, sizeof a->reason, "it offers no channel (HTTP %ld)", a->status);
    return (err){ E_ABSENT };
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The service's own answer takes the place of the one it came in. */
static err unwrap(struct http_answer *a, const struct channel_reply *reply)
{
    struct channel_said said;
    BYTES plain = NULL;
    TRY(mem_new(&plain, a->len + 1));
    err e = a->len < CHANNEL_REPLY_MORE ? (err){ E_FORMAT } : channel_read(plain, &said, reply, a->body, a->len);
    if (e.code == E_FORMAT) e = (err){ E_AUTH };
    if (e.code) {
        snprintf(a->reason, sizeof a->reason, "the answer is not one of the channel key's holder");
        return e;
    }
    a->len -= CHANNEL_REPLY_MORE;
    plain[a->len] = 0;
    a->status = said.status;
    a->json = said.kind == CHANNEL_JSON;
    free(a->body);
    a->body = take_bytes(&plain);
    return OK;
}

err channel_call(struct http_answer *out, const struct http_request *r, const struct channel_target *t)
{
    CHANNEL_REPLY reply;
    BYTES message = NULL;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    TRY(mem_new(&message, r->body_len + CHANNEL_ASK_MORE));
    TRY(channel_ask(message, &n, &reply, t->key, &(struct channel_question){
        .boot = t->boot, .time_ms = now_ms(), .method = r->body ? CHANNEL_POST : CHANNEL_GET,
        .path = r->path, .body = r->body, .n = r->body_len }));
    const struct http_request outer = {
        .url = r->url, .path = "/v1/channel", .body = message, .body_len = n, .type = "application/octet-stream",
        .timeout_s = r->timeout_s, .progress = r->progress };
    TRY(http_call(out, &outer));
    /* No success is believed that the key's holder did not seal. */
    return out->status >= 200 && out->status <= 299 ? unwrap(out, &reply) : OK;
}
