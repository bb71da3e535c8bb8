/* Signatures of logs and witnesses: the published note, and messages spelt out here and signed by libcrypto. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "policy/cosign.h"
#include "support/check_main.h"

#define BODY "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

/* RFC 8032, 7.1, TEST 1. */
static const uint8_t seed[32] = {
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
};

/* Signs only the message that it expects. */
struct holder { const char *want; int flip; };

static err sign(void *self, uint8_t out[static 64], const void *message, size_t n)
{
    const struct holder *h = self;
    size_t len = 64;
    ck_assert_uint_eq(n, strlen(h->want));
    ck_assert_mem_eq(message, h->want, n);
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    ck_assert(k && c && EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1 && EVP_DigestSign(c, out, &len, message, n) == 1);
    out[0] = (uint8_t)(out[0] ^ h->flip);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(k);
    return OK;
}

static struct note_key key_of(const char *name, uint8_t type)
{
    uint8_t public_key[32];
    size_t len = 32;
    struct note_key out;
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    ck_assert(k && EVP_PKEY_get_raw_public_key(k, public_key, &len) == 1);
    EVP_PKEY_free(k);
    ASSERT_OK(note_key_make(&out, name, type, public_key));
    return out;
}

START_TEST(the_published_note_verifies)
{
    static const char vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    char text[] = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
                  "\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    struct note_key k;
    struct note n;
    uint64_t time = 1;
    ASSERT_OK(note_key_parse(&k, vkey, sizeof vkey - 1));
    ASSERT_OK(note_parse(&n, text, sizeof text - 1));
    ASSERT_OK(cosign_check(&time, &n, &k));
    ck_assert_uint_eq(time, 0);
    text[0] = 'i';
    ASSERT_CODE(cosign_check(&time, &n, &k), E_AUTH);
    text[0] = 'I';
    k.key[0] ^= 1;
    ASSERT_CODE(cosign_check(&time, &n, &k), E_AUTH);
    k.id ^= 1;
    ASSERT_CODE(cosign_check(&time, &n, &k), E_ABSENT);
}
END_TEST

START_TEST(a_cosignature_is_made_and_checked)
{
    struct holder h = { "cosignature/v1\ntime 1679315147\n" BODY, 0 };
    const struct cosign_key holder = { &h, sign };
    const struct note_key k = key_of("witness.example.com/w1", NOTE_COSIGNATURE), other = key_of("witness.example.com/w2", NOTE_COSIGNATURE);
    const struct note_key log = key_of("witness.example.com/w1", NOTE_ED25519);
    char text[1024];
    struct note n;
    uint64_t time = 0;
    struct wr w = wr_of(text, sizeof text);
    wr_text(&w, BODY "\n");
    ASSERT_OK(cosign_write(&w, &k, &holder, 1679315147, BODY, sizeof BODY - 1));
    ASSERT_OK(note_parse(&n, text, w.len));
    ASSERT_OK(cosign_check(&time, &n, &k));
    ck_assert_uint_eq(time, 1679315147);
    ASSERT_CODE(cosign_check(&time, &n, &other), E_ABSENT);
    ASSERT_CODE(cosign_check(&time, &n, &log), E_ABSENT);      /* one key, two types: two ids */
    for (size_t i = 0; i < n.signatures[0].n; i++) {           /* the time is signed too */
        n.signatures[0].bytes[i] ^= 1;
        ASSERT_CODE(cosign_check(&time, &n, &k), E_AUTH);
        n.signatures[0].bytes[i] ^= 1;
    }
    n.signatures[0].bytes[0] = 0x80;
    ASSERT_CODE(cosign_check(&time, &n, &k), E_AUTH);
    n.signatures[0].bytes[0] = 0;
    n.signatures[0].n = 64;
    ASSERT_CODE(cosign_check(&time, &n, &k), E_AUTH);
    ASSERT_CODE(cosign_write(&w, &k, &holder, (uint64_t)INT64_MAX + 1, BODY, sizeof BODY - 1), E_LIMIT);
}
END_TEST

START_TEST(one_bad_line_of_a_known_key_spoils_the_note)
{
    struct holder h = { BODY, 0 };
    const struct cosign_key holder = { &h, sign };
    const struct note_key log = key_of("example.com/behind-the-sofa", NOTE_ED25519);
    char text[1024];
    struct note n;
    uint64_t time = 0;
    struct wr w = wr_of(text, sizeof text);
    wr_text(&w, BODY "\n");
    for (int i = 0; i < 2; i++) ASSERT_OK(cosign_write(&w, &log, &holder, 0, BODY, sizeof BODY - 1));
    ASSERT_OK(note_parse(&n, text, w.len));
    ASSERT_OK(cosign_check(&time, &n, &log));
    n.signatures[1].bytes[5] ^= 1;
    ASSERT_CODE(cosign_check(&time, &n, &log), E_AUTH);
}
END_TEST

START_TEST(a_faulty_signature_is_not_given_out)
{
    struct holder h = { "cosignature/v1\ntime 0\n" BODY, 1 };
    const struct cosign_key holder = { &h, sign };
    const struct note_key k = key_of("w", NOTE_COSIGNATURE);
    char text[512];
    struct wr w = wr_of(text, sizeof text), small = wr_of(text, 50);
    ASSERT_CODE(cosign_write(&w, &k, &holder, 0, BODY, sizeof BODY - 1), E_AUTH);
    ck_assert_uint_eq(w.len, 0);
    h.flip = 0;
    ASSERT_CODE(cosign_write(&small, &k, &holder, 0, BODY, sizeof BODY - 1), E_LIMIT);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("policy cosign", the_published_note_verifies, a_cosignature_is_made_and_checked,
                       one_bad_line_of_a_known_key_spoils_the_note, a_faulty_signature_is_not_given_out);
}

CHECK_MAIN(suite)
