/* child.h - run a piece of a test in a process of its own. */
#ifndef TESTS_SUPPORT_CHILD_H
#define TESTS_SUPPORT_CHILD_H
#include <stddef.h>
#include <sys/types.h>

typedef void child_body(void *ctx);

/* Fork, run the body, _exit(0). Returns waitpid()'s status. What the child writes to
 * standard error goes to `err_text` (cap bytes with NUL; NULL: left as it is). */
int  child_run(child_body *body, void *ctx, char *err_text, size_t cap);
/* Fork and return at once; child_wait() gives the status. */
pid_t child_start(child_body *body, void *ctx);
int  child_wait(pid_t pid);
/* Status words: exited with `code`; died by `signal`. */
int  exited(int status, int code);
int  died(int status, int signal);

#endif
