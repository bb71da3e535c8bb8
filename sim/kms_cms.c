/* kms_cms.c - CiphertextForRecipient, byte for byte in the shape of AWS's answers. */
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>
#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "sim/kms.h"
#include "sim/x509.h"

enum { AES_KEY = 32, AES_IV = 16, RSA_MAX = 512 };

/* ContentInfo(envelopedData) [0] EnvelopedData, each of indefinite length, version 2. */
static const uint8_t opening[] = {
    0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03, 0xa0, 0x80, 0x30, 0x80, 0x02, 0x01, 0x02 };
/* rsaesOaep, SHA-256, MGF1 with SHA-256, both with NULL parameters, empty label. */
static const uint8_t oaep[] = {
    0x30, 0x3c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07, 0x30, 0x2f,
    0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08,
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00 };
/* EncryptedContentInfo, indefinite: data; aes-256-cbc, its IV following. */
static const uint8_t content[] = {
    0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01,
    0x30, 0x1d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x04, 0x10 };

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

/* recipientInfos: a SET of one KeyTransRecipientInfo, version 2, named by the hash of its SPKI. */
static void wr_recipient(struct wr *w, struct bytes spki, const uint8_t *wrapped, size_t n)
{
    static const uint8_t version[] = { 0x02, 0x01, 0x02 };
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

static void wr_content(struct wr *w, const uint8_t iv[static AES_IV], const uint8_t *text, size_t n, bool constructed)
{
    wr_bytes(w, content, sizeof content);
    wr_bytes(w, iv, AES_IV);
    if (constructed) wr_u16be(w, 0xa080);
    wr_head(w, constructed ? 0x04 : 0x80, n);
    wr_bytes(w, text, n);
    if (constructed) wr_u16be(w, 0);
    for (int open = 0; open < 4; open++) wr_u16be(w, 0);        /* what `opening` and `content` opened */
}

err cms_seal(uint8_t out[static CMS_MAX], size_t *len, struct bytes spki, const void *plain, size_t n, bool constructed)
{
    uint8_t key[AES_KEY], iv[AES_IV], wrapped[RSA_MAX], text[CMS_PLAIN_MAX + AES_IV];
    size_t wrapped_len = 0, text_len = 0;
    if (n > CMS_PLAIN_MAX) FAIL(E_LIMIT, "%zu bytes for an envelope", n);
    TRY(random_bytes(key, sizeof key));
    TRY(random_bytes(iv, sizeof iv));
    TRY(wrap_key(wrapped, &wrapped_len, spki, key));
    TRY(encrypt(text, &text_len, key, iv, plain, n));
    mem_wipe(key, sizeof key);
    struct wr w = wr_of(out, CMS_MAX);
    wr_bytes(&w, opening, sizeof opening);
    wr_recipient(&w, spki, wrapped, wrapped_len);
    wr_content(&w, iv, text, text_len, constructed);
    TRY(wr_end(&w, "envelope"));
    *len = w.len;
    return OK;
}
