/* keyring.h - the service's long-lived secrets, what is derived from them, and
 * the form in which they are kept between boots (docs/wire.md, "Sealed keyring").
 *
 *   Z (KMS answer) ─┬─ build root(ARN, block hash)      one per build's KMS key
 *                   └─ service root(service id)  ┐
 *   Z or a grant ───── master                    ┴─ keyring ─ children("seal", "log", …; epoch)
 *
 * Runs in the keeper. Every derivation is HKDF-SHA256 with salt "holdfast/1" and an
 * info that begins with its own word; variable parts carry a u32 length, so no
 * two infos are equal unless they mean the same. */
#ifndef KEYSTORE_KEYRING_H
#define KEYSTORE_KEYRING_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/secret.h"

enum {
    KEYRING_SECRET = 32,
    KEYRING_ARN_MAX = 2048,       /* what KMS accepts as a KeyId                     */
    KEYRING_LABEL_MAX = 64,
    KEYRING_AAD_MAX = 4096,
    KEYRING_SEALED = 156          /* size of a sealed keyring, format version 1      */
};

struct keyring {
    uint8_t  service_id[32];      /* SHA-256 of the genesis document                 */
    uint32_t epoch;               /* from 1; +1 at each rekey                        */
    secret  *master;              /* secp256k1 scalar, 32 bytes                      */
    secret  *service_root;        /* 32 bytes                                        */
};
void keyring_drop(struct keyring *k);                  /* wipes; leaves an empty one */
#define KEYRING __attribute__((cleanup(keyring_drop))) struct keyring

/* The root that opens what was sealed to this (KMS key, block hash). `arn` is the
 * full key ARN as configured, `blockhash` as displayed.
 * Fails: E_FORMAT (z not 32 bytes), E_LIMIT (ARN empty or too long), E_MEMORY. */
err keyring_build_root(secret **out, const secret *z, const char *arn, const uint8_t blockhash[static 32]);

/* The root of one service's own keys, at genesis. The service id is mixed in
 * because two services may share a KMS key and a block hash, hence Z: without it
 * both would seal under the same keys, and the parent could hand one's disk to
 * the other as its own. Fails: E_FORMAT, E_MEMORY. */
err keyring_service_root(secret **out, const secret *z, const uint8_t service_id[static 32]);

/* Seal to a build root: AES-256-GCM under a key made for this one message from 32
 * random bytes. `aad` is bound, not stored. Out: out[0..KEYRING_SEALED).
 * Fails: E_LIMIT (aad), E_IO (random), E_MEMORY. */
err keyring_seal(uint8_t out[static KEYRING_SEALED], const struct keyring *k, const secret *build_root,
                 const void *aad, size_t aad_len);
/* Open what keyring_seal() made. Out: *k, to be dropped; untouched on failure.
 * Fails: E_FORMAT (size, magic or version), E_AUTH (other root, other aad, altered). */
err keyring_unseal(struct keyring *k, const secret *build_root, const void *sealed, size_t n,
                   const void *aad, size_t aad_len);

/* Its two secrets, one after the other (64 bytes), for a form to carry them in; and back, into a keyring whose service id and
 * epoch are set. Fails: E_FORMAT (not complete; not 64 bytes), E_MEMORY. */
err keyring_join(secret **both, const struct keyring *k);
err keyring_split(struct keyring *k, const secret *both);

/* A key for one purpose ("seal", "volume", "log", "channel", "audit") of one epoch. Same
 * label, same epoch, same length: same key. 1 <= len <= 255*32.
 * Fails: E_FORMAT (no service root), E_LIMIT (label empty or too long), E_MEMORY. */
err keyring_child(secret **out, size_t len, const struct keyring *k, const char *label, uint32_t epoch);

/* A public value that fixes master, service root, service id and epoch and tells
 * nothing about them. The service record keeps it; every boot but the first compares. */
err keyring_commitment(uint8_t out[static 32], const struct keyring *k);
/* OK when `k` is the keyring committed to. Fails: E_AUTH. */
err keyring_check(const struct keyring *k, const uint8_t commitment[static 32]);

#endif
