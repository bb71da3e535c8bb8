/* prune.h - let go of what no kept generation needs.
 *
 * Kept are: the head's generation always; those up to it that the rules name; every pack and
 * service record they need; the head's log, all of it; and whatever is younger than an hour (it may belong to a seal
 * that runs). A segment of the log that a newer one stands for goes once it is a minute older than the present one. When a manifest that must be kept cannot be read, nothing is removed. Names
 * of a shape that this program does not make are left alone. */
#ifndef PARENT_PRUNE_H
#define PARENT_PRUNE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "parent/segments.h"
#include "parent/store.h"

enum { PRUNE_ORPHAN_AGE = 3600, PRUNE_TAIL_AGE = 60 };       /* seconds */

struct prune_report { size_t kept, removed; uint64_t bytes; };   /* generations, objects, bytes removed */

/* Which generations stay. A day, week or month is one of UTC by the manifest's time, weeks begin on
 * Monday; its newest generation stays for it. `last` 0 counts as 1. */
struct prune_rules {
    uint64_t last, daily, weekly, monthly;   /* how many; a generation may count for several */
    const uint64_t *protect;                 /* generations that stay in any case           */
    size_t   protect_count;
    bool     dry_run;                        /* report, remove nothing                      */
    struct segments *log;                    /* kept from one call to the next; may be NULL */
};

/* Out: *report (may be NULL). Fails: E_FORMAT (head or a kept manifest damaged), E_STATE (the
 * head moved meanwhile: nothing was removed, the next seal tries again), E_IO. */
err prune_by(struct store_backend *s, const struct prune_rules *rules, struct prune_report *report);
/* The same by number alone. */
err prune(struct store_backend *s, uint64_t keep, struct prune_report *report);

#endif
