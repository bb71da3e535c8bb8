/* keeper: derives the keys, opens and seals the keyring, and asks the security
 * module; it opens and seals what clients send encrypted. It parses CMS and
 * its own messages, nothing of a client's. */
#include "daemon/keeper.h"
#include "daemon/papers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/roles.h"
#include "daemon/secure.h"
#include "keystore/arn.h"
#include "keystore/key_finding.h"
#include "keystore/nitro_root.h"
#include "keystore/pem.h"

#define IN(phase) (1u << (phase))
enum { DISK_MS = 600000, EVIDENCE_MS = 40000 };

/* Made while files can still be opened. */
struct warm { struct recipient *recipient; uint8_t root[ATTEST_CERT_MAX]; size_t root_len; };

static err read_root(struct warm *w, const char *path)
{
    uint8_t text[8192];
    size_t n = 0;
    memcpy(w->root, nitro_root_g1, sizeof nitro_root_g1);
    w->root_len = sizeof nitro_root_g1;
    if (!path[0]) return OK;
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) FAIL(E_ABSENT, "[nsm] root: %s cannot be read", path);
    for (ssize_t got; n < sizeof text && (got = read(fd, text + n, sizeof text - n)) != 0; n += (size_t)got)
        if (got < 0) FAIL(E_IO, "reading %s", path);
    return pem_certificate(w->root, sizeof w->root, &w->root_len, text, n);
}

err keeper_warm_up(struct role_env *env)
{
    struct warm *w = calloc(1, sizeof *w);
    if (!w) FAIL(E_MEMORY, "no memory for the keeper");
    env->warm = w;
    TRY(read_root(w, env->config.nsm_root));
    return recipient_new(&w->recipient);
}

err keeper_tell(struct keeper *k, enum phase phase)
{
    uint8_t body[1024 + WIRE_RULES_MOST];
    struct wr w = wr_of(body, sizeof body);
    k->state = phase;
    k->shown.phase = (uint8_t)phase;
    wire_put_state(&w, &k->shown);
    TRY(wr_end(&w, "KEEPER_STATE"));
    TRY(msg_send(k->env->peer[ROLE_WEB], KEEPER_STATE, 0, body, w.len, 5000));
    const uint8_t one = (uint8_t)phase;
    return msg_send(k->env->control, CTL_SERVING, 0, &one, 1, 5000);
}

/* Findings about the key, or words about the headers: whichever the verdict is about. */
static err say_more(int fd, const struct msg *m, enum setup_verdict v, uint32_t findings, const char *words)
{
    uint8_t body[1 + 4 + 4 + WIRE_TEXT];
    struct wr w = wr_of(body, sizeof body);
    wr_u8(&w, (uint8_t)v);
    wr_u32(&w, findings);
    wr_var(&w, words, strlen(words));
    TRY(wr_end(&w, "KEEPER_SETUP_IS"));
    return msg_send(fd, KEEPER_SETUP_IS, m->seq, body, w.len, 5000);
}

static err say(int fd, const struct msg *m, enum setup_verdict v) { return say_more(fd, m, v, 0, ""); }

static err make_genesis(struct keeper *k, struct genesis *g, const struct wire_setup *s)
{
    _Static_assert(sizeof g->key_arn == sizeof s->key_id, "one length for an ARN");
    memset(g, 0, sizeof *g);
    memcpy(g->name, k->env->config.service_name, sizeof g->name);
    memcpy(g->key_arn, s->key_id, sizeof g->key_arn);
    memcpy(g->profile, k->env->config.profile, sizeof g->profile);
    keeper_put_rules(g, &k->env->config.rules);
    memcpy(g->blockhash, s->blockhash, 32);
    g->limited = s->limited;
    g->max_weight = s->limited ? s->max_weight : 0;
    g->accepted = s->accepted;
    g->created = (uint64_t)time(NULL);
    return random_bytes(g->nonce, sizeof g->nonce);
}

/* May there be a genesis, by the measured configuration? */
static bool allowed(const struct daemon_config *c, const struct wire_setup *s)
{
    if (strcmp(c->genesis, "open") != 0) return false;
    if (c->service_id[0]) return false;        /* a pinned service is opened, never made */
    return !c->kms_key[0] || strcmp(c->kms_key, s->key_id) == 0;
}

static enum setup_verdict verdict_of(err e)
{
    return e.code == E_LIMIT || e.code == E_STATE ? SETUP_FAILED : SETUP_KMS_FAILED;
}

/* A key is derived from only when it is known who else may use it, or when setup said by name which
 * doubt it accepts. Out: *refused, the doubts that it did not. */
static err derive(struct keeper *k, secret **z, uint32_t *refused, struct genesis *g, enum profile profile)
{
    TRY(keeper_gather(k, g->key_arn, EVIDENCE_MS));
    *refused = key_findings_breaking(k->evidence.findings) & ~g->accepted;
    if (*refused) return OK;
    memcpy(g->key_point, k->evidence.point, sizeof g->key_point);
    const struct kms_question q = { .arn = g->key_arn, .point = g->key_point, .blockhash = g->blockhash, .profile = profile };
    return keeper_derive(k, z, &q, true);
}

/* Until KMS has answered, a failure leaves all as it was, and setup can be tried again. */
static err on_setup(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    struct rd r = rd_of(m->body, m->len);
    struct wire_setup s;
    struct wire_headers headers;
    struct genesis g;
    struct arn parsed;
    char words[HEADERS_TEXT];
    enum profile profile;
    SECRET z = NULL;
    (void)pass;
    wire_get_setup(&r, &s);
    wire_get_headers(&r, &headers);
    TRY(rd_end(&r, "KEEPER_SETUP"));
    if (k->state == PHASE_SERVING || k->state == PHASE_WITNESSING || k->state == PHASE_HANDED_OVER) return say(fd, m, SETUP_ALREADY);
    if (k->state != PHASE_AWAITING_SETUP) return say(fd, m, SETUP_NOT_NOW);
    if (!allowed(&k->env->config, &s)) return say(fd, m, SETUP_DENIED);
    /* A multi-Region key has replicas, each with a policy and grants of its own: refused. */
    if (arn_parse(&parsed, s.key_id, strlen(s.key_id)).code || parsed.multi_region) return say(fd, m, SETUP_BAD_KEY);
    TRY(profile_from_text(&profile, k->env->config.profile));
    TRY(make_genesis(k, &g, &s));
    if (keeper_check_block(&g.check, words, &headers, g.blockhash).code) return say_more(fd, m, SETUP_BAD_HEADERS, 0, words);
    TRY(keeper_tell(k, PHASE_DERIVING));
    uint32_t refused = 0;
    err e = derive(k, &z, &refused, &g, profile);
    if (e.code || refused) {
        TRY(keeper_tell(k, PHASE_AWAITING_SETUP));
        return refused ? say_more(fd, m, SETUP_KEY_REFUSED, refused, "") : say(fd, m, verdict_of(e));
    }
    e = keeper_genesis(k, &g, &z);
    if (e.code) {
        err_drop(say(fd, m, SETUP_FAILED));
        return e;
    }
    return say(fd, m, SETUP_DONE);
}

#define ALWAYS (IN(PHASE_STARTING) | IN(PHASE_AWAITING_SETUP) | IN(PHASE_DERIVING) | IN(PHASE_RESTORING) | IN(PHASE_WITNESSING) | IN(PHASE_SERVING) | IN(PHASE_ANNOUNCING) | IN(PHASE_HANDED_OVER))
static const struct msg_rule web_rules[] = {
    { KEEPER_SETUP, WIRE_SETUP_LEAST, WIRE_SETUP_MOST, ALWAYS, 0, on_setup },
    { KEEPER_ATTEST, 5, 5 + NSM_NONCE_MAX, ALWAYS, 0, keeper_on_attest },
    { KEEPER_DOCUMENT, 8, 8 + DOCUMENT_MAX + STANDING_LIST, ALWAYS, 0, keeper_on_document },
    { KEEPER_STANDING, 0, 0, ALWAYS, 0, keeper_on_standing },
    { KEEPER_GRANT, 36, 36 + ATTEST_MAX, ALWAYS, 0, keeper_on_grant },
    { KEEPER_ANNOUNCE, 4, 4 + NSM_NONCE_MAX, ALWAYS, 0, keeper_on_announce },
    { KEEPER_EVIDENCE, 4, 4 + NSM_NONCE_MAX, ALWAYS, 0, keeper_on_evidence },
    { KEEPER_SECURE, 34, 66 + SECURE_PLAIN_MAX + SECURE_SLACK + SECURE_OVERHEAD, ALWAYS, 0, secure_on_secure },
    { KEEPER_CHANNEL, 1, CHANNEL_ASK_MORE + CHANNEL_PLAIN_MAX, ALWAYS, 0, secure_on_channel },
    { KEEPER_SEAL, 11, MSG_MAX, ALWAYS, 0, secure_on_seal },
};
static const struct msg_rule disk_rules[] = {
    { DISK_LOG, 1, WIRE_LOG_MOST, ALWAYS, 0, keeper_on_log },
    { DISK_ANCHORED, 0, 0, IN(PHASE_WITNESSING), 0, keeper_on_anchored },
};
static const struct msg_table web_table = { web_rules, sizeof web_rules / sizeof *web_rules }, fetch_table = { NULL, 0 };
const struct msg_table keeper_disk_table = { disk_rules, 2 };

/* What does the parent hold? Only that decides what this boot is: a service to be
 * opened, or none, and then a genesis has to be asked for explicitly. */
static err boot(struct keeper *k)
{
    BYTES room = NULL;
    struct msg m;
    size_t n = 0;
    TRY(mem_new(&room, RECORD_MAX + 64));
    TRY(keeper_tell(k, PHASE_STARTING));
    TRY(msg_call(k->env->peer[ROLE_DISK], DISK_RECORD_GET, NULL, 0, DISK_RECORD, &m, room, RECORD_MAX + 64, DISK_MS));
    struct rd r = rd_of(m.body, m.len);
    bool present = rd_u8(&r) == 1;
    const uint8_t *record = rd_var(&r, RECORD_MAX, &n);
    TRY(rd_end(&r, "DISK_RECORD"));
    if (present) return keeper_open_record(k, record, n);
    if (k->env->config.service_id[0])
        FAIL(E_ABSENT, "the parent's store holds no service, but [service] id names %s: restore the store, nothing is made new", k->env->config.service_id);
    return keeper_tell(k, PHASE_AWAITING_SETUP);
}

err keeper_main(struct role_env *env)
{
    struct warm *warm = env->warm;
    RECIPIENT recipient = warm->recipient;
    SECURE secure = NULL;
    BYTES room = NULL;
    /* Of these 8 MiB only the pages that frames fill are ever real. */
    TRY(mem_new(&room, MSG_MAX));
    TRY(secure_open(&secure));
    struct keeper k = { .env = env, .recipient = recipient, .secure = secure };
    memcpy(k.root, warm->root, sizeof k.root);
    k.root_len = warm->root_len;
    free(warm);
    env->warm = NULL;
    TRY(secure_show(secure, &k.shown));
    TRY(nsm_from_fd(&k.nsm, env->given[GIVE_NSM - GIVE_LISTEN]));
    k.shown.simulated = k.nsm.simulated;
    memcpy(k.shown.profile, env->config.profile, sizeof k.shown.profile);
    k.shown.rules = env->config.rules;
    if (k.nsm.simulated) log_warn("SIMULATED: attestation documents are not the hardware's; nothing here is protected from its host");
    TRY(boot(&k));
    struct loop l = { .env = env, .state = &k.state, .self = &k, .room = room, .cap = MSG_MAX, .tick = keeper_tick };
    loop_add(&l, &env->peer[ROLE_WEB], &web_table, true);
    loop_add(&l, &env->peer[ROLE_FETCH], &fetch_table, true);
    loop_add(&l, &env->peer[ROLE_SIGN], NULL, false);
    loop_add(&l, &env->peer[ROLE_DISK], &keeper_disk_table, false);
    err e = loop_run(&l);
    heir_drop(&k.heir);
    free(k.evidence.text);
    return e;
}
