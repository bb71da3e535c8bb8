/* web_api.c - the route table, and what each route does (docs/api.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "daemon/web.h"
#include "daemon/web_json.h"
#include "daemon/web_text.h"

/* Seconds until a client hears 503. A derivation waits for KMS. */
enum { SETUP_SECONDS = 150, LIST_SECONDS = 10, COUNT_SECONDS = 2 };
enum { SIGN_BODY = SECURE_PLAIN_MAX, SETUP_BODY = CHANNEL_PLAIN_MAX, SECURE_BODY = SECURE_PLAIN_MAX + SECURE_SLACK + SECURE_OVERHEAD,
       ADDRESS_BODY = 1 << 20, GROW_BODY = 4096, GRANT_BODY = 64 << 10, DOCUMENT_BODY = 128 << 10, CHANNEL_BODY = CHANNEL_PLAIN_MAX + CHANNEL_ASK_MORE, LIST_MAX = 1000, LIST_USUAL = 100, BOOK_ASK = 4 + 8 + 8 };

/* Words that earlier systems' clients know (facts of their API) and may compare. */
static const char no_secret[] = "Secret not found. Make sure to call `/setup` first.";
static const char not_open[] = "The service is not open yet. Try again.";
static const char unwitnessed[] = "Nothing is signed before the witnesses have cosigned this start of the service. Try again.";
static const char handed_over[] = "This service has been handed over to another build: nothing is signed here.";
static const char rolled_back[] = "rollback detected: a witness has seen more of this service's log than the store holds. Nothing is signed.";
const char web_text_415[] = "Expected request with `Content-Type: application/json`";
const char web_text_413[] = "Failed to buffer the request body: length limit exceeded";

void web_answer_json(struct web_request *r, uint8_t *body, size_t n)
{
    if (body) web_answer_bytes(r, 200, "application/json", body, n);
    else web_answer_error(r, 500, "There is no memory for this answer.");
}

static bool has_key(const struct web *w)
{
    return w->has_state && w->state.has_service && (w->state.public_key[0] == 2 || w->state.public_key[0] == 3);
}

static unsigned phase(const struct web *w) { return w->has_state ? w->state.phase : PHASE_STARTING; }

/* The book is open as soon as the state is restored, before witnesses allow to sign. */
static bool book_open(const struct web *w) { return phase(w) == PHASE_SERVING || phase(w) == PHASE_WITNESSING; }

/* ---- GET ---- */

static void run_health(struct web *w, struct web_request *r)
{
    (void)w;
    web_answer_text(r, 200, "OK");
}

static void run_public_key(struct web *w, struct web_request *r)
{
    uint8_t *body;
    if (!has_key(w)) {
        web_answer_error(r, 404, no_secret);
        return;
    }
    size_t n = web_public_key_body(&body, &w->state);
    web_answer_json(r, body, n);
}

static void run_settings(struct web *w, struct web_request *r)
{
    uint8_t *body;
    if (!has_key(w)) {
        web_answer_error(r, 404, "Settings not set.");
        return;
    }
    size_t n = web_settings_body(&body, &w->state);
    web_answer_json(r, body, n);
}

/* ---- what the book has ---- */

static void answer_status(struct web *w, struct web_request *r, const uint64_t *requests)
{
    uint8_t *body;
    const struct web_status s = {
        .config = &w->env->config, .state = w->has_state ? &w->state : NULL,
        .disk = w->has_disk ? &w->disk : NULL, .requests = requests, .log = &w->log,
    };
    size_t n = web_status_body(&body, &s);
    web_answer_json(r, body, n);
}

static bool next_entry(void *self, struct wire_entry *e)
{
    struct rd *r = self;
    wire_get_entry(r, e);
    return rd_ok(r);
}

static err on_listed(struct web *w, struct web_request *r, const struct msg *m)
{
    (void)w;
    struct rd in = rd_of(m->body, m->len);
    uint8_t *body;
    uint64_t total = rd_u64(&in);
    uint32_t count = rd_u32(&in);
    if (!rd_ok(&in) || count > LIST_MAX) FAIL(E_FORMAT, "BOOK_LISTED of %u entries", count);
    size_t n = web_requests_body(&body, total, count, next_entry, &in);
    err e = rd_end(&in, "BOOK_LISTED");
    if (e.code) {
        free(body);
        return e;
    }
    web_answer_json(r, body, n);
    return OK;
}

static err on_counted(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    uint64_t total = rd_u64(&in);
    if (!rd_ok(&in)) FAIL(E_FORMAT, "BOOK_LISTED of %u bytes", m->len);
    answer_status(w, r, &total);
    return OK;
}

static bool ask_book(struct web *w, struct web_request *r, uint32_t limit, uint64_t before, uint64_t since, unsigned seconds,
                     err (*on)(struct web *, struct web_request *, const struct msg *))
{
    BYTES message = NULL;
    if (mem_new(&message, BOOK_ASK).code) return false;
    struct wr out = wr_of(message, BOOK_ASK);
    wr_u32(&out, limit);
    wr_u64(&out, before);
    wr_u64(&out, since);
    if (!web_request_message(r, take_bytes(&message), BOOK_ASK)) return false;
    web_ask(w, r, LANE_BOOK, BOOK_LIST, BOOK_LISTED, seconds, on);
    return true;
}

/* An operator's view must not hang on the book: when it is late, the rest is told without it. */
static void late_status(struct web *w, struct web_request *r) { answer_status(w, r, NULL); }

static void run_status(struct web *w, struct web_request *r)
{
    r->on_late = late_status;
    if (!book_open(w) || !ask_book(w, r, 1, 0, 0, COUNT_SECONDS, on_counted)) answer_status(w, r, NULL);
}

const char *web_argument(struct web_request *r, const char *name, char *room, size_t cap)
{
    if (!r->session) return MHD_lookup_connection_value(r->con, MHD_GET_ARGUMENT_KIND, name);
    const size_t n = strlen(name);
    for (const char *p = r->query; p; p = strchr(p, '&')) {
        p += *p == '&';
        if (strncmp(p, name, n) != 0 || p[n] != '=') continue;
        snprintf(room, cap, "%.*s", (int)strcspn(p + n + 1, "&"), p + n + 1);
        return room;
    }
    return NULL;
}

bool web_number(struct web_request *r, const char *name, uint64_t max, uint64_t *out)
{
    char room[CHANNEL_PATH_MAX + 1];
    const char *text = web_argument(r, name, room, sizeof room);
    return !text || web_decimal(text, max, out);
}

static void run_requests(struct web *w, struct web_request *r)
{
    uint64_t limit = LIST_USUAL, before = 0, since = 0;
    if (!web_number(r, "limit", LIST_MAX, &limit) || limit == 0) {
        web_answer_error(r, 400, "limit is a number from 1 to 1000.");
    } else if (!web_number(r, "before", INT64_MAX, &before)) {
        web_answer_error(r, 400, "before is a row number.");
    } else if (!web_number(r, "since", INT64_MAX, &since)) {
        web_answer_error(r, 400, "since is a time in unix seconds.");
    } else if (!book_open(w)) {
        web_answer_error(r, 503, not_open);
    } else if (!ask_book(w, r, (uint32_t)limit, before, since, LIST_SECONDS, on_listed)) {
        web_answer_error(r, 503, "There is no room for this request now.");
    }
}

/* ---- POST /setup ---- */

static err on_setup(struct web *w, struct web_request *r, const struct msg *m)
{
    /* NULL: it depends. */
    static const struct { int status; const char *text; } said[] = {
        [SETUP_DONE]       = { 200, "Secret generated successfully." },
        [SETUP_ALREADY]    = { 409, "Settings already set." },
        [SETUP_KMS_FAILED] = { 500, "KMS operation failed." },
        [SETUP_KMS_EMPTY]  = { 500, "KMS returned no secret." },
        [SETUP_KMS_LENGTH] = { 500, "Invalid secret length from KMS." },
        [SETUP_DENIED]     = { 403, "The configuration of this service does not allow setup." },
        [SETUP_NOT_NOW]    = { 503, "Setup is not possible now. Try again." },
        [SETUP_BAD_KEY]    = { 400, "This KMS key is not one that the service accepts." },
        [SETUP_FAILED]     = { 500, "Setup failed." },
        [SETUP_KEY_REFUSED] = { 403, NULL },
        [SETUP_BAD_HEADERS] = { 422, NULL },
    };
    struct rd in = rd_of(m->body, m->len);
    char words[1024];
    size_t n = 0;
    (void)w;
    const uint8_t verdict = rd_u8(&in);
    const uint32_t findings = rd_u32(&in);
    const uint8_t *told = rd_var(&in, WIRE_TEXT - 1, &n);
    TRY(rd_end(&in, "KEEPER_SETUP_IS"));
    if (verdict >= sizeof said / sizeof *said) FAIL(E_FORMAT, "KEEPER_SETUP_IS has no known verdict");
    if (verdict == SETUP_KEY_REFUSED) web_refused_text(words, sizeof words, findings);
    else if (verdict == SETUP_BAD_HEADERS) snprintf(words, sizeof words, "headers: %.*s", (int)n, (const char *)told);
    else snprintf(words, sizeof words, "%s", said[verdict].text);
    if (verdict == SETUP_DONE) web_answer_text(r, said[verdict].status, words);
    else web_answer_error(r, said[verdict].status, words);
    return OK;
}

static void run_setup(struct web *w, struct web_request *r)
{
    struct web_problem why;
    BYTES message = NULL;
    size_t n = 0;
    if (!web_read_setup(&message, &n, &why, r->body, r->len)) {
        web_answer_error(r, why.status, why.text);
        return;
    }
    if (!r->channel && strcmp(w->env->config.setup, "channel") == 0) {
        web_answer_error(r, 403, "This service is set up over the channel only.");
        return;
    }
    if (phase(w) == PHASE_STARTING || phase(w) == PHASE_RESTORING) {
        web_answer_error(r, 503, not_open);
        return;
    }
    if (web_request_message(r, take_bytes(&message), n))
        web_ask(w, r, LANE_KEEPER, KEEPER_SETUP, KEEPER_SETUP_IS, SETUP_SECONDS, on_setup);
    else web_answer_error(r, 503, "There is no room for this request now.");
}

/* What a client hears before there is a key to sign with; 0: there is one. */
int web_not_serving(const struct web *w, const char **text)
{
    if (phase(w) == PHASE_SERVING) return 0;
    if (phase(w) == PHASE_WITNESSING) {
        *text = w->log.freshness == FRESH_ROLLBACK ? rolled_back : unwitnessed;
        return 503;
    }
    if (phase(w) == PHASE_HANDED_OVER) {
        *text = handed_over;
        return 409;
    }
    *text = w->awaited ? no_secret : not_open;
    return w->awaited ? 400 : 503;
}

/* ---- POST /address ---- */

static void run_address(struct web *w, struct web_request *r)
{
    struct web_problem why;
    struct web_address a;
    enum child_kind kind;
    uint8_t *body;
    if (!has_key(w)) {
        web_answer_error(r, 404, no_secret);
        return;
    }
    if (!child_kind_of(&kind, w->state.profile)) {
        web_answer_error(r, 500, "The service has no known profile.");
        return;
    }
    if (!web_read_address(&a, &why, r->body, r->len, kind, &w->state.rules)) {
        web_answer_error(r, why.status, why.text);
        return;
    }
    size_t n = web_address_body(&body, &a, w->state.public_key);
    web_answer_json(r, body, n);
}

/* ---- routes ---- */

static const struct web_route routes[] = {
    /* method, path                     bytes of body            JSON  over the channel */
    { "GET",  "/health",                 0,                       false, false, run_health },
    { "GET",  "/public-key",             0,                       false, true,  run_public_key },
    { "GET",  "/settings",               0,                       false, true,  run_settings },
    { "GET",  "/status",                 0,                       false, true,  run_status },
    { "GET",  "/requests",               0,                       false, true,  run_requests },
    { "GET",  "/attestation",            0,                       false, false, web_run_attestation },
    { "GET",  "/statement",              0,                       false, false, web_run_statement },
    { "GET",  "/key-evidence",           0,                       false, false, web_run_evidence },
    { "GET",  "/log/checkpoint",         0,                       false, true,  web_run_checkpoint },
    { "GET",  "/releases",               0,                       false, true,  web_run_releases },
    { "POST", "/documents",              DOCUMENT_BODY,           true,  true,  web_run_documents },
    { "GET",  "/announcement",           0,                       false, false, web_run_announcement },
    { "POST", "/upgrade/grant",          GRANT_BODY,              true,  true,  web_run_grant },
    { "GET",  "/log/entries",            0,                       false, true,  web_run_entries },
    { "GET",  "/log/proof",              0,                       false, true,  web_run_proof },
    { "POST", "/setup",                  SETUP_BODY,              true,  true,  run_setup },
    { "POST", "/seal",                   0,                       false, true,  web_run_seal },
    { "POST", "/backup/verify",          0,                       false, true,  web_run_backup_verify },
    { "POST", "/disk/grow",              GROW_BODY,               true,  true,  web_run_grow },
    { "POST", "/verify-and-sign",        SIGN_BODY,               true,  true,  web_run_sign },
    { "POST", "/sign",                   SIGN_BODY,               true,  true,  web_run_sign },
    { "POST", "/address",                ADDRESS_BODY,            true,  true,  run_address },
    { "POST", "/verify",                 SIGN_BODY,               true,  true,  web_run_verify },
    { "POST", "/secure/verify-and-sign", SECURE_BODY,             false, false, web_run_secure },
    { "GET",  "/v1/channel",             0,                       false, false, web_run_channel_key },
    { "POST", "/v1/channel",             CHANNEL_BODY,            false, false, web_run_channel },
};

void web_route_find(const struct web_route **route, const char **allow, const char *method, const char *path)
{
    static const char *const allows[] = { NULL, "GET, HEAD", "POST", "GET, HEAD, POST" };
    unsigned known = 0;
    *route = NULL;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(routes[i].path, path) != 0) continue;
        const bool get = strcmp(routes[i].method, "GET") == 0;
        known |= get ? 1 : 2;
        if (strcmp(routes[i].method, method) == 0 || (get && strcmp(method, "HEAD") == 0)) *route = &routes[i];
    }
    *allow = allows[known];
}

bool web_content_type_json(const char *value)
{
    static const char before[] = "application/", json[] = "json", plus[] = "+json";
    if (!value || strncasecmp(value, before, sizeof before - 1) != 0) return false;
    value += sizeof before - 1;
    size_t n = strcspn(value, "; \t");
    if (n == sizeof json - 1) return strncasecmp(value, json, n) == 0;
    return n > sizeof plus - 1 && strncasecmp(value + n - (sizeof plus - 1), plus, sizeof plus - 1) == 0;
}
