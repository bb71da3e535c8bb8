#include "keystore/channel.h"

#include <stdbool.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"

static const char magic_ask[4] = { 'H', 'F', 'C', '1' }, magic_reply[4] = { 'H', 'F', 'R', '1' };
static const char info[] = "holdfast/1 channel";
static const char label_ask[] = "holdfast/1 channel request", label_reply[] = "holdfast/1 channel reply";
#define TEXT_OF(s) (s), sizeof(s) - 1

enum { AAD_MAX = 64 + CHANNEL_HEAD + CHANNEL_PATH_MAX, REPLY_CLEAR = 8 };

void channel_wipe(struct channel_reply *r)
{
    mem_wipe(r, sizeof *r);
}

/* ---- requests ---- */

/* Printable, so that a path can stand in a log, and from the root. */
static bool path_ok(const uint8_t *p, size_t n)
{
    if (n == 0 || n > CHANNEL_PATH_MAX || p[0] != '/')
        return false;
    for (size_t i = 0; i < n; i++)
        if (p[i] <= 0x20 || p[i] > 0x7e)
            return false;
    return true;
}

static bool method_ok(unsigned method)
{
    return method == CHANNEL_GET || method == CHANNEL_POST;
}

err channel_parse(struct channel_request *out, const void *p, size_t n)
{
    struct rd r = rd_of(p, n);
    memset(out, 0, sizeof *out);
    out->all = out->head = p;
    out->all_len = n;
    const uint8_t *magic = rd_bytes(&r, sizeof magic_ask);
    rd_copy(&r, out->enc, sizeof out->enc);
    rd_copy(&r, out->boot, sizeof out->boot);
    out->time_ms = rd_u64(&r);
    out->method = rd_u8(&r);
    size_t path_len = rd_u8(&r);
    const uint8_t *path = rd_bytes(&r, path_len);
    if (!rd_ok(&r) || memcmp(magic, magic_ask, sizeof magic_ask) != 0)
        return (err){ E_FORMAT };
    if (!method_ok(out->method) || !path_ok(path, path_len) || r.left < HPKE_TAG)
        return (err){ E_FORMAT };
    memcpy(out->path, path, path_len);
    out->head_len = CHANNEL_HEAD + path_len;
    out->sealed = r.p;
    out->sealed_len = r.left;
    return OK;
}

static err bind(uint8_t room[static AAD_MAX], size_t *n, const uint8_t *head, size_t head_len)
{
    struct wr w = wr_of(room, AAD_MAX);
    wr_bytes(&w, TEXT_OF(label_ask));
    wr_bytes(&w, head, head_len);
    *n = w.len;
    return wr_end(&w, "channel associated data");
}

/* The answer's key comes from the context (RFC 9180, 9.8), so that no request's key ever seals an answer. */
static err reply_of(struct channel_reply *out, const struct hpke *h, const void *all, size_t n)
{
    sha256(out->request_hash, all, n);
    return hpke_export(h, out->key, sizeof out->key, TEXT_OF(label_reply));
}

err channel_open(struct channel_reply *reply, uint8_t *plain, const struct channel_request *q,
                 const uint8_t secret_key[static HPKE_SECRET])
{
    HPKE h = { 0 };
    uint8_t aad[AAD_MAX];
    size_t aad_len = 0;
    memset(reply, 0, sizeof *reply);
    TRY(bind(aad, &aad_len, q->head, q->head_len));
    err e = hpke_receive(&h, q->enc, secret_key, TEXT_OF(info));
    if (e.code == E_FORMAT)
        e = (err){ E_AUTH };
    if (!e.code)
        e = hpke_open(&h, plain, aad, aad_len, q->sealed, q->sealed_len);
    if (!e.code)
        e = reply_of(reply, &h, q->all, q->all_len);
    if (e.code) {
        mem_wipe(plain, q->sealed_len - HPKE_TAG);
        channel_wipe(reply);
    }
    return e;
}

err channel_ask(uint8_t *out, size_t *len, struct channel_reply *reply, const uint8_t key[static CHANNEL_KEY],
                const struct channel_question *q)
{
    HPKE h = { 0 };
    uint8_t enc[HPKE_ENC], aad[AAD_MAX];
    size_t path_len = strnlen(q->path, CHANNEL_PATH_MAX + 1), aad_len = 0;
    memset(reply, 0, sizeof *reply);
    if (!method_ok(q->method) || !path_ok((const uint8_t *)q->path, path_len))
        FAIL(E_FORMAT, "not a request that the channel carries");
    TRY(hpke_send(&h, enc, key, TEXT_OF(info)));
    struct wr w = wr_of(out, CHANNEL_HEAD + CHANNEL_PATH_MAX);
    wr_bytes(&w, magic_ask, sizeof magic_ask);
    wr_bytes(&w, enc, sizeof enc);
    wr_bytes(&w, q->boot, CHANNEL_BOOT);
    wr_u64(&w, q->time_ms);
    wr_u8(&w, (uint8_t)q->method);
    wr_u8(&w, (uint8_t)path_len);
    wr_bytes(&w, q->path, path_len);
    TRY(wr_end(&w, "channel request"));
    TRY(bind(aad, &aad_len, out, w.len));
    TRY(hpke_seal(&h, out + w.len, aad, aad_len, q->body, q->n));
    *len = w.len + q->n + HPKE_TAG;
    return reply_of(reply, &h, out, *len);
}

/* ---- answers ---- */

/* What an answer is bound to: the request, by its hash, and its own clear head. */
static void bind_reply(uint8_t room[static 64 + REPLY_CLEAR], size_t *n, const struct channel_reply *reply,
                       const uint8_t head[static REPLY_CLEAR])
{
    struct wr w = wr_of(room, 64 + REPLY_CLEAR);
    wr_bytes(&w, TEXT_OF(label_reply));
    wr_bytes(&w, reply->request_hash, sizeof reply->request_hash);
    wr_bytes(&w, head, REPLY_CLEAR);
    MUST(!w.full);
    *n = w.len;
}

err channel_answer(uint8_t *out, const struct channel_reply *reply, uint16_t status, enum channel_kind kind,
                   const uint8_t *plain, size_t n)
{
    uint8_t aad[64 + REPLY_CLEAR];
    size_t aad_len = 0;
    struct wr w = wr_of(out, CHANNEL_REPLY_HEAD);
    wr_bytes(&w, magic_reply, sizeof magic_reply);
    wr_u16(&w, status);
    wr_u8(&w, (uint8_t)kind);
    wr_u8(&w, 0);
    uint8_t *nonce = wr_room(&w, AEAD_NONCE);
    MUST(!w.full && w.len == CHANNEL_REPLY_HEAD);
    TRY(random_bytes(nonce, AEAD_NONCE));
    bind_reply(aad, &aad_len, reply, out);
    return aead_seal(out + CHANNEL_REPLY_HEAD, &(struct aead){ reply->key, nonce, aad, aad_len }, plain, n);
}

err channel_read(uint8_t *plain, struct channel_said *said, const struct channel_reply *reply, const void *p, size_t n)
{
    uint8_t aad[64 + REPLY_CLEAR];
    size_t aad_len = 0;
    struct rd r = rd_of(p, n);
    const uint8_t *magic = rd_bytes(&r, sizeof magic_reply);
    unsigned status = rd_u16(&r), kind = rd_u8(&r), zero = rd_u8(&r);
    const uint8_t *nonce = rd_bytes(&r, AEAD_NONCE);
    if (!rd_ok(&r) || memcmp(magic, magic_reply, sizeof magic_reply) != 0 || r.left < AEAD_TAG)
        return (err){ E_FORMAT };
    if (zero != 0 || status < 100 || status > 599 || (kind != CHANNEL_JSON && kind != CHANNEL_TEXT))
        return (err){ E_FORMAT };
    bind_reply(aad, &aad_len, reply, p);
    TRY(aead_open(plain, &(struct aead){ reply->key, nonce, aad, aad_len }, r.p, r.left));
    *said = (struct channel_said){ (uint16_t)status, (enum channel_kind)kind };
    return OK;
}
