/* seal_map.h - where each chunk of the image is kept, between one generation and the next.
 *
 * The present manifest, turned by chunk, with a digest of each chunk's content. The next
 * generation starts from a copy of it: what did not change stays where it is.
 *
 * Whether a chunk changed is told exactly: a digest is a GMAC under a key of this process,
 * made at random, that never leaves it, so that nobody can make two contents of one digest.
 * One nonce serves all: the tags are never shown, and equal ones are all that is asked for. A chunk that
 * comes from a seal or a restore has no digest yet; its first comparison seals what is there again,
 * under the pack's key, and compares the tag. */
#ifndef DISKCRYPT_SEAL_MAP_H
#define DISKCRYPT_SEAL_MAP_H
#include "diskcrypt/manifest.h"

enum {
    PLACE_NONE  = 0,                      /* zeros: not stored. So a hole's places cost no memory before one is written */
    PLACE_WRITE = -1,                     /* goes into the new pack                         */
    MAP_PACKS_WANTED = 256                /* packs of one generation, before they are merged */
};

/* One chunk of the image. */
struct place {
    int32_t  pack;                        /* number in `packs`, counted from 1, or PLACE_... */
    uint32_t nth;                         /* chunk in that pack                             */
    uint8_t  tag[CHUNK_TAG];
    uint8_t  digest[CHUNK_TAG];           /* valid when digested                            */
    bool     digested;
};

struct seal_map {
    uint64_t image_size;
    uint32_t chunks;
    struct place *at;                     /* [chunks]                                       */
    struct manifest_pack *packs;          /* [MANIFEST_PACKS_MAX]; the new one, if any, is last */
    uint32_t pack_count;
};

void map_drop(struct seal_map **m);
#define SEAL_MAP __attribute__((cleanup(map_drop))) struct seal_map *

/* Nothing stored yet. Fails: E_MEMORY. */
err map_new(struct seal_map **out, uint64_t image_size);
/* The content of an authentic manifest. Fails: E_MEMORY. */
err map_of_manifest(struct seal_map **out, const struct manifest_clear *m, const uint8_t *entries);
/* A copy for an image of another or the same size; chunks beyond `old` are NONE, `old` may be NULL. Fails: E_MEMORY. */
err map_next(struct seal_map **out, const struct seal_map *old, uint64_t image_size);

/* Decide what is written beside the chunks marked PLACE_WRITE: chunks of packs that are mostly dead, or too many, are
 * marked as well. What the generation needs is then at most 5/4 of its live bytes and MAP_PACKS_WANTED packs. Packs
 * that nothing needs any more leave the list. Out: *writes, chunks marked in all. */
void map_plan(struct seal_map *m, uint32_t *writes);

/* Packs that nothing needs any more leave the list, and no more. Out: *writes, chunks marked. */
void map_tidy(struct seal_map *m, uint32_t *writes);

/* How many chunks are stored. */
uint32_t map_stored(const struct seal_map *m);
/* Write their manifest entries. */
void map_entries(uint8_t *out, const struct seal_map *m);

#endif
