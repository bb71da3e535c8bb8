/* store_s3.h - a store in a bucket of any S3-compatible server.
 *
 * PREFIX/objects/NAME holds an object, PREFIX/head the head, PREFIX/claims/NONCE says who moves it now.
 *
 * Who moves the head or removes objects holds a claim: it writes a claim under a random name, lists the claims, and goes on
 * only if no other is there; else it takes its own back, waits a random time and tries again. Because every claim is written
 * before the listing, two can both give way but never both go on, given a server whose listing shows every write that was
 * answered before (S3 does, and so do the common others). A claim older than S3_CLAIM_OLD seconds, by the server's clock,
 * is a dead writer's and is removed; a holder sends nothing that changes the head after S3_CLAIM_HOLD seconds.
 * Where the server has conditional puts (seen by putting one's own claim twice), the head is put on condition as well,
 * and then a writer that was held up in the network for longer cannot do harm either. */
#ifndef PARENT_STORE_S3_H
#define PARENT_STORE_S3_H
#include "parent/s3_place.h"
#include "parent/store.h"

enum {
    S3_PART       = 16 << 20,      /* an object of more than this goes in parts of this size; as much memory is held per put */
    S3_PARTS      = 10000,         /* so an object has 156 GiB at most */
    S3_WINDOW     = 8 << 20,       /* bytes asked for in one ranged GET */
    S3_CLAIM_HOLD = 30,            /* seconds */
    S3_CLAIM_OLD  = 180            /* longer than HOLD and the longest request together */
};

/* `name`: what stands behind `s3:`. Asks for the head once, so that wrong credentials show at once.
 * Fails: E_FORMAT, E_DENIED, E_ABSENT (no credentials; no such bucket), E_CLOSED, E_TIMEOUT, E_IO, E_MEMORY. */
err store_s3_open(struct store_backend **out, const char *name, const struct s3_settings *settings);

#endif
