/* A LUKS header of any bytes: the input is one copy's binary part and JSON; checksums, the second copy
 * and the zeros behind are put right, as anybody could who writes headers. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "diskcrypt/luks_header.h"
#include "tests/fuzz/reach.h"

enum { JSON = 4096, CSUM = 448 };
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void finish(uint8_t *head)
{
    memcpy(head + LUKS_COPY, head, LUKS_COPY);
    memcpy(head + LUKS_COPY, "SKUL", 4);
    memset(head + LUKS_COPY + 256, 0, 8);
    head[LUKS_COPY + 256 + 6] = LUKS_COPY >> 8;
    for (int copy = 0; copy < 2; copy++) {
        uint8_t *p = head + copy * LUKS_COPY;
        memset(p + CSUM, 0, 64);
        uint8_t sum[32];
        sha256(sum, p, LUKS_COPY);
        memcpy(p + CSUM, sum, 32);
    }
}

/* Words with a quote, colon or underscore: the base64 of a salt may well spell "null". */
static bool has(const uint8_t *head, const char *word)
{
    return memmem(head + JSON, LUKS_COPY - JSON, word, strlen(word)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct luks_owner owner = { .epoch = 3 };
    memset(owner.service_id, 0xab, 32);
    uint8_t *head = calloc(1, LUKS_DATA);
    if (!head) return 0;
    size_t binary = n < 264 ? n : 264, json = n - binary;
    if (json > LUKS_COPY - JSON) json = LUKS_COPY - JSON;
    memcpy(head, data, binary);
    memcpy(head + JSON, data + binary, json);
    finish(head);
    fuzz_reached("luks");
    err e = luks_header_check(head, &owner);
    if (!e.code) {
        fuzz_reached("luks.sound");
        if (!has(head, "\"aes-xts-plain64\"")) abort();
        if (has(head, "\"linear\"") || has(head, "cipher_null") || has(head, "\"null\"") || has(head, ":null")) abort();
    }
    free(head);
    return 0;
}
