/* cose.c - one COSE_Sign1 message with ES384, read, checked, made. */
#include "keystore/cose.h"
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>
#include "core/buf.h"
#include "core/mem.h"
#include "keystore/cbor.h"

enum { LABEL_ALG = 1, LABEL_CRIT = 2, ES384_NEGINT = 34 /* -1 - 34 = -35 */, TAG_SIGN1 = 18 };
/* SEQUENCE { r, s } of P-384, at most; the Sig_structure beside its two long strings, at most. */
enum { SIG_DER = 2 + 2 * (2 + 49), SIG_STRUCTURE_HEADS = 32 };

/* The protected header: a map with alg = ES384. Other labels are signed and mean
 * nothing to us; `crit` names labels we would have to understand. */
static err check_protected(struct bytes header)
{
    struct rd r = rd_of(header.p, header.n);
    struct cb_map map;
    bool more, found = false, es384 = false;
    TRY(cb_map_enter(&map, &r, "protected header"));
    for (;;) {
        struct cb_item key, alg;
        TRY(cb_map_key(&key, &more, &map, &r));
        if (!more) break;
        if (key.kind == CB_UINT && key.value == LABEL_CRIT) FAIL(E_FORMAT, "COSE: critical header labels are not supported");
        if (key.kind != CB_UINT || key.value != LABEL_ALG) {
            TRY(cb_skip(&r));
            continue;
        }
        found = true;
        TRY(cb_next(&alg, &r));
        es384 = alg.kind == CB_NEGINT && alg.value == ES384_NEGINT;
        if (alg.kind != CB_NEGINT && alg.kind != CB_UINT && alg.kind != CB_TEXT) FAIL(E_FORMAT, "COSE: alg is of the wrong type");
    }
    TRY(rd_end(&r, "COSE protected header"));
    if (!found) FAIL(E_FORMAT, "COSE: no alg in the protected header");
    if (!es384) FAIL(E_DENIED, "COSE: the algorithm is not ES384");
    return OK;
}

err cose_parse(struct cose_sign1 *out, const void *p, size_t n)
{
    if (n > COSE_MAX) FAIL(E_LIMIT, "COSE message of %zu bytes", n);
    struct rd r = rd_of(p, n);
    struct cb_item head;
    TRY(cb_next(&head, &r));
    if (head.kind == CB_TAG && head.value == TAG_SIGN1) TRY(cb_next(&head, &r));
    if (head.kind != CB_ARRAY || (!head.indefinite && head.value != 4)) FAIL(E_FORMAT, "COSE: not an array of four");

    struct cose_sign1 c;
    struct cb_walk unprotected;
    struct bytes signature;
    bool more;
    TRY(cb_bytes(&c.protected_header, &r, "protected header"));
    TRY(cb_enter(&unprotected, &r, CB_MAP, "unprotected header"));
    TRY(cb_more(&more, &unprotected, &r));
    if (more) FAIL(E_FORMAT, "COSE: the unprotected header is not empty");
    TRY(cb_bytes(&c.payload, &r, "payload"));
    TRY(cb_bytes(&signature, &r, "signature"));
    if (head.indefinite) {
        struct cb_item end;
        TRY(cb_want(&end, &r, CB_BREAK, "end of the message"));
    }
    TRY(rd_end(&r, "COSE message"));
    if (signature.n != COSE_SIG) FAIL(E_FORMAT, "COSE: signature of %zu bytes", signature.n);
    TRY(check_protected(c.protected_header));
    c.signature = signature.p;
    *out = c;
    return OK;
}

err cose_signed_bytes(uint8_t *out, size_t cap, size_t *len, const struct cose_sign1 *c)
{
    struct wr w = wr_of(out, cap);
    cb_put_array(&w, 4);
    cb_put_text(&w, "Signature1");
    cb_put_bytes(&w, c->protected_header);
    cb_put_bytes(&w, (struct bytes){ "", 0 });       /* no external data */
    cb_put_bytes(&w, c->payload);
    TRY(wr_end(&w, "COSE Sig_structure"));
    *len = w.len;
    return OK;
}

/* id-ecPublicKey with secp384r1 and an uncompressed point: the only key form taken,
 * so that no explicit or foreign curve ever reaches the arithmetic. */
static const uint8_t p384_head[] = {
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04,
};
_Static_assert(sizeof p384_head + 96 == COSE_P384_SPKI, "a P-384 SPKI is 120 bytes");

bool cose_is_p384(const void *spki, size_t n)
{
    return n == COSE_P384_SPKI && memcmp(spki, p384_head, sizeof p384_head) == 0;
}

static void free_pkey(EVP_PKEY **k) { EVP_PKEY_free(*k); }
static void free_md_ctx(EVP_MD_CTX **c) { EVP_MD_CTX_free(*c); }
static void free_sig(ECDSA_SIG **s) { ECDSA_SIG_free(*s); }
#define FREED_BY(f) __attribute__((cleanup(f)))

static err signature_der(uint8_t out[static SIG_DER], size_t *len, const uint8_t sig[static COSE_SIG])
{
    FREED_BY(free_sig) ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig, COSE_SIG / 2, NULL), *t = BN_bin2bn(sig + COSE_SIG / 2, COSE_SIG / 2, NULL);
    if (!s || !r || !t || !ECDSA_SIG_set0(s, r, t)) {
        BN_free(r);
        BN_free(t);
        ERR_clear_error();
        FAIL(E_MEMORY, "no memory for a signature");
    }
    uint8_t *at = out;
    int n = i2d_ECDSA_SIG(s, NULL);
    if (n <= 0 || n > SIG_DER || i2d_ECDSA_SIG(s, &at) != n) {
        ERR_clear_error();
        FAIL(E_MEMORY, "a signature could not be encoded");
    }
    *len = (size_t)n;
    return OK;
}

static err verify_with(const uint8_t sig[static COSE_SIG], EVP_PKEY *key, const void *message, size_t n)
{
    uint8_t der[SIG_DER];
    size_t der_len = 0;
    TRY(signature_der(der, &der_len, sig));
    FREED_BY(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx) {
        ERR_clear_error();
        FAIL(E_MEMORY, "no memory for a verification");
    }
    int good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL, key) == 1
        && EVP_DigestVerify(ctx, der, der_len, message, n) == 1;
    ERR_clear_error();
    if (!good) FAIL(E_AUTH, "COSE: the signature does not verify");
    return OK;
}

err cose_es384_verify(const uint8_t sig[static COSE_SIG], const void *spki, size_t spki_len, const void *message, size_t n)
{
    if (!cose_is_p384(spki, spki_len)) FAIL(E_FORMAT, "COSE: the key is not P-384");
    const uint8_t *at = spki;
    FREED_BY(free_pkey) EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki_len);
    if (!key) {
        ERR_clear_error();
        FAIL(E_FORMAT, "COSE: the key is not a point of P-384");
    }
    return verify_with(sig, key, message, n);
}

static err signed_message(uint8_t **out, size_t *n, const struct cose_sign1 *c)
{
    const size_t cap = c->protected_header.n + c->payload.n + SIG_STRUCTURE_HEADS;
    TRY(mem_new(out, cap));
    return cose_signed_bytes(*out, cap, n, c);
}

err cose_verify(const struct cose_sign1 *c, const void *spki, size_t spki_len)
{
    BYTES message = NULL;
    size_t n = 0;
    TRY(signed_message(&message, &n, c));
    return cose_es384_verify(c->signature, spki, spki_len, message, n);
}

err cose_verify_key(const struct cose_sign1 *c, struct evp_pkey_st *key)
{
    BYTES message = NULL;
    size_t n = 0;
    TRY(signed_message(&message, &n, c));
    return verify_with(c->signature, key, message, n);
}

err cose_build(uint8_t *out, size_t cap, size_t *len, struct bytes payload, cose_signer sign, void *self)
{
    static const uint8_t header[] = { 0xa1, 0x01, 0x38, 0x22 };        /* {1: -35} */
    struct cose_sign1 c = { .protected_header = { header, sizeof header }, .payload = payload };
    uint8_t sig[COSE_SIG];
    BYTES message = NULL;
    size_t n = 0, room = payload.n + sizeof header + SIG_STRUCTURE_HEADS;
    TRY(mem_new(&message, room));
    TRY(cose_signed_bytes(message, room, &n, &c));
    TRY(sign(self, sig, message, n));

    struct wr w = wr_of(out, cap);
    cb_put_array(&w, 4);
    cb_put_bytes(&w, c.protected_header);
    cb_put_map(&w, 0);
    cb_put_bytes(&w, payload);
    cb_put_bytes(&w, (struct bytes){ sig, sizeof sig });
    TRY(wr_end(&w, "COSE message"));
    *len = w.len;
    return OK;
}
