/* fuzz_tail.c - segments of the log, as a parent may hand them out: one encoding for one meaning. */
#include <stdint.h>
#include <string.h>

#include "core/log.h"
#include "policy/tail.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

static bool head_of(const struct tail *a, const struct tail *b)
{
    return memcmp(a->service, b->service, 32) == 0 && a->epoch == b->epoch && a->number == b->number && a->from == b->from && a->count == b->count
        && strcmp(a->previous, b->previous) == 0 && memcmp(a->previous_sha256, b->previous_sha256, 32) == 0 && memcmp(&a->before, &b->before, sizeof a->before) == 0;
}

/* The beginning alone tells the same. */
static void peek(const struct tail *t, const uint8_t *p, size_t n)
{
    struct tail head;
    MUST(!tail_peek(&head, p, n < TAIL_HEAD ? n : TAIL_HEAD).code);
    MUST(head_of(&head, t));
}

static void walk(const struct tail *t)
{
    struct rd r = tail_entries(t);
    struct tlog tree;
    size_t n = 0;
    uint32_t count = 0;
    for (; tail_next(&r, &n); count++) MUST(n > 0 && n <= TAIL_ENTRY_MAX);
    MUST(count == t->count && r.left == 0);
    MUST(!tail_tree(&tree, t).code && tree.size == t->from + t->count);
    if (t->from) fuzz_reached("tail.later");
    if (t->state_len) fuzz_reached("tail.state");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static uint8_t again[TAIL_MAX];
    /* A real key (RFC 8032, 7.1, TEST 2): under one of small order anything may verify. */
    static const uint8_t key[32] = { 61, 64, 23, 195, 232, 67, 137, 90, 146, 183, 10, 167, 77, 27, 126, 188, 156, 152, 44, 207, 46, 196, 150, 140, 192, 205, 85, 241, 42, 244, 102, 12 };
    struct tail t, copy;
    (void)tail_peek(&t, p, n < TAIL_HEAD ? n : TAIL_HEAD);
    if (tail_parse(&t, p, n).code) return 0;
    fuzz_reached("tail");
    peek(&t, p, n);
    walk(&t);
    struct wr w = wr_of(again, sizeof again);
    copy = t;
    MUST(!tail_write(&w, &copy).code);
    wr_bytes(&w, t.signature, sizeof t.signature);
    MUST(!w.full && w.len == n && memcmp(again, p, n) == 0 && memcmp(copy.message, t.message, sizeof t.message) == 0);
    MUST(tail_check(&t, key).code == E_AUTH);
    return 0;
}
