#include "signer/emulate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "signer/address.h"
#include "signer/ec.h"
#include "signer/script.h"
#include "signer/taproot.h"

enum { CONTROL_MIN = 33, ANNEX_DATA_TAG = 0x00 };

void emulate_refusal_text(char out[static EMULATE_TEXT], const struct emulate_refusal *why)
{
    static const char *const texts[] = {
        [EMULATE_FINE]                  = "No error",
        [EMULATE_VERIFICATION_FAILED]   = "Verification failed",
        [EMULATE_CRYPTO]                = "Secp256k1 cryptographic operation failed",
        [EMULATE_INVALID_CONTROL_BLOCK] = "Input has invalid control block",
        [EMULATE_SIGHASH]               = "Unable to calculate sighash for input",
        [EMULATE_MISSING_SPENT_OUTPUTS] = "Missing spent outputs",
        [EMULATE_UNEXPECTED_INPUT]      = "Unexpected input scriptPubKey",
        [EMULATE_UNKNOWN_RULES]         = "The service does not sign under this rule set",
        [EMULATE_UNBOUND_KEY]           = "The script rests on the internal key, which this service's profile does not bind",
    };
    const char *text = (size_t)why->fault < sizeof texts / sizeof *texts ? texts[why->fault] : "Unknown error";
    if (why->unit)
        snprintf(out, EMULATE_TEXT, "%s: %s: the scripts use more than %llu %s", text, why->detail,
                 (unsigned long long)why->limit, why->unit);
    else if (why->detail)
        snprintf(out, EMULATE_TEXT, "%s: %s", text, why->detail);
    else
        snprintf(out, EMULATE_TEXT, "%s", text);
}

/* Say why to the client and to the log. */
static err refuse(struct emulate_refusal *why, enum err_code code, enum emulate_fault fault,
                  uint32_t input, const char *detail)
{
    char text[EMULATE_TEXT];
    *why = (struct emulate_refusal){ .fault = fault, .input = input, .detail = detail };
    emulate_refusal_text(text, why);
    FAIL(code, "input %u: %s", input, text);
}

static const uint8_t *backup_of(const struct emulate_request *q, uint32_t index)
{
    size_t low = 0, high = q->backup_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (q->backup[mid].index < index)
            low = mid + 1;
        else
            high = mid;
    }
    return low < q->backup_count && q->backup[low].index == index ? q->backup[low].root : NULL;
}

/* Is it a script path over a P2TR output at all? If not, e->kind says what it is. */
static err classify(struct emulate_input *e, struct taproot_witness *w, const struct emulate_request *q, uint32_t i)
{
    const struct tx_out *spent = &q->spent[i];
    e->kind = SKIP_NOT_TAPROOT;
    if (!taproot_script_key(spent->script.p, spent->script.n))
        return OK;
    TRY(taproot_witness_read(w, &q->tx->in[i]));
    if (w->path == TAPROOT_NO_WITNESS)
        e->kind = SKIP_NO_WITNESS;
    else if (w->path == TAPROOT_KEY_PATH)
        e->kind = SKIP_KEY_PATH;
    else if (w->control.n < CONTROL_MIN)
        e->kind = SKIP_CONTROL_SHORT;
    else if ((w->control.p[0] & TAPROOT_LEAF_MASK) == TAPROOT_ANNEX_TAG)
        e->kind = SKIP_LEAF_VERSION;
    else
        e->kind = EMULATE_INPUT;
    return OK;
}

/* The output that the control block and script would have: what the engine is shown. */
static err emulated_output(struct emulate_input *e, struct emulate_refusal *why,
                           const struct taproot_witness *w, uint32_t i)
{
    struct taproot_control c;
    uint8_t leaf[32], output[32];
    if (!taproot_control_parse(&c, w->control.p, w->control.n) || !ec_xonly_valid(c.internal))
        return refuse(why, E_FORMAT, EMULATE_INVALID_CONTROL_BLOCK, i, NULL);
    e->leaf_version = c.leaf_version;
    memcpy(e->internal, c.internal, 32);
    taproot_leaf_hash(leaf, c.leaf_version, w->script.p, w->script.n);
    taproot_control_root(e->merkle_root, &c, leaf);
    if (taproot_output_key(output, NULL, e->internal, e->merkle_root).code)
        return refuse(why, E_FORMAT, EMULATE_CRYPTO, i, "no output key");
    taproot_script(e->emulated_script, output);
    return OK;
}

static err output_key(struct emulate_input *e, const struct emulate_plan *p, const uint8_t *backup)
{
    const struct emulate_terms *t = &p->terms;
    if (t->kind == CHILD_OF_OUTPUT)
        return address_output_key_bound(e->output_key, t->master, p->rules_id, taproot_script_key(e->emulated_script, 34), backup);
    return address_output_key(e->output_key, t->master, e->merkle_root, backup);
}

/* The output on chain must be the one that this tree has under our key. */
static err expected_output(struct emulate_input *e, struct emulate_refusal *why, const struct emulate_plan *p, uint32_t i)
{
    const struct emulate_request *q = p->request;
    const struct tx_out *spent = &q->spent[i];
    const uint8_t *backup = backup_of(q, i);
    if (backup) {
        e->has_backup = true;
        memcpy(e->backup_root, backup, 32);
    }
    if (output_key(e, p, backup).code)
        return refuse(why, E_FORMAT, EMULATE_CRYPTO, i, "no child key");
    if (memcmp(e->output_key, taproot_script_key(spent->script.p, spent->script.n), 32) != 0)
        return refuse(why, E_DENIED, EMULATE_UNEXPECTED_INPUT, i, NULL);
    return OK;
}

static err decide(struct emulate_input *e, struct emulate_refusal *why, const struct emulate_plan *p, uint32_t i)
{
    const struct emulate_request *q = p->request;
    struct taproot_witness w;
    if (classify(e, &w, q, i).code)      /* only a transaction that tx_parse() did not make */
        return refuse(why, E_FORMAT, EMULATE_VERIFICATION_FAILED, i, "the witness does not hold together");
    if (e->kind != EMULATE_INPUT)
        return OK;
    TRY(emulated_output(e, why, &w, i));
    if (memcmp(e->emulated_script, q->spent[i].script.p, sizeof e->emulated_script) == 0) {
        *e = (struct emulate_input){ .kind = SKIP_ON_CHAIN };
        return OK;
    }
    TRY(expected_output(e, why, p, i));
    if (w.has_annex && w.annex.n >= 2 && w.annex.p[1] == ANNEX_DATA_TAG)
        e->annex = w.annex;
    return OK;
}

err emulate_choose_rules(struct emulate_terms *t, struct emulate_refusal *why, const struct emulate_request *q,
                         const struct rule_list *allowed)
{
    const struct rule_set *found = rules_find(allowed, (const char *)q->rules.p, q->rules.n);
    if (!found)
        return refuse(why, E_DENIED, EMULATE_UNKNOWN_RULES, 0, NULL);
    t->rules = *found;
    return OK;
}

err emulate_plan_make(struct emulate_plan **out, struct emulate_refusal *why,
                      const struct emulate_request *q, const uint8_t master[static 33])
{
    static const char usual[] = "tapscript";
    struct emulate_terms t = { .kind = CHILD_OF_ROOT };
    memcpy(t.master, master, 33);
    MUST(!rules_parse(&t.rules, usual, sizeof usual - 1).code);
    return emulate_plan_under(out, why, q, &t);
}

err emulate_plan_under(struct emulate_plan **out, struct emulate_refusal *why,
                       const struct emulate_request *q, const struct emulate_terms *terms)
{
    size_t count = q->tx->in_count;
    *out = NULL;
    *why = (struct emulate_refusal){ 0 };
    if (q->spent_count < count)
        return refuse(why, E_FORMAT, EMULATE_MISSING_SPENT_OUTPUTS, 0, NULL);
    EMULATE_PLAN p = calloc(1, sizeof *p + count * sizeof p->input[0]);
    if (!p)
        FAIL(E_MEMORY, "no memory for a plan of %zu inputs", count);
    p->request = q;
    p->terms = *terms;
    rules_id(p->rules_id, &terms->rules);
    p->count = count;
    for (size_t i = 0; i < count; i++) {
        TRY(decide(&p->input[i], why, p, (uint32_t)i));
        p->emulated += p->input[i].kind == EMULATE_INPUT;
    }
    *out = p;
    p = NULL;
    return OK;
}

void emulate_plan_free(struct emulate_plan **p)
{
    free(*p);
    *p = NULL;
}

/* What the engine's setting up would refuse, before any script runs. */
static err verify_outputs(struct emulate_refusal *why, const struct emulate_plan *p)
{
    const struct emulate_request *q = p->request;
    if (q->spent_count != p->count)
        return refuse(why, E_DENIED, EMULATE_VERIFICATION_FAILED, 0, "as many spent outputs as inputs are needed");
    for (size_t i = 0; i < q->spent_count; i++)
        if (q->spent[i].value < 0)
            return refuse(why, E_DENIED, EMULATE_VERIFICATION_FAILED, (uint32_t)i, "invalid amount");
    return OK;
}

static err refuse_by_cap(struct emulate_refusal *why, uint32_t input, enum script_error cap, const struct script_limits *l)
{
    char text[EMULATE_TEXT];
    *why = (struct emulate_refusal){ .fault = EMULATE_VERIFICATION_FAILED, .input = input, .detail = script_error_name(cap) };
    why->unit = script_cap_unit(&why->limit, l, cap);
    emulate_refusal_text(text, why);
    FAIL(E_LIMIT, "input %u: %s", input, text);
}

static uint64_t flags_of(const struct emulate_terms *t)
{
    return SCRIPT_FLAGS_EMULATE | t->rules.flags | (t->kind == CHILD_OF_ROOT ? SCRIPT_UNBOUND_INTERNAL : 0);
}

static err verify_input(struct emulate_refusal *why, const struct emulate_plan *p, uint32_t i,
                        struct script_engine *engine, struct script_budget *budget, const struct script_limits *limits)
{
    struct script_result res;
    const struct emulate_input *e = &p->input[i];
    err said = script_verify_watched(engine, &res, &p->cache, i, e->emulated_script, sizeof e->emulated_script,
                                     flags_of(&p->terms), budget, p->watch);
    if (res.error == SCRIPT_ERR_UNBOUND_INTERNALKEY || res.error == SCRIPT_ERR_UNBOUND_ANYPREVOUT)
        return refuse(why, E_DENIED, EMULATE_UNBOUND_KEY, i, script_error_name(res.error));
    if (said.code == E_DENIED)
        return refuse(why, E_DENIED, EMULATE_VERIFICATION_FAILED, i, script_error_name(res.error));
    if (said.code == E_LIMIT)
        return refuse_by_cap(why, i, res.error, limits);
    return said;
}

err emulate_verify(struct emulate_refusal *why, struct emulate_plan *p)
{
    return emulate_verify_within(why, p, &SCRIPT_LIMITS_DEFAULT, NULL, NULL);
}

err emulate_verify_within(struct emulate_refusal *why, struct emulate_plan *p, const struct script_limits *limits,
                          bool (*late)(void *clock), void *clock)
{
    SCRIPT_ENGINE engine = NULL;
    const struct script_limits both = rules_limits(&p->terms.rules, limits);
    struct script_budget budget = script_budget_of(&both);
    budget.late = late;
    budget.clock = clock;
    *why = (struct emulate_refusal){ 0 };
    p->verified = false;
    if (p->emulated > 0) {
        TRY(verify_outputs(why, p));
        TRY(sighash_cache_make(&p->cache, p->request->tx, p->request->spent));
        TRY(script_engine_new(&engine));
        for (size_t i = 0; i < p->count; i++)
            if (p->input[i].kind == EMULATE_INPUT)
                TRY(verify_input(why, p, (uint32_t)i, engine, &budget, &both));
    }
    p->verified = true;
    return OK;
}

err emulate_sign_request(struct sign_request *out, const struct emulate_plan *p, uint32_t input)
{
    struct sigmsg m;
    *out = (struct sign_request){ 0 };
    if (!p->verified || input >= p->count || p->input[input].kind != EMULATE_INPUT)
        FAIL(E_STATE, "input %u is not one to be signed", input);
    const struct emulate_input *e = &p->input[input];
    if (!sighash_taproot_message(&m, &p->cache, input, SIGHASH_DEFAULT, e->annex.n ? &e->annex : NULL, NULL) ||
        m.n > sizeof out->sigmsg)
        FAIL(E_FORMAT, "input %u has no sighash", input);
    out->index = input;
    memcpy(out->output_key, e->output_key, 32);
    out->kind = p->terms.kind;
    if (out->kind == CHILD_OF_OUTPUT) {
        memcpy(out->rules, p->rules_id, 32);
        memcpy(out->emulated_key, taproot_script_key(e->emulated_script, sizeof e->emulated_script), 32);
    } else {
        memcpy(out->merkle_root, e->merkle_root, 32);
    }
    out->has_backup = e->has_backup;
    memcpy(out->backup_root, e->backup_root, 32);
    memcpy(out->sigmsg, m.bytes, m.n);
    out->sigmsg_len = (uint16_t)m.n;
    return OK;
}
