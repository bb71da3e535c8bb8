#include "tests/support/web_trial_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/trace.h"
#include "daemon/wire.h"
#include "signer/emulate.h"

static void must(err e)
{
    if (e.code) {
        fprintf(stderr, "web_peer: trial\n");
        exit(1);
    }
}

static void put_stack(struct wr *w, uint32_t count, const uint8_t *p, uint16_t n)
{
    wr_u32(w, count);
    wr_u8(w, count ? 1 : 0);
    if (!count) return;
    wr_u16(w, n);
    wr_u8(w, (uint8_t)(n < TRACE_ITEM ? n : TRACE_ITEM));
    wr_bytes(w, p, n < TRACE_ITEM ? n : TRACE_ITEM);
}

static void put_step(struct wr *w, uint32_t input, uint32_t index, uint8_t opcode, enum script_error e)
{
    static uint8_t bytes[520] = { 0xab, 0xcd };
    wr_u32(w, input);
    wr_u32(w, index);
    wr_u32(w, index);
    wr_u8(w, opcode);
    wr_u8(w, index == 0);
    wr_u16(w, (uint16_t)e);
    put_stack(w, index ? 20 : 1, bytes, index ? 520 : 2);
    put_stack(w, index, bytes, 0);
}

static void put_trace(struct wr *w, size_t inputs, int32_t version)
{
    const size_t at = w->len;
    wr_u32(w, 0);
    wr_u8(w, version == 1002);
    wr_u32(w, (uint32_t)(2 * inputs));
    for (uint32_t i = 0; i < inputs; i++) {
        const uint32_t input = version == 1012 ? (uint32_t)inputs - i : i;
        put_step(w, input, 0, 0x76, SCRIPT_ERR_OK);
        put_step(w, input, 1, 0x69, version == 1002 ? SCRIPT_ERR_VERIFY : SCRIPT_ERR_OK);
    }
    if (version == 1011) w->len--;
    struct wr size = wr_of(w->p + at, 4);
    wr_u32(&size, (uint32_t)(w->len - at - 4));
}

void peer_answer_trial(int fd, const struct msg *m)
{
    static uint8_t body[64 << 10];
    EMULATE_REQUEST q = NULL;
    struct rd r = rd_of(m->body, m->len);
    struct wr w = wr_of(body, sizeof body);
    struct wire_terms terms;
    wire_get_terms(&r, &terms);
    const uint8_t asked = rd_u8(&r);
    const uint64_t id = rd_u64(&r);
    (void)rd_u32(&r);
    if (m->type != TRIAL_VERIFY || !rd_ok(&r) || !id || asked > 1) must((err){ E_FORMAT });
    must(emulate_request_parse(&q, r.p, r.left));
    const int32_t version = q->tx->version;
    const bool bad = version == 1002, traced = asked != (version == 1010);
    wr_u16(&w, bad ? 400 : 200);
    wr_var(&w, "Unable to sign: no", bad ? 18 : 0);
    wr_u32(&w, bad || version == 1013 ? 0 : (uint32_t)q->tx->in_count);
    for (size_t i = 0; !bad && version != 1013 && i < q->tx->in_count; i++) wr_u8(&w, EMULATE_INPUT);
    if (traced) put_trace(&w, q->tx->in_count, version);
    else wr_u32(&w, 0);
    must(wr_end(&w, "verdict"));
    err_drop(msg_send(fd, version == 1014 ? JUDGE_VERDICT : TRIAL_VERDICT, m->seq, body, w.len, 5000));
}
