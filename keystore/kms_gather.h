/* kms_gather.h - ask KMS everything that key_evidence.h judges. Runs in fetch.
 *
 * Reading calls need no attestation, so they are tried again here: up to KMS_ATTEMPTS each, with
 * full jitter, all of them within one deadline. The policy is read first and last. */
#ifndef KEYSTORE_KMS_GATHER_H
#define KEYSTORE_KMS_GATHER_H
#include "core/mem.h"
#include "keystore/key_evidence.h"
#include "keystore/kms.h"

struct kms_gathered {
    struct key_evidence evidence;    /* borrows from `bodies`                          */
    uint8_t *bodies[2 + KEY_GRANT_PAGES + KEY_READINGS];
    unsigned count;
};
/* DescribeKey, GetPublicKey, ListGrants (up to KEY_GRANT_PAGES pages of 100), GetKeyPolicy. A refusal by name
 * is kept as such, since it is evidence too. Out: *out, to be dropped, also on failure; its builds are the caller's to set.
 * Fails: when KMS is not to be had, or could not make up its mind in time: as kms_derive_shared_secret(). */
err  kms_gather(struct kms *k, struct kms_gathered *out, unsigned within_ms);
void kms_gathered_drop(struct kms_gathered *g);
#define GATHERED __attribute__((cleanup(kms_gathered_drop))) struct kms_gathered

#endif
