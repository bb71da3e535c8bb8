/* web_papers.c - POST /documents and GET /releases: what maintainers send, and what is in force by it. The keeper judges. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "daemon/web.h"
#include "daemon/web_read.h"
#include "policy/document.h"
#include "policy/entry.h"
#include "policy/judge.h"
#include "policy/reason.h"
#include "policy/standing.h"

enum { JUDGE_SECONDS = 130, TEXT_MOST = JUDGE_DETAIL };

static json_t *hex_json(struct rd *r, size_t n)
{
    char hex[2 * 64 + 1];
    const uint8_t *p = rd_bytes(r, n);
    if (!p || n > 64) return NULL;
    hex_from(hex, p, n);
    return json_string(hex);
}

static json_t *text_json(struct rd *r)
{
    size_t n = 0;
    const char *p = (const char *)rd_var(r, TEXT_MOST, &n);
    return p ? json_stringn(p, n) : NULL;
}

void web_answer_value(struct web_request *r, int status, json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text) web_answer_bytes(r, status, "application/json", (uint8_t *)text, strlen(text));
    else web_answer_error(r, 500, "There is no memory for this answer.");
}

/* ---- POST /documents ---- */

static bool read_base64(struct wr *w, const json_t *v, const char *name, size_t most, struct web_problem *why)
{
    BYTES bytes = NULL;
    size_t n = 0;
    const char *text = json_string_value(v);
    if (!text) return web_misfit(why, name, "not text in base64");
    const size_t len = json_string_length(v);
    if (len > 2 * most + 4) return web_misfit(why, name, "too long");
    if (mem_new(&bytes, len + 1).code) return web_problem(why, 500, "There is no memory for this request.");
    if (!base64_read(bytes, len, &n, text, len) || n > most) return web_misfit(why, name, "not base64, or too long");
    wr_var(w, bytes, n);
    return true;
}

bool web_read_document(uint8_t **message, size_t *len, struct web_problem *why, const void *body, size_t n)
{
    enum { MOST = 16 + DOCUMENT_MAX + STANDING_LIST + 8 * STANDING_SIGNATURES };
    JSON json_t *root = NULL;
    json_t *list = NULL;
    BYTES out = NULL;
    bool good = web_parse(&root, why, body, n) && web_object(root, "body", why) && web_array(root, "signatures", &list, why);
    if (good && json_array_size(list) > STANDING_SIGNATURES) good = web_misfit(why, "signatures", "more than 32");
    if (good && mem_new(&out, MOST).code) good = web_problem(why, 500, "There is no memory for this request.");
    struct wr w = wr_of(out, out ? MOST : 0);
    if (good) good = read_base64(&w, json_object_get(root, "document"), "document", DOCUMENT_MAX, why);
    if (good) wr_u32(&w, (uint32_t)json_array_size(list));
    const size_t before = w.len;
    for (size_t i = 0; good && i < json_array_size(list); i++)
        good = read_base64(&w, json_array_get(list, i), "", ENTRY_SIGNATURE_MAX, why) || web_misfit_in(why, "signatures", i);
    if (good && (w.full || w.len - before > STANDING_LIST)) good = web_misfit(why, "signatures", "longer than 16 KiB in all");
    if (!good) web_told(why);
    else {
        *message = take_bytes(&out);
        *len = w.len;
    }
    return good;
}

static const char *const verdicts[] = { [JUDGED_OK] = "ok", [JUDGED_FAILED] = "failed", [JUDGED_SKIPPED] = "skipped" };
static const char *const states[PAPER_STATES] = {
    [PAPER_NONE] = "none", [PAPER_PENDING] = "pending", [PAPER_READY] = "ready", [PAPER_VETOED] = "vetoed", [PAPER_GRANTED] = "granted",
    [PAPER_IN_FORCE] = "in-force", [PAPER_VOID] = "void",
};

static json_t *account_json(struct rd *r)
{
    json_t *account = json_array();
    for (uint32_t left = rd_u32(r); left > 0 && left <= JUDGE_LINES && rd_ok(r); left--) {
        json_t *name = text_json(r);
        const uint8_t verdict = rd_u8(r);
        json_t *detail = text_json(r);
        if (verdict > JUDGED_SKIPPED) r->bad = true;
        json_array_append_new(account, json_pack("{s:o, s:s, s:o}", "name", name, "verdict", rd_ok(r) ? verdicts[verdict] : "", "detail", detail));
    }
    return account;
}

static err on_judged(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    char id[17];
    (void)w;
    const uint8_t outcome = rd_u8(&in), kind = rd_u8(&in);
    JSON json_t *hash = hex_json(&in, 32);
    const uint8_t reason = rd_u8(&in), state = rd_u8(&in);
    const uint64_t ready_at = rd_u64(&in), now = rd_u64(&in);
    JSON json_t *account = account_json(&in);
    TRY(rd_end(&in, "KEEPER_JUDGED"));
    if (outcome >= PAPER_OUTCOMES || kind >= DOCUMENT_KINDS || reason >= REASONS || state >= PAPER_STATES) FAIL(E_FORMAT, "a judgement of no kind");
    if (outcome == PAPER_AGREED) {
        web_answer_value(r, 200, json_pack("{s:s, s:O, s:s, s:I, s:I, s:O}", "kind", document_type((enum document_kind)kind), "hash", hash, "state", states[state],
                                 "ready_at", (json_int_t)ready_at, "now", (json_int_t)now, "account", account));
        return OK;
    }
    /* What is no document is the client's mistake; what is one is refused by the rules. */
    snprintf(id, sizeof id, "%016llx", (unsigned long long)r->id);
    web_answer_value(r, reason == REASON_FORM || reason == REASON_UNKNOWN_FORMAT ? 400 : 403,
           json_pack("{s:s, s:s, s:s, s:O, s:I}", "error", reason_text((enum reason)reason), "reason", reason_name((enum reason)reason), "request_id", id,
                     "account", account, "now", (json_int_t)now));
    return OK;
}

static bool serving(struct web *w, struct web_request *r)
{
    if (w->has_state && (w->state.phase == PHASE_SERVING || w->state.phase == PHASE_WITNESSING)) return true;
    web_answer_error(r, 409, "There is no service here that documents could be about.");
    return false;
}

void web_run_documents(struct web *w, struct web_request *r)
{
    struct web_problem why;
    BYTES message = NULL;
    size_t n = 0;
    if (!web_read_document(&message, &n, &why, r->body, r->len)) web_answer_error(r, why.status, why.text);
    else if (serving(w, r)) {
        if (web_request_message(r, take_bytes(&message), n)) web_ask(w, r, LANE_KEEPER, KEEPER_DOCUMENT, KEEPER_JUDGED, JUDGE_SECONDS, on_judged);
        else web_answer_error(r, 503, "There is no room for this request now.");
    }
}

/* ---- GET /releases ---- */

static json_t *policy_json(struct rd *r)
{
    const bool there = rd_u8(r) == 1;
    JSON json_t *hash = hex_json(r, 32);
    const uint64_t version = rd_u64(r), expires = rd_u64(r), delay = rd_u64(r), ready_at = rd_u64(r);
    if (!there) return json_null();
    return json_pack("{s:O, s:I, s:I, s:I, s:I}", "hash", hash, "version", (json_int_t)version, "expires", (json_int_t)expires, "delay", (json_int_t)delay,
                     "ready_at", (json_int_t)ready_at);
}

static json_t *release_json(struct rd *r)
{
    JSON json_t *hash = hex_json(r, 32);
    JSON json_t *label = text_json(r);
    JSON json_t *pcr0 = hex_json(r, 48);
    const uint64_t sequence = rd_u64(r), expires = rd_u64(r), ready_at = rd_u64(r);
    const uint8_t state = rd_u8(r), emergency = rd_u8(r);
    if (state >= PAPER_STATES) r->bad = true;
    if (!rd_ok(r)) return NULL;
    return json_pack("{s:O, s:O, s:O, s:I, s:I, s:I, s:s, s:b}", "hash", hash, "label", label, "pcr0", pcr0, "sequence", (json_int_t)sequence,
                     "expires", (json_int_t)expires, "ready_at", (json_int_t)ready_at, "state", states[state], "emergency", emergency == 1);
}

static err on_standing(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    (void)w;
    const uint64_t now = rd_u64(&in);
    JSON json_t *policy = policy_json(&in);
    JSON json_t *next = policy_json(&in);
    JSON json_t *releases = json_array();
    const uint32_t n = rd_u32(&in);
    if (n > STANDING_RELEASES) in.bad = true;
    for (uint32_t i = 0; i < n && rd_ok(&in); i++) json_array_append_new(releases, release_json(&in));
    TRY(rd_end(&in, "KEEPER_STANDING_IS"));
    web_answer_value(r, 200, json_pack("{s:O, s:O, s:O, s:I}", "policy", policy, "next_policy", next, "releases", releases, "now", (json_int_t)now));
    return OK;
}

void web_run_releases(struct web *w, struct web_request *r)
{
    if (serving(w, r)) web_ask(w, r, LANE_KEEPER, KEEPER_STANDING, KEEPER_STANDING_IS, JUDGE_SECONDS, on_standing);
}
