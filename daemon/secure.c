#include "daemon/secure.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "keystore/channel.h"
#include "keystore/replay.h"

enum { SIGN_MS = 10000, WEB_MS = 5000, OPENED_HEAD = 9, SEALED_HEAD = 1 };
enum kind { LEGACY = 1, CHANNEL };

struct session {
    uint64_t  handle, until_ms;              /* handle 0: free */
    enum kind kind;
    secret   *reply;                         /* a struct channel_reply; the earlier protocol uses its key alone */
};

struct secure {
    secret         *key;                     /* the channel's X25519 scalar */
    uint8_t         boot[CHANNEL_BOOT];
    struct replay  *seen;
    struct session  session[SECURE_SESSIONS];
    uint64_t        serial;                  /* of the last session; handles are never used again */
    uint8_t        *out;                     /* MSG_MAX bytes, for frames to web */
};

static uint64_t clock_ms(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- the whole ---- */

void secure_close(struct secure **s)
{
    struct secure *old = *s;
    *s = NULL;
    if (!old) return;
    for (size_t i = 0; i < SECURE_SESSIONS; i++) secret_drop(&old->session[i].reply);
    secret_drop(&old->key);
    replay_close(&old->seen);
    mem_free_bytes(&old->out);
    free(old);
}

err secure_open(struct secure **out)
{
    *out = NULL;
    SECURE s = calloc(1, sizeof *s);
    if (!s) FAIL(E_MEMORY, "no memory for encrypted requests");
    TRY(mem_new(&s->out, MSG_MAX));
    TRY(replay_open(&s->seen, SECURE_REMEMBERED, CHANNEL_WINDOW_MS));
    TRY(random_bytes(s->boot, sizeof s->boot));
    TRY(secret_random(&s->key, HPKE_SECRET));
    *out = s;
    s = NULL;
    return OK;
}

err secure_show(const struct secure *s, struct wire_state *shown)
{
    memcpy(shown->boot, s->boot, sizeof shown->boot);
    return hpke_public(shown->channel_key, secret_peek(s->key));
}

err secure_service(struct secure *s, const struct keyring *ring)
{
    SECRET key = NULL;
    TRY(keyring_child(&key, HPKE_SECRET, ring, "channel", ring->epoch));
    secret_move(&s->key, &key);
    return OK;
}

/* ---- sessions ---- */

static void session_drop(struct session *s)
{
    secret_drop(&s->reply);
    *s = (struct session){ 0 };
}

static struct session *session_free(struct secure *s)
{
    const uint64_t now = clock_ms(CLOCK_MONOTONIC);
    for (size_t i = 0; i < SECURE_SESSIONS; i++) {
        struct session *at = &s->session[i];
        if (at->handle && now >= at->until_ms) session_drop(at);
        if (!at->handle) return at;
    }
    return NULL;
}

static struct session *session_find(struct secure *s, uint64_t handle)
{
    for (size_t i = 0; handle && i < SECURE_SESSIONS; i++)
        if (s->session[i].handle == handle) return &s->session[i];
    return NULL;
}

static void session_keep(struct secure *s, struct session *at, enum kind kind, secret **reply)
{
    secret_move(&at->reply, reply);
    at->kind = kind;
    at->handle = ++s->serial;
    at->until_ms = clock_ms(CLOCK_MONOTONIC) + SECURE_SESSION_MS;
}

static struct channel_reply *reply_in(secret *s)
{
    _Static_assert(_Alignof(struct channel_reply) == 1, "it may lie anywhere");
    return (struct channel_reply *)(void *)secret_reveal(s);
}

/* ---- opening ---- */

/* KEEPER_OPENED, with the plaintext that already stands in s->out. It is wiped here when it has gone. */
static err say_opened(struct secure *s, int fd, const struct msg *m, enum secure_verdict v, uint64_t handle, size_t n)
{
    if (v != SECURE_OPEN) n = 0;
    struct wr w = wr_of(s->out, OPENED_HEAD);
    wr_u8(&w, (uint8_t)v);
    wr_u64(&w, v == SECURE_OPEN ? handle : 0);
    err e = msg_send(fd, KEEPER_OPENED, m->seq, s->out, OPENED_HEAD + n, WEB_MS);
    mem_wipe(s->out, OPENED_HEAD + n);
    return e;
}

/* The session key of one client, from sign, which alone has the master key. Out: *v when there is none. */
static err ask_sign(const struct keeper *k, secret **key, enum secure_verdict *v, const uint8_t *point, size_t n)
{
    const int sign = k->env->peer[ROLE_SIGN];
    TRY(msg_send(sign, SIGN_AGREE, 1, point, n, SIGN_MS));
    err e = msg_recv_secret(sign, SIGN_AGREED, NULL, 0, key, 32, SIGN_MS);
    if (e.code != E_DENIED) return e;
    *v = SECURE_BAD_KEY;
    return OK;
}

static err open_legacy(struct secure *s, secret **reply, const secret *key, struct rd sealed)
{
    const uint8_t *nonce = rd_bytes(&sealed, AEAD_NONCE);
    if (!nonce) return (err){ E_AUTH };
    TRY(aead_open(s->out + OPENED_HEAD, &(struct aead){ secret_peek(key), nonce, NULL, 0 }, sealed.p, sealed.left));
    TRY(secret_new(reply, sizeof(struct channel_reply)));
    memcpy(reply_in(*reply)->key, secret_peek(key), AEAD_KEY);
    return OK;
}

err secure_on_secure(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    struct secure *s = k->secure;
    struct rd r = rd_of(m->body, m->len);
    size_t point_len = rd_u8(&r);
    const uint8_t *point = rd_bytes(&r, point_len);
    enum secure_verdict v = SECURE_OPEN;
    SECRET key = NULL;
    SECRET reply = NULL;
    (void)pass;
    if (!point || (point_len != 33 && point_len != 65)) FAIL(E_FORMAT, "KEEPER_SECURE with a key of %zu bytes", point_len);
    if (k->state != PHASE_SERVING) return say_opened(s, fd, m, SECURE_NOT_NOW, 0, 0);
    struct session *at = session_free(s);
    if (!at) return say_opened(s, fd, m, SECURE_FULL, 0, 0);
    TRY(ask_sign(k, &key, &v, point, point_len));
    if (v != SECURE_OPEN) return say_opened(s, fd, m, v, 0, 0);
    err e = open_legacy(s, &reply, key, r);
    if (e.code == E_AUTH) return say_opened(s, fd, m, SECURE_BAD_SEAL, 0, 0);
    TRY(e);
    session_keep(s, at, LEGACY, &reply);
    return say_opened(s, fd, m, SECURE_OPEN, at->handle, r.left - SECURE_OVERHEAD);
}

static enum secure_verdict verdict_of(err e)
{
    switch (e.code) {
    case E_OK:      return SECURE_OPEN;
    case E_TIMEOUT: return SECURE_BAD_TIME;
    case E_STATE:   return SECURE_REPLAYED;
    case E_LIMIT:   return SECURE_FULL;
    default:        return SECURE_BAD_SEAL;
    }
}

/* Only what is authentic is remembered, or strangers could fill the memory with noise. A repetition
 * is the same bytes, so their hash is its name. */
static err open_channel(struct secure *s, secret **reply, enum secure_verdict *v, const struct channel_request *q)
{
    TRY(secret_new(reply, sizeof(struct channel_reply)));
    err e = channel_open(reply_in(*reply), s->out + OPENED_HEAD, q, secret_peek(s->key));
    if (e.code && e.code != E_AUTH) return e;
    if (!e.code) e = replay_take(s->seen, reply_in(*reply)->request_hash, q->time_ms, clock_ms(CLOCK_REALTIME));
    *v = verdict_of(e);
    return OK;
}

err secure_on_channel(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    struct secure *s = k->secure;
    struct channel_request q;
    enum secure_verdict v = SECURE_OPEN;
    SECRET reply = NULL;
    (void)pass;
    if (k->state != PHASE_SERVING && k->state != PHASE_WITNESSING && k->state != PHASE_AWAITING_SETUP) return say_opened(s, fd, m, SECURE_NOT_NOW, 0, 0);
    if (channel_parse(&q, m->body, m->len).code) return say_opened(s, fd, m, SECURE_BAD_FORM, 0, 0);
    if (memcmp(q.boot, s->boot, sizeof s->boot) != 0) return say_opened(s, fd, m, SECURE_BAD_BOOT, 0, 0);
    struct session *at = session_free(s);
    if (!at) return say_opened(s, fd, m, SECURE_FULL, 0, 0);
    TRY(open_channel(s, &reply, &v, &q));
    const size_t n = q.sealed_len - HPKE_TAG;
    if (v == SECURE_OPEN) session_keep(s, at, CHANNEL, &reply);
    else mem_wipe(s->out + OPENED_HEAD, n);
    return say_opened(s, fd, m, v, at->handle, n);
}

/* ---- sealing ---- */

static err seal_legacy(uint8_t *out, const struct channel_reply *reply, const uint8_t *plain, size_t n)
{
    TRY(random_bytes(out, AEAD_NONCE));
    return aead_seal(out + AEAD_NONCE, &(struct aead){ reply->key, out, NULL, 0 }, plain, n);
}

/* The session ends here: one request, one answer. */
err secure_on_seal(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    struct secure *s = k->secure;
    struct rd r = rd_of(m->body, m->len);
    const uint64_t handle = rd_u64(&r);
    const uint16_t status = rd_u16(&r);
    const uint8_t kind = rd_u8(&r);
    (void)pass;
    if (!rd_ok(&r) || (kind != CHANNEL_JSON && kind != CHANNEL_TEXT)) FAIL(E_FORMAT, "KEEPER_SEAL of kind %u", kind);
    struct session *at = session_find(s, handle);
    s->out[0] = at != NULL;
    if (!at || r.left > MSG_MAX - SEALED_HEAD - CHANNEL_REPLY_MORE) {
        s->out[0] = 0;
        return msg_send(fd, KEEPER_SEALED, m->seq, s->out, SEALED_HEAD, WEB_MS);
    }
    const bool legacy = at->kind == LEGACY;
    uint8_t *to = s->out + SEALED_HEAD;
    err e = legacy ? seal_legacy(to, reply_in(at->reply), r.p, r.left)
                   : channel_answer(to, reply_in(at->reply), status, (enum channel_kind)kind, r.p, r.left);
    session_drop(at);
    TRY(e);
    return msg_send(fd, KEEPER_SEALED, m->seq, s->out, SEALED_HEAD + r.left + (legacy ? SECURE_OVERHEAD : CHANNEL_REPLY_MORE), WEB_MS);
}
