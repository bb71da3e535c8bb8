/* web_upgrade.c - GET /announcement of a new build, POST /upgrade/grant of the old one. The keeper judges. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "daemon/web.h"
#include "daemon/web_read.h"

enum { GRANT_SECONDS = 200, ANNOUNCE_SECONDS = 20, DOCUMENT_MOST = 16 << 10, NONCE_MOST = 512 };

/* ---- GET /announcement ---- */

static err on_announced(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    BYTES text = NULL;
    size_t n = 0;
    (void)w;
    const uint8_t *doc = rd_var(&in, DOCUMENT_MOST, &n);
    TRY(rd_end(&in, "KEEPER_ANNOUNCED"));
    if (mem_new(&text, base64_size(n)).code) web_answer_error(r, 500, "There is no memory for this answer.");
    else {
        base64_from((char *)text, doc, n);
        web_answer_value(r, 200, json_pack("{s:s}", "document", (const char *)text));
    }
    return OK;
}

void web_run_announcement(struct web *w, struct web_request *r)
{
    const char *hex = MHD_lookup_connection_value(r->con, MHD_GET_ARGUMENT_KIND, "nonce");
    const size_t digits = hex ? strlen(hex) : 0;
    uint8_t nonce[NONCE_MOST];
    BYTES message = NULL;
    if (digits % 2 || digits > 2 * NONCE_MOST || (hex && !digits) || !web_hex(nonce, digits / 2, hex ? hex : "", digits)) {
        web_answer_error(r, 400, "nonce is 1 to 512 bytes in hex.");
        return;
    }
    if (!w->has_state || w->state.phase != PHASE_ANNOUNCING) {
        web_answer_error(r, 409, "This build announces nothing: it does not wait for a grant.");
        return;
    }
    if (mem_new(&message, 4 + digits / 2).code) {
        web_answer_error(r, 500, "There is no memory for this request.");
        return;
    }
    struct wr out = wr_of(message, 4 + digits / 2);
    wr_var(&out, nonce, digits / 2);
    if (web_request_message(r, take_bytes(&message), out.len)) web_ask(w, r, LANE_KEEPER, KEEPER_ANNOUNCE, KEEPER_ANNOUNCED, ANNOUNCE_SECONDS, on_announced);
    else web_answer_error(r, 503, "There is no room for this request now.");
}

/* ---- POST /upgrade/grant ---- */

static json_t *text_json(struct rd *r)
{
    size_t n = 0;
    const char *p = (const char *)rd_var(r, 400, &n);
    return p ? json_stringn(p, n) : NULL;
}

static err on_granted(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    char id[17];
    (void)w;
    const bool granted = rd_u8(&in) == 1;
    JSON json_t *reason = text_json(&in);
    JSON json_t *words = text_json(&in);
    JSON json_t *object = text_json(&in);
    TRY(rd_end(&in, "KEEPER_GRANTED"));
    snprintf(id, sizeof id, "%016llx", (unsigned long long)r->id);
    if (granted) web_answer_value(r, 200, json_pack("{s:s, s:O}", "granted", r->granting, "object", object));
    else web_answer_value(r, 403, json_pack("{s:O, s:O, s:s}", "error", words, "reason", reason, "request_id", id));
    return OK;
}

static bool read_grant(uint8_t **message, size_t *len, char release[static 65], struct web_problem *why, const void *body, size_t n)
{
    JSON json_t *root = NULL;
    const char *text = NULL;
    size_t digits = 0, doc_len = 0, coded = 0;
    uint8_t hash[32];
    BYTES doc = NULL;
    BYTES out = NULL;
    bool good = web_parse(&root, why, body, n) && web_object(root, "body", why) && web_text(root, "release", &text, &digits, why);
    if (good && (digits != 64 || !web_hex(hash, 32, text, digits))) good = web_misfit(why, "release", "not 64 hex digits");
    if (good) good = web_text(root, "announcement", &text, &coded, why);
    if (good && (mem_new(&doc, coded + 1).code || mem_new(&out, 36 + DOCUMENT_MOST).code)) good = web_problem(why, 500, "There is no memory for this request.");
    if (good && (!base64_read(doc, coded, &doc_len, text, coded) || doc_len > DOCUMENT_MOST)) good = web_misfit(why, "announcement", "not base64, or too long");
    if (!good) {
        web_told(why);
        return false;
    }
    struct wr w = wr_of(out, 36 + DOCUMENT_MOST);
    wr_bytes(&w, hash, 32);
    wr_var(&w, doc, doc_len);
    hex_from(release, hash, 32);
    *message = take_bytes(&out);
    *len = w.len;
    return true;
}

void web_run_grant(struct web *w, struct web_request *r)
{
    struct web_problem why;
    BYTES message = NULL;
    size_t n = 0;
    if (!read_grant(&message, &n, r->granting, &why, r->body, r->len)) web_answer_error(r, why.status, why.text);
    else if (!w->has_state || w->state.phase != PHASE_SERVING) web_answer_error(r, 409, "Only a build that serves can hand its service over.");
    else if (web_request_message(r, take_bytes(&message), n)) web_ask(w, r, LANE_KEEPER, KEEPER_GRANT, KEEPER_GRANTED, GRANT_SECONDS, on_granted);
    else web_answer_error(r, 503, "There is no room for this request now.");
}
