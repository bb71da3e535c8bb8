/* web_form.h - the forms of a signing request other than JSON, for web_sign.c and web_judge.c. */
#ifndef DAEMON_WEB_FORM_H
#define DAEMON_WEB_FORM_H
#include "core/buf.h"
#include "daemon/web_read.h"
#include "daemon/web_text.h"

/* Backup roots, by input. */
struct web_root { bool given; uint8_t root[32]; };
bool web_read_roots(struct web_root *out, size_t inputs, const json_t *map, const char *name, struct web_problem *why);
/* Their part of the judge's message, the count first. */
void web_write_roots(struct wr *w, const struct web_root *roots, size_t inputs);
/* The last part: the name of the rule set that `root` asks for, or none. */
bool web_write_rules(struct wr *w, const json_t *root, struct web_problem *why);

/* As web_read_sign(), of a document that has this form. */
bool web_read_psbt(uint8_t **message, size_t *len, struct web_form *form, struct web_problem *why, uint64_t id, const json_t *root);
bool web_read_hex(uint8_t **message, size_t *len, struct web_form *form, struct web_problem *why, uint64_t id, const json_t *root, size_t n);

/* The answer to a request of such a form. `tx` is the transaction as the judge had it (it is changed), and `s` has tx->in_count
 * elements; `kept` are the form->kept bytes. Out: *body, for free(), and its length; 0 without memory. */
size_t web_form_answer(uint8_t **body, const struct web_form *form, struct tx *tx, const struct web_signature *s,
                       const uint8_t *kept);

#endif
