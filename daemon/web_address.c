/* web_address.c - POST /address: where to pay, from the service's public key and a tree. No secret is near. */
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "daemon/web_read.h"
#include "daemon/web_text.h"
#include "signer/address.h"

static bool read_network(enum address_network *net, const json_t *of, struct web_problem *why)
{
    static const char *const names[] = { "mainnet", "testnet", "signet", "regtest" };
    const char *text;
    size_t n;
    if (!web_text(of, "network", &text, &n, why)) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) return !address_network_parse(net, text).code;
    return web_misfit(why, "network", "not mainnet, testnet, signet or regtest");
}

static bool read_32(uint8_t out[static 32], const json_t *of, const char *name, struct web_problem *why)
{
    const char *text;
    size_t n;
    if (!web_text(of, name, &text, &n, why)) return false;
    return web_hex(out, 32, text, n) || web_misfit(why, name, "not 64 hex digits");
}

static bool read_root(struct web_address *a, const json_t *of, struct web_problem *why)
{
    const char *text;
    size_t n;
    if (json_object_get(of, "root")) {
        if (json_object_get(of, "tree")) return web_misfit(why, "tree", "there beside root");
        return read_32(a->root, of, "root", why);
    }
    if (!web_text(of, "tree", &text, &n, why)) return false;
    err e = tree_text_root(a->root, text, n);
    if (e.code == E_MEMORY) return web_problem(why, 500, "There is no memory for this request.");
    return !e.code || web_misfit(why, "tree", "not a script in hex or {tree,tree}, or too deep");
}

static bool read_recovery(struct web_address *a, const json_t *of, struct web_problem *why)
{
    int64_t blocks;
    uint8_t key[32];
    if (!web_integer(of, "backup_csv", 1, 65535, &blocks, why) || !read_32(key, of, "backup_key", why)) return false;
    if (recovery_script(a->recovery, &a->recovery_len, (uint32_t)blocks, key).code)
        return web_misfit(why, "backup_key", "not the x of a point");
    const struct tree_leaf leaf = { .version = 0xc0, .script = { a->recovery, a->recovery_len } };
    a->has_backup = true;
    return !tree_root(a->backup, &leaf, 1).code || web_misfit(why, "backup_key", "no tree can be made of it");
}

static bool read_backup(struct web_address *a, const json_t *of, struct web_problem *why)
{
    const bool root = json_object_get(of, "backup_root"), csv = json_object_get(of, "backup_csv") || json_object_get(of, "backup_key");
    if (root && csv) return web_misfit(why, "backup_root", "there beside backup_csv");
    if (csv) return read_recovery(a, of, why);
    a->has_backup = root;
    return !root || read_32(a->backup, of, "backup_root", why);
}

bool web_read_address(struct web_address *out, struct web_problem *why, const void *body, size_t n)
{
    JSON json_t *root = NULL;
    *out = (struct web_address){ 0 };
    bool good = web_parse(&root, why, body, n) && web_object(root, "body", why)
             && read_network(&out->net, root, why) && read_root(out, root, why) && read_backup(out, root, why);
    if (!good) web_told(why);
    return good;
}

size_t web_address_body(uint8_t **out, const struct web_address *a, const uint8_t master[static 33])
{
    char address[ADDRESS_TEXT], root[65], key[65], backup[65], script[2 * RECOVERY_SCRIPT + 1];
    uint8_t output_key[32];
    BYTES room = NULL;
    *out = NULL;
    if (address_output_key(output_key, master, a->root, a->has_backup ? a->backup : NULL).code || mem_new(&room, 1024).code) return 0;
    address_p2tr(address, a->net, output_key);
    hex_from(root, a->root, 32);
    hex_from(key, output_key, 32);
    hex_from(backup, a->backup, 32);
    hex_from(script, a->recovery, a->recovery_len);
    struct wr w = wr_of(room, 1024);
    const char *const pieces[] = { "{\"address\":\"", address, "\",\"merkle_root\":\"", root, "\",\"output_key\":\"", key,
                                   "\",\"script_pubkey\":\"5120", key, "\"" };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) wr_text(&w, pieces[i]);
    if (a->has_backup) {
        wr_text(&w, ",\"backup_root\":\"");
        wr_text(&w, backup);
        wr_text(&w, "\"");
    }
    if (a->recovery_len) {
        wr_text(&w, ",\"backup_script\":\"");
        wr_text(&w, script);
        wr_text(&w, "\"");
    }
    wr_text(&w, "}");
    if (w.full) return 0;
    *out = take_bytes(&room);
    return w.len;
}
