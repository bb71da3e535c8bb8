/* nsm.c - asking the Nitro Security Module, by ioctl or over a socket. */
#include "keystore/nsm.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"

enum { DEADLINE_MS = 120 * 1000 };        /* the driver's own */

/* linux/nsm.h, spelled out because older kernel headers lack it. */
struct nsm_raw { struct { uint64_t addr, len; } request, response; };
_Static_assert(sizeof(struct nsm_raw) == 32, "struct nsm_raw of linux/nsm.h");
#define NSM_IOCTL_RAW _IOWR(0x0A, 0x0, struct nsm_raw)
_Static_assert(NSM_IOCTL_RAW == 0xC0200A00, "NSM_IOCTL_RAW of linux/nsm.h");

static err connect_unix(int *out, const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof a.sun_path) FAIL(E_FORMAT, "NSM socket path empty or too long");
    memcpy(a.sun_path, path, n);
    FD fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) FAIL(E_IO, "socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&a, sizeof a) < 0) FAIL(E_IO, "NSM at unix:%s: %s", path, strerror(errno));
    *out = take_fd(&fd);
    return OK;
}

err nsm_connect(int *out, const char *where)
{
    if (strncmp(where, "unix:", 5) == 0) return connect_unix(out, where + 5);
    if (where[0] != '/') FAIL(E_FORMAT, "NSM address: neither a device path nor unix:PATH");
    FD fd = open(where, O_RDWR | O_CLOEXEC);
    if (fd < 0) FAIL(E_IO, "NSM at %s: %s", where, strerror(errno));
    *out = take_fd(&fd);
    return OK;
}

err nsm_from_fd(struct nsm *out, int fd)
{
    struct stat st;
    int type = 0;
    socklen_t n = sizeof type;
    if (fstat(fd, &st) < 0) FAIL(E_IO, "NSM descriptor: %s", strerror(errno));
    if (S_ISSOCK(st.st_mode)) {
        /* Packets keep request and response apart; a stream would need framing the device has not. */
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0) FAIL(E_IO, "NSM descriptor: %s", strerror(errno));
        if (type != SOCK_SEQPACKET) FAIL(E_FORMAT, "NSM descriptor: a socket, but not of packets");
    } else if (!S_ISCHR(st.st_mode)) {
        FAIL(E_FORMAT, "NSM descriptor: neither a device nor a socket");
    }
    *out = (struct nsm){ fd, S_ISSOCK(st.st_mode) };
    return OK;
}

static err call_device(int fd, const struct wr *request, uint8_t *answer, size_t *n)
{
    struct nsm_raw raw = {
        .request = { (uint64_t)(uintptr_t)request->p, request->len },
        .response = { (uint64_t)(uintptr_t)answer, NSM_RESPONSE_MAX },
    };
    int r;
    do r = ioctl(fd, NSM_IOCTL_RAW, &raw);
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno == ETIMEDOUT) FAIL(E_TIMEOUT, "the NSM does not answer");
    if (r < 0) FAIL(E_IO, "NSM ioctl: %s", strerror(errno));
    if (raw.response.len > NSM_RESPONSE_MAX) FAIL(E_FORMAT, "NSM answer of %llu bytes", (unsigned long long)raw.response.len);
    *n = (size_t)raw.response.len;
    return OK;
}

static err call_socket(int fd, const struct wr *request, uint8_t *answer, size_t *n)
{
    ssize_t r;
    struct iovec out = { request->p, request->len }, in = { answer, NSM_RESPONSE_MAX };
    struct msghdr ask = { .msg_iov = &out, .msg_iovlen = 1 }, get = { .msg_iov = &in, .msg_iovlen = 1 };
    do r = sendmsg(fd, &ask, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    if (r < 0) FAIL(errno == EPIPE || errno == ECONNRESET ? E_CLOSED : E_IO, "NSM socket: %s", strerror(errno));
    struct pollfd p = { .fd = fd, .events = POLLIN };
    do r = poll(&p, 1, DEADLINE_MS);
    while (r < 0 && errno == EINTR);
    if (r == 0) FAIL(E_TIMEOUT, "the NSM does not answer");
    if (r < 0) FAIL(E_IO, "NSM socket: %s", strerror(errno));
    do r = recvmsg(fd, &get, 0);
    while (r < 0 && errno == EINTR);
    if (r < 0) FAIL(errno == ECONNRESET ? E_CLOSED : E_IO, "NSM socket: %s", strerror(errno));
    if (r == 0) FAIL(E_CLOSED, "the NSM socket was closed");
    if (get.msg_flags & MSG_TRUNC) FAIL(E_FORMAT, "NSM answer longer than the driver allows");
    *n = (size_t)r;
    return OK;
}

/* Ask, and require an answer of the same kind. Its fields point into room. */
static err call(struct nsm_response *out, uint8_t room[static NSM_RESPONSE_MAX], const struct nsm *nsm,
                const struct nsm_request *q)
{
    BYTES ask = NULL;
    size_t n = 0;
    TRY(mem_new(&ask, NSM_REQUEST_MAX));
    struct wr w = wr_of(ask, NSM_REQUEST_MAX);
    TRY(nsm_request_build(&w, q));
    TRY(nsm->simulated ? call_socket(nsm->fd, &w, room, &n) : call_device(nsm->fd, &w, room, &n));
    TRY(nsm_response_parse(out, room, n));
    if (out->op == NSM_REFUSED) FAIL(E_DENIED, "the NSM refused: %s", nsm_error_text(out->error));
    if (out->op != q->op) FAIL(E_FORMAT, "the NSM answered another question");
    return OK;
}

static err too_long(struct bytes b, size_t max, const char *what)
{
    if (b.n > max) FAIL(E_LIMIT, "attestation: %s of %zu bytes", what, b.n);
    return OK;
}

err nsm_attestation(const struct nsm *nsm, uint8_t *doc, size_t cap, size_t *len,
                    struct bytes public_key, struct bytes user_data, struct bytes nonce)
{
    BYTES room = NULL;
    struct nsm_response a;
    struct nsm_request q = { .op = NSM_ATTESTATION, .public_key = public_key, .user_data = user_data, .nonce = nonce };
    TRY(too_long(public_key, NSM_PUBLIC_KEY_MAX, "public key"));
    TRY(too_long(user_data, NSM_USER_DATA_MAX, "user data"));
    TRY(too_long(nonce, NSM_NONCE_MAX, "nonce"));
    TRY(mem_new(&room, NSM_RESPONSE_MAX));
    TRY(call(&a, room, nsm, &q));
    if (a.data.n == 0) FAIL(E_FORMAT, "the NSM gave an empty document");
    if (a.data.n > cap) FAIL(E_LIMIT, "attestation document of %zu bytes", a.data.n);
    memcpy(doc, a.data.p, a.data.n);
    *len = a.data.n;
    return OK;
}

static err pcr_call(const struct nsm *nsm, uint8_t *value, bool *locked, const struct nsm_request *q)
{
    BYTES room = NULL;
    struct nsm_response a;
    TRY(mem_new(&room, NSM_RESPONSE_MAX));
    TRY(call(&a, room, nsm, q));
    if (!value) return OK;
    if (a.data.n != NSM_PCR_LEN) FAIL(E_FORMAT, "the NSM gave a PCR of %zu bytes", a.data.n);
    memcpy(value, a.data.p, NSM_PCR_LEN);
    if (locked) *locked = a.lock;
    return OK;
}

static err check_index(unsigned index)
{
    if (index >= NSM_PCRS) FAIL(E_LIMIT, "PCR index %u", index);
    return OK;
}

err nsm_describe_pcr(const struct nsm *nsm, uint8_t value[static NSM_PCR_LEN], bool *locked, unsigned index)
{
    TRY(check_index(index));
    return pcr_call(nsm, value, locked, &(struct nsm_request){ .op = NSM_DESCRIBE_PCR, .index = (uint16_t)index });
}

err nsm_extend_pcr(const struct nsm *nsm, uint8_t value[static NSM_PCR_LEN], unsigned index, const void *data, size_t len)
{
    TRY(check_index(index));
    struct nsm_request q = { .op = NSM_EXTEND_PCR, .index = (uint16_t)index, .data = { data, len } };
    return pcr_call(nsm, value, NULL, &q);
}

err nsm_lock_pcr(const struct nsm *nsm, unsigned index)
{
    TRY(check_index(index));
    return pcr_call(nsm, NULL, NULL, &(struct nsm_request){ .op = NSM_LOCK_PCR, .index = (uint16_t)index });
}

err nsm_describe(const struct nsm *nsm, struct nsm_about *out)
{
    BYTES room = NULL;
    struct nsm_response a;
    TRY(mem_new(&room, NSM_RESPONSE_MAX));
    TRY(call(&a, room, nsm, &(struct nsm_request){ .op = NSM_DESCRIBE }));
    struct bytes id = a.about.module_id;
    if (id.n > NSM_MODULE_ID_MAX || memchr(id.p, 0, id.n)) FAIL(E_FORMAT, "the NSM gave a strange module id");
    *out = (struct nsm_about){ .major = a.about.major, .minor = a.about.minor, .patch = a.about.patch,
                               .max_pcrs = a.about.max_pcrs, .locked = a.about.locked };
    memcpy(out->module_id, id.p, id.n);
    return OK;
}

err nsm_random(const struct nsm *nsm, uint8_t *out, size_t len)
{
    BYTES room = NULL;
    struct nsm_response a;
    TRY(mem_new(&room, NSM_RESPONSE_MAX));
    for (size_t got = 0; got < len;) {
        TRY(call(&a, room, nsm, &(struct nsm_request){ .op = NSM_GET_RANDOM }));
        if (a.data.n == 0 || a.data.n > NSM_RANDOM_MAX) FAIL(E_FORMAT, "the NSM gave %zu random bytes", a.data.n);
        size_t n = a.data.n < len - got ? a.data.n : len - got;
        memcpy(out + got, a.data.p, n);
        got += n;
    }
    mem_wipe(room, NSM_RESPONSE_MAX);
    return OK;
}
