/* keys.h - the master key of the script signer: it signs, and parses nothing.
 *
 * Only the role `sign` links this. The key lives in the arena, so do the child
 * keys and libsecp256k1's copies of them while they are in use. It signs one kind
 * of thing: a BIP341 key-path message with SIGHASH_DEFAULT, for an output that the
 * key itself derives. It is never given a digest. And it agrees on session keys with
 * clients of the earlier systems, whose protocol uses the same key for both. */
#ifndef SIGNER_KEYS_H
#define SIGNER_KEYS_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/secret.h"
#include "signer/request.h"

struct signer;

/* Take over the master scalar: 32 bytes, big-endian, 1..n-1. Before the sandbox closes.
 * Takes *master and NULLs it, also on failure. Fails: E_FORMAT (length, or no such scalar), E_MEMORY, E_IO. */
err  signer_open(struct signer **out, secret **master);
/* Which children this service has: of roots until it is told. Requests that name a child in another way are refused. */
void signer_children(struct signer *s, enum child_kind kind);
void signer_close(struct signer **s);
#define SIGNER __attribute__((cleanup(signer_close))) struct signer *

/* The master public key, compressed. */
void signer_public(const struct signer *s, uint8_t out[static 33]);

/* Sign q->sigmsg with the child that q names (child.h), tweaked by BIP341 with the backup root or
 * with none. Auxiliary randomness of BIP340: SHA256(32 fresh bytes || u64le index).
 * Out: sig, verified before it is given; zeros on any failure.
 * Fails: E_FORMAT (sigmsg is no BIP341 key-path message of epoch 0 and hash_type 0x00, or names
 * another input than q->index; or a child of the other kind), E_DENIED (the output key is not ours), E_MEMORY (the arena is full),
 * E_IO (no randomness, or the signature did not verify: then the machine cannot be trusted, and the role must end). */
err  signer_sign(struct signer *s, uint8_t sig[static 64], const struct sign_request *q);

/* The session key that the earlier systems' encrypted endpoint shares with the owner of `point` (33 or
 * 65 bytes): HKDF-SHA256, salt `confidential-script-salt`, info `Middleware encryption key`, of X || Y of
 * master * point. Fixed salt and info: nobody gets the point itself, or a key for another use.
 * Constant time in the master key. Out: *key, 32 bytes. Fails: E_FORMAT (no point of the curve), E_MEMORY, E_IO. */
err  signer_agree(struct signer *s, secret **key, const uint8_t *point, size_t n);

#ifdef HOLDFAST_TEST_ENTRIES
/* The same with given randomness, for published vectors. Not in production builds. */
err  signer_sign_with_aux(struct signer *s, uint8_t sig[static 64], const struct sign_request *q,
                          const uint8_t aux_rand[static 32]);
#endif

#endif
