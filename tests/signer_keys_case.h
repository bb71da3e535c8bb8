/* signer_keys_case.h - a signer over the published cases; an arena around each test. */
#ifndef TESTS_SIGNER_KEYS_CASE_H
#define TESTS_SIGNER_KEYS_CASE_H
#include "signer/keys.h"
#include "signer/taproot.h"
#include "tests/signer_case.h"
#include "tests/support/check_main.h"

static struct bench bench;

static void before(void)
{
    ck_assert_int_eq(secret_arena_open(64 * 1024).code, E_OK);
}

static void after(void)
{
    ck_assert_uint_eq(secret_count(), 0);
    secret_arena_close();
}

static void open_with(struct signer **s, uint8_t byte)
{
    SECRET k = NULL;
    case_scalar(&k, byte);
    ck_assert_int_eq(signer_open(s, &k).code, E_OK);
    ck_assert_ptr_null(k);
}

static inline void check_hex(const void *got, size_t n, const char *want)
{
    char hex[2 * 256 + 1];
    ck_assert_uint_le(n, 256);
    hex_from(hex, got, n);
    ck_assert_str_eq(hex, want);
}

/* What the judge would ask for this case; its parts are tested in unit_signer_emulate. */
static void request_of(struct sign_request *q, const struct signer_case *c)
{
    struct sighash_cache cache;
    struct sigmsg m;
    struct span annex = { 0 };
    uint8_t annex_bytes[64];
    uint32_t at = bench_case(&bench, c);
    struct tx_out spent[BENCH_INPUTS];
    for (size_t i = 0; i < bench.spents; i++)
        spent[i] = (struct tx_out){ (int64_t)bench.spent[i].value, bench.spent[i].script };
    if (c->items == 2)
        annex = (struct span){ annex_bytes, case_hex(annex_bytes, sizeof annex_bytes, c->witness[2]) };
    ck_assert_int_eq(sighash_cache_make(&cache, &bench.tx, spent).code, E_OK);
    ck_assert(sighash_taproot_message(&m, &cache, at, SIGHASH_DEFAULT, annex.n ? &annex : NULL, NULL));
    *q = (struct sign_request){ .index = at, .has_backup = c->backup != NULL, .sigmsg_len = (uint16_t)m.n };
    memcpy(q->sigmsg, m.bytes, m.n);
    memcpy(q->output_key, spent[at].script.p + 2, 32);
    case_hex(q->merkle_root, 32, c->root);
    if (c->backup)
        case_hex(q->backup_root, 32, c->backup);
}

static void refuses(struct signer *s, const struct sign_request *q, enum err_code want)
{
    static const uint8_t none[64];
    uint8_t sig[64];
    memset(sig, 0xee, 64);
    ck_assert_int_eq(signer_sign(s, sig, q).code, want);
    ck_assert_int_eq(memcmp(sig, none, 64), 0);
    ck_assert_uint_eq(secret_count(), 1);
}

#endif
