/* loop.h - the waiting room of a role that answers: poll, serve by table, repeat. */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H
#include "core/msg.h"
#include "daemon/role.h"

struct loop_source {
    int                    *fd;        /* where the channel stands; -1 is skipped           */
    const struct msg_table *table;     /* NULL: nothing may be asked here unasked            */
    bool                    may_close; /* the peer is one that init starts again             */
    err                   (*first)(void *self); /* takes the next frame itself (a secret), once */
    struct msg_seen         seen;
};
enum { LOOP_SOURCES = 8 + JUDGES_MAX };

struct loop {
    struct role_env    *env;
    struct loop_source  source[LOOP_SOURCES];
    size_t              count;
    unsigned           *state;         /* which `when` bit of the tables holds now           */
    void               *self;          /* handed to the rules                                */
    uint8_t            *room;          /* for incoming frames                                */
    size_t              cap;
    /* Called before each wait, may be NULL. Out: *timeout_ms until it wants to be called again. */
    err               (*tick)(void *self, int *timeout_ms);
};

void loop_add(struct loop *l, int *fd, const struct msg_table *table, bool may_close);
/* The next frame on that channel carries a secret: `take` receives it instead of the table. */
void loop_first(struct loop *l, const int *fd, err (*take)(void *self));
/* Add the channels of the judges' pool, present and future. */
void loop_add_judges(struct loop *l, const struct msg_table *table);
/* Serve until init says stop (OK) or a rule is broken (the role must end). */
err  loop_run(struct loop *l);

#endif
