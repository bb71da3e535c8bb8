/* envelope.h - the form of AWS KMS's CiphertextForRecipient. Public; opens nothing. */
#ifndef KEYSTORE_ENVELOPE_H
#define KEYSTORE_ENVELOPE_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum { ENVELOPE_KEY = 256, ENVELOPE_IV = 16, ENVELOPE_CONTENT_MAX = 4096, ENVELOPE_MAX = 6144 };

struct envelope {
    uint8_t recipient[32];                     /* SHA-256 of the recipient key's SPKI        */
    uint8_t key[ENVELOPE_KEY];                 /* RSAES-OAEP of the AES-256 key              */
    uint8_t iv[ENVELOPE_IV];
    uint8_t content[ENVELOPE_CONTENT_MAX];     /* AES-256-CBC, padded: a multiple of 16      */
    size_t  content_len;
};
/* Parse all of p[0..n), every object identifier, version and length checked (see
 * recipient.h for what is fixed and what may vary). Fails: E_FORMAT, E_LIMIT. */
err envelope_parse(struct envelope *out, const void *p, size_t n);

#endif
