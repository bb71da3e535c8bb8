/* fake_witness.c - see fake_witness.h. Connection after connection, one request on each. */
#include "tests/fake_witness.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/witness.h"
#include "tests/log_case.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"

struct served { struct fake *f; int listener; struct witness_state known; };

static void answer(int fd, int status, const char *type, const char *more, const char *body, size_t n)
{
    char head[256];
    const int len = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n", status, type, more, n);
    if (write(fd, head, (size_t)len) < 0 || write(fd, body, n) < 0) return;
}

static void tell(int fd, uint64_t size)
{
    char text[24];
    const int n = snprintf(text, sizeof text, "%" PRIu64 "\n", size);
    answer(fd, 409, "text/x.tlog.size", "", text, (size_t)n);
}

static void cosign(int fd, const struct fake *f, const char *text, size_t n, uint8_t seed)
{
    const struct note_key k = case_key("w.example", NOTE_COSIGNATURE, f->seed), own = case_key("w.example", NOTE_COSIGNATURE, seed);
    const struct cosign_key holder = case_holder(&seed);
    uint8_t line[512], forged[512];
    struct wr w = wr_of(line, sizeof line), o = wr_of(forged, sizeof forged);
    ASSERT_OK(cosign_write(&w, &own, &holder, 1790000000 + f->seed, text, n));
    if (seed == f->seed) {
        answer(fd, 200, "text/plain", "", (char *)line, w.len);
        return;
    }
    /* The right key's id over another key's signature. */
    const char *last = strrchr((char *)line, ' ') + 1;
    uint8_t raw[128];
    size_t got = 0;
    ASSERT_OK(base64_to(raw, sizeof raw, &got, last, w.len - 1 - (size_t)((uint8_t *)(uintptr_t)last - line)));
    note_write_signature(&o, &k, raw + 4, got - 4);
    answer(fd, 200, "text/plain", "", (char *)forged, o.len);
}

static void honest(int fd, struct served *s, const struct witness_request *r, bool reply)
{
    const struct note_key log = case_key(s->f->origin, NOTE_ED25519, 1);
    const bool known = strcmp(r->checkpoint.origin, s->f->origin) == 0;
    struct witness_state next;
    int status = 0;
    ASSERT_OK(witness_decide(&status, &next, r, &s->known, &log, known ? 1 : 0));
    if (status == 200) s->known = next;
    s->f->seen->size = s->known.size;
    if (!reply) return;
    if (status == 200) cosign(fd, s->f, r->note.text, r->note.text_len, s->f->seed);
    else if (status == 409) tell(fd, s->known.size);
    else answer(fd, status, "text/plain", "", "no\n", 3);
}

static void respond(int fd, struct served *s, const struct witness_request *r, unsigned nth)
{
    static char big[1 << 20];
    const struct fake *f = s->f;
    switch (f->mood) {
    case FAKE_STATUS: answer(fd, (int)f->number, "text/plain", "", "no\n", 3); return;
    case FAKE_HUNG: for (;;) pause();
    case FAKE_LATE: usleep(200000); break;
    case FAKE_MOODY: if (nth > f->number) break; answer(fd, 503, "text/plain", "", "", 0); return;
    case FAKE_BREAKS: if (nth > f->number) break; return;
    case FAKE_FORGETS: honest(fd, s, r, nth > 1); return;
    case FAKE_FORGED: cosign(fd, f, r->note.text, r->note.text_len, (uint8_t)(f->seed + 100)); return;
    case FAKE_BEFORE: cosign(fd, f, "w.example\n1\n", 12, f->seed); return;
    case FAKE_RUBBISH: answer(fd, 200, "text/plain", "", "yes\n", 4); return;
    case FAKE_LONG: answer(fd, 200, "text/plain", "", big, sizeof big); return;
    case FAKE_TELLS: tell(fd, f->number); return;
    case FAKE_WAVERS: tell(fd, nth); return;
    case FAKE_TYPELESS: answer(fd, 409, "text/plain", "", "1\n", 2); return;
    case FAKE_REDIRECTS: answer(fd, 302, "text/plain", "Location: /add-checkpoint\r\n", "", 0); return;
    case FAKE_HONEST: case FAKE_DEAD: break;
    }
    honest(fd, s, r, true);
}

/* Read one request whole. Returns where its body begins; NULL: it did not come. */
static const char *receive(int fd, char *room, size_t cap, size_t *n)
{
    size_t have = 0, want = 0;
    const char *body = NULL;
    while (!body || have < want) {
        const ssize_t got = read(fd, room + have, cap - 1 - have);
        if (got <= 0) return NULL;
        have += (size_t)got;
        room[have] = '\0';
        const char *end = strstr(room, "\r\n\r\n"), *length = strstr(room, "Content-Length: ");
        if (!end || body) continue;
        body = end + 4;
        ck_assert_ptr_nonnull(length);
        *n = strtoul(length + 16, NULL, 10);
        want = (size_t)(body - room) + *n;
    }
    ck_assert(strncmp(room, "POST /add-checkpoint HTTP/1.1\r\n", 31) == 0 || strncmp(room, "POST /under/add-checkpoint HTTP/1.1\r\n", 37) == 0);
    return body;
}

static void serve(void *self)
{
    struct served *s = self;
    static char room[WITNESS_REQUEST_MAX + 4096];
    static struct witness_request r;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        size_t n = 0;
        const int fd = accept(s->listener, NULL, NULL);
        const char *body = fd >= 0 ? receive(fd, room, sizeof room, &n) : NULL;
        if (body) {
            struct fake_seen *seen = s->f->seen;
            ASSERT_OK(witness_parse(&r, body, n));
            if (seen->requests < 16) seen->old[seen->requests] = r.old;
            respond(fd, s, &r, ++seen->requests);
        }
        if (fd >= 0) close(fd);
    }
}

void fake_start(struct fake *f)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    struct served s = { .f = f, .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    f->seen = mmap(NULL, sizeof *f->seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(f->seen != MAP_FAILED && s.listener >= 0 && bind(s.listener, (struct sockaddr *)&at, n) == 0);
    ck_assert_int_eq(getsockname(s.listener, (struct sockaddr *)&at, &n), 0);
    f->port = ntohs(at.sin_port);
    if (f->mood != FAKE_DEAD) {
        ck_assert_int_eq(listen(s.listener, 16), 0);
        f->pid = child_start(serve, &s);
    }
    close(s.listener);
}

void fake_stop(struct fake *f)
{
    if (f->pid) {
        kill(f->pid, SIGKILL);
        (void)child_wait(f->pid);
    }
    munmap(f->seen, sizeof *f->seen);
}
