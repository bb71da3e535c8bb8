/* connect.c - connect(2) as libcurl 7.88 needs it.
 *
 * We hand libcurl streams that are connected already and say so
 * (CURL_SOCKOPT_ALREADY_CONNECTED). The release in Debian 12 calls connect() on them all the
 * same, and takes the kernel's complaint for a failure (curl issue 10626, a regression of
 * 7.88.0, mended in 8.0); in the fetch role the call itself ends the process. http.c resolves
 * every name to an address that is nobody's: a connect() to exactly that one is answered here.
 * The program's own connect() comes before libc's, for shared libraries too, so that
 * linking this file is all it takes. */
#include "keystore/connect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

int connect_knowing(int fd, const struct sockaddr *address, socklen_t n)
{
    const struct sockaddr_in *in = (const void *)address;
    if (n >= sizeof *in && in->sin_family == AF_INET && in->sin_addr.s_addr == inet_addr(CONNECT_NOBODY))
        return 0;
    return (int)syscall(SYS_connect, fd, address, n);
}
