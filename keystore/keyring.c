/* keyring.c - derivations from Z and from the service root, and the sealed form. */
#include "keystore/keyring.h"
#include <string.h>
#include "core/buf.h"
#include "core/crypto.h"

static const char salt[] = "holdfast/1";
#define SALT salt, sizeof salt - 1

/* Sealed keyring, format 1 (integers little-endian):
 *   0 "HFKR" | 4 u16 version | 6 u16 zero | 8 u32 epoch | 12 service id | 44 salt
 *   | 76 AES-256-GCM(master || service root) | 140 tag
 * Nonce zero: the key is used once. Associated data: bytes 0..75, then the caller's. */
enum { SEAL_VERSION = 1, SEAL_CLEAR = 76, SEAL_SALT = 32, SEAL_PLAIN = 2 * KEYRING_SECRET };
static const uint8_t seal_magic[4] = { 'H', 'F', 'K', 'R' };
_Static_assert(SEAL_CLEAR + SEAL_PLAIN + GCM_TAG == KEYRING_SEALED, "sizes of the sealed form");

void keyring_drop(struct keyring *k)
{
    secret_drop(&k->master);
    secret_drop(&k->service_root);
    memset(k, 0, sizeof *k);
}

err keyring_join(secret **both, const struct keyring *k)
{
    SECRET s = NULL;
    if (!k->master || !k->service_root || secret_len(k->master) != KEYRING_SECRET || secret_len(k->service_root) != KEYRING_SECRET)
        FAIL(E_FORMAT, "the keyring is not complete");
    TRY(secret_new(&s, SEAL_PLAIN));
    memcpy(secret_reveal(s), secret_peek(k->master), KEYRING_SECRET);
    memcpy(secret_reveal(s) + KEYRING_SECRET, secret_peek(k->service_root), KEYRING_SECRET);
    secret_move(both, &s);
    return OK;
}

err keyring_split(struct keyring *k, const secret *both)
{
    SECRET master = NULL;
    SECRET root = NULL;
    if (secret_len(both) != SEAL_PLAIN) FAIL(E_FORMAT, "a keyring of %zu bytes", secret_len(both));
    TRY(secret_new(&master, KEYRING_SECRET));
    TRY(secret_new(&root, KEYRING_SECRET));
    memcpy(secret_reveal(master), secret_peek(both), KEYRING_SECRET);
    memcpy(secret_reveal(root), secret_peek(both) + KEYRING_SECRET, KEYRING_SECRET);
    secret_move(&k->master, &master);
    secret_move(&k->service_root, &root);
    return OK;
}

err keyring_build_root(secret **out, const secret *z, const char *arn, const uint8_t blockhash[static 32])
{
    uint8_t info[16 + 4 + KEYRING_ARN_MAX + 32];
    size_t n = strnlen(arn, KEYRING_ARN_MAX + 1);
    if (secret_len(z) != KEYRING_SECRET) FAIL(E_FORMAT, "the shared secret has %zu bytes", secret_len(z));
    if (n == 0 || n > KEYRING_ARN_MAX) FAIL(E_LIMIT, "key ARN empty or too long");
    struct wr w = wr_of(info, sizeof info);
    wr_text(&w, "build-root");
    wr_var(&w, arn, n);
    wr_bytes(&w, blockhash, 32);
    TRY(wr_end(&w, "build root info"));
    return hkdf_sha256(out, KEYRING_SECRET, z, SALT, info, w.len);
}

err keyring_service_root(secret **out, const secret *z, const uint8_t service_id[static 32])
{
    uint8_t info[64];
    if (secret_len(z) != KEYRING_SECRET) FAIL(E_FORMAT, "the shared secret has %zu bytes", secret_len(z));
    struct wr w = wr_of(info, sizeof info);
    wr_text(&w, "service-root");
    wr_bytes(&w, service_id, 32);
    TRY(wr_end(&w, "service root info"));
    return hkdf_sha256(out, KEYRING_SECRET, z, SALT, info, w.len);
}

/* The one-message key of a sealed keyring. */
static err seal_key(secret **out, const secret *build_root, const uint8_t random[static SEAL_SALT])
{
    uint8_t info[64];
    struct wr w = wr_of(info, sizeof info);
    wr_text(&w, "keyring");
    wr_bytes(&w, random, SEAL_SALT);
    TRY(wr_end(&w, "keyring key info"));
    return hkdf_sha256(out, GCM_KEY, build_root, SALT, info, w.len);
}

/* head || aad in `room`. Out: *n. */
static err bind(uint8_t room[static SEAL_CLEAR + KEYRING_AAD_MAX], size_t *n, const uint8_t head[static SEAL_CLEAR],
                const void *aad, size_t aad_len)
{
    if (aad_len > KEYRING_AAD_MAX) FAIL(E_LIMIT, "keyring: %zu bytes of associated data", aad_len);
    struct wr w = wr_of(room, SEAL_CLEAR + KEYRING_AAD_MAX);
    wr_bytes(&w, head, SEAL_CLEAR);
    wr_bytes(&w, aad, aad_len);
    *n = w.len;
    return wr_end(&w, "keyring associated data");
}

static const uint8_t zero_nonce[GCM_NONCE];

err keyring_seal(uint8_t out[static KEYRING_SEALED], const struct keyring *k, const secret *build_root,
                 const void *aad, size_t aad_len)
{
    uint8_t random[SEAL_SALT], bound[SEAL_CLEAR + KEYRING_AAD_MAX];
    size_t bound_len = 0;
    SECRET plain = NULL;
    SECRET key = NULL;
    GCM gcm = NULL;
    TRY(keyring_join(&plain, k));
    TRY(random_bytes(random, sizeof random));
    struct wr w = wr_of(out, SEAL_CLEAR);
    wr_bytes(&w, seal_magic, sizeof seal_magic);
    wr_u16(&w, SEAL_VERSION);
    wr_u16(&w, 0);
    wr_u32(&w, k->epoch);
    wr_bytes(&w, k->service_id, 32);
    wr_bytes(&w, random, sizeof random);
    TRY(wr_end(&w, "sealed keyring"));
    TRY(bind(bound, &bound_len, out, aad, aad_len));
    TRY(seal_key(&key, build_root, random));
    TRY(gcm_open_key(&gcm, key));
    return gcm_seal(gcm, out + SEAL_CLEAR, out + SEAL_CLEAR + SEAL_PLAIN, zero_nonce, bound, bound_len,
                    secret_peek(plain), SEAL_PLAIN);
}

err keyring_unseal(struct keyring *k, const secret *build_root, const void *sealed, size_t n,
                   const void *aad, size_t aad_len)
{
    uint8_t bound[SEAL_CLEAR + KEYRING_AAD_MAX];
    size_t bound_len = 0;
    struct rd r = rd_of(sealed, n);
    if (n != KEYRING_SEALED) FAIL(E_FORMAT, "sealed keyring of %zu bytes", n);
    TRY(bind(bound, &bound_len, r.p, aad, aad_len));
    const uint8_t *magic = rd_bytes(&r, sizeof seal_magic);
    if (memcmp(magic, seal_magic, sizeof seal_magic) != 0) FAIL(E_FORMAT, "not a sealed keyring");
    unsigned version = rd_u16(&r), reserved = rd_u16(&r);
    if (version != SEAL_VERSION || reserved != 0) FAIL(E_FORMAT, "sealed keyring of version %u.%u", version, reserved);
    struct keyring got = { .epoch = rd_u32(&r) };
    rd_copy(&r, got.service_id, sizeof got.service_id);
    const uint8_t *random = rd_bytes(&r, SEAL_SALT), *body = rd_bytes(&r, SEAL_PLAIN), *tag = rd_bytes(&r, GCM_TAG);
    TRY(rd_end(&r, "sealed keyring"));

    SECRET plain = NULL;
    SECRET key = NULL;
    GCM gcm = NULL;
    TRY(seal_key(&key, build_root, random));
    TRY(gcm_open_key(&gcm, key));
    TRY(secret_new(&plain, SEAL_PLAIN));
    TRY(gcm_unseal(gcm, secret_reveal(plain), tag, zero_nonce, bound, bound_len, body, SEAL_PLAIN));
    TRY(keyring_split(&got, plain));
    *k = got;
    return OK;
}

err keyring_child(secret **out, size_t len, const struct keyring *k, const char *label, uint32_t epoch)
{
    uint8_t info[16 + 4 + KEYRING_LABEL_MAX + 32 + 4];
    size_t n = strnlen(label, KEYRING_LABEL_MAX + 1);
    if (!k->service_root) FAIL(E_FORMAT, "the keyring has no service root");
    if (n == 0 || n > KEYRING_LABEL_MAX) FAIL(E_LIMIT, "key label empty or too long");
    struct wr w = wr_of(info, sizeof info);
    wr_text(&w, "child");
    wr_var(&w, label, n);
    wr_bytes(&w, k->service_id, 32);
    wr_u32(&w, epoch);
    TRY(wr_end(&w, "child key info"));
    return hkdf_sha256(out, len, k->service_root, SALT, info, w.len);
}

err keyring_commitment(uint8_t out[static 32], const struct keyring *k)
{
    static const char tag[] = "holdfast/1 keyring-commitment";
    uint8_t info[64], epoch[4];
    SECRET both = NULL;
    SECRET key = NULL;
    TRY(keyring_join(&both, k));
    struct wr w = wr_of(info, sizeof info);
    wr_text(&w, "commitment");
    wr_bytes(&w, k->service_id, 32);
    TRY(wr_end(&w, "commitment info"));
    TRY(hkdf_sha256(&key, 32, both, SALT, info, w.len));
    w = wr_of(epoch, sizeof epoch);
    wr_u32(&w, k->epoch);
    const struct bytes pieces[] = { { tag, sizeof tag - 1 }, { k->service_id, 32 }, { epoch, sizeof epoch } };
    return secret_hmac_sha256(out, key, pieces, 3);
}

err keyring_check(const struct keyring *k, const uint8_t commitment[static 32])
{
    uint8_t have[32];
    TRY(keyring_commitment(have, k));
    if (!bytes_equal(have, commitment, sizeof have)) FAIL(E_AUTH, "the keyring is not the one the service record commits to");
    return OK;
}
