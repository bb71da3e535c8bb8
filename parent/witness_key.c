/* witness_key.c - see witness_key.h. */
#include "parent/witness_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"

struct witness_key { EVP_PKEY *key; uint8_t public[32]; };

static void drop_key(EVP_PKEY **k) { EVP_PKEY_free(*k); }
static void drop_file(FILE **f) { if (*f) fclose(*f); }
static void drop_run(EVP_MD_CTX **c) { EVP_MD_CTX_free(*c); }

/* Written under another name, so that what stands at `path` is always whole. */
static err write_key(EVP_PKEY *key, const char *path)
{
    char part[4096];
    if ((size_t)snprintf(part, sizeof part, "%s.new", path) >= sizeof part) FAIL(E_LIMIT, "the path is too long: %s", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) FAIL(errno == EEXIST ? E_STATE : E_IO, "making %s", part);
    FILE *f = fdopen(fd, "w");
    bool good = f && PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fflush(f) == 0 && fsync(fd) == 0;
    if (f) good = fclose(f) == 0 && good;
    else close(fd);
    /* link(), not rename(): it does not put itself over a key that came meanwhile. */
    if (good && link(part, path) == 0) {
        unlink(part);
        return OK;
    }
    const bool there = errno == EEXIST;
    unlink(part);
    ERR_clear_error();
    FAIL(good && there ? E_STATE : E_IO, "writing %s", path);
}

err witness_key_make(const char *path)
{
    if (access(path, F_OK) == 0) FAIL(E_STATE, "%s is there already", path);
    __attribute__((cleanup(drop_key))) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (!key) FAIL(E_IO, "an Ed25519 key");
    return write_key(key, path);
}

err witness_key_open(struct witness_key **out, const char *path)
{
    struct stat st;
    size_t n = 32;
    *out = NULL;
    __attribute__((cleanup(drop_file))) FILE *f = fopen(path, "re");
    if (!f) FAIL(errno == ENOENT ? E_ABSENT : E_IO, "opening %s", path);
    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) FAIL(E_IO, "%s is no file", path);
    if (st.st_mode & 077) FAIL(E_DENIED, "%s can be read by others: chmod 600 it, or make a new one", path);
    struct witness_key *k = calloc(1, sizeof *k);
    if (!k) FAIL(E_MEMORY, "a witness key");
    /* No passphrase is asked for: a service has nobody to ask. */
    k->key = PEM_read_PrivateKey(f, NULL, NULL, (void *)(uintptr_t)"");
    if (!k->key || !EVP_PKEY_is_a(k->key, "ED25519") || EVP_PKEY_get_raw_public_key(k->key, k->public, &n) != 1) {
        ERR_clear_error();
        witness_key_close(&k);
        FAIL(E_FORMAT, "%s is no Ed25519 private key", path);
    }
    *out = k;
    return OK;
}

void witness_key_close(struct witness_key **k)
{
    if (!*k) return;
    EVP_PKEY_free((*k)->key);
    free(*k);
    *k = NULL;
}

void witness_key_public(uint8_t out[static 32], const struct witness_key *k)
{
    memcpy(out, k->public, 32);
}

static err sign(void *self, uint8_t out[static 64], const void *message, size_t n)
{
    struct witness_key *k = self;
    size_t len = 64;
    __attribute__((cleanup(drop_run))) EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (!c) FAIL(E_MEMORY, "a signature");
    if (EVP_DigestSignInit(c, NULL, NULL, NULL, k->key) != 1 || EVP_DigestSign(c, out, &len, message, n) != 1 || len != 64)
        FAIL(E_IO, "an Ed25519 signature could not be made");
    return OK;
}

struct cosign_key witness_key_holder(struct witness_key *k)
{
    return (struct cosign_key){ .self = k, .sign = sign };
}
