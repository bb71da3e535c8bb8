/* formats_case.c - see formats_case.h. */
#include "tests/formats_case.h"

#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "tests/support/check_main.h"

void formats_run(void *out, size_t n, uint8_t first)
{
    for (size_t i = 0; i < n; i++) ((uint8_t *)out)[i] = (uint8_t)(first + i);
}

void formats_secret(secret **out, uint8_t first)
{
    ASSERT_OK(secret_new(out, 32));
    formats_run(secret_reveal(*out), 32, first);
}

void formats_build_root(secret **out)
{
    uint8_t blockhash[32];
    SECRET z = NULL;
    formats_secret(&z, RUN_Z);
    formats_run(blockhash, 32, RUN_BLOCKHASH);
    ASSERT_OK(keyring_build_root(out, z, FORMATS_BUILD_ARN, blockhash));
}

void formats_load(struct fixture *f, const char *dir, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *in = fopen(path, "rb");
    ck_assert_msg(in != NULL, "no %s", path);
    f->n = fread(f->p, 1, sizeof f->p, in);
    fclose(in);
    ck_assert_msg(f->n > 0 && f->n < sizeof f->p, "%s has %zu bytes", path, f->n);
}

void is_hex(const uint8_t *p, size_t n, const char *hex)
{
    char got[2 * 64 + 1];
    ck_assert_uint_le(n, 64);
    hex_from(got, p, n);
    ck_assert_str_eq(got, hex);
}

/* first, first + 1, ... */
void is_run(const uint8_t *p, size_t n, uint8_t first)
{
    for (size_t i = 0; i < n; i++) ck_assert_uint_eq(p[i], (uint8_t)(first + i));
}

void is_point(const uint8_t p[static 33], uint8_t sign, uint8_t first)
{
    ck_assert_uint_eq(p[0], sign);
    is_run(p + 1, 32, first);
}

void is_text(struct bytes b, const char *text)
{
    ck_assert_uint_eq(b.n, strlen(text));
    ck_assert(memcmp(b.p, text, b.n) == 0);
}

void is_hash_of(const uint8_t hash[static 32], const struct fixture *f)
{
    uint8_t want[32];
    sha256(want, f->p, f->n);
    ck_assert_mem_eq(hash, want, 32);
}

void is_secret(const secret *s, uint8_t first)
{
    ck_assert_uint_eq(secret_len(s), 32);
    is_run(secret_peek(s), 32, first);
}
