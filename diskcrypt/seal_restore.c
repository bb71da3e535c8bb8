/* seal_restore.c - a generation back into an image.
 *
 * First the manifest is authenticated as a whole (seal_manifest.c); then every pack
 * streams by and each chunk is opened, at the place and under the name the manifest
 * gives it. What does not fit is refused with its own reason. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "diskcrypt/sealer.h"

/* One restore on its way. */
struct restoring {
    struct sealer *s;
    struct blk *image;                    /* NULL: only look                                  */
    const struct manifest_clear *m;
    uint64_t done, moved;
    /* the pack that streams by */
    struct manifest_pack pack;
    struct pack_head head;
    uint32_t number;
    struct gcm *key;
    uint32_t next;                        /* entry to look at next                            */
    uint64_t at;                          /* bytes of the pack taken                          */
    uint8_t *part;                        /* a chunk (or the header) that comes in pieces     */
    size_t   part_len;
    uint8_t *plain;                       /* RUN bytes: chunks that lie side by side in the image ... */
    size_t   run;                         /* ... so many bytes of them, not yet written ...   */
    uint64_t run_at;                      /* ... and where they go                            */
};
/* Large enough that a write costs its copy, small enough for the cache. */
enum { RUN = 8 * CHUNK_SIZE };

static void restoring_drop(struct restoring *t)
{
    gcm_close_key(&t->key);
    if (t->plain)
        mem_wipe(t->plain, RUN);
    mem_free_bytes(&t->plain);
    mem_free_bytes(&t->part);
    seal_manifest_drop(t->s);             /* large, and not needed again */
}
#define RESTORING __attribute__((cleanup(restoring_drop))) struct restoring

/* The pack's own header must be byte for byte what the authentic manifest implies. */
static err pack_head_fits(const struct restoring *t, const uint8_t *bytes)
{
    struct pack_head h;
    TRY(pack_head_parse(&h, bytes));
    const char *name = t->pack.name;
    if (!bytes_equal(h.service, t->head.service, SERVICE_ID))
        FAIL(E_AUTH, "%s holds a pack of another service", name);
    if (h.epoch != t->head.epoch)
        FAIL(E_AUTH, "%s holds a pack of epoch %u", name, h.epoch);
    if (h.generation != t->head.generation)
        FAIL(E_AUTH, "%s holds a pack of generation %llu", name, (unsigned long long)h.generation);
    if (h.image_size != t->head.image_size)
        FAIL(E_AUTH, "%s holds a pack of an image of %llu bytes", name, (unsigned long long)h.image_size);
    if (!bytes_equal(h.salt, t->head.salt, SALT))
        FAIL(E_AUTH, "%s holds another pack of its generation", name);
    return OK;
}

/* Find the entry whose chunk starts at `offset` of this pack. Out: NULL when the chunk is not needed. */
static bool entry_at(struct restoring *t, struct manifest_entry *e, uint64_t offset)
{
    for (; t->next < t->m->stored; t->next++) {
        manifest_entry_get(e, t->s->entries, t->next);
        if (e->pack != t->number)
            continue;
        if (e->offset == offset)
            t->next++;
        return e->offset == offset;
    }
    return false;
}

static err run_write(struct restoring *t)
{
    const size_t n = t->run;
    t->run = 0;
    return n > 0 ? t->image->write_at(t->image, t->plain, n, t->run_at) : OK;
}

/* Where the chunk that goes to `at` is opened: behind the one before it, if they are neighbours. Out: *room. */
static err run_room(uint8_t **room, struct restoring *t, uint64_t at)
{
    if (t->run == RUN || t->run_at + t->run != at)
        TRY(run_write(t));
    if (t->run == 0)
        t->run_at = at;
    *room = t->plain + t->run;
    return OK;
}

static err chunk_open(struct restoring *t, const uint8_t *sealed, uint64_t offset)
{
    struct manifest_entry e;
    if (!entry_at(t, &e, offset))
        return OK;                        /* a later generation replaced it */
    uint8_t nonce[CHUNK_NONCE], aad[CHUNK_AAD];
    chunk_nonce(nonce, e.index);
    chunk_aad(aad, &t->head, e.index);
    uint8_t *plain;
    TRY(run_room(&plain, t, (uint64_t)e.index * CHUNK_SIZE));
    err bad = gcm_unseal(t->key, plain, e.tag, nonce, aad, sizeof aad, sealed, CHUNK_SIZE);
    if (bad.code == E_AUTH)
        FAIL(E_AUTH, "chunk %u in %s does not verify", e.index, t->pack.name);
    TRY(bad);
    if (t->image)
        t->run += CHUNK_SIZE;
    t->done += CHUNK_SIZE;
    seal_tell(t->s, t->done, (uint64_t)t->m->stored * CHUNK_SIZE);
    return OK;
}

/* One whole unit of the pack: its header first, then chunk after chunk. */
static err unit_take(struct restoring *t, const uint8_t *unit, size_t n)
{
    uint64_t offset = t->at;
    t->at += n;
    return offset == 0 ? pack_head_fits(t, unit) : chunk_open(t, unit, offset);
}

/* Pieces come cut anywhere; whole units are opened where they lie. */
static err pack_take(void *self, const uint8_t *p, size_t n)
{
    struct restoring *t = self;
    while (n > 0) {
        size_t unit = t->at == 0 ? PACK_HEAD : CHUNK_SIZE;
        if (t->part_len == 0 && n >= unit) {
            TRY(unit_take(t, p, unit));
            p += unit;
            n -= unit;
            continue;
        }
        size_t more = unit - t->part_len < n ? unit - t->part_len : n;
        memcpy(t->part + t->part_len, p, more);
        t->part_len += more;
        p += more;
        n -= more;
        if (t->part_len == unit) {
            t->part_len = 0;
            TRY(unit_take(t, t->part, unit));
        }
    }
    return OK;
}

static err pack_restore(struct restoring *t, uint32_t number)
{
    manifest_pack_get(&t->pack, t->m, number);
    t->number = number;
    t->next = 0;
    t->at = 0;
    t->part_len = 0;
    memcpy(t->head.service, t->s->service, SERVICE_ID);
    memcpy(t->head.salt, t->pack.salt, SALT);
    t->head.epoch = t->m->epoch;
    t->head.generation = t->pack.generation;
    t->head.image_size = t->pack.image_size;
    gcm_close_key(&t->key);
    TRY(seal_pack_key(&t->key, t->s->key, &t->head));
    uint64_t total = 0;
    err e = t->s->store->get(t->s->store, &total, t->pack.name, t->pack.size, (struct store_sink){ pack_take, t });
    if (e.code == E_ABSENT)
        FAIL(E_ABSENT, "generation %llu needs %s, and the store does not have it",
             (unsigned long long)t->m->generation, t->pack.name);
    if (e.code == E_LIMIT)
        FAIL(E_FORMAT, "%s is longer than the %llu bytes it was sealed with", t->pack.name,
             (unsigned long long)t->pack.size);
    TRY(e);
    if (total != t->pack.size)
        FAIL(E_FORMAT, "%s has %llu bytes instead of %llu", t->pack.name, (unsigned long long)total,
             (unsigned long long)t->pack.size);
    t->moved += total;
    return run_write(t);
}

/* Zero chunks are not stored, so what was there before would show through. */
static err image_empty(struct blk *image)
{
    uint64_t from, to;
    if (!image->next_data)
        return OK;                        /* it cannot tell; the caller promised */
    TRY(blk_next_data(image, &from, &to, 0));
    if (from < to)
        FAIL(E_STATE, "the image to restore into is not empty");
    return OK;
}

static err packs_restore(struct restoring *t)
{
    TRY(mem_new(&t->part, CHUNK_SIZE));
    TRY(mem_new(&t->plain, RUN));
    for (uint32_t i = 0; i < t->m->packs; i++)
        TRY(pack_restore(t, i));
    if (t->done != (uint64_t)t->m->stored * CHUNK_SIZE)
        FAIL(E_FORMAT, "%llu bytes of chunks came back of %u chunks", (unsigned long long)t->done, t->m->stored);
    return OK;
}

err seal_verify(struct sealer *s, struct seal_report *r)
{
    *r = (struct seal_report){ 0 };
    if (!s->restored || s->now.head.generation == 0)
        FAIL(E_STATE, "there is no generation to verify");
    TRY(seal_settle(s));
    RESTORING t = { .s = s, .m = &s->list };
    TRY(seal_manifest_open(s, (uint64_t)CHUNK_COUNT_MAX * CHUNK_SIZE));
    TRY(packs_restore(&t));
    *r = (struct seal_report){ t.m->generation, t.m->time, t.m->image_size, t.done, 0, t.moved + t.m->total_size, t.m->log_position };
    return OK;
}

err seal_restore(struct sealer *s, struct seal_report *r, struct blk *image, uint64_t least_generation)
{
    *r = (struct seal_report){ 0 };
    if (s->restored)
        FAIL(E_STATE, "there is no generation to restore, or it is already");
    TRY(image_empty(image));
    TRY(chunk_size_check(image->size(image)));
    RESTORING t = { .s = s, .image = image, .m = &s->list };
    TRY(seal_manifest_open(s, image->size(image)));
    if (t.m->image_size != image->size(image))
        FAIL(E_FORMAT, "generation %llu is of an image of %llu bytes, not of %llu", (unsigned long long)t.m->generation,
             (unsigned long long)t.m->image_size, (unsigned long long)image->size(image));
    if (t.m->generation < least_generation)
        FAIL(E_STATE, "generation %llu is older than %llu, the least that may be restored",
             (unsigned long long)t.m->generation, (unsigned long long)least_generation);
    TRY(packs_restore(&t));
    TRY(image->sync(image));
    TRY(map_of_manifest(&s->map, t.m, s->entries));
    s->restored = true;
    *r = (struct seal_report){ t.m->generation, t.m->time, t.m->image_size, t.done, 0, t.moved + t.m->total_size, t.m->log_position };
    return OK;
}
