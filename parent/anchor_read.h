/* anchor_read.h - what a witness's answer to add-checkpoint means (c2sp.org/tlog-witness). Pure. */
#ifndef PARENT_ANCHOR_READ_H
#define PARENT_ANCHOR_READ_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "policy/note.h"

/* How it stands with a witness. */
enum anchor_word {
    ANCHOR_UNASKED,                          /* a group, or a witness without a URL                 */
    ANCHOR_COSIGNED,
    ANCHOR_AHEAD,                            /* 409: it cosigned more of this log than this is      */
    ANCHOR_PARTED,                           /* 409: it cosigned another tree of this size          */
    ANCHOR_BEHIND,                           /* 409: it cosigned less than was said                 */
    ANCHOR_UNKNOWN,                          /* 404: it does not know this log                      */
    ANCHOR_UNSIGNED,                         /* 403: it knows another key for this log              */
    ANCHOR_UNPROVED,                         /* 422: the log it cosigned is not the beginning of this one */
    ANCHOR_REFUSED,                          /* another status                                      */
    ANCHOR_FAILING,                          /* 429, 5xx                                            */
    ANCHOR_AWAY,                             /* it cannot be reached                                */
    ANCHOR_LATE,                             /* no answer before the deadline                       */
    ANCHOR_STRANGER,                         /* TLS: a certificate that does not verify             */
    ANCHOR_NOWHERE,                          /* its URL is none of http or https                    */
    ANCHOR_ODD,                              /* no answer that the protocol has; a cosignature that does not verify */
    ANCHOR_WORDS
};
/* The word, for logs and status: "cosigned", "ahead", ... Never NULL. */
const char *anchor_text(enum anchor_word w);
/* May asking again help? */
bool anchor_passing(enum anchor_word w);

struct anchor_cosignature { uint32_t key_id; uint64_t time; uint8_t signature[64]; };
struct anchor_verdict {
    enum anchor_word word;
    uint64_t told;                           /* of a 409: the size that it cosigned last            */
    struct anchor_cosignature cosignature;   /* of ANCHOR_COSIGNED; it verifies                     */
};

/* An answer, and what was asked: `text` is the checkpoint's, `size` its size, `old` the old size sent to the witness with this key.
 * Out: never ANCHOR_UNASKED, _AWAY, _LATE, _STRANGER or _NOWHERE. Fails: E_MEMORY. */
struct anchor_heard { long status; const char *type, *body; size_t len; };
struct anchor_asked { const char *text; size_t text_len; uint64_t size, old; const struct note_key *key; };
err anchor_read(struct anchor_verdict *out, const struct anchor_heard *heard, const struct anchor_asked *asked);

#endif
