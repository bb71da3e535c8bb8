/* pki.c - a development root, and chains in the shape AWS issues them. */
#include "sim/pki.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/mem.h"
#include "sim/x509.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

struct pki { EVP_PKEY *key; X509 *root; };
struct pki_chain {
    EVP_PKEY *key;
    uint8_t der[PKI_CHAIN][PKI_CERT_MAX];
    size_t len[PKI_CHAIN];
    int64_t until;
};

static void free_md_ctx(EVP_MD_CTX **c) { EVP_MD_CTX_free(*c); }
static void free_sig(ECDSA_SIG **s) { ECDSA_SIG_free(*s); }

/* ---- one certificate ---------------------------------------------------- */

/* How one kind of certificate looks; by its depth in the chain. */
struct kind {
    const char *basic, *usage;      /* OpenSSL's extension text */
    const char *crl;                /* the two upper CAs name a CRL; AWS says not to use it */
    bool aki, ski;
    int64_t before, life;           /* seconds */
};
static const struct kind kinds[PKI_CHAIN] = {
    { "critical,CA:TRUE", "critical,digitalSignature,keyCertSign,cRLSign", NULL, false, true, HOUR, (int64_t)30 * 365 * DAY },
    { "critical,CA:TRUE,pathlen:2", "critical,digitalSignature,keyCertSign,cRLSign",
      "URI:http://crl.invalid/region.crl", true, true, HOUR, 20 * DAY },
    { "critical,CA:TRUE,pathlen:1", "critical,digitalSignature,keyCertSign,cRLSign",
      "URI:http://crl.invalid/zone.crl", true, true, HOUR, 6 * DAY },
    { "critical,CA:TRUE,pathlen:0", "critical,keyCertSign", NULL, true, true, HOUR, DAY },
    { "critical,CA:FALSE", "digitalSignature,nonRepudiation", NULL, false, false, 3, 3 * HOUR + 3 },
};

static err add_extensions(X509 *x, X509 *issuer, const struct kind *k)
{
    TRY(x509_extension(x, issuer, NID_basic_constraints, k->basic));
    TRY(x509_extension(x, issuer, NID_key_usage, k->usage));
    if (k->ski) TRY(x509_extension(x, issuer, NID_subject_key_identifier, "hash"));
    if (k->aki) TRY(x509_extension(x, issuer, NID_authority_key_identifier, "keyid:always"));
    if (k->crl) TRY(x509_extension(x, issuer, NID_crl_distribution_points, k->crl));
    return OK;
}

/* Certificate `depth` of a chain, for `key`, signed by `by` (issuer NULL: by itself). */
static err certify(X509 **out, size_t depth, const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *by, int64_t now)
{
    const struct kind *k = &kinds[depth];
    CERT x = NULL;
    TRY(x509_begin(&x, cn, key, issuer, now - k->before, k->life));
    TRY(add_extensions(x, issuer ? issuer : x, k));
    if (X509_sign(x, by, EVP_sha384()) <= 0) CRYPTO_FAIL("a certificate could not be signed");
    *out = x;
    x = NULL;
    return OK;
}

static err new_key(EVP_PKEY **out)
{
    *out = EVP_EC_gen("P-384");
    if (!*out) CRYPTO_FAIL("no P-384 key could be made");
    return OK;
}

/* ---- the root and its files --------------------------------------------- */

static err path_of(char out[static 4096], const char *dir, const char *name)
{
    int n = snprintf(out, 4096, "%s/%s", dir, name);
    if (n < 0 || n >= 4096) FAIL(E_LIMIT, "the path of %s is too long", name);
    return OK;
}

static err write_file(const char *dir, const char *name, mode_t mode, const void *p, size_t n)
{
    char path[4096];
    TRY(path_of(path, dir, name));
    FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) FAIL(E_IO, "%s: %s", path, strerror(errno));
    if (write(fd, p, n) != (ssize_t)n || fsync(fd) < 0) FAIL(E_IO, "%s: %s", path, strerror(errno));
    return OK;
}

static err write_bio(const char *dir, const char *name, mode_t mode, BIO *b)
{
    char *p = NULL;
    long n = BIO_get_mem_data(b, &p);
    if (n <= 0) CRYPTO_FAIL("nothing to write");
    return write_file(dir, name, mode, p, (size_t)n);
}

static err make_root(struct pki *p, const char *dir, int64_t now)
{
    PKEY key = NULL;
    CERT root = NULL;
    TRY(new_key(&key));
    TRY(certify(&root, 0, "holdfast-sim.nitro-enclaves", key, NULL, key, now));
    FREED_BY(free_bio) BIO *pem = BIO_new(BIO_s_mem());
    FREED_BY(free_bio) BIO *der = BIO_new(BIO_s_mem());
    FREED_BY(free_bio) BIO *secret = BIO_new(BIO_s_mem());
    if (!pem || !der || !secret || !PEM_write_bio_X509(pem, root) || !i2d_X509_bio(der, root)
        || !PEM_write_bio_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL))
        CRYPTO_FAIL("the root could not be encoded");
    TRY(write_bio(dir, "nsm-root.key", 0600, secret));
    TRY(write_bio(dir, "nsm-root.der", 0644, der));
    TRY(write_bio(dir, "nsm-root.pem", 0644, pem));
    p->key = key;
    p->root = root;
    key = NULL;
    root = NULL;
    return OK;
}

static BIO *open_bio(const char *dir, const char *name)
{
    char path[4096];
    return path_of(path, dir, name).code ? NULL : BIO_new_file(path, "rb");
}

static err load_root(struct pki *p, const char *dir)
{
    FREED_BY(free_bio) BIO *secret = open_bio(dir, "nsm-root.key");
    FREED_BY(free_bio) BIO *der = open_bio(dir, "nsm-root.der");
    PKEY key = secret ? PEM_read_bio_PrivateKey(secret, NULL, NULL, NULL) : NULL;
    CERT root = der ? d2i_X509_bio(der, NULL) : NULL;
    ERR_clear_error();
    if (!key || !root) FAIL(E_FORMAT, "%s: nsm-root.key or nsm-root.der does not parse", dir);
    if (!X509_check_private_key(root, key)) FAIL(E_FORMAT, "%s: nsm-root.key is not the key of nsm-root.der", dir);
    p->key = key;
    p->root = root;
    key = NULL;
    root = NULL;
    return OK;
}

static err count_files(unsigned *found, const char *dir)
{
    static const char *const names[] = { "nsm-root.key", "nsm-root.der", "nsm-root.pem" };
    *found = 0;
    for (size_t i = 0; i < 3; i++) {
        char path[4096];
        struct stat st;
        TRY(path_of(path, dir, names[i]));
        if (lstat(path, &st) == 0) ++*found;
        else if (errno != ENOENT) FAIL(E_IO, "%s: %s", path, strerror(errno));
    }
    return OK;
}

err pki_open(struct pki **out, const char *dir)
{
    unsigned found = 0;
    TRY(count_files(&found, dir));
    if (found != 0 && found != 3) FAIL(E_ABSENT, "%s: some of nsm-root.key, .der, .pem are missing; a new root is not made", dir);
    PKI p = calloc(1, sizeof *p);
    if (!p) FAIL(E_MEMORY, "no memory for the root");
    TRY(found == 0 ? make_root(p, dir, (int64_t)time(NULL)) : load_root(p, dir));
    *out = p;
    p = NULL;
    return OK;
}

void pki_close(struct pki **p)
{
    if (!*p) return;
    EVP_PKEY_free((*p)->key);
    X509_free((*p)->root);
    free(*p);
    *p = NULL;
}

/* ---- chains -------------------------------------------------------------- */

static err store_der(struct pki_chain *c, size_t i, X509 *x)
{
    uint8_t *at = c->der[i];
    int n = i2d_X509(x, NULL);
    if (n <= 0 || n > PKI_CERT_MAX) FAIL(E_LIMIT, "a certificate of %d bytes", n);
    c->len[i] = (size_t)i2d_X509(x, &at);
    return OK;
}

/* Each step: a new key, certified by the step before, which then goes. */
static err issue(struct pki_chain *c, const struct pki *p, const char *const cn[static PKI_CHAIN], int64_t now)
{
    PKEY by = p->key;
    CERT issuer = p->root;
    if (!EVP_PKEY_up_ref(by) || !X509_up_ref(issuer)) CRYPTO_FAIL("no reference");
    TRY(store_der(c, 0, issuer));
    for (size_t i = 1; i < PKI_CHAIN; i++) {
        PKEY key = NULL;
        CERT x = NULL;
        TRY(new_key(&key));
        TRY(certify(&x, i, cn[i], key, issuer, by, now));
        TRY(store_der(c, i, x));
        EVP_PKEY *old_key = by;
        X509 *old = issuer;
        by = key;
        issuer = x;
        key = old_key;
        x = old;
    }
    c->key = by;
    by = NULL;
    c->until = now - kinds[PKI_CHAIN - 1].before + kinds[PKI_CHAIN - 1].life;
    return OK;
}

err pki_issue(struct pki_chain **out, const struct pki *p, const char *instance, const char *module_id, int64_t now)
{
    const char *const cn[PKI_CHAIN] = { NULL, "region.sim-1.holdfast-sim.nitro-enclaves", "zone.sim-1a.holdfast-sim.nitro-enclaves",
                                        instance, module_id };
    __attribute__((cleanup(pki_chain_free))) struct pki_chain *c = calloc(1, sizeof *c);
    if (!c) FAIL(E_MEMORY, "no memory for a chain");
    TRY(issue(c, p, cn, now));
    *out = c;
    c = NULL;
    return OK;
}

void pki_chain_free(struct pki_chain **c)
{
    if (!*c) return;
    EVP_PKEY_free((*c)->key);
    free(*c);
    *c = NULL;
}

struct bytes pki_certificate(const struct pki_chain *c, size_t i)
{
    MUST(i < PKI_CHAIN);
    return (struct bytes){ c->der[i], c->len[i] };
}

int64_t pki_until(const struct pki_chain *c)
{
    return c->until;
}

err pki_sign(void *self, uint8_t sig[static COSE_SIG], const void *message, size_t n)
{
    const struct pki_chain *c = self;
    uint8_t der[128];
    size_t len = sizeof der;
    FREED_BY(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, c->key) != 1
        || EVP_DigestSign(ctx, der, &len, message, n) != 1)
        CRYPTO_FAIL("no signature could be made");
    const uint8_t *at = der;
    FREED_BY(free_sig) ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &at, (long)len);
    if (!s || BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, COSE_SIG / 2) < 0
        || BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + COSE_SIG / 2, COSE_SIG / 2) < 0)
        CRYPTO_FAIL("no signature could be made");
    return OK;
}
