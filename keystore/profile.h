/* profile.h - the ways a master key can follow from (KMS key, block hash).
 *
 * The same KMS key and the same block hash give a DIFFERENT master in each
 * profile, so the profile is always named: in the configuration, in the service
 * record and in what clients are shown. The first three reproduce earlier
 * systems bit for bit, so that their users keep their addresses. Block hashes are
 * given to all of them as explorers display them; which order is hashed is the profile's. */
#ifndef KEYSTORE_PROFILE_H
#define KEYSTORE_PROFILE_H
#include "core/err.h"

enum profile {
    PROFILE_REPRODUCIBLE_KEY,       /* "reproducible-key":      no block hash in the point; the shared secret is the key */
    PROFILE_CONFIDENTIAL_SCRIPT_1,  /* "confidential-script-1": block hash in display order; the shared secret is the key */
    PROFILE_CONFIDENTIAL_SCRIPT_2,  /* "confidential-script-2": block hash in internal order; HKDF (the default)         */
    PROFILE_HOLDFAST_1,             /* "holdfast-1": internal order; HKDF over the ARN, block hash, epoch and policy too  */
    PROFILES
};

/* The profile's name, as configuration and records spell it. Never NULL; "?" outside the enum. */
const char *profile_text(enum profile p);
/* Which order of the block hash the profile hashes: "none", "display" or "internal". */
const char *profile_block_order(enum profile p);
/* Fails: E_FORMAT (no such name). */
err profile_from_text(enum profile *out, const char *text);

#endif
