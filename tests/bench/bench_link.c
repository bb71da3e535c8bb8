/* A full generation of 1 GiB through a unix socket into the parent's store, wall time, against a plain copy of the same bytes
 * over the same socket into the same store. FOLDER must be on a tmpfs, and is left as it was found. */
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"
#include "diskcrypt/seal.h"
#include "parent/serve.h"
#include "parent/store.h"
#include "tests/bench/bench.h"

enum { MIB = 1 << 20, RUNS = 3, MS = 20000 };
static const uint64_t SIZE = 1024ull * MIB;

static void must(err e)
{
    if (e.code) {
        fprintf(stderr, "bench_link: %s\n", err_text(e.code));
        exit(1);
    }
}

static void clean(const char *dir)
{
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        exit(1);
}

/* The parent: one connection, then the end. */
static void parent(int fd, const char *dir)
{
    struct parent_config conf;
    char text[PATH_MAX + 32];
    STORE_BACKEND made = NULL;
    snprintf(text, sizeof text, "[store]\ndir = %s\n", dir);
    must(store_dir_open(&made, dir, true));
    must(parent_config_parse(&conf, "bench", text));
    _exit(serve_link(&fd, &conf, -1).code ? 1 : 0);
}

static pid_t connect_parent(struct store **out, const char *dir)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        must((err){ E_IO });
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        parent(ends[1], dir);
    }
    close(ends[1]);
    fd_wide(ends[0]);                     /* as init does for the disk role */
    must(link_hello(ends[0], LINK_STORE, NULL, 0, MS));
    must(store_link(out, &ends[0], MS));
    return pid;
}

static void copy(struct store *st, struct blk *image)
{
    BYTES room = NULL;
    must(mem_new(&room, LINK_PIECE));
    must(st->put_begin(st, "g0000000000000001-00000000.pack"));
    for (uint64_t at = 0; at < SIZE; at += LINK_PIECE) {
        must(image->read_at(image, room, LINK_PIECE, at));
        must(st->put_data(st, room, LINK_PIECE));
    }
    must(st->put_end(st, SIZE));
}

static void seal(struct store *st, struct blk *image, const secret *key)
{
    static const uint8_t service[32] = { 7 }, record[16] = { 1 };
    SEAL_HEAD found = { 0 };
    SEALER s = NULL;
    struct seal_report r;
    must(seal_head_get(&found, st));
    must(seal_open(&s, key, service, 1, st, &found));
    must(seal_write(s, &r, image, record, sizeof record, 1));
}

/* Wall seconds, the least of RUNS. Each is into new files: new pages cost both the same. */
static double least(const char *dir, struct blk *image, const secret *key)
{
    double best = 1e9;
    for (int i = 0; i < RUNS; i++) {
        STORE st = NULL;
        const pid_t pid = connect_parent(&st, dir);
        const double before = bench_clock(CLOCK_MONOTONIC);
        if (key)
            seal(st, image, key);
        else
            copy(st, image);
        const double t = bench_clock(CLOCK_MONOTONIC) - before;
        best = t < best ? t : best;
        store_close(&st);
        waitpid(pid, NULL, 0);
        clean(dir);
    }
    return best;
}

int main(int argc, char **argv)
{
    SECRET key = NULL;
    BLK image = NULL;
    BYTES some = NULL;
    if (argc != 2)
        return 2;
    log_open("bench", LOG_ERROR);
    must(crypto_warm_up());
    must(secret_arena_open(65536));
    must(secret_random(&key, 32));
    must(mem_new(&some, MIB));
    int fd = memfd_create("image", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)SIZE) != 0)
        must((err){ E_IO });
    must(blk_from_fd(&image, &fd));
    for (uint64_t at = 0; at < SIZE; at += MIB) {
        must(random_bytes(some, MIB));
        must(image->write_at(image, some, MIB, at));
    }
    const double plain = least(argv[1], image, NULL), sealed = least(argv[1], image, key);
    bench_say("full seal over a socket, wall against a plain copy there", sealed / plain, "x", "<= 1.3");
    bench_say("full seal over a socket, wall", sealed, "s", "");
    return 0;
}
