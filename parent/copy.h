/* copy.h - bring one store's generations to another, so that the second is a store too.
 *
 * A generation's packs and record go first, then its manifest; the head's generation
 * and the log before all others, then the head, then older ones. So a copy that is cut off leaves
 * the second store with a head whose generation is whole, and can simply be begun again:
 * what is there is not sent again. Two copies at once are safe, since objects never change and the head is
 * compared before it is set. */
#ifndef PARENT_COPY_H
#define PARENT_COPY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "parent/inspect.h"

struct copy_report {
    uint64_t generation;                     /* that the second store's head names now      */
    size_t   generations, skipped;           /* copied or there already; not whole here (a log too) */
    size_t   objects;                        /* sent                                        */
    uint64_t bytes;                          /* sent                                        */
};

/* `compare`: read what is there already and compare its hash, packs too. Out: *report.
 * Fails: E_ABSENT (nothing sealed yet; or removed meanwhile: try again), E_STATE (the second store is of another
 * service, newer, has parted from this one, or moved meanwhile), E_AUTH (an object there has other
 * bytes), E_FORMAT (the head's generation is not whole here, or a head cannot be read), E_IO, E_MEMORY. */
err store_copy(struct copy_report *report, struct store_backend *from, struct store_backend *to, bool compare, struct progress *p);

#endif
