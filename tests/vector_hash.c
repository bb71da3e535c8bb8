/* sighash.json, BIP340's CSV, BIP341's wallet vectors, the template hashes of BIP119 and BIP446. */
#include <string.h>

#include "signer/ec.h"
#include "signer/script_vm.h"
#include "signer/taproot.h"
#include "tests/vector_run.h"

static bool is_hash(size_t row, const uint8_t got[static 32], const json_t *want)
{
    struct span w = row_hex(row, want);
    return w.n == 32 && memcmp(got, w.p, 32) == 0;
}

static bool is_bytes(size_t row, const void *got, size_t n, const json_t *want)
{
    struct span w = row_hex(row, want);
    return w.n == n && memcmp(got, w.p, n) == 0;
}

void run_sighash(struct run *r)
{
    size_t n;
    json_t *line;
    json_array_foreach(r->root, n, line) {
        uint8_t want[32], got[32];
        if (json_array_size(line) < 5)
            continue;
        struct span bytes = row_hex(n, json_array_get(line, 0)), code = row_hex(n, json_array_get(line, 1));
        struct tx *t = row_tx(n, &bytes);
        uint32_t input = (uint32_t)json_integer_value(json_array_get(line, 2));
        uint32_t type = (uint32_t)json_integer_value(json_array_get(line, 3));
        hash_reversed(n, want, row_text(n, json_array_get(line, 4)));
        bool good = t && input < t->in_count && sighash_legacy(got, t, input, type, code.p, code.n).code == E_OK
                 && memcmp(got, want, 32) == 0;
        verdict(r, good, n, "another hash, or no transaction");
        row_done();
    }
}

/* ---- BIP340: index, secret, public key, aux, message, signature, TRUE or FALSE, comment ---- */

void run_bip340(struct run *r)
{
    size_t n = 0;
    for (const char *line = r->text; *line; n++) {
        const char *field[7] = { line };
        size_t len[7], end = strcspn(line, "\r\n");
        for (int i = 0; i < 7; i++) {
            if (i > 0)
                field[i] = field[i - 1] + len[i - 1] + 1;
            len[i] = strcspn(field[i], ",\r\n");
        }
        if (n > 0 && end > 0) {
            struct span key = hex_text(n, field[2], len[2]), msg = hex_text(n, field[4], len[4]);
            struct span sig = hex_text(n, field[5], len[5]);
            bool want = len[6] == 4 && memcmp(field[6], "TRUE", 4) == 0;
            bool got = key.n == 32 && sig.n == 64 && ec_schnorr_verify(sig.p, msg.p, msg.n, key.p);
            verdict(r, got == want, n, "verification says %s", got ? "TRUE" : "FALSE");
        }
        line += end + strspn(line + end, "\r\n");
        row_done();
    }
}

/* ---- BIP341 ---- */

struct leaves { size_t n; struct { uint8_t hash[32]; struct span script; uint8_t version; } at[64]; };

/* Root of a nested tree; leaves are filed under their ids. */
static void tree_hash(size_t row, uint8_t out[static 32], struct leaves *l, const json_t *node)
{
    if (json_is_array(node)) {
        uint8_t a[32], b[32];
        tree_hash(row, a, l, json_array_get(node, 0));
        tree_hash(row, b, l, json_array_get(node, 1));
        taproot_branch_hash(out, a, b);
        return;
    }
    size_t id = (size_t)json_integer_value(json_object_get(node, "id"));
    if (id >= sizeof l->at / sizeof *l->at)
        broken(row, "leaf id %zu", id);
    l->at[id].script = row_hex(row, json_object_get(node, "script"));
    l->at[id].version = (uint8_t)json_integer_value(json_object_get(node, "leafVersion"));
    taproot_leaf_hash(l->at[id].hash, l->at[id].version, l->at[id].script.p, l->at[id].script.n);
    memcpy(out, l->at[id].hash, 32);
    if (l->n <= id)
        l->n = id + 1;
}

static bool controls_open(size_t n, const struct leaves *l, const json_t *blocks, const uint8_t root[static 32],
                          const uint8_t key[static 32])
{
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        struct span b = row_hex(n, json_array_get(blocks, i));
        struct taproot_control c;
        uint8_t got[32];
        if (i >= l->n || !taproot_control_parse(&c, b.p, b.n) || c.leaf_version != l->at[i].version)
            return false;
        if (!taproot_commits(key, got, &c, l->at[i].hash) || memcmp(got, root, 32) != 0)
            return false;
    }
    return true;
}

static const char *check_output(size_t n, const json_t *v)
{
    const json_t *given = json_object_get(v, "given"), *mid = json_object_get(v, "intermediary");
    const json_t *expected = json_object_get(v, "expected"), *tree = json_object_get(given, "scriptTree");
    struct span internal = row_hex(n, json_object_get(given, "internalPubkey"));
    struct leaves l = { 0 };
    uint8_t root[32], tweak[32], key[32], script[TAPROOT_SCRIPT];
    bool has_tree = tree && !json_is_null(tree);
    if (has_tree)
        tree_hash(n, root, &l, tree);
    for (size_t i = 0; i < l.n; i++)
        if (!is_hash(n, l.at[i].hash, json_array_get(json_object_get(mid, "leafHashes"), i)))
            return "leaf hash";
    if (has_tree && !is_hash(n, root, json_object_get(mid, "merkleRoot")))
        return "root";
    taproot_tweak_hash(tweak, internal.p, has_tree ? root : NULL);
    if (!is_hash(n, tweak, json_object_get(mid, "tweak")))
        return "tweak";
    if (taproot_output_key(key, NULL, internal.p, has_tree ? root : NULL).code
        || !is_hash(n, key, json_object_get(mid, "tweakedPubkey")))
        return "output key";
    taproot_script(script, key);
    if (!is_bytes(n, script, sizeof script, json_object_get(expected, "scriptPubKey"))
        || taproot_script_key(script, sizeof script) != script + 2)
        return "scriptPubKey";
    return controls_open(n, &l, json_object_get(expected, "scriptPathControlBlocks"), root, key) ? NULL : "control block";
}

static const char *check_key_path(size_t n, const struct sighash_cache *c, const json_t *v)
{
    const json_t *given = json_object_get(v, "given"), *mid = json_object_get(v, "intermediary");
    uint32_t input = (uint32_t)json_integer_value(json_object_get(given, "txinIndex"));
    uint8_t type = (uint8_t)json_integer_value(json_object_get(given, "hashType")), hash[32];
    struct sigmsg m;
    if (!sighash_taproot_message(&m, c, input, type, NULL, NULL) || !is_bytes(n, m.bytes, m.n, json_object_get(mid, "sigMsg")))
        return "sigMsg";
    sighash_taproot(hash, &m);
    if (!is_hash(n, hash, json_object_get(mid, "sigHash")))
        return "sigHash";
    struct span sig = row_hex(n, json_array_get(json_object_get(json_object_get(v, "expected"), "witness"), 0));
    const uint8_t *key = taproot_script_key(c->spent[input].script.p, c->spent[input].script.n);
    return key && sig.n >= 64 && ec_schnorr_verify(sig.p, hash, 32, key) ? NULL : "signature";
}

static const char *check_hashes(size_t n, const struct sighash_cache *c, const json_t *mid)
{
    return !is_hash(n, c->amounts, json_object_get(mid, "hashAmounts")) ? "hashAmounts"
         : !is_hash(n, c->outputs, json_object_get(mid, "hashOutputs")) ? "hashOutputs"
         : !is_hash(n, c->prevouts, json_object_get(mid, "hashPrevouts")) ? "hashPrevouts"
         : !is_hash(n, c->scripts, json_object_get(mid, "hashScriptPubkeys")) ? "hashScriptPubkeys"
         : !is_hash(n, c->sequences, json_object_get(mid, "hashSequences")) ? "hashSequences" : NULL;
}

/* The signed transaction as published, every input through the engine. */
static void check_signed(struct run *r, size_t n, const struct tx_out *spent, const json_t *v)
{
    struct span bytes = row_hex(n, json_object_get(json_object_get(v, "auxiliary"), "fullySignedTx"));
    struct tx *t = row_tx(n, &bytes);
    struct sighash_cache c;
    struct script_result res;
    if (!t || sighash_cache_make(&c, t, spent).code)
        broken(n, "fullySignedTx does not parse");
    for (uint32_t i = 0; i < t->in_count; i++) {
        err e = script_verify(r->engine, &res, &c, i, spent[i].script.p, spent[i].script.n, SCRIPT_FLAGS_CONSENSUS, NULL);
        verdict(r, e.code == E_OK, n, "signed input %u: %s", i, script_error_name(res.error));
    }
}

static void run_key_path(struct run *r, size_t n, const json_t *v)
{
    const json_t *given = json_object_get(v, "given"), *outs = json_object_get(given, "utxosSpent");
    struct span bytes = row_hex(n, json_object_get(given, "rawUnsignedTx"));
    struct tx *t = row_tx(n, &bytes);
    struct sighash_cache c;
    if (!t || json_array_size(outs) != t->in_count)
        broken(n, "rawUnsignedTx does not parse");
    struct tx_out *spent = row_room(t->in_count * sizeof *spent);
    for (size_t i = 0; i < t->in_count; i++) {
        const json_t *o = json_array_get(outs, i);
        spent[i] = (struct tx_out){ json_integer_value(json_object_get(o, "amountSats")),
                                    row_hex(n, json_object_get(o, "scriptPubKey")) };
    }
    if (sighash_cache_make(&c, t, spent).code)
        broken(n, "no memory");
    const char *why = check_hashes(n, &c, json_object_get(v, "intermediary"));
    verdict(r, !why, n, "%s", why ? why : "");
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(v, "inputSpending"), i, one) {
        why = check_key_path(n, &c, one);
        verdict(r, !why, n, "input %zu: %s", i, why ? why : "");
    }
    if (json_object_get(json_object_get(v, "auxiliary"), "fullySignedTx"))
        check_signed(r, n, spent, v);
}

void run_bip341(struct run *r)
{
    size_t n;
    json_t *v;
    json_array_foreach(json_object_get(r->root, "scriptPubKey"), n, v) {
        const char *why = check_output(n, v);
        verdict(r, !why, n, "scriptPubKey: %s", why ? why : "");
        row_done();
    }
    json_array_foreach(json_object_get(r->root, "keyPathSpending"), n, v) {
        run_key_path(r, n, v);
        row_done();
    }
}

/* ---- templates ---- */

void run_ctvhash(struct run *r)
{
    size_t n;
    json_t *v;
    json_array_foreach(r->root, n, v) {
        if (!json_is_object(v))
            continue;
        struct span bytes = row_hex(n, json_object_get(v, "hex_tx"));
        struct tx *t = row_tx(n, &bytes);
        if (!t)
            broken(n, "hex_tx does not parse");
        struct tx_out *none = row_room(t->in_count * sizeof *none);
        struct sighash_cache c;
        if (sighash_cache_make(&c, t, none).code)
            broken(n, "no memory");
        const json_t *at = json_object_get(v, "spend_index"), *want = json_object_get(v, "result");
        for (size_t i = 0; i < json_array_size(at); i++) {
            uint8_t got[32];
            uint32_t input = (uint32_t)json_integer_value(json_array_get(at, i));
            bool good = script_template_ctv(got, &c, input).code == E_OK && is_hash(n, got, json_array_get(want, i));
            verdict(r, good, n, "template hash for index %u", input);
        }
        row_done();
    }
}

void run_templatehash(struct run *r)
{
    size_t n;
    json_t *v;
    json_array_foreach(r->root, n, v) {
        struct span bytes = row_hex(n, json_object_get(v, "spending_tx"));
        struct tx *t = row_tx(n, &bytes);
        const json_t *outs = json_object_get(v, "spent_outputs");
        if (!t || json_array_size(outs) != t->in_count)
            broken(n, "spending_tx does not parse");
        struct tx_out *spent = row_room(t->in_count * sizeof *spent);
        for (size_t i = 0; i < t->in_count; i++) {
            struct span o = row_hex(n, json_array_get(outs, i));
            if (tx_outs_parse(&spent[i], 1, o.p, o.n).code)
                broken(n, "spent output %zu", i);
        }
        struct sighash_cache c;
        struct script_result res;
        uint32_t input = (uint32_t)json_integer_value(json_object_get(v, "input_index"));
        if (sighash_cache_make(&c, t, spent).code || input >= t->in_count)
            broken(n, "no such input");
        err e = script_verify(r->engine, &res, &c, input, spent[input].script.p, spent[input].script.n,
                              SCRIPT_FLAGS_EMULATE | SCRIPT_TEMPLATEHASH, NULL);
        bool want = json_is_true(json_object_get(v, "valid"));
        verdict(r, (e.code == E_OK) == want, n, "%s: %s", json_string_value(json_object_get(v, "comment")),
                script_error_name(res.error));
        row_done();
    }
}
