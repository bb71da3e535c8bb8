#include "policy/signature.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <string.h>

static void free_pkey(EVP_PKEY **k) { EVP_PKEY_free(*k); }
static void free_md_ctx(EVP_MD_CTX **c) { EVP_MD_CTX_free(*c); }
#define FREED_BY(f) __attribute__((cleanup(f)))

err ed25519_check(bool *good, const uint8_t key[static 32], const uint8_t signature[static 64], const void *message, size_t n)
{
    *good = false;
    FREED_BY(free_pkey) EVP_PKEY *k = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, key, 32);
    FREED_BY(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!k || !ctx || EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, k, NULL) != 1) {
        ERR_clear_error();
        FAIL(E_MEMORY, "no memory for a verification");
    }
    *good = EVP_DigestVerify(ctx, signature, 64, message, n) == 1;
    ERR_clear_error();
    return OK;
}

bool ed25519_key_ok(const uint8_t key[static 32])
{
    /* y of the eight points of small order; the sign bit is left out of the comparison. The two of order
     * eight and the encodings of y that are not reduced (p - 1 + ..) are here as they are written. */
    static const uint8_t small[][32] = {
        { 0 }, { 1 },
        { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
          0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
        { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
          0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
    };
    uint8_t y[32];
    memcpy(y, key, 32);
    y[31] &= 0x7f;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        if (memcmp(y, small[i], 32) == 0) return false;
    /* p - 1, and everything from p upwards: 2^255 - 20 and more. */
    bool high = y[31] == 0x7f && y[0] >= 0xec;
    for (size_t i = 1; i < 31; i++) high = high && y[i] == 0xff;
    return !high;
}

bool bip340_check(const uint8_t key[static 32], const uint8_t signature[static 64], const uint8_t message[static 32])
{
    secp256k1_xonly_pubkey k;
    return secp256k1_xonly_pubkey_parse(secp256k1_context_static, &k, key) == 1 &&
           secp256k1_schnorrsig_verify(secp256k1_context_static, signature, message, 32, &k) == 1;
}

bool bip340_key_ok(const uint8_t key[static 32])
{
    secp256k1_xonly_pubkey k;
    return secp256k1_xonly_pubkey_parse(secp256k1_context_static, &k, key) == 1;
}
