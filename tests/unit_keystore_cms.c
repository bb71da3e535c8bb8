/* unit_keystore_cms.c - envelopes: what KMS really sends, every shape it may take,
 * and each way in which one can be wrong. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "core/hash.h"
#include "keystore/envelope.h"
#include "keystore/recipient.h"
#include "tests/keystore_case.h"
#include "tests/keystore_envelope.h"
#include "tests/support/vectors.h"

static struct { uint8_t *ber, *plain; size_t ber_len, plain_len; uint8_t der[2048]; size_t der_len; } edge;

static struct recipient *edge_recipient(void)
{
    struct recipient *r = NULL;
    ASSERT_OK(recipient_from_der(&r, edge.der, edge.der_len));
    return r;
}

START_TEST(real_opens)
{
    RECIPIENT r = edge_recipient();
    SECRET out = NULL;
    ASSERT_OK(recipient_open(&out, r, edge.ber, edge.ber_len, 32));
    ck_assert_uint_eq(secret_len(out), 32);
    ck_assert_mem_eq(secret_peek(out), edge.plain, 32);
}
END_TEST

START_TEST(real_constructed_parses)
{
    size_t n, iv_len, ct_len, ek_len;
    uint8_t *ber = vectors_read("cms/aws-sdk-c_constructed.ber", &n), *iv = vectors_read("cms/aws-sdk-c_constructed.iv", &iv_len);
    uint8_t *ct = vectors_read("cms/aws-sdk-c_constructed.ct", &ct_len), *ek = vectors_read("cms/aws-sdk-c_constructed.ek", &ek_len);
    struct envelope e;
    ASSERT_OK(envelope_parse(&e, ber, n));
    ck_assert_mem_eq(e.iv, iv, iv_len);
    ck_assert_uint_eq(e.content_len, ct_len);
    ck_assert_mem_eq(e.content, ct, ct_len);
    ck_assert_uint_eq(ek_len, ENVELOPE_KEY);
    ck_assert_mem_eq(e.key, ek, ek_len);
    free(ber), free(iv), free(ct), free(ek);
}
END_TEST

START_TEST(other_recipient)
{
    RECIPIENT r = NULL;
    SECRET out = NULL;
    ASSERT_OK(recipient_new(&r));
    ASSERT_CODE(recipient_open(&out, r, edge.ber, edge.ber_len, 32), E_AUTH);
    ck_assert_ptr_null(out);
}
END_TEST

START_TEST(exact_length)
{
    static const size_t wrong[] = { 0, 1, 16, 31, 33, 47, 48, 49, 4096, 1u << 20, SIZE_MAX };
    RECIPIENT r = edge_recipient();
    SECRET out = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ASSERT_CODE(recipient_open(&out, r, edge.ber, edge.ber_len, wrong[i]), E_AUTH);
        ck_assert_ptr_null(out);
    }
}
END_TEST

START_TEST(cut_anywhere)
{
    RECIPIENT r = edge_recipient();
    SECRET out = NULL;
    for (size_t n = 0; n < edge.ber_len; n++) {
        uint8_t *q = malloc(n ? n : 1);
        memcpy(q, edge.ber, n);
        ASSERT_CODE(recipient_open(&out, r, q, n, 32), E_FORMAT);
        free(q);
    }
    uint8_t *q = calloc(1, edge.ber_len + 2);
    memcpy(q, edge.ber, edge.ber_len);
    ASSERT_CODE(recipient_open(&out, r, q, edge.ber_len + 1, 32), E_FORMAT);
    ASSERT_CODE(recipient_open(&out, r, q, edge.ber_len + 2, 32), E_FORMAT);
    free(q);
    q = calloc(1, ENVELOPE_MAX + 1);
    ASSERT_CODE(recipient_open(&out, r, q, ENVELOPE_MAX + 1, 32), E_LIMIT);
    free(q);
}
END_TEST

static bool inside(const uint8_t *p, const uint8_t *part, size_t n)
{
    return p >= part && p < part + n;
}

/* CBC is malleable, so the IV and the content may change and still open, to something
 * else; nothing but these 64 bytes may. */
START_TEST(bit_flips)
{
    RECIPIENT r = edge_recipient();
    struct envelope e;
    size_t opened = 0;
    ASSERT_OK(envelope_parse(&e, edge.ber, edge.ber_len));
    const uint8_t *iv = memmem(edge.ber, edge.ber_len, e.iv, sizeof e.iv), *content = memmem(edge.ber, edge.ber_len, e.content, e.content_len);
    ck_assert(iv && content);
    for (size_t i = 0; i < edge.ber_len * 8; i++) {
        uint8_t *at = edge.ber + i / 8, bit = (uint8_t)(1u << i % 8);
        bool key = i / 8 >= 100 && !inside(at, iv, 16) && !inside(at, content, e.content_len);
        if (key && i % 8 != i / 8 % 8) continue;                 /* the RSA part: one bit of each byte is enough */
        SECRET out = NULL;
        *at ^= bit;
        err got = recipient_open(&out, r, edge.ber, edge.ber_len, 32);
        *at ^= bit;
        if (got.code) continue;
        ck_assert_msg(inside(at, iv, 16) || inside(at, content, e.content_len), "a change of byte %zu opens", i / 8);
        ck_assert_mem_ne(secret_peek(out), edge.plain, 32);
        opened++;
    }
    ck_assert_uint_ge(opened, 128);                              /* all of the IV: so flips were tried at all */
}
END_TEST

/* ---- envelopes of our own ---------------------------------------------------- */

static const uint8_t aes_key[32] = { 7, 7, 7 }, iv[16] = { 1, 2, 3 };

/* AES-256-CBC with given last bytes instead of padding. */
static size_t encrypt(uint8_t *out, const uint8_t *key, const uint8_t *plain, size_t n, const uint8_t *tail, size_t tail_len)
{
    int len = 0, more = 0;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    ck_assert_int_eq(EVP_EncryptInit_ex(c, EVP_aes_256_cbc(), NULL, key, iv), 1);
    EVP_CIPHER_CTX_set_padding(c, 0);
    ck_assert_int_eq(EVP_EncryptUpdate(c, out, &len, plain, (int)n), 1);
    ck_assert_int_eq(EVP_EncryptUpdate(c, out + len, &more, tail, (int)tail_len), 1);
    EVP_CIPHER_CTX_free(c);
    return (size_t)len + (size_t)more;
}

static void wrap_key(uint8_t out[static 256], const uint8_t *spki, const void *label, size_t label_len, const EVP_MD *md)
{
    size_t n = 256;
    EVP_PKEY *k = d2i_PUBKEY(NULL, &spki, RECIPIENT_SPKI);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k, NULL);
    ck_assert_int_eq(EVP_PKEY_encrypt_init(c), 1);
    ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING), 1);
    ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_oaep_md(c, md), 1);
    ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_mgf1_md(c, md), 1);
    if (label_len) {
        void *copy = OPENSSL_malloc(label_len);
        memcpy(copy, label, label_len);
        ck_assert_int_eq(EVP_PKEY_CTX_set0_rsa_oaep_label(c, copy, (int)label_len), 1);
    }
    ck_assert_int_eq(EVP_PKEY_encrypt(c, out, &n, aes_key, 32), 1);
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(k);
}

struct bench { struct recipient *r; uint8_t spki[RECIPIENT_SPKI], id[32], key[256], content[512]; struct making m; };

/* A well-made envelope of 32 times 0x5a for a given recipient. */
static void bench_open(struct bench *b)
{
    uint8_t plain[32], pad[16];
    memset(plain, 0x5a, 32);
    memset(pad, 16, 16);
    b->r = edge_recipient();
    recipient_spki(b->r, b->spki);
    sha256(b->id, b->spki, sizeof b->spki);
    wrap_key(b->key, b->spki, NULL, 0, EVP_sha256());
    size_t n = encrypt(b->content, aes_key, plain, 32, pad, 16);
    b->m = (struct making){ .indefinite = true, .version = 2, .recipient_version = 2, .recipients = 1, .id = b->id, .id_len = 32,
                            .key = b->key, .key_len = 256, .iv = iv, .iv_len = 16, .content = b->content, .content_len = n };
}

static enum err_code bench_try(struct bench *b, size_t plain_len)
{
    SECRET out = NULL;
    size_t n;
    uint8_t *p = make_envelope(&n, &b->m);
    enum err_code code = recipient_open(&out, b->r, p, n, plain_len).code;
    free(p);
    ck_assert_int_eq(out != NULL, code == E_OK);
    if (out) {
        ck_assert_uint_eq(secret_len(out), plain_len);
        for (size_t i = 0; i < plain_len; i++) ck_assert_uint_eq(secret_peek(out)[i], 0x5a);
    }
    return code;
}

START_TEST(all_shapes)
{
    struct bench b;
    bench_open(&b);
    for (int i = 0; i < 64; i++) {
        b.m.indefinite = i & 1;
        b.m.pieces = (i >> 1 & 3) == 3 ? 48 : i >> 1 & 3;
        b.m.nested = i & 8;
        b.m.no_null = i & 16;
        b.m.label = i & 32;
        ck_assert_int_eq(bench_try(&b, 32), E_OK);
    }
    recipient_drop(&b.r);
}
END_TEST

#define REFUSED(change, want) do { \
        struct making good_ = b.m; \
        change; \
        ck_assert_msg(bench_try(&b, 32) == (want), "%s: not refused as expected", #change); \
        b.m = good_; \
    } while (0)

START_TEST(wrong_structure)
{
    static const char *const oids[] = { "enveloped", "data", "oaep", "mgf1", "hash", "mgf-hash", "aes", "label" };
    struct bench b;
    bench_open(&b);
    b.m.label = true;
    for (size_t i = 0; i < sizeof oids / sizeof *oids; i++) REFUSED(b.m.swap_oid = oids[i], E_FORMAT);
    REFUSED(b.m.version = 0, E_FORMAT);
    REFUSED(b.m.version = 3, E_FORMAT);
    REFUSED(b.m.recipient_version = 0, E_FORMAT);
    REFUSED(b.m.recipients = 0, E_FORMAT);
    REFUSED(b.m.recipients = 2, E_FORMAT);
    REFUSED(b.m.full_null = true, E_FORMAT);
    REFUSED(b.m.no_hash = true, E_FORMAT);
    REFUSED(b.m.no_mgf = true, E_FORMAT);
    REFUSED(b.m.long_label = true, E_LIMIT);
    REFUSED(b.m.attributes = true, E_FORMAT);
    REFUSED(b.m.originator = true, E_FORMAT);
    REFUSED(b.m.by_issuer = true, E_FORMAT);
    REFUSED(b.m.trailing = true, E_FORMAT);
    REFUSED(b.m.id_len = 20, E_FORMAT);
    REFUSED(b.m.key_len = 255, E_FORMAT);
    REFUSED(b.m.iv_len = 15, E_FORMAT);
    REFUSED(b.m.iv_len = 0, E_FORMAT);
    REFUSED(b.m.content_len = 47, E_FORMAT);
    REFUSED(b.m.content_len = 0, E_FORMAT);
    REFUSED(b.m.content_len = 32, E_AUTH);
    ck_assert_int_eq(bench_try(&b, 32), E_OK);
    recipient_drop(&b.r);
}
END_TEST

START_TEST(wrong_keys)
{
    uint8_t plain[32], pad[16], zero[32] = { 0 };
    struct bench b;
    bench_open(&b);
    memset(plain, 0x5a, 32);
    memset(pad, 16, 16);
    b.id[0] ^= 1;
    ck_assert_int_eq(bench_try(&b, 32), E_AUTH);                  /* another recipient id, though the key would fit */
    b.id[0] ^= 1;
    wrap_key(b.key, b.spki, "label", 5, EVP_sha256());
    ck_assert_int_eq(bench_try(&b, 32), E_AUTH);
    wrap_key(b.key, b.spki, NULL, 0, EVP_sha1());
    ck_assert_int_eq(bench_try(&b, 32), E_AUTH);
    /* What a failed OAEP decrypts with is a key of zeros: content made for that must not open. */
    encrypt(b.content, zero, plain, 32, pad, 16);
    ck_assert_int_eq(bench_try(&b, 32), E_AUTH);
    memset(b.key, 0xff, sizeof b.key);                            /* not below the modulus */
    ck_assert_int_eq(bench_try(&b, 32), E_AUTH);
    recipient_drop(&b.r);
}
END_TEST

START_TEST(wrong_padding)
{
    static const struct { uint8_t tail[16]; } tails[] = {
        { { 0 } }, { { 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 15 } },
        { { 15, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16 } },
        { { 16, 16, 16, 16, 16, 16, 16, 16, 17, 16, 16, 16, 16, 16, 16, 16 } },
        { { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 } },   /* valid padding, of 47 bytes */
        { { 17, 17, 17, 17, 17, 17, 17, 17, 17, 17, 17, 17, 17, 17, 17, 17 } },
    };
    uint8_t plain[32];
    struct bench b;
    bench_open(&b);
    memset(plain, 0x5a, 32);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        encrypt(b.content, aes_key, plain, 32, tails[i].tail, 16);
        ck_assert_int_eq(bench_try(&b, 32), E_AUTH);
    }
    recipient_drop(&b.r);
}
END_TEST

START_TEST(every_length)
{
    uint8_t plain[256], pad[16];
    struct bench b;
    bench_open(&b);
    memset(plain, 0x5a, sizeof plain);
    for (size_t n = 1; n < 100; n++) {
        size_t fill = 16 - n % 16;
        memset(pad, (int)fill, 16);
        /* The tail starts where a block may be half full: give all of it as one piece. */
        memcpy(plain + n, pad, fill);
        b.m.content_len = encrypt(b.content, aes_key, plain, n + fill, pad, 0);
        memset(plain + n, 0x5a, fill);
        ck_assert_int_eq(bench_try(&b, n), E_OK);
        ck_assert_int_eq(bench_try(&b, n + 1), E_AUTH);
        if (n > 1) ck_assert_int_eq(bench_try(&b, n - 1), E_AUTH);
    }
    recipient_drop(&b.r);
}
END_TEST

/* Elements inside elements, without end: refused, not followed. */
START_TEST(deep)
{
    uint8_t p[4096];
    struct envelope e;
    for (size_t i = 0; i < sizeof p; i += 2) p[i] = 0x30, p[i + 1] = 0x80;
    ASSERT_CODE(envelope_parse(&e, p, sizeof p), E_FORMAT);
    memset(p, 0x24, sizeof p);
    ASSERT_CODE(envelope_parse(&e, p, sizeof p), E_FORMAT);
    ASSERT_CODE(envelope_parse(&e, NULL, 0), E_FORMAT);
    ASSERT_CODE(envelope_parse(&e, "\x30\x84\xff\xff\xff\xff", 6), E_FORMAT);
    ASSERT_CODE(envelope_parse(&e, "\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff", 10), E_FORMAT);
    ASSERT_CODE(envelope_parse(&e, "\x3f\x81\x01\x00", 4), E_FORMAT);
}
END_TEST

START_TEST(fresh_keys)
{
    uint8_t a[RECIPIENT_SPKI], b[RECIPIENT_SPKI];
    RECIPIENT x = NULL;
    RECIPIENT y = NULL;
    ASSERT_OK(recipient_new(&x));
    ASSERT_OK(recipient_new(&y));
    recipient_spki(x, a);
    recipient_spki(y, b);
    ck_assert_mem_ne(a, b, sizeof a);
    const uint8_t *at = a;
    EVP_PKEY *k = d2i_PUBKEY(NULL, &at, sizeof a);
    ck_assert_ptr_nonnull(k);
    ck_assert_int_eq(EVP_PKEY_get_bits(k), 2048);
    EVP_PKEY_free(k);
    ASSERT_CODE(recipient_from_der(&x, "nonsense", 8), E_FORMAT);
}
END_TEST

/* Wycheproof's OAEP: a ciphertext opens exactly when it is valid, has no label and holds
 * an AES-256 key. */
START_TEST(wycheproof)
{
    json_t *file = vectors_json("wycheproof/rsa_oaep_2048_sha256_mgf1sha256_test.json"), *group, *test;
    size_t i, j, tried = 0, opened = 0;
    uint8_t plain[32], pad[16];
    memset(plain, 0x5a, 32);
    memset(pad, 16, 16);
    json_array_foreach(json_object_get(file, "testGroups"), i, group) {
        size_t der_len;
        uint8_t *der = vectors_hex(group, "privateKeyPkcs8", &der_len);
        struct bench b;
        bench_open(&b);
        recipient_drop(&b.r);
        ASSERT_OK(recipient_from_der(&b.r, der, der_len));
        recipient_spki(b.r, b.spki);
        sha256(b.id, b.spki, sizeof b.spki);
        json_array_foreach(json_object_get(group, "tests"), j, test) {
            size_t ct_len, msg_len;
            uint8_t *ct = vectors_hex(test, "ct", &ct_len), *msg = vectors_hex(test, "msg", &msg_len), zero[32] = { 0 };
            bool good = strcmp(vectors_text(test, "result"), "valid") == 0 && msg_len == 32 && vectors_text(test, "label")[0] == 0;
            b.m.content_len = encrypt(b.content, msg_len == 32 ? msg : zero, plain, 32, pad, 16);
            b.m.key = ct;
            b.m.key_len = ct_len;
            enum err_code code = bench_try(&b, 32);
            ck_assert_msg((code == E_OK) == good, "tcId %d: %s", (int)json_integer_value(json_object_get(test, "tcId")), err_text(code));
            tried++;
            opened += good;
            free(ct), free(msg);
        }
        recipient_drop(&b.r);
        free(der);
    }
    json_decref(file);
    ck_assert_uint_eq(tried, 37);
    ck_assert_uint_ge(opened, 1);
}
END_TEST

static Suite *cms(void)
{
    Suite *s = suite_create("cms");
    SECRET_CASE(s, "cms", real_opens, real_constructed_parses, other_recipient, exact_length, cut_anywhere, bit_flips, all_shapes,
                wrong_structure, wrong_keys, wrong_padding, every_length, deep, fresh_keys, wycheproof);
    return s;
}

int main(void)
{
    vectors_need("cms/edgebit.ber");
    vectors_need("wycheproof/rsa_oaep_2048_sha256_mgf1sha256_test.json");
    if (crypto_warm_up().code) return 1;
    size_t n;
    uint8_t *pem = vectors_read("cms/edgebit.key.pem", &n), *at = edge.der;
    edge.ber = vectors_read("cms/edgebit.ber", &edge.ber_len);
    edge.plain = vectors_read("cms/edgebit.plain", &edge.plain_len);
    BIO *b = BIO_new_mem_buf(pem, (int)n);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    edge.der_len = (size_t)i2d_PrivateKey(k, &at);
    EVP_PKEY_free(k);
    BIO_free(b);
    free(pem);
    return check_main((check_suite *const[]){ cms }, 1);
}
