/* kms.h - the simulated Key Management Service: keys, policies, callers, envelopes, calls.
 *
 * It decides as AWS does, so that a client that pleases it pleases AWS; it protects nothing:
 * private keys lie in plain files. Everything is read again for each call, so that a
 * test may change a key, a policy or the credentials while it runs. */
#ifndef SIM_KMS_H
#define SIM_KMS_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "keystore/arn.h"
#include "keystore/attest.h"
#include "sim/serve.h"

void free_json(json_t **j);
#define JSON __attribute__((cleanup(free_json))) json_t *

/* ---- P-256 (kms_ec.c) ---------------------------------------------------- */

enum { P256_SCALAR = 32, P256_SPKI = 91 };
/* The public key d*G as DER SubjectPublicKeyInfo. Fails: E_FORMAT (d is 0 or not below the order). */
err p256_public(uint8_t spki[static P256_SPKI], const uint8_t d[static P256_SCALAR]);
/* x of d*peer, the raw ECDH secret. `peer` is an SPKI of exactly the form p256_public() makes.
 * Fails: E_FORMAT (another form, a point off the curve). */
err p256_shared(uint8_t z[static P256_SCALAR], const uint8_t d[static P256_SCALAR], const void *peer, size_t n);

/* ---- keys (kms_key.c) ---------------------------------------------------- */

enum { KMS_WORD = 24, KMS_DESCRIPTION = 8193 };

struct kms_key {
    struct arn arn;
    uint8_t d[P256_SCALAR];                      /* a scalar of P-256, or for SYMMETRIC_DEFAULT a key of AES-256 */
    uint8_t spki[P256_SPKI];                     /* of ECC_NIST_P256 only */
    char usage[KMS_WORD], spec[KMS_WORD], origin[KMS_WORD], state[KMS_WORD], description[KMS_DESCRIPTION];
    int64_t created;
    json_t *policy;
    json_t *grants;                              /* array, as ListGrants shows them, oldest first */
    json_t *metadata;                            /* members that DescribeKey says instead, or NULL: a test's lies */
};
struct kms_key_wish {
    const char *region, *account, *origin, *usage, *spec;
    const uint8_t *d;                            /* NULL: random */
    json_t *policy;                              /* referenced */
};
void kms_key_drop(struct kms_key *k);
/* Fill in an enabled key with a random id. Fails: E_FORMAT, E_IO. */
err  kms_key_make(struct kms_key *out, const struct kms_key_wish *w);
bool kms_key_symmetric(const struct kms_key *k);
/* Write DIR/keys/ID.json, mode 0600. */
err  kms_key_save(const struct kms_key *k, const char *dir);
/* Find by key ARN or key id, as KeyId takes them (no alias is ever there).
 * Fails: E_ABSENT (none of that name, or not the name of a key), E_FORMAT (its file is not a key's), E_IO. */
err  kms_key_load(struct kms_key *out, const char *dir, const char *key_id);
/* Each region a key of DIR is in. */
err  kms_key_regions(json_t **out, const char *dir);
/* The partition of a region: aws, aws-cn, aws-us-gov. */
const char *kms_partition(const char *region);

/* ---- ciphertexts (kms_blob.c) -------------------------------------------- */

enum { BLOB_MAX = 6144, BLOB_ID = 36, BLOB_PLAIN_MAX = 4096 };
/* AES-256-GCM under a symmetric key; the encryption context (an object, NULL: empty) is authenticated. Fails: E_LIMIT. */
err blob_seal(uint8_t out[static BLOB_MAX], size_t *len, const struct kms_key *k, const json_t *context, const void *plain, size_t n);
/* The id of the key that made it. Fails: E_FORMAT (nothing that blob_seal() made). */
err blob_key_id(char id[static BLOB_ID + 1], const uint8_t *blob, size_t n);
/* Fails: E_AUTH (altered, another key or context), E_FORMAT. */
err blob_open(uint8_t out[static BLOB_PLAIN_MAX], size_t *len, const struct kms_key *k, const json_t *context, const uint8_t *blob, size_t n);

/* ---- policies (kms_policy.c) --------------------------------------------- */

/* Parse and check: every member and operator must be one that policy_allows() understands,
 * so that nothing in a policy is passed over in silence. Fails: E_FORMAT. */
err policy_parse(json_t **out, const char *text, size_t n);
err policy_check(const json_t *policy);
/* The default of --pcr0: DeriveSharedSecret for that PCR0 (hex), the calls that only read for anyone. */
err policy_for_pcr0(json_t **out, const char *pcr0);
/* Some Allow statement matches and no Deny does. `context` maps lower-case condition keys to strings. */
enum policy_verdict { POLICY_SILENT, POLICY_ALLOWS, POLICY_DENIES };
enum policy_verdict policy_judge(const json_t *policy, const char *action, const char *arn, const json_t *context);

/* ---- TLS (kms_tls.c) ----------------------------------------------------- */

/* Open the development CA of DIR (ca.key, ca.pem), made when neither is there.
 * Out: a fresh server key and chain (PEM, the caller's to free) for KMS in every region
 * known, those of `regions`, localhost and 127.0.0.1. Both NULL: only open the CA.
 * `stranger`: signed by a CA that nobody has pinned.
 * Fails: E_ABSENT (half of it is there), E_FORMAT, E_IO. */
err tls_open(char **key_pem, char **chain_pem, const char *dir, const json_t *regions, bool stranger);

/* ---- the envelope (kms_cms.c) -------------------------------------------- */

enum { CMS_MAX = 6144, CMS_PLAIN_MAX = 4096 };
/* How BER writes the same thing; AWS is known to send the first two. */
enum cms_shape {
    CMS_CONSTRUCTED,                             /* indefinite lengths; the content one string inside [0] */
    CMS_PRIMITIVE,                               /* indefinite lengths; the content is [0] itself */
    CMS_PIECES,                                  /* indefinite lengths; several strings inside [0] */
    CMS_DEFINITE,                                /* definite lengths; one string inside [0] */
    CMS_DEFINITE_PIECES,
    CMS_DER,                                     /* definite lengths; [0] itself */
    CMS_SHAPES
};
/* By its name on the command line: constructed, primitive, pieces, ... Fails: E_FORMAT. */
err cms_shape_parse(enum cms_shape *out, const char *name);
/* CiphertextForRecipient: CMS EnvelopedData for the RSA key whose SPKI this is.
 * Fails: E_FORMAT (not an RSA key of 2048, 3072, 4096 bits), E_LIMIT. */
err cms_seal(uint8_t out[static CMS_MAX], size_t *len, struct bytes spki, const void *plain, size_t n, enum cms_shape shape);

/* ---- misbehaviour (kms_misbehave.c) -------------------------------------- */

enum misbehaviour {
    BEHAVES, THROTTLE, ERROR500, WRONG_KEY_ID, EXTERNAL_ORIGIN, OTHER_RECIPIENT, TRUNCATED, SLOW, REPLAY,
    PLAINTEXT, PLAINTEXT_ONLY, SHORT_SECRET, LONG_SECRET, GARBAGE, WRONG_CA
};
/* Put KIND[:COUNT][@CALL] into DIR/misbehave. Fails: E_FORMAT (no such kind, a count that is none), E_IO. */
err misbehave_set(const char *dir, const char *text);
/* What DIR/misbehave says. Fails: E_FORMAT, E_IO. */
err misbehave_read(enum misbehaviour *out, const char *dir);
/* What it says for this call (`secret`: one that may have a Recipient), and count it. Fails: as above. */
err misbehave_take(enum misbehaviour *out, const char *dir, const char *call, bool secret);

/* ---- a call (kms_call.h has its parts) ----------------------------------- */

struct kms_server {
    const char *dir;
    const char *account;                         /* of keys that CreateKey makes */
    void *root;
    size_t root_len;                             /* DER of the NSM's root */
    enum cms_shape shape;
    json_t *last;                                /* body of the last good answer to each call: for REPLAY */
};
struct kms_call;
/* serve_handler over a struct kms_server (kms_ops.c). */
void kms_handle(void *self, struct serve_answer *out, const struct serve_request *q);

#endif
