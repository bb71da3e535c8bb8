/* web_log_text.c - what clients get of the service's log. */
#include <inttypes.h>
#include <stdio.h>

#include "core/mem.h"
#include "daemon/web_text.h"
#include "policy/note.h"
#include "policy/tail.h"

const char *web_freshness_text(uint8_t freshness)
{
    static const char *const text[FRESHNESSES] = {
        [FRESH_NONE] = "none", [FRESH_WAITING] = "waiting", [FRESH_WITNESSED] = "witnessed", [FRESH_UNREACHABLE] = "unreachable", [FRESH_ROLLBACK] = "rollback-detected",
    };
    return freshness < FRESHNESSES && text[freshness] ? text[freshness] : "unknown";
}

/* The log's verifier key is named as its checkpoints' origin (docs/wire/log.md). */
static bool put_key(struct wr *w, const struct wire_log *l, const uint8_t service_id[static 32])
{
    char hex[65], origin[NOTE_NAME + 1];
    struct note_key k;
    hex_from(hex, service_id, 32);
    if (l->number) snprintf(origin, sizeof origin, "holdfast/%s/%" PRIu32, hex, l->number);
    else snprintf(origin, sizeof origin, "holdfast/%s", hex);
    if (note_key_make(&k, origin, NOTE_ED25519, l->key).code) return false;
    wr_text(w, "\"");
    note_key_write(w, &k);
    wr_text(w, "\"");
    return true;
}

static void put_number(struct wr *w, const char *name, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    wr_text(w, name);
    wr_text(w, text);
}

void web_log_status(struct wr *w, const struct wire_log *l, const uint8_t *service_id)
{
    char head[65];
    wr_text(w, ",\"freshness\":\"");
    wr_text(w, web_freshness_text(l ? l->freshness : FRESH_NONE));
    wr_text(w, "\",\"log\":");
    if (!l || !l->size || !service_id) {
        wr_text(w, "null");
        return;
    }
    wr_text(w, "{\"key\":");
    if (!put_key(w, l, service_id)) wr_text(w, "null");
    put_number(w, ",\"size\":", l->size);
    put_number(w, ",\"cosigned\":", l->cosigned);
    put_number(w, ",\"unanchored_generations\":", l->unanchored);
    put_number(w, ",\"largest_told\":", l->told);
    put_number(w, ",\"state\":{\"generation\":", l->generation);
    put_number(w, ",\"log_size\":", l->sealed);
    hex_from(head, l->head, sizeof l->head);
    wr_text(w, ",\"head\":\"");
    wr_text(w, head);
    wr_text(w, "\"}");
    wr_text(w, "}");
}

/* ---- entries and proofs ---- */

static void put_base64(struct wr *w, bool first, const uint8_t *p, size_t n)
{
    wr_text(w, first ? "\"" : ",\"");
    uint8_t *to = wr_room(w, base64_size(n));
    if (!to) return;
    base64_from((char *)to, p, n);
    w->len--;                                    /* its NUL */
    wr_text(w, "\"");
}

size_t web_entries_body(uint8_t **out, uint64_t size, uint64_t from, struct rd *in)
{
    BYTES room = NULL;
    const uint32_t count = rd_u32(in);
    const size_t cap = 128 + in->left / 3 * 4 + 8 * (size_t)count;     /* an entry: a length of four bytes, which becomes quotes, comma, padding */
    size_t n = 0;
    *out = NULL;
    if (count > in->left || mem_new(&room, cap).code) return 0;
    struct wr w = wr_of(room, cap);
    put_number(&w, "{\"size\":", size);
    put_number(&w, ",\"from\":", from);
    wr_text(&w, ",\"entries\":[");
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *p = rd_var(in, TAIL_ENTRY_MAX, &n);
        if (!p) return 0;
        put_base64(&w, i == 0, p, n);
    }
    wr_text(&w, "]}");
    if (w.full) return 0;
    *out = take_bytes(&room);
    return w.len;
}

size_t web_proof_body(uint8_t **out, const uint8_t *hashes, uint32_t count)
{
    BYTES room = NULL;
    const size_t cap = 32 + 48 * (size_t)count;
    *out = NULL;
    if (mem_new(&room, cap).code) return 0;
    struct wr w = wr_of(room, cap);
    wr_text(&w, "{\"hashes\":[");
    for (uint32_t i = 0; i < count; i++) put_base64(&w, i == 0, hashes + 32 * (size_t)i, 32);
    wr_text(&w, "]}");
    if (w.full) return 0;
    *out = take_bytes(&room);
    return w.len;
}
