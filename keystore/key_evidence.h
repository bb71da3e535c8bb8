/* key_evidence.h - what KMS says about a key, kept word for word, and judged.
 *
 * The role fetch gathers it and keeper attests to the hash of its bytes (docs/wire.md, "Key
 * evidence"), so that anyone can read later what an enclave saw, and judge it anew:
 * `holdfast key check` does not believe the findings in a file, it makes its own.
 * Pure, with jansson.
 *
 * What it proves: that at `checked_at` no AWS principal could use the key but the builds named,
 * nor change that. What it cannot: that nobody used the key before it was locked (take a block
 * hash that is younger than the lock), and what AWS itself, or its support, may do. */
#ifndef KEYSTORE_KEY_EVIDENCE_H
#define KEYSTORE_KEY_EVIDENCE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/hash.h"
#include "keystore/arn.h"
#include "keystore/key_policy.h"

enum {
    KEY_GRANT_PAGES = 4, KEY_READINGS = 2,
    KEY_P256_SPKI = 91,
    KEY_EVIDENCE_MAX = 512 << 10,    /* the whole as JSON                              */
    KEY_EVIDENCE_USER_DATA = 36      /* what a document's user_data says about it       */
};

/* One answer of KMS. Body borrowed; kept only when the status is 200, as an error's names the caller. */
struct key_document { int status; char error[64], request_id[64]; struct bytes body; };
struct key_evidence {
    char arn[ARN_MAX];
    int64_t checked_at;              /* unix seconds, by the asker's clock              */
    struct key_builds builds;        /* the expected ones, by which it was judged       */
    struct key_document describe, public_key, grants[KEY_GRANT_PAGES], policy[KEY_READINGS];
    unsigned grant_count;            /* pages asked for; the last must say that it is   */
    unsigned policy_count;           /* 1: read twice, and the same                     */
};

/* Judge all of it. Cannot fail (see key_policy_judge()). Out: *out; spki and *has_key: the key's own
 * public key, if it has the form of one on P-256 (not checked: whether the point is on the curve). */
void key_evidence_judge(struct key_report *out, uint8_t spki[static KEY_P256_SPKI], bool *has_key, const struct key_evidence *e);

/* As JSON, ASCII on one line. Out: *out, for free(). Fails: E_LIMIT (longer than KEY_EVIDENCE_MAX), E_MEMORY. */
err  key_evidence_write(char **out, size_t *n, const struct key_evidence *e, const struct key_report *r);

/* What user_data of an attestation document is that vouches for this text: "HFE1", SHA-256. */
void key_evidence_user_data(uint8_t out[static KEY_EVIDENCE_USER_DATA], const void *text, size_t n);

/* Read a file: evidence as above; what GET /key-evidence answers, which has it inside; or the AWS
 * CLI's own answers, put together as `holdfast key create` says ({"key": ARN, "documents": {…}} with each
 * answer an object instead of a text). Out: *out, to be dropped. Fails: E_FORMAT, E_LIMIT, E_MEMORY. */
struct key_file {
    struct key_evidence evidence;
    void *json;                      /* what `evidence` borrows from                    */
    char *texts[2 + KEY_GRANT_PAGES + KEY_READINGS];
    char *signed_text;               /* the bytes that are attested, or NULL            */
    char *document;                  /* base64 of the attestation document, or NULL     */
};
err  key_file_read(struct key_file *out, const char *text, size_t n);
void key_file_drop(struct key_file *f);
#define KEY_FILE __attribute__((cleanup(key_file_drop))) struct key_file

#endif
