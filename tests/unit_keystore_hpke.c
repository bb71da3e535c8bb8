/* HPKE and the AEAD under it: the RFCs' own answers, then published vectors for the primitives. */
#include "keystore/hpke.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "tests/support/check_main.h"
#include "tests/support/vectors.h"

/* RFC 9180, appendix A.2.1: base mode of this suite. */
#define SKE "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600"
#define SKR "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"
#define PKR "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"
#define ENC "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
static const char rfc_info[] = "Ode on a Grecian Urn", rfc_plain[] = "Beauty is truth, truth beauty";
static const struct { uint64_t sequence; const char *sealed; } rfc_messages[] = {
    { 0, "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28" },
    { 1, "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c" },
    { 2, "71146bd6795ccc9c49ce25dda112a48f202ad220559502cef1f34271e0cb4b02b4f10ecac6f48c32f878fae86b" },
    { 4, "63357a2aa291f5a4e5f27db6baa2af8cf77427c7c1a909e0b37214dd47db122bb153495ff0b02e9e54a50dbe16" },
    { 255, "18ab939d63ddec9f6ac2b60d61d36a7375d2070c9b683861110757062c52b8880a5f6b3936da9cd6c23ef2a95c" },
    { 256, "7a4a13e9ef23978e2c520fd4d2e757514ae160cd0cd05e556ef692370ca53076214c0c40d4c728d6ed9e727a5b" },
};
static const struct { const char *context; size_t n; const char *value; } rfc_exports[] = {
    { "", 0, "4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e" },
    { "\0", 1, "8c1df14732580e5501b00f82b10a1647b40713191b7c1240ac80e2b68808ba69" },
    { "TestContext", 11, "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53" },
};

/* The sender's randomness is the appendix's when this is set. */
static const char *random_hex;
err __real_random_bytes(void *out, size_t n);
err __wrap_random_bytes(void *out, size_t n);
err __wrap_random_bytes(void *out, size_t n)
{
    if (!random_hex) return __real_random_bytes(out, n);
    hex_must(out, n, random_hex);
    return OK;
}

static void is_hex(const void *got, size_t n, const char *want)
{
    char hex[2 * 128 + 1];
    ck_assert_uint_le(n, 128);
    hex_from(hex, got, n);
    ck_assert_str_eq(hex, want);
}

static void check_schedule(const struct hpke *h)
{
    is_hex(h->key, sizeof h->key, "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91");
    is_hex(h->base_nonce, sizeof h->base_nonce, "5c4d98150661b848853b547f");
    is_hex(h->exporter, sizeof h->exporter, "a3b010d4994890e2c6968a36f64470d3c824c8f5029942feb11e7a74b2921922");
}

static void rfc_receiver(struct hpke *h)
{
    uint8_t enc[HPKE_ENC], sk[HPKE_SECRET];
    hex_must(enc, sizeof enc, ENC);
    hex_must(sk, sizeof sk, SKR);
    ASSERT_OK(hpke_receive(h, enc, sk, rfc_info, strlen(rfc_info)));
}

START_TEST(rfc_receives)
{
    HPKE h;
    uint8_t pk[HPKE_PUBLIC], sk[HPKE_SECRET];
    hex_must(sk, sizeof sk, SKR);
    ASSERT_OK(hpke_public(pk, sk));
    is_hex(pk, sizeof pk, PKR);
    rfc_receiver(&h);
    check_schedule(&h);
    for (size_t i = 0; i < sizeof rfc_messages / sizeof *rfc_messages; i++) {
        uint8_t sealed[45], plain[29];
        char aad[16];
        hex_must(sealed, sizeof sealed, rfc_messages[i].sealed);
        int n = snprintf(aad, sizeof aad, "Count-%llu", (unsigned long long)rfc_messages[i].sequence);
        h.sequence = rfc_messages[i].sequence;
        ASSERT_OK(hpke_open(&h, plain, aad, (size_t)n, sealed, sizeof sealed));
        ck_assert_mem_eq(plain, rfc_plain, sizeof plain);
        ck_assert_uint_eq(h.sequence, rfc_messages[i].sequence + 1);
    }
    for (size_t i = 0; i < sizeof rfc_exports / sizeof *rfc_exports; i++) {
        uint8_t out[32];
        ASSERT_OK(hpke_export(&h, out, sizeof out, rfc_exports[i].context, rfc_exports[i].n));
        is_hex(out, sizeof out, rfc_exports[i].value);
    }
}
END_TEST

START_TEST(rfc_sends)
{
    HPKE h;
    uint8_t enc[HPKE_ENC], to[HPKE_PUBLIC], out[45];
    hex_must(to, sizeof to, PKR);
    random_hex = SKE;
    ASSERT_OK(hpke_send(&h, enc, to, rfc_info, strlen(rfc_info)));
    random_hex = NULL;
    is_hex(enc, sizeof enc, ENC);
    check_schedule(&h);
    ASSERT_OK(hpke_seal(&h, out, "Count-0", 7, (const uint8_t *)rfc_plain, 29));
    is_hex(out, sizeof out, rfc_messages[0].sealed);
    ASSERT_OK(hpke_seal(&h, out, "Count-1", 7, (const uint8_t *)rfc_plain, 29));
    is_hex(out, sizeof out, rfc_messages[1].sealed);
}
END_TEST

/* Every bit of the message, of what is bound to it and of enc counts; a failure leaves zeros and the sequence. */
START_TEST(altered)
{
    uint8_t sealed[45], bad[45], plain[29], zero[29] = { 0 };
    hex_must(sealed, sizeof sealed, rfc_messages[0].sealed);
    for (size_t i = 0; i < 8 * sizeof sealed; i++) {
        HPKE h;
        rfc_receiver(&h);
        memcpy(bad, sealed, sizeof bad);
        bad[i / 8] ^= (uint8_t)(1 << i % 8);
        memset(plain, 7, sizeof plain);
        ASSERT_CODE(hpke_open(&h, plain, "Count-0", 7, bad, sizeof bad), E_AUTH);
        ck_assert_mem_eq(plain, zero, sizeof plain);
        ck_assert_uint_eq(h.sequence, 0);
    }
    HPKE h;
    rfc_receiver(&h);
    ASSERT_CODE(hpke_open(&h, plain, "Count-1", 7, sealed, sizeof sealed), E_AUTH);
    ASSERT_CODE(hpke_open(&h, plain, "Count-0", 7, sealed, sizeof sealed - 1), E_AUTH);
    for (size_t n = 0; n < HPKE_TAG; n++) ASSERT_CODE(hpke_open(&h, plain, "Count-0", 7, sealed, n), E_AUTH);
    h.sequence = 1;
    ASSERT_CODE(hpke_open(&h, plain, "Count-0", 7, sealed, sizeof sealed), E_AUTH);
}
END_TEST

START_TEST(other_contexts)
{
    HPKE a;
    HPKE b;
    uint8_t enc[HPKE_ENC], sk[HPKE_SECRET], to[HPKE_PUBLIC], out[64], plain[64], small[HPKE_PUBLIC] = { 0 };
    ASSERT_OK(random_bytes(sk, sizeof sk));
    ASSERT_OK(hpke_public(to, sk));
    ASSERT_OK(hpke_send(&a, enc, to, "one", 3));
    ASSERT_OK(hpke_receive(&b, enc, sk, "two", 3));
    ck_assert(memcmp(a.key, b.key, sizeof a.key) != 0);
    ASSERT_OK(hpke_receive(&b, enc, sk, "one", 3));
    ck_assert_mem_eq(a.key, b.key, sizeof a.key);
    for (unsigned i = 0; i < 3; i++) {
        ASSERT_OK(hpke_seal(&a, out, NULL, 0, (const uint8_t *)"", 0));
        ASSERT_OK(hpke_open(&b, plain, NULL, 0, out, HPKE_TAG));
    }
    /* Points of small order: 0 and 1 give a shared secret of zeros. */
    for (uint8_t i = 0; i < 2; i++) {
        small[0] = i;
        ASSERT_CODE(hpke_send(&a, enc, small, "one", 3), E_FORMAT);
        ASSERT_CODE(hpke_receive(&a, small, sk, "one", 3), E_FORMAT);
        ck_assert_mem_eq(a.key, (const uint8_t[32]){ 0 }, 32);
    }
    ASSERT_CODE(hpke_export(&b, out, 0, "x", 1), E_LIMIT);
    ASSERT_CODE(hpke_export(&b, out, 32, plain, 65), E_LIMIT);
    uint8_t long_info[300] = { 0 };
    ASSERT_CODE(hpke_receive(&a, enc, sk, long_info, sizeof long_info), E_LIMIT);
}
END_TEST

/* ---- Wycheproof ---- */

static json_t *test_at(json_t *root, size_t g, size_t i, json_t **group)
{
    *group = json_array_get(json_object_get(root, "testGroups"), g);
    return json_array_get(json_object_get(*group, "tests"), i);
}

static bool is_valid(const json_t *test) { return strcmp(vectors_text(test, "result"), "valid") == 0; }

START_TEST(aead_vectors)
{
    json_t *root = vectors_json("wycheproof/chacha20_poly1305_test.json"), *group = NULL, *test;
    size_t good = 0, bad = 0;
    for (size_t g = 0; test_at(root, g, 0, &group); g++)
        for (size_t i = 0; (test = test_at(root, g, i, &group)); i++) {
            size_t n, aad_len, ct_len, tag_len, iv_len, key_len;
            BYTES key = vectors_hex(test, "key", &key_len);
            BYTES iv = vectors_hex(test, "iv", &iv_len);
            BYTES msg = vectors_hex(test, "msg", &n);
            BYTES aad = vectors_hex(test, "aad", &aad_len);
            BYTES ct = vectors_hex(test, "ct", &ct_len);
            BYTES tag = vectors_hex(test, "tag", &tag_len);
            if (iv_len != AEAD_NONCE || key_len != AEAD_KEY || tag_len != AEAD_TAG) continue;   /* forms this code cannot be given */
            BYTES all = malloc(ct_len + tag_len);
            BYTES out = malloc(n + tag_len + 1);
            memcpy(all, ct, ct_len);
            memcpy(all + ct_len, tag, tag_len);
            const struct aead a = { key, iv, aad, aad_len };
            ASSERT_CODE(aead_open(out, &a, all, ct_len + tag_len), is_valid(test) ? E_OK : E_AUTH);
            if (!is_valid(test)) {
                bad++;
                continue;
            }
            ck_assert_mem_eq(out, msg, n);
            ASSERT_OK(aead_seal(out, &a, msg, n));
            ck_assert_mem_eq(out, all, n + tag_len);
            memcpy(out, msg, n);             /* in place, both ways */
            ASSERT_OK(aead_seal(out, &a, out, n));
            ck_assert_mem_eq(out, all, n + tag_len);
            ASSERT_OK(aead_open(out, &a, out, n + tag_len));
            ck_assert_mem_eq(out, msg, n);
            good++;
        }
    json_decref(root);
    ck_assert_uint_ge(good, 200);
    ck_assert_uint_ge(bad, 30);
}
END_TEST

/* What RFC 9180 makes of an agreement, written again over HMAC alone. One block of HKDF is enough here. */
static void labeled(uint8_t out[static 32], bool hpke, const uint8_t *key, size_t key_len, int len, const char *label,
                    const uint8_t *tail, size_t tail_len)
{
    static const uint8_t suites[2][10] = { { 'K', 'E', 'M', 0, 0x20 }, { 'H', 'P', 'K', 'E', 0, 0x20, 0, 1, 0, 3 } };
    uint8_t room[256];
    struct wr w = wr_of(room, sizeof room);
    if (len) wr_u16be(&w, (uint16_t)len);    /* 0: this is an extract */
    wr_text(&w, "HPKE-v1");
    wr_bytes(&w, suites[hpke], hpke ? 10 : 5);
    wr_text(&w, label);
    wr_bytes(&w, tail, tail_len);
    if (len) wr_u8(&w, 1);
    hmac_sha256(out, key, key_len, room, w.len);
}

static void model_key(uint8_t key[static 32], const uint8_t dh[static 32], const uint8_t enc[static 32], const uint8_t to[static 32])
{
    uint8_t prk[32], shared[32], both[64], context[65] = { 0 }, secret[32];
    memcpy(both, enc, 32);
    memcpy(both + 32, to, 32);
    labeled(prk, false, NULL, 0, 0, "eae_prk", dh, 32);
    labeled(shared, false, prk, 32, 32, "shared_secret", both, 64);
    labeled(context + 1, true, NULL, 0, 0, "psk_id_hash", NULL, 0);
    labeled(context + 33, true, NULL, 0, 0, "info_hash", NULL, 0);
    labeled(secret, true, shared, 32, 0, "secret", NULL, 0);
    labeled(key, true, secret, 32, 32, "key", context, 65);
}

START_TEST(x25519_vectors)
{
    json_t *root = vectors_json("wycheproof/x25519_test.json"), *group = NULL, *test;
    size_t zero = 0, agreed = 0;
    for (size_t g = 0; test_at(root, g, 0, &group); g++)
        for (size_t i = 0; (test = test_at(root, g, i, &group)); i++) {
            static const uint8_t none[32];
            size_t n;
            BYTES point = vectors_hex(test, "public", &n);
            BYTES sk = vectors_hex(test, "private", &n);
            BYTES shared = vectors_hex(test, "shared", &n);
            uint8_t own[32], want[32];
            HPKE h;
            bool refused = memcmp(shared, none, 32) == 0;
            ASSERT_CODE(hpke_receive(&h, point, sk, "", 0), refused ? E_FORMAT : E_OK);
            zero += refused;
            if (refused) continue;
            ASSERT_OK(hpke_public(own, sk));
            model_key(want, shared, point, own);
            ck_assert_mem_eq(h.key, want, 32);
            agreed++;
        }
    json_decref(root);
    ck_assert_uint_ge(zero, 10);
    ck_assert_uint_ge(agreed, 400);
}
END_TEST

static Suite *hpke_suite(void)
{
    return CHECK_SUITE("hpke", rfc_receives, rfc_sends, altered, other_contexts, aead_vectors, x25519_vectors);
}

int main(void)
{
    static check_suite *const suites[] = { hpke_suite };
    vectors_need("wycheproof/chacha20_poly1305_test.json");
    vectors_need("wycheproof/x25519_test.json");
    return check_main(suites, 1);
}
