/* hash.h - hashes of public bytes, and random public bytes.
 *
 * Nothing here takes a secret: keyed work is in crypto.h. Linked by all three
 * programs. These calls cannot fail for a reason a caller could act on, so a
 * failing libcrypto ends the process (MUST). */
#ifndef CORE_HASH_H
#define CORE_HASH_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

struct bytes { const void *p; size_t n; };    /* one piece of a hashed message */

void sha256(uint8_t out[static 32], const void *p, size_t n);
void sha384(uint8_t out[static 48], const void *p, size_t n);
void sha512(uint8_t out[static 64], const void *p, size_t n);
void sha1(uint8_t out[static 20], const void *p, size_t n);          /* Script's OP_SHA1 only */
void ripemd160(uint8_t out[static 20], const void *p, size_t n);     /* Script only */
/* SHA-256 of `count` pieces, one after the other. */
void sha256_of(uint8_t out[static 32], const struct bytes *pieces, size_t count);
/* SHA-256 of SHA-256 (Bitcoin's). */
void sha256d(uint8_t out[static 32], const void *p, size_t n);
/* BIP340 tagged hash: SHA256(SHA256(tag) || SHA256(tag) || pieces). */
void tagged_hash(uint8_t out[static 32], const char *tag, const struct bytes *pieces, size_t count);
/* HMAC of public data under a public key (address derivation, SigV4 in the simulator). */
void hmac_sha256(uint8_t out[static 32], const void *key, size_t key_len, const void *p, size_t n);
void hmac_sha512(uint8_t out[static 64], const void *key, size_t key_len, const void *p, size_t n);

/* A running hash, for bytes that come in parts. The state is plain bytes. */
struct sha256_run;
err  sha256_begin(struct sha256_run **out);                           /* Fails: E_MEMORY */
void sha256_add(struct sha256_run *r, const void *p, size_t n);
void sha256_end(struct sha256_run **r, uint8_t out[static 32]);       /* frees it */
void sha256_drop(struct sha256_run **r);
/* The same for SHA-384. */
struct sha384_run;
err  sha384_begin(struct sha384_run **out);                           /* Fails: E_MEMORY */
void sha384_add(struct sha384_run *r, const void *p, size_t n);
void sha384_end(struct sha384_run **r, uint8_t out[static 48]);       /* frees it */
void sha384_drop(struct sha384_run **r);

/* Fill with bytes of the system's random generator. Fails: E_IO. */
err  random_bytes(void *out, size_t n);
/* Equal, in time that depends on n alone. */
int  bytes_equal(const void *a, const void *b, size_t n);

#endif
