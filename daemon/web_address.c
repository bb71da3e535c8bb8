/* web_address.c - POST /address: where to pay, from the service's public key and a tree. No secret is near. */
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "daemon/web_read.h"
#include "daemon/web_text.h"
#include "signer/address.h"
#include "signer/taproot.h"

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

/* Which rule set, and under holdfast-1 which internal key: what the address depends on besides the tree. */
static bool read_terms(struct web_address *a, const json_t *of, const struct rule_list *rules, struct web_problem *why)
{
    const json_t *named = json_object_get(of, "rules");
    const char *name = "";
    size_t n = 0;
    if (named && !json_is_null(named) && !web_text(of, "rules", &name, &n, why)) return false;
    const struct rule_set *s = json_is_string(named) && n == 0 ? NULL : rules_find(rules, name, n);
    if (!s) return web_misfit(why, "rules", "not a rule set that this service signs under");
    memcpy(a->rules, s->name, sizeof a->rules);
    rules_id(a->rules_id, s);
    if (a->kind == CHILD_OF_OUTPUT) return read_32(a->internal, of, "internal_key", why);
    return !json_object_get(of, "internal_key") || web_misfit(why, "internal_key", "there, but no address of this service's profile depends on it");
}

bool web_read_address(struct web_address *out, struct web_problem *why, const void *body, size_t n, enum child_kind kind,
                      const struct rule_list *rules)
{
    JSON json_t *root = NULL;
    *out = (struct web_address){ .kind = kind };
    bool good = web_parse(&root, why, body, n) && web_object(root, "body", why)
             && read_network(&out->net, root, why) && read_root(out, root, why) && read_backup(out, root, why) && read_terms(out, root, rules, why);
    if (good && kind == CHILD_OF_OUTPUT && taproot_output_key(out->emulated_key, NULL, out->internal, out->root).code)
        good = web_misfit(why, "internal_key", "not the x of a point");
    if (!good) web_told(why);
    return good;
}

static void put_member(struct wr *w, const char *name, const char *text)
{
    wr_text(w, w->len > 1 ? ",\"" : "\"");
    wr_text(w, name);
    wr_text(w, "\":\"");
    wr_text(w, text);
    wr_text(w, "\"");
}

static void put_hex(struct wr *w, const char *name, const uint8_t *p, size_t n)
{
    char hex[2 * RECOVERY_SCRIPT + 1];
    MUST(n <= RECOVERY_SCRIPT);
    hex_from(hex, p, n);
    put_member(w, name, hex);
}

size_t web_address_body(uint8_t **out, const struct web_address *a, const uint8_t master[static 33])
{
    char address[ADDRESS_TEXT];
    uint8_t key[32], script[34];
    BYTES room = NULL;
    const uint8_t *backup = a->has_backup ? a->backup : NULL;
    *out = NULL;
    err e = a->kind == CHILD_OF_OUTPUT ? address_output_key_bound(key, master, a->rules_id, a->emulated_key, backup)
                                       : address_output_key(key, master, a->root, backup);
    if (e.code || mem_new(&room, 1024).code) return 0;
    address_p2tr(address, a->net, key);
    taproot_script(script, key);
    struct wr w = wr_of(room, 1024);
    wr_text(&w, "{");
    put_member(&w, "address", address);
    put_hex(&w, "merkle_root", a->root, 32);
    put_hex(&w, "output_key", key, 32);
    put_hex(&w, "script_pubkey", script, sizeof script);
    if (a->has_backup) put_hex(&w, "backup_root", a->backup, 32);
    if (a->recovery_len) put_hex(&w, "backup_script", a->recovery, a->recovery_len);
    put_member(&w, "rules", a->rules);
    if (a->kind == CHILD_OF_OUTPUT) {
        put_hex(&w, "rules_id", a->rules_id, 32);
        put_hex(&w, "emulated_key", a->emulated_key, 32);
    }
    wr_text(&w, "}");
    if (w.full) return 0;
    *out = take_bytes(&room);
    return w.len;
}
