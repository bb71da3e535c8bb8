/* Every allocation, random number, stream and device call fails in turn. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/blk.h"
#include "core/conf.h"
#include "core/crypto.h"
#include "core/io.h"
#include "core/mem.h"
#include "core/msg.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"

static void set_up(void)
{
    ASSERT_OK(crypto_warm_up());
    ASSERT_OK(secret_arena_open(1 << 16));
}

/* The loop itself must be able to fail: a body that leaks, or that hides a fault. */
static err leaks_block(void *ctx, unsigned long n)
{
    uint8_t *p = NULL, *q = NULL;
    (void)ctx;
    (void)n;
    TRY(mem_new(&p, 10));
    TRY(mem_new(&q, 10));
    free(p);
    free(q);
    return OK;
}

static err leaks_fd(void *ctx, unsigned long n)
{
    (void)ctx;
    (void)n;
    BYTES p = NULL;
    int fd = open("/dev/null", O_RDONLY);
    TRY(mem_new(&p, 10));
    close(fd);
    return OK;
}

static err leaks_secret(void *ctx, unsigned long n)
{
    (void)ctx;
    (void)n;
    secret *s = NULL, *t = NULL;
    TRY(secret_new(&s, 10));
    TRY(secret_random(&t, 10));
    secret_drop(&s);
    secret_drop(&t);
    return OK;
}

static err hides_fault(void *ctx, unsigned long n)
{
    (void)ctx;
    (void)n;
    BYTES p = NULL;
    err_drop(mem_new(&p, 10));
    return OK;
}

START_TEST(a_leaked_block_is_seen) { FAULT_LOOP(FAULT_ALLOC, leaks_block, NULL); } END_TEST
START_TEST(a_leaked_descriptor_is_seen) { FAULT_LOOP(FAULT_ALLOC, leaks_fd, NULL); } END_TEST
START_TEST(a_leaked_secret_is_seen) { set_up(); FAULT_LOOP(FAULT_RANDOM, leaks_secret, NULL); } END_TEST
START_TEST(a_hidden_fault_is_seen) { FAULT_LOOP(FAULT_ALLOC, hides_fault, NULL); } END_TEST

/* Those four must fail; run in a runner of their own, whose failures are counted. */
START_TEST(the_fault_loop_sees_faults)
{
    Suite *s = CHECK_SUITE("must fail", a_leaked_block_is_seen, a_leaked_descriptor_is_seen,
                           a_leaked_secret_is_seen, a_hidden_fault_is_seen);
    SRunner *r = srunner_create(s);
    srunner_set_fork_status(r, CK_FORK);
    srunner_run_all(r, CK_SILENT);
    int run = srunner_ntests_run(r), failed = srunner_ntests_failed(r);
    srunner_free(r);
    ck_assert_int_eq(run, 4);
    ck_assert_int_eq(failed, 4);
}
END_TEST

static err secrets(void *ctx, unsigned long n)
{
    (void)ctx;
    (void)n;
    SECRET a = NULL;
    SECRET b = NULL;
    SECRET c = NULL;
    TRY(secret_random(&a, 32));
    TRY(secret_random(&b, 4096));
    TRY(secret_copy(&c, b));
    return OK;
}

/* The arena's own canary is random, too. */
static err arena(void *ctx, unsigned long n)
{
    (void)ctx;
    (void)n;
    secret_arena_close();
    return secret_arena_open(4096);
}

static err keyed(void *ctx, unsigned long n)
{
    (void)ctx;
    (void)n;
    uint8_t tag[16], text[40] = "text", mac[32], nonce[12] = { 0 };
    SECRET a = NULL;
    SECRET b = NULL;
    GCM g = NULL;
    TRY(secret_random(&a, 32));
    TRY(hkdf_sha256(&b, 32, a, "salt", 4, "info", 4));
    TRY(secret_hmac_sha256(mac, b, &(struct bytes){ text, sizeof text }, 1));
    TRY(gcm_open_key(&g, b));
    TRY(gcm_seal(g, text, tag, nonce, mac, sizeof mac, text, sizeof text));
    TRY(gcm_unseal(g, text, tag, nonce, mac, sizeof mac, text, sizeof text));
    MUST(strcmp((char *)text, "text") == 0);
    return OK;
}

static err warm(void *ctx, unsigned long n)
{
    (void)ctx;
    (void)n;
    return crypto_warm_up();
}

static err hashed(void *ctx, unsigned long n)
{
    (void)ctx;
    (void)n;
    struct sha256_run *r = NULL;
    uint8_t h[32];
    TRY(sha256_begin(&r));
    sha256_add(r, "abc", 3);
    sha256_end(&r, h);
    return OK;
}

static err configured(void *ctx, unsigned long n)
{
    static const struct conf_key keys[] = { { "a", "b", CONF_U64, 0, 0, 0, 100, "" } };
    uint64_t value = 7;
    (void)n;
    err e = conf_read(ctx, keys, 1, &value);
    MUST(value == (e.code == E_OK ? 42 : 7));
    return e;
}

static err pair(int *a, int *b)
{
    int fd[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
        FAIL(E_IO, "socketpair");
    *a = fd[0];
    *b = fd[1];
    return OK;
}

static err streamed(void *ctx, unsigned long n)
{
    FD a = -1;
    FD b = -1;
    IO plain = NULL;
    IO io = NULL;
    char got[4];
    struct io_faults f = { 0, ctx ? n : 0 };
    TRY(pair(&a, &b));
    TRY(io_from_fd(&plain, &a, 1000));
    TRY(io_faulty(&io, &plain, &f));
    TRY(io->write(io, "ping", 4));
    TRY(fd_read(b, got, 4, 1000));
    TRY(fd_write(b, "pong", 4, 1000));
    TRY(io->read(io, got, 2));
    return io->read(io, got, 2);
}

static err stored(void *ctx, unsigned long n)
{
    struct blk_faults f = { 0, ctx ? n : 0 };
    struct blk_power p = { 0 };
    BLK inner = NULL;
    BLK mem = NULL;
    BLK file = NULL;
    char got[2];
    FD fd = memfd_create("blk", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 100) != 0)
        FAIL(E_IO, "memfd");
    TRY(blk_from_fd(&file, &fd));
    TRY(file->write_at(file, "x", 1, 0));
    TRY(blk_volatile(&inner, 100, &p));
    TRY(blk_faulty(&mem, &inner, &f));
    TRY(mem->write_at(mem, "ab", 2, 5));
    TRY(mem->write_at(mem, "cd", 2, 7));
    TRY(mem->sync(mem));
    return mem->read_at(mem, got, 2, 6);
}

static err framed(void *ctx, unsigned long n)
{
    (void)ctx;
    (void)n;
    FD a = -1;
    FD b = -1;
    SECRET s = NULL;
    SECRET t = NULL;
    TRY(pair(&a, &b));
    TRY(secret_random(&s, 32));
    TRY(msg_send_secret(a, 1, 1, NULL, 0, s, 1000));
    TRY(msg_recv_secret(b, 1, NULL, 0, &t, 32, 1000));
    MUST(secret_eq(s, t));
    return OK;
}

START_TEST(allocations_fail_in_turn)
{
    char path[] = "/tmp/hf-fault-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, "[a]\nb = 42\n", 11), 11);
    close(fd);
    set_up();
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, keyed, NULL);
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, warm, NULL);
    FAULT_LOOP(FAULT_ALLOC, hashed, NULL);
    FAULT_LOOP(FAULT_ALLOC, configured, path);
    FAULT_LOOP(FAULT_ALLOC, streamed, NULL);
    FAULT_LOOP(FAULT_ALLOC, stored, NULL);
    unlink(path);
}
END_TEST

START_TEST(random_numbers_fail_in_turn)
{
    set_up();
    ck_assert_uint_eq(fault_loop(FAULT_RANDOM, secrets, NULL, "secrets"), 2);
    ck_assert_uint_eq(fault_loop(FAULT_RANDOM, keyed, NULL, "keyed"), 1);
    ck_assert_uint_eq(fault_loop(FAULT_RANDOM, framed, NULL, "framed"), 1);
    ck_assert_uint_eq(fault_loop(FAULT_RANDOM, arena, NULL, "arena"), 1);
}
END_TEST

START_TEST(stream_and_device_calls_fail_in_turn)
{
    set_up();
    ck_assert_uint_eq(fault_loop(FAULT_CALL, streamed, &(int){ 1 }, "streamed"), 3);
    ck_assert_uint_eq(fault_loop(FAULT_CALL, stored, &(int){ 1 }, "stored"), 4);
}
END_TEST

/* A frame is cut after each of its bytes in turn: an error each time, nothing kept. */
static err cut_frame(void *ctx, unsigned long n)
{
    (void)ctx;
    static const uint8_t frame[] = { 6, 0, 0, 0, 1, 0, 0, 0, 'h', 'd', 's', 'e', 'c', 'r' };
    FD a = -1;
    FD b = -1;
    SECRET s = NULL;
    char head[2];
    TRY(pair(&a, &b));
    size_t len = n == 0 || n > sizeof frame ? sizeof frame : n - 1;
    TRY(fd_write(a, frame, len, 1000));
    fd_close(&a);
    return msg_recv_secret(b, 1, head, 2, &s, 4, 1000);
}

START_TEST(a_frame_cut_anywhere_leaves_nothing)
{
    set_up();
    ck_assert_uint_eq(fault_loop(FAULT_CALL, cut_frame, NULL, "cut_frame"), 14);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("core faults", the_fault_loop_sees_faults, allocations_fail_in_turn, random_numbers_fail_in_turn,
                       stream_and_device_calls_fail_in_turn, a_frame_cut_anywhere_leaves_nothing);
}

CHECK_MAIN(suite)
