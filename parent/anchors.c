/* anchors.c - see anchors.h. */
#include "parent/anchors.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/log.h"
#include "policy/checkpoint.h"

_Static_assert((int)LINK_NOTE_MAX == (int)NOTE_MAX && (int)LINK_COSIGNATURES == (int)WITNESSES_NAMES, "the link carries what the formats allow");

err anchors_open(struct anchors *a, struct store_backend *store, const struct parent_config *conf)
{
    memset(a, 0, sizeof *a);
    a->store = store;
    a->deadline_ms = (unsigned)conf->witness_deadline * 1000;
    TRY(parent_witnesses(&a->policy, &a->any, conf));
    return a->any ? anchor_open(&a->anchor, &a->policy) : OK;
}

void anchors_close(struct anchors *a)
{
    anchor_close(&a->anchor);
    chain_drop(&a->chain);
}

err anchors_follow(struct anchors *a, const char *tail)
{
    err e = chain_follow(&a->chain, a->store, tail, NULL);
    /* To the enclave, absent means that there are no witnesses. */
    if (e.code == E_ABSENT) FAIL(E_STATE, "the log's chain of segments from %s back is not whole: nothing can be proved", tail);
    return e;
}

/* Is the chain in the store the log that the checkpoint is of? */
static err check_log(struct anchors *a, const char *note, size_t note_len, const char *tail)
{
    struct note n;
    struct checkpoint at;
    struct tlog tree;
    uint8_t root[TLOG_HASH];
    TRY(note_parse(&n, note, note_len));
    TRY(checkpoint_parse(&at, n.text, n.text_len));
    TRY(anchors_follow(a, tail));
    TRY(leaves_tree(&tree, &a->chain.leaves, a->chain.leaves.size));
    tlog_root(root, &tree);
    if (at.size != tree.size || memcmp(at.root, root, sizeof root) != 0)
        FAIL(E_STATE, "the checkpoint of %" PRIu64 " entries is not of the log that ends with %s, of %" PRIu64, at.size, tail, tree.size);
    return OK;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

err anchors_ask(void *self, uint8_t out[static LINK_ANCHORED_MAX], size_t *n, const char *note, size_t note_len, const char *tail, uint32_t deadline_ms)
{
    struct anchors *a = self;
    struct anchor_answer got;
    const unsigned most = deadline_ms < a->deadline_ms ? deadline_ms : a->deadline_ms;
    const int64_t began = now_ms();
    if (!a->any) FAIL(E_ABSENT, "the enclave asks for cosignatures, and no witnesses are configured here ([witness] policy)");
    TRY(check_log(a, note, note_len, tail));
    const int64_t spent = now_ms() - began;
    /* What was read stays, so the next request comes further. */
    if (spent >= most) FAIL(E_TIMEOUT, "reading the log's segments took %" PRId64 " ms of the %u that there are for its witnesses", spent, most);
    const struct tlog_store log = leaves_store(&a->chain.leaves);
    TRY(anchor_ask(a->anchor, &got, &(struct anchor_request){ note, note_len, &log, most - (unsigned)spent }));
    struct wr w = wr_of(out, LINK_ANCHORED_MAX);
    wr_u64(&w, got.largest);
    wr_u32(&w, (uint32_t)got.count);
    for (size_t i = 0; i < got.count; i++) {
        wr_u32(&w, got.got[i].key_id);
        wr_u64(&w, got.got[i].time);
        wr_bytes(&w, got.got[i].signature, sizeof got.got[i].signature);
    }
    *n = w.len;
    return wr_end(&w, "cosignatures");
}
