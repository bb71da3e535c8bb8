/* cmd_log.c - `holdfast log requests`: what the service was asked, and what it said, from its own state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parent/ask.h"
#include "parent/cmd_log.h"
#include "parent/say.h"

enum { LIST_S = 60 };

/* UTC, @SECONDS, or so long before now: 90s, 15m, 2h, 7d. */
static bool read_since(long long *out, const char *text)
{
    static const struct { char unit; long long seconds; } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    struct tm at = { 0 };
    const bool unix_time = text[0] == '@';
    const char *digits = unix_time ? text + 1 : text, *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &at);
    if (end && !*end) {
        *out = (long long)timegm(&at);
        return *out >= 0;
    }
    const size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 15) return false;
    *out = strtoll(digits, NULL, 10);
    if (unix_time) return !digits[n];
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (digits[n] != units[i].unit || digits[n + 1]) continue;
        if (*out > 1000000000 / units[i].seconds) return false;
        *out = (long long)time(NULL) - *out * units[i].seconds;
        return *out >= 0;
    }
    return false;
}

static void put_column(const json_t *row, const char *name, int width, int most)
{
    const char *text = json_string_value(json_object_get(row, name));
    const size_t n = text ? strnlen(text, (size_t)most) : 0;
    say_text(n ? text : "-", n ? n : 1);
    for (int i = n ? (int)n : 1; i <= width; i++) putchar(' ');
}

static void put_row(const json_t *row)
{
    const time_t at = (time_t)json_integer_value(json_object_get(row, "time"));
    const char *text = json_string_value(json_object_get(row, "text"));
    char when[32] = "-";
    struct tm utc;
    if (gmtime_r(&at, &utc)) strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    printf("%-20s ", when);
    put_column(row, "txid", 64, 64);
    put_column(row, "input", 8, 240);
    put_column(row, "rules", 12, 32);
    put_column(row, "request_hash", 16, 16);
    if (json_integer_value(json_object_get(row, "status")) == 200)
        printf("%s", json_integer_value(json_object_get(row, "signed")) ? "signed" : "nothing to sign");
    else say_text(text ? text : "refused", text ? strlen(text) : 7);
    putchar('\n');
}

static void show(const json_t *body)
{
    size_t i;
    json_t *row;
    printf("%-20s %-64s %-8s %-12s %-16s %s\n", "TIME", "TRANSACTION", "INPUT", "RULES", "REQUEST", "VERDICT");
    json_array_foreach(json_object_get(body, "requests"), i, row) put_row(row);
    printf("%zu shown, %lld in all\n", json_array_size(json_object_get(body, "requests")), (long long)json_integer_value(json_object_get(body, "total")));
}

enum exits log_requests(const struct call *c)
{
    JSON body = NULL;
    unsigned long long limit, before;
    long long since = 0;
    char path[128];
    const char *text = call_value(c, "since");
    if (!call_number(&limit, c, "limit", 100, 1, 1000) || !call_number(&before, c, "before", 0, 0, INT64_MAX)) return EXIT_USAGE;
    if (text && !read_since(&since, text))
        return say_failure(c, EXIT_USAGE, NULL, "For example 2h, 7d, 2026-11-27T12:00:00Z or @1795780800.", "log requests: --since `%.40s` is no time", text);
    snprintf(path, sizeof path, "/requests?limit=%llu&before=%llu&since=%lld", limit, before, since);
    enum exits code = call_ask_channel(c, &body, &(struct http_request){ .url = call_url(c), .path = path, .timeout_s = LIST_S });
    if (code != EXIT_DONE) return code;
    if (c->json || !json_is_array(json_object_get(body, "requests"))) return call_show(c, &body);
    show(body);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}
