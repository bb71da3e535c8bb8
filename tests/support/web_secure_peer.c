/* The keeper's part in encrypted requests, for web_peer.c: nothing is encrypted. A request's ciphertext is its
 * plaintext and 16 more bytes; a sealed answer is `SEALED`, u16 status, u8 kind, the answer.
 *
 * What else it does is chosen by the first byte of boot (channel) or nonce (the earlier systems' way):
 *     1..8 that verdict   0xf1 open without a handle   0xf2 a short frame   0xf3 an error   0xf4 a verdict that is none
 *     0xf5 the session is gone when its answer comes   0xf6 an empty answer   0xf7 an error then
 *     0xf8 a refusal with a handle */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "keystore/channel.h"
#include "tests/support/web_secure_peer.h"

static void must(err e, const char *what)
{
    if (e.code == E_OK) return;
    fprintf(stderr, "web_peer: %s\n", what);
    exit(1);
}

static void opened(int fd, const struct msg *m, uint8_t mode, const uint8_t *plain, size_t n)
{
    static uint64_t serial;
    BYTES out = NULL;
    must(mem_new(&out, 9 + n), "memory");
    struct wr w = wr_of(out, 9 + n);
    const bool refused = (mode > 0 && mode < SECURE_VERDICTS) || mode == 0xf8;
    if (mode == 0xf3) {
        must(msg_send_error(fd, m, (err){ E_IO }), "error");
        return;
    }
    wr_u8(&w, mode == 0xf4 ? SECURE_VERDICTS : mode == 0xf8 ? SECURE_FULL : refused ? mode : SECURE_OPEN);
    wr_u64(&w, mode == 0xf1 || (refused && mode != 0xf8) ? 0 : ++serial << 8 | mode);
    if (!refused) wr_bytes(&w, plain, n);
    must(msg_send(fd, KEEPER_OPENED, m->seq, out, mode == 0xf2 ? 3 : w.len, 5000), "opened");
}

static void sealed(int fd, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    const uint8_t mode = rd_u64(&r) & 0xff;
    BYTES out = NULL;
    must(mem_new(&out, 16 + m->len), "memory");
    struct wr w = wr_of(out, 16 + m->len);
    wr_u8(&w, mode != 0xf5);
    wr_text(&w, "SEALED");
    wr_bytes(&w, r.p, r.left);
    if (mode == 0xf7) must(msg_send_error(fd, m, (err){ E_LIMIT }), "error");
    else must(msg_send(fd, KEEPER_SEALED, m->seq, out, mode == 0xf6 ? 0 : mode == 0xf5 ? 1 : w.len, 5000), "sealed");
}

bool peer_answer_secure(int fd, const struct msg *m)
{
    struct channel_request q;
    if (m->type == KEEPER_SEAL) {
        sealed(fd, m);
    } else if (m->type == KEEPER_CHANNEL) {
        if (channel_parse(&q, m->body, m->len).code) opened(fd, m, SECURE_BAD_FORM, NULL, 0);
        else opened(fd, m, q.boot[0], q.sealed, q.sealed_len - 16);
    } else if (m->type == KEEPER_SECURE) {
        struct rd r = rd_of(m->body, m->len);
        const uint8_t *point = rd_bytes(&r, rd_u8(&r)), *nonce = rd_bytes(&r, 12);
        if (!point || !nonce || (point[0] & 2) == 0) must((err){ E_FORMAT }, "no point");
        if (r.left < 16) opened(fd, m, SECURE_BAD_SEAL, NULL, 0);
        else opened(fd, m, nonce[0], r.p, r.left - 16);
    } else {
        return false;
    }
    return true;
}
