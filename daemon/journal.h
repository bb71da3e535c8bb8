/* journal.h - the service's log as the enclave appends to it, beside the sealed disk.
 *
 * Entries wait until the head of the store moves: then they stand in the segment that the head names (policy/tail.h),
 * signed by the log key, and the generation's own entry with them. The enclave keeps the newest segment and one hash for each
 * level of the tree; all entries before are the parent's to keep and to prove with.
 *
 * Role disk. At start: journal_new() -> journal_resume() with the head's generation restored, or nothing at genesis
 * -> seal_use_journal(). */
#ifndef DAEMON_JOURNAL_H
#define DAEMON_JOURNAL_H
#include "core/secret.h"
#include "diskcrypt/seal.h"
#include "policy/checkpoint.h"
#include "policy/entry.h"
#include "policy/tail.h"

enum { JOURNAL_KEY = 32, JOURNAL_WAITING = 128 << 10, JOURNAL_NOTE = 1024 };

struct journal;
/* An empty log. The key is copied, `store` borrowed. Fails: E_MEMORY. */
err  journal_new(struct journal **out, const secret *log_key, const uint8_t service_id[static 32], uint32_t epoch, struct store *store);
void journal_close(struct journal **j);
#define JOURNAL __attribute__((cleanup(journal_close))) struct journal *
void journal_use_store(struct journal *j, struct store *store);
/* The sealer tells the journal what becomes of the head. */
struct seal_journal journal_hooks(struct journal *j);

/* Go on with the log that the head names. Fails: E_ABSENT (the head names none, or the segment is missing), E_AUTH (not
 * the one named, not signed by this service's key, of another service or epoch), E_FORMAT, as the store. */
err  journal_resume(struct journal *j, const struct head *head);
/* Which generation the log has last, and its manifest: a head with another one was put back. 0: none. */
uint64_t journal_last(const struct journal *j, uint8_t manifest[static 32]);
/* Is the head's generation the last that the log knows? */
bool journal_fits(const struct journal *j, const struct head *head);

/* Add an entry when the head moves next. Fails: E_LIMIT (too much waits). */
err  journal_add(struct journal *j, const struct entry *e);
/* What waits begins a new log, of the next number: nothing can be proved to follow from the old one. Forgotten with the rest. */
void journal_reopen(struct journal *j);
/* Keep this state from then on (at most TAIL_STATE_MAX bytes). Fails: E_LIMIT, E_MEMORY. */
err  journal_set_state(struct journal *j, const uint8_t *p, size_t n);
/* Forget what waits; what was sent already and not answered for stays possible. */
void journal_forget(struct journal *j);

/* As the head at the store has them. */
uint64_t journal_size(const struct journal *j);
void journal_root(uint8_t out[static 32], const struct journal *j);
uint32_t journal_number(const struct journal *j);         /* of the log                  */
uint64_t journal_boot(const struct journal *j);           /* number of the newest boot entry; ENTRY_NO_BOOT: none */
const uint8_t *journal_state(const struct journal *j, size_t *n);
const char *journal_name(const struct journal *j);        /* of the segment; "": none yet    */
const struct note_key *journal_key(const struct journal *j);
/* Write the checkpoint of this tree as a note that the log key has signed. Fails: E_STATE (no entry yet), E_LIMIT, E_MEMORY. */
err  journal_checkpoint(struct wr *w, const struct journal *j);

#endif
