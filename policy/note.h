/* note.h - signed notes (c2sp.org/signed-note): a text, and lines of signatures below it.
 *
 * Parsing proves nothing: whoever uses a note's text checks a signature of a key that he knows
 * first. Signatures are kept as bytes; what they mean is their key's matter. Pure. */
#ifndef POLICY_NOTE_H
#define POLICY_NOTE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"

enum {
    NOTE_MAX = 64 << 10, NOTE_SIGNATURES = 32, NOTE_NAME = 255,
    NOTE_SIGNATURE = 72,                         /* the longest that is kept: time and Ed25519 signature */
    NOTE_ED25519 = 0x01, NOTE_COSIGNATURE = 0x04 /* signature types */
};

struct note_signature {
    const char *name;                            /* borrowed, not NUL-terminated                  */
    size_t      name_len;
    uint32_t    key_id;
    size_t      n;                               /* of the signature, without the key id          */
    uint8_t     bytes[NOTE_SIGNATURE];           /* the signature when n <= NOTE_SIGNATURE; or zero */
};

struct note {
    const char *text;                            /* borrowed; ends with its newline               */
    size_t      text_len, count;
    struct note_signature signatures[NOTE_SIGNATURES];
};

/* A key that is known, as in a verifier key `name+key id+base64(type || key)`. */
struct note_key { char name[NOTE_NAME + 1]; uint8_t type; uint32_t id; uint8_t key[32]; };

/* May this name a key: UTF-8, 1 to NOTE_NAME bytes, no space of Unicode, no `+`, no control character? */
bool note_name_ok(const char *name, size_t n);
/* Parse all of p[0..n). Fails: E_FORMAT, E_LIMIT (more than NOTE_MAX bytes or NOTE_SIGNATURES lines). */
err  note_parse(struct note *out, const char *p, size_t n);
/* Append a signature line: em dash, space, name, space, base64(u32be key id || signature), newline. n <= NOTE_SIGNATURE. */
void note_write_signature(struct wr *w, const struct note_key *k, const uint8_t *signature, size_t n);

/* The key's id: SHA-256(name || 0x0a || type || key), the first four bytes, big-endian. */
uint32_t note_key_id(const char *name, uint8_t type, const uint8_t key[static 32]);
/* Make a key of its parts. Fails: E_FORMAT (name). */
err  note_key_make(struct note_key *out, const char *name, uint8_t type, const uint8_t key[static 32]);
/* Parse a verifier key; the id must be that of the rest, and the type one of the two above. Fails: E_FORMAT. */
err  note_key_parse(struct note_key *out, const char *p, size_t n);
/* Write it so. */
void note_key_write(struct wr *w, const struct note_key *k);
/* Does the line name this key, by both name and id? */
bool note_key_is(const struct note_key *k, const struct note_signature *s);

#endif
