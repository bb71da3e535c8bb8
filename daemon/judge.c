/* judge: reads what strangers send, and decides. It holds no key; what it finds
 * good it asks `sign` for, and writes into the book before anybody hears of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/judge_spend.h"
#include "daemon/loop.h"
#include "daemon/roles.h"
#include "daemon/trace.h"
#include "daemon/wire.h"
#include "signer/emulate.h"
#include "signer/tx.h"

enum { ROOM = EMULATE_REQUEST_MAX + WIRE_TERMS_MOST + 128, ASK_MS = 20000, ONE_STATE = 1u };

struct judge { struct role_env *env; uint8_t *room; struct wire_terms params; bool knows; };

/* What is being decided, and what will be answered. */
struct verdict {
    uint16_t status;
    char     text[WIRE_TEXT];
    uint8_t *signed_part;            /* per signed input: u32, u8, 64 bytes */
    uint32_t signed_inputs;
    uint8_t *kinds;                  /* enum emulate_kind of each input; NULL: refused before that was known */
    uint32_t kind_count;
    struct trace trace;              /* of a dry run that asked for it: trace.out.p is set */
    struct script_watch watch;
    struct wire_entry entry;
};
enum { SIGNED_SIZE = 4 + 1 + 64 };

err judge_warm_up(struct role_env *env)
{
    (void)env;
    uint8_t digest[32];
    sha256(digest, "", 0);           /* fetches the algorithm while files can still be read */
    return OK;
}

/* Asked until there is a key, which is the same then for as long as `sign` lives: so that no request waits for another's signature first. */
static err know_params(struct judge *j)
{
    if (j->knows) return OK;
    uint8_t room[WIRE_TERMS_MOST];
    struct msg m;
    TRY(msg_call(j->env->peer[ROLE_SIGN], SIGN_PARAMS, NULL, 0, SIGN_PARAMS_IS, &m, room, sizeof room, ASK_MS));
    struct rd r = rd_of(m.body, m.len);
    wire_get_terms(&r, &j->params);
    TRY(rd_end(&r, "SIGN_PARAMS_IS"));
    j->knows = true;
    return OK;
}

/* Does `e` mean that the request is at fault, and not this enclave? */
static bool is_refusal(err e)
{
    return e.code == E_FORMAT || e.code == E_DENIED || e.code == E_LIMIT || e.code == E_AUTH;
}

static void refuse(struct verdict *v, uint16_t status, const char *prefix, const char *words)
{
    v->status = status;
    snprintf(v->text, sizeof v->text, "%s%s", prefix, words);
}

static void refuse_by_rule(struct verdict *v, const struct emulate_refusal *why)
{
    char words[EMULATE_TEXT];
    emulate_refusal_text(words, why);
    refuse(v, 400, "Unable to sign: ", words);
    if (why->fault != EMULATE_MISSING_SPENT_OUTPUTS && why->fault != EMULATE_UNKNOWN_RULES)
        snprintf(v->entry.which, sizeof v->entry.which, "%u", why->input);
}

static err sign_input(struct judge *j, struct verdict *v, const struct emulate_plan *p, uint32_t i)
{
    struct sign_request q;
    uint8_t body[SIGN_REQUEST_SIZE], room[128];
    struct wr w = wr_of(body, sizeof body);
    struct msg m;
    TRY(emulate_sign_request(&q, p, i));
    sign_request_write(&w, &q);
    TRY(wr_end(&w, "sign request"));
    TRY(msg_call(j->env->peer[ROLE_SIGN], SIGN_INPUT, body, w.len, SIGN_INPUT_IS, &m, room, sizeof room, ASK_MS));
    if (m.len != 64) FAIL(E_FORMAT, "a signature of %u bytes", m.len);
    struct wr out = wr_of(v->signed_part + (size_t)v->signed_inputs * SIGNED_SIZE, SIGNED_SIZE);
    wr_u32(&out, i);
    wr_u8(&out, p->input[i].annex.n > 0);
    wr_bytes(&out, m.body, 64);
    v->signed_inputs++;
    return wr_end(&out, "signed input");
}

/* The signed inputs as ranges, "0-2,5"; "..." where there is no more room. */
static void name_signed(char out[static WIRE_WHICH], const struct emulate_plan *p)
{
    struct wr w = wr_of(out, WIRE_WHICH - 1);
    for (uint32_t i = 0, last; i < p->count; i = last + 1) {
        char range[32];
        for (last = i; last < p->count && p->input[last].kind == EMULATE_INPUT; last++) continue;
        if (last == i) continue;                 /* `i` is none */
        last--;
        snprintf(range, sizeof range, last > i ? "%s%u-%u" : "%s%u", w.len ? "," : "", i, last);
        if (w.cap - w.len < strlen(range) + 4) {
            wr_text(&w, ",...");
            break;
        }
        wr_text(&w, range);
    }
    out[w.len] = 0;
}

static err keep_kinds(struct verdict *v, const struct emulate_plan *p)
{
    TRY(mem_new(&v->kinds, p->count));
    for (uint32_t i = 0; i < p->count; i++) v->kinds[i] = (uint8_t)p->input[i].kind;
    v->kind_count = (uint32_t)p->count;
    v->status = 200;
    name_signed(v->entry.which, p);
    return OK;
}

static err sign_all(struct judge *j, struct verdict *v, const struct emulate_plan *p)
{
    TRY(mem_new(&v->signed_part, p->emulated * SIGNED_SIZE));
    for (uint32_t i = 0; i < p->count; i++)
        if (p->input[i].kind == EMULATE_INPUT) TRY(sign_input(j, v, p, i));
    return OK;
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool late(void *until) { return now_ms() >= *(const uint64_t *)until; }

/* What JUDGE_SIGN holds. */
struct asked { uint32_t only; const uint8_t *request; size_t n; };
static struct asked asked_of(const uint8_t *p, size_t n)
{
    struct rd r = rd_of(p, n);
    (void)rd_u64(&r);
    const uint32_t only = rd_u32(&r);
    return (struct asked){ only, r.p, r.left };
}

static void refuse_by_limit(struct verdict *v, const struct spend_refusal *why)
{
    if (!why->status) return;
    refuse(v, why->status, "", why->text);
    v->kind_count = 0;
    v->entry.which[0] = 0;
    if (why->blames) snprintf(v->entry.which, sizeof v->entry.which, "%u", why->input);
}

/* No signature is made before what it spends is durable. */
static err spend(struct judge *j, struct verdict *v, const struct emulate_plan *p)
{
    struct spend_refusal not;
    TRY(judge_spend(&not, j->env->peer[ROLE_BOOK], &j->env->config.spend, p));
    refuse_by_limit(v, &not);
    return OK;
}

/* What is decided about; the plan borrows from the request. */
struct matter { struct emulate_request *q; struct emulate_plan *plan; };
static void matter_drop(struct matter *x)
{
    emulate_plan_free(&x->plan);
    emulate_request_free(&x->q);
}
#define MATTER __attribute__((cleanup(matter_drop))) struct matter

/* Whoever asks for one input has no use for a transaction without its signature. Returns true when it was refused. */
static bool refuse_unsigned(struct verdict *v, const struct emulate_plan *p, uint32_t only)
{
    static const char words[] = "Unable to sign: ";
    if (only == JUDGE_ALL || (only < p->count && p->input[only].kind == EMULATE_INPUT)) return false;
    if (only >= p->count) refuse(v, 400, words, "Input index out of bounds");
    else if (p->input[only].kind == SKIP_NOT_TAPROOT) refuse(v, 400, words, "Unexpected input scriptPubKey");
    else if (p->input[only].kind == SKIP_ON_CHAIN) refuse(v, 400, words, "Unexpected input scriptPubKey: the script is on chain");
    else refuse(v, 400, words, "Input is not a script path spend (missing taproot control block)");
    return true;
}

/* Order as the earlier system has it: weight, then the rule. Out: x->plan, when nothing refused it. */
static err decide(struct matter *x, struct judge *j, struct verdict *v, const struct wire_terms *params, const struct asked *asked)
{
    struct emulate_refusal why = { 0 };
    struct emulate_terms terms = { .kind = (enum child_kind)params->kind };
    memcpy(terms.master, params->master, sizeof terms.master);
    err e = emulate_request_parse(&x->q, asked->request, asked->n);
    if (is_refusal(e)) {
        refuse(v, 400, "Unable to sign: ", "the transaction is not well formed");
        return OK;
    }
    TRY(e);
    TRY(tx_id(v->entry.txid, x->q->tx));
    v->entry.inputs = (uint32_t)x->q->tx->in_count;
    if (tx_weight(x->q->tx) > params->max_weight) {
        refuse(v, 400, "", "Transaction exceeds max weight.");
        return OK;
    }
    e = emulate_choose_rules(&terms, &why, x->q, &params->rules);
    if (!e.code) memcpy(v->entry.rules, terms.rules.name, sizeof v->entry.rules);
    if (!e.code) e = emulate_plan_under(&x->plan, &why, x->q, &terms);
    if (!e.code && refuse_unsigned(v, x->plan, asked->only)) return OK;
    if (!e.code && v->trace.out.p) x->plan->watch = &v->watch;
    uint64_t until = now_ms() + j->env->config.limits.time_ms;
    if (!e.code) e = emulate_verify_within(&why, x->plan, &j->env->config.limits, late, &until);
    if (is_refusal(e)) {
        refuse_by_rule(v, &why);
        return OK;
    }
    TRY(e);
    TRY(keep_kinds(v, x->plan));
    struct spend_refusal not;
    judge_limits(&not, &j->env->config.spend, x->plan);
    refuse_by_limit(v, &not);
    return OK;
}

static err decide_and_sign(struct judge *j, struct verdict *v, const struct asked *asked)
{
    MATTER x = { 0 };
    err e = know_params(j);
    if (e.code == E_STATE) {
        refuse(v, 400, "", "Secret not found. Make sure to call `/setup` first.");
        return OK;
    }
    TRY(e);
    TRY(decide(&x, j, v, &j->params, asked));
    if (v->status == 200) TRY(spend(j, v, x.plan));
    return v->status == 200 ? sign_all(j, v, x.plan) : OK;
}

/* No signature leaves before the book has it. */
static err record(struct judge *j, struct verdict *v, const struct asked *asked)
{
    uint8_t out[1024], room[64];
    struct wr w = wr_of(out, sizeof out);
    struct msg m;
    sha256(v->entry.request_hash, asked->request, asked->n);
    v->entry.status = v->status;
    v->entry.signed_inputs = v->signed_inputs;
    memcpy(v->entry.text, v->text, sizeof v->entry.text);
    wire_put_entry(&w, &v->entry);
    TRY(wr_end(&w, "request entry"));
    return msg_call(j->env->peer[ROLE_BOOK], BOOK_RECORD, out, w.len, BOOK_RECORDED, &m, room, sizeof room, ASK_MS);
}

static err answer_trial(int fd, const struct msg *m, const struct verdict *v)
{
    BYTES out = NULL;
    const size_t traced = v->trace.out.p ? trace_end(&v->trace) : 0, size = 2 + 4 + strlen(v->text) + 4 + v->kind_count + 4 + traced;
    TRY(mem_new(&out, size));
    struct wr w = wr_of(out, size);
    wr_u16(&w, v->status);
    wr_var(&w, v->text, strlen(v->text));
    wr_var(&w, v->kinds, v->kind_count);
    wr_var(&w, traced ? v->trace.out.p : (const uint8_t *)"", traced);
    TRY(wr_end(&w, "verdict on a dry run"));
    return msg_send(fd, TRIAL_VERDICT, m->seq, out, w.len, ASK_MS);
}

static err answer(int fd, const struct msg *m, const struct verdict *v)
{
    BYTES out = NULL;
    size_t part = (size_t)v->signed_inputs * SIGNED_SIZE, size = 2 + 4 + strlen(v->text) + 4 + part + 4 + v->kind_count;
    TRY(mem_new(&out, size));
    struct wr w = wr_of(out, size);
    wr_u16(&w, v->status);
    wr_var(&w, v->text, strlen(v->text));
    wr_u32(&w, v->signed_inputs);
    if (part) wr_bytes(&w, v->signed_part, part);
    wr_var(&w, v->kinds, v->kind_count);
    TRY(wr_end(&w, "verdict"));
    return msg_send(fd, JUDGE_VERDICT, m->seq, out, w.len, ASK_MS);
}

/* A peer that is gone ends the enclave, or this role; it is not ours to answer for. */
static err judged(struct verdict *v, int fd, const struct msg *m, err e, err (*say)(int, const struct msg *, const struct verdict *))
{
    if (e.code && e.code != E_CLOSED && e.code != E_TIMEOUT) {
        v->signed_inputs = v->kind_count = 0;
        refuse(v, e.code == E_LIMIT ? 507 : 500, "", e.code == E_LIMIT
               ? "the state disk is full: nothing was signed" : "the enclave could not decide; nothing was signed");
        e = OK;
    }
    if (!e.code) e = say(fd, m, v);
    free(v->signed_part);
    free(v->kinds);
    return e;
}


static err on_sign(void *self, int fd, const struct msg *m, int *pass)
{
    struct judge *j = self;
    struct verdict v = { 0 };
    const struct asked asked = asked_of(m->body, m->len);
    (void)pass;
    err e = decide_and_sign(j, &v, &asked);
    if (!e.code && v.entry.inputs) e = record(j, &v, &asked);
    return judged(&v, fd, m, e, answer);
}

static err on_trial(void *self, int fd, const struct msg *m, int *pass)
{
    struct rd r = rd_of(m->body, m->len);
    struct wire_terms params;
    struct verdict v = { 0 };
    BYTES room = NULL;
    MATTER x = { 0 };
    (void)pass;
    wire_get_terms(&r, &params);
    const uint8_t traced = rd_u8(&r);
    if (!rd_ok(&r)) FAIL(E_FORMAT, "TRIAL_VERIFY without the service's terms");
    if (traced > 1) FAIL(E_FORMAT, "a dry run with a trace of kind %u", traced);
    if (traced) TRY(mem_new(&room, TRACE_BYTES));
    if (traced) v.trace = trace_of(room);
    v.watch = (struct script_watch){ trace_on, &v.trace };
    if (r.left < JUDGE_HEAD) FAIL(E_FORMAT, "TRIAL_VERIFY without a request");
    const struct asked asked = asked_of(r.p, r.left);
    err e = decide(&x, self, &v, &params, &asked);
    return judged(&v, fd, m, e, answer_trial);
}

static const struct msg_rule judge_rules[] = { { JUDGE_SIGN, JUDGE_HEAD, EMULATE_REQUEST_MAX + JUDGE_HEAD, ONE_STATE, 0, on_sign } };
static const struct msg_rule trial_rules[] = {
    { TRIAL_VERIFY, WIRE_TERMS_LEAST + 1 + JUDGE_HEAD, EMULATE_REQUEST_MAX + WIRE_TERMS_MOST + 1 + JUDGE_HEAD, ONE_STATE, 0, on_trial },
};
static const struct msg_table judge_table = { judge_rules, 1 }, trial_table = { trial_rules, 1 };

static err serve(struct role_env *env, const struct msg_table *table)
{
    BYTES room = NULL;
    TRY(mem_new(&room, ROOM));
    struct judge j = { .env = env, .room = room };
    unsigned state = 0;
    struct loop l = { .env = env, .state = &state, .self = &j, .room = room, .cap = ROOM };
    loop_add(&l, &env->peer[ROLE_WEB], table, true);          /* web is the first to go when the enclave stops */
    if (table == &judge_table) {
        loop_add(&l, &env->peer[ROLE_SIGN], NULL, false);
        loop_add(&l, &env->peer[ROLE_BOOK], NULL, false);
    }
    return loop_run(&l);
}

err judge_main(struct role_env *env) { return serve(env, &judge_table); }

/* The same judgement for a dry run, in a process that the table gives no way to sign or book. */
err trial_main(struct role_env *env) { return serve(env, &trial_table); }
