/* kms_blob.c - CiphertextBlob: what a symmetric key made, to be opened by it alone.
 *
 *   "HFB1" | id of the key, 36 characters | IV, 12 | tag, 16 | ciphertext
 *
 * AWS does not publish its form, and no client may look into it. Magic, id and encryption context are authenticated. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "core/hash.h"
#include "core/mem.h"
#include "sim/kms.h"
#include "sim/x509.h"

enum { MAGIC = 4, IV = 12, TAG = 16, NAMED = MAGIC + BLOB_ID, HEAD = NAMED + IV + TAG };
static const char magic[] = "HFB1";

static void free_cipher(EVP_CIPHER_CTX **c) { EVP_CIPHER_CTX_free(*c); }
#define CIPHER FREED_BY(free_cipher) EVP_CIPHER_CTX *

/* The same text for the same context, in whatever order it was sent. */
static err canonical(char **out, const json_t *context)
{
    JSON none = json_object();
    *out = json_dumps(context ? context : none, JSON_COMPACT | JSON_SORT_KEYS);
    if (!*out) FAIL(E_MEMORY, "no memory for an encryption context");
    return OK;
}

err blob_seal(uint8_t out[static BLOB_MAX], size_t *len, const struct kms_key *k, const json_t *context, const void *plain, size_t n)
{
    TEXT aad = NULL;
    int used = 0;
    uint8_t *iv = out + NAMED, *tag = iv + IV, *text = out + HEAD;
    if (n > BLOB_PLAIN_MAX) FAIL(E_LIMIT, "%zu bytes for a ciphertext", n);
    TRY(canonical(&aad, context));
    memcpy(out, magic, MAGIC);
    memcpy(out + MAGIC, k->arn.key_id, BLOB_ID);
    TRY(random_bytes(iv, IV));
    CIPHER c = EVP_CIPHER_CTX_new();
    if (!c || EVP_EncryptInit_ex2(c, EVP_aes_256_gcm(), k->d, iv, NULL) != 1
        || EVP_EncryptUpdate(c, NULL, &used, out, NAMED) != 1
        || EVP_EncryptUpdate(c, NULL, &used, (const unsigned char *)aad, (int)strlen(aad)) != 1
        || EVP_EncryptUpdate(c, text, &used, plain, (int)n) != 1 || EVP_EncryptFinal_ex(c, text + used, &used) != 1
        || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, tag) != 1)
        CRYPTO_FAIL("a ciphertext could not be made");
    *len = HEAD + n;
    return OK;
}

err blob_key_id(char id[static BLOB_ID + 1], const uint8_t *blob, size_t n)
{
    if (n < HEAD || n > HEAD + BLOB_PLAIN_MAX || memcmp(blob, magic, MAGIC) != 0) return (err){ E_FORMAT };
    memcpy(id, blob + MAGIC, BLOB_ID);
    id[BLOB_ID] = 0;
    return OK;
}

err blob_open(uint8_t out[static BLOB_PLAIN_MAX], size_t *len, const struct kms_key *k, const json_t *context, const uint8_t *blob, size_t n)
{
    char id[BLOB_ID + 1];
    uint8_t tag[TAG];
    TEXT aad = NULL;
    int used = 0;
    TRY(blob_key_id(id, blob, n));
    TRY(canonical(&aad, context));
    memcpy(tag, blob + NAMED + IV, TAG);
    CIPHER c = EVP_CIPHER_CTX_new();
    if (!c || EVP_DecryptInit_ex2(c, EVP_aes_256_gcm(), k->d, blob + NAMED, NULL) != 1
        || EVP_DecryptUpdate(c, NULL, &used, blob, NAMED) != 1
        || EVP_DecryptUpdate(c, NULL, &used, (const unsigned char *)aad, (int)strlen(aad)) != 1
        || EVP_DecryptUpdate(c, out, &used, blob + HEAD, (int)(n - HEAD)) != 1
        || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag) != 1)
        CRYPTO_FAIL("a ciphertext could not be read");
    *len = n - HEAD;
    if (EVP_DecryptFinal_ex(c, out + used, &used) == 1) return OK;
    ERR_clear_error();
    mem_wipe(out, *len);
    return (err){ E_AUTH };
}
