#include "policy/statement.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"

static const char magic[4] = "HFS1";

static bool plain(const char *s)
{
    for (; *s; s++)
        if (*s < 0x20 || *s > 0x7e || *s == '"' || *s == '\\') return false;
    return true;
}

static void put_number(struct wr *w, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    wr_text(w, text);
}

static void put_text(struct wr *w, const char *name, const char *text)
{
    wr_text(w, name);
    wr_text(w, "\"");
    wr_text(w, text);
    wr_text(w, "\"");
}

static void put_hex(struct wr *w, const char *name, const uint8_t *p, size_t n)
{
    char hex[2 * 33 + 1];
    hex_from(hex, p, n);
    put_text(w, name, hex);
}

static void put_service(struct wr *w, const struct statement *s)
{
    if (!s->has_service) {
        wr_text(w, ",\"service_id\":null,\"public_key\":null,\"epoch\":null,\"settings\":null");
        return;
    }
    put_hex(w, ",\"service_id\":", s->service_id, sizeof s->service_id);
    put_hex(w, ",\"public_key\":", s->public_key, sizeof s->public_key);
    wr_text(w, ",\"epoch\":");
    put_number(w, s->epoch);
    put_text(w, ",\"settings\":{\"key_id\":", s->key_id);
    put_hex(w, ",\"blockhash\":", s->blockhash, sizeof s->blockhash);
    wr_text(w, ",\"blockhash_check\":");
    block_check_json(w, &s->check);
    wr_text(w, ",\"max_weight\":");
    if (s->limited) put_number(w, s->max_weight);
    else wr_text(w, "null");
    wr_text(w, ",\"accepted\":");
    put_number(w, s->accepted);
    wr_text(w, "}");
}

static void put_history(struct wr *w, const struct statement *s)
{
    if (s->has_policy) put_hex(w, ",\"policy\":", s->policy, sizeof s->policy);
    else wr_text(w, ",\"policy\":null");
    if (!s->has_log) {
        wr_text(w, ",\"log\":null}");
        return;
    }
    wr_text(w, ",\"log\":{\"size\":");
    put_number(w, s->log_size);
    put_hex(w, ",\"root\":", s->log_root, sizeof s->log_root);
    put_hex(w, ",\"key\":", s->log_key, sizeof s->log_key);
    wr_text(w, "}}");
}

err statement_render(char out[static STATEMENT_MAX], size_t *len, const struct statement *s)
{
    if (!plain(s->build) || !plain(s->name) || !plain(s->profile) || (s->has_service && !plain(s->key_id)))
        FAIL(E_FORMAT, "a text of the state statement is not plain");
    struct wr w = wr_of(out, STATEMENT_MAX);
    put_text(&w, "{\"type\":\"holdfast-statement\",\"version\":2,\"build\":", s->build);
    wr_text(&w, s->simulated ? ",\"simulated\":true" : ",\"simulated\":false");
    put_text(&w, ",\"name\":", s->name);
    put_text(&w, ",\"profile\":", s->profile);
    wr_text(&w, ",\"rules\":");
    wr_text(&w, s->rules);
    put_service(&w, s);
    put_history(&w, s);
    TRY(wr_end(&w, "state statement"));
    *len = w.len;
    return OK;
}

void statement_user_data(uint8_t out[static STATEMENT_USER_DATA], const void *text, size_t n)
{
    uint8_t digest[32];
    struct wr w = wr_of(out, STATEMENT_USER_DATA);
    sha256(digest, text, n);
    wr_bytes(&w, magic, sizeof magic);
    wr_u32(&w, (uint32_t)n);
    wr_bytes(&w, digest, sizeof digest);
}

err statement_check(const void *user_data, size_t user_data_len, const void *text, size_t n)
{
    uint8_t want[STATEMENT_USER_DATA];
    if (user_data_len != sizeof want || memcmp(user_data, magic, sizeof magic) != 0)
        FAIL(E_FORMAT, "user_data commits to no state statement");
    if (n > STATEMENT_MAX) FAIL(E_AUTH, "a state statement of %zu bytes", n);
    statement_user_data(want, text, n);
    if (memcmp(user_data, want, sizeof want) != 0) FAIL(E_AUTH, "user_data commits to another state statement");
    return OK;
}

void statement_service_pcr(uint8_t out[static SERVICE_PCR_LEN], const uint8_t service_id[static 32])
{
    uint8_t both[SERVICE_PCR_LEN + 32] = { 0 };
    memcpy(both + SERVICE_PCR_LEN, service_id, 32);
    sha384(out, both, sizeof both);
}
