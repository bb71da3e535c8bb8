/* script_limits.h - how much the scripts of one request may cost, whoever sets it: the service's configuration
 * today, a rule set where there is one. Plain numbers, so that it can be copied, sent and attested. */
#ifndef SIGNER_SCRIPT_LIMITS_H
#define SIGNER_SCRIPT_LIMITS_H
#include <stdint.h>

/* The first four are used up over all inputs of a request. */
struct script_limits {
    uint64_t script_bytes;         /* of all scripts run */
    uint64_t opcodes;              /* looked at, executed or not: the work, counted and not timed */
    uint64_t signatures;           /* verified: ECDSA and Schnorr */
    uint64_t hashed_bytes;         /* by opcodes and by signature hashes */
    uint64_t stack_bytes;          /* on both stacks together, behind any opcode */
    uint64_t time_ms;              /* for the whole request, by the caller's clock */
};
/* 4,000,000 script bytes and opcodes, 80,000 signatures, 1 GiB hashed: more than one block's worth of
 * taproot spends can ask for. The stack: all that consensus allows (1,000 elements of 520 bytes). 10 s. */
#define SCRIPT_LIMITS_DEFAULT ((struct script_limits){ 4000000, 4000000, 80000, UINT64_C(1) << 30, 520000, 10000 })

#endif
