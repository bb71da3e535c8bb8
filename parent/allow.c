/* allow.c - the enclave's way out is a list, and everything else is closed.
 *
 * The list protects whoever runs the parent: an enclave gone wrong must not reach the rest of
 * their network. It protects no secret, since the parent can connect anywhere itself. */
#include "parent/allow.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/io.h"
#include "core/log.h"

/* HOST:PORT; a v6 address stands in brackets, which are not part of the host. Out: host, *port. */
static bool split_place(char *host, size_t cap, uint16_t *port, const char *text, size_t n)
{
    const char *colon = memrchr(text, ':', n);
    if (!colon) return false;
    size_t host_len = (size_t)(colon - text), digits = n - host_len - 1;
    unsigned long value = 0;
    if (digits == 0 || digits > 5) return false;
    for (size_t i = 1; i <= digits; i++) {
        if (colon[i] < '0' || colon[i] > '9') return false;
        value = value * 10 + (unsigned long)(colon[i] - '0');
    }
    if (host_len >= 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        host_len -= 2;
    }
    if (host_len == 0 || host_len >= cap || value == 0 || value > 65535) return false;
    /* Words of a URL are a mistake here that would otherwise be found only when nothing connects. */
    for (size_t i = 0; i < host_len; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f || strchr("/@[]", text[i])) return false;
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    *port = (uint16_t)value;
    return true;
}

static bool has_scheme(const char *target)
{
    return strncmp(target, "unix:", 5) == 0 || strncmp(target, "vsock:", 6) == 0 || strncmp(target, "tcp:", 4) == 0;
}

static err parse_entry(struct allow_entry *e, const char *text, size_t n)
{
    char host[ALLOW_HOST];
    uint16_t port;
    memset(e, 0, sizeof *e);
    const char *equals = memchr(text, '=', n);
    size_t place = equals ? (size_t)(equals - text) : n;
    if (!split_place(e->host, sizeof e->host, &e->port, text, place))
        FAIL(E_FORMAT, "egress: `%.*s` is not HOST:PORT or HOST:PORT=TARGET", (int)n, text);
    if (!equals) return OK;
    size_t target = n - place - 1;
    if (target == 0 || target >= sizeof e->target) FAIL(E_FORMAT, "egress: `%.*s`: no target after =", (int)n, text);
    memcpy(e->target, equals + 1, target);
    if (!has_scheme(e->target) && !split_place(host, sizeof host, &port, e->target, target))
        FAIL(E_FORMAT, "egress: `%s` is not HOST:PORT, unix:PATH or vsock:CID:PORT", e->target);
    return OK;
}

err allow_parse(struct allow *out, const char *text)
{
    memset(out, 0, sizeof *out);
    while (*text) {
        size_t n = strcspn(text, ",");
        const char *next = text + n + (text[n] == ',');
        while (n > 0 && strchr(" \t\r\n", *text)) {
            text++;
            n--;
        }
        while (n > 0 && strchr(" \t\r\n", text[n - 1])) n--;
        if (n > 0) {
            if (out->count == ALLOW_MAX) FAIL(E_LIMIT, "egress: more than %d entries", ALLOW_MAX);
            TRY(parse_entry(&out->entries[out->count], text, n));
            out->count++;
        }
        text = next;
    }
    return OK;
}

err allow_find(const struct allow_entry **entry, const struct allow *a, const char *host, uint16_t port)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->entries[i].port == port && strcasecmp(a->entries[i].host, host) == 0) {
            *entry = &a->entries[i];
            return OK;
        }
    *entry = NULL;
    FAIL(E_DENIED, "the enclave asked for %s:%u, which [parent] egress does not list", host, port);
}

static void free_found(struct addrinfo **found)
{
    if (*found) freeaddrinfo(*found);
    *found = NULL;
}

static err connect_name(int *fd, const char *host, uint16_t port, int deadline_ms)
{
    __attribute__((cleanup(free_found))) struct addrinfo *found = NULL;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC };
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    /* This may block for as long as the resolver wishes: only this connection's process waits. */
    int rc = getaddrinfo(host, service, &hints, &found);
    if (rc != 0) {
        found = NULL;
        log_warn("egress: %s cannot be resolved: %s", host, gai_strerror(rc));
        return (err){ E_ABSENT };
    }
    /* A host often has addresses of a family that has no route here: the next one may do. */
    err last = { E_ABSENT };
    for (const struct addrinfo *a = found; a; a = a->ai_next) {
        char numeric[INET6_ADDRSTRLEN + 16], address[INET6_ADDRSTRLEN + 32];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, numeric, sizeof numeric, NULL, 0, NI_NUMERICHOST) != 0) continue;
        snprintf(address, sizeof address, a->ai_family == AF_INET6 ? "tcp:[%s]:%u" : "tcp:%s:%u", numeric, port);
        last = fd_connect(fd, address, deadline_ms);
        if (last.code == E_OK) return OK;
    }
    return last;
}

err allow_connect(int *fd, const struct allow_entry *entry, int deadline_ms)
{
    char host[ALLOW_HOST];
    uint16_t port;
    *fd = -1;
    if (!entry->target[0]) return connect_name(fd, entry->host, entry->port, deadline_ms);
    if (has_scheme(entry->target)) return fd_connect(fd, entry->target, deadline_ms);
    if (!split_place(host, sizeof host, &port, entry->target, strlen(entry->target)))
        FAIL(E_FORMAT, "egress: target `%s`", entry->target);
    return connect_name(fd, host, port, deadline_ms);
}
