/* init.h - the first process: it wires the roles together and does for the disk
 * what needs privilege. It parses the measured configuration and nothing else,
 * and holds no key. */
#ifndef DAEMON_INIT_H
#define DAEMON_INIT_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "daemon/role.h"
#include "daemon/wire.h"

enum { CHILDREN_MAX = ROLES + JUDGES_MAX };

struct child {
    enum role_id role;
    unsigned     instance;
    pid_t        pid;              /* 0: not running                     */
    int          control;
    bool         ready;
    uint64_t     restarted_ms[8];  /* when, for ROLE_RESTART roles: a ring */
    unsigned     restarts;
};

enum stage { RUNNING, STOPPING_WEB, STOPPING_DISK };

struct image;
struct init {
    struct daemon_config config;
    struct child  children[CHILDREN_MAX];
    unsigned      count;
    int           signals, listener, nsm;
    struct image *image;
    int           image_fd;
    enum stage    stage;
    uint64_t      stage_until_ms;
    struct {                         /* a role that ended because a peer was gone: the cause may still be on its way */
        bool          set;
        enum role_id  role;
        uint64_t      until_ms;
    } suspect;
    bool          ended;
    int           status;          /* what init_run() returns once ended */
};

uint64_t init_now_ms(void);
/* Where the state disk is mounted: a folder in the private tmpfs. */
err  init_mount_point(char *out, size_t room, const struct daemon_config *c);
/* spawn.c: start one role and send it its configuration; wire all roles; repair one. */
err  spawn_all(struct init *in);
err  spawn_again(struct init *in, struct child *c);
/* Start the volume process for loop device `number`, with a channel to `disk`. Fails: E_STATE (one runs). */
err  spawn_volume(struct init *in, struct child *disk, unsigned number);
void spawn_kill_all(struct init *in);
/* serve.c: one frame from a role, answered. Fails: what ends the enclave. */
err  init_serve(struct init *in, struct child *c);

#endif
