/* child.c - see child.h. */
#include "tests/support/child.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int child_wait(pid_t pid)
{
    int status = 0;
    if (waitpid(pid, &status, 0) != pid)
        abort();
    return status;
}

pid_t child_start(child_body *body, void *ctx)
{
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        body(ctx);
        _exit(0);
    }
    return pid;
}

struct redirected {
    child_body *body;
    void *ctx;
    int pipe[2];
};

static void run_redirected(void *of)
{
    struct redirected *r = of;
    dup2(r->pipe[1], STDERR_FILENO);
    close(r->pipe[0]);
    close(r->pipe[1]);
    r->body(r->ctx);
}

int child_run(child_body *body, void *ctx, char *err_text, size_t cap)
{
    if (!err_text)
        return child_wait(child_start(body, ctx));
    struct redirected r = { body, ctx, { -1, -1 } };
    if (pipe(r.pipe) != 0)
        abort();
    pid_t pid = child_start(run_redirected, &r);
    close(r.pipe[1]);
    size_t n = 0;
    for (;;) {
        /* Read to the end even when the room is full, so that the child never blocks. */
        char spill[4096];
        ssize_t got = n + 1 < cap ? read(r.pipe[0], err_text + n, cap - 1 - n)
                                  : read(r.pipe[0], spill, sizeof spill);
        if (got <= 0)
            break;
        if (n + 1 < cap)
            n += (size_t)got;
    }
    err_text[n] = '\0';
    close(r.pipe[0]);
    return child_wait(pid);
}

int exited(int status, int code)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

int died(int status, int signal)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}
