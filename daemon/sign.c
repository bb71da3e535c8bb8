/* sign: holds the master key of the script signer and answers judges; the keeper gets session keys from it. */
#include <string.h>

#include "core/log.h"
#include "daemon/loop.h"
#include "daemon/roles.h"
#include "daemon/wire.h"
#include "keystore/profile.h"
#include "signer/keys.h"

enum { KEYLESS, HOLDING, SERVING, STOPPED };
#define IN(state) (1u << (state))

struct sign {
    struct role_env *env;
    struct signer   *signer;
    unsigned         state;
    struct wire_terms terms;             /* told to judges                            */
};

err sign_warm_up(struct role_env *env)
{
    (void)env;
    return OK;
}

/* The secret follows its head directly and is read straight into the arena, so
 * this frame is taken here and not by msg_serve(). */
static err take_master(void *self)
{
    struct sign *s = self;
    SECRET master = NULL;
    uint8_t head[9], public[33];
    int keeper = s->env->peer[ROLE_KEEPER];
    TRY(msg_recv_secret(keeper, SIGN_MASTER, head, sizeof head, &master, 32, 10000));
    struct rd r = rd_of(head, sizeof head);
    const char *profile = profile_text(rd_u8(&r));
    enum child_kind kind;
    s->terms.max_weight = rd_u64(&r);
    if (!child_kind_of(&kind, profile)) FAIL(E_FORMAT, "a master of no known profile");
    TRY(signer_open(&s->signer, &master));
    signer_children(s->signer, kind);
    s->terms.kind = (uint8_t)kind;
    s->state = HOLDING;
    signer_public(s->signer, public);
    memcpy(s->terms.master, public, sizeof public);
    return msg_send(keeper, SIGN_PUBLIC, 0, public, sizeof public, 5000);
}

static err on_serve(void *self, int fd, const struct msg *m, int *pass)
{
    struct sign *s = self;
    struct rd r = rd_of(m->body, m->len);
    (void)pass;
    rules_list_read(&r, &s->terms.rules);
    TRY(rd_end(&r, "SIGN_SERVE"));
    if (!s->terms.rules.count) FAIL(E_FORMAT, "SIGN_SERVE without a rule set");
    s->state = SERVING;
    return msg_send(fd, SIGN_SERVING, m->seq, NULL, 0, 5000);
}

static err on_stop(void *self, int fd, const struct msg *m, int *pass)
{
    struct sign *s = self;
    (void)pass;
    s->state = STOPPED;
    return msg_send(fd, SIGN_STOPPED, m->seq, NULL, 0, 5000);
}

static err on_params(void *self, int fd, const struct msg *m, int *pass)
{
    struct sign *s = self;
    (void)pass;
    if (s->state != SERVING) return msg_send_error(fd, m, (err){ E_STATE });
    uint8_t body[WIRE_TERMS_MOST];
    struct wr w = wr_of(body, sizeof body);
    wire_put_terms(&w, &s->terms);
    TRY(wr_end(&w, "SIGN_PARAMS_IS"));
    return msg_send(fd, SIGN_PARAMS_IS, m->seq, body, w.len, 5000);
}

static err on_input(void *self, int fd, const struct msg *m, int *pass)
{
    struct sign *s = self;
    (void)pass;
    struct sign_request q;
    uint8_t sig[64];
    if (s->state == STOPPED) return msg_send_error(fd, m, (err){ E_STATE });
    TRY(sign_request_read(&q, m->body, m->len));
    err e = signer_sign(s->signer, sig, &q);
    /* A signature that does not verify: this machine cannot be trusted. A message that is no
     * key-path message: that judge cannot be. */
    if (e.code == E_IO || e.code == E_FORMAT) return e;
    if (e.code) return msg_send_error(fd, m, e);
    return msg_send(fd, SIGN_INPUT_IS, m->seq, sig, sizeof sig, 5000);
}

/* Only the keeper may ask: what it gets opens one client's request, and seals the answer. */
static err on_agree(void *self, int fd, const struct msg *m, int *pass)
{
    struct sign *s = self;
    SECRET key = NULL;
    (void)pass;
    err e = signer_agree(s->signer, &key, m->body, m->len);
    if (e.code == E_FORMAT) return msg_send_error(fd, m, (err){ E_DENIED });
    TRY(e);
    return msg_send_secret(fd, SIGN_AGREED, m->seq, NULL, 0, key, 5000);
}

static const struct msg_rule judge_rules[] = {
    { SIGN_PARAMS, 0, 0, IN(KEYLESS) | IN(HOLDING) | IN(SERVING) | IN(STOPPED), 0, on_params },
    { SIGN_INPUT, SIGN_REQUEST_SIZE, SIGN_REQUEST_SIZE, IN(SERVING) | IN(STOPPED), 0, on_input },
};
static const struct msg_rule keeper_rules[] = {
    { SIGN_SERVE, 1, WIRE_RULES_MOST, IN(HOLDING) | IN(STOPPED), 0, on_serve },
    { SIGN_STOP, 0, 0, IN(SERVING), 0, on_stop },
    { SIGN_AGREE, 33, 65, IN(SERVING) | IN(STOPPED), 0, on_agree },
};
static const struct msg_table judge_table = { judge_rules, 2 }, keeper_table = { keeper_rules, 3 };

/* Until the master is there, judges are answered that it is not: so they are
 * served while the keeper's channel is watched for its first frame. */
static err serve(struct sign *s)
{
    uint8_t room[WIRE_RULES_MOST];
    struct loop l = { .env = s->env, .state = &s->state, .self = s, .room = room, .cap = sizeof room };
    loop_add(&l, &s->env->peer[ROLE_KEEPER], &keeper_table, false);
    loop_add_judges(&l, &judge_table);
    loop_first(&l, &s->env->peer[ROLE_KEEPER], take_master);
    return loop_run(&l);
}

err sign_main(struct role_env *env)
{
    struct sign s = { .env = env };
    err e = serve(&s);
    signer_close(&s.signer);
    return e;
}
