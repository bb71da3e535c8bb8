/* life.h - the service's life, replayed from its log: what each entry claims, judged again by the rules that bound the enclave.
 *
 * Documents are judged with policy/judge as of the time that stands in their entry, with the signatures in it. What the log does not
 * say (the state behind a generation's hash, whether a clock was right) is not judged. Pure but for memory. */
#ifndef PARENT_LIFE_H
#define PARENT_LIFE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "policy/document.h"
#include "policy/entry.h"

enum life_mark {
    LIFE_PLAIN,                              /* as it should be                                     */
    LIFE_NOTICE,                             /* allowed, and worth a look: another build, a rollback, a veto, a log begun anew */
    LIFE_UNKNOWN,                            /* not judged: an entry of another time; a first policy whose authorisation was not given */
    LIFE_FAULT                               /* no enclave that keeps the rules writes this         */
};
struct life_line { enum life_mark mark; char text[320]; };   /* text: why, or what came of it; "" */

struct life;
/* `service`: NULL if it is not known; `number`: of the log. `authorisation`: the genesis authorisation whose keys the first policy has to satisfy; NULL: the
 * service had none. All is copied. Fails: E_MEMORY. */
err  life_new(struct life **out, const uint8_t *service, uint32_t number, const struct document *authorisation);
void life_drop(struct life **l);
#define LIFE __attribute__((cleanup(life_drop))) struct life *
/* The next entry. Out: *e, which borrows from p, or all zero when it is of an unknown kind; *line. Fails: E_MEMORY. */
err  life_next(struct life *l, struct entry *e, struct life_line *line, const void *p, size_t n);
/* After the last one: is anything left unsaid? Out: *line, LIFE_FAULT with the reason, or LIFE_PLAIN. */
void life_end(struct life_line *line, const struct life *l);
/* The service's id, once it is known; else NULL. */
const uint8_t *life_service(const struct life *l);

#endif
