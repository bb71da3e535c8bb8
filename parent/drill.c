/* drill.c - see drill.h. */
#include "parent/drill.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "parent/ask.h"
#include "parent/copy.h"
#include "parent/progress.h"
#include "parent/rewind.h"
#include "parent/run.h"
#include "parent/say.h"

enum { ASK_S = 5, DEEP_S = 600, END_S = 60 };

struct running {
    const struct drill *d;
    struct parent_config conf;
    char  dir[PARENT_PATH], url[PARENT_PATH + 8];
    pid_t parent, enclave;                   /* 0: not running                                  */
};

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    (void)remove(path);
    return 0;
}

/* Ask it to end, wait, insist. A group, since the program may be a script. */
static void end(pid_t *pid, bool group)
{
    if (*pid <= 0) return;
    const pid_t whom = group ? -*pid : *pid;
    kill(whom, SIGTERM);
    for (int i = 0; i < END_S * 20; i++) {
        const pid_t got = waitpid(*pid, NULL, WNOHANG);
        if (got == *pid || (got < 0 && errno == ECHILD)) {
            *pid = 0;
            break;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 50 * 1000 * 1000 }, NULL);
    }
    kill(whom, SIGKILL);
    if (*pid) waitpid(*pid, NULL, 0);
    *pid = 0;
}

/* The enclave first: its last seal needs the parent. */
static void running_end(struct running *r)
{
    end(&r->enclave, true);
    end(&r->parent, false);
    if (r->dir[0]) (void)nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
#define RUNNING __attribute__((cleanup(running_end))) struct running

static void signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(how, &set, NULL);
}

static enum exits configure(struct running *r)
{
    const struct drill *d = r->d;
    const char *listen = r->conf.listen;
    if (parent_config_read(&r->conf, d->config).code)
        return say_failure(d->call, EXIT_USAGE, NULL, "The line above says what is wrong.", "the configuration %s cannot be used", d->config);
    /* What the scratch enclave adds to its copy of the log must not be cosigned: the service's own next entry would then be refused. */
    r->conf.witness_policy[0] = 0;
    if (strncmp(listen, "unix:", 5) == 0) snprintf(r->url, sizeof r->url, "%s", listen);
    else if (strncmp(listen, "tcp:", 4) == 0) snprintf(r->url, sizeof r->url, "http://%s", listen + 4);
    else return say_failure(d->call, EXIT_USAGE, NULL, NULL, "%s: [parent] listen must be tcp:HOST:PORT or unix:PATH", d->config);
    return EXIT_DONE;
}

static enum exits copy(struct running *r)
{
    const struct drill *d = r->d;
    STORE_BACKEND to = NULL;
    struct copy_report report;
    struct progress p;
    if ((size_t)snprintf(r->dir, sizeof r->dir, "%s/holdfast-drill-XXXXXX", d->scratch) >= sizeof r->dir || !mkdtemp(r->dir)) {
        r->dir[0] = 0;
        return say_failure(d->call, EXIT_REFUSED, NULL, "--scratch names a folder with room for a copy.", "%s: no folder can be made there: %s", d->scratch, strerror(errno));
    }
    err e = store_dir_open(&to, r->dir, true);
    progress_begin(&p, "copying the store", 0);
    if (!e.code) e = store_copy(&report, d->store, to, false, &p);
    progress_end(&p);
    if (e.code) return say_failure(d->call, EXIT_REFUSED, NULL, "`holdfast backup verify` tells more.", "the store cannot be copied: %s", err_text(e.code));
    if (!d->older) return EXIT_DONE;
    struct rewind_report back;
    e = store_rewind(&back, to, &(struct rewind_to){ .value = d->generation });
    if (e.code) return say_failure(d->call, EXIT_REFUSED, NULL, "`holdfast backups` lists the generations there are.", "generation %llu cannot be tried: %s", (unsigned long long)d->generation, err_text(e.code));
    return EXIT_DONE;
}

static void ready(void *self, const struct run_ready *at)
{
    (void)at;
    (void)!write(*(int *)self, "r", 1);
}

/* A parent that cannot listen must be known before anybody is asked: who answers at its address would be another. */
static enum exits start_parent(struct running *r)
{
    int ends[2];
    char byte;
    snprintf(r->conf.stores, sizeof r->conf.stores, "%s", r->dir);
    r->conf.store_dir[0] = 0;
    r->conf.durable = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) return say_failure(r->d->call, EXIT_REFUSED, NULL, NULL, "making a pipe: %s", strerror(errno));
    FD in = ends[0];
    FD out = ends[1];
    r->parent = fork();
    if (r->parent == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        log_open("drill", LOG_WARN);
        _exit(run_parent(&r->conf, ready, &out).code ? 1 : 0);
    }
    fd_close(&out);
    if (r->parent > 0 && read(in, &byte, 1) == 1) return EXIT_DONE;
    return say_failure(r->d->call, EXIT_USAGE, NULL, "The lines above say why; its addresses must be other ones than the running parent's.", "the scratch parent did not start");
}

static enum exits start(struct running *r)
{
    enum exits code = start_parent(r);
    if (code != EXIT_DONE) return code;
    if (r->d->start) {
        r->enclave = fork();
        if (r->enclave == 0) {
            setpgid(0, 0);
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            signals(SIG_UNBLOCK);
            dup2(2, 1);                      /* standard output is for the result */
            execl(r->d->start, r->d->start, (char *)NULL);
            fprintf(stderr, "holdfast: %s: %s\n", r->d->start, strerror(errno));
            _exit(127);
        }
    }
    if (r->enclave < 0) return say_failure(r->d->call, EXIT_REFUSED, NULL, NULL, "starting a process: %s", strerror(errno));
    return EXIT_DONE;
}

static bool gone(pid_t *pid)
{
    int how;
    if (*pid <= 0 || waitpid(*pid, &how, WNOHANG) != *pid) return false;
    *pid = 0;
    return true;
}

static json_t *ask(const struct running *r, const char *path, const char *body, long seconds)
{
    HTTP_ANSWER a = { 0 };
    const struct http_request q = { .url = r->url, .path = path, .body = body, .type = "application/json", .timeout_s = seconds };
    if (http_call(&a, &q).code || a.status != 200 || !a.body) return NULL;
    return json_loadb((const char *)a.body, a.len, 0, NULL);
}

/* Wait a moment. False: this program is asked to end. */
static bool moment(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return sigtimedwait(&set, NULL, &(struct timespec){ .tv_nsec = 300 * 1000 * 1000 }) < 0;
}

static enum exits wait_serving(struct running *r)
{
    const struct call *c = r->d->call;
    const time_t until = time(NULL) + r->d->wait_s;
    for (;;) {
        JSON status = ask(r, "/status", NULL, ASK_S);
        const char *phase = json_string_value(json_object_get(status, "phase"));
        if (phase && strcmp(phase, "serving") == 0) return EXIT_DONE;
        /* All is restored; where witnesses have to cosign a start, they are not asked to cosign this one. */
        if (phase && strcmp(phase, "witnessing") == 0) return EXIT_DONE;
        if (phase && strcmp(phase, "awaiting-setup") == 0)
            return say_failure(c, EXIT_REFUSED, NULL, "Is another parent at the address its configuration names?", "the scratch enclave found no service to restore");
        if (gone(&r->parent)) return say_failure(c, EXIT_REFUSED, NULL, "The lines above say why.", "the scratch parent ended");
        if (gone(&r->enclave)) return say_failure(c, EXIT_REFUSED, NULL, "Its lines above say why. It must stay until SIGTERM.", "the scratch enclave ended before it served");
        if (time(NULL) >= until) return say_failure(c, EXIT_REFUSED, NULL, "--wait SECONDS waits longer.", "the scratch enclave did not serve within %u s", r->d->wait_s);
        if (!moment()) return say_failure(c, EXIT_REFUSED, NULL, NULL, "the drill was cut off");
    }
}

static enum exits look(struct drilled *found, const struct running *r)
{
    JSON deep = ask(r, "/backup/verify", "", DEEP_S);
    JSON key = ask(r, "/public-key", NULL, ASK_S);
    JSON list = ask(r, "/requests?limit=1", NULL, ASK_S);
    const char *text = json_string_value(json_object_get(key, "public_key"));
    if (!deep || !list || !text) return say_failure(r->d->call, EXIT_REFUSED, NULL, "Its lines above say why.", "the scratch enclave serves, and did not answer");
    snprintf(found->public_key, sizeof found->public_key, "%s", text);
    found->generation = (uint64_t)json_integer_value(json_object_get(deep, "generation"));
    found->bytes = (uint64_t)json_integer_value(json_object_get(deep, "bytes"));
    found->requests = (uint64_t)json_integer_value(json_object_get(list, "total"));
    found->authentic = json_is_true(json_object_get(deep, "authentic"));
    if (found->authentic) return EXIT_DONE;
    return say_failure(r->d->call, EXIT_REFUSED, NULL, "`holdfast backup verify --deep` asks the running enclave the same.", "the scratch enclave restored, and then read back something else");
}

enum exits drill_run(struct drilled *found, const struct drill *d)
{
    RUNNING r = { .d = d };
    *found = (struct drilled){ 0 };
    enum exits code = configure(&r);
    if (code != EXIT_DONE) return code;
    signals(SIG_BLOCK);
    code = copy(&r);
    const time_t began = time(NULL);
    if (code == EXIT_DONE) code = start(&r);
    if (code == EXIT_DONE) code = wait_serving(&r);
    found->seconds = (uint64_t)(time(NULL) - began);
    return code == EXIT_DONE ? look(found, &r) : code;
}
