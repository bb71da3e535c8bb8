/* keystore_chain.c - see keystore_chain.h. */
#include "tests/keystore_chain.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static void extend(X509 *x, X509 *issuer, int nid, const char *text)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
    MUST(e != NULL);
    MUST(X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static void extend_unknown(X509 *x)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.55555.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05", 2);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    MUST(X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

static void name(X509_NAME *n, const char *cn)
{
    MUST(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0) == 1);
}

static X509 *certify(const struct chain_link *l, size_t depth, EVP_PKEY *key, X509 *issuer, EVP_PKEY *by)
{
    char cn[32];
    X509 *x = X509_new(), *from = issuer ? issuer : x;
    snprintf(cn, sizeof cn, "test link %zu", depth);
    X509_set_version(x, l->version1 ? X509_VERSION_1 : X509_VERSION_3);
    X509_set_pubkey(x, key);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1000 + (long)depth);
    name(X509_get_subject_name(x), cn);
    X509_set_issuer_name(x, X509_get_subject_name(from));
    if (l->wrong_issuer_name) name(X509_get_issuer_name(x), "somebody else");
    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)l->from);
    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)l->to);
    if (l->basic) extend(x, from, NID_basic_constraints, l->basic);
    if (l->usage) extend(x, from, NID_key_usage, l->usage);
    if (l->unknown_critical) extend_unknown(x);
    MUST(X509_sign(x, by, l->sha256 ? EVP_sha256() : EVP_sha384()) > 0);
    return x;
}

void chain_make(struct chain *c, const struct chain_link *links, size_t n)
{
    X509 *issuer = NULL;
    EVP_PKEY *by = NULL;
    memset(c, 0, sizeof *c);
    MUST(n <= CHAIN_MAX);
    for (size_t i = 0; i < n; i++) {
        EVP_PKEY *key = EVP_EC_gen(links[i].curve ? links[i].curve : "P-384");
        X509 *x = certify(&links[i], i, key, issuer, by ? by : key);
        uint8_t *at = c->der[i];
        int len = i2d_X509(x, NULL);
        MUST(len > 0 && (size_t)len < sizeof c->der[i]);
        c->len[i] = (size_t)i2d_X509(x, &at);
        if (links[i].break_signature) c->der[i][c->len[i] - 1] ^= 1;
        X509_free(issuer);
        EVP_PKEY_free(by);
        issuer = x;
        by = key;
    }
    X509_free(issuer);
    c->leaf = by;
    c->n = n;
}

void chain_free(struct chain *c)
{
    EVP_PKEY_free(c->leaf);
    c->leaf = NULL;
}

err chain_sign(void *self, uint8_t sig[static COSE_SIG], const void *message, size_t n)
{
    const struct chain *c = self;
    uint8_t der[160];
    const uint8_t *at = der;
    size_t len = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    MUST(EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, c->leaf) == 1);
    MUST(EVP_DigestSign(ctx, der, &len, message, n) == 1);
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &at, (long)len);
    BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, COSE_SIG / 2);
    BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + COSE_SIG / 2, COSE_SIG / 2);
    ECDSA_SIG_free(s);
    EVP_MD_CTX_free(ctx);
    return OK;
}
