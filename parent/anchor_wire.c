/* anchor_wire.c - see anchor_wire.h. */
#include "parent/anchor_wire.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

enum { CONNECT_MS = 3000 };

struct wires { CURLM *multi; struct curl_slist *headers; };

err wires_open(struct wires **out)
{
    struct wires *w = calloc(1, sizeof *w);
    if (!w) FAIL(E_MEMORY, "an HTTP client");
    w->multi = curl_multi_init();
    w->headers = curl_slist_append(NULL, "Content-Type: text/plain; charset=utf-8");
    if (!w->multi || !w->headers) {
        wires_close(&w);
        FAIL(E_MEMORY, "an HTTP client");
    }
    *out = w;
    return OK;
}

void wires_close(struct wires **w)
{
    if (!*w) return;
    if ((*w)->multi) curl_multi_cleanup((*w)->multi);
    curl_slist_free_all((*w)->headers);
    free(*w);
    *w = NULL;
}

static size_t take(char *p, size_t size, size_t count, void *self)
{
    struct wire *one = self;
    const size_t n = size * count;
    if (n > WIRE_ANSWER - one->len) {
        one->too_long = true;
        return 0;
    }
    memcpy(one->answer + one->len, p, n);
    one->len += n;
    return n;
}

static bool set_up(CURL *c, struct wire *one, struct curl_slist *headers, const char *url, const char *body, size_t n, long timeout_ms)
{
    return curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS) == CURLE_OK &&
           /* A resolver that hangs is left behind when the request is given up: nobody waits for its thread. */
           curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1") == CURLE_OK && curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take) == CURLE_OK && curl_easy_setopt(c, CURLOPT_WRITEDATA, one) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n) == CURLE_OK && curl_easy_setopt(c, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PRIVATE, one) == CURLE_OK;
}

err wires_post(struct wires *w, struct wire *one, const char *url, const char *body, size_t n, long timeout_ms)
{
    MUST(!one->easy);
    *one = (struct wire){ .easy = curl_easy_init() };
    if (!one->easy) FAIL(E_MEMORY, "an HTTP request");
    if (set_up(one->easy, one, w->headers, url, body, n, timeout_ms) && curl_multi_add_handle(w->multi, one->easy) == CURLM_OK) return OK;
    curl_easy_cleanup(one->easy);
    one->easy = NULL;
    FAIL(E_MEMORY, "a request to %s", url);
}

void wires_drop(struct wires *w, struct wire *one)
{
    if (!one->easy) return;
    curl_multi_remove_handle(w->multi, one->easy);
    curl_easy_cleanup(one->easy);
    one->easy = NULL;
}

static enum wire_end end_of(const struct wire *one, CURLcode rc)
{
    if (rc == CURLE_OK) return WIRE_ANSWERED;
    if (one->too_long) return WIRE_LONG;
    if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE) return WIRE_STRANGER;
    if (rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL) return WIRE_NOWHERE;
    return rc == CURLE_OPERATION_TIMEDOUT ? WIRE_LATE : WIRE_LOST;
}

static void finish(struct wires *w, CURL *easy, CURLcode rc)
{
    char *self = NULL, *type = NULL;
    MUST(curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self) == CURLE_OK);
    struct wire *one = (void *)self;
    if (curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &one->status) != CURLE_OK) one->status = 0;
    if (curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type) {
        const size_t n = strcspn(type, "; \t");
        if (n < sizeof one->type) memcpy(one->type, type, n);
    }
    one->answer[one->len] = '\0';
    one->end = end_of(one, rc);
    if (rc != CURLE_OK) log_debug("witness: %s", curl_easy_strerror(rc));
    wires_drop(w, one);
}

err wires_run(struct wires *w, int wait_ms)
{
    int running = 0, left = 0;
    if (curl_multi_perform(w->multi, &running) != CURLM_OK) FAIL(E_IO, "the HTTP client");
    CURLMsg *m = curl_multi_info_read(w->multi, &left);
    if (!m) {
        if (curl_multi_poll(w->multi, NULL, 0, wait_ms, NULL) != CURLM_OK || curl_multi_perform(w->multi, &running) != CURLM_OK)
            FAIL(E_IO, "the HTTP client");
        m = curl_multi_info_read(w->multi, &left);
    }
    for (; m; m = curl_multi_info_read(w->multi, &left))
        if (m->msg == CURLMSG_DONE) finish(w, m->easy_handle, m->data.result);
    return OK;
}
