/* record.h - the service record: what a later boot of the same build needs to find
 * its keys again. It is kept by the parent beside the sealed disk.
 *
 *   "HFSR", u16 version, u16 zero, u32 epoch, genesis fields, 33 master public key,
 *   32 commitment to the keyring, var ARN and 33 public key of the build's KMS key,
 *   32 release, var sealed keyring
 *
 * The genesis fields never change: their hash is the service id. An upgrade moves the keyring to
 * the KMS key of another build, so the key that opens it stands beside them.
 *
 * All before the sealed keyring is the keyring's associated data, so it is authentic
 * once the keyring opens, and not before: until then nothing may be shown to anyone
 * and nothing done with it but asking KMS for the key it names. */
#ifndef POLICY_RECORD_H
#define POLICY_RECORD_H
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "policy/genesis.h"

enum { RECORD_MAX = 4096, RECORD_VERSION = 4, RECORD_KEYRING_MAX = 1024 };

struct record {
    uint32_t       epoch;                     /* from 1                                    */
    struct genesis genesis;
    uint8_t        public_key[33];            /* master, compressed                        */
    uint8_t        commitment[32];
    /* The key whose shared secret opens the keyring: the genesis's, until an upgrade. */
    char           build_arn[GENESIS_ARN];
    uint8_t        build_point[33];           /* its public key, compressed; all zero: not known */
    uint8_t        release[32];               /* hash of the release that allowed this build; zeros: the service began with it */
    const uint8_t *keyring;                   /* sealed, borrowed from what was parsed     */
    size_t         keyring_len;
    const uint8_t *bound;                     /* the keyring's associated data, borrowed   */
    size_t         bound_len;
};

/* Write all up to the sealed keyring: the caller seals the keyring with these
 * bytes as associated data and then appends it with record_write_keyring(). */
void record_write_bound(struct wr *w, const struct record *r);
void record_write_keyring(struct wr *w, const uint8_t *sealed, size_t n);
/* The build that a service begins with: the genesis's own key, and no release. */
void record_begin_build(struct record *r);
/* Was the keyring made from the very KMS key that opens it? Only then the master can be derived anew. */
bool record_is_of_genesis_key(const struct record *r);
/* Parse all of p[0..n). Fails: E_FORMAT (also an unknown version, named in the log; another key than the
 * genesis's without a release), E_LIMIT. */
err  record_parse(struct record *out, const uint8_t *p, size_t n);
/* May this build, so configured, open this service? `pinned` is the configured service id in hex
 * or "", `kms_key` the configured ARN or "", which has to be that of the key the keyring is sealed for.
 * Out: id. Fails: E_DENIED, saying which differs. */
err  record_check(uint8_t id[static SERVICE_ID_LEN], const struct record *r, const char *pinned, const char *kms_key);

#endif
