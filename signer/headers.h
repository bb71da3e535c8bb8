/* headers.h - is a block hash the hash of a block? Judged from a run of Bitcoin headers.
 *
 * A run is 80-byte headers, one after the other, oldest first. It is checked as a node checks
 * headers, as far as headers alone tell:
 *   - each names the hash of the one before it;
 *   - each nBits is well formed, within the network's limit, and what the network's rule asks for
 *     at that height: constant within 2016 blocks, then retargeted (testnet4: the 20-minute
 *     exception and BIP94; regtest: never changes);
 *   - each hash is at or below its target;
 *   - each time is above the median of the 11 before it, where the run has them.
 * Not checked: versions, the distance of times from now, signet's block signatures (they are not in the
 * header: a signet run proves its little work and nothing else), and anything inside blocks.
 *
 * Where it stands: the run begins with the network's genesis block, or with the child of a compiled-in
 * checkpoint, or with a block whose height the caller claims. A run that passes a checkpoint and
 * disagrees is refused, one that agrees is anchored by it. A run that begins within a period may
 * not pass the next retarget, as the first time of that period would be missing.
 *
 * What a good run proves is its work and no more: a run from mainnet's genesis block can be made anew
 * at the difficulty of 2009, and one with a claimed height at any difficulty that the claimed
 * block has. So the work is reported with the rest.
 *
 * Pure: SHA-256 and integer compares over fixed records; no allocation; time and memory bounded by n. */
#ifndef SIGNER_HEADERS_H
#define SIGNER_HEADERS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum { HEADER_SIZE = 80, HEADERS_MAX = (4 << 20) / HEADER_SIZE };      /* 52,428: a year, and 26 periods */

enum headers_network { HEADERS_MAINNET, HEADERS_TESTNET4, HEADERS_SIGNET, HEADERS_REGTEST, HEADERS_NETWORKS };
/* "mainnet", "testnet4", "signet", "regtest"; "?" outside. */
const char *headers_network_text(enum headers_network n);
/* Fails: E_FORMAT (no such network). */
err headers_network_parse(enum headers_network *out, const char *name);

enum headers_anchor {
    HEADERS_GENESIS,          /* the run begins with the network's first block           */
    HEADERS_CHECKPOINT,       /* a checkpoint of this program is in it, or just before it */
    HEADERS_CALLER            /* the caller says what height the first block has          */
};
/* "genesis", "checkpoint", "caller". */
const char *headers_anchor_text(enum headers_anchor a);

/* What the caller says about his run. */
struct headers_claim {
    enum headers_network network;
    bool     anchored;        /* the rest is set                                         */
    uint32_t height;          /* of the first header, below 2^31                          */
    uint8_t  hash[32];        /* of the first header, as displayed                        */
};

struct headers_found {
    enum headers_network network;
    enum headers_anchor  anchor;
    uint32_t height, time;    /* of the block asked for; unix seconds, as its miner wrote */
    uint32_t depth;           /* headers after it in the run                              */
    uint8_t  work[32];        /* of the whole run: hashes, big-endian                     */
};

enum headers_fault {
    HEADERS_FINE,
    HEADERS_LENGTH,           /* not whole headers, or none                              */
    HEADERS_TOO_MANY,         /* above HEADERS_MAX                                       */
    HEADERS_START,            /* begins nowhere that is known, and no anchor was given    */
    HEADERS_NOT_THE_ANCHOR,   /* the first header, or its height, is not the anchor's     */
    HEADERS_CONTRADICTION,    /* of a checkpoint                                         */
    HEADERS_LINK,
    HEADERS_BITS,             /* nBits malformed or above the limit                      */
    HEADERS_DIFFICULTY,       /* nBits well formed, and not what the rule asks for        */
    HEADERS_PERIOD,           /* a retarget whose period the run does not hold            */
    HEADERS_WORK,             /* the hash is above the target                            */
    HEADERS_TIME,
    HEADERS_REVERSED,         /* the block hash is there, in internal order: ask with it as displayed */
    HEADERS_NOT_IN_RUN        /* all good, and the block hash is not there                */
};
struct headers_refusal {
    enum headers_fault fault;
    uint32_t index;           /* which header, from 0                                    */
    uint32_t height;          /* its height, as far as it was known                       */
};
enum { HEADERS_TEXT = 160 };
/* Words for people, printable ASCII, NUL-terminated. */
void headers_refusal_text(char out[static HEADERS_TEXT], const struct headers_refusal *why);

/* Check bytes[0..n) and look for `blockhash` (as displayed: the 64 hex digits in reading order).
 * Out: *found; on failure untouched, and *why says what is wrong.
 * Fails: E_FORMAT (LENGTH), E_LIMIT (TOO_MANY), E_ABSENT (REVERSED, NOT_IN_RUN), E_DENIED (all others). */
err headers_check(struct headers_found *found, struct headers_refusal *why, const struct headers_claim *claim,
                  const uint8_t blockhash[static 32], const uint8_t *bytes, size_t n);

/* The nBits that the retarget rule gives after a period under `bits` whose first and last blocks have
 * these times. `bits` must be valid (target_from_bits()); what comes out is not, where a target of 1 is quartered. */
uint32_t headers_next_bits(enum headers_network network, uint32_t bits, uint32_t first_time, uint32_t last_time);

#endif
