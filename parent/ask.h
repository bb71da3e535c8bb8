/* ask.h - a command's question to the running service, with failures said as every command says them.
 * The command must have the option `url`. */
#ifndef PARENT_ASK_H
#define PARENT_ASK_H
#include <jansson.h>
#include "parent/command.h"
#include "parent/http.h"

/* Ask, and take a 2xx answer as JSON (plain words become {"message": …}). Out: *body, owned. Otherwise
 * the failure has been said and its exit code is returned. */
enum exits call_ask(const struct call *c, json_t **body, const struct http_request *r);
/* Say why http_call() failed with `e`. */
enum exits call_unreached(const struct call *c, err e, const struct http_answer *a);

#endif
