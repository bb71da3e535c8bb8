/* manifest.h - the table of contents of one sealed generation, and the head.
 *
 *   manifest = clear header || AES-256-GCM ciphertext of the entries || tag
 *   head     = the one small record that says which manifest, record and log are the present ones
 *
 * The clear header (parsed here, without a key) names every pack the generation
 * needs, so that the parent can prune and check completeness. It is associated
 * data of the sealed part: the enclave believes it only after that verified. */
#ifndef DISKCRYPT_MANIFEST_H
#define DISKCRYPT_MANIFEST_H
#include "core/buf.h"
#include "core/link.h"
#include "diskcrypt/chunk.h"

enum {
    MANIFEST_FIXED     = 188,         /* clear header without its list of packs             */
    MANIFEST_PACK      = 56,          /* one pack in that list                              */
    MANIFEST_PACKS_MAX = 1024,
    MANIFEST_ENTRY     = 32           /* one stored chunk in the sealed part                */
};

struct manifest_pack {
    uint64_t generation;              /* that wrote it                                      */
    uint64_t image_size;              /* of that generation                                 */
    uint64_t size;                    /* of the object, in bytes                            */
    uint8_t  salt[SALT];
    char     name[OBJECT_NAME];       /* not on the wire: follows from generation and salt  */
};

struct manifest_clear {
    uint8_t  service[SERVICE_ID];
    uint32_t epoch;
    uint64_t generation;
    uint8_t  salt[SALT];
    uint8_t  previous[32];            /* SHA-256 of the whole manifest before; zeros in the first */
    uint8_t  record[32];              /* SHA-256 of the service record this generation goes with */
    uint64_t time;                    /* unix seconds, as the enclave knew it               */
    uint64_t log_position;            /* entries of the service's log before this one's own; 0 without one */
    uint64_t image_size;
    uint32_t stored;                  /* chunks stored (not zero)                           */
    uint32_t packs;
    const uint8_t *pack_list;         /* borrowed from the parsed bytes                     */
    size_t   clear_size;              /* length of the clear header                         */
    uint64_t total_size;              /* length the whole object must have                  */
};

/* Parse the clear header from the first n bytes of a manifest; all of the header
 * must be there, the sealed part need not be. Checks every bound and every pack's
 * size. Out: *m, whose pack_list points into p.
 * Fails: E_FORMAT (with the reason in the log: not a manifest, unknown version, …), E_LIMIT (image size). */
err  manifest_clear_parse(struct manifest_clear *m, const void *p, size_t n);
/* Pack number i < m->packs of a parsed header. */
void manifest_pack_get(struct manifest_pack *out, const struct manifest_clear *m, uint32_t i);
/* Bytes a manifest of an image of `image_size` can have at most. */
uint64_t manifest_size_max(uint64_t image_size);

/* Write the clear header for m (whose pack_list, clear_size and total_size are
 * ignored) and its packs; ask wr_end() afterwards. */
void manifest_clear_build(struct wr *w, const struct manifest_clear *m, const struct manifest_pack *packs);

/* One stored chunk. Entries ascend strictly by index; those of one pack ascend
 * strictly by offset too, so that a pack can be opened as it streams by. */
struct manifest_entry {
    uint32_t index, pack;             /* chunk of the image; number in the list of packs    */
    uint64_t offset;                  /* of the ciphertext in the pack                      */
    uint8_t  tag[CHUNK_TAG];
};
void manifest_entry_build(uint8_t out[static MANIFEST_ENTRY], const struct manifest_entry *e);
void manifest_entry_get(struct manifest_entry *out, const uint8_t *entries, uint32_t i);
/* Check the decrypted entries (m->stored of them) against the header: order,
 * bounds, alignment, every listed pack used. Fails: E_FORMAT. */
err  manifest_entries_check(const struct manifest_clear *m, const uint8_t *entries);

/* The head. Generation 0 means: the first generation is being made and nothing
 * was promised yet; names are then empty. It is written before the first object,
 * so that "objects but no head" always means that a head was lost. */
struct head {
    uint8_t  service[SERVICE_ID];
    uint32_t epoch;
    uint64_t generation;
    char     manifest[LINK_NAME_MAX + 1];
    uint8_t  manifest_sha256[32];
    char     record[LINK_NAME_MAX + 1];
    uint8_t  record_sha256[32];
    char     log[LINK_NAME_MAX + 1];  /* the log's newest segment (policy/tail.h); "": there is no log */
    uint8_t  log_sha256[32];
};
/* Out: *len bytes in out. Fails: E_FORMAT (a name the store would not accept). */
err head_build(uint8_t out[static LINK_HEAD_MAX], size_t *len, const struct head *h);
/* Fails: E_FORMAT (damaged, unknown version, names not as its generation wants them). */
err head_parse(struct head *out, const void *p, size_t n);

#endif
