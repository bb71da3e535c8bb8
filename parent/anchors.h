/* anchors.h - a WITNESS connection's questions, answered from the log's segments in the store; for LINK_ANCHOR the witnesses of the configuration are asked. */
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
/* Read what the store holds of the log that ends with `tail`, as far as it was not read yet. Fails: E_STATE (a segment is missing), as chain_follow(). */
err  anchors_follow(struct anchors *a, const char *tail);
/* As struct session_anchor wants it; `self` is struct anchors. Fails: E_ABSENT (no witnesses are configured), E_STATE (a segment is missing, or they
 * are not the log that the checkpoint is of), E_TIMEOUT (it took too long to read them), E_AUTH, E_FORMAT, E_LIMIT, E_MEMORY, E_IO. */
err  anchors_ask(void *self, uint8_t out[static LINK_ANCHORED_MAX], size_t *n, const char *note, size_t note_len, const char *tail, uint32_t deadline_ms);
/* Entries and proofs of the log that ends with `tail`, likewise; *out is for free(). Nothing of it is signed here: whoever asked compares with a
 * checkpoint. Fails: E_STATE (a segment is missing, or the log is shorter than what is to be proved), E_AUTH, E_FORMAT, E_LIMIT, E_MEMORY, E_IO. */
err  anchors_read(void *self, uint8_t **out, size_t *n, uint64_t from, uint32_t limit, const char *tail);
err  anchors_prove(void *self, uint8_t out[static LINK_PROOF_MAX], size_t *n, uint8_t what, uint64_t old, uint64_t size, const char *tail);

#endif
