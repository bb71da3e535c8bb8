/* anchors.h - LINK_ANCHOR, answered: the log's segments are read from the store, the witnesses of the configuration asked. */
#ifndef PARENT_ANCHORS_H
#define PARENT_ANCHORS_H
#include <stdbool.h>
#include "parent/anchor.h"
#include "parent/chain.h"
#include "parent/config.h"
#include "parent/store.h"

struct anchors {
    struct store_backend *store;             /* borrowed */
    struct chain chain;                      /* what was read already */
    struct witnesses policy;
    bool any;                                /* of them */
    unsigned deadline_ms;
    struct anchor *anchor;
};
/* Fails: E_MEMORY, and as parent_witnesses(). */
err  anchors_open(struct anchors *a, struct store_backend *store, const struct parent_config *conf);
void anchors_close(struct anchors *a);
#define ANCHORS __attribute__((cleanup(anchors_close))) struct anchors
/* As struct session_anchor wants it; `self` is struct anchors. Fails: E_ABSENT (no witnesses are configured), E_STATE (a segment is missing, or they
 * are not the log that the checkpoint is of), E_TIMEOUT (it took too long to read them), E_AUTH, E_FORMAT, E_LIMIT, E_MEMORY, E_IO. */
err  anchors_ask(void *self, uint8_t out[static LINK_ANCHORED_MAX], size_t *n, const char *note, size_t note_len, const char *tail, uint32_t deadline_ms);

#endif
