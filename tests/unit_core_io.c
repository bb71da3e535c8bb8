/* Exact reads and writes, deadlines, addresses and sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "core/io.h"
#include "core/mem.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pair(int fd[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

START_TEST(bytes_arrive)
{
    int fd[2];
    char got[6] = "";
    pair(fd);
    ASSERT_OK(fd_write(fd[0], "hello", 5, 1000));
    ASSERT_OK(fd_read(fd[1], got, 2, 1000));
    ASSERT_OK(fd_read(fd[1], got + 2, 3, 1000));
    ck_assert_str_eq(got, "hello");
    ASSERT_OK(fd_read(fd[1], got, 0, 0));
    ASSERT_OK(fd_write(fd[1], NULL, 0, 0));
    close(fd[0]);
    ASSERT_CODE(fd_read(fd[1], got, 1, 1000), E_CLOSED);
    close(fd[1]);
}
END_TEST

START_TEST(pipes_and_files_work_too)
{
    int fd[2];
    char got[6] = "";
    ck_assert_int_eq(pipe(fd), 0);
    ASSERT_CODE(fd_read(fd[0], got, 1, 20), E_TIMEOUT);      /* in blocking mode, even */
    ASSERT_OK(fd_write(fd[1], "hello", 5, 1000));
    ASSERT_OK(fd_read(fd[0], got, 5, 1000));
    ck_assert_str_eq(got, "hello");
    close(fd[1]);
    ASSERT_CODE(fd_read(fd[0], got, 1, 1000), E_CLOSED);
    close(fd[0]);
    FD zero = open("/dev/zero", O_RDONLY);
    ASSERT_OK(fd_read(zero, got, 5, 1000));
    ck_assert_str_eq(got, "");
    ASSERT_CODE(fd_read(-1, got, 1, 1000), E_IO);
    ASSERT_CODE(fd_write(4000, got, 1, 1000), E_IO);
}
END_TEST

START_TEST(a_half_is_no_read)
{
    int fd[2];
    char got[6] = "";
    pair(fd);
    ASSERT_OK(fd_write(fd[0], "hel", 3, 1000));
    ASSERT_CODE(fd_read(fd[1], got, 5, 20), E_TIMEOUT);
    ASSERT_OK(fd_write(fd[0], "lo", 2, 1000));
    close(fd[0]);
    ASSERT_CODE(fd_read(fd[1], got, 5, 1000), E_CLOSED);
    close(fd[1]);
}
END_TEST

static void on_alarm(int signal)
{
    (void)signal;
}

/* A storm of signals must neither end a wait nor make it longer. */
START_TEST(a_deadline_holds_under_signals)
{
    int fd[2];
    char c;
    pair(fd);
    struct sigaction a = { .sa_handler = on_alarm };
    struct itimerval storm = { { 0, 3000 }, { 0, 3000 } }, calm = { { 0, 0 }, { 0, 0 } };
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &storm, NULL);
    long from = now_ms();
    ASSERT_CODE(fd_read(fd[0], &c, 1, 150), E_TIMEOUT);
    long took = now_ms() - from;
    setitimer(ITIMER_REAL, &calm, NULL);
    ck_assert_int_ge(took, 149);
    ck_assert_int_lt(took, 2000);
    from = now_ms();
    ASSERT_CODE(fd_read(fd[0], &c, 1, 0), E_TIMEOUT);
    ck_assert_int_lt(now_ms() - from, 1000);
}
END_TEST

START_TEST(a_reader_that_does_not_read_stops_the_writer)
{
    int fd[2];
    pair(fd);
    size_t n = 8 << 20;
    char *big = calloc(1, n);
    long from = now_ms();
    ASSERT_CODE(fd_write(fd[0], big, n, 60), E_TIMEOUT);
    ck_assert_int_ge(now_ms() - from, 59);
    free(big);
}
END_TEST

/* The default action of SIGPIPE stays, and nothing dies of it. */
START_TEST(a_reader_that_is_gone_is_an_error)
{
    int fd[2];
    pair(fd);
    close(fd[1]);
    ASSERT_CODE(fd_write(fd[0], "x", 1, 1000), E_CLOSED);
    close(fd[0]);
}
END_TEST

static void echo(void *ctx)
{
    int *fd = ctx;
    uint8_t part[1000];
    close(fd[0]);
    for (;;) {
        ssize_t n = read(fd[1], part, sizeof part);
        if (n <= 0)
            _exit(0);
        if (write(fd[1], part, (size_t)n) != n)
            _exit(1);
    }
}

START_TEST(a_stream_carries_much)
{
    int fd[2];
    pair(fd);
    pid_t pid = child_start(echo, fd);
    close(fd[1]);
    IO io = NULL;
    ASSERT_OK(io_from_fd(&io, &fd[0], 5000));
    ck_assert_int_eq(fd[0], -1);
    uint8_t out[30000], in[30000];
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)(i * 7);
    for (int i = 0; i < 50; i++) {
        ASSERT_OK(io->write(io, out, sizeof out));
        ASSERT_OK(io->read(io, in, sizeof in));
        ck_assert_mem_eq(in, out, sizeof in);
    }
    io_close(&io);
    ck_assert_ptr_null(io);
    ck_assert(exited(child_wait(pid), 0));
    io_close(&io);
}
END_TEST

START_TEST(a_bad_descriptor_is_no_stream)
{
    struct io *io = (void *)1;
    int bad = 4000;
    ASSERT_CODE(io_from_fd(&io, &bad, 1000), E_IO);
    ck_assert_ptr_null(io);
    ck_assert_int_eq(bad, -1);
}
END_TEST

START_TEST(a_fault_strikes_the_call_it_names)
{
    int fd[2];
    char c = 0;
    struct io_faults f = { 0, 3 };
    pair(fd);
    IO io = NULL;
    ASSERT_OK(io_from_fd(&io, &fd[0], 1000));
    IO faulty = NULL;
    ASSERT_OK(io_faulty(&faulty, &io, &f));
    ck_assert_ptr_null(io);
    ASSERT_OK(faulty->write(faulty, "ab", 2));
    ASSERT_OK(fd_write(fd[1], "cd", 2, 1000));
    ASSERT_OK(faulty->read(faulty, &c, 1));
    ASSERT_CODE(faulty->read(faulty, &c, 1), E_IO);
    ASSERT_OK(faulty->read(faulty, &c, 1));
    ck_assert_int_eq(c, 'd');
    ck_assert_uint_eq(f.calls, 4);
    close(fd[1]);
}
END_TEST

START_TEST(bad_addresses_are_refused)
{
    static const char *const bad[] = {
        "", "tcp", "tcp:", "tcp:1", "tcp::1", "tcp:localhost", "tcp:localhost:", "tcp:localhost:x", "tcp:localhost:65536",
        "tcp:localhost:-1", "tcp:localhost: 1", "tcp:localhost:01", "tcp:example.org:80", "tcp:1.2.3:80", "tcp:1.2.3.4.5:8",
        "tcp:::1:80", "tcp:[::1:80", "tcp:[]:80", "tcp:[::g]:80", "tcp:[127.0.0.1]:80", "TCP:127.0.0.1:80", " tcp:127.0.0.1:80",
        "vsock:", "vsock:3", "vsock:3:", "vsock::5", "vsock:x:5", "vsock:3:5:7", "vsock:4294967295:5", "vsock:3:4294967295",
        "vsock:99999999999:5", "unix:", "fd:", "fd:x", "fd:-1", "fd:1048577", "http://127.0.0.1", "127.0.0.1:80", "/tmp/socket",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fd = 7;
        enum err_code code = fd_connect(&fd, bad[i], 100).code;
        ck_assert_msg(code == E_FORMAT, "connect '%s': %s", bad[i], err_text(code));
        ck_assert_int_eq(fd, -1);
        code = fd_listen(&fd, bad[i], 0).code;
        ck_assert_msg(code == E_FORMAT, "listen '%s': %s", bad[i], err_text(code));
        ck_assert_int_eq(fd, -1);
    }
    char path[200] = "unix:/";
    memset(path + 6, 'a', 107);
    int fd = 7;
    ASSERT_CODE(fd_connect(&fd, path, 100), E_FORMAT);       /* 108 characters and NUL */
    path[6 + 106] = '\0';
    ASSERT_CODE(fd_connect(&fd, path, 100), E_IO);           /* fits, and is not there */
    ASSERT_CODE(fd_connect(&fd, "vsock:any:5", 100), E_FORMAT);
}
END_TEST

static char dir[] = "/tmp/hf-io-XXXXXX";
static char path_room[PATH_MAX];

static const char *in_dir(const char *scheme, const char *name)
{
    snprintf(path_room, sizeof path_room, "%s%s/%s", scheme, dir, name);
    return path_room;
}

static void make_dir(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    unlink(in_dir("", "s"));
    unlink(in_dir("", "file"));
    rmdir(dir);
}

static void talk_both_ways(int a, int b)
{
    char c = 0;
    ASSERT_OK(fd_write(a, "p", 1, 1000));
    ASSERT_OK(fd_read(b, &c, 1, 1000));
    ck_assert_int_eq(c, 'p');
    ASSERT_OK(fd_write(b, "q", 1, 1000));
    ASSERT_OK(fd_read(a, &c, 1, 1000));
    ck_assert_int_eq(c, 'q');
    ck_assert_int_ne(fcntl(a, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_ne(fcntl(b, F_GETFD) & FD_CLOEXEC, 0);
}

START_TEST(unix_sockets_connect)
{
    FD listener = -1;
    FD client = -1;
    FD server = -1;
    ASSERT_OK(fd_listen(&listener, in_dir("unix:", "s"), 0));
    ck_assert_int_ne(fcntl(listener, F_GETFD) & FD_CLOEXEC, 0);
    ASSERT_CODE(fd_accept(&server, listener, 20), E_TIMEOUT);
    ASSERT_OK(fd_connect(&client, path_room, 1000));
    ASSERT_OK(fd_accept(&server, listener, 1000));
    talk_both_ways(client, server);
    IO io = NULL;
    ASSERT_OK(io_connect(&io, path_room, 1000));
    fd_close(&server);
    ASSERT_OK(fd_accept(&server, listener, 1000));
    ASSERT_OK(io->write(io, "x", 1));
}
END_TEST

START_TEST(unix_sockets_have_their_mode)
{
    static const unsigned modes[] = { 0, 0600, 0660, 0666 };
    for (size_t i = 0; i < 4; i++) {
        umask(i % 2 ? 0 : 077);
        FD listener = -1;
        struct stat st;
        ASSERT_OK(fd_listen(&listener, in_dir("unix:", "s"), modes[i]));
        ck_assert_int_eq(stat(in_dir("", "s"), &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, modes[i] ? modes[i] : 0600);
    }
}
END_TEST

START_TEST(only_a_stale_socket_is_replaced)
{
    int first = -1, second = -1;
    ASSERT_OK(fd_listen(&first, in_dir("unix:", "s"), 0));
    ASSERT_CODE(fd_listen(&second, path_room, 0), E_STATE);
    ck_assert_int_eq(second, -1);
    close(first);
    ASSERT_OK(fd_listen(&second, path_room, 0));
    FD client = -1;
    ASSERT_OK(fd_connect(&client, path_room, 1000));
    close(second);
    int file = open(in_dir("", "file"), O_CREAT | O_WRONLY, 0600);
    ck_assert_int_eq(write(file, "keep", 4), 4);
    close(file);
    ASSERT_CODE(fd_listen(&first, in_dir("unix:", "file"), 0), E_STATE);
    struct stat st;
    ck_assert_int_eq(stat(in_dir("", "file"), &st), 0);
    ck_assert_int_eq(st.st_size, 4);
    ASSERT_CODE(fd_listen(&first, in_dir("unix:", "no/such/folder"), 0), E_IO);
}
END_TEST

/* With a full queue a unix connect says EAGAIN; it must wait, and in time. */
START_TEST(a_full_queue_times_out)
{
    FD listener = -1;
    ASSERT_OK(fd_listen(&listener, in_dir("unix:", "s"), 0));
    ck_assert_int_eq(listen(listener, 0), 0);
    FD one = -1;
    FD two = -1;
    ASSERT_OK(fd_connect(&one, path_room, 1000));
    long from = now_ms();
    ASSERT_CODE(fd_connect(&two, path_room, 100), E_TIMEOUT);
    ck_assert_int_ge(now_ms() - from, 99);
}
END_TEST

static unsigned port_of(int fd)
{
    struct sockaddr_in6 at;
    socklen_t n = sizeof at;
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    return ntohs(at.sin6_port);                              /* the same place in both families */
}

START_TEST(tcp_connects)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost", "[::1]" };
    for (size_t i = 0; i < 3; i++) {
        FD listener = -1;
        FD client = -1;
        FD server = -1;
        char address[64];
        snprintf(address, sizeof address, "tcp:%s:0", hosts[i]);
        err e = fd_listen(&listener, address, 0);
        if (e.code != E_OK && i == 2)
            continue;                                        /* no IPv6 here */
        ASSERT_OK(e);
        snprintf(address, sizeof address, "tcp:%s:%u", hosts[i], port_of(listener));
        ASSERT_OK(fd_connect(&client, address, 1000));
        ASSERT_OK(fd_accept(&server, listener, 1000));
        talk_both_ways(client, server);
        int on = 0;
        socklen_t n = sizeof on;
        getsockopt(server, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, &n);
        ck_assert_int_ne(on, 0);
        fd_close(&listener);
        fd_close(&client);
        ASSERT_CODE(fd_connect(&client, address, 1000), E_IO);
        ck_assert_int_eq(client, -1);
    }
}
END_TEST

START_TEST(a_descriptor_is_an_address)
{
    int fd[2];
    char address[32];
    pair(fd);
    snprintf(address, sizeof address, "fd:%d", fd[0]);
    FD mine = -1;
    fcntl(fd[0], F_SETFD, 0);
    ASSERT_OK(fd_connect(&mine, address, 1000));
    ck_assert_int_eq(mine, fd[0]);
    talk_both_ways(mine, fd[1]);
    ASSERT_CODE(fd_connect(&fd[1], "fd:4000", 1000), E_IO);
    FD listener = -1;
    ASSERT_OK(fd_listen(&listener, in_dir("unix:", "s"), 0));
    snprintf(address, sizeof address, "fd:%d", listener);
    int same = -1;
    ASSERT_OK(fd_listen(&same, address, 0));
    ck_assert_int_eq(same, listener);
}
END_TEST

/* vsock: nobody answers on this machine, but the address must get to the kernel. */
START_TEST(vsock_is_spoken)
{
    FD listener = -1;
    err e = fd_listen(&listener, "vsock:any:59871", 0);
    if (e.code != E_OK) {
        ck_assert_int_eq((int)e.code, E_IO);                 /* a kernel without it */
        return;
    }
    FD client = -1;
    e = fd_connect(&client, "vsock:1:59871", 300);
    ck_assert(e.code == E_OK || e.code == E_IO || e.code == E_TIMEOUT);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = CHECK_SUITE("core/io", bytes_arrive, pipes_and_files_work_too, a_half_is_no_read,
                           a_deadline_holds_under_signals, a_reader_that_does_not_read_stops_the_writer,
                           a_reader_that_is_gone_is_an_error, a_stream_carries_much, a_bad_descriptor_is_no_stream,
                           a_fault_strikes_the_call_it_names, bad_addresses_are_refused, tcp_connects, vsock_is_spoken);
    TCase *c = tcase_create("unix");
    tcase_add_checked_fixture(c, make_dir, remove_dir);
    tcase_add_test(c, unix_sockets_connect);
    tcase_add_test(c, unix_sockets_have_their_mode);
    tcase_add_test(c, only_a_stale_socket_is_replaced);
    tcase_add_test(c, a_full_queue_times_out);
    tcase_add_test(c, a_descriptor_is_an_address);
    suite_add_tcase(s, c);
    return s;
}

CHECK_MAIN(suite)
