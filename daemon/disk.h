/* disk.h - what the role disk knows while it runs. */
#ifndef DAEMON_DISK_H
#define DAEMON_DISK_H
#include <stdbool.h>
#include <stdint.h>
#include "core/blk.h"
#include "core/secret.h"
#include "daemon/loop.h"
#include "daemon/wire.h"
#include "diskcrypt/seal.h"
#include "diskcrypt/store.h"

struct disk {
    struct role_env *env;
    struct loop     *loop;
    unsigned         state;
    struct store    *store;
    bool             store_broken;       /* the next use needs a connection of its own        */
    bool             displaced;          /* the store's head is not the one we left           */
    struct seal_head head;               /* what the parent had at start                      */
    struct sealer   *sealer;
    struct blk      *image;
    uint64_t         frozen_at_us;
    secret          *seal_key;           /* only between DISK_OPEN and seal_open()            */
    secret          *volume_key;         /* from then on; a plain disk drops it              */
    uint8_t          service_id[32];
    uint32_t         epoch;
    bool             fresh;
    uint8_t         *record;             /* the service record, until the first generation has it */
    size_t           record_len;
    uint64_t         next_seal_ms;
    unsigned         shown_tenth;
    struct wire_disk shown;
};

struct opening { bool fresh; uint64_t time; const uint8_t *genesis; size_t genesis_len; };   /* time: the hypervisor's, unix seconds */

uint64_t disk_now_ms(void);
/* Receive the seal key (DISK_OPEN) and the volume key (DISK_VOLUME) into the arena. */
err  disk_take_key(void *self);
/* Make or restore the disk, mount it, open the book; a fresh one is also sealed.
 * Out: *requests in the book. Fails: whatever ends the role: there is no half-open disk. */
err  disk_open(struct disk *d, const struct opening *o, uint64_t *requests);
/* disk_volume.c: choose the back end of a new disk; follow that of a restored one; open its mapping.
 * Drops d->volume_key unless the disk has a mapping. Out: d->shown.backend. Fails: E_STATE (configured otherwise), E_ABSENT (no device-mapper). */
err  disk_volume_new(struct disk *d);
err  disk_volume_restored(struct disk *d);
/* The mapping over a disk that grew, if it has one, grows too. */
err  disk_volume_larger(struct disk *d);
void disk_drop(struct disk *d);

#endif
