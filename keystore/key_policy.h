/* key_policy.h - who may use a KMS key, read from its policy as strictly as it must be.
 *
 * A policy is judged by what it might allow, not by what its author meant: whatever is not
 * understood here is a finding. Deny statements can only remove, so they must have the
 * right form and are not weighed. Pure, with jansson: runs in fetch and in `holdfast key`.
 *
 * Source: AWS KMS Developer Guide, "Key policies", "Condition keys for AWS Nitro
 * Enclaves"; IAM User Guide, "JSON policy elements" and "Condition operators". */
#ifndef KEYSTORE_KEY_POLICY_H
#define KEYSTORE_KEY_POLICY_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "keystore/key_finding.h"

enum { KEY_WHERE = 160, KEY_FOUND_MAX = 64, KEY_PCR = 48, KEY_PCR0_MAX = 8 };

/* What was found. `set` has a bit for every finding; `found` the first KEY_FOUND_MAX, each with its place. */
struct key_found { enum key_finding finding; char where[KEY_WHERE]; };    /* where: printable ASCII */
struct key_report { uint32_t set; unsigned count; struct key_found found[KEY_FOUND_MAX]; };
void key_report_add(struct key_report *r, enum key_finding f, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The builds that may use the key: values of PCR0. With none, every build is a strange one. */
struct key_builds { size_t count; uint8_t pcr0[KEY_PCR0_MAX][KEY_PCR]; };

/* Judge the policy document text[0..n) of key `arn`, adding to *out. Cannot fail: what cannot be
 * read, for whatever reason, is a finding that breaks custody. */
void key_policy_judge(struct key_report *out, const char *text, size_t n, const char *arn, const struct key_builds *builds);

/* The policy of a key that is born locked, as one line of JSON: for everyone who can prove one of these
 * builds DeriveSharedSecret, for everyone the calls that only read, nothing for anyone else, for ever. `accounts`:
 * twelve-digit account ids, or none for any account (then each account's own IAM policies decide
 * who in it may ask). Out: out[0..*n), NUL-terminated.
 * Fails: E_FORMAT (no build, a build of zeros, an account that is not twelve digits), E_LIMIT. */
err  key_policy_write(char *out, size_t cap, size_t *n, const struct key_builds *builds,
                      const char *const *accounts, size_t account_count);

#endif
