/* book.h - the state database: what the service is, and what it was asked. SQLite on the encrypted disk. */
#ifndef DAEMON_BOOK_H
#define DAEMON_BOOK_H
#include <stdbool.h>
#include <stdint.h>
#include "core/err.h"
#include "daemon/limits.h"
#include "daemon/wire.h"

struct book;
/* Open the database file `path`. `fresh`: make it, and write down whose it is; otherwise it must
 * exist and be this service's; a schema of an earlier build is brought up to this one's, in one transaction. Fails: E_ABSENT (not there), E_AUTH (another service's), E_FORMAT
 * (not our database, or a schema newer than this build's), E_STATE (fresh, but something is there), E_IO. */
err  book_open(struct book **out, const char *path, bool fresh, const uint8_t service_id[static 32],
               const void *genesis, size_t genesis_len);
/* Finish and close. Fails: E_IO (the last bytes did not reach the file system). */
err  book_close(struct book **b);
/* Append one verdict, in one transaction. Out: *row. Signed requests are kept for ever;
 * of refused ones the newest BOOK_REFUSED. Fails: E_LIMIT (the disk is full), E_IO. */
enum { BOOK_REFUSED = 1000 };
err  book_append(struct book *b, uint64_t *row, const struct wire_entry *e);
err  book_count(struct book *b, uint64_t *total);
/* The newest entries before row `before` (0: the newest of all) and not older than `since` (unix seconds), newest first. Out: *n <= limit. */
err  book_list(struct book *b, struct wire_entry *out, uint32_t *n, uint32_t limit, uint64_t before, uint64_t since);

/* Spend from `limits`, for all n or for none. Time: `now` in unix seconds, or the newest spend's, if that is later. A message that
 * was spent for before is granted again and spends nothing. Out: *v; *fresh: something was written down, which has to be sealed
 * before anything is signed. Fails: E_LIMIT (the disk is full), E_IO. */
struct book_verdict { enum spend_verdict verdict; uint32_t which; uint64_t limit, left, wait; };
err  book_spend(struct book *b, struct book_verdict *v, bool *fresh, const struct limits *limits, const struct wire_spend *s, uint32_t n, uint64_t now);

#endif
