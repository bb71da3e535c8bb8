/* disk.h - what the role disk knows while it runs. */
#ifndef DAEMON_DISK_H
#define DAEMON_DISK_H
#include <stdbool.h>
#include <stdint.h>
#include "core/blk.h"
#include "core/secret.h"
#include "daemon/loop.h"
#include "daemon/wire.h"
#include "daemon/journal.h"
#include "diskcrypt/seal.h"
#include "diskcrypt/store.h"
#include "policy/witnesses.h"

/* The log, its newest checkpoint, and what the witnesses say to it (disk_log.c). */
struct disk_log {
    const struct witnesses *witnesses;   /* NULL: none are configured                         */
    int      fd;                         /* to the parent, while it asks them; -1: it does not */
    bool     waiting;                    /* for an answer; the connection is kept between them */
    uint64_t asked;                      /* size of the checkpoint that is asked about        */
    uint64_t boot;                       /* entry of this start                               */
    uint64_t next_ms, wait_ms;           /* when to ask again                                 */
    uint64_t anchored_generation;        /* that the newest cosigned checkpoint covers        */
    uint64_t asked_generation;
    bool     anchored;                   /* the keeper was told                               */
    bool     reading, more;              /* the keeper has not read the last word yet; there is a newer one */
    bool     held;                       /* the generation is older than the log's last: nothing is written before a permit */
    struct wire_boot pending;            /* this start, for the entry that a permit allows    */
    bool     owes;                       /* a BOOK_SEAL waits until `owed` entries are cosigned */
    uint16_t owed_seq;
    uint64_t owed, owed_until_ms;
    uint8_t  question[JOURNAL_NOTE];     /* the checkpoint that is asked about, a note        */
    size_t   question_len;
    uint8_t *note;                       /* the newest one that is cosigned                   */
    size_t   note_len;
    struct wire_log shown;
};

/* A client's question about the log, under way to the parent and back (disk_log_read.c). */
struct disk_read {
    int      fd;                         /* kept between questions: the parent keeps what it read; -1: none */
    bool     asking;                     /* web waits for the answer                          */
    bool     late;                       /* it does no more, but the parent is still at it     */
    bool     greeted, reused;            /* the connection: READY came; it was there before this question */
    uint16_t seq, want;                  /* of web's question                                 */
    uint16_t type;                       /* the parent's question, and what it is about       */
    uint64_t from, size;
    uint32_t limit;
    uint8_t  question[128];
    size_t   question_len;
    uint64_t until_ms;
};

/* What was done so far; bits of the rules' `when`. */
enum disk_state { STARTING, KNOWN, KEYED, MOUNTED };

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
    secret          *log_key;            /* only between DISK_LOG_KEY and journal_new()       */
    struct journal  *journal;
    struct disk_log  log;
    struct disk_read read;
    uint8_t          service_id[32];
    uint32_t         epoch;
    bool             fresh;
    uint64_t         sealed_at_entry;    /* of the log: the entry of the generation that is there */
    uint8_t          manifest[32];       /* its manifest's hash                               */
    bool             handed_over;        /* nothing is sealed any more: the store is another build's */
    uint8_t         *record;             /* the service record, until the first generation has it */
    size_t           record_len;
    uint64_t         next_seal_ms;
    unsigned         shown_tenth;
    struct wire_disk shown;
};

struct opening { bool fresh; const uint8_t *genesis; size_t genesis_len; struct wire_boot boot; };

uint64_t disk_now_ms(void);
/* Is nothing to be sealed: handed over; put back and not permitted; or not cosigned yet? Nothing is signed before that, so there is
 * nothing to keep, and a permit names the state exactly as it was found. */
bool disk_keeps_still(const struct disk *d);
/* Receive the seal key (DISK_OPEN) and the volume key (DISK_VOLUME) into the arena. */
err  disk_take_key(void *self);
/* A generation that must be durable before anybody hears of it. Fails: as sealing. */
err  disk_first_seal(struct disk *d);
/* Make or restore the disk, mount it, open the book; a fresh one is also sealed.
 * Out: *requests in the book. Fails: whatever ends the role: there is no half-open disk. */
err  disk_open(struct disk *d, const struct opening *o, uint64_t *requests);
/* disk_volume.c: choose the back end of a new disk; follow that of a restored one; open its mapping.
 * Drops d->volume_key unless the disk has a mapping. Out: d->shown.backend. Fails: E_STATE (configured otherwise), E_ABSENT (no device-mapper). */
err  disk_volume_new(struct disk *d);
err  disk_volume_restored(struct disk *d);
/* The mapping over a disk that grew, if it has one, grows too. */
err  disk_volume_larger(struct disk *d);
/* After a store that failed: use a connection of its own. Fails: as connecting. */
err  disk_store_again(struct disk *d);
/* A connection of its own, whatever was before. Fails: as connecting. */
err  disk_connect(struct disk *d);
/* One generation, and who has to know of it. Out: *result of the seal. Fails: what ends the role. */
err  disk_seal_and_tell(struct disk *d, err *result);
/* Tell web how the disk is. */
err  disk_push_state(struct disk *d);
void disk_drop(struct disk *d);

/* disk_asks.c */
err  disk_on_seal(void *self, int fd, const struct msg *m, int *pass);
err  disk_on_verify(void *self, int fd, const struct msg *m, int *pass);
err  disk_on_grow(void *self, int fd, const struct msg *m, int *pass);
err  disk_on_book_seal(void *self, int fd, const struct msg *m, int *pass);
err  disk_on_dirty(void *self, int fd, const struct msg *m, int *pass);

/* disk_log.c. Before the sandbox closes: read the trust policy that the configuration names. Fails: E_FORMAT, E_ABSENT. */
err  disk_log_warm_up(struct role_env *env);
/* Begin the service's log, or go on with the one that the head names. One that does not end with the head's generation
 * was put back: then nothing is written (log.held). Fails: as the journal. */
err  disk_log_open(struct disk *d, const struct opening *o);
/* The restored service's disk is open: log this start, durably. */
err  disk_log_booted(struct disk *d, const struct opening *o);
/* Tell keeper and web, and the witnesses, if the log has grown. */
err  disk_log_tell(struct disk *d);
/* The last seal is durable: give the witnesses a moment to cosign it, so that this state cannot be passed over unnoticed. */
void disk_log_finish(struct disk *d);
/* Ask the witnesses when it is time. Out: *timeout_ms, lowered to when that is next. */
err  disk_log_tick(struct disk *d, int *timeout_ms);
/* disk_grant.c */
err  disk_on_grant_get(void *self, int fd, const struct msg *m, int *pass);
err  disk_on_still(void *self, int fd, const struct msg *m, int *pass);
err  disk_on_grant_put(void *self, int fd, const struct msg *m, int *pass);
/* Answer the BOOK_SEAL with this number: at once without witnesses or when the seal failed (SPEND_UNSEALED); otherwise when they have
 * cosigned the log as it is now, or have not in time (SPEND_UNWITNESSED). */
err  disk_log_owe(struct disk *d, uint16_t seq, enum spend_verdict sealed);
/* disk_permit.c */
err  disk_on_permit(void *self, int fd, const struct msg *m, int *pass);
/* Log this start. */
err  disk_log_add_boot(struct disk *d, const struct wire_boot *b, const struct head *head);
err  disk_on_standing(void *self, int fd, const struct msg *m, int *pass);
err  disk_on_log_seen(void *self, int fd, const struct msg *m, int *pass);
err  disk_on_log_add(void *self, int fd, const struct msg *m, int *pass);

/* disk_log_read.c: what web asks about the log's entries goes to the parent; sealing does not wait for it. */
err  disk_on_log_read(void *self, int fd, const struct msg *m, int *pass);
err  disk_on_log_prove(void *self, int fd, const struct msg *m, int *pass);
/* Give up a question that takes too long. Out: *timeout_ms, lowered to when that is next. */
err  disk_read_tick(struct disk *d, int *timeout_ms);

#endif
