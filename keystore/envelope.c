/* envelope.c - CMS EnvelopedData (RFC 5652) with one RSA-OAEP recipient (RFC 3560,
 * RFC 4055), read against the one shape KMS sends. */
#include "keystore/envelope.h"
#include <string.h>
#include "keystore/ber.h"

static const uint8_t oid_enveloped[]  = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03 };
static const uint8_t oid_data[]       = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 };
static const uint8_t oid_oaep[]       = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07 };
static const uint8_t oid_mgf1[]       = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08 };
static const uint8_t oid_pspecified[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x09 };
static const uint8_t oid_sha256[]     = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 };
static const uint8_t oid_aes_cbc[]    = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a };
#define OID(o) o, sizeof(o)

enum { CONTEXT_0 = BER_CONTEXT | 0, EXPLICIT_0 = BER_CONTEXT | BER_CONSTRUCTED | 0 };

/* An AlgorithmIdentifier for SHA-256; RFC 4055 2.1: NULL parameters or none, both valid. */
static err parse_sha256(struct rd *r, const char *what)
{
    struct rd alg = rd_of(NULL, 0), null = rd_of(NULL, 0);
    TRY(ber_want(&alg, r, BER_SEQUENCE, what));
    TRY(ber_oid(&alg, OID(oid_sha256), what));
    if (alg.left > 0) {
        TRY(ber_want(&null, &alg, BER_NULL, what));
        TRY(rd_end(&null, what));
    }
    return rd_end(&alg, what);
}

static err parse_mgf(struct rd *params)
{
    struct rd outer = rd_of(NULL, 0), alg = rd_of(NULL, 0);
    TRY(ber_want(&outer, params, EXPLICIT_0 + 1, "mask generation function"));
    TRY(ber_want(&alg, &outer, BER_SEQUENCE, "mask generation function"));
    TRY(ber_oid(&alg, OID(oid_mgf1), "mask generation function"));
    TRY(parse_sha256(&alg, "hash of the mask generation function"));
    TRY(rd_end(&alg, "mask generation function"));
    return rd_end(&outer, "mask generation function");
}

/* The default, an empty label, may also be written out. */
static err parse_label(struct rd *params)
{
    uint8_t none[1];
    size_t n = 0;
    struct rd outer = rd_of(NULL, 0), alg = rd_of(NULL, 0);
    if (params->left == 0) return OK;
    TRY(ber_want(&outer, params, EXPLICIT_0 + 2, "OAEP label"));
    TRY(ber_want(&alg, &outer, BER_SEQUENCE, "OAEP label"));
    TRY(ber_oid(&alg, OID(oid_pspecified), "OAEP label"));
    TRY(ber_octets(none, 0, &n, &alg, BER_OCTETS, "OAEP label"));
    TRY(rd_end(&alg, "OAEP label"));
    return rd_end(&outer, "OAEP label");
}

/* RSAES-OAEP-params: the defaults of hash and mask are SHA-1, so both must be there. */
static err parse_oaep(struct rd *r)
{
    struct rd alg = rd_of(NULL, 0), params = rd_of(NULL, 0), hash = rd_of(NULL, 0);
    TRY(ber_want(&alg, r, BER_SEQUENCE, "key encryption algorithm"));
    TRY(ber_oid(&alg, OID(oid_oaep), "key encryption algorithm"));
    TRY(ber_want(&params, &alg, BER_SEQUENCE, "OAEP parameters"));
    TRY(rd_end(&alg, "key encryption algorithm"));
    TRY(ber_want(&hash, &params, EXPLICIT_0, "OAEP hash"));
    TRY(parse_sha256(&hash, "OAEP hash"));
    TRY(rd_end(&hash, "OAEP hash"));
    TRY(parse_mgf(&params));
    TRY(parse_label(&params));
    return rd_end(&params, "OAEP parameters");
}

static err octets_exact(uint8_t *out, size_t want, struct rd *r, uint8_t tag, const char *what)
{
    size_t n = 0;
    TRY(ber_octets(out, want, &n, r, tag, what));
    if (n != want) FAIL(E_FORMAT, "CMS: %s of %zu bytes", what, n);
    return OK;
}

static err parse_recipient(struct envelope *e, struct rd *enveloped)
{
    struct rd set = rd_of(NULL, 0), info = rd_of(NULL, 0);
    TRY(ber_want(&set, enveloped, BER_SET, "recipient set"));
    TRY(ber_want(&info, &set, BER_SEQUENCE, "key-transport recipient"));
    TRY(rd_end(&set, "CMS recipient set, which must have one member"));
    TRY(ber_integer(&info, 2, "recipient version"));
    TRY(octets_exact(e->recipient, sizeof e->recipient, &info, CONTEXT_0, "subject key identifier"));
    TRY(parse_oaep(&info));
    TRY(octets_exact(e->key, sizeof e->key, &info, BER_OCTETS, "encrypted key"));
    return rd_end(&info, "CMS recipient");
}

static err parse_content(struct envelope *e, struct rd *enveloped)
{
    struct rd info = rd_of(NULL, 0), alg = rd_of(NULL, 0);
    TRY(ber_want(&info, enveloped, BER_SEQUENCE, "encrypted content"));
    TRY(ber_oid(&info, OID(oid_data), "content type"));
    TRY(ber_want(&alg, &info, BER_SEQUENCE, "content encryption algorithm"));
    TRY(ber_oid(&alg, OID(oid_aes_cbc), "content encryption algorithm"));
    TRY(octets_exact(e->iv, sizeof e->iv, &alg, BER_OCTETS, "IV"));
    TRY(rd_end(&alg, "CMS content encryption algorithm"));
    TRY(ber_octets(e->content, sizeof e->content, &e->content_len, &info, CONTEXT_0, "encrypted content"));
    TRY(rd_end(&info, "CMS encrypted content"));
    if (e->content_len == 0 || e->content_len % ENVELOPE_IV != 0) FAIL(E_FORMAT, "CMS: content of %zu bytes", e->content_len);
    return OK;
}

err envelope_parse(struct envelope *out, const void *p, size_t n)
{
    struct rd all = rd_of(p, n), info = rd_of(NULL, 0), zero = rd_of(NULL, 0), enveloped = rd_of(NULL, 0);
    if (n > ENVELOPE_MAX) FAIL(E_LIMIT, "CMS envelope of %zu bytes", n);
    memset(out, 0, sizeof *out);
    TRY(ber_want(&info, &all, BER_SEQUENCE, "CMS ContentInfo"));
    TRY(rd_end(&all, "CMS envelope"));
    TRY(ber_oid(&info, OID(oid_enveloped), "CMS type"));
    TRY(ber_want(&zero, &info, EXPLICIT_0, "CMS content"));
    TRY(rd_end(&info, "CMS ContentInfo"));
    TRY(ber_want(&enveloped, &zero, BER_SEQUENCE, "EnvelopedData"));
    TRY(rd_end(&zero, "CMS content"));
    TRY(ber_integer(&enveloped, 2, "CMS version"));
    TRY(parse_recipient(out, &enveloped));
    TRY(parse_content(out, &enveloped));
    return rd_end(&enveloped, "EnvelopedData");
}
