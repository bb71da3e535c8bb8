/* web_secure.c - requests that come encrypted.
 *
 *     client ──► web ── KEEPER_SECURE or _CHANNEL ──► keeper         opens
 *                web ◄─ plaintext, handle ─────────── keeper         then the request runs like any other
 *                web ── KEEPER_SEAL: handle, answer ► keeper         seals
 *     client ◄── web ◄─ KEEPER_SEALED ─────────────── keeper
 *
 * No key is ever here. What goes wrong before a request is open, or after its session is gone, is told in the
 * clear, and so is no word of the service's: a client believes only what opens under its key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "daemon/web.h"
#include "daemon/web_read.h"
#include "daemon/web_text.h"
#include "signer/ec.h"

enum { OPEN_SECONDS = 30, SEAL_SECONDS = 30, HEAD_SEAL = 11, POINT_MAX = 65 };

static const char no_memory[] = "There is no memory for this request.";
static const char no_room[] = "There is no room for this request now.";

/* ---- answers ---- */

/* The end of it: what the client gets is ciphertext. */
static err on_sealed(struct web *w, struct web_request *r, const struct msg *m)
{
    BYTES body = NULL;
    (void)w;
    if (m->len < 1) FAIL(E_FORMAT, "KEEPER_SEALED is empty");
    if (m->body[0] != 1 || mem_new(&body, m->len - 1).code) {
        web_answer_error(r, 500, "Encryption failed: the session is gone");
        return OK;
    }
    memcpy(body, m->body + 1, m->len - 1);
    r->answer.retry = r->answer.retry && !r->channel;
    if (r->channel) web_answer_bytes(r, 200, "application/octet-stream", take_bytes(&body), m->len - 1);
    else web_answer_bytes(r, r->sealed_status, r->sealed_type, take_bytes(&body), m->len - 1);
    return OK;
}

void web_secure_answer(struct web_request *r, int status, const char *type, uint8_t *body, size_t n)
{
    BYTES plain = body;
    BYTES message = NULL;
    r->sealing = true;                       /* from here on, an answer is the last one */
    r->on_late = NULL;
    r->sealed_status = status;
    r->sealed_type = type;
    if (mem_new(&message, HEAD_SEAL + n).code) {
        web_answer_error(r, 500, "Encryption failed: no memory");
        return;
    }
    struct wr out = wr_of(message, HEAD_SEAL + n);
    wr_u64(&out, r->session);
    wr_u16(&out, (uint16_t)status);
    wr_u8(&out, strncmp(type, "text/plain", 10) == 0 ? CHANNEL_TEXT : CHANNEL_JSON);
    wr_bytes(&out, plain, n);
    MUST(!out.full);
    if (out.len <= MSG_MAX && web_request_message(r, take_bytes(&message), out.len))
        web_ask(r->web, r, LANE_KEEPER, KEEPER_SEAL, KEEPER_SEALED, SEAL_SECONDS, on_sealed);
    else web_answer_error(r, 500, "Encryption failed: the answer is too long");
}

/* ---- opening ---- */

/* Hand a request's parts to the keeper as one message. */
static void ask_keeper(struct web *w, struct web_request *r, uint16_t ask, const uint8_t *head, size_t head_len,
                       err (*on)(struct web *, struct web_request *, const struct msg *))
{
    BYTES message = NULL;
    const size_t n = head_len + r->len;
    if (mem_new(&message, n).code) {
        web_answer_error(r, 500, no_memory);
        return;
    }
    struct wr out = wr_of(message, n);
    wr_bytes(&out, head, head_len);
    wr_bytes(&out, r->body, r->len);
    MUST(!out.full);
    if (web_request_message(r, take_bytes(&message), n)) web_ask(w, r, LANE_KEEPER, ask, KEEPER_OPENED, OPEN_SECONDS, on);
    else web_answer_error(r, 503, no_room);
}

/* Read KEEPER_OPENED. Out: *v; when it is open, the request has a session and the plaintext as its body. False: it
 * has been answered. */
static err take_opened(bool *on, enum secure_verdict *v, struct web_request *r, const struct msg *m)
{
    BYTES plain = NULL;
    struct rd in = rd_of(m->body, m->len);
    const unsigned said = rd_u8(&in);
    const uint64_t handle = rd_u64(&in);
    *on = false;
    if (!rd_ok(&in) || said >= SECURE_VERDICTS || (said == SECURE_OPEN) != (handle != 0)) FAIL(E_FORMAT, "KEEPER_OPENED makes no sense");
    *v = (enum secure_verdict)said;
    if (said != SECURE_OPEN) {
        *on = true;
        return OK;
    }
    r->session = handle;
    if (mem_new(&plain, in.left).code) {
        web_answer_error(r, 500, no_memory);
        return OK;
    }
    memcpy(plain, in.p, in.left);
    *on = web_request_body(r, take_bytes(&plain), in.left);
    if (!*on) web_answer_error(r, 503, no_room);
    return OK;
}

static const struct { int status; const char *text; } refusals[SECURE_VERDICTS] = {
    [SECURE_BAD_KEY]  = { 400, "Invalid public key format: malformed public key" },
    [SECURE_BAD_FORM] = { 400, "This is no request of the channel." },
    [SECURE_BAD_SEAL] = { 400, "This request is not authentic, or not for this service's channel key." },
    [SECURE_BAD_BOOT] = { 409, "This request is for another start of the service. Ask GET /v1/channel again." },
    [SECURE_BAD_TIME] = { 409, "The time of this request is too far from the service's." },
    [SECURE_REPLAYED] = { 409, "This request was answered before." },
    [SECURE_FULL]     = { 503, "Too many encrypted requests. Try again." },
    [SECURE_NOT_NOW]  = { 503, "The service is not open yet. Try again." },
};

static void refuse(struct web_request *r, enum secure_verdict v) { web_answer_error(r, refusals[v].status, refusals[v].text); }

/* ---- the earlier systems' endpoint ---- */

/* The request's header in bytes, with the words that those systems' clients know. */
static bool client_point(uint8_t *point, size_t *n, struct web_request *r)
{
    const char *hex = MHD_lookup_connection_value(r->con, MHD_HEADER_KIND, "X-Client-Public-Key");
    char words[96];
    if (!hex) {
        web_answer_error(r, 400, "Missing X-Client-Public-Key header");
        return false;
    }
    const size_t digits = strlen(hex);
    for (size_t i = 0; i < digits; i++)
        if ((hex[i] < 0x20 && hex[i] != '\t') || hex[i] > 0x7e) {
            web_answer_error(r, 400, "Invalid header encoding: failed to convert header to a str");
            return false;
        }
    const size_t good = strspn(hex, "0123456789abcdefABCDEF");
    words[0] = 0;
    if (digits % 2) snprintf(words, sizeof words, "Invalid hex encoding: Odd number of digits");
    else if (good != digits) snprintf(words, sizeof words, "Invalid hex encoding: Invalid character '%c' at position %zu", hex[good], good);
    else if ((digits != 66 && digits != 130) || !web_hex(point, digits / 2, hex, digits) || !ec_pubkey_valid(point, digits / 2))
        snprintf(words, sizeof words, "%s", refusals[SECURE_BAD_KEY].text);
    if (words[0]) web_answer_error(r, 400, words);
    *n = digits / 2;
    return !words[0];
}

static err on_secure(struct web *w, struct web_request *r, const struct msg *m)
{
    bool on;
    enum secure_verdict v;
    const char *allow, *type = MHD_lookup_connection_value(r->con, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    TRY(take_opened(&on, &v, r, m));
    if (!on) return OK;
    if (v == SECURE_BAD_SEAL) {
        web_answer_error(r, 400, "Decryption failed: Decryption failed");
    } else if (v != SECURE_OPEN) {
        refuse(r, v);
    } else if (!web_content_type_json(type)) {
        web_answer_error(r, 415, web_text_415);
    } else {
        web_route_find(&r->route, &allow, "POST", "/verify-and-sign");
        if (r->len > r->route->cap) web_answer_error(r, 413, web_text_413);
        else r->route->run(w, r);
    }
    return OK;
}

void web_run_secure(struct web *w, struct web_request *r)
{
    uint8_t head[1 + POINT_MAX];
    const char *text;
    size_t n = 0;
    const int status = web_not_serving(w, &text);
    if (status) {
        web_answer_error(r, status, status == 400 ? "Master key pair not initialized" : text);
    } else if (client_point(head + 1, &n, r)) {
        head[0] = (uint8_t)n;
        if (r->len < AEAD_NONCE) web_answer_error(r, 400, "Decryption failed: Encrypted data missing nonce");
        else ask_keeper(w, r, KEEPER_SECURE, head, 1 + n, on_secure);
    }
}

/* ---- the channel ---- */

/* Run the request that was inside. Its head is authentic now: the keeper opened it under the same bytes. */
static void run_inner(struct web *w, struct web_request *r, uint8_t method)
{
    const char *allow = NULL;
    char *query = strchr(r->inner, '?');
    if (query) *query++ = 0;
    r->query = query;
    web_route_find(&r->route, &allow, method == CHANNEL_POST ? "POST" : "GET", r->inner);
    if (!r->route && allow) web_answer_error(r, 405, "This path does not know that method.");
    else if (!r->route || !r->route->inner) web_answer_error(r, 404, "There is no such path on the channel.");
    else if (r->route->cap && r->len > r->route->cap) web_answer_error(r, 413, web_text_413);
    else r->route->run(w, r);
}

static err on_channel(struct web *w, struct web_request *r, const struct msg *m)
{
    struct channel_request q;
    bool on;
    enum secure_verdict v;
    const bool formed = !channel_parse(&q, r->message, r->message_len).code;
    r->channel = true;
    TRY(take_opened(&on, &v, r, m));
    if (!on) return OK;
    if (v != SECURE_OPEN) {
        refuse(r, v);
        return OK;
    }
    if (!formed) FAIL(E_FORMAT, "the keeper opened what is no request");
    memcpy(r->inner, q.path, sizeof r->inner);
    run_inner(w, r, q.method);
    return OK;
}

static bool channel_ready(const struct web *w)
{
    return w->has_state && (w->state.phase == PHASE_AWAITING_SETUP || w->state.phase == PHASE_SERVING || w->state.phase == PHASE_WITNESSING);
}

void web_run_channel(struct web *w, struct web_request *r)
{
    /* At other times the keeper may not read for long, and a long message would hold up all of web. */
    if (!channel_ready(w)) refuse(r, SECURE_NOT_NOW);
    else if (!r->len) refuse(r, SECURE_BAD_FORM);
    else ask_keeper(w, r, KEEPER_CHANNEL, NULL, 0, on_channel);
}

void web_run_channel_key(struct web *w, struct web_request *r)
{
    uint8_t *body;
    if (!channel_ready(w)) {
        refuse(r, SECURE_NOT_NOW);
        return;
    }
    size_t n = web_channel_body(&body, &w->state);
    if (body) web_answer_bytes(r, 200, "application/json", body, n);
    else web_answer_error(r, 500, no_memory);
}
