/* The keeper's statement and document, and PCR16, against the simulator's module behind a socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/mem.h"
#include "daemon/keeper.h"
#include "keystore/attest.h"
#include "policy/statement.h"
#include "sim/bank.h"
#include "tests/support/check_main.h"

enum { WEB_ROOM = 32 << 10 };
static struct { struct role_env env; struct keeper k; pid_t pid; int web; char dir[64]; struct attest_doc doc; } s;

/* One life of an enclave: requests come in, answers go out, until the other end closes. */
static void serve(int fd)
{
    struct machine m;
    struct pki *pki = NULL;
    struct enclave *e = NULL;
    uint8_t q[NSM_REQUEST_MAX], a[NSM_RESPONSE_MAX];
    size_t n = 0;
    if (machine_open(&m, s.dir).code || pki_open(&pki, s.dir).code || enclave_new(&e, &m, pki).code) _exit(1);
    for (ssize_t got; (got = recv(fd, q, sizeof q, 0)) > 0;)
        if (enclave_answer(e, a, &n, q, (size_t)got).code || send(fd, a, n, 0) != (ssize_t)n) _exit(1);
    _exit(0);
}

static void set_up(void)
{
    int nsm[2], web[2];
    memset(&s, 0, sizeof s);
    strcpy(s.dir, "/tmp/unit-attest-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s.dir));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, nsm), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, web), 0);
    s.pid = fork();
    ck_assert_int_ge(s.pid, 0);
    if (s.pid == 0) {
        close(nsm[0]);
        serve(nsm[1]);
    }
    close(nsm[1]);
    s.web = web[0];
    s.env.peer[ROLE_WEB] = web[1];
    strcpy(s.env.config.service_name, "vault");
    s.k.env = &s.env;
    s.k.shown.simulated = 1;
    strcpy(s.k.shown.profile, "confidential-script-2");
    ASSERT_OK(nsm_from_fd(&s.k.nsm, nsm[0]));
}

static void tear_down(void)
{
    char command[128];
    close(s.k.nsm.fd);
    ck_assert_int_eq(waitpid(s.pid, NULL, 0), s.pid);
    snprintf(command, sizeof command, "rm -rf %s", s.dir);
    ck_assert_int_eq(system(command), 0);
}

/* Ask as web does. Out: the parsed document in s.doc (over `room`), the statement. */
static struct bytes ask(uint8_t room[static WEB_ROOM], bool document, const void *nonce, size_t n)
{
    uint8_t body[600];
    struct wr w = wr_of(body, sizeof body);
    struct msg m = { KEEPER_ATTEST, 7, 0, body };
    int pass = -1;
    size_t doc_len = 0;
    struct bytes text = { NULL, 0 };
    wr_u8(&w, document);
    wr_var(&w, nonce, n);
    m.len = (uint32_t)w.len;
    ASSERT_OK(keeper_on_attest(&s.k, s.env.peer[ROLE_WEB], &m, &pass));
    ASSERT_OK(msg_recv(s.web, &m, room, WEB_ROOM, NULL, 5000));
    ck_assert_uint_eq(m.type, KEEPER_ATTESTED);
    ck_assert_uint_eq(m.seq, 7);
    struct rd r = rd_of(m.body, m.len);
    const uint8_t *doc = rd_var(&r, NSM_RESPONSE_MAX, &doc_len);
    text.p = rd_var(&r, STATEMENT_MAX, &text.n);
    ASSERT_OK(rd_end(&r, "answer"));
    ck_assert_int_eq(doc_len > 0, document);
    if (document) ASSERT_OK(attest_parse(&s.doc, doc, doc_len));
    return text;
}

static void open_service(void)
{
    struct wire_state *now = &s.k.shown;
    now->has_service = 1;
    now->epoch = 1;
    memset(now->service_id, 0x11, 32);
    memset(now->public_key, 0x02, 33);
    strcpy(now->settings.key_id, "arn:aws:kms:us-east-1:111122223333:key/k");
}

START_TEST(a_document_commits_to_the_statement)
{
    uint8_t room[WEB_ROOM];
    set_up();
    struct bytes text = ask(room, true, "nonce", 5);
    ck_assert_ptr_nonnull(memmem(text.p, text.n, "\"service_id\":null", 17));
    ASSERT_OK(statement_check(s.doc.user_data.p, s.doc.user_data.n, text.p, text.n));
    ck_assert_uint_eq(s.doc.nonce.n, 5);
    ck_assert_mem_eq(s.doc.nonce.p, "nonce", 5);
    ck_assert_ptr_null(s.doc.pcr[SERVICE_PCR]);

    open_service();
    text = ask(room, true, "", 0);
    ck_assert_ptr_nonnull(memmem(text.p, text.n, "\"service_id\":\"1111", 18));
    ASSERT_OK(statement_check(s.doc.user_data.p, s.doc.user_data.n, text.p, text.n));
    ck_assert_ptr_null(s.doc.nonce.p);
    const struct bytes alone = ask(room, false, "", 0);
    ck_assert_ptr_nonnull(memmem(alone.p, alone.n, "\"simulated\":true", 16));
    tear_down();
}
END_TEST

START_TEST(pcr16_is_the_services_for_good)
{
    uint8_t room[WEB_ROOM], id[32], other[32], want[48], value[48];
    bool locked = false;
    memset(id, 0x11, 32);
    memset(other, 0x12, 32);
    statement_service_pcr(want, id);
    set_up();
    ASSERT_OK(keeper_bind_service(&s.k, id));
    ASSERT_OK(nsm_describe_pcr(&s.k.nsm, value, &locked, SERVICE_PCR));
    ck_assert(locked);
    ck_assert_mem_eq(value, want, 48);
    (void)ask(room, true, "", 0);
    ck_assert_ptr_nonnull(s.doc.pcr[SERVICE_PCR]);
    ck_assert_mem_eq(s.doc.pcr[SERVICE_PCR], want, 48);
    /* The same again is nothing new; another service in the same boot is refused. */
    ASSERT_OK(keeper_bind_service(&s.k, id));
    ASSERT_CODE(keeper_bind_service(&s.k, other), E_STATE);
    ASSERT_CODE(nsm_extend_pcr(&s.k.nsm, value, SERVICE_PCR, id, 32), E_DENIED);
    tear_down();
}
END_TEST

START_TEST(pcr16_half_done_is_finished_and_taken_is_refused)
{
    uint8_t id[32], value[48];
    bool locked = false;
    memset(id, 0x11, 32);
    set_up();
    ASSERT_OK(nsm_extend_pcr(&s.k.nsm, value, SERVICE_PCR, id, 32));
    ASSERT_OK(keeper_bind_service(&s.k, id));
    ASSERT_OK(nsm_describe_pcr(&s.k.nsm, value, &locked, SERVICE_PCR));
    ck_assert(locked);
    tear_down();

    set_up();
    ASSERT_OK(nsm_extend_pcr(&s.k.nsm, value, SERVICE_PCR, "x", 1));
    ASSERT_CODE(keeper_bind_service(&s.k, id), E_STATE);
    tear_down();

    set_up();
    ASSERT_OK(nsm_lock_pcr(&s.k.nsm, SERVICE_PCR));       /* zero and locked: nothing can be tied to it */
    ASSERT_CODE(keeper_bind_service(&s.k, id), E_STATE);
    tear_down();
}
END_TEST

START_TEST(a_module_that_is_gone_is_an_error_for_the_client_alone)
{
    const uint8_t body[5] = { 1 };
    uint8_t room[64];
    struct msg m = { KEEPER_ATTEST, 9, sizeof body, body };
    int pass = -1;
    set_up();
    shutdown(s.k.nsm.fd, SHUT_RDWR);
    ASSERT_OK(keeper_on_attest(&s.k, s.env.peer[ROLE_WEB], &m, &pass));
    ASSERT_OK(msg_recv(s.web, &m, room, sizeof room, NULL, 5000));
    ck_assert_uint_eq(m.type, MSG_ERROR);
    ck_assert_uint_eq(m.seq, 9);
    uint8_t id[32] = { 1 };
    ASSERT_FAILS(keeper_bind_service(&s.k, id));
    const uint8_t bad[5] = { 2 };
    m = (struct msg){ KEEPER_ATTEST, 9, sizeof bad, bad };
    ASSERT_CODE(keeper_on_attest(&s.k, s.env.peer[ROLE_WEB], &m, &pass), E_FORMAT);
    tear_down();
}
END_TEST

static Suite *attest_suite(void)
{
    return CHECK_SUITE("daemon/attest", a_document_commits_to_the_statement, pcr16_is_the_services_for_good,
                       pcr16_half_done_is_finished_and_taken_is_refused, a_module_that_is_gone_is_an_error_for_the_client_alone);
}
CHECK_MAIN(attest_suite)
