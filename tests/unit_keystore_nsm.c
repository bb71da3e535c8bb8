/* unit_keystore_nsm.c - the NSM's bytes, the client, and the simulated module. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "keystore/attest.h"
#include "keystore/nsm.h"
#include "sim/bank.h"
#include "sim/pki.h"
#include "sim/sim.h"
#include "tests/support/check_main.h"
#include "tests/support/child.h"
#include "tests/support/vectors.h"

#define B(literal) ((struct bytes){ literal, sizeof(literal) - 1 })

/* ---- bytes ------------------------------------------------------------------ */

static void assert_request(const struct nsm_request *q, const char *hex)
{
    uint8_t room[256];
    char have[513];
    struct nsm_request back;
    struct wr w = wr_of(room, sizeof room);
    ASSERT_OK(nsm_request_build(&w, q));
    hex_from(have, room, w.len);
    ck_assert_str_eq(have, hex);
    ASSERT_OK(nsm_request_parse(&back, room, w.len));
    ck_assert_int_eq(back.op, q->op);
    ck_assert_uint_eq(back.index, q->index);
    ck_assert_uint_eq(back.data.n, q->data.n);
    ck_assert_int_eq(back.nonce.p != NULL, q->nonce.p != NULL);
    for (size_t n = 0; n < w.len; n++) {
        struct wr small = wr_of(room, n);
        ASSERT_CODE(nsm_request_build(&small, q), E_LIMIT);
    }
}

START_TEST(request_bytes)
{
    assert_request(&(struct nsm_request){ .op = NSM_GET_RANDOM }, "6947657452616e646f6d");
    assert_request(&(struct nsm_request){ .op = NSM_DESCRIBE }, "6b44657363726962654e534d");
    assert_request(&(struct nsm_request){ .op = NSM_DESCRIBE_PCR }, "a16b4465736372696265504352a165696e64657800");
    assert_request(&(struct nsm_request){ .op = NSM_EXTEND_PCR, .index = 16, .data = B("abc") },
                   "a169457874656e64504352a265696e64657810646461746143616263");
    assert_request(&(struct nsm_request){ .op = NSM_LOCK_PCR, .index = 16 }, "a1674c6f636b504352a165696e64657810");
    assert_request(&(struct nsm_request){ .op = NSM_LOCK_PCRS, .index = 17 }, "a1684c6f636b50435273a16572616e676511");
    assert_request(&(struct nsm_request){ .op = NSM_ATTESTATION },
                   "a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e6365f66a7075626c69635f6b6579f6");
    assert_request(&(struct nsm_request){ .op = NSM_ATTESTATION, .nonce = B("") },
                   "a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e6365406a7075626c69635f6b6579f6");
}
END_TEST

START_TEST(request_limits)
{
    uint8_t room[64], big[NSM_REQUEST_MAX + 1] = { 0 };
    struct nsm_request q;
    struct wr w = wr_of(room, sizeof room);
    ASSERT_CODE(nsm_request_build(&w, &(struct nsm_request){ .op = NSM_LOCK_PCR, .index = 32 }), E_LIMIT);
    ASSERT_CODE(nsm_request_build(&w, &(struct nsm_request){ .op = NSM_LOCK_PCRS, .index = 33 }), E_LIMIT);
    ASSERT_CODE(nsm_request_parse(&q, big, sizeof big), E_LIMIT);
}
END_TEST

/* Hex of a message, the code it must give; requests, then responses. */
static const struct parse_case { const char *hex; bool response; enum err_code want; } parses[] = {
    { "a16b4465736372696265504352a165696e64657800", false, E_OK },
    { "bf6b4465736372696265504352bf65696e64657800ffff", false, E_OK },              /* indefinite both */
    { "a169457874656e64504352a2646461746143616263 65696e64657810", false, E_OK },    /* other order */
    { "a16b4465736372696265504352a265696e6465780065696e64657800", false, E_FORMAT },  /* a key twice */
    { "a16b4465736372696265504352a265696e64657800616118ff", false, E_OK },            /* a key we do not know */
    { "a16b4465736372696265504352a265696e646578006161a1616282f5f6", false, E_OK },
    { "a16b4465736372696265504352a265696e6465780061616161", false, E_OK },
    { "a16b4465736372696265504352a2616100616100", false, E_FORMAT },                  /* unknown, but twice */
    { "a16b4465736372696265504352a0", false, E_FORMAT },                              /* nothing in it */
    { "a16b4465736372696265504352a165696e646578f6", false, E_FORMAT },                /* null is no index */
    { "a16b4465736372696265504352a165696e64657820", false, E_FORMAT },                /* negative */
    { "a16b4465736372696265504352a165696e6465781a00010000", false, E_FORMAT },        /* more than 16 bits */
    { "a16b4465736372696265504352a165696e6465780000", false, E_FORMAT },              /* a byte after the end */
    { "a26b4465736372696265504352a165696e64657800616100", false, E_FORMAT },          /* two operations */
    { "a0", false, E_FORMAT }, { "", false, E_FORMAT }, { "00", false, E_FORMAT }, { "ff", false, E_FORMAT },
    { "6b4465736372696265504352", false, E_FORMAT },                                  /* DescribePCR without fields */
    { "a16947657452616e646f6da0", false, E_FORMAT },                                  /* GetRandom with fields */
    { "654572726f72", false, E_FORMAT },
    { "a16b4174746573746174696f6ea0", false, E_OK },                                  /* all optional */
    { "a16b4174746573746174696f6ea1656e6f6e6365636e6f6e", false, E_FORMAT },          /* text for bytes */
    { "a16b4174746573746174696f6ea1656e6f6e63655f4101ff", false, E_FORMAT },          /* in chunks */
    { "a16b4174746573746174696f6ea1656e6f6e63655affffffff00", false, E_FORMAT },      /* longer than there is */
    { "674c6f636b504352", true, E_OK }, { "684c6f636b50435273", true, E_OK },
    { "a1674c6f636b504352a0", true, E_FORMAT },
    { "a16b4465736372696265504352a2646c6f636bf564646174614101", true, E_OK },
    { "a16b4465736372696265504352a16464617461 4101", true, E_FORMAT },                /* lock is missing */
    { "a16b4465736372696265504352a2646c6f636b0164646174614101", true, E_FORMAT },     /* lock is a number */
    { "a1654572726f726d52656164 4f6e6c79496e646578", true, E_OK },
    { "a1654572726f7267556e6b6e6f776e", true, E_OK },                                 /* an error of tomorrow */
    { "a1654572726f7201", true, E_FORMAT },
    { "a16947657452616e646f6da16672616e646f6d420102", true, E_OK },
    { "a16947657452616e646f6da16464617461420102", true, E_FORMAT },
    { "bf6947657452616e646f6dbf6672616e646f6d420102ff", true, E_FORMAT },             /* one end is missing */
};

START_TEST(parse_forms)
{
    const struct parse_case *c = &parses[_i];
    char hex[256] = { 0 };
    uint8_t bytes[128];
    size_t n = 0;
    for (const char *p = c->hex; *p; p++)
        if (*p != ' ') hex[n++] = *p;
    hex_must(bytes, n / 2, hex);
    /* A copy of the exact size, so that a read beyond it is seen. */
    uint8_t *exact = malloc(n / 2 + 1);
    memcpy(exact, bytes, n / 2);
    struct nsm_request q;
    struct nsm_response a;
    err got = c->response ? nsm_response_parse(&a, exact, n / 2) : nsm_request_parse(&q, exact, n / 2);
    ck_assert_msg(got.code == c->want, "%s: %s, expected %s", c->hex, err_text(got.code), err_text(c->want));
    free(exact);
}
END_TEST

START_TEST(response_round_trip)
{
    static const enum nsm_op ops[] = { NSM_DESCRIBE_PCR, NSM_EXTEND_PCR, NSM_LOCK_PCR, NSM_LOCK_PCRS, NSM_DESCRIBE,
                                       NSM_ATTESTATION, NSM_GET_RANDOM, NSM_REFUSED };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        uint8_t room[512];
        struct wr w = wr_of(room, sizeof room);
        struct nsm_response back, a = {
            .op = ops[i], .error = NSM_READ_ONLY_INDEX, .lock = true, .data = B("data"),
            .about = { .major = 1, .minor = 2, .patch = 3, .max_pcrs = 32, .locked = 0x8001ffff, .module_id = B("i-1-enc2"), .digest = B("SHA384") },
        };
        ASSERT_OK(nsm_response_build(&w, &a));
        ASSERT_OK(nsm_response_parse(&back, room, w.len));
        ck_assert_int_eq(back.op, ops[i]);
        if (ops[i] == NSM_REFUSED) ck_assert_int_eq(back.error, NSM_READ_ONLY_INDEX);
        if (ops[i] == NSM_DESCRIBE_PCR) ck_assert(back.lock);
        if (ops[i] == NSM_ATTESTATION || ops[i] == NSM_EXTEND_PCR) ck_assert_mem_eq(back.data.p, "data", 4);
        if (ops[i] == NSM_DESCRIBE) {
            ck_assert_uint_eq(back.about.locked, 0x8001ffff);
            ck_assert_uint_eq(back.about.patch, 3);
            ck_assert_mem_eq(back.about.module_id.p, "i-1-enc2", 8);
        }
        for (size_t n = 0; n < w.len; n++) ASSERT_CODE(nsm_response_parse(&back, room, n), E_FORMAT);
    }
    for (unsigned e = 0; e < NSM_ERRORS; e++) ck_assert_str_ne(nsm_error_text((enum nsm_error)e), "?");
    ck_assert_str_eq(nsm_error_text(NSM_ERRORS), "?");
}
END_TEST

/* ---- the simulated module ----------------------------------------------------- */

/* getopt wants its words writable, though nobody writes them. */
static int run_sim(const char *const *words)
{
    int argc = 0;
    while (words[argc]) argc++;
    return sim_nsm_main(argc, (char **)(uintptr_t)words);
}

struct host { char dir[64]; pid_t pid; char address[128]; };

static void host_serve(void *ctx)
{
    struct host *h = ctx;
    _exit(run_sim((const char *const[]){ "nsm", "--state", h->dir, "--listen", h->address, NULL }));
}

static void host_start(struct host *h)
{
    h->pid = child_start(host_serve, h);
    for (int i = 0; i < 500 && access(h->address + 5, F_OK) < 0; i++) nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

static void host_open(struct host *h)
{
    snprintf(h->dir, sizeof h->dir, "/tmp/hf-nsm-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(h->dir));
    snprintf(h->address, sizeof h->address, "unix:%s/socket", h->dir);
    host_start(h);
}

static void host_stop(struct host *h)
{
    kill(h->pid, SIGTERM);
    ck_assert(exited(child_wait(h->pid), 0));
    ck_assert_int_lt(access(h->address + 5, F_OK), 0);
}

static void host_close(struct host *h)
{
    static const char *const names[] = { "nsm-root.key", "nsm-root.der", "nsm-root.pem", "nsm.state" };
    char path[256];
    host_stop(h);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", h->dir, names[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(h->dir), 0);
}

static uint8_t *host_file(const struct host *h, const char *name, size_t *n)
{
    char path[256];
    static uint8_t room[8192];
    snprintf(path, sizeof path, "%s/%s", h->dir, name);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    *n = fread(room, 1, sizeof room, f);
    fclose(f);
    return room;
}

static struct nsm host_connect(const struct host *h)
{
    int fd = -1;
    struct nsm nsm;
    ASSERT_OK(nsm_connect(&fd, h->address));
    ASSERT_OK(nsm_from_fd(&nsm, fd));
    ck_assert(nsm.simulated);
    return nsm;
}

START_TEST(sim_documents)
{
    struct host h;
    uint8_t doc[NSM_RESPONSE_MAX], key[294];
    size_t n, root_len;
    const char *failed = NULL;
    memset(key, 'k', sizeof key);
    host_open(&h);
    struct nsm nsm = host_connect(&h);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    ASSERT_OK(nsm_attestation(&nsm, doc, sizeof doc, &n, (struct bytes){ key, sizeof key }, (struct bytes){ NULL, 0 }, B("nonce")));
    const uint8_t *root = host_file(&h, "nsm-root.der", &root_len);
    struct attest_check want = { .root = { root, root_len }, .at = now.tv_sec, .max_age = 60, .nonce = B("nonce") };
    struct attest_doc d;
    ASSERT_OK(attest_verify(&d, &failed, doc, n, &want));
    ck_assert_uint_eq(d.cabundle_count, 4);
    ck_assert_uint_eq(d.public_key.n, sizeof key);
    ck_assert_ptr_null(d.user_data.p);
    ck_assert_ptr_null(d.pcr[16]);
    ck_assert_uint_eq(d.cose.payload.n > 0 ? ((const uint8_t *)d.cose.payload.p)[0] : 0, 0xbf);
    /* PCR4 is of the instance in the module id, as AWS's is. */
    uint8_t text[48 + 19] = { 0 }, pcr4[48];
    memcpy(text + 48, d.module_id.p, 19);
    sha384(pcr4, text, sizeof text);
    ck_assert_mem_eq(d.pcr[4], pcr4, 48);
    /* Two seconds before the leaf begins, and after it ends. */
    want.max_age = 0;
    want.at = now.tv_sec - 5;
    ASSERT_CODE(attest_verify(NULL, &failed, doc, n, &want), E_AUTH);
    ck_assert_str_eq(failed, "validity");
    want.at = now.tv_sec + 3 * 3600 + 3;
    ASSERT_CODE(attest_verify(NULL, &failed, doc, n, &want), E_AUTH);
    ASSERT_CODE(nsm_attestation(&nsm, doc, n - 1, &n, (struct bytes){ key, sizeof key }, B(""), B("nonce")), E_LIMIT);
    ASSERT_CODE(nsm_attestation(&nsm, doc, sizeof doc, &n, (struct bytes){ doc, 1025 }, B(""), B("")), E_LIMIT);
    close(nsm.fd);
    host_close(&h);
}
END_TEST

START_TEST(sim_pcrs)
{
    struct host h;
    uint8_t value[48], want[48], text[48 + 3] = { 0 }, doc[NSM_RESPONSE_MAX];
    size_t n;
    bool locked = true;
    struct attest_doc d;
    host_open(&h);
    struct nsm nsm = host_connect(&h);
    ASSERT_OK(nsm_describe_pcr(&nsm, value, &locked, 16));
    ck_assert(!locked);
    ck_assert_mem_eq(value, text, 48);
    memcpy(text + 48, "abc", 3);
    sha384(want, text, sizeof text);
    ASSERT_OK(nsm_extend_pcr(&nsm, value, 16, "abc", 3));
    ck_assert_mem_eq(value, want, 48);
    ASSERT_OK(nsm_lock_pcr(&nsm, 16));
    ASSERT_CODE(nsm_extend_pcr(&nsm, value, 16, "abc", 3), E_DENIED);
    ASSERT_CODE(nsm_lock_pcr(&nsm, 16), E_DENIED);
    ASSERT_CODE(nsm_extend_pcr(&nsm, value, 0, "abc", 3), E_DENIED);
    ASSERT_CODE(nsm_describe_pcr(&nsm, value, &locked, 32), E_LIMIT);
    ASSERT_OK(nsm_describe_pcr(&nsm, value, &locked, 16));
    ck_assert(locked);
    ASSERT_OK(nsm_attestation(&nsm, doc, sizeof doc, &n, B(""), B(""), B("")));
    ASSERT_OK(attest_parse(&d, doc, n));
    ck_assert_mem_eq(d.pcr[16], want, 48);
    ck_assert_ptr_nonnull(d.nonce.p);                              /* empty stays empty, null stays null */
    /* Another connection is another life: PCR16 is zero again, and the module another. */
    struct nsm next = host_connect(&h);
    struct nsm_about first, second;
    ASSERT_OK(nsm_describe_pcr(&next, value, &locked, 16));
    ck_assert(!locked);
    ASSERT_OK(nsm_describe(&nsm, &first));
    ASSERT_OK(nsm_describe(&next, &second));
    ck_assert_uint_eq(first.locked, 0x1ffff);
    ck_assert_uint_eq(second.locked, 0xffff);
    ck_assert_uint_eq(first.max_pcrs, 32);
    ck_assert_str_ne(first.module_id, second.module_id);
    ck_assert(strncmp(first.module_id, second.module_id, 23) == 0);
    uint8_t random[1000], zero[1000] = { 0 };
    ASSERT_OK(nsm_random(&nsm, random, sizeof random));
    ck_assert_mem_ne(random + 900, zero, 100);
    close(nsm.fd);
    close(next.fd);
    host_close(&h);
}
END_TEST

START_TEST(sim_keeps_its_state)
{
    struct host h;
    struct nsm_about before, after;
    uint8_t root[2048];
    size_t n, m;
    host_open(&h);
    struct nsm nsm = host_connect(&h);
    ASSERT_OK(nsm_describe(&nsm, &before));
    close(nsm.fd);
    memcpy(root, host_file(&h, "nsm-root.der", &n), 2048);
    host_stop(&h);
    host_start(&h);
    nsm = host_connect(&h);
    ASSERT_OK(nsm_describe(&nsm, &after));
    ck_assert(strncmp(before.module_id, after.module_id, 23) == 0);
    const uint8_t *again = host_file(&h, "nsm-root.der", &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(root, again, n);
    close(nsm.fd);
    host_close(&h);
}
END_TEST

/* A root with a part missing is not replaced: others have pinned it. */
START_TEST(sim_refuses_half_a_root)
{
    struct host h;
    char path[256];
    host_open(&h);
    host_stop(&h);
    snprintf(path, sizeof path, "%s/nsm-root.key", h.dir);
    ck_assert_int_eq(unlink(path), 0);
    h.pid = child_start(host_serve, &h);
    ck_assert(exited(child_wait(h.pid), 1));
    snprintf(path, sizeof path, "%s/nsm-root.der", h.dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/nsm-root.pem", h.dir);
    unlink(path);
    host_start(&h);                                                /* none at all: a first run */
    struct nsm nsm = host_connect(&h);
    close(nsm.fd);
    host_close(&h);
}
END_TEST

START_TEST(sim_debug_and_options)
{
    static const char pcr[] = "0=0101010101010101010101010101010101010101010101010101010101010101"
                              "01010101010101010101010101010101";
    struct machine m;
    PKI pki = NULL;
    struct enclave *e = NULL;
    uint8_t request[64], answer[NSM_RESPONSE_MAX];
    char dir[] = "/tmp/hf-nsm-XXXXXX";
    size_t n = 0;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ASSERT_OK(machine_open(&m, dir));
    m.debug = true;
    ASSERT_OK(pki_open(&pki, dir));
    ASSERT_OK(enclave_new(&e, &m, pki));
    struct wr w = wr_of(request, sizeof request);
    ASSERT_OK(nsm_request_build(&w, &(struct nsm_request){ .op = NSM_ATTESTATION }));
    ASSERT_OK(enclave_answer(e, answer, &n, request, w.len));
    struct nsm_response a;
    struct attest_doc d;
    ASSERT_OK(nsm_response_parse(&a, answer, n));
    ASSERT_OK(attest_parse(&d, a.data.p, a.data.n));
    ck_assert(attest_is_debug(&d));
    ASSERT_OK(enclave_answer(e, answer, &n, "\xff", 1));
    ASSERT_OK(nsm_response_parse(&a, answer, n));
    ck_assert(a.op == NSM_REFUSED && a.error == NSM_INVALID_OPERATION);
    enclave_free(&e);
    const char *const usage[][6] = { { "nsm", NULL }, { "nsm", "--state", dir, NULL }, { "nsm", "--nonsense", NULL },
                                     { "nsm", "--state", dir, "--listen", "tcp:1", NULL }, { "nsm", "--pcr", pcr + 1, NULL } };
    for (size_t i = 0; i < 5; i++) ck_assert_int_eq(run_sim(usage[i]), 2);
    ck_assert_int_eq(run_sim((const char *const[]){ "nsm", "--help", NULL }), 0);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* ---- the client against a bad module -------------------------------------------- */

static void answer_once(int fd, const void *p, size_t n)
{
    char room[NSM_REQUEST_MAX];
    ck_assert_int_gt(recv(fd, room, sizeof room, MSG_DONTWAIT | MSG_PEEK) >= 0 || errno == EAGAIN, 0);
    ck_assert_int_eq(send(fd, p, n, 0), (ssize_t)n);
}

START_TEST(client_refuses)
{
    int pair[2];
    struct nsm nsm;
    uint8_t value[48], big[NSM_RESPONSE_MAX + 1] = { 0 };
    static const struct { const char *answer; size_t n; enum err_code want; } cases[] = {
        { "x", 1, E_FORMAT },
        { "\x67LockPCR", 8, E_FORMAT },                                              /* another question's answer */
        { "\xa1\x65" "Error\x6dReadOnlyIndex", 21, E_DENIED },
        { "\xa1\x69" "ExtendPCR\xa1\x64" "data\x41\x01", 19, E_FORMAT },             /* a PCR of one byte */
    };
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    ASSERT_OK(nsm_from_fd(&nsm, pair[0]));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        answer_once(pair[1], cases[i].answer, cases[i].n);
        ASSERT_CODE(nsm_extend_pcr(&nsm, value, 16, "a", 1), cases[i].want);
    }
    answer_once(pair[1], big, sizeof big);
    ASSERT_CODE(nsm_extend_pcr(&nsm, value, 16, "a", 1), E_FORMAT);
    ASSERT_CODE(nsm_extend_pcr(&nsm, value, 16, big, sizeof big), E_LIMIT);         /* beyond the driver's request */
    answer_once(pair[1], "\x68LockPCRs", 9);                                         /* well formed, but of another operation */
    ASSERT_CODE(nsm_lock_pcr(&nsm, 16), E_FORMAT);
    /* Longer than the device would give, though what fits is a whole answer. */
    static const char start[] = "\xa1\x6b" "Attestation\xa1\x68" "document\x59";
    size_t at = sizeof start - 1, body = NSM_RESPONSE_MAX - at - 2;
    memcpy(big, start, at);
    big[at] = (uint8_t)(body >> 8);
    big[at + 1] = (uint8_t)body;
    uint8_t doc[NSM_RESPONSE_MAX];
    size_t len = 0;
    answer_once(pair[1], big, NSM_RESPONSE_MAX);
    ASSERT_OK(nsm_attestation(&nsm, doc, sizeof doc, &len, B(""), B(""), B("")));
    ck_assert_uint_eq(len, body);
    answer_once(pair[1], big, sizeof big);
    ASSERT_CODE(nsm_attestation(&nsm, doc, sizeof doc, &len, B(""), B(""), B("")), E_FORMAT);
    answer_once(pair[1], "\xa1\x69GetRandom\xa1\x66random\x40", 20);
    ASSERT_CODE(nsm_random(&nsm, value, 48), E_FORMAT);                             /* no bytes: no progress */
    close(pair[1]);
    ASSERT_CODE(nsm_lock_pcr(&nsm, 16), E_CLOSED);
    close(pair[0]);
}
END_TEST

START_TEST(client_descriptors)
{
    struct nsm nsm;
    int pair[2], fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    ASSERT_OK(nsm_from_fd(&nsm, fd));                                                /* a device, though not the one */
    ck_assert(!nsm.simulated);
    ASSERT_CODE(nsm_lock_pcr(&nsm, 16), E_IO);
    close(fd);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ASSERT_CODE(nsm_from_fd(&nsm, pair[0]), E_FORMAT);
    close(pair[0]), close(pair[1]);
    ck_assert_int_eq(pipe(pair), 0);
    ASSERT_CODE(nsm_from_fd(&nsm, pair[0]), E_FORMAT);
    close(pair[0]), close(pair[1]);
    ASSERT_CODE(nsm_from_fd(&nsm, -1), E_IO);
    ASSERT_CODE(nsm_connect(&fd, "unix:"), E_FORMAT);
    ASSERT_CODE(nsm_connect(&fd, "nsm"), E_FORMAT);
    ASSERT_CODE(nsm_connect(&fd, "/nonexistent/nsm"), E_IO);
    ASSERT_CODE(nsm_connect(&fd, "unix:/nonexistent/nsm"), E_IO);
}
END_TEST

static Suite *nsm_suite(void)
{
    Suite *s = CHECK_SUITE("nsm", request_bytes, request_limits, response_round_trip, sim_documents, sim_pcrs, sim_keeps_its_state,
                           sim_refuses_half_a_root, sim_debug_and_options, client_refuses, client_descriptors);
    TCase *t = tcase_create("forms");
    tcase_add_loop_test(t, parse_forms, 0, (int)(sizeof parses / sizeof *parses));
    suite_add_tcase(s, t);
    return s;
}

CHECK_MAIN(nsm_suite)
