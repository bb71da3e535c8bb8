/* connect.h - the address that stands for "connected already", and the connect() that knows it. */
#ifndef KEYSTORE_CONNECT_H
#define KEYSTORE_CONNECT_H
#include <sys/socket.h>

/* In TEST-NET-1, a block that is never assigned to anybody (RFC 5737). */
#define CONNECT_NOBODY "192.0.2.1"

/* Is linked as `connect`: for CONNECT_NOBODY, 0 without a system call; else connect(2). */
int connect_knowing(int fd, const struct sockaddr *address, socklen_t n) __asm__("connect");

#endif
