/* keystore_envelope.h - CMS envelopes for tests, well made and badly made. */
#ifndef TESTS_KEYSTORE_ENVELOPE_H
#define TESTS_KEYSTORE_ENVELOPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What stands in the envelope. Zero-initialise, fill what is needed, change one thing. */
struct making {
    bool indefinite;               /* the four nested elements AWS leaves open */
    int  pieces;                   /* 0: the content is primitive; else constructed of so many OCTET STRINGs */
    bool nested;                   /* … and the pieces in one more constructed string */
    bool full_null;                /* a NULL with something in it */
    bool no_null, label;           /* hash parameters absent; the default label written out */
    uint8_t version, recipient_version;
    int  recipients;
    const char *swap_oid;          /* "enveloped" "data" "oaep" "mgf1" "hash" "mgf-hash" "aes": changed in its last byte */
    bool no_hash, no_mgf, long_label, attributes, originator, by_issuer, trailing;
    const uint8_t *id, *key, *iv, *content;
    size_t id_len, key_len, iv_len, content_len;
};
/* Out: the bytes, to be freed; *n. */
uint8_t *make_envelope(size_t *n, const struct making *m);

#endif
