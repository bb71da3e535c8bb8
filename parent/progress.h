/* progress.h - bytes, rate and time to go, on a terminal.
 *
 * Quiet where standard error is no terminal: a log of cron should hold results only. */
#ifndef PARENT_PROGRESS_H
#define PARENT_PROGRESS_H
#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what;                        /* borrowed */
    uint64_t total, done;                    /* bytes */
    int64_t  began, shown;                   /* milliseconds of the monotonic clock */
    bool     visible;
};

void progress_begin(struct progress *p, const char *what, uint64_t total);
/* n bytes more; draws at most five times a second. `p` may be NULL. */
void progress_add(struct progress *p, uint64_t n);
/* Wipe the line. */
void progress_end(struct progress *p);
/* 1234567 as `1.2M`. */
void progress_size(char out[static 16], uint64_t bytes);

#endif
