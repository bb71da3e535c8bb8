/* sink.h - a store in one piece of memory, as fast as a plain copy: for benches. It keeps one pack and one manifest, the
 * last ones; or, without room, nothing. */
#ifndef TESTS_BENCH_SINK_H
#define TESTS_BENCH_SINK_H
#include "diskcrypt/store.h"

struct sink {
    struct store store;
    uint8_t *room, *list;                 /* of the last pack and manifest; room NULL: dropped */
    size_t   room_cap, list_cap;
    size_t   at, pack, list_len, record_len;
    int      putting;                     /* 'p' a pack, 'm' a manifest, 'r' a record           */
    uint64_t sent;                        /* bytes put in all                                   */
    uint8_t  record[256], head[LINK_HEAD_MAX];
    size_t   head_len;
    void   (*on_piece)(void);             /* called now and then; may be NULL                   */
};
void sink_open(struct sink *k, uint8_t *room, size_t cap);
void sink_clear(struct sink *k);

#endif
