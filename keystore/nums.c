/* nums.c - a point of P-256 that nobody knows the logarithm of. */
#include "keystore/nums.h"
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <stdbool.h>
#include <string.h>
#include "core/hash.h"

static const char seed[] = "This is a P-256 NUMS key for KMS";

/* SubjectPublicKeyInfo up to the point: id-ecPublicKey, prime256v1, BIT STRING of 66 bytes. */
static const uint8_t spki_head[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};
_Static_assert(sizeof spki_head + 65 == NUMS_SPKI, "a P-256 SPKI is 91 bytes");

static void group_free(EC_GROUP **g) { EC_GROUP_free(*g); }
static void point_free(EC_POINT **p) { EC_POINT_free(*p); }
static void bn_free(BIGNUM **b) { BN_free(*b); }
#define FREED_BY(f) __attribute__((cleanup(f)))

/* libcrypto's queue of reasons is emptied: nobody reads it, and it keeps memory. */
#define CRYPTO_FAIL(what) do { ERR_clear_error(); FAIL(E_MEMORY, "libcrypto: %s", what); } while (0)

/* The even-y point whose x is `x`. Out: *found = false when there is none (x >= p, or
 * x³-3x+b is not a square): the caller then tries the next candidate. */
static err lift_x(uint8_t point[static 65], bool *found, const uint8_t x[static 32])
{
    FREED_BY(group_free) EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    FREED_BY(point_free) EC_POINT *p = g ? EC_POINT_new(g) : NULL;
    FREED_BY(bn_free) BIGNUM *b = BN_bin2bn(x, 32, NULL);
    if (!p || !b) CRYPTO_FAIL("no memory for a curve point");
    *found = false;
    if (!EC_POINT_set_compressed_coordinates(g, p, b, 0, NULL)) {
        ERR_clear_error();
        return OK;
    }
    if (EC_POINT_point2oct(g, p, POINT_CONVERSION_UNCOMPRESSED, point, 65, NULL) != 65)
        CRYPTO_FAIL("a curve point could not be encoded");
    *found = true;
    return OK;
}

/* The hash as the profile wants it in the preimage; *n = 0 when it is left out. */
static err arrange(uint8_t out[static 32], size_t *n, const uint8_t hash[static 32], enum profile profile)
{
    *n = 32;
    switch (profile) {
    case PROFILE_REPRODUCIBLE_KEY: *n = 0; return OK;
    case PROFILE_CONFIDENTIAL_SCRIPT_1: memcpy(out, hash, 32); return OK;
    case PROFILE_CONFIDENTIAL_SCRIPT_2:
    case PROFILE_HOLDFAST_1:
        /* Explorers show block hashes byte-reversed; these profiles hash the node's own order. */
        for (size_t i = 0; i < 32; i++) out[i] = hash[31 - i];
        return OK;
    case PROFILES: break;
    }
    FAIL(E_STATE, "there is no derivation profile %u", (unsigned)profile);
}

err nums_point(uint8_t spki[static NUMS_SPKI], uint32_t *counter,
               const uint8_t blockhash[static NUMS_BLOCKHASH], enum profile profile)
{
    uint8_t hash[32] = { 0 }, x[32];
    size_t hash_len;
    TRY(arrange(hash, &hash_len, blockhash, profile));
    for (uint32_t i = 0; i < UINT32_MAX; i++) {
        const uint8_t be[4] = { (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
        const struct bytes pieces[] = { { seed, sizeof seed - 1 }, { hash, hash_len }, { be, sizeof be } };
        sha256_of(x, pieces, 3);
        bool found = false;
        TRY(lift_x(spki + sizeof spki_head, &found, x));
        if (!found) continue;
        memcpy(spki, spki_head, sizeof spki_head);
        *counter = i;
        return OK;
    }
    FAIL(E_LIMIT, "no point found for any counter");
}
