/* What the enclave holds of a log of a million entries: the newest segment, full, and one hash for each level of the tree. */
#include <malloc.h>
#include <string.h>

#include "bench.h"
#include "core/crypto.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/journal.h"

enum { ENTRIES = 1000000, COUNT = TAIL_ENTRIES };

static void must(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "bench_journal: %s\n", what);
    exit(1);
}

/* A head that names the segment after which the log has a million entries. */
static void make_segment(struct head *h, struct store *store, const secret *key)
{
    static uint8_t entries[COUNT * 64], bytes[TAIL_MAX];
    uint8_t one[64], state[64] = { 1 }, leaf[TLOG_HASH];
    struct wr w = wr_of(entries, sizeof entries), o = wr_of(one, sizeof one), b = wr_of(bytes, sizeof bytes);
    struct tail t = { .epoch = 1, .from = ENTRIES - COUNT, .count = COUNT, .previous = "log-0000000000000000-0011223344556677" };
    const struct entry e = { .kind = ENTRY_SEAL, .time = 1, .generation = 7, .epoch = 1 };
    entry_write(&o, &e);
    for (unsigned i = 0; i < COUNT; i++) wr_var(&w, one, o.len);
    for (uint64_t i = 0; i < t.from; i++) {
        tlog_leaf(leaf, &i, sizeof i);
        must(!tlog_append(&t.before, leaf).code, "the tree");
    }
    t.entries = entries, t.entries_len = w.len;
    t.state = state, t.state_len = 1 + 8 + 32 + 8 + 4;
    must(!tail_write(&b, &t).code && !ed25519_sign(t.signature, key, t.message, sizeof t.message).code, "a segment");
    wr_bytes(&b, t.signature, sizeof t.signature);
    tail_name(h->log, t.from, (const uint8_t *)"saltsalt");
    sha256(h->log_sha256, bytes, b.len);
    must(!store_put_all(store, h->log, bytes, b.len).code, "the store");
}

int main(void)
{
    static const uint8_t service[32];
    struct store_memory *m = NULL;
    STORE store = NULL;
    SECRET key = NULL;
    JOURNAL j = NULL;
    struct head h = { .epoch = 1, .generation = 7 };
    log_open("bench", LOG_ERROR);
    must(!crypto_warm_up().code && !secret_arena_open(65536).code && !store_memory_new(&m).code && !store_memory_open(&store, m, NULL).code, "memory");
    must(!secret_random(&key, JOURNAL_KEY).code, "a key");
    make_segment(&h, store, key);
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    must(!journal_new(&j, key, service, 1, store).code && !journal_resume(j, &h).code, "a journal");
    must(journal_size(j) == ENTRIES, "another size");
    const size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    bench_say("the enclave's memory for a log of 1,000,000 entries", (double)(after - before) / (1 << 20), "MiB", "<= 8");
    journal_close(&j);
    store_close(&store);
    store_memory_drop(&m);
    return 0;
}
