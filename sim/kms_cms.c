/* kms_cms.c - CiphertextForRecipient, byte for byte in the shape of AWS's answers, or in others that BER has. */
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>
#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "sim/kms.h"
#include "sim/x509.h"

enum { AES_KEY = 32, AES_IV = 16, RSA_MAX = 512 };

static const uint8_t oid_enveloped[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03 };
static const uint8_t version[] = { 0x02, 0x01, 0x02 };
/* rsaesOaep, SHA-256, MGF1 with SHA-256, both with NULL parameters, empty label. */
static const uint8_t oaep[] = {
    0x30, 0x3c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07, 0x30, 0x2f,
    0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08,
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00 };
/* Content type data; aes-256-cbc, its IV following. */
static const uint8_t content[] = {
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01,
    0x30, 0x1d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x04, 0x10 };

static const struct { const char *name; bool inside, pieces, definite; } shapes[CMS_SHAPES] = {
    [CMS_CONSTRUCTED] = { "constructed", true, false, false },         [CMS_PRIMITIVE] = { "primitive", false, false, false },
    [CMS_PIECES] = { "pieces", true, true, false },                    [CMS_DEFINITE] = { "definite", true, false, true },
    [CMS_DEFINITE_PIECES] = { "definite-pieces", true, true, true },   [CMS_DER] = { "der", false, false, true },
};

err cms_shape_parse(enum cms_shape *out, const char *name)
{
    for (unsigned i = 0; i < CMS_SHAPES; i++) {
        if (strcmp(shapes[i].name, name) != 0) continue;
        *out = (enum cms_shape)i;
        return OK;
    }
    FAIL(E_FORMAT, "no shape of envelope is called %s", name);
}

static void free_pkey_ctx(EVP_PKEY_CTX **c) { EVP_PKEY_CTX_free(*c); }
static void free_cipher(EVP_CIPHER_CTX **c) { EVP_CIPHER_CTX_free(*c); }

static err wrap_key(uint8_t out[static RSA_MAX], size_t *len, struct bytes spki, const uint8_t key[static AES_KEY])
{
    const unsigned char *at = spki.p;
    PKEY rsa = spki.n <= 1024 ? d2i_PUBKEY(NULL, &at, (long)spki.n) : NULL;
    ERR_clear_error();
    if (!rsa || at != (const unsigned char *)spki.p + spki.n || EVP_PKEY_get_base_id(rsa) != EVP_PKEY_RSA)
        FAIL(E_FORMAT, "the attested public key is not an RSA key");
    int bits = EVP_PKEY_get_bits(rsa);
    if (bits != 2048 && bits != 3072 && bits != 4096) FAIL(E_FORMAT, "an attested RSA key of %d bits", bits);
    FREED_BY(free_pkey_ctx) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(rsa, NULL);
    *len = RSA_MAX;
    if (!c || EVP_PKEY_encrypt_init(c) <= 0 || EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) <= 0
        || EVP_PKEY_CTX_set_rsa_oaep_md(c, EVP_sha256()) <= 0 || EVP_PKEY_CTX_set_rsa_mgf1_md(c, EVP_sha256()) <= 0
        || EVP_PKEY_encrypt(c, out, len, key, AES_KEY) <= 0)
        CRYPTO_FAIL("the content key could not be wrapped");
    return OK;
}

static err encrypt(uint8_t *out, size_t *len, const uint8_t key[static AES_KEY], const uint8_t iv[static AES_IV], const void *plain, size_t n)
{
    FREED_BY(free_cipher) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int first = 0, last = 0;
    if (!c || EVP_EncryptInit_ex2(c, EVP_aes_256_cbc(), key, iv, NULL) != 1 || EVP_EncryptUpdate(c, out, &first, plain, (int)n) != 1
        || EVP_EncryptFinal_ex(c, out + first, &last) != 1)
        CRYPTO_FAIL("the content could not be encrypted");
    *len = (size_t)first + (size_t)last;
    return OK;
}

/* Identifier and definite length, in as few bytes as DER has it. */
static void wr_head(struct wr *w, uint8_t tag, size_t n)
{
    wr_u8(w, tag);
    if (n >= 0x100) {
        wr_u8(w, 0x82);
        wr_u16be(w, (uint16_t)n);
        return;
    }
    if (n >= 0x80) wr_u8(w, 0x81);
    wr_u8(w, (uint8_t)n);
}

/* A whole element around `inner`, written from the inside out: only so are definite lengths known. */
struct part { uint8_t b[CMS_MAX]; struct wr w; };
static struct wr *part_open(struct part *p)
{
    p->w = wr_of(p->b, sizeof p->b);
    return &p->w;
}

static void wr_around(struct wr *w, uint8_t tag, const struct part *inner, bool definite)
{
    if (definite) wr_head(w, tag, inner->w.len);
    else {
        wr_u8(w, tag);
        wr_u8(w, 0x80);
    }
    wr_bytes(w, inner->b, inner->w.len);
    if (!definite) wr_u16be(w, 0);
}

/* recipientInfos: a SET of one KeyTransRecipientInfo, version 2, named by the hash of its SPKI.
 * Of definite length in every answer of AWS's that is known. */
static void wr_recipient(struct wr *w, struct bytes spki, const uint8_t *wrapped, size_t n)
{
    uint8_t id[32];
    sha256(id, spki.p, spki.n);
    size_t info = sizeof version + 2 + sizeof id + sizeof oaep + 4 + n;
    wr_head(w, 0x31, 4 + info);
    wr_head(w, 0x30, info);
    wr_bytes(w, version, sizeof version);
    wr_head(w, 0x80, sizeof id);
    wr_bytes(w, id, sizeof id);
    wr_bytes(w, oaep, sizeof oaep);
    wr_head(w, 0x04, n);
    wr_bytes(w, wrapped, n);
}

/* The content as strings of uneven lengths, one of them empty. */
static void wr_pieces(struct wr *w, const uint8_t *text, size_t n)
{
    for (size_t at = 0, piece = 0; at < n; at += piece, piece = (piece + 7) % 23) {
        if (piece > n - at) piece = n - at;
        wr_head(w, 0x04, piece);
        wr_bytes(w, text + at, piece);
    }
}

struct sealed { uint8_t iv[AES_IV], wrapped[RSA_MAX], text[CMS_PLAIN_MAX + AES_IV]; size_t wrapped_len, text_len; };

/* EncryptedContentInfo's members. */
static void wr_content(struct wr *w, const struct sealed *s, enum cms_shape shape)
{
    struct part strings;
    struct wr *in = part_open(&strings);
    wr_bytes(w, content, sizeof content);
    wr_bytes(w, s->iv, AES_IV);
    if (!shapes[shape].inside) {
        wr_head(w, 0x80, s->text_len);
        wr_bytes(w, s->text, s->text_len);
        return;
    }
    if (shapes[shape].pieces) wr_pieces(in, s->text, s->text_len);
    else {
        wr_head(in, 0x04, s->text_len);
        wr_bytes(in, s->text, s->text_len);
    }
    if (in->full) w->full = true;
    wr_around(w, 0xa0, &strings, shapes[shape].definite);
}

/* ContentInfo(envelopedData) [0] EnvelopedData, version 2. */
static err write_all(uint8_t out[static CMS_MAX], size_t *len, struct bytes spki, const struct sealed *s, enum cms_shape shape)
{
    struct part inner, enveloped, zero, info;
    bool definite = shapes[shape].definite;
    wr_content(part_open(&inner), s, shape);
    struct wr *w = part_open(&enveloped);
    wr_bytes(w, version, sizeof version);
    wr_recipient(w, spki, s->wrapped, s->wrapped_len);
    wr_around(w, 0x30, &inner, definite);
    wr_around(part_open(&zero), 0x30, &enveloped, definite);
    w = part_open(&info);
    wr_bytes(w, oid_enveloped, sizeof oid_enveloped);
    wr_around(w, 0xa0, &zero, definite);
    struct wr all = wr_of(out, CMS_MAX);
    wr_around(&all, 0x30, &info, definite);
    if (inner.w.full || enveloped.w.full || zero.w.full || info.w.full) FAIL(E_LIMIT, "envelope of more than %d bytes", CMS_MAX);
    TRY(wr_end(&all, "envelope"));
    *len = all.len;
    return OK;
}

err cms_seal(uint8_t out[static CMS_MAX], size_t *len, struct bytes spki, const void *plain, size_t n, enum cms_shape shape)
{
    uint8_t key[AES_KEY];
    struct sealed s = { .wrapped_len = 0 };
    if (n > CMS_PLAIN_MAX) FAIL(E_LIMIT, "%zu bytes for an envelope", n);
    TRY(random_bytes(key, sizeof key));
    TRY(random_bytes(s.iv, sizeof s.iv));
    TRY(wrap_key(s.wrapped, &s.wrapped_len, spki, key));
    TRY(encrypt(s.text, &s.text_len, key, s.iv, plain, n));
    mem_wipe(key, sizeof key);
    return write_all(out, len, spki, &s, shape);
}
