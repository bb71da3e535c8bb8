/* net.c - addresses as text, and the sockets they stand for. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/io.h"
#include "core/mem.h"
#include "core/wait.h"

struct place {
    bool ready;               /* fd:N, no socket to be made */
    int fd;
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_vm vm;
    } at;
};

/* Decimal digits only, no sign, no space, no leading zero but "0" itself. */
static bool parse_number(const char *s, size_t n, uint64_t max, uint64_t *out)
{
    if (n == 0 || n > 10 || (n > 1 && s[0] == '0'))
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    *out = v;
    return v <= max;
}

static bool parse_vsock(struct place *p, const char *s)
{
    const char *colon = strchr(s, ':');
    uint64_t cid = (unsigned)VMADDR_CID_ANY, port = 0;
    if (!colon)
        return false;
    size_t n = (size_t)(colon - s);
    bool any = n == 3 && memcmp(s, "any", 3) == 0;
    if ((!any && !parse_number(s, n, UINT32_MAX - 1, &cid)) ||
        !parse_number(colon + 1, strlen(colon + 1), UINT32_MAX - 1, &port))
        return false;
    p->at.vm = (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = (unsigned)cid, .svm_port = (unsigned)port };
    p->len = sizeof p->at.vm;
    return true;
}

static bool parse_unix(struct place *p, const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || n >= sizeof p->at.un.sun_path)
        return false;
    p->at.un.sun_family = AF_UNIX;
    memcpy(p->at.un.sun_path, s, n + 1);
    p->len = sizeof p->at.un;
    return true;
}

/* The host must be a number: a name would need a resolver, and an enclave has none. */
static bool parse_tcp(struct place *p, const char *s)
{
    const char *colon = strrchr(s, ':');
    uint64_t port = 0;
    char host[INET6_ADDRSTRLEN + 2];
    if (!colon || !parse_number(colon + 1, strlen(colon + 1), UINT16_MAX, &port))
        return false;
    size_t n = (size_t)(colon - s);
    if (n == 0 || n >= sizeof host)
        return false;
    memcpy(host, s, n);
    host[n] = '\0';
    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        p->at.in6.sin6_family = AF_INET6;
        p->at.in6.sin6_port = htons((uint16_t)port);
        p->len = sizeof p->at.in6;
        return inet_pton(AF_INET6, host + 1, &p->at.in6.sin6_addr) == 1;
    }
    p->at.in4.sin_family = AF_INET;
    p->at.in4.sin_port = htons((uint16_t)port);
    p->len = sizeof p->at.in4;
    return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                     &p->at.in4.sin_addr) == 1;
}

static bool parse_fd(struct place *p, const char *s)
{
    uint64_t fd = 0;
    if (!parse_number(s, strlen(s), 1u << 20, &fd))
        return false;
    p->ready = true;
    p->fd = (int)fd;
    return true;
}

static err parse_address(struct place *p, const char *address)
{
    static const struct {
        const char *scheme;
        bool (*parse)(struct place *, const char *);
    } kinds[] = {
        { "vsock:", parse_vsock }, { "unix:", parse_unix }, { "tcp:", parse_tcp }, { "fd:", parse_fd },
    };
    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i].scheme);
        if (strncmp(address, kinds[i].scheme, n) == 0 && kinds[i].parse(p, address + n))
            return OK;
    }
    FAIL(E_FORMAT, "'%s' is no address: expected vsock:CID:PORT, unix:PATH, tcp:HOST:PORT or fd:N", address);
}

static err place_socket(int *fd, const struct place *p)
{
    *fd = socket(p->at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        FAIL(E_IO, "making a socket");
    /* Frames are written whole, so waiting to fill a packet only costs time.
     * A listener hands the setting on to what it accepts. */
    if ((p->at.any.sa_family == AF_INET || p->at.any.sa_family == AF_INET6) &&
        setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) != 0)
        FAIL(E_IO, "setting TCP_NODELAY");
    return OK;
}

void fd_wide(int fd)
{
    int domain = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof domain }) == 0 && domain == AF_UNIX)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 1 << 20 }, sizeof(int));
}

static err connect_until(int fd, const struct place *p, const char *address, int64_t until)
{
    while (connect(fd, &p->at.any, p->len) != 0) {
        if (errno == EISCONN)
            return OK;
        if (errno == EAGAIN && p->at.any.sa_family == AF_UNIX) {
            /* The listener's queue is full, and nothing can be polled for that. */
            nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
            if (until != NEVER && until_ms(0) >= until)
                FAIL(E_TIMEOUT, "connecting to %s", address);
            continue;
        }
        if (errno != EINPROGRESS && errno != EINTR && errno != EALREADY)
            FAIL(E_IO, "connecting to %s", address);
        err e = fd_wait(fd, POLLOUT, until);
        if (e.code == E_TIMEOUT)
            FAIL(E_TIMEOUT, "connecting to %s", address);
        TRY(e);
        int why = 0;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &(socklen_t){ sizeof why }) != 0)
            FAIL(E_IO, "asking how connecting to %s ended", address);
        errno = why;
        if (why != 0)
            FAIL(E_IO, "connecting to %s", address);
        return OK;
    }
    return OK;
}

err fd_connect(int *fd, const char *address, int deadline_ms)
{
    *fd = -1;
    int64_t until = until_ms(deadline_ms);
    struct place p;
    TRY(parse_address(&p, address));
    if (p.ready) {
        TRY(fd_nonblock(p.fd));
        *fd = p.fd;
        return OK;
    }
    if (p.at.any.sa_family == AF_VSOCK && p.at.vm.svm_cid == VMADDR_CID_ANY)
        FAIL(E_FORMAT, "'%s' names no peer to connect to", address);
    FD mine = -1;
    TRY(place_socket(&mine, &p));
    TRY(connect_until(mine, &p, address, until));
    *fd = take_fd(&mine);
    return OK;
}

/* A socket file left by a dead process refuses connections; a live one answers. */
static err remove_stale(const struct place *p)
{
    struct stat st;
    const char *path = p->at.un.sun_path;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? OK : err_log(E_IO, __FILE__, __LINE__, "looking at %s", path);
    if (!S_ISSOCK(st.st_mode))
        FAIL(E_STATE, "%s is in the way, and is not a socket", path);
    FD probe = -1;
    TRY(place_socket(&probe, p));
    if (connect(probe, &p->at.any, p->len) == 0 || errno != ECONNREFUSED)
        FAIL(E_STATE, "somebody listens on %s already", path);
    if (unlink(path) != 0)
        FAIL(E_IO, "removing the stale socket %s", path);
    return OK;
}

static err bind_place(int fd, const struct place *p, const char *address, unsigned mode)
{
    bool local = p->at.any.sa_family == AF_UNIX;
    if (local) {
        TRY(remove_stale(p));
        /* The file is made with the socket's own mode, less the umask: so it is
         * never more open than `mode`, not even for a moment. */
        if (fchmod(fd, mode) != 0)
            FAIL(E_IO, "setting the mode of the socket for %s", address);
    } else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) != 0 &&
               p->at.any.sa_family != AF_VSOCK) {
        FAIL(E_IO, "setting SO_REUSEADDR");
    }
    if (bind(fd, &p->at.any, p->len) != 0)
        FAIL(E_IO, "binding %s", address);
    if (local && chmod(p->at.un.sun_path, mode) != 0)
        FAIL(E_IO, "setting the mode of %s", p->at.un.sun_path);
    if (listen(fd, 128) != 0)
        FAIL(E_IO, "listening on %s", address);
    return OK;
}

err fd_listen(int *fd, const char *address, unsigned mode)
{
    *fd = -1;
    struct place p;
    TRY(parse_address(&p, address));
    if (p.ready) {
        TRY(fd_nonblock(p.fd));
        *fd = p.fd;
        return OK;
    }
    FD mine = -1;
    TRY(place_socket(&mine, &p));
    TRY(bind_place(mine, &p, address, mode ? mode : 0600));
    *fd = take_fd(&mine);
    return OK;
}

err fd_accept(int *fd, int listener, int deadline_ms)
{
    *fd = -1;
    int64_t until = until_ms(deadline_ms);
    for (;;) {
        /* Wait first: a listener handed to us may be in blocking mode. */
        TRY(fd_wait(listener, POLLIN, until));
        int got = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (got >= 0) {
            *fd = got;
            return OK;
        }
        /* A client that left while it queued is no failure of the listener. */
        if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED && errno != EPROTO)
            FAIL(E_IO, "accepting a connection");
    }
}
