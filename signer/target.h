/* target.h - the numbers of Bitcoin's proof of work: nBits, targets, work.
 *
 * Pure 256-bit arithmetic on fixed limbs: nothing allocates, nothing loops longer than 256
 * steps, nothing can fail but the reading of nBits. The rules are those that every full
 * node has: pow.cpp and arith_uint256 of the reference implementation. */
#ifndef SIGNER_TARGET_H
#define SIGNER_TARGET_H
#include <stdbool.h>
#include <stdint.h>

/* A number below 2^256, the least significant 32 bits first. */
struct target { uint32_t w[8]; };

/* Read the compact form of a header's nBits: a byte of length and a signed mantissa of 23 bits.
 * False for what no block may carry: negative, zero, or above 2^256. */
bool     target_from_bits(struct target *out, uint32_t bits);
/* The compact form, cut to its 23 bits as the rule for a new target has it. */
uint32_t target_to_bits(const struct target *t);
/* -1, 0, 1 as a is below, equal to, above b. */
int      target_compare(const struct target *a, const struct target *b);
/* Is a block hash (SHA-256d, in its own order: a little-endian number) at or below the target? */
bool     target_met(const struct target *t, const uint8_t hash[static 32]);
/* The target of the period after one that took `seconds` (negative when its clock ran
 * backwards) where two weeks were meant: scaled by at most 4 either way, and not above `limit`. */
void     target_retarget(struct target *t, int64_t seconds, const struct target *limit);
/* Hashes that a block under `t` stands for on average: 2^256 / (t + 1), for t below 2^255. */
void     target_work(struct target *work, const struct target *t);
/* sum += w; stays at the largest number instead of passing it. */
void     target_add(struct target *sum, const struct target *w);
/* 32 bytes, the most significant first. */
void     target_bytes(uint8_t out[static 32], const struct target *t);

#endif
