/* arn.h - the name of the one KMS key this build may ask, and where it lives.
 *
 *   arn:PARTITION:kms:REGION:ACCOUNT:key/KEY-ID
 *
 * The key's ARN is pinned in the measured configuration; the region and the host
 * to talk to follow from it and from nothing else. An alias is refused: whoever may
 * move an alias would choose the key. Pure; linked by all programs. */
#ifndef KEYSTORE_ARN_H
#define KEYSTORE_ARN_H
#include <stdbool.h>
#include <stddef.h>
#include "core/err.h"

enum { ARN_MAX = 160, ARN_HOST_MAX = 128 };      /* both with the NUL */

struct arn {
    char text[ARN_MAX];          /* as given; what an answer's KeyId must equal             */
    char partition[16];          /* aws, aws-us-gov, aws-cn, aws-iso…, aws-eusc             */
    char region[32];             /* eu-central-1                                            */
    char account[13];            /* twelve digits                                           */
    char key_id[40];             /* a lower-case UUID, or mrk- and 32 hex digits            */
    bool multi_region;           /* mrk-: replicas have policies of their own (AWS KMS, "Multi-Region keys") */
};

/* Parse text[0..n). A multi-Region key is parsed and marked; whether to accept it is
 * the caller's decision. Fails: E_FORMAT (not of the form above, an alias, an
 * unknown partition), E_LIMIT (longer than ARN_MAX). */
err arn_parse(struct arn *out, const char *text, size_t n);
/* The host of KMS for this key: kms.REGION.SUFFIX, or kms-fips.REGION.SUFFIX.
 * Out: host, NUL-terminated. Fails: E_STATE (the partition has no FIPS endpoints). */
err arn_endpoint(char host[static ARN_HOST_MAX], const struct arn *a, bool fips);

#endif
