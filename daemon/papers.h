/* papers.h - the maintainers' documents in the keeper: judged, logged, and what follows from them. */
#ifndef DAEMON_PAPERS_H
#define DAEMON_PAPERS_H
#include "daemon/keeper.h"
#include "policy/entry.h"
#include "policy/standing.h"
#include "policy/tail.h"

/* What is in force, as disk has it in the log, at this moment. */
struct papers {
    uint8_t *room;                               /* what `s` borrows from                          */
    struct standing s;
    struct standing_place at;
    uint8_t  service[32], head[32];
};
void papers_drop(struct papers *p);
#define PAPERS __attribute__((cleanup(papers_drop))) struct papers

/* Ask disk and the clock; a policy whose delay has passed is in force. Fails: as both. */
err papers_look(struct papers *p, struct keeper *k);
/* What became of a release that was accepted. Out: *d, *ready_at. */
err papers_state(enum paper_state *out, struct document *d, uint64_t *ready_at, const struct standing_paper *release, const struct papers *p);
/* Log an entry together with what is in force from then on. Fails: as disk. */
err papers_log(struct keeper *k, const struct entry *e, const struct standing *s);

/* Rules for web's frames. */
err keeper_on_document(void *self, int fd, const struct msg *m, int *pass);
err keeper_on_standing(void *self, int fd, const struct msg *m, int *pass);

#endif
