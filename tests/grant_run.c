/* grant_run - make and open grants as standard input asks, a line each:
 *     seal ROOT SERVICE EPOCH RELEASE PCR0 PCR1 PCR2 BLOCKHASH RECORD NUMBER SIZE LOGROOT ARN MASTER SERVICEROOT
 *         answers with the grant and its name
 *     open ROOT SERVICE GRANT
 *         answers with master and service root, or with the error's words */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/crypto.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "keystore/grant.h"

static void must(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "grant_run: %s\n", what);
    exit(1);
}

static void next_bytes(void *out, size_t n)
{
    const char *word = strtok(NULL, " \n");
    must(word && !hex_to(out, n, word, strlen(word)).code, "bytes in hex");
}

static unsigned long long next_number(void)
{
    const char *word = strtok(NULL, " \n");
    must(word != NULL, "a number");
    return strtoull(word, NULL, 10);
}

static void next_secret(secret **out)
{
    must(!secret_new(out, 32).code, "arena");
    next_bytes(secret_reveal(*out), 32);
}

static void next_key(struct build_key *key, uint8_t service[static 32])
{
    SECRET root = NULL;
    next_secret(&root);
    next_bytes(service, 32);
    must(!build_key_derive(key, root, service).code, "build key");
}

static void seal_line(void)
{
    KEYRING ring = { 0 };
    BUILD_KEYPAIR key = { 0 };
    struct grant_terms t = { 0 };
    uint8_t grant[GRANT_MAX], digest[32];
    char hex[2 * GRANT_MAX + 1], name[GRANT_NAME];
    size_t n = 0;
    next_key(&key, t.service_id);
    memcpy(ring.service_id, t.service_id, 32);
    memcpy(t.build_key, key.point, BUILD_KEY);
    ring.epoch = t.epoch = (uint32_t)next_number();
    next_bytes(t.release, 32);
    for (size_t i = 0; i < GRANT_PCRS; i++) next_bytes(t.pcr[i], GRANT_PCR);
    next_bytes(t.blockhash, 32);
    next_bytes(t.record, 32);
    t.log_number = (uint32_t)next_number();
    t.log_size = next_number();
    next_bytes(t.log_root, 32);
    const char *arn = strtok(NULL, " \n");
    must(arn && strlen(arn) < GRANT_ARN, "an ARN");
    memcpy(t.arn, arn, strlen(arn) + 1);
    next_secret(&ring.master);
    next_secret(&ring.service_root);
    must(!grant_seal(grant, &n, &ring, &t).code, "grant");
    hex_from(hex, grant, n);
    sha256(digest, grant, n);
    grant_name(name, t.build_key, digest);
    printf("%s %s\n", hex, name);
}

static void open_line(void)
{
    KEYRING ring = { 0 };
    BUILD_KEYPAIR key = { 0 };
    struct grant_terms want;
    uint8_t service[32], grant[GRANT_MAX];
    char master[65], root[65];
    next_key(&key, service);
    const char *word = strtok(NULL, " \n");
    must(word && strlen(word) <= 2 * GRANT_MAX && !hex_to(grant, strlen(word) / 2, word, strlen(word)).code, "a grant in hex");
    const size_t n = strlen(word) / 2;
    err e = grant_read(&want, grant, n);
    if (!e.code) e = grant_open(&ring, grant, n, &key, &want);
    if (e.code) {
        printf("%s\n", err_text(e.code));
        return;
    }
    hex_from(master, secret_peek(ring.master), 32);
    hex_from(root, secret_peek(ring.service_root), 32);
    printf("%s %s\n", master, root);
}

int main(void)
{
    TEXT line = NULL;
    size_t cap = 0;
    log_open("grant_run", LOG_ERROR + 1);
    must(!crypto_warm_up().code && !secret_arena_open(1 << 16).code, "arena");
    while (getline(&line, &cap, stdin) > 0) {
        const char *what = strtok(line, " \n");
        must(what != NULL, "a word");
        if (strcmp(what, "seal") == 0) seal_line();
        else open_line();
    }
    secret_arena_close();
    return 0;
}
