/* profile.h - the ways a master key can follow from (KMS key, block hash).
 *
 * The same KMS key and the same block hash give a DIFFERENT master in each
 * profile, so the profile is always named: in the configuration, in the service
 * record and in what clients are shown. The first three reproduce earlier
 * systems bit for bit, so that their users keep their addresses. */
#ifndef KEYSTORE_PROFILE_H
#define KEYSTORE_PROFILE_H
#include "core/err.h"

enum profile {
    PROFILE_REPRODUCIBLE_KEY,       /* "reproducible-key":      no block hash in the point; the shared secret is the key */
    PROFILE_CONFIDENTIAL_SCRIPT_1,  /* "confidential-script-1": block hash in display order; the shared secret is the key */
    PROFILE_CONFIDENTIAL_SCRIPT_2,  /* "confidential-script-2": block hash in internal order; HKDF (the default)         */
    PROFILE_HOLDFAST_1,             /* "holdfast-1": named, not available: every use is E_STATE                          */
    PROFILES
};

/* The profile's name, as configuration and records spell it. Never NULL; "?" outside the enum. */
const char *profile_text(enum profile p);
/* Fails: E_FORMAT (no such name), E_STATE (a name of a profile that is not available). */
err profile_from_text(enum profile *out, const char *text);

#endif
