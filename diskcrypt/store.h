/* store.h - the parent's store of sealed objects, as the enclave sees it.
 *
 * Objects are written once; the head moves atomically. One request at a time.
 * What comes back is believed in nothing: only the seal's checks make it data. */
#ifndef DISKCRYPT_STORE_H
#define DISKCRYPT_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/link.h"

/* Takes an object's bytes as they come; an error ends the transfer, and the store with it. */
struct store_sink { err (*take)(void *self, const uint8_t *p, size_t n); void *self; };

struct store {
    /* Out: *len bytes of the head in out; 0 when there is none. */
    err  (*head_get)(struct store *, uint8_t out[static LINK_HEAD_MAX], size_t *len);
    /* Replace the head if it is `expected` (expected_len 0: if there is none); durable on OK.
     * Fails: E_STATE (it is another). Any other failure leaves old or new: ask again. */
    err  (*head_put)(struct store *, const void *expected, size_t expected_len, const void *bytes, size_t len);
    /* Put an object: begin, data (1..LINK_PIECE bytes) any number of times, end; durable when
     * end returns OK. Fails at the end: E_STATE (an object of that name exists). */
    err  (*put_begin)(struct store *, const char *name);
    err  (*put_data)(struct store *, const void *p, size_t n);
    err  (*put_end)(struct store *, uint64_t total);
    /* Give up a put that began: nothing of it stays. The store stays usable. */
    err  (*put_abort)(struct store *);
    /* Stream an object of at most `max` bytes into the sink. Out: *total, its size.
     * Fails: E_ABSENT, E_LIMIT, E_FORMAT (sizes do not add up), the sink's own error. */
    err  (*get)(struct store *, uint64_t *total, const char *name, uint64_t max, struct store_sink sink);
    /* Count the objects held, and tell whether there is a head. */
    err  (*list)(struct store *, uint32_t *objects, bool *head);
    void (*close)(struct store *);                    /* also frees the store itself */
};
void store_close(struct store **s);
#define STORE __attribute__((cleanup(store_close))) struct store *

/* Put a whole small object, aborting cleanly on failure. */
err store_put_all(struct store *s, const char *name, const void *p, size_t n);
/* Get a whole object of at most cap bytes. Out: *n. Fails as get. */
err store_get_all(struct store *s, void *out, size_t *n, const char *name, size_t cap);

/* Over a connected descriptor (taken, set to -1) on which link_hello(LINK_STORE)
 * succeeded. Each frame must move within deadline_ms. After a broken answer or a
 * failed transfer every call is E_CLOSED: connect anew. */
err store_link(struct store **out, int *fd, int deadline_ms);

/* Test double in memory, outliving its `struct store`: open it again after a crash.
 * Objects become visible at put_end and durable with it; the head is atomic.
 * Call number fail_at (from 1; 0 = never) fails with E_IO. After call number
 * stop_after (0 = never) the power is out: that call takes effect when `torn` is
 * set and not otherwise, but in both cases answers E_CLOSED, and so does every later one. */
struct store_memory;
struct store_power { unsigned long calls, fail_at, stop_after; bool torn; };
err  store_memory_new(struct store_memory **out);
void store_memory_drop(struct store_memory **m);
err  store_memory_open(struct store **out, struct store_memory *m, struct store_power *p);
/* Reach into it, as a hostile parent can. Bytes are its own; change them in place. NULL when absent. */
uint8_t *store_memory_object(struct store_memory *m, size_t *len, const char *name);
uint8_t *store_memory_head(struct store_memory *m, size_t *len);
err  store_memory_set(struct store_memory *m, const char *name, const void *p, size_t n);   /* name NULL: the head */
void store_memory_remove(struct store_memory *m, const char *name);                         /* name NULL: the head */
/* Name of object number i, or NULL. */
const char *store_memory_name(const struct store_memory *m, size_t i);

#endif
