/* progress.c - one line, drawn over. */
#include "parent/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { EVERY_MS = 200 };

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void progress_size(char out[static 16], uint64_t bytes)
{
    static const char units[] = "BKMGTP";
    double value = (double)bytes;
    unsigned u = 0;
    while (value >= 1024 && u < 5) {
        value /= 1024;
        u++;
    }
    snprintf(out, 16, u ? "%.1f%c" : "%.0f%c", value, units[u]);
}

void progress_begin(struct progress *p, const char *what, uint64_t total)
{
    *p = (struct progress){ .what = what, .total = total, .began = now_ms(), .visible = isatty(STDERR_FILENO) == 1 };
}

void progress_add(struct progress *p, uint64_t n)
{
    char done[16], total[16], rate[16];
    if (!p) return;
    p->done += n;
    const int64_t now = now_ms(), ms = now - p->began;
    if (!p->visible || ms <= 0 || now - p->shown < EVERY_MS) return;
    p->shown = now;
    const double each = (double)p->done / (double)ms;        /* bytes a millisecond */
    const double left = p->total > p->done && each > 0 ? (double)(p->total - p->done) / each / 1000 : 0;
    progress_size(done, p->done);
    progress_size(total, p->total);
    progress_size(rate, (uint64_t)(each * 1000));
    fprintf(stderr, "\r%s: %s of %s, %s/s, %.0f s to go \033[K", p->what, done, total, rate, left);
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->visible && p->shown) fputs("\r\033[K", stderr);
}
