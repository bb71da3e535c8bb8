/* What the keeper says about itself, attested: the state statement and the document that
 * commits to it; and PCR16, which ties every document of this boot to one service. */
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "daemon/keeper.h"
#include "policy/statement.h"

enum { ANSWER = NSM_RESPONSE_MAX + STATEMENT_MAX + 16 };

/* The key that clients encrypt to (docs/wire/channel.md), as public_key of the document. */
static struct bytes channel_key(const struct keeper *k)
{
    return (struct bytes){ k->shown.channel_key, sizeof k->shown.channel_key };
}

/* All from what web was told last, so that no client sees two accounts of the state. */
static err render(char out[static STATEMENT_MAX], size_t *len, const struct keeper *k)
{
    const struct wire_state *now = &k->shown;
    _Static_assert(STATEMENT_MAX >= 2048 + RULES_MAX * RULES_JSON, "a statement has room for all rule sets");
    char rules[RULES_MAX * RULES_JSON + 16] = "";
    struct wr w = wr_of(rules, sizeof rules - 1);
    rules_list_json(&w, &now->rules);
    TRY(wr_end(&w, "rule sets"));
    struct statement s = {
        .build = HOLDFAST_VERSION, .simulated = now->simulated, .name = k->env->config.service_name, .profile = now->profile,
        .rules = rules,
        .has_service = now->has_service, .epoch = now->epoch, .key_id = now->settings.key_id,
        .limited = now->settings.limited, .max_weight = now->settings.max_weight,
    };
    memcpy(s.service_id, now->service_id, sizeof s.service_id);
    memcpy(s.public_key, now->public_key, sizeof s.public_key);
    memcpy(s.blockhash, now->settings.blockhash, sizeof s.blockhash);
    s.has_policy = k->has_policy;
    memcpy(s.policy, k->policy, sizeof s.policy);
    s.has_log = k->log.size != 0;
    s.log_size = k->log.size;
    memcpy(s.log_root, k->log.root, sizeof s.log_root);
    memcpy(s.log_key, k->log.key, sizeof s.log_key);
    s.check = now->check;
    s.accepted = now->settings.accepted;
    return statement_render(out, len, &s);
}

/* KEEPER_ATTESTED into w; without a document when only the statement was asked for. */
static err attested(struct wr *w, const struct keeper *k, bool document, struct bytes nonce)
{
    BYTES doc = NULL;
    char text[STATEMENT_MAX];
    uint8_t user_data[STATEMENT_USER_DATA];
    size_t text_len = 0, doc_len = 0;
    TRY(render(text, &text_len, k));
    statement_user_data(user_data, text, text_len);
    TRY(mem_new(&doc, NSM_RESPONSE_MAX));
    if (document)
        TRY(nsm_attestation(&k->nsm, doc, NSM_RESPONSE_MAX, &doc_len, channel_key(k),
                            (struct bytes){ user_data, sizeof user_data }, nonce));
    wr_var(w, doc, doc_len);
    wr_var(w, text, text_len);
    return wr_end(w, "KEEPER_ATTESTED");
}

err keeper_on_attest(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    BYTES answer = NULL;
    struct rd r = rd_of(m->body, m->len);
    struct bytes nonce = { NULL, 0 };
    (void)pass;
    const uint8_t document = rd_u8(&r);
    const uint8_t *p = rd_var(&r, NSM_NONCE_MAX, &nonce.n);
    if (document > 1) r.bad = true;
    TRY(rd_end(&r, "KEEPER_ATTEST"));
    if (nonce.n) nonce.p = p;                  /* none asked for is null in the document, not an empty string */
    TRY(mem_new(&answer, ANSWER));
    struct wr w = wr_of(answer, ANSWER);
    err e = attested(&w, k, document, nonce);
    /* Whatever the module's reason, it is nothing that the client could do otherwise. */
    if (e.code) return msg_send_error(fd, m, (err){ E_IO });
    return msg_send(fd, KEEPER_ATTESTED, m->seq, answer, w.len, 5000);
}

/* On hardware a boot begins with PCR16 zero and unlocked. Found extended or locked, it must
 * hold this very service; then there is nothing to do but to lock it. */
err keeper_bind_service(const struct keeper *k, const uint8_t service_id[static 32])
{
    static const uint8_t zero[NSM_PCR_LEN] = { 0 };
    uint8_t value[NSM_PCR_LEN], want[SERVICE_PCR_LEN];
    bool locked = false;
    _Static_assert((int)SERVICE_PCR_LEN == (int)NSM_PCR_LEN, "one length for a PCR");
    statement_service_pcr(want, service_id);
    TRY(nsm_describe_pcr(&k->nsm, value, &locked, SERVICE_PCR));
    if (!locked && memcmp(value, zero, sizeof value) == 0)
        TRY(nsm_extend_pcr(&k->nsm, value, SERVICE_PCR, service_id, 32));
    if (memcmp(value, want, sizeof value) != 0)
        FAIL(E_STATE, "PCR%d is taken%s: this boot cannot be tied to its service", SERVICE_PCR, locked ? " and locked" : "");
    if (locked) return OK;
    TRY(nsm_lock_pcr(&k->nsm, SERVICE_PCR));
    log_info("PCR%d holds the service id and is locked", SERVICE_PCR);
    return OK;
}
