/* setup_headers.h - `holdfast setup --headers FILE [--network N] [--anchor HEIGHT:HASH]`. */
#ifndef PARENT_SETUP_HEADERS_H
#define PARENT_SETUP_HEADERS_H
#include <jansson.h>
#include "parent/command.h"

#define SETUP_HEADERS_OPTIONS \
    { "headers", "FILE", "block headers that hold the block hash: 80 bytes each, oldest first, raw or in hex" }, \
    { "network", "NAME", "of the headers: mainnet (default), testnet4, signet or regtest" }, \
    { "anchor", "HEIGHT:HASH", "height and hash of the first header, when it follows no known block" }

/* Put the member `headers` into the request, when the option was given. What is wrong with the words or
 * the file is said here; what is wrong with the chain, the service says. */
enum exits setup_headers(json_t *request, const struct call *c);

#endif
