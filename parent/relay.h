/* relay.h - bytes from one peer to another and back, and one client of the enclave. */
#ifndef PARENT_RELAY_H
#define PARENT_RELAY_H
#include <stdint.h>
#include "core/err.h"

enum { RELAY_BUFFER = 256 << 10 };           /* bytes on their way, in each direction, at most */

struct relay_count { uint64_t out, back; };  /* bytes written to b, and to a */

/* Pipe a and b (stream sockets, non-blocking) both ways until both have ended. The end of
 * one direction is handed on (half-close) while the other goes on. A peer that reads
 * slowly slows the other down; nothing is stored beyond RELAY_BUFFER. Once `stop` (a descriptor, or
 * -1) can be read, whatever is silent for a second is cut, and everything after five.
 * Out: *count, also on failure. Fails: E_TIMEOUT (nothing moved for idle_ms), E_CLOSED (a peer
 * broke off), E_MEMORY. */
err relay_pipe(struct relay_count *count, int a, int b, int idle_ms, int stop);

/* Serve one client: pipe it to the enclave at `enclave`; when that cannot be reached, or ends
 * without a word, the client gets a JSON answer with status 503 or 502 instead. Takes *client. */
void relay_client(int *client, const char *enclave, int idle_ms, int stop);
/* Tell a client that there are too many, without waiting for it. Takes *client. */
void relay_turn_away(int *client);

#endif
