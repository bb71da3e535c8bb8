/* allow.h - where the enclave may connect to, and nowhere else.
 *
 * The list is text: entries behind commas, HOST:PORT or HOST:PORT=TARGET. A host is
 * compared as text, without regard to case; it is never resolved to find out whether
 * it is allowed. TARGET (HOST:PORT, tcp:HOST:PORT, unix:PATH, vsock:CID:PORT) is connected to in its
 * stead: a simulator, or a local credentials service. TLS is the enclave's: a wrong target fails there. */
#ifndef PARENT_ALLOW_H
#define PARENT_ALLOW_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum { ALLOW_MAX = 32, ALLOW_HOST = 254, ALLOW_TARGET = 160 };

struct allow_entry { char host[ALLOW_HOST]; uint16_t port; char target[ALLOW_TARGET]; };   /* target empty: the host itself */
struct allow { struct allow_entry entries[ALLOW_MAX]; size_t count; };

/* An empty text allows nothing. Fails: E_FORMAT (naming the entry), E_LIMIT (more than ALLOW_MAX). */
err allow_parse(struct allow *out, const char *text);
/* Out: *entry, in `a`. Fails: E_DENIED. */
err allow_find(const struct allow_entry **entry, const struct allow *a, const char *host, uint16_t port);
/* Connect to what the entry stands for: names are resolved, each address is tried once.
 * Fails: E_IO, E_TIMEOUT, E_FORMAT (target). */
err allow_connect(int *fd, const struct allow_entry *entry, int deadline_ms);

#endif
