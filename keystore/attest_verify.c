/* attest_verify.c - judging a document: its certificates, its signature, and
 * whether it says what the caller asks for.
 *
 * OpenSSL verifies the path (names, signatures, path lengths, unknown critical
 * extensions); what must not depend on its defaults is checked here beside it: which
 * root, which order, which curve, CA and key-usage bits, and the dates. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "keystore/attest.h"

enum step {
    S_FORMAT, S_ALGORITHM, S_ROOT, S_CERTIFICATES, S_CHAIN, S_VALIDITY, S_SIGNATURE, S_DEBUG, S_PCR, S_NONCE, S_AGE, STEPS
};
static const char *const step_names[STEPS + 1] = {
    "format", "algorithm", "root", "certificates", "chain", "validity", "signature", "debug", "pcr", "nonce", "age", NULL,
};

const char *const *attest_checks(void)
{
    return step_names;
}

/* cert[0] is the document's own; cert[i] is the issuer of cert[i-1]; the last is the root. */
struct chain { X509 *cert[ATTEST_CHAIN_MAX + 1]; size_t n; };

static void chain_drop(struct chain *c)
{
    for (size_t i = 0; i < c->n; i++) X509_free(c->cert[i]);
    c->n = 0;
    ERR_clear_error();
}

static err chain_add(struct chain *c, struct bytes der)
{
    const uint8_t *at = der.p;
    X509 *x = d2i_X509(NULL, &at, (long)der.n);
    if (!x) FAIL(E_AUTH, "attestation: a certificate is not DER");
    c->cert[c->n++] = x;
    if (at != (const uint8_t *)der.p + der.n) FAIL(E_AUTH, "attestation: bytes after a certificate");
    return OK;
}

static err spki_of(struct bytes *out, uint8_t room[static COSE_P384_SPKI], X509 *x)
{
    X509_PUBKEY *key = X509_get_X509_PUBKEY(x);
    uint8_t *at = room;
    if (i2d_X509_PUBKEY(key, NULL) != COSE_P384_SPKI || i2d_X509_PUBKEY(key, &at) != COSE_P384_SPKI
        || !cose_is_p384(room, COSE_P384_SPKI))
        FAIL(E_AUTH, "attestation: a certificate's key is not P-384");
    *out = (struct bytes){ room, COSE_P384_SPKI };
    return OK;
}

static err check_one(X509 *x, bool leaf)
{
    uint8_t room[COSE_P384_SPKI];
    struct bytes spki;
    TRY(spki_of(&spki, room, x));
    if (X509_get_version(x) != X509_VERSION_3) FAIL(E_AUTH, "attestation: a certificate is not version 3");
    if (X509_get_signature_nid(x) != NID_ecdsa_with_SHA384)
        FAIL(E_AUTH, "attestation: a certificate's signature is not ECDSA-SHA384");
    uint32_t flags = X509_get_extension_flags(x), usage = X509_get_key_usage(x);
    if (flags & (EXFLAG_INVALID | EXFLAG_CRITICAL))
        FAIL(E_AUTH, "attestation: a certificate has a bad or unknown critical extension");
    if (!(flags & EXFLAG_KUSAGE)) FAIL(E_AUTH, "attestation: a certificate has no key usage");
    if (leaf) {
        if (flags & EXFLAG_CA || X509_get_pathlen(x) != -1) FAIL(E_AUTH, "attestation: the document's certificate is a CA");
        if (!(usage & KU_DIGITAL_SIGNATURE)) FAIL(E_AUTH, "attestation: the document's certificate may not sign");
        return OK;
    }
    if (!(flags & EXFLAG_BCONS) || !(flags & EXFLAG_CA)) FAIL(E_AUTH, "attestation: an issuer is not a CA");
    if (!(usage & KU_KEY_CERT_SIGN)) FAIL(E_AUTH, "attestation: an issuer may not sign certificates");
    return OK;
}

struct attest_root { X509 *cert; };

err attest_root_read(struct attest_root **out, struct bytes der)
{
    __attribute__((cleanup(chain_drop))) struct chain c = { .n = 0 };
    TRY(chain_add(&c, der));
    TRY(check_one(c.cert[0], false));
    struct attest_root *r = malloc(sizeof *r);
    if (!r) FAIL(E_MEMORY, "no memory for a root");
    r->cert = c.cert[0];
    c.n = 0;
    *out = r;
    return OK;
}

void attest_root_drop(struct attest_root **r)
{
    if (*r) X509_free((*r)->cert);
    free(*r);
    *r = NULL;
}

/* cabundle[0] is the pinned root, byte for byte (check_root), so what was read from those bytes before is it. */
static err load_chain(struct chain *c, const struct attest_doc *d, const struct attest_root *root)
{
    TRY(chain_add(c, d->certificate));
    for (size_t i = d->cabundle_count; i > (root ? 1 : 0); i--) TRY(chain_add(c, d->cabundle[i - 1]));
    if (root) {
        if (!X509_up_ref(root->cert)) FAIL(E_MEMORY, "no memory for a root");
        c->cert[c->n++] = root->cert;
    }
    for (size_t i = 0; i < c->n; i++) TRY(check_one(c->cert[i], i == 0));
    return OK;
}

/* That a root read before is of other bytes than the pinned ones is the caller's mistake: then both count for nothing. */
static err check_read_root(const struct attest_root *root, struct bytes der)
{
    uint8_t *own = NULL;
    if (!root) return OK;
    const int n = i2d_X509(root->cert, &own);
    const bool same = n > 0 && (size_t)n == der.n && memcmp(own, der.p, der.n) == 0;
    OPENSSL_free(own);
    if (!same) FAIL(E_AUTH, "attestation: the root that was read is not the pinned root");
    return OK;
}

static void free_store(X509_STORE **s) { X509_STORE_free(*s); }
static void free_ctx(X509_STORE_CTX **s) { X509_STORE_CTX_free(*s); }
static void free_stack(STACK_OF(X509) **s) { sk_X509_free(*s); }     /* the certificates are the chain's */
#define FREED_BY(f) __attribute__((cleanup(f)))

/* The path OpenSSL built must be the one given: same certificates, same order. */
static err check_path(X509_STORE_CTX *ctx, const struct chain *c)
{
    STACK_OF(X509) *built = X509_STORE_CTX_get0_chain(ctx);
    if (sk_X509_num(built) != (int)c->n)
        FAIL(E_AUTH, "attestation: the bundle has certificates outside the path");
    for (size_t i = 0; i < c->n; i++)
        if (X509_cmp(sk_X509_value(built, (int)i), c->cert[i]) != 0) FAIL(E_AUTH, "attestation: the bundle is out of order");
    return OK;
}

static err verify_chain(const struct chain *c)
{
    FREED_BY(free_store) X509_STORE *store = X509_STORE_new();
    FREED_BY(free_ctx) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    FREED_BY(free_stack) STACK_OF(X509) *between = sk_X509_new_null();
    if (!store || !ctx || !between || !X509_STORE_add_cert(store, c->cert[c->n - 1])) FAIL(E_MEMORY, "no memory for a chain");
    for (size_t i = 1; i + 1 < c->n; i++)
        if (!sk_X509_push(between, c->cert[i])) FAIL(E_MEMORY, "no memory for a chain");
    if (!X509_STORE_CTX_init(ctx, store, c->cert[0], between)) FAIL(E_MEMORY, "no memory for a chain");

    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    /* Dates are check_validity()'s: OpenSSL takes the last valid second for expired.
     * Level 4 asks for 192-bit security. X509_STRICT fails every genuine chain (no AKI). */
    if (!X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME)) FAIL(E_MEMORY, "no memory for a chain");
    X509_VERIFY_PARAM_set_auth_level(param, 4);
    X509_VERIFY_PARAM_set_depth(param, ATTEST_CHAIN_MAX);
    if (X509_verify_cert(ctx) != 1)
        FAIL(E_AUTH, "attestation: chain: %s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    return check_path(ctx, c);
}

static err unix_time(int64_t *out, const ASN1_TIME *t)
{
    struct tm tm = { .tm_year = 0 };
    if (!ASN1_TIME_to_tm(t, &tm)) FAIL(E_AUTH, "attestation: a certificate's date is malformed");
    *out = timegm(&tm);
    return OK;
}

/* RFC 5280 4.1.2.5: the validity includes both its ends. */
static err check_validity(const struct chain *c, int64_t at)
{
    for (size_t i = 0; i < c->n; i++) {
        int64_t from = 0, to = 0;
        TRY(unix_time(&from, X509_get0_notBefore(c->cert[i])));
        TRY(unix_time(&to, X509_get0_notAfter(c->cert[i])));
        if (at < from) FAIL(E_AUTH, "attestation: certificate %zu is not valid yet", i);
        if (at > to) FAIL(E_AUTH, "attestation: certificate %zu has expired", i);
    }
    return OK;
}

static err check_root(const struct attest_doc *d, struct bytes root)
{
    /* By bytes: a serial number or a name can be had by anyone, these bytes cannot. */
    if (root.n == 0 || d->cabundle[0].n != root.n || memcmp(d->cabundle[0].p, root.p, root.n) != 0)
        FAIL(E_AUTH, "attestation: the bundle's root is not the pinned root");
    return OK;
}

static err check_signature(const struct attest_doc *d, X509 *leaf)
{
    EVP_PKEY *key = X509_get0_pubkey(leaf);    /* P-384 in the one form: check_one() */
    if (!key) FAIL(E_AUTH, "attestation: the document's key is not a point of P-384");
    return cose_verify_key(&d->cose, key);
}

static err check_debug(const struct attest_doc *d, bool allowed)
{
    if (!allowed && attest_is_debug(d)) FAIL(E_DENIED, "attestation: PCR0 is zero: a debug-mode enclave");
    return OK;
}

static err check_pcrs(const struct attest_doc *d, const struct attest_check *want)
{
    for (size_t i = 0; i < want->pcr_count; i++) {
        const struct attest_pcr *p = &want->pcrs[i];
        if (p->index >= ATTEST_PCRS || !d->pcr[p->index]) FAIL(E_DENIED, "attestation: PCR%u is not in the document", p->index);
        if (memcmp(d->pcr[p->index], p->value, ATTEST_PCR) != 0) FAIL(E_DENIED, "attestation: PCR%u is another", p->index);
    }
    return OK;
}

static err check_nonce(const struct attest_doc *d, struct bytes nonce)
{
    if (!nonce.p) return OK;
    if (!d->nonce.p || d->nonce.n != nonce.n || !bytes_equal(d->nonce.p, nonce.p, nonce.n))
        FAIL(E_AUTH, "attestation: the nonce is another");
    return OK;
}

/* Either way: a document from the future is as odd as an old one. */
static err check_age(const struct attest_doc *d, const struct attest_check *want)
{
    if (want->max_age == 0) return OK;
    int64_t then = (int64_t)(d->timestamp_ms / 1000);
    uint64_t apart = then > want->at ? (uint64_t)then - (uint64_t)want->at : (uint64_t)want->at - (uint64_t)then;
    if (apart > want->max_age) FAIL(E_AUTH, "attestation: made %llu s from the time asked about", (unsigned long long)apart);
    return OK;
}

static err judge(enum step *step, const struct attest_doc *d, const struct attest_check *want)
{
    __attribute__((cleanup(chain_drop))) struct chain c = { .n = 0 };
    *step = S_ROOT;
    TRY(check_root(d, want->root));
    TRY(check_read_root(want->read_root, want->root));
    *step = S_CERTIFICATES;
    TRY(load_chain(&c, d, want->read_root));
    *step = S_CHAIN;
    TRY(verify_chain(&c));
    *step = S_VALIDITY;
    TRY(check_validity(&c, want->at));
    *step = S_SIGNATURE;
    TRY(check_signature(d, c.cert[0]));
    *step = S_DEBUG;
    TRY(check_debug(d, want->allow_debug));
    *step = S_PCR;
    TRY(check_pcrs(d, want));
    *step = S_NONCE;
    TRY(check_nonce(d, want->nonce));
    *step = S_AGE;
    return check_age(d, want);
}

err attest_verify(struct attest_doc *out, const char **failed,
                  const void *doc, size_t n, const struct attest_check *want)
{
    struct attest_doc d = { .timestamp_ms = 0 };
    enum step step = S_FORMAT;
    err e = attest_parse(&d, doc, n);
    if (e.code == E_DENIED) step = S_ALGORITHM;
    if (!e.code) e = judge(&step, &d, want);
    if (out) *out = d;
    if (failed) *failed = e.code ? step_names[step] : NULL;
    return e;
}
