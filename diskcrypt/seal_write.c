/* seal_write.c - one generation, from the image to the head.
 *
 * What is new is read into the buffer it is sent from and encrypted there: one
 * read, one pass of the cipher, one send. What did not change stays in the packs of
 * earlier generations. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "diskcrypt/sealer.h"

enum { SLOTS = SEAL_ROOM };

/* One generation in the making. */
struct writing {
    struct sealer *s;
    struct blk *image;
    struct seal_map *map;                 /* of this generation                              */
    struct pack_head head;
    struct gcm *key;                      /* of the pack                                     */
    bool     putting;                     /* the pack was begun; it is once there is a chunk */
    uint8_t *slots;                       /* SLOTS chunks on their way out                   */
    uint32_t used;
    uint32_t written;                     /* chunks in the pack                              */
    uint64_t pack_size;
    uint64_t done, total;                 /* bytes of image, for the progress                */
};

static void writing_drop(struct writing *w)
{
    if (w->putting)
        err_drop(w->s->store->put_abort(w->s->store));
    gcm_close_key(&w->key);
    /* They held the disk's plaintext for a moment. */
    if (w->slots)
        mem_wipe(w->slots, LINK_PIECE);
    mem_free_bytes(&w->slots);
    map_drop(&w->map);
}
#define WRITING __attribute__((cleanup(writing_drop))) struct writing

static err writing_begin(struct writing *w, struct sealer *s, struct blk *image)
{
    w->s = s;
    w->image = image;
    memcpy(w->head.service, s->service, SERVICE_ID);
    w->head.epoch = s->epoch;
    w->head.generation = s->now.head.generation + 1;
    w->head.image_size = image->size(image);
    TRY(chunk_size_check(w->head.image_size));
    /* The salt makes the pack's key new even if this generation number was used
     * before: by an attempt that failed, or by a copy of this enclave. */
    TRY(random_bytes(w->head.salt, sizeof w->head.salt));
    TRY(seal_pack_key(&w->key, s->key, &w->head));
    TRY(mem_new(&w->slots, LINK_PIECE));
    return map_next(&w->map, s->map, w->head.image_size);
}

static err pack_begin(struct writing *w)
{
    char name[OBJECT_NAME];
    uint8_t clear[PACK_HEAD];
    pack_name(name, w->head.generation, w->head.salt);
    pack_head_build(clear, &w->head);
    TRY(w->s->store->put_begin(w->s->store, name));
    w->putting = true;
    TRY(w->s->store->put_data(w->s->store, clear, sizeof clear));
    w->pack_size = sizeof clear;
    return OK;
}

static err slots_send(struct writing *w)
{
    if (w->used == 0)
        return OK;
    size_t n = (size_t)w->used * CHUNK_SIZE;
    TRY(w->s->store->put_data(w->s->store, w->slots, n));
    w->used = 0;
    return OK;
}

/* Seal one chunk into the next slot; `plain` is there or in a later one. */
static err chunk_seal(struct writing *w, const uint8_t *plain, uint32_t index)
{
    if (!w->putting)
        TRY(pack_begin(w));
    struct place *p = &w->map->at[index];
    uint8_t nonce[CHUNK_NONCE], aad[CHUNK_AAD];
    chunk_nonce(nonce, index);
    chunk_aad(aad, &w->head, index);
    TRY(gcm_seal(w->key, w->slots + (size_t)w->used * CHUNK_SIZE, p->tag, nonce, aad, sizeof aad, plain, CHUNK_SIZE));
    p->pack = (int32_t)w->map->pack_count;
    p->nth = w->written++;
    w->used++;
    w->pack_size += CHUNK_SIZE;
    return OK;
}

/* Seal chunks [from, to) of the image, leaving out those of zeros. */
static err run_seal(struct writing *w, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t n = SLOTS - w->used;
        if (n > to - from)
            n = to - from;
        uint8_t *plain = w->slots + (size_t)w->used * CHUNK_SIZE;
        TRY(w->image->read_at(w->image, plain, (size_t)n * CHUNK_SIZE, (uint64_t)from * CHUNK_SIZE));
        for (uint32_t i = 0; i < n; i++, plain += CHUNK_SIZE)
            if (!chunk_is_zero(plain, CHUNK_SIZE))
                TRY(chunk_seal(w, plain, from + i));
            else
                w->map->at[from + i].pack = PLACE_NONE;
        if (w->used == SLOTS)
            TRY(slots_send(w));
        from += n;
        w->done += (uint64_t)n * CHUNK_SIZE;
        seal_tell(w->s, w->done, w->total);
    }
    return OK;
}

err seal_next_run(struct blk *image, uint32_t *from, uint32_t *to, uint32_t at)
{
    uint64_t a, b;
    TRY(blk_next_data(image, &a, &b, (uint64_t)at * CHUNK_SIZE));
    *from = (uint32_t)(a / CHUNK_SIZE);
    *to = (uint32_t)((b + CHUNK_SIZE - 1) / CHUNK_SIZE);
    return OK;
}

/* The new pack joins the list, if there is one. */
static err pack_end(struct writing *w)
{
    if (!w->putting)                      /* nothing changed, or to zeros only: no pack */
        return OK;
    TRY(slots_send(w));
    w->putting = false;
    TRY(w->s->store->put_end(w->s->store, w->pack_size));
    struct manifest_pack *p = &w->map->packs[w->map->pack_count++];
    *p = (struct manifest_pack){ .generation = w->head.generation, .image_size = w->head.image_size, .size = w->pack_size };
    memcpy(p->salt, w->head.salt, sizeof p->salt);
    return OK;
}

/* First all of it is looked at, then what is to be written is: a pack's chunks ascend, and those of packs
 * that are given up lie between those that changed. */
static err pack_write(struct writing *w)
{
    const struct place *at = w->map->at;
    const uint32_t chunks = w->map->chunks;
    uint32_t writes = 0;
    TRY(seal_scan(w->s, w->map, w->image, w->slots));
    map_plan(w->map, &writes);
    w->total = (uint64_t)writes * CHUNK_SIZE;
    for (uint32_t from = 0, to; from < chunks; from = to) {
        for (to = from; to < chunks && at[to].pack == PLACE_WRITE;)
            to++;
        if (to == from)
            to++;
        else
            TRY(run_seal(w, from, to));
    }
    return pack_end(w);
}

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

err seal_write(struct sealer *s, struct seal_report *r, struct blk *image,
               const uint8_t *record, size_t record_len, uint64_t now)
{
    *r = (struct seal_report){ 0 };
    if (!s->restored)
        FAIL(E_STATE, "generation %llu was not restored, so none can follow it",
             (unsigned long long)s->now.head.generation);
    TRY(seal_settle(s));
    if (s->now.head.generation == 0 && !record)
        FAIL(E_STATE, "the first generation needs the service record");
    TRY(first_head(s));
    struct head next = s->now.head;       /* keeps the record unless there is a new one */
    next.generation++;
    uint64_t moved = 0;
    TRY(record_write(&next, &moved, s, record, record_len));
    WRITING w = { 0 };
    TRY(writing_begin(&w, s, image));
    TRY(pack_write(&w));
    moved += w.pack_size;
    struct manifest_clear m;
    manifest_fill(&m, &w, &next, now);
    TRY(manifest_write(&next, &moved, &w, &m));
    TRY(seal_move_head(s, &next, &w.map));
    *r = (struct seal_report){ next.generation, now, w.head.image_size, (uint64_t)m.stored * CHUNK_SIZE,
                               (uint64_t)w.written * CHUNK_SIZE, moved };
    return OK;
}
