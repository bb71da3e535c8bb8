/* run.h - `holdfast run`: the process beside the enclave.
 *
 * One process accepts; every connection is served by a child of its own, so that
 * whatever a peer does to one leaves the others. There is nothing in any of them
 * worth stealing: no key, no credential. */
#ifndef PARENT_RUN_H
#define PARENT_RUN_H
#include <stdbool.h>
#include "core/err.h"
#include "parent/config.h"

struct run_ready { char listen[PARENT_PATH], link[PARENT_PATH]; bool head; size_t objects; };

/* Serve until SIGTERM or SIGINT, then let running puts finish. `ready` is called once both
 * addresses are listened on and the store is open; addresses with port 0 stand there with the port they got.
 * Fails: E_IO, E_STATE (an address is taken), E_FORMAT (address; store), E_TIMEOUT (a put had to be cut off). */
err run_parent(const struct parent_config *conf, void (*ready)(void *self, const struct run_ready *), void *self);

#endif
