/* drill.h - does the sealed copy come back? A scratch enclave restores a copy of the store, and is asked.
 *
 * The store is only read: a copy of it in a scratch folder is served to the scratch enclave by a parent of its own, and
 * removed at the end, with whatever that enclave sealed into it. */
#ifndef PARENT_DRILL_H
#define PARENT_DRILL_H
#include <stdbool.h>
#include <stdint.h>
#include "parent/command.h"
#include "parent/store.h"

struct drill {
    const struct call *call;                 /* for failures                                    */
    struct store_backend *store;             /* borrowed; read only                             */
    const char *config;                      /* of the scratch parent; its [store] is not used  */
    const char *start;                       /* program that runs the scratch enclave until SIGTERM; NULL: somebody else does */
    const char *scratch;                     /* folder in which the copy is made                */
    bool     older;                          /* restore `generation`, not the newest            */
    uint64_t generation;
    unsigned wait_s;                         /* until it serves, at most                        */
};

struct drilled {
    uint64_t generation, bytes, requests, seconds;
    char     public_key[68];
    bool     authentic;
};

/* Out: *found, when EXIT_DONE is returned: it serves, and has read the generation back and authenticated all of it. Otherwise the reason
 * was said. Everything that was started is ended, and the copy removed, in any case but SIGKILL. */
enum exits drill_run(struct drilled *found, const struct drill *d);

#endif
