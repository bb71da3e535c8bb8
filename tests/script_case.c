#include "tests/script_case.h"

#include <check.h>
#include <secp256k1_schnorrsig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

void broken(size_t row, const char *fmt, ...)
{
    va_list ap;
    (void)row;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    abort();
}

struct span asm_of(const char *words) { return row_asm(0, words); }
struct span hex_of(const char *hex) { return hex_text(0, hex, strlen(hex)); }

struct span fill_of(uint8_t byte, size_t n)
{
    uint8_t *p = row_room(n);
    memset(p, byte, n);
    return (struct span){ p, n };
}

void case_open(struct script_case *c)
{
    memset(c, 0, sizeof *c);
    ck_assert_int_eq(script_engine_new(&c->engine).code, E_OK);
    c->tx = (struct tx){ .version = 2, .in_count = 1, .out_count = 1, .in = c->in, .out = c->out };
    for (size_t i = 0; i < 3; i++) {
        memset(c->in[i].txid, (int)i + 1, 32);
        c->in[i].sequence = 0xfffffffd;
        c->out[i] = c->spent[i] = (struct tx_out){ 1000, hex_of("6a") };
    }
}

void case_close(struct script_case *c)
{
    script_engine_free(&c->engine);
    row_done();
}

void case_witness(struct script_case *c, const struct span *items, size_t count)
{
    c->in[0].witness = row_witness(items, count);
    c->in[0].witness_count = (uint32_t)count;
}

void case_leaf(struct script_case *c, uint8_t version, struct span script, const struct span *items, size_t count,
               const struct span *annex)
{
    uint8_t *control = row_room(33), *spk = row_room(TAPROOT_SCRIPT), key[32];
    struct span *all = row_room((count + 3) * sizeof *all), internal = hex_of(CASE_KEY);
    int parity;
    memcpy(c->internal, internal.p, 32);
    taproot_leaf_hash(c->leaf, version, script.p, script.n);
    ck_assert_int_eq(taproot_output_key(key, &parity, c->internal, c->leaf).code, E_OK);
    control[0] = (uint8_t)(version | parity);
    memcpy(control + 1, c->internal, 32);
    taproot_script(spk, key);
    if (count)
        memcpy(all, items, count * sizeof *all);
    all[count] = script;
    all[count + 1] = (struct span){ control, 33 };
    if (annex)
        all[count + 2] = *annex;
    case_witness(c, all, count + 2 + (annex != NULL));
    c->spent[0].script = (struct span){ spk, TAPROOT_SCRIPT };
}

void case_words(struct script_case *c, const char *script, const char *const *hex_items)
{
    struct span items[16];
    size_t n = 0;
    for (; hex_items && hex_items[n]; n++)
        items[n] = hex_of(hex_items[n]);
    case_leaf(c, TAPROOT_LEAF_TAPSCRIPT, asm_of(script), items, n, NULL);
}

void case_p2wsh(struct script_case *c, struct span script, const struct span *items, size_t count)
{
    uint8_t *spk = row_room(34);
    struct span *all = row_room((count + 1) * sizeof *all);
    spk[1] = 32;
    sha256(spk + 2, script.p, script.n);
    if (count)
        memcpy(all, items, count * sizeof *all);
    all[count] = script;
    case_witness(c, all, count + 1);
    c->spent[0].script = (struct span){ spk, 34 };
}

struct span case_sign_bytes(const void *msg, size_t n)
{
    static secp256k1_context *ctx;
    static const uint8_t secret[32] = { [31] = 1 };
    uint8_t *sig = row_room(65);
    secp256k1_keypair pair;
    if (!ctx)
        ctx = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    ck_assert(secp256k1_keypair_create(ctx, &pair, secret));
    ck_assert(secp256k1_schnorrsig_sign_custom(ctx, sig, msg, n, &pair, NULL));
    return (struct span){ sig, 64 };
}

struct span case_sign(struct script_case *c, uint8_t type, uint32_t codesep, uint8_t key_version,
                      const struct span *annex)
{
    struct sighash_leaf leaf = { .codesep = codesep, .key_version = key_version };
    struct sigmsg m;
    uint8_t hash[32];
    memcpy(leaf.leaf_hash, c->leaf, 32);
    ck_assert_int_eq(sighash_cache_make(&c->cache, &c->tx, c->spent).code, E_OK);
    ck_assert(sighash_taproot_message(&m, &c->cache, 0, type, annex, &leaf));
    sighash_taproot(hash, &m);
    struct span sig = case_sign_bytes(hash, 32);
    ((uint8_t *)(uintptr_t)sig.p)[64] = type;
    sig.n += type != 0;
    return sig;
}

enum script_error case_run(struct script_case *c, uint64_t flags, struct script_budget *budget)
{
    ck_assert_int_eq(sighash_cache_make(&c->cache, &c->tx, c->spent).code, E_OK);
    c->said = script_verify(c->engine, &c->res, &c->cache, 0, c->spent[0].script.p, c->spent[0].script.n, flags, budget);
    ck_assert_int_eq(c->said.code == E_OK, c->res.error == SCRIPT_ERR_OK);
    return c->res.error;
}

void case_expect(struct script_case *c, uint64_t flags, enum script_error want)
{
    enum script_error got = case_run(c, flags, NULL);
    ck_assert_msg(got == want, "got %s, expected %s (opcode %u: %s)", script_error_name(got), script_error_name(want),
                  c->res.op_at, script_opcode_name(c->res.opcode));
}
