/* web_form.c - requests as a PSBT, and as the earlier systems' hex: into the judge's message, and the answers back. */
#include "daemon/web_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "signer/emulate.h"
#include "signer/psbt.h"
#include "signer/tx.h"

static void drop_roots(struct web_root **r) { free(*r); }
#define ROOTS __attribute__((cleanup(drop_roots))) struct web_root *

static bool no_memory(struct web_problem *why) { return web_problem(why, 500, "There is no memory for this request."); }

/* ---- PSBT ---- */

static bool bad_psbt(struct web_problem *why, err e, const struct psbt_fault *fault)
{
    char words[PSBT_TEXT], text[WEB_PROBLEM];
    if (e.code == E_MEMORY) return no_memory(why);
    psbt_fault_text(words, fault);
    snprintf(text, sizeof text, "The PSBT cannot be used: %s.", words);
    return web_problem(why, 400, text);
}

static bool decode_psbt(uint8_t **raw, size_t *n, const json_t *root, struct web_problem *why)
{
    const json_t *v = json_object_get(root, "psbt");
    if (!json_is_string(v)) return web_problem(why, 400, "psbt is a text: the PSBT in base64.");
    const size_t cap = json_string_length(v) / 4 * 3 + 3;
    if (mem_new(raw, cap).code) return no_memory(why);
    if (base64_to(*raw, cap, n, json_string_value(v), json_string_length(v)).code)
        return web_problem(why, 400, "psbt is not base64 (the standard alphabet, padded, without white space).");
    return true;
}

/* A root may be told by the PSBT, by the map, or by both alike. */
static bool join_roots(struct web_root *roots, const struct psbt *p, const json_t *root, struct web_problem *why)
{
    static const char name[] = "backup_merkle_roots";
    const json_t *map = json_object_get(root, name);
    if (map && !json_is_null(map) && !web_read_roots(roots, p->tx->in_count, map, name, why)) return false;
    for (size_t i = 0; i < p->tx->in_count; i++) {
        if (!p->in[i].merkle_root) continue;
        if (roots[i].given && memcmp(roots[i].root, p->in[i].merkle_root, 32) != 0) {
            char text[WEB_PROBLEM];
            snprintf(text, sizeof text, "The PSBT cannot be used: input %zu: its merkle root is another than in %s.", i, name);
            return web_problem(why, 400, text);
        }
        memcpy(roots[i].root, p->in[i].merkle_root, 32);
        roots[i].given = true;
    }
    return true;
}

static size_t psbt_message_size(const struct psbt *p)
{
    size_t n = JUDGE_HEAD + 4 + tx_size(p->tx, true) + 4 + 4 + 4 + RULES_NAME;
    for (size_t i = 0; i < p->tx->in_count; i++) n += 8 + 4 + p->in[i].spent.script.n + 4 + 32;
    return n;
}

static bool write_psbt(uint8_t **message, size_t *len, const struct psbt *p, const struct web_root *roots, uint64_t id,
                       const json_t *root, const uint8_t *raw, size_t n, struct web_problem *why)
{
    const size_t cap = psbt_message_size(p);
    BYTES room = NULL;
    if (cap > EMULATE_REQUEST_MAX + JUDGE_HEAD) return web_problem(why, 413, "The PSBT is too large.");
    if (mem_new(&room, cap + n).code) return no_memory(why);
    struct wr w = wr_of(room, cap);
    wr_u64(&w, id);
    wr_u32(&w, JUDGE_ALL);
    emulate_write_tx(&w, p->tx);
    emulate_write_count(&w, (uint32_t)p->tx->in_count);
    for (size_t i = 0; i < p->tx->in_count; i++)
        emulate_write_output(&w, (uint64_t)p->in[i].spent.value, p->in[i].spent.script.p, p->in[i].spent.script.n);
    web_write_roots(&w, roots, p->tx->in_count);
    if (!web_write_rules(&w, root, why)) return false;
    MUST(!w.full);
    memcpy(room + w.len, raw, n);
    *len = w.len;
    *message = take_bytes(&room);
    return true;
}

bool web_read_psbt(uint8_t **message, size_t *len, struct web_form *form, struct web_problem *why, uint64_t id, const json_t *root)
{
    BYTES raw = NULL;
    PSBT p = NULL;
    struct psbt_fault fault;
    if (!decode_psbt(&raw, &form->kept, root, why)) return false;
    err e = psbt_parse(&p, &fault, raw, form->kept);
    if (!e.code) e = psbt_signable(&fault, p);
    if (e.code) return bad_psbt(why, e, &fault);
    ROOTS roots = calloc(p->tx->in_count, sizeof *roots);
    if (!roots) return no_memory(why);
    return join_roots(roots, p, root, why) && write_psbt(message, len, p, roots, id, root, raw, form->kept, why);
}

/* ---- hex ---- */

/* Bytes from a hex text; E_FORMAT without a word in the log when it is none. */
static enum err_code from_hex(uint8_t **out, size_t *n, const json_t *v)
{
    const size_t digits = json_string_length(v);
    *n = digits / 2;
    if (digits % 2) return E_FORMAT;
    if (mem_new(out, *n).code) return E_MEMORY;
    return web_hex(*out, *n, json_string_value(v), digits) ? E_OK : E_FORMAT;
}

static bool read_hex_tx(struct tx **tx, uint8_t **raw, size_t *n, const struct web_form *form, const json_t *root, struct web_problem *why)
{
    const bool one = form->kind == WEB_FORM_INPUT;
    const json_t *v = json_object_get(root, "emulated_tx_to");
    if (!json_is_string(v)) return web_misfit(why, "emulated_tx_to", v ? "not a text" : "missing");
    enum err_code code = from_hex(raw, n, v);
    if (code == E_MEMORY) return no_memory(why);
    if (code != E_OK) return web_problem(why, 400, one ? "Invalid transaction encoding." : "emulated_tx_to is not hex.");
    code = tx_parse(tx, *raw, *n).code;
    if (code == E_MEMORY) return no_memory(why);
    if (code != E_OK || (*tx)->in_count == 0)
        return web_problem(why, 400, one ? "Unable to sign: Failed to deserialize the transaction" : "emulated_tx_to is not a transaction with an input.");
    return true;
}

/* An output as the chain serialises it. */
static bool write_hex_output(struct wr *w, const json_t *v, size_t i, struct web_problem *why)
{
    BYTES raw = NULL;
    struct tx_out o;
    char text[WEB_PROBLEM];
    size_t n;
    enum err_code code = from_hex(&raw, &n, v);
    if (code == E_MEMORY) return no_memory(why);
    snprintf(text, sizeof text, "actual_spent_outputs[%zu] is not an output in hex (value, then script).", i);
    if (code != E_OK || tx_outs_parse(&o, 1, raw, n).code) return web_problem(why, 400, text);
    emulate_write_output(w, (uint64_t)o.value, o.script.p, o.script.n);
    return true;
}

static bool write_object_output(struct wr *w, const json_t *v, struct web_problem *why)
{
    BYTES script = NULL;
    const char *text;
    int64_t value;
    size_t digits, n;
    if (!web_object(v, "output", why) || !web_integer(v, "value", 0, INT64_MAX, &value, why) || !web_text(v, "script_pubkey", &text, &digits, why))
        return false;
    enum err_code code = from_hex(&script, &n, json_object_get(v, "script_pubkey"));
    if (code == E_MEMORY) return no_memory(why);
    if (code != E_OK) return web_problem(why, 400, "Invalid scriptPubKey encoding.");
    emulate_write_output(w, (uint64_t)value, script, n);
    return true;
}

static bool write_outputs(struct wr *w, const json_t *root, struct web_problem *why)
{
    json_t *list = NULL;
    if (!web_array(root, "actual_spent_outputs", &list, why)) return false;
    const size_t count = json_array_size(list);
    emulate_write_count(w, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        const json_t *v = json_array_get(list, i);
        if (json_is_string(v) ? !write_hex_output(w, v, i, why) : !write_object_output(w, v, why))
            return web_misfit_in(why, "actual_spent_outputs", i);
    }
    return true;
}

/* The one input's root: a text, null, or absent. */
static bool read_one_root(struct web_root *out, const json_t *root, struct web_problem *why)
{
    const json_t *v = json_object_get(root, "backup_merkle_root");
    if (!v || json_is_null(v)) return true;
    if (!json_is_string(v)) return web_misfit(why, "backup_merkle_root", "not a text");
    const size_t digits = json_string_length(v);
    if (digits % 2 || strspn(json_string_value(v), "0123456789abcdefABCDEF") != digits)
        return web_problem(why, 400, "Invalid backup merkle root encoding.");
    if (digits != 64) return web_problem(why, 400, "Backup merkle root must be exactly 32 bytes.");
    out->given = web_hex(out->root, 32, json_string_value(v), digits);
    return true;
}

static bool read_hex_roots(struct web_root *roots, const struct tx *tx, const struct web_form *form, const json_t *root, struct web_problem *why)
{
    if (form->kind == WEB_FORM_INPUT) return read_one_root(&roots[form->input], root, why);
    /* The first system's own instructions spell it both ways. */
    static const char *const names[] = { "backup_merkle_roots", "backup_merkle_root" };
    for (size_t i = 0; i < 2; i++) {
        const json_t *map = json_object_get(root, names[i]);
        if (map && !json_is_null(map) && !web_read_roots(roots, tx->in_count, map, names[i], why)) return false;
    }
    return true;
}

/* The judge signs what it is shown a spend for: so it is shown one. */
static bool only_input(struct tx *tx, struct web_form *form, const json_t *root, struct web_problem *why)
{
    int64_t index;
    if (!web_integer(root, "input_index", 0, UINT32_MAX, &index, why)) return false;
    if ((uint64_t)index >= tx->in_count) return web_problem(why, 400, "Unable to sign: Input index out of bounds");
    form->input = (uint32_t)index;
    for (size_t i = 0; i < tx->in_count; i++) {
        if (i == form->input) continue;
        tx->in[i].witness = (struct span){ 0 };
        tx->in[i].witness_count = 0;
    }
    return true;
}

bool web_read_hex(uint8_t **message, size_t *len, struct web_form *form, struct web_problem *why, uint64_t id, const json_t *root, size_t n)
{
    const size_t cap = n + 64;
    BYTES raw = NULL;
    BYTES room = NULL;
    TX tx = NULL;
    size_t raw_len;
    if (!read_hex_tx(&tx, &raw, &raw_len, form, root, why)) return false;
    if (form->kind == WEB_FORM_INPUT && !only_input(tx, form, root, why)) return false;
    ROOTS roots = calloc(tx->in_count, sizeof *roots);
    if (!roots || mem_new(&room, cap + raw_len).code) return no_memory(why);
    struct wr w = wr_of(room, cap);
    wr_u64(&w, id);
    wr_u32(&w, form->kind == WEB_FORM_INPUT ? form->input : JUDGE_ALL);
    emulate_write_tx(&w, tx);
    if (!read_hex_roots(roots, tx, form, root, why) || !write_outputs(&w, root, why)) return false;
    web_write_roots(&w, roots, tx->in_count);
    if (!web_write_rules(&w, root, why)) return false;
    if (w.full) return no_memory(why);
    if (form->kind == WEB_FORM_INPUT) {
        form->kept = raw_len;
        memcpy(room + w.len, raw, raw_len);
    }
    *len = w.len;
    *message = take_bytes(&room);
    return true;
}

/* ---- answers ---- */

/* The annex that a signature commits to: the last item of the witness that was proposed. */
static struct span annex_of(const struct tx_in *in, const struct web_signature *s)
{
    struct rd r = rd_of(in->witness.p, in->witness.n);
    struct span item = { 0 };
    for (uint32_t i = 0; s->annex && i < in->witness_count; i++) item = tx_item(&r);
    return item;
}

static size_t psbt_answer(uint8_t **body, const struct web_form *form, const struct tx *tx, const struct web_signature *s, const uint8_t *kept)
{
    PSBT p = NULL;
    BYTES out = NULL;
    struct psbt_fault why;
    __attribute__((cleanup(mem_free_bytes))) uint8_t *room = NULL;
    const size_t count = tx->in_count, cap = psbt_room(form->kept, count);
    if (psbt_parse(&p, &why, kept, form->kept).code || mem_new(&room, count * sizeof(struct psbt_signature)).code || mem_new(&out, cap).code) return 0;
    struct psbt_signature *sig = (struct psbt_signature *)(void *)room;
    for (size_t i = 0; i < count; i++)
        if (s[i].made) sig[i] = (struct psbt_signature){ .sig = s[i].bytes, .annex = annex_of(&tx->in[i], &s[i]) };
    struct wr w = wr_of(out, cap);
    psbt_write(&w, p, sig, form->finalize);
    MUST(!w.full);
    return web_psbt_body(body, out, w.len, form->finalize, s, count);
}

/* The transaction whole, signed inputs with their new witnesses. */
static size_t hex_answer(uint8_t **body, const char *name, struct tx *tx, const struct web_signature *s)
{
    size_t room_len = 0;
    BYTES room = NULL;
    BYTES out = NULL;
    for (size_t i = 0; i < tx->in_count; i++) room_len += s[i].made ? 65 + 9 + tx->in[i].witness.n : 0;
    if (mem_new(&room, room_len).code) return 0;
    struct wr w = wr_of(room, room_len);
    for (size_t i = 0; i < tx->in_count; i++) {
        if (!s[i].made) continue;
        struct tx_in *in = &tx->in[i];
        const struct span annex = annex_of(in, &s[i]);
        const size_t start = w.len;
        in->witness_count = emulate_witness_write(&w, s[i].bytes, &annex);
        in->witness = (struct span){ room + start, w.len - start };
    }
    const size_t n = tx_size(tx, true);
    if (mem_new(&out, n).code) return 0;
    struct wr whole = wr_of(out, n);
    tx_write(&whole, tx, true);
    MUST(!w.full && !whole.full);
    return web_hex_body(body, name, out, n, s, tx->in_count);
}

size_t web_form_answer(uint8_t **body, const struct web_form *form, struct tx *tx, const struct web_signature *s, const uint8_t *kept)
{
    TX whole = NULL;
    *body = NULL;
    if (form->kind == WEB_FORM_PSBT) return psbt_answer(body, form, tx, s, kept);
    if (form->kind == WEB_FORM_HEX) return hex_answer(body, "signed_tx", tx, s);
    if (tx_parse(&whole, kept, form->kept).code) return 0;
    return hex_answer(body, "signed_transaction", whole, s);
}
