/* sealer.h - what seal.c, seal_write.c and seal_restore.c share. Not for others. */
#ifndef DISKCRYPT_SEALER_H
#define DISKCRYPT_SEALER_H
#include "core/crypto.h"
#include "diskcrypt/seal.h"
#include "diskcrypt/seal_map.h"

/* A head in both its forms. */
struct head_state { struct head head; uint8_t raw[LINK_HEAD_MAX]; size_t len; };

struct sealer {
    secret  *key;
    uint8_t  service[SERVICE_ID];
    uint32_t epoch;
    struct store *store;
    struct head_state now;                /* as last seen at the store; len 0: no head        */
    struct head_state tried;              /* sent, and its answer lost; len 0: none           */
    struct seal_map *map;                 /* of `now`; NULL: nothing is stored that could be kept */
    struct seal_map *tried_map;           /* of `tried`                                       */
    struct seal_journal journal;          /* of the service's log; stage NULL: none            */
    struct gcm *digest;                   /* key of the digests of chunks, for this process   */
    bool     restored;                    /* the image continues the head's generation        */
    struct manifest_clear list;           /* the head's manifest while a restore needs it ... */
    uint8_t *list_bytes, *entries;        /* ... all authentic; NULL: not opened              */
    void   (*on_progress)(void *self, uint64_t done, uint64_t total);
    void    *progress_self;
};

/* The keys of one generation's objects: HKDF-SHA256(seal key, salt, label || service || epoch || generation). */
err seal_pack_key(struct gcm **out, const secret *seal_key, const struct pack_head *h);
err seal_manifest_key(struct gcm **out, const secret *seal_key, const struct manifest_clear *m);

/* Fetch and authenticate the manifest that the head names, if that is not done; nothing of it
 * is kept on failure. It may be as long as one of an image of `largest_image` bytes can be. */
err seal_manifest_open(struct sealer *s, uint64_t largest_image);
void seal_manifest_drop(struct sealer *s);
/* Ask the store for its head, and go on only if it is the one we left there: find
 * out what became of a head whose answer was lost. Fails: E_STATE (it is another). */
err seal_settle(struct sealer *s);
/* Make `next` the head, and *map (taken; NULL: none) what the next generation starts from. */
err seal_move_head(struct sealer *s, const struct head *next, struct seal_map **map);
/* Mark in `map` each chunk of `image` that is not what it was, PLACE_WRITE, or PLACE_NONE where there are zeros
 * now. Nobody writes to the image meanwhile. `room` holds SEAL_ROOM chunks and may be left with plaintext. */
enum { SEAL_ROOM = LINK_PIECE / CHUNK_SIZE };
err seal_scan(struct sealer *s, struct seal_map *map, struct blk *image, uint8_t *room);
/* Keep the digest of what is to be at a place. */
err seal_digest(struct sealer *s, struct place *p, const uint8_t *plain);
/* The key of the digests: from the seal key and a salt of this moment. */
err seal_digest_key(struct gcm **out, const secret *seal_key);
/* The next chunks of an image that may hold data, at or after chunk `at`: [*from, *to). */
err seal_next_run(struct blk *image, uint32_t *from, uint32_t *to, uint32_t at);
void seal_tell(const struct sealer *s, uint64_t done, uint64_t total);

#endif
