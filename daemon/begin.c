/* How a service begins, and how it comes back: keys to those who need them, then
 * the disk. After the first key was handed out, any failure ends the keeper and so the
 * enclave: there is no half-begun service in memory. */
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/keeper.h"
#include "daemon/papers.h"
#include "daemon/secure.h"
#include "keystore/master.h"

enum { SIGN_MS = 10000, DISK_MS = 600000, MAX_WEIGHT_DEFAULT = 4000000, ANCHOR_MS = 3000 };

static const uint8_t no_release[32];

/* The measured configuration may say which key must come out: then no other (KMS key, block hash) will
 * do, whoever asks for it. Known only now, so a mismatch ends the enclave, with nothing made. */
static err check_pinned(const struct daemon_config *c, const uint8_t public[static 33])
{
    char hex[67];
    hex_from(hex, public, 33);
    if (c->public_key[0] && strcmp(c->public_key, hex) != 0)
        FAIL(E_DENIED, "the master public key is %s, but [service] public_key allows %s only", hex, c->public_key);
    return OK;
}

static err give_master(struct keeper *k, uint8_t public[static 33], const struct keyring *ring, const struct genesis *g, enum profile profile)
{
    uint8_t head[9], room[64];
    struct wr w = wr_of(head, sizeof head);
    struct msg m;
    wr_u8(&w, (uint8_t)profile);
    wr_u64(&w, g->limited ? g->max_weight : MAX_WEIGHT_DEFAULT);
    TRY(msg_send_secret(k->env->peer[ROLE_SIGN], SIGN_MASTER, 1, head, sizeof head, ring->master, SIGN_MS));
    TRY(msg_recv(k->env->peer[ROLE_SIGN], &m, room, sizeof room, NULL, SIGN_MS));
    if (m.type != SIGN_PUBLIC || m.len != 33) FAIL(E_FORMAT, "sign did not answer with its public key");
    memcpy(public, m.body, 33);
    return check_pinned(&k->env->config, public);
}

static err give_disk_keys(struct keeper *k, const struct keyring *ring, bool fresh)
{
    SECRET seal_key = NULL;
    SECRET volume_key = NULL;
    SECRET log_key = NULL;
    uint8_t head[37];
    struct wr w = wr_of(head, sizeof head);
    wr_u8(&w, fresh);
    wr_bytes(&w, ring->service_id, 32);
    wr_u32(&w, ring->epoch);
    TRY(keyring_child(&seal_key, 32, ring, "seal", ring->epoch));
    TRY(keyring_child(&volume_key, 64, ring, "volume", ring->epoch));
    TRY(keyring_child(&log_key, 32, ring, "log", ring->epoch));
    TRY(msg_send(k->env->peer[ROLE_DISK], DISK_KEYS, 0, NULL, 0, SIGN_MS));
    TRY(msg_send_secret(k->env->peer[ROLE_DISK], DISK_OPEN, 0, head, sizeof head, seal_key, SIGN_MS));
    TRY(msg_send_secret(k->env->peer[ROLE_DISK], DISK_VOLUME, 0, NULL, 0, volume_key, SIGN_MS));
    return msg_send_secret(k->env->peer[ROLE_DISK], DISK_LOG_KEY, 0, NULL, 0, log_key, SIGN_MS);
}

/* What the log will say about this start. */
static err make_boot(struct wire_boot *b, struct keeper *k, const uint8_t release[static 32])
{
    memset(b, 0, sizeof *b);
    b->simulated = k->nsm.simulated;
    memcpy(b->release, release, 32);
    TRY(random_bytes(b->random, sizeof b->random));
    return keeper_now(k, &b->time, b->pcr);
}

static err give_disk(struct keeper *k, const struct keyring *ring, bool fresh, const struct genesis *g, const uint8_t release[static 32],
                     const uint8_t *record, size_t record_len)
{
    char document[GENESIS_MAX];
    uint8_t body[GENESIS_MAX + RECORD_MAX + WIRE_BOOT + 16], room[64];
    size_t document_len = 0;
    struct msg m;
    struct wire_boot boot;
    struct wr w = wr_of(body, sizeof body);
    TRY(give_disk_keys(k, ring, fresh));
    TRY(make_boot(&boot, k, release));
    TRY(genesis_render(document, &document_len, g));
    wr_var(&w, document, document_len);
    wr_var(&w, record, record_len);
    wire_put_boot(&w, &boot);
    TRY(wr_end(&w, "DISK_GENESIS"));
    TRY(msg_call(k->env->peer[ROLE_DISK], DISK_GENESIS, body, w.len, DISK_OPENED, &m, room, sizeof room, DISK_MS));
    struct rd r = rd_of(m.body, m.len);
    uint64_t generation = rd_u64(&r), requests = rd_u64(&r);
    TRY(rd_end(&r, "DISK_OPENED"));
    log_info("the disk is open: generation %llu, %llu requests in the book", (unsigned long long)generation, (unsigned long long)requests);
    return OK;
}

void keeper_put_rules(struct genesis *g, const struct rule_list *rules)
{
    _Static_assert((int)GENESIS_RULES == (int)RULES_MAX && (int)GENESIS_RULE_SET >= (int)RULES_ENCODED, "one bound for rule sets");
    g->rules = (uint8_t)rules->count;
    for (size_t i = 0; i < rules->count; i++) {
        struct wr w = wr_of(g->rule_set[i].bytes, sizeof g->rule_set[i].bytes);
        rules_write(&w, &rules->set[i]);
        MUST(!w.full);
        g->rule_set[i].n = (uint8_t)w.len;
    }
}

err keeper_get_rules(struct rule_list *rules, const struct genesis *g)
{
    *rules = (struct rule_list){ .count = g->rules };
    MUST(g->rules <= RULES_MAX);
    for (size_t i = 0; i < g->rules; i++) {
        struct rd r = rd_of(g->rule_set[i].bytes, g->rule_set[i].n);
        rules_read(&r, &rules->set[i]);
        TRY(rd_end(&r, "a rule set of the genesis document"));
    }
    return OK;
}

static err show_papers(struct keeper *k)
{
    PAPERS p = { 0 };
    TRY(papers_look(&p, k));
    return keeper_show_papers(k, &p.s);
}

/* The service is known; it signs when disk says that the witnesses, if there are any, have cosigned this start. One that is quick
 * is waited for, so that who made a service can use it at once. */
static err begun(struct keeper *k, const struct keyring *ring, const struct genesis *g, const uint8_t public[static 33])
{
    struct wire_state *s = &k->shown;
    TRY(keeper_get_rules(&s->rules, g));
    s->has_service = 1;
    memcpy(s->public_key, public, 33);
    memcpy(s->service_id, ring->service_id, 32);
    s->epoch = ring->epoch;
    memcpy(s->profile, g->profile, sizeof s->profile);
    s->settings.limited = g->limited;
    s->settings.max_weight = g->max_weight;
    memcpy(s->settings.key_id, g->key_arn, sizeof s->settings.key_id);
    memcpy(s->settings.blockhash, g->blockhash, 32);
    s->settings.accepted = g->accepted;
    s->check = g->check;
    TRY(secure_service(k->secure, ring));
    TRY(secure_show(k->secure, s));
    TRY(keeper_tell(k, PHASE_WITNESSING));
    TRY(show_papers(k));
    return keeper_await_anchor(k, ANCHOR_MS);
}

static err sign_serve(struct keeper *k)
{
    uint8_t room[16], rules[WIRE_RULES_MOST];
    struct wr w = wr_of(rules, sizeof rules);
    struct msg answer;
    rules_list_write(&w, &k->shown.rules);
    TRY(wr_end(&w, "SIGN_SERVE"));
    TRY(msg_call(k->env->peer[ROLE_SIGN], SIGN_SERVE, rules, w.len, SIGN_SERVING, &answer, room, sizeof room, SIGN_MS));
    k->signing_stopped = false;
    return OK;
}

err keeper_sign_again(struct keeper *k, err why)
{
    TRY(sign_serve(k));
    return why;
}

/* From here on judges are answered. */
err keeper_on_anchored(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    (void)fd, (void)m, (void)pass;
    TRY(sign_serve(k));
    return keeper_tell(k, PHASE_SERVING);
}

static void keep_record(struct keeper *k, const uint8_t *p, size_t n)
{
    memcpy(k->record, p, n);
    k->record_len = n;
}

static err write_record(struct wr *w, const struct keyring *ring, const secret *build_root, const struct genesis *g, const uint8_t public[static 33])
{
    struct record r = { .epoch = ring->epoch, .genesis = *g };
    uint8_t sealed[KEYRING_SEALED];
    memcpy(r.public_key, public, 33);
    record_begin_build(&r);
    TRY(keyring_commitment(r.commitment, ring));
    record_write_bound(w, &r);
    TRY(wr_end(w, "service record"));
    TRY(keyring_seal(sealed, ring, build_root, w->p, w->len));
    record_write_keyring(w, sealed, sizeof sealed);
    return wr_end(w, "service record");
}

/* The master belongs to the service's first epoch for good: a rekey changes what is derived from the
 * service root, not the addresses. No policy exists yet at genesis. */
static err make_master(secret **out, const struct genesis *g, enum profile profile, const secret *z)
{
    static const uint8_t no_policy[32];
    const struct master_binding b = { .arn = g->key_arn, .blockhash = g->blockhash, .epoch = 1, .policy = no_policy };
    return master_from_secret(out, profile, z, &b);
}

err keeper_genesis(struct keeper *k, const struct genesis *g, secret **z)
{
    KEYRING ring = { .epoch = 1 };
    SECRET build_root = NULL;
    enum profile profile;
    uint8_t public[33], record[RECORD_MAX];
    struct wr w = wr_of(record, sizeof record);
    TRY(profile_from_text(&profile, g->profile));
    TRY(genesis_id(ring.service_id, g));
    TRY(make_master(&ring.master, g, profile, *z));
    TRY(keyring_service_root(&ring.service_root, *z, ring.service_id));
    TRY(keyring_build_root(&build_root, *z, g->key_arn, g->blockhash));
    secret_drop(z);
    TRY(keeper_bind_service(k, ring.service_id));
    TRY(give_master(k, public, &ring, g, profile));
    TRY(write_record(&w, &ring, build_root, g, public));
    TRY(give_disk(k, &ring, true, g, no_release, record, w.len));
    keep_record(k, record, w.len);
    return begun(k, &ring, g, public);
}

/* The record is the parent's word until the keyring opens under the root that only
 * KMS's answer gives, with all of the record as associated data. */
static err open_keyring(struct keeper *k, struct keyring *ring, const struct record *r, const uint8_t id[static 32], enum profile profile)
{
    SECRET z = NULL;
    SECRET build_root = NULL;
    SECRET again = NULL;
    const struct kms_question q = { .arn = r->build_arn, .point = r->build_point, .blockhash = r->genesis.blockhash, .profile = profile };
    TRY(keeper_derive(k, &z, &q, false));
    TRY(keyring_build_root(&build_root, z, r->build_arn, r->genesis.blockhash));
    TRY(keyring_unseal(ring, build_root, r->keyring, r->keyring_len, r->bound, r->bound_len));
    TRY(keyring_check(ring, r->commitment));
    if (memcmp(ring->service_id, id, 32) != 0 || ring->epoch != r->epoch) FAIL(E_AUTH, "the keyring is another service's");
    if (!record_is_of_genesis_key(r)) return OK;
    /* The key that made the service can derive the master anew: it must come out the same. */
    TRY(make_master(&again, &r->genesis, profile, z));
    if (!secret_eq(again, ring->master)) FAIL(E_AUTH, "the master key that KMS leads to is not the one in the keyring");
    return OK;
}

/* Only the key that the keyring is sealed for opens it: a build with another one has to be granted it. */
static bool is_of_other_build(const struct daemon_config *c, const struct record *r)
{
    return c->kms_key[0] && strcmp(c->kms_key, r->build_arn) != 0;
}

err keeper_reopen(struct keeper *k, struct keyring *ring, const struct record *r)
{
    enum profile profile;
    uint8_t id[32];
    TRY(profile_from_text(&profile, r->genesis.profile));
    TRY(genesis_id(id, &r->genesis));
    return open_keyring(k, ring, r, id, profile);
}

err keeper_take_over(struct keeper *k, const struct keyring *ring, const struct record *old, const uint8_t release[static 32], const uint8_t *record, size_t n)
{
    enum profile profile;
    uint8_t public[33];
    TRY(profile_from_text(&profile, old->genesis.profile));
    TRY(keeper_bind_service(k, ring->service_id));
    TRY(keeper_tell(k, PHASE_RESTORING));
    TRY(give_master(k, public, ring, &old->genesis, profile));
    if (memcmp(public, old->public_key, 33) != 0) FAIL(E_AUTH, "the public key in the service record is not the master's");
    TRY(give_disk(k, ring, false, &old->genesis, release, record, n));
    keep_record(k, record, n);
    return begun(k, ring, &old->genesis, public);
}

err keeper_open_record(struct keeper *k, const uint8_t *bytes, size_t n)
{
    KEYRING ring = { 0 };
    struct record r;
    enum profile profile;
    uint8_t id[32], public[33];
    TRY(record_parse(&r, bytes, n));
    const bool other = is_of_other_build(&k->env->config, &r);
    TRY(record_check(id, &r, k->env->config.service_id, other ? "" : k->env->config.kms_key));
    if (other) return keeper_announce(k, &r, id);
    TRY(profile_from_text(&profile, r.genesis.profile));
    TRY(keeper_tell(k, PHASE_DERIVING));
    TRY(open_keyring(k, &ring, &r, id, profile));
    TRY(keeper_bind_service(k, ring.service_id));
    TRY(keeper_tell(k, PHASE_RESTORING));
    TRY(give_master(k, public, &ring, &r.genesis, profile));
    if (memcmp(public, r.public_key, 33) != 0) FAIL(E_AUTH, "the public key in the service record is not the master's");
    TRY(give_disk(k, &ring, false, &r.genesis, r.release, NULL, 0));
    keep_record(k, bytes, n);
    return begun(k, &ring, &r.genesis, public);
}
