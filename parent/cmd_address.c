/* cmd_address.c - `holdfast address`: where to pay, from public keys alone, offline. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/mem.h"
#include "parent/file.h"
#include "parent/say.h"
#include "signer/address.h"
#include "signer/child.h"
#include "signer/rules.h"
#include "signer/taproot.h"

enum { LEAF_TAPSCRIPT = 0xc0, SCRIPT_MAX = 1 << 20 };

struct wanted {
    enum address_network net;
    uint8_t master[33], root[32], backup[32], recovery[RECOVERY_SCRIPT];
    size_t  recovery_len;
    bool has_backup;
    enum child_kind kind;
    struct rule_set rules;
    uint8_t internal[32], rules_id[32], emulated_key[32], output_key[32];    /* the first three: CHILD_OF_OUTPUT */
};

static enum exits take_hex(uint8_t *out, size_t n, const struct call *c, const char *name)
{
    const char *text = call_value(c, name);
    if (!text) return say_failure(c, EXIT_USAGE, NULL, "`holdfast address --help` shows what is needed.", "address: --%s is needed", name);
    if (hex_to(out, n, text, strlen(text)).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "address: --%s takes %zu hex digits", name, 2 * n);
    return EXIT_DONE;
}

/* BIP386's expression, on the command line or in a file; a single script is a tree of one leaf. */
static enum exits root_of_text(uint8_t root[static 32], const struct call *c, const char *text, const char *name)
{
    err e = tree_text_root(root, text, strlen(text));
    if (!e.code) return EXIT_DONE;
    return say_failure(c, EXIT_USAGE, NULL, "A leaf is a script in hex, a branch {tree,tree}.", "address: --%s is no tree of scripts", name);
}

static enum exits root_of_tree(uint8_t root[static 32], const struct call *c, const char *tree)
{
    BYTES text = NULL;
    size_t n = 0;
    if (access(tree, F_OK) != 0) return root_of_text(root, c, tree, "tree");
    if (file_read(&text, &n, tree, 2 * SCRIPT_MAX).code || memchr(text, 0, n)) return say_failure(c, EXIT_USAGE, NULL, NULL, "address: %s cannot be read", tree);
    while (n && strchr(" \r\n", text[n - 1])) n--;
    text[n] = 0;
    return root_of_text(root, c, (const char *)text, "tree");
}

static enum exits take_recovery(struct wanted *w, const struct call *c)
{
    unsigned long long blocks;
    uint8_t key[32];
    if (call_value(c, "backup-root")) return say_failure(c, EXIT_USAGE, NULL, NULL, "address: give either --backup-root or --backup-csv");
    if (!call_value(c, "backup-csv")) return say_failure(c, EXIT_USAGE, NULL, NULL, "address: --backup-key goes with --backup-csv");
    if (!call_number(&blocks, c, "backup-csv", 0, 1, 65535)) return EXIT_USAGE;
    enum exits code = take_hex(key, sizeof key, c, "backup-key");
    if (code != EXIT_DONE) return code;
    if (recovery_script(w->recovery, &w->recovery_len, (uint32_t)blocks, key).code)
        return say_failure(c, EXIT_REFUSED, NULL, NULL, "address: --backup-key is not the x of a point of secp256k1");
    struct tree_leaf leaf = { .version = LEAF_TAPSCRIPT, .script = { w->recovery, w->recovery_len } };
    w->has_backup = true;
    return tree_root(w->backup, &leaf, 1).code ? EXIT_REFUSED : EXIT_DONE;
}

/* --internal-key alone says that the service is one whose addresses depend on it. */
static enum exits take_terms(struct wanted *w, const struct call *c)
{
    const char *profile = call_value(c, "profile"), *rules = call_value(c, "rules");
    const bool internal = call_value(c, "internal-key");
    if (!profile) profile = internal ? "holdfast-1" : "confidential-script-2";
    if (!rules) rules = "tapscript";
    if (!child_kind_of(&w->kind, profile))
        return say_failure(c, EXIT_USAGE, NULL, NULL, "address: --profile is reproducible-key, confidential-script-1, confidential-script-2 or holdfast-1");
    if (rules_parse(&w->rules, rules, strlen(rules)).code)
        return say_failure(c, EXIT_USAGE, NULL, "`holdfast status` lists the service's rule sets.", "address: --rules: there is no rule set `%.60s`", rules);
    rules_id(w->rules_id, &w->rules);
    if (w->kind == CHILD_OF_OUTPUT) return take_hex(w->internal, sizeof w->internal, c, "internal-key");
    if (internal) return say_failure(c, EXIT_USAGE, NULL, NULL, "address: with profile %s no address depends on --internal-key", profile);
    if (call_value(c, "rules") && !call_value(c, "profile"))
        return say_failure(c, EXIT_USAGE, NULL, "With profile holdfast-1 give --internal-key; with another, name it: --profile.",
                           "address: --rules alone does not say which derivation the service has");
    return EXIT_DONE;
}

static enum exits take_all(struct wanted *w, const struct call *c)
{
    const char *net = call_value(c, "network"), *script = call_value(c, "script"), *root = call_value(c, "root"), *tree = call_value(c, "tree");
    if (!net || address_network_parse(&w->net, net).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "address: --network is mainnet, testnet, signet or regtest");
    if (!!script + !!root + !!tree != 1)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "address: give one of --tree, --script and --root");
    enum exits code = take_hex(w->master, sizeof w->master, c, "public-key");
    if (code == EXIT_DONE) code = tree ? root_of_tree(w->root, c, tree) : script ? root_of_text(w->root, c, script, "script") : take_hex(w->root, sizeof w->root, c, "root");
    if (code == EXIT_DONE && (call_value(c, "backup-csv") || call_value(c, "backup-key"))) return take_recovery(w, c);
    w->has_backup = call_value(c, "backup-root") != NULL;
    if (code == EXIT_DONE && w->has_backup) code = take_hex(w->backup, sizeof w->backup, c, "backup-root");
    return code;
}

static json_t *hex_json(const uint8_t *p, size_t n)
{
    char text[2 * RECOVERY_SCRIPT + 1];
    hex_from(text, p, n);
    return json_string(text);
}

static enum exits find_key(struct wanted *w, const struct call *c)
{
    const uint8_t *backup = w->has_backup ? w->backup : NULL;
    if (w->kind == CHILD_OF_OUTPUT && taproot_output_key(w->emulated_key, NULL, w->internal, w->root).code)
        return say_failure(c, EXIT_REFUSED, NULL, NULL, "address: --internal-key is not the x of a point of secp256k1");
    err e = w->kind == CHILD_OF_OUTPUT ? address_output_key_bound(w->output_key, w->master, w->rules_id, w->emulated_key, backup)
                                       : address_output_key(w->output_key, w->master, w->root, backup);
    if (e.code) return say_failure(c, EXIT_REFUSED, NULL, "`holdfast public-key` prints the right one.", "address: --public-key is not a point of secp256k1");
    return EXIT_DONE;
}

static enum exits run_address(const struct call *c)
{
    struct wanted w = { 0 };
    char address[ADDRESS_TEXT], root[65], key[65];
    enum exits code = take_all(&w, c);
    if (code == EXIT_DONE) code = take_terms(&w, c);
    if (code == EXIT_DONE) code = find_key(&w, c);
    if (code != EXIT_DONE) return code;
    address_p2tr(address, w.net, w.output_key);
    hex_from(root, w.root, sizeof w.root);
    hex_from(key, w.output_key, sizeof w.output_key);
    if (!c->json) {
        puts(address);
        return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
    }
    JSON out = json_pack("{s:s, s:s, s:s, s:s+}", "address", address, "merkle_root", root, "output_key", key,
                         "script_pubkey", "5120", key);
    if (w.has_backup) json_object_set_new(out, "backup_root", hex_json(w.backup, 32));
    if (w.recovery_len) json_object_set_new(out, "backup_script", hex_json(w.recovery, w.recovery_len));
    json_object_set_new(out, "rules", json_string(w.rules.name));
    if (w.kind == CHILD_OF_OUTPUT) {
        json_object_set_new(out, "rules_id", hex_json(w.rules_id, 32));
        json_object_set_new(out, "emulated_key", hex_json(w.emulated_key, 32));
    }
    return say_json(&out);
}

static const struct option_row options[] = {
    { "public-key", "HEX", "the service's master public key, 33 bytes (holdfast public-key)" },
    { "root", "HEX", "merkle root of the emulated script tree" },
    { "tree", "FILE|TEXT", "instead of --root: the tree, {HEX,{HEX,HEX}}, each a script (leaf version c0)" },
    { "script", "HEX", "instead of --root: the only script of that tree" },
    { "internal-key", "HEX", "profile holdfast-1: the emulated tree's internal key (x-only)" },
    { "rules", "NAME", "the rule set: one of the service's, or NAME=OPCODE+OPCODE as it composed it (default: tapscript)" },
    { "profile", "NAME", "the service's derivation profile (default: holdfast-1 with --internal-key, else confidential-script-2)" },
    { "backup-root", "HEX", "merkle root of a tree that can spend without the service" },
    { "backup-csv", "BLOCKS", "instead of --backup-root: after so many blocks ..." },
    { "backup-key", "HEX", "... this key (x-only) can spend without the service" },
    { "network", "NAME", "mainnet, testnet, signet or regtest" },
    { NULL, NULL, NULL },
};

const struct command address_command = {
    .name = "address",
    .summary = "Compute the address for an emulated script, offline.",
    .options = options,
    .run = run_address,
    .details = "With profile holdfast-1 the child key depends on the master public key, the rule set and the\n"
               "emulated output key (internal key and merkle root); with the earlier profiles on the master\n"
               "public key and the emulated merkle root. The output key depends on it and the backup root.",
};
