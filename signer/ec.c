#include "signer/ec.h"

#include <string.h>

#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>

#include "core/buf.h"

/* Verification needs no tables of its own: the library's constant context serves. */
#define CTX secp256k1_context_static

bool ec_xonly_valid(const uint8_t key[static 32])
{
    secp256k1_xonly_pubkey k;
    return secp256k1_xonly_pubkey_parse(CTX, &k, key) == 1;
}

bool ec_pubkey_valid(const uint8_t *key, size_t n)
{
    secp256k1_pubkey k;
    return n > 0 && secp256k1_ec_pubkey_parse(CTX, &k, key, n) == 1;
}

bool ec_schnorr_verify(const uint8_t sig[static 64], const void *msg, size_t n, const uint8_t key[static 32])
{
    static const uint8_t none[1];
    secp256k1_xonly_pubkey k;
    if (secp256k1_xonly_pubkey_parse(CTX, &k, key) != 1)
        return false;
    return secp256k1_schnorrsig_verify(CTX, sig, n ? msg : none, n, &k) == 1;
}

bool ec_tweak_check(const uint8_t output[static 32], int parity,
                    const uint8_t internal[static 32], const uint8_t tweak[static 32])
{
    secp256k1_xonly_pubkey k;
    if (secp256k1_xonly_pubkey_parse(CTX, &k, internal) != 1)
        return false;
    return secp256k1_xonly_pubkey_tweak_add_check(CTX, output, parity, &k, tweak) == 1;
}

err ec_tweak_xonly(uint8_t output[static 32], int *parity,
                   const uint8_t internal[static 32], const uint8_t tweak[static 32])
{
    secp256k1_xonly_pubkey k, x;
    secp256k1_pubkey sum;
    memset(output, 0, 32);
    if (secp256k1_xonly_pubkey_parse(CTX, &k, internal) != 1)
        FAIL(E_FORMAT, "internal key is not the x of a point");
    if (secp256k1_xonly_pubkey_tweak_add(CTX, &sum, &k, tweak) != 1)
        FAIL(E_FORMAT, "tweak out of range");
    int odd = 0;
    MUST(secp256k1_xonly_pubkey_from_pubkey(CTX, &x, &odd, &sum) == 1);
    MUST(secp256k1_xonly_pubkey_serialize(CTX, output, &x) == 1);
    if (parity)
        *parity = odd;
    return OK;
}

err ec_pubkey_add(uint8_t child[static 33], const uint8_t parent[static 33], const uint8_t tweak[static 32])
{
    secp256k1_pubkey k;
    size_t n = 33;
    if (secp256k1_ec_pubkey_parse(CTX, &k, parent, 33) != 1)
        FAIL(E_FORMAT, "parent is not a compressed public key");
    if (secp256k1_ec_pubkey_tweak_add(CTX, &k, tweak) != 1)
        FAIL(E_FORMAT, "tweak out of range");
    MUST(secp256k1_ec_pubkey_serialize(CTX, child, &n, &k, SECP256K1_EC_COMPRESSED) == 1 && n == 33);
    return OK;
}

/* A DER length, lax: long forms with padding are taken. SIZE_MAX when it cannot fit. */
static size_t der_length(struct rd *r)
{
    size_t head = rd_u8(r), n = 0;
    if (!(head & 0x80))
        return head;
    for (head &= 0x7f; head > 0; head--) {
        uint8_t b = rd_u8(r);
        if (!rd_ok(r) || n > (SIZE_MAX >> 8))
            return SIZE_MAX;
        n = n << 8 | b;
    }
    return n;
}

/* One integer, right-aligned in 32 bytes. Returns false when the bytes are short;
 * *over tells that the number is longer than 32 bytes. */
static bool der_integer(uint8_t out[static 32], bool *over, struct rd *r)
{
    if (rd_u8(r) != 0x02 || !rd_ok(r))
        return false;
    size_t n = der_length(r);
    const uint8_t *p = rd_bytes(r, n);
    if (!rd_ok(r) || !p)
        return false;
    for (; n > 0 && *p == 0; n--)
        p++;
    memset(out, 0, 32);
    if (n > 32)
        *over = true;
    else
        memcpy(out + 32 - n, p, n);
    return true;
}

/* What OpenSSL took before BIP66, and Core still takes without the flag DERSIG: the outer
 * length is not looked at, negative numbers are read as positive, bytes after S are ignored. A
 * number out of range gives the zero signature, which never verifies. */
static bool ecdsa_read(secp256k1_ecdsa_signature *out, const uint8_t *sig, size_t n)
{
    uint8_t both[64] = { 0 };
    bool over = false;
    struct rd r = rd_of(sig, n);
    if (rd_u8(&r) != 0x30)
        return false;
    size_t head = rd_u8(&r);
    if (head & 0x80)
        (void)rd_bytes(&r, head & 0x7f);
    if (!rd_ok(&r) || !der_integer(both, &over, &r) || !der_integer(both + 32, &over, &r))
        return false;
    if (over || secp256k1_ecdsa_signature_parse_compact(CTX, out, both) != 1) {
        memset(both, 0, sizeof both);
        MUST(secp256k1_ecdsa_signature_parse_compact(CTX, out, both) == 1);
    }
    return true;
}

bool ec_ecdsa_verify(const uint8_t *sig, size_t sig_len, const uint8_t *key, size_t key_len,
                     const uint8_t hash[static 32])
{
    secp256k1_pubkey k;
    secp256k1_ecdsa_signature s;
    if (key_len == 0 || secp256k1_ec_pubkey_parse(CTX, &k, key, key_len) != 1)
        return false;
    if (!ecdsa_read(&s, sig, sig_len))
        return false;
    (void)secp256k1_ecdsa_signature_normalize(CTX, &s, &s);   /* the library takes low S only */
    return secp256k1_ecdsa_verify(CTX, &s, hash, &k) == 1;
}

bool ec_ecdsa_low_s(const uint8_t *sig, size_t sig_len)
{
    secp256k1_ecdsa_signature s;
    return ecdsa_read(&s, sig, sig_len) && !secp256k1_ecdsa_signature_normalize(CTX, NULL, &s);
}
