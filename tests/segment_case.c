/* segment_case.c - see segment_case.h. */
#include "tests/segment_case.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "tests/log_case.h"
#include "tests/support/check_main.h"

void case_put(struct store_backend *s, const char *name, const void *p, size_t n)
{
    STORE_PUT put = NULL;
    ASSERT_OK(s->put(s, &put, name));
    ASSERT_OK(put->write(put, p, n));
    ASSERT_OK(put->commit(put));
}

void case_remove(struct store_backend *s, const char *name)
{
    uint8_t head[LINK_HEAD_MAX];
    size_t n = 0, removed = 0;
    ASSERT_OK(s->head_get(s, head, &n));
    ASSERT_OK(s->remove(s, &removed, head, n, &name, 1));
    ck_assert_uint_eq(removed, 1);
}

struct made case_segment(struct store_backend *s, const struct made *before, uint32_t count, uint8_t salt, void (*alter)(struct tail *))
{
    static uint8_t entries[TAIL_ENTRIES * 16], bytes[TAIL_MAX];
    const uint8_t salts[8] = { salt }, seed = 1;
    const struct cosign_key holder = case_holder(&seed);
    struct made out = { 0 };
    struct tail t = { .service = { 7 }, .epoch = 1, .state = (const uint8_t *)"state", .state_len = 5, .count = count };
    struct wr e = wr_of(entries, sizeof entries), w = wr_of(bytes, sizeof bytes);
    if (before) {
        t.before = before->tree;
        t.from = before->tree.size;
        memcpy(t.previous, before->name, sizeof t.previous);
        memcpy(t.previous_sha256, before->sha256, 32);
    }
    for (uint32_t i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, t.from + i);
        wr_var(&e, text, strlen(text));
    }
    t.entries = entries;
    t.entries_len = e.len;
    if (alter) alter(&t);
    ASSERT_OK(tail_write(&w, &t));
    ASSERT_OK(holder.sign(holder.self, t.signature, t.message, sizeof t.message));
    wr_bytes(&w, t.signature, sizeof t.signature);
    ASSERT_OK(tail_tree(&out.tree, &t));
    tail_name(out.name, t.from, salts);
    sha256(out.sha256, bytes, w.len);
    case_put(s, out.name, bytes, w.len);
    return out;
}
