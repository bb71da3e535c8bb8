/* keystore_chain.h - certificate chains for tests, well made and badly made. */
#ifndef TESTS_KEYSTORE_CHAIN_H
#define TESTS_KEYSTORE_CHAIN_H
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "keystore/cose.h"

/* One certificate of a chain, the root first; each is issued by the one before. */
struct chain_link {
    const char *basic, *usage;     /* OpenSSL's extension text; NULL: left out */
    int64_t from, to;              /* unix seconds */
    const char *curve;             /* NULL: P-384 */
    bool sha256;                   /* signed with ECDSA-SHA256 */
    bool unknown_critical;         /* an extension nobody knows, marked critical */
    bool wrong_issuer_name;
    bool version1;
    bool break_signature;          /* a bit of the certificate's own signature turned */
};
enum { CHAIN_MAX = 10 };
struct chain { uint8_t der[CHAIN_MAX][1400]; size_t len[CHAIN_MAX]; size_t n; EVP_PKEY *leaf; };

/* Out: c->der[0..n), the leaf's key. chain_free() when done. */
void chain_make(struct chain *c, const struct chain_link *links, size_t n);
void chain_free(struct chain *c);
/* A cose_signer; self is the struct chain. */
err  chain_sign(void *self, uint8_t sig[static COSE_SIG], const void *message, size_t n);

#endif
