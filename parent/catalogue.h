/* catalogue.h - what a store holds, as far as can be told without a key.
 *
 * The clear headers of manifests say which generations there are and what each
 * needs (diskcrypt/manifest.h). They are not authentic: good enough to tidy up and
 * to list by, since whoever can change them can remove the objects as well. */
#ifndef PARENT_CATALOGUE_H
#define PARENT_CATALOGUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "diskcrypt/manifest.h"
#include "parent/store.h"

/* `needed` is the reader's own mark; catalogue_read() leaves it false. */
struct object { char name[LINK_NAME_MAX + 1]; uint64_t size; int64_t time; bool needed; };

struct generation {
    struct manifest_clear clear;             /* its pack_list is NULL: see packs */
    struct manifest_pack *packs;             /* clear.packs of them; owned */
    const struct object  *object;            /* the manifest itself */
    uint64_t number;                         /* from its name; equal to clear.generation when readable */
    uint64_t bytes;                          /* of the manifest and all packs it needs */
    uint32_t missing;                        /* packs needed that are absent or of another size */
    bool     readable;                       /* the clear header could be parsed */
    bool     is_head;
};

struct catalogue {
    uint8_t  raw_head[LINK_HEAD_MAX];
    size_t   raw_head_len;                   /* 0: no head */
    struct head head;                        /* valid when raw_head_len > 0 */
    struct object *objects;                  /* sorted by name */
    size_t   object_count;
    struct generation *generations;          /* newest first; of equal numbers the head's first */
    size_t   generation_count;
};

enum { CATALOGUE_OBJECTS_MAX = 1 << 20 };

/* Read all of it. Fails: E_FORMAT (a head that cannot be read), E_LIMIT (more objects than
 * CATALOGUE_OBJECTS_MAX), E_IO, E_MEMORY. A manifest that cannot be read is listed as such. */
err  catalogue_read(struct catalogue *out, struct store_backend *s);
void catalogue_drop(struct catalogue *c);
#define CATALOGUE __attribute__((cleanup(catalogue_drop))) struct catalogue

/* The object of that name, or NULL. */
struct object *catalogue_find(const struct catalogue *c, const char *name);
/* SHA-256 of a stored object. Fails: E_ABSENT, E_IO, E_MEMORY. */
err  catalogue_hash(uint8_t out[static 32], struct store_backend *s, const char *name);

#endif
