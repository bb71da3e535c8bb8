/* conf.h - one INI file, every key known (libinih). */
#ifndef CORE_CONF_H
#define CORE_CONF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum conf_kind {
    CONF_TEXT,      /* char[size], NUL-terminated */
    CONF_U64,       /* uint64_t, decimal, min..max */
    CONF_BOOL,      /* bool: yes or no */
    CONF_SECONDS,   /* uint64_t seconds: 60, 60s, 5m, 2h */
    CONF_BYTES      /* uint64_t bytes: 64M, 1G, 4096 */
};
struct conf_key {
    const char *section, *name;
    enum conf_kind kind;
    size_t offset, size;      /* where in the struct, and for CONF_TEXT how long */
    uint64_t min, max;        /* for numbers */
    const char *help;         /* one line; docs/config.md and --help print it */
};
/* Read `path` over the defaults already in *into. An unknown section or key, a key given
 * twice, a value out of bounds: E_FORMAT, logged with file, line and what was expected.
 * On any failure *into is as it was. Lines have at most 198 bytes and do not begin with a
 * space; ` ;` begins a comment within one. Fails also: E_ABSENT (no file), E_LIMIT (1 MiB). */
err conf_read(const char *path, const struct conf_key *keys, size_t count, void *into);
/* The same from memory. `name` stands in messages. */
err conf_parse(const char *name, const char *text, const struct conf_key *keys, size_t count, void *into);

/* A size as a person writes it: digits, then nothing, K, M or G. False: not one, or too large. */
bool conf_size(uint64_t *out, const char *text);

#endif
