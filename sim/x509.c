/* x509.c - certificates of the development authorities. */
#include "sim/x509.h"
#include <openssl/bn.h>
#include <openssl/x509v3.h>
#include <time.h>
#include "core/hash.h"

void free_pkey(EVP_PKEY **k) { EVP_PKEY_free(*k); }
void free_x509(X509 **x) { X509_free(*x); }
void free_bio(BIO **b) { BIO_free_all(*b); }
static void free_bn(BIGNUM **b) { BN_free(*b); }

err x509_extension(X509 *x, X509 *issuer, int nid, const char *text)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
    int ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    if (!ok) CRYPTO_FAIL("an extension could not be made");
    return OK;
}

static err set_name(X509 *x, const char *cn)
{
    X509_NAME *n = X509_get_subject_name(x);
    if (!X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"Holdfast simulator", -1, -1, 0)
        || !X509_NAME_add_entry_by_txt(n, "OU", MBSTRING_ASC, (const unsigned char *)"development only", -1, -1, 0)
        || !X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0))
        CRYPTO_FAIL("a name could not be made");
    return OK;
}

static err set_serial(X509 *x)
{
    uint8_t serial[16];
    TRY(random_bytes(serial, sizeof serial));
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x01);       /* positive, and 16 bytes long */
    FREED_BY(free_bn) BIGNUM *b = BN_bin2bn(serial, sizeof serial, NULL);
    if (!b || !BN_to_ASN1_INTEGER(b, X509_get_serialNumber(x))) CRYPTO_FAIL("a serial number could not be made");
    return OK;
}

err x509_begin(X509 **out, const char *cn, EVP_PKEY *key, X509 *issuer, int64_t from, int64_t life)
{
    CERT x = X509_new();
    if (!x || !X509_set_version(x, X509_VERSION_3) || !X509_set_pubkey(x, key)) CRYPTO_FAIL("no memory for a certificate");
    TRY(set_serial(x));
    TRY(set_name(x, cn));
    if (!X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x))
        || !ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from) || !ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(from + life)))
        CRYPTO_FAIL("no memory for a certificate");
    *out = x;
    x = NULL;
    return OK;
}
