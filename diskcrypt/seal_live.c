/* seal_live.c - what changed on a disk that is in use.
 *
 * While the disk stands still all of it is looked at, and what changed is sealed into memory, if that
 * is little; it goes out when the disk runs again. If it is much, it goes out first, from the running disk, in a pack
 * that no manifest of its own follows: such a pack is of no moment, but each of its chunks is what the disk held
 * at some time, and those that still are when the disk stands still again need not be sealed then. That pack's
 * generation number is used up. */
#include "core/mem.h"
#include "diskcrypt/seal_writing.h"

enum {
    HELD_CHUNKS = (16 << 20) / CHUNK_SIZE,   /* sealed while the disk stands still               */
    ROUNDS      = 3                       /* before it is done whatever memory that takes     */
};

static err room_for(struct writing *w, uint32_t chunks)
{
    mem_free_bytes(&w->held);
    return mem_new(&w->held, (size_t)chunks * CHUNK_SIZE);
}

/* Seal what is to be written, from a disk that stands still, into w->held. */
static err hold(struct writing *w, uint32_t *count, uint32_t writes)
{
    uint32_t to;
    *count = 0;
    TRY(room_for(w, writes));
    for (uint32_t from = 0; writing_next(w->map, &from, &to); from = to) {
        BLK_VIEW v = { 0 };
        TRY(blk_view(&v, w->image, w->slots, (size_t)(to - from) * CHUNK_SIZE, (uint64_t)from * CHUNK_SIZE));
        const uint8_t *plain = v.p;
        for (uint32_t i = from; i < to; i++, plain += CHUNK_SIZE) {
            if (chunk_is_zero(plain, CHUNK_SIZE)) {
                w->map->at[i].pack = PLACE_NONE;
                continue;
            }
            TRY(writing_chunk(w, w->held + (size_t)*count * CHUNK_SIZE, plain, i));
            ++*count;
        }
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
    *done = writes <= HELD_CHUNKS || round == ROUNDS;
    return *done ? hold(w, held, writes) : OK;
}

static err frozen(struct writing *w, const struct seal_gate *gate, bool *done, uint32_t *held, unsigned round)
{
    TRY(gate->freeze(gate->self));
    err e = look(w, done, held, round);
    err thawed = gate->thaw(gate->self);
    return e.code ? e : thawed;
}

/* Seal what is to be written from the running disk: a chunk is read once, so that what is digested is what is sealed. */
static err running(struct writing *w)
{
    uint32_t to;
    for (uint32_t from = 0; writing_next(w->map, &from, &to); from = to) {
        uint8_t *plain = w->slots;
        uint32_t used = 0;
        TRY(w->image->read_at(w->image, plain, (size_t)(to - from) * CHUNK_SIZE, (uint64_t)from * CHUNK_SIZE));
        for (uint32_t i = from; i < to; i++, plain += CHUNK_SIZE) {
            if (chunk_is_zero(plain, CHUNK_SIZE)) {
                w->map->at[i].pack = PLACE_NONE;
                continue;
            }
            TRY(seal_digest(w->s, &w->map->at[i], plain));
            TRY(writing_chunk(w, w->slots + (size_t)used * CHUNK_SIZE, plain, i));
            used++;
        }
        TRY(writing_send(w, w->slots, (size_t)used * CHUNK_SIZE));
    }
    return writing_end_pack(w);
}

/* The first generation has the number 1, and nobody uses the disk yet: it stands still for all of it. */
static err first(struct writing *w, const struct seal_gate *gate)
{
    TRY(gate->freeze(gate->self));
    err e = writing_still(w);
    err thawed = gate->thaw(gate->self);
    return e.code ? e : thawed;
}

err writing_live(struct writing *w, const struct seal_gate *gate)
{
    bool done = false;
    uint32_t held = 0;
    if (w->s->now.head.generation == 0)
        return first(w, gate);
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
