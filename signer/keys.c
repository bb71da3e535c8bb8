#include "signer/keys.h"
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <stdlib.h>
#include <string.h>
#include "core/crypto.h"
#include "core/hash.h"
#include "core/mem.h"
#include "signer/child.h"

struct signer {
    secp256k1_context *ctx;
    secret            *master;         /* the scalar */
    uint8_t            public_key[33];
    enum child_kind    kind;
};

/* Where the message of BIP341 has what is looked at here (epoch first). */
enum { AT_EPOCH = 0, AT_HASH_TYPE = 1, AT_SPEND_TYPE = 170, AT_INPUT = 171 };

/* Wipe what the library's functions left on the stack under ours: it clears its
 * scalars, but not what the compiler spilled. Deeper than its calls were measured to go. */
static __attribute__((noinline)) void stack_wipe(void)
{
    uint8_t below[24 * 1024];
    mem_wipe(below, sizeof below);
}

/* Fresh blinding of the context, so that no two uses of a key do the same arithmetic. */
static err blind(secp256k1_context *ctx)
{
    uint8_t seed[32];
    TRY(random_bytes(seed, sizeof seed));
    int done = secp256k1_context_randomize(ctx, seed);
    mem_wipe(seed, sizeof seed);
    if (!done)
        FAIL(E_IO, "the signing context could not be blinded");
    return OK;
}

static err public_of(secp256k1_context *ctx, uint8_t out[static 33], const secret *scalar)
{
    secp256k1_pubkey point;
    size_t n = 33;
    /* Refuses 0 and what is not below n. */
    int good = secp256k1_ec_pubkey_create(ctx, &point, secret_peek(scalar));
    stack_wipe();
    if (!good)
        FAIL(E_FORMAT, "the master scalar is not in 1..n-1");
    MUST(secp256k1_ec_pubkey_serialize(ctx, out, &n, &point, SECP256K1_EC_COMPRESSED) && n == 33);
    return OK;
}

static err fill(struct signer *s, secret **master)
{
    s->ctx = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    if (!s->ctx)
        FAIL(E_MEMORY, "no memory for a signing context");
    TRY(blind(s->ctx));
    if (secret_len(*master) != 32)
        FAIL(E_FORMAT, "a master scalar of %zu bytes", secret_len(*master));
    TRY(public_of(s->ctx, s->public_key, *master));
    secret_move(&s->master, master);
    return OK;
}

err signer_open(struct signer **out, secret **master)
{
    SECRET taken = NULL;
    secret_move(&taken, master);
    *out = NULL;
    MUST(taken != NULL);
    SIGNER s = calloc(1, sizeof *s);
    if (!s)
        FAIL(E_MEMORY, "no memory for a signer");
    TRY(fill(s, &taken));
    *out = s;
    s = NULL;
    return OK;
}

void signer_close(struct signer **s)
{
    if (!*s)
        return;
    secret_drop(&(*s)->master);
    if ((*s)->ctx)
        secp256k1_context_destroy((*s)->ctx);
    free(*s);
    *s = NULL;
}

void signer_children(struct signer *s, enum child_kind kind)
{
    s->kind = kind;
}

void signer_public(const struct signer *s, uint8_t out[static 33])
{
    memcpy(out, s->public_key, 33);
}

/* Epoch 0, SIGHASH_DEFAULT, ext_flag 0, and the length that goes with the annex bit: then the
 * bytes are a key-path message and nothing else can be read into them. */
static err message_check(const struct sign_request *q)
{
    const uint8_t *m = q->sigmsg;
    if (q->sigmsg_len != SIGN_MSG_PLAIN && q->sigmsg_len != SIGN_MSG_ANNEX)
        FAIL(E_FORMAT, "a message of %u bytes is no key-path message", q->sigmsg_len);
    uint8_t spend = q->sigmsg_len == SIGN_MSG_ANNEX;
    if (m[AT_EPOCH] != 0 || m[AT_HASH_TYPE] != 0 || m[AT_SPEND_TYPE] != spend)
        FAIL(E_FORMAT, "epoch %u, hash type %u, spend type %u are not signed here",
             m[AT_EPOCH], m[AT_HASH_TYPE], m[AT_SPEND_TYPE]);
    struct rd r = rd_of(m + AT_INPUT, 4);
    if (rd_u32(&r) != q->index)
        FAIL(E_FORMAT, "the message is for another input than asked");
    return OK;
}

static secp256k1_keypair *keypair_in(secret *s)
{
    _Static_assert(_Alignof(secp256k1_keypair) == 1, "a keypair may lie anywhere");
    return (secp256k1_keypair *)(void *)secret_reveal(s);
}

static void xonly_of(const struct signer *s, uint8_t out[static 32], const secp256k1_keypair *pair)
{
    secp256k1_xonly_pubkey point;
    MUST(secp256k1_keypair_xonly_pub(s->ctx, &point, NULL, pair));
    MUST(secp256k1_xonly_pubkey_serialize(s->ctx, out, &point));
}

/* BIP341's taproot_tweak_seckey; the library negates a key with odd y first. */
static err tweak(const struct signer *s, secp256k1_keypair *pair, const struct sign_request *q)
{
    uint8_t internal[32], t[32];
    xonly_of(s, internal, pair);
    struct bytes pieces[2] = { { internal, 32 }, { q->backup_root, 32 } };
    tagged_hash(t, "TapTweak", pieces, q->has_backup ? 2 : 1);
    if (!secp256k1_keypair_xonly_tweak_add(s->ctx, pair, t))
        FAIL(E_FORMAT, "the tweak leads to no key");
    return OK;
}

/* The key that spends the output: child, then tweaked. Out: a keypair in the arena. */
static err derive(struct signer *s, secret **out, const struct sign_request *q)
{
    SECRET child = NULL;
    SECRET pair = NULL;
    uint8_t t[32];
    TRY(secret_copy(&child, s->master));
    TRY(secret_new(&pair, sizeof(secp256k1_keypair)));
    if (q->kind == CHILD_OF_OUTPUT)
        child_tweak_bound(t, s->public_key, q->rules, q->emulated_key);
    else
        child_tweak(t, s->public_key, q->merkle_root);
    if (!secp256k1_ec_seckey_tweak_add(s->ctx, secret_reveal(child), t))
        FAIL(E_FORMAT, "the child's scalar would be 0");
    if (!secp256k1_keypair_create(s->ctx, keypair_in(pair), secret_peek(child)))
        FAIL(E_FORMAT, "the child is no key");
    TRY(tweak(s, keypair_in(pair), q));
    secret_move(out, &pair);
    return OK;
}

static void aux_of(uint8_t out[static 32], const uint8_t aux_rand[static 32], uint64_t index)
{
    uint8_t le[8];
    struct wr w = wr_of(le, sizeof le);
    wr_u64(&w, index);
    struct bytes pieces[2] = { { aux_rand, 32 }, { le, sizeof le } };
    sha256_of(out, pieces, 2);
}

/* A fault in the arithmetic could show the key in a wrong signature: so it is verified
 * against the output key asked for, by code that knows no secret, before it leaves. */
static err sign_with(struct signer *s, uint8_t sig[static 64], const secp256k1_keypair *pair,
                     const struct sign_request *q, const uint8_t aux[static 32])
{
    uint8_t hash[32];
    secp256k1_xonly_pubkey key;
    tagged_hash(hash, "TapSighash", &(struct bytes){ q->sigmsg, q->sigmsg_len }, 1);
    if (!secp256k1_xonly_pubkey_parse(s->ctx, &key, q->output_key) ||
        !secp256k1_schnorrsig_sign32(s->ctx, sig, hash, pair, aux) ||
        !secp256k1_schnorrsig_verify(s->ctx, sig, hash, 32, &key))
        FAIL(E_IO, "a signature did not verify after it was made");
    return OK;
}

static err sign_wet(struct signer *s, uint8_t sig[static 64], const struct sign_request *q,
                    const uint8_t aux_rand[static 32])
{
    SECRET pair = NULL;
    uint8_t output[32], aux[32];
    /* A service has one way to name its children: two would give one output two meanings. */
    if (q->kind != s->kind)
        FAIL(E_FORMAT, "a child of kind %d is asked for, this service has kind %d", (int)q->kind, (int)s->kind);
    TRY(message_check(q));
    TRY(blind(s->ctx));
    TRY(derive(s, &pair, q));
    xonly_of(s, output, keypair_in(pair));
    if (!bytes_equal(output, q->output_key, 32))
        FAIL(E_DENIED, "the output to be spent is not one of this key's");
    aux_of(aux, aux_rand, q->index);
    err e = sign_with(s, sig, keypair_in(pair), q, aux);
    mem_wipe(aux, sizeof aux);
    return e;
}

static err sign(struct signer *s, uint8_t sig[static 64], const struct sign_request *q,
                const uint8_t aux_rand[static 32])
{
    memset(sig, 0, 64);
    err e = sign_wet(s, sig, q, aux_rand);
    stack_wipe();
    if (e.code)
        mem_wipe(sig, 64);
    return e;
}

err signer_sign(struct signer *s, uint8_t sig[static 64], const struct sign_request *q)
{
    uint8_t aux_rand[32];
    memset(sig, 0, 64);
    TRY(random_bytes(aux_rand, sizeof aux_rand));
    err e = sign(s, sig, q, aux_rand);
    mem_wipe(aux_rand, sizeof aux_rand);
    return e;
}

/* In libsecp256k1's form of a hash function: the whole point, as it is. */
static int both_coordinates(unsigned char *out, const unsigned char *x, const unsigned char *y, void *unused)
{
    (void)unused;
    memcpy(out, x, 32);
    memcpy(out + 32, y, 32);
    return 1;
}

err signer_agree(struct signer *s, secret **key, const uint8_t *point, size_t n)
{
    static const char salt[] = "confidential-script-salt", info[] = "Middleware encryption key";
    SECRET shared = NULL;
    secp256k1_pubkey peer;
    *key = NULL;
    if (!secp256k1_ec_pubkey_parse(s->ctx, &peer, point, n))
        FAIL(E_FORMAT, "a client's key of %zu bytes is no point", n);
    TRY(secret_new(&shared, 64));
    TRY(blind(s->ctx));
    int done = secp256k1_ecdh(s->ctx, secret_reveal(shared), &peer, secret_peek(s->master), both_coordinates, NULL);
    stack_wipe();
    if (!done)
        FAIL(E_FORMAT, "there is no shared point");
    return hkdf_sha256(key, 32, shared, salt, sizeof salt - 1, info, sizeof info - 1);
}

#ifdef HOLDFAST_TEST_ENTRIES
err signer_sign_with_aux(struct signer *s, uint8_t sig[static 64], const struct sign_request *q,
                         const uint8_t aux_rand[static 32])
{
    return sign(s, sig, q, aux_rand);
}
#endif
