/* web_json.h - what clients send, read strictly (jansson), and turned into fixed layouts.
 *
 * Pure functions over bytes. A client's mistake is not an error of this program: it is a `bool`
 * and a problem to be told, with the HTTP status and the place in the document.
 *
 * What is the same for every document: one JSON value in UTF-8 and nothing after it; no member
 * twice; no escape \u0000; at most WEB_DEPTH values inside each other; an integer is written as an integer and
 * lies in -2^63 .. 2^63-1 (so amounts and weights above 2^63-1 are refused here, with 422); members that
 * are not known are ignored. 400: this is no JSON. 422: it is, but not of the shape that is wanted. */
#ifndef DAEMON_WEB_JSON_H
#define DAEMON_WEB_JSON_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "daemon/wire.h"
#include "signer/address.h"

enum { WEB_DEPTH = 32, WEB_PROBLEM = 320, WEB_CONTAINERS = 150000, WEB_VALUES = 500000 };
struct web_problem {
    int  status;                       /* 400, 413, 422; 500 when memory ran out */
    char text[WEB_PROBLEM];            /* printable ASCII, for the client   */
};

/* {"max_weight": u64|null (may be absent), "key_id": text, "blockhash": 64 hex digits, "accept": [names
 * of findings about the key] (may be absent or null), "headers": object (likewise)}. key_id is 1 to WIRE_ARN - 1
 * printable ASCII characters; hashes stay in the order in which they are displayed. headers is {"network":
 * text, "anchor": {"height": n, "hash": 64 hex digits} (may be absent or null), "hex" or "base64": text}. Out:
 * *message, for free(): the body of KEEPER_SETUP. */
bool web_read_setup(uint8_t **message, size_t *len, struct web_problem *why, const void *body, size_t n);

/* The forms in which a signature is asked for. All become the same question to a judge. In each, "rules": text (may be
 * absent or null) names the rule set.
 *
 * WEB_FORM_JSON: {"emulated_tx_to": transaction, "actual_spent_outputs": [output], "backup_merkle_roots":
 * {index: root}}, all three needed.
 * WEB_FORM_HEX: the same with the transaction in hex; outputs are objects or hex; the map, which may also be called
 * backup_merkle_root, may be absent.
 * WEB_FORM_INPUT: {"input_index": n, "emulated_tx_to": hex, "actual_spent_outputs": [output or hex],
 * "backup_merkle_root": 64 hex digits or null (may be absent)}: one input, the witnesses of the others are not looked at.
 * WEB_FORM_PSBT: {"psbt": base64, "finalize": bool (may be absent), "backup_merkle_roots": map (may be absent)}:
 * signer/psbt.h.
 * Each may have {"trace": bool}. */
enum web_form_kind { WEB_FORM_JSON, WEB_FORM_HEX, WEB_FORM_INPUT, WEB_FORM_PSBT };
struct web_form {
    enum web_form_kind kind;
    bool     finalize;                 /* of a PSBT */
    bool     trace;                    /* asked for with a dry run, and refused with anything else */
    uint32_t input;                    /* WEB_FORM_INPUT: which */
    size_t   kept;                     /* bytes behind the judge's message: the PSBT, or WEB_FORM_INPUT's transaction */
};
/* Out: *message, for free(): `len` bytes for a judge, the body of JUDGE_SIGN (`id`, which input, and what signer/emulate.h
 * lays down); then form->kept bytes from which the answer is made. `len` is never more than n + 64, and with
 * a PSBT never more than EMULATE_REQUEST_MAX + JUDGE_HEAD. */
bool web_read_sign(uint8_t **message, size_t *len, struct web_form *form, struct web_problem *why,
                   uint64_t id, const void *body, size_t n);

/* {"network": text, "root": 64 hex digits or "tree": text, "backup_root": 64 hex digits or "backup_csv": blocks and
 * "backup_key": 64 hex digits (may be absent), "rules": name (may be absent)}; "internal_key": 64 hex digits where children
 * are of outputs, and only there. */
struct web_address {
    enum address_network net;
    uint8_t root[32], backup[32], recovery[RECOVERY_SCRIPT];
    size_t  recovery_len;              /* 0: the backup tree was given by its root, or not at all */
    bool    has_backup;
    enum child_kind kind;
    uint8_t internal[32], emulated_key[32], rules_id[32];    /* CHILD_OF_OUTPUT */
    char    rules[RULES_NAME];
};
/* Out: *size, in bytes: whole 64 KiB. */
bool web_read_grow(uint64_t *size, struct web_problem *why, const void *body, size_t n);
/* {"document": base64, "signatures": [base64]}. Out: *message, for free(): the body of KEEPER_DOCUMENT. */
bool web_read_document(uint8_t **message, size_t *len, struct web_problem *why, const void *body, size_t n);
/* For a service with these children and rule sets. */
bool web_read_address(struct web_address *out, struct web_problem *why, const void *body, size_t n, enum child_kind kind,
                      const struct rule_list *rules);
/* The answer to it, for the service's master public key; 0 without memory. */
size_t web_address_body(uint8_t **out, const struct web_address *a, const uint8_t master[static 33]);

/* A decimal number as one writes it: digits, no sign, no leading zero, at most max (>= 9). */
bool web_decimal(const char *text, uint64_t max, uint64_t *out);

#endif
