#include "policy/genesis.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"

static bool plain(const char *s)
{
    for (; *s; s++)
        if (*s < 0x20 || *s > 0x7e || *s == '"' || *s == '\\') return false;
    return true;
}

enum { RULES_TEXT = GENESIS_RULES * (2 * GENESIS_RULE_SET + 3) + 3 };

/* ["hex","hex"], NUL-terminated. */
static void put_rules(char out[static RULES_TEXT], const struct genesis *g)
{
    char hex[2 * GENESIS_RULE_SET + 1];
    struct wr w = wr_of(out, RULES_TEXT - 1);
    wr_text(&w, "[");
    for (size_t i = 0; i < g->rules && i < GENESIS_RULES; i++) {
        MUST(g->rule_set[i].n <= GENESIS_RULE_SET);
        hex_from(hex, g->rule_set[i].bytes, g->rule_set[i].n);
        wr_text(&w, i ? ",\"" : "\"");
        wr_text(&w, hex);
        wr_text(&w, "\"");
    }
    wr_text(&w, "]");
    MUST(!w.full);
    out[w.len] = 0;
}

err genesis_render(char out[static GENESIS_MAX], size_t *len, const struct genesis *g)
{
    if (!plain(g->name) || !plain(g->key_arn) || !plain(g->profile))
        FAIL(E_FORMAT, "a text of the genesis document is not plain");
    char hash[65], nonce[33], weight[24] = "null", point[69] = "null", check[BLOCK_CHECK_JSON] = "", rules[RULES_TEXT];
    put_rules(rules, g);
    struct wr w = wr_of(check, sizeof check - 1);
    block_check_json(&w, &g->check);
    hex_from(hash, g->blockhash, 32);
    hex_from(nonce, g->nonce, 16);
    if (g->limited) snprintf(weight, sizeof weight, "%" PRIu64, g->max_weight);
    if (g->key_point[0]) {
        char hex[67];
        hex_from(hex, g->key_point, sizeof g->key_point);
        snprintf(point, sizeof point, "\"%s\"", hex);
    }
    int n = snprintf(out, GENESIS_MAX,
        "{\"type\":\"holdfast-genesis\",\"version\":3,\"name\":\"%s\",\"key\":\"%s\",\"blockhash\":\"%s\",\"blockhash_check\":%s,"
        "\"profile\":\"%s\",\"rules\":%s,\"max_weight\":%s,\"created\":%" PRIu64 ",\"nonce\":\"%s\","
        "\"key_point\":%s,\"accepted\":%" PRIu32 "}",
        g->name, g->key_arn, hash, check, g->profile, rules, weight, g->created, nonce, point, g->accepted);
    if (n < 0 || n >= GENESIS_MAX) FAIL(E_LIMIT, "the genesis document is too long");
    *len = (size_t)n;
    return OK;
}

err genesis_id(uint8_t out[static SERVICE_ID_LEN], const struct genesis *g)
{
    char text[GENESIS_MAX];
    size_t n = 0;
    TRY(genesis_render(text, &n, g));
    sha256(out, text, n);
    return OK;
}

void genesis_read_text(struct rd *r, char *out, size_t room)
{
    size_t n = 0;
    const uint8_t *p = rd_var(r, room - 1, &n);
    memset(out, 0, room);
    if (!p) return;
    if (memchr(p, 0, n)) r->bad = true;      /* a text that ends early would have two readings */
    else memcpy(out, p, n);
}

void genesis_read_point(struct rd *r, uint8_t out[static 33])
{
    static const uint8_t unknown[33];
    rd_copy(r, out, sizeof unknown);
    if (out[0] != 2 && out[0] != 3 && memcmp(out, unknown, sizeof unknown) != 0) r->bad = true;
}

static void read_rules(struct rd *r, struct genesis *g)
{
    g->rules = rd_u8(r);
    if (g->rules == 0 || g->rules > GENESIS_RULES) r->bad = true;      /* without one it could sign nothing */
    for (size_t i = 0; rd_ok(r) && i < g->rules; i++) {
        size_t n = 0;
        const uint8_t *p = rd_var(r, GENESIS_RULE_SET, &n);
        if (p) memcpy(g->rule_set[i].bytes, p, n);
        g->rule_set[i].n = (uint8_t)n;
    }
}

void genesis_write(struct wr *w, const struct genesis *g)
{
    wr_var(w, g->name, strlen(g->name));
    wr_var(w, g->key_arn, strlen(g->key_arn));
    wr_var(w, g->profile, strlen(g->profile));
    wr_u8(w, g->rules);
    for (size_t i = 0; i < g->rules && i < GENESIS_RULES; i++) wr_var(w, g->rule_set[i].bytes, g->rule_set[i].n);
    wr_bytes(w, g->blockhash, 32);
    wr_u8(w, g->limited);
    wr_u64(w, g->limited ? g->max_weight : 0);
    wr_u64(w, g->created);
    wr_bytes(w, g->nonce, 16);
    wr_u32(w, g->accepted);
    wr_bytes(w, g->key_point, sizeof g->key_point);
    block_check_write(w, &g->check);
}

void genesis_read(struct rd *r, struct genesis *g)
{
    genesis_read_text(r, g->name, sizeof g->name);
    genesis_read_text(r, g->key_arn, sizeof g->key_arn);
    genesis_read_text(r, g->profile, sizeof g->profile);
    read_rules(r, g);
    rd_copy(r, g->blockhash, 32);
    uint8_t limited = rd_u8(r);
    g->limited = limited == 1;
    g->max_weight = rd_u64(r);
    /* One encoding for one meaning: anything else would be a second record for the same service. */
    if (limited > 1 || (!g->limited && g->max_weight)) r->bad = true;
    g->created = rd_u64(r);
    rd_copy(r, g->nonce, 16);
    g->accepted = rd_u32(r);
    genesis_read_point(r, g->key_point);
    block_check_read(r, &g->check);
}
