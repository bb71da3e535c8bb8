/* A full generation of an incompressible image, against its bound: one AES-256-GCM
 * pass of the same library plus one copy of the same bytes. CPU time, memory to memory. */
#include <string.h>

#include "core/crypto.h"
#include "core/log.h"
#include "core/mem.h"
#include "diskcrypt/seal.h"
#include "diskcrypt/snapshot.h"
#include "bench.h"

enum { SIZE = 128 << 20, RUNS = 5 };

/* A store that takes everything into one piece of memory, as a plain copy does. */
struct sink { struct store store; uint8_t *room; uint8_t head[LINK_HEAD_MAX]; size_t head_len, at; };

static err head_get(struct store *s, uint8_t out[static LINK_HEAD_MAX], size_t *len)
{
    struct sink *k = (struct sink *)s;
    memcpy(out, k->head, k->head_len);
    *len = k->head_len;
    return OK;
}
static err head_put(struct store *s, const void *expected, size_t expected_len, const void *bytes, size_t len)
{
    struct sink *k = (struct sink *)s;
    (void)expected, (void)expected_len;
    memcpy(k->head, bytes, len);
    k->head_len = len;
    return OK;
}
static err put_begin(struct store *s, const char *name) { (void)name; ((struct sink *)s)->at = 0; return OK; }
static err put_data(struct store *s, const void *p, size_t n)
{
    struct sink *k = (struct sink *)s;
    memcpy(k->room + k->at, p, n);
    k->at += n;
    return OK;
}
static err put_end(struct store *s, uint64_t total) { (void)s, (void)total; return OK; }
static err put_abort(struct store *s) { (void)s; return OK; }
static err list(struct store *s, uint32_t *objects, bool *head)
{
    *objects = 0;
    *head = ((struct sink *)s)->head_len > 0;
    return OK;
}

struct work { struct sealer *sealer; struct blk *image; struct gcm *gcm; uint8_t *in, *out; };

static void must(err e) { if (e.code) { fprintf(stderr, "bench_seal: %s\n", err_text(e.code)); exit(1); } }

static void seal_once(void *self)
{
    static const uint8_t record[16] = { 1 };
    struct work *w = self;
    struct seal_report r;
    must(seal_write(w->sealer, &r, w->image, seal_generation(w->sealer) ? NULL : record, sizeof record, 1));
}

static void bound_once(void *self)
{
    struct work *w = self;
    uint8_t tag[16], nonce[12] = { 0 }, aad[60] = { 0 };
    for (uint32_t i = 0; i < SIZE / CHUNK_SIZE; i++) {
        memcpy(nonce, &i, 4);
        must(gcm_seal(w->gcm, w->out + (size_t)i * CHUNK_SIZE, tag, nonce, aad, sizeof aad, w->in + (size_t)i * CHUNK_SIZE, CHUNK_SIZE));
    }
    memcpy(w->in, w->out, SIZE);
}

int main(void)
{
    static const uint8_t id[32] = { 7 };
    secret *key = NULL;
    struct snapshot *snap = NULL;
    struct seal_head none = { 0 };
    struct work w = { 0 };
    static struct sink sink;
    log_open("bench", LOG_ERROR);
    must(crypto_warm_up());
    must(secret_arena_open(65536));
    must(secret_random(&key, 32));
    must(mem_new(&sink.room, SIZE + (8 << 20)));
    must(mem_new(&w.in, SIZE));
    must(mem_new(&w.out, SIZE));
    for (size_t i = 0; i < SIZE; i += 1 << 20) must(random_bytes(w.in + i, 1 << 20));
    must(snapshot_open(&snap, SIZE));
    w.image = snapshot_blk(snap);
    must(w.image->write_at(w.image, w.in, SIZE, 0));
    sink.store = (struct store){ .head_get = head_get, .head_put = head_put, .put_begin = put_begin, .put_data = put_data,
                                 .put_end = put_end, .put_abort = put_abort, .list = list };
    must(gcm_open_key(&w.gcm, key));
    must(seal_open(&w.sealer, key, id, 1, &sink.store, &none));
    double bound = bench_median(bound_once, &w, RUNS), seal = bench_median(seal_once, &w, RUNS);
    bench_say("full seal, CPU against GCM pass + copy", seal / bound, "x", "<= 1.3");
    bench_say("full seal, one core", SIZE / seal / 1e9, "GB/s", "");
    bench_say("GCM pass + copy, one core", SIZE / bound / 1e9, "GB/s", "");
    secret_drop(&key);
    return 0;
}
