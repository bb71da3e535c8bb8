/* key_finding.h - what can be wrong with a KMS key, by name.
 *
 * Each finding has a bit that never changes its meaning: a genesis document records as
 * a number which findings its setup accepted (docs/wire.md, "Findings about a key").
 * Pure; linked by all three programs. */
#ifndef KEYSTORE_KEY_FINDING_H
#define KEYSTORE_KEY_FINDING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_finding {
    /* DescribeKey and GetPublicKey */
    KEY_METADATA_UNREADABLE, KEY_MISMATCH, KEY_MANAGER, KEY_ORIGIN, KEY_STORE, KEY_MULTI_REGION, KEY_USAGE, KEY_SPEC,
    KEY_STATE, KEY_PUBLIC_KEY,
    /* ListGrants */
    KEY_GRANTS_UNREADABLE, KEY_GRANTS_EXIST,
    /* GetKeyPolicy */
    KEY_POLICY_UNREADABLE, KEY_POLICY_CHANGED, KEY_POLICY_FORM, KEY_POLICY_VERSION, KEY_POLICY_MEMBER, KEY_POLICY_NEGATION,
    KEY_POLICY_PRINCIPAL, KEY_POLICY_RESOURCE, KEY_PRINCIPAL_NAMED,
    KEY_ACTION_WILDCARD, KEY_ACTION_MANAGES, KEY_ACTION_UNKNOWN, KEY_ACTION_UNATTESTED, KEY_ACTION_AVAILABILITY,
    KEY_CONDITION_OPERATOR, KEY_CONDITION_KEY,
    KEY_MEASUREMENT_FORM, KEY_MEASUREMENT_DEBUG, KEY_MEASUREMENT_UNKNOWN, KEY_DERIVE_NOT_ALLOWED,
    KEY_FINDINGS
};
_Static_assert(KEY_FINDINGS <= 32, "a finding is a bit of a u32");

enum key_severity {
    KEY_NOTE,            /* worth knowing                                              */
    KEY_AVAILABILITY,    /* somebody can stop the service, or it cannot work           */
    KEY_BREAKS           /* somebody may get, or already have, what the key protects; or nobody can tell */
};

struct key_finding_row {
    const char *id;                  /* short and stable, [a-z-]                       */
    enum key_severity severity;
    const char *explanation;         /* one sentence, without quotes or backslashes    */
};
/* The row of a finding; f must be below KEY_FINDINGS. */
const struct key_finding_row *key_finding_row(enum key_finding f);
/* Find by id. False when there is none. */
bool key_finding_parse(enum key_finding *out, const char *id, size_t n);
const char *key_severity_text(enum key_severity s);
/* Those of a set that break custody. */
uint32_t key_findings_breaking(uint32_t set);

#endif
