/* hash.c - hashes over libcrypto's block functions.
 *
 * The plain SHA calls are used instead of EVP: their state lies on our stack,
 * they allocate nothing, look nothing up and cannot fail, and a script may make
 * us hash four million times. OpenSSL marks them as old; the code behind them
 * is the same assembly. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "core/hash.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ripemd.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void sha256_of(uint8_t out[static 32], const struct bytes *pieces, size_t count)
{
    SHA256_CTX c;
    MUST(SHA256_Init(&c));
    for (size_t i = 0; i < count; i++)
        if (pieces[i].n > 0)
            MUST(SHA256_Update(&c, pieces[i].p, pieces[i].n));
    MUST(SHA256_Final(out, &c));
}

void sha256(uint8_t out[static 32], const void *p, size_t n)
{
    sha256_of(out, &(struct bytes){ p, n }, 1);
}

void sha256d(uint8_t out[static 32], const void *p, size_t n)
{
    uint8_t once[32];
    sha256(once, p, n);
    sha256(out, once, sizeof once);
}

void sha384(uint8_t out[static 48], const void *p, size_t n)
{
    SHA512_CTX c;
    MUST(SHA384_Init(&c));
    if (n > 0)
        MUST(SHA384_Update(&c, p, n));
    MUST(SHA384_Final(out, &c));
}

void sha512(uint8_t out[static 64], const void *p, size_t n)
{
    SHA512_CTX c;
    MUST(SHA512_Init(&c));
    if (n > 0)
        MUST(SHA512_Update(&c, p, n));
    MUST(SHA512_Final(out, &c));
}

void sha1(uint8_t out[static 20], const void *p, size_t n)
{
    SHA_CTX c;
    MUST(SHA1_Init(&c));
    if (n > 0)
        MUST(SHA1_Update(&c, p, n));
    MUST(SHA1_Final(out, &c));
}

void ripemd160(uint8_t out[static 20], const void *p, size_t n)
{
    RIPEMD160_CTX c;
    MUST(RIPEMD160_Init(&c));
    if (n > 0)
        MUST(RIPEMD160_Update(&c, p, n));
    MUST(RIPEMD160_Final(out, &c));
}

void tagged_hash(uint8_t out[static 32], const char *tag, const struct bytes *pieces, size_t count)
{
    uint8_t head[64];
    sha256(head, tag, strlen(tag));
    memcpy(head + 32, head, 32);
    SHA256_CTX c;
    MUST(SHA256_Init(&c));
    MUST(SHA256_Update(&c, head, sizeof head));
    for (size_t i = 0; i < count; i++)
        if (pieces[i].n > 0)
            MUST(SHA256_Update(&c, pieces[i].p, pieces[i].n));
    MUST(SHA256_Final(out, &c));
}

/* HMAC (RFC 2104): the key, hashed when longer than a block, padded and masked. */
static void hmac_pad(uint8_t *block, size_t size, uint8_t mask)
{
    for (size_t i = 0; i < size; i++)
        block[i] ^= mask;
}

void hmac_sha256(uint8_t out[static 32], const void *key, size_t key_len, const void *p, size_t n)
{
    uint8_t block[64] = { 0 }, inner[32];
    if (key_len > sizeof block)
        sha256(block, key, key_len);
    else if (key_len > 0)
        memcpy(block, key, key_len);
    hmac_pad(block, sizeof block, 0x36);
    sha256_of(inner, (struct bytes[]){ { block, sizeof block }, { p, n } }, 2);
    hmac_pad(block, sizeof block, 0x36 ^ 0x5c);
    sha256_of(out, (struct bytes[]){ { block, sizeof block }, { inner, sizeof inner } }, 2);
}

static void sha512_two(uint8_t out[static 64], const uint8_t block[static 128], const void *p, size_t n)
{
    SHA512_CTX c;
    MUST(SHA512_Init(&c));
    MUST(SHA512_Update(&c, block, 128));
    if (n > 0)
        MUST(SHA512_Update(&c, p, n));
    MUST(SHA512_Final(out, &c));
}

void hmac_sha512(uint8_t out[static 64], const void *key, size_t key_len, const void *p, size_t n)
{
    uint8_t block[128] = { 0 }, inner[64];
    if (key_len > sizeof block)
        sha512(block, key, key_len);
    else if (key_len > 0)
        memcpy(block, key, key_len);
    hmac_pad(block, sizeof block, 0x36);
    sha512_two(inner, block, p, n);
    hmac_pad(block, sizeof block, 0x36 ^ 0x5c);
    sha512_two(out, block, inner, sizeof inner);
}

struct sha256_run {
    SHA256_CTX c;
};

err sha256_begin(struct sha256_run **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        FAIL(E_MEMORY, "no memory for a running hash");
    MUST(SHA256_Init(&(*out)->c));
    return OK;
}

void sha256_add(struct sha256_run *r, const void *p, size_t n)
{
    if (n > 0)
        MUST(SHA256_Update(&r->c, p, n));
}

void sha256_end(struct sha256_run **r, uint8_t out[static 32])
{
    MUST(SHA256_Final(out, &(*r)->c));
    sha256_drop(r);
}

void sha256_drop(struct sha256_run **r)
{
    free(*r);
    *r = NULL;
}

struct sha384_run {
    SHA512_CTX c;
};

err sha384_begin(struct sha384_run **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        FAIL(E_MEMORY, "no memory for a running hash");
    MUST(SHA384_Init(&(*out)->c));
    return OK;
}

void sha384_add(struct sha384_run *r, const void *p, size_t n)
{
    if (n > 0)
        MUST(SHA384_Update(&r->c, p, n));
}

void sha384_end(struct sha384_run **r, uint8_t out[static 48])
{
    MUST(SHA384_Final(out, &(*r)->c));
    sha384_drop(r);
}

void sha384_drop(struct sha384_run **r)
{
    free(*r);
    *r = NULL;
}

err random_bytes(void *out, size_t n)
{
    uint8_t *to = out;
    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            FAIL(E_IO, "no random bytes from the system");
        to += got;
        n -= (size_t)got;
    }
    return OK;
}

int bytes_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
