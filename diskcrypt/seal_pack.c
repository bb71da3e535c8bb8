/* seal_pack.c - the pack of one generation: chunks, encrypted on their way out.
 *
 * One look, one pass of the cipher, one send. What did not change stays in the packs of
 * earlier generations. */
#include <string.h>

#include "core/mem.h"
#include "diskcrypt/seal_writing.h"

void writing_drop(struct writing *w)
{
    if (w->putting)
        err_drop(w->s->store->put_abort(w->s->store));
    gcm_close_key(&w->key);
    /* They held the disk's plaintext for a moment. */
    if (w->slots)
        mem_wipe(w->slots, LINK_PIECE);
    mem_free_bytes(&w->slots);
    mem_free_bytes(&w->held);
    map_drop(&w->map);
}

err writing_number(struct writing *w, uint64_t generation)
{
    w->head.generation = generation;
    w->nth = 0;
    /* The salt makes the pack's key new even if this generation number was used
     * before: by an attempt that failed, or by a copy of this enclave. */
    TRY(random_bytes(w->head.salt, sizeof w->head.salt));
    gcm_close_key(&w->key);
    return seal_pack_key(&w->key, w->s->key, &w->head);
}

err writing_begin(struct writing *w, struct sealer *s, struct blk *image)
{
    w->s = s;
    w->image = image;
    memcpy(w->head.service, s->service, SERVICE_ID);
    w->head.epoch = s->epoch;
    w->head.image_size = image->size(image);
    TRY(chunk_size_check(w->head.image_size));
    TRY(writing_number(w, s->now.head.generation + 1));
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
    return w->s->store->put_data(w->s->store, clear, sizeof clear);
}

err writing_send(struct writing *w, const uint8_t *sealed, size_t n)
{
    if (n > 0 && !w->putting)
        TRY(pack_begin(w));
    for (size_t done = 0; done < n;) {
        size_t piece = n - done < LINK_PIECE ? n - done : (size_t)LINK_PIECE;
        TRY(w->s->store->put_data(w->s->store, sealed + done, piece));
        done += piece;
    }
    return OK;
}

/* Seal one chunk as the next of the pack into `out`, which may be where `plain` is. */
static err writing_chunk(struct writing *w, uint8_t *out, const uint8_t *plain, uint32_t index)
{
    struct place *p = &w->map->at[index];
    uint8_t nonce[CHUNK_NONCE], aad[CHUNK_AAD];
    chunk_nonce(nonce, index);
    chunk_aad(aad, &w->head, index);
    TRY(gcm_seal(w->key, out, p->tag, nonce, aad, sizeof aad, plain, CHUNK_SIZE));
    p->pack = (int32_t)w->map->pack_count + 1;
    p->nth = w->nth++;
    w->written++;
    return OK;
}

err writing_end_pack(struct writing *w)
{
    if (!w->putting)                      /* nothing changed, or to zeros only: no pack */
        return OK;
    const uint64_t size = PACK_HEAD + (uint64_t)w->nth * CHUNK_SIZE;
    w->putting = false;
    TRY(w->s->store->put_end(w->s->store, size));
    w->moved += size;
    struct manifest_pack *p = &w->map->packs[w->map->pack_count++];
    *p = (struct manifest_pack){ .generation = w->head.generation, .image_size = w->head.image_size, .size = size };
    memcpy(p->salt, w->head.salt, sizeof p->salt);
    return OK;
}

bool writing_next(const struct seal_map *m, uint32_t *from, uint32_t *to)
{
    while (*from < m->chunks && m->at[*from].pack != PLACE_WRITE)
        ++*from;
    for (*to = *from; *to < m->chunks && *to - *from < SEAL_ROOM && m->at[*to].pack == PLACE_WRITE;)
        ++*to;
    return *to > *from;
}

err writing_run(struct writing *w, uint8_t *out, uint32_t *used, uint32_t from, uint32_t to, bool still)
{
    const size_t n = (size_t)(to - from) * CHUNK_SIZE;
    const uint64_t at = (uint64_t)from * CHUNK_SIZE;
    const uint8_t *plain = w->slots;
    *used = 0;
    if (still)
        TRY(blk_look(&plain, w->image, w->slots, n, at));
    else
        TRY(w->image->read_at(w->image, w->slots, n, at));
    for (uint32_t i = from; i < to; i++, plain += CHUNK_SIZE) {
        if (chunk_is_zero(plain, CHUNK_SIZE)) {
            w->map->at[i].pack = PLACE_NONE;
            continue;
        }
        if (!still)
            TRY(seal_digest(w->s, &w->map->at[i], plain));
        /* Where out is the slots too: in place, or over one whose content is sealed already. */
        TRY(writing_chunk(w, out + (size_t)*used * CHUNK_SIZE, plain, i));
        ++*used;
    }
    return OK;
}

/* First all of it is looked at, then what is to be written is: a pack's chunks ascend, and those of packs
 * that are given up lie between those that changed. */
err writing_still(struct writing *w)
{
    uint32_t writes = 0, used, to;
    uint64_t done = 0;
    TRY(seal_scan(w->s, w->map, w->image, w->slots));
    map_plan(w->map, &writes);
    for (uint32_t from = 0; writing_next(w->map, &from, &to); from = to) {
        TRY(writing_run(w, w->slots, &used, from, to, true));
        TRY(writing_send(w, w->slots, (size_t)used * CHUNK_SIZE));
        done += (uint64_t)(to - from) * CHUNK_SIZE;
        seal_tell(w->s, done, (uint64_t)writes * CHUNK_SIZE);
    }
    return writing_end_pack(w);
}

err seal_next_run(struct blk *image, uint32_t *from, uint32_t *to, uint32_t at)
{
    uint64_t a, b;
    TRY(blk_next_data(image, &a, &b, (uint64_t)at * CHUNK_SIZE));
    *from = (uint32_t)(a / CHUNK_SIZE);
    *to = (uint32_t)((b + CHUNK_SIZE - 1) / CHUNK_SIZE);
    return OK;
}
