/* web_judge.c - /verify-and-sign and /verify: the question to a judge, and its verdict to the client. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "daemon/trace.h"
#include "daemon/web.h"
#include "daemon/web_form.h"
#include "daemon/web_text.h"
#include "daemon/web_trace.h"
#include "signer/emulate.h"
#include "signer/tx.h"

enum { SIGN_SECONDS = 30 };            /* until a client hears 503 */

/* The signatures of a verdict, put to the inputs they are for: ascending, none twice. */
static err read_signatures(struct web_signature *out, struct rd *in, const struct tx *tx)
{
    uint32_t count = rd_u32(in);
    uint64_t least = 0;
    for (uint32_t i = 0; i < count && rd_ok(in); i++) {
        uint32_t input = rd_u32(in);
        bool annex = rd_u8(in);
        const uint8_t *bytes = rd_bytes(in, 64);
        if (!bytes || input < least || input >= tx->in_count) FAIL(E_FORMAT, "a verdict on an input that is not there");
        if (annex && tx->in[input].witness_count < 2) FAIL(E_FORMAT, "a verdict keeps an annex that is not there");
        out[input] = (struct web_signature){ .made = true, .annex = annex, .bytes = bytes };
        least = (uint64_t)input + 1;
    }
    size_t n = 0;
    const uint8_t *kinds = rd_var(in, tx->in_count, &n);
    TRY(rd_end(in, "JUDGE_VERDICT"));
    if (n != tx->in_count) FAIL(E_FORMAT, "a verdict on %zu inputs of %zu", n, tx->in_count);
    for (size_t i = 0; i < n; i++) {
        out[i].kind = kinds[i];
        if (kinds[i] > SKIP_ON_CHAIN || out[i].made != (kinds[i] == EMULATE_INPUT)) FAIL(E_FORMAT, "a verdict that contradicts itself");
    }
    return OK;
}

static void drop_signatures(struct web_signature **s) { free(*s); }

/* The transaction comes back as the judge was asked about it, from the message itself. */
static err answer_signed(struct web_request *r, struct rd *in)
{
    struct rd asked = rd_of(r->message, r->message_len);
    size_t n = 0;
    uint8_t *body = NULL;
    TX tx = NULL;
    (void)rd_bytes(&asked, JUDGE_HEAD);
    const uint8_t *p = rd_var(&asked, r->message_len, &n);
    MUST(p);
    err e = tx_parse(&tx, p, n);
    if (e.code && e.code != E_MEMORY) return e;
    __attribute__((cleanup(drop_signatures))) struct web_signature *s = tx ? calloc(tx->in_count, sizeof *s) : NULL;
    if (!s) {
        web_answer_json(r, NULL, 0);
        return OK;
    }
    TRY(read_signatures(s, in, tx));
    if (r->form.kind == WEB_FORM_INPUT && !s[r->form.input].made) FAIL(E_FORMAT, "a verdict that is not on the input asked for");
    if (r->form.kind == WEB_FORM_JSON) n = web_signed_body(&body, tx, s, r->message_len);
    else n = web_form_answer(&body, &r->form, tx, s, r->message + r->message_len);
    web_answer_json(r, body, n);
    return OK;
}

enum { WORDS = 512 };

/* How every verdict begins. Out: the HTTP status and the public words. */
static err read_status(int *status, char words[static WORDS], struct rd *in)
{
    size_t n = 0;
    *status = rd_u16(in);
    const uint8_t *text = rd_var(in, WORDS - 1, &n);
    if (!text || (*status != 200 && (*status < 400 || *status > 599))) FAIL(E_FORMAT, "a verdict with status %d", *status);
    memcpy(words, text, n);
    words[n] = 0;
    return OK;
}

static err on_verdict(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    char words[WORDS];
    int status;
    (void)w;
    TRY(read_status(&status, words, &in));
    if (status == 200) return answer_signed(r, &in);
    if (rd_u32(&in) != 0 || rd_u32(&in) != 0) FAIL(E_FORMAT, "a verdict that refuses and signs");
    TRY(rd_end(&in, "JUDGE_VERDICT"));
    web_answer_error(r, status, words);
    return OK;
}

/* POST /verify: what each input is, or why not, and no signature. */
static err on_dry_verdict(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    BYTES body = NULL;
    char words[WORDS];
    size_t kind_count = 0, traced = 0, n;
    int status;
    (void)w;
    TRY(read_status(&status, words, &in));
    const uint8_t *kinds = rd_var(&in, r->message_len, &kind_count), *trace = rd_var(&in, TRACE_BYTES, &traced);
    TRY(rd_end(&in, "TRIAL_VERDICT"));
    for (size_t i = 0; i < kind_count; i++)
        if (kinds[i] > SKIP_ON_CHAIN) FAIL(E_FORMAT, "an input of no kind");
    if ((kind_count != 0) != (status == 200) || (traced != 0) != r->form.trace) FAIL(E_FORMAT, "a dry run's verdict that contradicts itself");
    n = status == 200 ? web_valid_body(&body, kinds, kind_count) : web_error_body(&body, words, status, r->id);
    if (body && traced) {
        err e = web_trace_add(&body, &n, trace, traced);
        if (e.code == E_MEMORY) mem_free_bytes(&body);
        else TRY(e);
    }
    if (!body) web_answer_error(r, 500, "There is no memory for this answer.");
    else web_answer_bytes(r, status, "application/json", take_bytes(&body), n);
    return OK;
}

/* Take the body in, and see whether there is a key. True: r has its message. */
static bool ready_to_ask(struct web *w, struct web_request *r)
{
    struct web_problem why;
    uint8_t *message;
    size_t n;
    const char *text;
    struct web_form form;
    if (!web_read_sign(&message, &n, &form, &why, r->id, r->body, r->len)) {
        web_answer_error(r, why.status, why.text);
        return false;
    }
    if (!web_request_asked(r, message, n, &form)) {
        web_answer_error(r, 503, "There is no room for this request now.");
        return false;
    }
    const int status = web_not_serving(w, &text);
    if (status) web_answer_error(r, status, text);
    return status == 0;
}

void web_run_sign(struct web *w, struct web_request *r)
{
    if (!ready_to_ask(w, r)) return;
    if (r->form.trace) web_answer_error(r, 400, "trace goes with /verify only: whoever signs tells the verdict alone.");
    else web_ask(w, r, LANE_JUDGE, JUDGE_SIGN, JUDGE_VERDICT, SIGN_SECONDS, on_verdict);
}

/* The judge of dry runs has no way to sign, so what it would ask there stands in front. */
static bool put_params(const struct web *w, struct web_request *r)
{
    BYTES message = NULL;
    const size_t cap = WIRE_TERMS_MOST + 1 + r->message_len;
    const bool trace = r->form.trace;
    const struct wire_setup *set = &w->state.settings;
    struct wire_terms terms = { .max_weight = set->limited ? set->max_weight : TX_MAX_WEIGHT, .rules = w->state.rules };
    enum child_kind kind;
    if (!child_kind_of(&kind, w->state.profile) || mem_new(&message, cap).code) return false;
    terms.kind = (uint8_t)kind;
    memcpy(terms.master, w->state.public_key, sizeof terms.master);
    struct wr out = wr_of(message, cap);
    wire_put_terms(&out, &terms);
    wr_u8(&out, trace);
    wr_bytes(&out, r->message, r->message_len);
    const bool taken = web_request_message(r, take_bytes(&message), out.len);
    r->form = (struct web_form){ .trace = trace };     /* a dry run answers in one form only; what was kept for it is gone */
    return taken;
}

void web_run_verify(struct web *w, struct web_request *r)
{
    if (!ready_to_ask(w, r)) return;
    if (put_params(w, r)) web_ask(w, r, LANE_TRIAL, TRIAL_VERIFY, TRIAL_VERDICT, SIGN_SECONDS, on_dry_verdict);
    else web_answer_error(r, 503, "There is no room for this request now.");
}
