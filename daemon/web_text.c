/* web_text.c - JSON on the way out. Room is reckoned before, so that the writers never grow;
 * what is written has a known shape, and needs no library. */
#include "daemon/web_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "keystore/key_finding.h"
#include "keystore/channel.h"
#include "signer/emulate.h"

/* ---- pieces ---- */

static void put_number(struct wr *w, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    wr_text(w, text);
}

static void put_hex(struct wr *w, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *to = wr_room(w, 2 * n);
    if (!to) return;
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = (uint8_t)digits[p[i] >> 4];
        to[2 * i + 1] = (uint8_t)digits[p[i] & 15];
    }
}

/* Hashes that the world shows in the other order than they are hashed. */
static void put_reversed(struct wr *w, const uint8_t p[static 32])
{
    uint8_t shown[32];
    for (size_t i = 0; i < 32; i++) shown[i] = p[31 - i];
    put_hex(w, shown, 32);
}

static void put_quoted_hex(struct wr *w, const uint8_t *p, size_t n)
{
    wr_text(w, "\"");
    put_hex(w, p, n);
    wr_text(w, "\"");
}

static void put_string(struct wr *w, const char *s)
{
    wr_text(w, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') wr_u8(w, '\\');
        wr_u8(w, *s >= 0x20 && *s <= 0x7e ? (uint8_t)*s : '?');
    }
    wr_text(w, "\"");
}

static void name_number(struct wr *w, const char *name, uint64_t v)
{
    wr_text(w, name);
    put_number(w, v);
}

static void name_bool(struct wr *w, const char *name, bool v)
{
    wr_text(w, name);
    wr_text(w, v ? "true" : "false");
}

static void name_string(struct wr *w, const char *name, const char *s)
{
    wr_text(w, name);
    put_string(w, s);
}

static size_t done(uint8_t **out, uint8_t **room, const struct wr *w)
{
    if (w->full) return 0;
    *out = take_bytes(room);
    return w->len;
}

/* ---- small bodies ---- */

enum { SMALL = 4096 };

size_t web_error_body(uint8_t **out, const char *text, int status, uint64_t id)
{
    BYTES room = NULL;
    char shown[17];
    *out = NULL;
    if (mem_new(&room, SMALL).code) return 0;
    struct wr w = wr_of(room, SMALL);
    snprintf(shown, sizeof shown, "%016" PRIx64, id);
    name_string(&w, "{\"error\":", text);
    name_number(&w, ",\"status\":", (uint64_t)status);
    name_string(&w, ",\"request_id\":", shown);
    wr_text(&w, "}");
    return done(out, &room, &w);
}

size_t web_public_key_body(uint8_t **out, const struct wire_state *s)
{
    BYTES room = NULL;
    *out = NULL;
    if (mem_new(&room, SMALL).code) return 0;
    struct wr w = wr_of(room, SMALL);
    wr_text(&w, "{\"public_key\":");
    put_quoted_hex(&w, s->public_key, sizeof s->public_key);
    wr_text(&w, "}");
    return done(out, &room, &w);
}

size_t web_settings_body(uint8_t **out, const struct wire_state *s)
{
    const struct wire_setup *set = &s->settings;
    BYTES room = NULL;
    *out = NULL;
    if (mem_new(&room, SMALL).code) return 0;
    struct wr w = wr_of(room, SMALL);
    wr_text(&w, "{\"max_weight\":");
    if (set->limited) put_number(&w, set->max_weight);
    else wr_text(&w, "null");
    name_string(&w, ",\"key_id\":", set->key_id);
    wr_text(&w, ",\"blockhash\":");
    put_quoted_hex(&w, set->blockhash, sizeof set->blockhash);
    wr_text(&w, ",\"blockhash_check\":");
    block_check_json(&w, &s->check);
    wr_text(&w, "}");
    return done(out, &room, &w);
}

size_t web_channel_body(uint8_t **out, const struct wire_state *s)
{
    BYTES room = NULL;
    *out = NULL;
    if (mem_new(&room, SMALL).code) return 0;
    struct wr w = wr_of(room, SMALL);
    wr_text(&w, "{\"key\":");
    put_quoted_hex(&w, s->channel_key, sizeof s->channel_key);
    wr_text(&w, ",\"boot\":");
    put_quoted_hex(&w, s->boot, sizeof s->boot);
    name_number(&w, ",\"window_ms\":", CHANNEL_WINDOW_MS);
    wr_text(&w, "}");
    return done(out, &room, &w);
}

static void put_disk(struct wr *w, const struct wire_disk *d)
{
    const uint64_t now = (uint64_t)time(NULL);
    name_string(w, "{\"backend\":", d->backend);
    name_bool(w, ",\"mounted\":", d->mounted);
    name_number(w, ",\"size\":", d->image_size);
    name_number(w, ",\"generation\":", d->generation);
    wr_text(w, ",\"sealed_at\":");
    if (d->sealed_at) put_number(w, d->sealed_at);
    else wr_text(w, "null");
    wr_text(w, ",\"age\":");
    if (d->sealed_at) put_number(w, now > d->sealed_at ? now - d->sealed_at : 0);
    else wr_text(w, "null");
    name_number(w, ",\"sealed_bytes\":", d->sealed_bytes);
    name_number(w, ",\"sealed_chunks\":", d->sealed_chunks);
    name_number(w, ",\"written_chunks\":", d->written_chunks);
    name_number(w, ",\"sealed_ms\":", d->sealed_ms);
    name_number(w, ",\"freeze_us\":", d->freeze_us);
    name_bool(w, ",\"dirty\":", d->dirty);
    name_bool(w, ",\"last_seal_failed\":", d->last_failed);
    wr_text(w, "}");
}

size_t web_backup_body(uint8_t **out, const char *why, uint64_t generation, uint64_t bytes)
{
    BYTES room = NULL;
    *out = NULL;
    if (mem_new(&room, SMALL).code) return 0;
    struct wr w = wr_of(room, SMALL);
    name_bool(&w, "{\"authentic\":", !why);
    name_number(&w, ",\"generation\":", generation);
    name_number(&w, ",\"bytes\":", bytes);
    if (why) name_string(&w, ",\"reason\":", why);
    wr_text(&w, "}");
    return done(out, &room, &w);
}

size_t web_disk_body(uint8_t **out, const struct wire_disk *d)
{
    BYTES room = NULL;
    *out = NULL;
    if (mem_new(&room, SMALL).code) return 0;
    struct wr w = wr_of(room, SMALL);
    put_disk(&w, d);
    return done(out, &room, &w);
}

const char *web_phase_text(uint8_t phase)
{
    static const char *const text[PHASES] = {
        [PHASE_STARTING] = "starting", [PHASE_AWAITING_SETUP] = "awaiting-setup", [PHASE_DERIVING] = "deriving",
        [PHASE_RESTORING] = "restoring", [PHASE_WITNESSING] = "witnessing", [PHASE_ANNOUNCING] = "announcing", [PHASE_HANDED_OVER] = "handed-over", [PHASE_SERVING] = "serving",
    };
    return phase < PHASES && text[phase] ? text[phase] : "unknown";
}

static void put_state(struct wr *w, const struct wire_state *s)
{
    name_bool(w, ",\"simulated\":", s->simulated);
    name_string(w, ",\"phase\":", web_phase_text(s->phase));
    wr_text(w, ",\"service_id\":");
    if (s->has_service) put_quoted_hex(w, s->service_id, sizeof s->service_id);
    else wr_text(w, "null");
    wr_text(w, ",\"public_key\":");
    if (s->public_key[0]) put_quoted_hex(w, s->public_key, sizeof s->public_key);
    else wr_text(w, "null");
    name_string(w, ",\"profile\":", s->profile);
    wr_text(w, ",\"rules\":");
    rules_list_json(w, &s->rules);
    name_number(w, ",\"epoch\":", s->epoch);
    name_number(w, ",\"releases\":", s->releases);
    wr_text(w, ",\"blockhash_check\":");
    if (s->has_service) block_check_json(w, &s->check);
    else wr_text(w, "null");
    wr_text(w, ",\"accepted\":");
    if (!s->has_service) {
        wr_text(w, "null");
        return;
    }
    for (unsigned f = 0, some = 0; f < KEY_FINDINGS; f++)
        if (s->settings.accepted & 1u << f) name_string(w, some++ ? "," : "[", key_finding_row((enum key_finding)f)->id);
    wr_text(w, s->settings.accepted ? "]" : "[]");
}

size_t web_status_body(uint8_t **out, const struct web_status *s)
{
    BYTES room = NULL;
    *out = NULL;
    if (mem_new(&room, SMALL + RULES_MAX * RULES_JSON).code) return 0;
    struct wr w = wr_of(room, SMALL + RULES_MAX * RULES_JSON);
    name_string(&w, "{\"version\":", HOLDFAST_VERSION);
    name_string(&w, ",\"service\":", s->config->service_name);
    name_string(&w, ",\"genesis\":", s->config->genesis);
    if (s->state) put_state(&w, s->state);
    else wr_text(&w, ",\"simulated\":null,\"phase\":\"starting\",\"service_id\":null,\"public_key\":null,\"profile\":null,\"rules\":null,\"epoch\":null,\"releases\":null,\"blockhash_check\":null,\"accepted\":null");
    web_log_status(&w, s->log, s->state && s->state->has_service ? s->state->service_id : NULL);
    wr_text(&w, ",\"disk\":");
    if (s->disk) put_disk(&w, s->disk);
    else wr_text(&w, "null");
    wr_text(&w, ",\"requests\":");
    if (s->requests) put_number(&w, *s->requests);
    else wr_text(&w, "null");
    name_number(&w, ",\"limits\":{\"connections\":", s->config->web_connections);
    name_number(&w, ",\"timeout\":", s->config->web_timeout);
    name_number(&w, ",\"body\":", 4u << 20);
    name_number(&w, ",\"weight\":", s->state && s->state->settings.limited ? s->state->settings.max_weight : TX_MAX_WEIGHT);
    wr_text(&w, "}}");
    return done(out, &room, &w);
}

/* ---- attestation ---- */

/* The statement is plain ASCII JSON: as a JSON text it grows by its quotation marks alone. */
size_t web_attested_body(uint8_t **out, const char *name, const uint8_t *doc, size_t doc_len, const uint8_t *text, size_t text_len)
{
    char member[64];
    BYTES room = NULL;
    BYTES coded = NULL;
    uint8_t digest[32];
    const size_t cap = SMALL + base64_size(doc_len) + 2 * text_len;
    *out = NULL;
    if (mem_new(&room, cap).code || mem_new(&coded, base64_size(doc_len) + text_len + 1).code) return 0;
    struct wr w = wr_of(room, cap);
    base64_from((char *)coded, doc, doc_len);
    name_string(&w, "{\"document\":", (char *)coded);
    memcpy(coded, text, text_len);
    coded[text_len] = 0;
    snprintf(member, sizeof member, ",\"%s\":", name);
    name_string(&w, member, (char *)coded);
    sha256(digest, text, text_len);
    snprintf(member, sizeof member, ",\"%s_sha256\":", name);
    wr_text(&w, member);
    put_quoted_hex(&w, digest, sizeof digest);
    wr_text(&w, "}");
    return done(out, &room, &w);
}

void web_refused_text(char *out, size_t room, uint32_t findings)
{
    struct wr w = wr_of(out, room - 1);
    wr_text(&w, "The KMS key is not accepted: ");
    for (unsigned f = 0, some = 0; f < KEY_FINDINGS; f++) {
        if (!(findings & 1u << f)) continue;
        if (some++) wr_text(&w, ", ");
        wr_text(&w, key_finding_row((enum key_finding)f)->id);
    }
    wr_text(&w, ". GET /key-evidence explains; setup may name what it accepts.");
    out[w.len] = 0;
}

/* ---- the list of requests ---- */

enum { ENTRY_ROOM = 320 + 2 * WIRE_TEXT + RULES_NAME + WIRE_WHICH };

static void put_entry(struct wr *w, const struct wire_entry *e)
{
    name_number(w, "{\"row\":", e->row);
    name_number(w, ",\"time\":", e->time);
    wr_text(w, ",\"txid\":\"");
    put_reversed(w, e->txid);
    wr_text(w, "\",\"request_hash\":");
    put_quoted_hex(w, e->request_hash, sizeof e->request_hash);
    name_number(w, ",\"status\":", e->status);
    name_number(w, ",\"inputs\":", e->inputs);
    name_number(w, ",\"signed\":", e->signed_inputs);
    name_string(w, ",\"input\":", e->which);
    name_string(w, ",\"rules\":", e->rules);
    name_string(w, ",\"text\":", e->text);
    wr_text(w, "}");
}

size_t web_requests_body(uint8_t **out, uint64_t total, size_t count,
                         bool (*entry)(void *self, struct wire_entry *e), void *self)
{
    BYTES room = NULL;
    const size_t cap = 128 + count * ENTRY_ROOM;
    *out = NULL;
    if (mem_new(&room, cap).code) return 0;
    struct wr w = wr_of(room, cap);
    name_number(&w, "{\"total\":", total);
    wr_text(&w, ",\"requests\":[");
    for (size_t i = 0; i < count; i++) {
        struct wire_entry e;
        if (!entry(self, &e)) return 0;
        if (i) wr_text(&w, ",");
        put_entry(&w, &e);
    }
    wr_text(&w, "]}");
    return done(out, &room, &w);
}

/* ---- the signed transaction ---- */

/* The longest texts around the hex of one input, one output, one signature. */
enum { INPUT_ROOM = 512, OUTPUT_ROOM = 96 };

/* `dropped` leading items are left out; all of them, or all but the annex. */
static void put_items(struct wr *w, const struct tx_in *in, uint32_t dropped, bool more)
{
    struct rd r = rd_of(in->witness.p, in->witness.n);
    for (uint32_t i = 0; i < in->witness_count; i++) {
        struct span item = tx_item(&r);
        if (i < dropped) continue;
        if (more) wr_text(w, ",");
        more = true;
        put_quoted_hex(w, item.p, item.n);
    }
}

static void put_input(struct wr *w, const struct tx_in *in, const struct web_signature *s)
{
    wr_text(w, "{\"previous_output\":\"");
    put_reversed(w, in->txid);
    name_number(w, ":", in->vout);
    wr_text(w, "\",\"script_sig\":");
    put_quoted_hex(w, in->script_sig.p, in->script_sig.n);
    name_number(w, ",\"sequence\":", in->sequence);
    wr_text(w, ",\"witness\":[");
    if (s->made) put_quoted_hex(w, s->bytes, 64);
    if (!s->made || s->annex) put_items(w, in, s->made ? in->witness_count - 1 : 0, s->made);
    wr_text(w, "]}");
}

static void put_output(struct wr *w, const struct tx_out *o)
{
    name_number(w, "{\"value\":", (uint64_t)o->value);
    wr_text(w, ",\"script_pubkey\":");
    put_quoted_hex(w, o->script.p, o->script.n);
    wr_text(w, "}");
}

static void put_tx(struct wr *w, const struct tx *tx, const struct web_signature *signature)
{
    char version[16];
    snprintf(version, sizeof version, "%" PRId32, tx->version);
    wr_text(w, "{\"version\":");
    wr_text(w, version);
    name_number(w, ",\"lock_time\":", tx->locktime);
    wr_text(w, ",\"input\":[");
    for (size_t i = 0; i < tx->in_count; i++) {
        if (i) wr_text(w, ",");
        put_input(w, &tx->in[i], &signature[i]);
    }
    wr_text(w, "],\"output\":[");
    for (size_t i = 0; i < tx->out_count; i++) {
        if (i) wr_text(w, ",");
        put_output(w, &tx->out[i]);
    }
    wr_text(w, "]}");
}

/* What became of each input, and the end of the object. */
static void put_verdicts(struct wr *w, const struct web_signature *signature, size_t inputs)
{
    wr_text(w, ",\"inputs\":[");
    for (size_t i = 0; i < inputs; i++) {
        name_number(w, i ? ",{\"index\":" : "{\"index\":", i);
        name_bool(w, ",\"signed\":", signature[i].made);
        if (!signature[i].made) name_string(w, ",\"skipped\":", emulate_kind_text(signature[i].kind));
        wr_text(w, "}");
    }
    wr_text(w, "]}");
}

size_t web_signed_body(uint8_t **out, const struct tx *tx, const struct web_signature *signature, size_t message_len)
{
    /* An item of n bytes took at least n + 1 in the message, and is 2n + 3 characters here. */
    const size_t cap = 256 + 3 * message_len + tx->in_count * INPUT_ROOM + tx->out_count * OUTPUT_ROOM;
    BYTES room = NULL;
    *out = NULL;
    if (mem_new(&room, cap).code) return 0;
    struct wr w = wr_of(room, cap);
    wr_text(&w, "{\"signed_tx\":");
    put_tx(&w, tx, signature);
    put_verdicts(&w, signature, tx->in_count);
    return done(out, &room, &w);
}

size_t web_hex_body(uint8_t **out, const char *name, const uint8_t *tx, size_t n, const struct web_signature *signature, size_t inputs)
{
    const size_t cap = 256 + 2 * n + inputs * INPUT_ROOM;
    BYTES room = NULL;
    *out = NULL;
    if (mem_new(&room, cap).code) return 0;
    struct wr w = wr_of(room, cap);
    wr_text(&w, "{");
    put_string(&w, name);
    wr_text(&w, ":");
    put_quoted_hex(&w, tx, n);
    put_verdicts(&w, signature, inputs);
    return done(out, &room, &w);
}

size_t web_psbt_body(uint8_t **out, const uint8_t *psbt, size_t n, bool final, const struct web_signature *signature, size_t inputs)
{
    const size_t coded = base64_size(n), cap = 256 + coded + inputs * INPUT_ROOM;
    BYTES room = NULL;
    *out = NULL;
    if (mem_new(&room, cap).code) return 0;
    struct wr w = wr_of(room, cap);
    wr_text(&w, "{\"psbt\":\"");
    base64_from((char *)room + w.len, psbt, n);
    w.len += coded - 1;                      /* without its NUL */
    name_bool(&w, "\",\"finalized\":", final);
    put_verdicts(&w, signature, inputs);
    return done(out, &room, &w);
}

size_t web_valid_body(uint8_t **out, const uint8_t *kinds, size_t count)
{
    const size_t cap = 64 + count * INPUT_ROOM;
    BYTES room = NULL;
    *out = NULL;
    if (mem_new(&room, cap).code) return 0;
    struct wr w = wr_of(room, cap);
    wr_text(&w, "{\"valid\":true,\"inputs\":[");
    for (size_t i = 0; i < count; i++) {
        name_number(&w, i ? ",{\"index\":" : "{\"index\":", i);
        name_bool(&w, ",\"emulated\":", kinds[i] == EMULATE_INPUT);
        if (kinds[i] != EMULATE_INPUT) name_string(&w, ",\"skipped\":", emulate_kind_text(kinds[i]));
        wr_text(&w, "}");
    }
    wr_text(&w, "]}");
    return done(out, &room, &w);
}
