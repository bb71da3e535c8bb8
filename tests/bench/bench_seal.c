/* Sealing a 1 GiB image, CPU time, memory to memory: a full generation against its bound, one AES-256-GCM pass of the same
 * library plus one copy of the same bytes; then generations of the image unchanged, changed in a hundredth, and changed in
 * scattered pages; a restore; an image 40 % full; a sparse one; and what stands still for how long. */
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/log.h"
#include "core/mem.h"
#include "diskcrypt/seal.h"
#include "tests/bench/bench.h"
#include "tests/bench/sink.h"

enum { MIB = 1 << 20, RUNS = 5, BLOCK = 64 << 10, PAGE = 4 << 10 };
static const uint64_t SIZE = 1024ull * MIB;
static const uint8_t service[32] = { 7 };

struct work {
    struct sealer *sealer;
    struct blk *image, *back;
    struct gcm *gcm;
    uint8_t *in, *out;
    struct sink *sink;
    secret *key;
    uint8_t turn;
    double frozen, longest;
};

static void must(err e)
{
    if (e.code) {
        fprintf(stderr, "bench_seal: %s\n", err_text(e.code));
        exit(1);
    }
}

static struct blk *image_of(uint64_t size)
{
    struct blk *b = NULL;
    int fd = memfd_create("image", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        must((err){ E_IO });
    must(blk_from_fd(&b, &fd));
    return b;
}

/* Random bytes in each run of `every` bytes, the first `part` of it. */
static void fill(struct work *w, uint64_t every, uint64_t part, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += every)
        must(w->image->write_at(w->image, w->in + at % (SIZE / 2), part, at));
}

static err still(void *self)
{
    ((struct work *)self)->frozen = bench_clock(CLOCK_MONOTONIC);
    return OK;
}

static err runs(void *self)
{
    struct work *w = self;
    const double t = bench_clock(CLOCK_MONOTONIC) - w->frozen;
    if (t > w->longest)
        w->longest = t;
    return OK;
}

static void seal_once(void *self)
{
    static const uint8_t record[16] = { 1 };
    struct work *w = self;
    struct seal_report r;
    const struct seal_gate gate = { still, runs, w };
    const bool first = seal_generation(w->sealer) == 0;
    w->longest = 0;
    w->sink->sent = 0;
    must(seal_write_live(w->sealer, &r, w->image, first ? NULL : &gate, first ? record : NULL, sizeof record, 1));
}

static void sealer_new(struct work *w)
{
    static const struct seal_head none;
    seal_close(&w->sealer);
    sink_clear(w->sink);
    must(seal_open(&w->sealer, w->key, service, 1, &w->sink->store, &none));
}

/* A service of its own each time: its first generation is a full one. */
static void seal_full(void *self)
{
    sealer_new(self);
    seal_once(self);
}

static void change(struct work *w, uint64_t every, size_t piece)
{
    w->turn++;
    memset(w->out, w->turn, piece);
    for (uint64_t at = 0, i = 0; at + piece <= SIZE; at += every, i++)
        must(w->image->write_at(w->image, w->out, piece, at + (piece == PAGE ? i * 7919 % 25 * PAGE : 0)));
}

static void gmac_once(void *self)
{
    struct work *w = self;
    uint8_t tag[16], nonce[12] = { 0 };
    for (uint64_t at = 0; at < SIZE; at += BLOCK)
        must(gcm_seal(w->gcm, NULL, tag, nonce, w->in + at, BLOCK, NULL, 0));
}

static void gcm_pass(struct work *w)
{
    uint8_t tag[16], nonce[12] = { 0 }, aad[60] = { 0 };
    for (uint64_t at = 0; at < SIZE; at += BLOCK) {
        memcpy(nonce, &at, 8);
        must(gcm_seal(w->gcm, w->out + at, tag, nonce, aad, sizeof aad, w->in + at, BLOCK));
    }
}

static void bound_once(void *self)
{
    struct work *w = self;
    gcm_pass(w);
    memcpy(w->sink->room, w->out, SIZE);
}

/* The restore's: a pass of the cipher, reading, and writing to a new file. */
static void restore_bound(void *self)
{
    struct work *w = self;
    BLK to = image_of(SIZE);
    gcm_pass(w);
    for (uint64_t at = 0; at < SIZE; at += MIB) {
        must(w->image->read_at(w->image, w->out, MIB, at));
        must(to->write_at(to, w->out, MIB, at));
    }
}

static void restore_once(void *self)
{
    struct work *w = self;
    SEAL_HEAD found = { 0 };
    SEALER s = NULL;
    struct seal_report r;
    BLK to = image_of(SIZE);
    must(seal_head_get(&found, &w->sink->store));
    must(seal_open(&s, w->key, service, 1, &w->sink->store, &found));
    must(seal_restore(s, &r, to, 1));
}

/* CPU of one seal after each change; the change itself is not counted. */
static double changed(struct work *w, uint64_t every, size_t piece, double *times_sent)
{
    double t[RUNS];
    for (int i = 0; i < RUNS; i++) {
        change(w, every, piece);
        const double before = bench_cpu();
        seal_once(w);
        t[i] = bench_cpu() - before;
        *times_sent = (double)w->sink->sent / ((double)(SIZE / every) * (double)piece);
    }
    qsort(t, RUNS, sizeof *t, bench_compare);
    return t[RUNS / 2];
}

/* Memory of this process that is its own, in bytes: the image is a file's. */
static double own_memory(void)
{
    unsigned long all = 0, resident = 0, shared = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu %lu %lu", &all, &resident, &shared) != 3)
        must((err){ E_IO });
    fclose(f);
    return (double)(resident - shared) * 4096;
}

static double most;
static void look(void)
{
    const double now = own_memory();
    if (now > most)
        most = now;
}

/* All of a disk in use changed at once, then as much as is held while it stands still, into a store that keeps nothing. */
static void memory_row(struct work *w)
{
    static struct sink nothing;
    struct sink *usual = w->sink;
    sink_open(&nothing, NULL, 0);
    nothing.on_piece = look;
    seal_close(&w->sealer);
    malloc_trim(0);
    w->sink = &nothing;
    const double before = most = own_memory();
    seal_full(w);
    seal_once(w);
    change(w, BLOCK, BLOCK);
    seal_once(w);
    change(w, 70ull * BLOCK, BLOCK);      /* 15 MiB: as much as is held */
    seal_once(w);
    const double bound = 24.0 * MIB + 64.0 * (double)(SIZE / CHUNK_SIZE);
    bench_say("memory beyond the image, against 24 MiB + 64 B a chunk", (most - before) / bound, "x", "<= 1");
    w->sink = usual;
}

static void increments(struct work *w, double seal)
{
    double sent = 0;
    seal_once(w);                         /* compares by tags, and leaves digests */
    const double gmac = bench_median(gmac_once, w, RUNS), scan = bench_median(seal_once, w, RUNS);
    bench_say("unchanged: scan, CPU against one GMAC pass", scan / gmac, "x", "<= 1.5");
    bench_say("unchanged: scan, CPU against the full seal", scan / seal, "x", "<= 0.3333");
    bench_say("unchanged: the disk stands still, per GiB", w->longest, "s", "<= 0.1");
    const double blocks = changed(w, 100ull * BLOCK, BLOCK, &sent);
    bench_say("1 % of 64 KiB blocks changed, CPU against the scan", blocks / scan, "x", "<= 1.2");
    bench_say("1 % of 64 KiB blocks changed, CPU", blocks, "s", "");
    const double pages = changed(w, 100ull * PAGE, PAGE, &sent);
    bench_say("1 % of 4 KiB pages changed, scattered: sent / changed", sent, "x", "<= 5");
    bench_say("1 % of 4 KiB pages changed, CPU against the scan", pages / scan, "x", "<= 2.5");
    bench_say("scan, one core", (double)SIZE / scan / 1e9, "GB/s", "");
    bench_say("GMAC pass, one core", (double)SIZE / gmac / 1e9, "GB/s", "");
}

static void other_images(struct work *w, double seal)
{
    blk_close(&w->image);
    w->image = image_of(SIZE);
    fill(w, 10 * MIB, 4 * MIB, SIZE - 4 * MIB);
    bench_say("an image 40 % full against a full one", bench_median(seal_full, w, RUNS) / seal, "x", "<= 0.5");
    blk_close(&w->image);
    w->image = image_of(16 * SIZE);
    fill(w, 16 * MIB, MIB, 16 * SIZE);
    bench_say("16 GiB sparse with 1 GiB of data against 1 GiB", bench_median(seal_full, w, RUNS) / seal, "x", "<= 1.3");
}

int main(void)
{
    struct work w = { 0 };
    static struct sink sink;
    uint8_t *room = NULL;
    log_open("bench", LOG_ERROR);
    must(crypto_warm_up());
    must(secret_arena_open(65536));
    must(secret_random(&w.key, 32));
    must(mem_new(&room, SIZE + 64 * MIB));
    must(mem_new(&w.in, SIZE));
    must(mem_new(&w.out, SIZE));
    for (uint64_t i = 0; i < SIZE; i += MIB)
        must(random_bytes(w.in + i, MIB));
    w.image = image_of(SIZE);
    must(w.image->write_at(w.image, w.in, SIZE, 0));
    sink_open(&sink, room, SIZE + 64 * MIB);
    must(gcm_open_key(&w.gcm, w.key));
    w.sink = &sink;
    const double bound = bench_median(bound_once, &w, RUNS), seal = bench_median(seal_full, &w, RUNS);
    bench_say("full seal, CPU against GCM pass + copy", seal / bound, "x", "<= 1.3");
    bench_say("full seal, CPU", seal, "s", "");
    bench_say("full seal, one core", (double)SIZE / seal / 1e9, "GB/s", "");
    bench_say("GCM pass + copy, one core", (double)SIZE / bound / 1e9, "GB/s", "");
    const double rbound = bench_median(restore_bound, &w, RUNS), back = bench_median(restore_once, &w, RUNS);
    bench_say("restore, CPU against GCM pass + read + write", back / rbound, "x", "<= 1.3");
    bench_say("restore, CPU", back, "s", "");
    increments(&w, seal);
    memory_row(&w);
    other_images(&w, seal);
    seal_close(&w.sealer);
    blk_close(&w.image);
    secret_drop(&w.key);
    return 0;
}
