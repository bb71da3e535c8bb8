/* seal_scan.c - which chunks are not what the present generation holds.
 *
 * Exact, and one pass of a GMAC for what did not change: see seal_map.h. */
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "diskcrypt/sealer.h"

struct scan {
    struct sealer *s;
    struct seal_map *map;
    struct gcm *key;                      /* of pack number `number`                        */
    int32_t  number;
    struct pack_head head;
    uint8_t *again;                       /* a chunk's ciphertext, thrown away              */
};

static void scan_drop(struct scan *c)
{
    gcm_close_key(&c->key);
    mem_free_bytes(&c->again);
}
#define SCAN __attribute__((cleanup(scan_drop))) struct scan

static err digest_of(uint8_t out[static CHUNK_TAG], struct sealer *s, const uint8_t *plain)
{
    static const uint8_t nonce[GCM_NONCE] = { 0 };
    return gcm_seal(s->digest, NULL, out, nonce, plain, CHUNK_SIZE, NULL, 0);
}

err seal_digest(struct sealer *s, struct place *p, const uint8_t *plain)
{
    p->digested = true;
    return digest_of(p->digest, s, plain);
}

static err pack_key(struct scan *c, int32_t number)
{
    const struct manifest_pack *p = &c->map->packs[number - 1];
    if (c->key && c->number == number) return OK;
    gcm_close_key(&c->key);
    c->number = number;
    memcpy(c->head.service, c->s->service, SERVICE_ID);
    memcpy(c->head.salt, p->salt, SALT);
    c->head.epoch = c->s->epoch;
    c->head.generation = p->generation;
    c->head.image_size = p->image_size;
    if (!c->again) TRY(mem_new(&c->again, CHUNK_SIZE));
    return seal_pack_key(&c->key, c->s->key, &c->head);
}

/* Is it what was sealed? Sealed again, it would have the same tag; the ciphertext goes nowhere. */
static err same_tag(bool *same, struct scan *c, const struct place *p, uint32_t index, const uint8_t *plain)
{
    uint8_t tag[CHUNK_TAG], nonce[CHUNK_NONCE], aad[CHUNK_AAD];
    TRY(pack_key(c, p->pack));
    chunk_nonce(nonce, index);
    chunk_aad(aad, &c->head, index);
    err e = gcm_seal(c->key, c->again, tag, nonce, aad, sizeof aad, plain, CHUNK_SIZE);
    mem_wipe(c->again, CHUNK_SIZE);
    TRY(e);
    *same = bytes_equal(tag, p->tag, sizeof tag);
    return OK;
}

static err look(struct scan *c, uint32_t index, const uint8_t *plain)
{
    struct place *p = &c->map->at[index];
    uint8_t now[CHUNK_TAG];
    bool same = false;
    if (chunk_is_zero(plain, CHUNK_SIZE)) {
        p->pack = PLACE_NONE;
        return OK;
    }
    if (p->pack == PLACE_NONE) {
        p->pack = PLACE_WRITE;
        p->digested = false;
        return OK;
    }
    TRY(digest_of(now, c->s, plain));
    if (p->digested) same = bytes_equal(now, p->digest, sizeof now);
    else TRY(same_tag(&same, c, p, index, plain));
    memcpy(p->digest, now, sizeof now);
    p->digested = true;
    if (!same) p->pack = PLACE_WRITE;
    return OK;
}

/* Chunks [from, to) may hold data. */
static err scan_run(struct scan *c, struct blk *image, uint8_t *room, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t n = to - from < SEAL_ROOM ? to - from : (uint32_t)SEAL_ROOM;
        const uint8_t *plain = NULL;
        TRY(blk_look(&plain, image, room, (size_t)n * CHUNK_SIZE, (uint64_t)from * CHUNK_SIZE));
        for (uint32_t i = 0; i < n; i++) TRY(look(c, from + i, plain + (size_t)i * CHUNK_SIZE));
        from += n;
    }
    return OK;
}

err seal_scan(struct sealer *s, struct seal_map *map, struct blk *image, uint8_t *room)
{
    SCAN c = { .s = s, .map = map };
    uint32_t from, to;
    for (uint32_t at = 0; at < map->chunks; at = to) {
        TRY(seal_next_run(image, &from, &to, at));
        for (uint32_t hole = at; hole < from; hole++)
            if (map->at[hole].pack != PLACE_NONE) map->at[hole].pack = PLACE_NONE;
        /* With nothing to compare with, all is written, zeros apart; who writes finds them. */
        for (uint32_t all = from; !s->map && all < to; all++) map->at[all].pack = PLACE_WRITE;
        if (s->map) TRY(scan_run(&c, image, room, from, to));
    }
    return OK;
}
