/* profile.c - the names of the derivation profiles. */
#include "keystore/profile.h"
#include <string.h>

static const char *const names[PROFILES] = {
    [PROFILE_REPRODUCIBLE_KEY]      = "reproducible-key",
    [PROFILE_CONFIDENTIAL_SCRIPT_1] = "confidential-script-1",
    [PROFILE_CONFIDENTIAL_SCRIPT_2] = "confidential-script-2",
    [PROFILE_HOLDFAST_1]            = "holdfast-1",
};

const char *profile_text(enum profile p)
{
    return (unsigned)p < PROFILES ? names[p] : "?";
}

const char *profile_block_order(enum profile p)
{
    static const char *const order[PROFILES] = { "none", "display", "internal", "internal" };
    return (unsigned)p < PROFILES ? order[p] : "?";
}

err profile_from_text(enum profile *out, const char *text)
{
    for (unsigned i = 0; i < PROFILES; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *out = (enum profile)i;
        return OK;
    }
    FAIL(E_FORMAT, "no derivation profile has this name");
}
