/* channel.h - one request and its answer over the authenticated channel, byte for byte
 * (docs/wire/channel.md): HPKE to the service's attested key, one context for each request.
 *
 * Both ends: the keeper opens and answers, `holdfast` asks and reads. The head of a
 * request (method, path, time, boot) is in the clear and is associated data; so are the status
 * and the request's hash for the answer. Pure functions; the keys are the caller's to wipe. */
#ifndef KEYSTORE_CHANNEL_H
#define KEYSTORE_CHANNEL_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "keystore/hpke.h"

enum {
    CHANNEL_KEY = HPKE_PUBLIC, CHANNEL_BOOT = 16,
    CHANNEL_PATH_MAX = 128,                  /* characters of path and query */
    CHANNEL_HEAD = 62,                       /* bytes of a request before its path */
    CHANNEL_REPLY_HEAD = 20,
    CHANNEL_ASK_MORE = CHANNEL_HEAD + CHANNEL_PATH_MAX + HPKE_TAG,   /* a request is at most this longer than its body */
    CHANNEL_REPLY_MORE = CHANNEL_REPLY_HEAD + AEAD_TAG,              /* an answer is exactly this longer */
    CHANNEL_WINDOW_MS = 60000                /* a request's time and the enclave's differ at most by this */
};
enum channel_method { CHANNEL_GET = 1, CHANNEL_POST = 2 };
enum channel_kind { CHANNEL_JSON = 1, CHANNEL_TEXT = 2 };

/* What the answer to one request is sealed with. Secret. */
struct channel_reply { uint8_t key[AEAD_KEY], request_hash[32]; };
void channel_wipe(struct channel_reply *r);
#define CHANNEL_REPLY __attribute__((cleanup(channel_wipe))) struct channel_reply

/* ---- the enclave ---- */
struct channel_request {
    const uint8_t *all, *head, *sealed;      /* all of it; the head with the path; ciphertext and tag. Borrowed */
    size_t         all_len, head_len, sealed_len;
    uint8_t        enc[HPKE_ENC], boot[CHANNEL_BOOT];
    uint64_t       time_ms;                  /* since 1970, by the client's clock */
    uint8_t        method;                   /* enum channel_method */
    char           path[CHANNEL_PATH_MAX + 1];
};
/* Read a request's form. Fails: E_FORMAT (not logged). */
err channel_parse(struct channel_request *out, const void *p, size_t n);
/* Open it. Out: plain[0..q->sealed_len - HPKE_TAG), *reply. Fails: E_AUTH (for another key, or
 * altered; not logged), with both zeroed; E_MEMORY, E_LIMIT. */
err channel_open(struct channel_reply *reply, uint8_t *plain, const struct channel_request *q,
                 const uint8_t secret_key[static HPKE_SECRET]);
/* The one answer. Out: out[0..n + CHANNEL_REPLY_MORE). Fails: E_IO, E_LIMIT, E_MEMORY. */
err channel_answer(uint8_t *out, const struct channel_reply *reply, uint16_t status, enum channel_kind kind,
                   const uint8_t *plain, size_t n);

/* ---- the client ---- */
struct channel_question {
    const uint8_t *boot;                     /* CHANNEL_BOOT bytes, as GET /v1/channel says */
    uint64_t       time_ms;
    enum channel_method method;
    const char    *path;
    const void    *body;
    size_t         n;
};
/* Out: out[0..*len), at most q->n + CHANNEL_ASK_MORE bytes; *reply, for channel_read().
 * Fails: E_FORMAT (path, or `key` is no key), E_LIMIT, E_IO, E_MEMORY. */
err channel_ask(uint8_t *out, size_t *len, struct channel_reply *reply, const uint8_t key[static CHANNEL_KEY],
                const struct channel_question *q);
struct channel_said { uint16_t status; enum channel_kind kind; };
/* Read the answer to that one request. Out: plain[0..n - CHANNEL_REPLY_MORE), *said.
 * Fails: E_FORMAT, E_AUTH (not from the key's holder, or to another request; neither is logged), E_MEMORY, E_LIMIT. */
err channel_read(uint8_t *plain, struct channel_said *said, const struct channel_reply *reply, const void *p, size_t n);

#endif
