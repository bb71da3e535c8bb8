/* prop_keystore_sigv4.c - random requests and what sigv4.c makes of them, a JSON line each, for tests/models/sigv4.py.
 *
 * Usage: prop_keystore_sigv4 SEED COUNT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "keystore/sigv4.h"

static uint64_t state;

static unsigned below(unsigned n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

/* n characters of `from`, NUL-terminated. */
static char *some(char *out, size_t n, const char *from)
{
    for (size_t i = 0; i < n; i++) out[i] = from[below((unsigned)strlen(from))];
    out[n] = 0;
    return out;
}

static void tell(const char *name, const char *text, const char *end)
{
    char hex[4096];
    hex_from(hex, text, strlen(text));
    printf("\"%s\":\"%s\"%s", name, hex, end);
}

static void one_case(void)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz", values[] = "ab Z09;:,/+=\t  é\"\\";
    char names[SIGV4_HEADERS_MAX][16], texts[SIGV4_HEADERS_MAX][64], body[256], secret[64], access[32], time[SIGV4_TIME], auth[SIGV4_AUTH_MAX];
    struct sigv4_header h[SIGV4_HEADERS_MAX];
    struct sigv4_scope s = { .service = "kms" };
    size_t count = 1 + below(SIGV4_HEADERS_MAX);
    for (size_t i = 0; i < count; i++) {
        /* A different second part makes all names different; a short one in front varies the order. */
        snprintf(names[i], sizeof names[i], "%s-%zu", some((char[8]){ 0 }, 1 + below(3), letters), i);
        h[i] = (struct sigv4_header){ names[i], some(texts[i], below(40), values) };
    }
    some(body, below(200), values);
    some(secret, 1 + below(60), "abcXYZ019/+");
    some(access, 16, "ABCDEF0123456789");
    some(s.region, 3 + below(10), letters);
    sigv4_time(time, (int64_t)below(4000000) * 1000);
    memcpy(s.date, time, 8);
    const struct sigv4_request q = { .method = below(2) ? "POST" : "GET", .path = "/", .query = "", .headers = h, .header_count = count,
                                     .body = body, .body_len = strlen(body) };
    MUST(sigv4_authorization(auth, sizeof auth, &q, time, &s, access, secret).code == E_OK);
    putchar('{');
    tell("method", q.method, ",");
    tell("body", body, ",");
    tell("secret", secret, ",");
    tell("access", access, ",");
    tell("region", s.region, ",");
    tell("time", time, ",\"headers\":[");
    for (size_t i = 0; i < count; i++) {
        putchar('{');
        tell("name", names[i], ",");
        tell("value", texts[i], i + 1 < count ? "}," : "}");
    }
    printf("],");
    tell("authorization", auth, "}\n");
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    state = strtoull(argv[1], NULL, 10);
    for (long n = strtol(argv[2], NULL, 10); n > 0; n--) one_case();
    return 0;
}
