/* role.h - the processes of the enclave. The table in role.c is the security design.
 *
 * init forks and execs the one binary again for each role (`holdfastd --role NAME`),
 * with descriptor 3 as its control channel and nothing else. Over it the role
 * gets its configuration and its other descriptors, then enters its sandbox, says
 * CTL_READY, and runs. */
#ifndef DAEMON_ROLE_H
#define DAEMON_ROLE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "core/err.h"
#include "core/msg.h"
#include "daemon/config.h"

enum role_id { ROLE_INIT, ROLE_WEB, ROLE_FETCH, ROLE_KEEPER, ROLE_JUDGE, ROLE_SIGN, ROLE_DISK, ROLE_BOOK, ROLE_VOLUME, ROLE_TRIAL, ROLES };
enum { JUDGES_MAX = 16, CONTROL_FD = 3 };

/* What init may hand to a role besides channels to peers. */
enum { GIVE_LISTEN = 0x40, GIVE_PARENT, GIVE_IMAGE, GIVE_NSM, GIVE_EGRESS };

enum role_flags {
    ROLE_RESTART = 1 << 0,        /* its death is repaired; any other role's ends the enclave */
    ROLE_ARENA   = 1 << 1,        /* may hold secrets                                         */
    ROLE_POOL    = 1 << 2,        /* runs once per processor                                  */
    ROLE_ON_CALL = 1 << 3,        /* started when disk asks, for one act; then it ends with 0 */
    ROLE_DEVICES = 1 << 4         /* stays root; of its capabilities SYS_ADMIN, MKNOD, CHOWN    */
};

/* What a running role has. Peers that the table does not grant stay -1. */
struct role_env {
    enum role_id id;
    unsigned     instance;
    int          control;
    int          peer[ROLES];                 /* channel to each single role                  */
    int          judge[JUDGES_MAX];           /* channels to the pool                         */
    unsigned     judges;
    int          given[8];                    /* GIVE_* descriptors, by kind - GIVE_LISTEN     */
    bool         stopping;                    /* CTL_STOP was seen                             */
    void        *warm;                        /* what warm_up made for main, the role's own   */
    uint16_t     asked;                       /* sequence of the last question to init         */
    struct daemon_config config;
};

struct role {
    const char *name;
    unsigned    flags;
    unsigned    talks_to;                     /* bit set of 1u << role_id                     */
    unsigned    gets;                         /* bit set of 1u << (GIVE_* - GIVE_LISTEN) at start */
    const int  *calls;                        /* system calls left after sandbox_enter()      */
    const int  *refused;                      /* calls answered with EPERM                    */
    size_t      arena;                        /* bytes of arena, 0: none                      */
    err       (*warm_up)(struct role_env *);  /* before the sandbox closes; may be NULL       */
    err       (*main)(struct role_env *);     /* until told to stop; OK ends with exit 0      */
};
extern const struct role role_table[ROLES];

const char  *role_name(enum role_id id);
/* Take in one frame from init: a replaced peer, or CTL_STOP. Out: *stop. Fails: whatever
 * ends the role (init gone, an unexpected frame). */
err role_control(struct role_env *env, bool *stop);
/* Ask init one thing and wait for its answer, taking in whatever else it says
 * meanwhile. Out: *fd, the descriptor that came with it (-1: none; NULL: none is
 * expected). Fails: what init answered, E_TIMEOUT after `deadline_ms`. */
err role_ask_init(struct role_env *env, uint16_t type, const void *body, size_t n, int *fd, int deadline_ms);
/* Ask init for a descriptor (GIVE_EGRESS with `which`, GIVE_PARENT). Out: *fd, the caller's. */
err role_want(struct role_env *env, int give, uint8_t which, int *fd);
/* The whole life of a role process; returns its exit status. */
int role_process(const char *name, unsigned instance);
/* Exit statuses, from the code of the error that ended a role. */
int role_exit_status(err e);

#endif
