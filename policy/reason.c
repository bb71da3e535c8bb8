#include "policy/reason.h"

static const struct { const char *name, *text; } table[REASONS] = {
    [REASON_NONE]            = { "accepted", "It is accepted." },
    [REASON_FORM]            = { "form", "It breaks the rules of its format. Make it anew with `init`, and sign that." },
    [REASON_UNKNOWN_FORMAT]  = { "unknown-format", "Its format version is unknown to this build. A build that knows it has to judge it." },
    [REASON_OTHER_KIND]      = { "other-kind", "It is a document of another kind than is asked for." },
    [REASON_FIRST_POLICY]    = { "first-policy", "The measured configuration of this build names another first policy, or none ([policy] first)." },
    [REASON_NO_POLICY]       = { "no-policy", "No policy is in force, so nothing is allowed. Set one first." },
    [REASON_OTHER_SERVICE]   = { "other-service", "It is for another service." },
    [REASON_OTHER_NETWORK]   = { "other-network", "It is for another network." },
    [REASON_NOT_YET_VALID]   = { "not-yet-valid", "It is not valid yet. Try again when it is." },
    [REASON_EXPIRED]         = { "expired", "It has expired. Make and sign a new one." },
    [REASON_POLICY_EXPIRED]  = { "policy-expired", "The policy in force has expired. Set a new one first; that is still possible." },
    [REASON_OTHER_POLICY]    = { "other-policy", "It was made for another policy than the one in force. Make and sign it for that one." },
    [REASON_OLD_VERSION]     = { "old-version", "Its version is not newer than the one in force." },
    [REASON_SKIPPED_VERSION] = { "skipped-version", "It skips a version. Policies follow one another without a gap: submit the missing ones first." },
    [REASON_OTHER_PREVIOUS]  = { "other-previous", "It follows another policy than the one in force." },
    [REASON_REVOKED_KEY]     = { "revoked-key", "It brings back a key that the policy in force has revoked." },
    [REASON_REVOKED_RELEASE] = { "revoked-release", "The policy in force has revoked it." },
    [REASON_LOWER_SEQUENCE]  = { "lower-sequence", "Its sequence is not higher than that of the release before. Old builds do not come back." },
    [REASON_OLD_STATE]       = { "old-state", "The service's state is older than it allows. Bring the state up to date first." },
    [REASON_VETOED]          = { "vetoed", "It has been vetoed. A veto is for good: make another release." },
    [REASON_NOT_THE_RELEASE] = { "not-the-release", "It is a veto of another release." },
    [REASON_PERMIT_USED]     = { "permit-used", "It has been used. A permit allows one rollback." },
    [REASON_OTHER_STATE]     = { "other-state", "It allows to go back to another state than the one that is there." },
    [REASON_NO_EMERGENCY]    = { "no-emergency", "It is an emergency release, and the policy in force knows no such way." },
    [REASON_QUORUM]          = { "quorum", "Too few of the keys have signed these exact bytes." },
    [REASON_QUORUM_NEW]      = { "quorum-new", "Too few keys of the new policy have signed it. It needs the threshold of the old and of the new." },
    [REASON_NOT_AUTHORISED]  = { "not-authorised", "There are no keys that could authorise a genesis." },
    [REASON_PENDING]         = { "pending", "It is agreed, and waits for its delay to pass; a veto can still stop it." },
};

const char *reason_name(enum reason r) { return r < REASONS ? table[r].name : "unknown"; }
const char *reason_text(enum reason r) { return r < REASONS ? table[r].text : "Unknown."; }
