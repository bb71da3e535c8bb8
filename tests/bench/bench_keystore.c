/* Judging an attestation document, against its bound: the five P-384 verifications that it cannot do
 * without (four certificates below the root, and the document), by the same library, with keys and
 * digests ready. A published document where there is one, else one of the same shape made here. */
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "keystore/attest.h"
#include "tests/keystore_chain.h"
#include "tests/support/vectors.h"
#include "bench.h"

#define PUBLISHED "attestation/dstack-nsm-2025-12.bin"
enum { SIGNATURES = 5, RUNS = 11, TIMES = 20 };

struct signature { EVP_PKEY *key; uint8_t digest[48], der[120]; size_t len; };
struct work {
    uint8_t *doc;
    size_t   len;
    struct attest_check want;
    struct signature signature[SIGNATURES];
};

static void must(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "bench_keystore: %s\n", what);
    exit(1);
}

static void judge(void *self)
{
    struct work *w = self;
    for (int i = 0; i < TIMES; i++) must(!attest_verify(NULL, NULL, w->doc, w->len, &w->want).code, "refused");
}

static void bound(void *self)
{
    struct work *w = self;
    for (int i = 0; i < TIMES * SIGNATURES; i++) {
        const struct signature *s = &w->signature[i % SIGNATURES];
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(s->key, NULL);
        must(c && EVP_PKEY_verify_init(c) == 1 && EVP_PKEY_verify(c, s->der, s->len, s->digest, 48) == 1, "a signature does not verify");
        EVP_PKEY_CTX_free(c);
    }
}

/* ---- the same signatures, taken out of the document ---- */

static X509 *certificate(struct bytes der)
{
    const uint8_t *at = der.p;
    X509 *x = d2i_X509(NULL, &at, (long)der.n);
    must(x != NULL, "a certificate");
    return x;
}

static void of_certificate(struct signature *s, X509 *x, X509 *issuer)
{
    const ASN1_BIT_STRING *sig;
    uint8_t *tbs = NULL;
    X509_get0_signature(&sig, NULL, x);
    const int n = i2d_re_X509_tbs(x, &tbs);
    must(n > 0 && sig->length <= (int)sizeof s->der, "a certificate's signature");
    sha384(s->digest, tbs, (size_t)n);
    s->len = (size_t)sig->length;
    memcpy(s->der, sig->data, s->len);
    s->key = X509_get_pubkey(issuer);
    OPENSSL_free(tbs);
}

static void of_document(struct signature *s, const struct cose_sign1 *c, X509 *leaf)
{
    static uint8_t message[COSE_MAX];
    uint8_t *at = s->der;
    size_t n = 0;
    ECDSA_SIG *e = ECDSA_SIG_new();
    must(!cose_signed_bytes(message, sizeof message, &n, c).code, "signed bytes");
    sha384(s->digest, message, n);
    must(e && ECDSA_SIG_set0(e, BN_bin2bn(c->signature, 48, NULL), BN_bin2bn(c->signature + 48, 48, NULL)), "signature");
    const int len = i2d_ECDSA_SIG(e, &at);
    must(len > 0, "signature");
    s->len = (size_t)len;
    s->key = X509_get_pubkey(leaf);
    ECDSA_SIG_free(e);
}

static void take_signatures(struct work *w)
{
    struct attest_doc d;
    X509 *chain[SIGNATURES];
    must(!attest_parse(&d, w->doc, w->len).code && d.cabundle_count == SIGNATURES - 1, "a document with four authorities");
    chain[0] = certificate(d.certificate);
    for (size_t i = 1; i < SIGNATURES; i++) chain[i] = certificate(d.cabundle[SIGNATURES - 1 - i]);
    for (size_t i = 0; i + 1 < SIGNATURES; i++) of_certificate(&w->signature[i], chain[i], chain[i + 1]);
    of_document(&w->signature[SIGNATURES - 1], &d.cose, chain[0]);
    for (size_t i = 0; i < SIGNATURES; i++) X509_free(chain[i]);
}

/* ---- the document ---- */

static bool published(struct work *w)
{
    size_t n = 0;
    if (!vectors_have(PUBLISHED) || !vectors_have("attestation/vectors.json")) return false;
    json_t *all = vectors_json("attestation/vectors.json"), *v;
    size_t i;
    json_array_foreach(all, i, v)
        if (strcmp(vectors_text(v, "file"), strrchr(PUBLISHED, '/') + 1) == 0) w->want.at = json_integer_value(json_object_get(v, "verify_at"));
    json_decref(all);
    w->doc = vectors_read(PUBLISHED, &w->len);
    w->want.root.p = vectors_read("attestation/AWS_NitroEnclaves_Root-G1.der", &n);
    w->want.root.n = n;
    return true;
}

static void own(struct work *w)
{
    static struct chain c;
    static const uint8_t pcr[ATTEST_PCR] = { 1 };
    const struct chain_link ca = { .basic = "critical,CA:TRUE", .usage = "critical,digitalSignature,keyCertSign,cRLSign", .from = 1700000000, .to = 1800000000 };
    const struct chain_link leaf = { .basic = "critical,CA:FALSE", .usage = "critical,digitalSignature", .from = 1700000000, .to = 1800000000 };
    chain_make(&c, (struct chain_link[]){ ca, ca, ca, ca, leaf }, SIGNATURES);
    struct attest_doc d = { .module_id = { "i-bench", 7 }, .timestamp_ms = 1750000000000, .cabundle_count = SIGNATURES - 1 };
    for (size_t i = 0; i < 16; i++) d.pcr[i] = pcr;
    for (size_t i = 0; i + 1 < SIGNATURES; i++) d.cabundle[i] = (struct bytes){ c.der[i], c.len[i] };
    d.certificate = (struct bytes){ c.der[SIGNATURES - 1], c.len[SIGNATURES - 1] };
    must(!mem_new(&w->doc, ATTEST_MAX).code, "memory");
    must(!attest_make(w->doc, ATTEST_MAX, &w->len, &d, true, chain_sign, &c).code, "a document");
    w->want.root = d.cabundle[0];
    w->want.at = 1750000000;
}

int main(void)
{
    static struct work w;
    log_open("bench", LOG_ERROR);
    w.want.allow_debug = true;
    const bool real = published(&w);
    if (!real) own(&w);
    must(!attest_root_read(&w.want.read_root, w.want.root).code, "the root");
    take_signatures(&w);
    /* By turns, so that a slow stretch of the machine is in both. */
    double ratio[RUNS], least = 0, taken = 0;
    for (int i = 0; i < RUNS; i++) {
        least = bench_median(bound, &w, 1) / TIMES;
        taken = bench_median(judge, &w, 1) / TIMES;
        ratio[i] = least / taken;
    }
    qsort(ratio, RUNS, sizeof *ratio, bench_compare);
    bench_say(real ? "documents verified, against 5 P-384 verifications" : "own documents verified, against 5 P-384 verifications",
              ratio[RUNS / 2], "x", ">= 0.8");
    bench_say("documents verified, one core", 1 / taken, "/s", "");
    bench_say("5 P-384 verifications, one core", 1 / least, "/s", "");
    attest_root_drop(&w.want.read_root);
    return 0;
}
