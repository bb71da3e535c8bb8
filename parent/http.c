#include "parent/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

struct sink { struct http_answer *answer; size_t room; bool too_long; };
struct progress { const char *what; curl_off_t shown; };

void http_answer_drop(struct http_answer *a)
{
    mem_free_bytes(&a->body);
}

static size_t take(char *p, size_t size, size_t count, void *self)
{
    struct sink *s = self;
    size_t n = size * count;
    if (n > HTTP_ANSWER_MAX - s->answer->len) {
        s->too_long = true;
        return 0;
    }
    if (s->answer->len + n + 1 > s->room) {
        size_t room = s->room * 2 > s->answer->len + n + 1 ? s->room * 2 : s->answer->len + n + 1;
        uint8_t *more = realloc(s->answer->body, room);
        if (!more) return 0;
        s->answer->body = more;
        s->room = room;
    }
    memcpy(s->answer->body + s->answer->len, p, n);
    s->answer->len += n;
    s->answer->body[s->answer->len] = '\0';
    return n;
}

/* A line that is written over each second; only where a person looks at it. */
static int show(void *self, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    struct progress *p = self;
    (void)down_all, (void)down, (void)up_all, (void)up;
    p->shown++;
    /* curl calls at least once a second. */
    fprintf(stderr, "\r%s %c", p->what, "|/-\\"[p->shown % 4]);
    return 0;
}

static void drop_curl(CURL **c)
{
    if (*c) curl_easy_cleanup(*c);
}

static void drop_list(struct curl_slist **l)
{
    curl_slist_free_all(*l);
}

static bool set_up(CURL *c, char *url, size_t cap, const struct http_request *r)
{
    bool local = strncmp(r->url, "unix:", 5) == 0;
    size_t base = strlen(r->url);
    while (base > 0 && r->url[base - 1] == '/') base--;
    int n = local ? snprintf(url, cap, "http://localhost%s", r->path)
                  : snprintf(url, cap, "%.*s%s", (int)base, r->url, r->path);
    bool ok = n > 0 && (size_t)n < cap && curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK;
    if (local) ok = ok && curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, r->url + 5) == CURLE_OK;
    /* What runs on this machine is never reached by way of a proxy. */
    ok = ok && curl_easy_setopt(c, CURLOPT_NOPROXY, local ? "*" : "localhost,127.0.0.1,::1") == CURLE_OK;
    ok = ok && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok = ok && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L) == CURLE_OK;
    return ok && curl_easy_setopt(c, CURLOPT_TIMEOUT, r->timeout_s) == CURLE_OK;
}

static bool set_body(CURL *c, struct curl_slist **headers, const struct http_request *r)
{
    if (!r->body) return true;
    /* No `Expect: 100-continue`: it would cost a round trip, and a relay need not know it. */
    char type[96];
    snprintf(type, sizeof type, "Content-Type: %s", r->type ? r->type : "application/json");
    struct curl_slist *one = curl_slist_append(NULL, type);
    struct curl_slist *two = one ? curl_slist_append(one, "Expect:") : NULL;
    *headers = two ? two : one;
    return two && curl_easy_setopt(c, CURLOPT_HTTPHEADER, two) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)r->body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len) == CURLE_OK;
}

static err outcome(struct http_answer *out, const struct http_request *r, CURLcode rc, bool too_long)
{
    if (rc == CURLE_OK) return OK;
    if (too_long) snprintf(out->reason, sizeof out->reason, "the answer is longer than %d MiB", HTTP_ANSWER_MAX >> 20);
    else if (!out->reason[0]) snprintf(out->reason, sizeof out->reason, "%s", curl_easy_strerror(rc));
    if (too_long) return (err){ E_LIMIT };
    if (rc == CURLE_OPERATION_TIMEDOUT) return (err){ E_TIMEOUT };
    if (rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL)
        FAIL(E_FORMAT, "`%s` is no address: http://HOST:PORT or unix:PATH is expected", r->url);
    return (err){ rc == CURLE_OUT_OF_MEMORY ? E_MEMORY : E_CLOSED };
}

err http_call(struct http_answer *out, const struct http_request *r)
{
    __attribute__((cleanup(drop_curl))) CURL *c = NULL;
    __attribute__((cleanup(drop_list))) struct curl_slist *headers = NULL;
    struct sink sink = { .answer = out, .room = 1 };
    struct progress progress = { .what = r->progress };
    char url[1024];
    memset(out, 0, sizeof *out);
    TRY(mem_new(&out->body, 1));
    if (!(c = curl_easy_init())) FAIL(E_MEMORY, "an HTTP client");
    if (!set_up(c, url, sizeof url, r) || !set_body(c, &headers, r) ||
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_WRITEDATA, &sink) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_ERRORBUFFER, out->reason) != CURLE_OK)
        FAIL(E_FORMAT, "`%s` is no address that can be used", r->url);
    bool shown = r->progress && isatty(STDERR_FILENO);
    if (shown && (curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, show) != CURLE_OK ||
                  curl_easy_setopt(c, CURLOPT_XFERINFODATA, &progress) != CURLE_OK ||
                  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) != CURLE_OK))
        shown = false;
    CURLcode rc = curl_easy_perform(c);
    if (shown) fputs("\r\033[K", stderr);
    char *type = NULL;
    if (curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &out->status) != CURLE_OK) out->status = 0;
    if (curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type)
        out->json = strncmp(type, "application/json", 16) == 0;
    return outcome(out, r, rc, sink.too_long);
}
