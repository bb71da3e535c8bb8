/* header_run - judge runs of headers from standard input, one a line:
 *     NETWORK BLOCKHASH ANCHOR HEX          ANCHOR: - or HEIGHT:HASH
 * and answer each with a line of JSON. Built a second time with HEADERS_SOFT, where hashes are as in
 * tests/models/headers.py with soft=True. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "signer/headers.h"

#ifdef HEADERS_SOFT
void __wrap_sha256d(uint8_t out[static 32], const void *p, size_t n);
void __real_sha256d(uint8_t out[static 32], const void *p, size_t n);
void __wrap_sha256d(uint8_t out[static 32], const void *p, size_t n)
{
    static const uint8_t chosen[4] = { 0xff, 0xff, 0xff, 0x7f };
    __real_sha256d(out, p, n);
    memset(out + 20, 0, 12);
    if (memcmp(p, chosen, 4) == 0) memcpy(out, (const uint8_t *)p + 36, 32);
}
#endif

static const char *const faults[] = {
    [HEADERS_LENGTH] = "length", [HEADERS_TOO_MANY] = "too-many", [HEADERS_START] = "start",
    [HEADERS_NOT_THE_ANCHOR] = "not-the-anchor", [HEADERS_CONTRADICTION] = "contradiction", [HEADERS_LINK] = "link",
    [HEADERS_BITS] = "bits", [HEADERS_DIFFICULTY] = "difficulty", [HEADERS_PERIOD] = "period", [HEADERS_WORK] = "work",
    [HEADERS_TIME] = "time", [HEADERS_REVERSED] = "reversed", [HEADERS_NOT_IN_RUN] = "not-in-run",
};

static void answer(const struct headers_claim *claim, const uint8_t *hash, const uint8_t *p, size_t n)
{
    struct headers_found f;
    struct headers_refusal why;
    char work[65], text[HEADERS_TEXT];
    if (!headers_check(&f, &why, claim, hash, p, n).code) {
        hex_from(work, f.work, 32);
        printf("{\"height\":%u,\"time\":%u,\"depth\":%u,\"anchor\":\"%s\",\"work\":\"%s\"}\n", f.height, f.time, f.depth,
               headers_anchor_text(f.anchor), work);
        return;
    }
    headers_refusal_text(text, &why);
    printf("{\"fault\":\"%s\",\"index\":%u,\"text\":\"%s\"}\n", faults[why.fault], why.index, text);
}

static void must(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "header_run: %s\n", what);
    exit(1);
}

static void judge_line(char *line)
{
    struct headers_claim claim = { 0 };
    uint8_t hash[32];
    const char *network = strtok(line, " \n"), *wanted = strtok(NULL, " \n"), *anchor = strtok(NULL, " \n"), *hex = strtok(NULL, " \n");
    must(network && wanted && anchor, "four words a line");
    must(!headers_network_parse(&claim.network, network).code && !hex_to(hash, 32, wanted, strlen(wanted)).code, "network or hash");
    if (strcmp(anchor, "-") != 0) {
        char *end = NULL;
        claim.anchored = true;
        claim.height = (uint32_t)strtoul(anchor, &end, 10);
        must(*end == ':' && !hex_to(claim.hash, 32, end + 1, strlen(end + 1)).code, "anchor");
    }
    /* Memory of exactly this size, so that a read beyond it is seen. */
    const size_t n = hex ? strlen(hex) / 2 : 0;
    BYTES bytes = NULL;
    must(!mem_new(&bytes, n).code && (!hex || !hex_to(bytes, n, hex, strlen(hex)).code), "headers");
    answer(&claim, hash, bytes, n);
}

int main(void)
{
    TEXT line = NULL;
    size_t cap = 0;
    log_open("header_run", LOG_ERROR);
    while (getline(&line, &cap, stdin) > 0) judge_line(line);
    return 0;
}
