/* Starting roles: fork, exec of this same binary, configuration, descriptors, go. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/init.h"

enum { RESTARTS_MAX = 8, RESTARTS_WINDOW_MS = 60000 };

/* Session credentials that init was started with: fetch alone sees them, and nothing else of
 * the environment. Out: NULL-terminated pointers into init's own environment. */
static void environment_of(char *out[static 8], const char *role)
{
    static const char *const names[] = { "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=", "AWS_CONTAINER_AUTHORIZATION_TOKEN=" };
    size_t n = 0;
    if (strcmp(role, role_name(ROLE_FETCH)) == 0)
        for (char **e = environ; *e && n < 4; e++)
            for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (strncmp(*e, names[i], strlen(names[i])) == 0 && n < 4) out[n++] = *e;
#ifdef HOLDFAST_SANITIZE
    static char options[] = "ASAN_OPTIONS=detect_leaks=0:abort_on_error=1";
    out[n++] = options;
#endif
    out[n] = NULL;
}

/* In the child, between fork and exec: only what is needed to become the role. */
static void become(int control, const char *name, unsigned instance)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* A terminal sends its interrupt to the whole group: only init decides how the enclave stops. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    char number[16];
    snprintf(number, sizeof number, "%u", instance);
    char self[] = "holdfastd", role_flag[] = "--role", role[16], instance_flag[] = "--instance";
    snprintf(role, sizeof role, "%s", name);
    char *const argv[] = { self, role_flag, role, instance_flag, number, NULL };
    char *envp[8];
    environment_of(envp, name);
    /* dup2 clears close-on-exec, unless the number is right already. */
    if (control == CONTROL_FD) fcntl(control, F_SETFD, 0);
    else if (dup2(control, CONTROL_FD) < 0) _exit(71);
    execve("/proc/self/exe", argv, envp);
    _exit(71);
}

static err start(struct init *in, struct child *c)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) FAIL(E_IO, "socketpair for %s", role_name(c->role));
    FD ours = pair[0], theirs = pair[1];
    pid_t pid = fork();
    if (pid < 0) FAIL(E_IO, "fork for %s", role_name(c->role));
    if (pid == 0) become(theirs, role_name(c->role), c->instance);
    fd_close(&c->control);
    c->pid = pid;
    c->ready = false;
    c->control = take_fd(&ours);
    return msg_send(c->control, CTL_CONFIG, 0, &in->config, sizeof in->config, 5000);
}

static err give(const struct child *to, unsigned what, unsigned instance, int fd)
{
    const uint8_t body[2] = { (uint8_t)what, (uint8_t)instance };
    return msg_send_fd(to->control, CTL_GIVE, 0, body, sizeof body, fd);
}

/* A fresh channel between two roles, each end filed under the other's name. */
static err wire(const struct child *a, const struct child *b)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) FAIL(E_IO, "socketpair");
    FD left = pair[0], right = pair[1];
    TRY(give(a, b->role, b->instance, left));
    return give(b, a->role, a->instance, right);
}

static bool talk(const struct child *a, const struct child *b)
{
    return (role_table[a->role].talks_to & 1u << b->role) != 0;
}

static err give_own(struct init *in, struct child *c)
{
    const unsigned gets = role_table[c->role].gets;
    if (gets & 1u << (GIVE_LISTEN - GIVE_LISTEN)) TRY(give(c, GIVE_LISTEN, 0, in->listener));
    if (gets & 1u << (GIVE_NSM - GIVE_LISTEN)) TRY(give(c, GIVE_NSM, 0, in->nsm));
    return OK;
}

static void add(struct init *in, enum role_id role, unsigned instance)
{
    MUST(in->count < CHILDREN_MAX);
    in->children[in->count++] = (struct child){ .role = role, .instance = instance, .control = -1 };
}

err spawn_all(struct init *in)
{
    for (enum role_id r = ROLE_WEB; r < ROLES; r++) {
        if (role_table[r].flags & ROLE_ON_CALL) continue;
        unsigned n = role_table[r].flags & ROLE_POOL ? (unsigned)in->config.judges : 1;
        for (unsigned i = 0; i < n; i++) add(in, r, i);
    }
    for (unsigned i = 0; i < in->count; i++) TRY(start(in, &in->children[i]));
    for (unsigned i = 0; i < in->count; i++)
        for (unsigned j = i + 1; j < in->count; j++)
            if (talk(&in->children[i], &in->children[j])) TRY(wire(&in->children[i], &in->children[j]));
    for (unsigned i = 0; i < in->count; i++) {
        TRY(give_own(in, &in->children[i]));
        TRY(msg_send(in->children[i].control, CTL_GO, 0, NULL, 0, 5000));
    }
    return OK;
}

err spawn_again(struct init *in, struct child *c)
{
    /* A role that dies over and over is a fault or an attack, not an accident. */
    uint64_t now = init_now_ms(), *slot = &c->restarted_ms[c->restarts++ % RESTARTS_MAX];
    if (c->restarts > RESTARTS_MAX && now - *slot < RESTARTS_WINDOW_MS)
        FAIL(E_STATE, "role %s died %d times within a minute", role_name(c->role), RESTARTS_MAX);
    *slot = now;
    TRY(start(in, c));
    for (unsigned i = 0; i < in->count; i++) {
        struct child *peer = &in->children[i];
        if (peer != c && peer->pid && peer->control >= 0 && talk(c, peer)) TRY(wire(c, peer));
    }
    TRY(give_own(in, c));
    return msg_send(c->control, CTL_GO, 0, NULL, 0, 5000);
}

err spawn_volume(struct init *in, struct child *disk, unsigned number)
{
    struct child *c = NULL;
    for (unsigned i = 0; i < in->count; i++)
        if (in->children[i].role == ROLE_VOLUME) c = &in->children[i];
    if (c && c->pid) FAIL(E_STATE, "a volume process runs already");
    if (!c) {
        add(in, ROLE_VOLUME, number);
        c = &in->children[in->count - 1];
    }
    c->instance = number;
    TRY(start(in, c));
    TRY(wire(disk, c));
    return msg_send(c->control, CTL_GO, 0, NULL, 0, 5000);
}

void spawn_kill_all(struct init *in)
{
    for (unsigned i = 0; i < in->count; i++)
        if (in->children[i].pid) kill(in->children[i].pid, SIGKILL);
    for (unsigned i = 0; i < in->count; i++) {
        struct child *c = &in->children[i];
        while (c->pid && waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) { }
        c->pid = 0;
        fd_close(&c->control);
    }
}
