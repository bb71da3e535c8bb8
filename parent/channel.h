/* channel.h - a question to the service, encrypted to its channel key (docs/wire/channel.md).
 *
 * The client's half: its keys live for one request, on the stack, and are wiped. Whose the
 * service's key is, is the caller's to know: `holdfast verify` tells, or the user. */
#ifndef PARENT_CHANNEL_H
#define PARENT_CHANNEL_H
#include "keystore/channel.h"
#include "parent/http.h"

struct channel_target { uint8_t key[CHANNEL_KEY], boot[CHANNEL_BOOT]; };

/* Ask GET /v1/channel where requests are to go. Nobody vouches for the answer: the boot number is only good for
 * the key's true holder, and the key is to be compared with a trusted one.
 * Fails: E_ABSENT (there is no channel, or not now; out->reason says so), or as http_call(). */
err channel_find(struct channel_target *out, struct http_answer *a, const char *url, long timeout_s);

/* http_call(), over the channel. A request without a body is a GET, else a POST. *out is the service's own
 * answer, or (status other than 2xx from outside the channel) what anyone on the way may have said.
 * Fails: as http_call(); E_AUTH (an answer that is not the key's holder's; out->reason), E_FORMAT, E_IO. */
err channel_call(struct http_answer *out, const struct http_request *r, const struct channel_target *t);

#endif
