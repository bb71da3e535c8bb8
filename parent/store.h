/* store.h - where sealed objects are kept, whatever holds them.
 *
 * The store knows nothing about its bytes. Objects are written once, whole, and
 * never changed; the head is the only thing that moves, and it moves in one step.
 * Names are those of link_name_ok(); a caller checks them first (every back end
 * does it again). Several processes may use one store at the same time. */
#ifndef PARENT_STORE_H
#define PARENT_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/link.h"

/* An object on its way in. It exists under its name only after commit() said OK. */
struct store_put {
    err  (*write)(struct store_put *, const void *p, size_t n);
    /* Make it durable and give it its name. Fails: E_STATE (the name is taken: nothing was
     * changed), E_IO. The put is spent in any case. */
    err  (*commit)(struct store_put *);
    void (*close)(struct store_put *);       /* frees it; what was not committed leaves no trace */
};
void store_put_close(struct store_put **p);
#define STORE_PUT __attribute__((cleanup(store_put_close))) struct store_put *

/* An object on its way out. */
struct store_get {
    uint64_t size;                           /* when it was opened; objects do not change */
    /* Out: *n <= cap bytes; 0 at the end. */
    err  (*read)(struct store_get *, void *p, size_t *n, size_t cap);
    void (*close)(struct store_get *);       /* frees it */
};
void store_get_close(struct store_get **g);
#define STORE_GET __attribute__((cleanup(store_get_close))) struct store_get *

struct store_entry { const char *name; uint64_t size; int64_t time; };   /* time: unix seconds it was stored */

struct store_backend {
    /* Fails: E_FORMAT (name), E_IO. */
    err  (*put)(struct store_backend *, struct store_put **out, const char *name);
    /* Fails: E_FORMAT (name), E_ABSENT, E_IO. */
    err  (*get)(struct store_backend *, struct store_get **out, const char *name);
    /* Out: *n bytes of the head; 0 when there is none. Fails: E_FORMAT (what stands in its
     * place cannot be a head: it is not taken for an absent one), E_IO. */
    err  (*head_get)(struct store_backend *, uint8_t out[static LINK_HEAD_MAX], size_t *n);
    /* Replace the head by `next` (1..LINK_HEAD_MAX bytes) if it is `expected` (0 bytes: none
     * yet), in one step; durable on OK. Fails: E_STATE (it is another), E_FORMAT (size), E_IO. */
    err  (*head_put)(struct store_backend *, const void *expected, size_t expected_len,
                     const void *next, size_t next_len);
    /* Call `each` for every object, in no order, until it fails. */
    err  (*list)(struct store_backend *, err (*each)(void *self, const struct store_entry *), void *self);
    /* Remove the named objects if the head is still `head`; names not there are passed over.
     * Nobody can move the head meanwhile. Out: *removed. Fails: E_STATE (the head moved), E_IO. */
    err  (*remove)(struct store_backend *, size_t *removed, const void *head, size_t head_len,
                   const char *const *names, size_t count);
    void (*close)(struct store_backend *);   /* frees it */
};
void store_backend_close(struct store_backend **s);
#define STORE_BACKEND __attribute__((cleanup(store_backend_close))) struct store_backend *

/* A folder: DIR/objects/NAME, DIR/head, DIR/lock. `create`: make it when DIR is missing or
 * empty (said in the log); else that is E_ABSENT. A folder with other things in it is E_FORMAT.
 * What an interrupted put left behind is removed. */
err store_dir_open(struct store_backend **out, const char *dir, bool create);

/* For tests and the fuzzer: the same in memory, for one process. `limit` bytes at most (E_IO: full). */
err store_backend_memory(struct store_backend **out, size_t limit);

#endif
