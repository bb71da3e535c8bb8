/* The keeper's question to KMS: one fresh attestation document per attempt. */
#include <string.h>
#include <poll.h>
#include <time.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/keeper.h"
#include "keystore/kms.h"
#include "keystore/nums.h"
#include "keystore/p256.h"

enum { FETCH_MS = 60000, ROOM = 16 << 10, QUESTION = 16 << 10, NEW_FETCH_MS = 5000 };

struct derived {
    bool ok, retryable;
    const uint8_t *cms, *key_id, *origin, *type;
    size_t cms_len, key_id_len, origin_len, type_len;
};

static err parse_derived(struct derived *d, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    size_t n = 0;
    d->ok = rd_u8(&r) == 1;
    d->retryable = rd_u8(&r) == 1;
    d->type = rd_var(&r, 64, &d->type_len);
    d->cms = rd_var(&r, RECIPIENT_CMS_MAX, &d->cms_len);
    d->key_id = rd_var(&r, 2048, &d->key_id_len);
    d->origin = rd_var(&r, 64, &d->origin_len);
    (void)rd_var(&r, 64, &n);
    return rd_end(&r, "FETCH_DERIVED");
}

static bool is(const uint8_t *p, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(p, word, n) == 0;
}

/* What others leave unchecked: the key that answered is the one that was asked, and
 * its private half was made inside KMS, so that nobody knows it from before. */
static err check_premises(const struct derived *d, const char *arn)
{
    if (!is(d->key_id, d->key_id_len, arn)) FAIL(E_DENIED, "KMS answered for another key than %s", arn);
    if (!is(d->origin, d->origin_len, "AWS_KMS")) FAIL(E_DENIED, "the key's material was imported: whoever made it knows every key derived from it");
    return OK;
}

static err build_question(struct keeper *k, struct wr *w, const char *arn, const uint8_t *spki)
{
    uint8_t public[RECIPIENT_SPKI];
    BYTES doc = NULL;
    size_t n = 0;
    recipient_spki(k->recipient, public);
    TRY(mem_new(&doc, NSM_RESPONSE_MAX));
    TRY(nsm_attestation(&k->nsm, doc, NSM_RESPONSE_MAX, &n, (struct bytes){ public, sizeof public },
                        (struct bytes){ NULL, 0 }, (struct bytes){ NULL, 0 }));
    wr_var(w, arn, strlen(arn));
    wr_var(w, spki, NUMS_SPKI);
    wr_var(w, doc, n);
    return wr_end(w, "FETCH_DERIVE");
}

/* One attempt. Out: *again when another may succeed. */
static err attempt(struct keeper *k, secret **z, bool *again, const char *arn, const uint8_t *spki)
{
    BYTES room = NULL;
    BYTES question = NULL;
    struct msg m;
    struct derived d = { 0 };
    TRY(mem_new(&question, QUESTION));
    TRY(mem_new(&room, ROOM));
    struct wr w = wr_of(question, QUESTION);
    TRY(build_question(k, &w, arn, spki));
    *again = true;                       /* fetch died, or its answer never came */
    TRY(msg_call(k->env->peer[ROLE_FETCH], FETCH_DERIVE, question, w.len, FETCH_DERIVED, &m, room, ROOM, FETCH_MS));
    TRY(parse_derived(&d, &m));
    *again = d.retryable;
    if (!d.ok && !d.type_len) FAIL(E_CLOSED, "KMS gave no answer that can be used; the line of fetch before this one says why");
    if (!d.ok) FAIL(is(d.type, d.type_len, "AccessDeniedException") ? E_DENIED : E_CLOSED, "KMS: %.*s", (int)d.type_len, (const char *)d.type);
    *again = false;
    TRY(check_premises(&d, arn));
    return recipient_open(z, k->recipient, d.cms, d.cms_len, 32);
}

/* If fetch died, init brings a new channel shortly. */
void keeper_await_fetch(struct keeper *k)
{
    bool stop = false;
    struct pollfd gone = { .fd = k->env->peer[ROLE_FETCH], .events = POLLIN }, p = { .fd = k->env->control, .events = POLLIN };
    if (k->env->peer[ROLE_FETCH] >= 0 && poll(&gone, 1, 0) != 1) return;
    if (poll(&p, 1, NEW_FETCH_MS) == 1) err_drop(role_control(k->env, &stop));
}

/* KMS's shared secret for one point, in a bounded number of attempts, each with a document of its own. */
static err ask(struct keeper *k, secret **z, const char *arn, const uint8_t *spki)
{
    for (unsigned i = 1; ; i++) {
        bool again = false;
        uint32_t random = 0;
        err e = attempt(k, z, &again, arn, spki);
        if (!e.code) return OK;
        if (!again || i >= KMS_ATTEMPTS || k->env->stopping) return e;
        if (e.code == E_CLOSED || e.code == E_TIMEOUT || e.code == E_IO) keeper_await_fetch(k);
        TRY(random_bytes(&random, sizeof random));
        unsigned ms = kms_backoff_ms(i, random);
        log_info("asking KMS again in %u ms", ms);
        nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 }, NULL);
    }
}

/* Does the holder of the key's private half answer? Asked before anything is derived. */
static err check_possession(struct keeper *k, const struct p256 *own, const struct kms_question *q)
{
    SECRET got = NULL;
    uint8_t spki[P256_SPKI];
    TRY(p256_own(spki, own));
    TRY(ask(k, &got, q->arn, spki));
    return p256_check_own(own, q->point, got);
}

/* And did the same one give the secret? On later boots the keyring's commitment says so. */
static err check_binding(struct keeper *k, const struct p256 *own, const struct kms_question *q, const uint8_t *nums, const secret *z)
{
    SECRET got = NULL;
    uint8_t spki[P256_SPKI];
    TRY(p256_sum(spki, own, nums));
    TRY(ask(k, &got, q->arn, spki));
    return p256_check_sum(own, q->point, z, got);
}

err keeper_derive(struct keeper *k, secret **z, const struct kms_question *q, bool first)
{
    uint8_t spki[NUMS_SPKI];
    uint32_t counter = 0;
    P256 own = NULL;
    SECRET found = NULL;
    const bool known = q->point[0] != 0;
    TRY(nums_point(spki, &counter, q->blockhash, q->profile));
    if (known) TRY(p256_new(&own));
    if (known) TRY(check_possession(k, own, q));
    else log_warn("the KMS key's public key is not on record: whether its holder answers cannot be checked");
    TRY(ask(k, &found, q->arn, spki));
    if (known && first) TRY(check_binding(k, own, q, spki, found));
    secret_move(z, &found);
    return OK;
}
