/* Any script on any stack, in each kind of output: it ends, within its budget, and rules only forbid.
 *
 * Input: u64 flags, u8 kind, u8 count of items, each u8 length and bytes; the rest is the script. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/hash.h"
#include "core/log.h"
#include "signer/script.h"
#include "signer/taproot.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum kind { BARE, P2SH, P2WSH, TAPROOT, KINDS };
enum { ITEMS = 16, ROOM = 16384 };
#define NEW_RULES \
    (SCRIPT_CTV | SCRIPT_CAT | SCRIPT_CSFS | SCRIPT_INTERNALKEY | SCRIPT_TEMPLATEHASH | SCRIPT_APO | SCRIPT_PAIRCOMMIT)

static struct script_engine *engine;
static uint8_t room[ROOM], sig_room[ROOM];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return script_engine_new(&engine).code == E_OK ? 0 : 1;
}

static const uint8_t key[32] = {          /* x of the generator */
    0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
    0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98 };

struct spend { struct span items[ITEMS], script; size_t count; struct tx_in in; struct tx_out spent; uint8_t spk[64]; };

static void push(struct wr *w, const struct span *s)
{
    if (s->n >= 0x4c) {
        wr_u8(w, s->n <= 0xff ? 0x4c : 0x4d);
        if (s->n > 0xff)
            wr_u8(w, (uint8_t)s->n);
    }
    wr_u8(w, (uint8_t)(s->n > 0xff ? s->n >> 8 : s->n));
    wr_bytes(w, s->p, s->n);
}

/* Items as pushes in scriptSig, and the script behind its hash where the kind has one. */
static void lay_script_sig(struct spend *s, bool p2sh)
{
    struct wr w = wr_of(sig_room, sizeof sig_room);
    for (size_t i = 0; i < s->count; i++)
        push(&w, &s->items[i]);
    s->spent.script = s->script;
    if (p2sh) {
        push(&w, &s->script);
        memcpy(s->spk, (uint8_t[]){ 0xa9, 20 }, 2);
        sha256(room, s->script.p, s->script.n);
        ripemd160(s->spk + 2, room, 32);
        s->spk[22] = 0x87;
        s->spent.script = (struct span){ s->spk, 23 };
    }
    s->in.script_sig = (struct span){ sig_room, w.len };
}

static void lay_witness(struct spend *s, bool taproot)
{
    struct wr w = wr_of(room, sizeof room);
    for (size_t i = 0; i < s->count; i++)
        tx_item_write(&w, s->items[i].p, s->items[i].n);
    tx_item_write(&w, s->script.p, s->script.n);
    if (taproot) {
        uint8_t control[33], leaf[32], output[32];
        int parity;
        taproot_leaf_hash(leaf, TAPROOT_LEAF_TAPSCRIPT, s->script.p, s->script.n);
        MUST(taproot_output_key(output, &parity, key, leaf).code == E_OK);
        control[0] = (uint8_t)(TAPROOT_LEAF_TAPSCRIPT | parity);
        memcpy(control + 1, key, 32);
        tx_item_write(&w, control, sizeof control);
        taproot_script(s->spk, output);
    } else {
        s->spk[0] = 0;
        s->spk[1] = 32;
        sha256(s->spk + 2, s->script.p, s->script.n);
    }
    s->spent.script = (struct span){ s->spk, 34 };
    s->in.witness = (struct span){ room, w.len };
    s->in.witness_count = (uint32_t)s->count + 1 + taproot;
    MUST(!w.full);
}

static bool run(const struct spend *s, const struct sighash_cache *c, uint64_t flags)
{
    struct script_result res;
    struct script_budget b = { .script_bytes = 100000, .opcodes = 20000, .signatures = 500, .hashed_bytes = 4 << 20 };
    err e = script_verify(engine, &res, c, 0, s->spent.script.p, s->spent.script.n, script_flags_fill(flags), &b);
    MUST((e.code == E_OK) == (res.error == SCRIPT_ERR_OK));
    MUST(e.code == E_OK || e.code == E_DENIED || e.code == E_LIMIT);
    MUST(b.script_bytes <= 100000 && b.opcodes <= 20000 && b.signatures <= 500 && b.hashed_bytes <= 4 << 20);
    MUST(strcmp(script_error_name(res.error), "") != 0);
    return e.code == E_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct rd r = rd_of(data, n);
    struct spend s = { .count = 0 };
    uint64_t flags = rd_u64(&r);
    enum kind kind = rd_u8(&r) % KINDS;
    s.count = rd_u8(&r) % ITEMS;
    for (size_t i = 0; i < s.count; i++) {
        s.items[i].n = rd_u8(&r);
        s.items[i].p = rd_bytes(&r, s.items[i].n);
    }
    if (!rd_ok(&r) || r.left > 8000 || (kind == P2SH && r.left > 520))
        return 0;
    s.script = (struct span){ r.p, r.left };
    s.in = (struct tx_in){ .sequence = 0xfffffff0 };
    s.spent.value = 1000;
    if (kind == BARE || kind == P2SH)
        lay_script_sig(&s, kind == P2SH);
    else
        lay_witness(&s, kind == TAPROOT);

    struct tx_out out = { 900, { key, 5 } };
    struct tx tx = { .version = 2, .locktime = 100, .in_count = 1, .out_count = 1, .in = &s.in, .out = &out };
    struct sighash_cache c;
    MUST(sighash_cache_make(&c, &tx, &s.spent).code == E_OK);
    bool core = run(&s, &c, SCRIPT_FLAGS_CONSENSUS), strict = run(&s, &c, SCRIPT_FLAGS_EMULATE);
    bool rules = run(&s, &c, SCRIPT_FLAGS_EMULATE | NEW_RULES), loose = run(&s, &c, SCRIPT_FLAGS_CONSENSUS | NEW_RULES);
    bool any = run(&s, &c, flags), fewer = run(&s, &c, script_flags_trim(flags & SCRIPT_FLAGS_CONSENSUS));
    MUST(!strict || core);                    /* stricter flags allow no more */
    MUST(!loose || core);
    MUST(!rules || loose);
    MUST(!any || fewer);
    if (core && kind == TAPROOT)
        fuzz_reached("script.tapscript");
    if (strict && kind != BARE)
        fuzz_reached("script");
    if (rules && !strict)
        fuzz_reached("script.rules");
    return 0;
}
