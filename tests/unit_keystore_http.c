/* unit_keystore_http.c - one exchange over a descriptor, with peers of every kind; the metadata service's flow.
 *
 * The peer is a child that reads one request (kept for the test to look at), writes what
 * the test says, and holds or closes the stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/mem.h"
#include "keystore/creds.h"
#include "keystore/http.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"

enum { REQUEST_MAX = 8192, PEERS = 4 };

struct reply {
    const char *text;
    size_t pad;                      /* then this many 'x' … */
    size_t repeat;                   /* … or the text itself so often besides */
    bool hold;                       /* keep the stream open and silent for 5 s */
};
struct peer {
    struct reply replies[PEERS];
    unsigned dialled;
    char host[ARN_HOST_MAX];
    uint16_t port;
    pid_t child[PEERS];
    int log[PEERS];                  /* the request, as the child read it */
};

/* A whole request: its head and as much body as Content-Length says. */
static size_t read_request(int fd, char *room)
{
    size_t n = 0, want = REQUEST_MAX - 1;
    while (n < want) {
        ssize_t got = read(fd, room + n, REQUEST_MAX - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
        room[n] = 0;
        const char *end = strstr(room, "\r\n\r\n"), *length = strcasestr(room, "content-length:");
        if (end) want = (size_t)(end + 4 - room) + (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
    }
    return n;
}

static void serve_one(int fd, int log, const struct reply *r)
{
    static char room[REQUEST_MAX], pad[65536];
    size_t n = read_request(fd, room);
    if (write(log, room, n) < 0) _exit(1);
    close(log);
    memset(pad, 'x', sizeof pad);
    bool open = r->text[0] != 0;
    for (size_t i = 0; open && i <= r->repeat; i++) open = send(fd, r->text, strlen(r->text), MSG_NOSIGNAL) > 0;
    for (size_t left = r->pad; open && left > 0;) {
        ssize_t sent = send(fd, pad, left < sizeof pad ? left : sizeof pad, MSG_NOSIGNAL);
        open = sent > 0;
        left -= open ? (size_t)sent : 0;
    }
    if (r->hold) sleep(5);
    _exit(0);
}

static err dial(void *self, const char *host, uint16_t port, int *fd)
{
    struct peer *p = self;
    int pair[2], log[2];
    ck_assert(p->dialled < PEERS);
    snprintf(p->host, sizeof p->host, "%s", host);
    p->port = port;
    ck_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 && pipe(log) == 0);
    pid_t child = fork();
    if (child == 0) {
        close(pair[0]), close(log[0]);
        serve_one(pair[1], log[1], &p->replies[p->dialled]);
    }
    close(pair[1]), close(log[1]);
    p->log[p->dialled] = log[0];
    p->child[p->dialled++] = child;
    *fd = pair[0];
    return OK;
}

/* The request that exchange number i was. */
static const char *asked(struct peer *p, unsigned i)
{
    static char room[REQUEST_MAX];
    size_t n = 0;
    ssize_t got;
    while ((got = read(p->log[i], room + n, sizeof room - 1 - n)) > 0) n += (size_t)got;
    room[n] = 0;
    return room;
}

static void end(struct peer *p)
{
    for (unsigned i = 0; i < p->dialled; i++) {
        close(p->log[i]);
        kill(p->child[i], SIGKILL);
        ck_assert(waitpid(p->child[i], NULL, 0) == p->child[i]);
    }
}

static void warm_up(void)
{
    ASSERT_OK(http_warm_up());
}

#define GOOD "HTTP/1.1 200 OK\r\nx-amzn-RequestId: abc\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello"

static const struct http_request get = { .method = "GET", .host = "peer.example", .port = 8080, .path = "/a?b=c", .timeout_ms = 1500 };

/* One GET against a peer that answers so. Out: *a. */
static enum err_code ask(struct http_answer *a, struct reply r)
{
    warm_up();
    struct peer p = { .replies = { r } };
    HTTP h = NULL;
    ASSERT_OK(http_open(&h, NULL, 0, dial, &p));
    int before = open_fds();
    enum err_code code = http_call(h, a, &get).code;
    end(&p);
    ck_assert_int_eq(open_fds(), before);
    return code;
}

START_TEST(plain)
{
    static struct http_answer a;
    warm_up();
    struct peer p = { .replies = { { .text = GOOD }, { .text = GOOD, .hold = true } } };
    HTTP h = NULL;
    ASSERT_OK(http_open(&h, NULL, 0, dial, &p));
    struct http_request q = get;
    q.headers[0] = (struct sigv4_header){ "x-one", "1" };
    q.header_count = 1;
    ASSERT_OK(http_call(h, &a, &q));
    ck_assert_int_eq(a.status, 200);
    ck_assert_uint_eq(a.len, 5);
    ck_assert_str_eq(a.body, "hello");
    ck_assert_str_eq(a.request_id, "abc");
    ck_assert_int_eq(a.date, 1795255200);
    ck_assert_str_eq(asked(&p, 0), "GET /a?b=c HTTP/1.1\r\nHost: peer.example:8080\r\nAccept: */*\r\nx-one: 1\r\n\r\n");
    ck_assert(strcmp(p.host, "peer.example") == 0 && p.port == 8080);
    /* The next one dials anew, though the peer would have kept the stream. */
    q = (struct http_request){ .method = "POST", .host = "peer.example", .port = 80, .path = "/", .body = "a\0b", .body_len = 3, .timeout_ms = 1500,
                               .headers = { { "content-type", "x/y" } }, .header_count = 1 };
    ASSERT_OK(http_call(h, &a, &q));
    ck_assert_uint_eq(p.dialled, 2);
    const char *text = asked(&p, 1);
    ck_assert_ptr_nonnull(strstr(text, "Host: peer.example\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "content-type: x/y\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "Content-Length: 3\r\n"));
    ck_assert_ptr_null(strstr(text, "Expect"));
    ck_assert_mem_eq(strstr(text, "\r\n\r\n") + 4, "a\0b", 4);
    end(&p);
}
END_TEST

START_TEST(put_empty)
{
    static struct http_answer a;
    warm_up();
    struct peer p = { .replies = { { .text = "HTTP/1.1 204 No Content\r\n\r\n" } } };
    HTTP h = NULL;
    ASSERT_OK(http_open(&h, NULL, 0, dial, &p));
    struct http_request q = get;
    q.method = "PUT";
    ASSERT_OK(http_call(h, &a, &q));
    ck_assert_int_eq(a.status, 204);
    const char *text = asked(&p, 0);
    ck_assert_ptr_nonnull(strstr(text, "PUT /a?b=c HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "Content-Length: 0\r\n"));
    ck_assert_ptr_null(strcasestr(text, "content-type"));
    end(&p);
}
END_TEST

START_TEST(statuses)
{
    static struct http_answer a;
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 400 Bad\r\nx-amzn-ErrorType: X#Y:z\r\nContent-Length: 2\r\n\r\n{}" }), E_OK);
    ck_assert(a.status == 400 && strcmp(a.error_type, "X#Y:z") == 0);
    /* Not followed, and not asked again. */
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n" }), E_OK);
    ck_assert_int_eq(a.status, 302);
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n" }), E_OK);
    ck_assert_int_eq(a.status, 401);
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" }), E_OK);
    ck_assert_str_eq(a.body, "abc");
    /* Control characters do not get into what will be logged. */
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 200 OK\r\nx-amzn-RequestId: a\tb\033[1m\r\nContent-Length: 0\r\n\r\n" }), E_OK);
    ck_assert_str_eq(a.request_id, "ab[1m");
}
END_TEST

START_TEST(bad_peers)
{
    static struct http_answer a;
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "" }), E_CLOSED);
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello" }), E_CLOSED);
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel" }), E_CLOSED);
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "SSH-2.0-x\r\n" }), E_FORMAT);
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "", .hold = true }), E_TIMEOUT);
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", .hold = true }), E_TIMEOUT);
}
END_TEST

START_TEST(endless)
{
    static struct http_answer a;
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 200 OK\r\n\r\n", .pad = HTTP_BODY_MAX }), E_OK);
    ck_assert_uint_eq(a.len, HTTP_BODY_MAX);
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 200 OK\r\n\r\n", .pad = HTTP_BODY_MAX + 1 }), E_LIMIT);
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", .pad = 99999999 }), E_LIMIT);
    /* A head without end: many lines, and one line. */
    ck_assert_int_eq(ask(&a, (struct reply){ .text = "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", .repeat = 100000 }), E_LIMIT);
    ASSERT_FAILS(((err){ ask(&a, (struct reply){ .text = "HTTP/1.1 200 OK\r\nX: ", .pad = 10000000 }) }));
}
END_TEST

static err no_dial(void *self, const char *host, uint16_t port, int *fd)
{
    (void)self, (void)host, (void)port, (void)fd;
    return (err){ E_DENIED };
}

START_TEST(refused)
{
    static struct http_answer a;
    warm_up();
    HTTP h = NULL;
    ASSERT_OK(http_open(&h, NULL, 0, no_dial, NULL));
    ASSERT_CODE(http_call(h, &a, &get), E_DENIED);
    struct http_request q = get;
    q.headers[0] = (struct sigv4_header){ "x", "a\r\nY: b" };
    q.header_count = 1;
    ASSERT_CODE(http_call(h, &a, &q), E_FORMAT);
    ck_assert_uint_eq(a.len, 0);
}
END_TEST

/* With no CA given nothing is trusted; and plain text is not taken for TLS. */
START_TEST(tls_without_trust)
{
    static struct http_answer a;
    warm_up();
    struct peer p = { .replies = { { .text = GOOD } } };
    HTTP h = NULL;
    ASSERT_OK(http_open(&h, NULL, 0, dial, &p));
    struct http_request q = get;
    q.tls = true;
    ASSERT_FAILS(http_call(h, &a, &q));
    ck_assert_int_eq(a.status, 0);
    end(&p);
}
END_TEST

START_TEST(environment)
{
    static struct http_answer a;
    static const char *const names[] = { "http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) setenv(names[i], "http://127.0.0.1:9", 1);
    ck_assert_int_eq(ask(&a, (struct reply){ .text = GOOD }), E_OK);
}
END_TEST

/* ---- the metadata service ------------------------------------------------------ */

#define OK_TEXT(length, body) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n" body
#define CREDENTIALS "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIAEXAMPLE\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"2026-11-21T10:00:00Z\"}"
#define IMDS_GOOD { .text = OK_TEXT("5", "TOKEN") }, { .text = OK_TEXT("5", "role\n") }, { .text = "HTTP/1.1 200 OK\r\n\r\n" CREDENTIALS }
enum { NOW = 1795240800 };               /* 2026-11-21T06:00:00Z */

static enum err_code fetch(struct creds *c, struct peer *p, int64_t now)
{
    warm_up();
    HTTP h = NULL;
    const struct creds_source s = { .kind = CREDS_IMDS };
    ASSERT_OK(http_open(&h, NULL, 0, dial, p));
    return creds_fetch(c, h, &s, now).code;
}

START_TEST(imds)
{
    struct peer p = { .replies = { IMDS_GOOD } };
    struct creds c;
    ck_assert_int_eq(fetch(&c, &p, NOW), E_OK);
    ck_assert_str_eq(c.access_key, "ASIAEXAMPLE");
    ck_assert(strcmp(p.host, "169.254.169.254") == 0 && p.port == 80);
    const char *text = asked(&p, 0);
    ck_assert(strncmp(text, "PUT /latest/api/token HTTP/1.1\r\n", 32) == 0);
    ck_assert_ptr_nonnull(strstr(text, "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
    text = asked(&p, 1);
    ck_assert(strncmp(text, "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\n", 58) == 0);
    ck_assert_ptr_nonnull(strstr(text, "x-aws-ec2-metadata-token: TOKEN\r\n"));
    text = asked(&p, 2);
    ck_assert(strncmp(text, "GET /latest/meta-data/iam/security-credentials/role HTTP/1.1\r\n", 62) == 0);
    ck_assert_ptr_nonnull(strstr(text, "x-aws-ec2-metadata-token: TOKEN\r\n"));
    end(&p);
}
END_TEST

START_TEST(imds_bad)
{
    static const struct { struct peer p; unsigned dialled; enum err_code code; } cases[] = {
        { { .replies = { { .text = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" } } }, 1, E_DENIED },          /* no fall back to version 1 */
        { { .replies = { { .text = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n" } } }, 1, E_ABSENT },
        { { .replies = { { .text = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" } } }, 1, E_CLOSED },
        { { .replies = { { .text = OK_TEXT("0", "") } } }, 1, E_FORMAT },
        { { .replies = { { .text = OK_TEXT("7", "TO\r\nKEN") } } }, 1, E_FORMAT },
        { { .replies = { { .text = "HTTP/1.1 200 OK\r\n\r\n", .pad = 2000 } } }, 1, E_FORMAT },
        { { .replies = { { .text = OK_TEXT("5", "TOKEN") }, { .text = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n" } } }, 2, E_ABSENT },
        { { .replies = { { .text = OK_TEXT("5", "TOKEN") }, { .text = OK_TEXT("7", "../role") } } }, 2, E_FORMAT },
        { { .replies = { { .text = OK_TEXT("5", "TOKEN") }, { .text = OK_TEXT("5", "a?b=c") } } }, 2, E_FORMAT },
        { { .replies = { { .text = OK_TEXT("5", "TOKEN") }, { .text = OK_TEXT("3", "a\nb") } } }, 2, E_FORMAT },
        { { .replies = { { .text = OK_TEXT("5", "TOKEN") }, { .text = OK_TEXT("4", "role") }, { .text = OK_TEXT("2", "{}") } } }, 3, E_FORMAT },
        { { .replies = { { .text = OK_TEXT("5", "TOKEN") }, { .text = OK_TEXT("4", "role") }, { .text = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n" } } }, 3, E_DENIED },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer p = cases[i].p;
        struct creds c = { .access_key = "before" };
        enum err_code code = fetch(&c, &p, NOW);
        ck_assert_msg(code == cases[i].code && p.dialled == cases[i].dialled, "case %zu: %s after %u", i, err_text(code), p.dialled);
        ck_assert_str_eq(c.access_key, "before");
        end(&p);
    }
    struct peer p = { .replies = { IMDS_GOOD } };
    struct creds c;
    ck_assert_int_eq(fetch(&c, &p, 1795255200), E_STATE);                /* over already */
    end(&p);
}
END_TEST

START_TEST(container)
{
    warm_up();
    struct peer p = { .replies = { { .text = "HTTP/1.1 200 OK\r\n\r\n" CREDENTIALS } } };
    struct creds_source s;
    struct creds c;
    HTTP h = NULL;
    ASSERT_OK(creds_container_uri(&s, "http://127.0.0.1:8088/get"));
    snprintf(s.authorization, sizeof s.authorization, "let-me-in");
    ASSERT_OK(http_open(&h, NULL, 0, dial, &p));
    ASSERT_OK(creds_fetch(&c, h, &s, NOW));
    ck_assert(strcmp(p.host, "127.0.0.1") == 0 && p.port == 8088);
    const char *text = asked(&p, 0);
    ck_assert(strncmp(text, "GET /get HTTP/1.1\r\n", 19) == 0);
    ck_assert_ptr_nonnull(strstr(text, "authorization: let-me-in\r\n"));
    end(&p);
}
END_TEST

static Suite *suite_http(void)
{
    return CHECK_SUITE("http", plain, put_empty, statuses, bad_peers, endless, refused, tls_without_trust, environment);
}
static Suite *suite_sources(void) { return CHECK_SUITE("credential sources", imds, imds_bad, container); }
CHECK_MAIN(suite_http, suite_sources)
