/* witness_db.h - what a witness remembers: which logs it knows, and how far it vouched for each (SQLite). */
#ifndef PARENT_WITNESS_DB_H
#define PARENT_WITNESS_DB_H
#include <stdbool.h>
#include "policy/witness.h"

enum { WITNESS_LOG_KEYS = 8 };               /* of one log */

struct witness_db;
/* Make a new one for a witness of that name. Fails: E_STATE (there is a file), E_IO, E_FORMAT (name). */
err  witness_db_make(const char *path, const char *name);
/* Open it. Out: *name. Fails: E_ABSENT (it is never made new: a witness that forgot would vouch for a rollback), E_FORMAT, E_IO. */
err  witness_db_open(struct witness_db **out, char name[static NOTE_NAME + 1], const char *path);
void witness_db_close(struct witness_db **db);

/* Know a log by its origin and one more key. Fails: E_STATE (known already), E_LIMIT (WITNESS_LOG_KEYS), E_IO. */
err  witness_db_add(struct witness_db *db, const char *origin, const struct note_key *key);
/* Call `each` for every log, by origin; `keys` is their number. */
err  witness_db_list(struct witness_db *db, void (*each)(void *self, const char *origin, uint64_t size, unsigned keys), void *self);
/* Answer a request in one transaction: read what is remembered, decide, and remember what was decided. It is on the
 * disk (fsync) when this says OK. Out: *status; known, for a 409. Fails: E_IO, E_FORMAT (database), E_MEMORY: then nothing was cosigned
 * and nothing may be. */
err  witness_db_decide(struct witness_db *db, int *status, struct witness_state *known, const struct witness_request *r);

#endif
