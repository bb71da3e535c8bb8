/* x509.h - the steps of making a certificate that both development authorities take. */
#ifndef SIM_X509_H
#define SIM_X509_H
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>
#include "core/err.h"

void free_pkey(EVP_PKEY **k);
void free_x509(X509 **x);
void free_bio(BIO **b);
#define FREED_BY(f) __attribute__((cleanup(f)))
#define PKEY FREED_BY(free_pkey) EVP_PKEY *
#define CERT FREED_BY(free_x509) X509 *

#define CRYPTO_FAIL(what) do { ERR_clear_error(); FAIL(E_MEMORY, "libcrypto: %s", what); } while (0)

/* An unsigned certificate for `key`: version 3, random serial number of 16 bytes, subject
 * "O=Holdfast simulator, OU=development only, CN=cn", issuer as `issuer` (NULL: its own),
 * valid for `life` seconds from `from`. Fails: E_MEMORY, E_IO. */
err x509_begin(X509 **out, const char *cn, EVP_PKEY *key, X509 *issuer, int64_t from, int64_t life);
/* An extension from OpenSSL's text. Fails: E_MEMORY. */
err x509_extension(X509 *x, X509 *issuer, int nid, const char *text);

#endif
