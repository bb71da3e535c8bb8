/* master.c - the secret KMS answered, made a secp256k1 secret key. */
#include "keystore/master.h"
#include <stdbool.h>
#include <string.h>
#include "core/crypto.h"

/* The order of secp256k1 (SEC 2), big-endian. */
static const uint8_t order[MASTER_LEN] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
};

/* 0 < k < order, looking at every byte whatever the first ones say. */
static bool is_valid(const uint8_t k[static MASTER_LEN])
{
    unsigned borrow = 0, any = 0;
    for (size_t i = MASTER_LEN; i > 0; i--) {
        unsigned d = 0x100u + k[i - 1] - order[i - 1] - borrow;
        borrow = 1u - (d >> 8);
        any |= k[i - 1];
    }
    return (borrow & (any != 0)) != 0;        /* a borrow out of the top: k < order */
}

err master_from_secret(secret **master, enum profile profile, const secret *z)
{
    static const char salt[] = "confidential-script-salt", info[] = "confidential-script-setup";
    SECRET k = NULL;
    if (secret_len(z) != MASTER_LEN) FAIL(E_FORMAT, "the shared secret has %zu bytes", secret_len(z));
    switch (profile) {
    case PROFILE_REPRODUCIBLE_KEY:
    case PROFILE_CONFIDENTIAL_SCRIPT_1: TRY(secret_copy(&k, z)); break;
    case PROFILE_CONFIDENTIAL_SCRIPT_2:
        TRY(hkdf_sha256(&k, MASTER_LEN, z, salt, sizeof salt - 1, info, sizeof info - 1));
        break;
    default: FAIL(E_STATE, "derivation profile %s is not available", profile_text(profile));
    }
    /* Adding 1 to an invalid candidate ends at 1: 0 at the first step, and anything from the
     * order up by passing 2^256. Counting there would take up to 2^128 steps. */
    uint8_t *p = secret_reveal(k);
    uint8_t keep = (uint8_t)(0u - (unsigned)is_valid(p));
    for (size_t i = 0; i < MASTER_LEN; i++)
        p[i] = (uint8_t)((p[i] & keep) | ((i == MASTER_LEN - 1) & ~keep));
    secret_move(master, &k);
    return OK;
}
