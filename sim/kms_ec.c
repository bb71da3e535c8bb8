/* kms_ec.c - the two things KMS does with a P-256 key here. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <string.h>
#include "sim/kms.h"
#include "sim/x509.h"

/* SubjectPublicKeyInfo up to the uncompressed point (RFC 5480: id-ecPublicKey, secp256r1). */
static const uint8_t prefix[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                  0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 };
enum { POINT = P256_SPKI - sizeof prefix };

static void free_group(EC_GROUP **g) { EC_GROUP_free(*g); }
static void free_point(EC_POINT **p) { EC_POINT_free(*p); }
static void free_bn(BIGNUM **b) { BN_clear_free(*b); }

/* d * base, or d * G when base is NULL, as an uncompressed point. */
static err multiply(uint8_t out[static POINT], const uint8_t d[static P256_SCALAR], const uint8_t *base)
{
    FREED_BY(free_group) EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    FREED_BY(free_point) EC_POINT *p = g ? EC_POINT_new(g) : NULL;
    FREED_BY(free_bn) BIGNUM *k = BN_bin2bn(d, P256_SCALAR, NULL);
    if (!p || !k) CRYPTO_FAIL("no memory for a point");
    if (BN_is_zero(k) || BN_cmp(k, EC_GROUP_get0_order(g)) >= 0) FAIL(E_FORMAT, "not a private key of P-256");
    if (base && EC_POINT_oct2point(g, p, base, POINT, NULL) != 1) {
        ERR_clear_error();
        FAIL(E_FORMAT, "not a point of P-256");
    }
    int ok = base ? EC_POINT_mul(g, p, NULL, p, k, NULL) : EC_POINT_mul(g, p, k, NULL, NULL, NULL);
    if (ok != 1 || EC_POINT_point2oct(g, p, POINT_CONVERSION_UNCOMPRESSED, out, POINT, NULL) != POINT)
        CRYPTO_FAIL("a point could not be multiplied");
    return OK;
}

err p256_public(uint8_t spki[static P256_SPKI], const uint8_t d[static P256_SCALAR])
{
    memcpy(spki, prefix, sizeof prefix);
    return multiply(spki + sizeof prefix, d, NULL);
}

err p256_shared(uint8_t z[static P256_SCALAR], const uint8_t d[static P256_SCALAR], const void *peer, size_t n)
{
    uint8_t point[POINT];
    const uint8_t *p = peer;
    if (n != P256_SPKI || memcmp(p, prefix, sizeof prefix) != 0 || p[sizeof prefix] != POINT_CONVERSION_UNCOMPRESSED)
        FAIL(E_FORMAT, "not the SubjectPublicKeyInfo of a P-256 key");
    TRY(multiply(point, d, p + sizeof prefix));
    memcpy(z, point + 1, P256_SCALAR);
    return OK;
}
