/* witness_http.h - the witness as a server: POST /add-checkpoint (c2sp.org/tlog-witness), one request after the other. */
#ifndef PARENT_WITNESS_HTTP_H
#define PARENT_WITNESS_HTTP_H
#include "parent/witness_db.h"
#include "parent/witness_key.h"

struct witness {
    struct witness_db  *db;
    struct witness_key *key;
    struct note_key     as;                  /* who cosigns: name and public key, type NOTE_COSIGNATURE */
};
/* Serve on HOST:PORT until `stop` (a descriptor) can be read; calls ready() once it listens.
 * Fails: E_FORMAT (address), E_IO. */
err witness_serve(struct witness *w, const char *host, const char *port, int stop, void (*ready)(void *self, unsigned port), void *self);
/* Answer one body. Out: *status; text[0..*n), what goes back. Never fails: what went wrong is a 500. */
enum { WITNESS_ANSWER = 1024 };
void witness_answer(struct witness *w, int *status, char text[static WITNESS_ANSWER], size_t *n, const char *body, size_t len);

#endif
