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

struct kms_key {
    struct arn arn;
    uint8_t d[P256_SCALAR], spki[P256_SPKI];
    char usage[24], spec[24], origin[24], state[24], description[128];
    int64_t created;
    json_t *policy;
};
void kms_key_drop(struct kms_key *k);
/* Fill in a key: random private key unless `d`, random id. `policy` is referenced. Fails: E_FORMAT, E_IO. */
err  kms_key_make(struct kms_key *out, const char *region, const char *account, const char *origin, const uint8_t *d, json_t *policy);
/* Write DIR/keys/ID.json, mode 0600. */
err  kms_key_save(const struct kms_key *k, const char *dir);
/* Find by key ARN or key id, as KeyId takes them (no alias is ever there).
 * Fails: E_ABSENT (none of that name, or not the name of a key), E_FORMAT (its file is not a key's), E_IO. */
err  kms_key_load(struct kms_key *out, const char *dir, const char *key_id);
/* Each region a key of DIR is in. */
err  kms_key_regions(json_t **out, const char *dir);

/* ---- policies (kms_policy.c) --------------------------------------------- */

/* Parse and check: every member and operator must be one that policy_allows() understands,
 * so that nothing in a policy is passed over in silence. Fails: E_FORMAT. */
err policy_parse(json_t **out, const char *text, size_t n);
err policy_check(const json_t *policy);
/* The default of --pcr0: DeriveSharedSecret for that PCR0 (hex), DescribeKey and GetPublicKey for anyone. */
err policy_for_pcr0(json_t **out, const char *pcr0);
/* Some Allow statement matches and no Deny does. `context` maps lower-case condition keys to strings. */
enum policy_verdict { POLICY_SILENT, POLICY_ALLOWS, POLICY_DENIES };
enum policy_verdict policy_judge(const json_t *policy, const char *action, const char *arn, const json_t *context);

/* ---- TLS (kms_tls.c) ----------------------------------------------------- */

/* Open the development CA of DIR (ca.key, ca.pem), made when neither is there.
 * Out: a fresh server key and chain (PEM, the caller's to free) for KMS in every region
 * known, those of `regions`, localhost and 127.0.0.1. Both NULL: only open the CA.
 * Fails: E_ABSENT (half of it is there), E_FORMAT, E_IO. */
err tls_open(char **key_pem, char **chain_pem, const char *dir, const json_t *regions);

/* ---- the envelope (kms_cms.c) -------------------------------------------- */

enum { CMS_MAX = 6144, CMS_PLAIN_MAX = 4096 };
/* CiphertextForRecipient: CMS EnvelopedData in the shape of AWS's (BER, indefinite lengths),
 * for the RSA key whose SPKI this is. `constructed`: the content in one piece inside
 * [0], else [0] itself; AWS sends both. Fails: E_FORMAT (not an RSA key of 2048, 3072, 4096 bits), E_LIMIT. */
err cms_seal(uint8_t out[static CMS_MAX], size_t *len, struct bytes spki, const void *plain, size_t n, bool constructed);

/* ---- a call -------------------------------------------------------------- */

struct kms_server {
    const char *dir;
    void *root;
    size_t root_len;                             /* DER of the NSM's root */
    bool constructed;
};
struct kms_call {
    const struct kms_server *server;
    const struct serve_request *http;
    int64_t now;
    const char *error;                           /* __type, a literal; NULL: no refusal */
    char message[512];
    char region[32];                             /* of the signature's scope */
    json_t *in, *out;                            /* bodies */
    struct kms_key key;
    uint8_t document[ATTEST_MAX];                /* Recipient's, and what borrows from it */
    struct attest_doc attested;
    bool has_recipient;
};
/* Refuse: keep the error's name and message for the answer. Always returns E_DENIED. */
err kms_refuse(struct kms_call *c, const char *error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Signature, scope, date, credentials (kms_auth.c): c->region on OK, else a refusal. */
err kms_authenticate(struct kms_call *c);
/* serve_handler over a struct kms_server (kms_ops.c). */
void kms_handle(void *self, struct serve_answer *out, const struct serve_request *q);

#endif
