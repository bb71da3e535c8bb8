/* grant.h - how a service's keyring goes from one build to the next (docs/wire/grant.md).
 *
 * The old build seals the keyring to the new one's build key, by HPKE in base mode. What it is granted
 * for stands before it in the clear and is bound: nothing of it can be changed, and who opens the grant
 * compares every term with what it knows itself.
 *
 * A grant is NOT signed: whoever knows the build key can make one, of a keyring of his own. What shows that it
 * holds the service's is the master's public key, which the measured configuration of the new build names. */
#ifndef KEYSTORE_GRANT_H
#define KEYSTORE_GRANT_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "keystore/build_key.h"
#include "keystore/keyring.h"

enum {
    GRANT_VERSION = 1, GRANT_PCRS = 3, GRANT_PCR = 48, GRANT_ARN = 256,
    GRANT_FIXED = 364,                  /* bytes before the ARN                     */
    GRANT_SEALED = 32 + 64 + 16,        /* encapsulated key, two secrets, tag        */
    GRANT_MAX = GRANT_FIXED + GRANT_ARN - 1 + GRANT_SEALED,
    GRANT_NAME = 40                     /* an object's name, with its NUL            */
};

/* What a grant is for. */
struct grant_terms {
    uint8_t  service_id[32];
    uint32_t epoch;                     /* of the keyring                                              */
    uint8_t  build_key[BUILD_KEY];      /* of the build that it is for                                 */
    uint8_t  release[32];               /* SHA-256 of the release document that allows that build      */
    uint8_t  pcr[GRANT_PCRS][GRANT_PCR];   /* of that build                                            */
    uint8_t  blockhash[32];             /* of the service's genesis, as displayed                      */
    uint8_t  record[32];                /* SHA-256 of the service record up to its sealed keyring      */
    uint32_t log_number;                /* the service's log, as it is before the entry about the grant */
    uint64_t log_size;
    uint8_t  log_root[32];
    char     arn[GRANT_ARN];            /* the KMS key of that build, 1 to 255 bytes                   */
};

/* Make a grant. Out: out[0..*n). Fails: E_STATE (the terms are of another service or epoch than the keyring), E_FORMAT (no
 * ARN, a build key that is no key, a keyring that is not complete), E_IO (no randomness), E_MEMORY. */
err grant_seal(uint8_t out[static GRANT_MAX], size_t *n, const struct keyring *k, const struct grant_terms *terms);
/* Read what stands in the clear: the parent's word, until the grant was opened. Fails: E_FORMAT (also an unknown version, named). */
err grant_read(struct grant_terms *out, const void *p, size_t n);
/* Open a grant with the build's own key, and compare: every one of `want` but its build_key, for which `own` stands.
 * The caller still has to compare the keyring with the record's commitment, and the master with the public key it expects.
 * Out: *k, to be dropped; untouched on failure. Fails: E_FORMAT; E_AUTH (for another build key, or altered); E_DENIED (a genuine one,
 * for something else: the words say for what); E_MEMORY. */
err grant_open(struct keyring *k, const void *p, size_t n, const struct build_key *own, const struct grant_terms *want);

/* The object's name at the parent: "grant-", 16 hex digits of SHA-256(build key), "-", 16 of the SHA-256 of the grant. The build
 * that it is for knows the one, and the log's entry says the other. */
void grant_name(char out[static GRANT_NAME], const uint8_t build_key[static BUILD_KEY], const uint8_t grant_sha256[static 32]);

#endif
