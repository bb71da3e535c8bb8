/* log.c - lines on standard error. Needs no file, no heap and no time zone, so
 * that it works the same behind a system call filter and in a dying process. */
#include "core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The last lines of each second's budget are kept for errors: a peer that
 * causes a flood of warnings must not hide the line that says why we died. */
enum { LINES_A_SECOND = 200, KEPT_FOR_ERRORS = 20, LINE_MAX_BYTES = 2048 };

static struct log_state {
    const char *process;
    enum log_level least;
    time_t second;            /* monotonic second the counts belong to */
    unsigned written;
    unsigned long dropped;
} state = { "holdfast", LOG_INFO, -1, 0, 0 };

void log_open(const char *process, enum log_level least)
{
    state.process = process;
    state.least = least;
}

struct line {
    char at[LINE_MAX_BYTES];
    size_t len;
};

static void line_add(struct line *l, const char *text)
{
    /* One byte stays free for the newline. */
    for (; *text && l->len < sizeof l->at - 1; text++)
        l->at[l->len++] = *text;
}

/* As line_add, with every byte that could move a cursor or start a line shown
 * as \xNN. Bytes above 0x7f pass except the C1 controls in UTF-8 (c2 80..9f). */
static void line_add_escaped(struct line *l, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
        bool plain = (*p >= 0x20 && *p != 0x7f && *p != '\\' && !c1) ||
                     (*p == '\\' && p[1] != 'x');
        if (plain && l->len < sizeof l->at - 1) {
            l->at[l->len++] = (char)*p;
        } else if (!plain && l->len + 4 < sizeof l->at) {
            const char shown[] = { '\\', 'x', digits[*p >> 4], digits[*p & 15] };
            memcpy(l->at + l->len, shown, sizeof shown);
            l->len += sizeof shown;
        }
    }
}

/* UTC from the clock by arithmetic: gmtime_r() would read /etc/localtime. Days
 * are counted in eras of 400 years that begin on 1 March (proleptic Gregorian). */
static void line_add_time(struct line *l)
{
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t secs = now.tv_sec > 0 ? now.tv_sec : 0;
    int64_t day_secs = secs % 86400;
    int64_t days = secs / 86400 + 719468;           /* since 0000-03-01 */
    int64_t era = days / 146097, of_era = days % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * of_year + 2) / 153;       /* 0 = March */
    int64_t day = of_year - (153 * shifted + 2) / 5 + 1;
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);

    char text[96];
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year, (int)month,
             (int)day, (int)(day_secs / 3600), (int)(day_secs / 60 % 60), (int)(day_secs % 60),
             (int)(now.tv_nsec / 1000000));
    line_add(l, text);
}

static void line_write(enum log_level level, const char *text)
{
    static const char *const names[] = { "DEBUG", "INFO", "WARN", "ERROR" };
    struct line l;
    l.len = 0;
    line_add_time(&l);
    line_add(&l, " ");
    line_add(&l, names[level]);
    line_add(&l, " ");
    line_add_escaped(&l, state.process);
    line_add(&l, ": ");
    line_add_escaped(&l, text);
    l.at[l.len++] = '\n';
    /* One write per line, so that lines of several processes do not mix. A log
     * that cannot be written has nowhere to say so. */
    ssize_t done;
    do
        done = write(STDERR_FILENO, l.at, l.len);
    while (done < 0 && errno == EINTR);
}

/* Counts the line against this second; says what an earlier second dropped. */
static bool within_budget(enum log_level level)
{
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec != state.second) {
        unsigned long dropped = state.dropped;
        state.second = now.tv_sec;
        state.written = 0;
        state.dropped = 0;
        if (dropped > 0) {
            char text[64];
            snprintf(text, sizeof text, "%lu lines were dropped: too many a second", dropped);
            line_write(LOG_WARN, text);
            state.written = 1;
        }
    }
    unsigned most = level == LOG_ERROR ? LINES_A_SECOND : LINES_A_SECOND - KEPT_FOR_ERRORS;
    if (state.written >= most) {
        state.dropped++;
        return false;
    }
    state.written++;
    return true;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if (level < state.least || level > LOG_ERROR)
        return;
    int saved = errno;
    if (within_budget(level)) {
        char text[1024];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        line_write(level, text);
    }
    errno = saved;
}
