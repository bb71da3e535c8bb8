/* A full generation of an incompressible image, against its bound: one AES-256-GCM pass of the same library plus one copy
 * of the same bytes. Then generations of the same image unchanged, against one GMAC pass over it, and with one chunk in
 * a hundred changed. CPU time, memory to memory. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/log.h"
#include "core/mem.h"
#include "diskcrypt/seal.h"
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

struct work { struct sealer *sealer; struct blk *image; struct gcm *gcm; uint8_t *in, *out; struct sink *sink; secret *key; uint8_t turn; };

static void must(err e) { if (e.code) { fprintf(stderr, "bench_seal: %s\n", err_text(e.code)); exit(1); } }

static void seal_once(void *self)
{
    static const uint8_t record[16] = { 1 };
    struct work *w = self;
    struct seal_report r;
    must(seal_write(w->sealer, &r, w->image, seal_generation(w->sealer) ? NULL : record, sizeof record, 1));
}

/* A service of its own each time: its first generation is a full one. */
static void seal_full(void *self)
{
    static const uint8_t id[32] = { 7 };
    static const struct seal_head none;
    struct work *w = self;
    seal_close(&w->sealer);
    w->sink->head_len = 0;
    must(seal_open(&w->sealer, w->key, id, 1, &w->sink->store, &none));
    seal_once(w);
}

static void seal_changed(void *self)
{
    struct work *w = self;
    w->turn++;
    for (uint64_t at = 0; at < SIZE; at += 100 * CHUNK_SIZE) must(w->image->write_at(w->image, &w->turn, 1, at + 1000));
    seal_once(w);
}

static void gmac_once(void *self)
{
    struct work *w = self;
    uint8_t tag[16], nonce[12] = { 0 };
    for (uint32_t i = 0; i < SIZE / CHUNK_SIZE; i++)
        must(gcm_seal(w->gcm, NULL, tag, nonce, w->in + (size_t)i * CHUNK_SIZE, CHUNK_SIZE, NULL, 0));
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
    secret *key = NULL;
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
    int fd = memfd_create("image", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, SIZE) != 0) must((err){ E_IO });
    must(blk_from_fd(&w.image, &fd));
    must(w.image->write_at(w.image, w.in, SIZE, 0));
    sink.store = (struct store){ .head_get = head_get, .head_put = head_put, .put_begin = put_begin, .put_data = put_data,
                                 .put_end = put_end, .put_abort = put_abort, .list = list };
    must(gcm_open_key(&w.gcm, key));
    w.sink = &sink;
    w.key = key;
    double bound = bench_median(bound_once, &w, RUNS), seal = bench_median(seal_full, &w, RUNS);
    seal_once(&w);                        /* compares by tags, and leaves digests */
    double gmac = bench_median(gmac_once, &w, RUNS), scan = bench_median(seal_once, &w, RUNS);
    double changed = bench_median(seal_changed, &w, RUNS);
    bench_say("full seal, CPU against GCM pass + copy", seal / bound, "x", "<= 1.3");
    bench_say("unchanged: scan, CPU against one GMAC pass", scan / gmac, "x", "<= 1.5");
    bench_say("unchanged: scan, CPU against the full seal", scan / seal, "x", "<= 0.3333");
    bench_say("1 % of chunks changed, CPU against the scan", changed / scan, "x", "<= 1.2");
    bench_say("full seal, one core", SIZE / seal / 1e9, "GB/s", "");
    bench_say("scan, one core", SIZE / scan / 1e9, "GB/s", "");
    bench_say("GMAC pass, one core", SIZE / gmac / 1e9, "GB/s", "");
    bench_say("GCM pass + copy, one core", SIZE / bound / 1e9, "GB/s", "");
    seal_close(&w.sealer);
    secret_drop(&key);
    return 0;
}
