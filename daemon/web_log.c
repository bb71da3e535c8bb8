/* web_log.c - GET /log/checkpoint, /log/entries and /log/proof: disk's words, handed on; entries and proofs are the parent's, and for
 * the client to check. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/link.h"
#include "core/mem.h"
#include "daemon/web.h"
#include "daemon/web_text.h"
#include "policy/tail.h"

/* Longer than disk waits for the parent. */
enum { LOG_SECONDS = 55, ENTRIES_USUAL = 100 };

err web_take_log(struct web *w, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    BYTES copy = NULL;
    size_t n = 0;
    struct wire_log l;
    wire_get_log(&r, &l);
    const uint8_t *note = rd_var(&r, WIRE_LOG_MOST, &n);
    TRY(rd_end(&r, "DISK_LOG"));
    if (n) {
        TRY(mem_new(&copy, n));
        memcpy(copy, note, n);
        mem_free_bytes(&w->checkpoint);
        w->checkpoint = take_bytes(&copy);
        w->checkpoint_len = n;
    }
    w->log = l;
    return OK;
}

void web_run_checkpoint(struct web *w, struct web_request *r)
{
    BYTES body = NULL;
    if (!w->checkpoint_len) {
        web_answer_error(r, 404, w->log.size ? "No witness has cosigned a checkpoint of this start yet." : "There is no log yet.");
        return;
    }
    if (mem_new(&body, w->checkpoint_len).code) {
        web_answer_error(r, 500, "There is no memory for this answer.");
        return;
    }
    memcpy(body, w->checkpoint, w->checkpoint_len);
    web_answer_bytes(r, 200, "text/plain; charset=utf-8", take_bytes(&body), w->checkpoint_len);
}

/* ---- entries and proofs ---- */

static bool told_outcome(struct web_request *r, uint8_t outcome)
{
    static const struct { int status; const char *text; } said[LOG_OUTCOMES] = {
        [LOG_BUSY] = { 503, "The log is being read for somebody else. Try again." },
        [LOG_AWAY] = { 502, "The parent, which keeps the log's entries, cannot be reached." },
        [LOG_LATE] = { 503, "The parent did not give this part of the log in time. Try again." },
        [LOG_ODD] = { 502, "The parent does not give this part of the log. Its own log tells why." },
        [LOG_OUT_OF_RANGE] = { 400, "The log does not have so many entries." },
    };
    if (outcome < LOG_OUTCOMES && said[outcome].text) web_answer_error(r, said[outcome].status, said[outcome].text);
    return outcome != LOG_READ;
}

static err on_entries(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    uint8_t *body = NULL;
    const uint8_t outcome = rd_u8(&in);
    (void)w;
    if (outcome >= LOG_OUTCOMES) FAIL(E_FORMAT, "DISK_LOG_ENTRIES of no kind");
    if (told_outcome(r, outcome)) return rd_end(&in, "DISK_LOG_ENTRIES");
    const uint64_t size = rd_u64(&in), from = rd_u64(&in);
    size_t n = web_entries_body(&body, size, from, &in);
    err e = rd_end(&in, "DISK_LOG_ENTRIES");
    if (e.code) {
        free(body);
        return e;
    }
    web_answer_json(r, body, n);
    return OK;
}

static err on_proof(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    uint8_t *body = NULL;
    const uint8_t outcome = rd_u8(&in);
    (void)w;
    if (outcome >= LOG_OUTCOMES) FAIL(E_FORMAT, "DISK_LOG_PROOF of no kind");
    if (told_outcome(r, outcome)) return rd_end(&in, "DISK_LOG_PROOF");
    const uint32_t count = rd_u32(&in);
    const uint8_t *hashes = rd_bytes(&in, (size_t)count * 32);
    TRY(rd_end(&in, "DISK_LOG_PROOF"));
    size_t n = web_proof_body(&body, hashes, count);
    web_answer_json(r, body, n);
    return OK;
}

static void ask(struct web *w, struct web_request *r, uint16_t type, uint16_t want, const struct wr *question,
                err (*on)(struct web *, struct web_request *, const struct msg *))
{
    BYTES message = NULL;
    if (mem_new(&message, question->len).code) {
        web_answer_error(r, 500, "There is no memory for this request.");
        return;
    }
    memcpy(message, question->p, question->len);
    if (web_request_message(r, take_bytes(&message), question->len)) web_ask(w, r, LANE_LOG, type, want, LOG_SECONDS, on);
    else web_answer_error(r, 503, "There is no room for this request now.");
}

/* True: the client was told that there is none. */
static bool no_log(const struct web *w, struct web_request *r)
{
    if (!w->log.size) web_answer_error(r, 404, "There is no log yet.");
    return !w->log.size;
}

void web_run_entries(struct web *w, struct web_request *r)
{
    uint8_t room[12];
    uint64_t from = 0, limit = ENTRIES_USUAL;
    struct wr question = wr_of(room, sizeof room);
    if (!web_number(r, "from", INT64_MAX, &from)) {
        web_answer_error(r, 400, "from is the number of an entry.");
        return;
    }
    if (!web_number(r, "limit", LINK_ENTRIES, &limit) || limit == 0) {
        web_answer_error(r, 400, "limit is a number from 1 to 1000.");
        return;
    }
    if (no_log(w, r)) return;
    wr_u64(&question, from);
    wr_u32(&question, (uint32_t)limit);
    ask(w, r, DISK_LOG_READ, DISK_LOG_ENTRIES, &question, on_entries);
}

void web_run_proof(struct web *w, struct web_request *r)
{
    uint8_t room[17];
    uint64_t old = UINT64_MAX, index = UINT64_MAX, size = UINT64_MAX;
    struct wr question = wr_of(room, sizeof room);
    const bool good = web_number(r, "old", INT64_MAX, &old) && web_number(r, "index", INT64_MAX, &index) && web_number(r, "size", INT64_MAX, &size);
    if (!good || size == UINT64_MAX || (old == UINT64_MAX) == (index == UINT64_MAX)) {
        web_answer_error(r, 400, "A proof is asked for with size, and either old (a smaller size) or index (of an entry): decimal numbers.");
        return;
    }
    if (no_log(w, r)) return;
    wr_u8(&question, old == UINT64_MAX ? LINK_PROVE_ENTRY : LINK_PROVE_GROWTH);
    wr_u64(&question, old == UINT64_MAX ? index : old);
    wr_u64(&question, size);
    ask(w, r, DISK_LOG_PROVE, DISK_LOG_PROOF, &question, on_proof);
}
