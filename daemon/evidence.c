/* What KMS says about the key, kept and attested to by the keeper, which hashes its text and
 * reads no JSON. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/log.h"
#include "core/mem.h"
#include "daemon/keeper.h"
#include "keystore/key_evidence.h"

/* Any client may ask: none may make KMS busy by that, nor the keeper wait for KMS over and over. */
enum { FRESH_MS = 60000, SHORT_MS = 8000, SLACK_MS = 15000, TRIES = 3, ROOM = KEY_EVIDENCE_MAX + 256, ANSWER = KEY_EVIDENCE_MAX + NSM_RESPONSE_MAX + 16 };

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* FETCH_EVIDENCE_IS. A public key that is no point of the curve is as good as none. */
static err take(struct keeper_evidence *out, const struct msg *m, const char *arn)
{
    struct rd r = rd_of(m->body, m->len);
    struct keeper_evidence e = { 0 };
    const bool ok = rd_u8(&r) == 1;
    e.findings = rd_u32(&r);
    const bool has_key = rd_u8(&r) == 1;
    const uint8_t *spki = rd_bytes(&r, P256_SPKI), *text = rd_var(&r, KEY_EVIDENCE_MAX, &e.len);
    TRY(rd_end(&r, "FETCH_EVIDENCE_IS"));
    if (!ok) FAIL(E_CLOSED, "KMS tells nothing about the key");
    if (!has_key || p256_point(e.point, spki, P256_SPKI).code) {
        memset(e.point, 0, sizeof e.point);
        e.findings |= 1u << KEY_PUBLIC_KEY;
    }
    TRY(mem_new(&e.text, e.len));
    memcpy(e.text, text, e.len);
    memcpy(e.arn, arn, strlen(arn) + 1);
    free(out->text);
    *out = e;
    return OK;
}

err keeper_gather(struct keeper *k, const char *arn, unsigned within_ms)
{
    uint8_t question[WIRE_ARN + 8 + NSM_PCR_LEN], pcr0[NSM_PCR_LEN];
    struct wr w = wr_of(question, sizeof question);
    BYTES room = NULL;
    struct msg m;
    bool locked;
    TRY(nsm_describe_pcr(&k->nsm, pcr0, &locked, 0));
    wr_var(&w, arn, strlen(arn));
    wr_bytes(&w, pcr0, sizeof pcr0);
    wr_u32(&w, within_ms);
    TRY(wr_end(&w, "FETCH_EVIDENCE"));
    TRY(mem_new(&room, ROOM));
    k->evidence_ms = now_ms();
    for (unsigned i = 1; ; i++) {
        err e = msg_call(k->env->peer[ROLE_FETCH], FETCH_EVIDENCE, question, w.len, FETCH_EVIDENCE_IS, &m, room, ROOM, (int)within_ms + SLACK_MS);
        if (!e.code) return take(&k->evidence, &m, arn);
        if (i >= TRIES || k->env->stopping) return e;
        keeper_await_fetch(k);
    }
}

/* The service's key; before there is one, the key that was looked at last, or is configured. */
static const char *key_of(const struct keeper *k)
{
    if (k->shown.has_service) return k->shown.settings.key_id;
    return k->evidence.arn[0] ? k->evidence.arn : k->env->config.kms_key;
}

static err refresh(struct keeper *k)
{
    char arn[WIRE_ARN] = "";
    memcpy(arn, key_of(k), strlen(key_of(k)));
    if (!arn[0]) return (err){ E_ABSENT };
    const bool known = strcmp(arn, k->evidence.arn) == 0;
    if (k->evidence_ms && now_ms() - k->evidence_ms < FRESH_MS) return known ? OK : (err){ E_CLOSED };
    err e = keeper_gather(k, arn, SHORT_MS);
    /* Older evidence says itself how old it is. */
    return known ? OK : e;
}

/* KEEPER_EVIDENCE_IS into w: the text, and a document that commits to it. */
static err attested(struct wr *w, const struct keeper *k, struct bytes nonce)
{
    BYTES doc = NULL;
    uint8_t user_data[KEY_EVIDENCE_USER_DATA];
    size_t n = 0;
    key_evidence_user_data(user_data, k->evidence.text, k->evidence.len);
    TRY(mem_new(&doc, NSM_RESPONSE_MAX));
    TRY(nsm_attestation(&k->nsm, doc, NSM_RESPONSE_MAX, &n, (struct bytes){ NULL, 0 }, (struct bytes){ user_data, sizeof user_data }, nonce));
    wr_var(w, doc, n);
    wr_var(w, k->evidence.text, k->evidence.len);
    return wr_end(w, "KEEPER_EVIDENCE_IS");
}

err keeper_on_evidence(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    BYTES answer = NULL;
    struct rd r = rd_of(m->body, m->len);
    struct bytes nonce = { NULL, 0 };
    (void)pass;
    const uint8_t *p = rd_var(&r, NSM_NONCE_MAX, &nonce.n);
    TRY(rd_end(&r, "KEEPER_EVIDENCE"));
    if (nonce.n) nonce.p = p;
    err e = refresh(k);
    if (e.code) return msg_send_error(fd, m, (err){ e.code == E_ABSENT ? E_ABSENT : E_CLOSED });
    TRY(mem_new(&answer, ANSWER));
    struct wr w = wr_of(answer, ANSWER);
    e = attested(&w, k, nonce);
    if (e.code) return msg_send_error(fd, m, (err){ E_IO });
    return msg_send(fd, KEEPER_EVIDENCE_IS, m->seq, answer, w.len, 5000);
}
