/* key_finding.c - the table of findings. */
#include "keystore/key_finding.h"

#include <string.h>

#include "core/err.h"

static const struct key_finding_row rows[KEY_FINDINGS] = {
    [KEY_METADATA_UNREADABLE] = { "metadata-unreadable", KEY_BREAKS,
        "DescribeKey did not say what kind of key this is, so that nothing about its origin is shown." },
    [KEY_MISMATCH] = { "key-mismatch", KEY_BREAKS,
        "What was read is about another key, account or region than the one named." },
    [KEY_MANAGER] = { "key-manager", KEY_BREAKS,
        "The key is not a customer managed key, so that its policy is not the only rule." },
    [KEY_ORIGIN] = { "key-origin", KEY_BREAKS,
        "The key material was not made inside KMS: whoever made it can compute every secret that is derived from it." },
    [KEY_STORE] = { "key-store", KEY_BREAKS,
        "The key lives in a custom or external key store, whose operator can use it without KMS." },
    [KEY_MULTI_REGION] = { "multi-region", KEY_BREAKS,
        "The key is a multi-Region key, or KMS does not say that it is none: a replica has a policy and grants of its own, which nobody here sees." },
    [KEY_USAGE] = { "key-usage", KEY_BREAKS,
        "The key is not for KEY_AGREEMENT, so that no secret can be derived with it as it should." },
    [KEY_SPEC] = { "key-spec", KEY_BREAKS,
        "The key is not on the curve ECC_NIST_P256, the only one on which the derivation is defined." },
    [KEY_STATE] = { "key-state", KEY_AVAILABILITY,
        "The key is not enabled: the service cannot start until it is, and a key that is pending deletion will be lost for ever." },
    [KEY_PUBLIC_KEY] = { "public-key", KEY_BREAKS,
        "GetPublicKey did not give a P-256 key, so that nobody can check whether the holder of this key answered." },
    [KEY_GRANTS_UNREADABLE] = { "grants-unreadable", KEY_BREAKS,
        "ListGrants did not give the whole list: a grant allows use of the key besides the policy and without attestation." },
    [KEY_GRANTS_EXIST] = { "grants-exist", KEY_BREAKS,
        "The key has grants: each allows use of the key besides the policy, and none can be tied to an attested build." },
    [KEY_POLICY_UNREADABLE] = { "policy-unreadable", KEY_BREAKS,
        "GetKeyPolicy did not give the policy (from another account it never does), so that nobody here knows who may use the key." },
    [KEY_POLICY_CHANGED] = { "policy-changed", KEY_BREAKS,
        "Two readings of the policy differ: somebody is changing it." },
    [KEY_POLICY_FORM] = { "policy-form", KEY_BREAKS,
        "The policy is not of the form that is understood here: not JSON, a member twice, or a value of the wrong type." },
    [KEY_POLICY_VERSION] = { "policy-version", KEY_BREAKS,
        "The policy language is not version 2012-10-17; others read the same words in another way." },
    [KEY_POLICY_MEMBER] = { "policy-member", KEY_BREAKS,
        "The policy has a member that is not understood here, and so could allow anything." },
    [KEY_POLICY_NEGATION] = { "policy-negation", KEY_BREAKS,
        "A statement says who or what it is NOT about (NotAction, NotPrincipal, NotResource), and so covers all else." },
    [KEY_POLICY_PRINCIPAL] = { "policy-principal", KEY_BREAKS,
        "A statement is about a principal that is not an AWS account, role or user (a service, a federated identity), which acts for others." },
    [KEY_POLICY_RESOURCE] = { "policy-resource", KEY_BREAKS,
        "A statement is about another resource than this key." },
    [KEY_PRINCIPAL_NAMED] = { "principal-named", KEY_NOTE,
        "A statement names a role or user: if that is deleted, one made again under the same name is another, and nobody can correct the policy." },
    [KEY_ACTION_WILDCARD] = { "action-wildcard", KEY_BREAKS,
        "An allowed action has a wildcard, and so covers actions that manage the key, and ones that do not exist yet." },
    [KEY_ACTION_MANAGES] = { "action-manages", KEY_BREAKS,
        "Somebody may change who can use the key: its policy, its grants, its replicas or its material." },
    [KEY_ACTION_UNKNOWN] = { "action-unknown", KEY_BREAKS,
        "The policy allows an action that is not known here to be harmless." },
    [KEY_ACTION_UNATTESTED] = { "action-unattested", KEY_BREAKS,
        "The key can be used without proof of which build asks." },
    [KEY_ACTION_AVAILABILITY] = { "action-availability", KEY_AVAILABILITY,
        "Somebody may disable, delete or rename the key: the service can be stopped, and lost for ever." },
    [KEY_CONDITION_OPERATOR] = { "condition-operator", KEY_BREAKS,
        "A condition uses another operator than StringEquals or StringEqualsIgnoreCase: some of them hold when there is no attestation, or for more than one value." },
    [KEY_CONDITION_KEY] = { "condition-key", KEY_BREAKS,
        "A condition is about something that is not an enclave measurement, which is not understood here." },
    [KEY_MEASUREMENT_FORM] = { "measurement-form", KEY_BREAKS,
        "A measurement in a condition is not 96 hex digits." },
    [KEY_MEASUREMENT_DEBUG] = { "measurement-debug", KEY_BREAKS,
        "The policy admits a measurement of zeros, which every enclave in debug mode has: whoever starts one can read its memory." },
    [KEY_MEASUREMENT_UNKNOWN] = { "measurement-unknown", KEY_BREAKS,
        "The policy admits a build that is not among the expected ones; that build can derive the same secrets." },
    [KEY_DERIVE_NOT_ALLOWED] = { "derive-not-allowed", KEY_AVAILABILITY,
        "The policy allows no expected build to derive: the service cannot start with this key." },
};

const struct key_finding_row *key_finding_row(enum key_finding f)
{
    MUST(f < KEY_FINDINGS);
    return &rows[f];
}

bool key_finding_parse(enum key_finding *out, const char *id, size_t n)
{
    for (unsigned f = 0; f < KEY_FINDINGS; f++)
        if (strlen(rows[f].id) == n && memcmp(rows[f].id, id, n) == 0) {
            *out = (enum key_finding)f;
            return true;
        }
    return false;
}

const char *key_severity_text(enum key_severity s)
{
    return s == KEY_BREAKS ? "breaks-custody" : s == KEY_AVAILABILITY ? "availability" : "note";
}

uint32_t key_findings_breaking(uint32_t set)
{
    uint32_t out = 0;
    for (unsigned f = 0; f < KEY_FINDINGS; f++)
        if (rows[f].severity == KEY_BREAKS) out |= 1u << f;
    return out & set;
}
