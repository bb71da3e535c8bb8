/* nums.h - the public point that KMS is asked to multiply.
 *
 * A nothing-up-my-sleeve point of NIST P-256: its x is a hash, so nobody knows
 * its discrete logarithm, and its input is a Bitcoin block hash, so nobody could
 * have asked KMS for its multiple before that block existed. Public data only. */
#ifndef KEYSTORE_NUMS_H
#define KEYSTORE_NUMS_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "keystore/profile.h"

enum { NUMS_SPKI = 91, NUMS_BLOCKHASH = 32 };

/* Make the point of `profile` and `blockhash`.
 * The hash is given as explorers show it (the 64 hex digits decoded in reading
 * order); the profile decides whether it enters reversed (confidential-script-2,
 * holdfast-1), as it is (confidential-script-1) or not at all (reproducible-key).
 *   x = first of SHA256("This is a P-256 NUMS key for KMS" [|| hash] || u32be counter),
 *       counter = 0, 1, …, that is the x of a point; y is the even root.
 * Out:   spki, the point as DER SubjectPublicKeyInfo (RFC 5480), what KMS takes as
 *        PublicKey; *counter, the number of candidates thrown away.
 * Fails: E_STATE (no such profile), E_LIMIT (counter ran out: cannot happen). */
err nums_point(uint8_t spki[static NUMS_SPKI], uint32_t *counter,
               const uint8_t blockhash[static NUMS_BLOCKHASH], enum profile profile);

#endif
