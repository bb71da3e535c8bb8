#include "policy/block_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void block_check_json(struct wr *w, const struct block_check *b)
{
    char work[65], text[BLOCK_CHECK_JSON];
    if (!b->made) {
        wr_text(w, "\"unverified\"");
        return;
    }
    hex_from(work, b->work, sizeof b->work);
    snprintf(text, sizeof text, "{\"network\":\"%s\",\"height\":%" PRIu32 ",\"time\":%" PRIu32 ",\"depth\":%" PRIu32
             ",\"anchor\":\"%s\",\"work\":\"%s\"}", b->network, b->height, b->time, b->depth, b->anchor, work);
    wr_text(w, text);
}

void block_check_write(struct wr *w, const struct block_check *b)
{
    wr_u8(w, b->made);
    wr_var(w, b->network, strlen(b->network));
    wr_var(w, b->anchor, strlen(b->anchor));
    wr_u32(w, b->height);
    wr_u32(w, b->time);
    wr_u32(w, b->depth);
    wr_bytes(w, b->work, sizeof b->work);
}

/* Lower-case letters and digits: nothing that JSON would have to escape. */
static void read_word(struct rd *r, char out[static BLOCK_CHECK_WORD])
{
    size_t n = 0;
    const uint8_t *p = rd_var(r, BLOCK_CHECK_WORD - 1, &n);
    memset(out, 0, BLOCK_CHECK_WORD);
    for (size_t i = 0; p && i < n; i++) {
        if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9'))) r->bad = true;
        out[i] = (char)p[i];
    }
}

void block_check_read(struct rd *r, struct block_check *b)
{
    static const struct block_check none = { 0 };
    memset(b, 0, sizeof *b);                 /* padding too: it is compared below */
    const uint8_t made = rd_u8(r);
    read_word(r, b->network);
    read_word(r, b->anchor);
    b->height = rd_u32(r);
    b->time = rd_u32(r);
    b->depth = rd_u32(r);
    rd_copy(r, b->work, sizeof b->work);
    /* One encoding for one meaning. */
    if (made > 1 || (!made && memcmp(b, &none, sizeof none) != 0)) r->bad = true;
    if (made && (!b->network[0] || !b->anchor[0])) r->bad = true;
    b->made = made == 1;
}
