#include "keystore/grant.h"

#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/log.h"
#include "keystore/hpke.h"

static const uint8_t magic[4] = { 'H', 'F', 'G', 'R' };
static const char label[] = "holdfast/1 grant";
#define INFO label, sizeof label - 1

enum { PLAIN = 2 * KEYRING_SECRET };
_Static_assert(GRANT_SEALED == HPKE_ENC + PLAIN + HPKE_TAG, "sizes of the sealed part");

/* ---- the clear part ---- */

static void terms_write(struct wr *w, const struct grant_terms *t)
{
    wr_bytes(w, magic, sizeof magic);
    wr_u16(w, GRANT_VERSION);
    wr_u16(w, 0);
    wr_u32(w, t->epoch);
    wr_bytes(w, t->service_id, 32);
    wr_bytes(w, t->build_key, BUILD_KEY);
    wr_bytes(w, t->release, 32);
    wr_bytes(w, t->pcr, sizeof t->pcr);
    wr_bytes(w, t->blockhash, 32);
    wr_bytes(w, t->record, 32);
    wr_u32(w, t->log_number);
    wr_u64(w, t->log_size);
    wr_bytes(w, t->log_root, 32);
    wr_var(w, t->arn, strnlen(t->arn, GRANT_ARN));
}

static void arn_read(struct rd *r, char out[static GRANT_ARN])
{
    size_t n = 0;
    const uint8_t *p = rd_var(r, GRANT_ARN - 1, &n);
    if (!p || n == 0 || memchr(p, 0, n)) r->bad = true;      /* a text that ends early would have two readings */
    else memcpy(out, p, n);
}

/* Out: *sealed, the rest: GRANT_SEALED bytes. */
static err terms_read(struct grant_terms *t, const uint8_t **sealed, const void *p, size_t n)
{
    struct rd r = rd_of(p, n);
    uint8_t head[4];
    memset(t, 0, sizeof *t);
    rd_copy(&r, head, sizeof head);
    const unsigned version = rd_u16(&r), zero = rd_u16(&r);
    if (!rd_ok(&r) || memcmp(head, magic, sizeof magic) != 0) FAIL(E_FORMAT, "this is not a grant");
    if (version != GRANT_VERSION) FAIL(E_FORMAT, "grant of version %u: this build knows version %d", version, GRANT_VERSION);
    t->epoch = rd_u32(&r);
    rd_copy(&r, t->service_id, 32);
    rd_copy(&r, t->build_key, BUILD_KEY);
    rd_copy(&r, t->release, 32);
    rd_copy(&r, t->pcr, sizeof t->pcr);
    rd_copy(&r, t->blockhash, 32);
    rd_copy(&r, t->record, 32);
    t->log_number = rd_u32(&r);
    t->log_size = rd_u64(&r);
    rd_copy(&r, t->log_root, 32);
    arn_read(&r, t->arn);
    *sealed = rd_bytes(&r, GRANT_SEALED);
    TRY(rd_end(&r, "grant"));
    if (zero || !t->epoch) FAIL(E_FORMAT, "grant with a reserved field set, or without an epoch");
    return OK;
}

err grant_read(struct grant_terms *out, const void *p, size_t n)
{
    const uint8_t *sealed;
    return terms_read(out, &sealed, p, n);
}

void grant_name(char out[static GRANT_NAME], const uint8_t build_key[static BUILD_KEY], const uint8_t grant_sha256[static 32])
{
    uint8_t digest[32];
    char whom[17], which[17];
    sha256(digest, build_key, BUILD_KEY);
    hex_from(whom, digest, 8);
    hex_from(which, grant_sha256, 8);
    snprintf(out, GRANT_NAME, "grant-%s-%s", whom, which);
}

/* ---- sealing and opening ---- */

/* The context is as secret as what it seals: it lives in the arena too. */
static err context_new(struct hpke **out, secret **room)
{
    _Static_assert(sizeof(struct hpke) <= 4096 && _Alignof(struct hpke) <= 16, "an arena's secret has room for it");
    TRY(secret_new(room, sizeof(struct hpke)));
    *out = (struct hpke *)(void *)secret_reveal(*room);
    return OK;
}

err grant_seal(uint8_t out[static GRANT_MAX], size_t *n, const struct keyring *k, const struct grant_terms *terms)
{
    struct wr w = wr_of(out, GRANT_MAX);
    SECRET plain = NULL;
    SECRET room = NULL;
    struct hpke *context;
    if (memcmp(terms->service_id, k->service_id, 32) != 0 || terms->epoch != k->epoch)
        FAIL(E_STATE, "a grant of another service or epoch than the keyring's");
    if (!terms->arn[0]) FAIL(E_FORMAT, "a grant without the KMS key of the build that it is for");
    terms_write(&w, terms);
    const size_t clear = w.len;
    uint8_t *enc = wr_room(&w, HPKE_ENC), *sealed = wr_room(&w, PLAIN + HPKE_TAG);
    TRY(wr_end(&w, "grant"));
    TRY(keyring_join(&plain, k));
    TRY(context_new(&context, &room));
    err e = hpke_send(context, enc, terms->build_key, INFO);
    if (e.code == E_FORMAT) FAIL(E_FORMAT, "the build key of a grant is no key");
    TRY(e);
    TRY(hpke_seal(context, sealed, out, clear, secret_peek(plain), PLAIN));
    *n = w.len;
    return OK;
}

/* Both keys are public. */
static err check_build_key(const struct grant_terms *t, const struct build_key *own)
{
    char theirs[2 * BUILD_KEY + 1], ours[2 * BUILD_KEY + 1];
    if (memcmp(t->build_key, own->point, BUILD_KEY) == 0) return OK;
    hex_from(theirs, t->build_key, BUILD_KEY);
    hex_from(ours, own->point, BUILD_KEY);
    FAIL(E_AUTH, "the grant is for build key %s; this build's is %s", theirs, ours);
}

static err check_build(const struct grant_terms *t, const struct grant_terms *want)
{
    if (memcmp(t->release, want->release, 32) != 0) FAIL(E_DENIED, "the grant is for another release");
    for (unsigned i = 0; i < GRANT_PCRS; i++)
        if (memcmp(t->pcr[i], want->pcr[i], GRANT_PCR) != 0) FAIL(E_DENIED, "the grant is for a build of another PCR%u", i);
    if (strcmp(t->arn, want->arn) != 0) FAIL(E_DENIED, "the grant is for KMS key %s; this build's is %s", t->arn, want->arn);
    return OK;
}

static err check_terms(const struct grant_terms *t, const struct grant_terms *want)
{
    if (memcmp(t->service_id, want->service_id, 32) != 0) FAIL(E_DENIED, "the grant is for another service");
    if (t->epoch != want->epoch) FAIL(E_DENIED, "the grant is for epoch %u; the service is in epoch %u", t->epoch, want->epoch);
    TRY(check_build(t, want));
    if (memcmp(t->blockhash, want->blockhash, 32) != 0) FAIL(E_DENIED, "the grant is for another block hash");
    if (memcmp(t->record, want->record, 32) != 0) FAIL(E_DENIED, "the grant goes with another service record than the parent's");
    if (t->log_number != want->log_number || t->log_size != want->log_size)
        FAIL(E_DENIED, "the grant was made at entry %llu of log %u, not at entry %llu of log %u: another attempt", (unsigned long long)t->log_size,
             t->log_number, (unsigned long long)want->log_size, want->log_number);
    if (memcmp(t->log_root, want->log_root, 32) != 0) FAIL(E_DENIED, "the grant was made at another history of the log");
    return OK;
}

static err unseal(secret **plain, const uint8_t *sealed, const void *clear, size_t clear_len, const struct build_key *own)
{
    SECRET got = NULL;
    SECRET room = NULL;
    struct hpke *context;
    TRY(context_new(&context, &room));
    TRY(secret_new(&got, PLAIN));
    err e = hpke_receive(context, sealed, secret_peek(own->scalar), INFO);
    if (!e.code) e = hpke_open(context, secret_reveal(got), clear, clear_len, sealed + HPKE_ENC, PLAIN + HPKE_TAG);
    if (e.code == E_AUTH || e.code == E_FORMAT) FAIL(E_AUTH, "the grant was altered, or not made for this build key");
    TRY(e);
    secret_move(plain, &got);
    return OK;
}

err grant_open(struct keyring *k, const void *p, size_t n, const struct build_key *own, const struct grant_terms *want)
{
    struct grant_terms t;
    const uint8_t *sealed;
    SECRET plain = NULL;
    TRY(terms_read(&t, &sealed, p, n));
    TRY(check_build_key(&t, own));
    /* First whether it is genuine: a term that somebody changed is no other term, it is a forgery. */
    TRY(unseal(&plain, sealed, p, n - GRANT_SEALED, own));
    TRY(check_terms(&t, want));
    struct keyring got = { .epoch = t.epoch };
    memcpy(got.service_id, t.service_id, 32);
    TRY(keyring_split(&got, plain));
    *k = got;
    return OK;
}
