/* record.h - the service record: what a later boot of the same build needs to find
 * its keys again. It is kept by the parent beside the sealed disk.
 *
 *   "HFSR", u16 version, u16 zero, u32 epoch, genesis fields, 33 master public key,
 *   32 commitment to the keyring, var sealed keyring
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

enum { RECORD_MAX = 4096, RECORD_VERSION = 3, RECORD_KEYRING_MAX = 1024 };

struct record {
    uint32_t       epoch;                     /* from 1                                    */
    struct genesis genesis;
    uint8_t        public_key[33];            /* master, compressed                        */
    uint8_t        commitment[32];
    const uint8_t *keyring;                   /* sealed, borrowed from what was parsed     */
    size_t         keyring_len;
    const uint8_t *bound;                     /* the keyring's associated data, borrowed   */
    size_t         bound_len;
};

/* Write all up to the sealed keyring: the caller seals the keyring with these
 * bytes as associated data and then appends it with record_write_keyring(). */
void record_write_bound(struct wr *w, const struct record *r);
void record_write_keyring(struct wr *w, const uint8_t *sealed, size_t n);
/* Parse all of p[0..n). Fails: E_FORMAT (also an unknown version, named in the log), E_LIMIT. */
err  record_parse(struct record *out, const uint8_t *p, size_t n);
/* May this build, so configured, open this service? `pinned` is the configured service id in hex
 * or "", `kms_key` the configured ARN or "". Out: id. Fails: E_DENIED, saying which differs. */
err  record_check(uint8_t id[static SERVICE_ID_LEN], const struct record *r, const char *pinned, const char *kms_key);

#endif
