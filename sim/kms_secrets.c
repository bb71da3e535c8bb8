/* kms_secrets.c - the five operations that give out a secret, to a Recipient if there is one. */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "sim/kms_call.h"
#include "sim/x509.h"

enum { PEER_MAX = 8192, RANDOM_MAX = 1024, WORD_MAX = 128 };

/* ---- agreement ------------------------------------------------------------- */

err op_derive_shared_secret(struct kms_call *c)
{
    const char *algorithm = call_text(c, "KeyAgreementAlgorithm"), *peer = call_text(c, "PublicKey");
    uint8_t spki[PEER_MAX], z[P256_SCALAR];
    size_t n = 0;
    if (!algorithm || strcmp(algorithm, "ECDH") != 0) return call_invalid(c, "keyAgreementAlgorithm");
    if (!peer || base64_to(spki, sizeof spki, &n, peer, strlen(peer)).code) return call_invalid(c, "publicKey");
    TRY(call_usable(c, "KEY_AGREEMENT"));
    err e = p256_shared(z, c->key.d, spki, n);
    if (e.code == E_FORMAT) return kms_refuse(c, "ValidationException", "PublicKey is not a DER-encoded X.509 public key on the curve of the KMS key.");
    TRY(e);
    TRY(call_dry_run(c));
    e = call_set_secret(c, "SharedSecret", z, sizeof z);
    mem_wipe(z, sizeof z);
    TRY(e);
    TRY(call_set_text(c, "KeyId", c->key.arn.text));
    TRY(call_set_text(c, "KeyAgreementAlgorithm", "ECDH"));
    return call_set_text(c, "KeyOrigin", c->key.origin);
}

/* ---- decryption, data keys, random ------------------------------------------ */

err op_decrypt(struct kms_call *c)
{
    const char *algorithm = NULL;
    const json_t *context = NULL;
    uint8_t plain[BLOB_PLAIN_MAX];
    size_t n = 0;
    TRY(call_words(c, &algorithm, "EncryptionAlgorithm", "encryptionAlgorithm", WORD_MAX));
    TRY(call_context(c, &context));
    TRY(call_usable(c, "ENCRYPT_DECRYPT"));
    if (algorithm && strcmp(algorithm, "SYMMETRIC_DEFAULT") != 0)
        return kms_refuse(c, "ValidationException", "Algorithm %.60s and key spec %s are incompatible", algorithm, c->key.spec);
    enum err_code code = blob_open(plain, &n, &c->key, context, c->blob, c->blob_len).code;
    if (code == E_AUTH || code == E_FORMAT) return kms_refuse(c, "InvalidCiphertextException", "The ciphertext is not valid.");
    if (code) return (err){ code };
    err e = call_dry_run(c);
    if (!e.code) e = call_set_secret(c, "Plaintext", plain, n);
    mem_wipe(plain, sizeof plain);
    TRY(e);
    TRY(call_set_text(c, "KeyId", c->key.arn.text));
    TRY(call_set_text(c, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT"));
    return call_set_material(c, c->out, "KeyMaterialId");
}

/* A new secret, sealed under the key as `sealed`, and given as `plain`. */
static err give_sealed(struct kms_call *c, const char *sealed, const char *plain, const uint8_t *p, size_t n)
{
    uint8_t blob[BLOB_MAX];
    size_t len = 0;
    const json_t *context = NULL;
    TRY(call_context(c, &context));
    TRY(blob_seal(blob, &len, &c->key, context, p, n));
    TRY(call_set_base64(c, sealed, blob, len));
    TRY(call_set_secret(c, plain, p, n));
    TRY(call_set_text(c, "KeyId", c->key.arn.text));
    return call_set_material(c, c->out, "KeyMaterialId");
}

err op_generate_data_key(struct kms_call *c)
{
    const char *spec = NULL;
    const json_t *context = NULL;
    uint8_t key[RANDOM_MAX];
    size_t n = 0;
    TRY(call_words(c, &spec, "KeySpec", "keySpec", WORD_MAX));
    TRY(call_number(c, &n, "NumberOfBytes", "numberOfBytes", RANDOM_MAX));
    TRY(call_context(c, &context));
    if (!spec == !n) return kms_refuse(c, "ValidationException", "Please specify either number of bytes or key spec.");
    if (spec && strcmp(spec, "AES_256") != 0 && strcmp(spec, "AES_128") != 0) return call_invalid(c, "keySpec");
    if (spec) n = strcmp(spec, "AES_256") == 0 ? 32 : 16;
    TRY(call_usable(c, "ENCRYPT_DECRYPT"));
    TRY(call_dry_run(c));
    TRY(random_bytes(key, n));
    err e = give_sealed(c, "CiphertextBlob", "Plaintext", key, n);
    mem_wipe(key, sizeof key);
    return e;
}

err op_generate_random(struct kms_call *c)
{
    uint8_t b[RANDOM_MAX];
    size_t n = 0;
    TRY(call_number(c, &n, "NumberOfBytes", "numberOfBytes", RANDOM_MAX));
    if (call_text(c, "CustomKeyStoreId")) return kms_refuse(c, "CustomKeyStoreNotFoundException", "There is no custom key store here.");
    if (n == 0) return kms_refuse(c, "ValidationException", "NumberOfBytes is required.");
    TRY(random_bytes(b, n));
    err e = call_set_secret(c, "Plaintext", b, n);
    mem_wipe(b, sizeof b);
    return e;
}

/* ---- pairs ----------------------------------------------------------------- */

static const struct { const char *name, *curve; unsigned bits; } pairs[] = {
    { "ECC_NIST_P256", "P-256", 0 }, { "ECC_NIST_P384", "P-384", 0 }, { "ECC_NIST_P521", "P-521", 0 }, { "ECC_SECG_P256K1", "secp256k1", 0 },
    { "RSA_2048", NULL, 2048 }, { "RSA_3072", NULL, 3072 }, { "RSA_4096", NULL, 4096 },
};

static err make_pair(struct kms_call *c, EVP_PKEY **out, const char *spec)
{
    for (size_t i = 0; spec && i < sizeof pairs / sizeof *pairs; i++) {
        if (strcmp(pairs[i].name, spec) != 0) continue;
        *out = pairs[i].curve ? EVP_EC_gen(pairs[i].curve) : EVP_RSA_gen(pairs[i].bits);
        if (!*out) CRYPTO_FAIL("no pair could be made");
        return OK;
    }
    return call_invalid(c, "keyPairSpec");
}

static void free_info(PKCS8_PRIV_KEY_INFO **i) { PKCS8_PRIV_KEY_INFO_free(*i); }

static err give_pair(struct kms_call *c, EVP_PKEY *pair)
{
    FREED_BY(free_info) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pair);
    TEXT private = NULL;
    TEXT public = NULL;
    int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, (unsigned char **)&private) : -1;
    int m = i2d_PUBKEY(pair, (unsigned char **)&public);
    if (n <= 0 || m <= 0) CRYPTO_FAIL("a pair could not be encoded");
    err e = give_sealed(c, "PrivateKeyCiphertextBlob", "PrivateKeyPlaintext", (const uint8_t *)private, (size_t)n);
    mem_wipe(private, (size_t)n);
    TRY(e);
    return call_set_base64(c, "PublicKey", public, (size_t)m);
}

err op_generate_data_key_pair(struct kms_call *c)
{
    const char *spec = NULL;
    const json_t *context = NULL;
    PKEY pair = NULL;
    TRY(call_words(c, &spec, "KeyPairSpec", "keyPairSpec", WORD_MAX));
    TRY(call_context(c, &context));
    TRY(call_usable(c, "ENCRYPT_DECRYPT"));
    TRY(make_pair(c, &pair, spec));
    TRY(call_dry_run(c));
    TRY(give_pair(c, pair));
    return call_set_text(c, "KeyPairSpec", spec);
}
