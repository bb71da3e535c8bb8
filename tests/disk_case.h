/* disk_case.h - the role disk without its loop and its disk, but with a log, and one child that plays init and the parent by a script. */
#ifndef TESTS_DISK_CASE_H
#define TESTS_DISK_CASE_H
#include "core/link.h"
#include "daemon/disk.h"
#include "tests/support/seal_rig.h"

enum { WITNESSES = 3, DEADLINE_MS = 20000 };

/* What the parent says to one question. `gate`: reading a byte there waits for the test's word. */
typedef void say(int fd, const struct msg *question, int gate);
#define SAYS(name) static void name(int fd, const struct msg *q, int gate) { (void)fd, (void)q, (void)gate;

struct bench {
    struct rig rig;
    struct role_env env;
    struct loop loop;
    struct disk d;
    struct witnesses witnesses;                  /* a, b, c: keys of case_key() from 20 on, all named w.example; two are enough */
    struct blk *image;
    secret *key;
    say *const *script;
    int control, web, keeper, book, gate[2];     /* the other ends; gate: a byte lets the parent go on */
    pid_t pid;
    bool deaf;                                   /* the parent greets nobody */
};
/* A log of one start and one generation, and a parent that answers one question after the other as the script has it. */
void bench_open(struct bench *b, say *const *script, bool deaf);
void bench_close(struct bench *b);
/* One generation more. */
void bench_seal(struct bench *b, uint8_t seed);
/* What the loop does when the parent has said something there. */
enum { FROM_WITNESSES, FROM_LOG };
err  bench_deliver(struct bench *b, int source);
/* The next frame of a peer (b->web, b->keeper, b->book); type 0: none. It stands until the next one. */
struct msg bench_heard(int fd);

#endif
