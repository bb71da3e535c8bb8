/* manifest.c - the clear header of a manifest and its entries. No key here. */
#include "diskcrypt/manifest.h"

#include <string.h>

static const char manifest_magic[8] = { 'h', 'f', '-', 'l', 'i', 's', 't', '\n' };

static bool all_zero(const uint8_t *p, size_t n)
{
    return chunk_is_zero(p, n);
}

uint64_t manifest_size_max(uint64_t image_size)
{
    return MANIFEST_FIXED + (uint64_t)MANIFEST_PACKS_MAX * MANIFEST_PACK
         + image_size / CHUNK_SIZE * MANIFEST_ENTRY + CHUNK_TAG;
}

/* Without the name: the checks below ask this once per chunk. */
static void pack_read(struct manifest_pack *out, const struct manifest_clear *m, uint32_t i)
{
    MUST(i < m->packs);
    struct rd r = rd_of(m->pack_list + (size_t)i * MANIFEST_PACK, MANIFEST_PACK);
    out->generation = rd_u64(&r);
    out->image_size = rd_u64(&r);
    out->size = rd_u64(&r);
    rd_copy(&r, out->salt, sizeof out->salt);
}

void manifest_pack_get(struct manifest_pack *out, const struct manifest_clear *m, uint32_t i)
{
    pack_read(out, m, i);
    pack_name(out->name, out->generation, out->salt);
}

static uint64_t pack_chunks(const struct manifest_pack *p)
{
    return (p->size - PACK_HEAD) / CHUNK_SIZE;
}

static err pack_check(const struct manifest_pack *p, const struct manifest_clear *m, uint64_t last_generation)
{
    if (p->generation <= last_generation || p->generation > m->generation)
        FAIL(E_FORMAT, "a manifest of generation %llu lists a pack of generation %llu out of order",
             (unsigned long long)m->generation, (unsigned long long)p->generation);
    /* What a generation wrote shares one salt, so a name stands for one pair of objects. */
    if (p->generation == m->generation && memcmp(p->salt, m->salt, SALT) != 0)
        FAIL(E_FORMAT, "a manifest lists a pack of its own generation with another salt");
    TRY(chunk_size_check(p->image_size));
    if (p->size < PACK_HEAD + CHUNK_SIZE || (p->size - PACK_HEAD) % CHUNK_SIZE != 0 ||
        pack_chunks(p) > p->image_size / CHUNK_SIZE)
        FAIL(E_FORMAT, "a manifest lists a pack of impossible size %llu", (unsigned long long)p->size);
    return OK;
}

static err packs_check(const struct manifest_clear *m)
{
    uint64_t last = 0, room = 0;
    for (uint32_t i = 0; i < m->packs; i++) {
        struct manifest_pack p;
        pack_read(&p, m, i);
        TRY(pack_check(&p, m, last));
        last = p.generation;
        room += pack_chunks(&p);          /* at most 2^10 packs of 2^22 chunks */
    }
    if (m->stored > room || m->stored < m->packs)
        FAIL(E_FORMAT, "a manifest stores %u chunks in %u packs with room for %llu", m->stored, m->packs,
             (unsigned long long)room);
    return OK;
}

static err fields_check(const struct manifest_clear *m, uint32_t chunk)
{
    if (chunk != CHUNK_SIZE)
        FAIL(E_FORMAT, "a manifest with chunks of %u bytes instead of %d", chunk, CHUNK_SIZE);
    if (m->generation == 0)
        FAIL(E_FORMAT, "a manifest of generation 0");
    if ((m->generation == 1) != all_zero(m->previous, sizeof m->previous))
        FAIL(E_FORMAT, "a manifest of generation %llu with%s a predecessor",
             (unsigned long long)m->generation, m->generation == 1 ? "" : "out");
    TRY(chunk_size_check(m->image_size));
    if (m->stored > m->image_size / CHUNK_SIZE)
        FAIL(E_FORMAT, "a manifest stores %u chunks of an image of %llu bytes", m->stored,
             (unsigned long long)m->image_size);
    if (m->packs > MANIFEST_PACKS_MAX)
        FAIL(E_FORMAT, "a manifest lists %u packs, at most %d may be", m->packs, MANIFEST_PACKS_MAX);
    return OK;
}

err manifest_clear_parse(struct manifest_clear *out, const void *p, size_t n)
{
    *out = (struct manifest_clear){ 0 };
    struct manifest_clear m = { 0 };
    struct rd r = rd_of(p, n);
    const uint8_t *magic = rd_bytes(&r, sizeof manifest_magic);
    if (!magic || memcmp(magic, manifest_magic, sizeof manifest_magic) != 0)
        FAIL(E_FORMAT, "not a manifest");
    uint32_t version = rd_u32(&r);
    if (version != FORMAT_VERSION)
        FAIL(E_FORMAT, "a manifest of format %u: this program knows format %d", version, FORMAT_VERSION);
    rd_copy(&r, m.service, sizeof m.service);
    m.epoch = rd_u32(&r);
    m.generation = rd_u64(&r);
    rd_copy(&r, m.salt, sizeof m.salt);
    rd_copy(&r, m.previous, sizeof m.previous);
    rd_copy(&r, m.record, sizeof m.record);
    m.time = rd_u64(&r);
    m.log_position = rd_u64(&r);
    m.image_size = rd_u64(&r);
    uint32_t chunk = rd_u32(&r);
    m.stored = rd_u32(&r);
    m.packs = rd_u32(&r);
    if (!rd_ok(&r))
        FAIL(E_FORMAT, "a manifest cut short in its header");
    TRY(fields_check(&m, chunk));
    m.pack_list = rd_bytes(&r, (size_t)m.packs * MANIFEST_PACK);
    if (!m.pack_list)
        FAIL(E_FORMAT, "a manifest cut short in its list of packs");
    TRY(packs_check(&m));
    m.clear_size = MANIFEST_FIXED + (size_t)m.packs * MANIFEST_PACK;
    m.total_size = m.clear_size + (uint64_t)m.stored * MANIFEST_ENTRY + CHUNK_TAG;
    *out = m;
    return OK;
}

void manifest_clear_build(struct wr *w, const struct manifest_clear *m, const struct manifest_pack *packs)
{
    wr_bytes(w, manifest_magic, sizeof manifest_magic);
    wr_u32(w, FORMAT_VERSION);
    wr_bytes(w, m->service, sizeof m->service);
    wr_u32(w, m->epoch);
    wr_u64(w, m->generation);
    wr_bytes(w, m->salt, sizeof m->salt);
    wr_bytes(w, m->previous, sizeof m->previous);
    wr_bytes(w, m->record, sizeof m->record);
    wr_u64(w, m->time);
    wr_u64(w, m->log_position);
    wr_u64(w, m->image_size);
    wr_u32(w, CHUNK_SIZE);
    wr_u32(w, m->stored);
    wr_u32(w, m->packs);
    for (uint32_t i = 0; i < m->packs; i++) {
        wr_u64(w, packs[i].generation);
        wr_u64(w, packs[i].image_size);
        wr_u64(w, packs[i].size);
        wr_bytes(w, packs[i].salt, sizeof packs[i].salt);
    }
}

void manifest_entry_build(uint8_t out[static MANIFEST_ENTRY], const struct manifest_entry *e)
{
    struct wr w = wr_of(out, MANIFEST_ENTRY);
    wr_u32(&w, e->index);
    wr_u32(&w, e->pack);
    wr_u64(&w, e->offset);
    wr_bytes(&w, e->tag, sizeof e->tag);
    MUST(w.len == MANIFEST_ENTRY && !w.full);
}

void manifest_entry_get(struct manifest_entry *out, const uint8_t *entries, uint32_t i)
{
    struct rd r = rd_of(entries + (size_t)i * MANIFEST_ENTRY, MANIFEST_ENTRY);
    out->index = rd_u32(&r);
    out->pack = rd_u32(&r);
    out->offset = rd_u64(&r);
    rd_copy(&r, out->tag, sizeof out->tag);
}

/* `end` is where the last chunk seen of that pack ended. */
static err entry_check(const struct manifest_clear *m, const struct manifest_entry *e, int64_t last_index, uint64_t *end)
{
    if ((int64_t)e->index <= last_index)
        FAIL(E_FORMAT, "chunk %u twice or out of order in a manifest", e->index);
    if (e->index >= m->image_size / CHUNK_SIZE)
        FAIL(E_FORMAT, "chunk %u is outside an image of %llu bytes", e->index, (unsigned long long)m->image_size);
    struct manifest_pack p;
    pack_read(&p, m, e->pack);
    if (e->index >= p.image_size / CHUNK_SIZE)
        FAIL(E_FORMAT, "chunk %u is outside the image that its pack was written from", e->index);
    if (e->offset < *end || e->offset >= p.size || (e->offset - PACK_HEAD) % CHUNK_SIZE != 0)
        FAIL(E_FORMAT, "chunk %u lies at a wrong place, %llu, in pack %u", e->index,
             (unsigned long long)e->offset, e->pack);
    *end = e->offset + CHUNK_SIZE;
    return OK;
}

err manifest_entries_check(const struct manifest_clear *m, const uint8_t *entries)
{
    uint64_t end[MANIFEST_PACKS_MAX];
    for (uint32_t i = 0; i < m->packs; i++)
        end[i] = PACK_HEAD;
    int64_t last = -1;
    for (uint32_t i = 0; i < m->stored; i++) {
        struct manifest_entry e;
        manifest_entry_get(&e, entries, i);
        if (e.pack >= m->packs)
            FAIL(E_FORMAT, "chunk %u is said to be in pack %u of %u", e.index, e.pack, m->packs);
        TRY(entry_check(m, &e, last, &end[e.pack]));
        last = e.index;
    }
    for (uint32_t i = 0; i < m->packs; i++)
        if (end[i] == PACK_HEAD)
            FAIL(E_FORMAT, "a manifest lists pack %u and needs nothing of it", i);
    return OK;
}
