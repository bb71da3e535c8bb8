/* cmd_address.c - `holdfast address`: where to pay, from public keys alone, offline. */
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "parent/say.h"
#include "signer/address.h"

enum { LEAF_TAPSCRIPT = 0xc0, SCRIPT_MAX = 1 << 20 };

struct wanted {
    enum address_network net;
    uint8_t master[33], root[32], backup[32];
    bool has_backup;
};

static enum exits take_hex(uint8_t *out, size_t n, const struct call *c, const char *name)
{
    const char *text = call_value(c, name);
    if (!text) return say_failure(c, EXIT_USAGE, NULL, "`holdfast address --help` shows what is needed.", "address: --%s is needed", name);
    if (hex_to(out, n, text, strlen(text)).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "address: --%s takes %zu hex digits", name, 2 * n);
    return EXIT_DONE;
}

/* A single script is a tree of one leaf. */
static enum exits root_of_script(uint8_t root[static 32], const struct call *c, const char *hex)
{
    BYTES script = NULL;
    size_t n = strlen(hex);
    if (n % 2 || n > 2 * (size_t)SCRIPT_MAX || mem_new(&script, n / 2).code || hex_to(script, n / 2, hex, n).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "address: --script takes a script in hex");
    struct tree_leaf leaf = { .depth = 0, .version = LEAF_TAPSCRIPT, .script = { script, n / 2 } };
    if (tree_root(root, &leaf, 1).code) return say_failure(c, EXIT_REFUSED, NULL, NULL, "address: no tree can be made of this script");
    return EXIT_DONE;
}

static enum exits take_all(struct wanted *w, const struct call *c)
{
    const char *net = call_value(c, "network"), *script = call_value(c, "script"), *root = call_value(c, "root");
    if (!net || address_network_parse(&w->net, net).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "address: --network is mainnet, testnet, signet or regtest");
    if (!script == !root)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "address: give either --script or --root");
    enum exits code = take_hex(w->master, sizeof w->master, c, "public-key");
    if (code == EXIT_DONE) code = script ? root_of_script(w->root, c, script) : take_hex(w->root, sizeof w->root, c, "root");
    w->has_backup = call_value(c, "backup-root") != NULL;
    if (code == EXIT_DONE && w->has_backup) code = take_hex(w->backup, sizeof w->backup, c, "backup-root");
    return code;
}

static enum exits run_address(const struct call *c)
{
    struct wanted w = { 0 };
    char address[ADDRESS_TEXT], root[65], key[65];
    uint8_t output_key[32];
    enum exits code = take_all(&w, c);
    if (code != EXIT_DONE) return code;
    const uint8_t *backup = w.has_backup ? w.backup : NULL;
    if (address_output_key(output_key, w.master, w.root, backup).code)
        return say_failure(c, EXIT_REFUSED, NULL, "`holdfast public-key` prints the right one.", "address: --public-key is not a point of secp256k1");
    address_p2tr(address, w.net, output_key);
    hex_from(root, w.root, sizeof w.root);
    hex_from(key, output_key, sizeof output_key);
    if (!c->json) {
        puts(address);
        return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
    }
    JSON out = json_pack("{s:s, s:s, s:s, s:s+}", "address", address, "merkle_root", root, "output_key", key,
                         "script_pubkey", "5120", key);
    return say_json(&out);
}

static const struct option_row options[] = {
    { "public-key", "HEX", "the service's master public key, 33 bytes (holdfast public-key)" },
    { "root", "HEX", "merkle root of the emulated script tree" },
    { "script", "HEX", "instead of --root: the only script of that tree (leaf version c0)" },
    { "backup-root", "HEX", "merkle root of a tree that can spend without the service" },
    { "network", "NAME", "mainnet, testnet, signet or regtest" },
    { NULL, NULL, NULL },
};

const struct command address_command = {
    .name = "address",
    .summary = "Compute the address for an emulated script, offline.",
    .options = options,
    .run = run_address,
    .details = "The derivation is that of profile confidential-script-2: the child key depends on the\n"
               "master public key and the emulated merkle root, the output key on it and the backup root.",
};
