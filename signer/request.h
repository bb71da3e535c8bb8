/* request.h - what the judge asks the signing role: one input, one fixed-size record.
 *
 * Shared by the judge, which fills it, and the signer, which believes none of it:
 * keys.c derives the key, compares the output, and hashes the message itself. */
#ifndef SIGNER_REQUEST_H
#define SIGNER_REQUEST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "signer/child.h"

enum {
    SIGN_MSG_PLAIN = 175,      /* BIP341, key path, hash_type 0x00: epoch and SigMsg without an annex */
    SIGN_MSG_ANNEX = 207,      /* the same with sha_annex */
    SIGN_MSG_MAX   = SIGN_MSG_ANNEX,
    /* u64 index, output key, u8 kind of child, merkle root or emulated output key, rule set id (zeros for a child
     * of a root), u8 has_backup, backup root (zeros if none), u16 message length, message padded with zeros */
    SIGN_REQUEST_SIZE = 8 + 32 + 1 + 32 + 32 + 1 + 32 + 2 + SIGN_MSG_MAX
};

struct sign_request {
    uint64_t index;            /* the input's place in its transaction; also inside sigmsg */
    uint8_t  output_key[32];   /* of the output being spent: what the derived key must come to */
    enum child_kind kind;      /* how the child key is named: by */
    uint8_t  merkle_root[32];  /* the emulated tree's root (CHILD_OF_ROOT), or by */
    uint8_t  emulated_key[32]; /* the emulated output key and */
    uint8_t  rules[32];        /* the id of the rule set that the script was verified under (CHILD_OF_OUTPUT) */
    bool     has_backup;
    uint8_t  backup_root[32];  /* of the real tree in the output; zeros when there is none */
    uint8_t  sigmsg[SIGN_MSG_MAX];
    uint16_t sigmsg_len;
};

/* Write it: SIGN_REQUEST_SIZE bytes. */
void sign_request_write(struct wr *w, const struct sign_request *q);
/* Read exactly SIGN_REQUEST_SIZE bytes. Fails: E_FORMAT (another length, a flag or kind that is not 0 or 1,
 * padding or an unused root or id that is not zero, a message length out of bounds). */
err  sign_request_read(struct sign_request *q, const void *p, size_t n);

#endif
