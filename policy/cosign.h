/* cosign.h - who vouches for a note: a log's own Ed25519 signature (c2sp.org/signed-note, type 0x01) and
 * a witness's cosignature/v1 (c2sp.org/tlog-cosignature, type 0x04).
 *
 * Only checking and laying out are done here. Signing is asked of the key's holder, so that this
 * code needs no secret and whoever links it holds none by that. */
#ifndef POLICY_COSIGN_H
#define POLICY_COSIGN_H
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "policy/note.h"

enum { COSIGN_HEAD = 48 };                       /* room that the two lines above the text need */
#define COSIGN_TIME_MAX INT64_MAX

/* The holder of an Ed25519 key. Fails: what the holder may fail with. */
struct cosign_key {
    void *self;
    err (*sign)(void *self, uint8_t out[static 64], const void *message, size_t n);
};

/* Check what the key, of either type, says about the note. Every line of this key must verify. Out: *time, the newest
 * in unix seconds; 0 for a log's signature. Fails: E_ABSENT (it says nothing), E_AUTH, E_MEMORY. */
err  cosign_check(uint64_t *time, const struct note *n, const struct note_key *k);
/* Write the message that a witness signs: "cosignature/v1", "time N", the note's text. */
void cosign_message(struct wr *w, uint64_t time, const char *text, size_t n);
/* Append the signature line that the key k, held by `holder`, makes for a text of a note; the time is for a
 * cosignature only. Fails: E_LIMIT (time, room), E_MEMORY, the holder's. */
err  cosign_write(struct wr *w, const struct note_key *k, const struct cosign_key *holder, uint64_t time, const char *text, size_t n);

#endif
