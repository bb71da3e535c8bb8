#include "daemon/judge_spend.h"

#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "core/msg.h"

enum { SPEND_MS = 60000 };

static void by_limit(struct spend_refusal *why, uint16_t status, uint32_t input, const char *words)
{
    *why = (struct spend_refusal){ .status = status, .blames = true, .input = input };
    snprintf(why->text, sizeof why->text, "Unable to sign: Limit: %s", words);
}

void judge_limits(struct spend_refusal *why, const struct limits *l, const struct emulate_plan *p)
{
    uint32_t input = 0;
    const char *words = limits_refusal(l, &input, p);
    *why = (struct spend_refusal){ 0 };
    if (words) by_limit(why, 403, input, words);
}

/* What each signature would spend: the hash that is signed, the key, the amount. */
static err put_spends(struct wr *w, const struct emulate_plan *p)
{
    wr_u32(w, (uint32_t)p->emulated);
    for (uint32_t i = 0; i < p->count; i++) {
        struct sign_request q;
        struct wire_spend s;
        if (p->input[i].kind != EMULATE_INPUT) continue;
        TRY(emulate_sign_request(&q, p, i));
        tagged_hash(s.message, "TapSighash", &(struct bytes){ q.sigmsg, q.sigmsg_len }, 1);
        memcpy(s.key, q.output_key, sizeof s.key);
        s.value = (uint64_t)p->request->spent[i].value;
        wire_put_spend(w, &s);
    }
    return wr_end(w, "BOOK_SPEND");
}

static uint32_t nth_emulated(const struct emulate_plan *p, uint32_t n)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->input[i].kind == EMULATE_INPUT && n-- == 0) return i;
    return 0;
}

static err read_spent(struct spend_refusal *why, const struct emulate_plan *p, const struct msg *m)
{
    static const char *const whose[SPEND_VERDICTS] = { [SPEND_VALUE] = "satoshi", [SPEND_COUNT] = "signatures",
        [SPEND_EACH_VALUE] = "satoshi of this output script", [SPEND_EACH_COUNT] = "signatures for this output script" };
    struct rd r = rd_of(m->body, m->len);
    char words[160];
    const uint8_t verdict = rd_u8(&r);
    const uint32_t which = rd_u32(&r);
    const unsigned long long limit = rd_u64(&r), left = rd_u64(&r), wait = rd_u64(&r);
    TRY(rd_end(&r, "BOOK_SPENT"));
    if (verdict >= SPEND_VERDICTS) FAIL(E_FORMAT, "BOOK_SPENT says %u", verdict);
    if (verdict == SPEND_GRANTED) return OK;
    if (verdict == SPEND_UNSEALED || verdict == SPEND_UNWITNESSED) {
        why->status = 503;
        snprintf(why->text, sizeof why->text, "The limit's new value could not be %s, so nothing was signed. The same request can be sent again.",
                 verdict == SPEND_UNSEALED ? "made durable" : "shown to enough witnesses");
        return OK;
    }
    snprintf(words, sizeof words, "%llu %s in a window; %llu are left, more in %llu s", limit, whose[verdict], left, wait);
    by_limit(why, 429, nth_emulated(p, which), words);
    return OK;
}

err judge_spend(struct spend_refusal *why, int book, const struct limits *l, const struct emulate_plan *p)
{
    BYTES body = NULL;
    uint8_t room[64];
    struct msg m;
    *why = (struct spend_refusal){ 0 };
    if (p->emulated == 0 || !limits_counted(l)) return OK;
    if (p->emulated > WIRE_SPENDS) {
        by_limit(why, 403, nth_emulated(p, WIRE_SPENDS), "more inputs to sign than a request may have where they are counted");
        return OK;
    }
    const size_t cap = 4 + p->emulated * WIRE_SPEND;
    TRY(mem_new(&body, cap));
    struct wr w = wr_of(body, cap);
    TRY(put_spends(&w, p));
    TRY(msg_call(book, BOOK_SPEND, body, w.len, BOOK_SPENT, &m, room, sizeof room, SPEND_MS));
    return read_spent(why, p, &m);
}
