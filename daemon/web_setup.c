/* web_setup.c - the document of POST /setup, turned into the keeper's message. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "daemon/web_read.h"
#include "keystore/key_finding.h"

static bool read_weight(const json_t *of, struct wire_setup *out, struct web_problem *why)
{
    const json_t *v = json_object_get(of, "max_weight");
    if (!v || json_is_null(v)) return true;
    int64_t weight = 0;
    if (!web_integer(of, "max_weight", 0, INT64_MAX, &weight, why)) return false;
    out->limited = true;
    out->max_weight = (uint64_t)weight;
    return true;
}

static bool read_key_id(const json_t *of, struct wire_setup *out, struct web_problem *why)
{
    const char *text;
    size_t n;
    if (!web_text(of, "key_id", &text, &n, why)) return false;
    if (n == 0 || n >= sizeof out->key_id) return web_misfit(why, "key_id", "empty or too long");
    for (size_t i = 0; i < n; i++)
        if (text[i] <= 0x20 || text[i] > 0x7e) return web_misfit(why, "key_id", "not printable ASCII");
    memcpy(out->key_id, text, n);
    return true;
}

static bool read_hash(const json_t *of, const char *name, uint8_t out[static 32], struct web_problem *why)
{
    const char *text;
    size_t n;
    if (!web_text(of, name, &text, &n, why)) return false;
    return web_hex(out, 32, text, n) || web_misfit(why, name, "not 64 hex digits, as block explorers show them");
}

static bool read_accepted(const json_t *of, struct wire_setup *out, struct web_problem *why)
{
    const json_t *list = json_object_get(of, "accept");
    if (!list || json_is_null(list)) return true;
    if (!json_is_array(list)) return web_misfit(why, "accept", "not an array");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *name = json_array_get(list, i);
        enum key_finding f;
        /* A name that means nothing must not be taken for one that does. */
        if (!json_is_string(name) || !key_finding_parse(&f, json_string_value(name), json_string_length(name)))
            return web_misfit(why, "accept", "holds what is no name of a finding");
        out->accepted |= 1u << f;
    }
    return true;
}

/* ---- headers: {"network": text, "anchor": {"height", "hash"} | null, "hex" | "base64": text} ---- */

static bool read_network(const json_t *of, struct wire_headers *out, struct web_problem *why)
{
    const char *text;
    size_t n;
    if (!web_text(of, "network", &text, &n, why)) return false;
    for (out->network = 0; out->network < HEADERS_NETWORKS; out->network++)
        if (strcmp(text, headers_network_text((enum headers_network)out->network)) == 0) return true;
    return web_misfit(why, "network", "not mainnet, testnet4, signet or regtest");
}

static bool read_anchor(const json_t *of, struct wire_headers *out, struct web_problem *why)
{
    const json_t *v = json_object_get(of, "anchor");
    int64_t height = 0;
    if (!v || json_is_null(v)) return true;
    if (!web_object(v, "anchor", why)) return false;
    if (!web_integer(v, "height", 0, INT32_MAX, &height, why) || !read_hash(v, "hash", out->hash, why))
        return web_misfit_under(why, "anchor");
    out->anchored = true;
    out->height = (uint32_t)height;
    return true;
}

/* The decoders log what they refuse, so what a client can get wrong is looked at first. Only
 * base64 whose last bits are not zero gets to be logged. */
static bool decode(uint8_t *room, size_t cap, size_t *n, const char *text, size_t len, bool hex)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    *n = len / 2;
    if (hex) return len / 2 <= cap && len % 2 == 0 && web_hex(room, len / 2, text, len);
    const size_t plain = strspn(text, digits), pad = len - plain;
    if (len % 4 || pad > 2 || strspn(text + plain, "=") != pad) return false;
    return !base64_to(room, cap, n, text, len).code;
}

static bool read_bytes(const json_t *of, struct wire_headers *out, uint8_t **room, struct web_problem *why)
{
    const bool hex = json_object_get(of, "hex") != NULL;
    const char *name = hex ? "hex" : "base64", *text;
    size_t len;
    if (hex && json_object_get(of, "base64")) return web_misfit(why, "base64", "there beside hex");
    if (!web_text(of, name, &text, &len, why)) return false;
    const size_t cap = hex ? len / 2 : len / 4 * 3;
    if (cap > HEADERS_MAX * HEADER_SIZE + 2) return web_problem(why, 413, "headers: more than 52428 of them.");
    if (mem_new(room, cap).code) return web_problem(why, 500, "There is no memory for this request.");
    if (!decode(*room, cap, &out->n, text, len, hex)) return web_misfit(why, name, hex ? "not hex digits" : "not base64");
    if (out->n > HEADERS_MAX * HEADER_SIZE) return web_problem(why, 413, "headers: more than 52428 of them.");
    out->bytes = *room;
    return true;
}

static bool read_headers(const json_t *of, struct wire_headers *out, uint8_t **room, struct web_problem *why)
{
    const json_t *v = json_object_get(of, "headers");
    if (!v || json_is_null(v)) return true;
    out->given = true;
    if (!web_object(v, "headers", why)) return false;
    return (read_network(v, out, why) && read_anchor(v, out, why) && read_bytes(v, out, room, why))
        || web_misfit_under(why, "headers");
}

bool web_read_setup(uint8_t **message, size_t *len, struct web_problem *why, const void *body, size_t n)
{
    JSON json_t *root = NULL;
    BYTES bytes = NULL;
    BYTES out = NULL;
    struct wire_setup setup = { 0 };
    struct wire_headers headers = { 0 };
    *message = NULL;
    bool good = web_parse(&root, why, body, n)
             && web_object(root, "body", why)
             && read_weight(root, &setup, why)
             && read_key_id(root, &setup, why)
             && read_hash(root, "blockhash", setup.blockhash, why)
             && read_accepted(root, &setup, why)
             && read_headers(root, &headers, &bytes, why);
    const size_t cap = sizeof setup + sizeof headers + 64 + headers.n;
    if (good && mem_new(&out, cap).code) good = web_problem(why, 500, "There is no memory for this request.");
    if (!good) {
        web_told(why);
        return false;
    }
    struct wr w = wr_of(out, cap);
    wire_put_setup(&w, &setup);
    wire_put_headers(&w, &headers);
    MUST(!w.full);
    *len = w.len;
    *message = take_bytes(&out);
    return true;
}
