/* snapshot.h - a private copy of the image at one moment.
 *
 * The file system stands still only while the copy is made (a memory copy of
 * what is not zero); sealing and sending then take their time. The copy is a memfd,
 * made once and emptied after use, so that a sandboxed role need not make files. */
#ifndef DISKCRYPT_SNAPSHOT_H
#define DISKCRYPT_SNAPSHOT_H
#include "core/blk.h"

struct snapshot;
/* An empty one for images of `size` bytes. Needs memfd_create: call before the sandbox closes.
 * Fails: E_MEMORY, E_IO, E_FORMAT / E_LIMIT (size). */
err  snapshot_open(struct snapshot **out, uint64_t size);
void snapshot_close(struct snapshot **s);
#define SNAPSHOT __attribute__((cleanup(snapshot_close))) struct snapshot *
/* Empty it, and copy into it every chunk of `image` that is not zero; holes are not read.
 * Out: *copied bytes. Fails: E_STATE (image of another size), E_IO; it is then empty. */
err  snapshot_copy(struct snapshot *s, uint64_t *copied, struct blk *image);
/* Give its memory back, keeping it for the next time. */
err  snapshot_empty(struct snapshot *s);
/* What to hand to seal_write(); borrowed. */
struct blk *snapshot_blk(struct snapshot *s);

#endif
