/* statement.h - what a service says about itself, and how an attestation document vouches for it.
 *
 * The statement is JSON with a fixed member order and no spaces, rendered here from its fields
 * (docs/wire.md, "State statement"). The document's user_data commits to its exact bytes, so
 * that whoever holds both compares a hash and parses nothing before. Pure. */
#ifndef POLICY_STATEMENT_H
#define POLICY_STATEMENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "policy/block_check.h"

enum {
    STATEMENT_MAX = 2048 + 8 * 384, STATEMENT_USER_DATA = 40,
    SERVICE_PCR = 16, SERVICE_PCR_LEN = 48       /* the PCR that carries the service id, once locked */
};

/* Texts are borrowed: printable ASCII without `"` and `\`. */
struct statement {
    const char *build;                   /* version of the program                          */
    bool        simulated;               /* the security module is not hardware             */
    const char *name, *profile;          /* as configured, or as the service's genesis says */
    const char *rules;                   /* likewise: JSON, as rendered by whoever knows them */
    bool        has_service;             /* false: what follows, up to has_policy, is null   */
    uint8_t     service_id[32], public_key[33];
    uint32_t    epoch;
    const char *key_id;                  /* KMS key ARN                                     */
    uint8_t     blockhash[32];           /* as displayed                                    */
    struct block_check check;
    uint32_t    accepted;                /* findings about the KMS key that setup accepted, by bit */
    bool        limited;
    uint64_t    max_weight;
    bool        has_policy, has_log;     /* false: null                                     */
    uint8_t     policy[32];
    uint64_t    log_size;
    uint8_t     log_root[32], log_key[32];       /* key: Ed25519, of its checkpoints        */
};

/* Render. Out: out[0..*len), not NUL-terminated. Fails: E_FORMAT (a text that is not plain), E_LIMIT. */
err  statement_render(char out[static STATEMENT_MAX], size_t *len, const struct statement *s);
/* The document's user_data for a statement's bytes: "HFS1", u32 length, SHA-256. */
void statement_user_data(uint8_t out[static STATEMENT_USER_DATA], const void *text, size_t n);
/* Does user_data commit to exactly this text? Fails: E_FORMAT (it commits to no statement), E_AUTH. */
err  statement_check(const void *user_data, size_t user_data_len, const void *text, size_t n);
/* What PCR16 holds in every boot of a service: the zero PCR extended with the service id. */
void statement_service_pcr(uint8_t out[static SERVICE_PCR_LEN], const uint8_t service_id[static 32]);

#endif
