/* Random requests, signed by the real code, as JSON lines for prop_signer_model.py to judge.
 *
 * usage: prop_signer_model SEED COUNT. Keys, trees, inputs, annexes, backup roots and amounts vary; every
 * emulated script is one that lets the input pass. */
#include <stdio.h>
#include <stdlib.h>
#include "core/log.h"
#include "signer/address.h"
#include "signer/keys.h"
#include "signer/script.h"
#include "signer/taproot.h"
#include "tests/signer_case.h"

static struct bench b;
static struct emulate_terms terms;
static uint64_t state;

/* splitmix64: the run can be had again from its seed. */
static uint64_t dice(uint64_t below)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % below;
}

static void dice_bytes(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)dice(256);
}

/* A tree of one to four leaves, each a number that is true and pushed. Out: the leaf to spend, its control block and root. */
static void tree(char leaf_hex[static 4], char *control_hex, uint8_t root[static 32], uint8_t internal[static 32])
{
    static const uint8_t depths[4][4] = { { 0 }, { 1, 1 }, { 1, 2, 2 }, { 2, 2, 2, 2 } };
    static uint8_t control[TREE_CONTROL_MAX];
    uint8_t script[4];
    struct tree_leaf leaves[4];
    size_t count = 1 + dice(4), which = dice(count), n;
    for (size_t i = 0; i < count; i++) {
        script[i] = (uint8_t)(0x51 + dice(16));
        leaves[i] = (struct tree_leaf){ depths[count - 1][i], 0xc0, { &script[i], 1 } };
    }
    case_hex(internal, 32, dice(2) ? CASE_INTERNAL : CASE_INTERNAL2);
    MUST(!tree_root(root, leaves, count).code);
    MUST(!tree_control(control, &n, internal, leaves, count, which).code);
    hex_from(leaf_hex, &script[which], 1);
    hex_from(control_hex, control, n);
}

static void on_chain(uint8_t key[static 32], const uint8_t master[static 33], const uint8_t internal[static 32],
                     const uint8_t root[static 32], const uint8_t *backup)
{
    uint8_t emulated[32], id[32];
    MUST(!taproot_output_key(emulated, NULL, internal, root).code);
    rules_id(id, &terms.rules);
    err e = terms.kind == CHILD_OF_OUTPUT ? address_output_key_bound(key, master, id, emulated, backup)
                                          : address_output_key(key, master, root, backup);
    MUST(!e.code);
}

static void add_input(const uint8_t master[static 33])
{
    static const char *const annexes[] = { "5000", "5000ff0102", "50", "5001", "50ff00" };
    static char control[2 * TREE_CONTROL_MAX + 1];
    char leaf[4], hex[2 * 34 + 1], backup_hex[65];
    uint8_t root[32], internal[32], backup[32], key[32], script[34];
    const char *stack[4] = { leaf, control, dice(2) ? annexes[dice(5)] : NULL, NULL };
    bool with_backup = dice(2), emulated = dice(4) != 0;
    tree(leaf, control, root, internal);
    dice_bytes(backup, 32);
    on_chain(key, master, internal, root, with_backup ? backup : NULL);
    taproot_script(script, key);
    hex_from(hex, script, 34);
    uint32_t at = bench_input(&b, emulated ? stack : NULL, hex);
    dice_bytes(b.in[at].txid, 32);
    b.in[at].vout = (uint32_t)dice(UINT64_C(1) << 32);
    b.in[at].sequence = (uint32_t)dice(UINT64_C(1) << 32);
    b.spent[at].value = dice(TX_MAX_MONEY);
    hex_from(backup_hex, backup, 32);
    if (with_backup)
        bench_backup(&b, at, backup_hex);
}

static void print_hex(const char *name, const void *p, size_t n)
{
    char *hex = malloc(2 * n + 1);
    MUST(hex != NULL);
    hex_from(hex, p, n);
    printf("\"%s\":\"%s\"", name, hex);
    free(hex);
}

static void print_tx(const char *name, const struct tx *tx)
{
    static uint8_t bytes[BENCH_ROOM];
    struct wr w = wr_of(bytes, sizeof bytes);
    tx_write(&w, tx, true);
    MUST(!wr_end(&w, "tx").code);
    print_hex(name, bytes, w.len);
}

static void print_request(const uint8_t master[static 33])
{
    printf("{");
    print_hex("public_key", master, 33);
    if (terms.kind == CHILD_OF_OUTPUT) {
        static const char *const opcodes[] = { "apo", "ctv", "cat", "csfs", "internalkey", "paircommit", "templatehash" };
        uint64_t flag[] = { SCRIPT_APO, SCRIPT_CTV, SCRIPT_CAT, SCRIPT_CSFS, SCRIPT_INTERNALKEY, SCRIPT_PAIRCOMMIT, SCRIPT_TEMPLATEHASH };
        printf(",\"rules\":[\"%s\",%u", terms.rules.name, terms.rules.version);
        for (size_t i = 0; i < 7; i++)
            if (terms.rules.flags & flag[i])
                printf(",\"%s\"", opcodes[i]);
        printf("]");
    }
    printf(",\"request\":{");
    print_tx("emulated_tx_to", &b.tx);
    printf(",\"actual_spent_outputs\":[");
    for (size_t i = 0; i < b.spents; i++) {
        printf("%s{\"value\":%llu,", i ? "," : "", (unsigned long long)b.spent[i].value);
        print_hex("script_pubkey", b.spent[i].script.p, b.spent[i].script.n);
        printf("}");
    }
    printf("],\"backup_merkle_roots\":{");
    for (size_t i = 0; i < b.backups; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", b.backup[i].index);
        printf(i ? "," : "");
        print_hex(name, b.backup[i].root, 32);
    }
    printf("}},");
}

/* Through judge's and signer's calls, and the fixed-size record between them. */
static void sign_all(struct signer *s, const uint8_t master[static 33])
{
    static uint8_t items[BENCH_INPUTS][128];
    EMULATE_REQUEST q = NULL;
    EMULATE_PLAN p = NULL;
    struct emulate_refusal why;
    bench_bytes(&b);
    MUST(!emulate_request_parse(&q, b.bytes, b.len).code);
    memcpy(terms.master, master, 33);
    MUST(!emulate_plan_under(&p, &why, q, &terms).code);
    MUST(!emulate_verify(&why, p).code);
    for (uint32_t i = 0; i < p->count; i++) {
        struct sign_request ask, got;
        uint8_t record[SIGN_REQUEST_SIZE], sig[64];
        if (p->input[i].kind != EMULATE_INPUT)
            continue;
        struct wr w = wr_of(record, sizeof record);
        MUST(!emulate_sign_request(&ask, p, i).code);
        sign_request_write(&w, &ask);
        MUST(!sign_request_read(&got, record, w.len).code);
        MUST(!signer_sign(s, sig, &got).code);
        w = wr_of(items[i], sizeof items[i]);
        q->tx->in[i].witness_count = emulate_witness_write(&w, sig, &p->input[i].annex);
        q->tx->in[i].witness = (struct span){ items[i], w.len };
    }
    printf("\"emulated\":%zu,\"response\":{", p->emulated);
    print_tx("signed_transaction", q->tx);
    printf("}}\n");
}

/* Either kind of child, under any of the program's sets or a composed one. */
static void draw_terms(void)
{
    static const char *const sets[] = { "tapscript", "cat", "lnhance", "covenants", "rebindable", "mine=apo+cat", "x-1=templatehash" };
    const char *text = sets[dice(7)];
    terms.kind = dice(2) ? CHILD_OF_OUTPUT : CHILD_OF_ROOT;
    MUST(!rules_parse(&terms.rules, text, strlen(text)).code);
}

static void one_case(void)
{
    SECRET k = NULL;
    SIGNER s = NULL;
    uint8_t master[33];
    MUST(!secret_new(&k, 32).code);
    dice_bytes(secret_reveal(k), 32);
    secret_reveal(k)[0] &= 0x7f;
    MUST(!signer_open(&s, &k).code);
    signer_public(s, master);
    draw_terms();
    signer_children(s, terms.kind);
    bench_start(&b);
    b.tx.version = (int32_t)(uint32_t)dice(UINT64_C(1) << 32);
    b.tx.locktime = (uint32_t)dice(UINT64_C(1) << 32);
    b.out[0].value = (int64_t)dice(TX_MAX_MONEY);
    for (size_t i = 1 + dice(4); i > 0; i--)
        add_input(master);
    print_request(master);
    sign_all(s, master);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    log_open("prop", LOG_ERROR);
    state = strtoull(argv[1], NULL, 10);
    MUST(!secret_arena_open(65536).code);
    for (long n = strtol(argv[2], NULL, 10); n > 0; n--)
        one_case();
    secret_arena_close();
    return 0;
}
