/* Any bytes as a PSBT: what parses is written back as it came; signed, it parses again, says the same transaction,
 * and has the signatures. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/log.h"
#include "signer/psbt.h"
#include "tests/fuzz/reach.h"

enum { SIGNED_MOST = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

static void same_tx(const struct psbt *a, const struct psbt *b)
{
    uint8_t x[32], y[32];
    MUST(tx_id(x, a->tx).code == E_OK && tx_id(y, b->tx).code == E_OK && memcmp(x, y, 32) == 0);
    for (size_t i = 0; i < a->tx->in_count; i++)
        MUST(a->in[i].has_spent == b->in[i].has_spent && a->in[i].spent.value == b->in[i].spent.value);
}

static void write_signed(const struct psbt *p, size_t n, bool finalise)
{
    static const uint8_t sig[64] = { 1, 2, 3 };
    const size_t count = p->tx->in_count;
    struct psbt_signature *s = calloc(count, sizeof *s);
    size_t made = 0;
    MUST(s != NULL);
    for (size_t i = 0; i < count && i < SIGNED_MOST; i++) {
        struct rd r = rd_of(p->tx->in[i].witness.p, p->tx->in[i].witness.n);
        struct span last = { 0 };
        for (uint32_t k = 0; k < p->tx->in[i].witness_count; k++)
            last = tx_item(&r);
        if (p->in[i].proposals != 1)
            continue;
        s[i].sig = sig;
        s[i].annex = last.n && last.p[0] == 0x50 ? last : (struct span){ 0 };
        made++;
    }
    const size_t cap = psbt_room(n, made);
    uint8_t *out = malloc(cap);
    MUST(out != NULL);
    struct wr w = wr_of(out, cap);
    struct psbt_fault why;
    PSBT again = NULL;
    psbt_write(&w, p, s, finalise);
    MUST(!w.full);
    MUST(made || (w.len == n && !finalise) || w.len <= n);
    if (w.len <= PSBT_MAX) {
        MUST(psbt_parse(&again, &why, out, w.len).code == E_OK);
        same_tx(p, again);
        for (size_t i = 0; i < count; i++)
            MUST(!s[i].sig || again->in[i].proposals == (finalise || s[i].annex.n ? 1 : 0));
    }
    if (made)
        fuzz_reached("psbt.written");
    free(out);
    free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    PSBT p = NULL;
    struct psbt_fault why;
    char text[PSBT_TEXT];
    err e = psbt_parse(&p, &why, data, n);
    MUST((e.code == E_OK) == (why.text == NULL));
    psbt_fault_text(text, &why);
    MUST(strlen(text) > 0);
    if (e.code)
        return 0;
    fuzz_reached("psbt");
    struct psbt_signature *none = calloc(p->tx->in_count, sizeof *none);
    uint8_t *back = malloc(n + 1);
    MUST(none && back);
    struct wr w = wr_of(back, n);
    psbt_write(&w, p, none, true);
    MUST(!w.full && w.len == n && memcmp(back, data, n) == 0);
    free(back);
    free(none);
    if (psbt_signable(&why, p).code == E_OK)
        fuzz_reached("psbt.signable");
    if (p->version == 2)
        fuzz_reached("psbt.version2");
    write_signed(p, n, false);
    write_signed(p, n, true);
    return 0;
}
