/* Constant time as a test: Z and the keyring are marked undefined for valgrind, and any branch
 * or address in our code, libc or libcrypto that depends on them is an error.
 *
 * Run by CTest under valgrind; exit 77 without. With the argument `leak` it branches on a key on
 * purpose: that run must be reported, or this test could not fail. */
#include <stdio.h>
#include <string.h>

#include "core/crypto.h"
#include "keystore/grant.h"
#include "keystore/keyring.h"
#include "keystore/master.h"

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

static secret *hidden(const char *hex_digit)
{
    secret *s = NULL;
    MUST(!secret_new(&s, 32).code);
    memset(secret_reveal(s), hex_digit[0], 32);
    SECRET_BYTES(secret_reveal(s), 32);
    return s;
}

/* Valid, zero, and above the order: the three paths there would be if there were paths. */
static void masters(void)
{
    static const char fills[] = { 0x01, 0x00, (char)0xff };
    static const uint8_t zeros[32];
    static const struct master_binding b = { .arn = "arn", .blockhash = zeros, .epoch = 1, .policy = zeros };
    for (size_t i = 0; i < sizeof fills; i++)
        for (unsigned p = 0; p < PROFILES; p++) {
            SECRET z = hidden(&fills[i]);
            SECRET m = NULL;
            MUST(!master_from_secret(&m, (enum profile)p, z, &b).code);
        }
}

static void keyrings(void)
{
    uint8_t sealed[KEYRING_SEALED], commitment[32], hash[32] = { 1 };
    SECRET z = hidden("z");
    SECRET root = NULL;
    SECRET child = NULL;
    KEYRING k = { .epoch = 1 };
    KEYRING back = { .epoch = 0 };
    MUST(!keyring_build_root(&root, z, "arn", hash).code);
    MUST(!keyring_service_root(&k.service_root, z, hash).code);
    MUST(!master_from_secret(&k.master, PROFILE_CONFIDENTIAL_SCRIPT_2, z, NULL).code);
    MUST(!keyring_child(&child, 32, &k, "seal", 1).code);
    MUST(!keyring_commitment(commitment, &k).code);
    PUBLIC_BYTES(commitment, sizeof commitment);        /* what may be shown: a commitment, a sealed keyring */
    MUST(!keyring_seal(sealed, &k, root, "a", 1).code);
    PUBLIC_BYTES(sealed, sizeof sealed);
    MUST(!keyring_unseal(&back, root, sealed, sizeof sealed, "a", 1).code);
}

/* The build key, and the keyring on its way from one build to another. */
static void grants(void)
{
    uint8_t bytes[GRANT_MAX];
    size_t n = 0;
    SECRET root = hidden("r");
    BUILD_KEYPAIR key = { 0 };
    KEYRING k = { .epoch = 1, .master = hidden("m"), .service_root = hidden("s") };
    KEYRING back = { .epoch = 0 };
    struct grant_terms t = { .epoch = 1, .arn = "arn" };
    MUST(!build_key_derive(&key, root, k.service_id).code);
    PUBLIC_BYTES(key.point, sizeof key.point);          /* announced; and a grant is handed to the parent */
    memcpy(t.build_key, key.point, sizeof key.point);
    MUST(!grant_seal(bytes, &n, &k, &t).code);
    PUBLIC_BYTES(bytes, n);
    MUST(!grant_open(&back, bytes, n, &key, &t).code);
}

int main(int argc, char **argv)
{
    if (!UNDER_VALGRIND) {
        printf("SKIP: valgrind is missing, or this is a sanitizer build\n");
        return 77;
    }
    MUST(!crypto_warm_up().code && !secret_arena_open(1 << 16).code);
    masters();
    keyrings();
    grants();
    if (argc > 1 && strcmp(argv[1], "leak") == 0) {
        SECRET s = hidden("s");
        if (secret_peek(s)[5] & 1) printf("odd\n");
    }
    secret_arena_close();
    return 0;
}
