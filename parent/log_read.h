/* log_read.h - the entries of a service's log, from where a command says that they are. */
#ifndef PARENT_LOG_READ_H
#define PARENT_LOG_READ_H
#include <stdbool.h>
#include <stdint.h>
#include "parent/chain.h"
#include "parent/command.h"
#include "policy/checkpoint.h"
#include "policy/note.h"

/* Takes one entry. Fails: what ends the reading. */
typedef err log_each(void *self, uint64_t index, const uint8_t *p, size_t n);

/* Of a chain in a store: entries [from, from + count). `keys`, if there are any: each segment must be signed by one of them. Fails: E_AUTH, as segment_read(), each(). */
struct log_keys { struct note_key one[8]; size_t count; };
err log_from_store(struct store_backend *s, const struct chain *c, const struct log_keys *keys, uint64_t from, uint64_t count, log_each *each, void *self);

/* Of a running service (--url). Out: *size, of its log; says what failed. */
enum exits log_from_service(const struct call *c, uint64_t *size, uint64_t from, uint64_t count, log_each *each, void *self);
/* Its newest checkpoint: a note in text[0..*n), which is parsed but not verified. Out: E_ABSENT in *e, when there is none. */
enum exits log_checkpoint(const struct call *c, char text[static NOTE_MAX + 1], size_t *n, struct note *note, struct checkpoint *at);
/* A proof by its query ("old=3&size=9"). */
enum exits log_proof(const struct call *c, struct tlog_path *out, const char *query);

/* Of a file that `log show --json` wrote, or GET /log/entries answered: from the first entry on. Fails: E_IO, E_LIMIT, E_FORMAT, E_MEMORY, each(). */
err log_from_file(const char *path, log_each *each, void *self);

/* Verifier keys behind commas, one for each epoch. Fails: E_FORMAT, E_LIMIT. */
err log_keys_parse(struct log_keys *out, const char *text);

#endif
