/* kms.h - asking AWS KMS, from the role that may talk to the world and knows nothing.
 *
 * Holds session credentials, no key material: answers are envelopes for the
 * keeper's recipient key, and are passed on unopened. One call here is ONE attempt. A
 * new attempt needs a fresh attestation document, which only the keeper can get, so
 * the keeper drives the loop: while `retryable`, wait kms_backoff_ms(), ask again.
 *
 * Source: AWS KMS API Reference (DeriveSharedSecret, DescribeKey, GetPublicKey, Common
 * Errors). POST / of JSON 1.1 with X-Amz-Target, signed with SigV4. */
#ifndef KEYSTORE_KMS_H
#define KEYSTORE_KMS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/hash.h"
#include "keystore/arn.h"
#include "keystore/creds.h"
#include "keystore/http.h"

enum {
    KMS_CMS_MAX = 6144,              /* CiphertextForRecipient                       */
    KMS_SPKI_MAX = 1024,             /* GetPublicKey's PublicKey, of any key we could use */
    KMS_ATTESTATION_MAX = 16384,     /* our bound; KMS takes 262144                  */
    KMS_ATTEMPTS = 5                 /* how often a keeper should ask                */
};

struct kms_config {
    const char *key_arn;             /* full key ARN                                 */
    const char *endpoint_host;       /* NULL or "": from the ARN                     */
    uint16_t endpoint_port;          /* 0: 443                                       */
    bool fips;                       /* kms-fips.… when the host follows from the ARN */
    const char *ca_path;             /* PEM bundle, read by kms_open(); or else:     */
    const void *ca_pem;              /* the bundle itself, copied                    */
    size_t ca_pem_len;
    struct creds_source creds;       /* all zero: IMDS at its own address            */
    unsigned timeout_ms;             /* one HTTP exchange; 0: 10 s                   */
};

struct kms;
/* Once in the process, before the sandbox closes: libcurl, OpenSSL, jansson and the
 * hash functions do here whatever they only do once (daemon/calls.c lists what is left).
 * Fails: E_IO, E_MEMORY. */
err  kms_warm_up(void);
/* Open for one key. Strings are copied. Inside a sandbox give ca_pem: ca_path is read here.
 * `dial` is called with the endpoint's or the credential source's host and port.
 * Fails: E_FORMAT (ARN, no CA), E_IO (ca_path), E_LIMIT, E_MEMORY. */
err  kms_open(struct kms **out, const struct kms_config *c, http_dial dial, void *self);
void kms_close(struct kms **k);
#define KMS __attribute__((cleanup(kms_close))) struct kms *
const struct arn *kms_arn(const struct kms *k);

/* How an attempt ended; filled on success and on failure. All text is printable ASCII. */
struct kms_outcome {
    int  http_status;                /* 0: no answer came                            */
    char request_id[64];             /* x-amzn-RequestId: for the log and AWS support */
    char error_type[64];             /* "AccessDeniedException", or "" when KMS did not say */
    char message[256];               /* KMS's words, cut                             */
    bool retryable;                  /* another attempt may succeed                  */
};
struct kms_answer {
    struct kms_outcome how;
    size_t cms_len;
    char key_id[ARN_MAX];            /* equals the configured ARN when OK            */
    char key_origin[24];             /* "AWS_KMS", "EXTERNAL"; the keeper decides    */
    uint8_t cms[KMS_CMS_MAX];        /* CiphertextForRecipient: BER, unchecked       */
};

/* DeriveSharedSecret(ECDH, peer) with Recipient = the attestation document. An answer with
 * a plaintext SharedSecret, without an envelope, or for another key is refused.
 * Fails: E_DENIED (AccessDenied, signature, credentials), E_ABSENT (no such key), E_STATE (key disabled or
 *        in the wrong state, clock), E_FORMAT (ValidationException; an answer that is not what it must be),
 *        E_TIMEOUT (throttled, slow), E_CLOSED (KMS failed, 5xx, no JSON), and as http_call(). */
err kms_derive_shared_secret(struct kms *k, struct kms_answer *out, const uint8_t *peer_spki, size_t peer_len,
                             const uint8_t *attestation, size_t attestation_len);

/* DescribeKey: what is said about the key, word for word ("" when absent). Fails: as above. */
struct kms_key {
    char arn[ARN_MAX], key_manager[16], key_spec[32], key_usage[24], key_state[24], origin[24];
    char custom_key_store_id[64];
    bool enabled, multi_region;
};
err kms_describe_key(struct kms *k, struct kms_outcome *how, struct kms_key *out);
/* GetPublicKey: the key's own SPKI. Out: spki[0..*len). Fails: as above. */
err kms_get_public_key(struct kms *k, struct kms_outcome *how, uint8_t spki[static KMS_SPKI_MAX], size_t *len);

/* Any call about the key, for its answer word for word. `more`: JSON members after KeyId, each with a comma before
 * it, or "". Out: *body, borrowed until the next call. Fails: as above, but for what only a reader could find. */
err kms_ask(struct kms *k, struct kms_outcome *how, const char *operation, const char *more, struct bytes *body);

/* How long to wait before attempt `attempt` (1 = the first retry): full jitter, that is uniform in
 * 0 … min(5 s, 100 ms · 2^attempt); `random` is any 32 random bits. */
unsigned kms_backoff_ms(unsigned attempt, uint32_t random);

/* --- pure parts, public for tests and fuzzing --- */

/* Judge a whole answer: status, error body, and for status 200 nothing more. */
err kms_outcome_parse(struct kms_outcome *out, const struct http_answer *a);
/* The members of a 200 answer to DeriveSharedSecret. Fails: E_FORMAT, E_LIMIT. */
err kms_answer_parse(struct kms_answer *out, const char *json, size_t n, const char *key_arn);
err kms_describe_parse(struct kms_key *out, const char *json, size_t n, const char *key_arn);
err kms_public_key_parse(uint8_t spki[static KMS_SPKI_MAX], size_t *len, const char *json, size_t n, const char *key_arn);
/* Retryable, and the err code, by KMS's error name alone ("" : by status). */
err kms_classify(bool *retryable, const char *error_type, int http_status);

#endif
