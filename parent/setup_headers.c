/* setup_headers.c - a file of block headers, made a member of the setup request. */
#include "parent/setup_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "parent/file.h"
#include "parent/say.h"
#include "signer/headers.h"

/* Twice the bytes in hex, and a line end of two characters for each header. */
enum { FILE_MOST = HEADERS_MAX * (2 * HEADER_SIZE + 2) + 2 };

static bool is_space(uint8_t b) { return b == ' ' || b == '\t' || b == '\r' || b == '\n'; }

/* Hex when nothing else is in it: raw headers have bytes that are no digits. Out: p[0..*n), decoded in place. */
static err decode(uint8_t *p, size_t *n)
{
    size_t digits = 0;
    for (size_t i = 0; i < *n; i++)
        if (!is_space(p[i]) && !strchr("0123456789abcdefABCDEF", p[i] ? p[i] : '?')) return OK;
    for (size_t i = 0; i < *n; i++)
        if (!is_space(p[i])) p[digits++] = p[i];
    /* The bytes written stay behind the digits read. */
    for (size_t i = 0; i + 1 < digits; i += 2) TRY(hex_to(p + i / 2, 1, (const char *)p + i, 2));
    *n = digits / 2;
    if (digits % 2) FAIL(E_FORMAT, "an odd number of hex digits");
    return OK;
}

static enum exits read_run(uint8_t **run, size_t *n, const struct call *c)
{
    const char *path = call_value(c, "headers");
    err e = file_read(run, n, path, FILE_MOST);
    if (e.code == E_LIMIT) return say_failure(c, EXIT_USAGE, NULL, NULL, "setup: %s has more than %d headers", path, HEADERS_MAX);
    if (e.code) return say_failure(c, EXIT_USAGE, NULL, NULL, "setup: --headers %s cannot be read", path);
    if (decode(*run, n).code || *n == 0 || *n % HEADER_SIZE)
        return say_failure(c, EXIT_USAGE, NULL, "Concatenate them, raw or as hex lines (bitcoin-cli getblockheader HASH false).",
                           "setup: %s is not headers of 80 bytes each", path);
    if (*n > HEADERS_MAX * HEADER_SIZE) return say_failure(c, EXIT_USAGE, NULL, NULL, "setup: %s has more than %d headers", path, HEADERS_MAX);
    return EXIT_DONE;
}

/* HEIGHT:HASH. */
static enum exits add_anchor(json_t *headers, const struct call *c)
{
    const char *text = call_value(c, "anchor"), *colon = text ? strchr(text, ':') : NULL;
    uint8_t hash[32];
    char *end = NULL;
    if (!text) return EXIT_DONE;
    const unsigned long long height = strtoull(text, &end, 10);
    if (!colon || end != colon || text[0] < '0' || text[0] > '9' || height > INT32_MAX ||
        hex_to(hash, sizeof hash, colon + 1, strlen(colon + 1)).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "setup: --anchor takes HEIGHT:HASH, the hash as block explorers show it");
    json_t *anchor = json_pack("{s:I, s:s}", "height", (json_int_t)height, "hash", colon + 1);
    if (json_object_set_new(headers, "anchor", anchor)) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    return EXIT_DONE;
}

enum exits setup_headers(json_t *request, const struct call *c)
{
    const char *network = call_value(c, "network");
    enum headers_network known;
    BYTES run = NULL;
    TEXT coded = NULL;
    size_t n = 0;
    if (!network) network = headers_network_text(HEADERS_MAINNET);
    if (!call_value(c, "headers")) {
        if (call_value(c, "network") || call_value(c, "anchor"))
            return say_failure(c, EXIT_USAGE, NULL, NULL, "setup: --network and --anchor are about --headers, which is missing");
        return EXIT_DONE;
    }
    if (headers_network_parse(&known, network).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "setup: --network takes mainnet, testnet4, signet or regtest, not `%s`", network);
    enum exits code = read_run(&run, &n, c);
    if (code != EXIT_DONE) return code;
    coded = malloc(base64_size(n));
    if (!coded) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    base64_from(coded, run, n);
    json_t *headers = json_pack("{s:s, s:s}", "network", network, "base64", coded);
    if (json_object_set_new(request, "headers", headers)) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    return add_anchor(headers, c);
}
