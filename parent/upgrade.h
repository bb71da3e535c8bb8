/* upgrade.h - one run of `holdfast upgrade`: what is known so far, and its account. */
#ifndef PARENT_UPGRADE_H
#define PARENT_UPGRADE_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "parent/command.h"
#include "parent/paper.h"

struct upgrade {
    struct paper release;
    char     hash[65];                       /* of the release, in hex */
    char     state[16];                      /* as GET /releases says it: pending, ready, vetoed, granted */
    uint64_t ready_at, now;                  /* of the service's clock; 0: not known */
    uint8_t *document;                       /* the announcement */
    size_t   n;
    json_t  *checks, *grant;                 /* the account, as lines; the answer to the grant, or NULL */
};

/* One line of the account: kept, and shown to people at once. `verdict`: ok, failed, skipped, … */
void upgrade_line(struct upgrade *u, const struct call *c, const char *name, const char *verdict, const char *detail);
/* All that is known, for programs. */
json_t *upgrade_json(const struct upgrade *u);

/* Get the announcement: from --announcement FILE, or from the new build at --new-url; and judge it as the old build
 * will, so that a mistake is told here and not by a refusal. What is not said here is the old build's to say. */
enum exits upgrade_announcement(struct upgrade *u, const struct call *c);

#endif
