/* Any bytes as a transaction: what parses must come out as it went in. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/log.h"
#include "signer/sighash.h"
#include "signer/taproot.h"
#include "signer/tx.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

/* Every item can be walked, and every shape of witness read. */
static void walk(const struct tx *t)
{
    for (size_t i = 0; i < t->in_count; i++) {
        struct rd r = rd_of(t->in[i].witness.p, t->in[i].witness.n);
        size_t sum = 0;
        for (uint32_t k = 0; k < t->in[i].witness_count; k++) {
            struct span s = tx_item(&r);
            sum += compact_size(s.n) + s.n;
        }
        MUST(rd_ok(&r) && r.left == 0 && sum == t->in[i].witness.n);
        struct taproot_witness w;
        MUST(taproot_witness_read(&w, &t->in[i]).code == E_OK);
        MUST(w.path != TAPROOT_SCRIPT_PATH || w.stack_count <= t->in[i].witness_count - 2);
    }
}

/* Signature messages of every kind over outputs that are all the same. */
static void hash_all(const struct tx *t)
{
    struct tx_out *spent = calloc(t->in_count, sizeof *spent);
    struct sighash_cache c;
    struct sigmsg m;
    uint8_t h[32];
    MUST(spent && sighash_cache_make(&c, t, spent).code == E_OK);
    for (uint32_t i = 0; i < t->in_count && i < 4; i++)
        for (unsigned type = 0; type < 256; type += 1 + (type & 3) / 3 * 60) {
            if (sighash_taproot_message(&m, &c, i, (uint8_t)type, NULL, NULL))
                MUST(m.n > 0 && m.n <= SIGMSG_MAX);
            sighash_v0(h, &c, i, type, t->in[i].script_sig.p, t->in[i].script_sig.n);
            MUST(sighash_legacy(h, t, i, type, t->in[i].script_sig.p, t->in[i].script_sig.n).code == E_OK);
        }
    free(spent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    TX t = NULL;
    if (tx_parse(&t, data, n).code)
        return 0;
    fuzz_reached("tx");
    uint8_t *back = malloc(n + 1);
    MUST(back != NULL);
    struct wr w = wr_of(back, n);
    tx_write(&w, t, true);
    MUST(!w.full && w.len == n && memcmp(back, data, n) == 0);
    free(back);
    MUST(tx_size(t, true) == n && tx_size(t, false) <= n && tx_weight(t) == 3 * tx_size(t, false) + n);
    walk(t);
    if (t->in_count > 0)
        hash_all(t);
    if (tx_check(t).code == E_OK)
        fuzz_reached("tx.sound");
    return 0;
}
