/* witnesses.h - which cosignatures are enough: a trust policy file (c2sp.org/tlog-policy). Pure.
 *
 * A policy names logs, witnesses, groups of them with a threshold, and one quorum. Each name is
 * a member of at most one group, and each public key stands once, so that nobody counts twice. */
#ifndef POLICY_WITNESSES_H
#define POLICY_WITNESSES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "policy/note.h"

enum { WITNESSES_LOGS = 32, WITNESSES_NAMES = 64, WITNESSES_URL = 255, WITNESSES_NONE = -1 };

/* A witness (threshold 0) or a group. */
struct witnesses_name {
    char            name[NOTE_NAME + 1];
    size_t          threshold;
    int             group;                       /* that it is a member of, by index; WITNESSES_NONE */
    struct note_key key;                         /* of a witness, as its URL, which may be ""        */
    char            url[WITNESSES_URL + 1];
};

struct witnesses {
    size_t log_count, name_count;
    struct note_key logs[WITNESSES_LOGS];
    struct witnesses_name names[WITNESSES_NAMES];
    int    quorum;                               /* by index; WITNESSES_NONE: no cosignature is needed */
};

/* Parse a policy file. Fails: E_FORMAT, E_LIMIT (more logs or names than there is room for, a longer URL). */
err  witnesses_parse(struct witnesses *out, const char *p, size_t n);
/* Is the quorum there, when seen[i] says whether the witness names[i] has cosigned? */
bool witnesses_enough(const struct witnesses *w, const bool seen[static WITNESSES_NAMES]);
/* Check a checkpoint's cosignatures. One that does not verify counts as none: it blocks no other. Out: *enough.
 * Fails: E_MEMORY. */
err  witnesses_check(bool *enough, const struct witnesses *w, const struct note *n);

#endif
