/* kms_call.h - one call of the simulated KMS: its state, and the steps that operations share.
 *
 * An operation reads c->in, fills c->out, and ends with OK or a refusal, which keeps
 * the error's name and text for the answer. Errors without a refusal become KMSInternalException, status 500. */
#ifndef SIM_KMS_CALL_H
#define SIM_KMS_CALL_H
#include "sim/kms.h"

struct kms_call {
    struct kms_server *server;
    const struct serve_request *http;
    const char *name;                            /* of the operation */
    int64_t now;
    const char *error;                           /* __type, a literal; NULL: no refusal */
    char message[512];
    char region[32];                             /* of the signature's scope */
    json_t *in, *out;                            /* bodies */
    bool empty;                                  /* the answer has no body at all */
    struct kms_key key;
    uint8_t document[ATTEST_MAX];                /* Recipient's, and what borrows from it */
    struct attest_doc attested;
    bool has_recipient;
    uint8_t blob[BLOB_MAX];                      /* CiphertextBlob of Decrypt */
    size_t blob_len;
    enum misbehaviour does;
};

/* Refuse. Always returns E_DENIED. */
err kms_refuse(struct kms_call *c, const char *error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* ValidationException about a member, by its path as KMS writes it. */
err call_invalid(struct kms_call *c, const char *name);
/* Signature, scope, date, credentials (kms_auth.c): c->region on OK, else a refusal. */
err kms_authenticate(struct kms_call *c);

/* ---- the request ---- */

/* A string member, or NULL when it is absent or none. */
const char *call_text(const struct kms_call *c, const char *name);
bool call_flag(const struct kms_call *c, const char *name);
/* A whole number from 1 to `most`; 0 when the member is absent. Otherwise refused. */
err  call_number(struct kms_call *c, size_t *out, const char *name, const char *path, size_t most);
/* A string member of 1 to `most` bytes; NULL when it is absent. Otherwise refused. */
err  call_words(struct kms_call *c, const char **out, const char *name, const char *path, size_t most);
/* EncryptionContext: an object of strings, or NULL (borrowed). Otherwise refused. */
err  call_context(struct kms_call *c, const json_t **out);
/* Find the key of KeyId; or of CiphertextBlob, which KeyId may confirm. */
err  call_find_key(struct kms_call *c);
err  call_find_key_of_blob(struct kms_call *c);
/* Recipient, if there is one: its document is verified. */
err  call_recipient(struct kms_call *c);
/* May this be done with this key: a policy or a grant allows and no policy denies. */
err  call_authorize(struct kms_call *c);
/* The key is enabled, and meant for this (`usage`: NULL, any). */
err  call_usable(struct kms_call *c, const char *usage);
/* Ends a call with DryRun where it would have succeeded. */
err  call_dry_run(struct kms_call *c);

/* ---- the answer ---- */

err call_set_text(struct kms_call *c, const char *name, const char *text);
err call_set_base64(struct kms_call *c, const char *name, const void *p, size_t n);
/* A secret: in an envelope when there is a Recipient, else as the member `name`. */
err call_set_secret(struct kms_call *c, const char *name, const uint8_t *p, size_t n);
/* Lies about who answered, after the operation. Fails: E_MEMORY. */
err call_lie(struct kms_call *c);
/* KeyMaterialId of a symmetric key. */
err call_set_material(struct kms_call *c, json_t *to, const char *name);

/* ---- the operations (kms_keys.c, kms_grants.c, kms_secrets.c) ---- */

err op_create_key(struct kms_call *c);
err op_describe_key(struct kms_call *c);
err op_get_public_key(struct kms_call *c);
err op_get_key_policy(struct kms_call *c);
err op_put_key_policy(struct kms_call *c);
err op_create_grant(struct kms_call *c);
err op_list_grants(struct kms_call *c);
err op_derive_shared_secret(struct kms_call *c);
err op_decrypt(struct kms_call *c);
err op_generate_data_key(struct kms_call *c);
err op_generate_data_key_pair(struct kms_call *c);
err op_generate_random(struct kms_call *c);
/* Does a grant on c->key allow this operation, with this encryption context? */
bool grants_allow(const struct kms_call *c, const char *operation);

#endif
