/* segments.h - which objects the service's log is made of, by their names alone.
 *
 * Only the beginnings of segments are read, and what was read is kept: after a seal that is one object. Nothing is
 * checked by its hash here; chain.h does that. */
#ifndef PARENT_SEGMENTS_H
#define PARENT_SEGMENTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "parent/store.h"
#include "policy/tail.h"

struct segments {
    struct segment_name { char name[TAIL_NAME]; uint64_t size; } *one;   /* the oldest first; size of the object */
    size_t   count, cap;
    bool     broken;                         /* a segment was missing: the list does not begin with the first */
};
void segments_drop(struct segments *l);
#define SEGMENTS __attribute__((cleanup(segments_drop))) struct segments

/* Make it the list of those from the first to `tail`; "" has none. Fails: E_ABSENT (one is missing: the list then holds those behind it),
 * E_FORMAT, E_LIMIT, E_MEMORY, E_IO. After any other failure the list is empty. */
err  segments_follow(struct segments *l, struct store_backend *s, const char *tail);
/* Where a log ends, as its tail says; all zero for "". Fails: as segments_follow(). */
struct log_end { uint32_t number; uint64_t entries; };
err  segments_end(struct log_end *out, struct store_backend *s, const char *tail);
/* Is `a` newer than `b`: of a later log, or longer? */
bool segments_newer(const struct log_end *a, const struct log_end *b);

#endif
