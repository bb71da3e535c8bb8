/* p256.h - does the holder of the KMS key answer?
 *
 * Anyone who saw an attestation document can make an envelope for it, so what is in one proves
 * nothing. But we know the KMS key's public point P = kG, and can ask for what only k gives:
 *
 *   possession   ask for k(dG) with an ephemeral d: it must be dP.
 *   binding      ask for k(Q + dG): it must be ±kQ + dP, with the kQ that was answered for Q.
 *                Somebody in the middle who gave another kQ would need dP, that is to
 *                solve Diffie-Hellman for (dG, P), although real KMS answers him at will: those answers
 *                are envelopes that he cannot open.
 *
 * So the shared secret itself is authentic under P, whatever TLS and its authorities are worth. What P cannot
 * say is which policy is on the key: see key_evidence.h. Runs in the keeper. */
#ifndef KEYSTORE_P256_H
#define KEYSTORE_P256_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/secret.h"

enum { P256_POINT = 33, P256_SPKI = 91, P256_SECRET = 32 };

/* A public key as GetPublicKey gives it (DER SubjectPublicKeyInfo, uncompressed, RFC 5480) as a compressed point.
 * Fails: E_FORMAT (another form or curve, a point that is not on it), E_MEMORY. */
err  p256_point(uint8_t point[static P256_POINT], const void *spki, size_t n);

/* The ephemeral d. After recipient_new(), which makes the locked heap that d lives in. Fails: E_MEMORY. */
struct p256;
err  p256_new(struct p256 **out);
void p256_drop(struct p256 **k);
#define P256 __attribute__((cleanup(p256_drop))) struct p256 *

/* dG, and Q + dG, as DER. Fails: E_FORMAT (Q is not an SPKI of P-256), E_MEMORY. */
err  p256_own(uint8_t spki[static P256_SPKI], const struct p256 *k);
err  p256_sum(uint8_t spki[static P256_SPKI], const struct p256 *k, const uint8_t q_spki[static P256_SPKI]);

/* Is `got`, the answer to dG, x(dP)? Fails: E_AUTH (no), E_FORMAT (P), E_MEMORY. */
err  p256_check_own(const struct p256 *k, const uint8_t point[static P256_POINT], const secret *got);
/* Is `got`, the answer to Q + dG, x(±R + dP) where x(R) is `z`, the answer to Q? Fails: as above; E_AUTH
 * also when z is no x of a point. Not in constant time in z: one square root, once in a service's life. */
err  p256_check_sum(const struct p256 *k, const uint8_t point[static P256_POINT], const secret *z, const secret *got);

#endif
