/* Any bytes as an emulation request: parse, plan, verify, and ask for a signature. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "core/log.h"
#include "signer/emulate.h"
#include "tests/fuzz/reach.h"
#include "tests/signer_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR);
    return 0;
}

static void ask_all(const struct emulate_plan *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        struct sign_request q, back;
        uint8_t bytes[SIGN_REQUEST_SIZE];
        err e = emulate_sign_request(&q, p, i);
        MUST((e.code == E_OK) == (p->input[i].kind == EMULATE_INPUT));
        if (e.code)
            continue;
        struct wr w = wr_of(bytes, sizeof bytes);
        sign_request_write(&w, &q);
        MUST(!wr_end(&w, "fuzz").code);
        MUST(!sign_request_read(&back, bytes, sizeof bytes).code && back.index == i);
        fuzz_reached("emulate.asked");
        if (q.kind == CHILD_OF_OUTPUT)
            fuzz_reached("emulate.bound");
    }
}

/* The writers give back the very bytes that were read. */
static void write_back(const struct emulate_request *q, const uint8_t *data, size_t n)
{
    static uint8_t room[1 << 16];
    struct wr w = wr_of(room, sizeof room);
    emulate_write_tx(&w, q->tx);
    emulate_write_count(&w, (uint32_t)q->spent_count);
    for (size_t i = 0; i < q->spent_count; i++)
        emulate_write_output(&w, (uint64_t)q->spent[i].value, q->spent[i].script.p, q->spent[i].script.n);
    emulate_write_count(&w, (uint32_t)q->backup_count);
    for (size_t i = 0; i < q->backup_count; i++)
        emulate_write_backup(&w, q->backup[i].index, q->backup[i].root);
    emulate_write_rules(&w, (const char *)q->rules.p, q->rules.n);
    MUST(w.full ? n > sizeof room : w.len == n && memcmp(room, data, n) == 0);
}

/* Under the set that is asked for, children named in the way that goes with the first byte of the transaction. */
static err plan(struct emulate_plan **p, struct emulate_refusal *why, const struct emulate_request *q)
{
    struct emulate_terms t = { .kind = q->tx->version & 1 ? CHILD_OF_OUTPUT : CHILD_OF_ROOT };
    struct rule_list allowed;
    case_hex(t.master, 33, CASE_MASTER);
    MUST(!rules_list_parse(&allowed, "tapscript,covenants,all=apo+cat+ctv+csfs+internalkey+paircommit+templatehash").code);
    TRY(emulate_choose_rules(&t, why, q, &allowed));
    if (q->rules.n)
        fuzz_reached("emulate.rules");
    return emulate_plan_under(p, why, q, &t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    EMULATE_REQUEST q = NULL;
    EMULATE_PLAN p = NULL;
    struct emulate_refusal why;
    char text[EMULATE_TEXT];
    if (emulate_request_parse(&q, data, n).code)
        return 0;
    fuzz_reached("emulate.parsed");
    write_back(q, data, n);
    if (plan(&p, &why, q).code) {
        emulate_refusal_text(text, &why);
        MUST(why.fault != EMULATE_FINE && strlen(text) > 0);
        return 0;
    }
    if (p->emulated)
        fuzz_reached("emulate");
    if (emulate_verify(&why, p).code) {
        MUST(why.fault == EMULATE_VERIFICATION_FAILED || why.fault == EMULATE_UNBOUND_KEY);
        return 0;
    }
    ask_all(p);
    return 0;
}
