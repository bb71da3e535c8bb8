/* run.c - accept, fork, count, and wind down. */
#include "parent/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"
#include "parent/relay.h"
#include "parent/serve.h"
#include "parent/store_many.h"

enum kind { CLIENT, LINK, KINDS };
/* How often stores that are behind are looked for; the first time at once. */
enum { CATCH_UP_MS = 60000 };

struct child { pid_t pid; enum kind kind; };
struct server {
    const struct parent_config *conf;
    int listeners[KINDS], signals;
    struct child *children;
    size_t count, most, of_kind[KINDS];
    bool stopping;
    pid_t keeper;                            /* the process that brings lagging stores up; 0: none */
    int64_t keeper_next;
};

static void server_close(struct server *s)
{
    for (int k = 0; k < KINDS; k++) fd_close(&s->listeners[k]);
    fd_close(&s->signals);
    free(s->children);
}

/* Signals come as bytes to a descriptor: nothing is interrupted, and no handler needs a global. */
static err signals_open(int *fd)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) FAIL(E_IO, "blocking signals");
    *fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (*fd < 0) FAIL(E_IO, "opening a descriptor for signals");
    return OK;
}

static void reap(struct server *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == s->keeper) s->keeper = 0;
        for (size_t i = 0; i < s->count; i++) {
            if (s->children[i].pid != pid) continue;
            if (WIFSIGNALED(status))
                log_error("a %s connection's process died by signal %d; the others go on",
                          s->children[i].kind == LINK ? "link" : "client", WTERMSIG(status));
            else if (WEXITSTATUS(status) != 0)
                log_error("a %s connection's process ended with status %d", s->children[i].kind == LINK ? "link" : "client",
                          WEXITSTATUS(status));
            s->of_kind[s->children[i].kind]--;
            s->children[i] = s->children[--s->count];
            break;
        }
    }
}

static void read_signals(struct server *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) reap(s);
        else s->stopping = true;
    }
}

/* In the child: only our connection and our own signals. */
static void child_main(struct server *s, enum kind kind, int fd, pid_t parent)
{
    FD stop = -1;
    sigset_t set;
    for (int k = 0; k < KINDS; k++) fd_close(&s->listeners[k]);
    fd_close(&s->signals);
    /* Should the first process be killed, this one ends as if it had been asked to. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    stop = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (stop < 0) _exit(1);
    if (kind == CLIENT) relay_client(&fd, s->conf->enclave, (int)(s->conf->client_idle * 1000), stop);
    else err_drop(serve_link(&fd, s->conf, stop));
    _exit(0);
}

static void start_child(struct server *s, enum kind kind, int *fd)
{
    FD mine = take_fd(fd);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) child_main(s, kind, take_fd(&mine), parent);
    if (pid < 0) {
        log_error("no process for a new connection: %s", strerror(errno));
        return;
    }
    s->children[s->count++] = (struct child){ pid, kind };
    s->of_kind[kind]++;
}

/* On vsock any guest of this host can come in: only the configured one may. */
static bool peer_fits(const struct server *s, int fd)
{
    struct sockaddr_vm at;
    socklen_t n = sizeof at;
    if (s->conf->link_cid == 0) return true;
    if (getpeername(fd, (struct sockaddr *)&at, &n) != 0 || at.svm_family != AF_VSOCK) return true;
    if (at.svm_cid == s->conf->link_cid) return true;
    log_warn("link: refused a connection of vsock CID %u: only %u may come in", at.svm_cid, (unsigned)s->conf->link_cid);
    return false;
}

static void accept_one(struct server *s, enum kind kind)
{
    FD fd = -1;
    err e = fd_accept(&fd, s->listeners[kind], 0);
    if (e.code == E_IO) {
        /* Out of descriptors or memory: waiting a moment beats spinning. */
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
        return;
    }
    if (e.code || (kind == LINK && !peer_fits(s, fd))) return;
    /* Clients and the enclave have places of their own: no crowd of clients can keep a seal out. */
    uint64_t most = kind == CLIENT ? s->conf->clients : s->conf->links;
    if (s->of_kind[kind] < most) {
        start_child(s, kind, &fd);
        return;
    }
    log_warn("%s: %zu connections already, another was turned away", kind == LINK ? "link" : "clients", s->of_kind[kind]);
    if (kind == CLIENT) relay_turn_away(&fd);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* In a process of its own: a store that hangs must not keep anybody waiting. SIGTERM ends it wherever it is; what it was
 * copying was not named yet. */
static void keeper_main(struct server *s, pid_t parent)
{
    STORE_BACKEND store = NULL;
    size_t behind = 0;
    sigset_t none;
    const struct store_conf stores = parent_stores(s->conf);
    for (int k = 0; k < KINDS; k++) fd_close(&s->listeners[k]);
    fd_close(&s->signals);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigemptyset(&none);
    if (getppid() != parent || sigprocmask(SIG_SETMASK, &none, NULL) != 0) _exit(1);
    err e = store_open(&store, &stores, false);
    if (e.code == E_OK) e = store_many_catch_up(store, &behind);
    _exit(e.code || behind ? 1 : 0);
}

/* How long until it is time again: for poll(). */
static int keep_up(struct server *s)
{
    const int64_t left = s->keeper_next - now_ms();
    pid_t parent = getpid();
    if (!strchr(s->conf->stores, ',')) return -1;
    if (left > 0) return (int)left;
    s->keeper_next = now_ms() + CATCH_UP_MS;
    if (s->keeper) return CATCH_UP_MS;
    s->keeper = fork();
    if (s->keeper == 0) keeper_main(s, parent);
    if (s->keeper < 0) s->keeper = 0;
    return CATCH_UP_MS;
}

static err serve(struct server *s)
{
    while (!s->stopping) {
        struct pollfd p[3] = { { .fd = s->signals, .events = POLLIN }, { .fd = s->listeners[CLIENT], .events = POLLIN },
                               { .fd = s->listeners[LINK], .events = POLLIN } };
        if (poll(p, 3, keep_up(s)) < 0 && errno != EINTR) FAIL(E_IO, "waiting for connections");
        if (p[0].revents) read_signals(s);
        if (p[1].revents) accept_one(s, CLIENT);
        if (p[2].revents) accept_one(s, LINK);
    }
    return OK;
}

static void signal_children(const struct server *s, int number)
{
    for (size_t i = 0; i < s->count; i++) kill(s->children[i].pid, number);
}

static err wind_down(struct server *s)
{
    int64_t until = now_ms() + (int64_t)s->conf->stop * 1000;
    /* First nobody new, then word to those who are here. */
    fd_close(&s->listeners[CLIENT]);
    fd_close(&s->listeners[LINK]);
    if (s->keeper) kill(s->keeper, SIGTERM);
    signal_children(s, SIGTERM);
    reap(s);
    while (s->count > 0 && now_ms() < until) {
        struct pollfd p = { .fd = s->signals, .events = POLLIN };
        if (poll(&p, 1, (int)(until - now_ms() > 0 ? until - now_ms() : 0)) > 0) read_signals(s);
        reap(s);
    }
    if (s->count == 0) return OK;
    size_t left = s->count;
    signal_children(s, SIGKILL);
    FAIL(E_TIMEOUT, "%zu connections were still busy after %llu s and were cut off: their objects were dropped whole",
         left, (unsigned long long)s->conf->stop);
}

/* The address as it is now: a port of 0 has become a real one. */
static void real_address(char *out, size_t cap, const char *address, int fd)
{
    struct sockaddr_in at;
    socklen_t n = sizeof at;
    const char *colon = strrchr(address, ':');
    if (strncmp(address, "tcp:", 4) == 0 && colon && strcmp(colon, ":0") == 0 &&
        getsockname(fd, (struct sockaddr *)&at, &n) == 0)
        snprintf(out, cap, "%.*s:%u", (int)(colon - address), address, ntohs(at.sin_port));
    else
        snprintf(out, cap, "%s", address);
}

static err count_object(void *self, const struct store_entry *e)
{
    (void)e;
    ++*(size_t *)self;
    return OK;
}

static err open_all(struct server *s, struct run_ready *ready)
{
    STORE_BACKEND store = NULL;
    uint8_t head[LINK_HEAD_MAX];
    size_t head_len = 0;
    /* The store before the addresses: whoever can connect finds it open. */
    const struct store_conf stores = parent_stores(s->conf);
    TRY(store_open(&store, &stores, true));
    TRY(store->head_get(store, head, &head_len));
    TRY(store->list(store, count_object, &ready->objects));
    ready->head = head_len > 0;
    if (!ready->head && ready->objects)
        log_warn("store: %zu objects but no head: the enclave will refuse this store; put its head back", ready->objects);
    TRY(fd_listen(&s->listeners[LINK], s->conf->link, 0600));
    TRY(fd_listen(&s->listeners[CLIENT], s->conf->listen, 0600));
    real_address(ready->link, sizeof ready->link, s->conf->link, s->listeners[LINK]);
    real_address(ready->listen, sizeof ready->listen, s->conf->listen, s->listeners[CLIENT]);
    s->most = s->conf->clients + s->conf->links;
    s->children = calloc(s->most, sizeof *s->children);
    if (!s->children) FAIL(E_MEMORY, "a table of %zu connections", s->most);
    return signals_open(&s->signals);
}

err run_parent(const struct parent_config *conf, void (*ready)(void *, const struct run_ready *), void *self)
{
    __attribute__((cleanup(server_close))) struct server s = { .conf = conf, .listeners = { -1, -1 }, .signals = -1 };
    struct run_ready at = { 0 };
    TRY(open_all(&s, &at));
    signal(SIGPIPE, SIG_IGN);
    ready(self, &at);
    TRY(serve(&s));
    log_info("stopping: running puts may take %llu s", (unsigned long long)conf->stop);
    TRY(wind_down(&s));
    log_info("stopped");
    return OK;
}
