/* kms_ops.c - the calls of KMS that are simulated, and how one is answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/buf.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "sim/kms_call.h"

enum { SLOW_SECONDS = 12, OK_STATUS = 200, REFUSED = 400, FAILED = 500 };   /* slower than any client here waits */

/* `key`: which key is found and asked for permission before the call runs.
 * `secret`: Recipient is understood, and unless told otherwise these are the calls that misbehave. */
enum keyed { NO_KEY, KEY_OF_ID, KEY_OF_BLOB };
struct operation { const char *name; enum keyed key; bool secret; err (*run)(struct kms_call *c); };
static const struct operation operations[] = {
    { "CreateGrant", KEY_OF_ID, false, op_create_grant },
    { "CreateKey", NO_KEY, false, op_create_key },
    { "Decrypt", KEY_OF_BLOB, true, op_decrypt },
    { "DeriveSharedSecret", KEY_OF_ID, true, op_derive_shared_secret },
    { "DescribeKey", KEY_OF_ID, false, op_describe_key },
    { "GenerateDataKey", KEY_OF_ID, true, op_generate_data_key },
    { "GenerateDataKeyPair", KEY_OF_ID, true, op_generate_data_key_pair },
    { "GenerateRandom", NO_KEY, true, op_generate_random },
    { "GetKeyPolicy", KEY_OF_ID, false, op_get_key_policy },
    { "GetPublicKey", KEY_OF_ID, false, op_get_public_key },
    { "ListGrants", KEY_OF_ID, false, op_list_grants },
    { "PutKeyPolicy", KEY_OF_ID, false, op_put_key_policy },
};

static const struct operation *find_operation(const char *target)
{
    static const char service[] = "TrentService.";
    if (!target || strncmp(target, service, sizeof service - 1) != 0) return NULL;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, target + sizeof service - 1) == 0) return &operations[i];
    return NULL;
}

/* ---- answering ------------------------------------------------------------- */

/* What goes wrong before the call is even looked at. */
static err misbehave(struct kms_call *c)
{
    if (c->does != BEHAVES) log_warn("misbehaving in %s", c->name);
    if (c->does == SLOW) nanosleep(&(struct timespec){ .tv_sec = SLOW_SECONDS }, NULL);
    if (c->does == THROTTLE)
        return kms_refuse(c, "ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.");
    if (c->does == ERROR500) return (err){ E_CLOSED };
    return OK;
}

static err run_call(struct kms_call *c)
{
    json_error_t why;
    const char *type = serve_header(c->http, "content-type");
    const struct operation *op = find_operation(serve_header(c->http, "x-amz-target"));
    if (strcmp(c->http->method, "POST") != 0 || strcmp(c->http->path, "/") != 0 || c->http->query[0] || !op
        || !type || strcmp(type, "application/x-amz-json-1.1") != 0)
        return kms_refuse(c, "UnknownOperationException", "The requested operation is not known");
    c->name = op->name;
    TRY(kms_authenticate(c));
    TRY(misbehave_take(&c->does, c->server->dir, op->name, op->secret));
    TRY(misbehave(c));
    c->in = json_loadb(c->http->body, c->http->body_len, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(c->in)) return kms_refuse(c, "SerializationException", "The body is not a JSON object");
    if (op->key == KEY_OF_ID) TRY(call_find_key(c));
    if (op->key == KEY_OF_BLOB) TRY(call_find_key_of_blob(c));
    if (op->secret) TRY(call_recipient(c));
    if (op->key != NO_KEY) TRY(call_authorize(c));
    return op->run(c);
}

/* The real service writes AccessDeniedException's text under "Message", all others' under "message". */
static json_t *error_body(const struct kms_call *c)
{
    bool denied = strcmp(c->error, "AccessDeniedException") == 0;
    return json_pack("{s:s, s:s}", "__type", c->error, denied ? "Message" : "message", c->message);
}

/* The last good answer of each call is kept; REPLAY gives it again, under the new request's id. */
static err remember(struct kms_call *c, char **body)
{
    json_t *last = c->server->last;
    const char *before = json_string_value(json_object_get(last, c->name));
    if (c->does == REPLAY && before) {
        char *again = strdup(before);
        if (!again) FAIL(E_MEMORY, "no memory for an answer");
        free(*body);
        *body = again;
        return OK;
    }
    if (json_object_set_new(last, c->name, json_string(*body)) != 0) FAIL(E_MEMORY, "no memory for an answer");
    return OK;
}

static err make_body(struct serve_answer *out, struct kms_call *c)
{
    static const char garbage[] = "<html><head><title>502 Bad Gateway</title></head></html>";
    if (c->empty) return OK;
    out->body = c->does == GARBAGE ? strdup(garbage) : json_dumps(c->out, JSON_COMPACT);
    if (!out->body) FAIL(E_MEMORY, "no memory for an answer");
    if (c->does == TRUNCATED) out->cut = strlen(out->body) / 2;
    return OK;
}

static err answer(struct serve_answer *out, struct kms_call *c)
{
    TRY(run_call(c));
    TEXT honest = json_dumps(c->out, JSON_COMPACT);
    if (!honest) FAIL(E_MEMORY, "no memory for an answer");
    TRY(remember(c, &honest));
    if (c->does == REPLAY) {
        out->body = take_text(&honest);
        return OK;
    }
    TRY(call_lie(c));
    return make_body(out, c);
}

static void set_request_id(struct serve_answer *out)
{
    uint8_t b[16];
    char h[33];
    err_drop(random_bytes(b, sizeof b));
    hex_from(h, b, sizeof b);
    out->headers[0].name = "x-amzn-RequestId";
    snprintf(out->headers[0].value, sizeof out->headers[0].value, "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16, h + 20);
}

static void drop_call(struct kms_call **c)
{
    if (!*c) return;
    kms_key_drop(&(*c)->key);
    json_decref((*c)->in);
    json_decref((*c)->out);
    free(*c);
}

void kms_handle(void *self, struct serve_answer *out, const struct serve_request *q)
{
    __attribute__((cleanup(drop_call))) struct kms_call *c = calloc(1, sizeof *c);
    out->status = FAILED;
    out->type = "application/x-amz-json-1.1";
    set_request_id(out);
    if (!c) return;
    c->server = self;
    c->http = q;
    c->now = (int64_t)time(NULL);
    c->out = json_object();
    err e = answer(out, c);
    const char *target = serve_header(q, "x-amz-target");
    if (e.code && !c->error) err_drop(kms_refuse(c, "KMSInternalException", "The simulator failed: %s", err_text(e.code)));
    else out->status = e.code ? REFUSED : OK_STATUS;
    log_info("%s %s: %s%s%s", out->headers[0].value, target ? target : "(no target)", e.code ? c->error : "OK",
             e.code ? ": " : "", e.code ? c->message : "");
    if (!e.code) return;
    JSON body = error_body(c);
    out->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
}
