/* announce.h - how a new build asks for the keyring of a service: an attestation document
 * that carries its build key (docs/wire/grant.md).
 *
 * public_key of the document is the build key, user_data says for which service, with which KMS key, and which master
 * public key the build will accept. All of it fits, so nothing goes beside the document. Pure; public data only. */
#ifndef KEYSTORE_ANNOUNCE_H
#define KEYSTORE_ANNOUNCE_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "keystore/arn.h"
#include "keystore/attest.h"

enum {
    ANNOUNCE_VERSION = 1, ANNOUNCE_KEY = 32, ANNOUNCE_PUBLIC = 33,
    ANNOUNCE_USER_DATA = 12 + 32 + ANNOUNCE_PUBLIC + 4 + ARN_MAX - 1
};

struct announcement {
    uint8_t  build_key[ANNOUNCE_KEY];       /* X25519; the document's public_key                                   */
    uint32_t findings;                      /* about its KMS key, by bit (keystore/key_finding.h): those that break custody */
    uint8_t  service_id[32];
    uint8_t  public_key[ANNOUNCE_PUBLIC];   /* the service's master: the build ends if another one comes out       */
    char     arn[ARN_MAX];                  /* its KMS key, no multi-Region one                                    */
};

/* Why an announcement is refused, in the order of the checks. */
enum announce_reason {
    ANNOUNCE_GOOD,
    ANNOUNCE_FORM,              /* the document announces nothing                       */
    ANNOUNCE_UNKNOWN_VERSION,
    ANNOUNCE_DEBUG,             /* PCR0 absent or zero                                  */
    ANNOUNCE_OTHER_PCR0, ANNOUNCE_OTHER_PCR1, ANNOUNCE_OTHER_PCR2, ANNOUNCE_OTHER_PCR8,
    ANNOUNCE_OTHER_SERVICE,
    ANNOUNCE_BOUND,             /* PCR16 ties that boot to something else               */
    ANNOUNCE_OTHER_MASTER,      /* it expects another master public key                 */
    ANNOUNCE_FINDINGS,          /* others may use its KMS key, and the service never accepted that */
    ANNOUNCE_EARLY, ANNOUNCE_LATE,   /* attested outside the release's validity         */
    ANNOUNCE_REASONS
};
/* A short name for programs, and a sentence for people. Never NULL. */
const char *announce_reason_name(enum announce_reason r);
const char *announce_reason_text(enum announce_reason r);

/* The user_data of an announcement. Out: out[0..*n). Fails: E_FORMAT (no ARN, or a multi-Region key's). */
err announce_write(uint8_t out[static ANNOUNCE_USER_DATA], size_t *n, const struct announcement *a);
/* Read a document that announces. Out: *out; *why on failure. Fails: E_FORMAT. */
err announce_read(struct announcement *out, enum announce_reason *why, const struct attest_doc *d);

/* What an announcement has to agree with. Pointers are borrowed. */
struct announce_want {
    const uint8_t *service_id;              /* 32 */
    const uint8_t *public_key;              /* ANNOUNCE_PUBLIC, the service's master */
    const uint8_t *service_pcr;             /* ATTEST_PCR: what PCR16 has to be, once it is locked */
    const uint8_t *pcr[3], *pcr8;           /* of the release; pcr8 NULL: it says nothing of it */
    uint64_t       not_before, expires;     /* of the release, unix seconds, both included */
    uint32_t       accepted;                /* findings that the service accepted for its own key */
};
/* Does a document that attest_verify() has accepted announce the build of this release? Whether it is fresh is
 * attest_verify()'s to say, by nonce or age; here it must have been attested while the release was valid.
 * Out: *out; *why. Fails: E_FORMAT, E_DENIED. */
err announce_check(struct announcement *out, enum announce_reason *why, const struct attest_doc *d, const struct announce_want *want);

#endif
