/* seal_map.c - the places of chunks, and which packs are worth keeping. */
#include "diskcrypt/seal_map.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_NUM = 5, ROOM_DEN = 4 };      /* what is read may be that many times what lives */

void map_drop(struct seal_map **m)
{
    if (!*m) return;
    free((*m)->at);
    free((*m)->packs);
    free(*m);
    *m = NULL;
}

err map_new(struct seal_map **out, uint64_t image_size)
{
    *out = NULL;
    TRY(chunk_size_check(image_size));
    SEAL_MAP m = calloc(1, sizeof *m);
    if (!m) FAIL(E_MEMORY, "no memory for a map of chunks");
    m->image_size = image_size;
    m->chunks = (uint32_t)(image_size / CHUNK_SIZE);
    m->at = calloc(m->chunks, sizeof *m->at);
    m->packs = calloc(MANIFEST_PACKS_MAX, sizeof *m->packs);
    if (!m->at || !m->packs) FAIL(E_MEMORY, "no memory for a map of %u chunks", m->chunks);
    *out = m;
    m = NULL;
    return OK;
}

err map_of_manifest(struct seal_map **out, const struct manifest_clear *list, const uint8_t *entries)
{
    *out = NULL;
    SEAL_MAP m = NULL;
    TRY(map_new(&m, list->image_size));
    for (uint32_t i = 0; i < list->packs; i++) manifest_pack_get(&m->packs[i], list, i);
    m->pack_count = list->packs;
    for (uint32_t i = 0; i < list->stored; i++) {
        struct manifest_entry e;
        manifest_entry_get(&e, entries, i);
        struct place *p = &m->at[e.index];
        p->pack = (int32_t)e.pack + 1;
        p->nth = (uint32_t)((e.offset - PACK_HEAD) / CHUNK_SIZE);
        memcpy(p->tag, e.tag, sizeof p->tag);
    }
    *out = m;
    m = NULL;
    return OK;
}

err map_next(struct seal_map **out, const struct seal_map *old, uint64_t image_size)
{
    *out = NULL;
    SEAL_MAP m = NULL;
    TRY(map_new(&m, image_size));
    if (old) {
        const uint32_t both = old->chunks < m->chunks ? old->chunks : m->chunks;
        memcpy(m->at, old->at, both * sizeof *m->at);
        memcpy(m->packs, old->packs, old->pack_count * sizeof *m->packs);
        m->pack_count = old->pack_count;
    }
    *out = m;
    m = NULL;
    return OK;
}

/* Chunks of each pack that are to stay where they are. Out: *writes, chunks that are not. */
static void count_live(uint32_t live[static MANIFEST_PACKS_MAX], uint32_t *writes, const struct seal_map *m)
{
    memset(live, 0, MANIFEST_PACKS_MAX * sizeof *live);
    *writes = 0;
    for (uint32_t i = 0; i < m->chunks; i++) {
        if (m->at[i].pack > 0) live[m->at[i].pack - 1]++;
        else *writes += m->at[i].pack == PLACE_WRITE;
    }
}

static uint32_t pack_chunks(const struct manifest_pack *p)
{
    return (uint32_t)((p->size - PACK_HEAD) / CHUNK_SIZE);
}

/* The pack whose removal gains the most for what it costs: the least part of it lives. -1: none is left. */
static int32_t worst(const struct seal_map *m, const uint32_t *live, bool by_size)
{
    int32_t found = -1;
    for (uint32_t i = 0; i < m->pack_count; i++) {
        if (!live[i]) continue;
        const uint32_t k = found < 0 ? 0 : (uint32_t)found;
        const uint64_t mine = (uint64_t)live[i] * pack_chunks(&m->packs[k]), other = (uint64_t)live[k] * pack_chunks(&m->packs[i]);
        if (found < 0 || (by_size ? live[i] < live[k] : mine < other)) found = (int32_t)i;
    }
    return found;
}

/* Give up packs until the rules hold: their live chunks are written anew. */
static void give_up(bool gone[static MANIFEST_PACKS_MAX], const struct seal_map *m, uint32_t *live, uint32_t writes)
{
    uint64_t total = writes, read = writes;
    uint32_t packs = 1;
    for (uint32_t i = 0; i < m->pack_count; i++) {
        if (!live[i]) continue;
        packs++;
        total += live[i];
        read += pack_chunks(&m->packs[i]);
    }
    /* Half of them at once when there are too many: else every later seal would merge again. */
    uint32_t wanted = packs > MAP_PACKS_WANTED ? MAP_PACKS_WANTED / 2 : MAP_PACKS_WANTED;
    for (;;) {
        const bool many = packs > wanted, dead = read * ROOM_DEN > total * ROOM_NUM;
        const int32_t k = many || dead ? worst(m, live, !dead) : -1;
        if (k < 0) return;
        gone[k] = true;
        read -= pack_chunks(&m->packs[k]) - live[k];
        live[k] = 0;
        packs--;
    }
}

/* Packs that still hold something move up; places follow. */
void map_tidy(struct seal_map *m, uint32_t *writes)
{
    uint32_t live[MANIFEST_PACKS_MAX], next = 0;
    int32_t number[MANIFEST_PACKS_MAX];
    count_live(live, writes, m);
    for (uint32_t i = 0; i < m->pack_count; i++) {
        if (live[i]) m->packs[next++] = m->packs[i];
        number[i] = (int32_t)next;
    }
    m->pack_count = next;
    for (uint32_t i = 0; i < m->chunks; i++)
        if (m->at[i].pack > 0) m->at[i].pack = number[m->at[i].pack - 1];
}

void map_plan(struct seal_map *m, uint32_t *writes)
{
    uint32_t live[MANIFEST_PACKS_MAX];
    bool gone[MANIFEST_PACKS_MAX] = { false };
    count_live(live, writes, m);
    give_up(gone, m, live, *writes);
    for (uint32_t i = 0; i < m->chunks; i++) {
        if (m->at[i].pack > 0 && gone[m->at[i].pack - 1]) m->at[i].pack = PLACE_WRITE;
    }
    map_tidy(m, writes);
}

uint32_t map_stored(const struct seal_map *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->chunks; i++) n += m->at[i].pack > 0;
    return n;
}

void map_entries(uint8_t *out, const struct seal_map *m)
{
    for (uint32_t i = 0; i < m->chunks; i++) {
        const struct place *p = &m->at[i];
        if (p->pack <= 0) continue;
        struct manifest_entry e = { .index = i, .pack = (uint32_t)p->pack - 1, .offset = PACK_HEAD + (uint64_t)p->nth * CHUNK_SIZE };
        memcpy(e.tag, p->tag, sizeof e.tag);
        manifest_entry_build(out, &e);
        out += MANIFEST_ENTRY;
    }
}
