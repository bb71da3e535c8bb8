/* master.c - the secret KMS answered, made a secp256k1 secret key. */
#include "keystore/master.h"
#include <stdbool.h>
#include <string.h>
#include "core/buf.h"
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

static err bound(secret **out, const secret *z, const struct master_binding *b)
{
    uint8_t info[6 + 4 + MASTER_ARN_MAX + 32 + 4 + 32];
    struct wr w = wr_of(info, sizeof info);
    if (!b || !b->epoch) FAIL(E_STATE, "profile %s needs what it binds", profile_text(PROFILE_HOLDFAST_1));
    const size_t n = strlen(b->arn);
    if (n == 0 || n > MASTER_ARN_MAX) FAIL(E_LIMIT, "a key ARN of %zu bytes", n);
    wr_text(&w, "master");
    wr_var(&w, b->arn, n);
    for (size_t i = 0; i < 32; i++) wr_u8(&w, b->blockhash[31 - i]);
    wr_u32(&w, b->epoch);
    wr_bytes(&w, b->policy, 32);
    TRY(wr_end(&w, "what the master is bound to"));
    return hkdf_sha256(out, MASTER_LEN, z, "holdfast/1", 10, info, w.len);
}

err master_from_secret(secret **master, enum profile profile, const secret *z, const struct master_binding *binding)
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
    case PROFILE_HOLDFAST_1: TRY(bound(&k, z, binding)); break;
    default: FAIL(E_STATE, "there is no derivation profile %u", (unsigned)profile);
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
