/* web_log_text.c - what /status says about the service's log. */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/web_text.h"
#include "policy/note.h"

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
    wr_text(w, "}");
}
