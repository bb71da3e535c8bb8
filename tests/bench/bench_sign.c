/* One emulated input with a CHECKSIG leaf, in process, as judge and sign do it together: parse, verify, derive, tweak, sign,
 * self-check. Against the calls into libsecp256k1 that it makes, timed in the same run.
 *
 *     bench_sign              the rows
 *     bench_sign rate SECONDS inputs a second of this process alone, and seconds of processor time each: for bench_http.py
 *     bench_sign request INPUTS PUBLIC_KEY
 *                             that many inputs for a service with this master key, as a judge gets them, in hex */
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <string.h>

#include "bench.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/mem.h"
#include "signer/address.h"
#include "signer/emulate.h"
#include "signer/keys.h"
#include "signer/taproot.h"

enum { RUNS = 5, TIMES = 2000, MANY = 1000 };

/* ---- time inside the library ---- */

static bool timing;
static double inside, clock_cost;                /* clock_cost: of one look at the clock */

static void look(void)
{
    const double before = bench_cpu();
    for (int i = 0; i < 10000; i++)
        inside += bench_cpu();
    clock_cost = (bench_cpu() - before) / 10000;
}

#define TIMED(name, params, args) \
    int __real_##name params; \
    int __wrap_##name params; \
    int __wrap_##name params \
    { \
        const double before = timing ? bench_cpu() : 0; \
        const int r = __real_##name args; \
        if (timing) inside += bench_cpu() - before - clock_cost; \
        return r; \
    }
typedef const secp256k1_context ctx;
TIMED(secp256k1_context_randomize, (secp256k1_context *c, const unsigned char *s), (c, s))
TIMED(secp256k1_ec_pubkey_parse, (ctx *c, secp256k1_pubkey *k, const unsigned char *in, size_t n), (c, k, in, n))
TIMED(secp256k1_ec_pubkey_serialize, (ctx *c, unsigned char *out, size_t *n, const secp256k1_pubkey *k, unsigned f), (c, out, n, k, f))
TIMED(secp256k1_ec_pubkey_tweak_add, (ctx *c, secp256k1_pubkey *k, const unsigned char *t), (c, k, t))
TIMED(secp256k1_ec_seckey_tweak_add, (ctx *c, unsigned char *k, const unsigned char *t), (c, k, t))
TIMED(secp256k1_keypair_create, (ctx *c, secp256k1_keypair *k, const unsigned char *s), (c, k, s))
TIMED(secp256k1_keypair_xonly_pub, (ctx *c, secp256k1_xonly_pubkey *x, int *p, const secp256k1_keypair *k), (c, x, p, k))
TIMED(secp256k1_keypair_xonly_tweak_add, (ctx *c, secp256k1_keypair *k, const unsigned char *t), (c, k, t))
TIMED(secp256k1_schnorrsig_sign32, (ctx *c, unsigned char *s, const unsigned char *m, const secp256k1_keypair *k, const unsigned char *a), (c, s, m, k, a))
TIMED(secp256k1_schnorrsig_verify, (ctx *c, const unsigned char *s, const unsigned char *m, size_t n, const secp256k1_xonly_pubkey *k), (c, s, m, n, k))
TIMED(secp256k1_xonly_pubkey_from_pubkey, (ctx *c, secp256k1_xonly_pubkey *x, int *p, const secp256k1_pubkey *k), (c, x, p, k))
TIMED(secp256k1_xonly_pubkey_parse, (ctx *c, secp256k1_xonly_pubkey *x, const unsigned char *in), (c, x, in))
TIMED(secp256k1_xonly_pubkey_serialize, (ctx *c, unsigned char *out, const secp256k1_xonly_pubkey *x), (c, out, x))
TIMED(secp256k1_xonly_pubkey_tweak_add, (ctx *c, secp256k1_pubkey *o, const secp256k1_xonly_pubkey *x, const unsigned char *t), (c, o, x, t))
TIMED(secp256k1_xonly_pubkey_tweak_add_check, (ctx *c, const unsigned char *k, int p, const secp256k1_xonly_pubkey *x, const unsigned char *t), (c, k, p, x, t))

/* ---- a request of `inputs` inputs, each with a valid signature for its leaf ---- */

struct request { uint8_t *bytes; size_t n; };
static uint8_t master[33];

static const uint8_t client_secret[32] = { [31] = 3 };
static secp256k1_context *lib;

static void leaf_of(uint8_t leaf[34])
{
    secp256k1_keypair pair;
    secp256k1_xonly_pubkey x;
    leaf[0] = 32;
    leaf[33] = 0xac;
    MUST(secp256k1_keypair_create(lib, &pair, client_secret) && secp256k1_keypair_xonly_pub(lib, &x, NULL, &pair));
    MUST(secp256k1_xonly_pubkey_serialize(lib, leaf + 1, &x));
}

/* The spent output: ours, for the tree that is this leaf alone. Out: the control block as well. */
static void output_of(uint8_t script[34], uint8_t control[33], uint8_t leaf_hash[32], const uint8_t leaf[34])
{
    uint8_t key[32];
    int parity;
    taproot_leaf_hash(leaf_hash, TAPROOT_LEAF_TAPSCRIPT, leaf, 34);
    memcpy(control + 1, leaf + 1, 32);
    MUST(!taproot_output_key(key, &parity, control + 1, leaf_hash).code);
    control[0] = (uint8_t)(TAPROOT_LEAF_TAPSCRIPT | parity);
    MUST(!address_output_key(key, master, leaf_hash, NULL).code);
    taproot_script(script, key);
}

static void sign_input(uint8_t sig[64], const struct sighash_cache *c, uint32_t input, const uint8_t leaf_hash[32])
{
    struct sighash_leaf leaf = { .codesep = UINT32_MAX };
    struct sigmsg m;
    uint8_t hash[32];
    secp256k1_keypair pair;
    memcpy(leaf.leaf_hash, leaf_hash, 32);
    MUST(sighash_taproot_message(&m, c, input, SIGHASH_DEFAULT, NULL, &leaf));
    sighash_taproot(hash, &m);
    MUST(secp256k1_keypair_create(lib, &pair, client_secret) && secp256k1_schnorrsig_sign32(lib, sig, hash, &pair, NULL));
}

/* Witness: the signature, the leaf, the control block. */
enum { WITNESS = 1 + 64 + 1 + 34 + 1 + 33 };

static struct request request_of(size_t inputs)
{
    uint8_t leaf[34], script[34], control[33], leaf_hash[32], sig[64];
    struct tx_out out = { 900, { script, 34 } }, *spent = calloc(inputs, sizeof *spent);
    struct tx_in *in = calloc(inputs, sizeof *in);
    uint8_t *witness = calloc(inputs, WITNESS);
    const struct tx tx = { .version = 2, .in_count = inputs, .out_count = 1, .in = in, .out = &out };
    struct sighash_cache cache;
    MUST(spent && in && witness);
    leaf_of(leaf);
    output_of(script, control, leaf_hash, leaf);
    for (size_t i = 0; i < inputs; i++) {
        spent[i] = (struct tx_out){ 1000, { script, 34 } };
        in[i] = (struct tx_in){ .vout = (uint32_t)i, .sequence = 0xfffffffd };
    }
    MUST(!sighash_cache_make(&cache, &tx, spent).code);
    for (size_t i = 0; i < inputs; i++) {
        struct wr w = wr_of(witness + i * WITNESS, WITNESS);
        sign_input(sig, &cache, (uint32_t)i, leaf_hash);
        tx_item_write(&w, sig, 64);
        tx_item_write(&w, leaf, 34);
        tx_item_write(&w, control, 33);
        in[i].witness = (struct span){ w.p, w.len };
        in[i].witness_count = 3;
    }
    const size_t cap = 100 + tx_size(&tx, true) + inputs * 50;
    struct wr w = wr_of(calloc(1, cap), cap);
    emulate_write_tx(&w, &tx);
    emulate_write_count(&w, (uint32_t)inputs);
    for (size_t i = 0; i < inputs; i++)
        emulate_write_output(&w, 1000, script, 34);
    emulate_write_count(&w, 0);
    emulate_write_rules(&w, "", 0);
    MUST(!w.full);
    free(in);
    free(spent);
    free(witness);
    return (struct request){ w.p, w.len };
}

/* ---- the work ---- */

struct work { struct signer *signer; struct request r; size_t times; };

static void once(struct signer *s, const struct request *r)
{
    EMULATE_REQUEST q = NULL;
    EMULATE_PLAN p = NULL;
    struct emulate_refusal why;
    struct sign_request ask, asked;
    uint8_t sig[64], frame[SIGN_REQUEST_SIZE];
    MUST(!emulate_request_parse(&q, r->bytes, r->n).code);
    MUST(!emulate_plan_make(&p, &why, q, master).code && !emulate_verify(&why, p).code && p->emulated == p->count);
    for (uint32_t i = 0; i < p->count; i++) {
        struct wr w = wr_of(frame, sizeof frame);
        MUST(!emulate_sign_request(&ask, p, i).code);
        sign_request_write(&w, &ask);
        MUST(!sign_request_read(&asked, frame, sizeof frame).code && !signer_sign(s, sig, &asked).code);
    }
}

static void run(void *self)
{
    const struct work *w = self;
    for (size_t i = 0; i < w->times; i++)
        once(w->signer, &w->r);
}

static struct signer *signer_of(void)
{
    struct signer *s = NULL;
    secret *scalar = NULL;
    uint8_t bytes[32] = { [31] = 7 };
    MUST(!secret_new(&scalar, 32).code);
    memcpy(secret_reveal(scalar), bytes, 32);
    MUST(!signer_open(&s, &scalar).code);
    signer_public(s, master);
    return s;
}

static int rate(struct work *w, double seconds)
{
    const double begin = bench_clock(CLOCK_MONOTONIC), end = begin + seconds, cpu = bench_cpu();
    size_t done = 0;
    for (w->times = 50; bench_clock(CLOCK_MONOTONIC) < end; done += w->times)
        run(w);
    printf("%.1f %.9f\n", (double)done / (bench_clock(CLOCK_MONOTONIC) - begin), (bench_cpu() - cpu) / (double)done);
    return 0;
}

static int print_request(size_t inputs, const char *key)
{
    MUST(!hex_to(master, sizeof master, key, strlen(key)).code);
    struct request r = request_of(inputs);
    for (size_t i = 0; i < r.n; i++)
        printf("%02x", r.bytes[i]);
    printf("\n");
    free(r.bytes);
    return 0;
}

static void rows(struct work *one)
{
    const double whole = bench_median(run, one, RUNS);
    look();
    timing = true;
    inside = 0;
    run(one);
    timing = false;
    bench_say("one emulated input in process / its secp256k1 calls alone", whole / inside, "x", "<= 1.15");
    bench_say("one emulated input in process", 1e6 * whole / TIMES, "us", "");
    struct work all = { one->signer, request_of(MANY), 1 };
    one->times = MANY;
    bench_say("1,000 inputs in one transaction / 1,000 of one, verified and signed", bench_median(run, &all, RUNS) / bench_median(run, one, RUNS), "x", "<= 1.3");
    free(all.r.bytes);
}

int main(int argc, char **argv)
{
    log_open("bench_sign", LOG_ERROR + 1);
    MUST(!crypto_warm_up().code && !secret_arena_open(32u << 10).code);
    lib = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    SIGNER s = signer_of();
    struct work one = { s, request_of(1), TIMES };
    if (argc == 3 && strcmp(argv[1], "rate") == 0)
        return rate(&one, strtod(argv[2], NULL));
    if (argc == 4 && strcmp(argv[1], "request") == 0)
        return print_request(strtoul(argv[2], NULL, 10), argv[3]);
    rows(&one);
    free(one.r.bytes);
    return 0;
}
