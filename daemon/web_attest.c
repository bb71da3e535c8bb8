/* web_attest.c - GET /attestation, /statement and /key-evidence: the keeper's words, handed on. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "daemon/web.h"
#include "daemon/web_read.h"
#include "daemon/web_text.h"

enum { NONCE_MAX = 512, DOCUMENT_MAX = 0x3000, STATEMENT_ROOM = 4096, ATTEST_SECONDS = 20, EVIDENCE_SECONDS = 90 };

struct attested { const uint8_t *doc, *text; size_t doc_len, text_len; };

static err read_attested(struct attested *a, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    a->doc = rd_var(&r, DOCUMENT_MAX, &a->doc_len);
    a->text = rd_var(&r, STATEMENT_ROOM, &a->text_len);
    return rd_end(&r, "KEEPER_ATTESTED");
}

static void answer_copy(struct web_request *r, const char *type, const uint8_t *p, size_t n)
{
    BYTES body = NULL;
    if (mem_new(&body, n).code) {
        web_answer_error(r, 500, "There is no memory for this answer.");
        return;
    }
    memcpy(body, p, n);
    web_answer_bytes(r, 200, type, take_bytes(&body), n);
}

static err on_cose(struct web *w, struct web_request *r, const struct msg *m)
{
    struct attested a;
    (void)w;
    TRY(read_attested(&a, m));
    answer_copy(r, "application/cose", a.doc, a.doc_len);
    return OK;
}

static err on_statement(struct web *w, struct web_request *r, const struct msg *m)
{
    struct attested a;
    (void)w;
    TRY(read_attested(&a, m));
    answer_copy(r, "application/json", a.text, a.text_len);
    return OK;
}

static err on_json(struct web *w, struct web_request *r, const struct msg *m)
{
    struct attested a;
    uint8_t *body;
    (void)w;
    TRY(read_attested(&a, m));
    size_t n = web_attested_body(&body, "statement", a.doc, a.doc_len, a.text, a.text_len);
    if (body) web_answer_bytes(r, 200, "application/json", body, n);
    else web_answer_error(r, 500, "There is no memory for this answer.");
    return OK;
}

static void ask(struct web *w, struct web_request *r, bool document, const uint8_t *nonce, size_t n,
                err (*on)(struct web *, struct web_request *, const struct msg *))
{
    BYTES message = NULL;
    const size_t cap = 1 + 4 + n;
    if (mem_new(&message, cap).code) {
        web_answer_error(r, 500, "There is no memory for this request.");
        return;
    }
    struct wr out = wr_of(message, cap);
    wr_u8(&out, document);
    wr_var(&out, nonce, n);
    if (web_request_message(r, take_bytes(&message), out.len))
        web_ask(w, r, LANE_KEEPER, KEEPER_ATTEST, KEEPER_ATTESTED, ATTEST_SECONDS, on);
    else web_answer_error(r, 503, "There is no room for this request now.");
}

/* ?nonce=HEX. Out: *n, 0 when there is none; false when the client was told that it is none. */
static bool read_nonce(uint8_t nonce[static NONCE_MAX], size_t *n, struct web_request *r)
{
    const char *hex = MHD_lookup_connection_value(r->con, MHD_GET_ARGUMENT_KIND, "nonce");
    const size_t digits = hex ? strlen(hex) : 0;
    *n = digits / 2;
    if (!hex || (digits != 0 && digits % 2 == 0 && digits <= 2 * NONCE_MAX && web_hex(nonce, digits / 2, hex, digits))) return true;
    web_answer_error(r, 400, "nonce is 1 to 512 bytes in hex.");
    return false;
}

void web_run_attestation(struct web *w, struct web_request *r)
{
    const char *format = MHD_lookup_connection_value(r->con, MHD_GET_ARGUMENT_KIND, "format");
    const bool cose = format && strcmp(format, "cose") == 0;
    uint8_t nonce[NONCE_MAX] = { 0 };
    size_t n = 0;
    if (format && !cose && strcmp(format, "json") != 0) {
        web_answer_error(r, 400, "format is cose or json.");
        return;
    }
    if (read_nonce(nonce, &n, r)) ask(w, r, true, nonce, n, cose ? on_cose : on_json);
}

void web_run_statement(struct web *w, struct web_request *r)
{
    ask(w, r, false, NULL, 0, on_statement);
}

/* ---- what KMS says about the key ---- */

static err on_evidence(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    struct attested a;
    uint8_t *body;
    (void)w;
    a.doc = rd_var(&in, DOCUMENT_MAX, &a.doc_len);
    a.text = rd_var(&in, m->len, &a.text_len);
    TRY(rd_end(&in, "KEEPER_EVIDENCE_IS"));
    size_t n = web_attested_body(&body, "evidence", a.doc, a.doc_len, a.text, a.text_len);
    if (body) web_answer_bytes(r, 200, "application/json", body, n);
    else web_answer_error(r, 500, "There is no memory for this answer.");
    return OK;
}

void web_run_evidence(struct web *w, struct web_request *r)
{
    uint8_t nonce[NONCE_MAX] = { 0 };
    BYTES message = NULL;
    size_t n = 0;
    if (!read_nonce(nonce, &n, r)) return;
    if (mem_new(&message, 4 + n).code) {
        web_answer_error(r, 500, "There is no memory for this request.");
        return;
    }
    struct wr out = wr_of(message, 4 + n);
    wr_var(&out, nonce, n);
    if (web_request_message(r, take_bytes(&message), out.len))
        web_ask(w, r, LANE_KEEPER, KEEPER_EVIDENCE, KEEPER_EVIDENCE_IS, EVIDENCE_SECONDS, on_evidence);
    else web_answer_error(r, 503, "There is no room for this request now.");
}
