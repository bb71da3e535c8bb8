/* inspect.c - the clear parts of a store against each other. */
#include "parent/inspect.h"

#include <string.h>

#include "core/log.h"
#include "diskcrypt/chunk.h"
#include "parent/chain.h"

enum { RECORD_SIZE_MAX = 1 << 16 };

const char *flaw_name(enum flaw f)
{
    switch (f) {
    case FLAW_NONE: return "whole";
    case FLAW_MANIFEST: return "damaged";
    case FLAW_HASH: return "altered";
    case FLAW_PACK_MISSING: return "pack-missing";
    case FLAW_PACK_HEAD: return "pack-altered";
    case FLAW_RECORD: return "record-missing";
    case FLAW_SERVICE: return "other-service";
    case FLAW_LOG_MISSING: return "log-missing";
    case FLAW_LOG: return "log-altered";
    case FLAW_ORPHAN: return "orphan";
    }
    return "unknown";
}

err inspect_log(enum flaw *flaw, struct log_found *found, const struct catalogue *c, struct store_backend *s)
{
    CHAIN chain = { 0 };
    *flaw = FLAW_NONE;
    *found = (struct log_found){ 0 };
    if (c->raw_head_len == 0 || !c->head.log[0]) return OK;
    err e = chain_follow(&chain, s, c->head.log, c->head.log_sha256);
    if (e.code == E_IO || e.code == E_MEMORY) return e;
    if (e.code) *flaw = e.code == E_ABSENT ? FLAW_LOG_MISSING : FLAW_LOG;
    else if (memcmp(chain.tail.service, c->head.service, SERVICE_ID) != 0) *flaw = FLAW_SERVICE;
    else *found = (struct log_found){ chain.count, chain.leaves.size };
    return OK;
}

err inspect_record(const struct object **out, const struct catalogue *c, struct store_backend *s, const uint8_t hash[static 32])
{
    *out = NULL;
    for (size_t i = 0; i < c->object_count; i++) {
        const struct object *o = &c->objects[i];
        uint8_t is[32];
        if (strncmp(o->name, "record-", 7) != 0 || o->size > RECORD_SIZE_MAX) continue;
        TRY(catalogue_hash(is, s, o->name));
        if (memcmp(is, hash, sizeof is) != 0) continue;
        *out = o;
        return OK;
    }
    return OK;
}

/* Is it the manifest that its successor, or the head, names by hash? Twins are told apart by this. */
static err in_chain(enum flaw *flaw, const struct catalogue *c, size_t i, struct store_backend *s)
{
    const struct generation *g = &c->generations[i];
    uint8_t is[32];
    bool twin = (i > 0 && c->generations[i - 1].number == g->number)
             || (i + 1 < c->generation_count && c->generations[i + 1].number == g->number);
    if (g->number > c->head.generation || (g->number == c->head.generation && !g->is_head)) {
        *flaw = FLAW_ORPHAN;
        return OK;
    }
    TRY(catalogue_hash(is, s, g->object->name));
    if (g->is_head) {
        if (memcmp(is, c->head.manifest_sha256, sizeof is) != 0) *flaw = FLAW_HASH;
        return OK;
    }
    bool next = false;
    for (size_t k = i; k-- > 0 && c->generations[k].number <= g->number + 1;) {
        const struct generation *newer = &c->generations[k];
        if (newer->number != g->number + 1 || !newer->readable) continue;
        if (memcmp(is, newer->clear.previous, sizeof is) == 0) return OK;
        next = true;
    }
    /* Its successor may have been pruned; then nothing names it, and nothing speaks against it. */
    if (next) *flaw = twin ? FLAW_ORPHAN : FLAW_HASH;
    return OK;
}

static err pack_fits(bool *fits, const struct generation *g, const struct manifest_pack *want, struct store_backend *s)
{
    STORE_GET get = NULL;
    uint8_t bytes[PACK_HEAD];
    struct pack_head is;
    size_t have = 0, n = 1;
    TRY(s->get(s, &get, want->name));
    while (have < sizeof bytes && n > 0) {
        TRY(get->read(get, bytes + have, &n, sizeof bytes - have));
        have += n;
    }
    *fits = have == sizeof bytes && !pack_head_parse(&is, bytes).code
         && memcmp(is.service, g->clear.service, sizeof is.service) == 0 && is.epoch == g->clear.epoch
         && is.generation == want->generation && memcmp(is.salt, want->salt, sizeof is.salt) == 0
         && is.image_size == want->image_size;
    return OK;
}

err inspect_generation(enum flaw *flaw, const struct catalogue *c, size_t i, struct store_backend *s, struct progress *p)
{
    const struct generation *g = &c->generations[i];
    const struct object *record;
    *flaw = FLAW_NONE;
    progress_add(p, g->object->size);
    TRY(in_chain(flaw, c, i, s));
    if (*flaw == FLAW_NONE && !g->readable) *flaw = FLAW_MANIFEST;
    if (*flaw != FLAW_NONE) return OK;
    if (memcmp(g->clear.service, c->head.service, SERVICE_ID) != 0) *flaw = FLAW_SERVICE;
    else if (g->missing) *flaw = FLAW_PACK_MISSING;
    for (uint32_t k = 0; *flaw == FLAW_NONE && k < g->clear.packs; k++) {
        bool fits;
        TRY(pack_fits(&fits, g, &g->packs[k], s));
        if (!fits) *flaw = FLAW_PACK_HEAD;
    }
    if (*flaw != FLAW_NONE) return OK;
    TRY(inspect_record(&record, c, s, g->clear.record));
    if (!record) *flaw = FLAW_RECORD;
    return OK;
}
