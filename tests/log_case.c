/* log_case.c - see log_case.h. */
#include "tests/log_case.h"

#include <check.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/check_main.h"

static EVP_PKEY *secret_of(uint8_t first)
{
    uint8_t seed[32] = { first };
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    ck_assert_ptr_nonnull(k);
    return k;
}

static err sign(void *self, uint8_t out[static 64], const void *message, size_t n)
{
    size_t len = 64;
    EVP_PKEY *k = secret_of(*(const uint8_t *)self);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    ck_assert(c && EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1 && EVP_DigestSign(c, out, &len, message, n) == 1);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(k);
    return OK;
}

struct cosign_key case_holder(const uint8_t *seed)
{
    return (struct cosign_key){ (void *)(uintptr_t)seed, sign };
}

struct note_key case_key(const char *name, uint8_t type, uint8_t seed)
{
    uint8_t public_key[32];
    size_t len = 32;
    struct note_key out;
    EVP_PKEY *k = secret_of(seed);
    ck_assert(EVP_PKEY_get_raw_public_key(k, public_key, &len) == 1);
    EVP_PKEY_free(k);
    ASSERT_OK(note_key_make(&out, name, type, public_key));
    return out;
}

static err node_of(void *self, uint8_t out[static TLOG_HASH], unsigned level, uint64_t index)
{
    uint8_t right[TLOG_HASH];
    char leaf[24];
    if (level == 0) {
        snprintf(leaf, sizeof leaf, "%" PRIu64, index);
        tlog_leaf(out, leaf, strlen(leaf));
        return OK;
    }
    TRY(node_of(self, out, level - 1, 2 * index));
    TRY(node_of(self, right, level - 1, 2 * index + 1));
    tlog_join(out, out, right);
    return OK;
}

struct tlog_store case_log(void)
{
    return (struct tlog_store){ NULL, node_of };
}

struct checkpoint case_tree(const char *origin, uint64_t size)
{
    struct checkpoint c = { .size = size };
    struct tlog t = { 0 };
    snprintf(c.origin, sizeof c.origin, "%s", origin);
    for (uint64_t i = 0; i < size; i++) {
        uint8_t leaf[TLOG_HASH];
        ASSERT_OK(node_of(NULL, leaf, 0, i));
        ASSERT_OK(tlog_append(&t, leaf));
    }
    tlog_root(c.root, &t);
    return c;
}

size_t case_note(char *out, size_t cap, const char *origin, uint64_t size, uint8_t seed)
{
    const struct note_key k = case_key(origin, NOTE_ED25519, seed);
    const struct cosign_key holder = case_holder(&seed);
    const struct checkpoint c = case_tree(origin, size);
    uint8_t body[CHECKPOINT_TEXT];
    struct wr w = wr_of(out, cap), b = wr_of(body, sizeof body);
    checkpoint_write(&b, &c);
    wr_bytes(&w, body, b.len);
    wr_text(&w, "\n");
    ASSERT_OK(cosign_write(&w, &k, &holder, 0, (const char *)body, b.len));
    return w.len;
}
