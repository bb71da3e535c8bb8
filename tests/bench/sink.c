/* sink.c - see sink.h. */
#include "tests/bench/sink.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum { LIST_ROOM = 64 << 20 };

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

static err put_begin(struct store *s, const char *name)
{
    struct sink *k = (struct sink *)s;
    k->putting = strstr(name, ".pack") ? 'p' : strstr(name, ".manifest") ? 'm' : 'r';
    k->at = 0;
    return OK;
}

static uint8_t *place(struct sink *k, size_t *cap)
{
    *cap = k->putting == 'p' ? k->room_cap : k->putting == 'm' ? k->list_cap : sizeof k->record;
    return k->putting == 'p' ? k->room : k->putting == 'm' ? k->list : k->record;
}

static err put_data(struct store *s, const void *p, size_t n)
{
    struct sink *k = (struct sink *)s;
    size_t cap;
    uint8_t *to = place(k, &cap);
    k->sent += n;
    if (k->on_piece)
        k->on_piece();
    if (!to)
        return OK;
    if (n > cap - k->at)
        FAIL(E_LIMIT, "the bench's store is full");
    memcpy(to + k->at, p, n);
    k->at += n;
    return OK;
}

static err put_end(struct store *s, uint64_t total)
{
    struct sink *k = (struct sink *)s;
    *(k->putting == 'p' ? &k->pack : k->putting == 'm' ? &k->list_len : &k->record_len) = (size_t)total;
    return OK;
}

static err put_abort(struct store *s)
{
    (void)s;
    return OK;
}

static err get(struct store *s, uint64_t *total, const char *name, uint64_t max, struct store_sink out)
{
    struct sink *k = (struct sink *)s;
    const bool pack = strstr(name, ".pack"), list = strstr(name, ".manifest");
    const uint8_t *from = pack ? k->room : list ? k->list : k->record;
    *total = pack ? k->pack : list ? k->list_len : k->record_len;
    if (*total > max)
        return (err){ E_LIMIT };
    for (uint64_t at = 0; at < *total;) {
        const size_t n = *total - at < LINK_PIECE ? (size_t)(*total - at) : (size_t)LINK_PIECE;
        TRY(out.take(out.self, from + at, n));
        at += n;
    }
    return OK;
}

static err list(struct store *s, uint32_t *objects, bool *head)
{
    *objects = 0;
    *head = ((struct sink *)s)->head_len > 0;
    return OK;
}

void sink_open(struct sink *k, uint8_t *room, size_t cap)
{
    *k = (struct sink){ .room = room, .room_cap = cap, .list_cap = LIST_ROOM };
    k->store = (struct store){ .head_get = head_get, .head_put = head_put, .put_begin = put_begin, .put_data = put_data,
                               .put_end = put_end, .put_abort = put_abort, .get = get, .list = list };
    if (!room)
        return;
    k->list = malloc(LIST_ROOM);
    MUST(k->list);
    memset(k->list, 1, LIST_ROOM);        /* its pages are not the bench's */
}

void sink_clear(struct sink *k)
{
    k->head_len = 0;
}
