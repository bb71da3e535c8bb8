/* connect.c - connect(2) as libcurl 7.88 needs it.
 *
 * We hand libcurl sockets that are connected already and say so
 * (CURL_SOCKOPT_ALREADY_CONNECTED). The release in Debian 12 calls connect() on them
 * all the same, and takes the kernel's complaint for a failure (curl issue 10626, a
 * regression of 7.88.0, mended later). The program's own connect() comes before libc's:
 * on a socket that has a peer it has nothing to do; on any other it is the system call. */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &n) == 0) return 0;
    return (int)syscall(SYS_connect, fd, address, len);
}
