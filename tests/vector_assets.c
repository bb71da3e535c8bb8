/* Script assets: one input with a witness that must succeed and one that must fail, each under every set of
 * consensus flags that its entry speaks of. */
#include "tests/vector_run.h"

#define NEW_RULES \
    (SCRIPT_CTV | SCRIPT_CAT | SCRIPT_CSFS | SCRIPT_INTERNALKEY | SCRIPT_TEMPLATEHASH | SCRIPT_APO | SCRIPT_PAIRCOMMIT)

/* Every set of consensus flags that can be: all subsets in which each has what it needs. Rules not active on the
 * network multiply them: up to three, all their subsets; beyond that none, all, each alone, and all but each. */
enum { FEW_RULES = 3, MOST_SETS = 2048 };
struct sets { size_t n; uint64_t at[MOST_SETS]; };

static void add_sets(struct sets *s, uint64_t rules)
{
    uint64_t sub = 0;
    do {
        if (s->n == MOST_SETS)
            broken(0, "too many sets of flags");
        if (sub == script_flags_trim(sub))
            s->at[s->n++] = sub | rules;
        sub = (sub - SCRIPT_FLAGS_CONSENSUS) & SCRIPT_FLAGS_CONSENSUS;      /* the next subset */
    } while (sub);
}

static struct sets consensus_sets(uint64_t rules)
{
    struct sets s = { 0 };
    int count = 0;
    for (uint64_t left = rules; left; left &= left - 1)
        count++;
    uint64_t sub = 0;
    do {
        if (count <= FEW_RULES || sub == 0 || sub == rules)
            add_sets(&s, sub);
        sub = (sub - rules) & rules;
    } while (sub);
    for (uint64_t left = rules; count > FEW_RULES && left; left &= left - 1) {
        add_sets(&s, left & (0 - left));
        add_sets(&s, rules & ~(left & (0 - left)));
    }
    return s;
}

static void read_assets_spend(struct spend *s, size_t n, const json_t *entry)
{
    struct span bytes = row_hex(n, json_object_get(entry, "tx"));
    const json_t *prevouts = json_object_get(entry, "prevouts");
    *s = (struct spend){ .row = n, .tx = row_tx(n, &bytes) };
    if (!s->tx || json_array_size(prevouts) != s->tx->in_count)
        broken(n, "no transaction, or not as many spent outputs as inputs");
    s->spent = row_room(s->tx->in_count * sizeof *s->spent);
    for (size_t i = 0; i < s->tx->in_count; i++) {
        struct span out = row_hex(n, json_array_get(prevouts, i));
        if (tx_outs_parse(&s->spent[i], 1, out.p, out.n).code)
            broken(n, "spent output %zu does not parse", i);
    }
}

static void set_input(struct spend *s, uint32_t index, const json_t *with)
{
    const json_t *list = json_object_get(with, "witness");
    size_t count = json_array_size(list);
    struct span *items = row_room((count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = row_hex(s->row, json_array_get(list, i));
    struct tx_in *in = &s->tx->in[index];
    in->script_sig = row_hex(s->row, json_object_get(with, "scriptSig"));
    in->witness = row_witness(items, count);
    in->witness_count = (uint32_t)count;
    if (sighash_cache_make(&s->cache, s->tx, s->spent).code)
        broken(s->row, "no memory");
}

void asset_read(struct asset *a, size_t n, const json_t *entry)
{
    const char *comment = json_string_value(json_object_get(entry, "comment"));
    *a = (struct asset){ .comment = comment ? comment : "", .final = json_is_true(json_object_get(entry, "final")) };
    a->index = (uint32_t)json_integer_value(json_object_get(entry, "index"));
    a->flags = row_flags(n, row_text(n, json_object_get(entry, "flags")));
    read_assets_spend(&a->s, n, entry);
    if (a->index >= a->s.tx->in_count)
        broken(n, "no such input");
}

bool asset_side(struct asset *a, const json_t *entry, const char *side)
{
    const json_t *with = json_object_get(entry, side);
    if (with)
        set_input(&a->s, a->index, with);
    return with != NULL;
}

enum script_error asset_run(struct script_engine *engine, const struct asset *a, uint64_t flags)
{
    const struct span *script = &a->s.spent[a->index].script;
    struct script_result res;
    err e = script_verify(engine, &res, &a->s.cache, a->index, script->p, script->n, flags, NULL);
    if ((e.code == E_OK) != (res.error == SCRIPT_ERR_OK))
        broken(a->s.row, "code and error disagree");
    return res.error;
}

static void check_success(struct run *r, const struct asset *a, const struct sets *sets)
{
    enum script_error e = SCRIPT_ERR_OK;
    uint64_t bad = 0;
    for (size_t i = 0; i < sets->n && !e; i++) {
        if (!a->final && (sets->at[i] & ~a->flags))
            continue;
        e = asset_run(r->engine, a, sets->at[i]);
        bad = sets->at[i];
    }
    verdict(r, !e, a->s.row, "%s: success fails with %s under %s", a->comment, script_error_name(e), flag_words(bad));
}

static void check_failure(struct run *r, const struct asset *a, const struct sets *sets)
{
    bool good = true;
    uint64_t bad = 0;
    for (size_t i = 0; i < sets->n && good; i++) {
        if (a->flags & ~sets->at[i])
            continue;
        good = asset_run(r->engine, a, sets->at[i]) != SCRIPT_ERR_OK;
        bad = sets->at[i];
    }
    verdict(r, good, a->s.row, "%s: failure succeeds under %s", a->comment, flag_words(bad));
}

static uint64_t rules_of(const json_t *root)
{
    uint64_t all = 0;
    size_t n;
    json_t *entry;
    json_array_foreach(root, n, entry)
        all |= row_flags(n, row_text(n, json_object_get(entry, "flags")));
    return all & NEW_RULES;
}

void run_assets(struct run *r)
{
    size_t n;
    json_t *entry;
    struct sets sets = consensus_sets(rules_of(r->root));
    json_array_foreach(r->root, n, entry) {
        struct asset a;
        asset_read(&a, n, entry);
        if (asset_side(&a, entry, "success"))
            check_success(r, &a, &sets);
        if (asset_side(&a, entry, "failure"))
            check_failure(r, &a, &sets);
        row_done();
    }
}
