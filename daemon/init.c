#include "daemon/init.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/sandbox.h"
#include "daemon/roles.h"
#include "diskcrypt/image.h"
#include "keystore/nsm.h"

enum { WEB_STOP_MS = 8000, DISK_STOP_MS = 120000, SUSPECT_MS = 500, EXIT_KILLED = 80, EXIT_STALLED = 81 };

uint64_t init_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

err init_mount_point(char *out, size_t room, const struct daemon_config *c)
{
    int n = snprintf(out, room, "%s/state", c->disk_dir);
    if (n < 0 || (size_t)n >= room) FAIL(E_LIMIT, "the disk's directory name is too long");
    return OK;
}

/* mkdir -p, in init's own namespace; the folders are root's alone. */
static err make_dirs(const char *path)
{
    char part[CONFIG_PATH + 8];
    size_t n = strlen(path);
    if (n >= sizeof part) FAIL(E_LIMIT, "%s: too long", path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i]) continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0755) && errno != EEXIST) FAIL(E_IO, "mkdir %s", part);
    }
    return OK;
}

/* The disk exists only in a mount namespace of the enclave's own and in memory:
 * whatever ends these processes, nothing of it stays behind. The tmpfs has room
 * for the image alone; what a restore needs beyond it is refused by its size. */
static err prepare_disk(struct init *in)
{
    char state[CONFIG_PATH + 8];
    if (geteuid() != 0) FAIL(E_IO, "the disk needs root: loop devices and mounts; start holdfastd as root");
    TRY(make_dirs(in->config.disk_dir));
    TRY(image_namespace());
    TRY(image_tmpfs(in->config.disk_dir, in->config.disk_size_max + (in->config.disk_size_max >> 4) + (4u << 20)));
    TRY(init_mount_point(state, sizeof state, &in->config));
    /* The path must be passable for the book's uid; what lies in it is behind the inner mount's mode. */
    if (chmod(in->config.disk_dir, 0711)) FAIL(E_IO, "chmod %s", in->config.disk_dir);
    if (mkdir(state, 0700)) FAIL(E_IO, "mkdir %s", state);
    return OK;
}

static err open_nsm(struct init *in)
{
    TRY(nsm_connect(&in->nsm, in->config.nsm_device));
    if (in->config.nsm_device[0] != '/') {
        log_warn("SIMULATED: the security module is %s, not Nitro hardware", in->config.nsm_device);
        return OK;
    }
    /* The driver makes the node world-writable; in the enclave it is the keeper's alone. */
    if (chmod(in->config.nsm_device, 0600)) FAIL(E_IO, "chmod %s", in->config.nsm_device);
    return OK;
}

static err watch_signals(struct init *in)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL)) FAIL(E_IO, "sigprocmask");
    in->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (in->signals < 0) FAIL(E_IO, "signalfd");
    return OK;
}

static void end(struct init *in, int status)
{
    if (in->ended) return;
    in->ended = true;
    in->status = status;
}

static struct child *find(struct init *in, enum role_id role)
{
    for (unsigned i = 0; i < in->count; i++)
        if (in->children[i].role == role) return &in->children[i];
    return NULL;
}

/* Stop in order: no new requests, then the last seal, then everybody. */
static void stop_next(struct init *in, enum stage stage, enum role_id who, uint64_t limit_ms)
{
    in->stage = stage;
    in->stage_until_ms = init_now_ms() + limit_ms;
    struct child *c = find(in, who);
    if (!c || !c->pid || msg_send(c->control, CTL_STOP, 0, NULL, 0, 5000).code) end(in, EXIT_KILLED);
}

static void on_term(struct init *in)
{
    if (in->stage != RUNNING) return;
    log_info("asked to stop: finishing requests, then the last seal");
    stop_next(in, STOPPING_WEB, ROLE_WEB, WEB_STOP_MS);
}

/* Was this death part of stopping? */
static bool expected(struct init *in, const struct child *c, int how)
{
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0) return false;
    if (role_table[c->role].flags & ROLE_ON_CALL) return true;
    if (in->stage == STOPPING_WEB && c->role == ROLE_WEB) {
        stop_next(in, STOPPING_DISK, ROLE_DISK, DISK_STOP_MS);
        return true;
    }
    if (in->stage == STOPPING_DISK && c->role == ROLE_DISK) {
        end(in, 0);
        return true;
    }
    return false;
}

static void blame(struct init *in, enum role_id role, const char *what, int status)
{
    log_error("role %s died (%s): the enclave ends", role_name(role), what);
    end(in, status);
}

/* A dying role's channels close before init hears of its death, so a peer that ends
 * because of that may be reported first: wait a moment for the one to blame. */
static void suspect(struct init *in, enum role_id role)
{
    if (in->suspect.set) return;
    in->suspect.set = true;
    in->suspect.role = role;
    in->suspect.until_ms = init_now_ms() + SUSPECT_MS;
}

static void on_death(struct init *in, struct child *c, int how)
{
    char what[48];
    const bool lost_peer = WIFEXITED(how) && WEXITSTATUS(how) == role_exit_status((err){ E_CLOSED });
    const bool repaired = (role_table[c->role].flags & ROLE_RESTART) != 0;
    c->pid = 0;
    fd_close(&c->control);
    if (expected(in, c, how)) return;
    if (WIFSIGNALED(how)) snprintf(what, sizeof what, "signal %d%s", WTERMSIG(how), WTERMSIG(how) == SIGSYS ? " (forbidden system call)" : "");
    else snprintf(what, sizeof what, "exit status %d", WEXITSTATUS(how));
    if (repaired && (in->stage != RUNNING || in->suspect.set)) return;
    if (repaired && !lost_peer) {
        log_warn("role %s %u died (%s): starting it again", role_name(c->role), c->instance, what);
        if (!spawn_again(in, c).code) return;
    }
    if (lost_peer) suspect(in, c->role);
    else blame(in, c->role, what, WIFEXITED(how) && WEXITSTATUS(how) ? WEXITSTATUS(how) : EXIT_KILLED);
}

static void check_deadlines(struct init *in)
{
    uint64_t now = init_now_ms();
    if (in->ended) return;
    if (in->suspect.set && now >= in->suspect.until_ms) blame(in, in->suspect.role, "a peer was gone", role_exit_status((err){ E_CLOSED }));
    else if (in->stage != RUNNING && now > in->stage_until_ms) {
        log_error("stopping took too long; what was not sealed is lost");
        end(in, EXIT_STALLED);
    }
}

/* By pid, never any child: image_mkfs() waits for one of its own. */
static void reap_one(struct init *in, pid_t pid)
{
    int how;
    for (unsigned i = 0; i < in->count && !in->ended; i++) {
        struct child *c = &in->children[i];
        if (c->pid && (!pid || c->pid == pid) && waitpid(c->pid, &how, WNOHANG) == c->pid) on_death(in, c, how);
    }
}

/* Where one role dies its peers soon follow. A pending SIGCHLD names the first of
 * them, and that one is the cause: it is looked at before the rest. */
static void on_signals(struct init *in)
{
    struct signalfd_siginfo s;
    while (read(in->signals, &s, sizeof s) == sizeof s) {
        if (s.ssi_signo == SIGCHLD) reap_one(in, (pid_t)s.ssi_pid);
        else on_term(in);
    }
    reap_one(in, 0);
}

static void on_frame(struct init *in, struct child *c)
{
    err e = init_serve(in, c);
    if (!e.code) return;
    /* A closed channel is a death being reported; anything else is a role that may not go on. */
    if (e.code != E_CLOSED) {
        log_error("role %s broke the rules: it is ended", role_name(c->role));
        kill(c->pid, SIGKILL);
    }
    fd_close(&c->control);
}

static void turn(struct init *in)
{
    check_deadlines(in);
    if (in->ended) return;
    struct pollfd fds[1 + CHILDREN_MAX] = { { .fd = in->signals, .events = POLLIN } };
    for (unsigned i = 0; i < in->count; i++)
        fds[1 + i] = (struct pollfd){ .fd = in->children[i].control, .events = POLLIN };
    int wait = in->stage == RUNNING && !in->suspect.set ? 60000 : 100;
    int n = poll(fds, 1 + in->count, wait);
    MUST(n >= 0 || errno == EINTR);
    if (fds[0].revents) {
        on_signals(in);                        /* may have replaced channels: poll again before reading them */
        return;
    }
    for (unsigned i = 0; i < in->count && !in->ended; i++)
        if (fds[1 + i].revents) on_frame(in, &in->children[i]);
}

static err prepare(struct init *in, const char *config_path)
{
    TRY(daemon_config_read(&in->config, config_path));
    /* A judge waits while its signature is made and while the book writes: with as many as processors, some of these would idle. */
    if (!in->config.judges) in->config.judges = (uint64_t)get_nprocs() + 4;
    if (in->config.judges > JUDGES_MAX) in->config.judges = JUDGES_MAX;
    TRY(watch_signals(in));
    TRY(open_nsm(in));
    TRY(prepare_disk(in));
    TRY(fd_listen(&in->listener, in->config.web_listen, 0666));
    const struct sandbox box = { .uid = 0, .init = true, .calls = calls_init, .max_fds = 8192 };
    TRY(sandbox_enter(&box));
    return spawn_all(in);
}

int init_run(const char *config_path)
{
    struct init in = { .signals = -1, .listener = -1, .nsm = -1, .image_fd = -1 };
    log_open("init", LOG_INFO);
    log_info("holdfastd " HOLDFAST_VERSION " starts with %s", config_path);
    err e = prepare(&in, config_path);
    if (e.code) end(&in, role_exit_status(e));
    else if (!in.config.witness_policy[0]) log_warn("freshness: none (no witnesses are configured: an old state would not be noticed)");
    else log_info("freshness: witnesses, by %s", in.config.witness_policy);
    while (!in.ended) turn(&in);
    spawn_kill_all(&in);
    image_close(&in.image);
    fd_close(&in.image_fd);
    fd_close(&in.listener);
    fd_close(&in.nsm);
    fd_close(&in.signals);
    log_info("holdfastd ends with status %d", in.status);
    return in.status;
}
