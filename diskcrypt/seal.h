/* seal.h - the authenticated copy of the disk at the parent.
 *
 * A generation is a pack (ciphertext of chunks that changed), a manifest (what is
 * where, in this and earlier packs, with tags, sealed) and the head that makes it the present one. Commit order: pack,
 * manifest, head; so a crash anywhere leaves the old or the new generation.
 * Formats and keys: docs/wire/seal.md.
 *
 * At start:  seal_head_get() without a key -> the keeper opens the record ->
 *            seal_open() with the seal key -> seal_restore() if there was a head.
 * Later:     seal_write_live(), again and again. */
#ifndef DISKCRYPT_SEAL_H
#define DISKCRYPT_SEAL_H
#include "core/blk.h"
#include "core/secret.h"
#include "diskcrypt/manifest.h"
#include "diskcrypt/store.h"

enum { SEAL_KEY = 32, SEAL_RECORD_MAX = 1u << 16 };

/* What the parent holds, before any key is there to believe it. */
struct seal_head {
    bool        present;              /* a generation is there: head and record are set     */
    struct head head;
    uint8_t     raw[LINK_HEAD_MAX];   /* the head's bytes; what the next head replaces      */
    size_t      raw_len;
    uint8_t    *record;               /* the service record, opaque here; owned             */
    size_t      record_len;
};
void seal_head_drop(struct seal_head *h);
#define SEAL_HEAD __attribute__((cleanup(seal_head_drop))) struct seal_head

/* Ask the store for its head and the record that the head names.
 * Out: *h; present = false when the store is empty, or when only an unfinished
 *      first generation is there (nothing was promised of it).
 * Fails: E_ABSENT (objects but no head, or a head whose record is missing: the log names it),
 *        E_FORMAT (damaged head or record), E_CLOSED, E_TIMEOUT, E_IO. Nothing is made new. */
err seal_head_get(struct seal_head *h, struct store *s);

/* The sealing end of one service's disk. */
struct sealer;
/* The key is copied. `store` is borrowed and must outlive the sealer; `found` is what
 * seal_head_get() gave. Fails: E_AUTH (the head is of another service or epoch), E_MEMORY. */
err  seal_open(struct sealer **out, const secret *seal_key, const uint8_t service_id[static SERVICE_ID],
               uint32_t epoch, struct store *store, const struct seal_head *found);
void seal_close(struct sealer **s);
#define SEALER __attribute__((cleanup(seal_close))) struct sealer *
/* Use another connection from now on (borrowed), after the old one broke. */
void seal_use_store(struct sealer *s, struct store *store);
/* Be told about progress: bytes of chunks done, and of all (for a write an upper bound). */
void seal_on_progress(struct sealer *s, void (*on)(void *self, uint64_t done, uint64_t total), void *self);

struct seal_report {
    uint64_t generation;
    uint64_t time;                    /* unix seconds in the manifest                       */
    uint64_t image_size;
    uint64_t data;                    /* image bytes in stored chunks                       */
    uint64_t written;                 /* of those, sealed anew for this generation          */
    uint64_t moved;                   /* bytes of objects sent or received                  */
    uint64_t log_position;            /* entries of the service's log before this generation's own */
};

/* Write the next generation of `image`, which nobody writes to meanwhile: the chunks that changed since the
 * one before, and those of packs that are mostly dead; the others stay where they are.
 * `record` (may be NULL: unchanged) becomes visible in the same step as the generation;
 * the first generation must have one. `now` is unix seconds.
 * Out: *r. On OK the generation is durable. On failure the old or, if the last answer
 * was lost, the new one is; the next call finds out which, and goes on from there.
 * Fails: E_STATE (there is a generation that was not restored; or the head at the parent
 *        is not the one this sealer left: another enclave runs, or it was rolled back). */
err seal_write(struct sealer *s, struct seal_report *r, struct blk *image,
               const uint8_t *record, size_t record_len, uint64_t now);

/* Makes the disk stand still, and run again. Between the two, freeze() on OK, the image is a consistent state and nobody
 * writes to it; if that cannot be promised for all of the time, thaw() fails. */
struct seal_gate { err (*freeze)(void *self); err (*thaw)(void *self); void *self; };
/* The same for an image that is in use: the generation is the image as it was when it last stood still (one to four
 * times). It does so while it is looked at, and while up to 16 MiB of what changed is sealed; the rest of a larger change
 * is sealed from the running disk first. More is held in memory only of a disk that is written to faster than it can be sealed, and of the first generation.
 * Generation numbers may be left out. Fails: also with the gate's own errors. */
err seal_write_live(struct sealer *s, struct seal_report *r, struct blk *image, const struct seal_gate *gate,
                    const uint8_t *record, size_t record_len, uint64_t now);

/* The size of the image that seal_restore() wants, from the authenticated manifest.
 * Fails: as seal_restore() does for the manifest; E_STATE (nothing to restore). */
err seal_image_size(uint64_t *out, struct sealer *s);

/* Restore the head's generation into `image`, which must read as zeros and have the
 * generation's size. Every byte is authenticated before OK; on any failure the
 * caller drops the image. Refuses generations below least_generation.
 * Fails: E_AUTH (a tag, or something of another service, epoch or generation), E_FORMAT,
 *        E_STATE (older than least_generation; image not empty), E_ABSENT (object missing). */
err seal_restore(struct sealer *s, struct seal_report *r, struct blk *image, uint64_t least_generation);

/* Read the present generation back and authenticate every byte of it, without writing anything.
 * Out: *r as of a restore. Fails: as seal_restore() does; E_STATE (nothing is sealed yet; the head is another). */
err seal_verify(struct sealer *s, struct seal_report *r);

/* Who keeps the service's log: each head names the log's newest segment beside the manifest, so that both become the
 * present ones in one step. */
struct seal_journal {
    void *self;
    /* Entries in the log before the next generation's own. */
    uint64_t (*position)(void *self);
    /* Before the head becomes *next: put what is to be logged into a segment, durably, and name it in *next. */
    err  (*stage)(void *self, struct head *next, uint64_t now);
    /* `now` is the head at the store: of what was staged only what it names ever was. */
    void (*settled)(void *self, const struct head *now);
};
void seal_use_journal(struct sealer *s, const struct seal_journal *journal);
/* Move the head for the log alone: the generation stays. Fails: as seal_write(), E_STATE also without a generation. */
err  seal_log(struct sealer *s, uint64_t now);

/* SHA-256 of the present generation's manifest; zeros before the first. */
void seal_manifest_hash(uint8_t out[static 32], const struct sealer *s);
/* The present generation: 0 before the first. */
uint64_t seal_generation(const struct sealer *s);

#endif
