/* genesis.h - the document that a service begins with; its SHA-256 is the service id.
 *
 * It is JSON with a fixed member order and no spaces, rendered here from its
 * fields and never parsed by the enclave: whoever has the fields has the bytes. A
 * random nonce makes two services over one KMS key and one block hash different. */
#ifndef POLICY_GENESIS_H
#define POLICY_GENESIS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "policy/block_check.h"

enum { GENESIS_RULES = 8, GENESIS_RULE_SET = 128, GENESIS_MAX = 1024 + GENESIS_RULES * (2 * GENESIS_RULE_SET + 3), GENESIS_NAME = 64, GENESIS_ARN = 256, GENESIS_PROFILE = 32, SERVICE_ID_LEN = 32 };

struct genesis {
    char     name[GENESIS_NAME];
    char     key_arn[GENESIS_ARN];
    char     profile[GENESIS_PROFILE];
    /* The rule sets that the service signs under, in their order, each in its canonical encoding (docs/wire/rules.md),
     * which is not looked into here. At least one. */
    uint8_t  rules;
    struct { uint8_t n, bytes[GENESIS_RULE_SET]; } rule_set[GENESIS_RULES];
    uint8_t  blockhash[32];              /* as displayed                                  */
    bool     limited;                    /* a maximal transaction weight was set          */
    uint64_t max_weight;
    uint64_t created;                    /* unix seconds, by the enclave's clock          */
    uint8_t  nonce[16];
    uint32_t accepted;                   /* findings about the key that setup accepted, by bit (docs/wire.md) */
    uint8_t  key_point[33];              /* the KMS key's public key, compressed; all zero: not known */
    struct block_check check;            /* what the setup's headers say about the block hash */
};

/* Render. Out: out[0..*len), not NUL-terminated. Fails: E_FORMAT (a text holds a
 * character that JSON would escape: such texts are never accepted), E_LIMIT. */
err genesis_render(char out[static GENESIS_MAX], size_t *len, const struct genesis *g);
/* The service id: SHA-256 of the rendered bytes. Fails: as genesis_render(). */
err genesis_id(uint8_t out[static SERVICE_ID_LEN], const struct genesis *g);

/* The same fields in binary, for the service record. */
void genesis_write(struct wr *w, const struct genesis *g);
void genesis_read(struct rd *r, struct genesis *g);
/* Parts of it that the record has twice: a text of less than `room` bytes into out[0..room), padded with zeros; a
 * compressed point, or zeros for none. Bad when they are not of this form. */
void genesis_read_text(struct rd *r, char *out, size_t room);
void genesis_read_point(struct rd *r, uint8_t out[static 33]);

#endif
