/* witness_key.h - the Ed25519 key of a witness, as a file of its maintainer's.
 *
 * It vouches for order only: who has it can let a log be rolled back, if a whole quorum of such keys agrees, and can read
 * nothing. So it stays a plain private key file (PKCS #8 in PEM, mode 0600), held by libcrypto while it is used. */
#ifndef PARENT_WITNESS_KEY_H
#define PARENT_WITNESS_KEY_H
#include "policy/cosign.h"

struct witness_key;
/* Make a new one at `path`. Fails: E_STATE (there is a file), E_IO. Nothing is left of a failed one. */
err  witness_key_make(const char *path);
/* Read it. Fails: E_ABSENT, E_DENIED (others may read it), E_FORMAT (no Ed25519 key), E_IO, E_MEMORY. */
err  witness_key_open(struct witness_key **out, const char *path);
void witness_key_close(struct witness_key **k);
/* Its public key. */
void witness_key_public(uint8_t out[static 32], const struct witness_key *k);
/* What cosign_write() asks. Borrows k. */
struct cosign_key witness_key_holder(struct witness_key *k);

#endif
