/* The clear header of a manifest, its entries, and the header of a pack. What is
 * accepted is exactly what building it again gives, and lies within its bounds. */
#include <string.h>

#include "core/mem.h"
#include "diskcrypt/manifest.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pack_head(const uint8_t *data, size_t size)
{
    struct pack_head h;
    uint8_t again[PACK_HEAD];
    if (size < PACK_HEAD || pack_head_parse(&h, data).code)
        return;
    fuzz_reached("manifest.pack");
    pack_head_build(again, &h);
    MUST(memcmp(again, data, PACK_HEAD) == 0);
}

static void entries(const struct manifest_clear *m, const uint8_t *p)
{
    if (manifest_entries_check(m, p).code)
        return;
    fuzz_reached("manifest.entries");
    for (uint32_t i = 0; i < m->stored; i++) {
        struct manifest_entry e;
        struct manifest_pack pack;
        manifest_entry_get(&e, p, i);
        manifest_pack_get(&pack, m, e.pack);
        MUST((uint64_t)e.index * CHUNK_SIZE < m->image_size);
        MUST(e.offset >= PACK_HEAD && e.offset <= pack.size - CHUNK_SIZE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest_clear m;
    pack_head(data, size);
    if (manifest_clear_parse(&m, data, size).code)
        return 0;
    fuzz_reached("manifest");
    static struct manifest_pack packs[MANIFEST_PACKS_MAX];
    for (uint32_t i = 0; i < m.packs; i++)
        manifest_pack_get(&packs[i], &m, i);
    BYTES again = NULL;
    MUST(m.clear_size <= size && mem_new(&again, m.clear_size).code == E_OK);
    struct wr w = wr_of(again, m.clear_size);
    manifest_clear_build(&w, &m, packs);
    MUST(!w.full && w.len == m.clear_size && memcmp(again, data, w.len) == 0);
    MUST(m.total_size <= manifest_size_max(m.image_size));
    /* As if the sealed part had been opened and were this. */
    if ((size - m.clear_size) / MANIFEST_ENTRY >= m.stored)
        entries(&m, data + m.clear_size);
    return 0;
}
