/* store_many_in.h - what the parts of store_many share. */
#ifndef PARENT_STORE_MANY_IN_H
#define PARENT_STORE_MANY_IN_H
#include "parent/segments.h"
#include "parent/store_many.h"
#include "parent/store_open.h"

struct member {
    struct store_backend *store;             /* NULL: away */
    struct many_opener opener;
    char name[STORE_NAME];
    bool told;                               /* that it is away: once is enough */
    int64_t rest_until;                      /* monotonic ms: it did not answer, and is left in peace until then */
};
struct many_store {
    struct store_backend base;
    size_t count;
    uint64_t durable;
    struct member members[STORES_MAX];
    struct segments log;                     /* of the head that was looked at last: not walked through for every seal */
};

enum { MANY_REST_MS = 30000 };
/* May it be asked? Opens it if it is away; not while it rests. */
bool member_here(struct member *m);
/* Let all be asked at once, if fewer than `wanted` may be now: then it is worth the wait. True: somebody rested. */
bool many_wake(struct many_store *s, uint64_t wanted);
/* Say that it failed. One that did not answer rests, so that it is waited for once and not at every step. */
void member_failed(struct member *m, const char *what, err why);
/* Is it a store of several? By its close function, so that a single store may be asked too. */
struct many_store *many_of(struct store_backend *any);

err many_put(struct store_backend *base, struct store_put **out, const char *name);
err many_get(struct store_backend *base, struct store_get **out, const char *name);
err many_head_get(struct store_backend *base, uint8_t out[static LINK_HEAD_MAX], size_t *n);
err many_head_put(struct store_backend *base, const void *expected, size_t expected_len, const void *next, size_t next_len);

/* What a head needs, from its manifest. */
struct needs {
    struct store_entry *entries;             /* in the order in which they are to be brought */
    char (*names)[LINK_NAME_MAX + 1];
    size_t *by_name;
    size_t count, tail;                      /* tail: place of the log's newest segment; count: none */
    bool   log_broken;                       /* a segment of the log is nowhere */
};
void needs_drop(struct needs *n);
#define NEEDS __attribute__((cleanup(needs_drop))) struct needs
/* Read through `from`; `log` is kept from one call to the next. A head of generation 0 needs nothing. A log of which a segment is missing everywhere is told
 * by log_broken: what nobody has must not keep the next head out. Fails: E_FORMAT (no head of ours, or no such manifest), E_ABSENT, E_IO. */
err needs_of(struct needs *out, struct store_backend *from, struct segments *log, const void *head, size_t n);
/* Copy what `to` lacks of it. Out: *brought. Fails: E_ABSENT (no store has it; of the log only the tail counts), E_AUTH (another size there), E_IO. */
err needs_bring(size_t *brought, const struct needs *n, struct store_backend *from, struct store_backend *to);
/* Is all of it in `in`? */
err needs_there(bool *there, const struct needs *n, struct store_backend *in);

#endif
