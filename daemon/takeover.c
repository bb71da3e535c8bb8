/* takeover.c - the new build's part of an upgrade. The store holds a service whose keyring is sealed for another KMS key: this build
 * announces itself, and waits for a grant to its build key; then it opens the service with that. */
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/keeper.h"
#include "keystore/announce.h"
#include "keystore/attest.h"
#include "keystore/build_key.h"
#include "keystore/grant.h"
#include "keystore/key_finding.h"

enum { GATHER_MS = 40000, ASK_MS = 60000, AGAIN_MS = 2000, ROOM = GRANT_MAX + RECORD_MAX + 128 };

void heir_drop(struct heir *h)
{
    secret_drop(&h->build_root);
    build_key_drop(&h->own);
}

/* A grant is not authenticated by who made it: only the service's public key shows that it holds the service's master, so both have to
 * be named by what is measured. */
static err check_configured(const struct daemon_config *c, const char *arn)
{
    if (!c->service_id[0] || !c->public_key[0])
        FAIL(E_DENIED, "the parent holds a service of key %s, but [kms] key allows %s only. To take that service over by a grant, name it: "
             "[service] id and [service] public_key", arn, c->kms_key);
    return OK;
}

/* This build's own key for the service: everything that opens what was sealed for it comes from here. */
static err make_heir(struct keeper *k, const struct record *r, const uint8_t id[static 32])
{
    SECRET z = NULL;
    struct heir *h = &k->heir;
    enum profile profile;
    const char *arn = k->env->config.kms_key;
    TRY(profile_from_text(&profile, r->genesis.profile));
    TRY(keeper_gather(k, arn, GATHER_MS));
    h->findings = key_findings_breaking(k->evidence.findings);
    memcpy(h->point, k->evidence.point, sizeof h->point);
    const struct kms_question q = { .arn = arn, .point = h->point, .blockhash = r->genesis.blockhash, .profile = profile };
    TRY(keeper_derive(k, &z, &q, true));
    TRY(keyring_build_root(&h->build_root, z, arn, r->genesis.blockhash));
    return build_key_derive(&h->own, h->build_root, id);
}

/* The record that this build opens from now on. */
static err write_record(struct wr *w, const struct keeper *k, const struct record *old, const struct keyring *ring, const uint8_t release[static 32])
{
    struct record r = *old;
    uint8_t sealed[KEYRING_SEALED];
    memset(r.build_arn, 0, sizeof r.build_arn);
    memcpy(r.build_arn, k->env->config.kms_key, strlen(k->env->config.kms_key));
    memcpy(r.build_point, k->heir.point, sizeof r.build_point);
    memcpy(r.release, release, 32);
    record_write_bound(w, &r);
    TRY(wr_end(w, "service record"));
    TRY(keyring_seal(sealed, ring, k->heir.build_root, w->p, w->len));
    record_write_keyring(w, sealed, sizeof sealed);
    return wr_end(w, "service record");
}

struct found { struct bytes grant, record; uint8_t release[32], log_root[32]; uint32_t log_number; uint64_t log_size; };

static err read_found(struct found *f, struct rd *r)
{
    f->grant.p = rd_var(r, GRANT_MAX, &f->grant.n);
    rd_copy(r, f->release, 32);
    f->log_number = rd_u32(r);
    f->log_size = rd_u64(r);
    rd_copy(r, f->log_root, 32);
    f->record.p = rd_var(r, RECORD_MAX, &f->record.n);
    return rd_end(r, "DISK_GRANT");
}

static err open_grant(struct keyring *ring, struct keeper *k, const struct found *f, const struct record *r, const uint8_t id[static 32])
{
    struct grant_terms want = { .epoch = r->epoch, .log_number = f->log_number, .log_size = f->log_size };
    uint64_t now = 0;
    memcpy(want.service_id, id, 32);
    memcpy(want.release, f->release, 32);
    memcpy(want.blockhash, r->genesis.blockhash, 32);
    sha256(want.record, r->bound, r->bound_len);
    memcpy(want.log_root, f->log_root, 32);
    memcpy(want.arn, k->env->config.kms_key, strlen(k->env->config.kms_key));
    TRY(keeper_now(k, &now, want.pcr));
    TRY(grant_open(ring, f->grant.p, f->grant.n, &k->heir.own, &want));
    return keyring_check(ring, r->commitment);
}

/* One grant that does not hold is no reason to end: another one may come. */
static err try_grant(struct keeper *k, const struct found *f)
{
    KEYRING ring = { 0 };
    struct record r;
    uint8_t id[32], hash[32], record[RECORD_MAX];
    struct wr w = wr_of(record, sizeof record);
    sha256(hash, f->grant.p, f->grant.n);
    if (memcmp(hash, k->heir.refused, 32) == 0) return OK;
    err e = record_parse(&r, f->record.p, f->record.n);
    if (!e.code) e = genesis_id(id, &r.genesis);
    if (!e.code && memcmp(id, k->heir.service_id, 32) != 0) e = (err){ E_AUTH };
    if (!e.code) e = open_grant(&ring, k, f, &r, id);
    if (e.code) {
        log_error("a grant for this build is there, and does not hold (%s); waiting for another", err_text(e.code));
        memcpy(k->heir.refused, hash, 32);
        return OK;
    }
    log_info("the grant has opened: this build takes the service over");
    TRY(write_record(&w, k, &r, &ring, f->release));
    TRY(keeper_take_over(k, &ring, &r, f->release, record, w.len));
    heir_drop(&k->heir);
    return OK;
}

err keeper_look_for_grant(struct keeper *k)
{
    BYTES room = NULL;
    struct msg m;
    struct found f;
    TRY(mem_new(&room, ROOM));
    TRY(msg_call(k->env->peer[ROLE_DISK], DISK_GRANT_GET, k->heir.own.point, BUILD_KEY, DISK_GRANT, &m, room, ROOM, ASK_MS));
    struct rd r = rd_of(m.body, m.len);
    if (rd_u8(&r) != 1) return OK;
    TRY(read_found(&f, &r));
    return try_grant(k, &f);
}

err keeper_announce(struct keeper *k, const struct record *r, const uint8_t id[static 32])
{
    TRY(check_configured(&k->env->config, r->build_arn));
    memcpy(k->heir.service_id, id, 32);
    TRY(keeper_tell(k, PHASE_DERIVING));
    TRY(make_heir(k, r, id));
    TRY(keeper_tell(k, PHASE_ANNOUNCING));
    log_info("this build announces itself (GET /announcement), and waits for a grant");
    return keeper_look_for_grant(k);
}

/* The loop's tick: look again from time to time. */
err keeper_tick(void *self, int *timeout_ms)
{
    struct keeper *k = self;
    *timeout_ms = -1;
    if (k->state != PHASE_ANNOUNCING) return OK;
    TRY(keeper_look_for_grant(k));
    if (k->state == PHASE_ANNOUNCING) *timeout_ms = AGAIN_MS;
    return OK;
}

err keeper_on_announce(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    BYTES body = NULL;
    struct rd r = rd_of(m->body, m->len);
    struct announcement a = { .findings = k->heir.findings };
    struct bytes nonce = { NULL, 0 };
    uint8_t user_data[ANNOUNCE_USER_DATA];
    size_t n = 0, len = 0;
    (void)pass;
    const uint8_t *p = rd_var(&r, NSM_NONCE_MAX, &nonce.n);
    TRY(rd_end(&r, "KEEPER_ANNOUNCE"));
    if (nonce.n) nonce.p = p;
    if (k->state != PHASE_ANNOUNCING) return msg_send_error(fd, m, (err){ E_STATE });
    memcpy(a.service_id, k->heir.service_id, 32);
    TRY(hex_to(a.public_key, sizeof a.public_key, k->env->config.public_key, strlen(k->env->config.public_key)));
    memcpy(a.arn, k->env->config.kms_key, strlen(k->env->config.kms_key));
    TRY(announce_write(user_data, &n, &a));
    TRY(mem_new(&body, NSM_RESPONSE_MAX + 8));
    err e = nsm_attestation(&k->nsm, body + 4, NSM_RESPONSE_MAX, &len, (struct bytes){ k->heir.own.point, BUILD_KEY }, (struct bytes){ user_data, n }, nonce);
    if (e.code) return msg_send_error(fd, m, (err){ E_IO });
    struct wr w = wr_of(body, 4);
    wr_u32(&w, (uint32_t)len);
    return msg_send(fd, KEEPER_ANNOUNCED, m->seq, body, 4 + len, 5000);
}
