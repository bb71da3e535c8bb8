/* p256.c - points of NIST P-256 that only the holder of a private key can find. */
#include "keystore/p256.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

struct p256 { BIGNUM *d; };

static const uint8_t spki_head[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};
enum { HEAD = sizeof spki_head, LONG_POINT = 65 };
_Static_assert(HEAD + LONG_POINT == P256_SPKI, "a P-256 SPKI is 91 bytes");

/* Every question has one group, and ends with it. libcrypto may want for memory, queue the reason, and succeed all
 * the same (BN_CTX_start does): the queue is emptied then too, not only where a question fails. */
static void group_free(EC_GROUP **g)
{
    EC_GROUP_free(*g);
    ERR_clear_error();
}
static void point_free(EC_POINT **p) { EC_POINT_clear_free(*p); }
static void bn_free(BIGNUM **b) { BN_clear_free(*b); }
#define GROUP __attribute__((cleanup(group_free))) EC_GROUP *
#define POINT __attribute__((cleanup(point_free))) EC_POINT *
#define BN __attribute__((cleanup(bn_free))) BIGNUM *

/* libcrypto's queue of reasons is emptied: nobody reads it, and it keeps memory. */
#define CRYPTO_FAIL(code, what) do { ERR_clear_error(); FAIL(code, "P-256: %s", what); } while (0)

static EC_GROUP *curve(void) { return EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1); }

/* Any encoding of a point; libcrypto checks that it is on the curve. */
static err read_point(EC_POINT **out, const EC_GROUP *g, const uint8_t *p, size_t n)
{
    POINT point = g ? EC_POINT_new(g) : NULL;
    if (!point) CRYPTO_FAIL(E_MEMORY, "no memory");
    if (EC_POINT_oct2point(g, point, p, n, NULL) != 1 || EC_POINT_is_at_infinity(g, point)) CRYPTO_FAIL(E_FORMAT, "not a point of the curve");
    *out = point;
    point = NULL;
    return OK;
}

static err read_spki(EC_POINT **out, const EC_GROUP *g, const uint8_t *spki, size_t n)
{
    if (n != P256_SPKI || memcmp(spki, spki_head, HEAD) != 0 || spki[HEAD] != POINT_CONVERSION_UNCOMPRESSED)
        FAIL(E_FORMAT, "not the public key of a P-256 key");
    return read_point(out, g, spki + HEAD, LONG_POINT);
}

static err write_spki(uint8_t spki[static P256_SPKI], const EC_GROUP *g, const EC_POINT *p)
{
    memcpy(spki, spki_head, HEAD);
    if (EC_POINT_point2oct(g, p, POINT_CONVERSION_UNCOMPRESSED, spki + HEAD, LONG_POINT, NULL) != LONG_POINT)
        CRYPTO_FAIL(E_MEMORY, "a point could not be encoded");
    return OK;
}

err p256_point(uint8_t point[static P256_POINT], const void *spki, size_t n)
{
    GROUP g = curve();
    POINT p = NULL;
    TRY(read_spki(&p, g, spki, n));
    if (EC_POINT_point2oct(g, p, POINT_CONVERSION_COMPRESSED, point, P256_POINT, NULL) != P256_POINT)
        CRYPTO_FAIL(E_MEMORY, "a point could not be encoded");
    return OK;
}

err p256_new(struct p256 **out)
{
    GROUP g = curve();
    P256 k = calloc(1, sizeof *k);
    if (!g || !k || !(k->d = BN_secure_new())) CRYPTO_FAIL(E_MEMORY, "no memory");
    BN_set_flags(k->d, BN_FLG_CONSTTIME);
    do {
        if (BN_priv_rand_range(k->d, EC_GROUP_get0_order(g)) != 1) CRYPTO_FAIL(E_MEMORY, "no random number");
    } while (BN_is_zero(k->d));
    *out = k;
    k = NULL;
    return OK;
}

void p256_drop(struct p256 **k)
{
    if (!*k) return;
    BN_clear_free((*k)->d);
    free(*k);
    *k = NULL;
}

/* Out: d times `base`, or times G when that is NULL. */
static err times(EC_POINT **out, const EC_GROUP *g, const struct p256 *k, const EC_POINT *base)
{
    POINT p = g ? EC_POINT_new(g) : NULL;
    if (!p || EC_POINT_mul(g, p, base ? NULL : k->d, base, base ? k->d : NULL, NULL) != 1) CRYPTO_FAIL(E_MEMORY, "no product");
    *out = p;
    p = NULL;
    return OK;
}

err p256_own(uint8_t spki[static P256_SPKI], const struct p256 *k)
{
    GROUP g = curve();
    POINT own = NULL;
    TRY(times(&own, g, k, NULL));
    return write_spki(spki, g, own);
}

err p256_sum(uint8_t spki[static P256_SPKI], const struct p256 *k, const uint8_t q_spki[static P256_SPKI])
{
    GROUP g = curve();
    POINT own = NULL;
    POINT q = NULL;
    TRY(times(&own, g, k, NULL));
    TRY(read_spki(&q, g, q_spki, P256_SPKI));
    if (EC_POINT_add(g, own, own, q, NULL) != 1) CRYPTO_FAIL(E_MEMORY, "no sum");
    return write_spki(spki, g, own);
}

/* dP, which only we and the holder of the KMS key can find. */
static err shared(EC_POINT **out, const EC_GROUP *g, const struct p256 *k, const uint8_t point[static P256_POINT])
{
    POINT p = NULL;
    TRY(read_point(&p, g, point, P256_POINT));
    return times(out, g, k, p);
}

/* Is `got` the x of this point? Out: *yes, which is only ever set. */
static err is_x(bool *yes, const EC_GROUP *g, const EC_POINT *p, const secret *got)
{
    /* The point at infinity has no x. Whoever answers can bring it about, by giving x(dP) for Q. */
    if (EC_POINT_is_at_infinity(g, p)) return OK;
    SECRET x = NULL;
    BN bn = BN_secure_new();
    TRY(secret_new(&x, P256_SECRET));
    if (!bn || EC_POINT_get_affine_coordinates(g, p, bn, NULL, NULL) != 1 || BN_bn2binpad(bn, secret_reveal(x), P256_SECRET) != P256_SECRET)
        CRYPTO_FAIL(E_MEMORY, "no coordinate");
    if (secret_eq(x, got)) *yes = true;
    return OK;
}

err p256_check_own(const struct p256 *k, const uint8_t point[static P256_POINT], const secret *got)
{
    GROUP g = curve();
    POINT want = NULL;
    bool yes = false;
    TRY(shared(&want, g, k, point));
    TRY(is_x(&yes, g, want, got));
    if (!yes) FAIL(E_AUTH, "who answered does not hold the KMS key with the public key that is on record");
    return OK;
}

/* Either point whose x is z. Which of the two does not matter: the caller tries both. */
static err lift(EC_POINT **out, const EC_GROUP *g, const secret *z)
{
    POINT r = g ? EC_POINT_new(g) : NULL;
    BN x = BN_secure_new();
    if (!r || !x || secret_len(z) != P256_SECRET || !BN_bin2bn(secret_peek(z), P256_SECRET, x)) CRYPTO_FAIL(E_MEMORY, "no memory");
    if (EC_POINT_set_compressed_coordinates(g, r, x, 0, NULL) != 1) CRYPTO_FAIL(E_AUTH, "the answer is not a shared secret of this curve");
    *out = r;
    r = NULL;
    return OK;
}

err p256_check_sum(const struct p256 *k, const uint8_t point[static P256_POINT], const secret *z, const secret *got)
{
    GROUP g = curve();
    POINT dp = NULL;
    POINT r = NULL;
    POINT sum = g ? EC_POINT_new(g) : NULL;
    bool yes = false;
    TRY(shared(&dp, g, k, point));
    TRY(lift(&r, g, z));
    for (int sign = 0; sign < 2; sign++) {
        if (!sum || EC_POINT_add(g, sum, r, dp, NULL) != 1 || EC_POINT_invert(g, r, NULL) != 1) CRYPTO_FAIL(E_MEMORY, "no sum");
        TRY(is_x(&yes, g, sum, got));
    }
    if (!yes) FAIL(E_AUTH, "the shared secret did not come from the holder of the KMS key");
    return OK;
}
