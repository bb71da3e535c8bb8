/* Proofs of a log with a million entries, as the parent makes them from its kept tree: every one made is checked outside the time. */
#include <string.h>

#include "bench.h"
#include "core/log.h"
#include "parent/leaves.h"

enum { ENTRIES = 1000000, PROOFS = 2001 };

static void must(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "bench_log: %s\n", what);
    exit(1);
}

static void leaf_of(uint8_t out[static TLOG_HASH], uint64_t i) { tlog_leaf(out, &i, sizeof i); }

int main(void)
{
    static double entry[PROOFS], growth[PROOFS];
    struct leaves l = { 0 };
    struct tlog now, then;
    uint8_t leaf[TLOG_HASH], root[TLOG_HASH], old_root[TLOG_HASH];
    struct tlog_path p;
    log_open("bench", LOG_ERROR);
    for (uint64_t i = 0; i < ENTRIES; i++) {
        leaf_of(leaf, i);
        must(!leaves_add(&l, leaf).code, "a leaf");
    }
    const struct tlog_store s = leaves_store(&l);
    must(!leaves_tree(&now, &l, ENTRIES).code, "the tree");
    tlog_root(root, &now);
    uint64_t at = 1;
    for (int i = 0; i < PROOFS; i++) {
        at = (at * 6364136223846793005u + 1442695040888963407u);
        const uint64_t index = (at >> 20) % (ENTRIES - 1) + 1;
        double before = bench_cpu();
        must(!tlog_prove_entry(&p, &s, index, ENTRIES).code, "a proof");
        entry[i] = (bench_cpu() - before) * 1000;
        leaf_of(leaf, index);
        must(!tlog_check_entry(&p, leaf, index, ENTRIES, root).code, "a wrong proof");
        before = bench_cpu();
        must(!tlog_prove_growth(&p, &s, index, ENTRIES).code, "a proof");
        growth[i] = (bench_cpu() - before) * 1000;
        must(!leaves_tree(&then, &l, index).code, "a tree");
        tlog_root(old_root, &then);
        must(!tlog_check_growth(&p, index, old_root, ENTRIES, root).code, "a wrong proof");
    }
    qsort(entry, PROOFS, sizeof *entry, bench_compare);
    qsort(growth, PROOFS, sizeof *growth, bench_compare);
    bench_say("proof of an entry in a log of 1,000,000, median", entry[PROOFS / 2], "ms", "<= 1");
    bench_say("proof of growth to 1,000,000 entries, median", growth[PROOFS / 2], "ms", "<= 1");
    bench_say("the slower of both, 99 of 100 take less", (entry[PROOFS * 99 / 100] > growth[PROOFS * 99 / 100] ? entry : growth)[PROOFS * 99 / 100], "ms", "<= 1");
    leaves_drop(&l);
    return 0;
}
