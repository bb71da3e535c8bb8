/* inspect.h - is a store whole? As far as can be told without a key.
 *
 * Everything that is in the clear is compared with everything else: the chain of
 * manifests by their hashes, each pack's size and clear header, the records by their
 * hashes, the head, the log's segments with their trees. What only the key can tell (is it authentic?) is the enclave's
 * to say: it checks all of it whenever it restores. */
#ifndef PARENT_INSPECT_H
#define PARENT_INSPECT_H
#include <stddef.h>
#include <stdint.h>
#include "parent/catalogue.h"
#include "parent/progress.h"

/* What is wrong with a generation; the first that applies. */
enum flaw {
    FLAW_NONE,
    FLAW_MANIFEST,          /* the clear header cannot be read, or names other sizes      */
    FLAW_HASH,              /* the manifest is not the one that the next one or the head names */
    FLAW_PACK_MISSING,      /* a pack is absent or of another size                        */
    FLAW_PACK_HEAD,         /* a pack's clear header is not what the manifest says        */
    FLAW_RECORD,            /* the service record that it goes with is absent             */
    FLAW_SERVICE,           /* it is of another service than the head                     */
    FLAW_LOG_MISSING,       /* a segment of the log is absent                              */
    FLAW_LOG,               /* a segment of the log is damaged, or another than is named   */
    FLAW_ORPHAN             /* not in the head's chain: left by a seal that was cut off; not a fault */
};

/* Stable words for scripts: "whole", "damaged", "altered", ... */
const char *flaw_name(enum flaw f);
/* Generation number i of a catalogue that was read from `s`. Reads the manifest whole and the head of
 * every pack; `p` may be NULL. Out: *flaw. Fails: E_IO, E_MEMORY, E_ABSENT (removed meanwhile). */
err  inspect_generation(enum flaw *flaw, const struct catalogue *c, size_t i, struct store_backend *s, struct progress *p);
/* The log that the head names, all of it. Out: *flaw, of those above: FLAW_LOG_MISSING, FLAW_LOG or FLAW_SERVICE; what it has, if it is whole (none: no log).
 * Fails: E_IO, E_MEMORY. */
struct log_found { size_t segments; uint64_t entries; };
err  inspect_log(enum flaw *flaw, struct log_found *found, const struct catalogue *c, struct store_backend *s);
/* The object whose SHA-256 is `hash` among the records; NULL when there is none. Fails: E_IO, E_MEMORY. */
err  inspect_record(const struct object **out, const struct catalogue *c, struct store_backend *s, const uint8_t hash[static 32]);

#endif
