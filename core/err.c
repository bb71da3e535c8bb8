/* err.c - failures: told once, where they are found. */
#include "core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

/* __FILE__ depends on where the build stands; the last folder and the name are
 * what a reader looks for, and the rest would tell of the builder's machine. */
static const char *place(const char *file)
{
    const char *last = NULL, *before = NULL;
    for (const char *p = file; *p; p++)
        if (*p == '/') {
            before = last;
            last = p;
        }
    if (before)
        return before + 1;
    return file[0] == '/' && last ? last + 1 : file;
}

err err_log(enum err_code code, const char *file, int line, const char *fmt, ...)
{
    /* Taken first: formatting may disturb it. */
    int why = errno;
    char text[768];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);

    if (code == E_IO && why != 0) {
        const char *words = strerrordesc_np(why);
        log_warn("%s: %s: %s (%s:%d)", err_text(code), text, words ? words : "unknown errno",
                 place(file), line);
    } else {
        log_warn("%s: %s (%s:%d)", err_text(code), text, place(file), line);
    }
    errno = why;
    return (err){ code };
}

void must_failed(const char *cond, const char *file, int line)
{
    log_error("broken invariant: %s (%s:%d)", cond, place(file), line);
    abort();
}

struct code_row {
    const char *text;
    int http;
};

static const struct code_row code_rows[E_CODES] = {
    [E_OK] = { "ok", 200 },
    [E_FORMAT] = { "bad format", 400 },
    [E_LIMIT] = { "over a limit", 413 },
    [E_AUTH] = { "not authentic", 401 },
    [E_DENIED] = { "not permitted", 403 },
    [E_STATE] = { "not in this state", 409 },
    [E_ABSENT] = { "absent", 404 },
    [E_CLOSED] = { "closed by the peer", 502 },
    [E_TIMEOUT] = { "timed out", 504 },
    [E_IO] = { "input/output error", 500 },
    [E_MEMORY] = { "no memory", 500 },
};

const char *err_text(enum err_code code)
{
    return (unsigned)code < E_CODES ? code_rows[code].text : "unknown error";
}

int err_http(enum err_code code)
{
    return (unsigned)code < E_CODES ? code_rows[code].http : 500;
}
