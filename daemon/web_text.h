/* web_text.h - what clients get: JSON written straight from our own fixed layouts.
 *
 * Every body goes to *out, for free(); the length is returned, 0 with *out NULL when memory ran
 * out. Texts of peers are shown as printable ASCII whatever they hold. */
#ifndef DAEMON_WEB_TEXT_H
#define DAEMON_WEB_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/config.h"
#include "daemon/wire.h"
#include "signer/tx.h"

size_t web_error_body(uint8_t **out, const char *text, int status, uint64_t id);
size_t web_public_key_body(uint8_t **out, const struct wire_state *s);
/* Where the channel's requests are to go: its key, and the number of this start. */
size_t web_channel_body(uint8_t **out, const struct wire_state *s);
size_t web_settings_body(uint8_t **out, const struct wire_state *s);
/* What came of reading the present generation back; `why` is NULL when all of it is authentic. */
size_t web_backup_body(uint8_t **out, const char *why, uint64_t generation, uint64_t bytes);
size_t web_disk_body(uint8_t **out, const struct wire_disk *d);

/* state, disk: NULL before the first word of keeper or disk. requests: NULL when not known. */
struct web_status {
    const struct daemon_config *config;
    const struct wire_state    *state;
    const struct wire_disk     *disk;
    const uint64_t             *requests;
    const struct wire_log      *log;
};
/* web_log_text.c: `,"freshness":…,"log":…`. */
void web_log_status(struct wr *w, const struct wire_log *l, const uint8_t *service_id);
/* {"size", "from", "entries": [base64, …]}; `in` stands at the entries: u32 n, n x var. What is missing of them is for the caller to see in `in`. */
size_t web_entries_body(uint8_t **out, uint64_t size, uint64_t from, struct rd *in);
size_t web_proof_body(uint8_t **out, const uint8_t *hashes, uint32_t count);
const char *web_freshness_text(uint8_t freshness);
size_t web_status_body(uint8_t **out, const struct web_status *s);

/* `entry` is called for each of `count` rows in turn. */
size_t web_requests_body(uint8_t **out, uint64_t total, size_t count,
                         bool (*entry)(void *self, struct wire_entry *e), void *self);

/* A judge's verdict on one input, and the transaction as the client gets it back. */
struct web_signature { bool made, annex; const uint8_t *bytes; uint8_t kind; };   /* bytes: 64; enum emulate_kind */
/* The verdict alone: {"valid": true, "inputs": [{"index", "emulated", "skipped"}, …]}. */
size_t web_valid_body(uint8_t **out, const uint8_t *kinds, size_t count);
/* `signature` has tx->in_count elements; message_len is the size of the request that held tx. */
size_t web_signed_body(uint8_t **out, const struct tx *tx, const struct web_signature *signature, size_t message_len);
/* The same with the transaction in hex under this name, and with a PSBT. */
size_t web_hex_body(uint8_t **out, const char *name, const uint8_t *tx, size_t n, const struct web_signature *signature, size_t inputs);
size_t web_psbt_body(uint8_t **out, const uint8_t *psbt, size_t n, bool final, const struct web_signature *signature, size_t inputs);

/* An attestation document, and the text that it commits to under its name: {"document", NAME, NAME_sha256}. */
size_t web_attested_body(uint8_t **out, const char *name, const uint8_t *doc, size_t doc_len, const uint8_t *text, size_t text_len);
/* Why setup did not take the key: the findings of a set, by name. */
void   web_refused_text(char *out, size_t room, uint32_t findings);

const char *web_phase_text(uint8_t phase);

#endif
