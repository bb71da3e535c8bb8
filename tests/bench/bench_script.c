/* The script engine against its bound: the very calls into libsecp256k1 that the same cases make, recorded
 * in a first pass and played again alone, in the same run. */
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <stdarg.h>
#include <string.h>

#include "bench.h"
#include "core/log.h"
#include "core/mem.h"
#include "tests/support/vectors.h"
#include "tests/vector_run.h"

enum { RUNS = 5 };

void broken(size_t row, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "row %zu: ", row);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    exit(1);
}

void verdict(struct run *r, bool good, size_t row, const char *fmt, ...)
{
    (void)r, (void)good, (void)row, (void)fmt;
}

/* ---- the calls of signatures and tweaks ---- */

enum { PARSE, SCHNORR, TWEAK, ECDSA };
struct call {
    int     what, parity;
    uint8_t sig[64], msg[32], key[32], tweak[32];
    secp256k1_xonly_pubkey x;
    secp256k1_pubkey p;
    secp256k1_ecdsa_signature e;
};
static struct call *calls;
static size_t count, room;
static bool recording;

static struct call *record(int what)
{
    if (!recording)
        return NULL;
    if (count == room && !(calls = realloc(calls, (room = room * 2 + 1024) * sizeof *calls)))
        abort();
    memset(&calls[count], 0, sizeof *calls);
    calls[count].what = what;
    return &calls[count++];
}

int __real_secp256k1_xonly_pubkey_parse(const secp256k1_context *, secp256k1_xonly_pubkey *, const unsigned char *);
int __wrap_secp256k1_xonly_pubkey_parse(const secp256k1_context *, secp256k1_xonly_pubkey *, const unsigned char *);
int __wrap_secp256k1_xonly_pubkey_parse(const secp256k1_context *ctx, secp256k1_xonly_pubkey *x, const unsigned char *in)
{
    struct call *c = record(PARSE);
    if (c)
        memcpy(c->key, in, 32);
    return __real_secp256k1_xonly_pubkey_parse(ctx, x, in);
}

int __real_secp256k1_schnorrsig_verify(const secp256k1_context *, const unsigned char *, const unsigned char *, size_t,
                                       const secp256k1_xonly_pubkey *);
int __wrap_secp256k1_schnorrsig_verify(const secp256k1_context *, const unsigned char *, const unsigned char *, size_t,
                                       const secp256k1_xonly_pubkey *);
int __wrap_secp256k1_schnorrsig_verify(const secp256k1_context *ctx, const unsigned char *sig, const unsigned char *msg, size_t n,
                                       const secp256k1_xonly_pubkey *x)
{
    struct call *c = n == 32 ? record(SCHNORR) : NULL;
    if (c) {
        memcpy(c->sig, sig, 64);
        memcpy(c->msg, msg, 32);
        c->x = *x;
    }
    return __real_secp256k1_schnorrsig_verify(ctx, sig, msg, n, x);
}

int __real_secp256k1_xonly_pubkey_tweak_add_check(const secp256k1_context *, const unsigned char *, int,
                                                  const secp256k1_xonly_pubkey *, const unsigned char *);
int __wrap_secp256k1_xonly_pubkey_tweak_add_check(const secp256k1_context *, const unsigned char *, int,
                                                  const secp256k1_xonly_pubkey *, const unsigned char *);
int __wrap_secp256k1_xonly_pubkey_tweak_add_check(const secp256k1_context *ctx, const unsigned char *key, int parity,
                                                  const secp256k1_xonly_pubkey *x, const unsigned char *tweak)
{
    struct call *c = record(TWEAK);
    if (c) {
        memcpy(c->key, key, 32);
        memcpy(c->tweak, tweak, 32);
        c->parity = parity;
        c->x = *x;
    }
    return __real_secp256k1_xonly_pubkey_tweak_add_check(ctx, key, parity, x, tweak);
}

int __real_secp256k1_ecdsa_verify(const secp256k1_context *, const secp256k1_ecdsa_signature *, const unsigned char *,
                                  const secp256k1_pubkey *);
int __wrap_secp256k1_ecdsa_verify(const secp256k1_context *, const secp256k1_ecdsa_signature *, const unsigned char *,
                                  const secp256k1_pubkey *);
int __wrap_secp256k1_ecdsa_verify(const secp256k1_context *ctx, const secp256k1_ecdsa_signature *sig, const unsigned char *msg,
                                  const secp256k1_pubkey *p)
{
    struct call *c = record(ECDSA);
    if (c) {
        c->e = *sig;
        memcpy(c->msg, msg, 32);
        c->p = *p;
    }
    return __real_secp256k1_ecdsa_verify(ctx, sig, msg, p);
}

static void play(void *self)
{
    const secp256k1_context *ctx = secp256k1_context_static;
    int sum = 0;
    (void)self;
    for (size_t i = 0; i < count; i++) {
        struct call *c = &calls[i];
        secp256k1_xonly_pubkey x;
        switch (c->what) {
        case PARSE:   sum += __real_secp256k1_xonly_pubkey_parse(ctx, &x, c->key); break;
        case SCHNORR: sum += __real_secp256k1_schnorrsig_verify(ctx, c->sig, c->msg, 32, &c->x); break;
        case TWEAK:   sum += __real_secp256k1_xonly_pubkey_tweak_add_check(ctx, c->key, c->parity, &c->x, c->tweak); break;
        default:      sum += __real_secp256k1_ecdsa_verify(ctx, &c->e, c->msg, &c->p); break;
        }
    }
    if (sum < 0)
        abort();
}

/* ---- the cases ---- */

struct work { struct script_engine *engine; struct asset *assets; struct script_row *rows; size_t n, good; };

/* The transaction-wide hashes are part of a case: made here again. */
static void run_assets_once(void *self)
{
    struct work *w = self;
    w->good = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct asset *a = &w->assets[i];
        MUST(sighash_cache_make(&a->s.cache, a->s.tx, a->s.spent).code == E_OK);
        w->good += asset_run(w->engine, a, a->flags) == SCRIPT_ERR_OK;
    }
}

static void run_rows_once(void *self)
{
    struct work *w = self;
    w->good = 0;
    for (size_t i = 0; i < w->n; i++)
        w->good += strcmp(script_error_name(script_row_run(w->engine, &w->rows[i])), w->rows[i].want) == 0;
}

static void bench_assets(struct script_engine *engine)
{
    json_t *root = vectors_json("bitcoin/btcd/taproot_ref.json"), *entry;
    struct work w = { .engine = engine, .assets = calloc(2 * json_array_size(root), sizeof *w.assets) };
    size_t i, succeed = 0;
    static const char *const sides[] = { "success", "failure" };
    MUST(w.assets != NULL);
    json_array_foreach(root, i, entry)
        for (int side = 0; side < 2; side++) {
            asset_read(&w.assets[w.n], i, entry);
            if (asset_side(&w.assets[w.n], entry, sides[side])) {
                w.n++;
                succeed += side == 0;
            }
        }
    recording = true;
    run_assets_once(&w);
    recording = false;
    MUST(w.good == succeed);
    double engine_time = bench_median(run_assets_once, &w, RUNS), bound = bench_median(play, NULL, RUNS);
    bench_say("taproot cases through the engine / their secp256k1 calls alone", engine_time / bound, "x", "<= 1.2");
    bench_say("taproot cases", (double)w.n / engine_time, "cases/s", "");
    bench_say("time a taproot case", 1e6 * engine_time / (double)w.n, "us", "");
    free(w.assets);
    json_decref(root);
    row_done();
}

static void bench_rows(struct script_engine *engine)
{
    json_t *root = vectors_json("bitcoin/core/script_tests.json"), *line;
    struct work w = { .engine = engine, .rows = calloc(json_array_size(root), sizeof *w.rows) };
    size_t i;
    MUST(w.rows != NULL);
    json_array_foreach(root, i, line)
        w.n += script_row_read(&w.rows[w.n], i, line);
    double t = bench_median(run_rows_once, &w, RUNS * 3);
    MUST(w.good == w.n);
    bench_say("script_tests rows", (double)w.n / t, "rows/s", ">= 150000");
    free(w.rows);
    json_decref(root);
    row_done();
}

/* n inputs of one leaf that checks a signature (a wrong one: it costs the same), against n times one. */
struct many { struct script_engine *engine; struct tx tx; struct tx_out *spent; size_t repeat; };

static void run_many(void *self)
{
    struct many *m = self;
    for (size_t k = 0; k < m->repeat; k++) {
        struct sighash_cache c;
        struct script_result res;
        MUST(sighash_cache_make(&c, &m->tx, m->spent).code == E_OK);
        for (uint32_t i = 0; i < m->tx.in_count; i++) {
            err_drop(script_verify(m->engine, &res, &c, i, m->spent[i].script.p, m->spent[i].script.n,
                                   SCRIPT_FLAGS_EMULATE, NULL));
            MUST(res.error == SCRIPT_ERR_SCHNORR_SIG);
        }
    }
}

static void bench_inputs(struct script_engine *engine)
{
    enum { N = 1000 };
    static struct tx_in in[N];
    static struct tx_out spent[N], out = { 1000, { NULL, 0 } };
    static uint8_t spk[34] = { 0x51, 32 }, sig[65] = { 64 };
    memcpy(spk + 2, "\x79\xbe\x66\x7e\xf9\xdc\xbb\xac\x55\xa0\x62\x95\xce\x87\x0b\x07"
                    "\x02\x9b\xfc\xdb\x2d\xce\x28\xd9\x59\xf2\x81\x5b\x16\xf8\x17\x98", 32);
    memcpy(sig + 1, spk + 2, 32);             /* R is a point, s is wrong */
    sig[40] = 1;
    for (size_t i = 0; i < N; i++) {
        in[i] = (struct tx_in){ .vout = (uint32_t)i, .witness = { sig, 65 }, .witness_count = 1 };
        spent[i] = (struct tx_out){ 1000, { spk, 34 } };
    }
    struct many all = { engine, { .version = 2, .in_count = N, .in = in, .out_count = 1, .out = &out }, spent, 1 };
    struct many one = all;
    one.tx.in_count = 1;
    one.repeat = N;
    bench_say("1,000 inputs in one transaction / 1,000 transactions of one",
              bench_median(run_many, &all, RUNS) / bench_median(run_many, &one, RUNS), "x", "<= 1.3");
}

int main(void)
{
    vectors_need("bitcoin/btcd/taproot_ref.json");
    vectors_need("bitcoin/core/script_tests.json");
    log_open("bench_script", LOG_ERROR + 1);
    SCRIPT_ENGINE engine = NULL;
    if (script_engine_new(&engine).code)
        return 1;
    bench_assets(engine);
    bench_rows(engine);
    bench_inputs(engine);
    free(calls);
    return 0;
}
