/* seal_live.c - what changed on a disk that is in use.
 *
 * While the disk stands still all of it is looked at, and what changed is sealed into memory, if that
 * is little; it goes out when the disk runs again. If it is much, it goes out first, from the running disk, in a pack
 * that no manifest of its own follows: such a pack is of no moment, but each of its chunks is what the disk held
 * at some time, and those that still are when the disk stands still again need not be sealed then. That pack's
 * generation number is used up; so the first generation, whose number is 1, is held in memory whatever it takes: a new
 * disk is nearly empty. */
#include "core/mem.h"
#include "diskcrypt/seal_writing.h"

enum {
    HELD_CHUNKS = (16 << 20) / CHUNK_SIZE,   /* sealed while the disk stands still               */
    ROUNDS      = 3                          /* before it is done whatever memory that takes     */
};

/* Seal what is to be written, from a disk that stands still, into w->held. Out: *count. */
static err hold(struct writing *w, uint32_t *count, uint32_t writes)
{
    uint32_t used, to;
    *count = 0;
    mem_free_bytes(&w->held);
    TRY(mem_new(&w->held, (size_t)writes * CHUNK_SIZE));
    for (uint32_t from = 0; writing_next(w->map, &from, &to); from = to) {
        TRY(writing_run(w, w->held + (size_t)*count * CHUNK_SIZE, &used, from, to, true));
        *count += used;
    }
    return OK;
}

/* Out: *done = false when there is too much to hold; the map says what. */
static err look(struct writing *w, bool *done, uint32_t *held, unsigned round)
{
    uint32_t writes = 0;
    TRY(seal_scan(w->s, w->map, w->image, w->slots));
    /* Packs are given up once, in the first round: what changes between rounds may leave a little more dead. */
    if (round == 0)
        map_plan(w->map, &writes);
    else
        map_tidy(w->map, &writes);
    *done = writes <= HELD_CHUNKS || round == ROUNDS || w->s->now.head.generation == 0;
    return *done ? hold(w, held, writes) : OK;
}

static err frozen(struct writing *w, const struct seal_gate *gate, bool *done, uint32_t *held, unsigned round)
{
    TRY(gate->freeze(gate->self));
    err e = look(w, done, held, round);
    err thawed = gate->thaw(gate->self);
    return e.code ? e : thawed;
}

/* Seal what is to be written from the running disk, and send it. */
static err running(struct writing *w)
{
    uint32_t used, to;
    for (uint32_t from = 0; writing_next(w->map, &from, &to); from = to) {
        TRY(writing_run(w, w->slots, &used, from, to, false));
        TRY(writing_send(w, w->slots, (size_t)used * CHUNK_SIZE));
    }
    return writing_end_pack(w);
}

err writing_live(struct writing *w, const struct seal_gate *gate)
{
    bool done = false;
    uint32_t held = 0;
    for (unsigned round = 0;; round++) {
        TRY(frozen(w, gate, &done, &held, round));
        if (done)
            break;
        const uint32_t before = w->map->pack_count;
        TRY(running(w));
        if (w->map->pack_count > before)
            TRY(writing_number(w, w->head.generation + 1));
    }
    TRY(writing_send(w, w->held, (size_t)held * CHUNK_SIZE));
    return writing_end_pack(w);
}
