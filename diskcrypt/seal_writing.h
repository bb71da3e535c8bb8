/* seal_writing.h - one generation in the making: what seal_pack.c, seal_live.c and seal_write.c share. Not for others. */
#ifndef DISKCRYPT_SEAL_WRITING_H
#define DISKCRYPT_SEAL_WRITING_H
#include "diskcrypt/sealer.h"

struct writing {
    struct sealer *s;
    struct blk *image;
    struct seal_map *map;                 /* of this generation                              */
    struct pack_head head;                /* of the pack in the making                       */
    struct gcm *key;                      /* of that pack                                    */
    bool     putting;                     /* it was begun; it is once there is a chunk       */
    uint32_t nth;                         /* chunks in it                                    */
    uint8_t *slots;                       /* SEAL_ROOM chunks on their way out               */
    uint8_t *held;                        /* sealed while the disk stood still; may be NULL  */
    uint32_t written;                     /* chunks sealed, all packs together               */
    uint64_t moved;                       /* bytes of packs                                  */
};
void writing_drop(struct writing *w);
#define WRITING __attribute__((cleanup(writing_drop))) struct writing

err writing_begin(struct writing *w, struct sealer *s, struct blk *image);
/* Go on under another generation number, with a new salt and key: a pack holds a chunk index at most once. */
err writing_number(struct writing *w, uint64_t generation);
/* Seal chunks [from, to) of the image, at most SEAL_ROOM, back to back into `out`, leaving out those of zeros; `out` may be
 * the slots. Unless nobody writes to the image (`still`), each is read once, and its digest is kept of what is sealed. Out: *used. */
err writing_run(struct writing *w, uint8_t *out, uint32_t *used, uint32_t from, uint32_t to, bool still);
/* Send sealed chunks; the pack's header goes first. */
err writing_send(struct writing *w, const uint8_t *sealed, size_t n);
/* The pack joins the list, if there is one. */
err writing_end_pack(struct writing *w);
/* The next run of chunks to write, at or after *from: [*from, *to), at most SEAL_ROOM. False: there is none. */
bool writing_next(const struct seal_map *m, uint32_t *from, uint32_t *to);
/* Everything that changed, from an image that nobody writes to. */
err writing_still(struct writing *w);
/* The same from one that is written to, and stands still between freeze and thaw only. */
err writing_live(struct writing *w, const struct seal_gate *gate);

#endif
