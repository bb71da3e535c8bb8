/* block_check.h - what is known about the service's block hash: how it is recorded and shown.
 *
 * The finding itself is signer/headers.h's; here it is only fields, so that the genesis document, the
 * state statement and the HTTP API say the same in the same words. */
#ifndef POLICY_BLOCK_CHECK_H
#define POLICY_BLOCK_CHECK_H
#include <stdbool.h>
#include <stdint.h>
#include "core/buf.h"

enum { BLOCK_CHECK_WORD = 12, BLOCK_CHECK_JSON = 224 };

struct block_check {
    bool     made;                       /* false: no headers were given, and the rest is zero   */
    char     network[BLOCK_CHECK_WORD];  /* "mainnet" …                                          */
    char     anchor[BLOCK_CHECK_WORD];   /* "genesis", "checkpoint" or "caller"                  */
    uint32_t height, time, depth;        /* unix seconds; blocks after it in the headers given   */
    uint8_t  work[32];                   /* of those headers: hashes, big-endian                 */
};

/* "unverified", or {"network":…,"height":…,"time":…,"depth":…,"anchor":…,"work":64 hex digits}; at most
 * BLOCK_CHECK_JSON characters. The words must be plain. */
void block_check_json(struct wr *w, const struct block_check *b);

/* In binary: u8 made, var network, var anchor, u32 height, u32 time, u32 depth, 32 work; all empty and
 * zero when not made: anything else, and words that are not plain, mark the reader bad. */
void block_check_write(struct wr *w, const struct block_check *b);
void block_check_read(struct rd *r, struct block_check *b);

#endif
