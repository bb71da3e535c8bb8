/* keyring_run - derive what standard input asks for, a line each:
 *     PROFILE Z ARN BLOCKHASH EPOCH POLICY
 * and answer with the NUMS point's counter and x, the master, and the build root, in hex. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/mem.h"
#include "keystore/keyring.h"
#include "keystore/master.h"
#include "keystore/nums.h"

static void must(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "keyring_run: %s\n", what);
    exit(1);
}

static void bytes32(uint8_t out[static 32], const char *hex)
{
    must(hex && !hex_to(out, 32, hex, strlen(hex)).code, "32 bytes in hex");
}

static void derive_line(char *line)
{
    const char *name = strtok(line, " \n"), *z_hex = strtok(NULL, " \n"), *arn = strtok(NULL, " \n"), *hash_hex = strtok(NULL, " \n"),
               *epoch = strtok(NULL, " \n"), *policy_hex = strtok(NULL, " \n");
    enum profile profile = PROFILES;
    uint8_t z_bytes[32], hash[32], policy[32], spki[NUMS_SPKI];
    char master_hex[65], root_hex[65], x_hex[65];
    uint32_t counter = 0;
    SECRET z = NULL;
    SECRET master = NULL;
    SECRET root = NULL;
    must(name && arn && epoch && !profile_from_text(&profile, name).code, "six words");
    bytes32(z_bytes, z_hex);
    bytes32(hash, hash_hex);
    bytes32(policy, policy_hex);
    const struct master_binding b = { .arn = arn, .blockhash = hash, .epoch = (uint32_t)strtoul(epoch, NULL, 10), .policy = policy };
    must(!secret_new(&z, 32).code, "arena");
    memcpy(secret_reveal(z), z_bytes, 32);
    must(!nums_point(spki, &counter, hash, profile).code, "point");
    must(!master_from_secret(&master, profile, z, &b).code, "master");
    must(!keyring_build_root(&root, z, arn, hash).code, "build root");
    hex_from(x_hex, spki + NUMS_SPKI - 64, 32);
    hex_from(master_hex, secret_peek(master), 32);
    hex_from(root_hex, secret_peek(root), 32);
    printf("%u %s %s %s\n", counter, x_hex, master_hex, root_hex);
}

int main(void)
{
    TEXT line = NULL;
    size_t cap = 0;
    log_open("keyring_run", LOG_WARN);
    must(!crypto_warm_up().code && !secret_arena_open(1 << 16).code, "arena");
    while (getline(&line, &cap, stdin) > 0) derive_line(line);
    secret_arena_close();
    return 0;
}
