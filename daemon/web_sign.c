/* web_sign.c - the body of /verify-and-sign: which form it has, and the usual one (rust-bitcoin's JSON of a
 * transaction and its spent outputs), laid out for a judge. The other forms: web_form.c. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "daemon/web_form.h"
#include "signer/emulate.h"
#include "signer/tx.h"

/* What the readers fill: a struct tx over `bytes`, where scripts and witness stacks are laid
 * one behind the other. Each piece is shorter there than in the JSON text it came from, so a
 * `bytes` as long as the body cannot overflow. */
struct draft {
    struct tx            tx;
    struct tx_in        *in;
    struct tx_out       *out;
    struct web_root     *roots;        /* by input */
    uint8_t             *room;
    struct wr            bytes;
    struct web_problem  *why;
};

static void drop_draft(struct draft *d)
{
    free(d->in);
    free(d->out);
    free(d->roots);
    free(d->room);
}

static bool no_memory(struct draft *d)
{
    return web_problem(d->why, 500, "There is no memory for this request.");
}

/* Decode a hex text to the end of d->bytes. */
static bool put_hex(struct draft *d, const char *at, const char *text, size_t digits)
{
    if (digits % 2) return web_misfit(d->why, at, "an odd number of hex digits");
    uint8_t *to = wr_room(&d->bytes, digits / 2);
    if (!to) return no_memory(d);
    return web_hex(to, digits / 2, text, digits) || web_misfit(d->why, at, "not hex");
}

static bool read_script(struct draft *d, struct span *out, const json_t *of, const char *name)
{
    const char *text;
    size_t digits;
    if (!web_text(of, name, &text, &digits, d->why)) return false;
    out->p = d->bytes.p + d->bytes.len;
    out->n = digits / 2;
    return put_hex(d, name, text, digits);
}

/* `<txid as displayed>:<output number>`, in the one way to write it. */
static bool read_outpoint(struct draft *d, struct tx_in *in, const json_t *of)
{
    const char *text;
    size_t n;
    uint8_t shown[32];
    uint64_t vout;
    if (!web_text(of, "previous_output", &text, &n, d->why)) return false;
    if (n < 66 || text[64] != ':' || strspn(text, "0123456789abcdefABCDEF") != 64 || !web_hex(shown, 32, text, 64)
        || !web_decimal(text + 65, UINT32_MAX, &vout))
        return web_misfit(d->why, "previous_output", "not of the form TXID:NUMBER");
    for (size_t i = 0; i < 32; i++) in->txid[i] = shown[31 - i];
    in->vout = (uint32_t)vout;
    return true;
}

static bool read_witness_item(struct draft *d, const json_t *item)
{
    if (!json_is_string(item)) return web_misfit(d->why, "item", "not a text");
    size_t digits = json_string_length(item);
    wr_compact(&d->bytes, digits / 2);
    return put_hex(d, "item", json_string_value(item), digits);
}

static bool read_witness(struct draft *d, struct tx_in *in, const json_t *of)
{
    json_t *list = NULL;
    if (!web_array(of, "witness", &list, d->why)) return false;
    const size_t count = json_array_size(list), start = d->bytes.len;
    for (size_t i = 0; i < count; i++)
        if (!read_witness_item(d, json_array_get(list, i))) return web_misfit_in(d->why, "witness", i);
    in->witness = (struct span){ d->bytes.p + start, d->bytes.len - start };
    in->witness_count = (uint32_t)count;
    return true;
}

static bool read_input(struct draft *d, struct tx_in *in, const json_t *v)
{
    int64_t sequence = 0;
    bool good = web_object(v, "input", d->why)
             && read_outpoint(d, in, v)
             && read_script(d, &in->script_sig, v, "script_sig")
             && web_integer(v, "sequence", 0, UINT32_MAX, &sequence, d->why)
             && read_witness(d, in, v);
    in->sequence = (uint32_t)sequence;
    return good;
}

static bool read_output(struct draft *d, struct tx_out *out, const json_t *v)
{
    return web_object(v, "output", d->why)
        && web_integer(v, "value", 0, INT64_MAX, &out->value, d->why)
        && read_script(d, &out->script, v, "script_pubkey");
}

static bool read_inputs(struct draft *d, const json_t *of)
{
    json_t *list = NULL;
    if (!web_array(of, "input", &list, d->why)) return false;
    const size_t count = d->tx.in_count = json_array_size(list);
    /* The wire form of a transaction cannot say "no inputs", and there would be nothing to sign. */
    if (count == 0) return web_misfit(d->why, "input", "a transaction needs an input");
    d->tx.in = d->in = calloc(count, sizeof *d->in);
    d->roots = calloc(count, sizeof *d->roots);
    if (!d->in || !d->roots) return no_memory(d);
    for (size_t i = 0; i < count; i++)
        if (!read_input(d, &d->in[i], json_array_get(list, i))) return web_misfit_in(d->why, "input", i);
    return true;
}

static bool read_outputs(struct draft *d, const json_t *of)
{
    json_t *list = NULL;
    if (!web_array(of, "output", &list, d->why)) return false;
    const size_t count = d->tx.out_count = json_array_size(list);
    d->tx.out = d->out = calloc(count + 1, sizeof *d->out);
    if (!d->out) return no_memory(d);
    for (size_t i = 0; i < count; i++)
        if (!read_output(d, &d->out[i], json_array_get(list, i))) return web_misfit_in(d->why, "output", i);
    return true;
}

static bool read_tx(struct draft *d, const json_t *of)
{
    int64_t version = 0, locktime = 0;
    const json_t *v = json_object_get(of, "emulated_tx_to");
    if (!web_object(v, "emulated_tx_to", d->why)) return false;
    bool good = web_integer(v, "version", INT32_MIN, INT32_MAX, &version, d->why)
             && web_integer(v, "lock_time", 0, UINT32_MAX, &locktime, d->why)
             && read_inputs(d, v)
             && read_outputs(d, v);
    d->tx.version = (int32_t)version;
    d->tx.locktime = (uint32_t)locktime;
    return good || web_misfit_under(d->why, "emulated_tx_to");
}

/* Scripts of spent outputs go through d->bytes too, and out of it at once: the room is given back. */
static bool write_spent(struct draft *d, struct wr *w, const json_t *of)
{
    json_t *list = NULL;
    if (!web_array(of, "actual_spent_outputs", &list, d->why)) return false;
    const size_t count = json_array_size(list);
    emulate_write_count(w, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        struct tx_out out;
        const size_t before = d->bytes.len;
        if (!read_output(d, &out, json_array_get(list, i))) return web_misfit_in(d->why, "actual_spent_outputs", i);
        emulate_write_output(w, (uint64_t)out.value, out.script.p, out.script.n);
        d->bytes.len = before;
    }
    return true;
}

/* The map comes in any order and is sent ascending; roots for inputs that are not there are
 * checked for their form, and left out. */
bool web_read_roots(struct web_root *out, size_t inputs, const json_t *map, const char *name, struct web_problem *why)
{
    const char *key;
    json_t *root;
    if (!web_object(map, name, why)) return false;
    json_object_foreach((json_t *)map, key, root) {
        uint64_t index;
        uint8_t bytes[32];
        if (!web_decimal(key, UINT64_MAX, &index))
            return web_misfit(why, name, "a key that is no input's number");
        if (!json_is_string(root) || !web_hex(bytes, 32, json_string_value(root), json_string_length(root)))
            return web_misfit(why, name, "a root is not a text of 64 hex digits");
        if (index >= inputs) continue;
        memcpy(out[index].root, bytes, 32);
        out[index].given = true;
    }
    return true;
}

void web_write_roots(struct wr *w, const struct web_root *roots, size_t inputs)
{
    uint32_t kept = 0;
    for (size_t i = 0; i < inputs; i++) kept += roots[i].given;
    emulate_write_count(w, kept);
    for (size_t i = 0; i < inputs; i++)
        if (roots[i].given) emulate_write_backup(w, (uint32_t)i, roots[i].root);
}

bool web_write_rules(struct wr *w, const json_t *root, struct web_problem *why)
{
    static const char name[] = "rules";
    const json_t *v = json_object_get(root, name);
    const char *text = "";
    size_t n = 0;
    if (v && !json_is_null(v) && !web_text(root, name, &text, &n, why)) return false;
    if (n >= RULES_NAME || (json_is_string(v) && n == 0)) return web_misfit(why, name, "not a rule set's name");
    emulate_write_rules(w, text, n);
    return true;
}

static bool write_roots(struct draft *d, struct wr *w, const json_t *of)
{
    static const char name[] = "backup_merkle_roots";
    if (!web_read_roots(d->roots, d->tx.in_count, json_object_get(of, name), name, d->why)) return false;
    web_write_roots(w, d->roots, d->tx.in_count);
    return true;
}

static bool write_message(struct draft *d, struct wr *w, uint64_t id, const json_t *root)
{
    if (!read_tx(d, root)) return false;
    wr_u64(w, id);
    wr_u32(w, JUDGE_ALL);
    emulate_write_tx(w, &d->tx);
    return write_spent(d, w, root) && write_roots(d, w, root) && web_write_rules(w, root, d->why);
}

/* The transaction and its outputs as JSON. */
static bool fill(struct draft *d, uint8_t **message, size_t *len, uint64_t id, const json_t *root, size_t n)
{
    BYTES room = NULL;
    const size_t cap = n + 64;
    if (mem_new(&d->room, cap).code || mem_new(&room, cap).code) return no_memory(d);
    d->bytes = wr_of(d->room, cap);
    struct wr w = wr_of(room, cap);
    if (!write_message(d, &w, id, root)) return false;
    if (w.full) return no_memory(d);
    *len = w.len;
    *message = take_bytes(&room);
    return true;
}

static bool read_json(uint8_t **message, size_t *len, struct web_problem *why, uint64_t id, const json_t *root, size_t n)
{
    __attribute__((cleanup(drop_draft))) struct draft d = { .why = why };
    return fill(&d, message, len, id, root, n);
}

/* Which form it is, by the members that only that form has. */
static bool find_form(struct web_form *form, const json_t *root, struct web_problem *why)
{
    const json_t *finalize = json_object_get(root, "finalize"), *tx = json_object_get(root, "emulated_tx_to");
    const bool psbt = json_object_get(root, "psbt"), input = json_object_get(root, "input_index");
    if (psbt && (tx || input || json_object_get(root, "actual_spent_outputs")))
        return web_problem(why, 400, "A request holds a PSBT or a transaction with its spent outputs, not both.");
    if (finalize && !psbt) return web_problem(why, 400, "finalize goes with psbt only: other forms always give the whole transaction.");
    if (finalize && !json_is_boolean(finalize)) return web_problem(why, 400, "finalize is true or false.");
    const json_t *trace = json_object_get(root, "trace");
    if (trace && !json_is_boolean(trace)) return web_problem(why, 400, "trace is true or false.");
    form->trace = json_is_true(trace);
    form->kind = psbt ? WEB_FORM_PSBT : input ? WEB_FORM_INPUT : json_is_string(tx) ? WEB_FORM_HEX : WEB_FORM_JSON;
    form->finalize = json_is_true(finalize);
    return true;
}

static bool read_any(uint8_t **message, size_t *len, struct web_form *form, struct web_problem *why,
                     uint64_t id, const void *body, size_t n)
{
    JSON json_t *root = NULL;
    if (!web_parse(&root, why, body, n) || !web_object(root, "body", why) || !find_form(form, root, why)) return false;
    if (form->kind == WEB_FORM_JSON) return read_json(message, len, why, id, root, n);
    if (form->kind == WEB_FORM_PSBT) return web_read_psbt(message, len, form, why, id, root);
    return web_read_hex(message, len, form, why, id, root, n);
}

bool web_read_sign(uint8_t **message, size_t *len, struct web_form *form, struct web_problem *why,
                   uint64_t id, const void *body, size_t n)
{
    *message = NULL;
    *len = 0;
    *form = (struct web_form){ 0 };
    bool good = read_any(message, len, form, why, id, body, n);
    if (!good) web_told(why);
    return good;
}
