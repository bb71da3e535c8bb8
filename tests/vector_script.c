/* script_tests.json: one scriptSig against one scriptPubKey, and the exact error expected. */
#include <stdlib.h>
#include <string.h>

#include "signer/taproot.h"
#include "tests/vector_run.h"

/* The key without a known secret that Core's macros use (BIP341). */
static const char NUMS[] = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";

/* A witness item: hex, or a macro. The script comes before its control block. */
static struct span item(size_t n, struct script_row *row, const char *text)
{
    struct span key = hex_text(n, NUMS, 64);
    if (strncmp(text, "#SCRIPT#", 8) == 0) {
        struct span s = row_asm(n, text + 8);
        uint8_t leaf[32];
        taproot_leaf_hash(leaf, TAPROOT_LEAF_TAPSCRIPT, s.p, s.n);
        if (taproot_output_key(row->output, &row->parity, key.p, leaf).code)
            broken(n, "no output key");
        return s;
    }
    if (strcmp(text, "#CONTROLBLOCK#") == 0) {
        uint8_t *b = row_room(33);
        b[0] = (uint8_t)(TAPROOT_LEAF_TAPSCRIPT | row->parity);
        memcpy(b + 1, key.p, 32);
        return (struct span){ b, 33 };
    }
    return hex_text(n, text, strlen(text));
}

static void read_witness(size_t n, struct script_row *row, const json_t *list)
{
    size_t count = json_array_size(list);
    if (count == 0)
        broken(n, "a witness without an amount");
    struct span *items = row_room(count * sizeof *items);
    for (size_t i = 0; i + 1 < count; i++)
        items[i] = item(n, row, row_text(n, json_array_get(list, i)));
    row->witness = row_witness(items, count - 1);
    row->witness_count = (uint32_t)(count - 1);
    row->amount = row_btc(json_array_get(list, count - 1));
}

static struct span read_pubkey(size_t n, struct script_row *row, const char *text)
{
    if (!strstr(text, "#TAPROOTOUTPUT#"))
        return row_asm(n, text);
    uint8_t *b = row_room(TAPROOT_SCRIPT);
    taproot_script(b, row->output);
    return (struct span){ b, TAPROOT_SCRIPT };
}

/* Core's crediting and spending transactions. */
enum script_error script_row_run(struct script_engine *engine, const struct script_row *row)
{
    struct tx_in in = { .vout = UINT32_MAX, .sequence = UINT32_MAX, .script_sig = { (const uint8_t *)"\0\0", 2 } };
    struct tx_out out = { row->amount, row->pubkey };
    struct tx credit = { .version = 1, .in_count = 1, .out_count = 1, .in = &in, .out = &out };
    struct tx_in spend_in = { .sequence = UINT32_MAX, .script_sig = row->sig,
                              .witness = row->witness, .witness_count = row->witness_count };
    struct tx_out spend_out = { row->amount, { NULL, 0 } };
    struct tx spend = { .version = 1, .in_count = 1, .out_count = 1, .in = &spend_in, .out = &spend_out };
    struct sighash_cache cache;
    struct script_result res;
    if (tx_id(spend_in.txid, &credit).code || sighash_cache_make(&cache, &spend, &out).code)
        broken(0, "no memory");
    err e = script_verify(engine, &res, &cache, 0, row->pubkey.p, row->pubkey.n, row->flags, NULL);
    if ((e.code == E_OK) != (res.error == SCRIPT_ERR_OK))
        broken(0, "code and error disagree");
    return res.error;
}

bool script_row_read(struct script_row *row, size_t n, const json_t *line)
{
    size_t at = 0;
    *row = (struct script_row){ 0 };
    if (json_array_size(line) < 4)
        return false;
    if (json_is_array(json_array_get(line, 0)))
        read_witness(n, row, json_array_get(line, at++));
    for (size_t i = 0; i < 3; i++)
        row->texts[i] = row_text(n, json_array_get(line, at + i));
    const char *comment = json_string_value(json_array_get(line, at + 4));
    row->want = row_text(n, json_array_get(line, at + 3));
    row->comment = comment ? comment : "";
    row->sig = row_asm(n, row->texts[0]);
    row->pubkey = read_pubkey(n, row, row->texts[1]);
    row->flags = script_flags_fill(row_flags(n, row->texts[2]));
    return true;
}

void run_script_tests(struct run *r)
{
    size_t n;
    json_t *line;
    json_array_foreach(r->root, n, line) {
        struct script_row row;
        if (!script_row_read(&row, n, line))
            continue;
        const char *got = script_error_name(script_row_run(r->engine, &row));
        verdict(r, strcmp(got, row.want) == 0, n, "got %s, expected %s: %s | %s | %s | %s", got, row.want, row.texts[0],
                row.texts[1], row.texts[2], row.comment);
        row_done();
    }
}
