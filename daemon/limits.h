/* limits.h - what a service signs for, beyond what scripts say (docs/limits.md): the [limits] section of the measured
 * configuration, and those checks that need no account. The account is the book's (book.h). Pure. */
#ifndef DAEMON_LIMITS_H
#define DAEMON_LIMITS_H
#include <stdbool.h>
#include <stdint.h>
#include "core/err.h"
#include "signer/emulate.h"

enum { LIMITS_SCRIPTS = 8, LIMITS_TO = 8, LIMITS_TEXT = 200, LIMITS_TO_TEXT = 84, LIMITS_TO_SCRIPT = 40 };

/* Where outputs may go: a bit for each to1 .. to8; LIMITS_ANYWHERE. */
typedef uint16_t limits_to;
enum { LIMITS_ANYWHERE = 1 << LIMITS_TO };

/* Of one output script; or of all that have no row of their own. 0: no limit. */
struct limits_script {
    bool      named;
    uint8_t   key[32];                   /* the output key that is spent                    */
    uint64_t  value, count;              /* satoshi, signatures; in a window                */
    limits_to to;
    char      rules[LIMITS_TEXT];        /* names joined by +; empty: whichever the service has */
};
struct limits {
    /* as written */
    uint64_t  window, value, count, each_value, each_count;
    char      to_text[24], others[8];
    char      to_n_text[LIMITS_TO][LIMITS_TO_TEXT];
    char      script_text[LIMITS_SCRIPTS][LIMITS_TEXT];
    /* as read by limits_read() */
    struct { uint8_t n, bytes[LIMITS_TO_SCRIPT]; } to_n[LIMITS_TO];
    struct limits_script script[LIMITS_SCRIPTS], each;
};

/* Before the file is read: no limits. */
void limits_defaults(struct limits *l);
/* Take the texts in. Fails: E_FORMAT, saying which key and what is wrong. */
err  limits_read(struct limits *l);
/* What holds for the output with this key: its own row, or `each`. */
const struct limits_script *limits_of(const struct limits *l, const uint8_t key[static 32]);
/* Is anything counted in a window? */
bool limits_counted(const struct limits *l);
/* The checks without an account, of a plan that is verified. Out: *input, the one to blame, and the words; NULL: allowed. */
const char *limits_refusal(const struct limits *l, uint32_t *input, const struct emulate_plan *p);

#endif
