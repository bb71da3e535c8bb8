/* replay.c - two sets of ids, each filled for two windows: one is being filled, one is
 * remembered. When the younger is old enough, the elder is forgotten, and with it all
 * messages up to the latest time in it. */
#include "keystore/replay.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum { ID = 16 };

struct set {
    uint8_t (*at)[ID];                       /* open addressing; all zeros: free */
    size_t   count;
    uint64_t latest_ms;                      /* of the messages in it */
};

struct replay {
    struct set sets[2];
    unsigned   young;
    size_t     most, slots;                  /* slots: a power of two, at least 1.5 * most */
    uint64_t   window_ms, begun_ms, floor_ms; /* the young set was begun; messages up to `floor` are forgotten */
    bool       begun, forgot;
};

void replay_close(struct replay **r)
{
    struct replay *old = *r;
    *r = NULL;
    if (!old)
        return;
    free(old->sets[0].at);
    free(old->sets[1].at);
    free(old);
}

err replay_open(struct replay **out, size_t most, uint64_t window_ms)
{
    *out = NULL;
    REPLAY r = calloc(1, sizeof *r);
    if (!r)
        FAIL(E_MEMORY, "no memory for a memory of requests");
    *r = (struct replay){ .most = most, .slots = 16, .window_ms = window_ms };
    while (r->slots < most + most / 2)
        r->slots *= 2;
    for (int i = 0; i < 2; i++)
        if (!(r->sets[i].at = calloc(r->slots, ID)))
            FAIL(E_MEMORY, "no memory for %zu requests", most);
    *out = r;
    r = NULL;
    return OK;
}

static const uint8_t none[ID];

/* Ids are hashes that nobody can choose at will, so the first bytes spread well enough. */
static uint8_t *slot_of(const struct replay *r, const struct set *s, const uint8_t id[static ID])
{
    size_t i = 0;
    memcpy(&i, id, sizeof i);
    for (;; i++) {
        uint8_t *at = s->at[i & (r->slots - 1)];
        if (memcmp(at, none, ID) == 0 || memcmp(at, id, ID) == 0)
            return at;
    }
}

static bool has(const struct replay *r, const struct set *s, const uint8_t id[static ID])
{
    return memcmp(slot_of(r, s, id), id, ID) == 0;
}

static void forget(struct replay *r, uint64_t now_ms)
{
    struct set *old = &r->sets[1 - r->young];
    if (old->count > 0 && (!r->forgot || old->latest_ms > r->floor_ms)) {
        r->floor_ms = old->latest_ms;
        r->forgot = true;
    }
    memset(old->at, 0, r->slots * ID);
    old->count = 0;
    old->latest_ms = 0;
    r->young = 1 - r->young;
    r->begun_ms = now_ms;
}

err replay_take(struct replay *r, const uint8_t id[static ID], uint64_t time_ms, uint64_t now_ms)
{
    if (!r->begun)
        r->begun_ms = now_ms;
    r->begun = true;
    /* A clock that went back begins the set's time anew: nothing is forgotten early. */
    if (now_ms < r->begun_ms)
        r->begun_ms = now_ms;
    if (now_ms - r->begun_ms >= 2 * r->window_ms)
        forget(r, now_ms);
    uint64_t off = now_ms > time_ms ? now_ms - time_ms : time_ms - now_ms;
    if (off > r->window_ms || (r->forgot && time_ms <= r->floor_ms))
        return (err){ E_TIMEOUT };
    /* All zeros marks a free slot, and stands for no hash that anyone will ever find. */
    if (memcmp(id, none, ID) == 0 || has(r, &r->sets[0], id) || has(r, &r->sets[1], id))
        return (err){ E_STATE };
    struct set *s = &r->sets[r->young];
    if (s->count >= r->most)
        return (err){ E_LIMIT };
    memcpy(slot_of(r, s, id), id, ID);
    s->count++;
    if (time_ms > s->latest_ms)
        s->latest_ms = time_ms;
    return OK;
}
