/* log.h - one line per event, on standard error.
 *
 * The only state of this process besides the arena: a name and a level. Lines
 * look like `2026-11-21T04:00:00.123Z WARN keeper: text`. Control characters
 * in a line are shown as \xNN, so that no peer can forge a second line. At most
 * 200 lines a second are written, the last 20 of them only for LOG_ERROR; the rest
 * are counted and the count is told. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Name this process (kept by reference, so a literal) and set the least level shown. */
void log_open(const char *process, enum log_level least);
/* Write a line. Never put a secret here: `secret` cannot be formatted, keep it so. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif
