/* nsm.c - `holdfast-sim nsm`: the simulated module behind a socket of packets.
 *
 * One connection is one enclave's life: its user PCRs, module id and certificate
 * begin with it and end with it, as they do on a real host when an enclave
 * restarts. What stays in DIR is what a host and its image are. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "sim/bank.h"
#include "sim/pki.h"
#include "sim/sim.h"

enum { LIVES = 32, USAGE = 2 };

static const char help[] =
    "usage: holdfast-sim nsm --state DIR --listen unix:PATH [--pcr N=HEX]... [--debug]\n"
    "\n"
    "Stands in for /dev/nsm: a unix SOCK_SEQPACKET socket that takes the device's CBOR\n"
    "requests and gives its CBOR answers, one packet each. Documents are signed under a\n"
    "development root; nothing outside a test should trust it.\n"
    "\n"
    "  --state DIR        where it lives (made when missing): nsm-root.pem and nsm-root.der,\n"
    "                     the root for others to pin; nsm-root.key; nsm.state, text with the\n"
    "                     instance id and the measured PCRs, which may be edited between runs\n"
    "  --listen unix:PATH the socket; mode 0600\n"
    "  --pcr N=HEX        set PCR N (0 to 15) to these 48 bytes, and keep it in nsm.state\n"
    "  --debug            as an enclave started in debug mode: PCR0, 1, 2 and 8 read as zero\n"
    "\n"
    "PCR0 to PCR15 are locked; 16 to 31 start at zero with each connection, which is one\n"
    "life of an enclave. Ends with status 0 on SIGTERM or SIGINT.\n";

struct options { const char *dir, *path; bool debug, help; unsigned pcr_set; uint8_t pcr[BANK_MEASURED][NSM_PCR_LEN]; };

static err parse_pcr(struct options *o, const char *text)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (end == text || *end != '=' || errno || n >= BANK_MEASURED) FAIL(E_FORMAT, "--pcr takes N=HEX with N from 0 to 15");
    TRY(hex_to(o->pcr[n], NSM_PCR_LEN, end + 1, strlen(end + 1)));
    o->pcr_set |= 1u << n;
    return OK;
}

static err parse_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        { "state", required_argument, NULL, 's' }, { "listen", required_argument, NULL, 'l' },
        { "pcr", required_argument, NULL, 'p' },   { "debug", no_argument, NULL, 'd' },
        { "help", no_argument, NULL, 'h' },        { NULL, 0, NULL, 0 },
    };
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 's': o->dir = optarg; break;
        case 'l': o->path = optarg; break;
        case 'p': TRY(parse_pcr(o, optarg)); break;
        case 'd': o->debug = true; break;
        case 'h': o->help = true; return OK;
        default: FAIL(E_FORMAT, "unknown option");
        }
    }
    if (optind != argc || !o->dir || !o->path || strncmp(o->path, "unix:", 5) != 0)
        FAIL(E_FORMAT, "--state and --listen unix:PATH are needed");
    o->path += 5;
    return OK;
}

/* ---- the socket ----------------------------------------------------------- */

/* A socket file that nothing answers on is what a killed simulator left behind. */
static err clear_stale(const struct sockaddr_un *a)
{
    struct stat st;
    if (lstat(a->sun_path, &st) < 0) return OK;
    if (!S_ISSOCK(st.st_mode)) FAIL(E_STATE, "%s exists and is not a socket", a->sun_path);
    FD fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) FAIL(E_IO, "socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 || errno != ECONNREFUSED)
        FAIL(E_STATE, "%s is in use", a->sun_path);
    if (unlink(a->sun_path) < 0) FAIL(E_IO, "%s: %s", a->sun_path, strerror(errno));
    return OK;
}

static err listen_packets(int *out, const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof a.sun_path) FAIL(E_FORMAT, "socket path empty or too long");
    memcpy(a.sun_path, path, n);
    TRY(clear_stale(&a));
    FD fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) FAIL(E_IO, "socket: %s", strerror(errno));
    mode_t old = umask(0177);
    int r = bind(fd, (const struct sockaddr *)&a, sizeof a);
    int why = errno;
    umask(old);
    if (r < 0) FAIL(E_IO, "%s: %s", path, strerror(why));
    if (listen(fd, LIVES) < 0) FAIL(E_IO, "%s: %s", path, strerror(errno));
    *out = take_fd(&fd);
    return OK;
}

/* ---- serving -------------------------------------------------------------- */

struct life { int fd; struct enclave *enclave; };
struct server { const struct machine *machine; const struct pki *pki; struct life lives[LIVES]; size_t count; };

static void end_life(struct server *s, size_t i)
{
    fd_close(&s->lives[i].fd);
    enclave_free(&s->lives[i].enclave);
    s->lives[i] = s->lives[--s->count];
}

static void server_drop(struct server *s)
{
    while (s->count > 0) end_life(s, s->count - 1);
}

static err begin_life(struct server *s, int listener)
{
    FD fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return OK;                    /* the client is gone already */
    if (s->count == LIVES) {
        log_warn("more than %d connections: one was refused", LIVES);
        return OK;
    }
    struct life l = { -1, NULL };
    TRY(enclave_new(&l.enclave, s->machine, s->pki));
    l.fd = take_fd(&fd);
    s->lives[s->count++] = l;
    return OK;
}

/* One packet in, one out. Out: *over when this life has ended. */
static err serve_one(bool *over, struct life *l)
{
    uint8_t request[NSM_REQUEST_MAX], answer[NSM_RESPONSE_MAX];
    struct iovec in = { request, sizeof request };
    struct msghdr m = { .msg_iov = &in, .msg_iovlen = 1 };
    size_t n = 0;
    *over = false;
    ssize_t got = recvmsg(l->fd, &m, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return OK;
    /* The driver refuses a request that is too long; a socket has no EMSGSIZE to give back. */
    *over = got <= 0 || (m.msg_flags & MSG_TRUNC);
    if (*over) return OK;
    TRY(enclave_answer(l->enclave, answer, &n, request, (size_t)got));
    *over = send(l->fd, answer, n, MSG_NOSIGNAL) != (ssize_t)n;
    return OK;
}

static err serve_ready(struct server *s, const struct pollfd *p)
{
    for (size_t i = s->count; i > 0; i--) {
        bool over = false;
        if (!p[i - 1].revents) continue;
        TRY(serve_one(&over, &s->lives[i - 1]));
        if (over) end_life(s, i - 1);
    }
    return OK;
}

static err serve(struct server *s, int listener, int signals)
{
    for (;;) {
        struct pollfd p[LIVES + 2];
        size_t n = s->count;
        for (size_t i = 0; i < n; i++) p[i] = (struct pollfd){ .fd = s->lives[i].fd, .events = POLLIN };
        p[n] = (struct pollfd){ .fd = listener, .events = POLLIN };
        p[n + 1] = (struct pollfd){ .fd = signals, .events = POLLIN };
        if (poll(p, n + 2, -1) < 0) {
            if (errno == EINTR) continue;
            FAIL(E_IO, "poll: %s", strerror(errno));
        }
        if (p[n + 1].revents) return OK;
        bool fresh = p[n].revents != 0;
        TRY(serve_ready(s, p));
        if (fresh) TRY(begin_life(s, listener));
    }
}

static err open_signals(int *out)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) FAIL(E_IO, "sigprocmask: %s", strerror(errno));
    *out = signalfd(-1, &set, SFD_CLOEXEC);
    if (*out < 0) FAIL(E_IO, "signalfd: %s", strerror(errno));
    return OK;
}

static void tell(const struct machine *m, const char *path)
{
    char hex[2 * NSM_PCR_LEN + 1];
    log_info("SIMULATED NSM of instance %s at unix:%s%s", m->instance, path, m->debug ? ", debug mode" : "");
    for (unsigned i = 0; i < 3; i++) {
        hex_from(hex, m->pcr[i], NSM_PCR_LEN);
        log_info("PCR%u %s", i, hex);
    }
}

static err run(const struct options *o)
{
    struct machine m;
    PKI pki = NULL;
    FD listener = -1;
    FD signals = -1;
    if (mkdir(o->dir, 0755) < 0 && errno != EEXIST) FAIL(E_IO, "%s: %s", o->dir, strerror(errno));
    TRY(open_signals(&signals));
    TRY(machine_open(&m, o->dir));
    for (unsigned i = 0; i < BANK_MEASURED; i++)
        if (o->pcr_set & 1u << i) memcpy(m.pcr[i], o->pcr[i], NSM_PCR_LEN);
    if (o->pcr_set) TRY(machine_save(&m, o->dir));
    m.debug = o->debug;
    TRY(pki_open(&pki, o->dir));
    TRY(listen_packets(&listener, o->path));
    tell(&m, o->path);
    __attribute__((cleanup(server_drop))) struct server s = { .machine = &m, .pki = pki };
    err e = serve(&s, listener, signals);
    unlink(o->path);
    return e;
}

int sim_nsm_main(int argc, char **argv)
{
    struct options o = { .dir = NULL };
    log_open("sim-nsm", LOG_INFO);
    if (parse_options(&o, argc, argv).code) {
        fputs(help, stderr);
        return USAGE;
    }
    if (o.help) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    return run(&o).code ? EXIT_FAILURE : EXIT_SUCCESS;
}
