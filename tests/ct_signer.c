/* Constant time as a test: the master scalar is marked undefined for valgrind, and any
 * branch or address in our code, libc or libcrypto that depends on it is an error.
 *
 * libsecp256k1 marks inside itself what it may show (a public key's parity, that a scalar was valid), but
 * not in a distribution's build. So its results are declared public at its door, here, as it does
 * itself, and errors inside it are left to its own constant-time test (ct_signer.supp).
 *
 * Run by CTest under valgrind; exit 77 without. With the argument `leak` it branches on a key on purpose: that
 * run must be reported, or this test could not fail. */
#include <stdio.h>
#include <string.h>
#include "core/mem.h"
#include "signer/address.h"
#include "signer/keys.h"
#include "signer/sighash.h"
#include "tests/signer_case.h"

#if __has_include(<valgrind/memcheck.h>) && !defined(HOLDFAST_SANITIZE)
#include <valgrind/memcheck.h>
#define SECRET_BYTES(p, n) VALGRIND_MAKE_MEM_UNDEFINED((p), (n))
#define PUBLIC_BYTES(p, n) VALGRIND_MAKE_MEM_DEFINED((p), (n))
#define UNDER_VALGRIND RUNNING_ON_VALGRIND
#else
#define SECRET_BYTES(p, n) ((void)(p))
#define PUBLIC_BYTES(p, n) ((void)(p))
#define UNDER_VALGRIND 0
#endif

/* ---- the library's door: which results are public ---- */
enum { PAIR_PUBLIC_AT = 32, PAIR_SIZE = 96 };
#define DOOR(name, args, call, shown) \
    int __real_##name args; \
    int __wrap_##name args; \
    int __wrap_##name args \
    { \
        int ret = __real_##name call; \
        PUBLIC_BYTES(&ret, sizeof ret); \
        shown; \
        return ret; \
    }
DOOR(secp256k1_ec_pubkey_create, (const void *c, uint8_t *point, const uint8_t *key), (c, point, key), PUBLIC_BYTES(point, 64))
DOOR(secp256k1_ec_seckey_tweak_add, (const void *c, uint8_t *key, const uint8_t *t), (c, key, t), (void)0)
DOOR(secp256k1_keypair_create, (const void *c, uint8_t *pair, const uint8_t *key), (c, pair, key),
     PUBLIC_BYTES(pair + PAIR_PUBLIC_AT, PAIR_SIZE - PAIR_PUBLIC_AT))
DOOR(secp256k1_keypair_xonly_tweak_add, (const void *c, uint8_t *pair, const uint8_t *t), (c, pair, t),
     PUBLIC_BYTES(pair + PAIR_PUBLIC_AT, PAIR_SIZE - PAIR_PUBLIC_AT))
DOOR(secp256k1_ecdh,
     (const void *c, uint8_t *out, const void *point, const uint8_t *key, void *hash, void *more),
     (c, out, point, key, hash, more), (void)0)
DOOR(secp256k1_schnorrsig_sign32,
     (const void *c, uint8_t *sig, const uint8_t *msg, const uint8_t *pair, const uint8_t *aux),
     (c, sig, msg, pair, aux), PUBLIC_BYTES(sig, 64))

static void ask(struct sign_request *q, const struct signer_case *c)
{
    static struct bench b;
    struct sighash_cache cache;
    struct sigmsg m;
    bench_case(&b, c);
    struct tx_out spent = { 100000, b.spent[0].script };
    MUST(!sighash_cache_make(&cache, &b.tx, &spent).code);
    MUST(sighash_taproot_message(&m, &cache, 0, SIGHASH_DEFAULT, NULL, NULL));
    *q = (struct sign_request){ .has_backup = c->backup != NULL, .sigmsg_len = (uint16_t)m.n };
    memcpy(q->sigmsg, m.bytes, m.n);
    memcpy(q->output_key, spent.script.p + 2, 32);
    case_hex(q->merkle_root, 32, c->root);
    if (c->backup)
        case_hex(q->backup_root, 32, c->backup);
}

/* A, B and C: odd and even child, with a backup root and without; then a refusal. */
static int sign_all(struct signer *s)
{
    for (int i = 0; i < 3; i++) {
        struct sign_request q;
        uint8_t sig[64];
        ask(&q, &SIGNER_CASES[i]);
        if (signer_sign(s, sig, &q).code)
            return 1;
        q.output_key[0] ^= 1;
        if (signer_sign(s, sig, &q).code != E_DENIED)
            return 1;
    }
    return 0;
}

/* The same case, its child named by rule set and emulated output key: holdfast-1's derivation. */
static int sign_bound(struct signer *s)
{
    struct sign_request q;
    struct rule_set rules;
    uint8_t sig[64], master[33], emulated[34];
    ask(&q, &SIGNER_CASES[0]);
    MUST(!rules_parse(&rules, "lnhance", 7).code);
    q.kind = CHILD_OF_OUTPUT;
    rules_id(q.rules, &rules);
    case_hex(emulated, sizeof emulated, CASE_EMULATED);
    memcpy(q.emulated_key, emulated + 2, 32);
    signer_public(s, master);
    MUST(!address_output_key_bound(q.output_key, master, q.rules, q.emulated_key, NULL).code);
    signer_children(s, CHILD_OF_OUTPUT);
    if (signer_sign(s, sig, &q).code)
        return 1;
    q.rules[0] ^= 1;
    return signer_sign(s, sig, &q).code != E_DENIED;
}

/* The shared point stays secret on its way through HKDF, and so does the session key. */
static int agree(struct signer *s)
{
    SECRET key = NULL;
    uint8_t client[33];
    signer_public(s, client);
    client[0] ^= 1;
    return signer_agree(s, &key, client, sizeof client).code != E_OK;
}

int main(int argc, char **argv)
{
    if (!UNDER_VALGRIND) {
        printf("SKIP: not under valgrind, or built without its headers, or with a sanitizer\n");
        return 77;
    }
    MUST(!secret_arena_open(65536).code);
    SECRET master = NULL;
    case_scalar(&master, 1);
    SECRET_BYTES(secret_reveal(master), 32);
    if (argc > 1 && strcmp(argv[1], "leak") == 0 && secret_reveal(master)[3] & 1)
        printf("a branch on the key\n");
    SIGNER s = NULL;
    if (signer_open(&s, &master).code)
        return 2;
    int bad = sign_all(s) | sign_bound(s) | agree(s);
    signer_close(&s);
    printf(bad ? "signing failed\n" : "signed\n");
    return bad;
}
