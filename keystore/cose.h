/* cose.h - COSE_Sign1 with ES384 (RFC 9052), the one form attestation documents have.
 *
 * Public data only. Accepted: untagged or tag 18; definite or indefinite arrays and
 * maps; alg -35 (ES384) in the protected header; an empty unprotected header (it is
 * not signed, so anything in it could be anybody's); no byte after the end. A
 * `crit` header is refused: we implement no extension. */
#ifndef KEYSTORE_COSE_H
#define KEYSTORE_COSE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/hash.h"

enum { COSE_SIG = 96, COSE_MAX = 16384, COSE_P384_SPKI = 120 };

struct cose_sign1 {
    struct bytes protected_header;       /* the bytes that are signed  */
    struct bytes payload;
    const uint8_t *signature;            /* COSE_SIG bytes: r || s, big-endian, 48 each */
};

/* Parse p[0..n); the fields point into it. Fails: E_FORMAT; E_LIMIT (n > COSE_MAX);
 * E_DENIED: well formed, but the algorithm is not ES384. */
err cose_parse(struct cose_sign1 *out, const void *p, size_t n);
/* The bytes the signature is over (Sig_structure, context "Signature1", no external
 * data). Out: out[0..*len), at most cap. Fails: E_LIMIT. */
err cose_signed_bytes(uint8_t *out, size_t cap, size_t *len, const struct cose_sign1 *c);
/* True for a DER SubjectPublicKeyInfo of a named-curve, uncompressed P-384 key. */
bool cose_is_p384(const void *spki, size_t n);
/* Check an ES384 signature (r || s) over message[0..n) with such a key.
 * Fails: E_AUTH, E_FORMAT (another kind of key), E_MEMORY. */
err cose_es384_verify(const uint8_t sig[static COSE_SIG], const void *spki, size_t spki_len, const void *message, size_t n);
/* Check a message's signature with such a key. Fails: as above. */
err cose_verify(const struct cose_sign1 *c, const void *spki, size_t spki_len);
/* The same with a key that libcrypto has read already: reading one takes a sixth of the time of using it.
 * The caller has looked at its SPKI with cose_is_p384(). Fails: E_AUTH, E_MEMORY. */
struct evp_pkey_st;
err cose_verify_key(const struct cose_sign1 *c, struct evp_pkey_st *key);

/* A signer of SHA-384/P-384: r || s over message[0..n). */
typedef err (*cose_signer)(void *self, uint8_t sig[static COSE_SIG], const void *message, size_t n);
/* Build an untagged message over `payload`. Out: out[0..*len). Fails: E_LIMIT, or as the signer. */
err cose_build(uint8_t *out, size_t cap, size_t *len, struct bytes payload, cose_signer sign, void *self);

#endif
