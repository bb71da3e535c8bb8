/* seal_write.c - one generation: its pack, its manifest, its head. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "diskcrypt/seal_writing.h"

static void manifest_fill(struct manifest_clear *m, const struct writing *w, const struct head *next, uint64_t now)
{
    *m = (struct manifest_clear){
        .epoch = w->head.epoch, .generation = w->head.generation, .time = now,
        .image_size = w->head.image_size, .stored = map_stored(w->map), .packs = w->map->pack_count,
    };
    memcpy(m->service, w->head.service, sizeof m->service);
    memcpy(m->salt, w->head.salt, sizeof m->salt);
    /* Generation 0 is the unfinished first: its hash is all zeros, as the format asks. */
    memcpy(m->previous, w->s->now.head.manifest_sha256, sizeof m->previous);
    memcpy(m->record, next->record_sha256, sizeof m->record);
    if (w->s->journal.stage)
        m->log_position = w->s->journal.position(w->s->journal.self);
}

/* Build the manifest: header, then the entries sealed in place with the header as associated data. */
static err manifest_make(uint8_t **out, size_t *len, const struct writing *w, const struct manifest_clear *m)
{
    static const uint8_t nonce[GCM_NONCE] = { 0 };        /* one message under this key */
    size_t body = (size_t)m->stored * MANIFEST_ENTRY;
    size_t size = MANIFEST_FIXED + (size_t)m->packs * MANIFEST_PACK + body + GCM_TAG;
    BYTES bytes = NULL;
    TRY(mem_new(&bytes, size));
    struct wr wr = wr_of(bytes, size);
    manifest_clear_build(&wr, m, w->map->packs);
    size_t clear = wr.len;
    uint8_t *sealed = wr_room(&wr, body), *tag = wr_room(&wr, GCM_TAG);
    TRY(wr_end(&wr, "a manifest"));
    map_entries(sealed, w->map);
    GCM key = NULL;
    TRY(seal_manifest_key(&key, w->s->key, m));
    TRY(gcm_seal(key, sealed, tag, nonce, bytes, clear, sealed, body));
    *out = take_bytes(&bytes);
    *len = size;
    return OK;
}

static err manifest_write(struct head *next, uint64_t *moved, struct writing *w, const struct manifest_clear *m)
{
    BYTES bytes = NULL;
    size_t len = 0;
    TRY(manifest_make(&bytes, &len, w, m));
    sha256(next->manifest_sha256, bytes, len);
    manifest_name(next->manifest, m->generation, m->salt);
    *moved += len;
    return store_put_all(w->s->store, next->manifest, bytes, len);
}

static err record_write(struct head *next, uint64_t *moved, struct sealer *s, const uint8_t *record, size_t len)
{
    if (!record)
        return OK;
    if (len > SEAL_RECORD_MAX)
        FAIL(E_LIMIT, "a service record of %zu bytes is too long", len);
    uint8_t id[8];
    TRY(random_bytes(id, sizeof id));
    record_name(next->record, id);
    sha256(next->record_sha256, record, len);
    *moved += len;
    return store_put_all(s->store, next->record, record, len);
}

static err stage_log(struct sealer *s, struct head *next, uint64_t now)
{
    return s->journal.stage ? s->journal.stage(s->journal.self, next, now) : OK;
}

/* Before the first object, so that objects without a head are always a loss. */
static err first_head(struct sealer *s)
{
    if (s->now.head.generation > 0)
        return OK;
    struct head begun = { .epoch = s->epoch };
    memcpy(begun.service, s->service, SERVICE_ID);
    if (s->now.len > 0 && s->now.head.epoch == s->epoch && memcmp(s->now.head.service, s->service, SERVICE_ID) == 0)
        return OK;
    return seal_move_head(s, &begun, NULL);
}

static err write_checks(struct sealer *s, const uint8_t *record)
{
    if (!s->restored)
        FAIL(E_STATE, "generation %llu was not restored, so none can follow it",
             (unsigned long long)s->now.head.generation);
    TRY(seal_settle(s));
    if (s->now.head.generation == 0 && !record)
        FAIL(E_STATE, "the first generation needs the service record");
    return first_head(s);
}

err seal_write_live(struct sealer *s, struct seal_report *r, struct blk *image, const struct seal_gate *gate,
                    const uint8_t *record, size_t record_len, uint64_t now)
{
    *r = (struct seal_report){ 0 };
    TRY(write_checks(s, record));
    struct head next = s->now.head;       /* keeps the record unless there is a new one */
    uint64_t moved = 0;
    TRY(record_write(&next, &moved, s, record, record_len));
    WRITING w = { 0 };
    TRY(writing_begin(&w, s, image));
    TRY(gate ? writing_live(&w, gate) : writing_still(&w));
    next.generation = w.head.generation;
    moved += w.moved;
    struct manifest_clear m;
    manifest_fill(&m, &w, &next, now);
    TRY(manifest_write(&next, &moved, &w, &m));
    TRY(stage_log(s, &next, now));
    TRY(seal_move_head(s, &next, &w.map));
    *r = (struct seal_report){ next.generation, now, w.head.image_size, (uint64_t)m.stored * CHUNK_SIZE,
                               (uint64_t)w.written * CHUNK_SIZE, moved, m.log_position };
    return OK;
}

err seal_write(struct sealer *s, struct seal_report *r, struct blk *image,
               const uint8_t *record, size_t record_len, uint64_t now)
{
    return seal_write_live(s, r, image, NULL, record, record_len, now);
}

err seal_log(struct sealer *s, uint64_t now)
{
    TRY(seal_settle(s));
    if (s->now.head.generation == 0 || !s->journal.stage)
        FAIL(E_STATE, "there is no generation yet, or no log");
    struct head next = s->now.head;
    TRY(stage_log(s, &next, now));
    return seal_move_head(s, &next, NULL);
}
