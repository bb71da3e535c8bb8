/* fault_keystore.c - every allocation, random call and arena slot of keystore/ fails in
 * turn: an error comes back, and nothing is left behind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/crypto.h"
#include "keystore/attest.h"
#include "keystore/keyring.h"
#include "keystore/master.h"
#include "keystore/nsm.h"
#include "keystore/nums.h"
#include "keystore/recipient.h"
#include "sim/bank.h"
#include "sim/pki.h"
#include "tests/keystore_case.h"
#include "tests/support/faults.h"
#include "tests/support/vectors.h"

/* ---- the arena ------------------------------------------------------------------- */

enum { HOGS = 4096 };

/* Take the whole arena but `k` pieces, run, give back. Secrets are what a fault loop over
 * malloc() cannot make scarce. */
static err with_few_secrets(fault_body *body, void *ctx, unsigned long k)
{
    static secret *hog[HOGS];
    size_t n = 0;
    while (n < HOGS && secret_new(&hog[n], 32).code == E_OK) n++;
    for (unsigned long i = 0; i < k && n > 0; i++) secret_drop(&hog[--n]);
    size_t before = secret_count();
    err e = body(ctx, 0);
    ck_assert_uint_eq(secret_count(), before);
    while (n > 0) secret_drop(&hog[--n]);
    return e;
}

static void arena_loop(fault_body *body, void *ctx, const char *what)
{
    unsigned long k = 0;
    for (;; k++) {
        ck_assert_msg(k < 200, "%s never has enough", what);
        err e = with_few_secrets(body, ctx, k);
        if (e.code == E_OK) break;
        ck_assert_msg(e.code == E_MEMORY, "%s with room for %lu: %s", what, k, err_text(e.code));
    }
    ck_assert_msg(k > 0, "%s needs no secret", what);
}

/* ---- bodies ------------------------------------------------------------------------ */

struct seal { struct keyring k; secret *root; uint8_t sealed[KEYRING_SEALED]; };

static void fill(secret **s, uint8_t v)
{
    ASSERT_OK(secret_new(s, 32));
    memset(secret_reveal(*s), v, 32);
}

static void seal_open(struct seal *s)
{
    memset(s, 0, sizeof *s);
    fill(&s->k.master, 1);
    fill(&s->k.service_root, 2);
    fill(&s->root, 3);
    ASSERT_OK(keyring_seal(s->sealed, &s->k, s->root, "a", 1));
}

static void seal_close(struct seal *s)
{
    keyring_drop(&s->k);
    secret_drop(&s->root);
}

static err do_seal(void *ctx, unsigned long n)
{
    struct seal *s = ctx;
    uint8_t out[KEYRING_SEALED];
    (void)n;
    return keyring_seal(out, &s->k, s->root, "a", 1);
}

static err do_unseal(void *ctx, unsigned long n)
{
    struct seal *s = ctx;
    KEYRING k = { .epoch = 0 };
    (void)n;
    return keyring_unseal(&k, s->root, s->sealed, sizeof s->sealed, "a", 1);
}

static err do_derive(void *ctx, unsigned long n)
{
    struct seal *s = ctx;
    uint8_t hash[32] = { 1 }, out[32];
    SECRET a = NULL;
    SECRET b = NULL;
    SECRET c = NULL;
    SECRET d = NULL;
    (void)n;
    TRY(keyring_build_root(&a, s->root, "arn", hash));
    TRY(keyring_service_root(&b, s->root, hash));
    TRY(keyring_child(&c, 32, &s->k, "seal", 1));
    TRY(keyring_commitment(out, &s->k));
    return master_from_secret(&d, PROFILE_CONFIDENTIAL_SCRIPT_2, s->root, NULL);
}

static err do_nums(void *ctx, unsigned long n)
{
    uint8_t spki[NUMS_SPKI], hash[32];
    uint32_t counter;
    (void)ctx, (void)n;
    memset(hash, 1, sizeof hash);                /* the hash whose first candidate is no point */
    return nums_point(spki, &counter, hash, PROFILE_CONFIDENTIAL_SCRIPT_2);
}

struct envelope_of { uint8_t der[2048]; size_t der_len; uint8_t *cms; size_t n; };

/* A key of its own for each try: when memory ends inside libcrypto's RSA, the key's blinding
 * stays half renewed, and that object decrypts nothing any more. In the keeper such a
 * failure is an error of this boot; the next boot has a new key. */
static err do_open(void *ctx, unsigned long n)
{
    struct envelope_of *e = ctx;
    RECIPIENT r = NULL;
    SECRET z = NULL;
    (void)n;
    fault_pause(1);
    MUST(!recipient_from_der(&r, e->der, e->der_len).code);
    fault_pause(0);
    err opened = recipient_open(&z, r, e->cms, e->n, 32);
    fault_pause(1);                       /* freeing is not what is counted */
    recipient_drop(&r);
    fault_pause(0);
    return opened;
}

/* The base64 between the two lines of dashes. */
static size_t pem_to_der(uint8_t *out, size_t cap, const char *file)
{
    size_t n, len = 0, text_len = 0;
    char *pem = (char *)vectors_read(file, &n), *text = malloc(n + 1);
    for (char *line = strtok(pem, "\n"); line; line = strtok(NULL, "\n")) {
        if (line[0] == '-') continue;
        memcpy(text + text_len, line, strlen(line));
        text_len += strlen(line);
    }
    ASSERT_OK(base64_to(out, cap, &len, text, text_len));
    free(text), free(pem);
    return len;
}

struct papers { uint8_t doc[ATTEST_MAX], root[2048]; size_t n, root_len; int64_t at; struct pki *pki; struct machine m; char dir[32]; };

static void papers_open(struct papers *p)
{
    struct enclave *e = NULL;
    uint8_t request[64], answer[NSM_RESPONSE_MAX];
    struct nsm_response a;
    struct wr w = wr_of(request, sizeof request);
    strcpy(p->dir, "/tmp/hf-fault-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(p->dir));
    ASSERT_OK(machine_open(&p->m, p->dir));
    ASSERT_OK(pki_open(&p->pki, p->dir));
    ASSERT_OK(enclave_new(&e, &p->m, p->pki));
    p->at = (int64_t)time(NULL);
    ASSERT_OK(nsm_request_build(&w, &(struct nsm_request){ .op = NSM_ATTESTATION }));
    ASSERT_OK(enclave_answer(e, answer, &p->n, request, w.len));
    ASSERT_OK(nsm_response_parse(&a, answer, p->n));
    memcpy(p->doc, a.data.p, a.data.n);
    p->n = a.data.n;
    struct attest_doc d;
    ASSERT_OK(attest_parse(&d, p->doc, p->n));
    memcpy(p->root, d.cabundle[0].p, d.cabundle[0].n);
    p->root_len = d.cabundle[0].n;
    enclave_free(&e);
}

static void papers_close(struct papers *p)
{
    char command[64];
    pki_close(&p->pki);
    snprintf(command, sizeof command, "rm -r %s", p->dir);
    ck_assert_int_eq(system(command), 0);
}

static err do_verify(void *ctx, unsigned long n)
{
    const struct papers *p = ctx;
    const struct attest_check want = { .root = { p->root, p->root_len }, .at = p->at };
    (void)n;
    return attest_verify(NULL, NULL, p->doc, p->n, &want);
}

/* Want of memory never turns a refusal into acceptance. */
/* Check itself allocates, so a body asserts with MUST. */
static err do_refuse(void *ctx, unsigned long n)
{
    struct papers *p = ctx;
    struct attest_check want = { .root = { p->root, p->root_len }, .at = p->at };
    struct attest_doc d;
    (void)n;
    p->doc[p->n - 1] ^= 1;
    MUST(attest_verify(NULL, NULL, p->doc, p->n, &want).code != E_OK);
    p->doc[p->n - 1] ^= 1;
    if (attest_parse(&d, p->doc, p->n).code == E_OK) {
        uint8_t *zone = p->doc + ((const uint8_t *)d.cabundle[2].p - p->doc) + d.cabundle[2].n - 1;
        *zone ^= 1;
        MUST(attest_verify(NULL, NULL, p->doc, p->n, &want).code != E_OK);
        *zone ^= 1;
    }
    want.at += 4 * 3600;
    MUST(attest_verify(NULL, NULL, p->doc, p->n, &want).code != E_OK);
    return OK;
}

static err do_issue(void *ctx, unsigned long n)
{
    const struct papers *p = ctx;
    struct enclave *e = NULL;
    uint8_t request[64], answer[NSM_RESPONSE_MAX];
    size_t len = 0;
    struct wr w = wr_of(request, sizeof request);
    (void)n;
    TRY(enclave_new(&e, &p->m, p->pki));
    TRY(nsm_request_build(&w, &(struct nsm_request){ .op = NSM_ATTESTATION }));
    err got = enclave_answer(e, answer, &len, request, w.len);
    enclave_free(&e);
    return got;
}

/* The client, with an answer that waits in the socket already. */
static err do_ask(void *ctx, unsigned long n)
{
    int pair[2];
    struct nsm nsm;
    static const uint8_t answer[] = "\xa1\x6b" "Attestation\xa1\x68" "document\x43" "doc";
    uint8_t doc[64];
    size_t len;
    (void)ctx, (void)n;
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    MUST(send(pair[1], answer, sizeof answer - 1, 0) == (ssize_t)sizeof answer - 1);
    err e = nsm_from_fd(&nsm, pair[0]);
    if (!e.code) e = nsm_attestation(&nsm, doc, sizeof doc, &len, (struct bytes){ "k", 1 }, (struct bytes){ NULL, 0 }, (struct bytes){ "n", 1 });
    close(pair[0]), close(pair[1]);
    return e;
}

/* A verification allocates ten thousand times, so every one in turn would take minutes:
 * each `stride`-th instead, from the first. Otherwise as fault_loop() with FAULT_ALLOC_LIBRARY. */
static void fault_sample(fault_body *body, void *ctx, unsigned long stride, const char *what)
{
    unsigned long told = 0;
    ASSERT_OK(body(ctx, 0));
    for (unsigned long n = 1;; n += stride) {
        size_t blocks = 1;
        int struck = 0;
        for (int i = 0; i < 4 && blocks > 0; i++) {          /* what stays every time is a leak, not a cache */
            fault_arm(n, 0);
            err e = body(ctx, n);
            blocks = fault_live_blocks();
            struck = fault_struck();
            fault_disarm();
            ck_assert_msg(struck || e.code == E_OK, "%s: %s without a fault", what, err_text(e.code));
            told += e.code != E_OK;
        }
        ck_assert_msg(blocks == 0, "%s: %zu heap blocks leak at fault %lu", what, blocks, n);
        if (!struck) break;
        ck_assert_msg(n < 1000000, "%s: does not come to an end", what);
    }
    ck_assert_msg(told > 0 || body == do_refuse, "%s: no fault was told", what);
}

/* ---- tests --------------------------------------------------------------------------- */

START_TEST(keyring_faults)
{
    struct seal s;
    seal_open(&s);
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, do_seal, &s);
    FAULT_LOOP(FAULT_RANDOM, do_seal, &s);
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, do_unseal, &s);
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, do_derive, &s);
    arena_loop(do_seal, &s, "seal");
    arena_loop(do_unseal, &s, "unseal");
    arena_loop(do_derive, &s, "derive");
    seal_close(&s);
}
END_TEST

START_TEST(point_faults)
{
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, do_nums, NULL);
}
END_TEST

START_TEST(envelope_faults)
{
    struct envelope_of e = { .n = 0 };
    e.cms = vectors_read("cms/edgebit.ber", &e.n);
    e.der_len = pem_to_der(e.der, sizeof e.der, "cms/edgebit.key.pem");
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, do_open, &e);
    arena_loop(do_open, &e, "open");
    free(e.cms);
}
END_TEST

START_TEST(document_faults)
{
    struct papers p = { .n = 0 };
    papers_open(&p);
    fault_sample(do_verify, &p, 13, "verify");
    papers_close(&p);
}
END_TEST

START_TEST(refusal_faults)
{
    struct papers p = { .n = 0 };
    papers_open(&p);
    fault_sample(do_refuse, &p, 53, "refuse");
    papers_close(&p);
}
END_TEST

START_TEST(issue_faults)
{
    struct papers p = { .n = 0 };
    papers_open(&p);
    /* Random calls only: libcrypto's own maker of certificates loses memory when it gets none. */
    FAULT_LOOP(FAULT_RANDOM, do_issue, &p);
    papers_close(&p);
}
END_TEST

START_TEST(client_faults)
{
    FAULT_LOOP(FAULT_ALLOC, do_ask, NULL);
}
END_TEST

static Suite *faults(void)
{
    Suite *s = suite_create("faults");
    SECRET_CASE(s, "faults", keyring_faults, point_faults, envelope_faults, client_faults);
    tcase_set_timeout(SECRET_CASE(s, "documents", document_faults, refusal_faults, issue_faults), 300);
    return s;
}

int main(void)
{
    vectors_need("cms/edgebit.ber");
    if (crypto_warm_up().code) return 1;
    return check_main((check_suite *const[]){ faults }, 1);
}
