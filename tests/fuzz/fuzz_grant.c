/* fuzz_grant.c - grants, as a parent may hand them out: what is read is bounded, and only an authentic one opens.
 * The build key is that of the seeds: root 0x09…, service 00 01 02 …. */
#include <stdint.h>
#include <string.h>

#include "core/crypto.h"
#include "core/log.h"
#include "keystore/grant.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct build_key own;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    uint8_t service[32];
    SECRET root = NULL;
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    MUST(!crypto_warm_up().code && !secret_arena_open(1 << 16).code && !secret_new(&root, 32).code);
    memset(secret_reveal(root), 9, 32);
    for (uint8_t i = 0; i < 32; i++) service[i] = i;
    MUST(!build_key_derive(&own, root, service).code);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct grant_terms t;
    KEYRING ring = { 0 };
    if (grant_read(&t, p, n).code) return 0;
    MUST(t.epoch && t.arn[0] && strlen(t.arn) < GRANT_ARN && n == GRANT_FIXED + strlen(t.arn) + GRANT_SEALED);
    fuzz_reached("grant");
    const err e = grant_open(&ring, p, n, &own, &t);
    MUST(e.code == E_OK || (e.code == E_AUTH && !ring.master));
    if (!e.code) fuzz_reached("grant.opened");
    return 0;
}
